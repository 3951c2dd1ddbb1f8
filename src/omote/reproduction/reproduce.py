"""`omote reproduce`: the whole paper from one face set, in a folder."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from omote.data.face_set import FaceSet
from omote.figures.paper.examples import choose_examples, choose_pairs
from omote.figures.paper.interpolate import plot_interpolation
from omote.figures.paper.swap import plot_swap
from omote.figures.picture import save_picture
from omote.files import write_text
from omote.reproduction.gather import gather
from omote.reproduction.plan import Plan, make_plan
from omote.reproduction.report import FIGURES, figure3, write_report
from omote.reproduction.results import Results
from omote.reproduction.rows import ROWS
from omote.reproduction.table import write_differences_csv, write_table_csv, write_table_tex
from omote.reproduction.work import Listener, carry_out
from omote.runs.trained import load

SHOWN = (1, 3, 4, 5)  # rows of Figures 4 and 5
SWAP_ROWS = 5


def reproduce(
    face_set: FaceSet,
    to: str | Path,
    *,
    rows: Sequence[int] | None = None,
    scale: str = "small",
    seeds: int = 1,
    folds: int = 1,
    test_subjects: int | Sequence[str] | None = None,
    workers: int | None = None,
    progress: Listener | None = None,
) -> Results:
    """Train and score rows of Table 3, and write tables, pictures and ``report.html`` into ``to``; return the results.

    What an earlier call, stopped or not, has left in ``to`` is used again: trainings go on from their last checkpoint,
    and with further rows or seeds only those are trained. Tables, pictures and report are of the rows and seeds of this
    call.

    Args:
        face_set: of 128 px for all rows; of 64 px for all but row 5.
        to: folder; made.
        rows: of Table 3; None for all that the size of the faces allows.
        scale: "paper" for the paper's training, "small" for an hour or so, "tiny" to see it run.
        seeds: trainings of each row, with the seeds 0 .. seeds-1; the people held out are the same.
        folds: of a cross-validation by subject, in which everybody is held out once; 1 for one split.
        test_subjects: how many people to hold out, or their names; None for a fifth of them.
        workers: trainings at a time; None for one a core as long as there are as many, or one on a GPU.
        progress: called with (name, steps done, steps in all) of each training.
    Raises:
        OmoteError: As `make_plan` and `carry_out`.
    """
    plan = make_plan(
        face_set, to, rows=rows, scale=scale, seeds=seeds, folds=folds, test_subjects=test_subjects
    )
    carry_out(plan, workers=workers, progress=progress)
    return write_results(plan)


def write_results(plan: Plan) -> Results:
    """Gather the scores of a plan that was carried out, and write everything that a reader looks at."""
    results = gather(plan)
    write_table_csv(results, plan.to / "table.csv")
    write_table_tex(results, plan.to / "table.tex")
    write_differences_csv(results, plan.to / "differences.csv")
    drawn = pictures(plan)
    if (curve := figure3(results)) is not None:
        drawn["figure3"] = curve
        write_text(plan.to / "figure3.csv", results.after.to_csv(index=False))
    else:
        (plan.to / "figure3.csv").unlink(missing_ok=True)  # of an earlier call with other rows, as below
    for name in FIGURES:
        if name in drawn:
            save_picture(drawn[name], plan.to / f"{name}.png")
        else:
            (plan.to / f"{name}.png").unlink(missing_ok=True)
    write_report(results, drawn, plan.to / "report.html")
    return results


def pictures(plan: Plan) -> dict[str, Image.Image]:
    """Return Figures 4 and 5, from the first training of each row that they show."""
    shown = [next(t for t in plan.trainings if t.row == row) for row in SHOWN if row in plan.rows]
    if not shown:
        return {}
    models = [load(training.run) for training in shown]
    titles = [f"row {row.number}: {row.title}, {row.size} px" for row in (ROWS[t.row] for t in shown)]
    face_set, info = plan.face_set, models[0].info
    drawn = {}
    for people, subjects in (("train", info.train_subjects), ("test", info.test_subjects)):
        examples = choose_examples(face_set, subjects, expressions=SWAP_ROWS)
        faces = face_set.faces[examples.identity], face_set.faces[examples.expression]
        drawn[f"figure4_{people}"] = plot_swap(models, *faces, titles=titles)
    sources, targets = choose_pairs(face_set, info.test_subjects)
    drawn["figure5"] = plot_interpolation(
        models, face_set.faces[sources], face_set.faces[targets], titles=titles
    )
    return drawn

"""Reproduce the whole paper from one face set."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from omote.data.face_set import FaceSet
from omote.figures.paper.examples import choose_examples, choose_pairs
from omote.figures.paper.interpolate import plot_interpolation
from omote.figures.paper.swap import plot_swap
from omote.figures.picture import save_picture
from omote.files import locked, write_text
from omote.formulas import write_csv
from omote.reproduction.execute import ReproductionProgress, execute
from omote.reproduction.plan import IN_WORK, Plan, make_plan
from omote.reproduction.report import FIGURES, plot_figure3, write_report
from omote.reproduction.results import Results
from omote.reproduction.rows import NO_SETTINGS, ROWS
from omote.reproduction.summarise import summarise
from omote.reproduction.table import write_differences_csv, write_table_csv, write_table_tex
from omote.runs.trained import load

FIGURE_ROWS = (1, 3, 4, 5)  # rows of Table 3 that Figures 4 and 5 show
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
    settings: Mapping[str, Any] = NO_SETTINGS,
    workers: int | None = None,
    progress: ReproductionProgress | None = None,
) -> Results:
    """Train and score rows of Table 3, write tables, pictures and ``report.html`` into ``to``, and return the results.

    Work that an earlier call left in ``to`` is reused: interrupted trainings continue from their last checkpoint, and
    with more rows or seeds only the new ones are trained. Tables, pictures and report cover the rows and seeds of this
    call.

    Args:
        face_set: 128 px for all rows, or 64 px for all but row 5.
        to: folder; created if missing.
        rows: rows of Table 3; None for all that the size of the faces allows.
        scale: "paper" for the paper's training, "small" for about an hour, "tiny" only to see that it runs.
        seeds: number of trainings per row, with seeds 0 .. seeds-1. All hold out the same people.
        folds: number of folds of a cross-validation by subject, which holds out everybody once; 1 for a single split.
        test_subjects: number of people to hold out, or their names; None for a fifth of them.
        settings: settings that override those of every row, such as ``{"options.kl_weight": 0.01}``.
        workers: number of trainings at a time; None for one per core, up to the number of trainings, or one on a GPU.
        progress: called with (name, steps done, total steps) of each training.
    Raises:
        OmoteError: As `make_plan` and `execute`.
    """
    plan = make_plan(
        face_set, to, rows=rows, scale=scale, seeds=seeds, folds=folds, test_subjects=test_subjects,
        settings=settings,
    )  # fmt: skip
    execute(plan, workers=workers, progress=progress)
    return write_results(plan)


def write_results(plan: Plan) -> Results:
    """Summarise the scores of a plan after `execute`; write tables, pictures and the report."""
    results = summarise(plan)
    figures = plot_figures(plan)
    with locked(plan.to, IN_WORK):
        write_table_csv(results, plan.to / "table.csv")
        write_table_tex(results, plan.to / "table.tex")
        write_differences_csv(results, plan.to / "differences.csv")
        if (curve := plot_figure3(results)) is not None:
            figures["figure3"] = curve
            write_text(plan.to / "figure3.csv", write_csv(results.repetitions))
        else:
            (plan.to / "figure3.csv").unlink(
                missing_ok=True
            )  # from an earlier call with other rows, as below
        for name in FIGURES:
            if name in figures:
                save_picture(figures[name], plan.to / f"{name}.png")
            else:
                (plan.to / f"{name}.png").unlink(missing_ok=True)
        write_report(results, figures, plan.to / "report.html")
    return results


def plot_figures(plan: Plan) -> dict[str, Image.Image]:
    """Return Figures 4 and 5 by name, from the first training of each of `FIGURE_ROWS`."""
    shown = [next(t for t in plan.trainings if t.row == row) for row in FIGURE_ROWS if row in plan.rows]
    if not shown:
        return {}
    models = [load(training.run) for training in shown]
    titles = [f"row {row.number}: {row.title}, {row.size} px" for row in (ROWS[t.row] for t in shown)]
    face_set, info = plan.face_set, models[0].info
    figures = {}
    for people, subjects in (("train", info.train_subjects), ("test", info.test_subjects)):
        examples = choose_examples(face_set, subjects, expressions=SWAP_ROWS)
        faces = face_set.faces[examples.identity], face_set.faces[examples.expression]
        figures[f"figure4_{people}"] = plot_swap(models, *faces, titles=titles)
    sources, targets = choose_pairs(face_set, info.test_subjects)
    figures["figure5"] = plot_interpolation(
        models, face_set.faces[sources], face_set.faces[targets], titles=titles
    )
    return figures

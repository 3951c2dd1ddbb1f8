"""`omote evaluate`: score a run."""

from typing import Annotated, Any

import typer

from omote.cli.display import say, show_scores, status
from omote.cli.inputs import Clusters, FaceSetArgument, KmeansRuns, RunArgument
from omote.errors import OmoteError


def evaluate(
    run: RunArgument,
    faces: FaceSetArgument,
    kmeans_runs: KmeansRuns = 100,
    clusters: Clusters = 9,
    centred: Annotated[
        bool,
        typer.Option(
            "--centred",
            help="Subtract each person's mean code before scoring, as in row 7 of the paper's Table 3.",
        ),
    ] = False,
) -> dict[str, Any]:
    """Score a run: how well its codes separate expressions, and how much they reveal about the person's identity."""
    if not run.is_dir():
        raise OmoteError(
            f"scores are written into the folder of a run, and {run} is not in a folder of yours; give "
            f"`omote audit {run} --faces {faces}`"
        )
    from omote.data.face_set import open_face_set
    from omote.evaluation.evaluate import evaluate
    from omote.runs.card import write_card
    from omote.runs.trained import load

    trained, face_set = load(run), open_face_set(faces)
    with status("scoring"):
        scores = evaluate(trained, face_set, k=clusters, seeds=kmeans_runs, centred=centred)
    to = run / "centred" if centred else run
    scores.save(to)
    if not centred:
        write_card(run)
    show_scores(scores.table)
    say(f"Saved: {to / 'scores.csv'}")
    if scores.by_subject.empty:
        say(f"No face has an expression label. Next: omote choose {run} OTHER_RUNS, which needs none")
    else:
        say(f"Next: omote audit {run}, for 95 % intervals, baselines and pictures")
    return {"table": to / "scores.csv", "scores": scores.table}

"""`omote swap` and `omote interpolate`: the paper's Figures 4 and 5, from a face set or from photos."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from omote.cli.display import say
from omote.cli.inputs import Credit, Cropped, Detector, RunsArgument, number
from omote.errors import OmoteError

if TYPE_CHECKING:
    from omote.data.face_set import FaceSet
    from omote.data.outputs import Faces
    from omote.runs.trained import Trained

ToPicture = Annotated[Path, typer.Option("--to", metavar="FILE", help="Picture to write: a .png file.")]
ExampleFaces = Annotated[
    Path | None, typer.Option("--faces", help="Face set (folder) from which to choose example faces.")
]
ExamplePeople = Annotated[
    str,
    typer.Option("--people", help="With --faces: show people from training (train), held out (test) or all."),
]


def swap(
    runs: RunsArgument,
    to: ToPicture,
    faces: ExampleFaces = None,
    people: ExamplePeople = "all",
    expressions: Annotated[
        int | None,
        number("With --faces: number of rows. Default: one per expression in the face set."),
    ] = None,
    identity: Annotated[
        list[Path] | None,
        typer.Option(help="Photo of a person whose face to draw (column). Can be repeated."),
    ] = None,
    expression: Annotated[
        list[Path] | None, typer.Option(help="Photo of an expression to transfer (row). Can be repeated.")
    ] = None,
    cropped: Cropped = False,
    detector: Detector = None,
    credit: Credit = None,
) -> dict[str, Any]:
    """Draw the paper's Figure 4: every expression (row) on every person's face (column).

    Give a face set (--faces), or photos (--identity and --expression).
    """
    from omote.figures.paper.examples import choose_examples
    from omote.figures.paper.swap import plot_swap
    from omote.figures.picture import check_picture_path, save_picture

    check_picture_path(to)
    models = load_with_decoder(runs)
    if faces is not None and not (identity or expression):
        face_set, subjects = open_examples(faces, models, people)
        examples = choose_examples(face_set, subjects, expressions=expressions)
        columns, rows = face_set.faces[examples.identity], face_set.faces[examples.expression]
    elif identity and expression and faces is None:
        columns = crop_photos(identity, models, cropped, detector)
        rows = crop_photos(expression, models, cropped, detector)
    else:
        raise OmoteError(
            "give either --faces with a face set, or photos with both --identity and --expression"
        )
    save_picture(plot_swap(models, columns, rows, credit=credit), to)
    say(f"Saved: {to}")
    return {"picture": to}


def interpolate(
    runs: RunsArgument,
    to: ToPicture,
    faces: ExampleFaces = None,
    people: ExamplePeople = "all",
    identity: Annotated[
        Path | None, typer.Option(help="Photo of the person to draw, with the first expression.")
    ] = None,
    expression: Annotated[Path | None, typer.Option(help="Photo with the last expression.")] = None,
    steps: Annotated[int, number("Number of images, including the first and the last.", 2, 1000)] = 9,
    cropped: Cropped = False,
    detector: Detector = None,
    credit: Credit = None,
) -> dict[str, Any]:
    """Draw the paper's Figure 5: the first face, changing in equal steps from its expression to another one.

    Give a face set (--faces), or photos (--identity and --expression).
    """
    from omote.figures.paper.examples import choose_pairs
    from omote.figures.paper.interpolate import plot_interpolation
    from omote.figures.picture import check_picture_path, save_picture

    check_picture_path(to)
    models = load_with_decoder(runs)
    if faces is not None and not (identity or expression):
        face_set, subjects = open_examples(faces, models, people)
        first, last = choose_pairs(face_set, subjects)
        sources, targets = face_set.faces[first], face_set.faces[last]
    elif identity and expression and faces is None:
        sources = crop_photos([identity], models, cropped, detector)
        targets = crop_photos([expression], models, cropped, detector)
    else:
        raise OmoteError(
            "give either --faces with a face set, or photos with both --identity and --expression"
        )
    save_picture(plot_interpolation(models, sources, targets, steps=steps, credit=credit), to)
    say(f"Saved: {to}")
    return {"picture": to}


def load_with_decoder(runs: list[Path]) -> "list[Trained]":
    """Return the runs, loaded. Raises OmoteError before any other work if one of them cannot generate images."""
    from omote.runs.trained import load

    models = [load(run) for run in runs]
    for model in models:
        model.check_decoder()
    return models


def open_examples(faces: Path, models: "list[Trained]", people: str) -> "tuple[FaceSet, list[str]]":
    """Return the face set, and the subjects selected by --people (train, test or all)."""
    from omote.data.face_set import open_face_set
    from omote.runs.hub import check_people

    face_set = open_face_set(faces)
    if people == "all":
        return face_set, face_set.subjects
    if people not in ("train", "test"):
        raise OmoteError(f'--people was given "{people}"; it takes train, test or all')
    for model in models:
        check_people(model.info, face_set.about)
    info = models[0].info
    if any(model.info.test_subjects != info.test_subjects for model in models):
        raise OmoteError("the runs held out different people; give --people all, or runs with the same split")
    subjects = info.train_subjects if people == "train" else info.test_subjects
    if not subjects:
        raise OmoteError(f"{models[0].path} has no {people} people; give --people all")
    return face_set, subjects


def crop_photos(photos: list[Path], models: "list[Trained]", cropped: bool, detector: Path | None) -> "Faces":
    """Return the faces of the photos, cropped as for training, at the largest size that a run reads."""
    from omote.data.cut import cut_photos
    from omote.data.detect import find_detector
    from omote.features.reader import cut_for

    cuts = [cut_for(model, cropped=cropped) for model in models]
    if len({(cut.align, cut.margin) for cut in cuts}) > 1:
        raise OmoteError("the runs were trained on faces that were cropped differently; draw them one by one")
    largest = max(cuts, key=lambda cut: cut.size)
    return cut_photos(photos, largest, None if cropped else find_detector(detector))

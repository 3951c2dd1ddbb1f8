"""`omote swap` and `omote interpolate`: the paper's Figures 4 and 5, from a face set or from photos."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from omote.cli.display import say, status
from omote.cli.inputs import Credit, Cropped, Detector, OptionalRunsArgument, check_face_set, number
from omote.errors import OmoteError

if TYPE_CHECKING:
    from PIL.Image import Image

    from omote.data.face_set import FaceSet
    from omote.data.outputs import Faces
    from omote.figures.paper.examples import Encode
    from omote.runs.trained import Trained

ToPicture = Annotated[Path, typer.Option("--to", metavar="FILE", help="Picture to write: a .png file.")]
ExampleFaces = Annotated[
    Path | None,
    typer.Option(
        "--faces", help="Face set (folder) from which to choose example faces.", callback=check_face_set
    ),
]
ExamplePeople = Annotated[
    str,
    typer.Option(
        "--people",
        help="With --faces: show people from training (train), held out (test), one picture of each below the other "
        "(both), or all.",
    ),
]
OnPhoto = Annotated[
    bool,
    typer.Option(
        "--on-photo",
        help="Change the person's photo instead of decoding a face: move and shade its pixels as the decoded face "
        "changes, so that skin, hair and background stay. What the photo does not show, such as teeth, is missing or "
        "blurred. Not in the paper.",
    ),
]
GROUPS = {"train": "people of the training", "test": "held-out people"}


def swap(
    runs: OptionalRunsArgument,
    to: ToPicture,
    faces: ExampleFaces = None,
    people: ExamplePeople = "all",
    expressions: Annotated[
        int | None,
        number(
            "With --faces: number of rows. Default: one per expression in the face set; without labels 6, chosen so "
            "that their expression codes are far apart."
        ),
    ] = None,
    identity: Annotated[
        list[Path] | None,
        typer.Option(help="Photo of a person whose face to draw (column). Can be repeated."),
    ] = None,
    expression: Annotated[
        list[Path] | None, typer.Option(help="Photo of an expression to transfer (row). Can be repeated.")
    ] = None,
    on_photo: OnPhoto = False,
    photos_to: Annotated[
        Path | None,
        typer.Option(
            "--photos-to",
            metavar="FOLDER",
            help="With --on-photo and photos: also write each whole photo with each expression, as "
            "PERSON_EXPRESSION.png. Its metadata says that it was changed.",
        ),
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
    from omote.figures.picture import check_picture_path

    check_picture_path(to)
    models = load_with_decoder(runs)
    if photos_to is not None and not (on_photo and identity and expression and len(models) == 1):
        raise OmoteError("--photos-to needs --on-photo, one run, and photos with --identity and --expression")
    pictures = []
    with status("drawing"):
        if faces is not None and not (identity or expression):
            face_set, groups = open_examples(faces, models, people)
            for group, subjects in groups.items():
                examples = choose_examples(
                    face_set, subjects, expressions=expressions, encode=encoder(models[0])
                )
                columns, rows = face_set.faces[examples.identity], face_set.faces[examples.expression]
                pictures.append(
                    plot_swap(
                        models, columns, rows, titles=titles(models, group), credit=credit, on_photo=on_photo
                    )
                )
        elif identity and expression and faces is None:
            columns = crop_photos(identity, models, cropped, detector, on_photo)
            rows = crop_photos(expression, models, cropped, detector, on_photo)
            pictures.append(plot_swap(models, columns, rows, credit=credit, on_photo=on_photo))
            if photos_to is not None:
                save_changed_photos(
                    models[0], identity, expression, columns, rows, cropped, detector, photos_to
                )
        else:
            raise OmoteError(
                "give either --faces with a face set, or photos with both --identity and --expression"
            )
    return save_pictures(pictures, to)


def interpolate(
    runs: OptionalRunsArgument,
    to: ToPicture,
    faces: ExampleFaces = None,
    people: ExamplePeople = "all",
    identity: Annotated[
        Path | None, typer.Option(help="Photo of the person to draw, with the first expression.")
    ] = None,
    expression: Annotated[Path | None, typer.Option(help="Photo with the last expression.")] = None,
    steps: Annotated[int, number("Number of images, including the first and the last.", 2, 1000)] = 9,
    on_photo: OnPhoto = False,
    cropped: Cropped = False,
    detector: Detector = None,
    credit: Credit = None,
) -> dict[str, Any]:
    """Draw the paper's Figure 5: the first face, changing in equal steps from its expression to another one.

    Give a face set (--faces), or photos (--identity and --expression).
    """
    from omote.figures.paper.examples import choose_pairs
    from omote.figures.paper.interpolate import plot_interpolation
    from omote.figures.picture import check_picture_path

    check_picture_path(to)
    models = load_with_decoder(runs)
    pictures = []
    with status("drawing"):
        if faces is not None and not (identity or expression):
            face_set, groups = open_examples(faces, models, people)
            for group, subjects in groups.items():
                first, last = choose_pairs(face_set, subjects, encode=encoder(models[0]))
                pictures.append(
                    plot_interpolation(
                        models,
                        face_set.faces[first],
                        face_set.faces[last],
                        steps=steps,
                        titles=titles(models, group),
                        credit=credit,
                        on_photo=on_photo,
                    )
                )
        elif identity and expression and faces is None:
            sources = crop_photos([identity], models, cropped, detector, on_photo)
            targets = crop_photos([expression], models, cropped, detector, on_photo)
            pictures.append(
                plot_interpolation(models, sources, targets, steps=steps, credit=credit, on_photo=on_photo)
            )
        else:
            raise OmoteError(
                "give either --faces with a face set, or photos with both --identity and --expression"
            )
    return save_pictures(pictures, to)


def load_with_decoder(runs: list[Path]) -> "list[Trained]":
    """Return the runs, loaded. Raises OmoteError before any other work if one of them cannot generate images."""
    from omote.runs.trained import load

    models = [load(run) for run in runs]
    for model in models:
        model.check_decoder()
    return models


def open_examples(
    faces: Path, models: "list[Trained]", people: str
) -> "tuple[FaceSet, dict[str, list[str]]]":
    """Return the face set, and the subjects selected by --people by group: train, test, both of them, or all."""
    from omote.data.face_set import open_face_set
    from omote.runs.hub import check_people

    face_set = open_face_set(faces)
    if people == "all":
        return face_set, {"all": face_set.subjects}
    if people not in ("train", "test", "both"):
        raise OmoteError(f'--people was given "{people}"; it takes train, test, both or all')
    for model in models:
        check_people(model.info, face_set.about)
    info = models[0].info
    if any(model.info.test_subjects != info.test_subjects for model in models):
        raise OmoteError("the runs held out different people; give --people all, or runs with the same split")
    groups = {"train": info.train_subjects, "test": info.test_subjects}
    if people != "both":
        groups = {people: groups[people]}
    for group, subjects in groups.items():
        if not subjects:
            raise OmoteError(f"{models[0].path} has no {group} people; give --people all")
    return face_set, groups


def titles(models: "list[Trained]", group: str) -> list[str] | None:
    """Return a title per model that says whether its training saw the people; None for the usual titles."""
    from omote.figures.paper.sheet import title_models

    if group not in GROUPS:
        return None
    return [f"{title}, {GROUPS[group]}" for title in title_models(models, None)]


def encoder(model: "Trained") -> "Encode":
    """Return the function from faces of any size, from the model's on, to its expression codes."""
    from omote.figures.paper.sheet import resize_faces

    return lambda faces: model.represent(resize_faces(model, faces))[0]


def crop_photos(
    photos: list[Path], models: "list[Trained]", cropped: bool, detector: Path | None, on_photo: bool = False
) -> "Faces":
    """Return the faces of the photos, cropped as for training, at the largest size that a run reads.

    With `on_photo`, they have at least `PHOTO_SIZE` (`omote.figures.paper.on_photo`) pixels.
    """
    from omote.data.cut import cut_photos
    from omote.data.detect import find_detector
    from omote.features.reader import cut_for
    from omote.figures.paper.on_photo import PHOTO_SIZE

    cuts = [cut_for(model, cropped=cropped) for model in models]
    if len({(cut.align, cut.margin) for cut in cuts}) > 1:
        raise OmoteError("the runs were trained on faces that were cropped differently; draw them one by one")
    largest = max(cuts, key=lambda cut: cut.size)
    if on_photo:
        largest = replace(largest, size=max(largest.size, PHOTO_SIZE))
    return cut_photos(photos, largest, None if cropped else find_detector(detector))


def save_changed_photos(
    model: "Trained",
    identity: list[Path],
    expression: list[Path],
    columns: "Faces",
    rows: "Faces",
    cropped: bool,
    detector: Path | None,
    to: Path,
) -> None:
    """Write each photo of `identity` with the expression of each photo of `expression` into the folder `to`.

    Args:
        columns: (n, T, T, 3) the faces of `identity`, as `crop_photos` returns them; `rows` those of `expression`.
    Raises:
        OmoteError: If two results would have the same name, so that one would replace the other.
    """
    from PIL import Image

    from omote.data.cut import cut_photo, square_in
    from omote.data.detect import find_detector
    from omote.features.reader import cut_for
    from omote.figures.paper.on_photo import CHANGED, apply_change, estimate_changes
    from omote.figures.picture import save_picture

    names = [[f"{photo.stem}_{shown.stem}.png" for shown in expression] for photo in identity]
    if len({name.casefold() for row in names for name in row}) < len(identity) * len(expression):
        raise OmoteError(
            "--photos-to names files after the photos, and two of these would have the same name"
        )
    cut = cut_for(model, cropped=cropped)
    changes = estimate_changes(model, columns, rows)
    for photo, row, own in zip(identity, names, zip(*changes, strict=True), strict=True):
        image, found = cut_photo(photo, cut, None if cropped else find_detector(detector))
        for name, change in zip(row, own, strict=True):
            changed = apply_change(image, change, square_in(image, found, cut))
            save_picture(Image.fromarray(changed), to / name, note=CHANGED)
    say(f"Saved: {len(identity) * len(expression)} photos in {to}")


def save_pictures(pictures: "list[Image]", to: Path) -> dict[str, Any]:
    """Write the pictures one below the other in one file, and return what the command reports."""
    from omote.figures.picture import save_picture, stack_pictures

    save_picture(stack_pictures(pictures), to)
    say(f"Saved: {to}")
    return {"picture": to}

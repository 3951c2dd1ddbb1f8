"""What the commands were given, turned into what the public functions take."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from omote.errors import OmoteError
from omote.methods.registry import DEFAULT_METHOD, METHODS

if TYPE_CHECKING:
    from omote.data.face_set import FaceSet
    from omote.runs.trained import Trained

_OTHERS = [name for name in METHODS if name != DEFAULT_METHOD]
METHODS_HELP = f"{DEFAULT_METHOD} (the default), {', '.join(_OTHERS[:-1])} or {_OTHERS[-1]}."

To = Annotated[Path, typer.Option("--to", help="Where the result goes.", show_default=False)]
Workers = Annotated[int | None, typer.Option(help="Processes; one a core if not given.", show_default=False)]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")]
Detector = Annotated[
    Path | None,
    typer.Option(
        help="A local copy of the face detector's model (YuNet). Else the file that the environment variable "
        "OMOTE_DETECTOR names, else it is downloaded once.",
        show_default=False,
    ),
]
Cropped = Annotated[bool, typer.Option("--cropped", help="The pictures are faces already; detect nothing.")]


def pair(text: str, option: str) -> tuple[str, str]:
    """Return name and value of NAME=VALUE; ``option`` is named where it is neither."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise OmoteError(f'{option} was given "{text}"; it takes NAME=VALUE')
    return name, value


def number_or_names(text: str) -> int | list[str]:
    """Return what --test-subjects says: how many people, or which."""
    return int(text) if text.isdecimal() else text.split(",")


def setting(text: str) -> tuple[str, Any]:
    """Return key and value of --set; the value is read as TOML (0.5, true, ["a", "b"]), else taken as text."""
    import tomllib

    key, value = pair(text, "--set")
    try:
        return key, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key, value


def load_makers(runs: list[Path]) -> "list[Trained]":
    """Return every run, loaded; one that cannot make images is refused before anything is looked for or drawn."""
    from omote.runs.trained import load

    models = [load(run) for run in runs]
    for model in models:
        model.check_decoder()
    return models


def faces_and_people(faces: Path, models: "list[Trained]", people: str) -> "tuple[FaceSet, list[str]]":
    """Return the face set, and the subjects that --people (train, test or all) means."""
    from omote.data.face_set import open_face_set
    from omote.runs.hub import check_people

    face_set = open_face_set(faces)
    if people == "all":
        return face_set, face_set.subjects
    if people not in ("train", "test"):
        raise OmoteError(f'--people was given "{people}"; it takes train, test or all')
    for model in models:
        check_people(model.info, face_set.about)
    if any(model.info.test_subjects != models[0].info.test_subjects for model in models):
        raise OmoteError("the runs held out different people; give --people all, or runs with the same split")
    info = models[0].info
    chosen = info.train_subjects if people == "train" else info.test_subjects
    if not chosen:
        raise OmoteError(f"{models[0].path} has no {people} people; give --people all")
    return face_set, chosen


def faces_of_photos(photos: list[Path], models: "list[Trained]", cropped: bool, detector: Path | None) -> Any:
    """Return the photos' faces at the size of the largest run."""
    from omote.data.cut import cut_photos as cut_photos
    from omote.data.detect import find_detector
    from omote.features.reader import cut_for

    cuts = [cut_for(model, cropped=cropped) for model in models]
    if len({(cut.align, cut.margin) for cut in cuts}) > 1:
        raise OmoteError("the runs were trained on faces cut out in different ways; draw them one by one")
    return cut_photos(
        photos, max(cuts, key=lambda cut: cut.size), None if cropped else find_detector(detector)
    )

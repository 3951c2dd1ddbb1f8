"""The commands `omote prepare ...`: every kind of source becomes a face set."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from omote.cli.display import counting, say, show_face_set
from omote.cli.inputs import Cropped, Detector, Overwrite, To, Workers, pair

if TYPE_CHECKING:
    from omote.data.face_set import FaceSet

prepare = typer.Typer(help="Make a face set: the faces that everything else reads.", no_args_is_help=True)


class Align(StrEnum):
    """How a face is cut out."""

    none = "none"
    eyes = "eyes"


Size = Annotated[int, typer.Option(help="Side of the faces in pixels: 64 or 128.")]
Alignment = Annotated[
    Align, typer.Option(help="none: the detected square, as in the paper; eyes: eyes level.")
]
Margin = Annotated[float, typer.Option(help="Share of the square's side added on each side.")]
DataHome = Annotated[
    Path | None, typer.Option(help="Folder that scikit-learn keeps its data sets in.", show_default=False)
]


@prepare.command("folder")
def prepare_folder(
    path: Annotated[Path, typer.Argument(help="Folder with photos and videos.", show_default=False)],
    to: To,
    pattern: Annotated[
        str | None,
        typer.Option(
            help='What file names tell, such as "{subject}_{expression}.jpg" or "{subject}/{clip}/{frame}.png"; {} is '
            "anything. Without it: subject/photo.jpg, subject/clip/frame.jpg, subject/video.mp4.",
            show_default=False,
        ),
    ] = None,
    manifest: Annotated[
        Path | None,
        typer.Option(
            help="CSV with columns path, subject and maybe clip, frame, expression, use.", show_default=False
        ),
    ] = None,
    map_expression: Annotated[
        list[str] | None,
        typer.Option(
            help="Rename an expression, such as 03=neutral; may be given several times.", show_default=False
        ),
    ] = None,
    size: Size = 64,
    align: Alignment = Align.none,
    margin: Margin = 0.05,
    cropped: Cropped = False,
    detector: Detector = None,
    fps: Annotated[
        float | None,
        typer.Option(help="Frames a second to take of a video; all if not given.", show_default=False),
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="A name for the source; the folder's if not given.", show_default=False)
    ] = None,
    licence: Annotated[
        str | None, typer.Option(help="Terms of the photos, kept with the faces.", show_default=False)
    ] = None,
    workers: Workers = None,
    overwrite: Overwrite = False,
) -> None:
    """Find and cut out the faces of photos and videos."""
    from omote.data.prepare import prepare as make

    mapping = dict(pair(text, "--map-expression") for text in map_expression or [])
    with counting("preparing") as progress:
        face_set = make(
            path, to, pattern=pattern, manifest=manifest, map_expression=mapping, size=size, align=align.value,
            margin=margin, cropped=cropped, detector=detector, fps=fps, dataset=dataset, licence=licence,
            workers=workers, overwrite=overwrite, progress=progress,
        )  # fmt: skip
    _show(face_set)


@prepare.command("drawn")
def prepare_drawn(
    to: To,
    subjects: Annotated[int, typer.Option(help="People.")] = 60,
    clips: Annotated[int, typer.Option(help="Clips a person, one an expression in turn.")] = 8,
    mixtures: Annotated[
        int, typer.Option(help="Further clips a person, of random mixtures, without a label.")
    ] = 2,
    frames: Annotated[int, typer.Option(help="Frames a clip.")] = 12,
    size: Size = 64,
    seed: Annotated[int, typer.Option(help="Another seed draws other people.")] = 0,
    workers: Workers = None,
    overwrite: Overwrite = False,
) -> None:
    """Draw faces whose every factor is known: no photos are needed to begin."""
    from omote.synthetic.prepare import prepare_drawn as make

    with counting("drawing") as progress:
        face_set = make(
            to, subjects=subjects, clips=clips, mixtures=mixtures, frames=frames, size=size, seed=seed,
            workers=workers, overwrite=overwrite, progress=progress,
        )  # fmt: skip
    _show(face_set)


@prepare.command("rendered")
def prepare_rendered(
    to: To,
    model: Annotated[
        Path,
        typer.Option(
            help="The ICT Face Model Light: the folder FaceXModel of https://github.com/ICT-VGL/ICT-FaceKit (or a "
            "copy of that repository), or its arrays in one .npz file.",
            show_default=False,
        ),
    ],
    subjects: Annotated[int, typer.Option(help="People.")] = 60,
    clips: Annotated[int, typer.Option(help="Clips a person, one an expression in turn.")] = 8,
    mixtures: Annotated[
        int, typer.Option(help="Further clips a person, of random mixtures, without a label.")
    ] = 2,
    frames: Annotated[int, typer.Option(help="Frames a clip.")] = 12,
    total: Annotated[
        int | None,
        typer.Option(
            help="Frames in all, shared evenly by people and clips; instead of --frames.", show_default=False
        ),
    ] = None,
    size: Size = 64,
    seed: Annotated[int, typer.Option(help="Another seed renders other people.")] = 0,
    workers: Workers = None,
    overwrite: Overwrite = False,
) -> None:
    """Render heads whose every factor is known, nearer to photos than drawn faces.

    They are random people of a published 3D face model (about 500 MB, MIT licence), which you fetch once:

    git clone https://github.com/ICT-VGL/ICT-FaceKit

    omote prepare rendered --model ICT-FaceKit --to faces
    """
    from omote.synthetic.prepare import prepare_rendered as make

    with counting("rendering") as progress:
        face_set = make(
            model, to, subjects=subjects, clips=clips, mixtures=mixtures, frames=frames, total=total, size=size,
            seed=seed, workers=workers, overwrite=overwrite, progress=progress,
        )  # fmt: skip
    _show(face_set)


class _DataSet(NamedTuple):
    """What a person is told of a data set, and which options of the paper's frame rule it has."""

    help: str
    rule: tuple[str, ...] = ("train_frames", "evaluate_frames")


DATA_SETS = {
    "ckplus": _DataSet(
        "CK+: sequences from neutral to an expression.\n\n"
        "Expects cohn-kanade-images/S005/001/S005_001_00000001.png and "
        "Emotion/S005/001/S005_001_00000011_emotion.txt, as the archives unpack; or the form that circulates with "
        "faces cut out, anger/S010_004_00000017.png. Ask for the images at https://www.jeffcohn.net/Resources."
    ),
    "mug": _DataSet(
        "MUG: sequences from neutral to an expression and back.\n\n"
        "Expects 001/anger/take000/img_0000.jpg. Ask for the images at https://mug.ee.auth.gr/fed."
    ),
    "ravdess": _DataSet(
        "RAVDESS: videos of actors who speak and sing with an emotion; for training alone, as in the paper.\n\n"
        "Expects Actor_01/02-01-06-01-02-01-12.mp4. Free at https://zenodo.org/records/1188976.",
        rule=("train_frames",),
    ),
    "jaffe": _DataSet(
        "JAFFE: photos of posed expressions.\n\n"
        "Expects KA.AN1.39.tiff. Ask for the images at https://zenodo.org/records/3451524.",
        rule=(),
    ),
}


def _add_command(name: str, about: _DataSet) -> None:
    def of_rule(option: str, text: str) -> Any:
        return typer.Option(help=text, show_default=False, hidden=option not in about.rule)

    train_help = "Frames of a sequence to train on, at equal intervals; 7 if not given."
    evaluate_help = "Frames of a sequence, at its apex, to evaluate on; 3 if not given."

    @prepare.command(name, help=about.help)
    def command(
        path: Annotated[
            Path, typer.Argument(help="Folder that the data set was unpacked to.", show_default=False)
        ],
        to: To,
        train_frames: Annotated[int | None, of_rule("train_frames", train_help)] = None,
        evaluate_frames: Annotated[int | None, of_rule("evaluate_frames", evaluate_help)] = None,
        size: Size = 64,
        align: Alignment = Align.none,
        margin: Margin = 0.05,
        cropped: Cropped = False,
        detector: Detector = None,
        workers: Workers = None,
        overwrite: Overwrite = False,
    ) -> None:
        from omote.data.prepare import prepare_dataset as make

        rule = {"train_frames": train_frames, "evaluate_frames": evaluate_frames}
        given = {option: number for option, number in rule.items() if number is not None}
        with counting("preparing") as progress:
            face_set = make(
                name, path, to, size=size, align=align.value, margin=margin,
                cropped=cropped or None,  # not given: the importer knows
                detector=detector, workers=workers, overwrite=overwrite, progress=progress, **given,
            )  # fmt: skip
        _show(face_set)


for _name, _about in DATA_SETS.items():
    _add_command(_name, _about)


@prepare.command("olivetti")
def prepare_olivetti(
    to: To,
    size: Size = 64,
    data_home: DataHome = None,
    overwrite: Overwrite = False,
) -> None:
    """Olivetti: 400 photos of 40 people, faces cut out, without labels.

    Downloaded through scikit-learn, or taken from where it keeps them.
    """
    from omote.data.importers.sklearn_faces import prepare_olivetti as make

    with counting("preparing") as progress:
        face_set = make(to, size=size, data_home=data_home, overwrite=overwrite, progress=progress)
    _show(face_set)


@prepare.command("lfw")
def prepare_lfw(
    to: To,
    min_photos: Annotated[int, typer.Option(help="Leave out people with fewer photos.")] = 1,
    size: Size = 64,
    align: Alignment = Align.none,
    margin: Margin = 0.05,
    detector: Detector = None,
    data_home: DataHome = None,
    workers: Workers = None,
    overwrite: Overwrite = False,
) -> None:
    """LFW: photos of people from the news, without labels.

    Downloaded through scikit-learn, or taken from where it keeps them.
    """
    from omote.data.importers.sklearn_faces import prepare_lfw as make

    with counting("preparing") as progress:
        face_set = make(
            to, min_photos=min_photos, size=size, align=align.value, margin=margin, detector=detector,
            data_home=data_home, workers=workers, overwrite=overwrite, progress=progress,
        )  # fmt: skip
    _show(face_set)


@prepare.command("combined")
def prepare_combined(
    face_sets: Annotated[
        list[Path], typer.Argument(help="Two or more, made by `omote prepare`.", show_default=False)
    ],
    to: To,
    names: Annotated[
        str | None,
        typer.Option(
            help="What to call each, such as mug,ckplus; the name of its data set if not given.",
            show_default=False,
        ),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Make one face set of several; a person is then called DATASET/SUBJECT."""
    from omote.data.combine import combine_face_sets as make

    with counting("combining") as progress:
        face_set = make(
            face_sets, to, names=names.split(",") if names else None, overwrite=overwrite, progress=progress
        )
    _show(face_set)


def _show(face_set: "FaceSet") -> None:
    """Print what is in a face set, and of a published data set also the counts of its authors."""
    show_face_set(face_set)
    found, published = (
        ", ".join(f"{number:,} {what}" for what, number in (getattr(face_set.about, key) or {}).items())
        for key in ("found", "published")
    )
    if published:
        say(f"  found {found}; published: {published}")

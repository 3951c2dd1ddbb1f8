"""The commands `omote prepare ...`: every kind of source becomes a face set."""

from enum import StrEnum
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from omote.cli.commands import Group, add_command
from omote.cli.display import progress_bar, say, say_next, show_face_set
from omote.cli.inputs import (
    Cropped,
    Detector,
    Fast,
    FramesPerSecond,
    Largest,
    Manifest,
    Overwrite,
    Photo,
    Rotate,
    ShardOption,
    To,
    Turn,
    Workers,
    number,
    parse_pair,
    parse_shard,
)
from omote.data.importers.registry import IMPORTERS, load_importer

if TYPE_CHECKING:
    from omote.data.face_set import FaceSet


class Align(StrEnum):
    """How a face is cut out."""

    none = "none"
    eyes = "eyes"


Size = Annotated[int, number("Side of the faces in pixels: 64 or 128.", 64, 128)]
Alignment = Annotated[
    Align,
    typer.Option(
        help="none: the detected square, as in the paper; eyes: rotated so that the eyes are level."
    ),
]
Margin = Annotated[float, number("Share of the square's side added on each side.", -0.4, 2)]
DatasetFolder = Annotated[Path, typer.Argument(help="Folder that the data set was unpacked to.")]
DataHome = Annotated[
    Path | None, typer.Option("--data-home", help="scikit-learn's data folder. Default: scikit-learn's own.")
]
ClipsPerPerson = Annotated[int, number("Clips per person; the expressions take turns.", least=0)]
Mixtures = Annotated[
    int, number("Further clips per person, of random mixtures of expressions, without a label.", least=0)
]
FramesPerClip = Annotated[int, number("Frames per clip.", least=4)]


class PrepareGroup(Group):
    """Commands of `omote prepare`; a data set's command is made when it is used, as it loads the importer."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of all commands."""
        return [*super().list_commands(ctx), *IMPORTERS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the command of this name, or None."""
        return dataset_command(cmd_name) if cmd_name in IMPORTERS else super().get_command(ctx, cmd_name)


prepare = typer.Typer(
    cls=PrepareGroup, help="Make a face set: the faces that all other commands read.", no_args_is_help=True
)


def prepare_folder(
    path: Annotated[Path, typer.Argument(help="Folder with photos and videos.")],
    to: To,
    pattern: Annotated[
        str | None,
        typer.Option(
            help='Fields in the file names, such as "{subject}_{expression}.jpg" or "{subject}/{clip}/{frame}.png"; {} '
            "matches anything. Default: subject/photo.jpg, subject/clip/frame.jpg, subject/video.mp4."
        ),
    ] = None,
    manifest: Manifest = None,
    map_expression: Annotated[
        list[str] | None,
        typer.Option(help="Rename an expression, such as 03=neutral; can be given several times."),
    ] = None,
    size: Size = 64,
    align: Alignment = Align.none,
    margin: Margin = 0.05,
    cropped: Cropped = False,
    detector: Detector = None,
    largest: Largest = None,
    fast: Fast = False,
    fps: FramesPerSecond = None,
    face: Annotated[
        int | None,
        number(
            "Number of the person's face in every video, as in the column face of `omote embed`. 0 is the largest "
            "face in the first frame that has one.",
            least=0,
        ),
    ] = None,
    photo: Photo = None,
    rotate: Rotate = Turn.none,
    dataset: Annotated[
        str | None, typer.Option(help="Name for the source. Default: the folder's name.")
    ] = None,
    licence: Annotated[str | None, typer.Option(help="Terms of the photos, stored with the faces.")] = None,
    workers: Workers = None,
    overwrite: Overwrite = False,
    shard: ShardOption = None,
) -> dict[str, Any]:
    """Find and cut out the faces of photos and videos.

    Frames that show two people are left out, unless --largest 1, --face or --photo tells which of them is meant.
    """
    part = parse_shard(shard)

    from omote.data.prepare import prepare as make

    mapping = dict(parse_pair(text, "--map-expression") for text in map_expression or [])
    with progress_bar("preparing") as progress:
        face_set = make(
            path, to, pattern=pattern, manifest=manifest, map_expression=mapping, size=size, align=align.value,
            margin=margin, cropped=cropped, detector=detector, largest=largest, fast=fast, fps=fps, face=face,
            photo=photo, rotate=rotate.degrees, dataset=dataset, licence=licence,
            workers=workers, overwrite=overwrite, shard=part, progress=progress,
        )  # fmt: skip
    return show_prepared(face_set, part)


def prepare_drawn(
    to: To,
    subjects: Annotated[int, number("Number of people.")] = 60,
    clips: ClipsPerPerson = 8,
    mixtures: Mixtures = 2,
    frames: FramesPerClip = 12,
    size: Size = 64,
    align: Alignment = Align.none,
    seed: Annotated[int, number("Another seed draws other people.", 0, 2**63 - 1)] = 0,
    workers: Workers = None,
    overwrite: Overwrite = False,
) -> dict[str, Any]:
    """Draw faces whose true factors are all known; no photos are needed."""
    from omote.synthetic.prepare import prepare_drawn as make

    with progress_bar("drawing") as progress:
        face_set = make(
            to, subjects=subjects, clips=clips, mixtures=mixtures, frames=frames, size=size, align=align.value,
            seed=seed, workers=workers, overwrite=overwrite, progress=progress,
        )  # fmt: skip
    return show_prepared(face_set)


def prepare_rendered(
    to: To,
    model: Annotated[
        Path,
        typer.Option(
            help="The ICT Face Model Light: the folder FaceXModel of https://github.com/ICT-VGL/ICT-FaceKit (or a "
            "copy of that repository), or its arrays in one .npz file."
        ),
    ],
    subjects: Annotated[int, number("Number of people.")] = 60,
    clips: ClipsPerPerson = 8,
    mixtures: Mixtures = 2,
    frames: FramesPerClip = 12,
    total: Annotated[
        int | None,
        number("Total number of frames, shared evenly by people and clips; instead of --frames.", most=10**9),
    ] = None,
    size: Size = 64,
    align: Alignment = Align.none,
    wild: Annotated[
        bool,
        typer.Option(
            "--wild",
            help="As outside a studio: speech, milder expressions, turned heads, glasses, hats, hands before the face, "
            "coloured light and poor cameras.",
        ),
    ] = False,
    seed: Annotated[int, number("Another seed renders other people.", 0, 2**63 - 1)] = 0,
    workers: Workers = None,
    overwrite: Overwrite = False,
) -> dict[str, Any]:
    """Render heads whose true factors are all known; they look more like photos than drawn faces do.

    They are random people of a published 3D face model (about 500 MB, MIT licence), which you download once:

    git clone https://github.com/ICT-VGL/ICT-FaceKit
    """
    from omote.synthetic.prepare import prepare_rendered as make

    with progress_bar("rendering") as progress:
        face_set = make(
            model, to, subjects=subjects, clips=clips, mixtures=mixtures, frames=frames, total=total, size=size,
            align=align.value, wild=wild, seed=seed, workers=workers, overwrite=overwrite, progress=progress,
        )  # fmt: skip
    return show_prepared(face_set)


def prepare_combined(
    face_sets: Annotated[list[Path], typer.Argument(help="Two or more face sets made by `omote prepare`.")],
    to: To,
    names: Annotated[
        str | None,
        typer.Option(help="A name for each, such as mug,ckplus. Default: the names of their data sets."),
    ] = None,
    overwrite: Overwrite = False,
) -> dict[str, Any]:
    """Combine several face sets into one; a person is then called DATASET/SUBJECT."""
    from omote.data.combine import combine_face_sets as make

    with progress_bar("combining") as progress:
        face_set = make(
            face_sets, to, names=names.split(",") if names else None, overwrite=overwrite, progress=progress
        )
    return show_prepared(face_set)


def dataset_command(name: str) -> Any:
    """Return the command that prepares a data set, with the options that its importer has."""
    importer = load_importer(name)
    shared: dict[str, tuple[Any, Any]] = {  # annotation and default
        "align": (Alignment, Align.none),
        "margin": (Margin, 0.05),
        "cropped": (Cropped, False),
        "detector": (Detector, None),
        "workers": (Workers, None),
    }
    lister = signature(importer.list_clips).parameters
    parameters = {
        "path": (DataHome, None) if importer.downloaded else (DatasetFolder, Parameter.empty),
        "to": (To, Parameter.empty),
        **{
            option: (Annotated[int, number(text)], lister[option].default)
            for option, text in importer.options.items()
        },
        "size": (Size, 64),
        **{option: shared[option] for option in importer.shared},
        "overwrite": (Overwrite, False),
        **({"shard": (ShardOption, None)} if "workers" in importer.shared else {}),
    }

    def command(
        path: Path | None,
        to: Path,
        align: Align = Align.none,
        cropped: bool = False,
        shard: str | None = None,
        **options: Any,
    ) -> dict[str, Any]:
        part = parse_shard(shard)

        from omote.data.prepare import prepare_dataset as make

        if part:
            options["shard"] = part  # downloaded data sets have no shards
        with progress_bar("preparing") as progress:
            face_set = make(
                name, path, to, align=align.value, cropped=cropped or None,  # not given: the importer knows
                progress=progress, **options,
            )  # fmt: skip
        return show_prepared(face_set, part)

    command.__signature__ = Signature(  # type: ignore[attr-defined]
        [
            Parameter(option, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
            for option, (annotation, default) in parameters.items()
        ]
    )
    command.__annotations__ = {option: annotation for option, (annotation, _) in parameters.items()}
    app = typer.Typer(add_completion=False, rich_markup_mode="markdown")
    given = "" if importer.downloaded else f" {name}"
    example = f"omote prepare {name}{given} --to faces"
    add_command(app, command, example, name=name, panel="Published data sets", help=importer.help)
    return typer.main.get_command(app)


def _add_commands() -> None:
    """Add the commands that are not of a published data set."""
    own, synthetic = "Photos and videos", "Faces whose truth is known"
    folder = (
        "omote prepare folder photos --to faces",
        'omote prepare folder photos --pattern "{subject}_{expression}.jpg" --to faces',
        "omote prepare folder videos --manifest people.csv --fps 5 --to faces",
    )
    combined = "omote prepare combined faces1 faces2 --to faces"
    drawn = "omote prepare drawn --to faces --subjects 40"
    rendered = "omote prepare rendered --model ICT-FaceKit --to faces"
    add_command(prepare, prepare_folder, *folder, name="folder", panel=own)
    add_command(prepare, prepare_combined, combined, name="combined", panel=own)
    add_command(prepare, prepare_drawn, drawn, name="drawn", panel=synthetic)
    add_command(prepare, prepare_rendered, rendered, name="rendered", panel=synthetic)


_add_commands()


def show_prepared(face_set: "FaceSet", part: tuple[int, int] | None = None) -> dict[str, Any]:
    """Print and return what is in a face set; for a published data set, also its counts beside the published ones."""
    show_face_set(face_set)
    if part:
        say_next(face_set.path.parent, part)
    found, published = (
        ", ".join(f"{number:,} {noun}" for noun, number in (counts or {}).items())
        for counts in (face_set.about.found, face_set.about.published)
    )
    if published:
        say(f"  found {found}; published: {published}")
    about = face_set.about
    return {"face_set": face_set.path, "faces": len(face_set), "people": len(face_set.subjects), "size": face_set.size,
            "skipped": len(face_set.skipped()), "found": about.found, "published": about.published}  # fmt: skip

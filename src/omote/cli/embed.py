"""`omote embed`: expression features of photos and videos, as a table."""

import sys
from contextlib import redirect_stdout
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from omote.cli.display import errors, progress_bar, resumable, say, say_next
from omote.cli.inputs import (
    Cropped,
    Detector,
    Fast,
    FramesPerSecond,
    Largest,
    OwnAxes,
    Rotate,
    ShardOption,
    Turn,
    number,
    parse_shard,
    split_inputs,
)
from omote.errors import OmoteError

if TYPE_CHECKING:
    from omote.features.summary import EmbedSummary


class Engine(StrEnum):
    """What shares the work."""

    ray = "ray"


MAX_LISTED = 5  # skipped files to print; the .skipped.csv file next to the table lists all


def embed(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT...",
            help="Photos, videos and folders of them, or addresses of them, such as s3://bucket/videos; - to read a "
            "list of paths from standard input; 0 for the first camera. Or face sets (folders). A run (a folder made "
            "by `omote train`) or an ONNX file (made by `omote export`) in the first place is used instead of the "
            "model that comes with omote.",
        ),
    ],
    to: Annotated[
        Path,
        typer.Option(
            "--to",
            metavar="FILE",
            help="Table to write: a .parquet file, or a .csv file with 6 significant digits. With --shard, a folder "
            "for the parts of a table; so with --on ray.",
        ),
    ],
    bom: Annotated[
        bool,
        typer.Option("--bom", help="Begin CSV files with a byte order mark, by which Excel reads UTF-8."),
    ] = False,
    every: Annotated[int, number("For videos: use every N-th frame only.")] = 1,
    fps: FramesPerSecond = None,
    start: Annotated[
        str,
        typer.Option(
            help="For videos: start here, by a player's clock, in seconds (90) or as 1:30 or 0:01:30."
        ),
    ] = "0",
    end: Annotated[str | None, typer.Option(help="For videos: end here; same form as --start.")] = None,
    largest: Largest = None,
    fast: Fast = False,
    stream: Annotated[
        int | None,
        number(
            "For files with several videos: index of the stream to read, as FFmpeg counts. Default: the first that "
            "moves.",
            least=0,
        ),
    ] = None,
    rotate: Rotate = Turn.none,
    all_frames: Annotated[
        bool,
        typer.Option(
            "--all-frames",
            help="Write a row of missing values for each frame that was searched and has no face.",
        ),
    ] = False,
    profile: Annotated[
        Path | None,
        typer.Option(
            help="Profile of a person: a .json file made by `omote profile`. Features are then relative to the usual "
            "expression of this person."
        ),
    ] = None,
    face: Annotated[
        int | None,
        number(
            "With --profile: number of the person's face in every input, as in the column face. Default: 0, the "
            "largest face in the first frame that has one.",
            least=0,
        ),
    ] = None,
    axis: OwnAxes = None,
    relative: Annotated[
        bool,
        typer.Option(
            "--relative",
            help="Add columns relative to the usual look of each face in its video, the mean of its trusted rows: "
            "from_usual, the distance from it, and z_e_relative_00, z_e_relative_01, ...",
        ),
    ] = False,
    cropped: Cropped = False,
    detector: Detector = None,
    device: Annotated[
        str, typer.Option(help="Where to compute: cpu, cuda, mps, or auto for a GPU if there is one.")
    ] = "auto",
    bfloat16: Annotated[
        bool,
        typer.Option(
            "--bfloat16",
            help="Compute in bfloat16: faster on processors that support it, and slightly less exact. Compare such "
            "features only with each other.",
        ),
    ] = False,
    workers: Annotated[
        int | None, number("Number of threads that detect faces. Default: one per CPU core.", most=1024)
    ] = None,
    shard: ShardOption = None,
    on: Annotated[
        Engine | None,
        typer.Option(
            help="Share the work on a Ray cluster (extra `ray`), a task for each video; --to is then a folder for the "
            "parts, which `omote join` makes one table of. --workers is the number of CPU cores for each task."
        ),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(
            help="With --on ray: address of the cluster, such as ray://head:10001. Default: the cluster that Ray finds "
            "on this machine, or one that is started here."
        ),
    ] = None,
) -> dict[str, Any]:
    """Compute the expression features of photos and videos and write them to a table.

    Each row is one face in one frame: source, frame, time, face number (the same for a person throughout a video),
    whether to trust the row and why not, bounding box, landmarks, blur, head pose, dissimilarity to the training faces
    (ood), the axes from 0 to 1 that come with the run or are given with --axis, and the features z_e_00, z_e_01, ...

    Videos of any length need the same memory. If the command is stopped, run it again to continue. An existing table
    is replaced. A camera is read until Ctrl-C or --end; if the recording breaks off, run the command again to save what
    was recorded.
    """
    part = parse_shard(shard)
    if part and on:
        raise OmoteError("--shard and --on ray were given; each shares the work, so give one of them")
    if address and not on:
        raise OmoteError("--address is that of a Ray cluster; give --on ray, too")
    model, inputs = split_inputs(inputs)

    from omote.data.videos import Excerpt
    from omote.features.axes import Axes
    from omote.features.embed import EmbedOptions, embed_share, embed_to, open_reader
    from omote.features.profile import Profile
    from omote.features.table import check_table_path

    if not (part or on):
        check_table_path(to)
    last = None if end is None else parse_seconds(end, "--end")
    excerpt = Excerpt(every, fps, parse_seconds(start, "--start"), last, stream)
    excerpt.check()
    person = None if profile is None else Profile.load(profile)
    axes = [Axes.load(file) for file in axis or []]
    with resumable(), progress_bar("embedding") as progress:
        options = EmbedOptions(
            cropped=cropped, detector=detector, excerpt=excerpt, largest=largest, fast=fast, rotate=rotate.degrees,
            all_frames=all_frames, profile=person, face=face, axes=axes, relative=relative, workers=workers,
            progress=progress,
        )  # fmt: skip
        if on:
            from omote.features.on_ray import embed_on_ray

            with redirect_stdout(sys.stderr):  # Ray prints there that a worker died
                done = embed_on_ray(
                    model, inputs, to, address=address, device=device, bfloat16=bfloat16, bom=bom, **options
                )
        else:
            reader = open_reader(model, device=device, bfloat16=bfloat16)
            if part:
                done = embed_share(reader, inputs, to, part, bom=bom, **options)
            else:
                done = embed_to(reader, inputs, to, bom=bom, **options)
    if person is not None:
        for sentence in person.describe():
            say(sentence)
    if not on:
        return show_embedded(done, to, part)
    from omote.features.on_ray import FAILED

    shown = show_embedded(done, to, is_parts=True)
    if failed := sum(row["reason"].startswith(FAILED) for row in done.skipped_files):
        say(f"{failed} files failed; give the same command again to try them again", to=errors)
    say(f"The table: omote join {to} --to RESULT")
    return {**shown, "failed": failed}


def show_embedded(
    done: "EmbedSummary", to: Path, part: tuple[int, int] | None = None, *, is_parts: bool = False
) -> dict[str, Any]:
    """Print and return what an embedding found, and what was left out.

    Args:
        done: its counts.
        to: the table, or a folder of parts.
        part: the share that it is of.
        is_parts: whether it is all parts of a folder.
    """
    from omote.data.trust import UNLIKE

    others = f", {done.num_others} of other people" if done.num_others else ""
    doubted = f", {done.num_doubted} not to be trusted" if done.num_doubted else ""
    say(f"{done.num_faces} faces{others}{doubted}: {to}")
    if done.num_doubted:
        reasons = ", ".join(f"{reason} {count}" for reason, count in done.doubts.most_common())
        say(f"not to be trusted (column doubt): {reasons}")
        if 2 * done.doubts[UNLIKE] > done.num_faces - done.num_others:
            say(
                "Most of these faces are unlike those that the model was trained on, so do not rely on their features. "
                "Train a model on faces like these; if you named a run, try the model that comes with omote"
            )
    if done.num_faces and not done.knows_ood:
        say(
            "ood is empty: an earlier version of omote trained the model without recording its training faces"
        )
    for degrees, count in done.turned.items():
        kind = "photo or video" if count == 1 else "photos and videos"
        say(f"turned clockwise by {degrees} degrees: {count} {kind}")
    for reason, count in done.skipped_frames.most_common():
        say(f"left out: {count} frames of videos: {reason}", to=errors)
    for one in done.skipped_files[:MAX_LISTED]:
        say(f"left out: {one['source']}: {one['reason']}", to=errors)
    if len(done.skipped_files) > MAX_LISTED:
        say(f"left out: {len(done.skipped_files) - MAX_LISTED} more files or parts of files", to=errors)
    if part:
        say_next(to, part)
    elif (done.skipped_frames or done.skipped_files) and not is_parts:
        say(f"All that was left out: {to.with_name(f'{to.name}.skipped.csv')}", to=errors)
    return {"table": to, "faces": done.num_faces, "of_other_people": done.num_others, "doubted": done.num_doubted,
            "skipped_frames": done.skipped_frames, "skipped_files": done.skipped_files}  # fmt: skip


def parse_seconds(text: str, option: str) -> float:
    """Return a time written as 90, 1:30 or 0:01:30 in seconds.

    Raises:
        OmoteError: If ``text`` is no such time; the message names ``option``.
    """
    try:
        total = 0.0
        for part in text.split(":"):
            total = 60 * total + float(part)
    except ValueError:
        raise OmoteError(f'{option} was given "{text}"; it takes seconds, or 1:30, or 0:01:30') from None
    return total

"""`omote embed`: videos in, features out."""

from pathlib import Path
from typing import Annotated

import typer

from omote.cli.display import counting, errors, say
from omote.cli.inputs import Cropped, Detector, To
from omote.errors import OmoteError

INTERRUPTED = 130  # what a shell expects after Ctrl-C
SHOWN = 5  # files left out that are named; the rest stand in the list beside the table

RunOrFile = Annotated[
    Path, typer.Argument(metavar="RUN", help="A run, or a file of `omote export`.", show_default=False)
]


def embed(
    run: RunOrFile,
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT...",
            help="Photos, videos, folders of them; - for a list of them on standard input; 0 for the first camera; or "
            "face sets.",
            show_default=False,
        ),
    ],
    to: To,
    every: Annotated[int, typer.Option(help="Of videos, take each N-th frame.")] = 1,
    fps: Annotated[
        float | None, typer.Option(help="Of videos, take so many frames a second.", show_default=False)
    ] = None,
    start: Annotated[
        str, typer.Option(help="Of videos, begin here: seconds, or 1:30, or 0:01:30.", show_default=False)
    ] = "0",
    end: Annotated[str | None, typer.Option(help="Of videos, end here.", show_default=False)] = None,
    profile: Annotated[
        Path | None,
        typer.Option(
            help="A person's profile, made by `omote profile`: the features become relative to what is usual for them.",
            show_default=False,
        ),
    ] = None,
    face: Annotated[
        int | None,
        typer.Option(
            help="With --profile: which face of each input is the person; 0, the largest of the first frame that has "
            "one, if not given.",
            show_default=False,
        ),
    ] = None,
    cropped: Cropped = False,
    detector: Detector = None,
    device: Annotated[
        str, typer.Option(help="auto takes a GPU if there is one; else cpu, cuda, mps.")
    ] = "auto",
    bfloat16: Annotated[
        bool,
        typer.Option(
            "--bfloat16",
            help="Compute features in bfloat16: faster where the processor multiplies in it, and a little off. Compare "
            "them with each other only.",
        ),
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(help="Threads that look for faces; one a core if not given.", show_default=False),
    ] = None,
) -> None:
    """Write the expression features of pictures and videos as a table: Parquet or CSV, by the suffix of --to.

    One row a face: source, frame, time, number of the face (followed through
    a video), whether to trust it and why not, box, landmarks, blur, pose, how
    unlike the training's faces it is, and the feature z_e_00, z_e_01, ...

    Memory does not grow with the length of a video. Stopped or killed and
    given again, the same command goes on where it was; a camera is read until
    Ctrl-C or --end. A table that is there already is replaced.
    """
    from omote.data.images import Excerpt
    from omote.features.embed import embed_to, open_reader
    from omote.features.profile import Profile
    from omote.features.table import check_table_path

    check_table_path(to)
    excerpt = Excerpt(every, fps, seconds(start, "--start"), None if end is None else seconds(end, "--end"))
    excerpt.check()
    person = None if profile is None else Profile.load(profile)
    reader = open_reader(run, device=device, bfloat16=bfloat16)
    try:
        with counting("embedding") as progress:
            done = embed_to(
                reader,
                inputs,
                to,
                cropped=cropped,
                detector=detector,
                excerpt=excerpt,
                profile=person,
                face=face,
                workers=workers,
                progress=progress,
            )
    except KeyboardInterrupt:
        say("Stopped. The same command goes on where it was saved.", to=errors)
        raise typer.Exit(INTERRUPTED) from None
    others = f", {done.num_others} of other people" if done.num_others else ""
    doubted = f", {done.num_doubted} not to be trusted (column doubt)" if done.num_doubted else ""
    say(f"{done.num_faces} faces{others}{doubted}: {to}")
    if not done.knows_ood:
        say("ood is empty: the model does not know the faces of its training, as an earlier omote trained it")
    if person is not None:
        for sentence in person.statement():
            say(sentence)
    for reason, count in done.skipped_frames.most_common():
        say(f"left out: {count} frames of videos: {reason}", to=errors)
    for one in done.skipped_files[:SHOWN]:
        say(f"left out: {one['source']}: {one['reason']}", to=errors)
    if len(done.skipped_files) > SHOWN:
        say(f"left out: {len(done.skipped_files) - SHOWN} more files", to=errors)
    if done.skipped_frames or done.skipped_files:
        say(f"All that was left out: {to.with_name(f'{to.name}.skipped.csv')}", to=errors)


def seconds(text: str, option: str) -> float:
    """Return the seconds that "90", "1:30" and "0:01:30" say; ``option`` is named where they say nothing."""
    try:
        total = 0.0
        for part in text.split(":"):
            total = 60 * total + float(part)
    except ValueError:
        raise OmoteError(f'{option} was given "{text}"; it takes seconds, or 1:30, or 0:01:30') from None
    return total

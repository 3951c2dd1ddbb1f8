"""`omote events`: when something on a face begins, is strongest and ends."""

from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from omote.cli.display import errors, say
from omote.cli.inputs import OwnAxes, UseDoubted, check_table
from omote.errors import OmoteError


def events(
    table: Annotated[
        Path,
        typer.Argument(
            help="Feature table (.parquet or .csv file) of videos, made by `omote embed`.",
            callback=check_table,
        ),
    ],
    to: Annotated[
        Path,
        typer.Option(
            "--to",
            metavar="FILE",
            help="File to write: .csv, one row an event; .eaf for ELAN (File > Open), one file a video; .boris for "
            "BORIS (File > Open project, or Observations > Import observations).",
        ),
    ],
    axis: OwnAxes = None,
    use_doubted: UseDoubted = False,
) -> dict[str, Any]:
    """Find events: onset, apex and offset of each axis, and of the distance from a person's usual look.

    The table needs columns of axes (they come with a run, or `omote axis` makes one), or `from_usual`, which
    `omote embed --profile`, `omote embed --relative` and `omote analyse` write. An event begins and ends at a lower
    level and has to reach an upper one: for an axis, 0.1 and 0.2 above the level of rest of the face, or more if the
    values are noisy. A gap of more than half a second without trusted frames ends an event, and the columns complete
    and note say so. Times are those of a player, in seconds.
    """
    from omote.data.outputs import is_code
    from omote.features.axes import Axes, is_axis, say_axis
    from omote.features.event_files import check_events_path, write_events
    from omote.features.events import TRACK, find_events
    from omote.features.profile import DISTANCE, TEXTS
    from omote.features.table import read_table

    check_events_path(to)
    axes = [Axes.load(file) for file in axis or []]
    wanted = {*TRACK, "time", "trusted", "model", "profile", DISTANCE}
    columns = Counter(one.column for each in axes for one in each.axes)
    if twice := [column for column, count in columns.items() if count > 1]:
        raise OmoteError(f'two axes given with --axis are called "{say_axis(twice[0])}"; leave one out')
    frames = read_table(
        table, lambda name: name in wanted or is_axis(name) or (bool(axes) and is_code(name)), TEXTS
    )
    for each in axes:
        read = each.read_table(frames)
        frames = frames.drop(columns=[name for name in read if name in frames]).join(read)
    found = find_events(frames, use_doubted=use_doubted)
    files = write_events(found, to)
    keys = [name for name in TRACK if name in found]
    faces = len(found[keys].drop_duplicates()) if keys else min(len(found), 1)
    say(
        f"{len(found)} event{'s' * (len(found) != 1)} of {faces} face{'s' * (faces != 1)}: {', '.join(map(str, files))}"
    )
    for measure, count in found["measure"].value_counts().items():
        say(f"  {measure}: {count}")
    if cut := int((~found["complete"]).sum()):
        say(
            f"{cut} of them have no known onset or offset, because of a gap or the ends of the footage (column note)"
        )
    for reason, count in found.attrs["left_out"].items():
        say(f"left out: {count} rows {reason}", to=errors)
    return {"files": files, "events": len(found), "left_out": found.attrs["left_out"]}

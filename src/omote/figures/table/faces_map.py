"""A map of the expressions in a table of features: its first two principal directions, with faces at their places."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from omote.data.sampling import evenly_spaced
from omote.figures.space import PEOPLE_COLOURS, REST
from omote.figures.table.board import EDGE, LINE, MUTED, WIDTH, Board, colour_of, fitting
from omote.figures.table.recut import Faces
from omote.figures.table.tracks import Directions, Features, Rows

DOTS = 8000  # rows drawn, at most
FACE = 0.66  # inches
ROOM = 1.07  # sides of a face between the middles of two
TOP, LEFT, BELOW = 0.3, 0.35, 0.4  # inches, beside the map
LOWEST, HIGHEST = 4.0, 8.5  # inches high
COLUMNS = 4  # of the names of groups


class Places(NamedTuple):
    """Where rows are on a map."""

    rows: Rows  # (n,) those to trust, thinned evenly where they are many
    x: NDArray[np.float64]  # (n,) inches from the left
    y: NDArray[np.float64]  # (n,) inches from the top
    height: float  # of the map, inches


def places_on_map(features: Features, directions: Directions) -> Places:
    """Return where the rows to trust are on a map as wide as a `Board`, with the same scale both ways."""
    rows = np.flatnonzero(features.trusted)
    rows = rows[evenly_spaced(len(rows), DOTS)]
    flat = directions.places[rows, :2] * [1, -1]
    flat -= flat.min(axis=0)
    wide, high = flat.max(axis=0)
    rim = FACE * 0.6
    inside = WIDTH - 2 * EDGE - LEFT - 2 * rim
    height = float(np.clip(inside * high / (wide or 1) + 2 * rim, LOWEST, HIGHEST))
    scale = min(inside / (wide or 1), (height - 2 * rim) / (high or np.inf) if high else np.inf)
    x, y = (flat * scale + rim + (np.array([inside, height - 2 * rim]) - [wide * scale, high * scale]) / 2).T
    return Places(rows, x, y, height)


def faces_on_map(places: Places, can: NDArray[np.bool_]) -> Rows:
    """Return rows whose faces cover the map without overlap, each at its own place, those at its ends first.

    One after the other, the row that is farthest from all chosen is taken, as long as there is room.

    Args:
        can: (N,) bool, the rows of the table that may be shown.
    """
    shown = np.flatnonzero(can[places.rows])
    if not len(shown):
        return np.zeros(0, np.int64)
    at = np.stack([places.x[shown], places.y[shown]], axis=1)
    far = np.abs(at - np.median(at, axis=0)).max(axis=1)
    chosen: list[int] = []
    while not chosen or far.max() >= FACE * ROOM:
        new = int(far.argmax())
        distance = np.abs(at - at[new]).max(axis=1)
        far = distance if not chosen else np.minimum(far, distance)
        chosen.append(new)
    return places.rows[shown[chosen]]


def map_picture(
    features: Features,
    directions: Directions,
    places: Places,
    chosen: Rows,
    faces: Faces,
    credit: str | None = None,
) -> Image.Image:
    """Return the map: a dot for every row, and above the dots the chosen faces, in the colour of their group.

    Args:
        places: what `places_on_map` returned.
        chosen: what `faces_on_map` returned.
        faces: (S, S, 3) by row.
    """
    several = len(features.groups) > 1
    named = features.groups[: len(PEOPLE_COLOURS)] if several else []
    rest = len(features.groups) - len(named) if several else 0
    legend = 0.28 * -(-(len(named) + bool(rest)) // COLUMNS)
    top = TOP + legend
    board = Board(top + places.height + BELOW)
    width = (WIDTH - 2 * EDGE) / COLUMNS
    for place, name in enumerate([*named, f"{rest} others"][: len(named) + bool(rest)]):
        x, y = EDGE + place % COLUMNS * width, TOP + 0.28 * (place // COLUMNS) - 0.02
        board.line([x, x + 0.16], [y, y], color=colour_of(place), linewidth=8, solid_capstyle="butt")
        board.text(x + 0.26, y, fitting(name, 10.5, width - 0.4))

    axes = board.axes(EDGE + LEFT, top, WIDTH - 2 * EDGE - LEFT, places.height)
    axes.set(xlim=(0, WIDTH - 2 * EDGE - LEFT), ylim=(places.height, 0), xticks=[], yticks=[])
    order = np.random.default_rng(0).permutation(len(places.rows))  # so that no group hides another
    groups = features.group[places.rows[order]]
    colours = np.array([*PEOPLE_COLOURS, REST])[np.minimum(groups, len(PEOPLE_COLOURS))]
    size = 26 if len(order) < 500 else 12 if len(order) < 3000 else 6
    axes.scatter(places.x[order], places.y[order], s=size, c=colours, alpha=0.7, linewidths=0)
    shares = [
        f"direction {k + 1}: {100 * share:.0f} % of the variance"
        for k, share in enumerate(directions.shares[:2])
    ]
    board.text(EDGE + LEFT, board.height - LINE, f"{shares[0]}  →", color=MUTED)
    board.text(
        EDGE + 0.1, top + places.height, f"{shares[1]}  →", color=MUTED, rotation=90, ha="center", va="bottom"
    )
    at = {int(row): (x, y) for row, x, y in zip(places.rows, places.x, places.y, strict=True)}
    for row in chosen[::-1].tolist():
        if row in faces:
            x, y = at[row]
            colour = colour_of(int(features.group[row])) if several else "white"
            board.face(faces[row], EDGE + LEFT + x - FACE / 2, top + y - FACE / 2, FACE, colour)
    return board.drawn(credit)

"""A map of the rows of a feature table on its first two principal directions, with faces at their places."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from omote.data.sampling import evenly_spaced
from omote.figures.style import MUTED, PEOPLE_COLOURS, REST, TEXT
from omote.figures.table.crops import Crops
from omote.figures.table.face_figure import EDGE, LINE, WIDTH, FaceFigure, group_colour, shorten_text
from omote.figures.table.tracks import Directions, Features, Rows

MOST_DOTS = 8000
FACE = 0.66  # inches
SPACING = 1.07  # minimum distance between the centres of two faces, as a multiple of their side
TOP, LEFT, BELOW = 0.3, 0.35, 0.4  # margins of the map, inches
LOWEST, HIGHEST = 4.0, 8.5  # height of the map, inches
COLUMNS, LEGEND_LINE = 4, 0.28  # of the legend; inches
INSIDE = WIDTH - 2 * EDGE - LEFT  # width of the map, inches


class MapLayout(NamedTuple):
    """The places of n rows on the map."""

    rows: Rows  # (n,) trusted rows, evenly subsampled to `MOST_DOTS`
    x: NDArray[np.float64]  # (n,) inches from the left
    y: NDArray[np.float64]  # (n,) inches from the top
    height: float  # of the map, inches


def lay_out_map(features: Features, directions: Directions) -> MapLayout:
    """Return the places of the trusted rows on a map of fixed width, with one scale for both axes."""
    rows = np.flatnonzero(features.trusted)
    rows = rows[evenly_spaced(len(rows), MOST_DOTS)]
    places = directions.places[rows, :2] * [1, -1]
    places -= places.min(axis=0)
    wide, high = places.max(axis=0)
    margin = FACE * 0.6
    inside = INSIDE - 2 * margin
    height = float(np.clip(inside * high / (wide or 1) + 2 * margin, LOWEST, HIGHEST))
    scale = min(inside / (wide or 1), (height - 2 * margin) / (high or np.inf) if high else np.inf)
    centring = (np.array([inside, height - 2 * margin]) - [wide * scale, high * scale]) / 2
    x, y = (places * scale + margin + centring).T
    return MapLayout(rows, x, y, height)


def select_map_faces(layout: MapLayout, available: NDArray[np.bool_]) -> Rows:
    """Return rows whose faces cover the map without overlap, each at its own place, outermost first.

    Farthest-point sampling: the row farthest from all chosen ones is added for as long as there is room.

    Args:
        available: (N,) bool, rows of the table with a face.
    """
    shown = np.flatnonzero(available[layout.rows])
    if not len(shown):
        return np.zeros(0, np.int64)
    places = np.stack([layout.x[shown], layout.y[shown]], axis=1)
    distances = np.abs(places - np.median(places, axis=0)).max(axis=1)
    chosen: list[int] = []
    while not chosen or distances.max() >= FACE * SPACING:
        new = int(distances.argmax())
        to_new = np.abs(places - places[new]).max(axis=1)
        distances = to_new if not chosen else np.minimum(distances, to_new)
        chosen.append(new)
    return layout.rows[shown[chosen]]


def plot_faces_map(
    features: Features,
    directions: Directions,
    layout: MapLayout,
    chosen: Rows,
    crops: Crops,
    credit: str | None = None,
) -> Image.Image:
    """Return the map: a dot for each row, and above the dots the chosen faces, framed in the colour of their group.

    Args:
        layout: as `lay_out_map` returned it.
        chosen: as `select_map_faces` returned it.
        crops: (S, S, 3) by row.
    """
    several = len(features.groups) > 1
    named = features.groups[: len(PEOPLE_COLOURS)] if several else []
    others = len(features.groups) - len(named) if several else 0
    entries = [*named, f"{others} others"] if others else named
    top = TOP + LEGEND_LINE * -(-len(entries) // COLUMNS)
    figure = FaceFigure(top + layout.height + BELOW)
    width = (WIDTH - 2 * EDGE) / COLUMNS
    for place, name in enumerate(entries):
        x, y = EDGE + place % COLUMNS * width, TOP + LEGEND_LINE * (place // COLUMNS) - 0.02
        figure.swatch(x, y, group_colour(place), 8)
        figure.text(x + 0.26, y, shorten_text(name, TEXT, width - 0.4))

    axes = figure.axes(EDGE + LEFT, top, INSIDE, layout.height)
    axes.set(xlim=(0, INSIDE), ylim=(layout.height, 0), xticks=[], yticks=[])
    order = np.random.default_rng(0).permutation(len(layout.rows))  # so that no group hides another
    groups = features.group[layout.rows[order]]
    colours = np.array([*PEOPLE_COLOURS, REST])[np.minimum(groups, len(PEOPLE_COLOURS))]
    size = 26 if len(order) < 500 else 12 if len(order) < 3000 else 6
    axes.scatter(layout.x[order], layout.y[order], s=size, c=colours, alpha=0.7, linewidths=0)
    across, up = (
        f"direction {k}: {100 * share:.0f} % of the variance  →"
        for k, share in enumerate(directions.shares[:2], start=1)
    )
    figure.text(EDGE + LEFT, figure.height - LINE, across, color=MUTED)
    figure.text(EDGE + 0.1, top + layout.height, up, color=MUTED, rotation=90, ha="center", va="bottom")
    places = {int(row): (x, y) for row, x, y in zip(layout.rows, layout.x, layout.y, strict=True)}
    for row in chosen[::-1].tolist():
        if row in crops:
            x, y = places[row]
            colour = group_colour(int(features.group[row])) if several else "white"
            figure.face(crops[row], EDGE + LEFT + x - FACE / 2, top + y - FACE / 2, FACE, colour)
    return figure.render(credit)

"""Pictures of an audit: identity leakage, paths of clips, action units.

The map of the codes is `omote.figures.code_map.plot_code_map`.
"""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray
from PIL import Image

from omote.data.sampling import evenly_spaced
from omote.errors import OmoteError
from omote.evaluation.representation import CENTRED
from omote.figures.audit.words import PEOPLE
from omote.figures.code_map import add_expression_legend, label_variance, plot_code_map, project_codes
from omote.figures.picture import new_figure, remove_ticks, render
from omote.figures.style import (
    BLUE,
    INK,
    MUTED,
    NOTE,
    ORANGE,
    REST,
    SLATE,
    TEXT,
    TICK,
    TITLE,
    point_style,
    sort_expressions,
)

BASELINES = ("random network", "pixels + PCA", "pixels + PCA" + CENTRED)
KINDS = {"expression code": BLUE, "identity code": ORANGE, "baseline": SLATE}
LEAKS = {  # for each, higher means that more is known of the person, so they share one axis
    "subject_nearest_neighbour_across_expressions": "nearest code of\nanother expression",
    "subject_probe_linear": "linear probe",
    "subject_probe_mlp": "small network",
    "tar_at_far_1e-2": "same person accepted,\n1 % of strangers too",
}
UNIT = "r2:"  # prefix of the scores of single action units
Labels = Sequence[Any] | NDArray[Any]
SAMPLE_OPACITY = 0.35
BAR = 0.46  # inches per feature
FACE = 1.1  # inches
MOST_PEOPLE = 8  # in clip paths
MOST_FRAMES = 1500  # in a map
MOST_FEATURES = 8  # in a picture of maps or paths
CHANCE: dict[str, Any] = {"color": INK, "linestyle": (0, (3, 2)), "linewidth": 1.2}


def feature_kind(feature: str) -> str:
    """Return which of `KINDS` a feature is, judging by its name."""
    if feature in BASELINES:
        return "baseline"
    return "identity code" if feature.removesuffix(CENTRED).endswith("z_i") else "expression code"


def find_people(table: pd.DataFrame) -> list[str]:
    """Return which of `PEOPLE` the table covers, people held out first."""
    return [people for people in PEOPLE if (table["people"] == people).any()]


def plot_leakage(table: pd.DataFrame, people: str) -> Figure | None:
    """Return bars of how strongly each feature identifies the person, one panel per measure of `LEAKS`.

    Solid bars are from the posterior mean, pale ones below them from a sample. Whiskers are 95 % intervals over people,
    dashed lines chance; the numbers at the right belong to the mean.

    Args:
        table: of an `omote.evaluation.audit.Audit`.
        people: a key of `PEOPLE`.
    Returns:
        None if the table has no such score.
    """
    table = table[(table["people"] == people) & table["score"].isin(list(LEAKS))]
    features = list(dict.fromkeys(table["feature"]))
    measures = [score for score in LEAKS if table["value"][table["score"] == score].notna().any()]
    if not measures:
        return None
    figure = new_figure(2.6 + 2.45 * len(measures), 1.7 + BAR * len(features), w_pad=0.06, h_pad=0.08)
    panels = figure.subplots(1, len(measures), squeeze=False, sharey=True)[0]
    for axes, measure in zip(panels, measures, strict=True):
        scores = table[table["score"] == measure]
        _plot_bars(axes, scores, features)
        axes.set_title(LEAKS[measure], fontsize=11.5, color=INK)
        axes.set_xlabel(f"per cent; chance {100 * scores['chance'].median():.2g}", fontsize=TICK, color=MUTED)
    panels[0].set_yticks(
        range(len(features)), [_wrap(name, 30) for name in features], fontsize=TEXT, color=INK
    )
    panels[0].set_ylim(len(features) - 0.45, -0.55)
    kinds = [kind for kind in KINDS if any(feature_kind(feature) == kind for feature in features)]
    handles: list[Any] = [Patch(color=KINDS[kind], label=kind) for kind in kinds]
    if (table["reading"] == "sample").any():
        handles.append(Patch(color=INK, alpha=SAMPLE_OPACITY, label="sample of it", linewidth=0))
    handles.append(Line2D([], [], label="chance", **CHANCE))
    figure.legend(handles=handles, loc="outside lower center", ncols=5, frameon=False, fontsize=TEXT)
    return figure


def _plot_bars(axes: Axes, scores: pd.DataFrame, features: Sequence[str]) -> None:
    sampled = set(scores["feature"][scores["reading"] == "sample"])
    for row in scores.to_dict("records"):
        place, colour = features.index(row["feature"]), KINDS[feature_kind(row["feature"])]
        mean, alone = row["reading"] == "mean", row["feature"] not in sampled
        height = 0.5 if alone else 0.34
        middle = place if alone else place - 0.18 if mean else place + 0.18
        value, low, high, chance = (100 * float(row[name]) for name in ("value", "low", "high", "chance"))
        if np.isfinite(value):
            axes.barh(middle, value, height, color=colour, alpha=1 if mean else SAMPLE_OPACITY, linewidth=0)
        if np.isfinite([low, high]).all():
            whisker = np.clip([low, high], 0, 100)
            axes.plot(whisker, [middle] * 2, color=INK, linewidth=1.1, solid_capstyle="butt")
        if mean and np.isfinite(chance):  # drawn per row: equal chances join into one dashed line
            axes.plot([chance] * 2, [place - 0.5, place + 0.5], **CHANCE)
        if mean:
            text = f"{value:.0f}" if np.isfinite(value) else "–"
            axes.text(117, middle, text, ha="right", va="center", fontsize=TICK, color=INK)
    axes.set_xlim(0, 118)
    axes.set_xticks(range(0, 101, 25))
    axes.tick_params(colors=MUTED, labelsize=TICK, length=0)
    axes.grid(axis="x", color=REST, linewidth=0.7, alpha=0.7)
    axes.set_axisbelow(True)
    axes.spines[:].set(visible=False, color=REST)
    axes.spines["left"].set_visible(True)


class ClipPath(NamedTuple):
    """The frames of one clip to draw, in order, and the expression that the clip shows."""

    rows: NDArray[np.int64]
    expression: str


def plot_clip_paths(
    codes: Sequence[NDArray[Any]],
    subjects: Labels,
    clips: Labels,
    frames: Labels,
    expressions: Labels,
    *,
    titles: Sequence[str],
    rising: NDArray[Any] | None = None,
) -> Figure | None:
    """Return one row per feature with the paths of clips through its code, coloured by expression.

    Left: where the paths lie. Right: each minus its first frame, so that all start at one point; thick lines are means.
    A path leads from a small dot to a large one. Drawn are the clips of eight evenly spaced people that show exactly
    one expression besides neutral.

    Args:
        codes: for each feature, (N, Z) codes of the same N frames.
        subjects: (N,) ids.
        clips: (N,) ids, unique within a subject.
        frames: (N,) numbers that order the frames of a clip.
        expressions: (N,) labels; None where unknown.
        titles: one per feature.
        rising: (N,) bool, the frames to draw, from the first to the apex; None for all.
    Returns:
        None if there is no such clip.
    Raises:
        OmoteError: If the numbers of codes or titles differ.
    """
    if len(titles) != len(codes) or any(len(code) != len(subjects) for code in codes):
        raise OmoteError(
            f"paths need a title and codes of the same frames for each feature: given are {len(titles)} titles, and "
            f"{', '.join(str(len(code)) for code in codes)} codes of {len(subjects)} frames"
        )
    paths = _find_paths(subjects, clips, frames, expressions, rising)
    if not paths or not codes:
        return None
    order = sort_expressions(str(label) for label in expressions if not pd.isna(label))  # as in the maps
    styles = {label: point_style(place) for place, label in enumerate(order)}
    figure = new_figure(10.3, 3.6 * len(codes) + 0.5)
    panels = figure.subplots(len(codes), 2, squeeze=False)
    for code, title, (left, right) in zip(codes, titles, panels, strict=True):
        absolute = [np.asarray(code[path.rows], np.float64) for path in paths]
        _plot_paths(left, absolute, paths, styles)
        _plot_paths(right, [path - path[0] for path in absolute], paths, styles, means=True)
        left.set_ylabel(_wrap(title, 26), fontsize=TITLE, fontweight="bold", labelpad=10)
    panels[0, 0].set_title("as they are", fontsize=TITLE)
    panels[0, 1].set_title("less the clip's first frame; thick: mean", fontsize=TITLE)
    handles = [
        Line2D([], [], linewidth=2.4, markersize=7, label=label, **style)
        for label, style in styles.items()
        if any(path.expression == label for path in paths)
    ]
    add_expression_legend(figure, handles)
    return figure


def _find_paths(
    subjects: Labels, clips: Labels, frames: Labels, expressions: Labels, rising: NDArray[Any] | None
) -> list[ClipPath]:
    table = pd.DataFrame({"subject": subjects, "clip": clips, "frame": frames, "expression": expressions})
    table = table.astype({"subject": str, "clip": str})
    table["drawn"] = True if rising is None else rising
    found: list[tuple[str, ClipPath]] = []
    for (subject, _), clip in table.sort_values("frame", kind="stable").groupby(["subject", "clip"]):
        shown = {str(label) for label in clip["expression"].dropna()} - {"neutral"}
        rows = clip.index[clip["drawn"]].to_numpy(np.int64)
        if len(shown) == 1 and len(rows) > 1:
            found.append((str(subject), ClipPath(rows, shown.pop())))
    people = sorted({subject for subject, _ in found})
    chosen = {people[place] for place in evenly_spaced(len(people), MOST_PEOPLE)}
    return [path for subject, path in found if subject in chosen]


def _plot_paths(
    axes: Axes,
    codes: Sequence[NDArray[Any]],
    paths: Sequence[ClipPath],
    styles: Mapping[str, dict[str, Any]],
    means: bool = False,
) -> None:
    remove_ticks(axes)
    projection = project_codes(np.concatenate(codes))
    if projection is None:
        axes.text(0.5, 0.5, "the code does not move", ha="center", va="center", transform=axes.transAxes)
        return
    places = np.split(projection.places, np.cumsum([len(code) for code in codes])[:-1])
    if means:
        places = [place - place[0] for place in places]
    apexes: dict[str, list[NDArray[Any]]] = {}
    for place, path in zip(places, paths, strict=True):
        style = styles[path.expression]
        edge: dict[str, Any] = {"markeredgecolor": "white", "markeredgewidth": 0.5}
        axes.plot(*place.T, color=style["color"], linewidth=1, alpha=0.45 if means else 0.8)
        axes.plot(*place[0], ".", color=style["color"], markersize=3.5, alpha=0.8)
        axes.plot(*place[-1], markersize=5, alpha=0.6 if means else 1, **edge, **style)
        apexes.setdefault(path.expression, []).append(place[-1])
    for expression, ends in apexes.items() if means else ():
        x, y = np.mean(ends, axis=0)
        mean: dict[str, Any] = {"markevery": [1], "markersize": 10, "markeredgecolor": "white"}
        axes.plot([0, x], [0, y], color="white", linewidth=5, zorder=3)
        axes.plot([0, x], [0, y], linewidth=3, zorder=4, **mean, **styles[expression])
    label_variance(axes, projection)


def plot_action_units(table: pd.DataFrame, people: str) -> Figure | None:
    """Return a heat map of R2: a row per action unit, below their mean, and a column per feature.

    Args:
        table: of an `omote.evaluation.audit.Audit`.
        people: a key of `PEOPLE`.
    Returns:
        None if no action unit is known.
    """
    table = table[
        (table["people"] == people) & table["score"].str.startswith(UNIT) & (table["reading"] == "mean")
    ]
    table = table[table["value"].notna()]
    if table.empty:
        return None
    features, units = list(dict.fromkeys(table["feature"])), list(dict.fromkeys(table["score"]))
    shown = table.pivot(index="score", columns="feature", values="value").loc[units, features]
    cells = np.vstack([shown.mean().to_numpy(), np.full(len(features), np.nan), shown.to_numpy()])
    names = ["mean", "", *(name_unit(unit) for unit in units)]

    figure = new_figure(2.2 + 1.02 * len(features), 1.35 + 0.225 * len(cells), w_pad=0.1, h_pad=0.1)
    axes = figure.subplots()
    colours = LinearSegmentedColormap.from_list("r2", ["#ffffff", "#9ecae8", BLUE])
    axes.imshow(np.clip(cells, 0, 1), cmap=colours, vmin=0, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(cells.round(2) + 0.0):  # + 0.0 turns -0 into 0
        if np.isfinite(value) or row != 1:
            text = f"{value:.2f}".replace("-", "−") if np.isfinite(value) else "–"
            colour = "white" if value > 0.7 else INK if value >= 0 else MUTED
            axes.text(column, row, text, ha="center", va="center", fontsize=NOTE, color=colour)
    axes.set_yticks(range(len(names)), names, fontsize=TICK, color=INK)
    axes.set_xticks(range(len(features)), [_wrap(name, 14) for name in features], fontsize=NOTE, color=INK)
    axes.tick_params(length=0, top=False, labeltop=True, labelbottom=False)
    axes.set_xticks(np.arange(len(features) - 1) + 0.5, minor=True)
    axes.grid(which="minor", axis="x", color="white", linewidth=3)
    axes.tick_params(which="minor", length=0)
    axes.spines[:].set_visible(False)
    return figure


def name_unit(score: str) -> str:
    """Return "AU 12" for "r2:au_12", "brow down L" for "r2:au_browDown_L"."""
    name = score.removeprefix(UNIT).removeprefix("au_")
    if name.isdigit():
        return f"AU {name}"
    return "".join(f" {letter.lower()}" if letter.isupper() and k and name[k - 1].islower() else letter
                   for k, letter in enumerate(name)).replace("_", " ")  # fmt: skip


def plot_prior(priors: Mapping[str, NDArray[np.uint8]]) -> Figure | None:
    """Return a row of faces of random codes for each run; None if there are none.

    Args:
        priors: run -> (K, S, S, 3) uint8 RGB.
    """
    if not priors:
        return None
    columns = max(map(len, priors.values()))
    figure = new_figure(columns * FACE, len(priors) * (FACE + 0.25), 0.02, 0.02)
    for place, (name, faces) in enumerate(priors.items()):
        axes = figure.add_subplot(len(priors), 1, place + 1)
        apart = np.pad(faces, ((0, 0), (0, 0), (1, 1), (0, 0)), constant_values=255)
        axes.imshow(np.concatenate(list(apart), axis=1))
        axes.set_title(name, fontsize=TEXT, color=INK, loc="left")
        remove_ticks(axes)
    return figure


def plot_audit(
    table: pd.DataFrame,
    codes: Mapping[str, NDArray[Any]],
    frames: pd.DataFrame,
    rising: NDArray[Any],
    priors: Mapping[str, NDArray[np.uint8]],
) -> dict[str, Image.Image]:
    """Return the pictures that an audit has data for: any of "leakage", "maps", "paths", "action_units", "prior".

    Scores are those of the first people that `find_people` returns. Maps and paths show the people in `frames`, for the
    first eight features that are finite and not subject-centred.

    Args:
        table: of an `omote.evaluation.audit.Audit`.
        codes: feature name -> (N, Z).
        frames: N rows with subject, clip, frame and expression.
        rising: (N,) bool, from a clip's first frame to its apex.
        priors: run -> (K, S, S, 3) uint8 RGB faces of random codes.
    """
    people = find_people(table)[0]
    names = [name for name in codes if not name.endswith(CENTRED) and np.isfinite(codes[name]).all()]
    names = names[:MOST_FEATURES]
    labels = frames["expression"].to_numpy(dtype=object)
    subjects, clips = (frames[name].astype(str).to_numpy(dtype=object) for name in ("subject", "clip"))
    seen = np.asarray(evenly_spaced(len(frames), MOST_FRAMES))
    figures = {
        "leakage": plot_leakage(table, people),
        "maps": plot_code_map([codes[name][seen] for name in names], labels[seen], subjects[seen], titles=names)
        if names
        else None,
        "paths": plot_clip_paths(
            [codes[name] for name in names], subjects, clips, frames["frame"].to_numpy(), labels,
            titles=names, rising=rising,
        ),
        "action_units": plot_action_units(table, people),
        "prior": plot_prior(priors),
    }  # fmt: skip
    return {name: render(figure) for name, figure in figures.items() if figure is not None}


def _wrap(feature: str, width: int) -> str:
    """Return a name in lines of at most `width` letters, with a new line after each comma."""
    return "\n".join(textwrap.fill(part, width) for part in feature.replace(", ", ",\n").split("\n"))

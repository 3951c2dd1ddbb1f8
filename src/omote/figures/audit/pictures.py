"""Pictures of an audit: how far each code gives the person away, the ways of its clips, the action units in it.

A map of the codes, by expression and by person, is `omote.figures.space.expression_map`.
"""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray
from PIL import Image

from omote.data.sampling import evenly_spaced
from omote.errors import OmoteError
from omote.evaluation.feature import CENTRED
from omote.figures.audit.words import PEOPLE
from omote.figures.space import COLOURS, DPI, MARKERS, REST, expression_map, flattened

BASELINES = ("random network", "pixels + PCA", "pixels + PCA" + CENTRED)
KINDS = {"expression code": "#0072b2", "identity code": "#e69f00", "baseline": "#6e7781"}
LEAKS = {  # all of them higher where more is known of the person, so that one axis serves
    "subject_nearest_neighbour_across_expressions": "nearest code of\nanother expression",
    "subject_probe_linear": "linear probe",
    "subject_probe_mlp": "small network",
    "tar_at_far_1e-2": "same person accepted,\n1 % of strangers too",
}
UNIT = "r2:"  # how the scores of single action units begin
Labels = Sequence[Any] | NDArray[Any]
INK, MUTED = "#24292f", "#656d76"
PALE = 0.35  # opacity of the bar of a sample
BAR = 0.46  # inches a feature
PEOPLE_SHOWN = 8  # in clip paths
FRAMES_SHOWN = 1500  # in a map, at most
MAPS = 8  # features in a picture of maps or paths, at most


def kind(feature: str) -> str:
    """Return which of `KINDS` a feature is, by its name."""
    if feature in BASELINES:
        return "baseline"
    return "identity code" if feature.removesuffix(CENTRED).endswith("z_i") else "expression code"


def people_of(table: pd.DataFrame) -> list[str]:
    """Return which of `PEOPLE` the table is of, those held out first."""
    return [people for people in PEOPLE if (table["people"] == people).any()]


def leakage_bars(table: pd.DataFrame, people: str = "test") -> Image.Image | None:
    """Return bars of how far each feature gives the person away, one panel a measure of `LEAKS`.

    Solid is the mean of the posterior, pale below it a sample; the whisker is the 95 % interval over people, the dashed
    line what a guess reaches. The figures at the right are of the mean.

    Args:
        table: of an `omote.evaluation.audit.Audit`.
        people: whose.
    Returns:
        None where there is no such score.
    """
    figure = leakage_figure(table, people)
    return None if figure is None else _drawn(figure)


def leakage_figure(table: pd.DataFrame, people: str) -> Figure | None:
    """Return what `leakage_bars` draws, one axes a measure."""
    asked = table[(table["people"] == people) & table["score"].isin(list(LEAKS))]
    features = list(dict.fromkeys(asked["feature"]))
    measures = [score for score in LEAKS if asked["value"][asked["score"] == score].notna().any()]
    if not measures:
        return None
    sampled = (asked["reading"] == "sample").any()
    figure = Figure(figsize=(2.6 + 2.45 * len(measures), 1.7 + BAR * len(features)), dpi=DPI)
    figure.set_layout_engine("constrained", w_pad=0.06, h_pad=0.08)
    panels = figure.subplots(1, len(measures), squeeze=False, sharey=True)[0]
    for axes, measure in zip(panels, measures, strict=True):
        scores = asked[asked["score"] == measure]
        _bars(axes, scores, features)
        axes.set_title(LEAKS[measure], fontsize=11.5, color=INK)
        axes.set_xlabel(f"per cent; chance {100 * scores['chance'].median():.2g}", fontsize=10, color=MUTED)
    names = [_in_lines(feature, 30) for feature in features]
    panels[0].set_yticks(range(len(features)), names, fontsize=10.5, color=INK)
    panels[0].set_ylim(len(features) - 0.45, -0.55)
    shown = [name for name in KINDS if any(kind(feature) == name for feature in features)]
    handles: list[Any] = [Patch(color=KINDS[name], label=name) for name in shown]
    if sampled:
        handles.append(Patch(color=INK, alpha=PALE, label="sample of it", linewidth=0))
    handles.append(Line2D([], [], color=INK, linestyle=(0, (3, 2)), linewidth=1.2, label="chance"))
    figure.legend(handles=handles, loc="outside lower center", ncols=5, frameon=False, fontsize=10.5)
    return figure


def _bars(axes: Axes, scores: pd.DataFrame, features: Sequence[str]) -> None:
    sampled = set(scores["feature"][scores["reading"] == "sample"])
    dashes: dict[str, Any] = {"color": INK, "linestyle": (0, (3, 2)), "linewidth": 1.2}
    for row in scores.to_dict("records"):
        place, colour = features.index(row["feature"]), KINDS[kind(row["feature"])]
        mean, alone = row["reading"] == "mean", row["feature"] not in sampled
        height = 0.5 if alone else 0.34
        middle = place if alone else place - 0.18 if mean else place + 0.18
        value, low, high, chance = (100 * float(row[name]) for name in ("value", "low", "high", "chance"))
        if np.isfinite(value):
            axes.barh(middle, value, height, color=colour, alpha=1 if mean else PALE, linewidth=0)
        if np.isfinite([low, high]).all():
            whisker = np.clip([low, high], 0, 100)
            axes.plot(whisker, [middle] * 2, color=INK, linewidth=1.1, solid_capstyle="butt")
        if mean and np.isfinite(chance):  # a row has its own; where they are alike they are one dashed line
            axes.plot([chance] * 2, [place - 0.5, place + 0.5], **dashes)
        if mean:
            text = f"{value:.0f}" if np.isfinite(value) else "–"
            axes.text(117, middle, text, ha="right", va="center", fontsize=10, color=INK)
    axes.set_xlim(0, 118)
    axes.set_xticks(range(0, 101, 25))
    axes.tick_params(colors=MUTED, labelsize=10, length=0)
    axes.grid(axis="x", color=REST, linewidth=0.7, alpha=0.7)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "left")
        spine.set_color(REST)


class Path(NamedTuple):
    """The rows of one clip that are drawn, in order, and the expression that it shows."""

    rows: NDArray[np.int64]
    expression: str


def clip_paths(
    codes: Sequence[NDArray[Any]],
    subjects: Labels,
    clips: Labels,
    frames: Labels,
    expressions: Labels,
    *,
    titles: Sequence[str],
    rising: NDArray[Any] | None = None,
) -> Image.Image | None:
    """Return one row a feature with the ways of the clips in it, coloured by expression: at the left where they are,
    at the right each less its first frame, so that all begin at one point and thick lines, their means, can agree.

    A path leads from a small dot to a large one. Drawn are clips that show one expression beside neutral, of eight
    people, evenly spread.

    Args:
        codes: for each feature, (N, Z) codes of the same N frames.
        subjects: (N,) ids.
        clips: (N,) ids within a subject.
        frames: (N,) numbers that put the frames of a clip in order.
        expressions: (N,) labels; None where not known.
        titles: one a feature.
        rising: (N,) bool, the frames to draw: from a clip's first to its apex. None for all of them.
    Returns:
        None where there is no such clip.
    Raises:
        OmoteError: If codes or titles differ in number.
    """
    figure = paths_figure(codes, subjects, clips, frames, expressions, titles, rising)
    return None if figure is None else _drawn(figure)


def paths_figure(
    codes: Sequence[NDArray[Any]],
    subjects: Labels,
    clips: Labels,
    frames: Labels,
    expressions: Labels,
    titles: Sequence[str],
    rising: NDArray[Any] | None,
) -> Figure | None:
    """Return what `clip_paths` draws, two axes a feature."""
    if len(titles) != len(codes) or any(len(code) != len(subjects) for code in codes):
        raise OmoteError(
            f"paths need a title and codes of the same frames for each feature: given are {len(titles)} titles, and "
            f"{', '.join(str(len(code)) for code in codes)} codes of {len(subjects)} frames"
        )
    paths = _paths(subjects, clips, frames, expressions, rising)
    if not paths or not codes:
        return None
    labels = {str(label) for label in expressions if not pd.isna(label)}
    order = sorted(labels, key=lambda label: (label.casefold() != "neutral", label))  # as in the maps
    named = [label for label in order if any(path.expression == label for path in paths)]
    figure = Figure(figsize=(10.3, 3.6 * len(codes) + 0.5), dpi=DPI)
    figure.set_layout_engine("constrained", w_pad=0.12, h_pad=0.12)
    panels = figure.subplots(len(codes), 2, squeeze=False)
    for code, title, (left, right) in zip(codes, titles, panels, strict=True):
        absolute = [np.asarray(code[path.rows], np.float64) for path in paths]
        _ways(left, absolute, paths, order)
        _ways(right, [path - path[0] for path in absolute], paths, order, means=True)
        left.set_ylabel(_in_lines(title, 26), fontsize=13, fontweight="bold", labelpad=10)
    panels[0, 0].set_title("as they are", fontsize=13)
    panels[0, 1].set_title("less the clip's first frame; thick: mean", fontsize=13)
    handles = [
        Line2D([], [], linewidth=2.4, markersize=7, label=label, **_look(label, order)) for label in named
    ]
    figure.legend(
        handles=handles, loc="outside right upper", frameon=False, title="expression", title_fontsize=12,
        alignment="left", fontsize=11,
    )  # fmt: skip
    return figure


def _paths(
    subjects: Labels,
    clips: Labels,
    frames: Labels,
    expressions: Labels,
    rising: NDArray[Any] | None,
) -> list[Path]:
    table = pd.DataFrame({"subject": subjects, "clip": clips, "frame": frames, "expression": expressions})
    table = table.astype({"subject": str, "clip": str})
    table["drawn"] = True if rising is None else rising
    found: list[tuple[str, Path]] = []
    for (subject, _), clip in table.sort_values("frame", kind="stable").groupby(["subject", "clip"]):
        shown = {str(label) for label in clip["expression"].dropna()} - {"neutral"}
        rows = clip.index[clip["drawn"]].to_numpy(np.int64)
        if len(shown) == 1 and len(rows) > 1:
            found.append((str(subject), Path(rows, shown.pop())))
    people = sorted({subject for subject, _ in found})
    chosen = {people[place] for place in evenly_spaced(len(people), PEOPLE_SHOWN)} if people else set()
    return [path for subject, path in found if subject in chosen]


def _look(expression: str, order: Sequence[str]) -> dict[str, Any]:
    place = order.index(expression)
    return {"color": COLOURS[place % len(COLOURS)], "marker": MARKERS[place // len(COLOURS) % len(MARKERS)]}


def _ways(
    axes: Axes, ways: Sequence[NDArray[Any]], paths: Sequence[Path], order: Sequence[str], means: bool = False
) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color(REST)
    flat = flattened(np.concatenate(ways))
    if flat is None:
        axes.text(0.5, 0.5, "the code does not move", ha="center", va="center", transform=axes.transAxes)
        return
    places = np.split(flat.places, np.cumsum([len(way) for way in ways])[:-1])
    if means:
        places = [place - place[0] for place in places]
    ends: dict[str, list[NDArray[Any]]] = {}
    for place, path in zip(places, paths, strict=True):
        look = _look(path.expression, order)
        axes.plot(*place.T, color=look["color"], linewidth=1, alpha=0.45 if means else 0.8)
        axes.plot(*place[0], ".", color=look["color"], markersize=3.5, alpha=0.8)
        axes.plot(
            *place[-1],
            markersize=5,
            alpha=0.6 if means else 1,
            markeredgecolor="white",
            markeredgewidth=0.5,
            **look,
        )
        ends.setdefault(path.expression, []).append(place[-1])
    for expression, apexes in ends.items() if means else ():
        x, y = np.mean(apexes, axis=0)
        look = _look(expression, order)
        axes.plot([0, x], [0, y], color="white", linewidth=5, zorder=3)
        axes.plot(
            [0, x],
            [0, y],
            linewidth=3,
            markevery=[1],
            markersize=10,
            markeredgecolor="white",
            zorder=4,
            **look,
        )
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_xlabel(f"two axes, {100 * flat.shares.sum():.0f} % of the variance", fontsize=9.5, color=MUTED)


def r2_bars(table: pd.DataFrame, people: str = "test") -> Image.Image | None:
    """Return a table of how well each action unit is read from each feature: R2 in figures, the higher the darker.

    Args:
        table: of an `omote.evaluation.audit.Audit`.
        people: whose.
    Returns:
        None where no action unit is known.
    """
    figure = r2_figure(table, people)
    return None if figure is None else _drawn(figure)


def r2_figure(table: pd.DataFrame, people: str) -> Figure | None:
    """Return what `r2_bars` draws: one axes, a row an action unit and their mean first, a column a feature."""
    asked = table[
        (table["people"] == people) & table["score"].str.startswith(UNIT) & (table["reading"] == "mean")
    ]
    asked = asked[asked["value"].notna()]
    if asked.empty:
        return None
    features, units = list(dict.fromkeys(asked["feature"])), list(dict.fromkeys(asked["score"]))
    shown = asked.pivot(index="score", columns="feature", values="value").loc[units, features]
    cells = np.vstack([shown.mean().to_numpy(), np.full(len(features), np.nan), shown.to_numpy()])
    names = ["mean", "", *(unit_name(unit) for unit in units)]

    figure = Figure(figsize=(2.2 + 1.02 * len(features), 1.35 + 0.225 * len(cells)), dpi=DPI)
    figure.set_layout_engine("constrained", w_pad=0.1, h_pad=0.1)
    axes = figure.subplots()
    colours = LinearSegmentedColormap.from_list("r2", ["#ffffff", "#9ecae8", KINDS["expression code"]])
    axes.imshow(np.clip(cells, 0, 1), cmap=colours, vmin=0, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(cells.round(2) + 0.0):  # no minus before 0
        if np.isfinite(value) or row != 1:
            text = f"{value:.2f}".replace("-", "−") if np.isfinite(value) else "–"
            colour = "white" if value > 0.7 else INK if value >= 0 else MUTED
            axes.text(column, row, text, ha="center", va="center", fontsize=9.5, color=colour)
    axes.set_yticks(range(len(names)), names, fontsize=10, color=INK)
    axes.set_xticks(range(len(features)), [_in_lines(name, 14) for name in features], fontsize=9.5, color=INK)
    axes.tick_params(length=0, top=False, labeltop=True, labelbottom=False)
    axes.set_xticks(np.arange(len(features) - 1) + 0.5, minor=True)
    axes.grid(which="minor", axis="x", color="white", linewidth=3)
    axes.tick_params(which="minor", length=0)
    axes.spines[:].set_visible(False)
    return figure


def unit_name(score: str) -> str:
    """Return "AU 12" for "r2:au_12", "brow down L" for "r2:au_browDown_L"."""
    name = score.removeprefix(UNIT).removeprefix("au_")
    if name.isdigit():
        return f"AU {name}"
    return "".join(f" {letter.lower()}" if letter.isupper() and k and name[k - 1].islower() else letter
                   for k, letter in enumerate(name)).replace("_", " ")  # fmt: skip


def audit_pictures(
    table: pd.DataFrame, codes: Mapping[str, NDArray[Any]], frames: pd.DataFrame, rising: NDArray[Any]
) -> dict[str, Image.Image]:
    """Return the pictures of an audit that there is something for: "leakage", "maps", "paths", "action_units".

    Maps and paths are of the first eight features that are whole and not less their subject's mean, of the people of
    `frames`; figures of the first kind of people there is, those held out before others.

    Args:
        table: of an `omote.evaluation.audit.Audit`.
        codes: (N, Z) by the name of the feature.
        frames: N rows with subject, clip, frame and expression.
        rising: (N,) bool, from a clip's first frame to its apex.
    """
    people = people_of(table)[0]
    whole = [name for name in codes if not name.endswith(CENTRED) and np.isfinite(codes[name]).all()][:MAPS]
    labels = frames["expression"].to_numpy(dtype=object)
    ids = {name: frames[name].astype(str).to_numpy(dtype=object) for name in ("subject", "clip")}
    seen = np.asarray(evenly_spaced(len(frames), FRAMES_SHOWN))
    pictures = {
        "leakage": leakage_bars(table, people),
        "maps": expression_map([codes[name][seen] for name in whole], labels[seen], ids["subject"][seen], titles=whole)
        if whole
        else None,
        "paths": clip_paths(
            [codes[name] for name in whole], ids["subject"], ids["clip"], frames["frame"].to_numpy(), labels,
            titles=whole, rising=rising,
        ),
        "action_units": r2_bars(table, people),
    }  # fmt: skip
    return {name: picture for name, picture in pictures.items() if picture is not None}


def _in_lines(feature: str, width: int) -> str:
    """Return a name in lines of so many letters; what was done to a feature begins a line."""
    lines = "\n".join(textwrap.fill(part, width) for part in feature.replace(", ", ",\n").split("\n"))
    return lines.replace("$", r"\$")  # or it would be read as a formula


def _drawn(figure: Figure) -> Image.Image:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")  # type: ignore[no-untyped-call]

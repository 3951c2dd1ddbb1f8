"""The contact sheet of a face set: a picture that shows a person what goes into a training."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from PIL import Image, ImageDraw

from omote.data.outputs import Faces
from omote.data.sampling import evenly_spaced
from omote.fonts import load_font

NAME = "contact_sheet.jpg"
MOST_STRIPS = 60  # of clips or people
COLUMNS, TILE, GAP, MARGIN = 16, 80, 4, 24  # faces in a line; pixels
NARROWEST = 3  # columns of a strip, at least; its title needs them
WIDTH = 2 * MARGIN + COLUMNS * (TILE + GAP) - GAP
TITLE, TEXT = 24, 15  # heights in pixels
INK, MUTED, MARK = "#1f2328", "#656d76", "#d55e00"
LINE = TEXT + TILE + 22  # pixels from a line of strips to the next
FRAME = 4  # pixels, round a doubted face
QUALITY = 88  # of the JPEG file


class _Strip(NamedTuple):
    title: str
    note: str
    rows: np.ndarray  # of the face set


def draw_contact_sheet(faces: Faces, frames: pd.DataFrame, skipped: Mapping[str, int]) -> Image.Image:
    """Return a picture of at most a few thousand pixels' height, however many faces there are.

    It shows a strip of faces for each clip of several frames and for the photos of each person, or, if these are too
    many, for each person; before them, the faces that are doubted, by reason. Faces in a strip are spaced evenly, and
    short strips stand side by side.

    Args:
        faces: (N, S, S, 3).
        frames: N rows with subject and clip, and possibly doubt.
        skipped: reason -> number of what was left out.
    """
    doubts = frames["doubt"].fillna("").astype(str) if "doubt" in frames else pd.Series("", frames.index)
    doubts = doubts.reset_index(drop=True)
    frames = frames[["subject", "clip"]].reset_index(drop=True)
    num_people = frames["subject"].nunique()
    strips, left = _choose_strips(frames)
    lines = [f"{len(frames):,} faces of {num_people:,} {'person' if num_people == 1 else 'people'}"]
    if skipped:
        lines.append("left out: " + ", ".join(f"{reason} {count:,}" for reason, count in skipped.items()))
    if left:
        lines.append(f"{left:,} more people are not shown")
    sections = [("", strips)]
    if doubtful := list(_doubted_strips(frames, doubts)):
        sections = [
            ("Kept, but the features of these faces may be worth little", doubtful),
            ("All faces", strips),
        ]
    places = [_place_strips(some) for _, some in sections]
    height = MARGIN + TITLE + len(lines) * (TEXT + 8) + sum(
        bool(title) * (TITLE + 24) + (1 + of_section[-1][0]) * LINE
        for (title, _), of_section in zip(sections, places, strict=True)
    ) + MARGIN  # fmt: skip
    sheet = Image.new("RGB", (WIDTH, height), "white")
    draw = ImageDraw.Draw(sheet)
    y = MARGIN // 2
    draw.text((MARGIN, y), lines[0], INK, load_font(TITLE, True))
    y += TITLE + 12
    for line in lines[1:]:
        draw.text((MARGIN, y), _shorten(line, WIDTH - 2 * MARGIN), MUTED, load_font(TEXT))
        y += TEXT + 8
    y += MARGIN // 2
    for (title, some), of_section in zip(sections, places, strict=True):
        if title:
            draw.text((MARGIN, y + 12), title, INK, load_font(TITLE - 4, True))
            y += TITLE + 24
        for strip, (below, column) in zip(some, of_section, strict=True):
            _draw_strip(sheet, draw, MARGIN + column * (TILE + GAP), y + below * LINE, strip, faces, doubts)
        y += (1 + of_section[-1][0]) * LINE
    return sheet


def _num_columns(strip: _Strip) -> int:
    return min(max(len(strip.rows), NARROWEST), COLUMNS)


def _place_strips(strips: list[_Strip]) -> list[tuple[int, int]]:
    """Return the line and the first column of each strip, with a column free between two in a line."""
    places: list[tuple[int, int]] = []
    line, column = 0, 0
    for strip in strips:
        if column + _num_columns(strip) > COLUMNS:
            line, column = line + 1, 0
        places.append((line, column))
        column += _num_columns(strip) + 1
    return places


def _choose_strips(frames: pd.DataFrame) -> tuple[list[_Strip], int]:
    """Return the strips in the order of the frames, and how many people have none."""
    sizes = frames.groupby(["subject", "clip"], sort=False)["clip"].transform("size")
    clips = frames["clip"].where(sizes > 1, "")  # photos of a person together
    strips = [
        _Strip(f"{subject}, {clip}" if clip else str(subject), _count(len(group)), group.index.to_numpy())
        for (subject, clip), group in frames.groupby(["subject", clips], sort=False)
    ]
    if len(strips) <= MOST_STRIPS:
        return strips, 0
    people = [
        _Strip(
            str(subject), f"{_count(len(group))} in {group['clip'].nunique():,} clips", group.index.to_numpy()
        )
        for subject, group in frames.groupby("subject", sort=False)
    ]
    return [people[i] for i in evenly_spaced(len(people), MOST_STRIPS)], max(0, len(people) - MOST_STRIPS)


def _doubted_strips(frames: pd.DataFrame, doubts: "pd.Series[str]") -> Iterator[_Strip]:
    reasons = doubts[doubts != ""].str.split("; ").explode()
    for reason, count in Counter(reasons).most_common():
        rows = reasons.index[reasons == reason].to_numpy()
        people = frames["subject"].iloc[rows].value_counts()
        most = ", ".join(f"{who} {number:,}" for who, number in people.head(4).items())
        yield _Strip(reason, f"{_count(count)}: {most}{' …' if len(people) > 4 else ''}", rows)


def _count(faces: int) -> str:
    return f"{faces:,} face{'s' * (faces != 1)}"


def _draw_strip(
    sheet: Image.Image,
    draw: ImageDraw.ImageDraw,
    x: int,
    y: int,
    strip: _Strip,
    faces: Faces,
    doubts: "pd.Series[str]",
) -> None:
    width = _num_columns(strip) * (TILE + GAP) - GAP
    title = _shorten(strip.title, 0.6 * width, bold=True)
    draw.text((x, y), title, INK, load_font(TEXT, True))
    used = load_font(TEXT, True).getlength(title) + 12
    marked = int((doubts.iloc[strip.rows] != "").sum())
    note = f"{strip.note}, {marked:,} marked" if 0 < marked < len(strip.rows) else strip.note
    draw.text((x + used, y), _shorten(note, width - used), MUTED, load_font(TEXT))
    top = y + TEXT + 6
    for place in evenly_spaced(len(strip.rows), COLUMNS):
        row = strip.rows[place]
        tile = Image.fromarray(np.asarray(faces[row])).resize((TILE, TILE), Image.Resampling.LANCZOS)
        sheet.paste(tile, (x, top))
        if doubts.iloc[row]:
            draw.rectangle((x, top, x + TILE - 1, top + TILE - 1), outline=MARK, width=FRAME)
        x += TILE + GAP


def _shorten(text: str, width: float, bold: bool = False) -> str:
    """Return the text, or its beginning and "…", so that it is at most `width` pixels wide."""
    font = load_font(TEXT, bold)
    text = " ".join(text.split())[:400]
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"{text}…") > width:
        text = text[:-1]
    return f"{text}…"


def write_contact_sheet(folder: Path, skipped: Mapping[str, int]) -> None:
    """Draw the sheet of the face set in a folder and write it there."""
    faces = np.load(folder / "faces.npy", mmap_mode="r", allow_pickle=False)
    known = pq.read_schema(folder / "frames.parquet").names
    columns = [name for name in ("subject", "clip", "doubt") if name in known]
    frames = pd.read_parquet(folder / "frames.parquet", columns=columns)
    draw_contact_sheet(faces, frames, skipped).save(folder / NAME, quality=QUALITY)

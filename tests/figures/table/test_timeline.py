"""Interactive timelines: everybody is in them, the numbers are right, and no name acts on the page."""

import base64
import hashlib
import io
import json
import re
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from omote.data.face_set import FaceSet
from omote.figures.page import Section, write_page
from omote.figures.table.clusters import cluster_rows
from omote.figures.table.crops import SMALL_SIDE
from omote.figures.table.plot import plot_features
from omote.figures.table.timeline import (
    ALL_POINTS,
    LEAST_FACES,
    arrange_parts,
    make_timelines,
    measure_distances,
)
from omote.figures.table.tracks import read_features
from tests.figures.conftest import Page
from tests.figures.table.conftest import (
    STEP,
    all_true,
    concatenate,
    make_face_set_rows,
    make_rows,
    wave,
    write_video,
)

CHROMIUM = shutil.which("chromium")
NASTY = "</script><script>alert(1)</script><a href='https://example.org'>$x$ & \"all\"</a>"


def read_blocks(text: str) -> list[dict[str, Any]]:
    """Return the numbers of all charts, in order."""
    return [
        json.loads(found) for found in re.findall(r'<script type="application/json">(.*?)</script>', text)
    ]


def read_settings(text: str) -> Any:
    return json.loads(re.findall(r'<script type="application/json" class="settings">(.*?)</script>', text)[0])


def read_names(text: str) -> tuple[list[str], list[str]]:
    """Return the names of the folding parts, and of the charts; "" where the part's name says it."""
    return re.findall(r"<span><b>(.*?)</b><span", text), re.findall(r"<h4>(.*?)<span", text)


def test_every_person_track_and_photo_is_reachable() -> None:
    tables = [
        make_rows(f"{number}.mp4", wave(20, seed=number), person=f"person {number % 3}")
        for number in range(9)
    ]
    hidden = make_rows("dark.mp4", wave(5, seed=9), person="person 3", trusted=False, doubt="dark")
    photos = [make_rows(f"{k}.jpg", wave(1, seed=k), person="person 1", time=np.nan) for k in range(4)]
    once = make_rows("0.mp4", wave(1, seed=20), person="person 0", face=1, first=7)
    text = make_timelines(concatenate(*tables, hidden, *photos, once)).fragment
    parts, charts = read_names(text)
    assert parts == ["person 0", "person 1", "person 2", "person 3"]
    assert charts == [
        "0.mp4, face 0", "3.mp4", "6.mp4", "single frames",
        "1.mp4", "4.mp4", "7.mp4", "photos", "2.mp4", "5.mp4", "8.mp4", "dark.mp4",
    ]  # fmt: skip
    blocks = read_blocks(text)
    assert sum(len(block["times"]) for block in blocks) == 9 * 20 + 5 + 4 + 1
    assert blocks[7]["names"] == ["0.jpg", "1.jpg", "2.jpg", "3.jpg"]
    assert blocks[3]["names"] == ["0.mp4, 0:00.7"]
    assert "3 tracked faces, 4 single rows, 64 rows" in text
    assert "5 rows, 5 not trusted (dark: 5)" in text


def test_where_nobody_is_named_videos_and_photos_are_the_parts(faces: FaceSet) -> None:
    table = concatenate(
        make_rows("one.mp4", wave(8)),
        make_rows("two.mp4", wave(8, seed=1)),
        make_rows("two.mp4", wave(8, seed=2), face=1),
        make_rows("a.jpg", wave(1), time=np.nan),
        make_rows("b.jpg", wave(1, seed=3), time=np.nan),
    )
    assert read_names(make_timelines(table).fragment) == (
        ["one.mp4", "two.mp4", "photos"],
        ["", "two.mp4, face 0", "two.mp4, face 1", ""],
    )
    of_set = make_timelines(make_face_set_rows(faces), faces=faces.path).fragment
    assert read_names(of_set)[0] == [str(name) for name in faces.frames["subject"].unique()]


def test_the_distance_is_from_the_median_of_the_person_in_typical_distances() -> None:
    codes = np.array([[0.0, 0], [0, 0], [0, 3], [9, 9]])
    table = concatenate(
        make_rows("a.mp4", codes[:, :2], person="ann", trusted=[True, True, True, False]),
        make_rows("b.mp4", codes[:3] + 50, person="bob"),
    )
    features = read_features(table)
    distances = measure_distances(features, arrange_parts(features, all_true(7)))
    counted = np.concatenate([codes[:3], codes[:3] + 50])
    pairs = ((counted[:, None] - counted) ** 2).sum(axis=2)
    typical = np.sqrt(pairs.mean())
    np.testing.assert_allclose(distances * typical, [0, 0, 3, np.hypot(9, 9), 0, 0, 3], atol=1e-4)

    relative = read_features(table.assign(profile="ann"))
    distances = measure_distances(relative, arrange_parts(relative, all_true(7)))
    np.testing.assert_allclose(distances[4] * typical, np.hypot(50, 50), rtol=1e-5)


def test_doubts_gaps_clusters_and_axes_are_where_they_were_seen() -> None:
    doubt = [""] * 3 + ["too blurred"] * 2 + [""] * 5
    table = make_rows(
        "a.mp4", wave(10), doubt=doubt, trusted=[not why for why in doubt], axis_lip_corners_up=0.25
    )
    table.loc[2, "axis_lip_corners_up"] = np.inf
    table = table.drop(index=[6, 7])  # no face for three steps
    text = make_timelines(table, clusters=2).fragment
    (block,) = read_blocks(text)
    settings = read_settings(text)
    assert settings["names"] == ["distance from the usual look", "lip corners up"]
    assert settings["reasons"] == ["too blurred"]
    assert block["times"][:6] == [0, 0.1, 0.2, 0.3, 0.4, 0.5]
    assert block["values"][1] == [0.25, 0.25, None, 0.25, 0.25, 0.25, None, 0.25, 0.25]
    assert block["values"][0][6] is None
    assert block["trusted"] == [1, 1, 1, 0, 0, 1, 0, 1, 1]
    assert block["doubts"] == [[0.25, 0.45, 0]]
    assert "low" not in block
    features = read_features(table)
    for place, rows in enumerate(cluster_rows(features, 2)):
        for time in features.frames["time"].to_numpy()[rows]:
            assert [span[2] for span in block["clusters"] if span[0] <= time < span[1]] == [place]
    assert not any(begin <= time <= end for begin, end, _ in block["clusters"] for time in (0.3, 0.4))


def test_all_clusters_are_in_the_legend() -> None:
    text = make_timelines(
        make_rows("a.mp4", np.random.default_rng(0).normal(size=(60, 4))), clusters=12
    ).fragment
    legend = text.split('<ol class="clusters">')[1].split("</ol>")[0]
    assert re.findall(r"<b>(\d+)</b> (\d+) %", legend)
    assert [number for number, _ in re.findall(r"<b>(\d+)</b> (\d+) %", legend)] == list(
        map(str, range(1, 13))
    )
    assert len(set(re.findall(r"background:(#\w+)", legend))) == 12


def test_of_many_axes_those_that_vary_most_are_shown_at_first() -> None:
    axes = {f"axis_{k}": np.linspace(0, k / 10, 20) for k in range(8)}
    text = make_timelines(make_rows("a.mp4", wave(20)).assign(**axes)).fragment
    pressed = re.findall(r'data-column="(\d)" aria-pressed="(\w+)"', text)
    assert [int(column) for column, shown in pressed if shown == "true"] == [0, 4, 5, 6, 7, 8]
    assert "the 5 that vary most are shown" in text


def test_long_and_many_tracks_stay_small_and_the_page_says_how() -> None:
    (block,) = read_blocks(text := make_timelines(make_rows("a.mp4", wave(20_000), fps=25)).fragment)
    assert len(block["times"]) <= 3000
    assert all(
        low <= value <= high
        for low, value, high in zip(block["low"][0], block["values"][0], block["high"][0], strict=True)
    )
    assert "more than 3,000 rows" in text
    many = concatenate(*[make_rows(f"{k}.mp4", wave(1300, seed=k)) for k in range(100)])
    blocks = read_blocks(text := make_timelines(many).fragment)
    assert len(blocks) == 100
    assert sum(len(block["times"]) for block in blocks) <= ALL_POINTS
    assert "more than 1,200 rows" in text
    photos = make_rows("", wave(3100), time=np.nan).assign(source=[f"{k}.jpg" for k in range(3100)], frame=0)
    (block,) = read_blocks(text := make_timelines(photos).fragment)
    assert "3,100 rows, of which 3,000 evenly spaced ones are drawn" in text
    assert (block["times"][0], block["times"][-1], len(block["names"])) == (1, 3100, 3000)


def test_the_face_of_a_moment_is_that_of_its_frame(tmp_path: Path) -> None:
    file = write_video(tmp_path / "a.mp4", 26)
    (block,) = read_blocks(make_timelines(make_rows(file, wave(26))).fragment)
    faces = block["faces"]
    assert faces["times"] == block["times"]
    sheet = Image.open(io.BytesIO(base64.b64decode(faces["sheet"].split(",")[1]))).convert("L")
    for k in range(26):
        x, y = k % faces["columns"] * SMALL_SIDE, k // faces["columns"] * SMALL_SIDE
        middle = sheet.getpixel((x + SMALL_SIDE // 2, y + SMALL_SIDE // 2))
        assert middle == pytest.approx(20 + STEP * k, abs=5)


def test_timelines_are_drawn_again_without_the_video_and_know_its_player(tmp_path: Path) -> None:
    file = write_video(tmp_path / "a.mp4", 26)
    photo = make_rows("b.jpg", wave(1, seed=1), time=np.nan)
    table = concatenate(make_rows(file, wave(26)), photo)
    players = {str(file): "/films/<1>", "b.jpg": "/photos/2"}
    first = make_timelines(table, players=players)
    assert re.findall(r'data-video="(.*?)"', first.fragment) == ["/films/&lt;1&gt;"]
    assert sorted(first.crops) == [*range(26)]
    named = table.assign(person="ann")
    expected = make_timelines(named).fragment
    file.write_bytes(b"")  # it is not read again
    assert make_timelines(named, crops=first.crops).fragment == expected
    assert "data-video" not in expected


def test_each_of_many_charts_has_a_few_faces() -> None:
    features = read_features(concatenate(*[make_rows(f"{k}.mp4", wave(20, seed=k)) for k in range(400)]))
    parts = arrange_parts(features, all_true(8000))
    assert {len(block.faces) for part in parts for block in part.blocks} == {LEAST_FACES}


def test_a_page_of_timelines_loads_nothing_and_runs_its_own_scripts_only(tmp_path: Path) -> None:
    table = make_rows("a.mp4", wave(12))
    sections = [Section(name, timelines=make_timelines(table).fragment) for name in ("A", "B")]
    page = Page(write_page(tmp_path / "a.html", title="Two", sections=sections))
    scripts = [
        re.sub(r"^.*?>", "", text, count=1)
        for text in re.findall(r"<script>.*?</script>", page.text, re.DOTALL)
    ]
    assert len(scripts) == 2  # one copy of plotly.js, and ours
    policy = next(given["content"] for tag, given in page.tags if "http-equiv" in given) or ""
    assert "default-src 'none'; img-src data:;" in policy
    assert not re.search(r"https?:|\*|script-src[^;]*'unsafe", policy)
    for script in scripts:
        text = script.removesuffix("</script>")
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
        page.text = page.text.replace(text, "")
    assert not re.search(r"https?://|//cdn|@import|url\(", page.text)
    for tag, given in page.tags:
        assert not any(name.startswith("on") for name in given), (tag, given)
        assert all((given.get(name) or "data:").startswith("data:") for name in ("src", "href", "srcset"))
    plain = write_page(tmp_path / "b.html", title="Plain").read_text()
    assert "script-src 'none'" in plain
    assert "<script" not in plain


def test_plotly_is_the_published_bundle_with_its_licence() -> None:
    folder = files("omote.figures").joinpath("plotly")
    bundle = folder.joinpath("plotly-basic.min.js").read_bytes()
    assert (
        hashlib.sha256(bundle).hexdigest()
        == "99784e3abfb07b142a15e521a439e6d9addceadb3f79553fd24c72774f0649ba"
    )
    assert b"</script" not in bundle
    assert b"<!--" not in bundle
    assert folder.joinpath("LICENSE.plotly").read_text().startswith("MIT License")


def make_nasty_rows() -> pd.DataFrame:
    table = make_rows(f"{NASTY}.mp4", wave(30), person=NASTY, trusted=np.arange(30) > 4, doubt=NASTY)
    return table.assign(**{f"axis_{NASTY}": 0.5})


def test_names_are_text_in_the_page_and_in_its_numbers(tmp_path: Path) -> None:
    page = Page(plot_features(make_nasty_rows(), tmp_path / "plots").page)
    assert "a" not in {tag for tag, _ in page.tags}
    assert page.text.count("<script") == 4  # the numbers of one chart, the settings, plotly.js and ours
    assert read_settings(page.text)["reasons"] == [NASTY]
    assert read_settings(page.text)["names"][1] == NASTY
    assert "alert(1)</script>" not in page.text


@pytest.mark.skipif(CHROMIUM is None, reason="needs the browser Chromium")
def test_a_browser_draws_the_first_part_and_shows_names_as_text(tmp_path: Path) -> None:
    page = plot_features(make_nasty_rows(), tmp_path / "plots").page
    command = [
        str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
        f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=5000", "--window-size=420,2500", "--dump-dom",
    ]  # fmt: skip
    shown = subprocess.run(
        [*command, page.as_uri()], capture_output=True, text=True, timeout=120, check=True
    ).stdout
    assert 'class="main-svg"' in shown
    assert re.search(r"<span>time</span><b>0:0\d\.\d</b>", shown)
    assert "<a href" not in shown
    assert shown.count("&lt;/script&gt;&lt;script&gt;alert(1)") >= 4

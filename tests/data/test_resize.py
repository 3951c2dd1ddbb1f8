from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from omote.data import resize
from omote.data.build import FaceBatch, Skipped, build_face_set
from omote.data.face_set import About, FaceSet, Origin
from omote.data.resize import resize_face_set
from omote.errors import OmoteError

FRAMES = 7


def _make_batches(job: int) -> Any:
    faces = np.random.default_rng(0).integers(0, 256, (FRAMES, 128, 128, 3), dtype=np.uint8)
    frames = pd.DataFrame(
        {
            "subject": ["ann"] * 3 + ["bob"] * 4,
            "clip": "smile",
            "frame": [0, 1, 2, 0, 1, 2, 3],
            "time": np.arange(FRAMES) / 25,
            "dataset": "made",
            "expression": [None, None, "happiness", None, None, None, "fear"],
            "use": ["train", "train", "both"] * 2 + ["evaluate"],
            "box_x": np.arange(FRAMES) + 0.5,
            "au_12": np.linspace(0, 1, FRAMES),
            "note": [None] * 5 + ["a", "b"],
        }
    )
    yield FaceBatch(faces, frames, [Skipped(source="a.mp4", frame=3, reason="no face")])
    yield FaceBatch(faces[:0], frames[:0], [Skipped(source="b.jpg", frame=None, reason="unreadable: empty")])


@pytest.fixture
def large(tmp_path: Path) -> FaceSet:
    """7 faces of noise at 128 px, with further columns and two skipped files."""
    about = About(importer="made", options={"seed": 0}, align="none", licence="CC0")
    return build_face_set(tmp_path / "large", [0], _make_batches, size=128, about=about, workers=1)


def test_every_pixel_is_the_rounded_mean_of_two_by_two(large: FaceSet, tmp_path: Path) -> None:
    small = resize_face_set(large, tmp_path / "small", size=64)
    means = large.faces.reshape(FRAMES, 64, 2, 64, 2, 3).astype(float).mean(axis=(2, 4))
    assert small.faces.shape == (FRAMES, 64, 64, 3)
    assert np.abs(small.faces - means).max() <= 0.5  # the nearest whole number, either of two at a half


def test_all_columns_and_the_skipped_list_are_kept(
    large: FaceSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resize, "FRAMES_PER_JOB", 3)  # the last job has one frame, the first no note at all
    small = resize_face_set(large, tmp_path / "small", size=64)
    pd.testing.assert_frame_equal(small.frames, large.frames)
    pd.testing.assert_frame_equal(small.skipped(), large.skipped())
    assert small.about.counts == large.about.counts


def test_the_faces_do_not_depend_on_the_size_of_the_jobs(
    large: FaceSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = resize_face_set(large, tmp_path / "whole", size=64)
    monkeypatch.setattr(resize, "FRAMES_PER_JOB", 2)
    assert np.array_equal(resize_face_set(large, tmp_path / "pieces", size=64).faces, whole.faces)


def test_about_keeps_the_origin_and_says_what_it_was_made_from(large: FaceSet, tmp_path: Path) -> None:
    about = resize_face_set(large, tmp_path / "small", size=64).about
    assert about.size == 64
    assert (about.importer, about.options, about.licence) == ("made", {"seed": 0}, "CC0")
    assert about.made_from == Origin(name="large", size=128, versions=about.versions, by="area averaging")
    assert str(tmp_path) not in (tmp_path / "small" / "about.json").read_text()


@pytest.mark.parametrize(
    ("size", "match"),
    [(96, "64 or 128"), (32, "64 or 128"), (128, "has faces of 128 px, which can only be made smaller")],
)
def test_other_sizes_are_refused(large: FaceSet, tmp_path: Path, size: int, match: str) -> None:
    with pytest.raises(OmoteError, match=match):
        resize_face_set(large, tmp_path / "small", size=size)
    assert not list(tmp_path.glob("small*"))


def test_an_interrupted_resizing_is_resumed_unless_the_face_set_has_changed(
    large: FaceSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resize, "FRAMES_PER_JOB", 3)

    def stop(done: int, jobs: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    for to in ("small", "other"):
        with pytest.raises(KeyboardInterrupt):
            resize_face_set(large, tmp_path / to, size=64, progress=stop)
    steps: list[tuple[int, int]] = []
    small = resize_face_set(large, tmp_path / "small", size=64, progress=lambda *step: steps.append(step))
    assert steps == [(2, 3), (3, 3)]
    assert len(small) == FRAMES
    (large.path / "faces.npy").touch()
    with pytest.raises(OmoteError, match="other source files"):
        resize_face_set(large, tmp_path / "other", size=64)

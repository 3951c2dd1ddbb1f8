import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from omote.data import arrays, build
from omote.data.arrays import prepare_arrays
from omote.data.face_set import FaceSet, open_face_set
from omote.errors import OmoteError
from tests.data.test_prepare import counts_of

NOISE = np.random.default_rng(0).integers(0, 256, (7, 64, 64, 3), dtype=np.uint8)
SUBJECTS = [3, 3, 3, "bob", "bob", 3, "bob"]


def prepare(folder: Path, **given: Any) -> FaceSet:
    return prepare_arrays(**{"faces": NOISE, "subjects": SUBJECTS, "to": folder / "faces", **given})


def test_the_face_set_holds_the_arrays_in_the_order_given(tmp_path: Path) -> None:
    face_set = prepare(tmp_path, licence="CC0")
    assert np.array_equal(face_set.faces, NOISE)
    assert face_set.frames["subject"].tolist() == ["3", "3", "3", "bob", "bob", "3", "bob"]
    assert face_set.about.importer == "arrays"
    assert face_set.about.options == {"cropped": True}
    assert face_set.about.licence == "CC0"
    assert counts_of(face_set).subjects == 2
    assert open_face_set(tmp_path / "faces").frames.equals(face_set.frames)


def test_without_clips_every_face_is_a_photo_of_its_own(tmp_path: Path) -> None:
    frames = prepare(tmp_path).frames
    assert frames["clip"].nunique() == len(NOISE)
    assert set(frames["frame"]) == {0}


def test_the_frames_of_a_clip_are_counted_for_each_subject_in_the_order_given(tmp_path: Path) -> None:
    frames = prepare(tmp_path, clips=np.array([1, 2, 1, 1, 1, 1, 2])).frames
    assert frames["clip"].tolist() == ["1", "2", "1", "1", "1", "1", "2"]
    assert frames["frame"].tolist() == [0, 0, 1, 0, 1, 2, 0]


def test_a_missing_expression_stays_unknown(tmp_path: Path) -> None:
    face_set = prepare(tmp_path, expressions=pd.Series(["fear", None, np.nan, "joy", "", "fear", "joy"]))
    assert face_set.frames["expression"].isna().tolist() == [False, True, True, False, True, False, False]
    assert counts_of(face_set).expressions == {"fear": 2, "joy": 2}


def test_it_does_not_matter_how_many_faces_are_copied_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = prepare(tmp_path / "whole", clips=SUBJECTS)
    monkeypatch.setattr(arrays, "FRAMES_PER_JOB", 3)
    parts = prepare(tmp_path / "parts", clips=SUBJECTS)
    assert np.array_equal(parts.faces, whole.faces)
    pd.testing.assert_frame_equal(parts.frames, whole.frames)


def test_memory_mapped_faces_are_not_read_as_a_whole(tmp_path: Path) -> None:
    count = 4096
    faces = np.lib.format.open_memmap(tmp_path / "a.npy", "w+", np.uint8, (count, 64, 64, 3))
    tracemalloc.start()
    try:
        assert len(prepare(tmp_path, faces=faces, subjects=[0] * count)) == count
        assert tracemalloc.get_traced_memory()[1] < faces.nbytes / 2
    finally:
        tracemalloc.stop()


def test_an_interrupted_preparation_is_resumed_only_with_the_same_arrays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(build, "_join_jobs", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            prepare(tmp_path)
    other = NOISE.copy()
    other[-1, -1, -1, -1] ^= 1
    with pytest.raises(OmoteError, match="interrupted preparation"):
        prepare(tmp_path, faces=other)
    with pytest.raises(OmoteError, match="interrupted preparation"):
        prepare(tmp_path, subjects=[3] * 6 + ["bob"])
    assert np.array_equal(prepare(tmp_path).faces, NOISE)


def test_a_face_set_is_replaced_only_when_asked(tmp_path: Path) -> None:
    prepare(tmp_path)
    with pytest.raises(OmoteError, match="exists already"):
        prepare(tmp_path, faces=255 - NOISE)
    assert np.array_equal(prepare(tmp_path, faces=255 - NOISE, overwrite=True).faces, 255 - NOISE)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"faces": NOISE[..., 0]}, r"shape \(7, 64, 64\)"),
        ({"faces": NOISE.transpose(0, 3, 1, 2)}, r"shape \(7, 3, 64, 64\)"),
        ({"faces": NOISE[:, :32, :32]}, r"expected \(N, 64, 64, 3\) or \(N, 128, 128, 3\)"),
        ({"faces": NOISE[0]}, r"shape \(64, 64, 3\)"),
        ({"faces": NOISE / 255}, "type float64"),
        ({"faces": NOISE[:0], "subjects": []}, r"shape \(0, 64, 64, 3\)"),
        ({"subjects": SUBJECTS[:6]}, "6 subjects were given for 7 faces"),
        ({"clips": ["a"]}, "1 clips were given for 7 faces"),
        ({"expressions": ["joy"] * 8}, "8 expressions were given for 7 faces"),
        (
            {"subjects": [1, 2, None, 1, 2, " ", 1]},
            "subjects has nothing for 2 of 7 faces, the first of them face 2",
        ),
        ({"clips": [1.0, 2.0, 1.0, np.nan, 1.0, 1.0, 1.0]}, "clips has nothing for 1 of 7 faces"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(
    given: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(OmoteError, match=message):
        prepare(tmp_path, **given)
    assert not list(tmp_path.iterdir())

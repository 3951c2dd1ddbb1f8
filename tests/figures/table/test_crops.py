from pathlib import Path

import numpy as np
from PIL import Image

from omote.data.face_set import BOX
from omote.figures.table.crops import SIDE, locate_faces, recut_faces
from omote.figures.table.tracks import read_features
from tests.figures.table.conftest import STEP, concatenate, make_rows, wave, write_video


def test_every_face_is_cut_from_its_own_frame_and_box(tmp_path: Path) -> None:
    file = write_video(tmp_path / "two.mp4", 20)
    photo = tmp_path / "photo.png"
    Image.new("RGB", (40, 20), (200, 30, 60)).save(photo)
    table = concatenate(
        make_rows(file, wave(20), face=0),
        make_rows(file, wave(20), face=1),
        make_rows(photo, wave(1), time=np.nan).assign(**dict.fromkeys(BOX, np.nan)),
    )
    features = read_features(table)
    place = locate_faces(features, None)
    asked = np.array([3, 7, 12, 23, 27, 39, 40])
    seen: list[tuple[int, int]] = []
    cut, troubles = recut_faces(
        features.frames, asked, place, progress=lambda done, total: seen.append((done, total))
    )
    assert not troubles
    assert seen[-1] == (7, 7)
    assert sorted(cut) == asked.tolist()
    for row, face in cut.items():
        assert face.shape == (SIDE, SIDE, 3)
        if row < 40:
            expected = 20 + STEP * row if row < 20 else 235 - STEP * (row - 20)
            middle = face[SIDE // 4 : -SIDE // 4, SIDE // 4 : -SIDE // 4]
            assert np.abs(middle.astype(int) - expected).max() < STEP / 2
    assert (cut[40] == (200, 30, 60)).all()


def test_a_video_that_became_shorter_gives_the_faces_it_has_and_a_reason(tmp_path: Path) -> None:
    file = write_video(tmp_path / "a.mp4", 10)
    features = read_features(
        concatenate(make_rows(file, wave(20)), make_rows(tmp_path / "gone.mp4", wave(5)))
    )
    place = locate_faces(features, None)
    cut, troubles = recut_faces(features.frames, np.array([2, 9, 12, 15, 22]), place)
    assert sorted(cut) == [2, 9]
    assert troubles == {str(file): "it no longer has frame 12"}

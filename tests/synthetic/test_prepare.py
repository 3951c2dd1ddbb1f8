"""Face sets of synthetic faces: how they are cut out."""

from pathlib import Path
from typing import Any

import numpy as np

from omote.data.cut import EYES_ABOVE_MIDDLE, EYES_APART, Cut
from omote.data.face_set import LANDMARKS
from omote.synthetic.prepare import prepare_drawn

OPTIONS: dict[str, Any] = {"subjects": 2, "clips": 2, "mixtures": 0, "frames": 4, "workers": 1}


def test_faces_aligned_by_the_eyes_are_the_same_people_cut_out_again(tmp_path: Path) -> None:
    plain = prepare_drawn(tmp_path / "plain", **OPTIONS)
    aligned = prepare_drawn(tmp_path / "aligned", align="eyes", **OPTIONS)
    assert (plain.about.align, aligned.about.align) == ("none", "eyes")
    assert plain.frames.equals(aligned.frames)  # positions in the picture before the cut
    assert not np.array_equal(plain.faces, aligned.faces)

    # the darkest pixels near where the eyes should be are, on average, there: the pupils
    cut = Cut.of(aligned.about, 64)
    assert (cut.align, cut.margin, cut.cropped) == ("eyes", 0.05, False)
    side = 64 / (1 + 2 * cut.margin)
    across, height = EYES_APART * side / 2, 32 - EYES_ABOVE_MIDDLE * side
    dark = [
        aligned.faces[row][
            round(height) - 4 : round(height) + 5, round(32 + way * across) - 5 : round(32 + way * across) + 6
        ]
        .astype(float)
        .mean(2)
        for row in range(len(aligned))
        for way in (-1, 1)
    ]
    found = [np.unravel_index(patch.argmin(), patch.shape) for patch in dark]
    assert np.abs(np.mean(found, axis=0) - (4, 5)).max() < 1.5


def test_a_face_whose_eyes_are_in_place_already_is_hardly_changed(tmp_path: Path) -> None:
    """The cut takes the positions of the eyes from the table."""
    plain = prepare_drawn(tmp_path / "plain", **OPTIONS)
    aligned = prepare_drawn(tmp_path / "aligned", align="eyes", **OPTIONS)
    eyes = plain.frames[list(LANDMARKS)[:4]].to_numpy().reshape(-1, 2, 2)
    side = np.hypot(*(eyes[:, 1] - eyes[:, 0]).T) / EYES_APART * 1.1
    off = np.abs(side - 64)
    change = np.abs(plain.faces.astype(float) - aligned.faces.astype(float)).mean((1, 2, 3))
    assert change[off.argmin()] < change[off.argmax()]

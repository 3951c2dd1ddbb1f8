"""Swaps on the photo for judges from outside, how far pixels have to move, and the spectral power of images."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import on_photo
from omote.data.face_set import FaceSet
from omote.errors import OmoteError
from omote.evaluation.judge_table import INDEX, write_swaps
from omote.figures.paper.on_photo import Change, apply_change, estimate_change, swap_on_photos
from omote.runs.trained import Trained


def test_the_swaps_of_a_folder_are_drawn_on_the_photo_of_the_target(
    trained: Trained, faces: FaceSet, tmp_path: Path
) -> None:
    held_out = faces.frames["subject"].isin(trained.info.test_subjects).to_numpy()
    groups = [np.flatnonzero(held_out), np.flatnonzero(~held_out)]
    write_swaps([trained], faces, groups, tmp_path / "swaps")
    real = {path: path.read_bytes() for path in (tmp_path / "swaps").glob("real*/*.png")}
    names = pd.read_csv(tmp_path / "swaps" / INDEX)["image"]
    swaps = [name for name in names if "_on_" in name]
    assert on_photo.redraw(trained, faces, tmp_path / "swaps") == len(swaps)

    assert real
    assert all(path.read_bytes() == before for path, before in real.items())
    for name in (swaps[0], swaps[-1]):
        source, target = (int(row) for row in Path(name).stem.split("_on_"))
        group = groups[0] if held_out[target] else groups[1]
        own = np.array(faces.faces[group])
        at = np.searchsorted(group, [source, target])
        expected = on_photo.changes(trained, own, at[:1], at[1:], own, estimate_change)
        changed = apply_change(np.array(faces.faces[target]), next(expected))
        np.testing.assert_array_equal(np.array(Image.open(tmp_path / "swaps" / name)), changed)


def test_a_pair_changes_as_in_omote_swap(trained: Trained, faces: FaceSet) -> None:
    pair = np.array(faces.faces[:2])
    (found,) = on_photo.changes(trained, pair, np.array([1]), np.array([0]), pair, estimate_change)
    (expected,) = swap_on_photos(trained, pair[:1], pair[1:])[0]
    np.testing.assert_array_equal(apply_change(pair[0], found), expected)


def test_a_folder_without_swaps_of_the_model_is_refused(
    trained: Trained, faces: FaceSet, tmp_path: Path
) -> None:
    (tmp_path / INDEX).write_text("image\nother/000001_on_000002.png\n")
    with pytest.raises(OmoteError, match="holds no swap of"):
        on_photo.redraw(trained, faces, tmp_path)


def test_the_gain_is_the_factor_of_the_flow_of_the_decoded_faces(
    trained: Trained, faces: FaceSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = np.random.default_rng(0).normal(size=(8, 8, 2)).astype(np.float32)

    def estimate(before: np.ndarray, after: np.ndarray) -> Change:
        # the flow between photos, which come one by one, is three times that between decoded faces
        return Change((3 if len(before) == 1 else 1) * flow, np.zeros((8, 8, 3), np.float32))

    monkeypatch.setattr(on_photo, "estimate_change", estimate)
    assert on_photo.measure_gain(trained, faces)[2] == 0  # without neutral faces there is no pair
    named = faces.frames.replace({"expression": {"anger": "neutral"}})
    gain, cosine, pairs = on_photo.measure_gain(trained, replace(faces, frames=named), count=5)
    assert gain == pytest.approx(3)
    assert cosine == pytest.approx(1)
    assert pairs == 5


@pytest.mark.parametrize(("size", "cycles", "octave"), [(64, 12, 0), (64, 24, 1), (128, 24, 1), (128, 48, 2)])
def test_a_wave_has_its_power_in_the_octave_of_its_cycles_per_image(
    size: int, cycles: int, octave: int
) -> None:
    wave = 127.5 + 100 * np.sin(2 * np.pi * cycles * np.arange(size) / size)
    image = np.broadcast_to(wave[None, :, None], (size, size, 3)).astype(np.uint8)
    found = on_photo.power(image[None])
    assert len(found) == len(on_photo.bands(size))
    assert found[octave] > 0.99 * sum(found)


def test_octaves_begin_at_8_cycles_and_end_at_the_finest_of_the_image() -> None:
    assert on_photo.bands(64) == [(8, 16), (16, 32)]
    assert on_photo.bands(128) == [(8, 16), (16, 32), (32, 64)]


def test_a_judge_of_smaller_faces_reads_them_scaled_down(trained: Trained, faces: FaceSet) -> None:
    some = np.array(faces.faces[:3])
    for images in (some, some.repeat(2, axis=1).repeat(2, axis=2)):
        found = on_photo.read(trained, images)
        np.testing.assert_array_equal(found.expression, trained.represent(some)[0])
        np.testing.assert_array_equal(found.identity, trained.identify(some)[0])

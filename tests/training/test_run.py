"""Opening a run, and the arrays that go in and come out."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from omote.data.face_set import FaceSet
from omote.errors import OmoteError
from omote.training.run import Trained, load


def test_a_loaded_run_gives_what_the_trained_one_gave(trained: Trained, faces: FaceSet) -> None:
    again = load(trained.path)
    assert (again.name, again.size) == ("proposed", 64)
    for ours, theirs in zip(trained.represent(faces.faces), again.represent(faces.faces), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_code_does_not_depend_on_the_company_of_the_face(trained: Trained, faces: FaceSet) -> None:
    together = trained.represent(faces.faces)[0]
    alone = np.concatenate([trained.represent(faces.faces[i : i + 1])[0] for i in range(len(faces))])
    np.testing.assert_allclose(alone, together, atol=1e-4)


def test_decode_gives_uint8_images_and_takes_no_codes_too(trained: Trained, faces: FaceSet) -> None:
    z_i, z_e = trained.identify(faces.faces)[0], trained.represent(faces.faces)[0]
    made = trained.decode(z_i, z_e)
    assert made.shape == faces.faces.shape
    assert made.dtype == np.uint8
    assert trained.decode(z_i[:0], z_e[:0]).shape == (0, 64, 64, 3)
    assert trained.represent(faces.faces[:0])[0].shape == (0, 8)


@pytest.mark.parametrize(
    "wrong", [np.zeros((2, 32, 32, 3), np.uint8), np.zeros((2, 64, 64, 3)), np.zeros((64, 64, 3), np.uint8)]
)
def test_other_faces_are_refused(trained: Trained, wrong: np.ndarray) -> None:
    with pytest.raises(OmoteError, match=r"this run reads \(N, 64, 64, 3\) uint8"):
        trained.represent(wrong)


def test_what_is_no_run_or_a_damaged_or_a_newer_one_says_so(trained: Trained, tmp_path: Path) -> None:
    with pytest.raises(OmoteError, match="is not a run"):
        load(tmp_path / "nowhere")
    weights, info = trained.path / "weights.safetensors", trained.path / "run.json"
    whole, text = weights.read_bytes(), info.read_text()
    weights.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(OmoteError, match="is damaged"):
        load(trained.path)
    weights.write_bytes(whole)
    info.write_text(json.dumps(json.loads(text) | {"format": 99}))
    with pytest.raises(OmoteError, match="format 99; this omote reads format 1"):
        load(trained.path)
    info.write_text(text[:-40])
    with pytest.raises(OmoteError, match="is damaged"):
        load(trained.path)


def test_a_run_may_be_moved(trained: Trained, tmp_path: Path, faces: FaceSet) -> None:
    shutil.move(trained.path, tmp_path / "elsewhere")
    np.testing.assert_array_equal(
        load(tmp_path / "elsewhere").represent(faces.faces)[0], trained.represent(faces.faces)[0]
    )

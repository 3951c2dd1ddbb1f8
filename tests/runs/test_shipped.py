"""The model that comes with omote, and how commands find it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import omote
from omote.errors import OmoteError
from omote.export.estimator import ExpressionFeatures
from omote.runs.shipped import FOLDER, SHIPPED, split_model
from omote.runs.trained import load
from omote.synthetic.drawn import DrawnOptions, draw_subject

MOST_BYTES = 12 * 2**20  # of the model in the wheel


@pytest.mark.parametrize("word", ["video.mp4", "photos", "ORG/clip.mp4", "shipped.jpg", "-", "0"])
def test_a_first_word_that_names_no_model_is_an_input_of_the_model_that_comes_with_omote(word: str) -> None:
    assert split_model([word, "b.jpg"]) == (SHIPPED, [word, "b.jpg"])


@pytest.mark.parametrize("word", ["shipped", "model.onnx", "MODEL.ONNX", "ORG/NAME", "a.b-c/v1"])
def test_a_model_named_first_is_used(word: str) -> None:
    assert split_model([word, "a.jpg"]) == (word, ["a.jpg"])


def test_a_folder_is_a_model_if_it_has_the_files_of_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "videos").mkdir()
    (tmp_path / "org/videos").mkdir(parents=True)
    assert split_model(["videos"]) == (SHIPPED, ["videos"])
    assert split_model(["org/videos"]) == (SHIPPED, ["org/videos"])
    for name in ("run.json", "config.json"):
        (tmp_path / "videos" / name).touch()
        assert split_model(["videos", "a.mp4"]) == ("videos", ["a.mp4"])
        (tmp_path / "videos" / name).unlink()


def test_a_folder_called_shipped_is_not_hidden_by_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shipped").mkdir()
    with pytest.raises(OmoteError, match="shipped"):
        load("shipped")


def test_the_model_is_small_and_stored_in_half_precision() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= MOST_BYTES
    kinds = {tensor.dtype for tensor in load_file(FOLDER / "model.safetensors").values()}
    assert kinds <= {torch.float16, torch.int64}
    trained = omote.load()
    assert {each.dtype for each in trained.method.parameters()} == {torch.float32}
    assert trained.name == "omote"
    assert trained.size == 64


def test_the_card_names_the_people_of_the_training_and_those_held_out() -> None:
    info = omote.load().info
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    for names, start in ((info.train_subjects, "by number: "), (info.test_subjects, "Held out: ")):
        london = [name.removeprefix("london/") for name in names if name.startswith("london/")]
        assert f"{start}{', '.join(london)}." in card
    assert len(info.test_subjects) == 20
    assert "CC BY 4.0" in card


def test_without_a_run_features_swaps_and_the_estimator_use_it() -> None:
    faces, _ = draw_subject(DrawnOptions(clips=2, mixtures=0, frames=4), 0)
    trained = omote.load()
    codes = trained.represent(faces)[0]
    assert codes.shape == (8, 64)
    assert np.ptp(codes, axis=0).max() > 0.1
    assert trained.swap(faces[:2], faces[:3]).shape == (3, 2, 64, 64, 3)
    features = ExpressionFeatures().fit(faces)
    np.testing.assert_allclose(features.transform(faces), codes, atol=1e-4)


def test_a_run_and_settings_of_a_training_are_refused_together() -> None:
    faces, _ = draw_subject(DrawnOptions(clips=1, mixtures=0, frames=4), 0)
    with pytest.raises(OmoteError, match="run was given with epochs"):
        ExpressionFeatures(epochs=1, run=SHIPPED).fit(faces)

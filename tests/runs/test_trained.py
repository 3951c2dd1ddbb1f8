"""Opening a run, and its arrays in and out."""

import hashlib
import json
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from omote.data.face_set import FaceSet
from omote.errors import OmoteError
from omote.methods.omote import OmoteOptions
from omote.methods.registry import method_class
from omote.runs.config import TrainConfig
from omote.runs.device import choose_device
from omote.runs.info import read_run_info
from omote.runs.trained import Trained, load
from omote.training.engine import make_engine
from omote.training.loop import TrainingProgress, train, train_or_load
from tests.conftest import Configure


@pytest.fixture(scope="module")
def once(faces: FaceSet, configure: Configure, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of `proposed` that tests must not change."""
    return train(
        faces, tmp_path_factory.mktemp("once") / "run", configure(options__epochs=1, method="proposed")
    ).path


@pytest.fixture
def trained(once: Path, run: Path) -> Trained:
    """A copy that the test may change."""
    shutil.copytree(once, run)
    return load(run)


def close(images: np.ndarray, expected: np.ndarray, within: float = 1) -> None:
    """Assert that images are equal up to one grey level, as the batch size may change the last digit."""
    np.testing.assert_allclose(images.astype(float), expected.astype(float), rtol=0, atol=within)


def test_a_loaded_run_gives_the_same_codes(trained: Trained, faces: FaceSet) -> None:
    again = load(trained.path)
    assert (again.name, again.size) == ("proposed", 64)
    for ours, theirs in zip(trained.represent(faces.faces), again.represent(faces.faces), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_run_of_an_older_version_had_no_stage_for_the_usual_look(trained: Trained) -> None:
    path = trained.path / "run.json"
    content = json.loads(path.read_text())
    content["config"] |= {"method": "omote", "options": {"width": 8}}
    path.write_text(json.dumps(content))
    options = read_run_info(trained.path).config.options
    assert isinstance(options, OmoteOptions)
    assert options.relative == 0
    content["config"]["options"]["relative"] = 2
    path.write_text(json.dumps(content))
    assert read_run_info(trained.path).config.options.model_dump()["relative"] == 2


def test_a_code_does_not_depend_on_the_other_faces_of_the_call(trained: Trained, faces: FaceSet) -> None:
    together = trained.represent(faces.faces)[0]
    alone = np.concatenate([trained.represent(faces.faces[i : i + 1])[0] for i in range(len(faces))])
    np.testing.assert_allclose(alone, together, atol=1e-4)


def test_decode_gives_uint8_images_and_accepts_zero_codes(trained: Trained, faces: FaceSet) -> None:
    z_i, z_e = trained.identify(faces.faces)[0], trained.represent(faces.faces)[0]
    made = trained.decode(z_i, z_e)
    assert made.shape == faces.faces.shape
    assert made.dtype == np.uint8
    assert trained.decode(z_i[:0], z_e[:0]).shape == (0, 64, 64, 3)
    assert trained.represent(faces.faces[:0])[0].shape == (0, 8)


def test_a_run_without_a_decoder_gives_points_and_its_error_names_a_method_with_one(
    trained: Trained, faces: FaceSet, tmp_path: Path, configure: Configure
) -> None:
    points = train(faces, tmp_path / "points", configure(method="contrast", options__epochs=1))
    assert trained.has_decoder
    assert not points.has_decoder
    mean, logvar = points.represent(faces.faces)
    assert mean.shape == (40, 8)
    assert np.isneginf(logvar).all()
    assert (points.read(faces.faces[:2]).deviation == 0).all()
    z_i = points.identify(faces.faces)[0]
    assert z_i.shape == (40, 0)
    message = f"the run {tmp_path / 'points'} makes no images.*contrast, has no decoder"
    with pytest.raises(OmoteError, match=f"{message}.*such as {TrainConfig().method}"):
        points.decode(z_i, mean)
    with pytest.raises(OmoteError, match=message):
        points.swap(faces.faces[:1], faces.faces[:1])
    assert method_class(TrainConfig().method).has_decoder


def test_row_r_and_column_c_of_a_swap_is_decoded_from_expression_r_and_identity_c(
    trained: Trained, faces: FaceSet
) -> None:
    who, how = faces.faces[[0, 9, 18]], faces.faces[[27, 36]]
    made = trained.swap(who, how)
    assert trained.has_identity
    assert made.shape == (2, 3, 64, 64, 3)
    assert made.dtype == np.uint8
    z_i, z_e = trained.identify(who)[0], trained.represent(how)[0]
    for r in range(2):
        for c in range(3):
            close(made[r, c], trained.decode(z_i[c : c + 1], z_e[r : r + 1])[0])
    assert not np.array_equal(made[0, 0], made[0, 1])
    assert not np.array_equal(made[0, 0], made[1, 0])


def test_an_interpolation_keeps_the_source_and_goes_in_equal_steps_to_the_expression_of_the_target(
    trained: Trained, faces: FaceSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = faces.faces[0], faces.faces[9]
    asked: list[np.ndarray] = []
    decode = Trained.decode

    def listening(self: Trained, z_i: np.ndarray, z_e: np.ndarray) -> np.ndarray:
        asked.extend((z_i, z_e))
        return decode(self, z_i, z_e)

    monkeypatch.setattr(Trained, "decode", listening)
    made = trained.interpolate(source, target, 5)
    z_i, z_e = asked
    ends = trained.represent(np.stack([source, target]))[0]
    np.testing.assert_array_equal(z_e[[0, -1]], ends)
    np.testing.assert_allclose(np.diff(z_e, axis=0), np.tile((ends[1] - ends[0]) / 4, (4, 1)), atol=1e-6)
    assert (z_i == trained.identify(source[None])[0]).all()
    assert made.shape == (5, 64, 64, 3)
    assert trained.interpolate(source, target).shape == (9, 64, 64, 3)
    swapped = trained.swap(source[None], np.stack([source, target]))[:, 0]
    for end, expected in zip(made[[0, -1]], swapped, strict=True):
        close(end, expected)
    with pytest.raises(OmoteError, match="at least 2"):
        trained.interpolate(source, target, 1)
    with pytest.raises(OmoteError, match=r"this run reads \(N, 64, 64, 3\) uint8"):
        trained.interpolate(source, target[:32])


def test_a_method_without_identity_code_swaps_into_one_face_a_row(
    faces: FaceSet, run: Path, configure: Configure
) -> None:
    vae = train(faces, run, configure(method="vae", options__epochs=1))
    made = vae.swap(faces.faces[:3], faces.faces[9:11])
    assert not vae.has_identity
    assert made.shape == (2, 3, 64, 64, 3)
    for column in range(1, 3):
        close(made[:, column], made[:, 0])


def test_outputs_are_mean_deviation_and_ood_and_the_model_id_is_a_digest_of_the_weights(
    trained: Trained, faces: FaceSet
) -> None:
    mean, logvar = trained.represent(faces.faces)
    read = trained.read(faces.faces)
    np.testing.assert_array_equal(read.mean, mean)
    np.testing.assert_allclose(read.deviation, np.sqrt(np.exp(logvar)), rtol=1e-5)
    assert trained.ood_model
    np.testing.assert_array_equal(read.ood, trained.ood_model.distance(faces.faces))
    assert np.isfinite(read.ood).all()
    weights = (trained.path / "weights.safetensors").read_bytes()
    assert trained.model == f"proposed-{hashlib.sha256(weights).hexdigest()[:8]}"
    assert trained.face_set == faces.about
    table = trained.transform(faces.faces[:3])
    assert table.columns.tolist() == [f"z_e_{i:02d}" for i in range(8)]
    close(table.to_numpy(), mean[:3], 1e-5)
    (trained.path / "reference.safetensors").unlink()  # as in runs of older versions
    older = load(trained.path).read(faces.faces)
    np.testing.assert_array_equal(older.mean, mean)
    assert np.isnan(older.ood).all()
    assert older.ood.shape == (40,)


@pytest.mark.parametrize(
    "wrong", [np.zeros((2, 32, 32, 3), np.uint8), np.zeros((2, 64, 64, 3)), np.zeros((64, 64, 3), np.uint8)]
)
def test_faces_of_another_shape_or_type_are_refused(trained: Trained, wrong: np.ndarray) -> None:
    with pytest.raises(OmoteError, match=r"this run reads \(N, 64, 64, 3\) uint8"):
        trained.represent(wrong)


def test_missing_damaged_and_newer_runs_are_refused(trained: Trained, tmp_path: Path) -> None:
    with pytest.raises(OmoteError, match="is not a run"):
        load(tmp_path / "nowhere")
    weights, info = trained.path / "weights.safetensors", trained.path / "run.json"
    whole, text = weights.read_bytes(), info.read_text()
    weights.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(OmoteError, match="is damaged"):
        load(trained.path)
    weights.write_bytes(whole)
    reference = trained.path / "reference.safetensors"
    kept = reference.read_bytes()
    reference.write_bytes(kept[: len(kept) // 2])
    with pytest.raises(OmoteError, match=r"reference\.safetensors is damaged"):
        load(trained.path)
    reference.write_bytes(kept)
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


def test_a_method_that_needs_subjects_accepts_only_its_training_subjects(
    faces: FaceSet, run: Path, configure: Configure
) -> None:
    trained = train(faces, run, configure(method="cvae", options__epochs=1))
    assert trained.needs_subject
    subject = faces.frames["subject"]
    known = subject.isin(trained.info.train_subjects).to_numpy()
    mean, _ = trained.represent(faces.faces[known], subject[known].tolist())
    assert mean.shape == (known.sum(), 8)
    z_i = trained.identify(faces.faces[known], subject[known].tolist())[0]
    assert [trained.info.train_subjects[i] for i in z_i.argmax(1)] == subject[known].tolist()
    with pytest.raises(OmoteError, match="has to be told who is in each picture"):
        trained.represent(faces.faces)
    with pytest.raises(OmoteError, match="has to be told who is in each picture"):
        trained.read(faces.faces)
    assert trained.has_identity
    with pytest.raises(OmoteError, match="is not among them"):
        trained.represent(faces.faces, subject.tolist())
    with pytest.raises(OmoteError, match="2 subjects were given for 1 faces"):
        trained.represent(faces.faces[:1], ["a", "b"])


def test_the_weights_after_each_stage_are_kept_if_asked_for(
    faces: FaceSet, run: Path, configure: Configure
) -> None:
    config = configure(method="conventional", options__epochs=1, options__repetitions=2)
    trained = train(faces, run, config, keep_stages=True)
    stages = [load(run, stage=number).method.state_dict() for number in (1, 2, 3, 4)]
    assert all(torch.equal(value, trained.method.state_dict()[key]) for key, value in stages[3].items())
    moved = [
        {key.split(".")[0] for key in before if not torch.equal(before[key], after[key])}
        for before, after in pairwise(stages)
    ]
    identity, expression = {"identity_encoder", "decoder"}, {"expression_encoder", "decoder"}
    assert moved == [expression, identity, expression]
    with pytest.raises(OmoteError, match="no weights of stage 5"):
        load(run, stage=5)


def test_an_unknown_or_unavailable_device_gives_a_one_line_error(
    once: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(OmoteError, match=r"^device is 'foo'; expected auto, cpu, cuda or mps$"):
        load(once, device="foo")
    for gpu in ("torch.cuda", "torch.backends.mps"):
        monkeypatch.setattr(f"{gpu}.is_available", lambda: False)
    for device in ("cuda", "mps"):
        with pytest.raises(OmoteError, match=f"^device {device} is not available on this machine$"):
            load(once, device=device)
        with pytest.raises(OmoteError, match="is not available"):
            make_engine(device, "auto")
    assert next(load(once, device="auto").method.parameters()).device.type == "cpu"


@pytest.mark.parametrize(
    ("gpus", "chosen"), [(("cuda", "mps"), "cuda"), (("cuda",), "cuda"), (("mps",), "mps"), ((), "cpu")]
)
def test_auto_chooses_a_gpu_if_there_is_one(
    gpus: tuple[str, ...], chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: "cuda" in gpus)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: "mps" in gpus)
    assert choose_device("auto") == chosen
    assert [choose_device(device) for device in (*gpus, "cpu")] == [*gpus, "cpu"]


def test_train_or_load_loads_a_finished_run_and_refuses_another_configuration(
    faces: FaceSet, run: Path, configure: Configure
) -> None:
    config = configure(method="vae", options__epochs=1)
    first = train_or_load(faces, run, config)
    written = (run / "weights.safetensors").stat().st_mtime_ns
    again = train_or_load(faces, run, config, progress=lambda now: pytest.fail("it trained again"))
    assert (run / "weights.safetensors").stat().st_mtime_ns == written
    assert again.info == first.info
    with pytest.raises(OmoteError, match="other settings"):
        train_or_load(faces, run, configure(method="vae", options__epochs=2))
    assert json.loads((run / "training.json").read_text())["seconds"] > 0
    info = run / "run.json"  # as if it had been trained on another machine
    info.write_text(info.read_text().replace('"device": "cpu"', '"device": "cuda"'))
    assert train_or_load(faces, run, config).info.config.device == "cuda"


def test_two_trainings_of_one_run_at_once_are_refused(
    faces: FaceSet, run: Path, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("omote.files.PATIENCE", 0.0)
    config = configure(method="vae", options__epochs=1)

    def meanwhile(now: TrainingProgress) -> None:
        with pytest.raises(OmoteError, match="Another process is training this run"):
            train(faces, run, config)

    train(faces, run, config, progress=meanwhile)

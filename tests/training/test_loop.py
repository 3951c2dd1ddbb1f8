"""The training loop: reproducible, resumable, logged, and with clear errors."""

import errno
import json
import os
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor
from torch.optim import Optimizer

from omote import files
from omote.data.face_set import FaceSet, open_face_set
from omote.errors import OmoteError
from omote.methods.method import Batch, Stage
from omote.methods.registry import METHODS
from omote.runs.config import TrainConfig
from omote.runs.info import read_run_info
from omote.runs.trained import load
from omote.training import loop, step
from omote.training.checkpoint import read_position
from omote.training.engine import Engine
from omote.training.loop import TrainingProgress, is_trained, train, train_or_load
from omote.training.step import follow
from tests.conftest import Configure


def weights(run: Path, name: str = "weights") -> dict[str, Tensor]:
    return load_file(run / f"{name}.safetensors")


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize("method", METHODS)
def test_equal_seeds_give_equal_weights_and_different_seeds_different_ones(
    method: str, faces: FaceSet, tmp_path: Path, configure: Configure
) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        train(faces, tmp_path / name, configure(method=method, seed=seed))
    assert same(weights(tmp_path / "a"), weights(tmp_path / "b"))
    assert not same(weights(tmp_path / "a"), weights(tmp_path / "c"))


def test_training_does_not_change_the_global_random_state(
    faces: FaceSet, run: Path, configure: Configure
) -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    train(faces, run, configure(method="vae"))
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize(
    ("method", "stop_at"),
    # in the first epoch, at the end of a stage, in the second stage; of omote: in the first, in the one with a motion,
    # in the one with a teacher, at its end and in the last one
    [
        ("proposed", 2),
        ("proposed", 6),
        ("proposed", 7),
        ("proposed", 10),
        ("omote", 2),
        ("omote", 8),
        ("omote", 14),
        ("sharpened", 15),
        ("sharpened", 18),
        ("sharpened", 20),
    ],
)
def test_a_training_resumed_after_ctrl_c_ends_with_the_weights_of_an_uninterrupted_one(
    method: str, stop_at: int, faces: FaceSet, tmp_path: Path, configure: Configure
) -> None:
    omote = {"method": "omote", "options__relative": 1, "options__motion_weight": 24000}
    options = {"omote": omote, "sharpened": {**omote, "options__sharpening": 1}}
    config = configure(**options.get(method, {"method": method}))
    train(faces, tmp_path / "whole", config)

    taken = []

    def stop(now: TrainingProgress) -> None:
        taken.append(now)
        if len(taken) == stop_at:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(faces, tmp_path / "stopped", config, progress=stop)
    assert len(taken) == stop_at  # it finishes the current step and starts no other
    with pytest.raises(OmoteError, match="is not finished"):
        load(tmp_path / "stopped")
    train(faces, tmp_path / "stopped", config, progress=taken.append)
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "stopped"))
    assert [(now.stage, now.step) for now in taken] == [
        (stage.name, step) for stage in load(tmp_path / "whole").method.stages() for step in range(1, 7)
    ]
    assert not (tmp_path / "stopped" / "checkpoint.safetensors").exists()


def test_a_training_in_a_thread_is_stopped_by_its_progress_function_and_resumes(
    faces: FaceSet, tmp_path: Path, configure: Configure
) -> None:
    config, taken = configure(method="vae"), list[TrainingProgress]()
    train(faces, tmp_path / "whole", config)

    def stop(now: TrainingProgress) -> None:
        taken.append(now)
        if len(taken) == 4:
            raise KeyboardInterrupt

    with ThreadPoolExecutor() as threads, pytest.raises(KeyboardInterrupt):
        threads.submit(train, faces, tmp_path / "stopped", config, progress=stop).result()
    train(faces, tmp_path / "stopped", config, progress=taken.append)
    assert [now.step for now in taken] == [1, 2, 3, 4, 5, 6]
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "stopped"))


def test_a_killed_training_resumes_from_the_last_checkpoint(
    faces: FaceSet, tmp_path: Path, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configure(method="conventional")
    train(faces, tmp_path / "whole", config)
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0)

    class PowerCut(Exception):
        pass

    def cut(now: TrainingProgress) -> None:
        if (now.stage, now.step) == ("expression", 5):
            raise PowerCut

    with pytest.raises(PowerCut):
        train(faces, tmp_path / "cut", config, progress=cut)
    again: list[TrainingProgress] = []
    train(faces, tmp_path / "cut", config, progress=again.append)
    assert (again[0].stage, again[0].step) == ("expression", 5)  # the first step after the last checkpoint
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "cut"))


def test_a_training_killed_between_stages_starts_the_next_one_from_the_weights_of_the_last(
    faces: FaceSet, tmp_path: Path, configure: Configure
) -> None:
    """The third stage of omote copies the encoder that it finds, so the checkpoint has to be read before."""
    config = configure(method="omote")
    train(faces, tmp_path / "whole", config, keep_stages=True)

    class PowerCut(Exception):
        pass

    def cut(now: TrainingProgress) -> None:
        if now.stage == "relative":
            raise PowerCut

    with pytest.raises(PowerCut):
        train(faces, tmp_path / "cut", config, progress=cut, keep_stages=True)
    position = read_position(tmp_path / "cut")
    assert position is not None
    assert position.stage == 2
    assert position.is_between_stages
    train(faces, tmp_path / "cut", config, keep_stages=True)
    for name in ("weights", "after_2", "after_3"):
        assert same(*(weights(tmp_path / run, name) for run in ("whole", "cut")))
    assert not any(key.startswith("teacher") for key in weights(tmp_path / "cut", "after_3"))


@pytest.mark.parametrize("step", ["fit_ood_model", "write_card", "remove_checkpoint"])
def test_a_training_killed_at_its_end_is_ended_by_the_same_call_and_refused_after_that(
    faces: FaceSet, tmp_path: Path, configure: Configure, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    config, run = configure(method="vae", options__epochs=1), tmp_path / "killed"
    train(faces, tmp_path / "whole", config)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(loop, step, killed)
        with pytest.raises(KeyboardInterrupt):
            train(faces, run, config)
    assert not is_trained(run)
    steps: list[TrainingProgress] = []
    train_or_load(faces, run, config, progress=steps.append)
    assert not steps  # only the end was missing
    assert same(weights(tmp_path / "whole"), weights(run))
    names = [sorted(path.name for path in folder.iterdir()) for folder in (tmp_path / "whole", run)]
    assert names[0] == names[1]
    with pytest.raises(OmoteError, match="already trained"):
        train(faces, run, config)


def test_a_full_disk_stops_a_training_with_a_sentence_and_it_goes_on_when_there_is_room(
    faces: FaceSet, tmp_path: Path, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, run = configure(method="conventional"), tmp_path / "full"
    train(faces, tmp_path / "whole", config)
    move = files.move

    def full(source: Path, to: Path) -> None:
        if to.name == "reference.safetensors":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        move(source, to)

    with monkeypatch.context() as patch:
        patch.setattr(files, "move", full)
        with pytest.raises(
            OmoteError, match=r"reference.safetensors cannot be written: No space left on device"
        ):
            train(faces, run, config)
    train(faces, run, config)
    assert same(weights(tmp_path / "whole"), weights(run))


def test_a_run_that_was_half_removed_to_be_trained_anew_is_removed_by_the_next_training(
    faces: FaceSet, run: Path, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configure(method="vae", options__epochs=1)
    train(faces, run, config)
    (run / "scores.csv").write_text("of the first training")

    def killed(path: Path) -> None:
        files.remove(path)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(loop, "remove", killed)
        with pytest.raises(KeyboardInterrupt):
            train(faces, run, config, overwrite=True)
    assert not (run / "weights.safetensors").exists()  # it can no longer be taken for a run
    train(faces, run, config)
    assert not (run / "scores.csv").exists()
    assert is_trained(run)


def test_only_training_frames_of_training_people_are_used(
    faces: FaceSet, run: Path, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    original = loop._Training.__init__

    def spy(self: loop._Training, *args: object) -> None:
        original(self, *args)  # type: ignore[arg-type]
        seen.append(self.faces[np.arange(len(self.faces))])

    monkeypatch.setattr(loop._Training, "__init__", spy)
    trained = train(faces, run, configure(method="vae", options__epochs=1, test_subjects=["0001", "0003"]))
    assert trained.info.test_subjects == ["0001", "0003"]
    assert trained.info.train_subjects == ["0000", "0002", "0004"]
    rows = ~faces.frames["subject"].isin(["0001", "0003"]) & (faces.frames["use"] != "evaluate")
    np.testing.assert_array_equal(seen[0], faces.faces[np.flatnonzero(rows)])


def test_a_term_that_is_not_finite_stops_training_and_is_named(
    faces: FaceSet, run: Path, configure: Configure
) -> None:
    with pytest.raises(
        OmoteError, match=r'term "generator/kl" of stage "vae" is no longer finite \(epoch 1, step 1\)'
    ):
        train(faces, run, configure(method="vae", options__kl_weight=1e300))
    assert not (run / "weights.safetensors").exists()


def test_tensorboard_has_every_term_under_its_name_and_a_picture(
    faces: FaceSet, run: Path, configure: Configure
) -> None:
    train(faces, run, configure(method="proposed"))
    log = EventAccumulator(str(run / "tensorboard"))
    log.Reload()
    assert set(log.Tags()["scalars"]) == {
        "1_identity/generator/kl",
        "1_identity/generator/reconstruction",
        "2_expression/generator/kl",
        "2_expression/generator/reconstruction",
        "2_expression/generator/adversarial",
        "2_expression/generator/switch_identity",
        "2_expression/generator/switch_expression",
        "2_expression/discriminator/real",
        "2_expression/discriminator/reconstructed",
        "2_expression/discriminator/prior",
    }
    assert [event.step for event in log.Scalars("1_identity/generator/kl")] == [1, 2]
    assert [event.step for event in log.Images("swap")] == [1, 2]


def test_the_log_of_a_method_without_a_decoder_has_no_picture(
    faces: FaceSet, run: Path, configure: Configure
) -> None:
    train(faces, run, configure(method="contrast"))
    log = EventAccumulator(str(run / "tensorboard"))
    log.Reload()
    assert log.Tags()["scalars"] == ["1_contrast/encoder/contrast"]
    assert log.Tags()["images"] == []


def test_the_learning_rate_decays_by_epoch_and_restarts_with_every_stage(
    faces: FaceSet, tmp_path: Path, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates: list[float] = []
    original = step.take_step

    def spy(engine: Engine, stage: Stage, optimisers: list[Optimizer], batch: Batch) -> dict[str, Tensor]:
        rates.append({optimiser.param_groups[0]["lr"] for optimiser in optimisers}.pop())
        return original(engine, stage, optimisers, batch)

    monkeypatch.setattr(loop, "take_step", spy)
    train(faces, tmp_path / "restarts", configure(method="conventional", batch_size=64))
    assert rates == pytest.approx([5e-4, 5e-4 * 0.95] * 2)
    rates.clear()
    train(
        faces,
        tmp_path / "goes_on",
        configure(method="conventional", batch_size=64, learning_rate_restarts=False),
    )
    assert rates == pytest.approx([5e-4 * 0.95**n for n in range(4)])
    rates.clear()
    stages = {"options__epochs": 4, "options__relative": 0.5, "options__sharpening": 0.5}
    train(faces, tmp_path / "later", configure(method="omote", batch_size=64, **stages))
    of_four = [5e-4 * 0.95**n for n in range(4)]
    # half as many epochs fall as far; the last stage averages instead
    assert rates == pytest.approx([*of_four * 2, *of_four[::2], *[1e-3] * 2])


def test_bfloat16_trains_to_finite_weights_and_a_finite_code(
    faces: FaceSet, run: Path, configure: Configure
) -> None:
    trained = train(faces, run, configure(method="proposed", precision="bf16-mixed"))
    mean, logvar = trained.represent(faces.faces)
    assert np.isfinite(mean).all()
    assert np.isfinite(logvar).all()


def test_errors_before_training_say_what_to_do(faces: FaceSet, run: Path, configure: Configure) -> None:
    with pytest.raises(OmoteError, match="leaves 1 people to train on"):
        train(faces, run, configure(test_subjects=4))
    with pytest.raises(OmoteError, match="test subjects somebody are not in"):
        train(faces, run, configure(test_subjects=["somebody"]))
    assert not run.exists()
    train(faces, run, configure(method="vae"))
    with pytest.raises(OmoteError, match="is already trained"):
        train(faces, run, configure(method="vae"))
    train(faces, run, configure(method="vae", seed=9), overwrite=True)
    assert read_run_info(run).config.seed == 9


def test_a_training_begins_with_the_weights_of_another_run(
    faces: FaceSet, tmp_path: Path, configure: Configure
) -> None:
    first = train(faces, tmp_path / "first", configure(method="proposed", test_subjects=0))
    config = configure(method="proposed", seed=5, options__learning_rate=1e-30, options__switch_weight=3)
    second = train(faces, tmp_path / "second", config, start=tmp_path / "first")
    parameters = dict(second.method.named_parameters())
    assert parameters
    assert all(torch.equal(value, parameters[name]) for name, value in first.method.named_parameters())
    assert read_run_info(tmp_path / "second").start == first.model
    assert f"began with the weights of model `{first.model}`" in (tmp_path / "second/README.md").read_text()
    assert "began" not in (tmp_path / "first/README.md").read_text()

    def stop(now: TrainingProgress) -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        train(faces, tmp_path / "third", config, start=tmp_path / "first", progress=stop)
    with pytest.raises(OmoteError, match="was begun with other settings"):
        train(faces, tmp_path / "third", config)


def test_a_training_may_begin_with_a_run_that_lacks_the_networks_of_the_last_stage(
    faces: FaceSet, tmp_path: Path, configure: Configure
) -> None:
    def settings(**changes: Any) -> TrainConfig:
        return configure(method="omote", options__epochs=1, options__learning_rate=1e-30, **changes)

    first = train(faces, tmp_path / "first", settings())
    second = train(faces, tmp_path / "second", settings(options__sharpening=1), start=tmp_path / "first")
    weights = second.method.state_dict()
    assert {name.partition(".")[0] for name in weights.keys() - first.method.state_dict().keys()} == {
        "painter", "average_painter", "critic"
    }  # fmt: skip
    for name, value in first.method.named_parameters():
        torch.testing.assert_close(weights[name], value, rtol=0, atol=1e-20)  # zeros move by 1e-30


def test_weights_that_do_not_fit_are_refused_before_anything_is_written(
    faces: FaceSet, run: Path, tmp_path: Path, configure: Configure
) -> None:
    start = train(faces, tmp_path / "start", configure(method="vae")).path
    with pytest.raises(
        OmoteError, match=r"is vae for faces of 64 px, and this training is proposed on faces of 64"
    ):
        train(faces, run, configure(method="proposed"), start=start)
    with pytest.raises(OmoteError, match=r"its networks are not those of this training .*options.width"):
        train(faces, run, configure(method="vae", options__width=12), start=start)
    with pytest.raises(OmoteError, match="is not a run"):
        train(faces, run, configure(method="vae"), start=tmp_path / "nowhere")
    assert not run.exists()


def test_only_methods_that_compare_frames_of_a_person_refuse_one_frame_per_person(
    faces: FaceSet, tmp_path: Path, configure: Configure
) -> None:
    first = faces.frames.drop_duplicates("subject")
    alone = FaceSet(faces.path, faces.faces[first.index], first.reset_index(drop=True), faces.about)
    for method in ("omote", "contrast", "ml_vae"):
        with pytest.raises(OmoteError, match=f"one frame a person to train on, and {method} learns"):
            train(alone, tmp_path / method, configure(method=method))
        assert not (tmp_path / method).exists()
    train(alone, tmp_path / "vae", configure(method="vae"))
    everyone = configure(method="contrast", **{"options.among": "everyone"})
    train(alone, tmp_path / "everyone", everyone)


def test_a_run_with_other_settings_is_not_resumed(faces: FaceSet, run: Path, configure: Configure) -> None:
    def stop(now: TrainingProgress) -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        train(faces, run, configure(method="vae"), progress=stop)
    with pytest.raises(OmoteError, match="begun with other settings"):
        train(faces, run, configure(method="vae", batch_size=9))


def test_a_folder_that_is_not_a_run_is_never_overwritten(
    faces: FaceSet, run: Path, configure: Configure
) -> None:
    run.mkdir()
    (run / "thesis.txt").write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(OmoteError, match="not a run"):
            train(faces, run, configure(method="vae"), overwrite=overwrite)
    assert (run / "thesis.txt").read_text() == "years of work"


def test_run_json_holds_the_whole_configuration_before_the_first_step(
    faces: FaceSet, run: Path, configure: Configure
) -> None:
    found = []

    def look(now: TrainingProgress) -> None:
        found.append(json.loads((run / "run.json").read_text()))

    train(faces, run, configure(method="proposed", options__switch_weight=3), progress=look)
    assert found[0]["config"]["options"]["switch_weight"] == 3
    assert found[0]["config"]["options"]["adversarial_weight"] == 1  # a default, written out
    assert found[0]["face_set"]["counts"]["subjects"] == 5


def test_a_face_set_that_is_cut_short_during_training_is_one_sentence(
    faces: FaceSet, tmp_path: Path, configure: Configure
) -> None:
    shutil.copytree(faces.path, tmp_path / "faces")
    copy = open_face_set(tmp_path / "faces")

    def cut(progress: TrainingProgress) -> None:
        if progress.step == 2:
            os.truncate(tmp_path / "faces" / "faces.npy", 5000)

    with pytest.raises(OmoteError, match=r"faces\.npy was cut short during the training; prepare"):
        train(copy, tmp_path / "run", configure(method="vae", options__epochs=2), progress=cut)


def test_an_average_follows_the_weights_at_first_at_once_and_then_slowly() -> None:
    average, value = torch.nn.Linear(1, 1, bias=False).requires_grad_(False), torch.ones(1, 1)
    follow(average, [2 * value], torch.tensor(1.0))
    assert average.weight.item() == 2
    follow(average, [value], torch.tensor(2.0))  # keeps 1 / 11
    assert average.weight.item() == pytest.approx(12 / 11)
    average.weight.fill_(0)
    follow(average, [value], torch.tensor(1e6))
    assert average.weight.item() == pytest.approx(0.002, abs=1e-6)

"""Two processes: the gradients of one that walks the same parts, and a run like that of one."""

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from omote.data.face_set import FaceSet
from omote.errors import OmoteError
from omote.methods.registry import METHODS
from omote.runs.config import TrainConfig
from omote.training import engine
from omote.training.engine import Engine, make_engine
from omote.training.loop import train
from tests.conftest import Configure
from tests.training.two_processes import TRAINING

SCRIPT = Path(__file__).with_name("two_processes.py")


class Done(NamedTuple):
    folder: Path
    output: str

    def tensors(self, name: str) -> dict[str, Tensor]:
        return load_file(self.folder / f"{name}.safetensors")


@pytest.fixture(scope="module")
def done(faces: FaceSet, tmp_path_factory: pytest.TempPathFactory) -> Done:
    """What two processes wrote and printed."""
    folder = tmp_path_factory.mktemp("two")
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    found = subprocess.run(
        [sys.executable, *torchrun, str(SCRIPT), str(faces.path), str(folder)],
        capture_output=True, text=True, timeout=280, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    return Done(folder, found.stdout + found.stderr)


@pytest.mark.parametrize("name", METHODS)
def test_two_processes_have_the_gradients_of_one_that_walks_the_same_parts(name: str, done: Done) -> None:
    one, *two = (done.tensors(file) for file in ("one-0", "two-0", "two-1"))
    mine = [key for key in one if key.startswith(f"{name}/")]
    assert any(float(one[key].norm()) > 0 for key in mine)
    for each in two:
        assert each.keys() == one.keys()
        for key in mine:
            torch.testing.assert_close(each[key], one[key], rtol=1e-12, atol=1e-12)


def test_a_training_of_two_processes_is_one_run_with_the_files_of_one_process(
    done: Done, faces: FaceSet, tmp_path: Path
) -> None:
    train(faces, tmp_path / "one", TrainConfig.read(None, TRAINING))
    files = [{path.name for path in run.iterdir()} for run in (tmp_path / "one", done.folder / "whole")]
    assert files[0] == files[1]
    assert len(list((done.folder / "whole" / "tensorboard").iterdir())) == 1
    assert done.output.count("Trained proposed") == 1


def test_two_processes_resume_after_ctrl_c_and_end_with_the_weights_of_an_uninterrupted_training(
    done: Done,
) -> None:
    assert sorted(line for line in done.output.splitlines() if "finished" in line) == [
        "finished 0",
        "finished 1",
    ]
    whole, stopped = (done.tensors(f"{run}/weights") for run in ("whole", "stopped"))
    assert whole.keys() == stopped.keys()
    assert all(torch.equal(whole[key], stopped[key]) for key in whole)


def test_batches_too_small_for_the_processes_are_refused(
    faces: FaceSet, run: Path, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "omote.training.loop.make_engine", lambda *_, **__: Engine(torch.device("cpu"), "32-true", 0, 3)
    )
    with pytest.raises(
        OmoteError,
        match=r"^3 processes share batches of 10 frames \(batch_size is 12\), and each needs at least 4 of them; "
        "start at most 2, or set a larger batch_size$",
    ):
        train(faces, run, configure(method="ml_vae", options__frames_per_subject=2))
    assert not run.exists()


def test_torchrun_is_refused_where_processes_would_share_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    monkeypatch.setattr(engine, "choose_device", lambda device: device)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    with pytest.raises(OmoteError, match="torchrun started 2 processes here, and the number of GPUs is 1;"):
        make_engine("cuda", "32-true")
    with pytest.raises(OmoteError, match="the device is mps; start without torchrun"):
        make_engine("mps", "32-true")

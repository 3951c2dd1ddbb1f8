"""Compiled networks: the training is the same. CUDA graphs are tested by `benchmarks/gpu.py`, on a GPU."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.fx import GraphModule

from omote.data.face_set import FaceSet
from omote.errors import OmoteError
from omote.runs.trained import load
from omote.training import compiled
from omote.training.engine import Engine
from omote.training.loop import train
from tests.conftest import Configure

pytestmark = [  # of torch.compile about itself
    pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning"),
]


def test_compiled_networks_train_to_the_weights_of_the_others(
    faces: FaceSet, tmp_path: Path, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All but the code that the inductor makes, which takes minutes: the passes are traced and split as on a GPU."""
    monkeypatch.setattr(compiled, "BACKEND", "aot_eager")
    for compile in (False, True):
        config = configure(method="proposed", options__epochs=1, batch_size=16, compile=compile)
        train(faces, tmp_path / f"{compile}", config)
    one, other = (load_file(tmp_path / f"{compile}" / "weights.safetensors") for compile in (False, True))
    assert one.keys() == other.keys()
    for key, value in one.items():
        torch.testing.assert_close(other[key], value, rtol=1e-5, atol=1e-6)
    assert load(tmp_path / "True").info.config.compile


def test_networks_are_compiled_for_the_batches_of_steps_only(
    faces: FaceSet, run: Path, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def backend(graph: GraphModule, inputs: list[Tensor], **_: object) -> object:
        seen.append(next(len(each) for each in inputs if not isinstance(each, torch.nn.Parameter)))
        return graph.forward

    monkeypatch.setattr(compiled, "BACKEND", backend)
    # 32 frames; the identity codes of the second stage are of all of them, and the swap picture is of 8 x 8
    train(faces, run, configure(method="conventional", compile=True, batch_size=11))
    trial, *networks = seen
    assert trial == 2
    assert set(networks) == {10, 11}


@pytest.mark.parametrize(
    ("processes", "message"),
    [
        (1, r"torch.compile does not work on cpu here \(.*no compiler here\)\. .* or set compile=false$"),
        (2, "compile is true, which is for one process only; set compile=false, or start without torchrun"),
    ],
)
def test_what_cannot_be_compiled_is_refused_before_anything_is_written(
    processes: int,
    message: str,
    faces: FaceSet,
    run: Path,
    configure: Configure,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def backend(*_: object, **__: object) -> object:
        raise RuntimeError("no compiler here")

    def make_engine(*_: object, compiled: bool) -> Engine:
        return Engine(torch.device("cpu"), "32-true", 0, processes, compiled)

    monkeypatch.setattr(compiled, "BACKEND", backend)
    monkeypatch.setattr("omote.training.loop.make_engine", make_engine)
    with pytest.raises(OmoteError, match=message):
        train(faces, run, configure(method="vae", compile=True))
    assert not run.exists()

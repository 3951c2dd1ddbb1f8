"""What test_processes.py checks, run by two processes of torchrun: gradients of every method, and a whole training.

python -m torch.distributed.run --standalone --nproc-per-node 2 tests/training/two_processes.py FACES FOLDER
"""

import os
import signal
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from omote.cli.main import main as omote
from omote.data.face_set import open_face_set
from omote.methods.method import Batch, Method, Stage
from omote.methods.registry import METHODS, method_class
from omote.runs.config import TrainConfig
from omote.training.engine import Engine, make_engine
from omote.training.loop import TrainingProgress, train
from omote.training.processes import average_gradients
from omote.training.step import begin_stage, encode_frozen, subject_means, take_step

OPTIONS = {"width": 8, "latent_size": 6}
SUBJECTS = ((0, 0, 0, 1), (2, 2, 1))  # of the frames of each process: different numbers of them
TRAINING = {
    "method": "proposed", "options.width": 8, "options.latent_size": 8, "options.epochs": 1, "options.repetitions": 2,
    "batch_size": 12, "precision": "32-true", "device": "cpu",
}  # fmt: skip


def make_batch(part: int, stage: Stage) -> Batch:
    """Return the batch of one process, and set the random state of its noise."""
    generator = torch.Generator().manual_seed(part)
    count = len(SUBJECTS[part])
    images, same = torch.rand(2, count, 3, 64, 64, generator=generator)
    own, posteriors = torch.tensor(SUBJECTS[part]), encode_frozen(stage, images)
    torch.manual_seed(100 + part)
    return Batch(
        images,
        same,
        torch.arange(count).roll(1),
        torch.ones(count),
        own,
        posteriors,
        {name: subject_means(each.mean, own)[own] for name, each in posteriors.items()},
    )


def gradients(engine: Engine, method: Method, stage: Stage, parts: range) -> dict[str, Tensor]:
    """Return the mean gradient of one step on each of the parts, by parameter.

    The learning rate is 0, so that the gradients of all phases are those of the same weights.
    """
    found: dict[str, Tensor] = {}
    stage = replace(stage, phases=tuple(replace(phase, learning_rate=0.0) for phase in stage.phases))
    with stage.during():
        weights = {name: value.clone() for name, value in method.state_dict().items()}
        for part in parts:
            method.load_state_dict(weights)
            optimisers = begin_stage(method, stage)
            take_step(engine, average_gradients(stage, engine), optimisers, make_batch(part, stage))
            for name, parameter in method.named_parameters():
                if parameter.grad is not None:
                    found[name] = found.get(name, torch.zeros(())) + parameter.grad / len(parts)
                    parameter.grad = None
    return found


def write_gradients(engine: Engine, to: Path) -> None:
    """Write ``one`` and ``two``: method/stage/parameter of one process that walks both parts, and of both processes."""
    torch.set_default_dtype(torch.float64)
    setattr(torch.Tensor, "float", torch.Tensor.double)  # noqa: B010 - the networks return float32; here all is float64
    found: dict[str, dict[str, Tensor]] = {"one": {}, "two": {}}
    for name in METHODS:
        cls = method_class(name)
        options = cls.Options.model_validate(OPTIONS)
        for number in range(len(cls(64, options, 3).stages())):
            for who, own, parts in (
                ("one", engine._replace(num_processes=1), range(2)),
                ("two", engine, range(engine.rank, engine.rank + 1)),
            ):
                torch.manual_seed(1)
                method = cls(64, options, 3)
                for key, value in gradients(own, method, method.stages()[number], parts).items():
                    found[who][f"{name}/{number}/{key}"] = value
    for who, values in found.items():
        save_file(values, to / f"{who}-{engine.rank}.safetensors")


def main(faces: Path, to: Path) -> None:
    """Write the gradients, and train a run by the command and one that is stopped and resumed."""
    engine = make_engine("cpu", "32-true")
    settings = [f"--set={name}={value}" for name, value in TRAINING.items()]
    sys.argv = ["omote", "train", str(faces), "--to", str(to / "whole"), *settings]
    with suppress(SystemExit):
        omote()

    def stop(now: TrainingProgress) -> None:
        if now.stage_number == 2 and now.step == 2:
            os.kill(os.getpid(), signal.SIGINT)

    config = TrainConfig.read(None, TRAINING)
    for progress in (stop, None):
        with suppress(KeyboardInterrupt):
            train(open_face_set(faces), to / "stopped", config, progress=progress)
            print("finished", engine.rank)
    write_gradients(engine, to)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

"""Checkpoints: weights, optimiser states and position in the schedule, in one safetensors file."""

import json
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated, NamedTuple

import torch
from pydantic import Field, TypeAdapter
from safetensors import safe_open
from torch import Tensor, nn
from torch.optim import Optimizer

from omote.boundary import reading
from omote.runs.info import write_tensors

CHECKPOINT = "checkpoint.safetensors"
ADAM_STATE = {"step", "exp_avg", "exp_avg_sq"}  # of each parameter
MAX_STEPS = 2**31


class Position(NamedTuple):
    """A position in the schedule: the next step, and the seconds of training so far."""

    stage: Annotated[int, Field(ge=0)] = 0
    epoch: Annotated[int, Field(ge=0)] = 0
    step: Annotated[int, Field(ge=0)] = 0
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0

    @property
    def is_between_stages(self) -> bool:
        """Whether a stage has ended and no step of the next one was taken."""
        return self.epoch == self.step == 0


def save_checkpoint(
    run: Path, position: Position, method: nn.Module, optimisers: list[Optimizer], sums: dict[str, Tensor]
) -> None:
    """Write the weights, the states of the stage's optimisers and the epoch's sums of terms so far."""
    tensors = {f"weights/{name}": value for name, value in method.state_dict().items()}
    for number, optimiser in enumerate(optimisers):
        for parameter, state in optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser/{number}/{parameter}/{name}": value for name, value in state.items()}
    tensors |= {f"sums/{name}": value for name, value in sums.items()}
    write_tensors(run / CHECKPOINT, tensors, {"place": json.dumps(position)})


def read_position(run: Path) -> Position | None:
    """Return the position of a run's checkpoint, or None if there is no checkpoint.

    Raises:
        OmoteError: If the checkpoint is damaged.
    """
    if not (run / CHECKPOINT).is_file():
        return None
    with _reading(run), safe_open(run / CHECKPOINT, framework="pt") as file:
        return TypeAdapter(Position).validate_json(file.metadata()["place"])


def load_checkpoint(
    run: Path, method: nn.Module, optimisers: list[Optimizer], sums: dict[str, Tensor]
) -> None:
    """Set weights, optimisers and sums to what `save_checkpoint` wrote in the same stage.

    Raises:
        OmoteError: If the checkpoint is damaged.
    """
    weights: dict[str, Tensor] = {}
    states: list[dict[int, dict[str, Tensor]]] = [{} for _ in optimisers]
    with _reading(run), safe_open(run / CHECKPOINT, framework="pt") as file:
        for key in file.keys():  # noqa: SIM118 - safe_open is not a mapping
            kind, _, name = key.partition("/")
            if kind == "weights":
                weights[name] = file.get_tensor(key)
            elif kind == "sums":
                sums[name] = file.get_tensor(key)
            else:
                number, parameter, state_name = name.split("/")
                states[int(number)].setdefault(int(parameter), {})[state_name] = file.get_tensor(key)
        method.load_state_dict(weights)
        for optimiser, state in zip(optimisers, states, strict=True):
            optimiser.load_state_dict({**optimiser.state_dict(), "state": state})
            # the file stores no memory format; a fused optimiser needs that of the parameter (channels last)
            for parameter, values in optimiser.state.items():
                if values.keys() != ADAM_STATE or not 0 <= float(values["step"]) < MAX_STEPS:
                    raise ValueError("the state of an optimiser is not that of Adam")
                for name, value in values.items():
                    if value.dim() and value.shape != parameter.shape:
                        raise ValueError(
                            f"{name} has the shape {tuple(value.shape)}; expected {tuple(parameter.shape)}"
                        )
                    if value.shape == parameter.shape:
                        values[name] = torch.empty_like(parameter, requires_grad=False).copy_(value)


def _reading(run: Path) -> AbstractContextManager[None]:
    return reading(run / CHECKPOINT, "a checkpoint of this training", "Train with --overwrite to start again")


def remove_checkpoint(run: Path) -> None:
    """Remove the checkpoint of a run, if there is one."""
    (run / CHECKPOINT).unlink(missing_ok=True)

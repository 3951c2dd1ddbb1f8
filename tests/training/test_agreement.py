"""200 training steps in float32, compared with a plain implementation of the same equations (benchmarks/plain.py).

Rounding errors grow during training, and adversarial training is chaotic: two plain trainings end with different losses
even if their initial weights differ by one part in a million only. This is the tolerance: the product may differ from
the plain implementation about as much as that differs from itself after such a perturbation.
"""

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import Tensor

from omote.methods.method import Batch
from omote.methods.proposed import Proposed, ProposedOptions
from omote.models.encoder import Posterior
from omote.synthetic.drawn import DrawnOptions, draw_subject
from omote.training.engine import make_engine
from omote.training.step import begin_stage, encode_frozen, take_step

STEPS, PEOPLE, FRAMES, BATCH = 200, 3, 8, 4
NUDGE = 1e-6  # relative change of each weight; about the rounding error of sums of hundreds of products


@pytest.fixture(scope="module")
def plain() -> ModuleType:
    file = Path(__file__).parents[2] / "benchmarks" / "plain.py"
    spec = importlib.util.spec_from_file_location("plain", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def images() -> Tensor:
    """(24, 3, 64, 64): eight drawn faces each of three people."""
    faces = np.concatenate([draw_subject(DrawnOptions(size=64), who)[0][:FRAMES] for who in range(PEOPLE)])
    return torch.as_tensor(faces).permute(0, 3, 1, 2).float() / 255


def curves(plain: ModuleType, images: Tensor, stage_number: int, normalisation: str) -> np.ndarray:
    """Return (3, 200, terms): the terms of each step, plain, plain with perturbed weights, and of the product."""
    options = ProposedOptions.model_validate({"width": 8, "latent_size": 8, "normalisation": normalisation})
    torch.manual_seed(0)
    methods = [Proposed(64, options) for _ in range(3)]
    for method in methods[1:]:
        method.load_state_dict(methods[0].state_dict())
    with torch.no_grad():
        for parameter in methods[1].parameters():
            parameter.mul_(1 + NUDGE * torch.randn_like(parameter))
    # in one call of the decoder all its uses share their BatchNorm statistics; in several they do not
    calls = {"one_decoder_call": normalisation == "batch"}
    steps = [
        plain.expression_step(m, **calls) if stage_number else plain.identity_step(m) for m in methods[:2]
    ]
    fast, engine = methods[2], make_engine("cpu", "32-true")
    fast.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    stage = fast.stages()[stage_number]
    optimisers = begin_stage(fast, stage)
    posteriors = encode_frozen(stage, images)
    rng = np.random.default_rng(0)
    found = []
    for number in range(STEPS):
        rows = torch.as_tensor(rng.choice(PEOPLE * FRAMES, BATCH, replace=False))
        x, same = (
            images[rows],
            images[rows // FRAMES * FRAMES + torch.as_tensor(rng.integers(0, FRAMES, BATCH))],
        )
        partner = torch.arange(BATCH).roll(1)
        of_rows = {
            name: Posterior(*(each[rows] for each in posterior)) for name, posterior in posteriors.items()
        }
        batch = Batch(x, same, partner, torch.ones(BATCH), rows // FRAMES, of_rows)
        here = []
        for step in steps:
            torch.manual_seed(number)
            here.append(step(x.contiguous(), partner if stage_number else same.contiguous()))
        torch.manual_seed(number)
        here.append(take_step(engine, stage, optimisers, batch))
        assert here[0].keys() == here[2].keys()
        found.append([[float(terms[name]) for name in here[0]] for terms in here])
    return np.array(found).swapaxes(0, 1)


@pytest.mark.parametrize(("stage_number", "normalisation"), [(0, "batch"), (1, "batch"), (1, "none")])
def test_training_equals_the_plain_implementation_up_to_rounding(
    stage_number: int, normalisation: str, plain: ModuleType, images: Tensor
) -> None:
    slow, nudged, fast = curves(plain, images, stage_number, normalisation)
    np.testing.assert_allclose(fast[:2], slow[:2], rtol=1e-3)
    assert (np.abs(slow[-20:].mean(0) / slow[0] - 1) > 0.05).any()  # it has learned something
    for window in (slice(0, 10), slice(10, 50), slice(50, STEPS)):
        apart, rounding = (np.abs(other[window] - slow[window]).mean(0) for other in (fast, nudged))
        size = np.abs(slow[window]).mean(0)
        assert (apart <= 10 * rounding + 1e-5 * size).all(), (window, apart / size, rounding / size)

"""The motion in the expression stage of `omote`: what it trains, what it needs, and what it does to the code."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from omote.methods.omote import Omote
from tests.methods.test_contrast import terms_of
from tests.methods.test_methods import batch_of, give_codes, make, take


def omote(**options: Any) -> Omote:
    method = make("omote", **options)
    assert isinstance(method, Omote)
    return method


def test_the_module_that_moves_faces_is_trained_and_gone_after_the_stage() -> None:
    method = omote()
    before = list(method.state_dict())
    stage = method.stages()[1]
    motion = stage.phases[0].trains[-1]
    assert all(not bool(weight.any()) for weight in motion.parameters())
    take(method, stage, steps=2)
    assert all(bool(weight.any()) for weight in motion.parameters())
    assert list(method.state_dict()) == before
    with stage.during():
        assert [name for name in method.state_dict() if name not in before] == [
            "motion.displacement",
            "motion.colour",
        ]


def test_an_only_frame_of_a_person_has_no_motion() -> None:
    batch = batch_of()
    batch.subjects = torch.tensor([0, 0, 1, 2, 2, 2])
    found = terms_of(omote(), "expression", batch)["motion"] > 0
    assert found.tolist() == [True, True, False, True, True, True]


def test_without_a_weight_there_is_no_motion() -> None:
    method, batch = omote(motion_weight=0.0), batch_of()
    assert "motion" not in terms_of(method, "expression", batch)
    assert len(method.stages()[1].phases[0].trains) == 2


def blobs() -> tuple[Tensor, Tensor]:
    """Return 16 images of four people, each with a soft spot at the same four places: two bright, two dark ones."""
    who, what = torch.arange(16) // 4, torch.arange(16) % 4
    at = torch.arange(64.0)
    row, column = (26.0 + 12 * (what // 2))[:, None, None], (26.0 + 12 * (what % 2))[:, None, None]
    spot = torch.exp(-((at[:, None] - row).square() + (at - column).square()) / 100)
    spot = torch.where((who < 2)[:, None, None], 0.1 + 0.8 * spot, 0.9 - 0.8 * spot)
    tint = torch.tensor([[1.0, 0.5, 0.5], [0.5, 1, 0.5], [0.5, 0.5, 1], [1, 1, 1]])[who]
    return tint[:, :, None, None] * spot[:, None], who


def test_the_same_movement_is_the_same_change_of_the_code_in_everybody() -> None:
    """Nothing else than the motion trains the code here: all other terms have weight 0."""
    images, who = blobs()
    off = {"reconstruction_weight": 0, "switch_weight": 0, "kl_weight": 0, "contrast_weight": 0}
    method, batch = omote(motion_weight=100.0, learning_rate=3e-3, **off), batch_of(16)
    batch.images, batch.subjects = images, who
    stage = method.stages()[1]
    give_codes(batch, stage)

    def likeness() -> float:
        """Return the mean correlation of a bright spot's changes with a dark one's."""
        code = method.eval().represent(images).mean.detach().unflatten(0, (4, 4))
        change = (code - code.mean(1, keepdim=True)).flatten(1)
        return float(torch.corrcoef(change)[:2, 2:].mean())

    before = likeness()
    first = float(take(method, stage, batch=batch)["generator/motion"])
    last = float(take(method, stage, steps=160, batch=batch)["generator/motion"])
    assert last < 0.5 * first
    assert before < -0.8
    assert likeness() > 0


def test_the_motion_trains_the_expression_encoder_and_itself_only() -> None:
    method = omote()
    stage = method.stages()[1]
    take(method, replace(stage, phases=(replace(stage.phases[0], learning_rate=1e-3),)), steps=2)
    with stage.during():
        method.zero_grad()
        method.requires_grad_(True)
        stage.phases[0].terms(give_codes(batch_of(), stage))["motion"].mean().backward()
        moved = {
            name
            for name, part in method.named_children()
            if any(each.grad is not None and bool(each.grad.any()) for each in part.parameters())
        }
    assert moved == {"expression_encoder", "motion"}

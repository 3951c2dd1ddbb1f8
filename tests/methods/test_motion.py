"""The motion in the expression stage of `omote`: what it trains, what it needs, and what it does to the code."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from omote.methods.omote import Omote
from omote.objectives.motion import motion_error
from tests.methods.test_contrast import terms_of
from tests.methods.test_methods import batch_of, give_codes, make, take


def omote(**options: Any) -> Omote:
    method = make("omote", **{"motion_weight": 24000.0, **options})
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
    """Return 16 images of four people, coloured differently, each with a soft spot at the same four places."""
    who, what = torch.arange(16) // 4, torch.arange(16) % 4
    at = torch.arange(64.0)
    colours = torch.tensor([[1.0, 0.3, 0.3], [0.3, 1, 0.3], [0.3, 0.3, 1], [0.8, 0.8, 0.8]])
    row, column = (26.0 + 12 * (what // 2))[:, None, None], (26.0 + 12 * (what % 2))[:, None, None]
    spot = torch.exp(-((at[:, None] - row).square() + (at - column).square()) / 100)
    return 0.1 + 0.8 * colours[who][:, :, None, None] * spot[:, None], who


def test_a_change_of_one_persons_code_moves_the_face_of_another() -> None:
    """The other one took no part in the training, of which all other terms have weight 0."""
    images, who = blobs()
    off = {"reconstruction_weight": 0, "switch_weight": 0, "kl_weight": 0, "contrast_weight": 0}
    method, batch = omote(motion_weight=100.0, learning_rate=1e-2, **off), batch_of(12)
    batch.images, batch.subjects = images[:12], who[:12]
    stage = method.stages()[1]
    take(method, stage, steps=120, batch=give_codes(batch, stage))
    motion = stage.phases[0].trains[-1]
    with torch.no_grad():
        code = method.eval().represent(images[:4]).mean
        faces = torch.nn.functional.avg_pool2d(images[12:], 2)
        start, end = torch.tensor([0, 0, 0, 1, 1, 2]), torch.tensor([1, 2, 3, 2, 3, 3])
        moved = motion(faces[start], code[end] - code[start])
        wrong, still = (float(motion_error(each, faces[end]).mean()) for each in (moved, faces[start]))
    assert wrong < 0.5 * still


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

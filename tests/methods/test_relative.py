"""The stage that takes the usual look off the expression code: its terms, what it trains, and what it does."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from omote.methods.method import Stage
from omote.methods.omote import Omote
from omote.objectives.reconstruction import mean_squared_error
from omote.training.step import subject_means
from tests.methods.test_contrast import spots
from tests.methods.test_methods import batch_of, give_codes, make, take


def relative(**options: Any) -> tuple[Omote, Stage]:
    method = make("omote", **options)
    assert isinstance(method, Omote)
    return method, method.stages()[-1]


def test_means_are_over_the_frames_of_each_subject() -> None:
    codes = torch.tensor([[1.0, 2.0], [3.0, 0.0], [5.0, 4.0], [7.0, 7.0]])
    means = subject_means(codes, torch.tensor([2, 0, 2, 0]))
    torch.testing.assert_close(means, torch.tensor([[5.0, 3.5], [0.0, 0.0], [3.0, 3.0]]))


def test_the_targets_are_the_codes_of_the_stage_before_less_the_mean_of_the_person(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("omote.methods.contrast.augment", lambda images, **_: images.flip(2))
    method, stage = relative()
    method.eval()
    before = method.represent(batch_of().images)
    with stage.during():
        batch = batch_of(stage=stage)
        with torch.no_grad():
            for parameter in method.expression_encoder.parameters():
                parameter.mul_(1.1)  # the encoder has moved on, its targets have not
        terms = stage.phases[0].terms(batch)
        torch.manual_seed(3)
        terms |= stage.phases[1].terms(batch)
    usual = before.mean.unflatten(0, (3, 2)).mean(1).repeat_interleave(2, 0)  # two frames a person
    own, view = (method.represent(images) for images in (batch.images, batch.images.flip(2)))
    target = before.mean - usual
    expected = {
        "image": mean_squared_error(own.mean, target),
        "view": mean_squared_error(view.mean, target),
        "variance": 0.01 * mean_squared_error(own.logvar, before.logvar),
    }
    torch.manual_seed(3)
    with torch.no_grad():
        expected |= method.generator_terms(batch, own)
    del expected["kl"]
    assert list(terms) == list(expected)
    for name, term in expected.items():
        torch.testing.assert_close(terms[name], term, rtol=1e-3, atol=1e-5, msg=name)
    assert not any(name.startswith("teacher") for name in method.state_dict())


def test_a_person_with_one_frame_has_no_target() -> None:
    _, stage = relative()
    batch = batch_of()
    batch.subjects = torch.tensor([0, 0, 1, 2, 2, 2])
    with stage.during():
        terms = stage.phases[0].terms(give_codes(batch, stage))
    for name in ("image", "view", "variance"):
        assert [bool(term > 0) for term in terms[name]] == [True, True, False, True, True, True]


def test_a_discriminator_goes_on_learning() -> None:
    _, stage = relative(adversarial_weight=1.0)
    with stage.during():
        batch = batch_of(stage=stage)
        terms = [list(phase.terms(batch)) for phase in stage.phases]
    assert [phase.name for phase in stage.phases] == ["encoder", "generator", "discriminator"]
    assert "adversarial" in terms[1]
    assert terms[2] == ["real", "reconstructed", "prior"]


def test_decoded_images_train_the_decoder_only() -> None:
    method, stage = relative()
    before = {name: value.clone() for name, value in method.state_dict().items()}
    take(method, replace(stage, phases=(replace(stage.phases[0], learning_rate=0.0), stage.phases[1])))
    changed = {
        name.split(".")[0]
        for name, value in method.named_parameters()
        if not torch.equal(value, before[name])
    }
    assert changed == {"decoder"}


def test_the_code_keeps_what_varies_within_a_person_and_loses_what_does_not() -> None:
    images, who, _ = spots(0.1)
    unchanged: dict[str, Any] = {"light": 0, "placement": 0, "mirror": False, "surroundings": False}
    method, stage = relative(learning_rate=2e-3, contrast_weight=40, **unchanged)
    batch = batch_of(16)
    batch.images, batch.subjects = images, who

    def shares() -> tuple[float, Tensor]:
        """Return the share of the variance between people, and the codes less the person's mean."""
        code = method.eval().represent(images).mean.detach()
        means = subject_means(code, who)
        between = (means - means.mean(0)).square().sum() * 4 / (code - code.mean(0)).square().sum()
        return float(between), code - means[who]

    for earlier in method.stages()[:2]:
        take(method, earlier, steps=40, batch=give_codes(batch, earlier))
    before, own = shares()
    assert before > 0.5
    with stage.during():
        give_codes(batch, stage)
    take(method, stage, steps=80, batch=batch)
    after, learned = shares()
    assert after < 0.1
    assert float(torch.cosine_similarity(own, learned).mean()) > 0.9

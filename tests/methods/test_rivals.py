"""Methods of others with the same supervision: beta-VAE, ML-VAE, GVAE and the subject-adversarial VAE."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from omote.methods.adversarial_vae import AdversarialVae, kl_from_uniform
from omote.methods.beta_vae import BetaVae
from omote.methods.conventional import Conventional
from omote.methods.gvae import Gvae
from omote.methods.method import Batch, Method
from omote.methods.ml_vae import MlVae
from omote.methods.vae import Vae
from omote.models.encoder import Posterior
from omote.objectives.divergence import gaussian_kl
from omote.objectives.reconstruction import mean_squared_error
from omote.training.engine import make_engine
from omote.training.step import begin_stage, take_step

NOISE = "omote.methods.ml_vae.sample"


def make(cls: type[Method], **options: Any) -> Any:
    torch.manual_seed(0)
    return cls(64, cls.Options.model_validate({"width": 8, "latent_size": 6, **options}), 3)


def batch_of(subjects: list[int]) -> Batch:
    generator, size = torch.Generator().manual_seed(1), len(subjects)
    images, same = (torch.rand(size, 3, 64, 64, generator=generator) for _ in range(2))
    return Batch(images, same, torch.arange(size).roll(1), torch.ones(size), torch.tensor(subjects))


def in_order(batch: Batch, order: Tensor) -> Batch:
    """Return the batch with its frames in another order; partners are unused here and stay wrong."""
    same, partner = batch.same_subject[order], batch.partner[order]
    return Batch(batch.images[order], same, partner, batch.has_partner[order], batch.subjects[order])


def group_mean_and_variance(
    method: MlVae, mean: list[float], variance: list[float], subjects: list[int]
) -> tuple[Tensor, Tensor]:
    """Return mean and variance, (B,), of each frame's group, for codes of one number."""
    q, who = (
        Posterior(torch.tensor(mean)[:, None], torch.tensor(variance).log()[:, None]),
        torch.tensor(subjects),
    )
    group = method.group_posterior(q, who[:, None] == who)
    return group.mean[:, 0], group.logvar.exp()[:, 0]


def reached(method: Method, loss: Tensor) -> set[str]:
    """Return the names of the modules that get a gradient from ``loss``."""
    method.zero_grad()
    loss.backward()
    children = method.named_children()
    return {
        name
        for name, child in children
        if any(p.grad is not None and p.grad.any() for p in child.parameters())
    }


def step(method: Method, batch: Batch) -> None:
    [stage] = method.stages()
    optimisers = begin_stage(method, stage)
    for seed in range(2):
        torch.manual_seed(seed)
        take_step(make_engine("cpu", "32-true"), stage, optimisers, batch)


def test_a_beta_vae_with_beta_1_is_a_vae_to_the_bit() -> None:
    states = []
    for method in (make(Vae), make(BetaVae, beta=1)):
        step(method, batch_of([0, 0, 1, 1, 2, 2]))
        states.append(method.state_dict())
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def test_beta_scales_the_kl_divergence_only() -> None:
    terms = []
    for method in (make(Vae), make(BetaVae, beta=4)):
        torch.manual_seed(3)
        terms.append(method.terms(batch_of([0, 1])))
    assert list(terms[0]) == list(terms[1]) == ["kl", "reconstruction"]
    torch.testing.assert_close(terms[1]["kl"], 4 * terms[0]["kl"])
    assert torch.equal(terms[1]["reconstruction"], terms[0]["reconstruction"])


def test_ml_vae_multiplies_the_posteriors_of_a_subject() -> None:
    """Precision 1 + 1/3 is variance 3/4; the mean is (0 * 1 + 4 / 3) * 3/4 = 1. Subject 1 has one frame."""
    mean, variance = group_mean_and_variance(make(MlVae), [0, -5, 4], [1, 2, 3], [0, 1, 0])
    torch.testing.assert_close(mean, torch.tensor([1.0, -5, 1]))
    torch.testing.assert_close(variance, torch.tensor([0.75, 2, 0.75]))


def test_gvae_averages_the_means_and_the_variances_of_a_subject() -> None:
    mean, variance = group_mean_and_variance(make(Gvae), [0, -5, 4], [1, 2, 3], [0, 1, 0])
    torch.testing.assert_close(mean, torch.tensor([2.0, -5, 2]))
    torch.testing.assert_close(variance, torch.tensor([2.0, 2, 2]))


def test_repeating_a_frame_four_times_quarters_the_variance_of_ml_vae_and_keeps_that_of_gvae() -> None:
    for cls, expected in ((MlVae, 0.5), (Gvae, 2.0)):
        mean, variance = group_mean_and_variance(make(cls), [3.0] * 4, [2.0] * 4, [7] * 4)
        torch.testing.assert_close(mean, torch.full((4,), 3.0))
        torch.testing.assert_close(variance, torch.full((4,), expected))


@pytest.mark.parametrize("cls", [MlVae, Gvae])
def test_a_group_of_one_keeps_the_frames_own_posterior(cls: type[MlVae]) -> None:
    method, batch = make(cls).eval(), batch_of([0, 1, 2, 4])
    own = method.identify(batch.images)
    group = method.group_posterior(own, torch.eye(4, dtype=torch.bool))
    torch.testing.assert_close(group.mean, own.mean)
    torch.testing.assert_close(group.logvar, own.logvar)


@pytest.mark.parametrize("cls", [MlVae, Gvae])
def test_the_order_of_the_frames_does_not_matter(cls: type[MlVae], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NOISE, lambda posterior: posterior.mean)
    method, batch, order = make(cls), batch_of([0, 1, 0, 2, 1, 0]), torch.tensor([4, 2, 0, 5, 1, 3])
    here, there = method.terms(batch), method.terms(in_order(batch, order))
    for name, term in here.items():
        torch.testing.assert_close(there[name], term[order], msg=name)


@pytest.mark.parametrize("cls", [MlVae, Gvae])
def test_the_elbo_has_one_identity_code_and_one_divergence_per_group(cls: type[MlVae]) -> None:
    method, batch = make(cls).eval(), batch_of([0, 1, 0, 0])
    made_from: list[Tensor] = []
    method.decoder.register_forward_pre_hook(lambda module, given: made_from.append(given[0]))
    terms = method.terms(batch)
    z_i, z_e = made_from[0].chunk(2, dim=1)
    assert torch.equal(z_i[[0, 0]], z_i[[2, 3]])
    assert not torch.isclose(z_i[0], z_i[1]).any()
    assert not torch.isclose(z_e[0], z_e[2]).any()
    who = batch.subjects
    group = method.group_posterior(method.identify(batch.images), who[:, None] == who)
    q_e, kl = method.represent(batch.images), 0.64 * gaussian_kl(*group)
    assert not torch.equal(z_i[0], group.mean[0])  # a sample, not the mean
    torch.testing.assert_close(terms["kl_identity"], kl * torch.tensor([1 / 3, 1, 1 / 3, 1 / 3]))
    torch.testing.assert_close(terms["kl_identity"].sum(), kl[0] + kl[1])
    torch.testing.assert_close(terms["kl"], 0.64 * gaussian_kl(*q_e))
    made = method.decode(z_i, z_e)
    torch.testing.assert_close(terms["reconstruction"], 1e5 * mean_squared_error(made, batch.images))


def test_frames_of_a_group_share_a_batch_and_encoding_does_not_pool_them() -> None:
    method = make(MlVae, frames_per_subject=5).eval()
    [stage] = method.stages()
    assert (stage.frames_per_subject, make(Gvae).stages()[0].frames_per_subject) == (5, 8)
    images = batch_of([0, 0, 0]).images
    together, alone = method.identify(images), method.identify(images[:1])
    torch.testing.assert_close(together.mean[:1], alone.mean)


@pytest.mark.parametrize("cls", [MlVae, Gvae, AdversarialVae])
def test_networks_and_initial_weights_equal_those_of_conventional(cls: type[Method]) -> None:
    other, conventional = make(cls).state_dict(), make(Conventional).state_dict()
    assert {key for key in other if not key.startswith("classifier")} == conventional.keys()
    assert all(torch.equal(other[key], value) for key, value in conventional.items())


def test_the_kl_from_uniform_is_0_for_equal_logits_and_does_not_depend_on_the_class() -> None:
    """KL((1/2, 1/2) || (3/4, 1/4)) = (log(2/3) + log 2) / 2."""
    logits = torch.tensor([[5.0, 5], [math.log(3), 0], [0, math.log(3)]])
    expected = (math.log(2 / 3) + math.log(2)) / 2
    torch.testing.assert_close(kl_from_uniform(logits), torch.tensor([0, expected, expected]))


def test_the_terms_of_the_adversarial_vae_are_its_equation() -> None:
    method, batch = make(AdversarialVae, adversarial_weight=7).eval(), batch_of([0, 0, 1, 1, 2, 2])
    torch.manual_seed(5)
    terms = method.generator_terms(batch)
    torch.manual_seed(5)
    q_i, q_e = method.identify(batch.same_subject), method.represent(batch.images)
    z_i, z_e = (q.mean + (q.logvar / 2).exp() * torch.randn_like(q.mean) for q in (q_i, q_e))
    probs = method.classifier(q_e.mean).softmax(1)
    expected = {
        "kl_identity": 0.64 * gaussian_kl(*q_i),
        "kl": 0.64 * gaussian_kl(*q_e),
        "reconstruction": 1e5 * mean_squared_error(method.decode(z_i, z_e), batch.images),
        "recognised": 7 * sum(math.log(1 / 3) - probs[:, k].log() for k in range(3)) / 3,
    }
    assert list(terms) == list(expected)
    for name, term in expected.items():
        torch.testing.assert_close(terms[name], term, rtol=1e-4, atol=1e-5, msg=name)
    right = probs[torch.arange(6), batch.subjects]
    torch.testing.assert_close(method.classifier_terms(batch)["subject"], -right.log())


def test_the_classifiers_phase_gives_no_gradient_to_the_encoders_nor_the_generators_to_the_classifier() -> (
    None
):
    method, batch = make(AdversarialVae), batch_of([0, 0, 1, 1, 2, 2])
    [stage] = method.stages()
    generator, classifier = stage.phases
    assert (generator.name, classifier.name) == ("generator", "classifier")
    networks = {"identity_encoder", "expression_encoder", "decoder"}
    method.classifier.requires_grad_(False)  # as the loop does, because the phase does not train it
    terms = generator.terms(batch)
    assert reached(method, torch.stack(list(terms.values())).sum()) == networks
    assert reached(method, generator.terms(batch)["recognised"].sum()) == {"expression_encoder"}
    method.requires_grad_(True)  # even if nothing is frozen
    assert reached(method, classifier.terms(batch)["subject"].sum()) == {"classifier"}


def test_z_i_of_the_adversarial_vae_does_not_come_from_the_decoded_image() -> None:
    method, batch = make(AdversarialVae), batch_of([0, 0, 1, 1, 2, 2])
    batch.images.requires_grad_(True)
    batch.same_subject.requires_grad_(True)
    kl = method.generator_terms(batch)["kl_identity"].sum()
    kl.backward()
    assert batch.images.grad is None
    assert batch.same_subject.grad is not None
    assert batch.same_subject.grad.any()
    read: list[Tensor] = []
    method.identity_encoder.register_forward_pre_hook(lambda module, given: read.append(given[0]))
    method.generator_terms(batch)
    [images] = read
    assert images is batch.same_subject


def test_the_length_of_a_code_does_not_change_the_classifiers_output() -> None:
    method, codes = make(AdversarialVae), torch.randn(4, 6)
    torch.testing.assert_close(method.classifier(0.1 * codes), method.classifier(codes), rtol=1e-3, atol=1e-4)
    assert not torch.isclose(method.classifier(-codes), method.classifier(codes)).all()


def test_the_classifier_learns_the_subject_and_the_generators_gradient_hides_it() -> None:
    """The codes are one-hot subjects; a step along the generator's gradient makes them harder to classify."""
    method, who = make(AdversarialVae), torch.arange(6) % 3
    batch = batch_of(who.tolist())
    batch.scratch["z_e"] = torch.nn.functional.one_hot(who, 6).float()
    optimiser = torch.optim.Adam(method.classifier.parameters(), 0.01)
    for _ in range(60):
        loss = method.classifier_terms(batch)["subject"].mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss < 0.1
    codes = batch.scratch["z_e"].clone().requires_grad_(True)
    cost = kl_from_uniform(method.classifier(codes))
    [gradient] = torch.autograd.grad(cost.sum(), codes)
    assert (kl_from_uniform(method.classifier(codes - 0.01 * gradient)) < cost).all()


@pytest.mark.parametrize("cls", [BetaVae, MlVae, Gvae, AdversarialVae])
def test_a_step_changes_every_weight_and_leaves_no_nan(cls: type[Method]) -> None:
    method = make(cls)
    before = {key: value.clone() for key, value in method.state_dict().items()}
    step(method, batch_of([0, 0, 1, 1, 2, 2]))
    for key, value in method.state_dict().items():
        assert not torch.equal(value, before[key]), key
        assert value.isfinite().all(), key
    assert not method.needs_subject

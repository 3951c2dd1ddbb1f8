"""The contract of all methods in the registry, and the equations of the paper's methods."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from omote.methods.method import Batch, Generative, GenerativeOptions, Method, Stage, sample
from omote.methods.proposed import Proposed
from omote.methods.registry import METHODS, method_class
from omote.methods.vae import Vae
from omote.models.encoder import Encoder
from omote.objectives.divergence import gaussian_kl
from omote.objectives.reconstruction import mean_squared_error
from omote.training.engine import make_engine
from omote.training.step import begin_stage, encode_frozen, subject_means, take_step

ALL_STAGES: dict[str, dict[str, Any]] = {"omote": {"sharpening": 1, "motion_weight": 24000}}  # options


def make(name: str, seed: int = 0, **options: Any) -> Method:
    torch.manual_seed(seed)
    cls = method_class(name)
    return cls(64, cls.Options.model_validate({"width": 8, "latent_size": 6, **options}), 3)


def give_codes(batch: Batch, stage: Stage) -> Batch:
    """Give a batch that is all of the training set the codes of the stage's frozen encoders, and return it."""
    batch.cached_posteriors = encode_frozen(stage, batch.images)
    batch.subject_means = {
        name: subject_means(posterior.mean, batch.subjects)[batch.subjects]
        for name, posterior in batch.cached_posteriors.items()
    }
    return batch


def batch_of(size: int = 6, stage: Stage | None = None) -> Batch:
    """Return a batch, with the codes of the stage's frozen encoders."""
    generator = torch.Generator().manual_seed(1)
    images, same = (torch.rand(size, 3, 64, 64, generator=generator) for _ in range(2))
    batch = Batch(images, same, torch.arange(size).roll(1), torch.ones(size), torch.arange(size) // 2)
    return give_codes(batch, stage) if stage else batch


def take(method: Method, stage: Stage, steps: int = 1, batch: Batch | None = None) -> dict[str, Tensor]:
    """Take steps as the training loop does; return the means of the last one."""
    engine = make_engine("cpu", "32-true")
    with stage.during():
        optimisers = begin_stage(method, stage)
        batch = batch or batch_of(stage=stage)
        for step in range(steps):
            torch.manual_seed(step)
            means = take_step(engine, stage, optimisers, batch)
    return means


@pytest.mark.parametrize("name", METHODS)
def test_terms_codes_and_images_have_the_shapes_of_the_contract(
    name: str,
) -> None:
    method, batch = make(name, **ALL_STAGES.get(name, {})), batch_of()
    for stage in method.stages():
        with stage.during():
            give_codes(batch, stage)
            for phase in stage.phases:  # in order: a later phase uses what an earlier one left in the batch
                terms = phase.terms(batch)
                assert terms
                assert all(term.shape == (6,) for term in terms.values())
                assert all(bool(term.isfinite().all()) for term in terms.values())
    q_e = method.represent(batch.images, batch.subjects)
    q_i = method.identify(batch.images, batch.subjects)
    assert q_e.mean.shape == q_e.logvar.shape == (6, 6)
    widths = {"vae": 0, "beta_vae": 0, "contrast": 0, "cvae": 3}
    assert q_i.mean.shape == q_i.logvar.shape == (6, widths.get(name, 6))
    assert method.has_identity == (q_i.mean.shape[1] > 0)
    if method.has_decoder:
        assert method.decode(q_i.mean, q_e.mean).shape == batch.images.shape


@pytest.mark.parametrize("name", METHODS)
def test_a_stage_changes_the_modules_it_trains_and_no_bit_of_the_others(name: str) -> None:
    method = make(name, **ALL_STAGES.get(name, {}))
    for stage in method.stages():
        before = {key: value.clone() for key, value in method.state_dict().items()}
        take(method, stage, steps=2)
        trained = {id(module) for phase in stage.phases for module in (*phase.trains, phase.average)}
        for child_name, child in method.named_children():
            # the state includes the running statistics of BatchNorm
            same = [
                torch.equal(value, before[f"{child_name}.{key}"]) for key, value in child.state_dict().items()
            ]
            assert all(same) if id(child) not in trained else not any(same), (stage.name, child_name)


def test_the_discriminators_phase_gives_no_gradient_to_the_generator() -> None:
    gradients = []
    for phases in (slice(1), slice(2)):
        method = make("proposed")
        stage = method.stages()[1]
        take(method, replace(stage, phases=stage.phases[phases]))
        gradients.append({name: p.grad for name, p in method.named_parameters() if p.grad is not None})
    alone, both = gradients
    assert {name.split(".")[0] for name in alone} == {"expression_encoder", "decoder"}
    assert {name.split(".")[0] for name in both.keys() - alone.keys()} == {"discriminator"}
    assert all(torch.equal(alone[name], both[name]) for name in alone)


@pytest.mark.parametrize("generator_loss", ["non_saturating", "minimax"])
def test_the_discriminators_phase_is_eq_3_of_images_decoded_before_the_generators_step(
    generator_loss: str,
) -> None:
    """Its weights get the same gradient as from Eq. 3 written out for the same images."""
    method = make("proposed", generator_loss=generator_loss)
    stage = method.stages()[1]
    batch = batch_of(stage=stage)
    take(method, stage, batch=batch)
    discriminator = make("proposed").get_submodule("discriminator")  # with the weights before its step
    x, fake = discriminator(batch.images), discriminator(batch.scratch["fakes"])
    x_rec, x_p = torch.sigmoid(fake).chunk(2)
    (-torch.sigmoid(x).log() - (1 - x_rec).log() - (1 - x_p).log()).mean().backward()
    for mine, fresh in zip(
        method.get_submodule("discriminator").parameters(), discriminator.parameters(), strict=True
    ):
        assert mine.grad is not None
        assert fresh.grad is not None
        torch.testing.assert_close(mine.grad, fresh.grad, rtol=1e-3, atol=1e-6)


def test_the_switch_loss_trains_expression_encoder_and_decoder_and_not_the_identity_encoder() -> None:
    method = make("proposed")
    stage = method.stages()[1]
    batch = batch_of(stage=stage)
    begin_stage(method, stage)
    method.requires_grad_(False)
    for module in stage.phases[0].trains:
        module.requires_grad_(True)
    terms = stage.phases[0].terms(batch)
    (terms["switch_identity"] + terms["switch_expression"]).sum().backward()
    reached = {
        name for name, child in method.named_children() if any(p.grad is not None for p in child.parameters())
    }
    assert reached == {"expression_encoder", "decoder"}


def test_identity_stage_is_eq_1_with_a_zero_expression_code_and_another_image_of_the_subject() -> None:
    method, batch = make("conventional"), batch_of()
    method.eval()
    torch.manual_seed(5)
    terms = method.stages()[0].phases[0].terms(batch)
    torch.manual_seed(5)
    q = method.identify(batch.images)
    z_i = q.mean + (q.logvar / 2).exp() * torch.randn_like(q.mean)
    made = method.decode(z_i, torch.zeros(6, 6))
    torch.testing.assert_close(terms["kl"], 0.64 * gaussian_kl(q.mean, q.logvar))
    torch.testing.assert_close(terms["reconstruction"], 1e5 * mean_squared_error(made, batch.same_subject))


def test_expression_stage_is_eq_5_term_by_term() -> None:
    method = make("proposed").eval()
    stage = method.stages()[1]
    batch = batch_of(stage=stage)
    torch.manual_seed(5)
    terms = stage.phases[0].terms(batch)
    torch.manual_seed(5)
    z_i, q = method.identify(batch.images).mean, method.represent(batch.images)
    z_e = q.mean + (q.logvar / 2).exp() * torch.randn_like(q.mean)
    prior = torch.randn(6, 6), torch.randn(6, 6)
    x, x_p, swapped = method.decode(z_i, z_e), method.decode(*prior), method.decode(z_i, z_e.roll(1, 0))
    discriminator = method.discriminator
    assert isinstance(discriminator, torch.nn.Module)
    as_real = sum(-torch.sigmoid(discriminator(made)).log() for made in (x, x_p))
    expected = {
        "kl": 0.64 * gaussian_kl(q.mean, q.logvar),
        "reconstruction": 1e5 * mean_squared_error(x, batch.images),
        "adversarial": as_real,
        "switch_identity": 10 * mean_squared_error(method.identify(swapped).mean, z_i),
        "switch_expression": 10 * mean_squared_error(method.represent(swapped).mean, z_e.roll(1, 0)),
    }
    assert list(terms) == list(expected)
    for name, term in expected.items():
        torch.testing.assert_close(terms[name], term, rtol=1e-3, atol=1e-5, msg=name)


def test_the_last_stage_judges_swapped_images_term_by_term(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("omote.methods.sharpening.draw_judged_views", lambda images: images.flip(2))
    method = make("omote", sharpening=1)
    stage = method.stages()[-1]
    take(method, stage)  # so that the painter paints
    method.eval()
    batch = batch_of(stage=stage)
    judged: list[Tensor] = []
    method.get_submodule("critic").register_forward_hook(lambda _, __, logits: judged.append(logits))
    torch.manual_seed(5)
    terms = stage.phases[0].terms(batch)
    torch.manual_seed(5)
    images = torch.where(torch.rand(6, 1, 1, 1) < 0.5, batch.images.flip(3), batch.images)
    assert 0 < (images == batch.images).all((1, 2, 3)).sum() < 6
    z_i, z_e = method.identify(images).mean, method.represent(images).mean
    painter = method.get_submodule("painter")
    pairs = [(z_i, each) for each in (z_e, z_e.roll(1, 0))]
    coarse = make("omote", sharpening=0).eval()
    coarse.load_state_dict(method.state_dict(), strict=False)
    rebuilt, swapped = (painter(torch.cat(pair, 1), coarse.decode(*pair)) for pair in pairs)
    expected = {
        "reconstruction": 1e5 * mean_squared_error(rebuilt, images),
        "adversarial": -1e4 * torch.sigmoid(judged[0]).log(),
        "switch_identity": 3e3 * mean_squared_error(method.identify(swapped).mean, z_i),
        "switch_expression": 3e3 * mean_squared_error(method.represent(swapped).mean, z_e.roll(1, 0)),
    }
    assert list(terms) == list(expected)
    for name, term in expected.items():
        torch.testing.assert_close(terms[name], term, rtol=1e-3, atol=1e-5, msg=name)
    torch.testing.assert_close(batch.scratch["swapped"], swapped)
    assert not batch.scratch["swapped"].requires_grad
    terms = stage.phases[1].terms(batch)
    torch.testing.assert_close(terms["real"], -torch.sigmoid(judged[1]).log())
    torch.testing.assert_close(terms["swapped"], -(1 - torch.sigmoid(judged[2])).log())
    assert [bool(term > 0) for term in terms["penalty"]] == [True, True, False, False, False, False]
    some = images[:2].flip(2).requires_grad_()  # a quarter of six, rounded up
    (gradient,) = torch.autograd.grad(method.get_submodule("critic")(some, z_i[:2]).sum(), some)
    expected_penalty = 0.015 * gradient.square().sum((1, 2, 3)).mean() / 2
    torch.testing.assert_close(terms["penalty"].mean(), expected_penalty, rtol=1e-3, atol=0)


@pytest.mark.parametrize(("size", "rate"), [(64, 1e-3), (128, 5e-4)])
def test_the_last_stage_takes_smaller_steps_on_larger_images(size: int, rate: float) -> None:
    cls = method_class("omote")
    options = cls.Options.model_validate({"width": 8, "sharpening": 1})
    phases = cls(size, options).stages()[-1].phases
    assert [phase.learning_rate for phase in phases] == [rate, rate]


def test_the_last_stage_changes_no_code_and_replaces_the_images() -> None:
    method, images = make("omote", sharpening=1), batch_of().images
    coarse, sharp = make("omote", sharpening=0).eval(), method.eval()
    coarse.load_state_dict(method.state_dict(), strict=False)
    codes = method.identify(images).mean, method.represent(images).mean
    torch.testing.assert_close(sharp.decode(*codes), coarse.decode(*codes), atol=0.006, rtol=0)
    take(method, method.stages()[-1], steps=2)
    method.eval()
    after = method.identify(images).mean, method.represent(images).mean
    assert all(torch.equal(*pair) for pair in zip(codes, after, strict=True))
    assert not torch.allclose(sharp.decode(*codes), coarse.decode(*codes), atol=0.006)


def test_an_image_without_a_partner_has_no_switch_loss() -> None:
    stage = make("proposed").stages()[1]
    batch = batch_of(stage=stage)
    batch.has_partner[2] = 0
    terms = stage.phases[0].terms(batch)
    for name in ("switch_identity", "switch_expression"):
        assert [bool(term > 0) for term in terms[name]] == [True, True, False, True, True, True]


def test_the_options_of_the_rows_leave_out_what_they_say() -> None:
    def phases(**options: Any) -> list[list[str]]:
        stage = make("proposed", **options).stages()[1]
        batch = batch_of(stage=stage)
        return [list(phase.terms(batch)) for phase in stage.phases]

    assert phases(switch_weight=0) == [
        ["kl", "reconstruction", "adversarial"],
        ["real", "reconstructed", "prior"],
    ]
    assert phases(adversarial_weight=0) == [["kl", "reconstruction", "switch_identity", "switch_expression"]]
    stages = make("proposed", repetitions=5, epochs=50).stages()
    assert [(stage.name, stage.epochs) for stage in stages] == [("identity", 50), ("expression", 50)] * 5


def test_proposed_without_its_two_losses_is_conventional_to_the_bit() -> None:
    states = []
    neither: dict[str, Any] = {"adversarial_weight": 0, "switch_weight": 0}
    for method in (make("conventional"), make("proposed", **neither)):
        for stage in method.stages():
            take(method, stage, steps=2)
        states.append(method.state_dict())
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


@pytest.mark.parametrize("name", [name for name in METHODS if method_class(name).has_decoder])
def test_encoders_can_read_views_while_the_images_to_decode_stay(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("omote.methods.method.augment", lambda images, **_: torch.zeros_like(images))
    method, batch = make(name, encode_views=True), batch_of()
    read: list[Tensor] = []
    targets: list[Tensor] = []
    for module in method.children():
        if isinstance(module, Encoder):
            module.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0][:6]))
    assert isinstance(method, Generative)
    error = method.reconstruction

    def reconstruction(output: Tensor, target: Tensor) -> Tensor:
        targets.append(target)
        return error(output, target)

    monkeypatch.setattr(method, "reconstruction", reconstruction)
    for stage in method.stages():
        with stage.during():
            give_codes(batch, stage)
            read.clear()
            targets.clear()
            for phase in stage.phases:
                phase.terms(batch)
        images = [image for image in read if (image == 0).all()]
        # the others are swapped images, which the switch loss reads as they are
        assert len(images) == {"ml_vae": 2, "gvae": 2, "adversarial_vae": 2}.get(name, 1)
        assert not any(
            torch.equal(image, given) for image in read for given in (batch.images, batch.same_subject)
        )
        assert len(targets) == 1
        assert torch.equal(targets[0], batch.same_subject if stage.name == "identity" else batch.images)


def test_the_readings_of_the_weights_change_the_terms_as_they_say() -> None:
    batch = batch_of()

    def terms(**options: Any) -> dict[str, Tensor]:
        method = make("vae", kl_weight=0.01, **options)
        method.eval()
        torch.manual_seed(3)
        return method.stages()[0].phases[0].terms(batch)

    plain, printed = terms(), terms(weights="printed")
    torch.testing.assert_close(printed["kl"], plain["kl"] * 1e7)
    torch.testing.assert_close(printed["reconstruction"], plain["reconstruction"] * 1e-7)
    torch.testing.assert_close(terms(kl_reduction="batch_sum")["kl"], plain["kl"] * 6)
    torch.testing.assert_close(terms(resolution_invariant=True)["kl"], plain["kl"])  # 64 px is the reference


def expression_terms(**options: Any) -> tuple[Method, Batch, dict[str, Tensor]]:
    """Return `proposed` in evaluation mode, a batch, and its terms of the expression stage with noise of seed 5."""
    method = make("proposed", **options).eval()
    stage = method.stages()[1]
    batch = batch_of(stage=stage)
    torch.manual_seed(5)
    return method, batch, stage.phases[0].terms(batch)


def test_a_bernoulli_likelihood_replaces_the_squared_error_by_the_cross_entropy() -> None:
    terms, batch = {}, batch_of()
    for likelihood in ("mse", "bce"):
        vae = make("vae", likelihood=likelihood).eval()
        torch.manual_seed(3)
        terms[likelihood] = vae.stages()[0].phases[0].terms(batch)
    torch.manual_seed(3)
    output = vae.decode(torch.zeros(6, 0), sample(vae.represent(batch.images)))
    expected = 1e5 * torch.nn.functional.binary_cross_entropy(output, batch.images, reduction="none")
    torch.testing.assert_close(terms["bce"]["reconstruction"], expected.mean((1, 2, 3)))
    assert not torch.isclose(terms["bce"]["reconstruction"], terms["mse"]["reconstruction"]).any()
    assert torch.equal(terms["bce"]["kl"], terms["mse"]["kl"])


def test_an_identity_code_can_be_a_sample_in_the_expression_stage() -> None:
    method, batch, terms = expression_terms(identity_code="sample")
    torch.manual_seed(5)
    z_i, z_e = sample(method.identify(batch.images)), sample(method.represent(batch.images))
    output = method.decode(z_i, z_e)
    torch.testing.assert_close(
        terms["reconstruction"], 1e5 * mean_squared_error(output, batch.images), rtol=1e-3, atol=1e-5
    )
    mean = method.decode(method.identify(batch.images).mean, z_e)
    assert not torch.isclose(terms["reconstruction"], 1e5 * mean_squared_error(mean, batch.images)).any()


def test_the_switch_code_can_be_the_mean_of_the_partners_posterior() -> None:
    method, batch, terms = expression_terms(switch_code="mean")
    z_i, z_ed = method.identify(batch.images).mean, method.represent(batch.images).mean.roll(1, 0)
    swapped = method.decode(z_i, z_ed)
    for name, encoded, code in (
        ("switch_identity", method.identify(swapped), z_i),
        ("switch_expression", method.represent(swapped), z_ed),
    ):
        torch.testing.assert_close(
            terms[name], 10 * mean_squared_error(encoded.mean, code), rtol=1e-3, atol=1e-5
        )
    sampled = expression_terms()[2]
    assert not torch.isclose(terms["switch_expression"], sampled["switch_expression"]).any()
    assert torch.equal(terms["reconstruction"], sampled["reconstruction"])


@pytest.mark.parametrize("normalisation", ["none", "batch"])
def test_only_a_normalised_discriminator_mixes_the_images_of_a_batch(normalisation: str) -> None:
    method = make("proposed", discriminator_normalisation=normalisation)
    discriminator, images = method.get_submodule("discriminator"), batch_of().images
    norms = [module for module in discriminator.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    alone, together = discriminator(images[:2]), discriminator(images)[:2]
    assert (len(norms), torch.allclose(alone, together, rtol=1e-3)) == ((0, True), (8, False))[
        normalisation == "batch"
    ]
    stage = method.stages()[1]
    means = take(method, stage, steps=2, batch=batch_of(stage=stage))
    assert all(bool(mean.isfinite()) for mean in means.values())


def test_at_128_px_a_resolution_invariant_kl_has_a_quarter_of_the_weight() -> None:
    vae = make("vae")
    assert isinstance(vae, Vae)
    posterior = vae.represent(torch.rand(2, 3, 64, 64))
    for invariant, factor in ((False, 1.0), (True, 0.25)):
        method = Vae(128, GenerativeOptions(width=8, latent_size=6, resolution_invariant=invariant))
        torch.testing.assert_close(method.kl(posterior), factor * vae.kl(posterior))


def test_a_method_without_a_decoder_has_no_options_for_one() -> None:
    assert "kl_weight" not in method_class("contrast").Options.model_fields
    with pytest.raises(ValueError, match="kl_weight"):
        make("contrast", kl_weight=1)


def test_the_switch_target_gets_a_gradient_only_if_asked_for() -> None:
    """With ``switch_target_gradient``, L_switch has a gradient into z_e^d itself."""
    for target_gradient in (False, True):
        method, batch = make("proposed", switch_target_gradient=target_gradient), batch_of()
        method.eval()
        z_i, z_ed = torch.zeros(6, 6), torch.zeros(6, 6, requires_grad=True)
        assert isinstance(method, Proposed)
        terms = method.switch_terms(batch.images, z_i, z_ed, batch.has_partner)
        torch.stack(list(terms.values())).sum().backward()
        assert (z_ed.grad is not None) == target_gradient


def test_encoder_and_decoder_of_cvae_use_the_subject() -> None:
    method, batch = make("cvae"), batch_of()
    method.eval()
    one_hot = method.identify(batch.images, batch.subjects).mean
    assert one_hot.tolist() == [[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1]]
    q = method.represent(batch.images, batch.subjects)
    assert not torch.allclose(q.mean, method.represent(batch.images, batch.subjects.flip(0)).mean)
    assert not torch.allclose(method.decode(one_hot, q.mean), method.decode(one_hot.flip(0), q.mean))
    torch.manual_seed(5)
    terms = method.stages()[0].phases[0].terms(batch)
    torch.manual_seed(5)
    z = q.mean + (q.logvar / 2).exp() * torch.randn_like(q.mean)
    torch.testing.assert_close(terms["kl"], 0.64 * gaussian_kl(q.mean, q.logvar))
    torch.testing.assert_close(
        terms["reconstruction"], 1e5 * mean_squared_error(method.decode(one_hot, z), batch.images)
    )


def test_a_cvae_with_zero_condition_weights_is_a_vae() -> None:
    cvae, vae = make("cvae", seed=0), make("vae", seed=1)
    state = {key: value for key, value in cvae.state_dict().items() if key.startswith("encoder")}
    state["encoder.condition.weight"] = torch.zeros(8, 3)
    cvae.load_state_dict({**cvae.state_dict(), **state})
    del state["encoder.condition.weight"]
    vae.load_state_dict({**vae.state_dict(), **state})
    batch = batch_of()
    assert torch.equal(
        cvae.eval().represent(batch.images, batch.subjects).mean, vae.eval().represent(batch.images).mean
    )

"""The contract over the whole registry, and the equations of each method."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from omote.methods.method import Batch, GenerativeOptions, Method, Stage
from omote.methods.proposed import Proposed
from omote.methods.registry import METHODS, method_class
from omote.methods.vae import Vae
from omote.objectives.divergence import gaussian_kl
from omote.objectives.reconstruction import mean_squared_error
from omote.training.fabric import make_fabric
from omote.training.step import begin_stage, encode_frozen, take_step


def make(name: str, seed: int = 0, **options: Any) -> Method:
    torch.manual_seed(seed)
    cls = method_class(name)
    return cls(64, cls.Options.model_validate({"width": 8, "latent_size": 6, **options}), 3)


def batch_of(size: int = 6, stage: Stage | None = None) -> Batch:
    """Return a batch, with what the stage remembers of it."""
    generator = torch.Generator().manual_seed(1)
    images, same = (torch.rand(size, 3, 64, 64, generator=generator) for _ in range(2))
    batch = Batch(images, same, torch.arange(size).roll(1), torch.ones(size), torch.arange(size) // 2)
    if stage:
        batch.cached_posteriors = encode_frozen(stage, images)
    return batch


def take(method: Method, stage: Stage, steps: int = 1, batch: Batch | None = None) -> dict[str, Tensor]:
    """Take a few of the loop's own steps; return the last one's means."""
    fabric = make_fabric("cpu", "32-true")
    optimisers = begin_stage(method, stage)
    for step in range(steps):
        torch.manual_seed(step)
        means = take_step(fabric, stage, optimisers, batch or batch_of(stage=stage))
    return means


@pytest.mark.parametrize("name", METHODS)
def test_terms_are_one_number_an_image_and_codes_and_images_have_the_shapes_of_the_contract(
    name: str,
) -> None:
    method, batch = make(name), batch_of()
    for stage in method.stages():
        batch.cached_posteriors = encode_frozen(stage, batch.images)
        for phase in stage.phases:  # a later phase finds what an earlier one left in the batch
            terms = phase.terms(batch)
            assert terms
            assert all(term.shape == (6,) for term in terms.values())
            assert all(bool(term.isfinite().all()) for term in terms.values())
    q_e = method.represent(batch.images, batch.subjects)
    q_i = method.identify(batch.images, batch.subjects)
    assert q_e.mean.shape == q_e.logvar.shape == (6, 6)
    widths = {"vae": 0, "beta_vae": 0, "contrast": 0, "cvae": 3}
    assert q_i.mean.shape == q_i.logvar.shape == (6, widths.get(name, 6))
    if method.has_decoder:
        assert method.decode(q_i.mean, q_e.mean).shape == batch.images.shape


@pytest.mark.parametrize("name", METHODS)
def test_a_stage_moves_the_modules_it_names_and_leaves_all_others_bit_identical(name: str) -> None:
    method = make(name)
    for stage in method.stages():
        before = {key: value.clone() for key, value in method.state_dict().items()}
        take(method, stage, steps=2)
        trained = {id(module) for phase in stage.phases for module in phase.trains}
        for child_name, child in method.named_children():
            # running means and variances are in the state too
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
def test_the_discriminators_phase_is_eq_3_of_images_made_before_the_generators_step(
    generator_loss: str,
) -> None:
    """Its weights get the gradient that fresh logits of the same images would give them."""
    method = make("proposed", generator_loss=generator_loss)
    stage = method.stages()[1]
    batch = batch_of(stage=stage)
    take(method, stage, batch=batch)
    discriminator = make("proposed").get_submodule("discriminator")  # as it was before its step
    x, made = discriminator(batch.images), discriminator(batch.scratch["fakes"])
    x_made, x_p = torch.sigmoid(made).chunk(2)
    (-torch.sigmoid(x).log() - (1 - x_made).log() - (1 - x_p).log()).mean().backward()
    for mine, fresh in zip(
        method.get_submodule("discriminator").parameters(), discriminator.parameters(), strict=True
    ):
        assert mine.grad is not None
        assert fresh.grad is not None
        torch.testing.assert_close(mine.grad, fresh.grad, rtol=1e-3, atol=1e-6)


def test_the_expression_encoder_learns_from_the_switch_loss_and_the_identity_encoder_does_not() -> None:
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
    torch.testing.assert_close(terms["kl"], 0.01 * gaussian_kl(q.mean, q.logvar))
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
        "kl": 0.01 * gaussian_kl(q.mean, q.logvar),
        "reconstruction": 1e5 * mean_squared_error(x, batch.images),
        "adversarial": as_real,
        "switch_identity": 10 * mean_squared_error(method.identify(swapped).mean, z_i),
        "switch_expression": 10 * mean_squared_error(method.represent(swapped).mean, z_e.roll(1, 0)),
    }
    assert list(terms) == list(expected)
    for name, term in expected.items():
        torch.testing.assert_close(terms[name], term, rtol=1e-3, atol=1e-5, msg=name)


def test_an_image_without_a_partner_pays_no_switch_loss() -> None:
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


def test_swapped_and_printed_weights_and_the_other_readings_of_the_balance() -> None:
    batch = batch_of()

    def terms(**options: Any) -> dict[str, Tensor]:
        method = make("vae", **options)
        method.eval()
        torch.manual_seed(3)
        return method.stages()[0].phases[0].terms(batch)

    plain, printed = terms(), terms(weights="printed")
    torch.testing.assert_close(printed["kl"], plain["kl"] * 1e7)
    torch.testing.assert_close(printed["reconstruction"], plain["reconstruction"] * 1e-7)
    torch.testing.assert_close(terms(kl_reduction="batch_sum")["kl"], plain["kl"] * 6)
    torch.testing.assert_close(terms(resolution_invariant=True)["kl"], plain["kl"])  # 64 px is the reference


def test_at_128_px_a_resolution_invariant_kl_weighs_a_quarter() -> None:
    vae = make("vae")
    assert isinstance(vae, Vae)
    posterior = vae.represent(torch.rand(2, 3, 64, 64))
    for invariant, factor in ((False, 1.0), (True, 0.25)):
        method = Vae(128, GenerativeOptions(width=8, latent_size=6, resolution_invariant=invariant))
        torch.testing.assert_close(method.kl(posterior), factor * vae.kl(posterior))


def test_a_method_without_a_decoder_has_no_options_of_one() -> None:
    assert "kl_weight" not in method_class("contrast").Options.model_fields
    with pytest.raises(ValueError, match="kl_weight"):
        make("contrast", kl_weight=1)


def test_the_switch_target_gets_gradient_only_where_asked() -> None:
    """The code z_e^d is read from x; with the target detached and no other term, only the re-reading moves it."""
    for moves in (False, True):
        method, batch = make("proposed", switch_target_gradient=moves), batch_of()
        method.eval()
        z_i, z_ed = torch.zeros(6, 6), torch.zeros(6, 6, requires_grad=True)
        assert isinstance(method, Proposed)
        terms = method.switch_terms(batch.images, z_i, z_ed, batch.has_partner)
        torch.stack(list(terms.values())).sum().backward()
        assert (z_ed.grad is not None) == moves


def test_cvae_is_told_the_subject_in_encoder_and_decoder() -> None:
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
    torch.testing.assert_close(terms["kl"], 0.01 * gaussian_kl(q.mean, q.logvar))
    torch.testing.assert_close(
        terms["reconstruction"], 1e5 * mean_squared_error(method.decode(one_hot, z), batch.images)
    )


def test_a_condition_on_nobody_leaves_a_vae() -> None:
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

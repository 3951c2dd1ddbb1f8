"""`contrast` and `omote`: their equations, and what each stage trains."""

import math
from typing import Any

import pytest
import torch

from omote.methods.contrast import Contrast, normalise_mean
from omote.methods.method import Batch, Method, Stage, Terms, sample
from omote.methods.omote import Omote
from omote.models.encoder import Posterior
from omote.objectives.contrast import contrast_within_subject
from omote.objectives.divergence import gaussian_kl
from omote.objectives.reconstruction import mean_squared_error
from omote.training.step import encode_frozen
from tests.methods.test_methods import batch_of, make, take


def terms_of(method: Method, name: str, batch: Batch) -> Terms:
    stage = next(each for each in method.stages() if each.name == name)
    batch.cached_posteriors = encode_frozen(stage, batch.images)
    return stage.phases[0].terms(batch)


def test_codes_are_points_of_length_sqrt_z() -> None:
    code = normalise_mean(Posterior(torch.tensor([[3.0, 4.0], [-1e-3, 0.0]]), torch.zeros(2, 2))).mean
    torch.testing.assert_close(code, math.sqrt(2) * torch.tensor([[0.6, 0.8], [-1.0, 0.0]]))
    for name in ("contrast", "omote"):
        mean, logvar = make(name).eval().represent(batch_of().images)
        assert bool((logvar == -torch.inf).all())
        torch.testing.assert_close(mean.norm(dim=1), torch.full((6,), math.sqrt(6)))


@pytest.mark.parametrize("name", ["contrast", "omote"])
def test_the_contrast_compares_two_views_of_the_images(name: str) -> None:
    method, batch = make(name, temperature=0.3, light=0.5).eval(), batch_of()
    assert isinstance(method, Contrast | Omote)
    torch.manual_seed(5)
    terms = terms_of(method, "contrast", batch)
    torch.manual_seed(5)
    views = [method.options.draw_views(batch.images) for _ in range(2)]
    assert not torch.equal(*views)
    one, other = (method.represent(view).mean for view in views)
    torch.testing.assert_close(terms, {"contrast": contrast_within_subject(one, other, batch.subjects, 0.3)})


def test_the_decoder_normalises_an_expression_code_between_two_others() -> None:
    method = make("omote").eval()
    z_i, near, far = torch.zeros(1, 6), 6**0.5 * torch.eye(6)[:1], 6**0.5 * torch.eye(6)[1:2]
    half = (near + far) / 2
    torch.testing.assert_close(method.decode(z_i, half), method.decode(z_i, half * 2**0.5))
    assert not torch.allclose(method.decode(z_i, torch.zeros(1, 6)), method.decode(z_i, half))


def test_among_everyone_the_negatives_include_other_people() -> None:
    batch = batch_of()
    batch.subjects = torch.arange(6)
    for among, alone in (("subject", True), ("everyone", False)):
        method = make("contrast", among=among)
        assert isinstance(method, Contrast)
        assert bool((terms_of(method, "contrast", batch)["contrast"].abs() < 1e-6).all()) == alone


def test_without_augmentation_the_views_are_the_images() -> None:
    """A batch with one frame per subject has no negatives, so the contrast is 0."""
    nothing: dict[str, Any] = {"light": 0, "placement": 0, "mirror": False, "surroundings": False}
    method, batch = make("contrast", **nothing), batch_of()
    assert isinstance(method, Contrast)
    assert torch.equal(method.options.draw_views(batch.images), batch.images)
    batch.subjects = torch.arange(6)
    assert terms_of(method, "contrast", batch)["contrast"].abs().max() < 1e-6


def test_contrast_learns_what_varies_within_a_person_and_not_the_identity() -> None:
    """Colour is the person, the position of a spot the expression; nearest codes then agree in the spot."""
    who, what = torch.arange(16) // 4, torch.arange(16) % 4
    images = torch.full((16, 3, 64, 64), 0.1)
    images += torch.tensor([[0.4, 0, 0], [0, 0.4, 0], [0, 0, 0.4], [0.3, 0.3, 0.3]])[who][:, :, None, None]
    for image, place in zip(images, what.tolist(), strict=True):
        row, column = 22 + 16 * (place // 2), 22 + 16 * (place % 2)
        image[:, row : row + 8, column : column + 8] = 1
    method, batch = make("contrast", mirror=False, learning_rate=2e-3), batch_of(16)
    batch.images, batch.subjects = images, who
    take(method, method.stages()[0], steps=60, batch=batch)
    code = method.eval().represent(images).mean
    near = code @ code.T - 1e3 * torch.eye(16)
    assert (what[near.argmax(1)] == what).float().mean() >= 0.9
    assert (who[near.argmax(1)] == who).float().mean() <= 0.2


def test_frames_of_a_subject_share_a_batch_in_the_stage_that_compares_them() -> None:
    def stages(**options: Any) -> list[tuple[str, int, int]]:
        method = make("omote", frames_per_subject=5, epochs=3, **options)
        return [(stage.name, stage.epochs, stage.frames_per_subject) for stage in method.stages()]

    assert stages() == [("contrast", 3, 5), ("face", 3, 1), ("decoder", 3, 1)]
    assert stages(among="everyone")[0] == ("contrast", 3, 1)


def face_terms(method: Method, batch: Batch) -> Terms:
    torch.manual_seed(5)
    return terms_of(method, "face", batch)


def test_the_face_stage_is_eq_1_given_the_expression_code() -> None:
    method, batch = make("omote").eval(), batch_of()
    assert isinstance(method, Omote)
    terms = face_terms(method, batch)
    torch.manual_seed(5)
    q_i, z_e = method.identify(batch.same_subject), method.represent(batch.images).mean
    made = method.decode(sample(q_i), z_e)
    assert list(terms) == ["kl", "reconstruction"]
    torch.testing.assert_close(terms["kl"], 0.01 * gaussian_kl(*q_i))
    torch.testing.assert_close(terms["reconstruction"], 1e5 * mean_squared_error(made, batch.images))


def test_the_decoder_stage_is_eqs_2_and_4_given_both_codes() -> None:
    assert list(terms_of(make("omote"), "decoder", batch_of())) == ["reconstruction"]
    method, batch = make("omote", switch_weight=7).eval(), batch_of()
    batch.has_partner[2] = 0
    terms = terms_of(method, "decoder", batch)
    z_i, z_e = method.identify(batch.images).mean, method.represent(batch.images).mean
    swapped = method.decode(z_i, z_e.roll(1, 0))
    gamma = 7 * batch.has_partner
    expected = {
        "reconstruction": 1e5 * mean_squared_error(method.decode(z_i, z_e), batch.images),
        "switch_identity": gamma * mean_squared_error(method.identify(swapped).mean, z_i),
        "switch_expression": gamma * mean_squared_error(method.represent(swapped).mean, z_e.roll(1, 0)),
    }
    assert list(terms) == list(expected)
    for name, term in expected.items():
        torch.testing.assert_close(terms[name], term, rtol=1e-3, atol=1e-5, msg=name)


def test_the_identity_code_does_not_come_from_the_decoded_image() -> None:
    """If it did, its KL divergence would change with that image."""
    method, batch = make("omote").eval(), batch_of()
    before = face_terms(method, batch)
    batch.images = batch.images.flip(0)
    after = face_terms(method, batch)
    assert torch.equal(before["kl"], after["kl"])
    assert not torch.isclose(before["reconstruction"], after["reconstruction"]).any()


def test_omote_and_contrast_learn_the_same_expression_code() -> None:
    """Only the contrast trains the expression encoder: from equal weights both end with equal weights, bit for bit."""
    omote, contrast = make("omote"), make("contrast")
    assert isinstance(omote, Omote)
    assert isinstance(contrast, Contrast)
    contrast.encoder.load_state_dict(omote.expression_encoder.state_dict())
    stages: list[tuple[Method, Stage]] = [(omote, stage) for stage in omote.stages()]
    for method, stage in [*stages, (contrast, contrast.stages()[0])]:
        take(method, stage, steps=2)
    images = batch_of().images
    assert torch.equal(omote.eval().represent(images).mean, contrast.eval().represent(images).mean)

"""`contrast` and `omote`: their equations, and what the contrast trains."""

import math
from typing import Any

import torch
from torch import Tensor

from omote.methods.contrast import Contrast, normalise_length
from omote.methods.method import Batch, Method, Terms
from omote.methods.omote import Omote
from omote.objectives.contrast import contrast_within_subject
from omote.objectives.motion import motion_error
from tests.methods.test_methods import batch_of, give_codes, make, take


def terms_of(method: Method, name: str, batch: Batch) -> Terms:
    stage = next(each for each in method.stages() if each.name == name)
    with stage.during():
        return stage.phases[0].terms(give_codes(batch, stage))


def test_codes_are_points_of_length_sqrt_z() -> None:
    code = normalise_length(torch.tensor([[3.0, 4.0], [-1e-3, 0.0]]))
    torch.testing.assert_close(code, math.sqrt(2) * torch.tensor([[0.6, 0.8], [-1.0, 0.0]]))
    mean, logvar = make("contrast").eval().represent(batch_of().images)
    assert bool((logvar == -torch.inf).all())
    torch.testing.assert_close(mean.norm(dim=1), torch.full((6,), math.sqrt(6)))


def test_the_contrast_compares_two_views_of_the_images() -> None:
    method, batch = make("contrast", temperature=0.3, light=0.5).eval(), batch_of()
    assert isinstance(method, Contrast)
    torch.manual_seed(5)
    terms = terms_of(method, "contrast", batch)
    torch.manual_seed(5)
    views = [method.options.draw_views(batch.images) for _ in range(2)]
    assert not torch.equal(*views)
    one, other = (method.represent(view).mean for view in views)
    torch.testing.assert_close(terms, {"contrast": contrast_within_subject(one, other, batch.subjects, 0.3)})


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


def spots(colour: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return 16 images, their person and their expression: colour is the person, the place of a spot the expression."""
    who, what = torch.arange(16) // 4, torch.arange(16) % 4
    images = torch.full((16, 3, 64, 64), 0.1)
    images += colour * torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]])[who][:, :, None, None]
    for image, place in zip(images, what.tolist(), strict=True):
        row, column = 22 + 16 * (place // 2), 22 + 16 * (place % 2)
        image[:, row : row + 8, column : column + 8] = 1
    return images, who, what


def test_contrast_learns_what_varies_within_a_person_and_not_the_identity() -> None:
    """Nearest codes agree in the spot, not in the colour."""
    images, who, what = spots(0.35)
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

    codes = [("identity", 3, 1), ("expression", 3, 5)]
    relative, last = [("relative", 1, 1)], [("sharpening", 3, 1)]
    assert stages() == codes + relative
    assert stages(sharpening=1) == codes + relative + last
    assert stages(relative=0) == codes
    assert stages(repetitions=2, relative=0, sharpening=2.5) == 2 * codes + [("sharpening", 8, 1)]
    assert stages(relative=0.1, sharpening=0.1)[2:] == [("relative", 1, 1), ("sharpening", 1, 1)]
    assert stages(among="everyone")[1] == ("expression", 3, 1)
    assert stages(among="everyone", motion_weight=1)[1] == ("expression", 3, 5)
    assert stages(motion_weight=1) == codes + relative


def test_omote_is_eq_5_without_l_gan_the_contrast_of_each_image_and_a_view_and_the_motion() -> None:
    batch = batch_of()  # two images a person
    method = make("omote", contrast_weight=30.0, temperature=0.3, motion_weight=7.0).eval()
    assert isinstance(method, Omote)
    paper = make("proposed", adversarial_weight=0.0, kl_weight=0.01).eval()
    paper.load_state_dict(method.state_dict())

    torch.manual_seed(5)
    views = method.options.draw_views(batch.images)
    terms = terms_of(paper, "expression", batch)
    own, of_view = (method.represent(images).mean for images in (batch.images, views))
    terms["contrast"] = 30 * contrast_within_subject(own, of_view, batch.subjects, 0.3)
    small = torch.nn.functional.avg_pool2d(batch.images, 2)
    other = small.unflatten(0, (3, 2)).flip(1).flatten(0, 1)  # before its training, nothing moves it
    terms["motion"] = 7 * motion_error(other, small)

    torch.manual_seed(5)
    found = terms_of(method, "expression", batch)
    assert list(found) == list(terms)
    for name, term in terms.items():
        torch.testing.assert_close(found[name], term, rtol=1e-4, atol=1e-5, msg=name)


def test_the_contrast_of_omote_trains_the_expression_encoder_only() -> None:
    method, batch = make("omote"), batch_of()
    terms_of(method, "expression", batch)["contrast"].mean().backward()
    gradients = {
        name: sum(float(each.grad.abs().sum()) for each in part.parameters() if each.grad is not None)
        for name, part in method.named_children()
    }
    assert gradients.pop("expression_encoder") > 0
    assert set(gradients.values()) == {0.0}

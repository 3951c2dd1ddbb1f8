"""Draws from the posterior and its divergence, and what a collapsed code gives away."""

import math

import numpy as np
import pytest
import torch

from omote.metrics.leakage import identity_probe
from omote.metrics.posterior import POINT, is_point, kl_scores, sample_posterior
from omote.objectives.divergence import gaussian_kl


def test_the_divergence_is_that_of_the_training() -> None:
    rng = np.random.default_rng(0)
    mean, logvar = rng.normal(size=(50, 6)).astype(np.float32), rng.normal(size=(50, 6)).astype(np.float32)
    each = gaussian_kl(torch.from_numpy(mean), torch.from_numpy(logvar)).double().numpy()
    kl = kl_scores(mean, logvar)["kl"]
    assert kl[:3] == pytest.approx((each.mean(), each.std(ddof=1), 0), rel=1e-5)


def test_divergence_and_active_units_by_hand() -> None:
    # means of -1 and 1: half a nat, variance 1; always 2: two nats, but it tells no image from another; 0.05: 0.0025
    mean = np.array([[-1.0, 2, -0.05], [1, 2, 0.05]])
    scores = kl_scores(mean, np.zeros((2, 3)))
    assert scores["kl"].value == pytest.approx(0.5 + 2 + 0.5 * 0.05**2)
    assert scores["active_units"].value == 1
    assert scores["second_moment"].value == pytest.approx((1 + 4 + 0.05**2) / 3 + 1)
    assert scores["directions"].value == pytest.approx(1)


def test_samples_of_the_prior_have_second_moment_1_and_vary_in_as_many_directions_as_they_use() -> None:
    codes = np.random.default_rng(0).normal(size=(20_000, 8))
    points = np.full(codes.shape, -30.0)
    assert kl_scores(codes, points)["second_moment"].value == pytest.approx(1, abs=0.02)
    assert kl_scores(codes, points)["directions"].value == pytest.approx(8, rel=0.01)
    codes[:, 3:] = 0
    assert kl_scores(codes, points)["directions"].value == pytest.approx(3, rel=0.01)
    assert kl_scores(np.ones((4, 8)), points[:4])["directions"].value == 0


def test_draws_have_the_mean_and_variance_of_the_posterior() -> None:
    mean, logvar = np.tile([1.0, -2], (100_000, 1)), np.tile([math.log(4), -100], (100_000, 1))
    draws = sample_posterior(mean, logvar, 0)
    assert draws.mean(axis=0) == pytest.approx([1, -2], abs=0.03)
    assert draws.var(axis=0) == pytest.approx([4, 0], abs=0.06)
    assert (sample_posterior(mean, logvar, 0) == draws).all()
    assert (sample_posterior(mean, logvar, 1) != draws)[:, 0].all()


def test_a_collapsed_code_names_the_person_from_its_mean_but_not_from_its_draws() -> None:
    people, clips = 20, 10
    subject, clip = np.repeat(np.arange(people), clips), np.tile(np.arange(clips), people)
    mean, logvar = 1e-3 * np.eye(people)[subject], np.zeros((people * clips, people))
    scores = kl_scores(mean, logvar)
    assert scores["kl"].value == pytest.approx(0.5e-6)
    assert scores["active_units"].value == 0
    assert identity_probe(mean, subject, clip).values.mean() == 1
    from_draws = identity_probe(sample_posterior(mean, logvar, 0), subject, clip)
    assert from_draws.values.mean() == pytest.approx(from_draws.chance, abs=0.05)
    # and where the posterior is narrow, the draws name the person, and the divergence says that they can
    narrow = np.full_like(logvar, -20)
    assert kl_scores(mean, narrow)["kl"].value > math.log(people)
    assert identity_probe(sample_posterior(mean, narrow, 0), subject, clip).values.mean() == 1


def test_a_point_is_its_own_draw_and_has_no_divergence() -> None:
    mean, logvar = np.random.default_rng(0).normal(size=(5, 3)), np.full((5, 3), -np.inf)
    np.testing.assert_array_equal(sample_posterior(mean, logvar, 0), mean)
    for score in kl_scores(mean, logvar).values():
        assert math.isnan(score.value)
        assert score.reason == POINT
    assert is_point(logvar)
    logvar[
        2, 1
    ] = -100  # one of them is a distribution, if a narrow one: the divergence of the others is infinite
    assert not is_point(logvar)
    assert "infinity" in kl_scores(mean, logvar)["kl"].reason
    assert not is_point(logvar[:0])


@pytest.mark.parametrize(
    ("mean", "logvar", "reason"),
    [
        (np.zeros((0, 2)), np.zeros((0, 2)), "no images"),
        (np.zeros((2, 0)), np.zeros((2, 0)), "no numbers"),
        (np.zeros((2, 2)), np.full((2, 2), np.inf), "infinity"),
    ],
)
def test_what_cannot_be_scored_is_nan_with_its_reason(
    mean: np.ndarray, logvar: np.ndarray, reason: str
) -> None:
    for score in kl_scores(mean, logvar).values():
        assert math.isnan(score.value)
        assert reason in score.reason


def test_shapes_that_differ_are_refused() -> None:
    for use in (kl_scores, lambda mean, logvar: sample_posterior(mean, logvar, 0)):
        with pytest.raises(ValueError, match=r"expected \(N, Z\) twice"):
            use(np.zeros((2, 3)), np.zeros((2, 2)))

"""How much information the posterior of a code carries, and samples from it.

A probe of the mean does not care about its scale: it can name the subject from means that differ by a thousandth, even
where the code has collapsed to its prior. Samples carry only what the posterior's noise leaves of that, and the KL
divergence from the prior bounds it.
"""

import numpy as np

from omote.metrics.score import NOT_NEGATIVE, Array, Score, mean_score, no_score

POSTERIOR_SCORES = ("kl", "active_units", "second_moment", "directions")
ACTIVE = 0.01  # variance of a dimension's mean above which the dimension is in use
POINT = "the code is a point, not a distribution: its divergence is infinite, and a sample of it is its mean"


def is_point(logvar: Array) -> bool:
    """Return whether there are codes and all log variances (N, Z) are -inf."""
    return bool(logvar.size and np.isneginf(logvar).all())


def sample_posterior(mean: Array, logvar: Array, seed: int) -> Array:
    """Return (N, Z) float64, one sample per row of a diagonal Gaussian.

    Args:
        mean: (N, Z).
        logvar: (N, Z) log of the variance (not of the deviation).
        seed: of the noise, which depends on the order of the rows.
    Raises:
        ValueError: If the shapes differ.
    """
    _check_shapes(mean, logvar)
    noise = np.random.default_rng(seed).normal(size=mean.shape)
    return mean + np.exp(logvar.astype(np.float64) / 2) * noise


def kl_scores(mean: Array, logvar: Array) -> dict[str, Score]:
    """Return `POSTERIOR_SCORES`.

    - kl: KL(q(z|x) || N(0, I)) in nats, mean over images, deviation between images; in closed form, as
      `omote.objectives.divergence.gaussian_kl`. It bounds what any reader of samples can learn about the image or the
      person: the mean is the mutual information of image and code plus a non-negative divergence (Hoffman and Johnson,
      "ELBO surgery", 2016). Naming one of 50 people without error takes log 50 = 3.9 nats.
    - active_units: the number of dimensions whose mean varies over images by more than 0.01 (variance; Burda et al.,
      "Importance weighted autoencoders", 2016, section 5).
    - second_moment: the mean of z^2 over images, dimensions and samples of the posterior. The prior has 1; if the codes
      are larger, a sample of the prior lies between them, and the decoder was never trained there (x_p of Eq. 3).
    - directions: the effective number of directions in which the means vary: (sum of the eigenvalues of their
      covariance)^2 / sum of their squares. 0 if all means are equal.

    Chance is the score of a code that holds nothing: 0, but 1 for the second moment.

    Args:
        mean: (N, Z) posterior means of N images.
        logvar: (N, Z) log of the posterior variance (not of the deviation).
    Returns:
        All nan with the reason if there are no images, no dimensions, NaN or infinity among the numbers, or the codes
        are points (`is_point`), whose scale no prior sets. A collapsed code has a score, near 0.
    Raises:
        ValueError: If the shapes differ.
    """
    _check_shapes(mean, logvar)
    reason = None
    if not mean.size:
        reason = "the code has no numbers" if len(mean) else "there are no images"
    elif is_point(logvar):
        reason = POINT
    elif not (np.isfinite(mean).all() and np.isfinite(logvar).all()):
        reason = "the posterior contains NaN or infinity"
    if reason is not None:
        return dict.fromkeys(POSTERIOR_SCORES, no_score(reason))
    mu, s = mean.astype(np.float64), logvar.astype(np.float64)  # mu, log sigma^2
    kl = 0.5 * (mu**2 + np.exp(s) - 1 - s).sum(axis=1)
    covariance = np.cov(mu.T, ddof=0).reshape(mu.shape[1], -1)
    variance = np.trace(covariance)
    return {
        "kl": mean_score(kl, 0.0)._replace(range=NOT_NEGATIVE),
        "active_units": Score(float((mu.var(axis=0) > ACTIVE).sum()), chance=0.0, range=NOT_NEGATIVE),
        "second_moment": mean_score((mu**2 + np.exp(s)).mean(axis=1), 1.0)._replace(range=NOT_NEGATIVE),
        "directions": Score(
            float(variance**2 / (covariance**2).sum()) if variance > 0 else 0.0,
            chance=0.0,
            range=NOT_NEGATIVE,
        ),
    }


def _check_shapes(mean: Array, logvar: Array) -> None:
    if mean.ndim != 2 or mean.shape != logvar.shape:
        raise ValueError(
            f"means of shape {mean.shape} and log variances of shape {logvar.shape}; expected (N, Z) twice"
        )

"""The numbers of the comparison of weights of the divergence."""

import numpy as np
import pandas as pd
import pytest

from kl import frechet, table


def test_frechet_distance_by_hand() -> None:
    rng = np.random.default_rng(0)
    one = rng.normal(size=(500, 3))
    assert frechet(one, one) == pytest.approx(0, abs=1e-6)
    assert frechet(one, one + np.array((1, 2, 0))) == pytest.approx(5)  # the squared distance of the means
    # twice the deviation: trace(S + 4 S - 2 * 2 S) = trace(S), and the means differ by themselves
    expected = np.trace(np.cov(one.T)) + (one.mean(axis=0) ** 2).sum()
    assert frechet(one, 2 * one) == pytest.approx(expected)


def test_the_table_has_means_and_deviations_over_seeds_and_the_real_images() -> None:
    scores = pd.DataFrame(
        [("proposed", 0.01, 0, 0.5, 3.0), ("proposed", 0.01, 1, 0.7, 4.0), ("proposed", 0.64, 0, 0.2, 1.0)],
        columns=["method", "weight", "seed", "clusters", "distance of prior samples"],
    )
    assert table(scores, {"distance of prior samples": 0.3}).splitlines()[2:] == [
        "| `proposed`, 0.01 (2) | 60.0 ± 14.1 | 3.5 ± 0.7 |",
        "| `proposed`, 0.64 (1) | 20.0 | 1.0 |",
        "| real images |  | 0.3 |",
    ]

"""Confidence limits: exact coverage, by summing the binomial law, and agreement with closed forms."""

import math

import numpy as np
import pytest

from theory.ball import cap_fraction, unit_ball_volume
from theory.confidence import binomial_interval, distribution_radius, mean_interval


def binomial_cdf(successes: int, trials: int, probability: float) -> float:
    return math.fsum(
        math.comb(trials, k) * probability**k * (1.0 - probability) ** (trials - k) for k in range(successes + 1)
    )


@pytest.mark.parametrize("successes, trials", [(0, 10), (3, 10), (10, 10), (41, 100)])
def test_binomial_limits_solve_their_defining_equations(successes: int, trials: int) -> None:
    """P(at least k | low) = P(at most k | high) = error_rate/2, to 1e-9."""
    low, high = binomial_interval(successes, trials, error_rate=0.02)
    if successes > 0:
        assert 1.0 - binomial_cdf(successes - 1, trials, low) == pytest.approx(0.01, abs=1e-9)
    else:
        assert low == 0.0
    if successes < trials:
        assert binomial_cdf(successes, trials, high) == pytest.approx(0.01, abs=1e-9)
    else:
        assert high == 1.0


def test_distribution_radius_halves_with_four_times_the_trials() -> None:
    assert distribution_radius(400, error_rate=1e-3) == pytest.approx(0.5 * distribution_radius(100, error_rate=1e-3))
    assert 2.0 * math.exp(-2.0 * 50 * distribution_radius(50, error_rate=0.1) ** 2) == pytest.approx(0.1)


def test_mean_interval_covers_a_known_mean_and_shrinks_with_the_spread() -> None:
    rng = np.random.default_rng(0)
    samples = rng.random(4000)
    low, high = mean_interval(samples, largest=1.0, error_rate=1e-6)
    assert low < 0.5 < high < low + 0.1
    narrow = mean_interval(0.5 + 0.01 * samples, largest=1.0, error_rate=1e-6)
    assert narrow.high - narrow.low < 0.3 * (high - low)


def test_limits_refuse_impossible_counts_in_one_sentence() -> None:
    with pytest.raises(ValueError, match="between 0 and trials"):
        binomial_interval(5, 4, error_rate=0.1)
    with pytest.raises(ValueError, match="error_rate must lie strictly between 0 and 1"):
        distribution_radius(10, error_rate=0.0)
    with pytest.raises(ValueError, match="samples must lie in"):
        mean_interval(np.array([0.0, 2.0]), largest=1.0, error_rate=0.1)


def test_ball_volumes_and_caps_against_closed_forms() -> None:
    volumes = [unit_ball_volume(dim) for dim in range(5)]
    np.testing.assert_allclose(volumes, [1.0, 2.0, math.pi, 4.0 * math.pi / 3.0, math.pi**2 / 2.0], rtol=1e-14)
    angle = 0.7
    assert cap_fraction(math.sin(angle), dim=2) == pytest.approx(angle / math.pi, rel=1e-13)
    assert cap_fraction(math.sin(angle), dim=3) == pytest.approx((1.0 - math.cos(angle)) / 2.0, rel=1e-13)
    with pytest.raises(ValueError, match="dim must be at least 2"):
        cap_fraction(0.5, dim=1)

"""Slopes and their bootstrap intervals: exact on power laws, with the stated coverage on noisy ones."""

import numpy as np
import pytest

from experiments.statistics import bootstrap_slope, fitted_slopes


def test_power_laws_are_exact():
    x = np.array([0.05, 0.1, 0.3, 0.4])
    values = np.array([[3.0], [0.2]]) * x ** np.array([[-2.0], [1.5]])
    np.testing.assert_allclose(fitted_slopes(x, values), [-2.0, 1.5], rtol=1e-12)


def test_agrees_with_polyfit():
    rng = np.random.default_rng(0)
    x, values = rng.uniform(0.1, 1, 6), rng.uniform(1, 2, (3, 6))
    expected = [np.polyfit(np.log(x), np.log(row), 1)[0] for row in values]
    np.testing.assert_allclose(fitted_slopes(x, values), expected, rtol=1e-10)


def test_interval_covers_the_true_slope_about_as_often_as_it_says():
    rng = np.random.default_rng(1)
    x = np.geomspace(0.05, 0.4, 4)
    covered = 0
    for trial in range(200):
        noisy = x**-2.0 * np.exp(rng.normal(scale=0.3, size=(20, 4)))
        slope = bootstrap_slope(x, noisy, claim="R3", label="", expected=-2.0, resamples=400, seed=trial)
        covered += slope.ci_low <= -2.0 <= slope.ci_high
    assert 0.87 <= covered / 200 <= 0.99


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_values_without_logarithm_are_refused(bad):
    with pytest.raises(ValueError, match="positive and finite"):
        fitted_slopes(np.array([1.0, 2.0]), np.array([[1.0, bad]]))


def test_one_point_has_no_slope():
    with pytest.raises(ValueError, match="at least 2"):
        fitted_slopes(np.array([1.0]), np.array([[1.0]]))

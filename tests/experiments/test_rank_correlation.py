"""Rank correlations against scipy and residuals of regressions; resampling, permutation and their edges."""

import itertools

import numpy as np
import pytest
from scipy.stats import rankdata, spearmanr

from experiments import rank_correlation


def sample(seeds=6, designs=5, quantities=3, seed=0):
    rng = np.random.default_rng(seed)
    common = rng.standard_normal((seeds, designs, 1))
    return common + rng.standard_normal((seeds, designs, quantities)) + 3 * rng.standard_normal((seeds, 1, 1))


def matrix(values, *, within):
    return rank_correlation.correlations(rank_correlation.rank_moments(values, within=within).sum(axis=0))


def test_pooled_is_spearman_of_everything():
    values = sample()
    values[0, :3, 0] = values[0, 0, 0]  # ties
    expected = spearmanr(values.reshape(-1, 3)).statistic
    np.testing.assert_allclose(matrix(values, within=False), expected, atol=1e-12)


def test_within_is_the_mean_of_the_seeds_and_blind_to_their_level():
    values = sample()
    expected = np.mean([spearmanr(each).statistic for each in values], axis=0)
    np.testing.assert_allclose(matrix(values, within=True), expected, atol=1e-12)
    moved = values + 100 * np.arange(len(values))[:, None, None]
    np.testing.assert_allclose(matrix(moved, within=True), expected, atol=1e-12)
    assert matrix(moved, within=False)[0, 1] > 0.9 > expected[0, 1]


def test_ranks_see_order_alone():
    values = sample()
    for within in (True, False):
        np.testing.assert_allclose(matrix(np.exp(values), within=within), matrix(values, within=within), atol=1e-12)
    late = values.copy()
    late[values == values.max()] = np.inf
    np.testing.assert_allclose(matrix(late, within=False), matrix(values, within=False), atol=1e-12)


def test_moments_of_cells_add():
    one, other = sample(seed=1), sample(seed=2)
    moments = [rank_correlation.rank_moments(each, within=True) for each in (one, other)]
    stacked = matrix(np.concatenate([one, other]), within=True)
    np.testing.assert_allclose(rank_correlation.correlations(np.sum(moments, axis=(0, 1))), stacked, atol=1e-12)


def test_partial_correlation_is_that_of_the_residuals():
    values = sample(seeds=20)
    ranks = rankdata(values.reshape(-1, 3), axis=0)
    design = np.stack([np.ones(len(ranks)), ranks[:, 2]], axis=1)
    left = ranks[:, :2] - design @ np.linalg.lstsq(design, ranks[:, :2], rcond=None)[0]
    found = rank_correlation.partial_correlation(matrix(values, within=False), 0, 1, given=2)
    assert float(found) == pytest.approx(np.corrcoef(left.T)[0, 1], abs=1e-10)


def test_nothing_varies_nothing_ranks():
    values = sample()
    values[..., 1] = 7.0
    assert matrix(values, within=False)[0, 1] == 0 and matrix(values, within=False)[0, 0] == pytest.approx(1)
    values[..., 1] = values[..., 0]
    assert rank_correlation.partial_correlation(matrix(values, within=False), 1, 2, given=0) == 0


def test_resampling_is_that_of_whole_seeds():
    values = sample()
    moments = rank_correlation.rank_moments(values, within=True)
    draws = rank_correlation.resampled(moments, resamples=50, seed=3)
    ranks = rank_correlation.centred_ranks(values, within=True)
    rows = np.random.default_rng(3).integers(len(values), size=(50, len(values)))
    for draw, chosen in zip(draws, rows):
        np.testing.assert_allclose(draw, np.corrcoef(ranks[chosen].reshape(-1, 3).T), atol=1e-12)
    found = rank_correlation.estimate(moments, draws, lambda m: m[..., 0, 1], label="a")
    assert found.value == pytest.approx(matrix(values, within=True)[0, 1])
    assert (found.ci_low, found.ci_high) == tuple(np.quantile(draws[:, 0, 1], [0.025, 0.975])) and found.seeds == 6


def test_paired_differences_of_equal_predictors_vanish():
    values = sample()
    values[..., 1] = values[..., 0]
    moments = rank_correlation.rank_moments(values, within=False)
    draws = rank_correlation.resampled(moments)
    gap = rank_correlation.estimate(moments, draws, lambda m: m[..., 0, 2] - m[..., 1, 2], label="gap")
    assert max(abs(gap.value), abs(gap.ci_low), abs(gap.ci_high)) < 1e-12
    alone = rank_correlation.estimate(moments, draws, lambda m: m[..., 0, 2], label="alone")
    assert alone.ci_high - alone.ci_low > 0.1


def test_permutation_null_is_the_exact_one():
    """Two seeds of four designs: all 24^2 pairs of permutations."""
    values = sample(seeds=2, designs=4, quantities=2)
    base = np.arange(4) - 1.5
    exact = [base @ base[list(order)] / 5 for order in itertools.permutations(range(4))]
    means = np.add.outer(exact, exact).ravel() / 2
    found = rank_correlation.permutation_null(values, label="null", resamples=20_000)
    assert abs(found.value) < 4 * means.std() / np.sqrt(20_000)
    expected = np.quantile(means, [0.025, 0.975])
    assert (found.ci_low, found.ci_high) == pytest.approx(tuple(expected), abs=0.11)


def test_nan_is_refused():
    values = sample()
    values[0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="1 of them were NaN"):
        rank_correlation.rank_moments(values, within=True)

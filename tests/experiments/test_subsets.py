"""Subsets of a pool by name, and random ones matched to a subset: sizes, prefixes, and what each is called for."""

from itertools import combinations

import numpy as np
import pytest

from experiments.subsets import RULES, matched, strata, subset

POOL = np.random.default_rng(0).normal(size=(60, 3))


def h_min(points):
    return min(np.linalg.norm(a - b) for a, b in combinations(points, 2))


@pytest.mark.parametrize("method", RULES)
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_every_rule_chooses_different_rows_of_the_pool(method, metric):
    size = 60 if method == "full" else 17
    rows = subset(POOL, size, method=method, metric=metric, seed=3)
    assert len(rows) == len(set(rows.tolist())) == size and rows.min() >= 0 and rows.max() < 60
    np.testing.assert_array_equal(rows, subset(POOL, size, method=method, metric=metric, seed=3))


@pytest.mark.parametrize("method", [rule for rule in RULES if rule not in ("full", "half-random-half-min-dist")])
def test_a_smaller_subset_begins_a_larger_one(method):
    np.testing.assert_array_equal(subset(POOL, 9, method=method, seed=1), subset(POOL, 20, method=method, seed=1)[:9])


@pytest.mark.parametrize(("method", "best"), [("uniform", max), ("min-dist", min)])
def test_each_turn_takes_the_farthest_or_the_nearest(method, best):
    rows = subset(POOL, 12, method=method).tolist()
    assert rows[0] == 0
    for turn in range(1, 12):
        to_taken = {
            row: min(np.linalg.norm(POOL[row] - POOL[taken]) for taken in rows[:turn])
            for row in set(range(60)) - set(rows[:turn])
        }
        assert to_taken[rows[turn]] == pytest.approx(best(to_taken.values()), rel=1e-12)


def test_under_cosine_the_lengths_of_the_rows_do_not_matter():
    scales = np.random.default_rng(1).uniform(0.5, 2.0, size=(60, 1))
    plain = subset(POOL, 15, method="uniform", metric="cosine")
    np.testing.assert_array_equal(plain, subset(scales * POOL, 15, method="uniform", metric="cosine"))
    assert plain.tolist() != subset(POOL, 15, method="uniform").tolist()


def test_half_random_half_min_dist_is_both():
    rows = subset(POOL, 21, method="half-random-half-min-dist", seed=5)
    np.testing.assert_array_equal(rows[:10], subset(POOL, 10, method="min-dist"))
    others = [subset(POOL, 21, method="half-random-half-min-dist", seed=seed)[10:] for seed in range(60)]
    shares = np.bincount(np.concatenate(others), minlength=60) / 60
    assert not shares[rows[:10]].any()
    # Each of the other 50 rows is in with probability 11/50, to five standard errors.
    left = np.setdiff1d(np.arange(60), rows[:10])
    assert np.abs(shares[left] - 11 / 50).max() < 5 * np.sqrt(11 / 50 * 39 / 50 / 60)


def test_uniform_is_the_most_and_min_dist_the_least_separated():
    h = {rule: h_min(POOL[subset(POOL, 17, method=rule, seed=2)]) for rule in ("uniform", "random", "min-dist")}
    assert h["uniform"] > h["random"] >= h["min-dist"]


def test_strata_are_equal_quantiles_and_keep_equal_values_together():
    values = np.random.default_rng(0).permutation(np.arange(100.0))
    found = strata(values, 5)
    np.testing.assert_array_equal(np.bincount(found), [20] * 5)
    assert all(values[found == k].max() < values[found == k + 1].min() for k in range(4))
    assert len(set(strata(np.array([1.0, 7.0, 7.0, 7.0, 9.0]), 4)[1:4].tolist())) == 1


def test_matched_subsets_have_the_counts_and_are_random_within():
    groups = np.arange(60) % 4
    chosen = np.array([0, 4, 8, 12, 1, 5, 2])
    draws = [matched(groups, chosen, seed=seed) for seed in range(300)]
    for rows in draws:
        assert len(set(rows.tolist())) == 7
        np.testing.assert_array_equal(np.bincount(groups[rows], minlength=4), [4, 2, 1, 0])
    shares = np.bincount(np.concatenate(draws), minlength=60) / 300
    expected = np.array([4, 2, 1, 0])[groups] / 15
    assert np.all(np.abs(shares - expected) <= 5 * np.sqrt(expected * (1 - expected) / 300))


@pytest.mark.parametrize(
    ("size", "how", "told"),
    [
        (5, {"method": "nearest"}, "method must be one of"),
        (0, {"method": "uniform"}, "size must lie between 1 and the pool's 60"),
        (61, {"method": "random"}, "size must lie between 1 and the pool's 60"),
        (59, {"method": "full"}, "size must be the pool's 60"),
        (5, {"method": "random", "max_outlier": 0.1}, "max_outlier must be None for method 'random'"),
    ],
)
def test_bad_arguments_are_named(size, how, told):
    with pytest.raises(ValueError, match=told):
        subset(POOL, size, **how)


def test_strata_need_a_bin():
    with pytest.raises(ValueError, match="count must be at least 1"):
        strata(np.arange(3.0), 0)

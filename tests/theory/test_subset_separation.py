"""D3 subset separation: all subsets of small pools, equality for one close pair, three failures, proof lines."""

import math
from fractions import Fraction
from itertools import combinations, pairwise

import hand_trained
import hypothesis
import numpy as np
import pytest

from experiments.hunt import search
from experiments.hunts.subset_separation import HUNT, Instance, table
from experiments.points.greedy import farthest_first
from experiments.separation import distances, separation
from theory.confidence import binomial_interval
from theory.subset_separation import (
    check_containment,
    check_kept,
    check_mean,
    check_size,
    check_tail,
    kept_probability,
    mean_floor,
    tail_ceiling,
)
from theory.verdict import Verdict, judge, slack_log10


def subset_separations(lengths, size):
    """h_min of every subset of `size` points, by plain loops."""
    subsets = combinations(range(len(lengths)), size)
    return np.array([min(lengths[a, b] for a, b in combinations(subset, 2)) for subset in subsets])


def pair_distances(lengths):
    return np.array([lengths[a, b] for a, b in combinations(range(len(lengths)), 2)])


# 1. Holds on random instances


@hypothesis.given(HUNT.instances)
def test_holds_on_random_instances(instance):
    assert judge(HUNT.check(instance)) in (Verdict.HOLDS, Verdict.VACUOUS)


def test_the_hunt_reaches_equality():
    report = search(HUNT, examples=60, seed=0)
    assert report.violation is None and report.applicable >= 40
    assert all(abs(found.slack_log10) < 1e-12 for found in report.tightest) and len(report.tightest) == 5


@pytest.mark.parametrize("form", ["tail", "kept", "mean", "size"])
def test_the_hunts_probabilities_are_those_of_plain_loops(form):
    instance = Instance(form, "clustered", 7, 3, 4, 0.4, 3)
    lengths = table(instance)
    found = subset_separations(lengths, 3)
    expected = {
        "tail": np.mean(found <= np.sort(pair_distances(lengths))[3]),
        "kept": np.mean(found <= np.sort(pair_distances(lengths))[3]),
        "mean": found.mean(),
        "size": subset_separations(lengths, 4).mean(),
    }[form]
    assert HUNT.check(instance).measured == pytest.approx(float(expected), rel=1e-14)


# 2. Attained


@pytest.mark.parametrize("size", [2, 3, 5, 8])
def test_is_attained_by_a_unique_closest_pair(size):
    """P(h_min(S) = h_min(pool)) is the share of k-subsets of 8 that hold one pair, C(6, k-2) / C(8, k)."""
    lengths = table(Instance("tail", "plane", 8, size, 1, 0.0, 1))
    share = Fraction(math.comb(6, size - 2), math.comb(8, size))
    assert kept_probability(size, 8) == pytest.approx(float(share), rel=1e-15)
    found = subset_separations(lengths, size)
    kept = float(np.mean(found == found.min()))
    assert kept == pytest.approx(float(share), rel=1e-15)
    if size < 8:  # the whole pool keeps its closest pair: a tail bound of 1
        for check in (check_tail, check_kept):
            held = check(kept, 1, subset_size=size, pool_size=8)
            assert judge(held) is Verdict.HOLDS and slack_log10(held) == pytest.approx(0.0, abs=1e-14)


def test_is_attained_by_pairs_and_by_equal_distances():
    """k = 2: every t, and the mean is the mean pair distance. All distances equal: mean and size."""
    lengths = table(Instance("tail", "dissimilarity", 8, 2, 1, 0.0, 1))
    pairs = np.sort(pair_distances(lengths))
    for rank in (1, 5, 27):
        tail = check_tail(rank / 28, rank, subset_size=2, pool_size=8)
        assert judge(tail) is Verdict.HOLDS and tail.bound == pytest.approx(rank / 28, rel=1e-15)
    assert mean_floor(pairs, subset_size=2) == pytest.approx(math.fsum(pairs) / 28, rel=1e-14)
    assert mean_floor(np.full(28, 3.0), subset_size=5) == pytest.approx(3.0, rel=1e-14)
    assert judge(check_size(3.0, 3.0)) is Verdict.HOLDS
    everything = check_containment(lengths, np.arange(8), pool_size=8)
    assert judge(everything) is Verdict.HOLDS and everything.measured == everything.bound == pairs[0]


def test_how_loose_the_tail_is_for_many_close_pairs():
    """Six coincident points of nine, k = 4: 15 close pairs bound nothing; the truth is P(two of the six)."""
    truth = 1 - Fraction(math.comb(3, 4) + 6 * math.comb(3, 3), math.comb(9, 4))
    assert 0.9 < truth < 1
    assert judge(check_tail(float(truth), 15, subset_size=4, pool_size=9)) is Verdict.VACUOUS


def test_a_wrong_constant_is_rejected():
    exact = {inst.form: HUNT.check(inst) for inst in HUNT.extremal}
    for form, factor in (("containment", 1.15), ("tail", 1 / 1.15), ("kept", 1.15), ("mean", 1.15), ("size", 1 / 1.15)):
        assert judge(exact[form]) is Verdict.HOLDS
        assert judge(exact[form]._replace(bound=factor * exact[form].bound)) is Verdict.VIOLATED


# 3. Fails without each hypothesis


def test_fails_without_subset_of_the_pool():
    """A pool of two points 1 apart and a foreigner half-way."""
    lengths = np.abs(np.subtract.outer([0.0, 1.0, 0.5], [0.0, 1.0, 0.5]))
    found = check_containment(lengths, np.array([0, 2]), pool_size=2)
    assert judge(found) is Verdict.NOT_APPLICABLE and found.margins["subset of the pool"] == -1.0
    assert judge(found._replace(margins={})) is Verdict.VIOLATED


def test_fails_without_distinct_draws():
    """A bootstrap sample holds a point twice: h_min = 0. It does so with probability 1 - N! / ((N-k)! N^k)."""
    lengths = np.abs(np.subtract.outer(np.arange(5.0), np.arange(5.0)))
    found = check_containment(lengths, np.array([0, 3, 3]), pool_size=5)
    assert judge(found) is Verdict.NOT_APPLICABLE and found.margins["distinct draws"] == -1.0
    assert judge(found._replace(margins={})) is Verdict.VIOLATED
    rng = np.random.default_rng(0)
    repeated = sum(len(set(rng.integers(0, 5, 3).tolist())) < 3 for _ in range(2000))
    low = binomial_interval(repeated, 2000, error_rate=1e-6).low
    assert low < 1 - 60 / 125 and judge(check_tail(low, 0, subset_size=3, pool_size=5)) is Verdict.VIOLATED


def test_fails_without_uniform_choice():
    """A heap around the closest pair keeps it for certain; farthest-first never does: that is what selection is for."""
    points = np.random.default_rng(5).random((40, 2))
    lengths = distances(points, points)
    closest = separation(points)
    heap = np.append(closest.pair, [k for k in range(40) if k not in closest.pair][:8])
    kept = float(separation(points[heap]).distance <= closest.distance)
    assert judge(check_tail(kept, 1, subset_size=10, pool_size=40)) is Verdict.VIOLATED
    spread = separation(points[farthest_first(points, 10)]).distance
    assert judge(check_kept(float(spread <= closest.distance), 1, subset_size=10, pool_size=40)) is Verdict.VIOLATED
    mean = check_mean(separation(points[heap]).distance, pair_distances(lengths), subset_size=10)
    assert judge(mean) is Verdict.VIOLATED
    spread_small = separation(points[farthest_first(points, 5)]).distance
    assert judge(check_size(spread_small, closest.distance)) is Verdict.VIOLATED  # chosen five against a chosen pair


# 4. Invariances and limits


def test_invariances_and_limits():
    pairs = np.random.default_rng(0).random(66)
    assert mean_floor(7.0 * pairs, subset_size=4) == pytest.approx(7.0 * mean_floor(pairs, subset_size=4))
    assert mean_floor(pairs[::-1], subset_size=4) == mean_floor(pairs, subset_size=4)
    floors = [mean_floor(pairs, subset_size=k) for k in range(2, 13)]
    assert all(b <= a for a, b in pairwise(floors)) and floors[-1] == pairs.min()
    assert (
        mean_floor(pairs, subset_size=7)
        == pytest.approx(  # 1/q = 12 * 11 / 42 = 22/7: three whole, one seventh
            42 / 132 * (np.sort(pairs)[:3].sum() + np.sort(pairs)[3] / 7), rel=1e-13
        )
    )
    assert kept_probability(12, 12) == 1.0 and tail_ceiling(0, subset_size=3, pool_size=12) == 0.0
    assert tail_ceiling(66, subset_size=12, pool_size=12) == 1.0
    half = [kept_probability(n // 2, n) for n in (10, 100, 10**6)]
    assert all(q < 0.25 for q in half) and half[-1] == pytest.approx(0.25, rel=1e-5)  # a random half: 3 in 4 raise it
    assert judge(check_kept(0.0, 0, subset_size=3, pool_size=12)) is Verdict.VACUOUS
    assert judge(check_mean(0.0, np.zeros(3), subset_size=2)) is Verdict.VACUOUS


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: kept_probability(1, 5), "subset_size must lie between 2 and the pool's 5 points, but was 1"),
        (lambda: kept_probability(6, 5), "subset_size must lie between 2 and the pool's 5 points, but was 6"),
        (lambda: mean_floor(np.ones(4), subset_size=2), r"pair_distances must hold N\(N-1\)/2 numbers .*, but held 4"),
        (lambda: tail_ceiling(11, subset_size=2, pool_size=5), "close_pairs must lie between 0 and .*, but was 11"),
        (
            lambda: check_containment(np.zeros((3, 3)), np.array([1]), pool_size=3),
            "chosen must hold at least 2 indices, but held 1",
        ),
    ],
)
def test_bad_numbers_are_one_sentence(call, words):
    with pytest.raises(ValueError, match=words):
        call()


# 5. Proof lines


@pytest.fixture(scope="module")
def features():
    """Pair distances of 12 inputs' hidden features under a trained tanh network."""
    theta = hand_trained.train(hand_trained.data(separation=0.5, gap=1.0), step_size=0.5, steps=50)[-1]
    inputs = np.column_stack([np.random.default_rng(3).standard_normal((12, 2)), np.ones(12)])
    hidden = np.tanh(inputs @ theta.reshape(hand_trained.WIDTH, 4)[:, 1:].T)
    return np.sqrt(((hidden[:, None] - hidden) ** 2).sum(axis=2))


def test_proof_lines_on_a_networks_features_1_to_3(features):
    """Containment along a chain; each pair in a share q of the subsets; E W = q c >= P(W >= 1) >= q."""
    order = np.random.default_rng(0).permutation(12)
    chain = [min(features[a, b] for a, b in combinations(order[:k], 2)) for k in range(2, 13)]
    assert all(b <= a for a, b in pairwise(chain))  # line 1
    subsets = list(combinations(range(12), 5))
    share = Fraction(5 * 4, 12 * 11)
    for pair in ((0, 1), (3, 10)):
        assert Fraction(sum(set(pair) <= set(s) for s in subsets), len(subsets)) == share  # line 2
    for rank in (1, 3, 9):  # line 3
        t = np.sort(pair_distances(features))[rank - 1]
        counts = [sum(features[a, b] <= t for a, b in combinations(s, 2)) for s in subsets]
        positive = float(np.mean(np.array(counts) > 0))
        assert np.mean(counts) == pytest.approx(float(share * rank), rel=1e-12)
        assert float(share) - 1e-15 <= positive <= float(share * rank) + 1e-15


def test_proof_lines_on_a_networks_features_4_to_6(features):
    """E h as the integral of P(h > t), with (1 - q c)_+ below it at every t; its closed form; random k of k + 1."""
    pairs, found = np.sort(pair_distances(features)), subset_separations(features, 5)
    starts, widths = np.append(0.0, pairs[:-1]), np.diff(pairs, prepend=0.0)
    survival = np.array([np.mean(found > t) for t in starts])
    assert found.mean() == pytest.approx(float(survival @ widths), rel=1e-12)  # line 4
    below = np.maximum(1 - 20 / 132 * np.arange(66), 0)
    assert np.all(below <= survival + 1e-15)
    assert mean_floor(pairs, subset_size=5) == pytest.approx(float(below @ widths), rel=1e-12)  # line 5
    means = {k: subset_separations(features, k).mean() for k in (3, 4)}
    through = np.mean([subset_separations(features[np.ix_(s, s)], 3).mean() for s in combinations(range(12), 4)])
    assert through == pytest.approx(means[3], rel=1e-12) and means[4] <= means[3]  # line 6

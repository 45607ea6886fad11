"""D1 farthest-first traversal: brute force on small pools, both factors 2 attained, three failures, proof lines."""

from itertools import combinations, pairwise, permutations

import hand_trained
import hypothesis
import numpy as np
import pytest

from experiments.hunt import search
from experiments.hunts.farthest_first import HUNT, Instance, table
from experiments.hunts.small_pools import cover_radii, separations, shortest_paths, table_farthest_first
from experiments.points.greedy import farthest_first
from experiments.separation import distances
from theory.farthest_first import (
    check_cover,
    check_dispersion,
    check_fall,
    choice_margin,
    chosen_separation,
    cover_radius,
    insertion_distances,
    metric_margin,
)
from theory.verdict import Verdict, judge, slack_log10


def line(*places):
    places = np.array(places, dtype=float)
    return np.abs(places[:, None] - places)


def best_dispersion(table, count) -> float:
    chosen = combinations(range(len(table)), count)
    return float(max(min(table[a, b] for a, b in combinations(points, 2)) for points in chosen))


def best_cover(table, count) -> float:
    chosen = combinations(range(len(table)), count)
    return float(min(max(min(table[x, c] for c in centres) for x in range(len(table))) for centres in chosen))


# 1. Holds on random instances


@hypothesis.given(HUNT.instances)
def test_holds_on_random_instances(instance):
    assert judge(HUNT.check(instance)) is Verdict.HOLDS or HUNT.check(instance).vacuous


def test_the_hunt_reaches_equality():
    report = search(HUNT, examples=60, seed=0)
    assert report.violation is None and report.applicable >= 50
    assert report.smallest_slack_log10 is not None and abs(report.smallest_slack_log10) < 1e-12


@pytest.mark.parametrize("metric", ["graph", "star", "segments"])
def test_the_hunts_optima_are_those_of_plain_loops(metric):
    own = table(Instance("cover", metric, 7, 0, 3, 0.3, 5))
    assert separations(own, 3).max() == best_dispersion(own, 3)
    assert cover_radii(own, 3).min() == best_cover(own, 3)
    longest = max(permutations(range(7), 3), key=lambda path: own[path[0], path[2]] - own[path[0], path[1]])
    assert own[longest[0], longest[2]] <= own[longest[0], longest[1]] + own[longest[1], longest[2]] + 1e-12


# 2. Attained


@pytest.mark.parametrize("chosen", [2, 3, 5])
def test_is_attained_by_a_star_for_dispersion(chosen):
    """Centre first: every choice is 1 from it; any `chosen` leaves are 2 apart."""
    star = np.full((7, 7), 2.0) - np.eye(7) * 2
    star[0, 1:] = star[1:, 0] = 1.0
    found = check_dispersion(star, table_farthest_first(star, chosen), optimum=best_dispersion(star, chosen))
    assert judge(found) is Verdict.HOLDS and found.measured == found.bound == 1.0


def test_is_attained_on_the_line():
    """0 first, then -1 and 1; and the segment from its end; the project's traversal, exact distances."""
    middle_first, end_first = line(0, -1, 1), line(0, 0.5, 1)
    dispersion = check_dispersion(middle_first, farthest_first(np.array([[0.0], [-1.0], [1.0]]), 2), optimum=2.0)
    cover = check_cover(end_first, np.array([0]), optimum=best_cover(end_first, 1))
    two_segments = line(0, 0.5, 1, 100, 100.5, 101)
    pool = np.array([[0.0], [0.5], [1.0], [100.0], [100.5], [101.0]])
    covers = check_cover(two_segments, farthest_first(pool, 2), optimum=best_cover(two_segments, 2))
    for found in (dispersion, cover, covers):
        assert judge(found) is Verdict.HOLDS and slack_log10(found) == 0.0
    fall = check_fall(middle_first, np.array([0, 1]))
    assert judge(fall) is Verdict.HOLDS and slack_log10(fall) == 0.0


def test_is_attained_by_a_centre_outside_the_pool():
    """Pool {0, 1}: its own best centre covers at 1, the point 1/2 covers at 1/2; the chosen end covers at 1."""
    found = check_cover(line(0, 1), np.array([0]), optimum=0.5)
    assert judge(found) is Verdict.HOLDS and found.measured == found.bound


def test_a_wrong_constant_is_rejected():
    """The extremal instances violate OPT/1.74 and 1.74 OPT."""
    for factor, inequality in ((1.0 / 1.15, "dispersion"), (1.15, "cover")):
        exact = [HUNT.check(instance) for instance in HUNT.extremal if instance.form == inequality]
        assert all(judge(found._replace(bound=found.bound / factor)) is Verdict.VIOLATED for found in exact)


# 3. Fails without each hypothesis


def test_fails_without_metric():
    """The first point is 1 from two points that are 10 from each other, both ways round."""
    apart = np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 10.0], [1.0, 10.0, 0.0]])
    dispersion = check_dispersion(apart, np.array([0, 1]), optimum=best_dispersion(apart, 2))
    cover = check_cover(apart, np.array([1]), optimum=best_cover(apart, 1))
    for found in (dispersion, cover):
        assert judge(found) is Verdict.NOT_APPLICABLE and found.margins["metric"] == pytest.approx(-8.0)
        assert judge(found._replace(margins={})) is Verdict.VIOLATED
    assert judge(check_fall(apart, np.array([0, 1]))) is Verdict.HOLDS  # needs no triangle
    squares = line(0, -1, 1) ** 2  # squared distances: a factor 4
    found = check_dispersion(squares, np.array([0, 1]), optimum=4.0)
    assert judge(found._replace(margins={})) is Verdict.VIOLATED and found.measured == 4.0 / 4.0


def test_fails_without_metric_symmetry():
    """One-way distances: to the first point 1, back 10. Rows are 'from'; an asymmetry is a negative margin."""
    one_way = np.array([[0.0, 10.0, 10.0], [1.0, 0.0, 10.0], [1.0, 10.0, 0.0]])
    assert metric_margin(one_way) == -9.0
    found = check_dispersion(one_way.T, np.array([0, 1]), optimum=10.0)
    assert judge(found) is Verdict.NOT_APPLICABLE and judge(found._replace(margins={})) is Verdict.VIOLATED


def test_fails_without_farthest_choice():
    near = line(0, 0.01, 1)
    for found in (
        check_dispersion(near, np.array([0, 1]), optimum=1.0),
        check_cover(near, np.array([0, 1]), optimum=best_cover(near, 2)),
        check_fall(near, np.array([0, 1])),
    ):
        assert judge(found) is Verdict.NOT_APPLICABLE and found.margins["farthest choice"] == pytest.approx(-0.99)
        assert judge(found._replace(margins={})) is Verdict.VIOLATED


def test_fails_without_same_pool():
    """The best pair of [0, 1] against a pool in [0, 0.1]; the best cover of that pool against all of [0, 1]."""
    pool = line(0, 0.05, 0.1)
    assert judge(check_dispersion(pool, np.array([0, 2]), optimum=1.0)) is Verdict.VIOLATED
    whole = line(0, 0.05, 0.1, 1)
    assert judge(check_cover(whole, np.array([0]), optimum=best_cover(pool, 1))) is Verdict.VIOLATED


# 4. Invariances and limits


def test_invariances_and_limits():
    own = table(Instance("cover", "graph", 8, 0, 3, 0.0, 2))
    order = table_farthest_first(own, 8)
    scaled = 7.0 * own
    np.testing.assert_array_equal(table_farthest_first(scaled, 8), order)
    relabelled = np.concatenate([[0], 1 + np.random.default_rng(0).permutation(7)])
    shuffled = own[np.ix_(relabelled, relabelled)]
    np.testing.assert_array_equal(  # ties may be broken differently, the guarantees stay
        [judge(check_dispersion(shuffled, table_farthest_first(shuffled, 3), optimum=best_dispersion(own, 3)))],
        [Verdict.HOLDS],
    )
    np.testing.assert_allclose(insertion_distances(scaled, order), 7.0 * insertion_distances(own, order))
    assert cover_radius(own, order) == 0.0  # the whole pool covers itself
    assert chosen_separation(own, order) == separations(own, 8)[0]
    duplicates = line(0, 0, 1)
    found = check_dispersion(duplicates, np.array([0, 2, 1]), optimum=0.0)
    assert judge(found) is Verdict.VACUOUS
    assert metric_margin(line(0, 1, 3)) == 0.0 and metric_margin(line(0, 1, 3) ** 2) == 1.0 + 4.0 - 9.0
    assert metric_margin(shortest_paths(line(0, 1, 3) ** 2)) == 0.0
    assert choice_margin(line(0, 1, 3), np.array([0, 2, 1])) == 0.0


@pytest.mark.parametrize("dim", [1, 2, 5])
def test_invariances_and_limits_two_routes_to_the_traversal(dim):
    points = np.random.default_rng(dim).standard_normal((60, dim))
    np.testing.assert_array_equal(farthest_first(points, 20), table_farthest_first(distances(points, points), 20))


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ([0], r"order must be at least 2 different indices, but was \[0\]"),
        ([0, 0], r"order must be at least 2 different indices, but was \[0, 0\]"),
        ([0, 3], r"order must hold indices of the 3 pool points, but was \[0, 3\]"),
    ],
)
def test_bad_orders_are_one_sentence(order, words):
    with pytest.raises(ValueError, match=words):
        check_dispersion(line(0, 1, 2), np.array(order), optimum=1.0)


# 5. Proof lines


@pytest.fixture(scope="module")
def traversal():
    """The hidden features of 40 inputs under a trained tanh network, traversed; distances by plain numpy."""
    theta = hand_trained.train(hand_trained.data(separation=0.5, gap=1.0), step_size=0.5, steps=50)[-1]
    inputs = np.column_stack([np.random.default_rng(3).standard_normal((40, 2)), np.ones(40)])
    features = np.tanh(inputs @ theta.reshape(hand_trained.WIDTH, 4)[:, 1:].T)
    lengths = np.sqrt(((features[:, None] - features) ** 2).sum(axis=2))
    return lengths, farthest_first(features, 40)


def test_proof_lines_on_a_networks_features_1_to_3(traversal):
    lengths, order = traversal
    inserted = insertion_distances(lengths, order)
    assert all(later <= earlier for earlier, later in pairwise(inserted))  # line 1
    for k in range(2, 40):
        taken = order[:k]
        cover = max(min(lengths[x, s] for s in taken) for x in range(40))
        assert cover == inserted[k - 1] == cover_radius(lengths, taken)  # line 1: r_{k+1}
        closest = min(lengths[a, b] for a, b in combinations(taken, 2))
        assert closest == pytest.approx(inserted[k - 2], rel=1e-13)  # line 2: h_min(S_k) = r_k
        assert cover <= closest * (1 + 1e-13)  # line 3


def test_proof_lines_on_a_networks_features_4_and_5(traversal):
    """Any k points: two share a nearest point of S_{k-1}, within r_k of it. Any k centres: two of S_{k+1} share one."""
    lengths, order = traversal
    inserted = insertion_distances(lengths, order)
    rng = np.random.default_rng(1)
    for k in (2, 5, 9):
        for _ in range(50):
            others = rng.choice(40, k, replace=False)
            homes = lengths[np.ix_(others, order[: k - 1])].argmin(axis=1)
            a, b = next((a, b) for a, b in combinations(range(k), 2) if homes[a] == homes[b])
            to_home = lengths[others, order[homes]]
            assert lengths[others[a], others[b]] <= to_home[a] + to_home[b] + 1e-12
            assert to_home[a] + to_home[b] <= 2 * inserted[k - 2] + 1e-12
            radius = lengths[:, others].min(axis=1).max()
            centres = lengths[np.ix_(order[: k + 1], others)].argmin(axis=1)
            a, b = next((a, b) for a, b in combinations(range(k + 1), 2) if centres[a] == centres[b])
            assert inserted[k - 1] <= lengths[order[a], order[b]] + 1e-12 <= 2 * radius + 2e-12

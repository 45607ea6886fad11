"""A6 separation is not coverage, in five parts; and Chebyshev and Sobol' points, two more readings that fail."""

import itertools

import hand_trained
import numpy as np
import pytest
from hypothesis import given
from scipy.interpolate import barycentric_interpolate
from scipy.stats import qmc

from experiments.hunt import search
from experiments.hunts.separation_is_not_coverage import HUNT
from experiments.separation import separation
from theory.separation_is_not_coverage import best_points, check_ceiling, check_floor, largest_fill, least_fill
from theory.verdict import Verdict, failed_hypotheses, judge

GRID = np.linspace(0.0, 1.0, 24 * 25 + 1)


def fill_distance(points):
    """sup over [0,1] of the distance to the nearest point: at an end, or midway between neighbours."""
    points = np.sort(points)
    return max(points[0], 1 - points[-1], np.diff(points).max() / 2)


def worst_error(points):
    """The worst pair of total slope 1: dist(., X) and 0, on a grid that holds the points and the midpoints."""
    return np.abs(GRID[:, None] - points).min(axis=1).max()


# 1. Holds on random instances


@given(HUNT.instances)
def test_holds_on_random_instances(instance):
    assert judge(HUNT.check(instance)) is Verdict.HOLDS


def test_random_instances_are_applicable_and_reach_equality_in_both():
    report = search(HUNT, examples=60, seed=0)
    assert report.violation is None
    assert report.applicable >= 20
    assert {found.inequality for found in report.tightest if abs(found.slack_log10) < 1e-10} == {"floor", "ceiling"}


# 2. Attained


def test_is_attained_twice_the_separation_and_twice_the_error():
    ends, middles = np.array([0.0, 1.0]), np.array([0.25, 0.75])
    assert worst_error(ends) == 0.5 and worst_error(middles) == 0.25
    assert least_fill(1.0, 2) == 0.5 and least_fill(0.5, 2) == 0.25


@pytest.mark.parametrize("num_points", [2, 3, 4])
def test_is_attained_by_the_best_and_the_worst_set_of_every_separation(num_points):
    """All sets on a grid of 24 cells, by brute force: least and largest fill distance at each separation."""
    found = {}
    for places in itertools.combinations(range(25), num_points):
        points = np.array(places) / 24
        found.setdefault(min(np.diff(places)), []).append(fill_distance(points))
    for cells, fills in found.items():
        low, high = least_fill(cells / 24, num_points), largest_fill(cells / 24, num_points)
        assert low <= min(fills) * (1 + 1e-12) and max(fills) == pytest.approx(high, rel=1e-12)
        assert fill_distance(best_points(cells / 24, num_points)) == pytest.approx(low, rel=1e-12)
        assert np.diff(best_points(cells / 24, num_points)).min() == pytest.approx(cells / 24, rel=1e-12)
        if 24 % (2 * num_points) == 0 and cells == 24 // num_points:
            assert min(fills) == pytest.approx(1 / (2 * num_points)) == pytest.approx(low)  # midpoints


# 3. Fails without each hypothesis


def breaks(found, name):
    assert failed_hypotheses(found) == (name,)
    return judge(found._replace(margins={})) is Verdict.VIOLATED


def test_fails_without_points_in_the_interval():
    """{1/2, 1.4} leaves 0 at distance 1/2, but two points of [0,1] at separation 0.9 leave nothing beyond 0.45."""
    points = np.array([0.5, 1.4])
    found = check_ceiling(float(worst_error(points)), points, separation=0.9, total_slope=1.0)
    assert found.measured == 0.5
    assert breaks(found, "points in the interval")


@pytest.mark.parametrize("claimed", [0.1, 0.9])
def test_fails_without_exact_separation(claimed):
    """The midpoint design has error 1/4; the floor of a smaller h, and that of a larger one, is 0.45."""
    found = check_floor(0.25, np.array([0.25, 0.75]), separation=claimed, total_slope=1.0)
    assert breaks(found, "exact separation")


def test_fails_without_worst_case():
    """The pair f = g has error 0."""
    found = check_floor(0.0, np.array([0.0, 1.0]), separation=1.0, total_slope=1.0, worst_case=False)
    assert breaks(found, "worst case")


def test_fails_without_agreement_at_the_points():
    """f = 1, g = 0."""
    found = check_ceiling(1.0, np.array([0.25, 0.75]), separation=0.5, total_slope=0.1, largest_disagreement=1.0)
    assert breaks(found, "agreement at the points")


def test_fails_without_total_slope():
    found = check_ceiling(1.0, np.array([0.0, 1.0]), separation=1.0, total_slope=1.0, largest_slope=2.0)
    assert breaks(found, "total slope")


def test_fails_for_polynomial_interpolation():
    """1/(1 + 25 x^2) at 21 points of [-1,1]: Chebyshev's are 4 times closer, cover worse, and err 3900 times less."""

    def error(nodes):
        x = np.linspace(-1.0, 1.0, 2001)
        return np.abs(barycentric_interpolate(nodes, runge(nodes), x) - runge(x)).max()

    def runge(x):
        return 1 / (1 + 25 * x**2)

    def fill(nodes):
        return max(np.diff(nodes).max() / 2, 1 - nodes[-1])

    equal = np.linspace(-1.0, 1.0, 21)
    chebyshev = np.sort(np.cos((2 * np.arange(21) + 1) * np.pi / 42))
    # the digits that paper_notes.md prints
    assert [round(float(np.diff(nodes).min()), 3) for nodes in (chebyshev, equal)] == [0.022, 0.1]
    assert [round(float(fill(nodes)), 3) for nodes in (chebyshev, equal)] == [0.075, 0.05]
    assert round(float(error(chebyshev)), 3) == 0.015 and round(float(error(equal)), 1) == 59.8
    assert fill(chebyshev) == pytest.approx(np.sin(np.pi / 21) / 2)  # the gap next to 0


def test_fails_low_discrepancy_means_separated():
    """Sobol' points of [0,1]^2 against the square grid's separation N^(-1/2): 0.71, 0.35, 0.35, 0.09, 0.09.

    Their discrepancy falls all the while like N^-2 (its square, up to logarithms), far below the grid's N^-1.
    """
    ratios, discrepancies = [], []
    for power in (2, 4, 6, 8, 10):
        points = qmc.Sobol(2, scramble=False).random_base2(power)
        ratios.append(separation(points).distance * 2 ** (power / 2))
        discrepancies.append(qmc.discrepancy(points))
    np.testing.assert_allclose(ratios, np.sqrt([1 / 2, 1 / 8, 1 / 8, 1 / 128, 1 / 128]), rtol=1e-12)
    assert np.all(np.diff(np.log2(discrepancies)) < -3.5)
    assert [f"{d:.1e}" for d in (discrepancies[0], discrepancies[-1])] == ["5.5e-02", "1.1e-06"]
    side = (np.arange(32) + 0.5) / 32
    grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    assert discrepancies[-1] < 0.02 * qmc.discrepancy(grid)
    assert separation(grid).distance > 11 * separation(points).distance


# 4. Invariances and limits


@pytest.mark.parametrize("num_points", [2, 3, 10])
def test_invariances_and_limits_falls_to_the_midpoints_then_rises(num_points):
    h = np.linspace(0.0, 1 / (num_points - 1), 201)
    floors = np.array([least_fill(float(x), num_points) for x in h])
    below = h <= 1 / num_points
    assert np.all(np.diff(floors[below]) < 0) and np.all(np.diff(floors[~below]) > 0)
    assert least_fill(1 / num_points, num_points) == pytest.approx(1 / (2 * num_points))
    assert floors[-1] == pytest.approx(1 / (2 * (num_points - 1)))
    ceilings = np.array([largest_fill(float(x), num_points) for x in h])
    assert np.all(ceilings >= floors - 1e-15) and ceilings[0] == 1.0
    assert ceilings[-1] == pytest.approx(floors[-1])  # equispaced from end to end: the only set
    assert np.all(np.diff(ceilings) < 0) == (num_points > 2)  # two points: it turns at h = 2/3


def test_invariances_and_limits_reflection_and_slope():
    points = np.array([0.1, 0.3, 0.9])
    here = check_ceiling(0.3, points, separation=0.2, total_slope=1.0)
    mirrored = check_ceiling(0.9, 1 - points[::-1], separation=0.2, total_slope=3.0)
    assert judge(here) is judge(mirrored) is Verdict.HOLDS
    assert mirrored.bound == pytest.approx(3 * here.bound)
    assert judge(check_floor(0.1999, points, separation=0.2, total_slope=1.0)) is Verdict.VIOLATED  # (1 - 0.2)/4


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: least_fill(0.5, 1), "num_points must be at least 2"),
        (lambda: least_fill(0.51, 3), r"separation must lie in \[0, 1/2\] for 3 points of \[0,1\], but was 0.51"),
        (lambda: largest_fill(-0.1, 3), "separation must lie in"),
        (lambda: check_floor(0.3, np.array([0.0, 1.0]), separation=1.0, total_slope=-1.0), "total_slope must be at"),
    ],
)
def test_bad_numbers_are_one_sentence(call, words):
    with pytest.raises(ValueError, match=words):
        call()


# 5. Proof lines


@pytest.fixture(scope="module")
def sets():
    """Many sets, N = 2..8, among them clustered ones."""
    rng = np.random.default_rng(0)
    return [np.sort(rng.random(n) ** rng.uniform(0.3, 3.0)) for n in range(2, 9) for _ in range(100)]


def test_proof_lines_on_random_sets_1(sets):
    """The worst pair is dist(., X) and 0, and its error is the longest of the ends and the half gaps."""
    for points in sets[::20]:
        x = np.sort(np.concatenate([np.linspace(0, 1, 2001), (points[1:] + points[:-1]) / 2]))
        cone = np.abs(x[:, None] - points).min(axis=1)
        assert cone.max() == pytest.approx(fill_distance(points), abs=1e-15)
        assert np.all(np.abs(np.diff(cone)) <= np.diff(x) + 1e-15)


def test_proof_lines_on_random_sets_2(sets):
    """h <= 2F and 1 <= |union of balls| <= 2FN - (2F - h), also for sets of separation <= 1 that leave [0,1]."""
    for inside in sets:
        for points in (inside, 3.0 * inside - 1.0):
            n, h = len(points), float(np.diff(points).min())
            x = np.clip(np.concatenate([[0.0, 1.0], (points[1:] + points[:-1]) / 2]), 0.0, 1.0)
            fill = np.abs(x[:, None] - points).min(axis=1).max()
            if h <= 1.0:
                assert h <= 2 * fill + 1e-14
                assert 2 * fill * n - (2 * fill - h) + 1e-14 >= 1.0


def test_proof_lines_on_random_sets_4(sets):
    """An end is at most 1 - (N-1)h; a gap at most 1 - (N-2)h, or h where it is the only one."""
    for points in sets:
        n, fill, gaps = len(points), fill_distance(points), np.diff(points)
        h = float(gaps.min())
        assert max(points[0], 1 - points[-1]) <= 1 - (n - 1) * h + 1e-14
        assert gaps.max() <= (h if n == 2 else 1 - (n - 2) * h) + 1e-14
        assert least_fill(h, n) <= fill + 1e-14 and fill <= largest_fill(h, n) + 1e-14


@pytest.mark.parametrize(("num_points", "separation"), [(2, 0.1), (2, 0.9), (5, 0.1), (5, 0.2), (5, 0.24)])
def test_proof_lines_on_the_extremal_sets_3_and_5(num_points, separation):
    """They lie in [0,1], have the separation, and attain the floor (line 3) and the ceiling (line 5)."""
    best = best_points(separation, num_points)
    end = np.arange(num_points) * separation
    gap = np.concatenate([end[:-1], [1.0]]) if num_points > 2 else (1 + np.array([-separation, separation])) / 2
    for points in (best, end, gap):
        assert points.min() >= 0.0 and points.max() <= 1.0
        assert np.diff(points).min() == pytest.approx(separation)
    assert fill_distance(best) == pytest.approx(least_fill(separation, num_points))
    largest = max(fill_distance(end), fill_distance(gap))
    assert largest == pytest.approx(largest_fill(separation, num_points))


def test_proof_lines_on_a_trained_network():
    """The network along a line and its broken-line interpolant: the ceiling holds for a pair no one made up."""
    data = hand_trained.data(separation=0.5, gap=1.0)
    theta = hand_trained.train(data, step_size=0.5, steps=100)[-1]
    inputs = np.column_stack([GRID, 1 - GRID, np.ones_like(GRID)])
    values = hand_trained.outputs(theta, hand_trained.Data(inputs, np.zeros_like(GRID)))
    points = np.array([0.0, 0.25, 0.5, 1.0])
    nodes = values[np.searchsorted(GRID, points)]
    difference = values - np.interp(GRID, points, nodes)
    slope = np.abs(np.diff(values) / np.diff(GRID)).max() + np.abs(np.diff(nodes) / np.diff(points)).max()
    found = check_ceiling(float(np.abs(difference).max()), points, separation=0.25, total_slope=float(slope))
    assert judge(found) is Verdict.HOLDS

"""S3 birthday ceiling: exact probabilities of atoms and step densities, equality, three failures, its lines."""

import math
from fractions import Fraction
from itertools import combinations, pairwise, product

import hand_trained
import hypothesis
import numpy as np
import pytest

from experiments.ascent import ascend
from experiments.hunt import search
from experiments.hunts.birthday_ceiling import HUNT, Instance, atoms
from experiments.hunts.birthday_ceiling import separation as drawn_separation
from experiments.hunts.sampling_law import spread_probability
from experiments.points import Cube, construct
from experiments.separation import distances, separation
from theory.birthday_ceiling import (
    birthday_ceiling,
    cells,
    check,
    check_packing,
    check_quantile,
    exponential_ceiling,
    separation_ceiling,
)
from theory.confidence import binomial_interval
from theory.packing_ceiling import plane_ceiling
from theory.verdict import Verdict, judge, slack_log10


def clique_probability(weights, apart, num_points):
    """P(N draws of atoms are pairwise apart), every ordered outcome in exact arithmetic."""
    return sum(
        (math.prod((weights[a] for a in draw), start=Fraction(1)))
        for draw in product(range(len(weights)), repeat=num_points)
        if all(apart[a][b] for a, b in combinations(draw, 2))
    )


# 1. Holds on random instances


@hypothesis.given(HUNT.instances)
def test_holds_on_random_instances(instance):
    assert judge(HUNT.check(instance)) is not Verdict.VIOLATED


def test_the_hunt_reaches_equality():
    report = search(HUNT._replace(ascent=None), examples=60, seed=0)
    assert report.violation is None and report.applicable >= 50
    slack = {found.inequality: found.slack_log10 for found in report.tightest}
    assert slack["cells"] == pytest.approx(0.0, abs=1e-12) == slack["packing"]
    # nine atoms, two points: (1 - 1/9) e^(1/9)
    expected = -math.log10((1 - 1 / 9) * math.exp(1 / 9))
    assert slack["exponential"] == pytest.approx(expected) and slack["quantile"] == pytest.approx(expected)


def test_the_hunt_climbs_from_uneven_weights():
    uneven = Instance("packing", "grid", 2, 2, 3, 0.9, (0.3, 1.0, 0.7, 0.5), 0)
    assert HUNT.ascent is not None
    (end,) = ascend(HUNT.ascent, [uneven])
    start_slack, end_slack = slack_log10(HUNT.check(uneven)), slack_log10(HUNT.check(end))
    assert start_slack is not None and end_slack is not None
    assert start_slack > 0.05 and -1e-12 < end_slack < 1e-4


@pytest.mark.parametrize(
    "law, dim, per_axis, t", [("grid", 2, 2, 0.4), ("scattered", 2, 2, 0.4), ("scattered", 1, 4, 0.1)]
)
def test_exact_probabilities_against_every_ordered_draw(law, dim, per_axis, t):
    weights = [Fraction(3, 16), Fraction(1, 2), Fraction(1, 16), Fraction(1, 4)]
    instance = Instance("cells", law, dim, per_axis, 3, t * (per_axis - 1), tuple(map(float, weights)), 3)
    apart = distances(atoms(instance), atoms(instance)) > drawn_separation(instance)
    expected = float(clique_probability(weights, apart, 3))
    assert expected > 0.0
    assert HUNT.check(instance).measured == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("dim, shape", [(1, 1.0), (2, 1.0), (3, 0.5)])
def test_holds_on_samples(dim, shape):
    """Products of Beta(a, a): 10 points, t at the median; the lower confidence limit stays below the ceiling."""
    points = np.random.default_rng(1).beta(shape, shape, (800, 10, dim))
    found = np.array([separation(cloud).distance for cloud in points])
    t = float(np.median(found))
    low = binomial_interval(int((found > t).sum()), len(found), error_rate=1e-6).low
    assert judge(check(low, t, 10, dim=dim)) is Verdict.HOLDS
    assert np.mean(found > separation_ceiling(0.1, 10, dim=dim)) <= 0.1


# 2. Attained


@pytest.mark.parametrize(
    "dim, t", [(1, 0.07), (1, 0.2), (1, 0.3334), (2, 0.75), (2, 0.99), (2, 0.4715), (2, 0.499), (3, 0.87), (3, 0.99)]
)
@pytest.mark.parametrize("num_points", [2, 4])
def test_is_attained_by_equal_atoms(dim, t, num_points):
    """m points pairwise more than t apart exist, so the product (1)(1 - 1/m)... is the probability itself."""
    m = math.ceil(math.sqrt(dim) / t) ** dim
    per_axis = round(m ** (1 / dim))
    points = np.array(list(product(np.linspace(0.0, 1.0, per_axis), repeat=dim)))
    assert separation(points).distance > t
    distinct = Fraction(math.perm(m, num_points), m**num_points)
    found = check(float(distinct), t, num_points, dim=dim)
    assert judge(found) is Verdict.HOLDS and found.bound == pytest.approx(float(distinct), rel=1e-14)


def test_is_attained_by_a_density():
    """Four bumps of width 1/64 at 0, 21, 42, 63 cells, t = 20/64: closer than t only within a bump."""
    density = np.zeros(64)
    density[[0, 21, 42, 63]] = 16.0
    for num_points in (2, 3, 4):
        exact = spread_probability(density, num_points, 20)
        assert exact == pytest.approx(math.perm(4, num_points) / 4**num_points, rel=1e-13)
        found = check(exact, 20 / 64, num_points, dim=1, rounding=1e-12)
        assert judge(found) is Verdict.HOLDS and found.bound == pytest.approx(exact, rel=1e-12)
        assert judge(check_packing(exact, num_points, capacity=3, rounding=1e-12)) is Verdict.VIOLATED


def test_is_attained_on_other_domains_with_their_packing_number():
    """Seven points of the circle of circumference 1, t just under 1/7: M = 7 exactly."""
    points = np.arange(7)[:, None] / 7
    apart = distances(points, points, period=1.0) > 0.99 / 7
    exact = float(clique_probability([Fraction(1, 7)] * 7, apart, 3))
    found = check_packing(exact, 3, capacity=7)
    assert judge(found) is Verdict.HOLDS and slack_log10(found) == pytest.approx(0.0, abs=1e-12)


def test_is_attained_in_the_plane_by_at_most_three_cells_an_axis():
    """k = ceil(sqrt(2)/t) >= 4: by Oler's inequality (S4) fewer than k^2 points of the square are more than t apart."""
    for k in range(4, 100):
        assert plane_ceiling(k**2, area=1.0, perimeter=4.0) < math.sqrt(2) / k
    assert plane_ceiling(9, area=1.0, perimeter=4.0) > 0.5 > math.sqrt(2) / 3


@pytest.mark.parametrize("dim, per_axis", [(1, 7), (2, 3), (3, 2)])
def test_how_loose_the_quantile_is(dim, per_axis):
    """delta at the exponential of m cells: equal atoms on the grid reach delta (1 - 1/m) e^(1/m) for N = 2."""
    m = per_axis**dim
    delta = math.exp(-1 / m) * (1 + 1e-12)
    t = separation_ceiling(delta, 2, dim=dim)
    assert t == pytest.approx(math.sqrt(dim) / per_axis) and t < 1 / (per_axis - 1)
    found = check_quantile(1 - 1 / m, delta, 2, dim=dim)
    assert judge(found) is Verdict.HOLDS
    assert slack_log10(found) == pytest.approx(-math.log10(1 - 1 / m) - 1 / m / math.log(10), abs=1e-9)
    assert judge(check_quantile(1 - 1 / m, delta**1.15, 2, dim=dim)) is Verdict.VIOLATED


def test_how_loose_the_exponential_is():
    """N = 2: (1 - 1/m) e^(1/m) >= 1 - 1/m^2."""
    for m in (2, 10, 100, 10**6):
        ratio = birthday_ceiling(2, m) / exponential_ceiling(2, m)
        assert 1 - 1 / m**2 <= ratio <= 1


@pytest.mark.parametrize("capacity", [8, 40, 400])
def test_a_wrong_constant_is_rejected(capacity):
    """Two draws from equal atoms are apart with probability 1 - 1/m: above either bound with m / 1.15."""
    exact = 1 - 1 / capacity
    assert exact <= birthday_ceiling(2, capacity) <= exponential_ceiling(2, capacity)
    assert exact > exponential_ceiling(2, capacity) ** 1.15
    assert exact > 1 - 1.15 * (1 - birthday_ceiling(2, capacity))


# 3. Fails without each hypothesis


def test_fails_without_independent_points():
    """Draws without replacement from the four corners are always 1 apart."""
    found = check(1.0, 0.75, 4, dim=2)
    assert judge(found) is Verdict.VIOLATED and found.bound == pytest.approx(24 / 4**4)


def test_fails_without_one_common_distribution():
    """Point k lives on the k-th of four bumps, each uniform there: 21 cells apart at the least, t = 20 cells."""
    starts = np.array([0, 21, 42, 63]) / 64
    clouds = starts + np.random.default_rng(0).random((500, 4)) / 64
    always = float(np.mean([separation(cloud[:, None]).distance > 20 / 64 for cloud in clouds]))
    low = binomial_interval(round(500 * always), 500, error_rate=1e-6).low
    assert always == 1.0 and judge(check(low, 20 / 64, 4, dim=1)) is Verdict.VIOLATED


def test_fails_without_points_in_the_cube():
    """Ten equal atoms on [0, 9], t = 1/2: m = 2 in the unit interval, ten cells are needed."""
    exact = float(Fraction(math.perm(10, 3), 10**3))
    found = check(exact, 0.5, 3, dim=1, inside=1.0 - 9.0)
    assert judge(found) is Verdict.NOT_APPLICABLE
    assert judge(found._replace(margins={})) is Verdict.VIOLATED


# 4. Invariances and limits


def test_invariances_and_limits():
    assert cells(1.0, 1) == 1 and cells(0.5, 1) == 2 and cells(0.25, 1) == 4  # exact at the edges
    assert cells(math.nextafter(0.5, 0.0), 1) == 3 and cells(1.0, 4) == 16 and cells(0.1, 100) == 100**100
    for dim in (1, 2, 3, 7):  # a float sqrt(d)/k may lie on either side of the real one; the cells know which
        for k in range(1, 40):
            t = math.sqrt(dim) / k
            assert cells(t, dim) == (k if Fraction(t) ** 2 * k**2 >= dim else k + 1) ** dim
    for num_points in (2, 5, 30):
        products = [birthday_ceiling(num_points, m) for m in range(1, 80)]
        assert all(a <= b for a, b in pairwise(products))  # more room, more probability
        assert products[num_points - 2] == 0.0 < products[num_points - 1]
        assert all(p <= exponential_ceiling(num_points, m) for m, p in enumerate(products, 1))
    assert birthday_ceiling(23, 365) == pytest.approx(1 - 0.507297, abs=1e-6)  # the birthday problem
    assert birthday_ceiling(10, 10**400) == 1.0
    many = [separation_ceiling(0.05, n, dim=2) for n in (10**3, 10**5)]
    assert many[1] / many[0] == pytest.approx(1e-2, rel=0.05)  # N^(-2/d)
    assert separation_ceiling(0.5, 2, dim=3) == math.sqrt(3)


def test_invariances_and_limits_of_the_uniform_density():
    """d = 1: (1 - (N-1) t)^N stays below, and is e^(-N^2 t) against e^(-N^2 t / 2): a factor 2 in t."""
    for num_points in (2, 5, 20):
        for t in (0.003, 0.01, 0.04):
            exact = (1 - (num_points - 1) * t) ** num_points
            found = check(exact, t, num_points, dim=1)
            assert judge(found) is Verdict.HOLDS
    n, t = 400, 1e-5
    factor = math.log((1 - (n - 1) * t) ** n) / math.log(birthday_ceiling(n, cells(t, 1)))
    assert factor == pytest.approx(2.0, rel=1e-2)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: cells(0.0, 1), "separation must be positive and finite, but was 0.0"),
        (lambda: cells(0.5, 0), "dim must be at least 1, but was 0"),
        (lambda: birthday_ceiling(1, 4), "num_points must be at least 2 to have a pair, but was 1"),
        (lambda: exponential_ceiling(2, 0), "capacity must be at least 1, but was 0"),
        (
            lambda: separation_ceiling(1.0, 3, dim=1),
            "failure_probability must lie strictly between 0 and 1, but was 1.0",
        ),
    ],
)
def test_bad_numbers_are_one_sentence(call, words):
    with pytest.raises(ValueError, match=words):
        call()


# 5. Proof lines


@pytest.fixture(scope="module")
def features():
    """Nine atoms: what a trained tanh network's hidden layer makes of nine inputs, moved into [0,1]^2."""
    theta = hand_trained.train(hand_trained.data(separation=0.5, gap=1.0), step_size=0.5, steps=50)[-1]
    inputs = np.column_stack([np.random.default_rng(3).standard_normal((9, 2)), np.ones(9)])
    hidden = np.tanh(inputs @ theta.reshape(hand_trained.WIDTH, 4)[:, 1:].T)[:, :2]
    return (hidden + 1) / 2


def test_proof_lines_on_a_networks_features_1_and_2(features):
    """Shifting weight between two close atoms is affine in the shift; an end is no worse; the last support is apart."""
    num_points, t = 3, 0.4
    apart = distances(features, features) > t
    weights = [Fraction(k + 1, 45) for k in range(9)]
    start = clique_probability(weights, apart, num_points)
    value = start
    while True:
        support = [k for k in range(9) if weights[k]]
        close = next(((a, b) for a, b in combinations(support, 2) if not apart[a][b]), None)
        if close is None:
            break
        a, b = close
        both = weights[a] + weights[b]
        ends = []
        for share in (Fraction(0), Fraction(1, 2), Fraction(1)):
            shifted = list(weights)
            shifted[a], shifted[b] = share * both, (1 - share) * both
            ends.append((clique_probability(shifted, apart, num_points), shifted))
        assert 2 * ends[1][0] == ends[0][0] + ends[2][0]  # affine, exactly
        best, weights = max(ends[0], ends[2], key=lambda end: end[0])
        assert best >= value
        value = best
    assert value >= start > 0
    assert len([w for w in weights if w]) < 9


def test_proof_lines_on_a_networks_features_3_and_4(features):
    """Maclaurin on unequal weights (exactly), and the average over empirical laws of n = 3 draws (every one of 9^3)."""
    weights = [Fraction(k + 1, 45) for k in range(9)]
    everything_apart = [[a != b for b in range(9)] for a in range(9)]
    for num_points in (2, 3):
        distinct = clique_probability(weights, everything_apart, num_points)
        assert distinct < Fraction(math.perm(9, num_points), 9**num_points)
    apart = distances(features, features) > 0.4
    average = Fraction(0)
    for draw in product(range(9), repeat=3):
        empirical = sum(1 for a, b in product(draw, repeat=2) if apart[a][b])
        average += math.prod(weights[k] for k in draw) * Fraction(empirical, 9)
    assert average == clique_probability(weights, apart, 2) * Fraction(3 * 2, 9)  # n(n-1)/n^2


def test_proof_lines_on_point_sets_5_to_7():
    """Cells of diameter at most t: a greedy set more than t apart has one point a cell; 1 - x <= exp(-x); quantile."""
    for dim in (1, 2, 3):
        points = construct("greedy", 12, Cube(dim)).points if dim > 1 else np.linspace(0.0, 1.0, 12)[:, None]
        t = separation(points).distance * (1 - 1e-9)
        per_axis = round(cells(t, dim) ** (1 / dim))
        assert math.sqrt(dim) / per_axis <= t  # line 5
        homes = np.minimum((points * per_axis).astype(int), per_axis - 1)
        assert len(np.unique(homes, axis=0)) == len(points) <= cells(t, dim)
    assert all(1 - j / 50 <= math.exp(-j / 50) for j in range(50))  # line 6
    for num_points, delta, dim in ((30, 0.1, 1), (100, 0.01, 2), (1000, 0.5, 3)):  # line 7
        t = math.nextafter(separation_ceiling(delta, num_points, dim=dim), 2.0)
        assert exponential_ceiling(num_points, cells(t, dim)) <= delta

"""N4 distinctness, in five parts: random instances, attained, necessary hypotheses, invariances, proof lines."""

import math

import jax
import numpy as np
import pytest
from hypothesis import given
from scipy.special import chndtr

from experiments.hunt import search
from experiments.hunts.distinctness import HUNT, Pairs, merging_probability, pairs_of
from experiments.separation import separation
from theory.confidence import binomial_interval
from theory.distinctness import (
    check_collapse,
    check_gaussian,
    check_scale,
    collapse_ceiling,
    free_bound,
    gaussian_bound,
    scale_bound,
    shrinkage_at,
)
from theory.verdict import Verdict, failed_hypotheses, judge


def breaks(found, name):
    assert failed_hypotheses(found) == (name,)
    return judge(found._replace(margins={})) is Verdict.VIOLATED


# 1. Holds on random instances


@given(HUNT.instances)
def test_holds_on_random_instances(instance):
    assert judge(HUNT.check(instance)) is not Verdict.VIOLATED


def test_random_instances_are_applicable_and_reach_equality_in_all():
    report = search(HUNT, examples=60, seed=0)
    assert report.violation is None
    assert report.applicable >= 20
    close = {found.inequality for found in report.tightest if abs(found.slack_log10) < 4.3e-4}
    assert close == {"collapse", "scale", "free scale", "Gaussian"}


# 2. Attained


def test_is_attained_collapse_on_a_line():
    """x_i = i^2, b = -i: i^2 - t i = j^2 - t j at t = i + j; b = -i^3 / 3 tells all six pairs of four points apart."""
    index = np.arange(4)
    points, branches = index**2.0, -(index**3) / 3.0
    first, second = np.triu_indices(4, 1)
    scales = (points[first] - points[second]) / (branches[second] - branches[first])
    for i, j, t in zip(first, second, scales):
        assert points[i] + t * branches[i] == pytest.approx(points[j] + t * branches[j])
    assert len(np.unique(np.round(scales, 9))) == 6 == collapse_ceiling(4)


@pytest.mark.parametrize("shrinkage", [0.01, 0.3, 1.0])
def test_is_attained_scale_by_a_branch_against_the_skip(shrinkage):
    """b(x) = -x: the distance is |1 - t| times the old one, below delta on (1 - delta, 1 + delta) of [0, 1 + delta]."""
    largest = 1 + shrinkage
    probability = 2 * shrinkage / (1 + shrinkage)
    assert free_bound(shrinkage, 2) == pytest.approx(probability, rel=1e-15)
    found = scale_bound(np.array([1.0]), largest_scale=largest, shrinkage=shrinkage)
    assert float(found) == pytest.approx(probability, rel=1e-14)
    t = (np.arange(100_000) + 0.5) / 100_000 * largest
    assert np.mean(np.abs(1 - t) < shrinkage) == pytest.approx(probability, abs=1e-5)


@pytest.mark.parametrize("dim", [1, 2, 3, 7])
def test_is_attained_gaussian_as_the_shrinkage_vanishes(dim):
    """Volume of the ball times the density at its centre, at the worst deviation: the ratio to the bound tends to 1."""
    shrinkage = 1e-5
    density = (2 * math.pi / dim) ** (-dim / 2) * math.exp(-dim / 2)  # at distance 1, deviation 1/sqrt(dim)
    volume = math.pi ** (dim / 2) / math.gamma(dim / 2 + 1) * shrinkage**dim
    assert density * volume / gaussian_bound(shrinkage, 2, dim=dim) == pytest.approx(1.0, abs=2 * dim * shrinkage)


@pytest.mark.parametrize(
    ("dim", "expected"),
    [
        (2, {1: (0.591, 1.0), 4: (0.286, 0.949), 16: (0.0732, 0.775), 64: (0.0139, 0.563)}),
        (8, {1: (0.853, 1.01), 4: (0.787, 1.08), 16: (0.784, 1.34), 64: (1.09, 2.21)}),
    ],
)
def test_how_loose_the_guarantee_is_in_depth(dim, expected):
    """2000 networks: 5% quantile and median of h_min after over h_min before, the table of the notes."""
    num_points, hidden, networks, rng = 6, 4, 2000, np.random.default_rng(0)
    first, second = np.triu_indices(num_points, 1)
    points = rng.standard_normal((networks, num_points, dim))
    start = np.linalg.norm(points[:, first] - points[:, second], axis=2).min(axis=1)
    for depth in range(1, 65):
        inner = rng.standard_normal((networks, dim, hidden)) / np.sqrt(dim)
        outer = rng.standard_normal((networks, hidden, dim)) / np.sqrt(hidden)
        points = points + rng.random((networks, 1, 1)) * np.tanh(points @ inner) @ outer
        if depth in expected:
            kept = np.linalg.norm(points[:, first] - points[:, second], axis=2).min(axis=1) / start
            low, median = np.quantile(kept, [0.05, 0.5])
            assert (low, median) == pytest.approx(expected[depth], rel=0.02)
            assert low > 30 * shrinkage_at(0.05 / depth, num_points) ** depth  # holds with probability 95% at least


# 3. Fails without each hypothesis


def test_fails_without_skip_connection():
    """W relu(V x) with all units dead at both points: merged at every t, not at one; and with probability 1."""
    points = np.array([[1.0, 2.0], [2.0, 1.0]])
    images = np.maximum(points @ -np.ones((2, 3)), 0.0)
    assert np.all(images == 0.0)
    assert breaks(check_collapse(100, 2, skip=False), "skip connection")
    assert breaks(check_scale(1.0, 2, shrinkage=0.1, skip=False), "skip connection")
    assert breaks(check_gaussian(1.0, 2, shrinkage=0.1, dim=2, skip=False), "skip connection")


def test_fails_without_distinct_points():
    """Equal points have equal images at every t."""
    t = np.linspace(0.0, 1.0, 100)
    images = 0.3 + np.outer(t, np.tanh([0.3, 0.3]))
    merged = int(np.sum(images[:, 0] == images[:, 1]))
    assert breaks(check_collapse(merged, 2, smallest_distance=0.0), "distinct points")


def test_fails_without_independent_scale():
    """t = a, the pair's own ratio: always merged. W of the right size, but turned towards -(x_i - x_j): the same."""
    rng = np.random.default_rng(2)
    merged = []
    for dx, ds in rng.standard_normal((100, 2, 3)):
        outer = np.outer(-dx, ds) / (ds @ ds)
        merged.append(np.linalg.norm(dx + outer @ ds) < 0.1 * np.linalg.norm(dx))
    probability = float(np.mean(merged))
    assert breaks(check_scale(probability, 2, shrinkage=0.1, independent=False), "independent scale")
    assert breaks(check_gaussian(probability, 2, shrinkage=0.1, dim=3, independent=False), "independent scale")


# 4. Invariances and limits


def test_invariances_and_limits_units():
    """Branch times c and S over c: nothing changes. Far pairs (a > S/(1-delta)) and equal branches cost nothing."""
    ratios = np.array([0.5, 1.0, 3.0])
    here = float(scale_bound(ratios, largest_scale=2.0, shrinkage=0.2))
    assert float(scale_bound(ratios / 7, largest_scale=2 / 7, shrinkage=0.2)) == pytest.approx(here)
    assert here == pytest.approx((0.2 + 0.4) / 2)
    assert float(scale_bound(np.array([np.inf]), largest_scale=2.0, shrinkage=0.2)) == 0.0
    assert float(scale_bound(np.array([np.inf]), largest_scale=2.0, shrinkage=1.5)) == 1.0  # not even a shrinkage
    mapped = jax.vmap(lambda s: scale_bound(ratios, largest_scale=2.0, shrinkage=s))(np.array([0.1, 0.2]))
    np.testing.assert_allclose(mapped, [0.15, 0.3])


@pytest.mark.parametrize("shrinkage", [1e-3, 0.1, 0.7, 2.0])
def test_invariances_and_limits_the_free_bound_is_the_largest(shrinkage):
    """Over a on a grid the bound of one pair stays below 2 delta/(1+delta), and reaches it at a = S/(1+delta)."""
    ratios = np.linspace(0.01, 5.0, 500)
    found = jax.vmap(lambda a: scale_bound(a[None], largest_scale=1.0, shrinkage=shrinkage))(ratios)
    worst = float(scale_bound(np.array([1 / (1 + shrinkage)]), largest_scale=1.0, shrinkage=shrinkage))
    assert float(found.max()) <= min(free_bound(shrinkage, 2), 1.0) + 1e-12
    assert worst == pytest.approx(min(free_bound(shrinkage, 2), 1.0))


def test_invariances_and_limits_numbers():
    assert [collapse_ceiling(n) for n in (2, 3, 10)] == [1, 3, 45]
    assert free_bound(shrinkage_at(0.05, 10), 10) == pytest.approx(0.05)
    assert shrinkage_at(0.05, 10) == pytest.approx(0.05 / 89.95)
    for dim in (1, 5, 50):
        assert gaussian_bound(0.5, 2, dim=dim) <= 1 / math.sqrt(math.pi * dim)
        assert gaussian_bound(0.2, 3, dim=dim) == pytest.approx(gaussian_bound(0.5, 3, dim=dim) * 0.25**dim)
    assert gaussian_bound(1.0, 2, dim=3) == math.inf
    assert judge(check_scale(0.9, 3, shrinkage=0.5)) is Verdict.VACUOUS
    assert judge(check_scale(0.19, 2, shrinkage=0.1)) is Verdict.VIOLATED  # 2/11 = 0.1818...
    assert judge(check_collapse(2, 2)) is Verdict.VIOLATED


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: collapse_ceiling(1), "num_points must be at least 2 to have a pair, but was 1"),
        (lambda: free_bound(0.0, 2), "shrinkage must be above 0, but was 0.0"),
        (lambda: gaussian_bound(0.1, 2, dim=0), "dim must be at least 1, but was 0"),
        (lambda: shrinkage_at(1.0, 2), "failure_probability must lie strictly between 0 and 1"),
    ],
)
def test_bad_numbers_are_one_sentence(call, words):
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.parametrize("dim", [1, 3])
def test_noncentral_chi_square_against_quadrature(dim):
    """P(|Z + rho e| < delta rho), Z standard normal: radial density r/rho (phi(r - rho) - phi(r + rho)) for n = 3."""
    nodes, weights = np.polynomial.legendre.leggauss(40)
    for shrinkage, rho in [(1e-4, 1.0), (1e-2, 3.0), (0.3, 1.5), (0.5, 10.0)]:
        r = shrinkage * rho * (1 + nodes) / 2
        near, far = np.exp(-((r - rho) ** 2) / 2), np.exp(-((r + rho) ** 2) / 2)
        density = (near + far if dim == 1 else r / rho * near * -np.expm1(-2 * r * rho)) / math.sqrt(2 * math.pi)
        expected = shrinkage * rho / 2 * weights @ density
        assert chndtr((shrinkage * rho) ** 2, dim, rho**2) == pytest.approx(expected, rel=1e-10)


# 5. Proof lines, on a random residual network: 6 points of R^5, hidden width 3, relu


@pytest.fixture(scope="module")
def layer():
    rng = np.random.default_rng(5)
    points = rng.standard_normal((6, 5))
    outer, inner = rng.standard_normal((5, 3)), rng.standard_normal((3, 5))
    states = np.maximum(points @ inner.T, 0.0)
    return points, states, states @ outer.T


def test_proof_lines_on_a_random_network_1(layer):
    """dx + t db is affine in t: it vanishes at most once, at t = -<dx, db>/|db|^2 if at all."""
    points, _, branches = layer
    dx, db = pairs_of(points), pairs_of(branches)
    moving = np.linalg.norm(db, axis=1) > 0
    nearest = -np.sum(dx * db, axis=1)[moving] / np.sum(db**2, axis=1)[moving]
    left = np.linalg.norm(dx[moving] + nearest[:, None] * db[moving], axis=1)
    for t in np.linspace(-5.0, 5.0, 101):
        assert np.all(np.linalg.norm(dx[moving] + t * db[moving], axis=1) >= left - 1e-12)
    assert left.min() > 1e-3  # in five dimensions no pair of this network ever merges


def test_proof_lines_on_a_random_network_2_and_3(layer):
    """|dx + t db| < delta |dx| implies |t/a - 1| < delta; P <= the sum of shares, each at most 2 delta/(1+delta)."""
    points, _, branches = layer
    dx, db = pairs_of(points), pairs_of(-points + 0.3 * branches)  # against the skip, so that pairs do come close
    sizes, moves = np.linalg.norm(dx, axis=1), np.linalg.norm(db, axis=1)
    ratios, shrinkage, largest = sizes / moves, 0.5, 1.5
    t = (np.arange(20_000) + 0.5) / 20_000 * largest
    close = np.linalg.norm(dx + t[:, None, None] * db, axis=2) < shrinkage * sizes
    assert close.any(axis=0).sum() >= 5
    assert np.all((np.abs(t[:, None] / ratios - 1) < shrinkage)[close])  # line 2
    shares = np.array([float(scale_bound(a[None], largest_scale=largest, shrinkage=shrinkage)) for a in ratios])
    assert np.all(close.mean(axis=0) <= shares + 1e-4) and shares.max() <= 2 * shrinkage / (1 + shrinkage)  # line 3
    exact = merging_probability(Pairs(dx, db), largest_scale=largest, shrinkage=shrinkage)
    assert exact == pytest.approx(close.any(axis=1).mean(), abs=3e-4)


def test_proof_lines_on_a_random_network_4():
    """Twelve layers with uniform scales: h_min falls below delta^L h_min(X) in at most p = 1/2 of 400 networks."""
    num_points, depth, trials = 6, 12, 400
    shrinkage = shrinkage_at(0.5 / depth, num_points)
    rng = np.random.default_rng(7)
    failures, margins = 0, []
    for _ in range(trials):
        start = points = rng.standard_normal((num_points, 2))
        for scale in rng.random(depth):
            outer, inner = rng.standard_normal((2, 4)), rng.standard_normal((4, 2))
            points = points + scale * np.tanh(points @ inner.T) @ outer.T / 2
        margins.append(separation(points).distance / separation(start).distance)
        failures += int(margins[-1] < shrinkage**depth)
    assert binomial_interval(failures, trials, error_rate=1e-9).low <= 0.5
    assert min(margins) > 0.0


def test_proof_lines_on_a_random_network_5_to_7(layer):
    """W ds is N(0, tau^2 |ds|^2 I); the density on the ball, its maximum over tau, the sum over pairs; W sampled."""
    points, states, _ = layer
    points, dim, shrinkage, trials = points[:, :2], 2, 0.4, 20_000
    dx, ds = pairs_of(points), pairs_of(states)
    moving = np.linalg.norm(ds, axis=1) > 0
    sizes, gaps = np.linalg.norm(dx, axis=1)[moving], np.linalg.norm(ds, axis=1)[moving]
    for tau in (0.3, 1.0, 3.0):
        deviations = tau * gaps
        ball = np.pi * (shrinkage * sizes) ** 2
        peak = np.exp(-(((1 - shrinkage) * sizes / deviations) ** 2) / 2) / (2 * np.pi * deviations**2)
        exact = chndtr((shrinkage * sizes / deviations) ** 2, dim, (sizes / deviations) ** 2)
        assert np.all(exact <= ball * peak)  # line 6
        assert np.all(ball * peak <= gaussian_bound(shrinkage, 2, dim=dim) * (1 + 1e-12))  # line 7
        draws = tau * np.random.default_rng(1).standard_normal((trials, dim, 3))
        images = dx[moving] + np.einsum("tdh,ph->tpd", draws, ds[moving])
        seen = np.mean(np.linalg.norm(images, axis=2) < shrinkage * sizes, axis=0)
        np.testing.assert_allclose(seen, exact, atol=5 * np.sqrt(0.25 / trials))  # line 5

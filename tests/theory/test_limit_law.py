"""S2, limit law: closed forms on the circle, samples on the torus, every Chen-Stein line on a torus of 11 sites."""

import itertools
import math
from typing import NamedTuple

import hypothesis
import numpy as np
import pytest
from jaxtyping import Float

from experiments.hunts.limit_law import HUNT, Instance
from theory.confidence import Interval, binomial_interval, distribution_radius
from theory.limit_law import (
    check,
    check_floor,
    check_mean,
    distance_allowance,
    limit_mean,
    mean_band,
    scaled_separation,
    stein_factor,
    survival_band,
)
from theory.verdict import Verdict, judge, slack_log10

ERROR_RATE = 1e-4
POINTS = 60


def test_holds_on_random_instances() -> None:
    verdicts = []

    @hypothesis.given(HUNT.instances)
    def explore(instance: Instance) -> None:
        found = HUNT.check(instance)
        verdicts.append(judge(found))
        assert verdicts[-1] is not Verdict.VIOLATED, found
        hypothesis.target(-(slack_log10(found) or 0.0))

    explore()
    assert verdicts.count(Verdict.HOLDS) > len(verdicts) // 3


@pytest.fixture(scope="module")
def torus_separations() -> Float[np.ndarray, " trials"]:
    """h_min of 60 uniform points on the flat torus in the plane, 12,000 times."""
    rng = np.random.default_rng(11)
    found = []
    for _ in range(60):
        points = rng.random((200, POINTS, 2), dtype=np.float32)
        squares = np.zeros((200, POINTS, POINTS), dtype=np.float32)
        for axis in range(2):
            steps = np.abs(points[:, :, None, axis] - points[:, None, :, axis])
            squares += np.minimum(steps, 1.0 - steps) ** 2
        squares[:, np.arange(POINTS), np.arange(POINTS)] = 2.0
        found.append(np.sqrt(squares.min(axis=(1, 2))))
    return np.concatenate(found).astype(float)


def test_holds_on_samples_and_a_wrong_constant_is_rejected(torus_separations: Float[np.ndarray, " trials"]) -> None:
    """Survival at u = 0.6; the whole law; the mean. Scaling the constant by 1.15 must fail the same first test."""
    trials, pairs = len(torus_separations), POINTS * (POINTS - 1) // 2
    separation = math.sqrt(0.6 / (pairs * math.pi))

    def survival_check(constant: float):
        """The check of an experimenter whose constant is off by this factor: t is not where u = 0.6."""
        successes = int((torus_separations > separation / math.sqrt(constant)).sum())
        return check(binomial_interval(successes, trials, error_rate=ERROR_RATE), separation, POINTS, dim=2)

    assert judge(survival_check(1.0)) is Verdict.HOLDS
    assert judge(survival_check(1.15)) is Verdict.VIOLATED
    assert judge(survival_check(1.0 / 1.15)) is Verdict.VIOLATED

    scaled = np.sort(np.asarray(scaled_separation(torus_separations, POINTS, dim=2, density_norm_sq=1.0)))
    ranks = np.arange(1, trials + 1) / trials
    distance = float(np.abs(np.append(ranks, ranks - 1.0 / trials) - np.tile(-np.expm1(-scaled), 2)).max())
    assert distance <= distance_allowance(POINTS, dim=2) + distribution_radius(trials, error_rate=ERROR_RATE)

    error = 5.0 * float(torus_separations.std()) / math.sqrt(trials)
    mean = float(torus_separations.mean())
    assert judge(check_mean(Interval(mean - error, mean + error), POINTS, dim=2)) is Verdict.HOLDS
    assert mean == pytest.approx(float(limit_mean(POINTS, dim=2, density_norm_sq=1.0)), rel=0.06)


def closest_on_the_line(trials: int, count: int, *, circle: bool, seed: int) -> Float[np.ndarray, " trials"]:
    """h_min of `count` uniform points of the circle of length 1 or of [0,1]."""
    points = np.sort(np.random.default_rng(seed).random((trials, count)), axis=1)
    found = np.diff(points, axis=1).min(axis=1)
    return np.minimum(found, points[:, 0] + 1.0 - points[:, -1]) if circle else found


def excesses(scaled: Float[np.ndarray, " trials"]) -> tuple[float, float]:
    """sup of F_n - F and of F - F_n, F_n the sample's distribution function and F that of Exp(1)."""
    scaled, trials = np.sort(scaled), scaled.size
    law = -np.expm1(-scaled)
    return float((np.arange(1, trials + 1) / trials - law).max()), float((law - np.arange(trials) / trials).max())


def test_whole_law_on_the_circle_and_a_wrong_constant_is_rejected() -> None:
    """Kolmogorov-Smirnov with the Chen-Stein allowance: 1000 points, 8000 times; 1.15 either way must fail."""
    separations = closest_on_the_line(8000, 1000, circle=True, seed=13)
    scaled = np.asarray(scaled_separation(separations, 1000, dim=1, density_norm_sq=1.0))
    allowed = distance_allowance(1000, dim=1) + distribution_radius(8000, error_rate=ERROR_RATE)
    distances = [max(excesses(factor * scaled)) for factor in (1.0, 1.15, 1.0 / 1.15)]
    assert distances[0] <= allowed < min(distances[1:])


def test_the_law_from_below_on_the_cube_and_a_wrong_constant_is_rejected() -> None:
    """Off the torus one direction is a theorem: U_N is not smaller than Exp(1), but for the lower side of the band.

    The interval: F_n - F of 1000 points, one-sided; the square: the survival at u = 0.9 of 100 points, Clopper-Pearson.
    A constant 1.15 times too small (U_N taken 1.15 times too small) must fail both.
    """
    separations = closest_on_the_line(8000, 1000, circle=False, seed=14)
    scaled = np.asarray(scaled_separation(separations, 1000, dim=1, density_norm_sq=1.0))
    cuts = np.linspace(0.01, 10.0, 1000)
    shortfall = np.exp(-cuts) - np.asarray(survival_band(cuts, 1000).low)  # rises up to where the low side meets 0
    allowed = float(np.maximum(shortfall, np.exp(-cuts)).min()) + distribution_radius(8000, error_rate=ERROR_RATE)
    assert excesses(scaled)[0] <= allowed < excesses(scaled / 1.15)[0]

    rng, first, second = np.random.default_rng(15), *np.triu_indices(100, 1)
    squares = np.concatenate(
        [
            sum((points[:, first] - points[:, second]) ** 2 for points in rng.random((2, 250, 100))).min(axis=1)
            for _ in range(40)
        ]
    )
    separation = math.sqrt(0.9 / (4950 * math.pi))

    def survival_check(factor: float):
        successes = int((np.sqrt(squares) > separation * math.sqrt(factor)).sum())
        high = binomial_interval(successes, squares.size, error_rate=ERROR_RATE).high
        return check_floor(high, separation, 100, dim=2, density_norm_sq=1.0)

    assert judge(survival_check(1.0)) is Verdict.HOLDS
    assert judge(survival_check(1.15)) is Verdict.VIOLATED


def test_is_attained() -> None:
    """N = 2: P(h > t) = 1 - p is the lower side; on the circle E h = 1/4 is the mean's lower side."""
    for dim, share in itertools.product((1, 2, 3, 4), (0.01, 0.5, 0.999)):
        found = HUNT.check(Instance(num_points=2, dim=dim, share=share))
        assert judge(found) in (Verdict.HOLDS, Verdict.VACUOUS)
        assert found.measured == pytest.approx(found.bound, rel=1e-9)
    assert mean_band(2, dim=1).low == pytest.approx(0.25, rel=1e-13)
    two = check_floor(0.8, 0.1, 2, dim=1, density_norm_sq=1.0)  # P(h > t) = 1 - 2 t
    assert judge(two) is Verdict.HOLDS and two.bound == pytest.approx(0.8, rel=1e-14)


@pytest.mark.parametrize("instance", HUNT.extremal)
def test_is_attained_closely_enough_to_see_a_wrong_constant(instance: Instance) -> None:
    """The band's lower side holds exactly; 1.15 times narrower it does not, nor does the floor 1.15 times higher."""
    found = HUNT.check(instance)
    assert judge(found) is Verdict.HOLDS
    wrong = found.bound / 1.15 if found.sense == "<=" else 1.15 * found.bound
    assert judge(found._replace(bound=wrong)) is Verdict.VIOLATED


def test_how_loose_on_the_circle() -> None:
    """For many points the band is 4 times the error near u = 0, and of the right order in N at every u."""
    near = HUNT.check(Instance(num_points=10_000, dim=1, share=1e-6))
    assert near.bound / near.measured == pytest.approx(4.0, rel=2e-2)
    widths = [HUNT.check(Instance(num_points=count, dim=1, share=1.0 / count)) for count in (100, 10_000)]
    assert widths[1].bound / widths[0].bound == pytest.approx(1e-2, rel=5e-2)


def test_how_loose_with_an_atom() -> None:
    """Upper side: pairs are close when both sit on an atom of mass q, N q = 0.02: 1.5 times the error.

    p = q^2, kappa = 1/q, P(h > t) = P(at most one on the atom).
    """
    points, q = 10_000, 2e-6
    survival = math.exp((points - 1) * math.log1p(-q)) * (1.0 + (points - 1) * q)
    rate = 0.5 * points * (points - 1) * q**2
    band = survival_band(rate, points, clustering=1.0 / q)
    assert (float(band.high) - math.exp(-rate)) / (survival - math.exp(-rate)) == pytest.approx(1.5, rel=2e-2)


def test_fails_without_independent_points() -> None:
    """X_2 = X_1, each uniform: P(h > t) = 0 at every t, where u tends to 0 with t."""
    for separation in (1e-3, 0.1, 0.4):
        assert judge(check(Interval(0.0, 0.0), separation, 2, dim=1)) is Verdict.VIOLATED


def test_fails_without_uniform_density() -> None:
    """Two points uniform on half of the circle: P(h > t) = (1 - 2t)^2, about 1 - 4t, and u = 2t."""
    found = check(Interval(0.64, 0.64), 0.1, 2, dim=1)
    assert judge(found) is Verdict.VIOLATED
    aware = survival_band(1.0 - 0.64, 2)
    assert float(aware.low) <= 0.64 * (1.0 + 1e-14) and float(aware.high) >= 0.64


def test_fails_without_uniform_density_by_clustering() -> None:
    """Each of N = 1000 points falls in a speck with probability 1/N: P(h > t) = P(at most one there) within 1e-3."""
    points, pairs = 1000, 999 * 500
    inside = 1.0 / points
    survival = (1.0 - inside) ** points + points * inside * (1.0 - inside) ** (points - 1)
    one_pair, two_pairs = inside**2, inside**3
    blind = survival_band(pairs * one_pair, points)
    aware = survival_band(pairs * one_pair, points, clustering=two_pairs / one_pair**2)
    assert survival - 1e-3 > float(blind.high)
    assert float(aware.low) <= survival <= float(aware.high)


def test_fails_without_separation_at_most_one_half() -> None:
    """Two points in 16 dimensions are more than 1.15 apart half of the time, where u = V_d t^d claims exp(-2.2)."""
    sides = np.random.default_rng(0).random((4000, 16))
    apart = int((np.linalg.norm(np.minimum(sides, 1.0 - sides), axis=1) > 1.15).sum())
    interval = binomial_interval(apart, 4000, error_rate=ERROR_RATE)
    found = check(interval, 1.15, 2, dim=16)
    assert judge(found) is Verdict.NOT_APPLICABLE
    assert judge(found._replace(margins={})) is Verdict.VIOLATED


def test_invariances_and_limits() -> None:
    grid = np.array([0.0, 1e-8, 1e-3, 0.0499, 0.0501, 0.7, 4.0, 60.0])
    nodes, weights = np.polynomial.legendre.leggauss(60)
    y = 0.5 * (nodes + 1.0)
    integral = (0.5 * weights * (1.0 - y) * np.exp(-grid[:, None] * y)).sum(axis=1)
    np.testing.assert_allclose(stein_factor(grid), integral, rtol=2e-13)
    assert np.all(np.asarray(stein_factor(grid)) <= np.minimum(0.5, 1.0 / np.maximum(grid, 1e-300)))

    for count in (2, 7, 1000):  # line 10: the lower side falls in lambda
        falling = np.asarray(survival_band(np.linspace(0.0, 6.0, 400), count).low)
        assert np.all(np.diff(falling) <= 0.0)

    allowances = np.array([distance_allowance(10**power, dim=2) for power in range(1, 8)])
    assert np.all(np.diff(allowances) < 0) and allowances[-1] < 1e-5
    for dim in (1, 2, 3):
        bands = [mean_band(count, dim=dim) for count in (100, 100_000, 10**8)]
        limits = [float(limit_mean(count, dim=dim, density_norm_sq=1.0)) for count in (100, 100_000, 10**8)]
        widths = [(band.high - band.low) / limit for band, limit in zip(bands, limits)]
        assert widths[2] < 1e-4 < widths[1] < 0.02 < widths[0]
        assert all(band.low < limit < band.high for band, limit in zip(bands, limits))
    for count in (2, 10, 1000):  # circle: E h = 1/N^2
        assert judge(check_mean(Interval(count**-2.0, count**-2.0), count, dim=1)) is not Verdict.VIOLATED
        assert mean_band(count, dim=1).low <= count**-2.0 * (1.0 + 1e-12) <= mean_band(count, dim=1).high
    with pytest.raises(ValueError, match="dim must be from 1 to 4"):
        mean_band(10, dim=5)


def test_limit_on_a_density_that_is_not_uniform() -> None:
    """Beta(2, 2) on [0,1], |pi|^2 = 6/5: U_N is close to Exp(1) at N = 2000, and not with the wrong norm."""
    points = np.sort(np.random.default_rng(12).beta(2.0, 2.0, (1500, 2000)), axis=1)
    separations = np.diff(points, axis=1).min(axis=1)
    radius = distribution_radius(1500, error_rate=1e-4)
    for norm, close in ((1.2, True), (1.5, False)):  # 1.5 is sup pi
        scaled = np.sort(np.asarray(scaled_separation(separations, 2000, dim=1, density_norm_sq=norm)))
        distance = np.abs(np.arange(1500) / 1500 + np.expm1(-scaled)).max()
        assert (distance <= radius + 1e-3) == close


class Sites(NamedTuple):
    """All 11^3 placements of points 1 to 3 on a cycle of 11 sites, point 0 at site 0; close: at most 1 apart."""

    close: Float[np.ndarray, "placements pairs"]
    p: float
    expected: float


@pytest.fixture(scope="module")
def sites() -> Sites:
    placements = np.array([(0, *rest) for rest in itertools.product(range(11), repeat=3)])
    pairs = list(itertools.combinations(range(4), 2))
    steps = np.stack([np.abs(placements[:, i] - placements[:, j]) for i, j in pairs], axis=1)
    close = (np.minimum(steps, 11 - steps) <= 1).astype(float)
    return Sites(close, 3.0 / 11.0, 6 * 3.0 / 11.0)


def test_proof_lines_on_a_cycle_of_sites(sites: Sites) -> None:
    """Every expectation is an exact average over placements."""
    pairs = list(itertools.combinations(range(4), 2))
    counts, rate = sites.close.sum(axis=1), sites.expected
    empty = float((counts == 0).mean())
    assert counts.mean() == pytest.approx(rate, rel=1e-13)  # line 1

    nodes, weights = np.polynomial.legendre.leggauss(40)
    y, weights = 0.5 * (nodes + 1.0), 0.5 * weights

    def g(k):
        return (weights * y ** (np.asarray(k)[..., None] - 1.0) * np.exp(-rate * y)).sum(axis=-1)

    k = np.arange(1, 8)
    np.testing.assert_allclose(rate * g(k + 1) - k * g(k), -math.exp(-rate), rtol=1e-12)  # line 2
    factor = float(stein_factor(rate))
    drops = g(k) - g(k + 1)
    assert np.all(drops > 0) and np.all(drops <= factor * (1 + 1e-12)) and drops[0] == pytest.approx(factor)  # line 3
    error = empty - math.exp(-rate)
    first = second = together = 0.0
    for index, pair in enumerate(pairs):
        far = [other for other, members in enumerate(pairs) if not set(members) & set(pair)]
        others = [other for other, members in enumerate(pairs) if set(members) & set(pair) and other != index]
        apart = sites.close[:, far].sum(axis=1)
        joint = (sites.close[:, index] * (apart == 1)).mean()
        assert joint == pytest.approx(sites.p * (apart == 1).mean(), rel=1e-12)  # line 4: independent
        first += sites.p * (g(counts + 1) - g(apart + 1)).mean()
        second += (sites.close[:, index] * (g(apart + 1) - g(np.maximum(counts, 1)))).mean()
        together += (sites.close[:, [index]] * sites.close[:, others]).sum(axis=1).mean()
    assert first + second == pytest.approx(error, rel=1e-9)  # line 4
    assert -6 * 5 * sites.p**2 * factor <= first <= 0.0  # line 5
    assert together == pytest.approx(6 * 4 * sites.p**2, rel=1e-12)  # line 6: pairs sharing a point are independent
    assert 0.0 <= second <= together * factor
    band = survival_band(rate, 4)
    assert float(band.low) <= empty <= float(band.high)


def test_packing_tail_of_the_mean_on_the_circle() -> None:
    """Line 8: P(U_N > u) <= exp(-u/2^d), against the closed form (1 - N t)^(N-1), u = N(N-1) t."""
    for count in (2, 5, 40):
        t = np.linspace(0.0, 1.0 / count, 50)
        assert np.all((1.0 - count * t).clip(0.0) ** (count - 1) <= np.exp(-count * (count - 1) * t / 2.0) + 1e-15)

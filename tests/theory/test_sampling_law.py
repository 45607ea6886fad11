"""S1, sampling law: exact probabilities on step densities, samples on the torus, and the two ways it breaks."""

import math

import hypothesis
import jax
import numpy as np
import pytest
from jaxtyping import Float

from experiments.hunts.sampling_law import HUNT, Instance, spread_probability, step_density
from theory.confidence import binomial_interval, distribution_radius, mean_interval
from theory.sampling_law import check, check_mean, close_pairs, mean_floor, separation_quantile, tail_bound
from theory.verdict import Verdict, judge, slack_log10

ERROR_RATE = 1e-6


def closest(points: Float[np.ndarray, "trials n d"], *, torus: bool) -> Float[np.ndarray, " trials"]:
    """h_min of each set of points."""
    first, second = np.triu_indices(points.shape[1], 1)
    squares = np.zeros((len(points), len(first)))
    for axis in range(points.shape[2]):
        steps = np.abs(points[:, first, axis] - points[:, second, axis])
        squares += (np.minimum(steps, 1.0 - steps) if torus else steps) ** 2
    return np.sqrt(squares.min(axis=1))


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


def tail_excess(
    separations: Float[np.ndarray, " trials"], num_points: int, *, dim: int, density_norm_sq: float
) -> float:
    """sup over t of the sampled P(h_min < t) minus its bound."""
    ordered = np.sort(separations)
    bounds = np.asarray(tail_bound(ordered, num_points, dim=dim, density_norm_sq=density_norm_sq))
    return float((np.arange(1, ordered.size + 1) / ordered.size - bounds).max())


@pytest.mark.parametrize("dim, torus, shape", [(2, True, 1.0), (3, False, 1.0), (2, False, 3.0)])
def test_holds_on_samples(dim: int, torus: bool, shape: float) -> None:
    """Uniform on the torus and the cube, and products of Beta(a, a): |pi|^2 = (B(2a-1, 2a-1) / B(a, a)^2)^d."""
    beta = math.gamma(shape) ** 2 / math.gamma(2.0 * shape)
    beta2 = math.gamma(2.0 * shape - 1.0) ** 2 / math.gamma(4.0 * shape - 2.0)
    density_norm_sq = (beta2 / beta**2) ** dim
    found = closest(np.random.default_rng(1).beta(shape, shape, (4000, 12, dim)), torus=torus)
    separation = float(separation_quantile(0.3, 12, dim=dim, density_norm_sq=density_norm_sq))
    low = binomial_interval(int((found < separation).sum()), len(found), error_rate=ERROR_RATE).low
    tail = check(low, separation, 12, dim=dim, density_norm_sq=density_norm_sq)
    assert judge(tail) is Verdict.HOLDS and low > 0.5 * tail.bound
    excess = tail_excess(found, 12, dim=dim, density_norm_sq=density_norm_sq)
    assert excess <= distribution_radius(len(found), error_rate=ERROR_RATE)
    high = mean_interval(found, largest=math.sqrt(dim), error_rate=ERROR_RATE).high
    assert judge(check_mean(high, 12, dim=dim, density_norm_sq=density_norm_sq)) is Verdict.HOLDS


def test_is_attained() -> None:
    """Two points: small t on the interval (exact), the torus (sampled), the mean on the circle (closed form 1/4)."""
    near = HUNT.check(Instance(num_points=2, cells=2048, gap_cells=1, levels=1, spread=0.0, seed=0))
    assert 0.0 <= slack_log10(near) <= math.log10(1.0 / 0.999)
    found = closest(np.random.default_rng(2).random((40_000, 2, 3)), torus=True)
    interval = binomial_interval(int((found < 0.4).sum()), len(found), error_rate=ERROR_RATE)
    assert interval.low <= tail_bound(0.4, 2, dim=3, density_norm_sq=1.0) <= interval.high
    circle = check_mean(0.25, 2, dim=1, density_norm_sq=1.0)
    assert judge(circle) is Verdict.HOLDS and circle.bound == pytest.approx(0.25, rel=1e-14)


@pytest.mark.parametrize(
    "dim, torus, separation, trials",
    [
        pytest.param(3, True, 0.4, 40_000, id="torus"),  # exact
        pytest.param(2, False, 0.05, 1_000_000, id="cube"),  # conservative: 1 - 8 t/(3 pi) of the bound
    ],
)
def test_a_wrong_constant_is_rejected(dim: int, torus: bool, separation: float, trials: int) -> None:
    """The same sample test with the constant 1.15 times too small must see it."""
    found = closest(np.random.default_rng(3).random((trials, 2, dim)), torus=torus)
    low = binomial_interval(int((found < separation).sum()), trials, error_rate=ERROR_RATE).low
    assert judge(check(low, separation, 2, dim=dim, density_norm_sq=1.0)) is Verdict.HOLDS
    assert judge(check(low, separation, 2, dim=dim, density_norm_sq=1.0 / 1.15)) is Verdict.VIOLATED


def test_a_wrong_constant_is_rejected_by_the_whole_tail() -> None:
    """Dvoretzky-Kiefer-Wolfowitz on the torus, where the tail is exact up to t = 1/2."""
    found = closest(np.random.default_rng(3).random((40_000, 2, 3)), torus=True)
    radius = distribution_radius(40_000, error_rate=ERROR_RATE)
    assert tail_excess(found, 2, dim=3, density_norm_sq=1.0) <= radius
    assert tail_excess(found, 2, dim=3, density_norm_sq=1.0 / 1.15) > 2.0 * radius


@pytest.mark.parametrize("instance", HUNT.extremal)
def test_is_attained_closely_enough_to_see_a_wrong_constant(instance: Instance) -> None:
    found = HUNT.check(instance)
    assert judge(found) is Verdict.HOLDS
    assert judge(found._replace(bound=found.bound / 1.15)) is Verdict.VIOLATED


def test_fails_without_independent_points() -> None:
    copies_within_t = check(1.0, 0.01, 2, dim=1, density_norm_sq=1.0)  # X_2 = X_1, each uniform
    assert judge(copies_within_t) is Verdict.VIOLATED


def test_fails_without_square_integrable_density() -> None:
    """pi = 1/(2 sqrt x), X = U^2: P(|X - Y| < t) in closed form outgrows every C t."""

    def probability(t: float) -> float:
        s = math.sqrt(1.0 - t)
        return t * (math.asinh(s / math.sqrt(t)) + 1.0 / (1.0 + s))

    rng = np.random.default_rng(4)
    sampled = float((np.abs(rng.random(200_000) ** 2 - rng.random(200_000) ** 2) < 0.1).mean())
    assert sampled == pytest.approx(probability(0.1), abs=0.005)
    growth = [probability(t) / t for t in (1e-2, 1e-4, 1e-6, 1e-8)]
    np.testing.assert_allclose(np.diff(growth), 0.5 * math.log(100.0), rtol=2e-2)  # log(1/t)/2: no finite constant
    assert judge(check(probability(0.1), 0.1, 2, dim=1, density_norm_sq=math.inf)) is Verdict.NOT_APPLICABLE
    for norm_sq, t in ((1.0, 1e-3), (4.0, 1e-8), (30.0, 1e-60)):  # whatever one takes for the norm, some t breaks it
        assert judge(check(probability(t), t, 2, dim=1, density_norm_sq=norm_sq)) is Verdict.VIOLATED


def test_invariances_and_limits() -> None:
    norm = 1.7
    quantile = separation_quantile(0.2, 9, dim=3, density_norm_sq=norm)
    assert float(tail_bound(quantile, 9, dim=3, density_norm_sq=norm)) == pytest.approx(0.2, rel=1e-13)
    scaled = tail_bound(5.0 * quantile, 9, dim=3, density_norm_sq=norm / 5.0**3)  # x -> 5 x
    assert float(scaled) == pytest.approx(0.2, rel=1e-13)
    assert float(tail_bound(10.0, 9, dim=3, density_norm_sq=norm)) == 1.0
    for levels in (2, 8):
        density = step_density(Instance(2, 64, 1, levels, 1.0, 5))
        assert 1.0 < np.mean(density**2) <= density.max()  # the uniform density is best; the sup form is weaker
    slope = jax.grad(lambda t: close_pairs(t, 9, dim=3, density_norm_sq=norm))(0.01)
    assert float(slope) == pytest.approx(3.0 * float(close_pairs(0.01, 9, dim=3, density_norm_sq=norm)) / 0.01)
    many = jax.vmap(lambda count: mean_floor(count, dim=2, density_norm_sq=1.0))(np.array([100.0, 10_000.0]))
    assert float(many[1] / many[0]) == pytest.approx(1e-2, rel=2e-2)  # N^(-2/d)


def test_exact_probabilities_against_the_closed_form() -> None:
    """The hunt's recursion for the uniform density: P(h_min >= t) = (1 - (N-1) t)^N."""
    for num_points in (2, 3, 5):
        exact = (1.0 - (num_points - 1) * 3.0 / 64.0) ** num_points
        assert spread_probability(np.ones(64), num_points, 3) == pytest.approx(exact, rel=1e-13)


def test_proof_lines_on_a_step_density() -> None:
    """Lines 1-6 on the circle, t of 4 cells in 64, where every integral is a finite sum."""
    cells, t_cells = 64, 4
    density = step_density(Instance(2, cells, t_cells, 8, 1.0, 6))
    norm_sq = float(np.mean(density**2))
    # pi * 1_B(t) averaged over a cell: the two cells at the rim count half
    weights = np.ones(2 * t_cells + 1)
    weights[[0, -1]] = 0.5
    smoothed = sum(w * np.roll(density, k) for w, k in zip(weights, range(-t_cells, t_cells + 1))) / cells
    pair = float(np.mean(density * smoothed))
    samples = np.random.default_rng(7)
    x, y = ((samples.choice(cells, 100_000, p=density / cells) + samples.random(100_000)) / cells for _ in range(2))
    steps = np.abs(x - y)
    assert float((np.minimum(steps, 1.0 - steps) < t_cells / cells).mean()) == pytest.approx(pair, rel=0.03)  # line 1
    smoothed_norm = math.sqrt(float(np.mean(smoothed**2)))
    assert pair <= math.sqrt(norm_sq) * smoothed_norm  # line 2, Cauchy-Schwarz
    assert smoothed_norm <= math.sqrt(norm_sq) * 2.0 * t_cells / cells  # line 2, Young
    line = density / density.mean()
    two, five = (1.0 - spread_probability(line, count, 1) for count in (2, 5))
    assert two <= five <= 10.0 * two <= float(close_pairs(1.0 / cells, 5, dim=1, density_norm_sq=norm_sq))  # line 3
    survival = np.array([spread_probability(line, 3, gap) for gap in range(cells)])
    mean_from_below = survival[1:].sum() / cells  # lower Riemann sum of a falling survival function
    assert float(mean_floor(3, dim=1, density_norm_sq=norm_sq)) <= mean_from_below  # line 5
    assert norm_sq >= 1.0  # line 6

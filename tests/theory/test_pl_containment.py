"""G5 PL containment, in five parts: random instances, attained, necessary hypotheses, invariances, proof lines."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

from experiments.hunt import search
from experiments.hunts import tanh_network
from experiments.hunts.pl_containment import HUNT, NUM_POINTS, WIDTH, network_start, profile
from theory import pl_containment
from theory.pl_containment import loss_ceiling, path_ceiling, path_factor, step_factor
from theory.verdict import Verdict, failed_hypotheses, judge, slack_log10


def run_check(inequality, loss, slope, start, *, step_size, rate, smoothness, ball_radius=math.inf, num_steps=10):
    """Gradient descent in one dimension against the claimed constants."""
    points = [start]
    for _ in range(num_steps):
        points.append(points[-1] - step_size * slope(points[-1]))
    return pl_containment.check(
        inequality=inequality,
        largest_distance=float(np.abs(np.array(points) - start).max()),
        path_length=float(np.abs(np.diff(points)).sum()),
        initial_loss=loss(points[0]),
        final_loss=loss(points[-1]),
        num_steps=num_steps,
        step_size=step_size,
        rate=rate,
        smoothness=smoothness,
        ball_radius=ball_radius,
        instance="by hand",
    )


def conclusion(check):
    """The verdict on the inequality alone, hypotheses aside."""
    return judge(check._replace(margins={}))


# 1. Holds on random instances


@given(HUNT.instances)
def test_holds_on_random_instances(instance):
    assert judge(HUNT.check(instance)) is not Verdict.VIOLATED


def test_random_instances_are_applicable_and_reach_equality():
    report = search(HUNT, examples=60, seed=0)
    assert report.violation is None
    assert report.applicable >= 30
    assert {found.inequality: round(found.slack_log10, 9) for found in report.tightest} == {
        "containment": 0.0,
        "path length": 0.0,
        "rate": 0.0,
    }


@pytest.mark.parametrize("seed", range(5))
def test_the_hunts_profile_has_its_rate_at_a_knot(seed):
    """L'^2 / (2L) on 20,001 points of (0, 1], L by the trapezoid rule on L': the least is the least over the knots."""
    knots, slopes, losses = profile(seed)
    points = np.linspace(0.0, 1.0, 20_001)
    slope = np.interp(points, knots, slopes)
    loss = np.append(0.0, np.cumsum(0.5 * (slope[1:] + slope[:-1]) * np.diff(points)))
    least = min(slopes[1] / knots[1], np.min(slopes[1:] ** 2 / (2 * losses[1:])))
    assert np.min(slope[1:] ** 2 / (2 * loss[1:])) == pytest.approx(least, rel=1e-9)


# 2. Attained


@pytest.mark.parametrize("step_size", [0.25, 0.125, 0.375, 0.4375])
def test_is_attained_by_a_single_curvature(step_size):
    """L = 2 theta^2 (mu = S = 4) from 1: theta_s = (1 - 4 eta)^s; path 4 eta sum_s |theta_s|, loss 2 theta_T^2."""
    for inequality in ("path length", "rate"):
        found = run_check(
            inequality,
            lambda t: 2 * t**2,
            lambda t: 4 * t,
            1.0,
            step_size=step_size,
            rate=4.0,
            smoothness=4.0,
            num_steps=3,
        )
        ratio = abs(1 - 4 * step_size)
        path = 4 * step_size * (1 + ratio + ratio**2)
        assert found.bound == pytest.approx(path if inequality == "path length" else 2 * ratio**6, rel=1e-14)
        assert judge(found) is (Verdict.HOLDS if found.bound else Verdict.NOT_APPLICABLE)
        assert found.bound == 0.0 or slack_log10(found) == pytest.approx(0.0, abs=1e-14)


def test_is_attained_by_one_step_to_the_edge_of_the_ball():
    """L = theta^2 / 2 from 3 with eta = 1: the first step goes to 0, at distance 3 = sqrt(2 L_0 / mu)."""
    found = run_check("containment", lambda t: t**2 / 2, lambda t: t, 3.0, step_size=1.0, rate=1.0, smoothness=1.0)
    assert found.bound == found.measured == 3.0
    assert judge(found) is Verdict.HOLDS and slack_log10(found) == 0.0


def test_how_loose_the_path_factor_can_be():
    """eta = 1/S: kappa = 1 + sqrt(1 - mu/S), 1 at mu = S, below 2; a quadratic never needs more than 1 there."""
    assert float(path_factor(0.5, rate=2.0, smoothness=2.0)) == 1.0
    assert float(path_factor(0.5, rate=2e-6, smoothness=2.0)) == pytest.approx(2.0, abs=1e-6)
    rng = np.random.default_rng(0)
    longest = 0.0
    for _ in range(300):
        eigenvalues = np.array([1.0, *(10.0 ** rng.uniform(-2, 0, 2))])
        path = (
            (1 - eigenvalues) ** np.arange(2000)[:, None] * rng.standard_normal(3) * eigenvalues ** rng.uniform(-1, 1)
        )
        length = np.linalg.norm(np.diff(path, axis=0), axis=1).sum()
        losses = path[[0, -1]] ** 2 @ eigenvalues / 2
        longest = max(longest, length / (math.sqrt(2 / eigenvalues.min()) * (np.sqrt(losses) @ [1, -1])))
    assert 0.9 < longest <= 1.0 + 1e-9


# 3. Fails without each hypothesis


def test_fails_without_gradient_dominance_on_the_ball():
    """L = 1 + theta^2/2: convex and smooth, but the loss cannot fall below 1."""
    found = run_check("rate", lambda t: 1 + t**2 / 2, lambda t: t, 1.0, step_size=0.5, rate=1.0, smoothness=1.0)
    assert failed_hypotheses(found) == ()  # the inequality PL is a statement on L that the numbers cannot show
    assert judge(found) is Verdict.VIOLATED


def test_fails_without_smoothness_on_the_ball():
    """L = 2 theta^2, S = 4, claimed 1 (mu = 1 holds): eta = 1 trebles |theta| at each step."""
    for inequality in ("rate", "path length"):
        found = run_check(inequality, lambda t: 2 * t**2, lambda t: 4 * t, 1.0, step_size=1.0, rate=1.0, smoothness=1.0)
        assert conclusion(found) is Verdict.VIOLATED


def bent(theta):
    """L = theta^2/2 down to 1/2, then flat from 0.4 on (slope 0.5 -> 0 linearly): PL with mu = 1 on [1/2, 3/2] only."""
    if theta >= 0.5:
        return theta**2 / 2, theta
    if theta <= 0.4:
        return 0.1, 0.0
    return 0.1 + 2.5 * (theta - 0.4) ** 2, 5.0 * (theta - 0.4)


def test_fails_without_large_enough_ball():
    """mu = S = 1 on B(1, 1/2), where rho must be sqrt(2 L_0) = 1: eta = 1/2 goes 1, 1/2, 1/4 and stays at L = 0.1."""
    numbers: dict[str, Any] = {"step_size": 0.5, "rate": 1.0, "smoothness": 1.0}
    found = run_check("rate", lambda t: bent(t)[0], lambda t: bent(t)[1], 1.0, **numbers, ball_radius=0.5)
    assert failed_hypotheses(found) == ("large enough ball",)
    assert conclusion(found) is Verdict.VIOLATED
    whole = run_check("rate", lambda t: t**2 / 2, lambda t: t, 1.0, **numbers, ball_radius=1.0)
    assert judge(whole) is Verdict.HOLDS


def test_fails_without_stable_step_size():
    """L = theta^2/2 from 1 with eta = 5/2: kappa = -5, so rho = 1 is large enough, and (-3/2)^s leaves every ball."""
    numbers: dict[str, Any] = {"rate": 1.0, "smoothness": 1.0, "ball_radius": 1.0}
    wide: dict[str, Any] = numbers | {"ball_radius": 3.0}
    found = run_check("containment", lambda t: t**2 / 2, lambda t: t, 1.0, step_size=2.5, **numbers)
    assert failed_hypotheses(found) == ("stable step size",)
    assert found.bound == 1.0
    assert conclusion(found) is Verdict.VIOLATED
    # At 2/S the iterates swing between 1 and -1 for ever, and no radius is large enough.
    found = run_check("containment", lambda t: t**2 / 2, lambda t: t, 1.0, step_size=2.0, **numbers)
    assert failed_hypotheses(found)[0] == "stable step size" and found.bound == math.inf
    # Below it the theorem holds: at 3/2, where kappa = 3, on a ball of radius 3.
    for inequality in ("containment", "path length", "rate"):
        assert (
            judge(run_check(inequality, lambda t: t**2 / 2, lambda t: t, 1.0, step_size=1.5, **wide)) is Verdict.HOLDS
        )


def test_fails_without_nonnegative_loss():
    """L = theta^2/2 - 1 obeys |L'|^2 >= 2 L, but its minimum lies 3 away from 3, beyond sqrt(2 L_0) = sqrt 7."""
    found = run_check("path length", lambda t: t**2 / 2 - 1, lambda t: t, 3.0, step_size=0.5, rate=1.0, smoothness=1.0)
    assert failed_hypotheses(found) == ("nonnegative loss",)
    assert conclusion(found) is Verdict.VIOLATED


# 4. Invariances and limits


def test_invariances_and_limits_units():
    """L -> c L: mu, S times c, eta over c; theta -> c theta: mu, S over c^2, eta times c^2, path times c."""
    base = float(path_ceiling(2.0, 0.5, step_size=0.3, rate=0.7, smoothness=2.0))
    louder = float(path_ceiling(14.0, 3.5, step_size=0.3 / 7, rate=4.9, smoothness=14.0))
    longer = float(path_ceiling(2.0, 0.5, step_size=0.3 * 9, rate=0.7 / 9, smoothness=2.0 / 9))
    assert louder == pytest.approx(base, rel=1e-14)
    assert longer == pytest.approx(3 * base, rel=1e-14)


def test_invariances_and_limits_small_steps():
    """eta -> 0 is gradient flow: kappa -> 1 and (1 - 2 eta mu)^(t/eta) -> exp(-2 mu t)."""
    assert float(path_factor(1e-9, rate=0.5, smoothness=3.0)) == pytest.approx(1.0, abs=1e-8)
    found = float(loss_ceiling(2.0, 10**6, step_size=1e-6, rate=0.5, smoothness=3.0))
    assert found == pytest.approx(2.0 * math.exp(-1.0), rel=1e-5)


def test_invariances_and_limits_classic_rate():
    """At eta = 1/S the factor is the classic 1 - mu/S, below 1/S it is less than 1 - eta mu."""
    assert float(step_factor(0.25, rate=1.0, smoothness=4.0)) == pytest.approx(0.75, rel=1e-15)
    etas = np.linspace(0.01, 0.25, 20)
    assert np.all(np.asarray(step_factor(etas, rate=1.0, smoothness=4.0)) <= 1 - etas + 1e-15)


def test_invariances_and_limits_near_two_over_the_smoothness():
    """eta -> 2/S: kappa < 2/(2 - eta S) grows without end, and the rate tends to 1."""
    for remaining in (1e-2, 1e-4, 1e-6):
        factor = float(path_factor(2.0 - remaining, rate=0.5, smoothness=1.0))
        assert factor == pytest.approx(2 / remaining, rel=remaining) and factor < 2 / remaining
        assert float(step_factor(2.0 - remaining, rate=0.5, smoothness=1.0)) == pytest.approx(
            1 - remaining, abs=remaining**2
        )


def test_a_rate_above_the_smoothness_is_refused():
    """mu = 3/2 > S = 1, where kappa = 0.971: a ball of 0.98 sqrt(2 L_0/mu) is too small, and no ball makes mu real."""
    assert float(path_factor(0.1, rate=1.5, smoothness=1.0)) == pytest.approx((1 + math.sqrt(0.715)) / 1.9, rel=1e-14)
    numbers: dict[str, Any] = {"step_size": 0.1, "rate": 1.5, "smoothness": 1.0}
    found = run_check(
        "rate", lambda t: t**2, lambda t: 2 * t, 1.0, **numbers, ball_radius=0.98 * math.sqrt(2 / 1.5), num_steps=1
    )
    assert failed_hypotheses(found) == ("large enough ball", "rate at most smoothness")
    found = run_check("rate", lambda t: t**2, lambda t: 2 * t, 1.0, **numbers, num_steps=1)
    assert failed_hypotheses(found) == ("rate at most smoothness",)


def test_verdicts():
    found = run_check("rate", lambda t: t**2, lambda t: 2 * t, 1.0, step_size=0.2, rate=1.0, smoothness=2.0)
    assert judge(found) is Verdict.HOLDS
    assert judge(found._replace(margins={"large enough ball": -0.1})) is Verdict.NOT_APPLICABLE


@pytest.mark.parametrize("name", ["step_size", "rate", "smoothness"])
def test_bad_numbers_are_one_sentence(name):
    numbers: dict[str, Any] = {"step_size": 0.1, "rate": 1.0, "smoothness": 1.0} | {name: 0.0}
    with pytest.raises(ValueError, match=f"{name} must be positive, but was 0.0"):
        run_check("rate", lambda t: t**2 / 2, lambda t: t, 1.0, **numbers)


# 5. Proof lines


class LazyNetwork:
    """A tanh network with labels within reach of theta_0: sigma_min(J) >= sigma/2 on a ball, 400 steps of eta.

    relative_step: eta S, at most 3/2, so that kappa <= 4.
    """

    def __init__(self, relative_step):
        theta, self.inputs = network_start(11)
        sigma = np.linalg.svd(tanh_network.jacobian(theta, self.inputs), compute_uv=False)[-1]
        self.outer = float(np.linalg.norm(theta[::3])) + 1.0
        bends = tanh_network.curvature_bounds(self.outer, self.inputs, width=WIDTH)
        self.radius = min(1.0, sigma / (2 * np.linalg.norm(bends)))
        self.rate = sigma**2 / (4 * NUM_POINTS)
        residual = 0.25 * math.sqrt(NUM_POINTS * self.rate) * self.radius * np.array([0.6, -0.8, 0.0])
        self.labels = tanh_network.outputs(theta, self.inputs) - residual
        reach = np.abs(residual) + self.radius * tanh_network.slope_bounds(self.outer, self.inputs, width=WIDTH)
        self.smoothness = tanh_network.loss_smoothness(self.outer, reach, self.inputs, width=WIDTH)
        self.step_size = relative_step / self.smoothness
        path = [theta]
        for _ in range(400):
            path.append(path[-1] - self.step_size * self.gradient(path[-1]))
        self.path = np.array(path)
        self.losses = np.array([self.loss(theta) for theta in path])

    def loss(self, theta):
        return float(np.mean((tanh_network.outputs(theta, self.inputs) - self.labels) ** 2) / 2)

    def gradient(self, theta):
        residual = tanh_network.outputs(theta, self.inputs) - self.labels
        return residual @ tanh_network.jacobian(theta, self.inputs) / NUM_POINTS

    def constants(self, step_size):
        return {"step_size": step_size, "rate": self.rate, "smoothness": self.smoothness}

    def ball(self, count):
        """Random points of the ball, half of them on its sphere."""
        rng = np.random.default_rng(0)
        for share, direction in zip(np.linspace(0, 2, count), rng.standard_normal((count, self.path.shape[1]))):
            yield self.path[0] + self.radius * min(1.0, share) * direction / np.linalg.norm(direction)


@pytest.fixture(scope="module", params=[1.0, 1.5])
def trained(request):
    return LazyNetwork(request.param)


def jax_outputs(theta, inputs):
    """The hunt's tanh network, written anew for automatic differentiation."""
    neurons = theta.reshape(WIDTH, -1)
    return jnp.tanh(jnp.asarray(inputs) @ neurons[:, 1:].T) @ neurons[:, 0] / math.sqrt(WIDTH)


def jax_loss(theta, inputs, labels):
    return jnp.sum((jax_outputs(theta, inputs) - labels) ** 2) / (2 * len(inputs))


slope_of, bend_of = jax.jit(jax.jacobian(jax_outputs)), jax.jit(jax.hessian(jax_outputs))
hessian_of = jax.jit(jax.hessian(jax_loss))


def spectral_norms(matrices):
    return np.linalg.norm(np.asarray(matrices), ord=2, axis=(-2, -1))


def test_the_networks_bounds_hold_for_automatic_differentiation(trained):
    """|grad f_i|, |hess f_i| and |hess L| at 40 points of the ball, and the loss itself."""
    slopes = tanh_network.slope_bounds(trained.outer, trained.inputs, width=WIDTH)
    bends = tanh_network.curvature_bounds(trained.outer, trained.inputs, width=WIDTH)
    for theta in trained.ball(40):
        assert np.all(np.linalg.norm(slope_of(theta, trained.inputs), axis=1) <= slopes)
        assert np.all(spectral_norms(bend_of(theta, trained.inputs)) <= bends)
        assert spectral_norms(hessian_of(theta, trained.inputs, trained.labels)) <= trained.smoothness
        assert float(jax_loss(theta, trained.inputs, trained.labels)) == pytest.approx(trained.loss(theta), rel=1e-12)


@pytest.mark.parametrize(
    ("outer", "inner", "residual"),
    [(10.0, 0.0, 0.0), (10.0, math.atanh(1 / math.sqrt(3)), -100.0), (0.0, 0.0, 100.0)],
    ids=["slope", "tanh''", "tanh'"],
)
def test_the_networks_smoothness_is_nearly_attained(outer, inner, residual):
    """One sample, one active neuron, where tanh', tanh'' or the residual is at its largest: |hess L| >= 0.9 S."""
    inputs, theta = np.array([[0.6, 0.8]]), np.zeros(3 * WIDTH)
    theta[:3] = [outer, 0.6 * inner, 0.8 * inner]
    labels = tanh_network.outputs(theta, inputs) - residual
    found = float(spectral_norms(hessian_of(theta, inputs, labels)))
    smoothness = tanh_network.loss_smoothness(outer, np.abs([residual]), inputs, width=WIDTH)
    assert 0.9 * smoothness < found <= smoothness


def test_proof_lines_on_a_trained_network_1(trained):
    """mu <= S; and PL with mu = inf lambda_min(K)/N at 50 random points of the ball."""
    assert trained.rate <= trained.smoothness
    for theta in trained.ball(50):
        gram = tanh_network.jacobian(theta, trained.inputs)
        gram = gram @ gram.T
        assert np.linalg.eigvalsh(gram)[0] / NUM_POINTS >= trained.rate
        assert np.sum(trained.gradient(theta) ** 2) >= 2 * trained.rate * trained.loss(theta)


def test_proof_lines_on_a_trained_network_2_and_3(trained):
    """Partial steps t: L falls by t (1 - tS/2)|g|^2, and t|g| <= kappa(t) sqrt(2/mu) (sqrt L - sqrt L(t))."""
    for theta in trained.path[:300:60]:
        g, loss = trained.gradient(theta), trained.loss(theta)
        size = np.linalg.norm(g)
        for t in np.linspace(0.1, 1.9, 7) / trained.smoothness:
            after = trained.loss(theta - t * g)
            assert after <= loss - t * (1 - t * trained.smoothness / 2) * size**2 + 1e-18
            assert t * size <= float(path_ceiling(loss, after, **trained.constants(t))) * (1 + 1e-9)


def test_proof_lines_on_a_grid_4():
    """kappa = t mu / (1 - D(t)) rises in t from 1 past 1 + sqrt(1 - mu/S) at 1/S, strictly from there on."""
    for ratio in (1e-3, 0.1, 0.5, 0.9, 0.999, 1.0):
        t = 0.005 * np.arange(1, 399)  # S = 1
        one = 199
        other = t * ratio / (1 - np.sqrt(ratio * (t - 1) ** 2 + 1 - ratio))
        found = np.asarray(path_factor(t, rate=ratio, smoothness=1.0))
        np.testing.assert_allclose(found, other, rtol=1e-9)
        assert np.all(np.diff(found) >= -1e-14)
        assert found[0] >= 1 - 1e-14 and found[one] == pytest.approx(1 + math.sqrt(1 - ratio), rel=1e-12)
        assert np.all(np.diff(found[one:]) > 0) and np.all(found < 2 / (2 - t))


def test_proof_lines_on_a_trained_network_5_and_6(trained):
    """The path stays in the ball and under its ceiling; the loss falls at the rate, here to 1/10 at least."""
    lengths = np.append(0.0, np.cumsum(np.linalg.norm(np.diff(trained.path, axis=0), axis=1)))
    assert np.linalg.norm(trained.path - trained.path[0], axis=1).max() <= trained.radius
    constants = trained.constants(trained.step_size)
    ceilings = np.asarray(path_ceiling(trained.losses[0], trained.losses, **constants))
    assert np.all(lengths <= ceilings * (1 + 1e-9))
    assert float(path_ceiling(trained.losses[0], 0.0, **constants)) <= trained.radius
    bounds = np.asarray(loss_ceiling(trained.losses[0], np.arange(401), **constants))
    assert np.all(trained.losses <= bounds * (1 + 1e-9))
    assert trained.losses[-1] < 0.1 * trained.losses[0]

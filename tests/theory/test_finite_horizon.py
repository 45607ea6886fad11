"""G3 finite horizon, in five parts: random instances, attained, necessary hypotheses, invariances, proof lines."""

import itertools
import math

import hand_trained
import numpy as np
import pytest
from hypothesis import given

from experiments.hunt import search
from experiments.hunts import tanh_network
from experiments.hunts.finite_horizon import HUNT, Instance, network_run
from theory import finite_horizon
from theory.finite_horizon import gradient_ceiling, horizon_radius, path_ceiling, steps_for_horizon
from theory.verdict import Verdict, failed_hypotheses, judge, slack_log10

INEQUALITIES = ("containment", "path length", "gradient", "decrease")


def scalar_run(loss, slope, start, *, step_size, num_steps):
    """Gradient descent in one dimension: points, losses, slopes, each of num_steps + 1 entries."""
    points = [start]
    for _ in range(num_steps):
        points.append(points[-1] - step_size * slope(points[-1]))
    return np.array(points), np.array([loss(t) for t in points]), np.array([slope(t) for t in points])


def run_check(inequality, run, *, step_size, smoothness):
    points, losses, slopes = run
    return finite_horizon.check(
        inequality=inequality,
        largest_distance=float(np.abs(points - points[0]).max()),
        path_length=float(np.abs(np.diff(points)).sum()),
        squared_gradients=slopes[:-1] ** 2,
        initial_loss=float(losses[0]),
        final_loss=float(losses[-1]),
        least_loss=float(losses.min()),
        step_size=step_size,
        smoothness=smoothness,
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
    assert report.applicable >= 20
    assert report.smallest_slack_log10 is not None and abs(report.smallest_slack_log10) < 1e-12


def test_the_hunt_measures_the_whole_run():
    """A curved network run: the path is its steps one by one, the distance the largest over the iterates."""
    instance = Instance("path length", "network", 12, 1.0, 0.0, 0.0, 1.0, 3)
    points = network_run(instance).parameters
    path = sum(math.dist(start, end) for start, end in itertools.pairwise(points))
    assert HUNT.check(instance).measured == pytest.approx(path, rel=1e-12)
    assert path > (1 + 1e-6) * math.dist(points[0], points[-1])
    farthest = max(math.dist(points[0], point) for point in points)
    assert HUNT.check(instance._replace(inequality="containment")).measured == pytest.approx(farthest, rel=1e-12)


# 2. Attained


@pytest.mark.parametrize("inequality", INEQUALITIES)
def test_is_attained_by_one_step_of_a_single_curvature(inequality):
    """L = theta^2, S = 2, eta = 1/2, theta_0 = 3: one step to 0, and 3 = sqrt(2 * 1/2 * 9), 36 = 2 * 9 / (1/2)."""
    run = scalar_run(lambda t: t**2, lambda t: 2 * t, 3.0, step_size=0.5, num_steps=1)
    found = run_check(inequality, run, step_size=0.5, smoothness=2.0)
    assert found.bound == {"containment": 3.0, "path length": 3.0, "gradient": 36.0, "decrease": 9.0}[inequality]
    assert judge(found) is Verdict.HOLDS and slack_log10(found) == 0.0


@pytest.mark.parametrize("horizon", [1.0, 64.0])
@pytest.mark.parametrize("inequality", ["containment", "path length"])
def test_how_loose_the_radius_is_for_a_constant_slope(inequality, horizon):
    """L = 1 - M theta, tau M^2 = 1, comes down to 0 at distance tau M = sqrt(tau): the radius over sqrt 2."""
    slope = 1.0 / math.sqrt(horizon)
    run = scalar_run(lambda t: 1.0 - slope * t, lambda t: -slope, 0.0, step_size=horizon / 8, num_steps=8)
    assert run[1][-1] == 0.0  # the loss is nonnegative on the run, though not beyond it
    found = run_check(inequality, run, step_size=horizon / 8, smoothness=0.0)
    assert judge(found) is Verdict.HOLDS
    assert found.bound / found.measured == pytest.approx(math.sqrt(2.0), rel=1e-12)


@pytest.mark.parametrize("num_steps", [1, 8, 100])
def test_how_loose_the_radius_is_for_a_slope_that_bends_up(num_steps):
    """Slope -1 for tau = T, then curvature S = 1 to its minimum 0: L >= 0 everywhere, the ratio sqrt(2 + 1/T)."""
    end = float(num_steps)

    def loss(t):
        return 0.5 + end - t if t <= end else 0.5 * max(end + 1 - t, 0.0) ** 2

    run = scalar_run(
        loss, lambda t: -1.0 if t <= end else -max(end + 1 - t, 0.0), 0.0, step_size=1.0, num_steps=num_steps
    )
    found = run_check("containment", run, step_size=1.0, smoothness=1.0)
    assert judge(found) is Verdict.HOLDS
    assert found.bound / found.measured == pytest.approx(math.sqrt(2 + 1 / num_steps), rel=1e-12)


# 3. Fails without each hypothesis


@pytest.mark.parametrize("inequality", ["path length", "gradient", "decrease"])
def test_fails_without_smoothness_on_the_ball(inequality):
    """L = 2 + sin theta from 0 with eta = pi: L'' = 0 at both ends, so S = 0 there, and the loss has not moved."""
    run = scalar_run(lambda t: 2 + math.sin(t), math.cos, 0.0, step_size=math.pi, num_steps=1)
    assert judge(run_check(inequality, run, step_size=math.pi, smoothness=0.0)) is Verdict.VIOLATED
    # On the ball |L''| reaches 1: the step size is the hypothesis that fails then.
    assert failed_hypotheses(run_check(inequality, run, step_size=math.pi, smoothness=1.0)) == ("stable step size",)


@pytest.mark.parametrize("inequality", INEQUALITIES)
def test_fails_without_stable_step_size(inequality):
    """L = theta^2 / 2 with eta = 3/S: every step doubles |theta| and turns it round."""
    run = scalar_run(lambda t: t**2 / 2, lambda t: t, 1.0, step_size=3.0, num_steps=3)
    found = run_check(inequality, run, step_size=3.0, smoothness=1.0)
    assert "stable step size" in failed_hypotheses(found)
    assert conclusion(found) is Verdict.VIOLATED


def test_fails_without_nonnegative_loss():
    """L = 1 - 2 theta falls below 0 and travels 2 tau, which outruns sqrt(2 tau L_0) for tau > 1/2."""
    run = scalar_run(lambda t: 1 - 2 * t, lambda t: -2.0, 0.0, step_size=0.5, num_steps=4)
    found = run_check("containment", run, step_size=0.5, smoothness=0.0)
    assert failed_hypotheses(found) == ("nonnegative loss",)
    assert conclusion(found) is Verdict.VIOLATED


def test_fails_past_the_horizon():
    """S of the ball says nothing beyond it: the slope, constant in the ball, blows up after 10 steps of tau = 1."""

    def slope(t):
        return -0.5 if t <= 2.0 else 1e3 * (t - 2.0)

    def loss(t):
        return 1.5 - 0.5 * t if t <= 2.0 else 0.5 + 500.0 * (t - 2.0) ** 2

    inside = scalar_run(loss, slope, 0.0, step_size=0.1, num_steps=10)
    beyond = scalar_run(loss, slope, 0.0, step_size=0.1, num_steps=60)
    assert np.all(inside[0] <= math.sqrt(2 * 1.0 * 1.5))
    assert judge(run_check("decrease", inside, step_size=0.1, smoothness=0.0)) is Verdict.HOLDS
    assert conclusion(run_check("decrease", beyond, step_size=0.1, smoothness=0.0)) is Verdict.VIOLATED


# 4. Invariances and limits


def test_invariances_and_limits_units():
    """theta -> c theta: lengths times c, time times c^2. L -> c L at fixed steps: time over c."""
    radius = float(horizon_radius(2.0, 0.7, horizon=3.0))
    assert radius == pytest.approx(2.0 + math.sqrt(4.2), rel=1e-15)
    assert float(horizon_radius(10.0, 0.7, horizon=75.0)) == pytest.approx(5 * radius, rel=1e-14)
    assert float(horizon_radius(2.0, 7.0, horizon=0.3)) == pytest.approx(radius, rel=1e-14)
    assert float(gradient_ceiling(7.0, horizon=0.3)) == pytest.approx(100 * 2 * 0.7 / 3.0, rel=1e-14)


def test_invariances_and_limits_extremes():
    assert float(horizon_radius(2.0, 0.7, horizon=0.0)) == 2.0
    assert float(horizon_radius(2.0, 0.0, horizon=9.0)) == 2.0
    assert float(gradient_ceiling(0.7, horizon=math.inf)) == 0.0
    assert steps_for_horizon(3.0, 0.0) == 1
    assert steps_for_horizon(3.0, 2.5) == 8


def test_invariances_and_limits_batches():
    losses, times = np.array([0.0, 1.0, 2.0]), np.array([[0.5], [2.0]])
    np.testing.assert_allclose(
        path_ceiling(losses, elapsed=times), np.sqrt([[0.0, 1.0, 2.0], [0.0, 4.0, 8.0]]), rtol=1e-15
    )


def test_verdicts():
    run = scalar_run(lambda t: t**2 / 2, lambda t: t, 1.0, step_size=0.5, num_steps=3)
    assert judge(run_check("gradient", run, step_size=0.5, smoothness=1.0)) is Verdict.HOLDS
    assert judge(run_check("gradient", run, step_size=0.5, smoothness=math.inf)) is Verdict.NOT_APPLICABLE
    assert judge(run_check("gradient", run, step_size=0.5, smoothness=math.nan)) is Verdict.NOT_APPLICABLE


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"squared_gradients": np.zeros(0)}, "squared_gradients must hold at least 1 step"),
        ({"step_size": 0.0}, "step_size must be positive, but was 0.0"),
        ({"smoothness": -1.0}, "smoothness must be at least 0, but was -1.0"),
    ],
)
def test_bad_numbers_are_one_sentence(change, words):
    numbers = {
        "inequality": "gradient",
        "largest_distance": 1.0,
        "path_length": 1.0,
        "squared_gradients": np.ones(3),
        "initial_loss": 1.0,
        "final_loss": 0.5,
        "least_loss": 0.0,
        "step_size": 0.1,
        "smoothness": 1.0,
        "instance": "by hand",
    }
    with pytest.raises(ValueError, match=words):
        finite_horizon.check(**(numbers | change))


@pytest.mark.parametrize("horizon", [0.0, math.inf])
def test_a_horizon_without_steps_is_one_sentence(horizon):
    with pytest.raises(ValueError, match="horizon must be positive"):
        steps_for_horizon(horizon, 2.0)


# 5. Proof lines


class TrainedInTheBall:
    """60 steps of the hand-written network at eta = 1/S(R), S from |a| <= R, |f| <= R on the ball of its horizon."""

    def __init__(self):
        self.data = hand_trained.data(separation=0.5, gap=1.0)
        start = 0.5 * np.random.default_rng(3).standard_normal(4 * hand_trained.WIDTH)
        self.horizon = 1.0
        self.radius = math.sqrt(2 * self.horizon * hand_trained.loss(start, self.data))
        outer = float(np.linalg.norm(start)) + self.radius
        self.smoothness = tanh_network.loss_smoothness(
            outer, np.abs(self.data.labels) + outer, self.data.inputs, width=hand_trained.WIDTH
        )
        steps = steps_for_horizon(self.horizon, self.smoothness)
        self.step_size = self.horizon / steps
        path = [start]
        for _ in range(steps):
            path.append(path[-1] - self.step_size * hand_trained.gradient(path[-1], self.data))
        self.path = np.array(path)
        self.losses = np.array([hand_trained.loss(theta, self.data) for theta in path])
        self.slopes = np.array([np.linalg.norm(hand_trained.gradient(theta, self.data)) for theta in path])


@pytest.fixture(scope="module")
def trained():
    return TrainedInTheBall()


def test_proof_lines_on_a_trained_network_1(trained):
    """S bounds the hand-written Hessian on the ball; each partial step t decreases L by t |g|^2 / 2 at least."""
    rng = np.random.default_rng(0)
    for _ in range(30):
        direction = rng.standard_normal(trained.path.shape[1])
        theta = trained.path[0] + trained.radius * rng.random() * direction / np.linalg.norm(direction)
        curvature = np.abs(np.linalg.eigvalsh(hand_trained.loss_hessian(theta, trained.data))).max()
        assert curvature <= trained.smoothness
    for (start, end), g in zip(itertools.pairwise(trained.path[::5]), trained.slopes[::5]):
        full = start - trained.step_size * hand_trained.gradient(start, trained.data)
        for share, theta in zip(np.linspace(0, 1, 6), hand_trained.along(start, full, 6)):
            fallen = hand_trained.loss(start, trained.data) - hand_trained.loss(theta, trained.data)
            assert fallen >= 0.5 * share * trained.step_size * g**2 - 1e-14
        assert end.shape == full.shape


def test_proof_lines_on_a_trained_network_2(trained):
    """Path <= sqrt(s eta) sqrt(eta sum |g|^2) <= sqrt(2 s eta (L_0 - L_s)) <= sqrt(2 s eta L_0)."""
    eta, steps = trained.step_size, np.arange(1, len(trained.path))
    paths = np.cumsum(np.linalg.norm(np.diff(trained.path, axis=0), axis=1))
    cauchy = np.sqrt(steps * eta) * np.sqrt(eta * np.cumsum(trained.slopes[:-1] ** 2))
    decrease = trained.losses[0] - trained.losses[1:]
    ceilings = np.asarray(path_ceiling(decrease, elapsed=steps * eta))
    assert np.all(paths <= cauchy * (1 + 1e-12))
    assert np.all(cauchy <= ceilings * (1 + 1e-12))
    assert np.all(ceilings <= np.sqrt(2 * steps * eta * trained.losses[0]))
    assert trained.losses[-1] < 0.9 * trained.losses[0]  # the lines are not empty on this run


def test_proof_lines_on_a_trained_network_3_and_4(trained):
    """Every point of every segment stays in the ball about theta_0, and so within R of 0; L never rises."""
    points = np.concatenate([hand_trained.along(*ends, 5) for ends in itertools.pairwise(trained.path)])
    assert np.linalg.norm(points - trained.path[0], axis=1).max() < trained.radius
    limit = horizon_radius(np.linalg.norm(trained.path[0]), trained.losses[0], horizon=trained.horizon)
    assert np.linalg.norm(points, axis=1).max() <= float(limit)
    assert np.all(np.diff(trained.losses) <= 0)


def test_proof_lines_on_a_trained_network_5(trained):
    """T min |g|^2 <= sum |g|^2 <= (2/eta) (L_0 - L_T)."""
    squares = trained.slopes[:-1] ** 2
    total = 2 * (trained.losses[0] - trained.losses[-1]) / trained.step_size
    assert len(squares) * squares.min() <= squares.sum() <= total
    assert squares.min() <= float(gradient_ceiling(trained.losses[0] - trained.losses[-1], horizon=trained.horizon))

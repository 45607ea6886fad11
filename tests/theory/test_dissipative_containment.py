"""G4 dissipative containment, in five parts: random instances, attained, hypotheses, invariances, proof lines."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

from experiments.hunt import search
from experiments.hunts.dissipative_containment import (
    HUNT,
    backward,
    least_dissipation,
    least_radius,
    profile,
    relu_network,
)
from theory import dissipative_containment
from theory.dissipative_containment import (
    containment_radius,
    dissipation,
    homogeneous_dissipation,
    outward_ceiling,
)
from theory.verdict import Verdict, failed_hypotheses, judge, slack_log10


def run_check(slope, start, *, radius, gradient_bound, step_size, num_steps=40):
    """Gradient descent in one dimension; the hypotheses' margins over 20,001 points of ball and shell."""
    points = [start]
    for _ in range(num_steps):
        points.append(points[-1] - step_size * slope(points[-1]))
    limit = radius + step_size * gradient_bound
    ball = np.linspace(-radius, radius, 20_001)
    shell = np.concatenate([side * np.linspace(radius, limit, 10_001)[1:] for side in (-1.0, 1.0)])
    shell = shell if limit > radius else np.zeros(0)
    slopes = np.array([slope(point) for point in shell])
    margins = np.append(np.asarray(dissipation(shell * slopes, slopes**2, step_size=step_size)), math.inf)
    return dissipative_containment.check(
        largest_distance=max(map(abs, points)),
        initial_distance=abs(start),
        radius=radius,
        gradient_bound=gradient_bound,
        step_size=step_size,
        shell_dissipation=float(margins.min()),
        gradient_margin=gradient_bound - max(abs(slope(point)) for point in ball),
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
    assert {found.inequality: round(found.slack_log10, 6) for found in report.tightest} == {
        "containment": 0.0,
        "homogeneous floor": 0.0,
        "step from the shell": 0.0,
    }


def test_the_hunts_shell_condition_is_what_a_fine_grid_says():
    """The profile's exact margin against <theta, L'> - eta/2 L'^2 on 10,001 points of the shell."""
    for instance in HUNT.extremal[:2]:
        knots, values = profile(instance)
        shell = np.linspace(1.0 + 1e-9, knots[-1], 10_001)
        slopes = np.interp(shell, knots, values)
        assert np.all(shell * slopes >= 0.5 * instance.step_size * slopes**2 - 1e-12)
        assert instance.slope == max(abs(v) for k, v in zip(knots, values) if abs(k) <= 1.0)


@pytest.mark.parametrize("step_size", [0.3, 1.0, 1.6])
def test_the_hunts_quadratic_radius_is_what_a_sphere_of_points_says(step_size):
    """(1/2)|theta - b|^2, |b| = 1: the least dissipation over a circle vanishes at `least_radius`, positive beyond."""
    angles = np.linspace(0.0, 2 * np.pi, 721)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)

    def least(radius):
        slope = radius * circle - np.array([1.0, 0.0])
        inner, square = np.sum(radius * circle * slope, axis=1), np.sum(slope**2, axis=1)
        return float(np.min(inner - step_size / 2 * square))

    radius = least_radius(step_size, 1.0)
    assert least(radius) == pytest.approx(0.0, abs=1e-12)
    assert least(1.01 * radius) > 0.0 > least(0.99 * radius)
    for sphere in (0.9 * radius, radius, 1.7 * radius):
        assert least_dissipation(sphere, step_size, offset=1.0) == pytest.approx(least(sphere), abs=1e-12)


# 2. Attained


def test_is_attained_by_a_slope_that_turns_at_the_radius():
    """L' = -3 up to R = 2 and 1 beyond, eta = 1/2, from 2: the next iterate is 2 + 3/2, exactly the bound."""
    found = run_check(
        lambda t: -3.0 if t <= 2 else 1.0, 2.0, radius=2.0, gradient_bound=3.0, step_size=0.5, num_steps=5
    )
    assert found.bound == found.measured == 3.5
    assert judge(found) is Verdict.HOLDS and slack_log10(found) == 0.0


def test_is_attained_by_a_step_from_the_shell_of_a_quadratic():
    """|theta - b|^2 / 2, |b| = 1, eta = 3/2: R = (3/2)/(1/2) = 3, and -3 b steps to b + 4 b / 2 = 3 b: as far out."""
    found = dissipative_containment.check_step(
        distance_after=abs(-3.0 - 1.5 * (-3.0 - 1.0)),
        distance_before=3.0,
        radius=3.0,
        shell_dissipation=float(dissipation(-3.0 * -4.0, 16.0, step_size=1.5)),
        instance="line",
    )
    assert found.measured == found.bound == 3.0
    assert judge(found) is Verdict.HOLDS and slack_log10(found) == 0.0
    assert slack_log10(HUNT.check(HUNT.extremal[2])) == pytest.approx(0.0, abs=1e-14)


def test_is_attained_by_outputs_at_half_the_labels():
    """f = theta x, N = 2, p = 1, f = y/2: -<theta, grad L> = (f.y - f.f)/2 = 10/8 with y = (1, 3), exact in binary."""
    theta, x, y = 0.5, np.array([1.0, 3.0]), np.array([1.0, 3.0])
    inner = theta * float((theta * x - y) @ x) / 2
    found = dissipative_containment.check_homogeneous(
        inner_product=inner, squared_labels=10.0, degree=1, num_points=2, euler_defect=0.0, instance="line"
    )
    assert found.measured == found.bound == 1.25
    assert slack_log10(found) == 0.0


# 3. Fails without each hypothesis


def test_fails_without_start_inside():
    """Inward from 1 to 2, outward beyond: who starts at 3 leaves."""

    def slope(t):
        return -1.0 if t > 2.0 else t

    found = run_check(slope, 3.0, radius=1.0, gradient_bound=1.0, step_size=1.0)
    assert failed_hypotheses(found) == ("start inside",)
    assert conclusion(found) is Verdict.VIOLATED
    assert judge(run_check(slope, 1.0, radius=1.0, gradient_bound=1.0, step_size=1.0)) is Verdict.HOLDS


def test_fails_without_dissipative_shell():
    """L = exp(-theta): the minimum is at infinity, and theta_s grows like log s past every radius."""
    found = run_check(lambda t: -math.exp(-t), 0.0, radius=1.0, gradient_bound=math.e, step_size=0.2, num_steps=400)
    assert failed_hypotheses(found) == ("dissipative shell",)
    assert conclusion(found) is Verdict.VIOLATED
    # L = theta^2 / 2 is dissipative for eta <= 2 only: a larger step overshoots by more each time.
    found = run_check(lambda t: t, 1.0, radius=1.0, gradient_bound=1.0, step_size=2.1)
    assert failed_hypotheses(found) == ("dissipative shell",)
    assert conclusion(found) is Verdict.VIOLATED
    step = dissipative_containment.check_step(
        distance_after=abs(2.0 - 2.1 * 2.0),
        distance_before=2.0,
        radius=1.0,
        shell_dissipation=float(dissipation(1.0, 1.0, step_size=2.1)),
        instance="line",
    )
    assert failed_hypotheses(step) == ("dissipative shell",)
    assert conclusion(step) is Verdict.VIOLATED


def test_fails_without_dissipative_shell_for_a_classifier():
    """Logistic loss of one separable sample: |theta_s| grows without end, though the loss tends to 0."""
    found = run_check(
        lambda t: -1 / (1 + math.exp(t)), 0.0, radius=1.0, gradient_bound=0.75, step_size=1.0, num_steps=60
    )
    assert failed_hypotheses(found) == ("dissipative shell",)
    assert conclusion(found) is Verdict.VIOLATED


def test_fails_without_gradient_bound():
    """Slope -4 inside the ball, claimed to be 1: one step crosses the whole claimed shell."""

    def slope(t):
        return -4.0 if abs(t) <= 1.0 else (0.0 if abs(t) <= 2.0 else -1.0)

    found = run_check(slope, 1.0, radius=1.0, gradient_bound=1.0, step_size=1.0)
    assert failed_hypotheses(found) == ("gradient bound",)
    assert conclusion(found) is Verdict.VIOLATED


def test_fails_without_homogeneous_model():
    """f = theta - 10 (a bias that is not trained), y = 0: <theta, grad L> = theta (theta - 10) = -25 at 5, not >= 0."""
    found = dissipative_containment.check_homogeneous(
        inner_product=-25.0, squared_labels=0.0, degree=1, num_points=1, euler_defect=10.0, instance="bias"
    )
    assert failed_hypotheses(found) == ("homogeneous model",)
    assert conclusion(found) is Verdict.VIOLATED


# 4. Invariances and limits


def test_invariances_and_limits_centre():
    """Translating theta and c together changes nothing; the quadratic about its own minimum needs R = 0 only."""
    assert least_radius(0.5, 0.0) == 0.0
    assert float(containment_radius(0.0, 0.0, step_size=1.0)) == 0.0
    rng = np.random.default_rng(0)
    theta, shift, slope = rng.standard_normal((3, 5))
    moved = theta + shift - 0.3 * slope
    fall = (np.sum(theta**2) - np.sum((moved - shift) ** 2)) / (2 * 0.3)
    assert float(dissipation(theta @ slope, slope @ slope, step_size=0.3)) == pytest.approx(fall, rel=1e-12)


def test_invariances_and_limits_units():
    """L -> c L, eta -> eta/c leave the radius alone; y, f times c: everything times c^2; the floor is linear in p."""
    assert float(containment_radius(2.0, 3.0, step_size=0.5)) == float(containment_radius(2.0, 30.0, step_size=0.05))
    assert float(outward_ceiling(9 * 7.0, degree=2, num_points=4)) == pytest.approx(9 * 7 / 8, rel=1e-15)
    assert float(outward_ceiling(7.0, degree=6, num_points=4)) == pytest.approx(3 * 7 / 8, rel=1e-15)
    assert float(outward_ceiling(0.0, degree=6, num_points=4)) == 0.0


def test_invariances_and_limits_batches():
    np.testing.assert_array_equal(
        containment_radius(np.array([1.0, 2.0]), 4.0, step_size=np.array([[0.5], [1.0]])), [[3.0, 4.0], [5.0, 6.0]]
    )
    found = homogeneous_dissipation(np.array([4.0, 1.0]), 2.0, degree=3, num_points=2)
    np.testing.assert_array_equal(found, [3.0, -1.5])


def test_invariances_and_limits_weight_decay():
    """L + (lam/2)|theta|^2, f homogeneous: <theta, grad> >= 0 from |theta|^2 = p|y|^2/(4 N lam) on (eta -> 0)."""
    weights, inputs = relu_network(3, seed=5)
    labels = np.array([1.0, -2.0, 0.5, 3.0])
    decay = 0.3
    threshold = math.sqrt(float(outward_ceiling(labels @ labels, degree=3, num_points=4)) / decay)
    rng = np.random.default_rng(0)
    for _ in range(20):
        drawn = [rng.standard_normal(weight.shape) for weight in weights]
        norm = math.sqrt(sum(float(np.sum(weight**2)) for weight in drawn))
        scaled = [weight * threshold / norm for weight in drawn]
        output, slopes = backward(scaled, inputs)
        gradients = [np.einsum("n,nrc->rc", output - labels, s) / 4 + decay * w for w, s in zip(scaled, slopes)]
        assert sum(float(np.sum(w * g)) for w, g in zip(scaled, gradients)) >= -1e-12


def test_verdicts():
    assert judge(run_check(lambda t: t, 0.5, radius=1.0, gradient_bound=1.0, step_size=0.5)) is Verdict.HOLDS
    found = run_check(lambda t: t, 0.5, radius=1.0, gradient_bound=1.0, step_size=0.5)
    assert judge(found._replace(margins={"dissipative shell": math.nan})) is Verdict.NOT_APPLICABLE


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"radius": -1.0}, "radius must be at least 0, but was -1.0"),
        ({"gradient_bound": -1.0}, "gradient_bound must be at least 0"),
        ({"step_size": 0.0}, "step_size must be positive, but was 0.0"),
    ],
)
def test_bad_numbers_are_one_sentence(change, words):
    numbers = {
        "largest_distance": 1.0,
        "initial_distance": 0.5,
        "radius": 1.0,
        "gradient_bound": 1.0,
        "step_size": 0.1,
        "shell_dissipation": 0.0,
        "gradient_margin": 0.0,
        "instance": "by hand",
    }
    with pytest.raises(ValueError, match=words):
        dissipative_containment.check(**(numbers | change))


def test_no_points_is_one_sentence():
    with pytest.raises(ValueError, match="num_points must be at least 1, but was 0"):
        dissipative_containment.check_homogeneous(
            inner_product=0.0, squared_labels=1.0, degree=1, num_points=0, euler_defect=0.0, instance="by hand"
        )


# 5. Proof lines


def run_of(weights, inputs, labels, *, step_size, decay, num_steps):
    """Gradient descent on (1/2N)|f - y|^2 + (decay/2)|theta|^2 by the hand-written backward pass; flat rows."""
    path, slopes = [], []
    for _ in range(num_steps):
        output, gradients = backward(weights, inputs)
        gradients = [
            np.einsum("n,nrc->rc", output - labels, g) / labels.size + decay * w for w, g in zip(weights, gradients)
        ]
        path.append(np.concatenate([w.ravel() for w in weights]))
        slopes.append(np.concatenate([g.ravel() for g in gradients]))
        weights = [w - step_size * g for w, g in zip(weights, gradients)]
    return np.array(path), np.array(slopes)


@pytest.fixture(scope="module")
def trained():
    weights, inputs = relu_network(3, seed=2)
    return run_of(weights, inputs, np.array([1.0, -2.0, 0.5, 3.0]), step_size=0.02, decay=0.5, num_steps=200)


def test_proof_lines_on_a_trained_network_1(trained):
    """|theta_{s+1}|^2 = |theta_s|^2 - 2 eta (<theta, g> - (eta/2)|g|^2) at every step."""
    path, slopes = trained
    fall = dissipation(np.sum(path * slopes, axis=1), np.sum(slopes**2, axis=1), step_size=0.02)
    squares = np.sum(path**2, axis=1)
    np.testing.assert_allclose(squares[1:], squares[:-1] - 2 * 0.02 * np.asarray(fall)[:-1], rtol=1e-12)


def test_proof_lines_on_a_trained_network_2_and_3(trained):
    """Where the measured dissipation is positive the norm falls; elsewhere it grows by eta |g| at most."""
    path, slopes = trained
    norms, lengths = np.linalg.norm(path, axis=1), np.linalg.norm(slopes, axis=1)
    inward = np.sum(path * slopes, axis=1) >= 0.01 * lengths**2
    assert inward.any() and np.all(np.diff(norms)[inward[:-1]] <= 1e-12)
    radius = norms[~inward].max(initial=norms[-1])
    limit = float(containment_radius(radius, lengths[norms <= radius].max(), step_size=0.02))
    assert norms[np.argmax(norms <= radius) :].max() <= limit


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_proof_lines_on_a_random_network_4(degree):
    """Euler: <theta, grad f> = p f, by automatic differentiation of f(t theta) in t at t = 1 and by the hand route."""
    weights, inputs = relu_network(degree, seed=degree)

    def output(t):
        value = jnp.asarray(inputs)
        for weight in weights[:-1]:
            value = jax.nn.relu(t * weight @ value)
        return (t * weights[-1] @ value)[0]

    value, slope = jax.jvp(output, (1.0,), (1.0,))
    hand, gradients = backward(weights, inputs)
    np.testing.assert_allclose(value, hand, rtol=1e-12)
    np.testing.assert_allclose(slope, degree * hand, rtol=1e-12, atol=1e-12)
    inner = sum(np.einsum("rc,nrc->n", w, g) for w, g in zip(weights, gradients))
    np.testing.assert_allclose(inner, degree * hand, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_proof_lines_on_a_random_network_5(degree):
    """<theta, grad L> = (p/N)(|f|^2 - <f, y>) = (p/N)(|f - y/2|^2 - |y|^2/4) >= -p|y|^2/(4N)."""
    weights, inputs = relu_network(degree, seed=10 + degree)
    labels = np.array([1.0, -2.0, 0.5, 3.0])
    output, _ = backward(weights, inputs)
    path, slopes = run_of(weights, inputs, labels, step_size=0.1, decay=0.0, num_steps=1)
    inner = float(path[0] @ slopes[0])
    formula = homogeneous_dissipation(output @ output, output @ labels, degree=degree, num_points=4)
    assert inner == pytest.approx(float(formula), rel=1e-12)
    square = degree / 4 * (np.sum((output - labels / 2) ** 2) - labels @ labels / 4)
    assert inner == pytest.approx(square, rel=1e-12)
    assert inner >= -float(outward_ceiling(labels @ labels, degree=degree, num_points=4))

"""R3 step floor, in five parts: random instances, attained, necessary hypotheses, invariances, proof lines."""

import hand_trained
import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.hunt import search
from experiments.hunts.step_floor import HUNT, Instance
from theory import step_floor
from theory.path_floor import path_floor
from theory.step_floor import steps_for_path, sufficient_decrease_margin
from theory.verdict import Verdict, failed_hypotheses, judge, slack_log10

NUM_POINTS = 4


def pair_mode_check(*, separation, gap, contraction, num_steps):
    """Check of the linear pair mode in closed form: d_s = d_0 (1 - x)^s, L_s = d_s^2/(4N), x = eta h^2/(2N)."""
    losses = (gap * (1 - contraction) ** np.arange(num_steps + 1)) ** 2 / (4 * NUM_POINTS)
    step_size = 2 * NUM_POINTS * contraction / separation**2
    return step_floor.check(
        num_steps=num_steps,
        initial_gap=gap,
        gradient_gap=separation,
        initial_loss=float(losses[0]),
        final_loss=float(losses[-1]),
        target_loss=float(losses[-1]),
        squared_gradient_sum=float(np.sum(separation**2 * losses[:-1] / NUM_POINTS)),  # mu = h^2/(2N)
        step_size=step_size,
        num_points=NUM_POINTS,
        instance="pair mode",
    )


def one_step_check(losses, slope, *, initial_gap, gradient_gap, step_size):
    """One step of a model of one parameter on 3 samples, L'(theta_0) = slope."""
    return step_floor.check(
        num_steps=1,
        initial_gap=float(initial_gap),
        gradient_gap=float(gradient_gap),
        initial_loss=float(losses[0]),
        final_loss=float(losses[1]),
        target_loss=float(losses[1]),
        squared_gradient_sum=float(slope**2),
        step_size=float(step_size),
        num_points=3,
        instance="one step",
    )


# 1. Holds on random instances


@given(HUNT.instances)
def test_holds_on_random_instances(instance):
    assert judge(HUNT.check(instance)) is not Verdict.VIOLATED


def test_random_instances_are_applicable():
    report = search(HUNT, examples=60, seed=0)
    assert report.violation is None
    assert report.applicable >= 20


def test_hunted_instances_reach_within_a_factor_two():
    instance = Instance(
        num_steps=2,
        model="linear",
        num_points=4,
        separation=2.0**0.5,
        gap=0.5,
        noise=0.0,
        coupling=0.0,
        step_size=0.95,
        seed=0,
    )
    slack = slack_log10(HUNT.check(instance))
    assert slack is not None and 0.0 < slack < np.log10(2.0)


# 2. Attained


def test_is_attained_in_one_step():
    """eta = 1/curvature on the pair mode reaches eps = 0 at T = 1, and the floor is 1: exact in binary fractions."""
    found = pair_mode_check(separation=0.5, gap=0.25, contraction=1.0, num_steps=1)
    assert (found.measured, found.bound) == (1.0, 1.0)
    assert judge(found) is Verdict.HOLDS
    assert slack_log10(found) == 0.0


@pytest.mark.parametrize(("contraction", "num_steps"), [(1e-3, 100), (1e-2, 100), (1e-4, 3000)])
def test_how_loose_for_many_steps(contraction, num_steps):
    """T x coth(-T log(1-x)/2) times the floor exactly: 2 for short times, T x once the loss is gone."""
    found = step_floor.step_floor(
        0.5,
        0.1,
        target_loss=0.25 * (1 - contraction) ** (2 * num_steps) / 16,
        initial_loss=0.25 / 16,
        step_size=8 * contraction / 0.01,
        num_points=NUM_POINTS,
    )
    expected = num_steps * contraction / np.tanh(-num_steps * np.log1p(-contraction) / 2)
    assert num_steps / float(found) == pytest.approx(expected, rel=1e-9)
    assert 2.0 < expected < 2.2


@pytest.mark.parametrize("instance", HUNT.extremal)
def test_is_attained_closely_enough_to_see_a_wrong_constant(instance):
    found = HUNT.check(instance)
    assert judge(found) is Verdict.HOLDS
    assert judge(found._replace(bound=found.bound * 1.15)) is Verdict.VIOLATED


# 3. Fails without each hypothesis


def test_fails_without_continuity():
    """The pair's residuals +-([theta < 1/2] g + h (theta - 1))/2 lose their gap g in one jump; the slope that drives
    the step is the third sample's, r_3 = theta - 1.  From 0, eta = 1/|L'(0)| lands on theta = 1 and loss 0."""
    g, h = 1.0, 0.01

    def residuals(theta):
        half = 0.5 * (g * (theta < 0.5) + h * (theta - 1))
        return np.array([half, -half, theta - 1])

    slope = residuals(0.0) @ np.array([h / 2, -h / 2, 1.0]) / 3
    step_size = 1 / abs(slope)
    losses = [float(np.mean(residuals(theta) ** 2) / 2) for theta in (0.0, -step_size * slope)]
    found = one_step_check(losses, slope, initial_gap=g - h, gradient_gap=h, step_size=step_size)
    assert not failed_hypotheses(found)  # descends enough, and G = h all along the path where there is a gradient
    assert judge(found) is Verdict.VIOLATED
    assert found.bound > 1000


def test_fails_without_supremum_over_segments():
    """d = g (1 + cos theta)/2 falls from g to 0 on the way to theta = pi, and has slope 0 at both ends; the third
    sample, r_3 = theta - pi, takes the step."""
    g = 0.5
    half = g / 2
    slope = -np.pi / 3
    losses = [(2 * half**2 + np.pi**2) / 6, 0.0]
    ends, supremum = (
        one_step_check(losses, slope, initial_gap=g, gradient_gap=gradient_gap, step_size=3.0)
        for gradient_gap in (1e-3, g / 2)
    )
    assert not failed_hypotheses(ends)
    assert judge(ends) is Verdict.VIOLATED
    assert judge(supremum) is not Verdict.VIOLATED


@pytest.mark.parametrize("turns", [1, 1000])
def test_fails_without_sufficient_decrease(turns):
    """One step reaches loss 0 however high the floor: a third sample kicks the pair, far too hard for its own descent.

    theta in R, d = h theta - gap, and r_3 = rho (1 - sin(omega theta)) vanishes with d at theta* = gap/h after `turns`
    turns.  Its slope -rho omega at 0 makes eta = theta*/|L'(0)| small, and the floor is about omega theta* times a
    constant, while (eta/2) L'(0)^2 = theta* |L'(0)| / 2 is far above L_0.
    """
    h, gap, rho = 0.1, 0.5, 0.3
    target = gap / h
    omega = (np.pi / 2 + 2 * np.pi * turns) / target

    def residuals(theta):
        return np.array([(h * theta - gap) / 2, -(h * theta - gap) / 2, rho * (1 - np.sin(omega * theta))])

    slopes = np.array([h / 2, -h / 2, -rho * omega])
    derivative = residuals(0.0) @ slopes / 3
    step_size = target / abs(derivative)
    losses = [float(np.mean(residuals(theta) ** 2) / 2) for theta in (0.0, -step_size * derivative)]
    assert losses[1] < 1e-20
    found = one_step_check(losses, derivative, initial_gap=gap, gradient_gap=h, step_size=step_size)
    assert failed_hypotheses(found) == ("sufficient decrease",)
    assert judge(found._replace(margins={})) is Verdict.VIOLATED
    assert found.bound > turns


# 4. Invariances and limits


def floor(initial_gap=0.5, gradient_gap=0.1, **changes):
    numbers = {"target_loss": 1e-3, "initial_loss": 0.1, "step_size": 0.2, "num_points": NUM_POINTS}
    return float(step_floor.step_floor(initial_gap, gradient_gap, **(numbers | changes)))


def test_floor_by_hand():
    """(0.5 - 2 sqrt(0.004))^2 / (2 * 0.2 * 0.099 * 0.01), in plain Python."""
    assert floor() == pytest.approx((0.5 - 2 * 0.004**0.5) ** 2 / (2 * 0.2 * 0.099 * 0.01), rel=1e-14)


def test_invariances_and_limits_training_time():
    assert 0.05 * floor(step_size=0.05) == pytest.approx(0.2 * floor())


def test_invariances_and_limits_units():
    """Labels times 3: losses times 9, gaps times 3.  Parameters times 7: gradients over 7, step size times 49."""
    labels = floor(1.5, 0.3, target_loss=9e-3, initial_loss=0.9, step_size=0.2 / 9)
    parameters = floor(0.5, 0.1 / 7, step_size=0.2 * 49)
    assert (labels / 9, parameters) == pytest.approx((floor() / 9, floor()))


def test_invariances_and_limits_extremes():
    assert floor(gradient_gap=0.01) == pytest.approx(100 * floor())  # Omega(h_min^-2)
    assert floor(target_loss=0.0) == pytest.approx(0.25 / (2 * 0.2 * 0.1 * 0.01))
    assert floor(target_loss=0.25 / 16) == 0.0
    assert floor(target_loss=0.2) == 0.0  # above L_0
    assert floor(gradient_gap=0.0) == np.inf


def test_invariances_and_limits_batches():
    sizes = np.array([0.05, 0.1, 0.2])
    mapped = jax.vmap(
        lambda eta: step_floor.step_floor(
            0.5, 0.1, target_loss=1e-3, initial_loss=0.1, step_size=eta, num_points=NUM_POINTS
        )
    )(sizes)
    np.testing.assert_allclose(mapped, [floor(step_size=eta) for eta in sizes], rtol=1e-14)


def test_verdicts():
    found = pair_mode_check(separation=0.1, gap=0.5, contraction=0.01, num_steps=3)
    assert judge(found) is Verdict.HOLDS
    assert judge(found._replace(margins=dict(found.margins) | {"target reached": -1e-9})) is Verdict.NOT_APPLICABLE
    assert judge(pair_mode_check(separation=0.1, gap=0.5, contraction=0.5, num_steps=1)) is Verdict.VACUOUS


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"step_size": 0.0}, "step_size must be positive, but was 0.0"),
        ({"num_points": 1}, "num_points must be at least 2"),
        ({"initial_gap": 0.7}, "initial_loss must be at least initial_gap"),
    ],
)
def test_bad_numbers_are_one_sentence(change, words):
    numbers = {
        "num_steps": 10,
        "initial_gap": 0.5,
        "gradient_gap": 0.1,
        "initial_loss": 0.25 / 16,
        "final_loss": 1e-4,
        "target_loss": 1e-4,
        "squared_gradient_sum": 0.01,
        "step_size": 0.2,
        "num_points": NUM_POINTS,
        "instance": "by hand",
    }
    with pytest.raises(ValueError, match=words):
        step_floor.check(**(numbers | change))


# 5. Proof lines


@pytest.fixture(scope="module")
def trained():
    """Iterates, losses, squared gradients and path lengths up to each step, numpy."""
    data, step_size = hand_trained.data(separation=0.5, gap=1.0), 0.5
    path = hand_trained.train(data, step_size=step_size, steps=300)
    losses = np.array([hand_trained.loss(theta, data) for theta in path])
    squares = np.array([np.sum(hand_trained.gradient(theta, data) ** 2) for theta in path])
    lengths = np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))
    return data, step_size, path, losses, squares, lengths


def test_proof_lines_on_a_trained_network_1(trained):
    """PathLength_T^2 <= T eta^2 sum |grad L|^2 (Cauchy-Schwarz), for every T."""
    _, step_size, _, _, squares, lengths = trained
    steps = np.arange(1, len(lengths) + 1)
    assert np.all(lengths**2 <= steps * step_size**2 * np.cumsum(squares[:-1]) * (1 + 1e-12))


def test_proof_lines_on_a_trained_network_2(trained):
    """eta <= 1/S on a segment (hessian at 5 points): L falls by (eta/2)|grad L|^2, and the sum has a margin >= 0."""
    data, step_size, path, losses, squares, _ = trained
    for s in range(0, len(path) - 1, 10):
        points = hand_trained.along(path[s], path[s + 1], 5)
        assert step_size <= 1 / max(np.linalg.norm(hand_trained.loss_hessian(theta, data), 2) for theta in points)
        assert losses[s] - losses[s + 1] >= 0.5 * step_size * squares[s]
    margins = sufficient_decrease_margin(
        losses[0], losses[1:], step_size=step_size, squared_gradient_sum=np.cumsum(squares[:-1])
    )
    assert np.all(np.asarray(margins) >= 0) and np.all(np.asarray(margins) <= 1)  # 1: gradient flow


def test_proof_lines_on_a_trained_network_3(trained):
    """PathLength_T^2 <= 2 eta T (L_0 - L_T): T is at least the steps for the path laid."""
    _, step_size, _, losses, _, lengths = trained
    needed = steps_for_path(lengths, losses[0] - losses[1:], step_size=step_size)
    assert np.all(np.asarray(needed) <= np.arange(1, len(lengths) + 1))


def test_proof_lines_on_a_trained_network_4(trained):
    """The path floor put into line 3: at eps = L_T, floor <= steps for the path laid <= T, and it is not empty."""
    data, step_size, path, losses, _, lengths = trained
    gradient_gap = max(np.linalg.norm(hand_trained.gradient_gap(theta, data)) for theta in path)
    common = {"target_loss": losses[1:], "num_points": hand_trained.NUM_POINTS}
    gap = hand_trained.gap(path[0], data)
    floors = step_floor.step_floor(gap, gradient_gap, initial_loss=losses[0], step_size=step_size, **common)
    assert np.all(np.asarray(path_floor(gap, gradient_gap, **common)) <= lengths)
    assert np.all(np.asarray(floors) <= np.arange(1, len(lengths) + 1))
    assert np.max(floors) > 1


@given(st.floats(0.01, 1.0), st.floats(1.0, 10.0), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_proof_lines_on_the_target_loss_5(gap, share, low, high):
    """q(l) = (|d| - 2 sqrt(N l))_+^2 / (L_0 - l) does not rise in l when L_0 >= d^2/(4N), so eps may replace L_T."""
    own = gap**2 / (4 * NUM_POINTS)
    low, high = sorted((low, high))
    values = [floor(gap, 1.0, target_loss=own * part, initial_loss=own * share) for part in (low, high)]
    assert values[1] <= values[0] * (1 + 1e-9) + 1e-12

"""R6 feature-learning floor, in five parts: random, attained, necessary hypotheses, invariances, proof lines."""

import itertools

import hand_trained
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from experiments.hunt import search
from experiments.hunts.feature_learning_floor import HUNT, shallow_tanh_envelope
from theory import feature_learning_floor
from theory.feature_learning_floor import (
    least_steps,
    path_floor,
    polynomial_path_floor,
    polynomial_travel,
    power_path_floor,
    upper_travel,
)
from theory.verdict import Verdict, failed_hypotheses, judge, slack_log10

COEFFICIENTS = np.array([0.3, 0.0, 2.0, 0.5])


def path_check(path_length, floor, **changes):
    numbers = {"target_loss": 0.0, "final_loss": 0.0, "instance": "by hand"}
    return feature_learning_floor.check(path_length, float(floor), **(numbers | changes))


# 1. Holds on random instances


@given(HUNT.instances)
def test_holds_on_random_instances(instance):
    assert judge(HUNT.check(instance)) is not Verdict.VIOLATED


def test_random_instances_are_applicable_and_come_close_to_equality():
    report = search(HUNT, examples=60, seed=0)
    assert report.violation is None
    assert report.applicable >= 20
    slacks = {found.inequality: abs(found.slack_log10) for found in report.tightest}
    assert slacks["path floor"] < 1e-10 and slacks["step floor"] < 1e-10


# 2. Attained


@pytest.mark.parametrize("power", [0, 1, 3])
def test_is_attained_by_a_path_outwards(power):
    """f = x theta^(q+1)/(q+1) at x = -+h/2: theta from 1.5 to 4 moves the gap by h (4^(q+1) - 1.5^(q+1))/(q+1)."""
    h, order = 0.01, power + 1
    moved = h * (4.0**order - 1.5**order) / order
    floor = polynomial_path_floor(moved, h, coefficients=np.eye(4)[power], initial_norm=1.5)
    found = path_check(2.5, floor)
    assert judge(found) is Verdict.HOLDS
    assert slack_log10(found) == pytest.approx(0.0, abs=1e-12)
    wrong = polynomial_path_floor(1.15 * moved, h, coefficients=np.eye(4)[power], initial_norm=1.5)
    assert judge(path_check(2.5, wrong)) is Verdict.VIOLATED


POWER, NUM_POINTS = 20, 3


def one_step_run():
    """theta = 0 -> 1 in one step, T = 1: pair f = x theta^21/21, and a third sample with r = rho (1 - theta)^2.

    rho^2 = g^2/2, N = 3: L_0 = g^2/6, L'(0) = -2 rho^2/3 = -g^2/3, so eta = 3/g^2 lands on theta = 1, where L = 0, and
    (eta/2) L'(0)^2 = g^2/6 = L_0: summed sufficient decrease holds with equality.
    """
    gap = 0.2 / (POWER + 1)  # h = 0.2
    return {"gap": gap, "initial_loss": gap**2 / 6, "slope": gap**2 / 3, "step_size": 3 / gap**2}


def test_is_attained_by_one_step_of_any_growth():
    """The run above at eps = 0: both floor and number of steps are 1."""
    run = one_step_run()
    floor = power_path_floor(run["gap"], 0.2, constant=1.0, power=POWER, initial_norm=0.0)
    found = feature_learning_floor.check_steps(
        1,
        float(floor),
        initial_loss=run["initial_loss"],
        target_loss=0.0,
        final_loss=0.0,
        squared_gradient_sum=run["slope"] ** 2 * (1 - 1e-12),  # the last bit of the equality
        step_size=run["step_size"],
        instance="one step",
    )
    assert judge(found) is Verdict.HOLDS
    assert found.bound == pytest.approx(1.0, rel=1e-12)


def test_subtracting_the_target_loss_is_false_beyond_affine_growth():
    """The same run reaches eps = 0.81 d_0^2/(4N) too, in one step, but P*(eps)^2/(2 eta (L_0 - eps)) is above 1.3."""
    run = one_step_run()
    eps = 0.81 * run["gap"] ** 2 / (4 * NUM_POINTS)
    floor = power_path_floor(0.1 * run["gap"], 0.2, constant=1.0, power=POWER, initial_norm=0.0)  # 1 - sqrt(0.81)
    steps = {"step_size": run["step_size"]}
    assert float(least_steps(floor, run["initial_loss"], target_loss=eps, **steps)) > 1.3
    assert float(least_steps(floor, run["initial_loss"], **steps)) < 1.0


@pytest.mark.parametrize("power", [0.0, 0.5])
def test_how_loose_the_exponent_of_h_is(power):
    """Scalar family, q < 1: the steps to eps grow like h^(-2/(1+q)) as the floor does, a bounded factor above it."""
    ratios = []
    for h in (1e-1, 1e-2):
        gap, order, theta = 1.0, power + 1, 1e-3
        target = gap + h * theta**order / order
        limit = (order * target / h) ** (1 / order)
        step_size = 0.05 * 4 / (h * limit**power) ** 2
        steps, loss, initial = 0, np.inf, gap**2 / 8
        while loss > 0.25 * initial:
            d = h * theta**order / order - target
            theta -= step_size * d * h * theta**power / 4
            steps, loss = steps + 1, (h * theta**order / order - target) ** 2 / 8
        floor = power_path_floor(0.5 * gap, h, constant=1.0, power=power, initial_norm=1e-3)
        ratios.append(steps / float(least_steps(floor, initial, step_size=step_size)))
    assert 2.5 < ratios[1] < 3.5
    assert ratios[1] == pytest.approx(ratios[0], rel=0.2)


# 3. Fails without each hypothesis


def test_fails_without_continuity():
    """f = [theta > x], x = 0.25, 0.75: both gradients are 0 wherever they exist, so Lbar = 0 and no path would do."""
    gaps = [float(theta > 0.25) - float(theta > 0.75) for theta in (0.0, 0.5)]
    floor = polynomial_path_floor(abs(gaps[1] - gaps[0]), 0.5, coefficients=np.zeros(4), initial_norm=0.0)
    assert float(floor) == np.inf
    assert judge(path_check(0.5, floor)) is Verdict.VIOLATED


def test_fails_without_envelope_on_the_ball():
    """f = x theta^2/2 from theta = 1: the frozen constant L_J(theta_0) = 1 asks for more path than the run needs."""
    h, path = 0.1, 2.0
    moved = h * ((1 + path) ** 2 - 1) / 2
    frozen = polynomial_path_floor(moved, h, coefficients=np.array([1.0]), initial_norm=1.0)
    honest = polynomial_path_floor(moved, h, coefficients=np.array([0.0, 1.0]), initial_norm=1.0)
    found = path_check(path, frozen, envelope_margin=h * (1.0 - 3.0))  # Lbar - |theta| at the end
    assert failed_hypotheses(found) == ("envelope on the ball",)
    assert judge(found._replace(margins={})) is Verdict.VIOLATED
    assert judge(path_check(path, honest)) is Verdict.HOLDS


def test_fails_without_nondecreasing_envelope():
    """Gradient gap h/(1 + theta), theta from 1 inwards to 0: the gap moves by h log 2 on a path of 1, not 2."""
    h = 0.1

    def travel(path):  # int_0^P dp / (1 + 1 + p)
        return jnp.log1p(path / 2)

    floor = path_floor(h * np.log(2.0), h, travel=travel)
    assert float(floor) == pytest.approx(2.0)
    assert judge(path_check(1.0, floor)) is Verdict.VIOLATED
    assert judge(path_check(1.0, path_floor(h * np.log(2.0), h, travel=lambda path: path))) is Verdict.HOLDS  # Lbar = 1


@pytest.mark.parametrize("turns", [1, 1000])
def test_fails_without_sufficient_decrease(turns):
    """Lbar = 1, d = h theta - g; a third sample r = 0.3 (1 - sin(omega theta)) kicks theta onto g/h in one step."""
    h, gap, rho = 0.1, 0.5, 0.3
    omega = (np.pi / 2 + 2 * np.pi * turns) / (gap / h)
    slope = (-gap * h / 2 - rho**2 * omega) / 3
    step_size = (gap / h) / abs(slope)
    floor = polynomial_path_floor(gap, h, coefficients=np.array([1.0]), initial_norm=0.0)
    found = feature_learning_floor.check_steps(
        1,
        float(floor),
        initial_loss=(gap**2 / 2 + rho**2) / 6,
        target_loss=0.0,
        final_loss=0.0,
        squared_gradient_sum=slope**2,
        step_size=step_size,
        instance="kick",
    )
    assert failed_hypotheses(found) == ("sufficient decrease",)
    assert judge(found._replace(margins={})) is Verdict.VIOLATED
    assert found.bound > turns


# 4. Invariances and limits


@given(st.floats(1e-3, 1e3), st.floats(0.0, 10.0), st.integers(0, 3))
def test_invariances_and_limits_polynomial_and_closed_form(excess, start, power):
    """Bisection agrees with the closed form; a floor is a root of the travel."""
    floor = float(polynomial_path_floor(excess, 0.5, coefficients=2.0 * np.eye(4)[power], initial_norm=start))
    closed = float(power_path_floor(excess, 0.5, constant=2.0, power=power, initial_norm=start))
    assert floor == pytest.approx(closed, rel=1e-12)
    order = power + 1
    if floor > 1e-3 * (1 + start):
        assert 2.0 * ((start + floor) ** order - start**order) / order == pytest.approx(excess / 0.5, rel=1e-9)


@pytest.mark.parametrize("start", [50.0, 200.0])
def test_invariances_and_limits_a_small_excess_does_not_cancel(start):
    """P* = x/R^q (1 - q x/(2 R^(q+1)) + ...), x = excess/(c h), to the last digits although P* is 1e-13 of R."""
    for power in (1.0, 2.5):
        needed = 1e-13 * start ** (power + 1)
        floor = float(power_path_floor(needed, 1.0, constant=1.0, power=power, initial_norm=start))
        expected = needed / start**power * (1 - power * needed / start ** (power + 1) / 2)
        assert floor == pytest.approx(expected, rel=1e-14, abs=0)
    from_origin = power_path_floor(np.array([0.0, 8.0]), 1.0, constant=3.0, power=2.0, initial_norm=0.0)
    np.testing.assert_allclose(from_origin, [0.0, 2.0], rtol=1e-15)


def test_invariances_and_limits_frozen_kernel():
    """q = 0 is the path floor excess/(L_J h) and the step floor of h^-2, whatever theta_0."""
    floors = [float(polynomial_path_floor(0.3, h, coefficients=np.array([2.0]), initial_norm=7.0)) for h in (0.1, 0.01)]
    np.testing.assert_allclose(floors, [1.5, 15.0], rtol=1e-13)
    steps = [float(least_steps(floor, 0.5, step_size=0.1)) for floor in floors]
    assert steps == [pytest.approx(22.5), pytest.approx(2250.0)]


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0])
def test_invariances_and_limits_exponent_of_h(power):
    """P*^2 ~ h^(-2/(1+q)) as h -> 0."""
    h = np.array([1e-12, 1e-13])
    floors = power_path_floor(1.0, h, constant=1.0, power=power, initial_norm=0.5)
    slope = np.diff(2 * np.log10(np.asarray(floors)))[0]
    assert slope == pytest.approx(2 / (1 + power), abs=1e-3)


def test_invariances_and_limits_extremes_and_batches():
    def floor(excess, coefficients=COEFFICIENTS):
        return float(polynomial_path_floor(excess, 0.1, coefficients=coefficients, initial_norm=1.0))

    assert floor(0.0) == 0.0
    assert np.isnan(floor(np.nan))  # a diverged run promises nothing
    assert floor(1.0, np.zeros(4)) == np.inf
    assert floor(1.0) == pytest.approx(floor(10.0, 10.0 * COEFFICIENTS), rel=1e-13)  # labels times 10
    excess = np.array([0.0, 0.1, 1.0, 10.0])
    mapped = jax.vmap(lambda e: polynomial_path_floor(e, 0.1, coefficients=COEFFICIENTS, initial_norm=1.0))(excess)
    np.testing.assert_allclose(mapped, [floor(e) for e in excess], rtol=1e-14)


def test_invariances_and_limits_upper_sums():
    """The sup form is an upper sum of one piece; more pieces approach the integral form from below."""
    exact = float(polynomial_path_floor(2.0, 0.1, coefficients=COEFFICIENTS, initial_norm=1.0))

    def envelope(radius):
        return jnp.polyval(jnp.asarray(COEFFICIENTS[::-1]), radius)

    floors = [float(path_floor(2.0, 0.1, travel=upper_travel(envelope, 1.0, pieces=n))) for n in (1, 64)]
    assert 0.4 * exact < floors[0] < floors[1] < exact
    assert floors[0] * float(envelope(1.0 + floors[0])) * 0.1 == pytest.approx(2.0, rel=1e-12)
    assert floors[1] == pytest.approx(exact, rel=0.02)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: path_check(-1.0, 0.5), "path_length must be at least 0, but was -1.0"),
        (lambda: path_check(1.0, 0.5, target_loss=-1e-9), "target_loss must be at least 0"),
        (lambda: upper_travel(lambda radius: radius, 1.0, pieces=0), "pieces must be at least 1, but was 0"),
        (
            lambda: feature_learning_floor.check_steps(
                1,
                1.0,
                initial_loss=1.0,
                target_loss=0.0,
                final_loss=0.0,
                squared_gradient_sum=1.0,
                step_size=0.0,
                instance="",
            ),
            "step_size must be positive, but was 0.0",
        ),
    ],
)
def test_bad_numbers_are_one_sentence(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_verdicts():
    assert judge(path_check(1.0, 0.0)) is Verdict.VACUOUS
    assert judge(path_check(1.0, 0.5, final_loss=1e-3)) is Verdict.NOT_APPLICABLE
    assert judge(path_check(0.49, 0.5)) is Verdict.VIOLATED
    assert failed_hypotheses(path_check(1.0, np.nan, target_loss=np.nan, final_loss=np.nan)) == ("target reached",)


def test_a_run_short_of_its_target_is_not_applicable_to_the_step_floor():
    """f = theta h, d = h theta - g, pair alone: 3 of the 965 steps to eps, but P* of eps asks for more than 3."""
    h, gap, step_size, eps = 0.1, 1.0, 1.0, 1e-3
    theta, losses, squares = 0.0, [gap**2 / 8], []
    for _ in range(3):
        gradient = (h * theta - gap) * h / 4
        squares.append(gradient**2)
        theta -= step_size * gradient
        losses.append((h * theta - gap) ** 2 / 8)
    excess = gap - 2 * np.sqrt(2 * eps)
    floor = float(polynomial_path_floor(excess, h, coefficients=np.array([1.0]), initial_norm=0.0))
    found = feature_learning_floor.check_steps(
        3,
        floor,
        initial_loss=losses[0],
        target_loss=eps,
        final_loss=losses[-1],
        squared_gradient_sum=sum(squares),
        step_size=step_size,
        instance="too short",
    )
    assert failed_hypotheses(found) == ("target reached",)
    assert judge(found._replace(margins={})) is Verdict.VIOLATED


# 5. Proof lines


@pytest.fixture(scope="module")
def trained():
    data = hand_trained.data(separation=0.5, gap=1.0)
    return data, hand_trained.train(data, step_size=0.5, steps=300)


def envelope_of(data):
    pair = data.inputs[list(hand_trained.PAIR)]
    coefficients = shallow_tanh_envelope(float(np.linalg.norm(pair, axis=1).max()), hand_trained.WIDTH)
    return coefficients, float(np.linalg.norm(pair[0] - pair[1]))


def test_proof_lines_on_a_trained_network_1_2(trained):
    """|theta(p)| <= |theta_0| + p, and at every step |d_s - d_0| <= h A(PathLength_s)."""
    data, path = trained
    coefficients, h = envelope_of(data)
    start = float(np.linalg.norm(path[0]))
    travelled = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    assert np.all(np.linalg.norm(path, axis=1) <= start + travelled + 1e-12)
    ceilings = h * np.asarray(polynomial_travel(travelled, coefficients, initial_norm=start))
    moved = np.abs([hand_trained.gap(theta, data) - hand_trained.gap(path[0], data) for theta in path])
    assert np.all(moved <= ceilings + 1e-12)
    assert moved.max() > 0.5


def test_proof_lines_on_a_trained_network_envelope(trained):
    """The shallow network's Lbar bounds the gradient gap along the run, and at random parameters within a factor 40."""
    data, path = trained
    coefficients, h = envelope_of(data)
    random = [scale * np.random.default_rng(0).standard_normal(path.shape[1]) for scale in (0.01, 0.3, 3.0)]
    for theta in [*path[::20], *random]:
        bound = h * np.polynomial.polynomial.polyval(np.linalg.norm(theta), coefficients)
        assert bound / 40 < np.linalg.norm(hand_trained.gradient_gap(theta, data)) <= bound


def test_proof_lines_on_a_trained_network_3_to_5(trained):
    """P* <= PathLength_s, and P*^2 <= 2 eta s (L_0 - L_s), with eps = L_s at every step."""
    data, path = trained
    coefficients, h = envelope_of(data)
    losses = np.array([hand_trained.loss(theta, data) for theta in path])
    excess = np.maximum(abs(hand_trained.gap(path[0], data)) - 2 * np.sqrt(hand_trained.NUM_POINTS * losses), 0.0)
    start = float(np.linalg.norm(path[0]))
    floors = jax.vmap(lambda e: polynomial_path_floor(e, h, coefficients=coefficients, initial_norm=start))(excess)
    lengths = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    floors, steps = np.asarray(floors), np.arange(len(path))
    assert np.all(floors <= lengths + 1e-12) and floors.max() > 0.05
    assert np.all(floors**2 <= 2 * 0.5 * steps * (losses[0] - losses) + 1e-12)


@pytest.mark.parametrize("coefficients", [(0.3, 2.0), (1.0,), (0.0, 0.5)])
def test_proof_lines_on_concave_envelopes_6(coefficients):
    """Lbar affine: P Lbar(|theta_0| + P) <= 2 A(P), and P*(l)^2/(L_0 - l) does not rise in l on [0, d_0^2/(4N))."""
    start, gap, num_points, h = 0.7, 0.9, 4, 0.05
    path = np.geomspace(1e-3, 1e3, 30)
    travel = np.asarray(polynomial_travel(path, np.array(coefficients), initial_norm=start))
    assert np.all(path * np.polynomial.polynomial.polyval(start + path, coefficients) <= 2 * travel * (1 + 1e-12))
    top = gap**2 / (4 * num_points)
    losses = np.linspace(0.0, 0.999 * top, 40)
    excess = gap - 2 * np.sqrt(num_points * losses)
    floors = jax.vmap(lambda e: polynomial_path_floor(e, h, coefficients=np.array(coefficients), initial_norm=start))(
        excess
    )
    for initial_loss in (top, 3 * top):
        values = np.asarray(floors) ** 2 / (initial_loss - losses)
        assert all(after <= before * (1 + 1e-9) for before, after in itertools.pairwise(values))


def test_proof_lines_on_polynomials_7():
    """The travel is the integral of the envelope (scipy's quadrature), and below every upper sum."""
    for start, path in ((0.0, 2.0), (1.5, 0.01), (3.0, 40.0)):
        found = float(polynomial_travel(path, COEFFICIENTS, initial_norm=start))
        exact = quad(lambda p, s=start: np.polynomial.polynomial.polyval(s + p, COEFFICIENTS), 0.0, path)[0]
        assert found == pytest.approx(exact, rel=1e-12)
        upper = upper_travel(lambda radius: jnp.polyval(jnp.asarray(COEFFICIENTS[::-1]), radius), start, pieces=8)
        assert found < float(upper(jnp.asarray(path)))


def test_proof_lines_on_growth_8():
    """Lbar <= c (1 + R)^q gives P* at least the closed form with |theta_0| + 1."""
    coefficients = np.array([1.0, 0.5])  # 1 + R/2 <= 1 + R
    for excess in (0.01, 1.0, 100.0):
        floor = float(polynomial_path_floor(excess, 0.1, coefficients=coefficients, initial_norm=2.0))
        assert floor >= float(power_path_floor(excess, 0.1, constant=1.0, power=1.0, initial_norm=3.0))

"""R5 tail rate, in five parts: random instances, attained, necessary hypotheses, invariances, proof lines."""

import hand_trained
import jax
import numpy as np
import pytest
from hypothesis import given

from experiments.hunt import search
from experiments.hunts.tail_rate import HUNT
from theory import tail_rate
from theory.descent_product import lower_factor
from theory.verdict import Verdict, failed_hypotheses, judge, slack_log10

NUM_POINTS = 4


def linear_losses(eigenvalues, start, *, step_size, steps):
    """L_0..L_T of a linear model with residual `start` in the kernel's eigenbasis, numpy."""
    contractions = 1 - step_size * np.asarray(eigenvalues) / NUM_POINTS
    residuals = np.asarray(start) * contractions ** np.arange(steps + 1)[:, None]
    return np.sum(residuals**2, axis=1) / (2 * NUM_POINTS)


def linear_check(losses, *, eigenvalues, mode_share, step_size, **changes):
    numbers = {
        "first_loss": float(losses[0]),
        "last_loss": float(losses[-1]),
        "num_steps": len(losses) - 1,
        "bottom_eigenvalue": float(eigenvalues[0]),
        "top_eigenvalue": float(eigenvalues[-1]),
        "mode_share": mode_share,
        "step_size": step_size,
        "num_points": NUM_POINTS,
        "instance": "by hand",
    }
    return tail_rate.check_linear(**(numbers | changes))


def curved_check(**changes):
    numbers = {
        "first_loss": 1.0,
        "last_loss": 0.9,
        "num_steps": 10,
        "gradient_gap": 0.2,
        "mode_share": 0.99,
        "top_eigenvalue": 2.0,
        "smoothness": 1.0,
        "step_size": 0.5,
        "num_points": NUM_POINTS,
        "instance": "by hand",
    }
    return tail_rate.check(**(numbers | changes))


# 1. Holds on random instances


@given(HUNT.instances)
def test_holds_on_random_instances(instance):
    assert judge(HUNT.check(instance)) is not Verdict.VIOLATED


def test_random_instances_are_applicable():
    report = search(HUNT, examples=60, seed=0)
    assert report.violation is None
    assert report.applicable >= 20


# 2. Attained


@pytest.mark.parametrize(("separation", "step_size"), [(0.3, 1.0), (0.01, 3.5)])
def test_is_attained_by_a_residual_in_the_bottom_mode(separation, step_size):
    """Pair mode of the linear model, lambda_min = h^2/2 = G^2/2: window law and gradient-gap ceiling are equalities."""
    eigenvalues = np.array([separation**2 / 2, 1.0, 1.0, 1.0])
    losses = linear_losses(eigenvalues, [0.5, 0, 0, 0], step_size=step_size, steps=50)
    found = linear_check(losses, eigenvalues=eigenvalues, mode_share=1.0, step_size=step_size)
    assert judge(found) is Verdict.HOLDS
    assert slack_log10(found) == pytest.approx(0.0, abs=1e-9)
    ceiling = float(tail_rate.tail_rate_ceiling(separation, step_size, num_points=NUM_POINTS))
    assert found.measured == pytest.approx(ceiling, rel=1e-9)


def test_how_loose_the_ceiling_for_curved_models_is():
    """On that mode, alpha = 0: -log(1 - 2x - x eta S) over -2 log(1 - x) tends to 1 + eta S/2 as x -> 0."""
    for separation, tolerance in ((0.1, 1e-2), (0.001, 1e-6)):
        step_size, smoothness = 0.8, 1.0
        ceiling = tail_rate.step_rate_ceiling(
            separation,
            step_size,
            num_points=NUM_POINTS,
            mode_share=1.0,
            top_eigenvalue=4.0,
            smoothness=smoothness,
        )
        exact = tail_rate.tail_rate(separation**2 / 2, step_size, num_points=NUM_POINTS)
        assert float(ceiling / exact) == pytest.approx(1 + step_size * smoothness / 2, rel=tolerance)


def test_is_attained_in_the_limit_by_a_trained_network():
    """Limit, measured: after 6000 steps (h = 0.1) the rate over the last 500 is within 2 % of rate(lambda_min)."""
    data, step_size = hand_trained.data(separation=0.1, gap=0.5), 0.3
    path = hand_trained.train(data, step_size=step_size, steps=6000)
    first, last = (hand_trained.loss(path[s], data) for s in (5500, 6000))
    slopes = hand_trained.jacobian(path[-1], data)
    bottom = np.linalg.eigvalsh(slopes @ slopes.T)[0]
    law = float(tail_rate.tail_rate(bottom, step_size, num_points=NUM_POINTS))
    assert tail_rate.mean_rate(first, last, 500) == pytest.approx(law, rel=0.02)
    gradient_gap = np.linalg.norm(hand_trained.gradient_gap(path[-1], data))
    assert law <= float(tail_rate.tail_rate_ceiling(gradient_gap, step_size, num_points=NUM_POINTS))


@pytest.mark.parametrize("instance", HUNT.extremal)
def test_is_attained_closely_enough_to_see_a_wrong_constant(instance):
    found = HUNT.check(instance)
    assert judge(found) is Verdict.HOLDS
    assert judge(found._replace(bound=found.bound / 1.15)) is Verdict.VIOLATED


# 3. Fails without each hypothesis


def test_fails_without_share_in_the_bottom_mode():
    """Residual in the second mode alone: the tail follows lambda = 1 at any h, in N/(2 eta), not N/(eta h^2), steps."""
    eigenvalues, step_size = np.array([0.5e-6, 1.0, 1.0, 1.0]), 0.2
    losses = linear_losses(eigenvalues, [0, 1.0, 0, 0], step_size=step_size, steps=50)
    pretended = linear_check(losses, eigenvalues=eigenvalues, mode_share=1.0, step_size=step_size)
    honest = linear_check(losses, eigenvalues=eigenvalues, mode_share=0.0, step_size=step_size)
    assert judge(pretended) is Verdict.VIOLATED
    assert judge(honest) is Verdict.VACUOUS
    e_folding = 1 / tail_rate.mean_rate(losses[0], losses[-1], 50)
    assert e_folding < 1e-4 * float(tail_rate.e_folding_floor(1e-3, step_size, num_points=NUM_POINTS))


def test_fails_without_frozen_kernel():
    """One sample, f = theta^2/2, label 8 from theta = 1: K = theta^2 rises 16-fold, and the loss falls faster than the
    first kernel's law allows."""
    theta, step_size, losses = 1.0, 0.01, []
    for _ in range(61):
        residual = theta**2 / 2 - 8.0
        losses.append(residual**2 / 2)
        theta -= step_size * residual * theta
    found = linear_check(
        np.array(losses),
        eigenvalues=[1.0, 1.0],
        mode_share=1.0,
        step_size=step_size,
        num_points=1,
        kernel_drift=float(theta**2 - 1),
    )
    assert failed_hypotheses(found) == ("frozen kernel",)
    assert judge(found._replace(margins={})) is Verdict.VIOLATED


def test_fails_without_smoothness_on_segments():
    """L = 1 - theta^2 from 1/2, eta = 1/8 (curvature -2): L falls by log(48/39), the ceiling with S = 0 is lower.

    One sample, r = sqrt(2 L): K = |grad L|^2/(2 L) is its own bottom mode, and G^2/2 stands for it."""
    rate, step_size = 1.0 / (2 * 0.75), 1 / 8
    below, supremum = (
        curved_check(
            first_loss=3 / 4,
            last_loss=39 / 64,
            num_steps=1,
            gradient_gap=(2 * rate) ** 0.5,
            mode_share=1.0,
            top_eigenvalue=rate,
            smoothness=smoothness,
            step_size=step_size,
            num_points=1,
        )
        for smoothness in (0.0, 2.0)
    )
    assert (judge(below), judge(supremum)) == (Verdict.VIOLATED, Verdict.HOLDS)
    ceilings = [-np.log(float(lower_factor(rate, step_size, smoothness=s))) for s in (0.0, 2.0)]
    assert ceilings[0] < np.log(48 / 39) <= ceilings[1] * (1 + 1e-15)


# 4. Invariances and limits


def test_rates_by_hand():
    """eta lambda/N = 0.1: -2 log 0.9; G = 2, eta = 0.2, N = 4: z = 0.1; a share 1/4 over 5 steps adds log(4)/5."""
    assert float(tail_rate.tail_rate(2.0, 0.2, num_points=4)) == pytest.approx(-2 * np.log(0.9), rel=1e-14)
    assert float(tail_rate.tail_rate_ceiling(2.0, 0.2, num_points=4)) == pytest.approx(-2 * np.log(0.9), rel=1e-14)
    window = tail_rate.window_rate_ceiling(2.0, 0.2, num_points=4, mode_share=0.25, num_steps=5)
    assert float(window) == pytest.approx(-2 * np.log(0.9) + np.log(4) / 5, rel=1e-14)
    assert float(tail_rate.e_folding_floor(2.0, 0.2, num_points=4)) == pytest.approx(4.5, rel=1e-14)


def test_finite_step_ceiling_by_hand():
    """share 0.9, G^2/2 = 0.02, lambda_max = 2: mu = (0.018 + 0.2)/4; eta = 0.5, S = 1: -log(1 - 1.25 mu)."""
    found = tail_rate.step_rate_ceiling(0.2, 0.5, num_points=4, mode_share=0.9, top_eigenvalue=2.0, smoothness=1.0)
    assert float(found) == pytest.approx(-np.log(1 - 1.25 * 0.218 / 4), rel=1e-14)


def test_invariances_and_limits_extremes():
    assert float(tail_rate.tail_rate(20.0, 0.2, num_points=4)) == np.inf
    assert float(tail_rate.tail_rate(50.0, 0.2, num_points=4)) < 0  # unstable: the mode grows
    assert float(tail_rate.tail_rate(0.0, 0.2, num_points=4)) == 0.0
    assert float(tail_rate.tail_rate_ceiling(10.0, 0.2, num_points=4)) == np.inf
    assert float(tail_rate.e_folding_floor(0.0, 0.2, num_points=4)) == np.inf
    small, half = (float(tail_rate.tail_rate_ceiling(g, 0.2, num_points=4)) for g in (1e-2, 5e-3))
    assert small / half == pytest.approx(4.0, rel=1e-4)  # slope 2 in h_min


def test_invariances_and_limits_units():
    """Labels times 3: lambda, S times 9, G times 3, eta over 9."""
    before = tail_rate.step_rate_ceiling(0.2, 0.5, num_points=4, mode_share=0.9, top_eigenvalue=2.0, smoothness=1.0)
    after = tail_rate.step_rate_ceiling(0.6, 0.5 / 9, num_points=4, mode_share=0.9, top_eigenvalue=18.0, smoothness=9.0)
    assert float(after) == pytest.approx(float(before), rel=1e-13)


def test_invariances_and_limits_batches():
    eigenvalues = np.array([0.1, 1.0, 5.0])
    mapped = jax.vmap(lambda value: tail_rate.tail_rate(value, 0.2, num_points=4))(eigenvalues)
    np.testing.assert_allclose(mapped, -2 * np.log(1 - 0.05 * eigenvalues), rtol=1e-14)


def test_verdicts():
    """mu = (0.99 * 0.02 + 0.01 * 2)/4 = 0.00995, factor 1 - 1.25 mu: a ceiling of 0.012515... a step."""
    assert judge(curved_check(last_loss=float(np.exp(-0.125)))) is Verdict.HOLDS
    assert judge(curved_check(last_loss=float(np.exp(-0.126)))) is Verdict.VIOLATED
    assert judge(curved_check(step_size=4.0, smoothness=100.0)) is Verdict.VACUOUS
    assert judge(curved_check(last_loss=1e-30)) is Verdict.NOT_APPLICABLE
    assert judge(curved_check(last_loss=0.0)) is Verdict.NOT_APPLICABLE
    assert judge(curved_check(last_loss=float("nan"))) is Verdict.NOT_APPLICABLE


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"num_steps": 0}, "num_steps must be at least 1, but was 0"),
        ({"step_size": 0.0}, "step_size must be positive, but was 0.0"),
        ({"mode_share": 1.5}, "mode_share must lie in"),
    ],
)
def test_bad_numbers_are_one_sentence(change, words):
    with pytest.raises(ValueError, match=words):
        curved_check(**change)


# 5. Proof lines


@pytest.fixture(scope="module")
def trained():
    """A trained network until the slow mode holds most of the residual; every 10th kernel's eigenvalues and shares."""
    data, step_size = hand_trained.data(separation=0.3, gap=1.0), 0.5
    path = hand_trained.train(data, step_size=step_size, steps=400)
    spectra = []
    for theta in path[::10]:
        slopes, residual = hand_trained.jacobian(theta, data), hand_trained.residuals(theta, data)
        values, modes = np.linalg.eigh(slopes @ slopes.T)
        spectra.append((theta, values, (modes.T @ residual) ** 2 / (residual @ residual)))
    return data, step_size, path, spectra


def measured_rate(theta, data):
    g = hand_trained.gradient(theta, data)
    return g @ g / (2 * hand_trained.loss(theta, data))


def test_proof_lines_on_a_trained_network_1(trained):
    """mu_s is the mean of lambda_k/N weighted by the residual's shares."""
    data, _, _, spectra = trained
    for theta, values, shares in spectra:
        assert shares.sum() == pytest.approx(1.0)
        assert measured_rate(theta, data) == pytest.approx(shares @ values / NUM_POINTS, rel=1e-12)


def test_proof_lines_on_a_trained_network_2(trained):
    """mu_s <= ((1 - alpha) lambda_min + alpha lambda_max)/N <= the same with G^2/2 for lambda_min, and the bottom share
    does come to dominate."""
    data, _, _, spectra = trained
    for theta, values, shares in spectra:
        squared_gap = np.sum(hand_trained.gradient_gap(theta, data) ** 2)
        mixtures = [(shares[0] * low + (1 - shares[0]) * values[-1]) / 4 for low in (values[0], squared_gap / 2)]
        assert measured_rate(theta, data) <= mixtures[0] * (1 + 1e-12) <= mixtures[1] * (1 + 1e-12)
    assert spectra[-1][2][0] > 0.99


def test_proof_lines_on_a_trained_network_3(trained):
    """log(L_s/L_{s+1}) <= the finite-step ceiling, hessian over 9 points of the segment."""
    data, step_size, path, spectra = trained
    for s, (theta, values, shares) in zip(range(0, 400, 10), spectra):
        points = hand_trained.along(theta, path[s + 1], 9)
        ceiling = tail_rate.step_rate_ceiling(
            np.linalg.norm(hand_trained.gradient_gap(theta, data)),
            step_size,
            num_points=NUM_POINTS,
            mode_share=shares[0],
            top_eigenvalue=values[-1],
            smoothness=max(np.linalg.norm(hand_trained.loss_hessian(point, data), 2) for point in points),
        )
        fall = np.log(hand_trained.loss(theta, data) / hand_trained.loss(path[s + 1], data))
        assert fall <= float(ceiling)
    assert float(ceiling) < 4 * fall  # measured at the last step: 3.2, the share alpha of faster modes


@pytest.fixture(scope="module")
def linearised(trained):
    """The network linearised at its 100th iterate and trained for 300 steps: residuals (301, N), kernel, step size."""
    data, step_size, path, _ = trained
    slopes = hand_trained.jacobian(path[100], data)
    residual, shift = hand_trained.residuals(path[100], data), np.zeros(slopes.shape[1])
    residuals = [residual]
    for _ in range(300):
        shift = shift - step_size * slopes.T @ residuals[-1] / NUM_POINTS
        residuals.append(residual + slopes @ shift)
    return np.array(residuals), slopes @ slopes.T, step_size


def test_proof_lines_on_a_linearised_network_4(linearised):
    """r_{s+1} = (I - eta K/N) r_s, so each mode's loss falls by rate(lambda) a step."""
    residuals, kernel, step_size = linearised
    values, modes = np.linalg.eigh(kernel)
    np.testing.assert_allclose(residuals[1:], residuals[:-1] @ (np.eye(4) - step_size * kernel / 4), atol=1e-13)
    shares = (residuals @ modes) ** 2
    for k, value in enumerate(values[:2]):  # the faster modes reach rounding
        fall = np.log(shares[0, k] / shares[20, k]) / 20
        assert fall == pytest.approx(float(tail_rate.tail_rate(value, step_size, num_points=4)), rel=1e-6)


def test_proof_lines_on_a_linearised_network_5(linearised):
    """Mean rate over T steps <= rate(lambda_min) + log(1/p)/T, with equality in the limit."""
    residuals, kernel, step_size = linearised
    values, modes = np.linalg.eigh(kernel)
    share = (modes[:, 0] @ residuals[0]) ** 2 / (residuals[0] @ residuals[0])
    losses = np.sum(residuals**2, axis=1) / 8
    steps = np.arange(1, 301)
    ceilings = np.asarray(
        tail_rate.window_rate_ceiling(values[0], step_size, num_points=4, mode_share=share, num_steps=steps)
    )
    rates = np.log(losses[0] / losses[1:]) / steps
    assert np.all(rates <= ceilings * (1 + 1e-12))
    assert rates[-1] == pytest.approx(ceilings[-1], rel=1e-6)


def test_proof_lines_on_the_e_folding_time_6():
    """1/(-2 log(1 - z)) >= 1/(2z) - 1/2 for 0 < z < 1, equality as z -> 1 and, relatively, as z -> 0."""
    z = np.concatenate([np.geomspace(1e-8, 0.5, 200), 1 - np.geomspace(1e-12, 0.5, 200)])
    gaps = np.sqrt(2 * z)  # eta = 1, N = 1: z = G^2/2
    floors = np.asarray(tail_rate.e_folding_floor(gaps, 1.0, num_points=1))
    times = 1 / np.asarray(tail_rate.tail_rate_ceiling(gaps, 1.0, num_points=1))
    assert np.all(floors <= times * (1 + 1e-12) + 1e-12)
    assert floors[0] / times[0] == pytest.approx(1.0, abs=1e-7)

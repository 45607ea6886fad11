"""R4, slow mode: linear models with a closing pair, equality, labels with a gap, and each line on a tanh network."""

import math

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.hunts.slow_mode import HUNT, Instance, descend
from theory.slow_mode import (
    PairSplit,
    check,
    check_floor,
    loss_ceiling,
    loss_floor,
    rest_stiffness_floor,
    slow_loss,
    smooth_label_loss,
    split_pair,
    steps_ceiling,
)
from theory.verdict import Verdict, failed_hypotheses, judge, slack_log10

BASE = Instance(
    num_points=6, gap=1e-2, coupling=0.5, label_gap=0.0, rest=1.0, aligned=False, step_share=0.9, steps=100, seed=8
)


def test_holds_on_random_instances() -> None:
    @hypothesis.given(HUNT.instances)
    def explore(instance: Instance) -> None:
        found = HUNT.check(instance)
        assert judge(found) is not Verdict.VIOLATED, found
        hypothesis.target(-(slack_log10(found) or 0.0))

    explore()


def test_random_instances_are_applicable() -> None:
    """Drawn by seed over the hunt's ranges: Hypothesis's own draws depend on the modules that are loaded."""
    rng = np.random.default_rng(0)
    verdicts = [
        judge(
            HUNT.check(
                Instance(
                    num_points=int(rng.choice((3, 6))),
                    gap=10.0 ** rng.uniform(-4.0, 0.0),
                    coupling=rng.choice((0.0, rng.uniform())),
                    label_gap=rng.choice((0.0, rng.uniform())),
                    rest=rng.uniform(0.5, 2.0),
                    aligned=bool(rng.integers(2)),
                    step_share=rng.uniform(0.05, 0.99),
                    steps=int(rng.integers(1, 301)),
                    seed=seed,
                )
            )
        )
        for seed in range(60)
    ]
    assert verdicts.count(Verdict.HOLDS) > len(verdicts) // 2, verdicts.count(Verdict.HOLDS)


@pytest.mark.parametrize("steps", [1, 30, 1000])
def test_is_attained(steps: int) -> None:
    """The pair's difference an eigenvector, the rest of the residual on B's slowest mode: equality at every step."""
    found = HUNT.check(BASE._replace(coupling=0.0, label_gap=0.5, aligned=True, steps=steps))
    assert judge(found) is Verdict.HOLDS
    assert found.measured == pytest.approx(found.bound, rel=1e-9)
    alone = check_floor(0.25 / 5.0, 1.0, num_points=5)  # residual (1/2, -1/2, 0, 0, 0)
    assert judge(alone) is Verdict.HOLDS and alone.measured == pytest.approx(alone.bound, rel=1e-15)


@pytest.mark.parametrize("instance", HUNT.extremal)
def test_is_attained_closely_enough_to_see_a_wrong_constant(instance: Instance) -> None:
    found = HUNT.check(instance)
    assert judge(found) is Verdict.HOLDS
    assert judge(found._replace(bound=found.bound / 1.15)) is Verdict.VIOLATED


def test_is_attained_closely_enough_to_see_a_wrong_share() -> None:
    """After 200 steps all of the loss is the slow mode's: E 1.15 times too small is seen."""
    instance = HUNT.extremal[-1]
    run, found = descend(instance), HUNT.check(instance)
    split, loss0 = split_pair(jnp.asarray(run.kernel), (0, 1)), float(run.residual0 @ run.residual0) / 12.0
    share = float(slow_loss(instance.label_gap, instance.rest, split, num_points=6)) / 1.15
    bound = loss_ceiling(instance.steps, loss0, share, split, step_size=run.step_size, num_points=6)
    assert judge(found._replace(bound=float(bound))) is Verdict.VIOLATED


def steps_to(instance: Instance, target: float) -> float:
    """Gradient-descent steps until the loss is below `target`, from the kernel's spectrum (no bound of this module)."""
    run = descend(instance)
    rates, modes = np.linalg.eigh(run.kernel)
    weights = (modes.T @ run.residual0) ** 2 / (2.0 * instance.num_points)
    factors = 1.0 - run.step_size / instance.num_points * rates
    low, high = 0.0, 1e12
    while high - low > 0.5 + 1e-3 * low:
        middle = math.sqrt(max(low, 1.0) * high)
        low, high = (middle, high) if (weights * factors ** (2 * middle)).sum() > target else (low, middle)
    return high


def test_the_time_is_free_of_h_with_smooth_labels_and_not_with_a_gap() -> None:
    """d_0 = h/2, and |g_0 - g_1| = h: the same number of steps at every h; d_0 = 1/2: h^-2 more."""
    separations = (1e-1, 1e-2, 1e-3)
    smooth = [steps_to(BASE._replace(gap=h, label_gap=0.5 * h, aligned=True), 0.01) for h in separations]
    gapped = [steps_to(BASE._replace(gap=h, label_gap=0.5), 0.01) for h in separations]
    assert max(smooth) <= 1.1 * min(smooth)
    np.testing.assert_allclose(np.diff(np.log10(gapped)), 2.0, atol=0.1)
    for h, taken in zip(separations, smooth):
        run = descend(BASE._replace(gap=h, label_gap=0.5 * h, aligned=True))
        split = split_pair(jnp.asarray(run.kernel), (0, 1))
        loss0 = float(run.residual0 @ run.residual0) / 12.0
        held = float(smooth_label_loss(h, split, gap_lipschitz=0.5, jacobian_lipschitz=1.0, loss0=loss0, num_points=6))
        beta = split.rest_stiffness
        if held < 0.005:  # then eps = 0.01 - E is positive, and the theorem speaks
            allowed = steps_ceiling(loss0, 0.01 - held, step_size=run.step_size, num_points=6, rest_stiffness=beta)
            assert taken <= float(allowed) + 1.0
    assert held < 1e-3


def test_fails_without_single_close_pair() -> None:
    """A second closing pair, with a label gap, takes beta down with it: the time depends on h again.

    Labels of the first pair are equal: beta free of h and E = O(h^2) would promise L <= 0.1 L_0 + E by a step that does
    not depend on h.  By that step of h = 0.1 the loss at h = 1e-3 has hardly moved.
    """
    rows, residual0 = np.random.default_rng(2).standard_normal((4, 6)), np.array([0.0, 0.0, 0.5, -0.5])
    times, losses = [], []
    for h in (1e-1, 1e-2, 1e-3):
        rows[1], rows[3] = rows[0] + h * np.eye(6)[4], rows[2] + h * np.eye(6)[5]
        kernel = rows @ rows.T
        split = split_pair(jnp.asarray(kernel), (0, 1))
        times.append(float(steps_ceiling(1.0, 0.1, step_size=0.1, num_points=4, rest_stiffness=split.rest_stiffness)))
        residual = np.linalg.matrix_power(np.eye(4) - 0.1 / 4.0 * kernel, math.ceil(times[0])) @ residual0
        losses.append(residual @ residual / (residual0 @ residual0))
    np.testing.assert_allclose(np.diff(np.log10(times)), 2.0, atol=0.2)
    assert losses[0] <= 0.11 and losses[2] > 0.9
    exact = jnp.array([[1.0, 1.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 1.0]])
    found = check(0.1, 5, exact, jnp.ones(4), (0, 1), step_size=0.1)
    assert judge(found) is Verdict.NOT_APPLICABLE


def test_fails_without_small_step_size() -> None:
    """Beyond 2N/lambda_max the loss grows past the ceiling; the check declares itself not applicable."""
    run = descend(BASE)
    step_size = 2.2 / 0.9 * run.step_size
    residual = np.linalg.matrix_power(np.eye(6) - step_size / 6.0 * run.kernel, 50) @ run.residual0
    found = check(
        float(residual @ residual) / 12.0, 50, jnp.asarray(run.kernel), jnp.asarray(run.residual0), (0, 1),
        step_size=step_size,
    )  # fmt: skip
    assert failed_hypotheses(found) == ("small step size",)
    assert judge(found._replace(margins={}, vacuous=False)) is Verdict.VIOLATED


def test_fails_without_frozen_kernel() -> None:
    """f = theta_1^2/2 +- theta_2/20: training towards a label near 0 softens the kernel; the ceiling from K_0 fails."""
    theta, labels, eta = np.array([1.0, 0.0]), np.array([0.01, 0.0]), 0.2
    features = np.array([[1.0, 0.05], [1.0, -0.05]])

    def outputs(parameters):
        return features @ np.array([0.5 * parameters[0] ** 2, parameters[1]])

    def jacobian(parameters):
        return features * np.array([parameters[0], 1.0])

    kernel0, residual0 = jacobian(theta) @ jacobian(theta).T, outputs(theta) - labels
    for _ in range(60):
        theta = theta - eta / 2.0 * jacobian(theta).T @ (outputs(theta) - labels)
    residual = outputs(theta) - labels
    arguments = (float(residual @ residual) / 4.0, 60, jnp.asarray(kernel0), jnp.asarray(residual0), (0, 1))
    drift = np.linalg.norm(jacobian(theta) @ jacobian(theta).T - kernel0) / np.linalg.norm(kernel0)
    found = check(*arguments, step_size=eta, kernel_drift=float(drift))
    assert failed_hypotheses(found) == ("frozen kernel",)
    assert judge(found._replace(margins={})) is Verdict.VIOLATED


def test_invariances_and_limits() -> None:
    run = descend(BASE)
    kernel, order = run.kernel, np.array([3, 0, 5, 1, 2, 4])
    split = split_pair(jnp.asarray(kernel), (0, 1))
    moved = split_pair(jnp.asarray(kernel[order][:, order]), (1, 3))  # the same pair under new numbers
    np.testing.assert_allclose(moved, split, rtol=1e-9)
    doubled = split_pair(jnp.asarray(4.0 * kernel), (1, 0))
    np.testing.assert_allclose(doubled, 4.0 * np.array(split), rtol=1e-9)
    assert float(slow_loss(0.3, 0.8, split, num_points=6)) == pytest.approx(
        float(slow_loss(-0.3, 0.8, split, num_points=6))
    )
    exact_duplicate = PairSplit(*map(jnp.asarray, (0.0, 1.0, 0.0, 0.0, 3.0)))
    assert float(slow_loss(0.0, 5.0, exact_duplicate, num_points=6)) == 0.0  # equal labels: full speed at h = 0
    late = loss_ceiling(10**7, 1.0, slow_loss(1.0, 5.0, exact_duplicate, num_points=6), exact_duplicate,
                        step_size=1.0, num_points=6)  # fmt: skip
    assert float(late) == pytest.approx(float(loss_floor(1.0, num_points=6)))  # unequal labels: stuck at d^2/4N
    curve = jax.vmap(lambda s: loss_ceiling(s, 1.0, 0.1, split, step_size=run.step_size, num_points=6))(np.arange(50))
    assert np.all(np.diff(np.asarray(curve)) < 0) and float(curve[0]) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="two different indices below 6"):
        split_pair(jnp.asarray(kernel), (2, 2))


def test_proof_lines_on_a_tanh_network() -> None:
    """The linearised network's gradients at 5 points, two of them 0.02 apart, and its gradient descent step by step."""
    rng = np.random.default_rng(9)
    parameters = tuple(jnp.asarray(rng.standard_normal(shape)) for shape in ((16, 2), (16,), (16,)))
    x = rng.random((5, 2))
    x[1] = x[0] + np.array([0.02, 0.0])

    def network(weights, point):
        inner, bias, outer = weights
        return outer @ jnp.tanh(inner @ point + bias)

    leaves = jax.tree.leaves(jax.jit(jax.vmap(jax.grad(network), in_axes=(None, 0)))(parameters, jnp.asarray(x)))
    jacobian = np.concatenate([np.asarray(leaf).reshape(5, -1) for leaf in leaves], axis=1)
    kernel = jacobian @ jacobian.T
    residual0 = np.array([network(parameters, point) for point in x]) - np.sin(3.0 * x[:, 0])
    rates, modes = np.linalg.eigh(kernel)
    step_size = 0.9 * 5.0 / rates[-1]

    v = np.array([1.0, -1.0, 0.0, 0.0, 0.0]) / math.sqrt(2.0)
    complement = np.linalg.svd(v[None])[2][1:]
    rest, b = complement @ kernel @ complement.T, complement @ kernel @ v
    split = split_pair(jnp.asarray(kernel), (0, 1))
    gap_of_gradients = np.linalg.norm(jacobian[0] - jacobian[1])
    assert float(split.pair_stiffness) == pytest.approx(0.5 * gap_of_gradients**2, rel=1e-7)
    beta = np.linalg.eigvalsh(rest)[0]
    assert float(split.rest_stiffness) == pytest.approx(beta, rel=1e-9)

    theta, losses = np.zeros(jacobian.shape[1]), []
    for _ in range(201):
        residual = residual0 + jacobian @ theta
        losses.append(residual @ residual / 10.0)
        theta = theta - step_size / 5.0 * jacobian.T @ residual
    factors = 1.0 - step_size / 5.0 * rates
    held = (modes.T @ residual0) ** 2 / 10.0
    spectral = [(held * factors ** (2 * s)).sum() for s in range(201)]
    np.testing.assert_allclose(losses, spectral, rtol=1e-9)  # line 1
    assert rates[0] <= beta <= rates[1]  # line 2
    for s in (1, 20, 200):  # line 3
        assert losses[s] <= (1 - step_size / 5 * beta) ** (2 * s) * (losses[0] - held[0]) + held[0] * factors[0] ** (
            2 * s
        )
    bottom = modes[:, 0]
    c, w = bottom @ v, complement @ bottom
    np.testing.assert_allclose(rest @ w - rates[0] * w, -c * b, atol=1e-9 * rates[-1])  # line 4
    root = np.linalg.cholesky(rest)
    assert np.linalg.norm(np.linalg.solve(root, b)) <= math.sqrt(v @ kernel @ v) * (1 + 1e-9)  # line 4: |z| <= 1
    tilt = min(np.linalg.norm(b), math.sqrt((v @ kernel @ v) * beta)) / (beta - rates[0])
    assert np.linalg.norm(w) <= tilt  # line 5
    assert float(split.coupling) == pytest.approx(np.linalg.norm(b), rel=1e-9)
    gap, rest_residual = residual0[0] - residual0[1], np.linalg.norm(complement @ residual0)
    assert abs(bottom @ residual0) <= abs(gap) / math.sqrt(2.0) + tilt * rest_residual  # line 6
    assert held[0] <= float(slow_loss(gap, rest_residual, split, num_points=5))
    without = np.linalg.eigvalsh(np.delete(np.delete(kernel, 1, axis=0), 1, axis=1))[0]
    assert 0.0 < float(rest_stiffness_floor(without, gap_of_gradients)) <= beta  # line 7
    slow = slow_loss(gap, rest_residual, split, num_points=5)
    smooth = smooth_label_loss(
        0.02, split, gap_lipschitz=abs(gap) / 0.02, jacobian_lipschitz=gap_of_gradients / 0.02,
        loss0=losses[0], num_points=5,
    )  # fmt: skip
    assert float(slow) <= float(smooth) * (1 + 1e-9)  # line 8
    eps = 0.1 * losses[0]
    needed = math.ceil(steps_ceiling(losses[0], eps, step_size=step_size, num_points=5, rest_stiffness=beta))
    assert (held * factors ** (2 * needed)).sum() <= eps + float(slow)  # line 8
    assert losses[200] >= float(loss_floor(residual[0] - residual[1], num_points=5))  # line 9

"""G7 kernel drift, in five parts: random instances, attained, necessary hypotheses, invariances, proof lines."""

import itertools

import hand_trained
import numpy as np
import pytest
from hypothesis import given

from experiments.hunt import search
from experiments.hunts.kernel_drift import HUNT, Instance, problem
from theory import kernel_drift
from theory.descent_product import product_ceiling
from theory.kernel_drift import contraction, drift_ceiling, frozen_residual, uniform_drift_ceiling
from theory.verdict import Verdict, failed_hypotheses, judge, slack_log10


def drift_check(**changes):
    numbers = {
        "prediction_error": 0.05,
        "drifts": np.array([0.1, 0.2]),
        "residual_norms": np.array([1.0, 0.9, 0.8]),
        "frozen_norm": 0.8,
        "contraction": 0.9,
        "step_size": 0.5,
        "num_points": 2,
        "instance": "by hand",
    }
    return kernel_drift.check(inequality="measured drift", **(numbers | changes))


# 1. Holds on random instances


@given(HUNT.instances)
def test_holds_on_random_instances(instance):
    assert judge(HUNT.check(instance)) is not Verdict.VIOLATED


def test_random_instances_are_applicable_and_reach_equality():
    report = search(HUNT, examples=60, seed=0)
    assert report.violation is None
    assert report.applicable >= 20
    assert {found.inequality: round(found.slack_log10, 9) for found in report.tightest} == {
        "measured drift": 0.0,
        "uniform drift": 0.0,
    }


# 2. Attained


def product_run(*, label, start, step_size, num_steps):
    """f = u v, one sample, in plain Python: residuals r_s and mean kernels Kbar_s = <mean of J at the ends, J_s>."""
    u, v = start
    residuals, kernels = [u * v - label], []
    for _ in range(num_steps):
        next_u, next_v = u - step_size * residuals[-1] * v, v - step_size * residuals[-1] * u
        kernels.append(0.5 * ((v + next_v) * v + (u + next_u) * u))
        u, v = next_u, next_v
        residuals.append(u * v - label)
    return np.array(residuals), np.array(kernels)


@pytest.mark.parametrize("num_steps", [1, 4, 12])
def test_is_attained_by_one_sample_whose_kernel_only_grows(num_steps):
    """u v from (0.1, 0.2) to 1, K_0 = 0.05: the drift has one sign and every term of the sum counts in full."""
    residuals, kernels = product_run(label=1.0, start=(0.1, 0.2), step_size=0.2, num_steps=num_steps)
    assert np.all(np.diff(kernels) > 0) and kernels[0] > 0.05 and np.all(residuals < 0)
    decay = 1 - 0.2 * 0.05
    frozen = residuals[0] * decay**num_steps
    found = drift_check(
        prediction_error=abs(residuals[-1] - frozen),
        drifts=kernels - 0.05,
        residual_norms=np.abs(residuals),
        frozen_norm=abs(frozen),
        contraction=decay,
        step_size=0.2,
        num_points=1,
    )
    assert judge(found) is Verdict.HOLDS
    assert slack_log10(found) == pytest.approx(0.0, abs=1e-12)


# 3. Fails without each hypothesis


def test_fails_without_continuity():
    """f = theta + [theta > 1/2], y = 3: J = 1 wherever it exists, so no drift is measured, yet the jump adds 1."""

    def output(theta):
        return theta + float(theta > 0.5)

    residuals, theta = [output(0.0) - 3.0], 0.0
    for _ in range(2):
        theta -= 0.5 * residuals[-1]
        residuals.append(output(theta) - 3.0)
    frozen = residuals[0] * 0.5**2
    found = drift_check(
        prediction_error=abs(residuals[-1] - frozen),
        drifts=np.zeros(2),
        residual_norms=np.abs(residuals),
        frozen_norm=abs(frozen),
        contraction=0.5,
        num_points=1,
    )
    assert judge(found) is Verdict.VIOLATED


def test_fails_without_plain_gradient_descent():
    """Heavy ball on f = theta, whose kernel is 1 for ever: its second step is not the frozen prediction's."""
    theta, velocity, residuals = 0.0, 0.0, [-1.0]
    for _ in range(2):
        velocity = 0.9 * velocity - 0.1 * residuals[-1]
        theta += velocity
        residuals.append(theta - 1.0)
    frozen = -(0.9**2)
    found = drift_check(
        prediction_error=abs(residuals[-1] - frozen),
        drifts=np.zeros(2),
        residual_norms=np.abs(residuals),
        frozen_norm=abs(frozen),
        contraction=0.9,
        step_size=0.1,
        num_points=1,
    )
    assert judge(found) is Verdict.VIOLATED


def test_fails_with_the_kernel_at_the_iterates():
    """delta must be of Kbar, not of K_s: at s = 0 the latter is 0, and one step of u v would be predicted exactly."""
    residuals, _ = product_run(label=1.0, start=(0.1, 0.2), step_size=0.2, num_steps=1)
    found = drift_check(
        prediction_error=abs(residuals[1] - residuals[0] * 0.99),
        drifts=np.zeros(1),
        residual_norms=np.abs(residuals),
        frozen_norm=abs(residuals[0] * 0.99),
        contraction=0.99,
        step_size=0.2,
        num_points=1,
    )
    assert judge(found) is Verdict.VIOLATED


# 4. Invariances and limits


def test_invariances_and_limits_no_drift():
    constants = {"contraction": 0.9, "step_size": 0.5, "num_points": 2}
    assert float(drift_ceiling(np.zeros(3), np.ones(3), **constants)) == 0.0
    assert float(uniform_drift_ceiling(0.0, 1.0, 7, **constants)) == 0.0


def test_invariances_and_limits_uniform_drift_is_the_sum():
    """Constant delta and |r_s| growing by q + eta delta/N: the sum is the difference of the two powers."""
    q, eta, count, delta, steps = 0.9, 0.5, 2, 0.3, 9
    norms = 2.0 * (q + eta * delta / count) ** np.arange(steps)
    constants = {"contraction": q, "step_size": eta, "num_points": count}
    summed = float(drift_ceiling(np.full(steps, delta), norms, **constants))
    assert float(uniform_drift_ceiling(delta, 2.0, steps, **constants)) == pytest.approx(summed, rel=1e-13)


def test_invariances_and_limits_contraction():
    """q by numpy's operator norm; 1 on [0, 2N/lambda_max], and no more than that asks eta <= 2N/lambda_max."""
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((4, 6))
    kernel = rows @ rows.T
    eigenvalues = np.linalg.eigvalsh(kernel)
    for share in (0.3, 1.0, 1.9, 2.5):
        eta = share * 4 / eigenvalues[-1]
        expected = np.linalg.norm(np.eye(4) - eta / 4 * kernel, 2)
        found = float(contraction(eigenvalues, step_size=eta, num_points=4))
        assert found == pytest.approx(expected, rel=1e-12)
        assert (found <= 1.0) == (share <= 2.0)


def test_invariances_and_limits_units():
    """Labels times c: errors times c. Parameters times c at fixed f: K over c^2, eta times c^2."""
    base = float(
        drift_ceiling(np.array([0.1, 0.2]), np.array([1.0, 0.9]), contraction=0.9, step_size=0.5, num_points=2)
    )
    assert base == pytest.approx(0.25 * (0.9 * 0.1 * 1.0 + 0.2 * 0.9), rel=1e-14)
    scaled = float(
        drift_ceiling(np.array([0.1, 0.2]) / 9, np.array([3.0, 2.7]), contraction=0.9, step_size=4.5, num_points=2)
    )
    assert scaled == pytest.approx(3 * base, rel=1e-14)


def test_invariances_and_limits_frozen_residual():
    """The closed form against 50 explicit steps of a linear model."""
    rng = np.random.default_rng(1)
    rows, residual = rng.standard_normal((3, 5)), rng.standard_normal(3)
    explicit = residual
    for _ in range(50):
        explicit = explicit - 0.1 / 3 * rows @ (rows.T @ explicit)
    found = frozen_residual(rows @ rows.T, residual, 50, step_size=0.1, num_points=3)
    np.testing.assert_allclose(found, explicit, rtol=1e-10)


def test_verdicts():
    assert judge(drift_check()) is Verdict.HOLDS  # the ceiling is 0.0675
    assert judge(drift_check(prediction_error=0.068)) is Verdict.VIOLATED
    assert judge(drift_check(drifts=np.array([10.0, 10.0]))) is Verdict.VACUOUS
    assert failed_hypotheses(drift_check(prediction_error=float("nan")))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"residual_norms": np.ones(2)}, "residual_norms must hold one number more than drifts"),
        ({"step_size": 0.0}, "step_size must be positive, but was 0.0"),
    ],
)
def test_bad_numbers_are_one_sentence(change, words):
    with pytest.raises(ValueError, match=words):
        drift_check(**change)


# 5. Proof lines, and what is measured


class Trained:
    """1,000 steps of the hand-written network from 0.5 N(0, 1) at eta = 0.3: kernels, losses, frozen prediction."""

    def __init__(self):
        self.data, self.step_size, steps = hand_trained.data(separation=0.5, gap=1.0), 0.3, 1000
        path = [0.5 * np.random.default_rng(0).standard_normal(4 * hand_trained.WIDTH)]
        for _ in range(steps):
            path.append(path[-1] - self.step_size * hand_trained.gradient(path[-1], self.data))
        self.path = np.array(path)
        self.jacobians = np.array([hand_trained.jacobian(theta, self.data) for theta in path])
        self.kernels = self.jacobians @ self.jacobians.transpose(0, 2, 1)
        self.residuals = np.array([hand_trained.residuals(theta, self.data) for theta in path])
        self.losses = np.sum(self.residuals**2, axis=1) / 8
        step = np.eye(4) - self.step_size * self.kernels[0] / 4
        frozen = [self.residuals[0]]
        for _ in range(steps):
            frozen.append(step @ frozen[-1])
        self.frozen = np.array(frozen)
        nodes, weights = np.polynomial.legendre.leggauss(8)
        self.mean_kernels = np.array(
            [
                sum(w / 2 * hand_trained.jacobian(a + (1 + t) / 2 * (b - a), self.data) for t, w in zip(nodes, weights))
                @ hand_trained.jacobian(a, self.data).T
                for a, b in itertools.pairwise(path[:61])
            ]
        )
        self.drifts = np.linalg.norm(self.mean_kernels - self.kernels[0], 2, axis=(1, 2))
        self.contraction = np.linalg.norm(step, 2)


@pytest.fixture(scope="module")
def trained():
    return Trained()


def test_proof_lines_on_a_trained_network_1_and_2(trained):
    """r_{s+1} = (I - eta Kbar_s/N) r_s to quadrature error; with K_s in the place of Kbar_s it is not so."""
    for s in range(60):
        predicted = trained.residuals[s] - trained.step_size / 4 * trained.mean_kernels[s] @ trained.residuals[s]
        np.testing.assert_allclose(trained.residuals[s + 1], predicted, atol=1e-13)
    frozen = frozen_residual(trained.kernels[0], trained.residuals[0], 60, step_size=trained.step_size, num_points=4)
    np.testing.assert_allclose(trained.frozen[60], frozen, atol=1e-12)
    eigenvalues = np.linalg.eigvalsh(trained.kernels[0])
    q = contraction(eigenvalues, step_size=trained.step_size, num_points=4)
    assert float(q) == pytest.approx(float(trained.contraction), rel=1e-12)
    by_iterates = trained.residuals[0] - trained.step_size / 4 * trained.kernels[0] @ trained.residuals[0]
    assert np.linalg.norm(trained.residuals[1] - by_iterates) > 1e-3


@pytest.mark.parametrize(("model", "relative_step"), [("bilinear", 0.5), ("bilinear", 2.5), ("network", 0.5)])
def test_proof_lines_on_the_hunts_models_1_and_2(model, relative_step):
    """The hunt's mean Jacobian, exact or by Gauss-Legendre, is the recursion's: one step at theta_0, q < 1 or q > 1."""
    found, labels, theta = problem(Instance("measured drift", model, 1, relative_step, 0.5, 7))
    residual, jacobian = found.outputs(theta) - labels, found.jacobian(theta)
    step_size = relative_step * len(labels) / float(np.linalg.eigvalsh(jacobian @ jacobian.T)[-1])
    step = -step_size / len(labels) * residual @ jacobian
    assert found.resolved(step) and np.linalg.norm(step) > 0.1
    mean = found.mean_jacobian(theta, theta + step)
    np.testing.assert_allclose(found.outputs(theta + step) - labels, residual + mean @ step, atol=1e-12)
    assert np.linalg.norm(mean - jacobian) > 0.01


def test_proof_lines_on_a_trained_network_3_and_4(trained):
    """e_{s+1} = (I - eta K_0/N) e_s - (eta/N)(Kbar_s - K_0) r_s; summed, under the ceiling at every T <= 60."""
    eta, errors = trained.step_size, trained.residuals - trained.frozen
    step = np.eye(4) - eta * trained.kernels[0] / 4
    norms = np.linalg.norm(trained.residuals, axis=1)
    for s in range(60):
        source = eta / 4 * (trained.mean_kernels[s] - trained.kernels[0]) @ trained.residuals[s]
        np.testing.assert_allclose(errors[s + 1], step @ errors[s] - source, atol=1e-13)
    for steps in (1, 5, 20, 60):
        ceiling = drift_ceiling(
            trained.drifts[:steps], norms[:steps], contraction=trained.contraction, step_size=eta, num_points=4
        )
        assert np.linalg.norm(errors[steps]) <= float(ceiling)


def test_how_loose_the_ceiling_is_on_a_trained_network(trained):
    """Within a factor 3 for 20 steps, in which the kernel moves by 45%; it stops telling anything before step 60."""
    norms = np.linalg.norm(trained.residuals, axis=1)
    for steps, loosest in ((1, 2.0), (20, 3.0)):
        ceiling = drift_ceiling(
            trained.drifts[:steps], norms[:steps], contraction=trained.contraction, step_size=0.3, num_points=4
        )
        error = np.linalg.norm(trained.residuals[steps] - trained.frozen[steps])
        assert error <= float(ceiling) <= loosest * error
    found = drift_check(
        prediction_error=float(np.linalg.norm(trained.residuals[60] - trained.frozen[60])),
        drifts=trained.drifts,
        residual_norms=norms[:61],
        frozen_norm=float(np.linalg.norm(trained.frozen[60])),
        contraction=float(trained.contraction),
        step_size=0.3,
        num_points=4,
    )
    assert judge(found) is Verdict.VACUOUS


def test_proof_lines_on_a_trained_network_5(trained):
    """|r_{s+1}| <= (q + eta delta/N)|r_s|, and the uniform ceiling lies above the measured one."""
    norms, delta = np.linalg.norm(trained.residuals, axis=1), trained.drifts.max()
    growth = trained.contraction + trained.step_size * delta / 4
    assert np.all(norms[1:61] <= growth * norms[:60])
    constants = {"contraction": trained.contraction, "step_size": trained.step_size, "num_points": 4}
    measured = float(drift_ceiling(trained.drifts, norms[:60], **constants))
    assert measured <= float(uniform_drift_ceiling(delta, norms[0], 60, **constants))


def test_the_frozen_prediction_fails_where_the_descent_product_holds(trained):
    """Measured: the kernel doubles, the frozen loss is 100 times too large, and G1's product disproves it.

    With step sizes below 1/S the product L_0 prod (1 - eta lambda_min(K_s)/N) bounds the true loss; after 1,000 steps
    it is below half of what the frozen kernel predicts.
    """
    curvature = max(
        np.abs(np.linalg.eigvalsh(hand_trained.loss_hessian(theta, trained.data))).max() for theta in trained.path[::10]
    )
    assert trained.step_size * curvature < 0.5
    drift = np.linalg.norm(trained.kernels[-1] - trained.kernels[0], 2) / np.linalg.norm(trained.kernels[0], 2)
    assert drift == pytest.approx(2.0, abs=0.05)
    frozen_loss = np.sum(trained.frozen[-1] ** 2) / 8
    assert trained.losses[-1] == pytest.approx(1.1e-4, rel=0.05)
    assert frozen_loss == pytest.approx(3.9e-2, rel=0.02)
    assert frozen_loss / trained.losses[-1] == pytest.approx(338, abs=0.5)
    rates = np.linalg.eigvalsh(trained.kernels[:-1])[:, 0] / 4
    product = float(product_ceiling(trained.losses[0], rates, step_size=trained.step_size))
    assert product == pytest.approx(1.9e-2, rel=0.03)
    assert trained.losses[-1] <= product < 0.6 * frozen_loss

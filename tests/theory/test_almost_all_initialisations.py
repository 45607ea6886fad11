"""G6, almost all initialisations: random instances, both floors attained, each hypothesis's control, proof lines."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from scipy.optimize import brentq

from experiments.architecture import plain_mlp
from experiments.certify.certificate import Refused, positive_pivots, precision, prove_positive
from experiments.descent import descent_step
from experiments.hunt import search
from experiments.hunts.almost_all_initialisations import HUNT, REACH, Draws, decided, descend, draw, unflattened
from experiments.hunts.almost_all_initialisations import network as hunted_network
from experiments.kernel import empirical_ntk
from theory.almost_all_initialisations import check, check_draws, check_volume, regularity, spectral_floor, volume_floor
from theory.verdict import Verdict, failed_hypotheses, judge, slack_log10

EPS = 2.0**-52
INPUTS = np.array([[0.1, 0.9], [0.8, 0.2], [0.4, 0.5], [0.9, 0.8]])
LABELS = np.array([1.0, -1.0, 0.5, 0.0])
UNITS = 4
PARAMETERS = UNITS * 4 + 1
LINE = {"tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2), "relu": (lambda z: np.maximum(z, 0), lambda z: 1.0 * (z > 0)),
        "identity": (lambda z: z, np.ones_like)}  # fmt: skip


def model(theta, inputs, activation="tanh"):
    """f = a . sigma(W x + b) + c and its Jacobian, by hand; theta = (b, W, c, a), plain_mlp's order."""
    bias, weight, shift, outer = np.split(theta, (UNITS, 3 * UNITS, 3 * UNITS + 1))
    value, slope = LINE[activation]
    z = inputs @ weight.reshape(2, UNITS) + bias
    back = slope(z) * outer
    by_weight = (inputs[:, :, None] * back[:, None, :]).reshape(len(inputs), -1)
    return value(z) @ outer + shift, np.concatenate([back, by_weight, np.ones((len(inputs), 1)), value(z)], axis=1)


def thetas(count, seed=0):
    return np.random.default_rng(seed).standard_normal((count, PARAMETERS))


def is_singular(jacobian):
    """Rows of J dependent in float64, where J has at least as many columns: the singular values of J resolve K's."""
    values = np.linalg.svd(jacobian, compute_uv=False)
    return not values[-1] > 4 * len(jacobian) * EPS * values[0]


def draws_check(singular, draws, **changes):
    facts = {"analytic": True, "num_parameters": PARAMETERS, "kernel_size": 4, "separation": 0.3, "certified": 1e-3,
             "regular": 0.1}  # fmt: skip
    return check_draws(singular, draws, **(facts | changes))


def only_fails(found, name):
    """The named hypothesis fails, no other; and the conclusion breaks where nobody asks for it."""
    return failed_hypotheses(found) == (name,) and judge(found._replace(margins={})) is Verdict.VIOLATED


def kernel_check(jacobian, scale=1.0):
    values = np.linalg.svd(jacobian, compute_uv=False)
    kernel, size = jacobian @ jacobian.T, len(jacobian)
    return check(
        float(values[-1] ** 2),
        float(np.linalg.slogdet(kernel)[1]) + np.log(scale),
        trace=float(np.trace(kernel)),
        size=size,
        eigenvalue_error=float(2 * size * EPS * values[0] * values[-1]),
    )


# 1. Holds on random instances


@given(HUNT.instances)
def test_holds_on_random_instances(instance):
    assert judge(HUNT.check(instance)) is not Verdict.VIOLATED


def test_random_instances_are_applicable_and_attain_the_floors():
    report = search(HUNT, examples=60, seed=0)
    assert report.violation is None and report.applicable >= 50
    assert {found.inequality for found in report.tightest} == {"spectral floor", "volume floor"}
    assert all(abs(found.slack_log10) < 4.3e-4 for found in report.tightest)


@pytest.mark.parametrize("corner", [1.0, 1.35])
def test_flat_gelu_units_at_the_limit_are_decided(corner):
    """All parameters -10, points at a corner: K - 1 1^T is of the size exp(-z^2), z = -30 or -37. 1024 bits miss it."""
    inputs = np.array([[1.0, 1.0], [corner, corner - 0.05], [0.93, 0.99], [0.98, 0.91]])
    theta, gelu = np.full(PARAMETERS, -REACH), hunted_network("gelu")
    assert np.array_equal(empirical_ntk(gelu, unflattened(theta, gelu), inputs), np.ones((4, 4)))
    with pytest.raises(Refused, match="not decided at 1024 bits"):
        prove_positive(gelu, unflattened(theta, gelu), inputs)
    assert decided(theta, inputs, "gelu") and not decided(theta, inputs[[0, 1, 2, 1]], "gelu")


# 2. Attained


@pytest.mark.parametrize("size", [2, 5])
@pytest.mark.parametrize("smallest", [0.5, 1e-2, 1e-5])
def test_is_attained_when_the_other_eigenvalues_are_equal(size, smallest):
    """The ratio floor / lambda_min is exactly (1 - lambda_min / tr K)^(n-1); a floor 15% higher is seen."""
    jacobian = np.diag(np.sqrt([smallest] + [2.0] * (size - 1)))
    found = kernel_check(jacobian)
    trace = smallest + 2.0 * (size - 1)
    assert judge(found) is Verdict.HOLDS
    assert found.bound / smallest == pytest.approx((1 - smallest / trace) ** (size - 1), rel=1e-12)
    if smallest < 1e-3:
        assert judge(kernel_check(jacobian, scale=1.15)) is Verdict.VIOLATED


@pytest.mark.parametrize("factor", [1.0, 1.15])
def test_is_attained_by_a_multiple_of_the_identity(factor):
    found = check_volume(0.5**3 / factor, 0.25, largest_eigenvalue=2.0, hessian_norm=2.0, num_parameters=3)
    assert judge(found) is (Verdict.HOLDS if factor == 1.0 else Verdict.VIOLATED)
    assert factor > 1.0 or slack_log10(found) == pytest.approx(0.0, abs=1e-14)


# 3. Fails without each hypothesis


def test_fails_without_analytic_model():
    """Four ReLU units are all dead at all four inputs on an open set of theta, and K = 1 1^T there."""
    singular = [is_singular(model(theta, INPUTS, "relu")[1]) for theta in thetas(2000)]
    dead = [np.all(model(theta, INPUTS, "relu")[1][:, :-1].sum(axis=1) == 1.0) for theta in thetas(2000)]
    assert 0 < sum(dead) < sum(singular) < 2000  # positive somewhere: the hypothesis H4 holds
    assert all(s for s, d in zip(singular, dead) if d)
    assert only_fails(draws_check(sum(singular), 2000, analytic=False), "analytic model")
    assert not any(is_singular(model(theta, INPUTS)[1]) for theta in thetas(2000))


def test_fails_without_enough_parameters():
    """f = a tanh(w x) has P = 2 and K of rank 2 at three points, a tanh(w x) + c has P = 3 and K of rank 3; so without
    enough parameters no theta can be certified (H4 implies H2)."""
    x = np.array([0.2, 0.5, 0.9])
    rng = np.random.default_rng(1)
    jacobians = [np.stack([np.tanh(w * x), a * x / np.cosh(w * x) ** 2], axis=1) for a, w in rng.normal(size=(50, 2))]
    ranks = [int(np.linalg.matrix_rank(jacobian @ jacobian.T, hermitian=True)) for jacobian in jacobians]
    found = draws_check(sum(rank < 3 for rank in ranks), 50, num_parameters=2, kernel_size=3)
    assert found.measured == 1.0 and only_fails(found, "enough parameters")
    assert not any(is_singular(np.column_stack([jacobian, np.ones(3)])) for jacobian in jacobians)


def test_fails_without_distinct_inputs():
    """Equal inputs have equal rows of J."""
    inputs = INPUTS[[0, 1, 2, 1]]
    singular = sum(is_singular(model(theta, inputs)[1]) for theta in thetas(50))
    assert singular == 50 and only_fails(draws_check(singular, 50, separation=0.0), "distinct inputs")


def test_fails_without_certified_theta():
    """A linear network is analytic, has P = 17 > 4 and distinct inputs, and yet only rank d + 1 = 3 at every theta."""
    jacobians = [model(theta, INPUTS, "identity")[1] for theta in thetas(50)]
    assert max(np.linalg.matrix_rank(jacobian) for jacobian in jacobians) == 3
    singular = sum(map(is_singular, jacobians))
    assert singular == 50 and only_fails(draws_check(singular, 50, certified=0.0), "certified theta")


def sine_neuron(theta):
    """f = a cos(b - x) at two points, labels 0: L = a^2/4 for every b, K singular exactly at a = 0."""
    (a, b), angles = theta, np.array([0.0, np.pi / 2])
    return a * np.cos(b - angles), np.stack([np.cos(b - angles), -a * np.sin(b - angles)], axis=1)


@pytest.mark.parametrize(("step_size", "share"), [(2.0, 1.0), (1.0, 0.0), (2.1, 0.0)])
def test_fails_without_regular_step_size(step_size, share):
    """eta = 2 sends every start to a = 0 in one step, every other eta none: E = {2}. K > 0 almost everywhere."""
    starts = np.random.default_rng(2).standard_normal((50, 2))
    assert not any(is_singular(sine_neuron(theta)[1]) for theta in starts)
    steps = [theta - step_size * sine_neuron(theta)[1].T @ sine_neuron(theta)[0] / 2 for theta in starts]
    singular = sum(is_singular(sine_neuron(theta)[1]) for theta in steps)
    regular = float(regularity(step_size, np.array([0.5, 0.0])))  # hess L = diag(1/2, 0) everywhere
    found = draws_check(singular, 50, num_parameters=2, kernel_size=2, regular=regular)
    assert found.measured == share
    assert only_fails(found, "regular step size") if share else judge(found) is Verdict.HOLDS


def test_fails_without_step_size_below_the_inverse_curvature():
    """det(I - eta diag(3, 1)) = -1/4 at eta = 1/2; the floor is 0 there."""
    found = check_volume(-0.25, 0.5, largest_eigenvalue=3.0, hessian_norm=3.0, num_parameters=2)
    assert failed_hypotheses(found) == ("step size below inverse curvature", "resolved")
    assert judge(found._replace(margins={}, rounding=0.0)) is Verdict.VIOLATED


# 4. Invariances and limits


def test_invariances_and_limits_units():
    """K times c: floor times c. eta and hess L only as a product. One row: the floor is K itself."""
    floor = float(spectral_floor(np.log(0.3), 5.0, size=4))
    assert float(spectral_floor(np.log(0.3) + 4 * np.log(7.0), 35.0, size=4)) == pytest.approx(7 * floor, rel=1e-13)
    assert float(spectral_floor(np.log(0.3), 0.3, size=1)) == pytest.approx(0.3, rel=1e-15)
    assert float(volume_floor(0.1, 4.0, num_parameters=3)) == pytest.approx(0.6**3, rel=1e-14)
    assert float(volume_floor(0.4, 1.0, num_parameters=3)) == float(volume_floor(0.1, 4.0, num_parameters=3))
    assert float(regularity(0.1, np.array([4.0, -1.0]))) == pytest.approx(0.6)


def test_invariances_and_limits_extremes():
    assert float(spectral_floor(-np.inf, 5.0, size=4)) == 0.0
    tiny = float(spectral_floor(8 * np.log(1e-60), 8e-60, size=8))  # det = 1e-480 is no float
    assert tiny == pytest.approx(1e-60 * (7 / 8) ** 7, rel=1e-12)
    assert float(volume_floor(0.0, 4.0, num_parameters=9)) == 1.0
    assert float(volume_floor(1.0, 1.0, num_parameters=9)) == float(volume_floor(2.0, 1.0, num_parameters=9)) == 0.0
    assert float(volume_floor(0.5, -2.0, num_parameters=2)) == 4.0  # concave: volumes grow


def test_invariances_and_limits_batches():
    log_determinants, traces = np.log([[0.1], [0.2]]), np.array([1.0, 2.0, 3.0])
    expected = np.exp(log_determinants) / (traces / 2) ** 2
    np.testing.assert_allclose(spectral_floor(log_determinants, traces, size=3), expected, rtol=1e-13)
    np.testing.assert_allclose(volume_floor(np.array([0.1, 0.2]), 2.0, num_parameters=2), [0.64, 0.36], rtol=1e-13)
    np.testing.assert_allclose(regularity(np.array([0.5, 1.0]), np.array([1.0, 3.0])), [0.5, 0.0])


def test_verdicts_and_bad_numbers():
    facts = {"trace": 3.0, "size": 3, "eigenvalue_error": 1e-15}
    assert judge(check(1e-16, np.log(1e-16), **facts)) is Verdict.NOT_APPLICABLE
    assert judge(check(0.0, -np.inf, **facts)) is Verdict.NOT_APPLICABLE
    assert judge(check(0.5, np.log(0.5), **facts)) is Verdict.HOLDS
    for smallest, resolved in ((1e-12, True), (1e-13, False)):  # det K moves by 0.8% and by 8%
        found = check(smallest, np.log(smallest), trace=3.0, size=3, eigenvalue_error=0.0)
        assert failed_hypotheses(found) == (() if resolved else ("determinant resolved",))
        assert (found.rounding < 0.02 * found.bound) == resolved
    assert failed_hypotheses(check(0.5, np.log(0.5), trace=3.0, size=3, eigenvalue_error=6e-3)) == (
        "eigenvalue resolved",
    )
    assert judge(draws_check(1, 50)) is Verdict.VIOLATED and judge(draws_check(0, 50)) is Verdict.HOLDS
    assert judge(draws_check(1, 50, reach=-1.0)) is Verdict.NOT_APPLICABLE
    for call, words in (
        (lambda: spectral_floor(0.0, 1.0, size=0), "size must be at least 1, but was 0"),
        (lambda: volume_floor(0.1, 1.0, num_parameters=0), "num_parameters must be at least 1, but was 0"),
        (lambda: draws_check(3, 2), "singular must lie between 0 and draws >= 1, but they were 3 and 2"),
        (lambda: draws_check(0, 0), "singular must lie between 0 and draws >= 1"),
    ):
        with pytest.raises(ValueError, match=words):
            call()


# 5. Proof lines, on a tanh network and its gradient descent


@pytest.fixture(scope="module")
def runs():
    """12 steps of gradient descent from 16 starts, with all Jacobians and one hessian, by JAX."""
    instance = HUNT.extremal[0]._replace(seed=5)
    drawn = draw(instance)
    return drawn, descend(drawn, 0.2, 12, activation="tanh")


def gradient(theta, inputs, labels):
    outputs, jacobian = model(theta, inputs)
    return jacobian.T @ (outputs - labels) / len(inputs)


def test_proof_lines_on_a_network_1_and_2(runs):
    """det K is analytic: along a line its Chebyshev interpolant converges geometrically; ReLU's does not. Not zero."""
    start, direction = thetas(2, seed=3)

    def determinants(t, activation):
        jacobians = [model(start + s * direction, INPUTS, activation)[1] for s in t]
        return np.array([np.linalg.det(jacobian @ jacobian.T) for jacobian in jacobians])

    def error(nodes, activation):
        found = np.polynomial.chebyshev.Chebyshev.interpolate(determinants, nodes, args=(activation,))
        t = np.linspace(-1, 1, 201)
        values = determinants(t, activation)
        return np.abs(found(t) - values).max() / np.abs(values).max()

    assert error(60, "tanh") < 1e-4 * error(20, "tanh") and error(60, "relu") > 1e-4
    assert np.all(determinants(np.linspace(-1, 1, 50), "tanh") > 0)
    drawn, run = runs
    ours = np.stack([model(theta, drawn.inputs)[1] for theta in drawn.theta])
    np.testing.assert_allclose(run.start, ours, atol=1e-13)  # the hand Jacobian is the network's


def test_proof_lines_on_a_network_3(runs):
    """eta -> det(I - eta H) is a polynomial with value 1 at 0 and roots 1/lambda: two thetas have no root in common."""
    drawn, run = runs
    hessian = np.asarray(run.hessian)
    step = 1e-5
    columns = [
        (
            gradient(drawn.theta[0] + e, drawn.inputs, drawn.labels)
            - gradient(drawn.theta[0] - e, drawn.inputs, drawn.labels)
        )
        / (2 * step)
        for e in step * np.eye(PARAMETERS)
    ]
    np.testing.assert_allclose(hessian, columns, atol=1e-8)
    eigenvalues = np.linalg.eigvalsh(hessian)
    for eta in 1.0 / eigenvalues[np.abs(eigenvalues) > 1e-3]:
        assert float(regularity(eta, eigenvalues)) < 1e-9
    other = np.linalg.eigvalsh(
        np.asarray(descend(drawn._replace(theta=drawn.theta[::-1]), 0.2, 12, activation="tanh").hessian)
    )
    common = min(abs(1 / p - 1 / q) for p, q in itertools.product(eigenvalues, other) if min(abs(p), abs(q)) > 1e-3)
    assert common > 1e-6  # so E has no element below 1000


def test_proof_lines_on_a_network_4(runs):
    """D F = I - eta hess L, invertible here, and so F is invertible nearby: Newton's method finds the preimage."""
    drawn, run = runs
    eta, theta = 0.2, drawn.theta[0]
    derivative = np.eye(PARAMETERS) - eta * np.asarray(run.hessian)
    assert np.abs(np.linalg.eigvalsh(derivative)).min() > 1e-3
    nearby = theta + 1e-3 * thetas(1, seed=9)[0]
    image = nearby - eta * gradient(nearby, drawn.inputs, drawn.labels)
    found = theta.copy()
    for _ in range(20):
        residual = found - eta * gradient(found, drawn.inputs, drawn.labels) - image
        found -= np.linalg.solve(derivative, residual)
    np.testing.assert_allclose(found, nearby, atol=1e-10)


def test_proof_lines_on_a_network_5(runs):
    """All 16 x 12 kernels along gradient descent are positive, and the hand-made run is the same."""
    drawn, run = runs
    for theta, end in zip(drawn.theta, np.asarray(run.ends)):
        for _ in range(12):
            assert not is_singular(model(theta, drawn.inputs)[1])
            theta = theta - 0.2 * gradient(theta, drawn.inputs, drawn.labels)
        np.testing.assert_allclose(theta, end, atol=1e-11)


def test_proof_lines_on_a_network_6():
    """V: zero biases (Xavier), with a certified theta in it. K stays positive from 16 starts in V, although one step
    leaves V: there are no null sets to pull back, but det K at eta = 0."""
    starts, network = thetas(16, seed=4), plain_mlp(2, width=UNITS, depth=1)
    starts[:, :UNITS] = starts[:, [3 * UNITS]] = 0.0
    floor = prove_positive(network, unflattened(starts[0], network), INPUTS).floor
    for eta, num_steps in itertools.product((0.0, 1e-3, 0.1, 0.5), (1, 5, 20)):
        run = descend(Draws(starts, INPUTS, LABELS), eta, num_steps, activation="tanh")
        singular = sum(map(is_singular, np.asarray(run.end)))
        assert judge(draws_check(singular, 16, certified=float(floor))) is Verdict.HOLDS
        assert np.all(np.asarray(run.ends)[:, :UNITS] != 0.0) == (eta > 0.0)
        if eta == 0.0:  # g_s(0, theta_*) = det K(theta_*)
            assert np.linalg.svd(run.end[0], compute_uv=False)[-1] ** 2 > float(floor)


def half_square(theta, x):
    """f = theta^2/2 at every point."""
    return theta**2 / 2 * jnp.ones(len(x))


def test_proof_lines_on_one_start_6_needs_countably_many():
    """f = theta^2/2, label -1, from theta_0 = 1: K = theta^2 vanishes first at step s, for some eta < 1, whatever s.

    theta_{s+1} = theta_s (1 - h_s), h_s = eta (theta_s^2/2 + 1), which rises from 0 at eta = 0 to above 1 at eta = 1.
    """
    point, label = jnp.zeros((1, 1)), jnp.array([-1.0])

    def path(eta, steps):
        theta = [jnp.array(1.0)]
        for _ in range(steps):
            theta.append(descent_step(half_square, theta[-1], point, label, step_size=eta))
        return theta

    found = []
    for step in range(3):
        eta = brentq(lambda eta, s=step: eta * (path(eta, s)[s] ** 2 / 2 + 1.0) - 1.0, 0.0, 1.0, xtol=1e-16)
        *before, last = (float(empirical_ntk(half_square, theta, point)[0, 0]) for theta in path(eta, step + 1))
        assert last < 1e-28 and min(before) > 1e-4
        found.append(eta)
    assert np.diff(found).min() > 1e-4


def test_proof_lines_on_a_network_7_and_8(runs):
    _, run = runs
    for jacobian in np.asarray(run.end):
        values = np.linalg.eigvalsh(jacobian @ jacobian.T)
        assert np.prod(values[1:]) <= np.mean(values[1:]) ** (len(values) - 1) * (
            1 + 1e-12
        )  # arithmetic-geometric mean
        assert judge(kernel_check(jacobian)) is Verdict.HOLDS
    eigenvalues = np.linalg.eigvalsh(np.asarray(run.hessian))
    eta = 0.9 / eigenvalues[-1]
    assert np.all(1 - eta * eigenvalues >= 0.1 - 1e-12)
    assert np.prod(1 - eta * eigenvalues) >= float(volume_floor(eta, eigenvalues[-1], num_parameters=PARAMETERS))
    assert float(regularity(eta, eigenvalues)) >= 0.1 - 1e-12


def test_proof_lines_on_a_network_9():
    """Positive pivots of K - floor I in balls, at the trained network's own theta."""
    network = plain_mlp(2, width=UNITS, depth=1)
    params = network.init(jax.random.key(0))
    proof = prove_positive(network, params, INPUTS)
    theta = np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(params)])
    smallest = np.linalg.svd(model(theta, INPUTS)[1], compute_uv=False)[-1] ** 2
    assert 0.8 * smallest < float(proof.floor) < smallest and len(proof.pivots) == 4
    assert jnp.allclose(network(params, INPUTS), model(theta, INPUTS)[0])
    with precision(64):
        assert positive_pivots(_exact(np.eye(2))) is not None and positive_pivots(_exact(-np.eye(2))) is None


def _exact(matrix):
    from flint import arb_mat

    return arb_mat(matrix.tolist())

"""N3 composition, in five parts: random instances, attained, necessary hypotheses, invariances, proof lines."""

import jax
import numpy as np
import pytest
from hypothesis import given

from experiments.hunt import search
from experiments.hunts.composition import HUNT, Instance, complex_step_kernel, parts_by_hand
from theory import composition
from theory.composition import block_diagonal, chain_floor, composed_kernel, composition_ceiling, composition_floor
from theory.verdict import Verdict, failed_hypotheses, judge, slack_log10

NETWORK = Instance("floor", "network", 4, 2, True, 1.3, 0.7, 5)


def scalar_checks(kernel, outer, inner, slope, **known):
    """Checks of one sample, one output, one feature."""
    matrices = [np.array([[float(number)]]) for number in (kernel, outer, inner)]
    return composition.checks(*matrices, jacobian=np.array([[float(slope)]]), instance="scalar", **known)


# 1. Holds on random instances


@given(HUNT.instances)
def test_holds_on_random_instances(instance):
    assert judge(HUNT.check(instance)) is not Verdict.VIOLATED


def test_random_instances_are_applicable_and_come_close_to_equality():
    report = search(HUNT, examples=60, seed=0)
    assert report.violation is None
    assert report.applicable >= 40
    assert {found.inequality for found in report.tightest} == {"outer floor", "floor", "ceiling"}
    assert all(abs(found.slack_log10) < 4.3e-4 for found in report.tightest)


# 2. Attained


def test_is_attained_by_an_inner_map_without_effect():
    """K_in = 0: K_f = K_out to rounding, and both sides 15% off are violated."""
    instance = NETWORK._replace(inner_scale=0.0, num_features=2, num_outputs=1)
    kernel, (outer, inner, jacobian) = complex_step_kernel(instance), parts_by_hand(instance)
    assert np.all(inner == 0.0)
    found = composition.checks(kernel, outer, inner, jacobian=jacobian, instance="no inner kernel")
    for name, wrong in (("outer floor", 1.15), ("floor", 1.15), ("ceiling", 1 / 1.15)):
        assert judge(found[name]) is Verdict.HOLDS
        assert slack_log10(found[name]) == pytest.approx(0.0, abs=1e-8)
        assert judge(found[name]._replace(bound=wrong * found[name].bound)) is Verdict.VIOLATED


def test_is_attained_beyond_the_outer_kernel():
    """f_i = 2 theta_out,i + 3 (0.5 theta_in,i): K_f = (4 + 9/4) I, which is floor and ceiling; outer floor 4."""
    eye = np.eye(3)
    found = composition.checks(6.25 * eye, 4.0 * eye, 0.25 * eye, jacobian=3.0 * eye, instance="multiples of I")
    assert [found[name].bound for name in ("outer floor", "floor", "ceiling")] == [4.0, 6.25, 6.25]
    assert all(judge(each) is Verdict.HOLDS for each in found.values())
    assert judge(found["floor"]._replace(bound=4.0 + 1.15 * 2.25)) is Verdict.VIOLATED


# 3. Fails without each hypothesis


def test_fails_without_separate_parameters():
    """f(theta) = theta (c - theta), F = theta z, g = c - theta: at theta = c/2 the two gradients cancel, K_f = 0."""
    c = 3.0
    theta = c / 2
    shared = jax.grad(lambda t: t * (c - t))(theta) ** 2
    found = scalar_checks(shared, (c - theta) ** 2, 1.0, theta, separate=False)
    for name in ("identity", "outer floor", "floor"):
        assert failed_hypotheses(found[name]) == ("separate parameters",)
        assert judge(found[name]._replace(margins={})) is Verdict.VIOLATED
    gradients = jax.grad(lambda out, into: out * (c - into), argnums=(0, 1))(theta, theta)
    separate = scalar_checks(sum(part**2 for part in gradients), (c - theta) ** 2, 1.0, theta)
    assert all(judge(each) is Verdict.HOLDS for each in separate.values())


def test_fails_without_chain_rule():
    """F = z1^2 z2 / (z1^2 + z2^2), F(0) = 0, g = (theta, theta) at 0: both partial derivatives are 0, yet f = theta/2.

    F is continuous and has slopes in all directions at 0, but no derivative. K_f = 1/4 is above the ceiling 0, and the
    identity fails; the outer floor does not care.
    """

    def outer(z):
        return z[0] ** 2 * z[1] / (z @ z) if np.any(z) else 0.0

    steps = np.array([1e-3, -1e-8])
    partials = np.array([[outer(step * axis) / step for axis in np.eye(2)] for step in steps])
    slopes = [outer(np.array([step, step])) / step for step in steps]
    np.testing.assert_allclose(slopes, 0.5, rtol=1e-14)
    np.testing.assert_array_equal(partials, 0.0)
    found = composition.checks(
        np.array([[slopes[0] ** 2]]),
        np.zeros((1, 1)),
        np.ones((2, 2)),
        jacobian=partials[:1],
        instance="no derivative at 0",
        chain_rule=False,
    )
    for name in ("identity", "ceiling"):
        assert failed_hypotheses(found[name]) == ("chain rule",)
        assert judge(found[name]._replace(margins={})) is Verdict.VIOLATED
    assert not failed_hypotheses(found["outer floor"])


# 4. Invariances and limits


def test_invariances_and_limits_of_the_bounds():
    """By hand; D = 0 leaves the outer kernel; arguments broadcast; kernels times c^2 with D fixed."""
    assert float(composition_floor(0.5, 2.0, singular_smallest=3.0)) == 18.5
    assert float(composition_ceiling(0.5, 2.0, singular_largest=3.0)) == 18.5
    assert float(composition_floor(0.5, 2.0, singular_smallest=0.0)) == 0.5
    np.testing.assert_allclose(
        composition_floor(np.ones((2, 1)), np.ones(3), singular_smallest=2.0), np.full((2, 3), 5)
    )
    assert float(composition_floor(2.0, 8.0, singular_smallest=3.0)) == 4 * 18.5
    assert float(chain_floor(np.array([1.0, 2.0, 0.5]), singular_smallest=np.array([0.5, 2.0, 1.0]))) == 0.25 + 8 + 0.5


def test_invariances_and_limits_more_outputs_than_features():
    """m = 2 > n = 1: D D^T is singular, so the floor is the outer floor."""
    instance = NETWORK._replace(num_features=1, num_outputs=2)
    outer, inner, jacobian = parts_by_hand(instance)
    found = composition.checks(complex_step_kernel(instance), outer, inner, jacobian=jacobian, instance="narrow")
    assert found["floor"].bound == pytest.approx(found["outer floor"].bound, rel=1e-6)


def test_invariances_and_limits_block_diagonal():
    """The blocks on the diagonal, zero elsewhere; its singular values are the blocks' own."""
    blocks = np.random.default_rng(0).standard_normal((3, 2, 4))
    full = np.asarray(block_diagonal(blocks))
    for i in range(3):
        for j in range(3):
            np.testing.assert_array_equal(full[2 * i : 2 * i + 2, 4 * j : 4 * j + 4], blocks[i] if i == j else 0.0)
    smallest = min(np.linalg.svd(block, compute_uv=False)[-1] for block in blocks)
    assert np.linalg.svd(full, compute_uv=False)[-1] == pytest.approx(smallest)


@pytest.mark.parametrize(
    ("kernel", "slope", "words"),
    [(3, (2, 3), "kernel must have the outer kernel's shape"), (2, (3, 2), r"jacobian must have shape \(2, 3\)")],
)
def test_bad_shapes_are_one_sentence(kernel, slope, words):
    with pytest.raises(ValueError, match=words):
        composition.checks(np.eye(kernel), np.eye(2), np.eye(3), jacobian=np.ones(slope), instance="by hand")


# 5. Proof lines


NUM_LAYERS, WIDTH, DIM = 4, 5, 3
SIZES = [2 * WIDTH * DIM] * (NUM_LAYERS - 1) + [DIM]
POINTS = np.random.default_rng(2).standard_normal((4, DIM))


def layer(index, weights, states):
    """x + W tanh(V x) of width 5 on R^3, three times, then a linear read-out of one output; states (N, 3)."""
    if index == NUM_LAYERS - 1:
        return states @ weights[:, None]
    outer, inner = weights[: WIDTH * DIM].reshape(DIM, WIDTH), weights[WIDTH * DIM :].reshape(WIDTH, DIM)
    return states + np.tanh(states @ inner.T) @ outer.T


def run_layers(first, weights, states):
    """The layers from `first` on, for as many as `weights` (flat) has parameters."""
    index = first
    while len(weights):
        states, weights = layer(index, weights[: SIZES[index]], states), weights[SIZES[index] :]
        index += 1
    return states


def complex_step(function, argument):
    """(outputs, entries) derivative of an analytic numpy function in a flat argument, without differences."""
    columns = [function(argument + 1e-30j * unit).imag.ravel() / 1e-30 for unit in np.eye(len(argument))]
    return np.stack(columns, axis=1)


@pytest.fixture(scope="module")
def trained():
    """Flat parameters of the chain after 60 steps of gradient descent on four points."""
    rng = np.random.default_rng(3)
    weights, labels = 0.5 * rng.standard_normal(sum(SIZES)), rng.standard_normal(4)
    for _ in range(60):
        slopes = complex_step(lambda w: run_layers(0, w, POINTS), weights)
        weights = weights - 0.1 * (run_layers(0, weights, POINTS)[:, 0] - labels) @ slopes / 4
    return weights


def slope_in_features(first, weights, states):
    """D: derivative of the remaining layers' outputs in all samples' features at once, (N, 3 N)."""
    return complex_step(lambda z: run_layers(first, weights, z.reshape(states.shape)), states.ravel())


@pytest.mark.parametrize("cut", [1, 3])
def test_proof_lines_on_a_trained_network_1_to_5(trained, cut):
    """J_f = [D J_in | J_out]; K_f its Gram matrix; both test vectors; sigma_min and sigma_max of D."""
    below, above = np.split(trained, [sum(SIZES[:cut])])
    features = run_layers(0, below, POINTS)
    outer = complex_step(lambda w: run_layers(cut, w, features), above)
    within = complex_step(lambda w: run_layers(0, w, POINTS), below)
    slope = slope_in_features(cut, above, features)
    whole = complex_step(lambda w: run_layers(0, w, POINTS), trained)
    np.testing.assert_allclose(whole, np.concatenate([slope @ within, outer], axis=1), atol=1e-13)
    blocks = slope.reshape(4, 1, 4, DIM)[np.arange(4), :, np.arange(4)]
    np.testing.assert_array_equal(block_diagonal(blocks), slope)  # samples do not interact
    kernel = np.asarray(composed_kernel(outer @ outer.T, within @ within.T, slope))
    np.testing.assert_allclose(whole @ whole.T, kernel, atol=1e-12)
    values, vectors = np.linalg.eigh(kernel)
    v, added = vectors[:, 0], slope @ within @ within.T @ slope.T
    outer_values, outer_vectors = np.linalg.eigh(outer @ outer.T)
    inner_values, squares = np.linalg.eigvalsh(within @ within.T), np.linalg.eigvalsh(slope @ slope.T)
    assert v @ outer @ outer.T @ v >= outer_values[0] - 1e-12
    assert v @ added @ v >= max(inner_values[0], 0.0) * squares[0] - 1e-12
    u = outer_vectors[:, 0]
    assert values[0] <= u @ kernel @ u + 1e-12
    assert u @ added @ u <= squares[-1] * inner_values[-1] + 1e-12


def test_proof_lines_on_a_trained_network_6(trained):
    """lambda_min(K_f) >= sum over layers of sigma_min(D_l)^2 lambda_min(K_l), K_l the kernel of layer l alone."""
    states, rest, smallest, singular = POINTS, trained, [], []
    for index, size in enumerate(SIZES):
        own, rest = rest[:size], rest[size:]
        gradients = complex_step(lambda w, i=index, x=states: layer(i, w, x), own)
        smallest.append(max(np.linalg.eigvalsh(gradients @ gradients.T)[0], 0.0))
        states = layer(index, own, states)
        slope = slope_in_features(index + 1, rest, states)
        singular.append(np.linalg.svd(slope, compute_uv=False)[-1])
    whole = complex_step(lambda w: run_layers(0, w, POINTS), trained)
    floor = float(chain_floor(np.array(smallest), singular_smallest=np.array(singular)))
    assert smallest[-1] < 1e-12 < floor  # four points, three read-out weights: the last layer alone has no floor
    assert floor <= np.linalg.eigvalsh(whole @ whole.T)[0]

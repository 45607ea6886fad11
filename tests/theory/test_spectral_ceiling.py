"""R1, spectral ceiling: random kernels, equality, where the Lipschitz form breaks, and each line on a tanh network."""

import math

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.ascent import ascend
from experiments.hunts.spectral_ceiling import HUNT, Instance
from theory.spectral_ceiling import (
    block_ceiling,
    block_eigenvalue,
    check,
    cluster_ceiling,
    cluster_exponent,
    gradient_gap_ceiling,
    lipschitz_ceiling,
    one_out_ceiling,
)
from theory.verdict import Verdict, judge, slack_log10


def test_holds_on_random_instances() -> None:
    verdicts = []

    @hypothesis.given(HUNT.instances)
    def explore(instance: Instance) -> None:
        found = HUNT.check(instance)
        verdicts.append(judge(found))
        assert verdicts[-1] is not Verdict.VIOLATED, found
        hypothesis.target(-(slack_log10(found) or 0.0))

    explore()
    assert verdicts.count(Verdict.HOLDS) > len(verdicts) // 2


def test_is_attained() -> None:
    """Two gradients of length 1 and correlation 0.9, the third orthogonal: lambda_min = 0.1 = G^2/2."""
    kernel = np.array([[1.0, 0.9, 0.0], [0.9, 1.0, 0.0], [0.0, 0.0, 1.0]])
    found = check(np.linalg.eigvalsh(kernel)[0], math.sqrt(0.2), largest_eigenvalue=1.9, kernel_size=3)
    assert judge(found) is Verdict.HOLDS
    assert found.measured == pytest.approx(found.bound, rel=1e-14)
    assert float(block_ceiling(kernel)) == pytest.approx(0.1, rel=1e-14)


@pytest.mark.parametrize("instance", HUNT.extremal)
def test_is_attained_closely_enough_to_see_a_wrong_constant(instance: Instance) -> None:
    found = HUNT.check(instance)
    assert judge(found) is Verdict.HOLDS
    assert judge(found._replace(bound=found.bound / 1.15)) is Verdict.VIOLATED


def test_ascent_finds_equality() -> None:
    """From a tilted pair, a factor 2.7 below the ceiling, gradients lead to the pair of equal lengths."""
    start = Instance(False, 4, 0.3, 0.2, 1.0, seed=1)
    assert HUNT.ascent is not None
    (end,) = ascend(HUNT.ascent, [start])
    slack = slack_log10(HUNT.check(end))
    assert slack_log10(HUNT.check(start)) > 0.4
    assert slack is not None and abs(slack) < 1e-6


def test_gap_and_schur_ceilings_are_not_comparable() -> None:
    """The block's eigenvalue is below both: 1 - c < 1 - c^2 for unit gradients of correlation c, or the other way."""
    for block, winner in (((1.0, 1.0, 0.9), "gap"), ((1.0, 1e-4, 0.0), "schur")):
        half_gap_sq = 0.5 * (block[0] + block[1] - 2.0 * block[2])
        schur = block[1] - block[2] ** 2 / block[0]
        eigenvalue = float(block_eigenvalue(*block))
        assert (half_gap_sq < schur) == (winner == "gap")
        assert eigenvalue == pytest.approx(min(half_gap_sq, schur), rel=1e-9)


def test_fails_without_same_parameters() -> None:
    """f(theta; x_k) = theta_k^2/2, rows theta_k e_k: G^2/2 = 1 at (1, 1), where K = I, and 1/100 at (1, 1)/10."""
    rows, elsewhere = np.eye(2), 0.1 * np.eye(2)
    smallest, largest = np.linalg.eigvalsh(rows @ rows.T)
    for gradients, verdict in ((rows, Verdict.HOLDS), (elsewhere, Verdict.VIOLATED)):
        gap = float(np.linalg.norm(gradients[0] - gradients[1]))
        assert judge(check(smallest, gap, largest_eigenvalue=largest, kernel_size=2)) is verdict


def test_fails_without_Lipschitz_gradient() -> None:
    """K(x, y) = min(x, y), the kernel of gradients 1[b < x] of ReLU biases b: h/2, above L^2 h^2/2 for any L."""
    separations = np.array([1e-2, 1e-3, 1e-4])
    smallest = [np.linalg.eigvalsh([[1.0, 1.0], [1.0, 1.0 + h]])[0] for h in separations]
    np.testing.assert_allclose(smallest / separations, 0.5, rtol=1e-2)
    assert smallest[-1] > lipschitz_ceiling(separations[-1], jacobian_lipschitz=50.0)
    found = check(smallest[-1], 50.0 * separations[-1], largest_eigenvalue=2.0, kernel_size=2)
    assert judge(found) is Verdict.VIOLATED
    np.testing.assert_array_less(
        np.array(smallest), np.asarray(gradient_gap_ceiling(np.sqrt(separations))) * (1 + 1e-9)
    )


def test_unresolved_eigenvalues_are_not_evidence() -> None:
    assert judge(check(1e-17, 1.0, largest_eigenvalue=1.0, kernel_size=8)) is Verdict.NOT_APPLICABLE
    assert judge(check(-1e-17, 1e-12, largest_eigenvalue=1.0, kernel_size=8)) is Verdict.NOT_APPLICABLE


def test_invariances_and_limits() -> None:
    rng = np.random.default_rng(0)
    jacobian = rng.standard_normal((5, 9))
    kernel = jnp.asarray(jacobian @ jacobian.T)
    order = rng.permutation(5)
    assert float(block_ceiling(kernel[order][:, order])) == pytest.approx(float(block_ceiling(kernel)), rel=1e-13)
    assert float(block_ceiling(9.0 * kernel)) == pytest.approx(9.0 * float(block_ceiling(kernel)), rel=1e-13)
    assert float(one_out_ceiling(9.0 * kernel)) == pytest.approx(9.0 * float(one_out_ceiling(kernel)), rel=1e-10)
    others = np.delete(jacobian, 2, axis=0)
    residual = jacobian[2] - others.T @ np.linalg.lstsq(others.T, jacobian[2], rcond=None)[0]
    assert 1.0 / np.linalg.inv(kernel)[2, 2] == pytest.approx(residual @ residual, rel=1e-10)  # what one_out means
    pair = cluster_ceiling(0.1, 2, jacobian_derivative=3.0)
    assert float(pair) == pytest.approx(float(lipschitz_ceiling(0.1, jacobian_lipschitz=3.0)), rel=1e-14)
    assert [cluster_exponent(size) for size in (2, 3, 4)] == [2, 4, 6]
    assert [cluster_exponent(size, dim=2) for size in (2, 3, 4, 6, 7)] == [2, 2, 4, 4, 6]
    with pytest.raises(ValueError, match="cluster_size must be at least 2"):
        cluster_exponent(1)


@pytest.mark.parametrize("size, dim", [(3, 1), (4, 1), (3, 2), (4, 2)])
def test_cluster_exponents_on_a_smooth_kernel(size: int, dim: int) -> None:
    """Gaussian kernel on points in general position, shrunk from 0.02 to 0.01: the slope to 2%.

    exp(-|x-y|^2/2) = sum of the features prod_k x_k^a exp(-x_k^2/2)/sqrt(a!), whose singular values keep their digits.
    """
    shape = np.random.default_rng(3).standard_normal((size, dim))
    degrees = np.arange(12)
    scale = np.sqrt([float(math.factorial(degree)) for degree in degrees])
    smallest = []
    for h in (0.02, 0.01):
        one_axis = (h * shape[..., None]) ** degrees * np.exp(-0.5 * (h * shape[..., None]) ** 2) / scale
        features = one_axis[:, 0]
        for axis in range(1, dim):
            features = (features[:, :, None] * one_axis[:, axis, None, :]).reshape(size, -1)
        smallest.append(np.linalg.svd(features, compute_uv=False)[-1] ** 2)
    assert math.log2(smallest[0] / smallest[1]) == pytest.approx(cluster_exponent(size, dim=dim), rel=0.02)


def network(parameters, x):
    """tanh network, 2 inputs, 8 units, 3 outputs."""
    inner, bias, outer = parameters
    return outer @ jnp.tanh(inner @ x + bias)


def jacobian_of(parameters, x):
    """(3, P) Jacobian at one input."""
    leaves = jax.tree.leaves(jax.jacrev(network)(parameters, x))
    return jnp.concatenate([leaf.reshape(3, -1) for leaf in leaves], axis=1)


@pytest.fixture(scope="module")
def parameters():
    rng = np.random.default_rng(5)
    return tuple(jnp.asarray(rng.standard_normal(shape)) for shape in ((8, 2), (8,), (3, 8)))


def test_proof_lines_on_a_tanh_network(parameters) -> None:
    separation = 0.05
    x = jnp.asarray(np.random.default_rng(6).random((4, 2)))
    x = x.at[1].set(x[0] + jnp.array([separation, 0.0]))
    jacobians = jax.jit(jax.vmap(jacobian_of, in_axes=(None, 0)))(parameters, x)  # (4, 3, P)
    kernel = np.asarray(jnp.einsum("iap,jap->ij", jacobians[:, :1], jacobians[:, :1]))  # first output alone
    smallest = np.linalg.eigvalsh(kernel)[0]
    v = np.array([1.0, -1.0, 0.0, 0.0]) / math.sqrt(2.0)
    gap = float(jnp.linalg.norm(jacobians[0, 0] - jacobians[1, 0]))
    assert smallest <= v @ kernel @ v == pytest.approx(0.5 * gap**2, rel=1e-9)  # line 1
    block = np.linalg.eigvalsh(kernel[:2, :2])[0]
    assert float(block_eigenvalue(kernel[0, 0], kernel[1, 1], kernel[0, 1])) == pytest.approx(block, rel=1e-9)
    assert smallest <= float(block_ceiling(kernel)) <= block * (1 + 1e-9)  # line 2
    assert block <= 0.5 * gap**2 and block <= kernel[0, 0] - kernel[0, 1] ** 2 / kernel[1, 1]  # line 3

    # line 4: the mean of |d grad f / dx| along the segment is at most its supremum
    along = x[0] + jnp.linspace(0.0, 1.0, 65)[:, None] * (x[1] - x[0])
    slopes = jax.jit(jax.vmap(jax.jacfwd(jacobian_of, argnums=1), in_axes=(None, 0)))(parameters, along)
    steepest = float(jnp.linalg.norm(slopes[:, 0, :, 0], axis=-1).max())
    assert gap <= steepest * separation * (1 + 1e-3)  # 1e-3: a supremum over 65 points
    assert smallest <= float(lipschitz_ceiling(separation, jacobian_lipschitz=steepest)) * (1 + 2e-3)

    flat = jacobians.reshape(12, -1)
    frobenius = float(jnp.linalg.norm(jacobians[0] - jacobians[1]))
    whole = np.linalg.eigvalsh(np.asarray(flat @ flat.T))
    assert whole[0] <= float(gradient_gap_ceiling(frobenius, num_outputs=3))  # line 5
    found = check(whole[0], frobenius, largest_eigenvalue=whole[-1], kernel_size=12, num_outputs=3)
    assert judge(found) is Verdict.HOLDS
    one_out = float(one_out_ceiling(kernel))
    assert smallest <= one_out <= 4 * smallest  # line 6
    assert one_out <= min(
        kernel[0, 0] - kernel[0, 1] ** 2 / kernel[1, 1], kernel[1, 1] - kernel[0, 1] ** 2 / kernel[0, 0]
    )


def test_cluster_line_on_a_tanh_network(parameters) -> None:
    """Line 7: three collinear points; the second derivative of the gradient along the line bounds lambda_min."""
    spacing = 0.05
    x = jnp.array([0.3, 0.4]) + spacing * jnp.arange(3.0)[:, None] * jnp.array([1.0, 0.0])

    def first_gradient(t):
        return jacobian_of(parameters, jnp.array([0.3, 0.4]) + t * jnp.array([1.0, 0.0]))[0]

    second = jax.jit(jax.vmap(jax.jacfwd(jax.jacfwd(first_gradient))))(jnp.linspace(0.0, 2 * spacing, 33))
    steepest = float(jnp.linalg.norm(second, axis=-1).max())
    gradients = np.asarray(jax.vmap(lambda point: jacobian_of(parameters, point)[0])(x))
    smallest = np.linalg.svd(gradients, compute_uv=False)[-1] ** 2
    ceiling = float(cluster_ceiling(spacing, 3, jacobian_derivative=steepest))
    assert 0.2 * ceiling <= smallest <= ceiling * (1 + 1e-3)
    divided = (gradients[0] - 2.0 * gradients[1] + gradients[2]) / (2.0 * spacing**2)
    assert np.linalg.norm(divided) <= 0.5 * steepest * (1 + 1e-3)

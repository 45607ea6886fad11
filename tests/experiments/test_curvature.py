"""The norm of the Hessian against dense Hessians and closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from experiments.architecture import plain_mlp
from experiments.curvature import _lanczos, hessian_norm, hessian_norms, hessian_vector_product, segment_hessian_norm
from experiments.descent import member


def linear(theta, x):
    return x @ theta


@pytest.mark.parametrize("dim", [1, 5, 60])  # dense, dense, Lanczos
def test_linear_regression(dim):
    """f = <theta, x>: hess L = X^T X / N at every parameter, for every labelling."""
    rng = np.random.default_rng(0)
    x, y, theta = rng.standard_normal((20, dim)), rng.standard_normal(20), jnp.asarray(rng.standard_normal(dim))
    assert hessian_norm(linear, theta, x, y) == pytest.approx(np.linalg.norm(x, 2) ** 2 / 20, rel=1e-8)


@pytest.fixture(scope="module")
def network():
    model = plain_mlp(2, width=6, depth=2, outputs=2)
    x, y = jax.random.normal(jax.random.key(1), (5, 2)), jax.random.normal(jax.random.key(2), (5, 2))
    params = model.init(jax.random.key(0))
    theta, unravel = ravel_pytree(params)

    @jax.jit
    def hessian(theta):
        return jax.hessian(lambda theta: jnp.mean(jnp.sum((model(unravel(theta), x) - y) ** 2, axis=1)) / 2)(theta)

    return model, params, x, y, np.asarray(hessian(theta))


def test_network_against_its_dense_hessian(network):
    """Lanczos reaches the norm, and from below."""
    model, params, x, y, dense = network
    assert len(dense) > 32, "large enough for the Lanczos branch"
    exact, found = np.linalg.norm(dense, 2), hessian_norm(model, params, x, y)
    assert found == pytest.approx(exact, rel=1e-8) and found <= exact * (1 + 1e-13)
    assert hessian_norm(model, params, x, y, tolerance=1e-1) <= exact * (1 + 1e-13)


def test_hessian_vector_product(network):
    model, params, x, y, dense = network
    direction = np.random.default_rng(3).standard_normal(len(dense))
    product = hessian_vector_product(model, params, x, y, jnp.asarray(direction))
    np.testing.assert_allclose(product, dense @ direction, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("dim", [3, 40])
def test_the_largest_curvature_may_be_negative(dim):
    """f = <theta, A theta>/2 at theta = 0: hess L = -y A, with eigenvalues -y * 1..dim."""
    scales = jnp.arange(1.0, dim + 1)

    def quadratic(theta, x):
        return x[:, 0] * jnp.sum(scales * theta**2) / 2

    assert hessian_norm(quadratic, jnp.zeros(dim), np.ones((1, 1)), np.array([2.0])) == pytest.approx(2 * dim, rel=1e-8)


def test_flat_loss_and_bad_input():
    assert hessian_norm(lambda theta, x: 0 * x @ theta, jnp.ones(40), np.ones((2, 40)), np.zeros(2)) == 0.0
    with pytest.raises(ValueError, match=r"^y must have the shape of apply\(params, x\), \(2,\), but .* \(2, 1\)$"):
        hessian_norm(linear, jnp.ones(4), np.ones((2, 4)), np.ones((2, 1)))
    assert np.isnan(hessian_norm(linear, jnp.ones(4), np.full((2, 4), np.nan), np.ones(2)))


def test_the_largest_curvature_of_a_segment():
    """L = theta^4 / 8 for f = theta^2 / 2, y = 0: the second derivative 3 theta^2 / 2 is largest at the far end."""

    def square(theta, x):
        return 0.5 * theta[0] ** 2 * x[:, 0]

    found = segment_hessian_norm(square, jnp.array([1.0]), jnp.array([2.0]), np.ones((1, 1)), np.zeros(1))
    assert found == pytest.approx(1.5 * 2.0**2, rel=1e-12)
    assert np.isnan(segment_hessian_norm(square, jnp.array([1.0]), jnp.array([np.inf]), np.ones((1, 1)), np.zeros(1)))


def test_a_batch_of_hessians_is_one_compiled_call_with_the_same_numbers():
    """Four runs of 67 parameters against ARPACK, and each alone against its company; new data do not recompile."""
    model = plain_mlp(2, width=6, depth=2)
    params = jax.vmap(model.init)(jax.random.split(jax.random.key(0), 4))
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((4, 5, 2)), rng.standard_normal((4, 5))
    before = _lanczos._cache_size()
    found = hessian_norms(model, params, x, y)
    again = hessian_norms(model, params, x[::-1].copy(), 2 * y)
    assert _lanczos._cache_size() == before + 1 and not np.allclose(found.value, again.value)
    for run in range(4):
        one = member(params, run)
        assert found.value[run] == pytest.approx(hessian_norm(model, one, x[run], y[run], tolerance=1e-12), rel=1e-9)
    assert (found.residual <= 1e-4 * found.value).all()


def test_few_lanczos_steps_err_below_by_no_more_than_the_residual(network):
    model, params, x, y, dense = network
    batch = jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], (params, x, y))
    spectrum = np.linalg.eigvalsh((dense + dense.T) / 2)
    for iterations in (1, 3, 8):
        value, residual = (float(part[0]) for part in hessian_norms(model, *batch, iterations=iterations))
        assert value <= np.abs(spectrum).max() * (1 + 1e-13)
        assert np.abs(spectrum[:, None] - [value, -value]).min() <= residual * (1 + 1e-9) + 1e-12
    assert residual > 1e-8 * value, "eight steps leave a residual to test"


@pytest.mark.parametrize("dim", [3, 40])
def test_a_batch_of_closed_forms(dim):
    """hess L = X^T X / N, the space exhausted after the number of distinct eigenvalues; 0 and NaN as they are."""
    rng = np.random.default_rng(2)
    x = rng.standard_normal((3, 20, dim))
    x[1], x[2, 0, 0] = 0.0, np.nan
    value, _ = hessian_norms(linear, jnp.zeros((3, dim)), x, np.ones((3, 20)))
    assert value[0] == pytest.approx(np.linalg.norm(x[0], 2) ** 2 / 20, rel=1e-9)
    assert value[1] == 0.0 and np.isnan(value[2])
    with pytest.raises(ValueError, match=r"^iterations must be at least 1, but it was 0$"):
        hessian_norms(linear, jnp.zeros((3, dim)), x, np.ones((3, 20)), iterations=0)

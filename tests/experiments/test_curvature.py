"""The norm of the Hessian against dense Hessians and closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from experiments.architecture import plain_mlp
from experiments.curvature import hessian_norm, hessian_vector_product, segment_hessian_norm


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

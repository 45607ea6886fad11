"""Curvature of the training loss: the norm of its Hessian by Lanczos iteration on Hessian-vector products.

L(theta) = (1/2N) sum_i |f(theta; x_i) - y_i|^2. Plain gradient descent is stable along a direction of curvature c > 0
up to the step size 2/c, and the descent lemma asks for step_size <= 1/|hess L|.
"""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, PyTree
from scipy.sparse.linalg import LinearOperator, eigsh

from experiments.descent import Apply, loss

_DENSE_LIMIT = 32
"""Up to so many parameters the Hessian is formed and its eigenvalues are exact to rounding."""


@partial(jax.jit, static_argnums=0)
def hessian_vector_product(
    apply: Apply, params: PyTree, x: Float[Array, "N ..."], y: Float[Array, "N ..."], direction: Float[Array, " P"]
) -> Float[Array, " P"]:
    """(hess L) v for v in the order of the flattened parameters."""
    theta, unravel = ravel_pytree(params)

    gradient = jax.grad(lambda theta: loss(apply, unravel(theta), x, y))
    return jax.jvp(gradient, (theta,), (direction,))[1]


def hessian_norm(
    apply: Apply,
    params: PyTree,
    x: Float[Array | np.ndarray, "N ..."],
    y: Float[Array | np.ndarray, "N ..."],
    *,
    tolerance: float = 1e-8,
    seed: int = 0,
) -> float:
    """|hess L| = max |eigenvalue|, at the given parameters, by Lanczos from a random start.

    The estimate errs below: a Rayleigh quotient never exceeds the norm. It stops when the residual is `tolerance`
    relative, and misses an extreme eigenvalue only if the start is orthogonal to its eigenvector to rounding. So
    1/hessian_norm errs above as a step size. Deterministic for a given seed. NaN where the Hessian is not finite.
    Raises ValueError when the shapes of apply(params, x) and y differ.
    """
    params, x, y = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), (params, x, y))
    shape = jax.eval_shape(apply, params, x).shape
    if shape != y.shape:
        raise ValueError(f"y must have the shape of apply(params, x), {shape}, but its shape was {y.shape}")
    size = ravel_pytree(params)[0].size
    start = np.random.default_rng(seed).standard_normal(size)

    def multiply(direction: np.ndarray) -> np.ndarray:
        return np.asarray(hessian_vector_product(apply, params, x, y, jnp.asarray(direction).reshape(size)))

    image = multiply(start)
    if not np.all(np.isfinite(image)):
        return math.nan
    if not np.any(image):
        return 0.0  # a random vector in the null space: the Hessian vanishes; ARPACK cannot start from an image of 0
    if size <= _DENSE_LIMIT:
        dense = np.stack([multiply(column) for column in np.eye(size)])
        return float(np.max(np.abs(np.linalg.eigvalsh((dense + dense.T) / 2))))
    operator = LinearOperator((size, size), matvec=multiply, dtype=np.float64)  # pyright: ignore[reportCallIssue]
    extreme = eigsh(operator, k=1, which="LM", v0=start, tol=tolerance, return_eigenvectors=False)  # pyright: ignore
    return float(np.abs(extreme[0]))


def segment_hessian_norm(
    apply: Apply,
    start: PyTree,
    end: PyTree,
    x: Float[Array | np.ndarray, "N ..."],
    y: Float[Array | np.ndarray, "N ..."],
) -> float:
    """Largest |hess L| at both ends and the middle of the segment from `start` to `end`.

    A sample of the supremum that the descent lemma asks for, so it errs below it. NaN where one is not finite.
    """
    middle = jax.tree.map(lambda a, b: 0.5 * (a + b), start, end)
    return float(np.max([hessian_norm(apply, params, x, y) for params in (start, middle, end)]))

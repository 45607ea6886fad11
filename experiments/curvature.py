"""Curvature of the training loss: the norm of its Hessian by Lanczos iteration on Hessian-vector products.

L(theta) = (1/2N) sum_i |f(theta; x_i) - y_i|^2. Plain gradient descent is stable along a direction of curvature c > 0
up to the step size 2/c, and the descent lemma asks for step_size <= 1/|hess L|.

`hessian_norm` iterates (ARPACK) until it has the digits asked for, one parameter vector at a time; `hessian_norms` is
one compiled call for the runs or steps of a whole batch, with a fixed number of Lanczos steps and its error beside it.
"""

import math
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, PyTree
from scipy.sparse.linalg import LinearOperator, eigsh

from experiments.descent import Apply, loss
from experiments.one_by_one import one_by_one

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
    params, x, y = jax.tree.map(lambda leaf: jnp.asarray(leaf, float), (params, x, y))
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
    kind = image.dtype  # in float32 no residual falls below its rounding
    tolerance = max(tolerance, 16 * float(np.finfo(kind).eps))
    operator = LinearOperator((size, size), matvec=multiply, dtype=kind)  # pyright: ignore[reportCallIssue]
    start = start.astype(kind)
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


class HessianNorms(NamedTuple):
    """value: |hess L|, never above it but for rounding.  residual: an eigenvalue lies within it of +value or -value."""

    value: Float[Array, " runs"]
    residual: Float[Array, " runs"]


def hessian_norms(
    apply: Apply,
    params: PyTree,
    x: Float[Array | np.ndarray, "runs N ..."],
    y: Float[Array | np.ndarray, "runs N ..."],
    *,
    iterations: int = 40,
    seed: int = 0,
) -> HessianNorms:
    """|hess L| of many runs of one shape, in one compiled call; params, x and y have a leading axis over runs.

    `iterations` steps of Lanczos from one random start for all. A Rayleigh quotient errs by the square of its residual
    (over the distance to the next eigenvalue), so value has about twice the digits of residual/value. 0 for a Hessian
    that vanishes, NaN where it is not finite. Raises ValueError for no step at all.
    """
    if iterations < 1:
        raise ValueError(f"iterations must be at least 1, but it was {iterations}")
    size = sum(leaf.size for leaf in jax.tree.leaves(params)) // len(x)
    start = np.random.default_rng(seed).standard_normal(size)
    return _lanczos(apply, min(iterations, size), params, x, y, jnp.asarray(start / np.linalg.norm(start)))


@partial(jax.jit, static_argnums=(0, 1))
def _lanczos(apply: Apply, steps: int, params: PyTree, x: Array, y: Array, start: Array) -> HessianNorms:
    return one_by_one(lambda params, x, y: _lanczos_of_one(apply, steps, params, x, y, start))(params, x, y)


def _lanczos_of_one(apply: Apply, steps: int, params: PyTree, x: Array, y: Array, start: Array) -> HessianNorms:
    """The largest |eigenvalue| of V^T (hess L) V, tridiagonal; V an orthonormal basis of the Krylov space of start."""

    def extend(k: Array, so_far: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        basis, diagonal, beside = so_far
        image = hessian_vector_product(apply, params, x, y, basis[k])
        rest = image
        for _ in range(2):  # once more: in floating point one pass leaves the basis not orthogonal
            rest = rest - basis.T @ (basis @ rest)
        length = jnp.linalg.norm(rest)
        # The space is exhausted: what is left is rounding, and no direction.
        length = jnp.where(length <= 64 * jnp.finfo(rest.dtype).eps * jnp.linalg.norm(image), 0.0, length)
        basis = basis.at[k + 1].set(jnp.where(length > 0, rest / jnp.where(length > 0, length, 1.0), 0.0))
        return basis, diagonal.at[k].set(basis[k] @ image), beside.at[k].set(length)

    empty = jnp.zeros((steps + 1, start.size), start.dtype).at[0].set(start)
    _, diagonal, beside = jax.lax.fori_loop(0, steps, extend, (empty, *jnp.zeros((2, steps), start.dtype)))
    inner = beside[:-1]
    values, vectors = jnp.linalg.eigh(jnp.diag(diagonal) + jnp.diag(inner, 1) + jnp.diag(inner, -1))
    extreme = jnp.argmax(jnp.abs(values))
    return HessianNorms(jnp.abs(values[extreme]), jnp.abs(beside[-1] * vectors[-1, extreme]))

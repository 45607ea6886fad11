"""The empirical neural tangent kernel K = J J^T of any model, and the gradients it is made of.

`apply(params, x)` maps x of shape (N, ...) to outputs (N,) or (N, m), each output row a function of its own input row;
params is a pytree of real arrays with P entries in all. J, of shape (N m, P), has rows in the order n * m + o and
columns in the order of the flattened pytree. For a block (experiments.blocks) the kernel is built from features and
signals without J; for any other function from per-sample gradients, one parameter array at a time.

All results are in JAX's working precision, float64 unless switched, whatever the parameters are. Functions are
compiled once per `apply` and shape: pass the same
function object again, not a fresh lambda.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int, Num, PyTree

from experiments.blocks import Block
from experiments.descent import Apply
from experiments.structured_kernel import structured_ntk


def _as_working(leaf: ArrayLike) -> Array:
    """A real array in the working precision; whole numbers (token ids) as they are."""
    array = jnp.asarray(leaf)
    return array.astype(float) if jnp.issubdtype(array.dtype, jnp.floating) else array


def _prepare(apply: Apply, params: PyTree, x: ArrayLike) -> tuple[PyTree, Array]:
    """Arguments in the working precision; ValueError unless apply(params, x) has the shape of a model's outputs.

    Called while compiling, so a compiled kernel spends no time on it.
    """
    params, samples = jax.tree.map(_as_working, params), _as_working(x)
    shape = jax.eval_shape(apply, params, samples).shape
    if len(shape) not in (1, 2) or shape[0] != len(samples):
        raise ValueError(f"apply must return shape ({len(samples)},) or ({len(samples)}, m), but it returned {shape}")
    return params, samples


def _gradients(apply: Apply, params: PyTree, x: ArrayLike) -> list[Array]:
    """For each parameter array the per-sample gradients of all outputs, shape (N, m, size of the array)."""
    params, samples = _prepare(apply, params, x)

    def outputs(params: PyTree, sample: Array) -> Array:
        return apply(params, sample[None])[0].reshape(-1)

    per_leaf = jax.tree.leaves(jax.vmap(jax.jacrev(outputs), in_axes=(None, 0))(params, samples))
    return [leaf.reshape(*leaf.shape[:2], -1) for leaf in per_leaf]


@partial(jax.jit, static_argnums=0)
def generic_ntk(apply: Apply, params: PyTree, x: Num[Array | np.ndarray, "N ..."]) -> Float[Array, "Nm Nm"]:
    """K = J J^T of any model as a sum over parameter arrays: N P numbers in memory, N^2 P multiplications."""
    rows = [leaf.reshape(-1, leaf.shape[-1]) for leaf in _gradients(apply, params, x)]
    return sum((row @ row.T for row in rows), start=jnp.zeros(()))


@partial(jax.jit, static_argnums=0)
def empirical_ntk(apply: Apply, params: PyTree, x: Num[Array | np.ndarray, "N ..."]) -> Float[Array, "Nm Nm"]:
    """K = J J^T, (N m, N m), rows in the order n * m + o; no factor 1/N or 1/P.

    Structured (experiments.structured_kernel) when `apply` is a block, `generic_ntk` otherwise; the two agree to
    rounding. Raises ValueError when apply's output is neither (N,) nor (N, m).
    """
    if isinstance(apply, Block):
        return structured_ntk(apply, *_prepare(apply, params, x))
    return generic_ntk(apply, params, x)


@partial(jax.jit, static_argnums=0)
def jacobian(apply: Apply, params: PyTree, x: Num[Array | np.ndarray, "N ..."]) -> Float[Array, "Nm P"]:
    """J, (N m, P): for small models, where its singular values resolve what K's eigenvalues cannot."""
    return jnp.concatenate([leaf.reshape(-1, leaf.shape[-1]) for leaf in _gradients(apply, params, x)], axis=1)


def gradient_gap(
    apply: Apply,
    params: PyTree,
    x: Num[Array | np.ndarray, "N ..."],
    pair: tuple[int, int] | Int[Array | np.ndarray, "2"],
) -> Float[Array, ""]:
    """|grad f(x_i) - grad f(x_j)| for pair = (i, j), Frobenius over outputs.

    Taken from the difference of the gradients, not from K_ii + K_jj - 2 K_ij, which loses half the digits for close
    points.
    """
    return _gap(apply, params, jnp.asarray(x)[jnp.asarray(pair)])


@partial(jax.jit, static_argnums=0)
def _gap(apply: Apply, params: PyTree, two: Array) -> Array:
    return jnp.sqrt(sum((jnp.sum((leaf[0] - leaf[1]) ** 2) for leaf in _gradients(apply, params, two)), jnp.zeros(())))

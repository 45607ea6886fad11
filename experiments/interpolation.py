"""From a trained network to an interpolating minimum nearby: Levenberg-Marquardt in the space of the N residuals.

  theta <- theta - J^T (K + damping mean(diag K) I)^-1 r,   K = J J^T,  r_i = f(theta; x_i) - y_i,
taken where it lowers |r|, the damping then divided by 10, else multiplied by 10. With damping 0 this is the shortest
step that solves the linearised least squares (N <= P), so theta moves little from where it starts.
Why. Plain gradient descent needs about N/(eta lambda_min(K)) steps an e-folding, too many where h_min is small.
Error. Ends where no step lowers |r| any more: |r| of a few eps max|f| for N <= P and K resolved; the caller looks.
Source. Levenberg 1944, Marquardt 1963. Units: theta in parameter units, r in label units, damping a number.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, PyTree

from experiments.descent import Apply

_FIRST_DAMPING, _LAST_DAMPING = 1e-3, 1e3


@partial(jax.jit, static_argnums=0, static_argnames="iterations")
def interpolate(
    apply: Apply,
    params: PyTree,
    x: Float[Array | np.ndarray, "N ..."],
    y: Float[Array | np.ndarray, " N"],
    *,
    iterations: int = 200,
) -> tuple[PyTree, Float[Array, " N"]]:
    """(params, residual) where Levenberg-Marquardt stalls, or after so many iterations; apply returns (N,)."""
    theta, unravel = ravel_pytree(params)

    def residual(theta: Array) -> Array:
        return apply(unravel(theta), x) - y

    def goes_on(state: tuple[Array, Array, Array, Array]) -> Array:
        _, _, damping, taken = state
        return (damping < _LAST_DAMPING) & (taken < iterations)

    def improve(state: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
        theta, r, damping, taken = state
        jacobian = jax.jacrev(residual)(theta)
        gram = jacobian @ jacobian.T
        damped = gram + damping * jnp.trace(gram) / len(r) * jnp.eye(len(r))
        moved = theta - jacobian.T @ jnp.linalg.solve(damped, r)
        r_moved = residual(moved)
        better = jnp.sum(r_moved**2) < jnp.sum(r**2)
        return (
            jnp.where(better, moved, theta),
            jnp.where(better, r_moved, r),
            damping * jnp.where(better, 0.1, 10.0),
            taken + 1,
        )

    start = (theta, residual(theta), jnp.asarray(_FIRST_DAMPING), jnp.asarray(0))
    theta, r, _, _ = jax.lax.while_loop(goes_on, improve, start)
    return unravel(theta), r

"""Spectral ceiling: a close pair puts the neural tangent kernel's smallest eigenvalue below its gradient gap squared.

Statement. K = J J^T, rows g_i = grad_theta f(theta; x_i), G = |g_i - g_j|, h = |x_i - x_j|, any i != j.
  pair      lambda_min(K) <= lambda_min of the 2 x 2 block of (i, j) <= min( G^2/2, K_ii - K_ij^2/K_jj )
  h         G^2/2 <= L_J^2 h^2 / 2,  L_J the Lipschitz constant of x -> grad_theta f(theta; x)
  outputs   m outputs, G the Frobenius gap of the m x P Jacobians: lambda_min(K) <= G^2/(2m)
  one out   lambda_min(K) <= min_j 1/(K^-1)_jj <= N lambda_min(K)
  cluster   m points on a line, spacing h, g of class C^(m-1) along it with |g^(m-1)| <= M:
            lambda_min(K) <= M^2 h^(2(m-1)) / binom(2m-2, m-1)                          (m = 2 is the line `h`)
Hypotheses. H1 K and the gap are of one and the same theta.  H2 (line h) x -> g Lipschitz: fails for ReLU networks.
Source. Reconstruction (Rayleigh quotient of (e_i - e_j)/sqrt 2; divided differences for the cluster).
  Flat limit, 2(m-1) exactly: classic (Driscoll-Fornberg 2002; Barthelme-Usevich 2021).
Proof.  paper_notes.md, R1, lines 1-7.
Sharp.  Pair: |g_i| = |g_j|, every other gradient orthogonal to both and at least as stiff. G^2/2 and
  K_ii - K_ij^2/K_jj are not comparable: correlation c of unit gradients gives 1 - c and 1 - c^2.
Failure. G of another theta (H1). K(x, y) = min(x, y), the ReLU-like kernel: lambda_min ~ h/2, above any L^2 h^2/2 (H2).
Units.  K, G^2 in (output unit)^2 / (parameter unit)^2; no 1/N in K.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from theory.claim import Claim
from theory.verdict import Check

CLAIM = Claim(
    id="R1",
    title="Spectral ceiling",
    statement="lambda_min(K) <= |grad f(x_i) - grad f(x_j)|^2 / 2 <= L_J^2 h_min^2 / 2",
    hypotheses={
        "same parameters": "kernel and gradient gap at the same parameters",
        "Lipschitz gradient": "x -> grad f is Lipschitz (for the form in h_min)",
    },
    provenance="reconstruction",
    source="Rayleigh quotient of (e_i - e_j)/sqrt 2; cluster exponents: flat limit, Driscoll-Fornberg 2002",
    module="spectral_ceiling",
    abstract="a smaller minimum pairwise distance can slow down gradient descent",
    sharp="attained when the pair's gradients have equal length and are orthogonal to all others",
    tight=True,
    constants="measured at the same parameters: the gradient gap G",
    standing="proved and tight",
)


def gradient_gap_ceiling(gradient_gap: ArrayLike, *, num_outputs: int = 1) -> Float[Array, "..."]:
    """G^2/(2m), G the Frobenius norm of the difference of the pair's (m, P) Jacobians."""
    return jnp.asarray(gradient_gap, float) ** 2 / (2.0 * num_outputs)


def lipschitz_ceiling(
    separation: ArrayLike, *, jacobian_lipschitz: ArrayLike, num_outputs: int = 1
) -> Float[Array, "..."]:
    """L_J^2 h^2/(2m), L_J the Lipschitz constant (Frobenius norm) of the Jacobian as a function of the input."""
    gap = jnp.asarray(jacobian_lipschitz, float) * jnp.asarray(separation, float)
    return gradient_gap_ceiling(gap, num_outputs=num_outputs)


def block_eigenvalue(kernel_ii: ArrayLike, kernel_jj: ArrayLike, kernel_ij: ArrayLike) -> Float[Array, "..."]:
    """Smaller eigenvalue of [[K_ii, K_ij], [K_ij, K_jj]]: below both G^2/2 and K_ii - K_ij^2/K_jj.

    Absolute error about eps (K_ii + K_jj): not resolved below that.
    """
    first, second, cross = (jnp.asarray(entry, float) for entry in (kernel_ii, kernel_jj, kernel_ij))
    return 0.5 * (first + second) - jnp.hypot(0.5 * (first - second), cross)


def block_ceiling(kernel: Float[Array, "n n"] | Float[np.ndarray, "n n"]) -> Float[Array, ""]:
    """Least `block_eigenvalue` over all pairs of a scalar-output kernel: the best ceiling any single pair gives."""
    diagonal = jnp.diagonal(kernel)
    blocks = block_eigenvalue(diagonal[:, None], diagonal[None, :], kernel)
    return jnp.min(jnp.where(jnp.eye(len(kernel), dtype=bool), jnp.inf, blocks))


def one_out_ceiling(kernel: Float[Array, "n n"] | Float[np.ndarray, "n n"]) -> Float[Array, ""]:
    """min_j 1/(K^-1)_jj, the least squared distance of a gradient to the span of the others.

    Between lambda_min and n lambda_min. Relative error about n eps cond(K); inf or NaN for a singular kernel.
    """
    return 1.0 / jnp.max(jnp.diagonal(jnp.linalg.inv(kernel)))


def cluster_ceiling(spacing: ArrayLike, cluster_size: int, *, jacobian_derivative: ArrayLike) -> Float[Array, "..."]:
    """M^2 h^(2(m-1)) / binom(2m-2, m-1) for m equispaced points of a line, |d^(m-1) grad f/dx^(m-1)| <= M on it."""
    _require_cluster(cluster_size)
    order = cluster_size - 1
    return (jnp.asarray(jacobian_derivative, float) * jnp.asarray(spacing, float) ** order) ** 2 / math.comb(
        2 * order, order
    )


def cluster_exponent(cluster_size: int, *, dim: int = 1) -> int:
    """Power of h in lambda_min as m points in general position in R^dim close up, for smooth kernels: 2k.

    k is the least degree for which polynomials of degree <= k in `dim` variables have dimension >= m; on a line
    k = m - 1. Expectation from the flat limit, not a bound for one given network.
    """
    _require_cluster(cluster_size)
    if dim < 1:
        raise ValueError(f"dim must be at least 1, but was {dim}")
    return 2 * next(degree for degree in range(cluster_size) if math.comb(degree + dim, dim) >= cluster_size)


def eigenvalue_error(largest_eigenvalue: ArrayLike, kernel_size: int) -> Float[Array, "..."]:
    """4 n eps lambda_max: error bar of a computed lambda_min.

    Weyl: a backward stable eigensolver errs by n eps |K| at most in practice, and so does forming the Gram matrix.
    """
    return 4.0 * kernel_size * jnp.finfo(float).eps * jnp.asarray(largest_eigenvalue, float)


# One compiled call in place of a dozen dispatches: a hunt makes ten thousand of these.
_compiled_ceiling = jax.jit(gradient_gap_ceiling, static_argnames="num_outputs")
_compiled_error = jax.jit(eigenvalue_error, static_argnames="kernel_size")


def check(
    smallest_eigenvalue: float,
    gradient_gap: float,
    *,
    largest_eigenvalue: float,
    kernel_size: int,
    num_outputs: int = 1,
    instance: str = "kernel",
) -> Check:
    """Hold a measured lambda_min(K) against G^2/(2m) of a pair.

    kernel_size: N m.  Not applicable where lambda_min lies below its own error bar: such a number says nothing.
    """
    error = float(_compiled_error(largest_eigenvalue, kernel_size))
    return Check(
        claim=CLAIM.id,
        inequality="gradient gap ceiling",
        instance=instance,
        measured=float(smallest_eigenvalue),
        sense="<=",
        bound=float(_compiled_ceiling(gradient_gap, num_outputs=num_outputs)),
        rounding=error,
        margins={"eigenvalue resolved": float(smallest_eigenvalue) - error},
    )


def _require_cluster(cluster_size: int) -> None:
    if cluster_size < 2:
        raise ValueError(f"cluster_size must be at least 2, but was {cluster_size}")

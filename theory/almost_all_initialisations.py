"""Almost all initialisations: one theta with K(theta) > 0 keeps K(theta_s) > 0 from almost every start.

Statement. f(theta; x_i), i = 1..N, with m outputs, real-analytic in theta in R^P; K = J J^T its kernel, n = N m rows;
theta_{s+1} = theta_s - eta grad L(theta_s). If det K(theta_*) > 0 at one theta_*, then
  almost every  for every eta outside a finite set E (at most P numbers), K(theta_s) > 0 at every step s from Lebesgue
                almost every theta_0. eta is not in E once det(I - eta hess L(theta)) != 0 at a single theta.
  subspaces     for every affine subspace V that contains theta_* (all biases zero; theta_* alone) and all but countably
                many eta, K(theta_s) > 0 at every step s from almost every theta_0 in V.
and, with numbers, at any theta,
  spectral floor  lambda_min(K) >= det K / (tr K/(n-1))^(n-1)                          (det K for n = 1)
  volume floor    det(I - eta hess L) >= (1 - eta lambda_max(hess L))^P    for eta >= 0, eta lambda_max(hess L) <= 1:
                  no eta below 1/lambda_max(hess L(theta)), at whatever theta, is in E.
Hypotheses. H1 f is analytic in theta. H2 P >= N m. H3 distinct inputs. H4 one certified theta. H5 eta outside E.
  H4 implies H2 and H3, which stand here since they are what a user can see at once.
Source. Reconstruction. Zeros of an analytic function that is not identically zero are a null set: Mityagin 2015.
Proof.  paper_notes.md, G6, lines 1-9.
Sharp.  Spectral floor: all eigenvalues but the least equal, in the limit lambda_min << tr K (the ratio is exactly
  (1 - lambda_min/tr K)^(n-1)). Volume floor: hess L a multiple of I. E: f = a cos(b - x) at x = 0, pi/2 has E = {2}.
Failure. ReLU; P < N m; duplicate inputs; a linear network; eta = 2 in the last example: every start is sent to a = 0.
Units.  K in squared label / parameter units; eta times hess L is a number.
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from theory.claim import Claim
from theory.rounding import EPS
from theory.verdict import Check

CLAIM = Claim(
    id="G6",
    title="Almost all initialisations",
    statement="K(theta_*) > 0 at one theta_* gives K(theta_s) > 0 for all s from almost every theta_0, f analytic; "
    "lambda_min(K) >= det K / (tr K/(n-1))^(n-1)",
    hypotheses={
        "analytic model": "every output is a real-analytic function of theta",
        "enough parameters": "P >= N m",
        "distinct inputs": "no two inputs (token sequences) are equal",
        "certified theta": "lambda_min(K(theta_*)) > 0 is proved at one theta_*: `uniformity certify`",
        "regular step size": "det(I - eta hess L(theta)) is not zero at every theta",
    },
    provenance="reconstruction",
    source="Mityagin 2015 (zero set of an analytic function); inverse function theorem; arithmetic-geometric mean",
    module="almost_all_initialisations",
    abstract="gradient descent converges beyond the kernel regime for almost all initialisations of many architectures",
    sharp="spectral floor: other eigenvalues equal and lambda_min << tr K; volume floor: hess L a multiple of I",
    tight=True,
    constants="known once theta_* is certified, by ball arithmetic; nothing is measured along the run",
    standing="conditional",
)

_SMALLEST = sys.float_info.min
_RESOLVED = 0.01
"""Largest relative rounding error at which a floor is held against anything."""


def spectral_floor(log_determinant: ArrayLike, trace: ArrayLike, *, size: int) -> Float[Array, "..."]:
    """det K / (tr K/(n-1))^(n-1), a lower bound on lambda_min of a positive semidefinite n x n matrix.

    log_determinant: log det K (det K itself leaves the range of floats), -inf for a singular K.  size: n >= 1; for
    n = 1 the floor is det K.  Arguments broadcast.
    """
    if size < 1:
        raise ValueError(f"size must be at least 1, but was {size}")
    others = size - 1
    log_mean = jnp.log(jnp.asarray(trace, float) / max(others, 1))
    return jnp.exp(jnp.asarray(log_determinant, float) - others * log_mean)


def volume_floor(step_size: ArrayLike, largest_eigenvalue: ArrayLike, *, num_parameters: int) -> Float[Array, "..."]:
    """(1 - eta lambda_max)_+^P, a lower bound on det(I - eta hess L) for 0 <= eta lambda_max <= 1: how much a step of
    gradient descent can shrink volumes. largest_eigenvalue: of hess L, signed. Arguments broadcast."""
    if num_parameters < 1:
        raise ValueError(f"num_parameters must be at least 1, but was {num_parameters}")
    factor = 1.0 - jnp.asarray(step_size, float) * jnp.asarray(largest_eigenvalue, float)
    return jnp.maximum(factor, 0.0) ** num_parameters


def regularity(step_size: ArrayLike, hessian_eigenvalues: Float[Array | np.ndarray, "... p"]) -> Float[Array, "..."]:
    """min_i |1 - eta lambda_i| at one theta; positive only if eta is not exceptional (line 3)."""
    factors = 1.0 - jnp.asarray(step_size, float)[..., None] * jnp.asarray(hessian_eigenvalues, float)
    return jnp.min(jnp.abs(factors), axis=-1)


_compiled_spectral_floor = jax.jit(spectral_floor, static_argnames="size")
_compiled_volume_floor = jax.jit(volume_floor, static_argnames="num_parameters")


def check(
    smallest_eigenvalue: float,
    log_determinant: float,
    *,
    trace: float,
    size: int,
    eigenvalue_error: float,
    instance: str = "kernel",
) -> Check:
    """Hold lambda_min(K) against its floor from determinant and trace.

    eigenvalue_error: of `smallest_eigenvalue`.  log_determinant: from the pivots of the float64 K, whose backward error
    n eps tr K moves det K by the relative n^2 eps tr K / lambda_min.  Not applicable where either exceeds 1%.
    """
    bound = float(_compiled_spectral_floor(log_determinant, trace, size=size))
    resolution = _RESOLVED * smallest_eigenvalue - eigenvalue_error
    moved = size * (size + 1) * EPS * trace / smallest_eigenvalue if smallest_eigenvalue > 0 else float("inf")
    return Check(
        claim=CLAIM.id,
        inequality="spectral floor",
        instance=instance,
        measured=float(smallest_eigenvalue),
        sense=">=",
        bound=bound,
        rounding=eigenvalue_error + 2.0 * bound * (moved + 64.0 * size * EPS),
        margins={"eigenvalue resolved": resolution, "determinant resolved": _RESOLVED - moved},
    )


def check_volume(
    determinant: float,
    step_size: float,
    *,
    largest_eigenvalue: float,
    hessian_norm: float,
    num_parameters: int,
    instance: str = "step",
) -> Check:
    """Hold det(I - eta hess L) at one theta against its floor; not applicable for eta > 1/lambda_max.

    hessian_norm: |hess L|, to whose rounding both sides inherit P eps (1 + eta |hess L|) a factor; not applicable where
    that moves them by more than 1%.
    """
    bound = float(_compiled_volume_floor(step_size, largest_eigenvalue, num_parameters=num_parameters))
    least_factor = 1.0 - step_size * largest_eigenvalue
    relative = 4.0 * num_parameters**2 * EPS * (1.0 + step_size * hessian_norm) / max(least_factor, _SMALLEST)
    return Check(
        claim=CLAIM.id,
        inequality="volume floor",
        instance=instance,
        measured=float(determinant),
        sense=">=",
        bound=bound,
        rounding=relative * max(abs(determinant), bound),
        margins={"step size below inverse curvature": min(least_factor, step_size), "resolved": _RESOLVED - relative},
    )


def check_draws(
    singular: int,
    draws: int,
    *,
    analytic: bool,
    num_parameters: int,
    kernel_size: int,
    separation: float,
    certified: float,
    regular: float,
    reach: float = 0.0,
    instance: str = "draws",
) -> Check:
    """Hold the share of random theta_0 from which K(theta_s) is singular against 0.

    singular: draws where sigma_min(J) is below its own rounding error.  float64 sees not a null set but what lies
    within about n eps of it, which a draw meets with a probability of that order.  separation: h_min of the inputs.
    certified: lambda_min(K(theta_*)) at some theta_*, less its error.  regular: `regularity` at some theta, likewise.
    reach: negative where the iterates are beyond what the measurement of `singular` can decide.
    """
    if not 0 <= singular <= draws or draws < 1:
        raise ValueError(f"singular must lie between 0 and draws >= 1, but they were {singular} and {draws}")
    return Check(
        claim=CLAIM.id,
        inequality="singular share",
        instance=instance,
        measured=singular / draws,
        sense="<=",
        bound=0.0,
        margins={
            "analytic model": 0.0 if analytic else -1.0,
            "enough parameters": float(num_parameters - kernel_size),
            "distinct inputs": separation - _SMALLEST,
            "certified theta": certified - _SMALLEST,
            "regular step size": regular - _SMALLEST,
            "iterates in reach": reach,
        },
    )

"""Path floor: a small h_min forces a long path in parameter space wherever close inputs keep a label gap.

Statement. i, j any two samples (the closest pair bites most), r_k = f(theta_s; x_k) - y_k, d_s = r_i - r_j at step s.
For the iterates theta_0..theta_T of any optimiser and any labels,
  |d_T - d_0| <= G * PathLength_T,  PathLength_T = sum_s |theta_{s+1} - theta_s|,
  G = sup over the polygonal path of |grad f(theta; x_i) - grad f(theta; x_j)| <= L_J |x_i - x_j|,
and d_s^2 / (4 N) <= L_s for the loss L = (1/2N) sum |f(x_k) - y_k|^2. So L_T <= eps needs
  PathLength_T >= (|d_0| - 2 sqrt(N eps))_+ / G.
With m outputs d is a vector, |d| its Euclidean norm, and G the Frobenius norm of the Jacobians' difference (at least
the operator norm, which would do).
Hypotheses. H1 for x = x_i, x_j, t -> f(theta_s + t (theta_{s+1} - theta_s); x) is absolutely continuous with derivative
  <grad f, theta_{s+1} - theta_s> at almost every t: every C^1 model, and ReLU networks with the gradients that
  automatic differentiation gives.
Source. Reconstruction of "a smaller h_min can slow down gradient descent"; needs no label gap to be true, only to bite.
  H1 for ReLU networks: Bolte and Pauwels 2021 (conservative fields).
Proof.  paper_notes.md, R2, lines 1-4.
Sharp.  Equality for f = <theta, phi(x)>, steps along phi(x_i) - phi(x_j), residual +-d_0/2 on the pair, 0 elsewhere.
Failure. G taken at the iterates alone (one long step over a region of large gradient gap); a model that jumps.
  G measured at iterates errs LOW, so the floor errs HIGH: the check below is then stricter than the theorem, and a
  violation must first be looked at with the segments sampled.
Units.  Path length in parameter units, d in label units, G in labels per parameter, loss in squared labels.
"""

import math

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from theory import require
from theory.claim import Claim
from theory.rounding import ROUNDING
from theory.verdict import Check

CLAIM = Claim(
    id="R2",
    title="Path floor",
    statement="L_T <= eps needs PathLength_T >= (|d_0| - 2 sqrt(N eps))_+ / G",
    hypotheses={
        "continuity": "f(.; x_i) and f(.; x_j) are absolutely continuous along the path and obey the chain rule",
        "supremum over segments": "G is at least the gradient gap at every point of the path, not at its corners alone",
    },
    provenance="reconstruction",
    source="mean value inequality along the path; Bolte and Pauwels 2021 for ReLU networks",
    module="path_floor",
    abstract="a smaller minimum pairwise distance can slow down gradient descent",
    sharp="linear model, steps along phi(x_i) - phi(x_j), residual on that pair only",
    tight=True,
    constants="known before training: d_0; measured along the run: G",
    standing="conditional",
)


def gap_motion_ceiling(gradient_gap: ArrayLike, path_length: ArrayLike) -> Float[Array, "..."]:
    """G * PathLength, the most that the pair's gap d can have moved (label units); arguments broadcast."""
    return jnp.asarray(gradient_gap, float) * path_length


def loss_floor(gap: ArrayLike, num_points: ArrayLike) -> Float[Array, "..."]:
    """|d|^2 / (4 N), the least loss (1/2N) sum |r|^2 at which a pair can have the gap d; arguments broadcast."""
    return jnp.square(jnp.asarray(gap, float)) / (4.0 * num_points)


def excess_gap(initial_gap: ArrayLike, target_loss: ArrayLike, *, num_points: ArrayLike) -> Float[Array, "..."]:
    """(|d_0| - 2 sqrt(N eps))_+, the part of the gap that must go before the loss can be eps (label units).

    initial_gap: d_0, or its norm when the model has several outputs.  target_loss: eps >= 0.  Arguments broadcast.
    """
    allowed = 2.0 * jnp.sqrt(jnp.asarray(target_loss, float) * num_points)
    return jnp.maximum(jnp.abs(jnp.asarray(initial_gap, float)) - allowed, 0.0)


def path_floor(
    initial_gap: ArrayLike, gradient_gap: ArrayLike, *, target_loss: ArrayLike, num_points: ArrayLike
) -> Float[Array, "..."]:
    """(|d_0| - 2 sqrt(N eps))_+ / G, the least path length to the loss eps (parameter units).

    gradient_gap: G >= 0, the supremum along the path; G = 0 gives infinity when a gap must go, else 0.  Broadcasts.
    """
    excess = excess_gap(initial_gap, target_loss, num_points=num_points)
    return jnp.where(excess == 0.0, 0.0, excess / jnp.asarray(gradient_gap, float))


# One compiled call in place of a dozen dispatches: a hunt makes ten thousand of these.
compiled_excess, _compiled_floor = jax.jit(excess_gap), jax.jit(path_floor)
_compiled_ceiling = jax.jit(gap_motion_ceiling)


def check(
    *,
    initial_gap: float,
    path_length: float,
    gradient_gap: float,
    target_loss: float,
    final_loss: float,
    num_points: int,
    instance: str,
    output_scale: float = 1.0,
    gradient_scale: float = 1.0,
) -> Check:
    """Hold the path length at which a run stood at `final_loss` <= `target_loss` against the floor.

    initial_gap: |d_0|.  gradient_gap: sup of |grad f(x_i) - grad f(x_j)| over the path (see Failure).
    output_scale, gradient_scale: sizes of f(x_i), y_i and of grad f(x_i), whose rounding the two differences inherit.
    A run that has not reached its target is not applicable; a floor of 0 is vacuous.
    """
    _require_pair(num_points, path_length=path_length, gradient_gap=gradient_gap, target_loss=target_loss)
    excess = float(compiled_excess(initial_gap, target_loss, num_points=num_points))
    bound = float(_compiled_floor(initial_gap, gradient_gap, target_loss=target_loss, num_points=num_points))
    return Check(
        claim=CLAIM.id,
        inequality="path floor",
        instance=instance,
        measured=path_length,
        sense=">=",
        bound=bound,
        rounding=floor_rounding(bound, excess, gradient_gap, output_scale, gradient_scale),
        margins={"target reached": target_loss - final_loss},
        vacuous=bound == 0.0,
    )


def check_motion(
    *,
    gap_motion: float,
    path_length: float,
    gradient_gap: float,
    instance: str,
    output_scale: float = 1.0,
    gradient_scale: float = 1.0,
) -> Check:
    """Hold |d_T - d_0| of any run, whether or not it reached a target, against G * PathLength_T (label units)."""
    _require_pair(2, path_length=path_length, gradient_gap=gradient_gap, target_loss=0.0)
    bound = float(_compiled_ceiling(gradient_gap, path_length))
    return Check(
        claim=CLAIM.id,
        inequality="gap motion",
        instance=instance,
        measured=gap_motion,
        sense="<=",
        bound=bound,
        rounding=ROUNDING * (bound + output_scale + gradient_scale * path_length),
        margins={"iterates finite": 0.0 if math.isfinite(gap_motion + path_length) else math.nan},
    )


def floor_rounding(
    floor: float, excess: float, gradient_gap: float, output_scale: float, gradient_scale: float
) -> float:
    """Absolute rounding of a floor linear in (excess gap)/(gradient gap), both differences of nearly equal numbers."""
    if floor == 0.0 or not math.isfinite(floor):
        return 0.0
    return floor * ROUNDING * (1.0 + output_scale / excess + gradient_scale / gradient_gap)


def _require_pair(num_points: int, *, path_length: float, gradient_gap: float, target_loss: float) -> None:
    if num_points < 2:
        raise ValueError(f"num_points must be at least 2 to have a pair, but was {num_points}")
    require.at_least_zero(path_length=path_length, gradient_gap=gradient_gap, target_loss=target_loss)

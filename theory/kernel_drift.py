"""Kernel drift: how wrong the frozen-kernel (NTK) prediction is, is bounded by how far the kernel has moved.

Statement. r_s = f(theta_s) - y over all N samples (N m numbers), theta_{s+1} = theta_s - (eta/N) J_s^T r_s, and
  Kbar_s = Jbar_s J_s^T,   Jbar_s = int_0^1 J(theta_s + t (theta_{s+1} - theta_s)) dt   (Kbar_s -> K_s as eta -> 0).
Then, exactly, r_{s+1} = (I - eta Kbar_s / N) r_s, and with the frozen prediction rlin_T = (I - eta K_0 / N)^T r_0,
q = |I - eta K_0 / N| = max_k |1 - eta lambda_k / N| and delta_s = |Kbar_s - K_0| (operator norms),
  measured drift  |r_T - rlin_T| <= (eta/N) sum_{s<T} q^(T-1-s) delta_s |r_s|;
  uniform drift   |r_T - rlin_T| <= ((q + eta delta / N)^T - q^T) |r_0|   if delta_s <= delta for all s < T.
q <= 1 for eta <= 2 N / lambda_max(K_0). No drift, no error: the prediction is exact for models linear in theta, and a
measured failure of it is a measured drift. What is measured on networks: delta_s / |K_0| is of order 1, the prediction
of the loss can fail by orders of magnitude, and the descent product (G1), which uses K_s, holds.
Hypotheses. H1 f is absolutely continuous along the segments and obeys the chain rule (as in R2). H2 plain gradient
  descent on L = (1/2N)|r|^2 with one step size.
Source. Discrete Duhamel (variation of constants) formula about the frozen kernel of Jacot, Gabriel and Hongler 2018.
Proof.  paper_notes.md, G7, lines 1-5.
Sharp.  N = 1: measured drift at T = 1 always, and at every T while eta K_0 <= N and (Kbar_s - K_0) r_s keeps its sign
  (f = u v).
Failure. A model that jumps (H1); heavy ball on a linear model, whose kernel does not move at all (H2).
Units.  K in squared labels per squared parameter, r in labels; eta K / N has no unit.
"""

import math
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from theory import require
from theory.claim import Claim
from theory.rounding import ROUNDING
from theory.verdict import Check

CLAIM = Claim(
    id="G7",
    title="Kernel drift",
    statement="|r_T - (I - eta K_0/N)^T r_0| <= (eta/N) sum_s |I - eta K_0/N|^(T-1-s) |Kbar_s - K_0| |r_s|",
    hypotheses={
        "continuity": "f is absolutely continuous along the segments of the path and obeys the chain rule",
        "plain gradient descent": "theta_{s+1} = theta_s - eta grad L(theta_s) with one step size eta",
    },
    provenance="reconstruction",
    source="discrete Duhamel formula about the frozen kernel (Jacot, Gabriel and Hongler 2018)",
    module="kernel_drift",
    abstract="gradient descent converges beyond the kernel regime, without Lipschitz smoothness of the loss",
    sharp="one sample: at one step always, at every step while eta K_0 <= N and the drift keeps its sign (f = u v)",
    tight=True,
    constants="known before training: K_0, r_0, step size; measured along the run: the drift",
    standing="conditional",
)


def contraction(
    eigenvalues: Float[ArrayLike, "... n"], *, step_size: ArrayLike, num_points: ArrayLike
) -> Float[Array, "..."]:
    """q = max_k |1 - eta lambda_k / N| over the last axis: the operator norm of I - eta K_0 / N."""
    scaled = jnp.asarray(step_size, float) / jnp.asarray(num_points)
    return jnp.max(jnp.abs(1.0 - scaled[..., None] * jnp.asarray(eigenvalues, float)), axis=-1)


def frozen_residual(
    kernel: Float[ArrayLike, "n n"],
    residual: Float[ArrayLike, " n"],
    num_steps: int,
    *,
    step_size: ArrayLike,
    num_points: ArrayLike,
) -> Float[Array, " n"]:
    """rlin_T = (I - eta K_0 / N)^T r_0 (label units), in the eigenbasis of K_0."""
    eigenvalues, modes = jnp.linalg.eigh(jnp.asarray(kernel, float))
    decay = (1.0 - jnp.asarray(step_size, float) * eigenvalues / num_points) ** num_steps
    return modes @ (decay * (modes.T @ jnp.asarray(residual, float)))


@jax.jit
def drift_ceiling(
    drifts: Float[ArrayLike, "... steps"],
    residual_norms: Float[ArrayLike, "... steps"],
    *,
    contraction: ArrayLike,
    step_size: ArrayLike,
    num_points: ArrayLike,
) -> Float[Array, "..."]:
    """(eta/N) sum_{s<T} q^(T-1-s) delta_s |r_s| over the last axis (label units)."""
    terms = jnp.asarray(drifts, float) * jnp.asarray(residual_norms, float)
    ages = jnp.arange(terms.shape[-1])[::-1]
    weights = jnp.asarray(contraction, float)[..., None] ** ages
    return jnp.asarray(step_size, float) / jnp.asarray(num_points) * jnp.sum(weights * terms, axis=-1)


@jax.jit
def uniform_drift_ceiling(
    drift: ArrayLike,
    initial_norm: ArrayLike,
    num_steps: ArrayLike,
    *,
    contraction: ArrayLike,
    step_size: ArrayLike,
    num_points: ArrayLike,
) -> Float[Array, "..."]:
    """((q + eta delta/N)^T - q^T) |r_0| (label units); for q = 1 about T eta delta / N of |r_0|. Broadcasts."""
    frozen = jnp.asarray(contraction, float)
    moved = frozen + jnp.asarray(step_size, float) * drift / num_points
    return (moved**num_steps - frozen**num_steps) * jnp.asarray(initial_norm, float)


def check(
    *,
    inequality: Literal["measured drift", "uniform drift"],
    prediction_error: float,
    drifts: Float[np.ndarray, " steps"],
    residual_norms: Float[np.ndarray, " rows"],
    frozen_norm: float,
    contraction: float,
    step_size: float,
    num_points: int,
    instance: str,
    output_scale: float = 1.0,
    drift_error: float = 0.0,
) -> Check:
    """Hold |r_T - rlin_T| of a run of T steps against the drift's ceiling.

    drifts: delta_s = |Kbar_s - K_0|, s < T; drift_error: how far off each may be (a quadrature of Jbar; rounding).
    residual_norms: |r_s|, s <= T.  frozen_norm: |rlin_T|.  contraction: q.  output_scale: size of f and y.
    Vacuous where the ceiling is not below |r_T| + |rlin_T|, which the triangle inequality gives without any kernel.
    """
    steps = len(drifts)
    if steps < 1 or len(residual_norms) != steps + 1:
        raise ValueError(
            f"residual_norms must hold one number more than drifts, which must hold at least 1, "
            f"but they hold {len(residual_norms)} and {steps}"
        )
    require.positive(step_size=step_size)
    constants = {"contraction": contraction, "step_size": step_size, "num_points": num_points}
    both = np.stack([drifts, np.full(steps, drift_error)])
    bound, slip = np.asarray(drift_ceiling(both, residual_norms[:-1], **constants)).tolist()
    if inequality == "uniform drift":
        largest = float(np.max(drifts))
        bound = float(uniform_drift_ceiling(largest, residual_norms[0], steps, **constants))
        # The ceiling's slope in delta is at most (eta T/N)(q + eta delta/N)^(T-1)|r_0|.
        growth = (contraction + step_size * largest / num_points) ** (steps - 1)
        slip = max(slip, step_size * steps / num_points * growth * drift_error * float(residual_norms[0]))
        slip += ROUNDING * steps * growth * float(residual_norms[0])  # the difference of two nearly equal powers
    amplified = max(1.0, contraction) ** steps  # what a rounding in one residual becomes by step T
    rounding = 2.0 * slip + ROUNDING * (bound + (steps + 1) * amplified * output_scale)
    return Check(
        claim=CLAIM.id,
        inequality=inequality,
        instance=instance,
        measured=prediction_error,
        sense="<=",
        bound=bound,
        rounding=rounding,
        margins={
            "iterates finite": 0.0 if math.isfinite(prediction_error) and math.isfinite(bound) else -1.0,
            "above rounding": max(prediction_error, bound) - rounding,
        },
        vacuous=bound >= float(residual_norms[-1]) + frozen_norm,
    )

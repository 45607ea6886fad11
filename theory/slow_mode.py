"""Slow mode: a close pair slows only the share of the loss that its own gap carries; smooth labels leave it O(h^2).

Statement. f linear in theta, scalar output, K = J J^T, 0 < eta <= N / lambda_max(K), any i != j.
  v = (e_i - e_j)/sqrt 2;  a = v^T K v = G^2/2;  B the compression of K to the complement of v, beta = lambda_min(B);
  lambda_1 = lambda_min(K);  d_0 = r_i - r_j and P r_0 (complement of v) at the start. If lambda_1 < beta, for every s
    L_s <= (1 - eta beta/N)^(2s) (L_0 - E) + (1 - eta lambda_1/N)^(2s) E,
    E = min{ L_0, ( |d_0|/sqrt 2 + tilt |P r_0| )^2 / (2N) },   tilt = min{ |b|, sqrt(a beta) } / (beta - lambda_1),
  b = P K v the coupling; E = d_0^2/(4N), the pair's own loss, iff v is an eigenvector or P r_0 = 0.
  Hence L_s <= eps + E for all s >= N/(2 eta beta) log(L_0/eps). There is no h in it: beta does not close with the pair,
    sqrt(beta) >= sqrt(lambda_min(K without x_j)) - G/sqrt 2.
  With |d_0| <= Lam h and G <= L_J h,
    E <= h^2/(4N) (Lam + L_J sqrt(2N L_0 beta)/(beta - lambda_1))^2.
  Conversely L_s >= d_s^2/(4N) for any model, labels, and optimiser: a kept gap is a kept loss.
Hypotheses. H1 frozen kernel (f linear in theta). H2 eta <= N/lambda_max. H3 lambda_1 < beta: one close pair, not two.
Source. Reconstruction; the converse of the claim that a small h_min slows gradient descent.
Proof.  paper_notes.md, R4, lines 1-9.
Sharp.  v an eigenvector and r_0 in the plane of v and B's slowest mode: equality for every s.
  Floor: r = (c, -c, 0, ..).
Failure. Labels with a gap: E does not vanish with h (path floor). Two close pairs: beta -> 0 with the second pair (H3).
Units.  loss 1/(2N) sum of squares; s counts steps; a, beta, lambda as K, without 1/N.
"""

import math
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from theory.claim import Claim
from theory.path_floor import loss_floor
from theory.verdict import Check

CLAIM = Claim(
    id="R4",
    title="Slow-mode share",
    statement="L_s <= (1 - eta beta/N)^(2s) L_0 + E, with E = O(h_min^2) for Lipschitz labels and beta free of h_min",
    hypotheses={
        "frozen kernel": "the model is linear in its parameters",
        "small step size": "step_size <= N / lambda_max(K)",
        "single close pair": "lambda_min(K) < beta, and no second pair closes with the first and takes beta down",
    },
    provenance="reconstruction",
    source="Cauchy interlacing and the block form of K in the pair's difference direction",
    module="slow_mode",
    abstract="a smaller minimum pairwise distance can slow down gradient descent (here: when it does not)",
    sharp="attained for every step when the pair's difference is an eigenvector",
    tight=True,
    constants="known before training: everything, from the kernel and the residual at the start",
    standing="conditional",
    rests_on=("R1",),
)


class PairSplit(NamedTuple):
    """K seen from one pair.  Each a scalar in the unit of K; error bar about n eps `largest`."""

    pair_stiffness: Float[Array, ""]  # a = v^T K v = G^2/2
    rest_stiffness: Float[Array, ""]  # beta, smallest eigenvalue of K compressed to the complement of v
    coupling: Float[Array, ""]  # |b| = |P K v|; 0 iff v is an eigenvector
    smallest: Float[Array, ""]  # lambda_1 <= min(a, beta)
    largest: Float[Array, ""]


def split_pair(kernel: Float[Array, "n n"] | Float[np.ndarray, "n n"], pair: tuple[int, int]) -> PairSplit:
    """Stiffness of the pair's difference, and of everything orthogonal to it.

    Raises ValueError unless `pair` is two different indices below n.
    """
    size, (i, j) = len(kernel), pair
    if i == j or not (0 <= i < size and 0 <= j < size):
        raise ValueError(f"pair must be two different indices below {size}, but was {pair}")
    return _split(jnp.asarray(kernel), i, j)


@partial(jax.jit, static_argnums=(1, 2))
def _split(kernel: Float[Array, "n n"], i: int, j: int) -> PairSplit:
    size = len(kernel)
    difference = jnp.zeros(size).at[jnp.array([i, j])].set(jnp.array([1.0, -1.0]) / math.sqrt(2.0))
    normal = difference.at[i].add(-1.0)
    reflection = jnp.eye(size) - 2.0 * jnp.outer(normal, normal) / (normal @ normal)  # takes e_i to v
    rotated = reflection @ kernel @ reflection
    rest = jnp.delete(jnp.delete(rotated, i, axis=0), i, axis=1)
    coupling = jnp.linalg.norm(jnp.delete(rotated[i], i))
    spectrum = jnp.linalg.eigvalsh(kernel)
    return PairSplit(rotated[i, i], jnp.linalg.eigvalsh(rest)[0], coupling, spectrum[0], spectrum[-1])


def slow_loss(
    gap: ArrayLike, rest_residual: ArrayLike, split: PairSplit, *, num_points: ArrayLike
) -> Float[Array, "..."]:
    """E before its cap at L_0: what the bottom eigenvector can hold of the loss (line 6); inf unless lambda_1 < beta.

    gap: d_0 = r_i - r_j.  rest_residual: |P r_0|, so |r_0|^2 = d_0^2/2 + |P r_0|^2.
    """
    stiffness = jnp.sqrt(jnp.maximum(split.pair_stiffness * split.rest_stiffness, 0.0))
    coupling = jnp.minimum(split.coupling, stiffness)
    return _tilted_loss(gap, coupling * jnp.asarray(rest_residual, float), split, num_points)


def smooth_label_loss(
    separation: ArrayLike,
    split: PairSplit,
    *,
    gap_lipschitz: ArrayLike,
    jacobian_lipschitz: ArrayLike,
    loss0: ArrayLike,
    num_points: ArrayLike,
) -> Float[Array, "..."]:
    """h^2/(4N) (Lam + L_J sqrt(2N L_0 beta)/(beta - lambda_1))^2, an upper bound on E when labels and f_0 are smooth.

    gap_lipschitz: Lam, Lipschitz constant of x -> f(theta_0; x) - y(x).  jacobian_lipschitz: L_J.
    """
    separation, residual = jnp.asarray(separation, float), jnp.sqrt(2.0 * jnp.asarray(num_points) * jnp.asarray(loss0))
    coupling = separation * jnp.asarray(jacobian_lipschitz) * jnp.sqrt(0.5 * jnp.maximum(split.rest_stiffness, 0.0))
    return _tilted_loss(separation * jnp.asarray(gap_lipschitz), coupling * residual, split, num_points)


def _tilted_loss(gap: ArrayLike, leaked: Array, split: PairSplit, num_points: ArrayLike) -> Float[Array, "..."]:
    """(|gap|/sqrt 2 + leaked/(beta - lambda_1))^2 / (2N), leaked >= 0 (lines 5 and 6)."""
    distance = split.rest_stiffness - split.smallest
    open_distance = jnp.where(distance > 0, distance, 1.0)
    leak = jnp.where(leaked > 0, jnp.where(distance > 0, leaked / open_distance, jnp.inf), 0.0)
    return (jnp.abs(jnp.asarray(gap, float)) / math.sqrt(2.0) + leak) ** 2 / (2.0 * jnp.asarray(num_points))


def loss_ceiling(
    step: ArrayLike,
    loss0: ArrayLike,
    slow: ArrayLike,
    split: PairSplit,
    *,
    step_size: ArrayLike,
    num_points: ArrayLike,
) -> Float[Array, "..."]:
    """Upper bound on L_s after `step` steps; slow: E from `slow_loss` or `smooth_label_loss`, capped at L_0 here."""
    held = jnp.minimum(jnp.asarray(slow, float), jnp.asarray(loss0, float))
    rate = jnp.asarray(step_size) / jnp.asarray(num_points)
    rest_factor = (1.0 - rate * split.rest_stiffness) ** (2 * jnp.asarray(step))
    slow_factor = (1.0 - rate * jnp.maximum(split.smallest, 0.0)) ** (2 * jnp.asarray(step))
    return rest_factor * (jnp.asarray(loss0) - held) + slow_factor * held


def steps_ceiling(
    loss0: ArrayLike, eps: ArrayLike, *, step_size: ArrayLike, num_points: ArrayLike, rest_stiffness: ArrayLike
) -> Float[Array, "..."]:
    """N/(2 eta beta) log(L_0/eps), 0 when eps >= L_0: from here on L_s <= eps + E, however close the pair."""
    efolds = jnp.log(jnp.maximum(jnp.asarray(loss0, float) / jnp.asarray(eps, float), 1.0))
    return 0.5 * efolds * jnp.asarray(num_points) / (jnp.asarray(step_size) * jnp.asarray(rest_stiffness))


def rest_stiffness_floor(one_out_eigenvalue: ArrayLike, gradient_gap: ArrayLike) -> Float[Array, "..."]:
    """(sqrt(lambda_min(K without x_j)) - G/sqrt 2)_+^2 <= beta: one of the pair removed, so no h left (line 7)."""
    root = jnp.sqrt(jnp.asarray(one_out_eigenvalue, float)) - jnp.asarray(gradient_gap, float) / math.sqrt(2.0)
    return jnp.maximum(root, 0.0) ** 2


# One compiled call in place of a dozen dispatches: a hunt makes ten thousand of these.
_compiled_slow, _compiled_ceiling = jax.jit(slow_loss), jax.jit(loss_ceiling)


def check(
    loss: float,
    step: int,
    kernel: Float[Array, "n n"] | Float[np.ndarray, "n n"],
    residual0: Float[Array, " n"] | Float[np.ndarray, " n"],
    pair: tuple[int, int],
    *,
    step_size: float,
    kernel_drift: float = 0.0,
    instance: str = "run",
) -> Check:
    """Hold the loss after `step` gradient-descent steps against its ceiling.

    kernel_drift: |K_s - K_0|/|K_0| of the run; 0 for a linear model, and the theorem speaks of nothing else.
    rounding: s n eps for the powers, n eps lambda_max/(beta - lambda_1) for E, relative to L_0.
    Vacuous where the ceiling does not go below L_0, as at step 0, and where both sides are below the rounding.
    """
    size, split = len(kernel), split_pair(kernel, pair)
    gap = float(residual0[pair[0]] - residual0[pair[1]])
    loss0 = float(residual0 @ residual0) / (2.0 * size)
    rest_residual = math.sqrt(max(2.0 * size * loss0 - 0.5 * gap**2, 0.0))
    slow = _compiled_slow(gap, rest_residual, split, num_points=size)
    bound = float(_compiled_ceiling(step, loss0, slow, split, step_size=step_size, num_points=size))
    eps, largest = float(jnp.finfo(float).eps), float(split.largest)
    distance = float(split.rest_stiffness - split.smallest)
    rounding = 8.0 * size * eps * loss0 * (step + 1.0 + largest / max(distance, size * eps * largest))
    return Check(
        claim=CLAIM.id,
        inequality="loss ceiling",
        instance=instance,
        measured=float(loss),
        sense="<=",
        bound=bound,
        rounding=rounding,
        margins={
            "frozen kernel": -float(kernel_drift),
            "small step size": size / largest - step_size,
            "single close pair": distance - size * eps * largest,
        },
        vacuous=bound >= loss0 or max(loss, bound) <= rounding,
    )


def check_floor(loss: float, gap: float, *, num_points: int, instance: str = "run") -> Check:
    """Hold a loss against d^2/(4N) of one pair at the same parameters; rounding of a sum of N squares."""
    bound = float(loss_floor(gap, num_points=num_points))
    return Check(
        claim=CLAIM.id,
        inequality="loss floor of the pair",
        instance=instance,
        measured=float(loss),
        sense=">=",
        bound=bound,
        rounding=(num_points + 8) * float(jnp.finfo(float).eps) * bound,
        vacuous=gap == 0.0,
    )

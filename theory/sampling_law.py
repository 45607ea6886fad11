"""Sampling law: iid points have an h_min of order N^(-2/d), and the uniform density has the largest.

Statement. X_1..X_N iid on R^d (or on the flat torus) with density pi, h = h_min, n = N(N-1)/2, C = n V_d |pi|_2^2.
  tail      P(h < t) <= C t^d                          for every N and every t > 0
  quantile  h >= (delta / C)^(1/d)                     with probability at least 1 - delta
  mean      E h >= d/(d+1) C^(-1/d)
  density   |pi|_2^2 >= 1/|Omega|, with equality iff pi is uniform on Omega;  |pi|_2^2 <= sup pi
Hypotheses. H1 the points are independent. H2 pi is square integrable.
Source. Reconstruction. It implies the form with sup pi in place of |pi|_2^2 that we know second-hand of the paper.
Proof.  paper_notes.md, S1, lines 1-6.
Sharp.  Tail and quantile: N = 2 and pi uniform on the torus, t <= 1/2; and every pi, N as t -> 0.
  Mean: N = 2 on the circle.
Failure. Copies of one point (H1). pi(x) = 1/(2 sqrt x) on [0,1] (H2): P(h < t) ~ t log(1/t)/2 for N = 2.
Units.  t, h in the unit of x; |pi|_2^2 = int pi^2 in (unit of x)^(-d).
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from theory.ball import unit_ball_volume
from theory.claim import Claim
from theory.verdict import Check

CLAIM = Claim(
    id="S1",
    title="Sampling law",
    statement="P(h_min < t) <= N(N-1)/2 V_d |pi|_2^2 t^d for N independent points of density pi",
    hypotheses={
        "independent points": "the points are independent",
        "square integrable density": "pi is square integrable",
    },
    provenance="reconstruction",
    source="Cauchy-Schwarz, Young's inequality, union bound; implies the sup-density form known second-hand",
    module="sampling_law",
    abstract="more uniform data have a larger minimum pairwise distance",
    sharp="tail and quantile attained at N = 2 on the flat torus; mean attained at N = 2 on the circle",
    tight=True,
    constants="known: N, d and the density's norm",
    standing="proved and tight",
)


def close_pairs(
    separation: ArrayLike, num_points: ArrayLike, *, dim: int, density_norm_sq: ArrayLike
) -> Float[Array, "..."]:
    """C t^d = N(N-1)/2 V_d |pi|_2^2 t^d, which the expected number of pairs closer than t does not exceed."""
    pairs = 0.5 * jnp.asarray(num_points) * (jnp.asarray(num_points) - 1.0)
    return pairs * unit_ball_volume(dim) * jnp.asarray(density_norm_sq) * jnp.asarray(separation, float) ** dim


def tail_bound(
    separation: ArrayLike, num_points: ArrayLike, *, dim: int, density_norm_sq: ArrayLike
) -> Float[Array, "..."]:
    """Upper bound min(1, C t^d) on P(h_min < t)."""
    return jnp.minimum(close_pairs(separation, num_points, dim=dim, density_norm_sq=density_norm_sq), 1.0)


def separation_quantile(
    failure_probability: ArrayLike, num_points: ArrayLike, *, dim: int, density_norm_sq: ArrayLike
) -> Float[Array, "..."]:
    """(delta / C)^(1/d): h_min is at least this with probability at least 1 - delta."""
    at_one = close_pairs(1.0, num_points, dim=dim, density_norm_sq=density_norm_sq)
    return (jnp.asarray(failure_probability) / at_one) ** (1.0 / dim)


def mean_floor(num_points: ArrayLike, *, dim: int, density_norm_sq: ArrayLike) -> Float[Array, "..."]:
    """d/(d+1) C^(-1/d), a lower bound on E h_min: the integral of (1 - C t^d)_+ over t > 0 (line 5)."""
    return dim / (dim + 1.0) * separation_quantile(1.0, num_points, dim=dim, density_norm_sq=density_norm_sq)


# One compiled call in place of a dozen dispatches: a hunt makes ten thousand of these.
_compiled_pairs = jax.jit(close_pairs, static_argnames="dim")


def check(
    probability: float,
    separation: float,
    num_points: int,
    *,
    dim: int,
    density_norm_sq: float,
    rounding: float = 0.0,
    instance: str = "sample",
) -> Check:
    """Hold P(h_min < separation) against the tail bound.

    probability: exact, or the lower confidence limit of a sampled one (`theory.confidence.binomial_interval`), so that
    sampling noise cannot violate.  rounding: of `probability`; the bound's own relative error is below 16 eps.
    Vacuous where the bound reaches 1.
    """
    bound = float(_compiled_pairs(separation, num_points, dim=dim, density_norm_sq=density_norm_sq))
    return Check(
        claim=CLAIM.id,
        inequality="tail",
        instance=instance,
        measured=float(probability),
        sense="<=",
        bound=bound,
        rounding=rounding + 16.0 * float(jnp.finfo(float).eps) * bound,
        margins={"square integrable density": density_norm_sq if density_norm_sq < jnp.inf else -jnp.inf},
        vacuous=bound >= 1.0,
    )


def check_mean(
    mean_separation: float, num_points: int, *, dim: int, density_norm_sq: float, instance: str = "sample"
) -> Check:
    """Hold E h_min against its floor.

    mean_separation: exact, or the upper confidence limit of a sampled mean (`theory.confidence.mean_interval`).
    """
    bound = float(mean_floor(num_points, dim=dim, density_norm_sq=density_norm_sq))
    return Check(
        claim=CLAIM.id,
        inequality="mean",
        instance=instance,
        measured=float(mean_separation),
        sense=">=",
        bound=bound,
        rounding=16.0 * float(jnp.finfo(float).eps) * bound,
        margins={"square integrable density": density_norm_sq if density_norm_sq < jnp.inf else -jnp.inf},
    )

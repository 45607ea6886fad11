"""Greedy fill: along farthest-first and maximal sets h_min is the fill distance up to a factor, hence bounds the error.

Statement. Omega in R^d, X = {x_1..x_N} in Omega, N >= 2, separation h_min, f and g Lipschitz, |f(x_i) - g(x_i)| <= eps.
  cover    X farthest-first in a pool P in Omega whose own fill distance is q (P = Omega: q = 0), or maximal (no point
           of P farther than h_min from X):  h_fill <= h_min + q
  error    then |f - g|_inf <= eps + (Lip f + Lip g) (h_min + q)
  half     Omega connected, any X:  h_fill >= h_min / 2
  volume   with a = (|Omega| / (N V_d))^(1/d), under cover's hypotheses:  h_min + q >= a
  packing  Omega convex with a ball of radius rho > a in it, any X:  h_min <= 2 a / (1 - a/rho)
  line     Omega an interval of length l, any X:  h_fill <= max(l - (N-1) h_min, (l - (N-2) h_min) / 2)
So farthest-first sets have a <= h_fill <= h_min <= 2 a / (1 - a/rho), a ~ N^(-1/d): no set's worst-case sup error is
better than theirs by more than the factor 2 / (1 - a/rho). A set of separation above that of any N + 1 points of Omega
is maximal.
Hypotheses. H1 each point is a farthest one of the pool when taken, or X is maximal. H2 every point of Omega lies within
  q of the pool. H3 A1's Lipschitz constants. H4 Omega connected (half). H5 Omega convex with an inball (packing).
  H6 Omega an interval and h at most the separation (line).
Source. Gonzalez 1985 (farthest-first traversal); volumes classic (S4); reconstruction of "the approximation error falls
  as h_min grows". Beware the sign: N moves h_min here, and both h_min and the error fall as N grows. At fixed N the
  guarantee does not rise as h_min grows, and falls for N >= 3: line, and a separation above that of N + 1 points.
Proof.  paper_notes.md, A4, lines 1-9.
Sharp.  Cover, error: a ball from its centre, N = 2; with a pool, {0, 2/5, 4/5} in [0, 1] from 2/5. Half: midpoints of
  equal parts of an interval. Packing: equispaced points with both ends. Line: points pushed to one end. Volume: looser.
Failure. A cluster; a pool that misses a corner; two far components (half); a far speck added to Omega (packing).
Units.  Lengths in input units, f and g in label units.
"""

import math

import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from theory import require
from theory.claim import Claim
from theory.mean_error import ball_radius
from theory.rounding import ROUNDING
from theory.sup_error import sup_bound
from theory.verdict import Check

CLAIM = Claim(
    id="A4",
    title="Greedy fill",
    statement="h_fill <= h_min + q and |f - g|_inf <= eps + (Lip f + Lip g)(h_min + q) for farthest-first sets; "
    "h_fill >= h_min/2 for all sets; a - q <= h_min <= 2a/(1 - a/rho), a = (|Omega|/(N V_d))^(1/d)",
    hypotheses={
        "farthest first": "each point of X is a farthest one of the pool from those before it, or X is maximal",
        "pool": "every point of Omega lies within q of the pool",
        "lipschitz constants": "f and g have these Lipschitz constants on Omega",
        "connected domain": "Omega is connected (half)",
        "convex domain": "Omega is convex and holds a ball of radius rho (packing)",
        "separation": "h is at most the separation of the points (line)",
    },
    provenance="reconstruction",
    source="farthest-first traversal (Gonzalez 1985) and A1; disjoint and covering balls",
    module="greedy_fill",
    abstract="the approximation error falls as the minimum pairwise distance grows",
    sharp="cover: two points from a ball's centre; half: midpoints of an interval; packing and line: equispaced points",
    tight=True,
    constants="known: h_min, q, N, d, |Omega|, rho, Lip g; measured on the trained network: Lip f, eps",
    standing="conditional",
    rests_on=("A1", "S4"),
)


def fill_ceiling(separation: ArrayLike, *, pool_fill: ArrayLike = 0.0) -> Float[Array, "..."]:
    """h_min + q, a ceiling of the fill distance of a farthest-first or maximal set; arguments broadcast."""
    return jnp.asarray(separation, float) + pool_fill


def separation_ceiling(
    num_points: ArrayLike, *, dim: int, volume: ArrayLike, inradius: ArrayLike
) -> Float[Array, "..."]:
    """2 a / (1 - a/rho), a ceiling of the separation of any N points of a convex domain; inf where a >= rho.

    inradius: rho, of any ball inside the domain (1/2 for the unit cube).  Weaker than S4, for any convex set.
    """
    radius = ball_radius(num_points, dim=dim, volume=volume)
    room = 1.0 - radius / jnp.asarray(inradius, float)
    return jnp.where(room > 0.0, 2.0 * radius / jnp.where(room > 0.0, room, 1.0), jnp.inf)


def line_fill_ceiling(separation: ArrayLike, num_points: ArrayLike, *, length: ArrayLike = 1.0) -> Float[Array, "..."]:
    """max(l - (N-1) h, (l - (N-2) h) / 2), a ceiling of the fill distance in an interval; arguments broadcast.

    It does not rise in h, and falls for N >= 3.  separation: h <= h_min.  length: l.
    """
    h, count = jnp.asarray(separation, float), jnp.asarray(num_points, float)
    return jnp.maximum(length - (count - 1.0) * h, 0.5 * (length - (count - 2.0) * h))


def check(
    *,
    fill_distance: float,
    separation: float,
    instance: str,
    pool_fill: float = 0.0,
    maximality: float = 0.0,
    observed_pool_distance: float = 0.0,
) -> Check:
    """Hold the fill distance of a farthest-first set, or any lower bound of it, against h_min + q.

    maximality: min over k of (distance of x_k to those before it) - (largest such distance in the pool), 0 for
    farthest-first; of other sets `separation` - (a ceiling of the separation of any N + 1 points), line 8.
    observed_pool_distance: largest distance of a point of Omega to the pool that was seen.
    """
    require.at_least_zero(fill_distance=fill_distance, separation=separation, pool_fill=pool_fill)
    bound = float(fill_ceiling(separation, pool_fill=pool_fill))
    return Check(
        claim=CLAIM.id,
        inequality="cover",
        instance=instance,
        measured=fill_distance,
        sense="<=",
        bound=bound,
        rounding=ROUNDING * bound,
        margins=_greedy_margins(pool_fill, maximality, observed_pool_distance),
    )


def check_error(
    *,
    sup_error: float,
    node_error: float,
    lipschitz_f: float,
    lipschitz_g: float,
    separation: float,
    instance: str,
    pool_fill: float = 0.0,
    maximality: float = 0.0,
    observed_pool_distance: float = 0.0,
    observed_slope: float = 0.0,
    output_scale: float = 0.0,
) -> Check:
    """Hold |f - g|_inf, or any lower bound of it, against eps + (Lip f + Lip g) (h_min + q); arguments as in A1."""
    numbers = {"sup_error": sup_error, "node_error": node_error, "separation": separation, "pool_fill": pool_fill}
    require.at_least_zero(**numbers, lipschitz_f=lipschitz_f, lipschitz_g=lipschitz_g)
    lipschitz = lipschitz_f + lipschitz_g
    bound = float(sup_bound(node_error, lipschitz, fill_distance=fill_ceiling(separation, pool_fill=pool_fill)))
    return Check(
        claim=CLAIM.id,
        inequality="error",
        instance=instance,
        measured=sup_error,
        sense="<=",
        bound=bound,
        rounding=ROUNDING * (bound + output_scale),
        margins=_greedy_margins(pool_fill, maximality, observed_pool_distance)
        | {"lipschitz constants": lipschitz * (1.0 + ROUNDING) - observed_slope},
    )


def check_half(*, fill_distance: float, separation: float, instance: str, connectedness: float = 0.0) -> Check:
    """Hold h_fill, or any upper bound of it, of any set of two points or more against h_min / 2.

    connectedness: minus the gap between the parts of Omega, 0 for a connected one.
    """
    require.at_least_zero(fill_distance=fill_distance, separation=separation)
    bound = 0.5 * separation
    return Check(
        claim=CLAIM.id,
        inequality="half",
        instance=instance,
        measured=fill_distance,
        sense=">=",
        bound=bound,
        rounding=ROUNDING * bound,
        margins={"connected domain": connectedness},
    )


def check_volume(
    *,
    separation: float,
    num_points: int,
    dim: int,
    volume: float,
    instance: str,
    pool_fill: float = 0.0,
    maximality: float = 0.0,
    observed_pool_distance: float = 0.0,
) -> Check:
    """Hold h_min + q of a farthest-first set against a = (|Omega| / (N V_d))^(1/d)."""
    _require_pair(num_points)
    bound = float(ball_radius(num_points, dim=dim, volume=volume))
    return Check(
        claim=CLAIM.id,
        inequality="volume",
        instance=instance,
        measured=float(fill_ceiling(separation, pool_fill=pool_fill)),
        sense=">=",
        bound=bound,
        rounding=ROUNDING * bound,
        margins=_greedy_margins(pool_fill, maximality, observed_pool_distance),
    )


def check_packing(
    *,
    separation: float,
    num_points: int,
    dim: int,
    volume: float,
    inradius: float,
    instance: str,
    convexity: float = 0.0,
) -> Check:
    """Hold the separation of any set against 2 a / (1 - a/rho); vacuous where a >= rho.

    convexity: minus the length of a chord of Omega outside it, 0 for a convex domain.
    """
    _require_pair(num_points)
    bound = float(separation_ceiling(num_points, dim=dim, volume=volume, inradius=inradius))
    return Check(
        claim=CLAIM.id,
        inequality="packing",
        instance=instance,
        measured=separation,
        sense="<=",
        bound=bound,
        rounding=ROUNDING * bound if math.isfinite(bound) else 0.0,
        margins={"convex domain": convexity},
        vacuous=math.isinf(bound),
    )


def check_line(
    *,
    fill_distance: float,
    separation: float,
    true_separation: float,
    num_points: int,
    instance: str,
    length: float = 1.0,
) -> Check:
    """Hold the fill distance of any set of an interval against the most that `separation` and N leave room for."""
    _require_pair(num_points)
    require.at_least_zero(fill_distance=fill_distance, separation=separation, length=length)
    return Check(
        claim=CLAIM.id,
        inequality="line",
        instance=instance,
        measured=fill_distance,
        sense="<=",
        bound=float(line_fill_ceiling(separation, num_points, length=length)),
        rounding=ROUNDING * length,
        margins={"separation": true_separation * (1.0 + ROUNDING) - separation},
    )


def _greedy_margins(pool_fill: float, maximality: float, observed_pool_distance: float) -> dict[str, float]:
    return {"farthest first": maximality, "pool": pool_fill * (1.0 + ROUNDING) - observed_pool_distance}


def _require_pair(num_points: int) -> None:
    if num_points < 2:
        raise ValueError(f"num_points must be at least 2 to have a separation, but was {num_points}")

"""Separation error: at fixed N, Lipschitz constant and sup, the bound on the mean error falls as h_min grows.

Statement. e = f - g on Omega in R^d: Lip e <= L, |e| <= M, |e(x_i)| <= eps <= M at N points of separation h, and the
balls B(x_i, h/2) lie in Omega. With r = min(h/2, (M - eps)/L),
  int_Omega |e| <= M |Omega| - N V_d ((M - eps) r^d - L d/(d+1) r^(d+1)).
For eps = 0 and L h/2 <= M that is L N V_d d/(d+1) (h/2)^(d+1) + M (|Omega| - N V_d (h/2)^d).
The right side falls strictly in h while L h/2 < M - eps, then stays at its least value
M |Omega| - N V_d (M - eps)^(d+1) / ((d+1) L^d); it is below the trivial M |Omega| for every h > 0.
Hypotheses. H1 Lip e <= L on each ball. H2 |e| <= M. H3 |e(x_i)| <= eps. H4 the balls lie in Omega. H5 h is at most
  the separation.
Source. Reconstruction of "the approximation error falls as h_min grows", in the one form that needs no fill distance.
Proof.  paper_notes.md, A3, lines 1-6.
Sharp.  e = min(eps + L dist(., X), M) with (M - eps)/L <= h/2, any d and N; or balls that tile Omega (d = 1). For every
  h, with L needed on the balls only: e = M outside them.
Failure. Points on the boundary count half balls as whole ones. Beware: it is the BOUND that falls in h, at fixed N, L
  and M; the error itself need not (A6). The gain over M |Omega| is at most the share of Omega in the balls, so it is
  exponentially small in d.
Units.  e, M, eps in label units; L in labels per input unit; h in input units; the integral is not divided by |Omega|.
"""

import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from theory import require
from theory.ball import unit_ball_volume
from theory.claim import Claim
from theory.rounding import ROUNDING
from theory.verdict import Check

CLAIM = Claim(
    id="A3",
    title="Separation error",
    statement="|e|_1 <= M |Omega| - N V_d ((M - eps) r^d - L d/(d+1) r^(d+1)), r = min(h_min/2, (M - eps)/L), "
    "which falls as h_min grows at fixed N, L, M",
    hypotheses={
        "lipschitz constant": "e has Lipschitz constant L on each ball",
        "sup": "|e| <= M on Omega",
        "node error": "|e(x_i)| <= eps at every point",
        "balls inside": "the balls B(x_i, h/2) lie in Omega",
        "separation": "h is at most the separation of the points",
    },
    provenance="reconstruction",
    source="disjoint balls about the points, a cone in each",
    module="separation_error",
    abstract="the approximation error falls as the minimum pairwise distance grows",
    sharp="e = min(eps + L dist(., X), M) with (M - eps)/L <= h/2, for every N and d",
    tight=True,
    constants="known: N, h, d, |Omega|; measured on the trained network: L, M, eps",
    standing="conditional",
)


def separation_gain(
    separation: ArrayLike,
    num_points: ArrayLike,
    *,
    dim: int,
    lipschitz: ArrayLike,
    sup_error: ArrayLike,
    node_error: ArrayLike = 0.0,
) -> Float[Array, "..."]:
    """N V_d ((M - eps) r^d - L d/(d+1) r^(d+1)), a floor of M |Omega| - int |e| (labels times volume); broadcasts.

    separation: h.  lipschitz: L >= 0 (0 leaves r = h/2).  sup_error: M.  node_error: eps <= M.
    """
    rise = jnp.asarray(sup_error, float) - node_error
    slope = jnp.asarray(lipschitz, float)
    reach = jnp.where(slope > 0.0, rise / jnp.where(slope > 0.0, slope, 1.0), jnp.inf)  # where the cone meets M
    radius = jnp.minimum(0.5 * jnp.asarray(separation, float), reach)
    cone = rise * radius**dim - slope * (dim / (dim + 1.0)) * radius ** (dim + 1)  # line 3, one ball, over V_d
    return jnp.asarray(num_points, float) * unit_ball_volume(dim) * cone


def separation_bound(
    separation: ArrayLike,
    num_points: ArrayLike,
    *,
    dim: int,
    volume: ArrayLike,
    lipschitz: ArrayLike,
    sup_error: ArrayLike,
    node_error: ArrayLike = 0.0,
) -> Float[Array, "..."]:
    """M |Omega| less the gain, a ceiling of int |e| (labels times volume); arguments as in `separation_gain`."""
    gain = separation_gain(
        separation, num_points, dim=dim, lipschitz=lipschitz, sup_error=sup_error, node_error=node_error
    )
    return jnp.asarray(volume, float) * sup_error - gain


def check(
    *,
    integral: float,
    separation: float,
    num_points: int,
    dim: int,
    volume: float,
    lipschitz: float,
    sup_error: float,
    node_error: float,
    true_separation: float,
    boundary_distance: float,
    instance: str,
    observed_slope: float = 0.0,
    observed_sup: float = 0.0,
    observed_node_error: float = 0.0,
) -> Check:
    """Hold M |Omega| - int_Omega |e|, what is missing from the trivial ceiling, against the gain promised.

    The same inequality as int |e| <= `separation_bound`, but a small gain does not hide behind a large M |Omega|.
    integral: int_Omega |e|, or any lower bound of it.
    true_separation: least distance of two of the points (inf for one point).  boundary_distance: least distance of a
    point to the complement of Omega.  observed_*: what was seen of e, 0 where its constants hold by construction.
    Vacuous where nothing is gained: h = 0 or eps = M.
    """
    if num_points < 1:
        raise ValueError(f"num_points must be at least 1, but was {num_points}")
    if node_error > sup_error:
        raise ValueError(f"node_error must be at most sup_error = {sup_error}, but was {node_error}")
    require.at_least_zero(integral=integral, separation=separation, volume=volume, lipschitz=lipschitz)
    require.at_least_zero(node_error=node_error)
    gain = float(
        separation_gain(
            separation, num_points, dim=dim, lipschitz=lipschitz, sup_error=sup_error, node_error=node_error
        )
    )
    trivial = sup_error * volume
    loosened = 1.0 + ROUNDING
    return Check(
        claim=CLAIM.id,
        inequality="gain",
        instance=instance,
        measured=trivial - integral,
        sense=">=",
        bound=gain,
        rounding=ROUNDING * trivial,
        margins={
            "lipschitz constant": lipschitz * loosened - observed_slope,
            "sup": sup_error * loosened - observed_sup,
            "node error": node_error + ROUNDING * sup_error - observed_node_error,
            "balls inside": boundary_distance * loosened - 0.5 * separation,
            "separation": true_separation * loosened - separation,
        },
        vacuous=gain <= ROUNDING * trivial,
    )

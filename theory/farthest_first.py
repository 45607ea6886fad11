"""Farthest-first traversal: the greedy choice by largest minimum distance is within a factor 2 of both optima.

Statement. A finite pool with distances d; s_1 any pool point, s_k a pool point farthest from S_{k-1} = {s_1..s_{k-1}},
r_k = d(s_k, S_{k-1}) its insertion distance. For every k, and k >= 2 wherever h_min(S_k) stands,
  fall        r_2 >= r_3 >= ...,  h_min(S_k) = r_k,  cover(S_k) = r_{k+1} <= h_min(S_k)
  dispersion  h_min(S_k) >= OPT/2,  OPT = largest h_min of any k points of the pool
  cover       cover(S_k) <= 2 OPT,  OPT = least cover radius of the pool by any k centres, in the pool or outside
with cover(S) = max over the pool of the distance to the nearest point of S.
Hypotheses. H1 d is a metric; "fall" needs no triangle inequality. H2 each choice is a farthest one.
  H3 the optima are those of the same pool.
Source. Classic: Gonzalez 1985; Ravi, Rosenkrantz and Tayi 1994 for dispersion.
Proof.  paper_notes.md, D1, lines 1-5.
Sharp.  Both factors 2: a star (centre first, leaves 1 away and 2 apart) for dispersion with every k; the segment
  {0, 1/2, 1} from an end for cover with k = 1, and such segments far from each other for larger k.
Failure. A dissimilarity without the triangle inequality (H1); a near choice (H2); optima of a larger pool (H3).
Units.  All distances in the unit of d.
"""

import numpy as np
from jaxtyping import Float, Int

from theory.claim import Claim
from theory.verdict import Check

CLAIM = Claim(
    id="D1",
    title="Farthest-first traversal",
    statement="h_min(S_k) >= OPT_dispersion/2 and cover(S_k) <= min(h_min(S_k), 2 OPT_cover) for the farthest-first "
    "choice S_k from a pool",
    hypotheses={
        "metric": "the distance is symmetric and obeys the triangle inequality",
        "farthest choice": "each point is a farthest one of the pool from those before it",
        "same pool": "the optima are taken over, and cover, the pool that is chosen from",
    },
    provenance="classic",
    source="Gonzalez 1985; Ravi, Rosenkrantz and Tayi 1994",
    module="farthest_first",
    abstract="selecting data by maximal pairwise distance: what the greedy choice guarantees",
    sharp="star for dispersion, segments of three points for cover",
    tight=True,
    constants="known: 2; the optima are computed by brute force on small pools",
    standing="proved and tight",
)

FACTOR = 2.0
ROUNDING = 2.0**-46
"""Relative float64 allowance, 64 eps: distances in up to some fifty coordinates, and their shortest paths."""


def dispersion_floor(optimum: float | int) -> float:
    """OPT/2, the least that h_min(S_k) can be."""
    return optimum / FACTOR


def cover_ceiling(optimum: float | int) -> float:
    """2 OPT, the most that cover(S_k) can be."""
    return FACTOR * optimum


def insertion_distances(distances: Float[np.ndarray, "n n"], order: Int[np.ndarray, " k"]) -> Float[np.ndarray, " k-1"]:
    """r_2..r_k: distance of each chosen point to those chosen before it."""
    among = distances[np.ix_(order, order)]
    return np.array([among[k, :k].min() for k in range(1, len(order))])


def chosen_separation(distances: Float[np.ndarray, "n n"], order: Int[np.ndarray, " k"]) -> float:
    """h_min(S_k), k >= 2."""
    return float(distances[np.ix_(order, order)][np.triu_indices(len(order), 1)].min())


def cover_radius(distances: Float[np.ndarray, "n n"], order: Int[np.ndarray, " k"]) -> float:
    """cover(S_k) = r_{k+1}: the largest distance from a pool point to the nearest chosen one."""
    return float(distances[:, order].min(axis=1).max())


def metric_margin(distances: Float[np.ndarray, "n n"]) -> float:
    """Least excess d(x,z) + d(z,y) - d(x,y) over all triples, or minus the largest asymmetry where that is less."""
    through = (distances[:, None, :] + distances.T[None, :, :]).min(axis=2)  # [x, y]: the best z
    return float(min((through - distances).min(), -np.abs(distances - distances.T).max()))


def choice_margin(distances: Float[np.ndarray, "n n"], order: Int[np.ndarray, " k"]) -> float:
    """Minus the most by which a chosen point is nearer than the farthest one at its turn; 0 for farthest-first."""
    nearest = np.minimum.accumulate(distances[:, order[:-1]], axis=1)
    turns = np.arange(len(order) - 1)
    return float(min((nearest[order[1:], turns] - nearest.max(axis=0)).min(), 0.0)) if len(turns) else 0.0


def check_dispersion(
    distances: Float[np.ndarray, "n n"], order: Int[np.ndarray, " k"], *, optimum: float, instance: str = "pool"
) -> Check:
    """Hold h_min(S_k) of the chosen indices against OPT/2; vacuous where OPT = 0 (too many duplicates).

    distances: of the pool.  optimum: largest separation of k points of this pool.
    """
    require_order(order, len(distances), least=2)
    rounding = ROUNDING * float(distances.max())
    return Check(
        claim=CLAIM.id,
        inequality="dispersion",
        instance=instance,
        measured=chosen_separation(distances, order),
        sense=">=",
        bound=dispersion_floor(optimum),
        rounding=rounding,
        margins=_margins(distances, order, rounding),
        vacuous=optimum == 0.0,
    )


def check_cover(
    distances: Float[np.ndarray, "n n"], order: Int[np.ndarray, " k"], *, optimum: float, instance: str = "pool"
) -> Check:
    """Hold cover(S_k) against 2 OPT, OPT the least radius at which k centres of the metric space cover this pool."""
    require_order(order, len(distances), least=1)
    rounding = ROUNDING * float(distances.max())
    return Check(
        claim=CLAIM.id,
        inequality="cover",
        instance=instance,
        measured=cover_radius(distances, order),
        sense="<=",
        bound=cover_ceiling(optimum),
        rounding=rounding,
        margins=_margins(distances, order, rounding),
    )


def check_fall(distances: Float[np.ndarray, "n n"], order: Int[np.ndarray, " k"], *, instance: str = "pool") -> Check:
    """Hold cover(S_k) = r_{k+1} against h_min(S_k) = r_k: true of any dissimilarity."""
    require_order(order, len(distances), least=2)
    rounding = ROUNDING * float(distances.max())
    return Check(
        claim=CLAIM.id,
        inequality="fall",
        instance=instance,
        measured=cover_radius(distances, order),
        sense="<=",
        bound=chosen_separation(distances, order),
        rounding=rounding,
        margins={"farthest choice": choice_margin(distances, order) + rounding},
    )


def _margins(distances: Float[np.ndarray, "n n"], order: Int[np.ndarray, " k"], rounding: float) -> dict[str, float]:
    return {
        "metric": metric_margin(distances) + rounding,
        "farthest choice": choice_margin(distances, order) + rounding,
    }


def require_order(order: Int[np.ndarray, " k"], pool_size: int, *, least: int) -> None:
    """Raise ValueError unless `order` is at least `least` different indices of the pool."""
    if len(order) < least or len(set(order.tolist())) < len(order):
        raise ValueError(f"order must be at least {least} different indices, but was {order.tolist()}")
    if order.min() < 0 or order.max() >= pool_size:
        raise ValueError(f"order must hold indices of the {pool_size} pool points, but was {order.tolist()}")

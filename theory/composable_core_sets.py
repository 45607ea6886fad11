"""Composable core-sets: farthest-first in each part of a pool, then among what the parts kept, is within 6 and 4.

Statement. A finite pool in parts P_1..P_m; T_i a farthest-first choice of at least k points of P_i, or all of it;
T their union, c = cover(T); S_k the first k of a farthest-first choice from T; cover(.) over the whole pool. k >= 2
wherever h_min(S_k) or OPT_dispersion stands; S_k needs no more than T and two numbers known after the run.
  core-set            OPT_dispersion(T) >= OPT_dispersion / 3
  dispersion          h_min(S_k) >= OPT_dispersion / 6
  cover               cover(S_k) <= 4 OPT_cover, the k centres in the pool or outside
  fall                cover(S_k) <= h_min(S_k) + c <= 3 h_min(S_k)
  dispersion ceiling  OPT_dispersion <= 2 cover(S_{k-1}) <= 2 (h_min(S_k) + c)     any k - 1 points for S_{k-1}
  cover floor         OPT_cover >= min(h_min(S_k), cover(S_k)) / 2                 any k points for S_k
The last two are a certificate: with everything in one part they are D1's factors 2, and in general they say how much
of 6 and 4 this pool's parts have cost.
Hypotheses. H1 d is a metric. H2 each choice, in the parts and of the union, is a farthest one. H3 each part keeps k
  points or all it has. H4 the parts together are the pool. The certificate needs H1 and H4 alone.
Source. Core-sets and the 3: Indyk, Mahabadi, Mahdian and Mirrokni 2014; the 4: Malkomes, Kusner, Chen, Weinberger and
  Moseley 2015. Certificate and fall: reconstruction.
Proof.  paper_notes.md, D4, lines 1-7.
Sharp.  All constants, and for every size of the kept choices: {0}, {-1, 1, -3}, {1, -1, 3} on the line with k = 2 has
  h_min(S_k) = 1, OPT = 6, cover(S_k) = 3; an equilateral triangle with a tail for the 4.
Failure. No triangle inequality (H1); a near choice (H2); a part that keeps fewer (H3); a point in no part (H4).
Units.  All distances in the unit of d.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from theory.claim import Claim
from theory.farthest_first import choice_margin, chosen_separation, cover_radius, metric_margin, require_order
from theory.verdict import Check

CLAIM = Claim(
    id="D4",
    title="Composable core-sets",
    statement="h_min(S_k) >= OPT_dispersion/6, cover(S_k) <= min(3 h_min(S_k), 4 OPT_cover) and OPT_dispersion <= "
    "2 cover(S_{k-1}) for a farthest-first choice among farthest-first choices from the parts of a pool",
    hypotheses={
        "metric": "the distance is symmetric and obeys the triangle inequality",
        "farthest choice": "each point is a farthest one, of its part or of the union, from those before it",
        "enough of each part": "every part keeps at least k points, or all it has",
        "whole pool": "the parts together are the pool that is to be covered and optimised over",
    },
    provenance="classic",
    source="Indyk, Mahabadi, Mahdian and Mirrokni 2014; Malkomes et al. 2015",
    module="composable_core_sets",
    abstract="selecting data by maximal pairwise distance: what the choice guarantees when the pool fits on no machine",
    sharp="three parts of the line for 3 and 6, a triangle with a tail for 4",
    tight=True,
    constants="known: 3, 4 and 6; the certificate is measured on the run; optima by brute force on small pools",
    standing="proved and tight",
    rests_on=("D1",),
)

CORE_FACTOR, DISPERSION_FACTOR, COVER_FACTOR = 3.0, 6.0, 4.0
FALL_FACTOR = 3.0
ROUNDING = 2.0**-46
"""Relative float64 allowance, 64 eps: distances in up to some fifty coordinates, and their shortest paths."""


class Composition(NamedTuple):
    """parts: the pool's indices, part by part.  cores: what each kept, in order of insertion.  order: S_k likewise."""

    parts: tuple[Int[np.ndarray, " _"], ...]
    cores: tuple[Int[np.ndarray, " _"], ...]
    order: Int[np.ndarray, " k"]

    @property
    def union(self) -> Int[np.ndarray, " _"]:
        """T, ascending."""
        return np.unique(np.concatenate(self.cores))


def dispersion_ceiling(cover_before: float | int) -> float:
    """2 cover(S_{k-1}): no k points of the pool are farther apart, whoever chose the k - 1."""
    return 2.0 * cover_before


def cover_floor(separation: float | int, cover: float | int) -> float:
    """min(h_min(S_k), cover(S_k))/2: no k centres cover the pool at a lesser radius. separation: inf for k = 1."""
    return min(separation, cover) / 2.0


def check_core_set(
    distances: Float[np.ndarray, "n n"],
    composed: Composition,
    *,
    kept_optimum: float,
    optimum: float,
    instance: str = "pool",
) -> Check:
    """Hold the largest separation of k points of T, `kept_optimum`, against OPT/3."""
    require_order(composed.order, len(distances), least=2)
    return Check(
        claim=CLAIM.id,
        inequality="core-set",
        instance=instance,
        measured=kept_optimum,
        sense=">=",
        bound=optimum / CORE_FACTOR,
        rounding=_rounding(distances),
        margins=_margins(distances, composed),
        vacuous=optimum == 0.0,
    )


def check_dispersion(
    distances: Float[np.ndarray, "n n"], composed: Composition, *, optimum: float, instance: str = "pool"
) -> Check:
    """Hold h_min(S_k) against OPT/6; vacuous where OPT = 0 (too many duplicates)."""
    require_order(composed.order, len(distances), least=2)
    return Check(
        claim=CLAIM.id,
        inequality="dispersion",
        instance=instance,
        measured=chosen_separation(distances, composed.order),
        sense=">=",
        bound=optimum / DISPERSION_FACTOR,
        rounding=_rounding(distances),
        margins=_margins(distances, composed),
        vacuous=optimum == 0.0,
    )


def check_cover(
    distances: Float[np.ndarray, "n n"], composed: Composition, *, optimum: float, instance: str = "pool"
) -> Check:
    """Hold cover(S_k) against 4 OPT, OPT the least radius at which k centres of the metric space cover this pool."""
    require_order(composed.order, len(distances), least=1)
    return Check(
        claim=CLAIM.id,
        inequality="cover",
        instance=instance,
        measured=cover_radius(distances, composed.order),
        sense="<=",
        bound=COVER_FACTOR * optimum,
        rounding=_rounding(distances),
        margins=_margins(distances, composed),
    )


def check_fall(distances: Float[np.ndarray, "n n"], composed: Composition, *, instance: str = "pool") -> Check:
    """Hold cover(S_k) against 3 h_min(S_k)."""
    require_order(composed.order, len(distances), least=2)
    return Check(
        claim=CLAIM.id,
        inequality="fall",
        instance=instance,
        measured=cover_radius(distances, composed.order),
        sense="<=",
        bound=FALL_FACTOR * chosen_separation(distances, composed.order),
        rounding=_rounding(distances),
        margins=_margins(distances, composed),
    )


def check_dispersion_ceiling(
    distances: Float[np.ndarray, "n n"], order: Int[np.ndarray, " k"], *, optimum: float, instance: str = "pool"
) -> Check:
    """Hold OPT against 2 cover(S_{k-1}), S_{k-1} all but the last of `order`: any different points of the pool."""
    require_order(order, len(distances), least=2)
    rounding = _rounding(distances)
    return Check(
        claim=CLAIM.id,
        inequality="dispersion ceiling",
        instance=instance,
        measured=optimum,
        sense="<=",
        bound=dispersion_ceiling(cover_radius(distances, order[:-1])),
        rounding=rounding,
        margins={"metric": metric_margin(distances) + rounding},
    )


def check_cover_floor(
    distances: Float[np.ndarray, "n n"], order: Int[np.ndarray, " k"], *, optimum: float, instance: str = "pool"
) -> Check:
    """Hold the least radius of k centres against min(h_min(S_k), cover(S_k))/2, S_k any k points of the pool."""
    require_order(order, len(distances), least=1)
    rounding = _rounding(distances)
    separation = chosen_separation(distances, order) if len(order) > 1 else np.inf
    bound = cover_floor(separation, cover_radius(distances, order))
    return Check(
        claim=CLAIM.id,
        inequality="cover floor",
        instance=instance,
        measured=optimum,
        sense=">=",
        bound=bound,
        rounding=rounding,
        margins={"metric": metric_margin(distances) + rounding},
        vacuous=bound == 0.0,
    )


def _rounding(distances: Float[np.ndarray, "n n"]) -> float:
    return ROUNDING * float(distances.max())


def _margins(distances: Float[np.ndarray, "n n"], composed: Composition) -> dict[str, float]:
    rounding, k = _rounding(distances), len(composed.order)
    choices = [*zip(composed.parts, composed.cores), (composed.union, composed.order)]
    return {
        "metric": metric_margin(distances) + rounding,
        "farthest choice": min(_choice_margin(distances, among, chosen) for among, chosen in choices) + rounding,
        "enough of each part": float(
            min(len(core) - min(k, len(part)) for part, core in zip(composed.parts, composed.cores))
        ),
        "whole pool": float(len(np.unique(np.concatenate(composed.parts))) - len(distances)),
    }


def _choice_margin(
    distances: Float[np.ndarray, "n n"], among: Int[np.ndarray, " m"], chosen: Int[np.ndarray, " c"]
) -> float:
    """`choice_margin` of a choice from the points `among`, both as indices of the table."""
    among = np.sort(among)
    return choice_margin(distances[np.ix_(among, among)], np.searchsorted(among, chosen))

"""Subset separation: fewer points are farther apart, whoever chooses them, so compare subsets of the same size.

Statement. A pool of N points with n = N(N-1)/2 pair dissimilarities d_1 <= .. <= d_n, a subset S of k >= 2 of them,
q = k(k-1) / (N(N-1)); E, P over the uniformly random k-subset.
  containment  h_min(S) >= h_min(pool), and h_min(S) >= h_min(S') for S in S'
  tail         P(h_min(S) <= t) <= q c,  c = number of pairs with d <= t
  kept         P(h_min(S) <= t) >= q wherever c >= 1;  so P(h_min(S) > h_min(pool)) <= 1 - q, = if the pair is unique
  mean         E h_min(S) >= sum_i w_i d_i,  w_i = (1 - q(i-1))_+ - (1 - q i)_+: the mean of the first 1/q distances
  size         E h_min(S) does not rise with k
Hypotheses. H1 S is a subset of the pool. H2 its k points are drawn without repetition. H3 (all but containment) every
  k-subset is equally likely. No metric: any symmetric dissimilarity, duplicates in the pool allowed.
Source. Reconstruction: union bound over pairs.
Proof.  paper_notes.md, D3, lines 1-6.
Sharp.  Containment: S holds the closest pair. Tail and kept: one close pair; tail also k = 2, any t. Mean: k = 2, or
  all distances equal. Size: all distances equal.
Failure. A foreign point (H1); a repeated point, h_min = 0 (H2); a choice that seeks the close pair (H3).
Units.  d, h_min, t in one unit; q, c and P are numbers.
"""

import math

import numpy as np
from jaxtyping import Float, Int

from theory.claim import Claim
from theory.verdict import Check

CLAIM = Claim(
    id="D3",
    title="Subset separation",
    statement="h_min(S) >= h_min(pool); for a random k-subset P(h_min(S) <= t) <= c k(k-1)/(N(N-1)), c the number of "
    "pairs within t, with equality for a single one",
    hypotheses={
        "subset of the pool": "every chosen point belongs to the pool",
        "distinct draws": "no point is chosen twice",
        "uniform choice": "every subset of k points is equally likely (not needed for containment)",
    },
    provenance="reconstruction",
    source="union bound over pairs",
    module="subset_separation",
    abstract="selecting data by maximal pairwise distance: what size alone does to the minimum distance",
    sharp="containment: S holds the closest pair; tail: k = 2, or one close pair; mean: k = 2",
    tight=True,
    constants="known: N, k and the pool's distances",
    standing="proved and tight",
)

ROUNDING = 2.0**-46
"""Relative float64 allowance, 64 eps, for counts, products and the mean over at most some thousand pairs."""


def kept_probability(subset_size: int, pool_size: int) -> float:
    """q = k(k-1) / (N(N-1)), the probability that a given pair of the pool is in the random k-subset."""
    _require(subset_size, pool_size)
    return subset_size * (subset_size - 1) / (pool_size * (pool_size - 1))


def tail_ceiling(close_pairs: int, *, subset_size: int, pool_size: int) -> float:
    """min(1, q c), the most that P(h_min(S) <= t) can be with c pairs of the pool within t."""
    if not 0 <= close_pairs <= pool_size * (pool_size - 1) // 2:
        raise ValueError(f"close_pairs must lie between 0 and the pool's number of pairs, but was {close_pairs}")
    return min(1.0, kept_probability(subset_size, pool_size) * close_pairs)


def mean_floor(pair_distances: Float[np.ndarray, " pairs"], *, subset_size: int) -> float:
    """sum_i w_i d_i, a lower bound on E h_min(S): the integral of (1 - q c(t))_+ over t > 0 (line 4).

    pair_distances: all N(N-1)/2 dissimilarities of the pool, in any order.
    """
    pairs = len(pair_distances)
    pool_size = (1 + math.isqrt(1 + 8 * pairs)) // 2
    if pool_size * (pool_size - 1) != 2 * pairs:
        raise ValueError(f"pair_distances must hold N(N-1)/2 numbers for some N, but held {pairs}")
    survival = np.maximum(1.0 - kept_probability(subset_size, pool_size) * np.arange(pairs + 1), 0.0)
    return float(np.sum((survival[:-1] - survival[1:]) * np.sort(pair_distances)))


def check_containment(
    distances: Float[np.ndarray, "all all"],
    chosen: Int[np.ndarray, " k"],
    *,
    pool_size: int,
    instance: str = "subset",
) -> Check:
    """Hold h_min of the chosen indices against that of the pool, the first `pool_size` rows of the table."""
    if len(chosen) < 2:
        raise ValueError(f"chosen must hold at least 2 indices, but held {len(chosen)}")
    among = distances[np.ix_(chosen, chosen)][np.triu_indices(len(chosen), 1)]
    pool = distances[:pool_size, :pool_size][np.triu_indices(pool_size, 1)]
    return check_separations(float(among.min()), float(pool.min()), instance=instance)._replace(
        margins={
            "subset of the pool": float(pool_size - 1 - chosen.max()),
            "distinct draws": float(len(set(chosen.tolist())) - len(chosen)),
        }
    )


def check_separations(
    separation: float, pool_separation: float, *, rounding: float = 0.0, instance: str = "subset"
) -> Check:
    """The same of two measured h_min, the subset's and the pool's; vacuous where the pool's is 0 up to rounding."""
    return Check(
        claim=CLAIM.id,
        inequality="containment",
        instance=instance,
        measured=separation,
        sense=">=",
        bound=pool_separation,
        rounding=rounding,
        vacuous=pool_separation <= rounding,
    )


def check_tail(
    probability: float, close_pairs: int, *, subset_size: int, pool_size: int, instance: str = "pool"
) -> Check:
    """Hold P(h_min(S) <= t) against q c; vacuous from 1 on.

    probability: exact, or the lower confidence limit of a sampled one.
    """
    bound = tail_ceiling(close_pairs, subset_size=subset_size, pool_size=pool_size)
    return Check(
        claim=CLAIM.id,
        inequality="tail",
        instance=instance,
        measured=probability,
        sense="<=",
        bound=bound,
        rounding=ROUNDING * bound,
        vacuous=bound >= 1.0,
    )


def check_kept(
    probability: float, close_pairs: int, *, subset_size: int, pool_size: int, instance: str = "pool"
) -> Check:
    """Hold P(h_min(S) <= t) against q where the pool has a pair within t; vacuous where it has none."""
    bound = kept_probability(subset_size, pool_size) if close_pairs else 0.0
    return Check(
        claim=CLAIM.id,
        inequality="kept",
        instance=instance,
        measured=probability,
        sense=">=",
        bound=bound,
        rounding=ROUNDING * bound,
        vacuous=close_pairs == 0,
    )


def check_mean(
    mean_separation: float, pair_distances: Float[np.ndarray, " pairs"], *, subset_size: int, instance: str = "pool"
) -> Check:
    """Hold E h_min(S), exact or an upper confidence limit, against the mean of the pool's first 1/q distances."""
    bound = mean_floor(pair_distances, subset_size=subset_size)
    return Check(
        claim=CLAIM.id,
        inequality="mean",
        instance=instance,
        measured=mean_separation,
        sense=">=",
        bound=bound,
        rounding=ROUNDING * bound,
        vacuous=bound == 0.0,
    )


def check_size(mean_separation: float, smaller_mean: float, *, instance: str = "pool") -> Check:
    """Hold E h_min of random k-subsets against that of random subsets with fewer points of the same pool."""
    return Check(
        claim=CLAIM.id,
        inequality="size",
        instance=instance,
        measured=mean_separation,
        sense="<=",
        bound=smaller_mean,
        rounding=ROUNDING * smaller_mean,
    )


def _require(subset_size: int, pool_size: int) -> None:
    if not 2 <= subset_size <= pool_size:
        raise ValueError(f"subset_size must lie between 2 and the pool's {pool_size} points, but was {subset_size}")

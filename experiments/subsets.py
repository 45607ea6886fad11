"""The subsets that training studies compare: one rule, one size, one pool; and controls matched to a subset.

  uniform                    farthest-first (greedy max-min)
  random                     every subset of the size equally likely
  half-random-half-min-dist  the first half of min-dist's choice, filled up with random rows of the rest
  min-dist                   again and again the row nearest to those chosen: the least uniform
  k-means++, facility        rules that look for coverage rather than distance
  full                       the whole pool
The first row chosen is row 0 of the pool wherever a rule needs one: shuffle the pool, and it is a random row.
Prefix.  But for half-random-half-min-dist a smaller subset of one seed is the beginning of a larger one.
Matched. A random subset with the class, the length or any other stratum of its rows as in a given subset tells what
  comes from those from what comes from the distances.
"""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from jaxtyping import Float, Int

from experiments.selection import select
from experiments.selection.methods import Method, Metric

_SELECTED: Mapping[str, Method] = MappingProxyType(
    {"uniform": "greedy", "min-dist": "min-dist", "k-means++": "k-means++", "facility": "facility"}
)
RULES = ("uniform", "random", "half-random-half-min-dist", "min-dist", "k-means++", "facility", "full")


def subset(
    points: Float[np.ndarray, "n d"],
    size: int,
    *,
    method: str,
    metric: Metric = "euclidean",
    seed: int = 0,
    max_outlier: float | None = None,
) -> Int[np.ndarray, " size"]:
    """Different rows of the pool in the order chosen; the metric is not looked at where the rule is random or full.

    max_outlier: as in `select`, the share of the pool that uniform leaves out for its nearest neighbour being far.
    Raises ValueError for an unknown method, a size outside 1..n, and a size other than n for the full pool.
    """
    if method not in RULES:
        raise ValueError(f"method must be one of {', '.join(RULES)}, but was {method!r}")
    if not 1 <= size <= len(points):
        raise ValueError(f"size must lie between 1 and the pool's {len(points)} points, but was {size}")
    if max_outlier is not None and method != "uniform":
        raise ValueError(f"max_outlier must be None for method {method!r}, but was {max_outlier}")
    if method == "full":
        if size != len(points):
            raise ValueError(f"size must be the pool's {len(points)} points for method 'full', but was {size}")
        return np.arange(size)
    if method == "random":
        return np.random.default_rng(seed).permutation(len(points))[:size]
    if method == "half-random-half-min-dist":
        return _half_random(points, size, metric, seed)
    return select(points, size, metric=metric, method=_SELECTED[method], seed=seed, max_outlier=max_outlier).indices


def _half_random(points: Float[np.ndarray, "n d"], size: int, metric: Metric, seed: int) -> Int[np.ndarray, " size"]:
    near = select(points, max(size // 2, 1), metric=metric, method="min-dist", seed=seed).indices
    rest = np.setdiff1d(np.arange(len(points)), near)
    return np.concatenate([near, np.random.default_rng(seed).permutation(rest)])[:size]


def strata(values: Float[np.ndarray, " n"], count: int) -> Int[np.ndarray, " n"]:
    """Which of `count` quantile bins (0 .. count - 1) each value is in; equal values share a bin."""
    if count < 1:
        raise ValueError(f"count must be at least 1, but was {count}")
    edges = np.quantile(values, np.arange(1, count) / count)
    return np.searchsorted(edges, values, side="left")


def matched(
    groups: Int[np.ndarray, " n"], chosen: Int[np.ndarray, " size"], *, seed: int = 0
) -> Int[np.ndarray, " size"]:
    """A random subset of the pool with exactly as many rows of every group as the chosen one has.

    groups: of every row of the pool (its class, or `strata` of its length).  Given the counts, every subset is equally
    likely, rows of the chosen one included.
    """
    rng = np.random.default_rng(seed)
    kinds, counts = np.unique(groups[chosen], return_counts=True)
    rows = [rng.permutation(np.flatnonzero(groups == kind))[:count] for kind, count in zip(kinds, counts)]
    return rng.permutation(np.concatenate(rows))

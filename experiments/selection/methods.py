"""Choose k rows of a pool by one of several rules; every prefix of a choice is the rule's choice of that size.

  greedy      farthest-first (D1, D2): the row farthest from those chosen
  random      every order of the rows is equally likely
  min-dist    the row nearest to those chosen, a dense clump: the ablation that minimises distance
  k-means++   a row drawn with probability proportional to its squared distance to those chosen
  facility    the row that brings the pool nearest to the chosen rows on average, (1 - 1/e) of the best in that
Start.   The first row of greedy, min-dist and k-means++: the pool's first one, one drawn with the seed, or the one
  closest to the mean ("center"). The rules random and facility find their own.
Outliers. With max_outlier = Q, rows whose nearest neighbour is farther than the (1 - Q) quantile of those distances are
  not chosen; they remain in the pool that is to be covered.
Ties.    The first of equally good rows.
Metric.  Euclidean, or the cosine distance 1 - cos (with k-means++, D^2 is then 2 (1 - cos)); every distance returned is
  in the metric asked for.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple, get_args

import numpy as np
from jaxtyping import Bool, Float, Int, Real

from experiments.selection.cloud import Cloud
from experiments.selection.facility_location import facility_location
from experiments.selection.insertion import insertion_and_cover
from experiments.selection.nearest_first import nearest_first
from experiments.selection.seeding import squared_distance_sampling
from experiments.selection.traversal import farthest_first

Metric = Literal["euclidean", "cosine"]
Method = Literal["greedy", "random", "min-dist", "k-means++", "facility"]
Start = Literal["first", "random", "center"]
METRICS, METHODS, STARTS = get_args(Metric), get_args(Method), get_args(Start)


class Selection(NamedTuple):
    """indices: the chosen rows in the order of insertion.  insertion: distance of each to those before it, inf first.

    cover: largest distance of a row of the pool to the nearest chosen one.
    """

    indices: Int[np.ndarray, " k"]
    insertion: Float[np.ndarray, " k"]
    cover: float


def select(
    points: Real[np.ndarray, "n d"],
    k: int,
    *,
    metric: Metric = "euclidean",
    method: Method = "greedy",
    start: Start = "first",
    seed: int = 0,
    max_outlier: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Selection:
    """Choose k of the n rows; `points` may be of any float type, and memory-mapped.

    progress: called with the number of rows chosen so far, and with k.
    Raises ValueError for arguments out of range, numbers that are not finite, and zero vectors under cosine.
    """
    for name, value, allowed in (("metric", metric, METRICS), ("method", method, METHODS), ("start", start, STARTS)):
        if value not in allowed:
            raise ValueError(f"{name} must be one of {', '.join(allowed)}, but was {value!r}")
    cloud = Cloud(points, metric)
    if not 1 <= k <= cloud.count:
        raise ValueError(f"k must lie between 1 and the pool's {cloud.count} rows, but was {k}")
    candidates = np.ones(cloud.count, dtype=bool) if max_outlier is None else _inliers(points, metric, max_outlier)
    if k > np.count_nonzero(candidates):
        raise ValueError(
            f"k must be at most {np.count_nonzero(candidates)}, the rows that max_outlier = {max_outlier} leaves, "
            f"but was {k}"
        )
    rng = np.random.default_rng(seed)
    first = _first(cloud, start, candidates, rng)
    if method == "greedy":
        return Selection(*farthest_first(cloud, k, start=first, candidates=candidates, progress=progress))
    if method == "random":
        order = rng.permutation(np.flatnonzero(candidates))[:k]
    elif method == "min-dist":
        order = nearest_first(cloud, k, start=first, candidates=candidates, progress=progress)
    elif method == "k-means++":
        order = squared_distance_sampling(cloud, k, start=first, candidates=candidates, rng=rng, progress=progress)
    else:
        order = facility_location(cloud, k, candidates=candidates, progress=progress)
    return Selection(order, *insertion_and_cover(cloud, order))


def _inliers(points: Real[np.ndarray, "n d"], metric: Metric, share: float) -> Bool[np.ndarray, " n"]:
    """Rows whose nearest neighbour is no farther than the (1 - share) quantile of all rows'."""
    if not 0.0 <= share < 1.0:
        raise ValueError(f"max_outlier must lie in [0, 1), but was {share}")
    if len(points) == 1:
        return np.ones(1, dtype=bool)
    from experiments.selection.nearest import nearest

    distance = nearest(points, metric=metric).distance
    return distance <= np.quantile(distance, 1.0 - share)


def _first(cloud: Cloud, start: Start, candidates: Bool[np.ndarray, " n"], rng: np.random.Generator) -> int:
    rows = np.flatnonzero(candidates)
    if start == "first":
        return int(rows[0])
    if start == "random":
        return int(rows[rng.integers(len(rows))])
    return int(rows[np.argmin(cloud.distances_to(cloud.centre[None])[rows])])

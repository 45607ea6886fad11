"""How uniform a data set is: its closest rows, its loneliest row, its duplicates, and what is possible at all.

  h_min            min_{i < j} D(x_i, x_j), exact, and a pair that attains it
  ceiling          no n points could have a larger h_min: of those in the box and in the ball about the mean that hold
                   the rows (theory/bounding_ceiling.py), or under "cosine" on the sphere (S4). In many dimensions it
                   is about the mean distance of two rows, far above what data with structure can reach
  nearest          distance of a row to the nearest other one; its mean, median and histogram over the rows
  fill             its largest value, that of the loneliest row.  Of rows chosen from a pool: the largest distance of a
                   row of the pool to the nearest chosen one, the fill distance (cover) over the pool
  exact duplicate  a row at distance 0 from another: equal, or under "cosine" parallel
  near duplicate   a row whose nearest other one is at most `near_threshold` away, and not at 0: by default, of the
                   median distance of those that are not at 0, the share NEAR_SHARE, and in fewer than 4 dimensions
                   the smaller share at which points spread evenly at random would have one such row in 14,000
                   (share^dim = 10^-4, and 1 - 2^(-10^-4) = 1/14,400). Under "cosine" the share is one of the angle,
                   that is of the square root
Groups. Duplicates are linked to their nearest row and fall into groups; `rows` counts all but one of each group.
Units.  Distances in the metric asked for: the data's unit, or 1 - cos in [0, 2]. Rows are counted from 0.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Real

from experiments.selection.cloud import Cloud
from experiments.selection.nearest import Nearest, cover, nearest_among
from theory.bounding_ceiling import ball_ceiling, box_ceiling
from theory.packing_ceiling import sphere_ceiling

NEAR_SHARE = 0.1
_BINS = 10
_GROUPS, _MEMBERS = 5, 5  # examples of duplicates, and rows of each


class Duplicates(NamedTuple):
    """rows: that repeat another one.  groups of such rows.  examples: first rows of some groups."""

    rows: int = 0
    groups: int = 0
    examples: Sequence[Sequence[int]] = ()


class Histogram(NamedTuple):
    """counts[b]: rows whose nearest distance lies in edges[b]..edges[b + 1]; rows at distance 0 are in none."""

    edges: Sequence[float] = ()
    counts: Sequence[int] = ()


class Thinned(NamedTuple):
    """Without so many rows, those that are closest to another one, h_min is at least this."""

    rows: int
    h_min: float


class Uniformity(NamedTuple):
    """n rows in d coordinates; see above. With a single row there are no distances, and None stands for them.

    ratio: h_min / ceiling, None where both are 0.  mean_distance: of two rows, under "euclidean" the root mean square.
    widest: the column that contributes most to the mean squared distance, and its share of it; None if that is 0.
    thinned: without one row in a hundred, None for fewer than three rows.
    """

    n: int
    d: int
    metric: str
    fill: float | None
    loneliest: int | None
    h_min: float | None = None
    closest_pair: tuple[int, int] | None = None
    ceiling: float | None = None
    ratio: float | None = None
    mean_nearest: float | None = None
    median_nearest: float | None = None
    mean_distance: float | None = None
    widest: tuple[int, float] | None = None
    exact: Duplicates = Duplicates()
    near: Duplicates = Duplicates()
    near_threshold: float | None = None
    histogram: Histogram = Histogram()
    thinned: Thinned | None = None


def measure(
    points: Real[np.ndarray, "n d"],
    *,
    metric: str = "euclidean",
    chosen: Int[np.ndarray, " k"] | None = None,
    near: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Uniformity:
    """Measure a pool of rows, or the chosen ones among them.

    chosen: row numbers; what is told of rows is told in those of the pool.  near: another threshold than the default.
    progress: called with what is done and the whole.  Raises ValueError for a row without meaning, by number.
    """
    cloud = Cloud(points, metric)
    rows = np.arange(cloud.count) if chosen is None else np.asarray(chosen, dtype=np.intp)
    if len(rows) == 0 or rows.min() < 0 or rows.max() >= cloud.count:
        raise ValueError(f"chosen must be rows of the pool, from 0 to {cloud.count - 1}, at least one, but were not")
    if near is not None and not near >= 0.0:
        raise ValueError(f"near must be a distance of at least 0, but was {near}")
    fill, loneliest = (None, None) if chosen is None else cover(cloud, rows)
    if len(rows) == 1:
        return Uniformity(1, cloud.dim, metric, fill, loneliest)
    found = nearest_among(cloud, rows, progress=progress)
    distance = found.distance
    if chosen is None:
        loneliest = int(np.argmax(distance))
        fill = float(distance[loneliest])
    ceiling, mean_distance, widest = _scales(cloud, rows)
    first = int(np.argmin(distance))
    pair = int(rows[first]), int(rows[found.index[first]])
    apart = distance[distance > 0.0]
    threshold = near if near is not None else _near_threshold(apart, cloud)
    return Uniformity(
        n=len(rows),
        d=cloud.dim,
        metric=metric,
        h_min=float(distance[first]),
        closest_pair=(min(pair), max(pair)),
        ceiling=ceiling,
        ratio=float(distance[first]) / ceiling if ceiling > 0.0 else None,
        fill=fill,
        loneliest=loneliest,
        mean_nearest=float(np.mean(distance)),
        median_nearest=float(np.median(distance)),
        mean_distance=mean_distance,
        widest=widest,
        exact=_duplicates(found, distance == 0.0, rows),
        near=_duplicates(found, (distance > 0.0) & (distance <= threshold), rows),
        near_threshold=threshold,
        histogram=_histogram(apart),
        thinned=_thinned(distance),
    )


def _near_threshold(apart: Float[np.ndarray, " m"], cloud: Cloud) -> float:
    """From the nearest distances that are not 0."""
    share = min(NEAR_SHARE, 1e-4 ** (1.0 / max(1, cloud.dim - cloud.cosine)))
    return (share**2 if cloud.cosine else share) * float(np.median(apart)) if len(apart) else 0.0


def _thinned(distance: Float[np.ndarray, " n"]) -> Thinned | None:
    """Without the rows of least nearest distance: each of the others is as far from all as its own nearest distance."""
    dropped = math.ceil(len(distance) / 100)
    return Thinned(dropped, float(np.partition(distance, dropped)[dropped])) if dropped <= len(distance) - 2 else None


def _duplicates(found: Nearest, linked: Bool[np.ndarray, " n"], rows: Int[np.ndarray, " n"]) -> Duplicates:
    """Of the rows that are linked to their nearest one; the groups whose rows are nearest first, then the largest."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not linked.any():
        return Duplicates()
    row = np.flatnonzero(linked)
    links = coo_array((np.ones(len(row)), (row, found.index[row])), shape=(len(rows), len(rows)))
    _, group = connected_components(links, directed=False)
    members = np.unique(np.concatenate([row, found.index[row]]))
    _, group, sizes = np.unique(group[members], return_inverse=True, return_counts=True)
    nearest = np.full(len(sizes), np.inf)
    np.minimum.at(nearest, group, found.distance[members])
    examples = [rows[members[group == which][:_MEMBERS]].tolist() for which in np.lexsort((-sizes, nearest))[:_GROUPS]]
    return Duplicates(int(len(members) - len(sizes)), len(sizes), examples)


def _histogram(apart: Float[np.ndarray, " m"]) -> Histogram:
    """About ten bins of a round width over the middle 98 %, one below and one above for the rest."""
    if not len(apart):
        return Histogram()
    low, high = np.quantile(apart, [0.01, 0.99])
    width = _round_width((high - low) / _BINS if high > low else 0.1 * high)
    first, last = math.floor(low / width), math.ceil(high / width) + (high == low)
    edges = [float(f"{step * width:.12g}") for step in range(first, last + 1)]
    edges = [0.0] * (first > 0) + edges + [float(apart.max())] * (float(apart.max()) > edges[-1])
    counts, _ = np.histogram(apart, edges)
    return Histogram(edges, counts.tolist())


def _round_width(width: float) -> float:
    """The least of 1, 2, 5 times a power of ten that is no smaller."""
    power = 10.0 ** math.floor(math.log10(width))
    return next(step * power for step in (1.0, 2.0, 5.0, 10.0) if step * power >= width * (1.0 - 1e-12))


def _scales(cloud: Cloud, rows: Int[np.ndarray, " n"]) -> tuple[float, float, tuple[int, float] | None]:
    """Packing ceiling, mean distance of two rows, widest column.

    By sum_{i<j} |x_i - x_j|^2 = n sum_i |x_i - mean|^2, column by column.
    """
    count = len(rows)
    blocks = [rows[block] for block in cloud.blocks() if block.start < count]
    mean = sum(np.sum(cloud[block], axis=0) for block in blocks) / count
    least, most = np.full(cloud.dim, np.inf), np.full(cloud.dim, -np.inf)
    spread, farthest = np.zeros(cloud.dim), 0.0
    for block in blocks:
        points = cloud[block]
        squares = (points - mean) ** 2
        spread, farthest = spread + np.sum(squares, axis=0), max(farthest, float(np.max(np.sum(squares, axis=1))))
        least, most = np.minimum(least, np.min(points, axis=0)), np.maximum(most, np.max(points, axis=0))
    if not cloud.cosine:
        box = box_ceiling(count, sides=(most - least).tolist())
        ceiling = min(box, ball_ceiling(count, radius=math.sqrt(farthest), dim=cloud.dim))
    elif cloud.dim > 1:
        ceiling = sphere_ceiling(count, dim=cloud.dim)
    else:
        ceiling = 2.0 if count == 2 else 0.0  # of three numbers two have the same sign
    total, column = float(np.sum(spread)), int(np.argmax(spread))
    ceiling, distance = cloud.unscaled(np.array([ceiling, math.sqrt(2.0 * total / (count - 1))])).tolist()
    return ceiling, distance, (column, float(spread[column]) / total) if total > 0.0 else None

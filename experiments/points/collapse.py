"""The cleanest dials of the separation: one pair, or a cluster of m points, at spacing exactly h, the rest spread.

Construction. Farthest-first gives points p_1..p_K, K = N - m + 2. Let a be the point of p_1..p_{K-1} nearest to p_K, at
distance r. The point set is p_1..p_{K-1} together with m - 1 points on the shortest path from a to p_K, spacing h.
Then h is the separation for every h up to the limit r/(m-1) (on the sphere the chord of 1/(m-1) of the arc):
  1. |p_i - p_j| >= r for i, j < K, since farthest-first distances fall.
  2. A point at path length t <= r from a is at least r - (r - t) = t >= h from every other p_i: |p_K - p_i| >= r.
     (On the sphere read arcs for lengths; chords rise with arcs.)
Neither p_1..p_K nor the path depends on h, so a sweep in h moves m - 1 points along one fixed line.
Order. The cluster comes first (a is point 0), so pair collapse has its closest pair at (0, 1) for every h.
Exactness. |realised - h| <= 8 eps max|x|, or an error. The moved point is corrected in one coordinate: in a thousand
  coordinates h is near 10, where floats are 8 eps apart, so h must then be realised to the last bit.
"""

from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from experiments.points.domains import Domain
from experiments.points.greedy import greedy
from experiments.separation import difference, distance, distances
from theory.rounding import EPS


class Spread(NamedTuple):
    """fixed: (K-1, D), the anchor first.  end: (D,), where the path from the anchor leads.  limit: the largest h."""

    fixed: Float[np.ndarray, "k D"]
    end: Float[np.ndarray, " D"]
    limit: float


def pair_collapse(
    num_points: int, domain: Domain, *, h: float | int, pool_size: int | None = None, seed: int = 0
) -> Float[np.ndarray, "n D"]:
    """Points 0 and 1 at distance h (0 makes them duplicates), all other distances larger."""
    return cluster_collapse(num_points, domain, h=h, cluster_size=2, pool_size=pool_size, seed=seed)


def cluster_collapse(
    num_points: int,
    domain: Domain,
    *,
    h: float | int,
    cluster_size: int,
    pool_size: int | None = None,
    seed: int = 0,
) -> Float[np.ndarray, "n D"]:
    """Points 0..m-1 in line at spacing h, m = cluster_size; the closest pair is one of the neighbours in that line."""
    spread = spread_set(num_points, domain, cluster_size=cluster_size, pool_size=pool_size, seed=seed)
    if not 0 <= h <= spread.limit:
        raise ValueError(
            f"h must lie in [0, {spread.limit!r}] for {cluster_size} of {num_points} points in {domain} to collapse "
            f"(seed {seed}; no points whatever exceed the packing ceiling {domain.packing_ceiling(num_points):.6g}), "
            f"but was {h}"
        )
    cluster = [spread.fixed[0]]
    while len(cluster) < cluster_size:
        cluster.append(_step(domain, cluster[-1], spread.end, h))
    return np.concatenate([np.stack(cluster), spread.fixed[1:]])


@lru_cache(maxsize=256)
def spread_set(
    num_points: int, domain: Domain, *, cluster_size: int = 2, pool_size: int | None = None, seed: int = 0
) -> Spread:
    """What stays fixed while h varies, and the largest feasible h; the arrays are shared, so read-only."""
    if not 2 <= cluster_size <= num_points:
        raise ValueError(f"cluster_size must lie in [2, {num_points}], the number of points, but was {cluster_size}")
    spread = greedy(num_points - cluster_size + 2, domain, pool_size=pool_size, seed=seed)
    fixed, end = spread[:-1], spread[-1]
    anchor = int(np.argmin(distances(fixed, end[None], period=domain.period)[:, 0]))
    length = distance(fixed[anchor], end, period=domain.period)
    fixed = np.concatenate([fixed[anchor : anchor + 1], np.delete(fixed, anchor, axis=0)])
    fixed.setflags(write=False)
    end.setflags(write=False)
    return Spread(fixed, end, domain.equal_spacing(length, steps=cluster_size - 1))


def _step(
    domain: Domain, start: Float[np.ndarray, " D"], end: Float[np.ndarray, " D"], h: float | int
) -> Float[np.ndarray, " D"]:
    """The float64 point towards `end` at distance h of `start`: one Newton step on its most sensitive coordinate.

    The D roundings of the coordinates miss h by up to sqrt(D) eps; the miss is rational arithmetic, for h may itself
    round by several eps.
    """
    if h == 0:
        return start
    moved = domain.towards(start, end, step=float(h))
    move = difference(moved, start, period=domain.period)
    if np.any(move):
        k = int(np.argmax(np.abs(move)))
        moved[k] += float((Fraction(h) ** 2 - sum(Fraction(x) ** 2 for x in move.tolist())) / Fraction(2 * move[k]))
    size = float(np.max(np.abs([start, moved])))
    if not np.any(move) or abs(distance(start, moved, period=domain.period) - h) > 8 * EPS * size:
        raise ValueError(f"h must be 0 or wide enough for float64 coordinates of size {size:.3g} to hold, but was {h}")
    return moved

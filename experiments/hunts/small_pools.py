"""Small pools for the hunts of the selection claims (D1-D4): metrics with ties, and every subset by brute force."""

from functools import cache
from itertools import combinations

import numpy as np
from jaxtyping import Float, Int

LARGEST_POOL = 9


@cache
def subsets(size: int, count: int) -> Int[np.ndarray, "sets count"]:
    """All `count`-subsets of range(size), ascending."""
    return np.array(list(combinations(range(size), count)))


def separations(distances: Float[np.ndarray, "n n"], count: int) -> Float[np.ndarray, " sets"]:
    """h_min of every `count`-subset of the pool, count >= 2."""
    chosen = subsets(len(distances), count)
    first, second = np.triu_indices(count, 1)
    return distances[chosen[:, first], chosen[:, second]].min(axis=1)


def cover_radii(to_centres: Float[np.ndarray, "n centres"], count: int) -> Float[np.ndarray, " sets"]:
    """Radius at which each `count`-subset of the centres covers the n pool points."""
    return to_centres[:, subsets(to_centres.shape[1], count)].min(axis=2).max(axis=0)


def table_farthest_first(distances: Float[np.ndarray, "n n"], count: int) -> Int[np.ndarray, " count"]:
    """Farthest-first from row 0 on a table of dissimilarities; of equally far rows the first."""
    order, nearest = [0], distances[:, 0].copy()
    while len(order) < count:
        nearest[order[-1]] = -1.0
        order.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, distances[:, order[-1]])
    return np.array(order)


def shortest_paths(lengths: Float[np.ndarray, "n n"]) -> Float[np.ndarray, "n n"]:
    """The largest metric below a symmetric table of lengths (Floyd-Warshall)."""
    paths = np.where(np.eye(len(lengths), dtype=bool), 0.0, lengths)
    for middle in range(len(paths)):
        paths = np.minimum(paths, paths[:, middle : middle + 1] + paths[middle : middle + 1])
    return paths

"""The nearest other row of every row, exact: its distance is a direct one, whatever found it.

  distance_i = min_{j != i} D(x_i, x_j),   D Euclidean, or the cosine distance 1 - cos

Method. Rows equal to another one are at distance 0. The others are searched by a k-d tree in few coordinates and, in
  many, by lower bounds of all pairs from products in float32 (experiments/pair_tiles.py), each pair for both its rows;
  what the bounds leave, few pairs a row and tile, is measured in float64 (`Cloud.distances`): near duplicates far from
  the origin keep their digits.
Cosine. The chord of the normalised rows is measured, and 1 - cos = chord^2 / 2. A chord up to `PARALLEL` cannot be told
  from rounding: the rows are parallel, and their distance is 0.
Ties. Of equally near rows the lowest index where pairs are measured in tiles; by the tree, any of them.
Memory. The input, O(n), and some tiles; the tree holds n (d + 3) numbers, d <= `_TREE_COORDINATES`.
"""

from collections.abc import Callable, Iterator
from threading import Lock
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Real
from scipy.spatial import KDTree

from experiments.equal_rows import lowest_equal
from experiments.pair_tiles import PairTiles, Rows, Tile, rounded_up
from experiments.selection.cloud import Cloud
from experiments.selection.screen import Screen
from theory.rounding import EPS

PARALLEL = 16.0 * EPS
"""Chord within which two normalised rows are taken for one: normalising them errs by a few eps."""
_TREE_COORDINATES = 10  # up to which a k-d tree is faster, of evenly spread points
_MANY = 8  # candidates a row of a tile, above which it is worth a sharper product


class Nearest(NamedTuple):
    """distance: of each row to the nearest other one, in the metric.  index: a row at that distance."""

    distance: Float[np.ndarray, " n"]
    index: Int[np.ndarray, " n"]


def nearest(
    points: Real[np.ndarray, "n d"],
    *,
    metric: str = "euclidean",
    progress: Callable[[int, int], None] | None = None,
) -> Nearest:
    """The nearest other row of each of at least two rows.

    progress: called with the tiles done and their number.  Raises ValueError for a single row and where `Cloud` does.
    """
    cloud = Cloud(points, metric)
    return nearest_among(cloud, np.arange(cloud.count), progress=progress)


def nearest_among(
    cloud: Cloud, rows: Int[np.ndarray, " n"], *, progress: Callable[[int, int], None] | None = None
) -> Nearest:
    """The same of some rows of a cloud, among these alone; indices count among them."""
    if len(rows) < 2:
        raise ValueError(f"there must be at least 2 rows for one to be nearest to another, but there were {len(rows)}")
    places = np.arange(len(rows))
    lowest = lowest_equal(_part(cloud, rows), len(rows), cloud.dim)
    different = np.flatnonzero(lowest == places)
    distance, index = np.zeros(len(rows)), lowest.copy()
    if len(different) > 1:
        find = _by_tree if cloud.dim <= _TREE_COORDINATES else _by_tiles
        found = find(cloud, rows[different], progress)
        distance[different], index[different] = found.distance, different[found.index]
    for row in np.flatnonzero(lowest != places)[::-1]:  # the first of equal rows is nearest to the second
        distance[lowest[row]], index[lowest[row]] = 0.0, row
    return Nearest(_in_metric(cloud, distance), index)


def cover(cloud: Cloud, chosen: Int[np.ndarray, " k"]) -> tuple[float, int]:
    """The largest distance of a row of the cloud to the nearest chosen one, and a row at that distance."""
    if cloud.dim <= _TREE_COORDINATES:
        tree, which = KDTree(cloud[chosen]), np.empty(cloud.count, dtype=np.intp)
        for block in cloud.blocks():
            which[block] = tree.query(cloud[block], workers=-1)[1]
        distance = cloud.distances(np.arange(cloud.count), chosen[which])
    else:
        screen = Screen(cloud, len(chosen))
        screen.choose(chosen)
        distance = screen.nearest(np.arange(cloud.count), known=np.full(cloud.count, np.inf)).distance
    row = int(np.argmax(distance))
    return float(_in_metric(cloud, distance[[row]])[0]), row


def _part(cloud: Cloud, rows: Int[np.ndarray, " n"]) -> Callable[[Rows], Float[np.ndarray, "m d"]]:
    """Some of these rows of the cloud; by plain slices of it where they are all rows."""
    everything = np.array_equal(rows, np.arange(cloud.count))
    return lambda some: cloud[some if everything else rows[some]]


def _in_metric(cloud: Cloud, distances: Float[np.ndarray, " m"]) -> Float[np.ndarray, " m"]:
    return cloud.unscaled(np.where(distances <= PARALLEL, 0.0, distances) if cloud.cosine else distances)


def _by_tree(cloud: Cloud, rows: Int[np.ndarray, " m"], progress: Callable[[int, int], None] | None) -> Nearest:
    """Among some different rows of the cloud; indices count among them."""
    points = cloud[rows]
    two = np.asarray(KDTree(points).query(points, k=2, workers=-1)[1])
    index = np.where(two[:, 0] == np.arange(len(rows)), two[:, 1], two[:, 0])
    return Nearest(cloud.distances(rows, rows[index]), index)


def _by_tiles(cloud: Cloud, rows: Int[np.ndarray, " m"], progress: Callable[[int, int], None] | None) -> Nearest:
    """Likewise."""
    part, search = _part(cloud, rows), _Search(cloud, rows)
    tiles = PairTiles(lambda some: part(some) - cloud.centre, len(rows), cloud.dim)
    tiles.visit(search.look, progress=progress)
    return search.found


class _Search:
    """The nearest of those measured so far, for some rows of the cloud."""

    def __init__(self, cloud: Cloud, rows: Int[np.ndarray, " m"]) -> None:
        self._cloud, self._rows, self._lock = cloud, rows, Lock()
        self.found = Nearest(np.full(len(rows), np.inf), np.full(len(rows), len(rows)))

    def look(self, tile: Tile) -> None:
        """Measure the pairs of a tile that could be nearest for one of their two rows."""
        pairs = self._below(tile, *self._least(tile))  # first these: they lower most of the ceilings
        if not len(pairs[0]):
            return
        self._measure(*pairs)
        pairs = self._below(tile, *(self._ceiling(tile, axis) for axis in (0, 1)))
        if len(pairs[0]) > _MANY * sum(tile.lower.shape) and tile.sharper is not None:
            self.look(tile.sharper())
        else:
            self._measure(*pairs)

    def _least(self, tile: Tile) -> Iterator[Float[np.ndarray, " m"]]:
        """The least bound of each row, and of each column, of a tile; -inf where it cannot be nearest."""
        for axis in (0, 1):
            least = np.min(tile.lower, axis=1 - axis)
            yield np.where((least <= self._ceiling(tile, axis)) & (least < np.inf), least, -np.inf)

    def _ceiling(self, tile: Tile, axis: int) -> Float[np.ndarray, " m"]:
        """What the bounds of the pairs that could be nearest do not exceed, for each row, or column, of a tile."""
        start = tile[axis]
        known = self.found.distance[start : start + tile.lower.shape[axis]]
        return rounded_up(known**2 * (1.0 + 8.0 * (self._cloud.dim + 4) * EPS), tile.lower.dtype)

    @staticmethod
    def _below(
        tile: Tile, rows: Float[np.ndarray, " r"], columns: Float[np.ndarray, " c"]
    ) -> tuple[Int[np.ndarray, " m"], Int[np.ndarray, " m"]]:
        """The pairs of a tile whose bounds do not exceed a number of their row, or one of their column."""
        below = (tile.lower <= rows[:, None]) | (tile.lower <= columns)
        row, column = np.divmod(np.flatnonzero(below), below.shape[1])
        return tile.first + row, tile.second + column

    def _measure(self, first: Int[np.ndarray, " m"], second: Int[np.ndarray, " m"]) -> None:
        distances = self._cloud.distances(self._rows[first], self._rows[second])
        for rows, others in ((first, second), (second, first)):
            order = np.lexsort((others, distances, rows))
            best = order[np.diff(rows[order], prepend=-1) > 0]
            self._keep(rows[best], others[best], distances[best])

    def _keep(
        self, rows: Int[np.ndarray, " m"], others: Int[np.ndarray, " m"], distances: Float[np.ndarray, " m"]
    ) -> None:
        """Of these and the nearest so far the nearer, for different rows; of equally near ones the lower."""
        known, index = self.found
        with self._lock:
            better = (distances < known[rows]) | ((distances == known[rows]) & (others < index[rows]))
            known[rows[better]], index[rows[better]] = distances[better], others[better]

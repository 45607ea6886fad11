"""Separation and fill distance of a finite point set, exact in float64.

  separation     h_min  = min_{i < j} |x_i - x_j|,         half of it is the packing radius
  fill distance  h_fill = sup_{x in Omega} min_i |x - x_i|, the covering radius

Shapes. points (n, ...): n points of any shape, flattened; the distance of two token sequences (T, d) is Frobenius.
Metric. Euclidean; with `period`, every coordinate difference is wrapped to [-period/2, period/2] (flat torus). On the
  sphere this is the chord.
Rounding. A distance is `math.hypot` of the wrapped differences: within 2 ulp of the true distance of the float64 points
  in the Euclidean metric, plus sqrt(D) eps period on the torus (D coordinates).
Source. Classic: closest pair by nearest-neighbour search. A sweep along the first coordinate, a k-d tree, or blocks
  of all distances screens the pairs up to rounding; candidates are measured again, as `distance` does: the answer does
  not depend on the screen.
"""

import math
from itertools import count
from threading import Lock
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import KDTree
from scipy.spatial.distance import cdist

from experiments.equal_rows import lowest_equal
from experiments.pair_tiles import PairTiles, Tile, rounded_up
from theory.rounding import EPS

_UNDERFLOW = 1e-150  # differences below this vanish when squared: the screen cannot tell them from duplicates
_LARGEST = 1e150  # above, squares overflow
_TREE_POINTS, _TREE_COORDINATES = 256, 8  # a k-d tree pays above so many points, up to so many coordinates
_SWEEP_PAIRS = 64  # pairs a point that the sweep may look at before it leaves the cloud to the tree
_BLOCK_ENTRIES = 1 << 19  # distances screened at once: 4 MiB
_CHUNK = 1 << 18  # numbers of the candidates measured at once; a grid has as many as points, and a simplex n^2/2
_MANY = 1 << 10  # candidates in a tile, above which it is worth a sharper product


class Separation(NamedTuple):
    """distance: h_min.  pair: (i, j), i < j, the closest pair; of equally close pairs the lexicographically lowest."""

    distance: float
    pair: tuple[int, int]


def separation(points: Float[np.ndarray, "n ..."], *, period: float | None = None) -> Separation:
    """The closest pair and its distance; duplicates have distance 0.

    Costs O(n log n) in few coordinates, O(n^2 D) in many, on all cores.  Raises ValueError for fewer than two points,
    for points that are not finite, and for a period that is not positive.
    """
    flat = _flatten(points, "points", least=2, period=period)
    duplicate = _first_duplicate(flat)
    if duplicate is not None:
        return Separation(0.0, duplicate)
    if _tree_pays(flat):
        return _closest_by_tree(flat, period=period)
    return _closest_by_products(flat) if period is None else _closest_on_torus(flat, period)


def distance(
    point: Float[np.ndarray, "*shape"], other: Float[np.ndarray, "*shape"], *, period: float | None = None
) -> float:
    """Distance of two points of one shape: the length of `difference`, within 1 ulp."""
    return math.hypot(*difference(point, other, period=period).tolist())


def difference(
    point: Float[np.ndarray, "*shape"], other: Float[np.ndarray, "*shape"], *, period: float | None = None
) -> Float[np.ndarray, " D"]:
    """point - other, flattened, every coordinate wrapped to [-period/2, period/2] if there is a period."""
    return _wrap(np.ravel(point) - np.ravel(other), period)


def distances(
    points: Float[np.ndarray, "n ..."], others: Float[np.ndarray, "m ..."], *, period: float | None = None
) -> Float[np.ndarray, "n m"]:
    """All n m distances, each with a relative rounding error up to about D eps (`distance` errs less)."""
    flat, other_flat = (np.reshape(x, (len(x), -1)) for x in (points, others))
    if period is None:
        return cdist(flat, other_flat)
    squares = np.zeros((len(flat), len(other_flat)))
    for column, other_column in zip(flat.T, other_flat.T):
        squares += _wrap(np.subtract.outer(column, other_column), period) ** 2
    return np.sqrt(squares)


def fill_distance(
    points: Float[np.ndarray, "n ..."], probes: Float[np.ndarray, "m ..."], *, period: float | None = None
) -> float:
    """max over the probes of the distance to the nearest point: a LOWER estimate of the fill distance.

    If every x of the domain lies within c of a probe, then fill_distance <= h_fill <= fill_distance + c, because
    x -> min_i |x - x_i| is 1-Lipschitz (the domains' `probes` return c as `cover_radius`).
    """
    flat = _flatten(points, "points", least=1, period=period)
    probe_flat = _flatten(probes, "probes", least=1, period=period)
    if flat.shape[1] != probe_flat.shape[1]:
        raise ValueError(
            f"probes must have the points' {flat.shape[1]} coordinates, but had {probe_flat.shape[1]} coordinates"
        )
    if _tree_pays(flat):
        tree = KDTree(_into_period(flat, period), boxsize=period)
        return float(np.max(tree.query(_into_period(probe_flat, period))[0]))
    rows = max(1, _BLOCK_ENTRIES // len(flat))
    starts = range(0, len(probe_flat), rows)
    return max(float(np.max(np.min(distances(probe_flat[k : k + rows], flat, period=period), axis=1))) for k in starts)


def _flatten(
    points: Float[np.ndarray, "n ..."], name: str, *, least: int, period: float | None
) -> Float[np.ndarray, "n D"]:
    if points.ndim < 2 or len(points) < least or points[0].size == 0:
        raise ValueError(
            f"{name} must be an array (n, ...) of at least {least} points with at least one coordinate each, "
            f"but had shape {points.shape}"
        )
    outside = np.argwhere(~(np.abs(points) <= _LARGEST))
    if len(outside):
        raise ValueError(f"{name} must be finite and at most {_LARGEST:.0e} in size, but point {outside[0][0]} is not")
    if period is not None and not 0 < period < math.inf:
        raise ValueError(f"period must be positive and finite, but was {period}")
    flat = np.ascontiguousarray(np.reshape(points, (len(points), -1)), dtype=np.float64)
    return flat if period is None else _into_period(flat, period)


def _wrap(difference: Float[np.ndarray, "..."], period: float | None) -> Float[np.ndarray, "..."]:
    return difference if period is None else difference - period * np.round(difference / period)


def _into_period(flat: Float[np.ndarray, "n D"], period: float | None) -> Float[np.ndarray, "n D"]:
    if period is None:
        return flat
    wrapped = np.mod(flat, period)
    return np.where(wrapped >= period, 0.0, wrapped)  # np.mod(-tiny, 1.0) is 1.0


def _tree_pays(flat: Float[np.ndarray, "n D"]) -> bool:
    return len(flat) > _TREE_POINTS and flat.shape[1] <= _TREE_COORDINATES


def _first_duplicate(flat: Float[np.ndarray, "n D"]) -> tuple[int, int] | None:
    """The lexicographically lowest pair of equal rows."""
    if np.all(np.diff(np.sort(flat[:, 0])) > 0):  # the usual case, at a small part of the cost
        return None
    lowest = lowest_equal(flat.__getitem__, *flat.shape)
    repeated = np.flatnonzero(lowest < np.arange(len(flat)))
    if repeated.size == 0:
        return None
    first = np.min(lowest[repeated])
    return int(first), int(repeated[np.argmax(lowest[repeated] == first)])


def _closest_by_tree(flat: Float[np.ndarray, "n D"], *, period: float | None) -> Separation:
    """From the pairs within the screen's rounding of the least nearest-neighbour distance."""
    pairs = _swept_candidates(flat) if period is None else None
    if pairs is None:
        tree = KDTree(flat, boxsize=period)
        nearest = float(np.min(tree.query(flat, k=2, workers=-1)[0][:, 1]))
        reach = nearest + 2.0 * _screen_error(nearest, flat.shape[1], period)
        pairs = tree.query_pairs(reach, output_type="ndarray")
    closest = _Closest(flat, period=period)
    closest.measure(*np.transpose(pairs))
    return closest.found


def _swept_candidates(flat: Float[np.ndarray, "n D"]) -> Int[np.ndarray, "c 2"] | None:
    """The same (and a few more) by a sweep along the first coordinate; None where its strip holds too many pairs.

    Compares the k-th neighbours in the order of the first coordinate, k = 1, 2, ..., as long as any of them are no
    farther apart along it than the closest pair so far.
    """
    order = np.argsort(flat[:, 0])
    columns = np.ascontiguousarray(flat[order].T)
    left = np.arange(len(flat))
    reach, seen, found = math.inf, 0, []
    for shift in count(1):
        left = left[: np.searchsorted(left, len(flat) - shift)]
        left = left[columns[0, left + shift] - columns[0, left] <= reach]
        seen += len(left)
        if seen > _SWEEP_PAIRS * len(flat):
            return None
        if not len(left):
            return np.sort(order[np.concatenate(found)], axis=1)
        screened = np.sqrt(sum((column[left + shift] - column[left]) ** 2 for column in columns))
        nearest = float(np.min(screened))
        reach = min(reach, nearest + 2.0 * _screen_error(nearest, len(columns), None))
        close = left[screened <= reach]
        found.append(np.stack([close, close + shift], axis=1))


class _Closest:
    """The closest of the pairs measured so far, and which pairs of a tile of lower bounds have to be measured.

    unit: length whose square is the unit of the bounds.
    """

    def __init__(self, flat: Float[np.ndarray, "n D"], *, period: float | None, unit: float = 1.0) -> None:
        self._flat, self._period, self._unit, self._lock = flat, period, unit, Lock()
        self.found = Separation(math.inf, (-1, -1))

    def measure(self, first: Int[np.ndarray, " m"], second: Int[np.ndarray, " m"]) -> None:
        """As `distance` does, except for pairs that a plain sum of squares shows not to be closest."""
        size = max(1, _CHUNK // self._flat.shape[1])
        for start in range(0, len(first), size):
            i, j = first[start : start + size], second[start : start + size]
            differences = _wrap(self._flat[i] - self._flat[j], self._period)
            rough = np.sqrt(np.einsum("ij,ij->i", differences, differences))
            nearest = min(self.found.distance, float(np.min(rough)))
            kept = rough <= nearest + _screen_error(nearest, self._flat.shape[1], None)
            lengths = (math.hypot(*row) for row in differences[kept].tolist())
            for found in map(Separation, lengths, zip(i[kept].tolist(), j[kept].tolist())):
                with self._lock:
                    self.found = min(self.found, found)

    def look(self, tile: Tile) -> None:
        """Measure the pairs of a tile that could be the closest."""
        if np.min(tile.lower) <= self._ceiling(tile):
            self._measure_in(tile, np.unravel_index([np.argmin(tile.lower)], tile.lower.shape))
            close = np.nonzero(tile.lower <= self._ceiling(tile))
            if len(close[0]) > _MANY and tile.sharper is not None:
                tile = tile.sharper()
                close = np.nonzero(tile.lower <= self._ceiling(tile))
            self._measure_in(tile, close)

    def _measure_in(self, tile: Tile, places: tuple[Int[np.ndarray, " m"], ...]) -> None:
        self.measure(tile.first + places[0], tile.second + places[1])

    def _ceiling(self, tile: Tile) -> np.ndarray:
        return rounded_up((self.found.distance / self._unit) ** 2 * (1.0 + 8.0 * EPS), tile.lower.dtype)


def _closest_by_products(flat: Float[np.ndarray, "n D"]) -> Separation:
    """From lower bounds of all n(n-1)/2 distances, in tiles of a matrix product."""
    centre = np.mean(flat, axis=0)
    unit = math.ldexp(1.0, math.frexp(float(np.max(np.abs(flat - centre))))[1])  # a power of two rounds nothing
    closest = _Closest(flat, period=None, unit=unit)
    PairTiles(lambda rows: (flat[rows] - centre) / unit, *flat.shape).visit(closest.look)
    return closest.found


def _closest_on_torus(flat: Float[np.ndarray, "n D"], period: float) -> Separation:
    """From all n(n-1)/2 distances, a block of rows at a time."""
    closest = _Closest(flat, period=period)
    rows = max(1, _BLOCK_ENTRIES // len(flat))
    for start in range(0, len(flat) - 1, rows):
        wrapped = distances(flat[start : start + rows], flat[start:], period=period)
        lower = np.maximum(wrapped - _screen_error(wrapped, flat.shape[1], period), 0.0) ** 2
        lower[np.tril_indices(len(lower))] = np.inf  # each pair once, i < j
        closest.look(Tile(start, start, lower, None))
    return closest.found


def _screen_error(
    screened: float | Float[np.ndarray, "rows m"], coordinates: int, period: float | None
) -> float | Float[np.ndarray, "rows m"]:
    wrapping = 0.0 if period is None else 4.0 * math.sqrt(coordinates) * EPS * period
    return 4.0 * (coordinates + 4) * EPS * screened + wrapping + _UNDERFLOW

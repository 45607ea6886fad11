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
from collections.abc import Callable, Iterator
from itertools import count, islice
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import KDTree
from scipy.spatial.distance import cdist

from theory.rounding import EPS

_UNDERFLOW = 1e-150  # differences below this vanish when squared: the screen cannot tell them from duplicates
_LARGEST = 1e150  # above, squares overflow
_TREE_POINTS, _TREE_COORDINATES = 256, 12  # a k-d tree pays above so many points, up to so many coordinates
_SWEEP_PAIRS = 64  # pairs a point that the sweep may look at before it leaves the cloud to the tree
_BLOCK_ENTRIES = 1 << 19  # distances screened at once: 4 MiB
_CHUNK = 1 << 10  # candidates measured at once; a grid has as many as points, and a simplex n^2/2


class Separation(NamedTuple):
    """distance: h_min.  pair: (i, j), i < j, the closest pair; of equally close pairs the lexicographically lowest."""

    distance: float
    pair: tuple[int, int]


def separation(points: Float[np.ndarray, "n ..."], *, period: float | None = None) -> Separation:
    """The closest pair and its distance; duplicates have distance 0.

    Costs O(n log n) in few coordinates, O(n^2 D) in many.  Raises ValueError for fewer than two points, for points
    that are not finite, and for a period that is not positive.
    """
    flat = _flatten(points, "points", least=2, period=period)
    duplicate = _first_duplicate(flat)
    if duplicate is not None:
        return Separation(0.0, duplicate)
    candidates = _tree_candidates if _tree_pays(flat) else _block_candidates
    pairs, closest = iter(candidates(flat, period=period)), []
    while chunk := list(islice(pairs, _CHUNK)):
        first, second = np.transpose(chunk)
        differences = _wrap(flat[first] - flat[second], period).tolist()
        closest.append(min(zip((math.hypot(*row) for row in differences), first.tolist(), second.tolist())))
    nearest = min(closest)
    return Separation(nearest[0], nearest[1:])


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
    order = np.lexsort(flat.T)  # equal rows become neighbours, in rising index
    repeated = np.flatnonzero(np.all(flat[order[1:]] == flat[order[:-1]], axis=1))
    if repeated.size == 0:
        return None
    first = repeated[np.argmin(order[repeated])]  # a group's lowest index comes first, its second lowest next
    return int(order[first]), int(order[first + 1])


def _tree_candidates(flat: Float[np.ndarray, "n D"], *, period: float | None) -> Int[np.ndarray, "c 2"]:
    """Every pair that could be the closest: within the screen's rounding of the least nearest-neighbour distance."""
    swept = _swept_candidates(flat) if period is None else None
    if swept is not None:
        return swept
    tree = KDTree(flat, boxsize=period)
    nearest = float(np.min(tree.query(flat, k=2)[0][:, 1]))
    return tree.query_pairs(nearest + 2.0 * _screen_error(nearest, flat.shape[1], period), output_type="ndarray")


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


def _block_candidates(flat: Float[np.ndarray, "n D"], *, period: float | None) -> Iterator[Int[np.ndarray, "2"]]:
    """The same (and, early on, a few more) from all n(n-1)/2 distances, a block of rows at a time."""
    lower_bounds = _product_bounds(flat) if period is None else _wrapped_bounds(flat, period)
    rows = max(1, _BLOCK_ENTRIES // len(flat))
    nearest = math.inf
    for start in range(0, len(flat) - 1, rows):
        lower = lower_bounds(start, start + rows)
        lower[np.tril_indices(len(lower))] = np.inf  # each pair once, i < j
        i, j = np.unravel_index(np.argmin(lower), lower.shape)
        if lower[i, j] <= nearest**2 * (1.0 + 8.0 * EPS):
            nearest = min(nearest, distance(flat[start + i], flat[start + j], period=period))
            yield from np.argwhere(lower <= nearest**2 * (1.0 + 8.0 * EPS)) + start


def _product_bounds(flat: Float[np.ndarray, "n D"]) -> Callable[[int, int], Float[np.ndarray, "rows m"]]:
    """Lower bounds of the squared distances |a|^2 + |b|^2 - 2 a.b of rows start..stop to rows start..n.

    Fast (one matrix product), but a near-duplicate loses all its digits.
    """
    centred = flat - np.mean(flat, axis=0)  # rounds by eps |centred|, like the products
    error = 4.0 * (flat.shape[1] + 4) * EPS
    sizes = (1.0 - error) * np.sum(centred**2, axis=1, keepdims=True) - 0.5 * _UNDERFLOW**2
    ones = np.ones_like(sizes)
    left, right = np.hstack([-2.0 * centred, sizes, ones]), np.hstack([centred, ones, sizes])
    return lambda start, stop: left[start:stop] @ right[start:].T


def _wrapped_bounds(flat: Float[np.ndarray, "n D"], period: float) -> Callable[[int, int], Float[np.ndarray, "rows m"]]:
    """Lower bounds of the squared distances on the torus, likewise."""

    def lower_bounds(start: int, stop: int) -> Float[np.ndarray, "rows m"]:
        wrapped = distances(flat[start:stop], flat[start:], period=period)
        return np.maximum(wrapped - _screen_error(wrapped, flat.shape[1], period), 0.0) ** 2

    return lower_bounds


def _screen_error(
    screened: float | Float[np.ndarray, "rows m"], coordinates: int, period: float | None
) -> float | Float[np.ndarray, "rows m"]:
    wrapping = 0.0 if period is None else 4.0 * math.sqrt(coordinates) * EPS * period
    return 4.0 * (coordinates + 4) * EPS * screened + wrapping + _UNDERFLOW

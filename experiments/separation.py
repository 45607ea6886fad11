"""Separation and fill distance of a finite point set, exact in float64.

  separation     h_min  = min_{i < j} |x_i - x_j|,         half of it is the packing radius
  fill distance  h_fill = sup_{x in Omega} min_i |x - x_i|, the covering radius

Shapes. points (n, ...): n points of any shape, flattened; the distance of two token sequences (T, d) is Frobenius.
Metric. Euclidean; with `period`, every coordinate difference is wrapped to [-period/2, period/2] (flat torus). On the
  sphere this is the chord.
Rounding. A distance is `math.hypot` of the wrapped differences: within 2 ulp of the true distance of the float64 points
  in the Euclidean metric, plus sqrt(D) eps period on the torus (D coordinates).
Source. Classic: closest pair by nearest-neighbour search. A k-d tree, or blocks of all distances,
  screens the pairs up to rounding; `distance` measures the candidates again: the answer does not depend on the screen.
"""

import math
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import KDTree
from scipy.spatial.distance import cdist

_EPS = 2.0**-52
_UNDERFLOW = 1e-150  # differences below this vanish when squared: the screen cannot tell them from duplicates
_LARGEST = 1e150  # above, squares overflow
_TREE_POINTS, _TREE_COORDINATES = 256, 12  # a k-d tree pays above so many points, up to so many coordinates
_BLOCK_ENTRIES = 1 << 21  # distances screened at once: 16 MiB


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
    nearest = min(
        (distance(flat[i], flat[j], period=period), int(i), int(j)) for i, j in candidates(flat, period=period)
    )
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
    _, group = np.unique(flat, axis=0, return_inverse=True)
    order = np.argsort(group, kind="stable")  # equal rows become neighbours, in rising index
    repeated = np.flatnonzero(np.diff(group[order]) == 0)
    if repeated.size == 0:
        return None
    first = repeated[np.argmin(order[repeated])]  # a group's lowest index comes first, its second lowest next
    return int(order[first]), int(order[first + 1])


def _tree_candidates(flat: Float[np.ndarray, "n D"], *, period: float | None) -> Int[np.ndarray, "c 2"]:
    """Every pair that could be the closest: within the screen's rounding of the least nearest-neighbour distance."""
    tree = KDTree(flat, boxsize=period)
    nearest = float(np.min(tree.query(flat, k=2)[0][:, 1]))
    return tree.query_pairs(nearest + 2.0 * _screen_error(nearest, flat.shape[1], period), output_type="ndarray")


def _block_candidates(flat: Float[np.ndarray, "n D"], *, period: float | None) -> Iterator[Int[np.ndarray, "2"]]:
    """The same (and, early on, a few more) from all n(n-1)/2 distances, a block of rows at a time."""
    bounds = _product_bounds if period is None else partial(_wrapped_bounds, period=period)
    centred = flat - np.mean(flat, axis=0) if period is None else flat  # rounds by eps |centred|, like the products
    rows = max(1, _BLOCK_ENTRIES // len(flat))
    nearest = math.inf
    for start in range(0, len(flat) - 1, rows):
        lower, upper = bounds(centred[start : start + rows], centred[start:])
        lower[np.tril_indices(len(lower), m=lower.shape[1])] = np.inf  # each pair once, i < j
        upper[np.isinf(lower)] = np.inf
        nearest = min(nearest, float(np.min(upper)))
        yield from np.argwhere(lower <= nearest) + start


def _product_bounds(
    block: Float[np.ndarray, "rows D"], later: Float[np.ndarray, "m D"]
) -> tuple[Float[np.ndarray, "rows m"], Float[np.ndarray, "rows m"]]:
    """Enclosure of the squared distances |a|^2 + |b|^2 - 2 a.b: fast, but a near-duplicate loses all its digits."""
    sizes = np.add.outer(np.sum(block**2, axis=1), np.sum(later**2, axis=1))
    squares = sizes - 2.0 * (block @ later.T)
    error = 4.0 * (block.shape[1] + 4) * _EPS * sizes + _UNDERFLOW**2
    return squares - error, squares + error


def _wrapped_bounds(
    block: Float[np.ndarray, "rows D"], later: Float[np.ndarray, "m D"], *, period: float
) -> tuple[Float[np.ndarray, "rows m"], Float[np.ndarray, "rows m"]]:
    """Enclosure of the distances on the torus."""
    wrapped = distances(block, later, period=period)
    error = _screen_error(wrapped, block.shape[1], period)
    return wrapped - error, wrapped + error


def _screen_error(
    screened: float | Float[np.ndarray, "rows m"], coordinates: int, period: float | None
) -> float | Float[np.ndarray, "rows m"]:
    wrapping = 0.0 if period is None else 4.0 * math.sqrt(coordinates) * _EPS * period
    return 4.0 * (coordinates + 4) * _EPS * screened + wrapping + _UNDERFLOW

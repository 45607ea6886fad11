"""Voronoi cells of a few points in [0,1] or [0,1]^2: exact fill distance, farthest point, mean distance, hat integral.

Cells are polygons: the square clipped by each bisector, so nothing is sampled; ten points cost about 1 ms.
Error. Vertices err by about eps over the sine of the two lines' angle; lengths and integrals inherit it.
"""

import itertools
import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

_Vertex = tuple[float, float]
_SQUARE: tuple[_Vertex, ...] = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))


class Covering(NamedTuple):
    """How a point set covers [0,1]^d.

    fill_distance: max over the box of dist(x, X).  farthest: a point where it is attained.  mean_distance: D_1, the
    integral of dist(x, X).  vertices: (k, d), the vertices of all cells, every local maximum of dist(x, X) among them.
    """

    fill_distance: float
    farthest: Float[np.ndarray, " d"]
    mean_distance: float
    vertices: Float[np.ndarray, "k d"]


def covering(points: Float[np.ndarray, "n d"]) -> Covering:
    """Fill distance and mean distance of distinct points of [0,1]^d, d = 1 or 2."""
    dim = points.shape[1]
    if dim not in (1, 2):
        raise ValueError(f"points must have 1 or 2 coordinates, but had {dim}")
    if len(np.unique(points, axis=0)) < len(points):
        raise ValueError("points must be distinct, but two coincide")
    cells = interval_cells(points) if dim == 1 else polygon_cells(points)
    vertices = np.concatenate(cells)
    owners = np.repeat(points, [len(cell) for cell in cells], axis=0)
    lengths = np.sqrt(((vertices - owners) ** 2).sum(axis=1))
    best = int(lengths.argmax())
    integral = _interval_integral if dim == 1 else _polygon_integral
    mean = math.fsum(integral(cell - point) for cell, point in zip(cells, points, strict=True))
    return Covering(float(lengths[best]), vertices[best], mean, vertices)


def hat_integral(points: Float[np.ndarray, "n d"], reach: float) -> float:
    """Integral over [0,1]^d, d = 1 or 2, of (reach - dist(x, X))_+, for distinct points of the box.

    n V_d reach^(d+1) / (d+1) where the balls of that radius are disjoint and inside.
    """
    if points.shape[1] == 1:
        sides = np.abs(np.array(interval_cells(points)) - points[:, None]).clip(max=reach)
        return float(np.sum(reach * sides - 0.5 * sides**2))
    cells = zip(polygon_cells(points), points, strict=True)
    return math.fsum(_polygon_hat(cell - point, reach) for cell, point in cells)


def interval_cells(points: Float[np.ndarray, "n 1"]) -> list[Float[np.ndarray, "2 1"]]:
    """The ends of each point's cell in [0,1]."""
    order = np.argsort(points[:, 0])
    ordered = points[order, 0]
    walls = np.concatenate([[0.0], 0.5 * (ordered[1:] + ordered[:-1]), [1.0]])
    cells = np.stack([walls[:-1], walls[1:]], axis=1)[:, :, None]
    return list(cells[np.argsort(order)])


def polygon_cells(points: Float[np.ndarray, "n 2"]) -> list[Float[np.ndarray, "k 2"]]:
    """The vertices of each point's cell in [0,1]^2, anticlockwise."""
    sites = points.tolist()
    cells = []
    for x, y in sites:
        cell = list(_SQUARE)
        # nearest neighbours first: the cell is small early on, and most other bisectors then miss it
        for u, v in sorted(sites, key=lambda other: (other[0] - x) ** 2 + (other[1] - y) ** 2)[1:]:
            cell = _clip(cell, u - x, v - y, 0.5 * ((u - x) * (u + x) + (v - y) * (v + y)))
        cells.append(np.array(cell))
    return cells


def _clip(polygon: list[_Vertex], a: float, b: float, c: float) -> list[_Vertex]:
    """The part of a convex polygon where a x + b y <= c."""
    heights = [a * x + b * y - c for x, y in polygon]
    if max(heights) <= 0.0:
        return polygon
    kept = []
    edges = zip(polygon, heights, polygon[1:] + polygon[:1], heights[1:] + heights[:1], strict=True)
    for (x, y), here, (u, v), there in edges:
        if here <= 0.0:
            kept.append((x, y))
        if (here < 0.0 < there) or (there < 0.0 < here):
            t = here / (here - there)
            kept.append((x + t * (u - x), y + t * (v - y)))
    return kept


def _interval_integral(ends: Float[np.ndarray, "2 1"]) -> float:
    """Integral of |x| over [low, high], low <= 0 <= high."""
    return 0.5 * float(ends[0, 0] ** 2 + ends[1, 0] ** 2)


def _polygon_integral(polygon: Float[np.ndarray, "k 2"]) -> float:
    """Integral of |x| over a polygon about the origin: int (p / cos)^3 / 3 over the angles of each edge."""
    corners = polygon.tolist()
    total = 0.0
    for (x, y), (u, v) in itertools.pairwise([*corners, corners[0]]):
        length = math.hypot(u - x, v - y)
        height = (x * v - u * y) / length if length > 0.0 else 0.0
        if height <= 0.0:  # the origin lies on this edge (or rounding puts it just outside)
            continue
        start, end = ((x * (u - x) + y * (v - y)) / length, (u * (u - x) + v * (v - y)) / length)
        sweep = math.asinh(end / height) - math.asinh(start / height)
        total += height * (end * math.hypot(u, v) - start * math.hypot(x, y)) + height**3 * sweep
    return total / 6.0


def _polygon_hat(polygon: Float[np.ndarray, "k 2"], reach: float) -> float:
    """Integral of (reach - |x|)_+ over a polygon about the origin, in polar coordinates, an edge at a time.

    Where the ray at the angle a meets the edge beyond `reach` it gives reach^3 / 6, else reach s^2/2 - s^3/3 with
    s = height / cos a; s^2 integrates to height times the length swept, s^3 as in `_polygon_integral`.
    """
    corners = polygon.tolist()
    total = 0.0
    for (x, y), (u, v) in itertools.pairwise([*corners, corners[0]]):
        length = math.hypot(u - x, v - y)
        height = (x * v - u * y) / length if length > 0.0 else 0.0
        if height <= 0.0:
            continue
        start, end = ((x * (u - x) + y * (v - y)) / length, (u * (u - x) + v * (v - y)) / length)
        chord = math.sqrt(max(reach**2 - height**2, 0.0))  # half of the edge's line inside the disc
        low, high = (min(max(t, -chord), chord) for t in (start, end))
        beyond = math.atan2(end, height) - math.atan2(start, height)
        beyond -= math.atan2(high, height) - math.atan2(low, height)
        cubes = height * (high * math.hypot(high, height) - low * math.hypot(low, height))
        cubes += height**3 * (math.asinh(high / height) - math.asinh(low / height))
        total += beyond * reach**3 / 6.0 + reach * height * (high - low) / 2.0 - cubes / 6.0
    return total

"""The pool that a selection chooses from: float64 points on demand, and the one distance by which they are compared.

  distance(i, j) = sqrt(sum_c (x_ic - x_jc)^2)    in float64, added up as `np.linalg.norm(x_i - x_j)` does

Metric. "euclidean": x_i is row i. "cosine": x_i is row i over its length, and 1 - cos = distance^2 / 2 (claim D2).
Definite. The number depends on the two rows only, bit for bit: not on their order, nor on which others are asked at the
  same time (numpy adds the squares of one pair, along one contiguous row). So "farthest" and "equally far" have a
  meaning that no blocking, screening or number of threads can change. Relative error at most (d + 3) eps.
Units. Inside, points are divided by `unit`, a power of two near their spread, which changes no digit and keeps squares
  away from overflow and underflow; `unscaled` leads back to the metric asked for.
Memory. Rows of any float type, also memory-mapped, are read by blocks and never copied whole.
"""

import math
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Int, Real

_BLOCK = 1 << 20  # numbers of a block of rows: 8 MiB
_LARGEST = 1e150  # above, squares overflow
_SHORTEST = 1e-150  # below, squares underflow


class Cloud:
    """n points in d coordinates.

    centre: their mean.  cosine: whether they are compared by direction.  Raises ValueError, naming the row, for numbers
    that are not finite, and under "cosine" for a row without a direction.
    """

    def __init__(self, points: Real[np.ndarray, "n d"], metric: str):
        if points.ndim != 2 or 0 in points.shape:
            raise ValueError(f"points must be an array (n, d) of rows and columns, but had shape {points.shape}")
        if metric not in ("euclidean", "cosine"):
            raise ValueError(f"metric must be 'euclidean' or 'cosine', but was {metric!r}")
        self._points, self.cosine = points, metric == "cosine"
        self.count, self.dim = points.shape
        self.unit = 1.0
        self._lengths = np.ones(self.count if self.cosine else 0)
        total, least, most = np.zeros(self.dim), np.full(self.dim, math.inf), np.full(self.dim, -math.inf)
        for block in self.blocks():
            rows = self._finite(block)
            if self.cosine:
                self._lengths[block] = self._long_enough(np.linalg.norm(rows, axis=1), block.start)
                rows = rows / self._lengths[block, None]
            total += rows.sum(axis=0)
            np.minimum(least, rows.min(axis=0), out=least)
            np.maximum(most, rows.max(axis=0), out=most)
        spread = float(np.max(most - least))
        if spread > 0.0 and not self.cosine:
            self.unit = math.ldexp(1.0, math.frexp(spread)[1])
        self.centre = total / self.count / self.unit

    def blocks(self) -> Iterator[slice]:
        """Consecutive blocks of rows that cover the pool."""
        size = max(1, _BLOCK // self.dim)
        return (slice(start, min(start + size, self.count)) for start in range(0, self.count, size))

    def __getitem__(self, rows: slice | Int[np.ndarray, " m"]) -> Float[np.ndarray, "m d"]:
        """Some points, normalised under "cosine", over `unit`."""
        points = np.array(self._points[rows], dtype=np.float64, order="C")
        if self.cosine:
            points /= self._lengths[rows, None]
        elif self.unit != 1.0:
            points /= self.unit
        return points

    def distances(self, first: Int[np.ndarray, " m"], second: Int[np.ndarray, " m"]) -> Float[np.ndarray, " m"]:
        """The distance of points first[i] and second[i], over `unit`, for every i."""
        found, size = np.empty(len(first)), max(1, _BLOCK // self.dim)
        for start in range(0, len(first), size):
            part = slice(start, start + size)
            found[part] = lengths(self[first[part]] - self[second[part]])
        return found

    def distances_to(self, point: Float[np.ndarray, "1 d"]) -> Float[np.ndarray, " n"]:
        """The distance of every point to a given one, both over `unit`."""
        found = np.empty(self.count)
        for block in self.blocks():
            found[block] = lengths(self[block] - point)
        return found

    def unscaled(self, distances: Float[np.ndarray, "*m"]) -> Float[np.ndarray, "*m"]:
        """Distances over `unit` in the metric asked for."""
        return 0.5 * distances**2 if self.cosine else distances * self.unit

    def _finite(self, block: slice) -> Float[np.ndarray, "m d"]:
        rows = np.asarray(self._points[block], dtype=np.float64)
        if not max(-float(np.min(rows)), float(np.max(rows))) <= _LARGEST:  # not <=: nan fails, too
            row, column = np.argwhere(~(np.abs(rows) <= _LARGEST))[0]
            raise ValueError(
                f"points must be finite and at most {_LARGEST:.0e} in size, but row {block.start + row}, "
                f"column {column} was {rows[row, column]}"
            )
        return rows

    def _long_enough(self, lengths: Float[np.ndarray, " m"], start: int) -> Float[np.ndarray, " m"]:
        short = np.flatnonzero(lengths < _SHORTEST)
        if len(short):
            raise ValueError(
                f"points must have a direction under the cosine metric, but row {start + short[0]} has length "
                f"{lengths[short[0]]:g}"
            )
        return lengths


def lengths(differences: Float[np.ndarray, "m d"]) -> Float[np.ndarray, " m"]:
    """The lengths of rows, by the additions of `np.linalg.norm(differences, axis=1)`; overwrites them."""
    np.multiply(differences, differences, out=differences)
    return np.sqrt(np.add.reduce(differences, axis=1))

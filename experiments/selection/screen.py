"""Distances to a set of chosen rows, exact, where matrix products pick the few pairs that must be measured.

For rows a, b less the centre, R = |a|^2, and unit roundoff u of the product's precision, the product
  L = (1 - g) R_a + (1 - g) R_b - 2 a.b,   g = 1.1 (d + 4) (2 u + 2^-51),
of d + 2 terms satisfies, as computed,   L  <=  |a - b|^2  <=  L + 2 g (R_a + R_b),
and the same for the squared `Cloud.distances`.  A pair whose L exceeds the square of a distance already known cannot
lower it; of the pairs that can, only those within the band of the least one are measured.

Proof.  2 |a| |b| <= R_a + R_b. In units of R_a + R_b: rounding the rows to the product's precision changes 2 a.b by at
  most 2 u + u^2; the d + 2 terms of the product, in any order, with or without fused multiply-add, add at most
  2.1 (d + 2) u; R, as stored and then rounded, errs by u + (d + 4) 2^-53; the squared measured distance by
  2 (d + 4) 2^-53. The sum is below g for d < 2^19 (beyond, the product is made in float64).  Underflow: `_TINY`.
Cost.   2 d operations a pair in the product, one comparison, and a measurement of d terms about once for every time
  that a chosen row becomes a row's nearest.
Memory. O(n), a block of products, and the factors in float32 where those of the pool take at most `HELD_BYTES`; beyond
  that they are made anew block by block.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from experiments.selection.cloud import Cloud
from experiments.threads import on_all_cores

HELD_BYTES = 1 << 28
"""Largest float32 copy of the pool that is held: 256 MiB."""
_PRODUCTS, _FACTOR = 1 << 19, 1 << 21  # numbers of a block of products, and of the rows' side of it
_MOST_CHOSEN = 1 << 10  # rows of the other side
_TINY = 2.0**-100  # more than all underflow of a product, in units of the squared spread of the rows
_SHARP = 16.0  # float32 is good enough while the squared distances exceed so many bands
_MOST_TERMS = 1 << 19  # of a float32 product


class Bounds(NamedTuple):
    """distance: of each row to the nearest chosen one, or only an upper bound of it where `exact` is False."""

    distance: Float[np.ndarray, " m"]
    exact: Bool[np.ndarray, " m"]


class Screen:
    """A pool and the rows chosen from it, in their order.

    squares: |x - centre|^2 of every row of the pool.
    """

    def __init__(self, cloud: Cloud, most: int):
        """most: rows that will be chosen."""
        self.cloud = cloud
        self.squares = np.empty(cloud.count)
        self.chosen = np.empty(0, dtype=np.intp)
        held = 4 * cloud.count * (cloud.dim + 2) <= HELD_BYTES
        self._held = np.empty((cloud.count, cloud.dim + 2), dtype=np.float32) if held else None
        self._held_chosen = np.empty((most, cloud.dim + 2), dtype=np.float32) if held else None
        for block in cloud.blocks():
            centred = cloud[block] - cloud.centre
            self.squares[block] = np.einsum("ij,ij->i", centred, centred)
            if self._held is not None:
                self._fill(self._held[block], centred, self.squares[block])
        self._mean_square = float(self.squares.mean())

    def choose(self, rows: Int[np.ndarray, " p"]) -> None:
        """Add some rows to the chosen ones."""
        if self._held_chosen is not None:
            self._held_chosen[len(self.chosen) : len(self.chosen) + len(rows)] = self._mirror(rows, np.float32)
        self.chosen = np.concatenate([self.chosen, rows])

    def among(self, rows: Int[np.ndarray, " m"]) -> tuple[Float[np.ndarray, "m m"], float]:
        """The squared distances of all pairs of some rows in float64, and a bound of their errors."""
        return self._between(rows, rows), self._error(rows, rows)

    def to_all(self, rows: Int[np.ndarray, " m"]) -> tuple[Float[np.ndarray, "m n"], float]:
        """The squared distances of some rows to all rows of the pool in float64, and a bound of their errors."""
        found, everyone = np.empty((len(rows), self.cloud.count)), np.arange(self.cloud.count)
        for block in self.cloud.blocks():
            found[:, block] = self._between(rows, everyone[block])
        return found, self._error(rows, everyone)

    def nearest(
        self,
        rows: Int[np.ndarray, " m"],
        *,
        known: Float[np.ndarray, " m"],
        since: int = 0,
        measured: Bool[np.ndarray, " m"] | None = None,
    ) -> Bounds:
        """The smaller of `known` and the distance to the nearest of the rows chosen since then, for some rows.

        since: leave out the first so many chosen ones.
        measured: the others get an upper bound where the screen does not show that the distance is as known.
        """
        wanted = np.ones(len(rows), dtype=bool) if measured is None else measured
        found = Bounds(known.copy(), np.ones(len(rows), dtype=bool))
        dtype = np.float32 if self._single_is_sharp(known) else np.float64
        parts = [slice(first, first + _MOST_CHOSEN) for first in range(since, len(self.chosen), _MOST_CHOSEN)]

        def lower(block: slice) -> None:
            bounds = Bounds(found.distance[block], found.exact[block])
            for part in parts:
                self._lower(rows[block], self.chosen[part], self._mirrored(part, dtype), wanted[block], bounds)

        width = max(1, min(len(self.chosen) - since, _MOST_CHOSEN))
        step = max(1, min(_PRODUCTS // width, _FACTOR // (self.cloud.dim + 2)))
        blocks = [slice(start, start + step) for start in range(0, len(rows), step)]
        if len(blocks) == 1:
            lower(blocks[0])
        else:
            on_all_cores(lower, blocks)
        return found

    def _lower(
        self,
        rows: Int[np.ndarray, " m"],
        chosen: Int[np.ndarray, " p"],
        factor: Float[np.ndarray, "p terms"],
        wanted: Bool[np.ndarray, " m"],
        found: Bounds,
    ) -> None:
        """Update `found` in place by some chosen rows, whose side of the products is `factor`."""
        distance, exact = found
        products = factor @ self._factor(rows, factor.dtype.type).T
        least = products.min(axis=0)
        hit = np.flatnonzero(least <= distance * distance * (1.0 + 2.0**-50) + _TINY)
        hit = hit[distance[hit] > 0.0]
        width = self.squares[rows[hit]] + self.squares[chosen].max()
        ceiling = least[hit] + (2.0 * _band(self.cloud.dim, factor.dtype.type) * width + _TINY)

        measure = wanted[hit]
        idle, upper = hit[~measure], np.sqrt(np.maximum(ceiling[~measure], 0.0)) * (1.0 + 2.0**-50)
        distance[idle] = np.minimum(distance[idle], upper)
        exact[idle] = False

        hit = hit[measure]
        which, row = np.nonzero(products[:, hit] <= ceiling[measure])
        np.minimum.at(distance, hit[row], self.cloud.distances(rows[hit[row]], chosen[which]))

    def _factor(self, rows: Int[np.ndarray, " m"], dtype: type) -> Float[np.ndarray, "m terms"]:
        """The rows' side of the product: a, 1, (1 - g) R_a."""
        if self._held is not None and dtype is np.float32:
            return self._held.take(rows, axis=0)
        factor = np.empty((len(rows), self.cloud.dim + 2), dtype=dtype)
        self._fill(factor, self.cloud[rows] - self.cloud.centre, self.squares[rows])
        return factor

    def _mirrored(self, part: slice, dtype: type) -> Float[np.ndarray, "p terms"]:
        """The other side, of some of the chosen rows."""
        if self._held_chosen is not None and dtype is np.float32:
            return self._held_chosen[part.start : min(part.stop, len(self.chosen))]
        return self._mirror(self.chosen[part], dtype)

    def _mirror(self, rows: Int[np.ndarray, " p"], dtype: type) -> Float[np.ndarray, "p terms"]:
        """-2 b, (1 - g) R_b, 1 of some rows."""
        factor = self._factor(rows, dtype)
        factor[:, :-2] *= -2.0
        factor[:, -2:] = factor[:, :-3:-1].copy()
        return factor

    def _fill(
        self, factor: Float[np.ndarray, "m terms"], centred: Float[np.ndarray, "m d"], squares: Float[np.ndarray, " m"]
    ) -> None:
        factor[:, :-2], factor[:, -2] = centred, 1.0
        factor[:, -1] = (1.0 - _band(self.cloud.dim, factor.dtype.type)) * squares

    def _between(self, rows: Int[np.ndarray, " m"], others: Int[np.ndarray, " p"]) -> Float[np.ndarray, "m p"]:
        centred = self.cloud[rows] - self.cloud.centre
        found = centred @ (centred if others is rows else self.cloud[others] - self.cloud.centre).T
        found *= -2.0
        found += self.squares[others]
        found += self.squares[rows, None]
        return found

    def _error(self, rows: Int[np.ndarray, " m"], others: Int[np.ndarray, " p"]) -> float:
        largest = float(self.squares[rows].max() + self.squares[others].max())
        return _band(self.cloud.dim, np.float64) * largest + _TINY

    def _single_is_sharp(self, known: Float[np.ndarray, " m"]) -> bool:
        width = 4.0 * _band(self.cloud.dim, np.float32) * self._mean_square
        least = np.min(known, initial=np.inf, where=known > 0.0)
        return self.cloud.dim < _MOST_TERMS and float(least) ** 2 > _SHARP * width


def _band(dim: int, dtype: type) -> float:
    """g: the most that a squared distance errs by, over the sum of the two squared lengths."""
    return 1.1 * (dim + 4) * (float(np.finfo(dtype).eps) + 2.0**-51)

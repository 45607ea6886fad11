"""Lower bounds of the squared distances of all pairs of points, a tile of a matrix product at a time, on all cores.

For centred points a, b, R = |a|^2 and unit roundoff u of the product's precision, the product of the rows
  (-2 a, (1 - g) R_a, 1)  and  (b, 1, (1 - g) R_b)
is at most |a - b|^2, and at least |a - b|^2 - 2 g (R_a + R_b), with  g = 1.1 (2 (d + 8) u + 4 (d + 4) 2^-53).
Whoever looks for small distances measures the few pairs whose bound is small: near duplicates lose no digit.

Proof.  Rounding a and b to the product's precision changes 2 a.b by at most (2 u + u^2) (R_a + R_b), where 2 |a| |b|
  <= R_a + R_b, and rounding R by u (R_a + R_b); the d + 2 terms of the product, in any order, with or without fused
  multiply-add, add at most 1.05 (d + 2) u times 2 (R_a + R_b). Centring in float64 and R itself err by at most
  (d + 4) 2^-53 of R. The sum is below g (R_a + R_b) for d < 2^19.  Underflow: `_TINY`, with coordinates of at most 2.
Cost.   n^2 d operations, half of what all n^2 products take, and what the visitor does with a tile.
Memory. Operands of at most `_OPERANDS` numbers, and some tiles: never a copy of the points.
"""

from collections.abc import Callable, Iterator
from itertools import count
from threading import Lock
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from experiments.threads import on_all_cores

Rows = slice | Int[np.ndarray, " m"]

_SIDE = 1 << 10  # points on either side of a tile: 4 MiB in float32
_OPERANDS = 1 << 24  # numbers of the operands that are held: 64 MiB
_SMALL = 1 << 24  # multiplications that are too few for several threads, and for float32
_TINY = 2.0**-100  # more than all underflow of a product
_MOST_TERMS = 1 << 19  # of a product in float32


class Tile(NamedTuple):
    """lower[i, j]: of the points first + i and second + j; inf where that is no pair first + i < second + j.

    sharper: the same tile from a product in float64, None where it is one already.
    """

    first: int
    second: int
    lower: Float[np.ndarray, "r c"]
    sharper: Callable[[], "Tile"] | None


class PairTiles:
    """centred: some of the `count` points as float64 rows less a common centre, each number at most 2 in size."""

    def __init__(self, centred: Callable[[Rows], Float[np.ndarray, "m d"]], count: int, dim: int) -> None:
        self._centred, self.count, self.dim = centred, count, dim
        self._few = count**2 * dim <= _SMALL
        self._dtype = np.float64 if self._few or dim >= _MOST_TERMS else np.float32

    def visit(self, look: Callable[[Tile], None], *, progress: Callable[[int, int], None] | None = None) -> None:
        """Call `look` with every tile, several at a time and in no certain order; every pair is in one of them.

        progress: called with the tiles done so far, and with how many they are.
        """
        done, lock, sides = count(1), Lock(), -(-self.count // _SIDE)

        def work(task: tuple[int, int, np.ndarray, np.ndarray]) -> None:
            look(self._tile(*task))
            if progress is not None:
                with lock:
                    progress(next(done), sides * (sides + 1) // 2)

        if self._few:
            for task in self._tasks():
                work(task)
        else:
            on_all_cores(work, self._tasks())

    def _tasks(self) -> Iterator[tuple[int, int, np.ndarray, np.ndarray]]:
        """Start and factor of the rows and of the columns of each tile."""
        held = max(1, _OPERANDS // (self.dim + 2) // _SIDE) * _SIDE
        for begin in range(0, self.count, held):
            left = self._left(slice(begin, min(begin + held, self.count)), self._dtype)
            for second in range(begin, self.count, _SIDE):
                right = self._right(slice(second, min(second + _SIDE, self.count)), self._dtype)
                for first in range(begin, min(begin + held, second + 1), _SIDE):
                    yield first, second, left[first - begin :][:_SIDE], right

    def _tile(self, first: int, second: int, left: np.ndarray, right: np.ndarray) -> Tile:
        lower = left @ right.T
        rows, columns = slice(first, first + len(left)), slice(second, second + len(right))
        if first == second:  # on the diagonal: each pair once
            lower[np.tri(*lower.shape, dtype=bool)] = np.inf

        def sharper() -> Tile:
            return self._tile(first, second, self._left(rows, np.float64), self._right(columns, np.float64))

        return Tile(first, second, lower, None if lower.dtype == np.float64 else sharper)

    def _left(self, rows: Rows, dtype: type) -> Float[np.ndarray, "m terms"]:
        return self._factor(rows, dtype, scale=-2.0, size=-2)

    def _right(self, rows: Rows, dtype: type) -> Float[np.ndarray, "m terms"]:
        return self._factor(rows, dtype, scale=1.0, size=-1)

    def _factor(self, rows: Rows, dtype: type, *, scale: float, size: int) -> Float[np.ndarray, "m terms"]:
        points = self._centred(rows)
        factor = np.ones((len(points), self.dim + 2), dtype=dtype)
        factor[:, size] = (1.0 - band(self.dim, dtype)) * np.einsum("ij,ij->i", points, points) - _TINY
        factor[:, :-2] = scale * points
        return factor


def band(dim: int, dtype: type) -> float:
    """g: the error of a squared distance over the sum of the two squared lengths."""
    return 1.1 * (2 * (dim + 8) * 0.5 * float(np.finfo(dtype).eps) + 4 * (dim + 4) * 2.0**-53)


def rounded_up(bound: float | Float[np.ndarray, " r"], dtype: np.dtype) -> np.ndarray:
    """Numbers of at least 0 in another precision, none of them smaller: to hold lower bounds against."""
    found = np.asarray(bound).astype(dtype)
    return np.where(found < bound, np.nextafter(found, dtype.type(np.inf)), found)

"""Which rows of a table equal an earlier one: by 64-bit keys, and compared where keys agree.

  key(x) = sum_c m_c (b_c xor (b_c >> 32))  mod 2^64,   b_c the bits of the float64 x_c + 0, m_c fixed odd multipliers
Equal rows have equal keys (x + 0 makes 0 of -0). Rows of equal keys are compared, number by number.
Memory. O(n) and a block of rows.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int, UInt64

_BLOCK = 1 << 20  # numbers of a block of rows: 8 MiB


def lowest_equal(
    rows: Callable[[slice | Int[np.ndarray, " m"]], Float[np.ndarray, "m d"]], count: int, dim: int
) -> Int[np.ndarray, " n"]:
    """For each row the lowest one that equals it; itself where no earlier row does.

    rows: some of the `count` rows, by a slice or by indices, in float64.
    """
    keys, size = np.empty(count, dtype=np.uint64), max(1, _BLOCK // dim)
    for start in range(0, count, size):
        keys[start : start + size] = _keys(rows(slice(start, start + size)))
    lowest = np.arange(count)
    order = np.argsort(keys, kind="stable")
    alike = keys[order[1:]] == keys[order[:-1]]
    left = order[np.append(alike, False) | np.append(False, alike)]
    while len(left):  # more than once only where different rows have one key
        first = np.append(True, keys[left[1:]] != keys[left[:-1]])
        head = left[first][np.cumsum(first) - 1]
        equal = np.empty(len(left), dtype=bool)
        for start in range(0, len(left), size):
            part = slice(start, start + size)
            equal[part] = np.all(rows(left[part]) == rows(head[part]), axis=1)
        lowest[left[equal]] = head[equal]
        left = left[~equal]
    return lowest


def _keys(rows: Float[np.ndarray, "m d"]) -> UInt64[np.ndarray, " m"]:
    bits = np.ascontiguousarray(rows + 0.0, dtype=np.float64).view(np.uint64)
    multipliers = 2 * np.random.default_rng(0).integers(1 << 63, size=rows.shape[1], dtype=np.uint64) + 1
    return np.add.reduce((bits ^ (bits >> 32)) * multipliers, axis=1)

"""Facility location: again and again the row that brings the pool nearest to the chosen rows on average.

  f(S) = sum_i (c - D(i, S)),   D(i, S) = distance of row i to the nearest row of S,   c >= every distance,  f({}) = 0
Greedy: s_m = the candidate of largest gain f(S + s) - f(S); the choice does not depend on c. f is monotone and
submodular, so that f(S_k) >= (1 - 1/e) max f over all k candidates.
Distance. Euclidean, or 1 - cos: then f is the sum of the largest cosines with a chosen row, and a constant.
Lazy.   Gains only fall, so stale ones are upper bounds. The `_TOGETHER` leading candidates' distances to all rows are
  held, from one matrix product, and their gains are made anew in the order of the stale ones until the leader is fresh.
Rounding. Gains are sums of n float64 numbers: those closer than about n d eps c are decided by rounding.
Cost.   All n^2 distances at the start, and some of them again: refused above `LARGEST` rows.
Source. Nemhauser, Wolsey and Fisher 1978 for the guarantee; Minoux 1978 for lazy evaluation.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float, Int

from experiments.selection.cloud import Cloud
from experiments.selection.contenders import Rank
from experiments.selection.screen import Screen

LARGEST = 50_000
"""Rows of a pool; it then takes minutes in 100 coordinates."""
_TOGETHER = 128


def facility_location(
    cloud: Cloud,
    count: int,
    *,
    candidates: Bool[np.ndarray, " n"],
    progress: Callable[[int, int], None] | None = None,
) -> Int[np.ndarray, " count"]:
    """The first `count` rows of the greedy choice.  Raises ValueError for more than `LARGEST` rows."""
    if cloud.count > LARGEST:
        raise ValueError(
            f"facility compares all pairs of rows, so points must have at most {LARGEST} of them, but had {cloud.count}"
        )
    screen = Screen(cloud, count)
    largest = float(cloud.unscaled(2.0 * np.sqrt(screen.squares.max(keepdims=True)))[0])
    reached = np.full(cloud.count, largest)  # D(i, S); c for the empty S
    gain = np.full(cloud.count, -np.inf)  # upper bound of each candidate's
    rows = np.flatnonzero(candidates)
    for start in range(0, len(rows), _TOGETHER):
        part = rows[start : start + _TOGETHER]
        gain[part] = (largest - _distances(screen, part)).sum(axis=1)
    chosen: list[int] = []
    while len(chosen) < count:
        leading = np.argpartition(-gain, min(_TOGETHER, cloud.count - 1))[:_TOGETHER]
        leading = np.sort(leading[gain[leading] > -np.inf])
        others = gain.copy()
        others[leading] = -np.inf
        rest = Rank(float(others.max()), int(others.argmax()))
        chosen += _play(leading, _distances(screen, leading), gain, reached, rest, count - len(chosen))
        gain[chosen] = -np.inf
        if progress is not None:
            progress(len(chosen), count)
    return np.array(chosen)


def _play(
    rows: Int[np.ndarray, " m"],
    distances: Float[np.ndarray, "m n"],
    gain: Float[np.ndarray, " n"],
    reached: Float[np.ndarray, " n"],
    rest: Rank,
    most: int,
) -> list[int]:
    """The rows chosen while one of them, its gain fresh, leads `rest`; lowers `gain` and `reached` in place."""
    chosen, mine, fresh = [], gain[rows], np.zeros(len(rows), dtype=bool)
    while len(chosen) < most:
        leader = int(np.argmax(mine))
        if not Rank(float(mine[leader]), int(rows[leader])).leads(rest):
            break
        if fresh[leader]:
            chosen.append(int(rows[leader]))
            np.minimum(reached, distances[leader], out=reached)
            mine[leader], fresh[:] = -np.inf, False
        else:
            mine[leader] = min(mine[leader], np.maximum(reached - distances[leader], 0.0).sum())
            fresh[leader] = True
    gain[rows] = mine
    return chosen


def _distances(screen: Screen, rows: Int[np.ndarray, " m"]) -> Float[np.ndarray, "m n"]:
    squares, _ = screen.to_all(rows)
    return screen.cloud.unscaled(np.sqrt(np.maximum(squares, 0.0)))

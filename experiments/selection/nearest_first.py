"""Nearest-first choice, the opposite of farthest-first: again and again the row nearest to those chosen.

  s_1 is given,  s_m = the candidate nearest to {s_1..s_{m-1}}; of equally near ones, the first row
with `Cloud.distances` as the distance (Prim's order of the minimum spanning tree, stopped at k rows). It is the paper's
ablation that minimises distance: a dense clump around the start.

Method. Distances from the `_TOGETHER` rows that lead, which are likely to be chosen next, to all others come from one
  matrix product in float64, up to `error`; where rows are closer to the lead than that, they are measured.
Memory. `_TOGETHER` n numbers, at most `_HELD` where n is large, and `Screen`'s.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Int

from experiments.selection.cloud import Cloud
from experiments.selection.screen import Screen

_TOGETHER, _HELD = 64, 1 << 24  # rows; numbers: 128 MiB


def nearest_first(
    cloud: Cloud,
    count: int,
    *,
    start: int,
    candidates: Bool[np.ndarray, " n"],
    progress: Callable[[int, int], None] | None = None,
) -> Int[np.ndarray, " count"]:
    """The first `count` rows of the choice from row `start`."""
    screen = Screen(cloud, count)
    to_start = cloud.distances_to(cloud[np.array([start])])
    square, error = np.where(candidates, to_start**2, np.inf), 0.0  # of the distance to the chosen; inf: not to choose
    row, held, together = start, {}, max(1, min(_TOGETHER, _HELD // cloud.count))
    while True:
        screen.choose(np.array([row]))
        square[row] = np.inf
        if progress is not None:
            progress(len(screen.chosen), count)
        if len(screen.chosen) == count:
            return screen.chosen
        if row not in held:
            leading = np.argpartition(square, min(together, len(square) - 1))[:together]
            rows = np.append(leading[square[leading] < np.inf], row)
            columns, column_error = screen.to_all(rows)
            held, error = dict(zip(rows.tolist(), columns)), max(error, column_error)
        np.minimum(square, held[row], out=square, where=square < np.inf)
        near = np.flatnonzero(square <= square.min() + 2.0 * error)
        if len(near) > 1:
            near = near[[np.argmin(screen.nearest(near, known=to_start[near]).distance)]]
        row = int(near[0])

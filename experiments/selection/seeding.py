"""k-means++ seeding (D^2 sampling): each further row is drawn with probability proportional to D^2.

  P(s_m = j) = D_j^2 / sum_i D_i^2 over the candidates i,   D_i = distance of row i to {s_1..s_{m-1}}
Method. Rejection: a row is drawn by the D of some rows earlier, an upper bound, and kept with probability (D now / D
  then)^2. That is the same distribution, and all D need be brought up to date only once in so many rows.
Degenerate.  Where all D are 0, every candidate left is equally likely.
Source. Arthur and Vassilvitskii 2007; expected inertia at most 8 (ln k + 2) times the best.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float, Int

from experiments.selection.cloud import Cloud, lengths
from experiments.selection.screen import Screen

_MOST_TOGETHER, _SPARE_DRAWS = 512, 16


def squared_distance_sampling(
    cloud: Cloud,
    count: int,
    *,
    start: int,
    candidates: Bool[np.ndarray, " n"],
    rng: np.random.Generator,
    progress: Callable[[int, int], None] | None = None,
) -> Int[np.ndarray, " count"]:
    """`count` different rows, the first of which is `start`."""
    screen, everyone = Screen(cloud, count), np.arange(cloud.count)
    known = cloud.distances_to(cloud[np.array([start])])
    screen.choose(np.array([start]))
    while len(screen.chosen) < count:
        seen, missing = len(screen.chosen), count - len(screen.chosen)
        drawn = _draw(cloud, np.where(candidates, known, 0.0), min(seen, missing, _MOST_TOGETHER), rng)
        if not len(drawn):
            drawn = rng.permutation(np.setdiff1d(np.flatnonzero(candidates), screen.chosen))[:missing]
        screen.choose(drawn)
        known = screen.nearest(everyone, known=known, since=seen).distance
        if progress is not None:
            progress(len(screen.chosen), count)
    return screen.chosen


def _draw(
    cloud: Cloud, known: Float[np.ndarray, " n"], most: int, rng: np.random.Generator
) -> Int[np.ndarray, " drawn"]:
    """Some rows, at most so many, drawn one after the other; fewer where draws are often in vain, none where D = 0.

    known: D of every row before the first draw, 0 for those that are no candidates.
    """
    total = np.cumsum(known**2)
    if total[-1] == 0.0:
        return np.empty(0, dtype=np.intp)
    drawn, points, spare = np.empty(most, dtype=np.intp), np.empty((most, cloud.dim)), _SPARE_DRAWS
    number = 0
    while number < most and spare > 0:
        row = int(np.searchsorted(total, rng.random() * total[-1], side="right"))
        row = min(row, int(np.flatnonzero(known)[-1])) if row == len(known) else row
        point = cloud[np.array([row])]
        now = min(float(lengths(points[:number] - point).min(initial=np.inf)), known[row])
        if rng.random() * known[row] ** 2 < now**2:
            drawn[number], points[number], number = row, point, number + 1
        else:
            spare -= 1
    return drawn[:number]

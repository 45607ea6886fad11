"""Insertion distances and cover of rows that were chosen in some order, by whatever rule."""

import numpy as np
from jaxtyping import Float, Int

from experiments.selection.cloud import Cloud
from experiments.selection.screen import Screen

_TOGETHER = 512


def insertion_and_cover(cloud: Cloud, order: Int[np.ndarray, " k"]) -> tuple[Float[np.ndarray, " k"], float]:
    """The distance of each row to those before it, inf for the first, and the largest one of a pool row to them all.

    In the metric of the cloud, exact as `Cloud.distances`.
    """
    to_first, screen = cloud.distances_to(cloud[order[:1]]), Screen(cloud, len(order))
    insertion = to_first[order]
    for start in range(0, len(order), _TOGETHER):
        rows = order[start : start + _TOGETHER]
        part = insertion[start : start + _TOGETHER]
        if start > 0:
            part[:] = screen.nearest(rows, known=part).distance
        _lower_by_earlier(part, rows, screen)
        screen.choose(rows)
    insertion[0] = np.inf
    cover = float(screen.nearest(np.arange(cloud.count), known=to_first).distance.max())
    return cloud.unscaled(insertion), float(cloud.unscaled(np.array([cover]))[0])


def _lower_by_earlier(known: Float[np.ndarray, " m"], rows: Int[np.ndarray, " m"], screen: Screen) -> None:
    """Lower each known distance to that from the rows before it in place."""
    table, error = screen.among(rows)
    table[np.triu_indices(len(rows))] = np.inf
    least = np.minimum(table.min(axis=1), known**2)
    row, earlier = np.nonzero(table <= least[:, None] + 2.0 * error)
    np.minimum.at(known, row, screen.cloud.distances(rows[row], rows[earlier]))

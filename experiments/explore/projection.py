"""The points as a plane shows them, with the closest pair."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from experiments.explore.scene import Scene


class Projection(NamedTuple):
    """plane: (N, 2).  explained: the share of the points' variance that the plane shows, 1 up to two coordinates.

    pair, separation: the closest pair and its distance, in all coordinates.  ceiling: S4's, above every separation.
    labels: (N,).
    """

    plane: Float[np.ndarray, "n 2"]
    explained: float
    pair: tuple[int, int]
    separation: float
    ceiling: float
    labels: Float[np.ndarray, " n"]


def projection(scene: Scene) -> Projection:
    """Up to two coordinates as they are, more by their two principal components, each pointing where it is largest."""
    rows = scene.points.points.reshape(len(scene.points.points), -1)
    plane, explained = _plane(rows)
    points = scene.points
    return Projection(plane, explained, points.pair, points.separation, scene.ceiling, scene.labels.values)


def _plane(rows: Float[np.ndarray, "n D"]) -> tuple[np.ndarray, float]:
    if rows.shape[1] <= 2:
        return np.pad(rows, ((0, 0), (0, 2 - rows.shape[1]))), 1.0
    centred = rows - rows.mean(axis=0)
    _, singular, axes = np.linalg.svd(centred, full_matrices=False)
    # The sign of an axis is free: fixed by its largest entry, so that a picture does not flip as points move.
    axes = axes[:2] * np.sign(axes[np.arange(2), np.abs(axes[:2]).argmax(axis=1)])[:, None]
    variance = np.sum(singular**2)
    return centred @ axes.T, float(np.sum(singular[:2] ** 2) / variance) if variance > 0.0 else 1.0

"""Spoil a share of a pool of points: duplicates, wrong labels, outliers, and which row is what.

Size.   Rows are overwritten, never added: a spoilt pool has the size of the clean one, so an epoch has as many steps.
Share.  round(share n) rows, those at the head of one random order of the pool: with the same seed a larger share spoils
  the rows of a smaller one and more, and two knobs with the same seed spoil the same rows.
Units.  Distances are in units of the pool's own radius: its root mean square distance from its mean (near duplicates),
  or its largest (outliers).
Seeds.  Each knob draws from its own stream, so that knobs can be combined under one seed.
"""

import math
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Shaped

_ROWS_STREAM, _COPY_STREAM, _LABEL_STREAM, _OUTLIER_STREAM = 11, 12, 13, 14


class Row(IntEnum):
    """What a row of a spoilt pool is."""

    CLEAN = 0
    EXACT_COPY = 1
    NEAR_COPY = 2
    MISLABELLED = 3
    OUTLIER = 4
    FOREIGN = 5  # pairs only


class SpoiltPoints(NamedTuple):
    """points: (n, d).  labels: (n, ...).  kinds: (n,), `Row` of each.  sources: (n,), the row copied, else its own."""

    points: Float[np.ndarray, "n d"]
    labels: Shaped[np.ndarray, "n ..."]
    kinds: Int[np.ndarray, " n"]
    sources: Int[np.ndarray, " n"]


class SpoiltLabels(NamedTuple):
    """labels: (n,).  kinds: (n,), `Row` of each: CLEAN or MISLABELLED."""

    labels: Int[np.ndarray, " n"]
    kinds: Int[np.ndarray, " n"]


def rows_to_spoil(size: int, share: float | int, *, seed: int) -> tuple[Int[np.ndarray, " k"], Int[np.ndarray, " m"]]:
    """The rows to spoil and the rows that stay, at least one; either in random order."""
    if not 0 <= share < 1:
        raise ValueError(f"share must lie in [0, 1), but was {share}")
    if size < 1:
        raise ValueError("the pool must have at least 1 row, but was empty")
    spoilt = min(round(share * size), size - 1)
    order = np.random.default_rng((_ROWS_STREAM, seed)).permutation(size)
    return order[:spoilt], order[spoilt:]


def clean_rows(size: int) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"]]:
    """`kinds` and `sources` of a clean pool."""
    return np.full(size, int(Row.CLEAN)), np.arange(size)


def duplicated(
    points: Float[np.ndarray, "n d"],
    labels: Shaped[np.ndarray, "n ..."],
    share: float | int,
    *,
    seed: int,
    near: float | int = 0.5,
    distance: float | int = 0.05,
) -> SpoiltPoints:
    """Overwrite a share of the rows by copies, labels and all, of rows that stay.

    near: the part of the copies, rounded, that are near ones: moved in a random direction by `distance` times the root
    mean square distance of the pool from its mean.  The other copies are exact.
    Raises ValueError for a share outside [0, 1), where no row would stay, and for a `near` outside [0, 1].
    """
    if not 0 <= near <= 1:
        raise ValueError(f"near must lie in [0, 1], but was {near}")
    if not 0 <= distance < math.inf:
        raise ValueError(f"distance must be a non-negative number, but was {distance}")
    spoilt, stay = rows_to_spoil(len(points), share, seed=seed)
    rng = np.random.default_rng((_COPY_STREAM, seed))
    copied = stay[rng.integers(len(stay), size=len(spoilt))]
    kinds, sources = clean_rows(len(points))
    sources[spoilt] = copied
    kinds[spoilt] = Row.EXACT_COPY
    moved = spoilt[: round(near * len(spoilt))]
    kinds[moved] = Row.NEAR_COPY
    found = points[sources]
    radius = math.sqrt(np.mean(_distances_to_mean(points) ** 2))
    found[moved] += distance * radius * _directions(rng, (len(moved), points.shape[1]))
    return SpoiltPoints(found, labels[sources], kinds, sources)


def mislabelled(labels: Int[np.ndarray, " n"], share: float | int, *, classes: int, seed: int) -> SpoiltLabels:
    """Give a share of the rows another label than their own, each of the other `classes` - 1 equally likely.

    labels: in 0 .. classes - 1.  Raises ValueError for other labels, fewer than 2 classes, a share outside [0, 1).
    """
    if classes < 2:
        raise ValueError(f"classes must be at least 2, but was {classes}")
    if len(labels) and not (labels.min() >= 0 and labels.max() < classes):
        raise ValueError(f"labels must lie in 0 .. {classes - 1}, but reach from {labels.min()} to {labels.max()}")
    spoilt, _ = rows_to_spoil(len(labels), share, seed=seed)
    turns = np.random.default_rng((_LABEL_STREAM, seed)).integers(1, classes, size=len(spoilt))
    found = labels.copy()
    found[spoilt] = (labels[spoilt] + turns) % classes
    kinds, _ = clean_rows(len(labels))
    kinds[spoilt] = Row.MISLABELLED
    return SpoiltLabels(found, kinds)


def with_outliers(
    points: Float[np.ndarray, "n d"],
    labels: Shaped[np.ndarray, "n ..."],
    share: float | int,
    *,
    seed: int,
    distance: float | int = 2.0,
) -> SpoiltPoints:
    """Overwrite a share of the points by far ones; their labels stay, and mean nothing there.

    An outlier lies in a random direction from the pool's mean, at `distance` > 1 times the largest distance R of the
    pool from its mean: at least (distance - 1) R from every clean row.
    """
    if not 1 < distance < math.inf:
        raise ValueError(f"distance must be a number above 1, but was {distance}")
    spoilt, _ = rows_to_spoil(len(points), share, seed=seed)
    rng = np.random.default_rng((_OUTLIER_STREAM, seed))
    found = points.copy()
    reach = distance * _distances_to_mean(points).max(initial=0.0)
    found[spoilt] = points.mean(axis=0) + reach * _directions(rng, (len(spoilt), points.shape[1]))
    kinds, sources = clean_rows(len(points))
    kinds[spoilt] = Row.OUTLIER
    return SpoiltPoints(found, labels.copy(), kinds, sources)


def _distances_to_mean(points: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
    return np.linalg.norm(points - points.mean(axis=0), axis=1)


def _directions(rng: np.random.Generator, shape: tuple[int, int]) -> Float[np.ndarray, "k d"]:
    drawn = rng.standard_normal(shape)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)

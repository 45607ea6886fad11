"""Farthest-first selection from a pool that need not fit into memory: composable core-sets (D4).

Each part of the pool, a range of consecutive rows, keeps its first `core_size` farthest-first points; the selection is
farthest-first among what the parts kept, taken in the pool's order, ties to the lowest row; a second pass over the pool
measures how well it covers and certifies it. Both passes are tasks, one a part, that read their own rows: in this
process, or on the workers of a dask client, with one and the same result.

Guarantee. D4: h_min within 6 of the best, cover within 4; after the run the certificate, which is D1's 2 where the
  parts have cost nothing. Every prefix is the selection of its own size.
Memory. A part's rows and their traversal on each worker, here the kept rows: n/m + m core_size rows are least for
  m = sqrt(n / core_size) parts, the default.
Cost. 2 n core_size d operations for the parts, 2 n k d for the certificate.
Units. Distances in the metric asked for; cosine is 1 - cos, whose bounds are those of the angle (D2).
Source. Indyk, Mahabadi, Mahdian and Mirrokni 2014; Malkomes et al. 2015.
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from experiments.cluster import computed
from experiments.selection.methods import METRICS, STARTS, Metric, Selection, Start, select
from experiments.selection.stored_rows import HeldRows, StoredRows, stored_rows
from experiments.threads import on_all_cores
from theory.composable_core_sets import cover_floor, dispersion_ceiling
from theory.cosine_distance import doubled_angle

_PART_BYTES = 1 << 28
_PRODUCTS = 1 << 20  # distances screened at once


class Certificate(NamedTuple):
    """What is known of a selection of k rows once it is made; all distances in its metric.

    parts: of the pool.  kept: rows that these kept.  kept_cover: largest distance of a pool row to the nearest kept row
    of its part.  separation: h_min of the selection, inf for k = 1.  cover: of the pool by it.  cover_before: by all of
    it but the last row, inf for k = 1.  best_separation: no k rows of the pool have a larger h_min.  best_cover: no k
    centres cover the pool at a lesser radius.
    """

    parts: int
    kept: int
    kept_cover: float
    separation: float
    cover: float
    cover_before: float
    best_separation: float
    best_cover: float

    @property
    def share(self) -> float:
        """separation / best_separation: the selection's h_min is at least this share of the best; 1/6 at worst.

        (In cosine distance at worst 1 - cos of a sixth of the best angle.) 1 where no selection is any better.
        """
        return 1.0 if self.separation == self.best_separation else self.separation / self.best_separation


class CoreSetSelection(NamedTuple):
    """The selection, as `select` returns it, and its certificate."""

    selection: Selection
    certificate: Certificate


class _Part(NamedTuple):
    rows: StoredRows
    start: int
    stop: int
    metric: Metric
    core_size: int


class _Core(NamedTuple):
    """What a part keeps, in the pool's order."""

    indices: Int[np.ndarray, " c"]
    points: Float[np.ndarray, "c d"]
    cover: float


def select_core_sets(
    pool: Any,
    k: int,
    *,
    partitions: int | None = None,
    core_size: int | None = None,
    metric: Metric = "euclidean",
    start: Start = "first",
    seed: int = 0,
    columns: Sequence[str] = (),
    client: Any = None,
    progress: Callable[[int, int], None] | None = None,
) -> CoreSetSelection:
    """Choose k rows of a pool in parts.

    pool: a path of a .npy file, one or several of parquet files, or an array (a memory map) where there is no client.
    partitions: number of parts, by default the square root of n / core_size, and parts of at most 256 MiB.
    core_size: rows that a part keeps, at least k, the default; more lower kept_cover, never the guarantee.
    start, seed: of the choice among the kept rows.  columns: of parquet files, by default all numeric ones.
    client: of dask, as experiments.cluster makes it; its workers see the files under the same paths.
    progress: called with the number of tasks done and of all.
    Raises ValueError for bad arguments, and naming the row for values that are not finite and, under cosine, zero rows.
    """
    for name, value, allowed in (("metric", metric, METRICS), ("start", start, STARTS)):
        if value not in allowed:
            raise ValueError(f"{name} must be one of {', '.join(allowed)}, but was {value!r}")
    rows = stored_rows(pool, columns=columns)
    if client is not None and isinstance(rows, HeldRows):
        raise ValueError("with a client the pool must be a file that its workers can read, but was an array")
    if not 1 <= k <= rows.count:
        raise ValueError(f"k must lie between 1 and the pool's {rows.count} rows, but was {k}")
    core_size = k if core_size is None else core_size
    if core_size < k:
        raise ValueError(f"core_size must be at least k = {k}, but was {core_size}")
    if partitions is None:
        least = math.ceil(rows.count * rows.row_bytes / _PART_BYTES)
        partitions = max(1, least, round(math.sqrt(rows.count / core_size)))
    if not 1 <= partitions <= rows.count:
        raise ValueError(f"partitions must lie between 1 and the pool's {rows.count} rows, but was {partitions}")
    begins = [rows.count * part // partitions for part in range(partitions + 1)]
    parts = [_Part(rows, *ends, metric, core_size) for ends in pairwise(begins)]

    done = 0

    def each(function: Callable[[Any, Any], Any], shared: Any) -> list[Any]:
        nonlocal done
        results: list[Any] = [None] * partitions
        for part, result in computed(function, parts, shared, client=client):
            results[part] = result
            done += 1
            if progress is not None:
                progress(done, 2 * partitions)
        return results

    cores = each(_core, None)
    kept = np.concatenate([core.points for core in cores])
    chosen = select(kept, k, metric=metric, start=start, seed=seed)
    covers = np.max(each(_covers, kept[chosen.indices]), axis=0)
    selection = Selection(
        indices=np.concatenate([core.indices for core in cores])[chosen.indices],
        insertion=chosen.insertion,
        cover=float(covers[1]),
    )
    separation = float(np.min(chosen.insertion))
    best_separation, best_cover = _bounds(separation, float(covers[0]), selection.cover, metric=metric)
    certificate = Certificate(
        parts=partitions,
        kept=len(kept),
        kept_cover=max(core.cover for core in cores),
        separation=separation,
        cover=selection.cover,
        cover_before=float(covers[0]),
        best_separation=best_separation,
        best_cover=best_cover,
    )
    return CoreSetSelection(selection, certificate)


def _core(part: _Part, _: None) -> _Core:
    points = _read(part)
    chosen = select(points, min(part.core_size, len(points)), metric=part.metric)
    order = np.sort(chosen.indices)
    return _Core(part.start + order, points[order], chosen.cover)


def _covers(part: _Part, chosen: Float[np.ndarray, "k d"]) -> tuple[float, float]:
    """Largest distance of the part's rows to the nearest of all chosen rows but the last, and to that of all."""
    points = _read(part)
    if part.metric == "euclidean":
        return farthest(points, chosen)
    before, every = farthest(_unit(points), _unit(chosen), single=points.dtype.itemsize <= 4)
    return before**2 / 2.0, every**2 / 2.0


def farthest(
    points: Float[np.ndarray, "n d"], chosen: Float[np.ndarray, "k d"], *, single: bool | None = None
) -> tuple[float, float]:
    """max over the points of the distance to the nearest of chosen[:-1] (inf if there is none), and of chosen.

    A matrix product (single: in float32, by default for points that are no wider) finds a near chosen row for every
    point. The distance to that one, in float64, is an upper bound, whatever the product's rounding; the points with the
    largest upper bounds are measured against all chosen rows until no upper bound exceeds what was measured.
    """
    dtype = np.float32 if (points.dtype.itemsize <= 4 if single is None else single) else np.float64
    own = chosen.astype(np.float64)
    centre = own.mean(axis=0)
    shifted = own - centre
    factor = np.column_stack([-2.0 * shifted, np.sum(shifted**2, axis=1)]).astype(dtype).T  # |c|^2 - 2 x.c
    reached = [0.0 if len(own) > 1 else math.inf, 0.0]
    step, lock = max(1, _PRODUCTS // len(own)), Lock()

    def look(first: int) -> None:
        block = points[first : first + step].astype(np.float64)
        products = np.column_stack([block - centre, np.ones(len(block))]).astype(dtype) @ factor
        upper = _lengths(block - own[-1])
        before = math.inf
        if len(own) > 1:
            to_near = _lengths(block - own[np.argmin(products[:, :-1], axis=1)])
            before, upper = _largest(block, own[:-1], to_near, reached[0]), np.minimum(to_near, upper)
        every = _largest(block, own, upper, reached[1])
        with lock:
            reached[:] = max(reached[0], before), max(reached[1], every)

    on_all_cores(look, range(0, len(points), step))
    return reached[0], reached[1]


def _largest(
    points: Float[np.ndarray, "n d"],
    chosen: Float[np.ndarray, "k d"],
    upper: Float[np.ndarray, " n"],
    largest: float,
) -> float:
    """The larger of `largest` and the largest distance of a point, at most `upper`, to the nearest chosen row."""
    for i in np.argsort(-upper):
        if upper[i] <= largest:
            break
        largest = max(largest, float(_lengths(points[i] - chosen).min()))
    return largest


def _bounds(separation: float, cover_before: float, cover: float, *, metric: Metric) -> tuple[float, float]:
    """Best separation (inf for k = 1) and best cover that D4's certificate allows."""
    if metric == "euclidean":
        return dispersion_ceiling(cover_before), cover_floor(separation, cover)
    # D4 for the angle: twice an angle, and half of one, as 1 - cos.
    half = min(separation, cover) / 2.0
    best_separation = doubled_angle(cover_before) if cover_before < math.inf else math.inf
    return best_separation, half / (1.0 + math.sqrt(1.0 - half))


def _read(part: _Part) -> Float[np.ndarray, "n d"]:
    points = part.rows.read(part.start, part.stop)
    if part.metric == "cosine":
        zero = ~np.any(points, axis=1)
        if zero.any():
            raise ValueError(f"under cosine no row may be zero, but row {part.start + int(np.argmax(zero))} is")
    return points


def _unit(points: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    points = points.astype(np.float64)
    return points / _lengths(points)[:, None]


def _lengths(vectors: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
    return np.sqrt(np.sum(vectors**2, axis=1))

"""Plain working version (the interface is final, the inside is being replaced)."""

from collections.abc import Callable
from typing import Literal, NamedTuple, get_args

import numpy as np
from jaxtyping import Float, Int

Metric = Literal["euclidean", "cosine"]
Method = Literal["greedy", "random", "min-dist", "k-means++", "facility"]
Start = Literal["first", "random", "center"]
METRICS, METHODS, STARTS = get_args(Metric), get_args(Method), get_args(Start)


class Selection(NamedTuple):
    """indices in order of insertion, distance of each to those before it (inf first), cover of the pool."""

    indices: Int[np.ndarray, " k"]
    insertion: Float[np.ndarray, " k"]
    cover: float


def select(
    points: Float[np.ndarray, "n d"],
    k: int,
    *,
    metric: Metric = "euclidean",
    method: Method = "greedy",
    start: Start = "first",
    seed: int = 0,
    max_outlier: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Selection:
    n = len(points)
    if not 1 <= k <= n:
        raise ValueError(f"k must lie between 1 and the pool's {n} points, but was {k}")
    x = np.asarray(points, dtype=np.float64)
    if metric == "cosine":
        x = x / np.linalg.norm(x, axis=1, keepdims=True)
    rng = np.random.default_rng(seed)
    first = {"first": 0, "random": int(rng.integers(n))}.get(
        start, int(np.argmin(np.linalg.norm(x - x.mean(0), axis=1)))
    )
    allowed = np.ones(n, bool)
    to_chosen = np.full(n, np.inf)
    order = rng.permutation(n) if method == "random" else None
    indices, insertion = [], []
    for step in range(k):
        if order is not None:
            i = int(order[step])
        elif step == 0:
            i = first
        elif method == "min-dist":
            i = int(np.argmin(np.where(allowed, to_chosen, np.inf)))
        elif method == "k-means++":
            weights = np.where(allowed, to_chosen, 0.0) ** 2
            weights = weights / weights.sum() if weights.sum() > 0 else allowed / allowed.sum()
            i = int(rng.choice(n, p=weights))
        else:
            i = int(np.argmax(np.where(allowed, to_chosen, -1.0)))
        indices.append(i)
        insertion.append(to_chosen[i])
        allowed[i] = False
        np.minimum(to_chosen, np.linalg.norm(x - x[i], axis=1), out=to_chosen)
        if progress:
            progress(step + 1, k)
    insertion, cover = np.array(insertion), float(to_chosen.max())
    return Selection(
        np.array(indices),
        insertion**2 / 2 if metric == "cosine" else insertion,
        cover**2 / 2 if metric == "cosine" else cover,
    )

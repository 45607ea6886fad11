"""What the language study's figures draw: losses on the way, the halves' geometry and lengths, their projection."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from experiments.records import Record
from experiments.studies.selection_language_times import CLOCKS, Runs, clocks, curve, loss, named, step_seconds
from experiments.studies.selection_language_training import OBJECTIVES

_SHOWN = 300
"""Points of the pool in the projection."""
_SHOWN_SETS = ("pool", "held_out")
_THINNED = 10
"""Every so many steps of the training loss are kept for the figure."""
_MEANS = (
    "separation",
    "mean_nearest",
    "cover",
    "mean_whole",
    "mean_kept",
    "spoilt_share",
    "subset_size",
    "pool_size",
    "vector_seconds",
    "choice_seconds",
)
LENGTH_BINS = tuple(range(0, 481, 40))


def curves(key: tuple[Any, ...], runs: Runs) -> dict[str, Any]:
    """Means and ranges over seeds along one situation's runs."""
    panel: dict[str, Any] = {"situation": named(key), "objective": OBJECTIVES[key[2]], "methods": {}}
    for method in sorted({method for method, _ in runs}):
        mine = [runs[name] for name in sorted(runs) if name[0] == method]
        at, _ = curve(mine[0], "training")
        thinned = slice((len(at) - 1) % _THINNED, None, _THINNED)
        panel["methods"][method] = {
            "epochs": float(at[-1]) * mine[0].config["setting"]["batch"] / len(mine[0].arrays["chosen"]),
            "at": mine[0].arrays["at"].tolist(),
            "training": _spread(at[thinned], [curve(record, "training")[1][thinned] for record in mine]),
            **{where: np.mean([loss(record, where) for record in mine], axis=0).tolist() for where in _SHOWN_SETS},
            "minus_random": _minus_random(runs, mine),
        }
    return panel


def _spread(at: np.ndarray, values: Sequence[np.ndarray]) -> dict[str, list[float]]:
    return {
        "at": at.astype(float).tolist(),
        "mean": np.mean(values, axis=0).tolist(),
        "low": np.min(values, axis=0).tolist(),
        "high": np.max(values, axis=0).tolist(),
    }


def _minus_random(runs: Runs, mine: Sequence[Record]) -> dict[str, Any]:
    """Held-out loss less that of the same seed's random half at equal steps, tokens and seconds, over seeds.

    On the random half's evaluations; those that a run does not come to are left out in all seeds.
    """
    found, seconds = {}, step_seconds(list(runs.values()))
    for clock in CLOCKS:
        rows, grids = [], []
        for record in mine:
            other = runs["random", record.config["seed"]]
            here, grid = (clocks(each, seconds, each.arrays["at"])[clock] for each in (record, other))
            rows.append(np.interp(grid, here, loss(record, "held_out"), right=np.nan) - loss(other, "held_out"))
            grids.append(grid)
        kept = np.all(np.isfinite(rows), axis=0)
        found[clock] = _spread(np.mean(grids, axis=0)[kept], [row[kept] for row in rows])
    return found


def subsets(key: tuple[Any, ...], runs: Runs) -> dict[str, Any]:
    """Means over seeds of each subset's geometry and lengths, and the shares of its pairs by their tokens."""
    rows = {}
    own = {name: record for name, record in runs.items() if record.config["embedding"] == key[3]}
    for method in sorted({method for method, _ in own}):
        mine = [own[name] for name in sorted(own) if name[0] == method]
        rows[method] = {name: float(np.mean([record.scalars[name] for record in mine])) for name in _MEANS}
        rows[method]["lengths"] = length_shares(np.concatenate([record.arrays["whole"] for record in mine])).tolist()
    return {"situation": named(key), "methods": rows}


def length_shares(whole: Int[np.ndarray, " n"]) -> Float[np.ndarray, " bins"]:
    """Shares of the pairs with so many tokens; the last bin has all that are longer."""
    counts, _ = np.histogram(np.minimum(whole, LENGTH_BINS[-1]), bins=[*LENGTH_BINS, np.inf])
    return counts / len(whole)


def projection(runs: Runs) -> dict[str, Any] | None:
    """The first seed's pool in two dimensions, some of its points, and who chose which."""
    seed = min((seed for method, seed in runs if method == "uniform"), default=None)
    if seed is None:
        return None
    points = runs["uniform", seed].arrays["projection"]
    shown = np.sort(np.random.default_rng(0).permutation(len(points))[:_SHOWN])
    chosen = {
        method: np.isin(shown, runs[method, seed].arrays["chosen"]).astype(int).tolist()
        for method in ("uniform", "random", "min-dist")
        if (method, seed) in runs
    }
    return {"points": points[shown].astype(float).round(4).tolist(), "chosen": chosen}

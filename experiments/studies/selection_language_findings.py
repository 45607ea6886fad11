"""What the language study's records say: times to a loss and their ratios, losses at the end, what caused which part.

Threshold. The loss that the full run of the same seed has after half its steps ("half") or all of them ("end"): on its
  own rows for a run's own rows, as the paper counts, and on held-out pairs. A run passes it where the straight line
  between two evaluations does; NaN if it never does.
Seconds.   Every step counts the median seconds of all steps of its padded length in the situation's runs: what else the
  machine does disturbs single steps and single runs.
Parts.     At the same steps, each seed with itself: a smaller subset, random - full; uniformity, uniform - random;
  lengths, matched - random; epoch boundary, fall of the batches' loss over the end of the random half's first epoch
  minus that of the full run at the same steps, which begins no epoch there.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from experiments.records import Record
from experiments.statistics import Estimate, bootstrap, with_interval
from experiments.studies.selection_language_training import LOSSES, OBJECTIVES, SETS
from experiments.study import Findings
from theory import farthest_first, subset_separation
from theory.confidence import binomial_interval
from theory.verdict import Check

PAPER_RATIOS = {"uniform": 1.0, "random": 1.90, "full": 3.79}
"""Minutes to a loss, LLaMA-1-13B on WizardLM, 20,000 -> 10,000 pairs, over the uniform half's (arXiv 2506.24120).
Full over random is 1.99, the ratio of the sizes: as if the loss fell with the epochs."""
PARTS = {
    "smaller subset": ("random", "full"),
    "uniformity": ("uniform", "random"),
    "lengths": ("matched", "random"),
    "half nearest": ("half-random-half-min-dist", "random"),
    "all nearest": ("min-dist", "random"),
    "uniform against full": ("uniform", "full"),
}
THRESHOLDS = ("half", "end")
CLOCKS = ("steps", "tokens", "seconds")
_WINDOW = 20
"""Batches averaged before and after the end of an epoch, or as many as there are."""
_ERROR_RATE = 1e-6
_ROUNDING = 2.0**-45
"""Of a cosine distance from an inner product, at most 2: 128 eps."""
_SHOWN = 600
"""Points of the pool in the projection."""
_HISTOGRAM = tuple(range(0, 481, 40))

Runs = Mapping[tuple[str, int], Record]
"""The runs of one situation by method and seed."""


def situation(config: Mapping[str, Any]) -> tuple[Any, ...]:
    """All that the runs to be compared share, but for the seed."""
    return tuple(config[name] for name in ("corpus", "size", "optimiser", "embedding", "corruption", "share"))


def named(key: tuple[Any, ...]) -> str:
    corpus, size, optimiser, embedding, corruption, share = key
    parts = [size, optimiser] + [corpus] * (corpus != "docstrings") + [embedding] * (embedding != "tfidf")
    return " ".join(parts + [f"{corruption} {share:g}"] * (corruption != "none"))


def passage(at: Float[np.ndarray, " evaluations"], loss: Float[np.ndarray, " evaluations"], threshold: float) -> float:
    """Where the straight lines between the evaluations first come down to the threshold; NaN if nowhere."""
    below = np.flatnonzero(loss <= threshold)
    if not len(below):
        return float("nan")
    if (last := int(below[0])) == 0:
        return float(at[0])
    share = (loss[last - 1] - threshold) / (loss[last - 1] - loss[last])
    return float(at[last - 1] + share * (at[last] - at[last - 1]))


def _loss(record: Record, where: str, objective: str | None = None) -> Float[np.ndarray, " evaluations"]:
    name = objective or OBJECTIVES[record.config["optimiser"]]
    return record.arrays["losses"][:, SETS.index(where), LOSSES.index(name)]


def clocks(record: Record, seconds: Mapping[int, float]) -> dict[str, Float[np.ndarray, " evaluations"]]:
    """Steps, tokens and seconds so far at each evaluation.  seconds: of a step, by its padded length."""
    at = record.arrays["at"]
    each = {
        "tokens": record.arrays["tokens"],
        "seconds": [seconds[length] for length in record.arrays["inputs"].tolist()],
    }
    so_far = {name: np.concatenate([[0.0], np.cumsum(values)])[at] for name, values in each.items()}
    return {"steps": at.astype(float)} | so_far


def step_seconds(records: Sequence[Record]) -> dict[int, float]:
    """Padded length -> median seconds of a step over all these runs."""
    inputs, seconds = (np.concatenate([record.arrays[name] for record in records]) for name in ("inputs", "seconds"))
    return {int(length): float(np.median(seconds[inputs == length])) for length in np.unique(inputs)}


def threshold(full: Record, where: str, which: str) -> float:
    loss = _loss(full, where)
    return float(loss[-1] if which == "end" else np.interp(full.arrays["at"][-1] / 2, full.arrays["at"], loss))


def times(runs: Runs, method: str, where: str, which: str, clock: str) -> Float[np.ndarray, " seeds"]:
    """By seed: when the method's loss on `where` comes down to the full run's."""
    seeds = sorted(seed for name, seed in runs if name == method)
    found, seconds = [], step_seconds(list(runs.values()))
    for seed in seeds:
        record = runs[method, seed]
        found.append(
            passage(clocks(record, seconds)[clock], _loss(record, where), threshold(runs["full", seed], where, which))
        )
    return np.array(found)


def _ratios(key: tuple[Any, ...], runs: Runs) -> Iterator[tuple[dict[str, Any], Estimate | None]]:
    """Times over those of the uniform half: a row of the table each, with an estimate where every seed passed."""
    methods = sorted({method for method, _ in runs})
    for where in ("own", "held_out"):
        for which in THRESHOLDS:
            for clock in CLOCKS:
                uniform = times(runs, "uniform", where, which, clock)
                for method in methods:
                    found = times(runs, method, where, which, clock)
                    # A threshold passed at the start says nothing of training.
                    both = np.isfinite(found) & np.isfinite(uniform) & (uniform > 0)
                    estimate = None
                    if np.all(both) and method != "uniform":
                        label = f"{named(key)}: {clock} to the full run's {which} loss on {where}, {method} : uniform"
                        estimate = bootstrap(found / uniform, label=label)
                    row = {
                        "situation": named(key),
                        "where": where,
                        "threshold": which,
                        "clock": clock,
                        "method": method,
                        "passed": int(np.isfinite(found).sum()),
                        "of": len(found),
                        "time": float(np.median(found)) if np.all(np.isfinite(found)) else None,
                        "ratio": estimate.value if estimate else 1.0 if method == "uniform" and np.all(both) else None,
                    }
                    yield row, estimate


def _parts(key: tuple[Any, ...], runs: Runs) -> Iterator[Estimate]:
    """Differences of the loss at the end on all held-out pairs, and of the two ends of an epoch."""
    objective = OBJECTIVES[key[2]]
    by_method: dict[str, dict[int, Record]] = defaultdict(dict)
    for (method, seed), record in runs.items():
        by_method[method][seed] = record
    for part, (method, other) in PARTS.items():
        if method in by_method and other in by_method:
            ends = [
                [by_method[name][seed].scalars[f"end_{objective}"] for seed in sorted(by_method[name])]
                for name in (method, other)
            ]
            if np.all(np.isfinite(np.array(ends, float))):
                label = f"{named(key)}: held-out {objective} at the end, {part} ({method} - {other})"
                yield bootstrap(np.array(ends[0]) - np.array(ends[1]), label=label)
    if {"random", "full"} <= set(by_method):
        falls = [epoch_fall(by_method["random"][seed], by_method["full"][seed]) for seed in sorted(by_method["random"])]
        if np.all(np.isfinite(falls)):
            yield bootstrap(np.array(falls), label=f"{named(key)}: batches' {objective}, epoch boundary")
    for method in ("random", "uniform", "full"):
        if method in by_method:
            gaps = [float(_loss(r, "pool")[-1] - _loss(r, "own")[-1]) for _, r in sorted(by_method[method].items())]
            if np.all(np.isfinite(gaps)):
                yield bootstrap(np.array(gaps), label=f"{named(key)}: {objective} on pool - own at the end, {method}")


def epoch_fall(half: Record, full: Record) -> float:
    """Mean batch loss of the half before its first epoch's end minus behind it, less the full run's at those steps.

    NaN where the half's run ends with its first epoch.
    """
    end = int(half.scalars["subset_size"]) // half.config["setting"]["batch"]
    losses = [record.arrays["batch_loss"] for record in (half, full)]
    window = min(_WINDOW, end, len(losses[0]) - end)
    if window < 1:
        return float("nan")
    mine, other = (float(loss[end - window : end].mean() - loss[end : end + window].mean()) for loss in losses)
    return mine - other


def _checks(records: Sequence[Record]) -> Iterator[Check]:
    """Once a pool and method, however many models were trained on it."""
    seen = set()
    for record in records:
        config, scalars = record.config, record.scalars
        if config["embedding"] == "hidden":
            pool = named(situation(config)) + f" seed {config['seed']}"  # the model's own vectors
        else:
            spoilt = f" {config['corruption']} {config['share']:g}" if config["corruption"] != "none" else ""
            pool = f"{config['corpus']} {config['embedding']}{spoilt} seed {config['seed']}"
        method = config["method"]
        if method == "full" or (pool, method) in seen:
            continue
        seen.add((pool, method))
        yield Check(
            claim=subset_separation.CLAIM.id,
            inequality="containment",
            instance=f"{method}, {pool}",
            measured=scalars["separation"],
            sense=">=",
            bound=scalars["pool_separation"],
        )
        if method == "uniform":
            yield Check(
                claim=farthest_first.CLAIM.id,
                inequality="fall",
                instance=f"half of {pool}",
                measured=scalars["cover"],
                sense="<=",
                bound=scalars["separation"],
                rounding=_ROUNDING,
                margins={"farthest choice": scalars["choice_margin"] + _ROUNDING},
            )
        if method == "random":
            sizes = {"subset_size": scalars["subset_size"], "pool_size": scalars["pool_size"]}
            kept = binomial_interval(scalars["hits"], scalars["draws"], error_rate=_ERROR_RATE)
            where = f"{scalars['draws']} random halves, {pool}"
            yield subset_separation.check_tail(kept.low, scalars["count"], **sizes, instance=where)
            yield subset_separation.check_kept(kept.high, scalars["count"], **sizes, instance=where)


def _curves(key: tuple[Any, ...], runs: Runs) -> dict[str, Any]:
    """Means and ranges over seeds along one situation's runs."""
    seconds = step_seconds(list(runs.values()))
    panel: dict[str, Any] = {"situation": named(key), "objective": OBJECTIVES[key[2]], "methods": {}}
    for method in sorted({method for method, _ in runs}):
        mine = [runs[name] for name in sorted(runs) if name[0] == method]
        curve: dict[str, Any] = {
            clock: np.mean([clocks(record, seconds)[clock] for record in mine], axis=0).tolist() for clock in CLOCKS
        }
        for where in SETS:
            values = np.array([_loss(record, where) for record in mine])
            curve[where] = {
                "mean": values.mean(axis=0).tolist(),
                "low": values.min(axis=0).tolist(),
                "high": values.max(axis=0).tolist(),
            }
        curve["minus_random"] = _minus_random(runs, mine) if ("random", 0) in runs else {}
        curve["epochs"] = float(mine[0].arrays["at"][-1] * mine[0].config["setting"]["batch"]) / len(
            mine[0].arrays["chosen"]
        )
        panel["methods"][method] = curve
    return panel


def _minus_random(runs: Runs, mine: Sequence[Record]) -> dict[str, Any]:
    """Held-out loss less that of the same seed's random half at equal steps, tokens and seconds, over seeds.

    On the random half's evaluations; those that a run does not come to are left out in all seeds.
    """
    found, seconds = {}, step_seconds(list(runs.values()))
    for clock in CLOCKS:
        rows, grids = [], []
        for record in mine:
            other = runs["random", record.config["seed"]]
            grids.append(clocks(other, seconds)[clock])
            here = np.interp(grids[-1], clocks(record, seconds)[clock], _loss(record, "held_out"), right=np.nan)
            rows.append(here - _loss(other, "held_out"))
        kept = np.all(np.isfinite(rows), axis=0)
        values = np.array(rows)[:, kept]
        found[clock] = {
            "at": np.mean(grids, axis=0)[kept].tolist(),
            "mean": values.mean(axis=0).tolist(),
            "low": values.min(axis=0).tolist(),
            "high": values.max(axis=0).tolist(),
        }
    return found


def _subsets(key: tuple[Any, ...], runs: Runs) -> dict[str, Any]:
    """Means over seeds of each subset's geometry and lengths, and the shares of its pairs by their tokens."""
    rows = {}
    for method in sorted({method for method, _ in runs}):
        mine = [runs[name] for name in sorted(runs) if name[0] == method]
        rows[method] = {
            name: float(np.mean([record.scalars[name] for record in mine]))
            for name in ("separation", "mean_nearest", "cover", "mean_whole", "mean_kept", "subset_size", "pool_size")
        }
        rows[method]["lengths"] = length_shares(np.concatenate([record.arrays["whole"] for record in mine])).tolist()
    return {"situation": named(key), "methods": rows}


def length_shares(whole: Int[np.ndarray, " n"]) -> Float[np.ndarray, " bins"]:
    """Shares of the pairs with so many tokens; the last bin has all that are longer."""
    counts, _ = np.histogram(np.minimum(whole, _HISTOGRAM[-1]), bins=[*_HISTOGRAM, np.inf])
    return counts / len(whole)


def _projection(runs: Runs) -> dict[str, Any] | None:
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


def find(preset: Any, records: Sequence[Record]) -> Findings:
    by_situation: dict[tuple[Any, ...], dict[tuple[str, int], Record]] = defaultdict(dict)
    for record in records:
        by_situation[situation(record.config)][record.config["method"], record.config["seed"]] = record
    first = situation(records[0].config)
    estimates: list[Estimate] = []
    table: list[dict[str, Any]] = []
    for key, runs in by_situation.items():
        methods = {method for method, _ in runs}
        estimates += _parts(key, runs)
        if {"uniform", "random", "full"} <= methods:
            for row, estimate in _ratios(key, runs):
                table.append(row)
                estimates += [estimate] if estimate else []
    summary = {
        "seeds": preset.seeds,
        "batch": preset.setting.batch,
        "paper_ratios": PAPER_RATIOS,
        "panels": [_curves(key, runs) for key, runs in by_situation.items()],
        "subsets": [_subsets(key, runs) for key, runs in by_situation.items()],
        "length_bins": list(_HISTOGRAM),
        "ratios": table,
        "projection": _projection(by_situation[first]),
        "diverged": sum(bool(record.scalars["diverged"]) for record in records),
    }
    words = _words(table, estimates, summary["subsets"][0]["methods"])
    return Findings(summary, list(_checks(records)), [], words, estimates)


def _words(
    table: Sequence[Mapping[str, Any]], estimates: Sequence[Estimate], subsets: Mapping[str, Any]
) -> dict[str, str]:
    found = {estimate.label: estimate for estimate in estimates}
    told = []
    for label, estimate in found.items():
        if ": held-out" in label and ("uniformity" in label or "smaller subset" in label):
            told.append(f"{label} {with_interval(estimate, '+.4f')}")
    passed = [
        f"{row['situation']} {row['method']} {row['passed']}/{row['of']}"
        for row in table
        if row["clock"] == "steps" and row["threshold"] == "half" and row["where"] == "own"
    ]
    uniform, random = subsets["uniform"], subsets["random"]
    return {
        "D1": f"Farthest-first halves of real pairs have a least cosine distance of {uniform['separation']:.3g}, "
        f"random ones {random['separation']:.3g}; the mean distance to the nearest is {uniform['mean_nearest']:.3g} "
        f"against {random['mean_nearest']:.3g}.",
        "D3": "Language models fine-tuned on halves of the pairs: "
        + "; ".join(told)
        + ". Seeds whose loss on their own rows came down to the full run's at half its steps: "
        + ", ".join(passed)
        + ".",
    }

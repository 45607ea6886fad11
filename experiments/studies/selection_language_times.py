"""Times to a loss in the language study: on which clock, to which threshold, and over those of the uniform half.

Clocks.     Steps; tokens of the pairs stepped over, prompts included, padding not; seconds of the steps.
Seconds.    Every step counts the median seconds of all steps of its padded length in the situation's runs: what else
  the machine does disturbs single steps and single runs.
Curves.     "training": the batches' losses, each before its step, as the mean of the last 24 of them, so on a run's own
  rows; fixed rows of these would be too few (halves differ by chance more than training moves). "held_out": the loss
  on fixed held-out pairs at the evaluations.
Threshold.  The loss that the full run of the same seed has after half its steps ("half") or all of them ("end"), on its
  own curve. A run passes it where the straight line between two points does; NaN if it never does.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from experiments.records import Record
from experiments.statistics import Estimate, bootstrap
from experiments.studies.selection_language_training import LOSSES, OBJECTIVES, SETS

PAPER_RATIOS = {"uniform": 1.0, "random": 1.90, "full": 3.79}
"""Minutes to a loss, LLaMA-1-13B on WizardLM, 20,000 -> 10,000 pairs, over the uniform half's (arXiv 2506.24120).
Full over random is 1.99, the ratio of the sizes: as if the loss fell with the epochs."""
CURVES = ("training", "held_out")
THRESHOLDS = ("half", "end")
CLOCKS = ("steps", "tokens", "seconds")

_WINDOW = 24

Runs = Mapping[tuple[str, int], Record]
"""The runs of one situation by method and seed."""


def situation(config: Mapping[str, Any]) -> tuple[Any, ...]:
    """All that the runs to be compared share, but for the seed."""
    return tuple(config[name] for name in ("corpus", "size", "optimiser", "embedding", "corruption", "share"))


def named(key: tuple[Any, ...]) -> str:
    """A situation for people: only what is not the rule."""
    corpus, size, optimiser, embedding, corruption, share = key
    parts = [size, optimiser] + [corpus] * (corpus != "docstrings") + [embedding] * (embedding != "tfidf")
    return " ".join(parts + [f"{corruption} {share:g}"] * (corruption != "none"))


def loss(record: Record, where: str) -> Float[np.ndarray, " evaluations"]:
    """The run's objective on a set of SETS at its evaluations."""
    return record.arrays["losses"][:, SETS.index(where), LOSSES.index(OBJECTIVES[record.config["optimiser"]])]


def curve(record: Record, where: str) -> tuple[Int[np.ndarray, " points"], Float[np.ndarray, " points"]]:
    """Steps taken and losses of one of CURVES; of "training" the steps at the end of each window."""
    if where != "training":
        return record.arrays["at"], loss(record, where)
    losses = record.arrays["batch_loss"]
    window = min(_WINDOW, max(len(losses) // 4, 1))
    return np.arange(window, len(losses) + 1), np.convolve(losses, np.full(window, 1.0 / window), mode="valid")


def step_seconds(records: Sequence[Record]) -> dict[int, float]:
    """Padded length -> median seconds of a step over all these runs."""
    inputs, seconds = (np.concatenate([record.arrays[name] for record in records]) for name in ("inputs", "seconds"))
    return {int(length): float(np.median(seconds[inputs == length])) for length in np.unique(inputs)}


def clocks(
    record: Record, seconds: Mapping[int, float], at: Int[np.ndarray, " points"]
) -> dict[str, Float[np.ndarray, " points"]]:
    """Steps, tokens and seconds so far when `at` steps are taken.  seconds: of a step, by its padded length."""
    inputs = record.arrays["inputs"].tolist()
    each = {"tokens": record.arrays["tokens"], "seconds": [seconds[length] for length in inputs]}
    so_far = {name: np.concatenate([[0.0], np.cumsum(values)])[at] for name, values in each.items()}
    return {"steps": at.astype(float)} | so_far


def passage(
    at: Float[np.ndarray, " evaluations"], losses: Float[np.ndarray, " evaluations"], threshold: float
) -> float:
    """Where the straight lines between the evaluations first come down to the threshold; NaN if nowhere."""
    below = np.flatnonzero(losses <= threshold)
    if not len(below):
        return float("nan")
    if (last := int(below[0])) == 0:
        return float(at[0])
    share = (losses[last - 1] - threshold) / (losses[last - 1] - losses[last])
    return float(at[last - 1] + share * (at[last] - at[last - 1]))


def threshold(full: Record, where: str, which: str) -> float:
    """The full run's loss at its end, or in the middle of its steps."""
    at, losses = curve(full, where)
    return float(losses[-1] if which == "end" else np.interp(at[-1] / 2, at, losses))


def times(runs: Runs, method: str, where: str, which: str, clock: str) -> Float[np.ndarray, " seeds"]:
    """By seed: when the method's curve comes down to the full run's loss; NaN also where it begins below that."""
    found, seconds = [], step_seconds(list(runs.values()))
    for seed in sorted(seed for name, seed in runs if name == method):
        record = runs[method, seed]
        at, losses = curve(record, where)
        goal = threshold(runs["full", seed], where, which)
        when = passage(clocks(record, seconds, at)[clock], losses, goal)
        found.append(when if losses[0] > goal else np.nan)
    return np.array(found)


def ratios(key: tuple[Any, ...], runs: Runs) -> Iterator[tuple[dict[str, Any], Estimate | None]]:
    """Rows of the table, and of the steps an estimate where every seed passed.

    A row: passed of so many seeds; by clock the median ratio to the uniform half's time, None unless every seed passed;
    over_full: that of the steps to the full run's.
    """
    methods = sorted({method for method, _ in runs})
    for where in CURVES:
        for which in THRESHOLDS:
            uniform = {clock: times(runs, "uniform", where, which, clock) for clock in CLOCKS}
            for method in methods:
                found = {clock: times(runs, method, where, which, clock) for clock in CLOCKS}
                ratio = {clock: found[clock] / uniform[clock] for clock in CLOCKS}
                resolved = bool(np.all(np.isfinite(ratio["steps"])))
                over_full = found["steps"] / times(runs, "full", where, which, "steps")
                estimate = None
                if resolved and method != "uniform":
                    label = f"{named(key)}: steps to the full run's {which} {where} loss, {method} : uniform"
                    estimate = bootstrap(ratio["steps"], label=label)
                row = {
                    "situation": named(key),
                    "where": where,
                    "threshold": which,
                    "method": method,
                    "passed": int(np.isfinite(found["steps"]).sum()),
                    "of": len(found["steps"]),
                    **{clock: float(np.median(ratio[clock])) if resolved else None for clock in CLOCKS},
                    "over_full": float(np.median(over_full)) if np.all(np.isfinite(over_full)) else None,
                }
                yield row, estimate

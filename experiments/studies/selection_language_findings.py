"""What the language study's records say: times to a loss, losses at the end, what caused which part of them.

Parts. At the same steps, each seed with itself: a smaller subset, random - full; uniformity, uniform - random; lengths,
  matched - random; epoch boundary, fall of the batches' loss over the end of the random half's first epoch minus that
  of the full run at the same steps, which begins no epoch there.
Other vectors. A random half and the whole pool do not depend on the vectors: those of TF-IDF are compared with.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from experiments.records import Record
from experiments.statistics import Estimate, bootstrap, with_interval
from experiments.studies.selection_language_checks import checks
from experiments.studies.selection_language_summary import LENGTH_BINS, curves, projection, subsets
from experiments.studies.selection_language_times import (
    PAPER_RATIOS,
    Runs,
    loss,
    named,
    ratios,
    situation,
)
from experiments.studies.selection_language_training import OBJECTIVES
from experiments.study import Findings

PARTS = {
    "smaller subset": ("random", "full"),
    "uniformity": ("uniform", "random"),
    "lengths": ("matched", "random"),
    "uniformity beyond lengths": ("uniform", "matched"),
    "half nearest": ("half-random-half-min-dist", "random"),
    "all nearest": ("min-dist", "random"),
    "uniform against full": ("uniform", "full"),
}
_WINDOW = 20
"""Batches averaged before and after the end of an epoch, or as many as there are."""


def _parts(key: tuple[Any, ...], runs: Runs) -> Iterator[tuple[str, Estimate]]:
    """Each part's name and difference, of the loss at the end on all held-out pairs but for those named otherwise."""
    objective = OBJECTIVES[key[2]]
    by_method: dict[str, list[Record]] = defaultdict(list)
    for (method, _), record in sorted(runs.items()):
        by_method[method].append(record)
    own = {method for (method, _), record in runs.items() if record.config["embedding"] == key[3]}

    def estimate(part: str, values: Sequence[float], told: str) -> Iterator[tuple[str, Estimate]]:
        if np.all(np.isfinite(values)):
            yield part, bootstrap(np.array(values), label=f"{named(key)}: {objective} {told}")

    for part, pair in PARTS.items():
        if set(pair) <= set(by_method) and own & set(pair):
            ends = np.array(
                [[record.scalars[f"end_{objective}"] for record in by_method[name]] for name in pair], float
            )
            told = f"held-out at the end, {part} ({pair[0]} - {pair[1]})"
            yield from estimate(part, (ends[0] - ends[1]).tolist(), told)
    if {"random", "full"} <= own:
        falls = [epoch_fall(*pair) for pair in zip(by_method["random"], by_method["full"])]
        yield from estimate("epoch boundary", falls, "of the batches, fall over an epoch's end (random - full)")
    for method in sorted({"random", "uniform"} & own):
        gaps = [loss(record, "pool") - loss(record, "own") for record in by_method[method]]
        yield from estimate(f"start, {method}", [gap[0] for gap in gaps], f"pool - own rows at the start, {method}")
        yield from estimate(f"memory, {method}", [gap[-1] for gap in gaps], f"pool - own rows at the end, {method}")


def epoch_fall(half: Record, full: Record) -> float:
    """Mean batch loss of the half before its first epoch's end minus behind it, less the full run's at those steps.

    NaN where the half's run ends with its first epoch.
    """
    end = int(half.scalars["subset_size"]) // half.config["setting"]["batch"]
    losses = [record.arrays["batch_loss"] for record in (half, full)]
    window = min(_WINDOW, end, len(losses[0]) - end)
    if window < 1:
        return float("nan")
    mine, other = (float(each[end - window : end].mean() - each[end : end + window].mean()) for each in losses)
    return mine - other


def _is_main(key: tuple[Any, ...]) -> bool:
    """Whether nothing but model and optimiser departs from the rule."""
    return key[0] == "docstrings" and key[3:5] == ("tfidf", "none")


def find(preset: Any, records: Sequence[Record]) -> Findings:
    by_situation: dict[tuple[Any, ...], dict[tuple[str, int], Record]] = defaultdict(dict)
    for record in records:
        by_situation[situation(record.config)][record.config["method"], record.config["seed"]] = record
    for key, runs in by_situation.items():
        if key[3] != "tfidf":
            usual = by_situation[(*key[:3], "tfidf", *key[4:])]
            borrowed = [(method, seed) for method in ("random", "full") for seed in {seed for _, seed in runs}]
            runs |= {name: usual[name] for name in borrowed}
    first = situation(records[0].config)
    estimates: list[Estimate] = []
    parts: list[dict[str, Any]] = []
    table: list[dict[str, Any]] = []
    for key, runs in by_situation.items():
        methods = {method for method, _ in runs}
        for part, estimate in _parts(key, runs):
            numbers = estimate._asdict()
            del numbers["label"]
            parts.append({"situation": named(key), "part": part, **numbers})
            estimates.append(estimate)
        if {"uniform", "random", "full"} <= methods:
            for row, estimate in ratios(key, runs):
                table.append(row)
                estimates += [estimate] if estimate else []
    summary = {
        "seeds": preset.seeds,
        "batch": preset.setting.batch,
        "paper_ratios": PAPER_RATIOS,
        "panels": [curves(key, runs) for key, runs in by_situation.items() if _is_main(key)],
        "subsets": [subsets(key, runs) for key, runs in by_situation.items()],
        "length_bins": list(LENGTH_BINS),
        "parts": parts,
        "ratios": table,
        "projection": projection(by_situation[first]),
        "diverged": sum(bool(record.scalars["diverged"]) for record in records),
    }
    words = _words(table, parts, summary["subsets"][0]["methods"])
    return Findings(summary, list(checks(records)), [], words, estimates)


def _words(
    table: Sequence[Mapping[str, Any]], parts: Sequence[Mapping[str, Any]], subsets: Mapping[str, Any]
) -> dict[str, str]:
    """What is found, whichever way it falls: the numbers with their signs."""

    def differences(part: str) -> str:
        return "; ".join(
            f"{row['situation']} {with_interval(Estimate('', row['value'], row['ci_low'], row['ci_high'], 0), '+.4f')}"
            for row in parts
            if row["part"] == part
        )

    def ratio(where: str, threshold: str, column: str, methods: Iterable[str]) -> str:
        found = {
            (row["situation"], row["method"]): "not reached" if row[column] is None else f"{row[column]:.2f}"
            for row in table
            if (row["where"], row["threshold"]) == (where, threshold)
        }
        return "; ".join(
            f"{situation} {' : '.join(found[situation, method] for method in methods)}" for situation in situations
        )

    situations = [name for name in dict.fromkeys(row["situation"] for row in table) if name.count(" ") == 1]
    uniform, random = subsets["uniform"], subsets["random"]
    return {
        "D1": f"Farthest-first halves of {uniform['pool_size']:.0f} pairs of texts have a least cosine distance of "
        f"{uniform['separation']:.3g}, random ones {round(random['separation'], 6):.3g}; the mean distance to the "
        f"nearest is {uniform['mean_nearest']:.3g} against {random['mean_nearest']:.3g}.",
        "D3": "A language model fine-tuned for equally many steps. Held-out loss at the end (nats; l2 with sgd), "
        f"uniform half - random half: {differences('uniformity')}; random half - whole pool: "
        f"{differences('smaller subset')}. Steps to the training loss that the whole pool's run has after half its "
        "steps, uniform : random : full: "
        f"{ratio('training', 'half', 'steps', PAPER_RATIOS)}; to its held-out loss there: "
        f"{ratio('held_out', 'half', 'steps', PAPER_RATIOS)}; the paper's minutes (LLaMA-1-13B on WizardLM) "
        f"{' : '.join(f'{value:.2f}' for value in PAPER_RATIOS.values())}. Steps to the whole pool's training loss at "
        "the end, over its own, uniform : random: "
        f"{ratio('training', 'end', 'over_full', ('uniform', 'random'))}.",
    }

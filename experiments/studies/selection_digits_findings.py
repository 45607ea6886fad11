"""What the digits study's records say: times and accuracies beside those of a random subset, and what ranks them."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

from experiments.records import Record
from experiments.statistics import Estimate, with_interval
from experiments.studies.digits_run import Cell, DigitsRun
from experiments.studies.selection_digits_checks import checks
from experiments.studies.selection_digits_ranks import (
    PREDICTORS,
    designs,
    predictors,
    rank_estimates,
    steps_against_random,
)
from experiments.studies.selection_digits_times import (
    ByCell,
    accuracy_estimates,
    last_accuracy,
    losses,
    main_estimates,
    rule_estimates,
    step_seconds,
)
from experiments.study import Findings

PUBLISHED = {"uniform": 1.0, "random": 1.90, "full": 3.79, "setting": "LLaMA-1-13B on WizardLM"}
"""The paper's training times to one loss on the rows trained on, in units of the uniform subset's."""
_DRAWN = ("uniform", "random", "half-random-half-min-dist", "min-dist", "full")
"""Rules whose curves are drawn."""
_EVERY = 2
"""Every other measurement is drawn."""


def find(preset: Any, by_run: Mapping[DigitsRun, Record], by_cell: ByCell) -> Findings:
    """by_run: the record of each run.  by_cell: the same by training and cell, the seeds in order."""
    estimates = [
        *main_estimates(preset, by_cell),
        *accuracy_estimates(preset, by_cell),
        *rule_estimates(preset, by_cell),
        *rank_estimates(preset, by_cell),
    ]
    trainings = [each.name for each in preset.trainings]
    small = preset.sizes[0]
    drawn = [cell for cell in designs(preset, "all rules") if not cell.draw] + [Cell("full", preset.pool_size)]
    uniform = by_cell[trainings[0], Cell("uniform", small)]
    return Findings(
        summary={
            "seeds": preset.seeds,
            "sizes": list(preset.sizes),
            "pool_size": preset.pool_size,
            "held_out": preset.held_out,
            "batch_size": preset.batch_size,
            "trainings": trainings,
            "published": PUBLISHED,
            "knobs": [list(knob) for knob in preset.knobs],
            "predictors": dict(PREDICTORS),
            "curve_steps": list(range(0, preset.steps + 1, preset.measured_every))[::_EVERY],
            "choosing_in_steps": float(np.median([record.scalars["seconds_choosing"] for record in uniform]))
            / step_seconds(uniform),
            "diverged": sum(not np.isfinite(record.arrays["loss"][-1]).all() for record in by_run.values()),
            "runs": len(by_run),
            "curves": [
                {"training": training, "method": cell.method, "part": part}
                | _spread(losses(by_cell, training, cell, part)[:, ::_EVERY])
                for training in trainings
                for cell in drawn
                if cell.method in _DRAWN and cell.embedding == "pixels"
                for part in ("own", "held-out")
            ],
            "choices": [
                _choice(preset, by_cell, training, cell)
                for training in trainings
                for cell in designs(preset, "all rules")
            ],
        },
        checks=list(checks(by_run)),
        slopes=[],
        words=_words(preset, estimates),
        estimates=estimates,
    )


def _spread(values: np.ndarray) -> dict[str, list[float]]:
    """Median and quartiles over the seeds, which are the rows; infinite where a run diverged."""
    low, median, high = np.quantile(values, [0.25, 0.5, 0.75], axis=0, method="nearest")
    return {"low": low.tolist(), "median": median.tolist(), "high": high.tolist()}


def _choice(preset: Any, by_cell: ByCell, training: str, cell: Cell) -> dict[str, Any]:
    """Medians over the seeds of what is known of a choice before training, and of what training gave."""
    known = [predictors(record) for record in by_cell[training, cell]]
    steps = {part: steps_against_random(preset, by_cell, training, [cell], part)[0] for part in ("own", "held-out")}
    return {
        "training": training,
        "method": cell.method,
        "embedding": cell.embedding,
        "draw": cell.draw,
        **{name: float(np.median([each[name] for each in known])) for name in PREDICTORS},
        "steps_own": float(np.median(steps["own"])),
        "steps_held_out": float(np.median(steps["held-out"])),
        "accuracy": float(np.median(last_accuracy(by_cell, training, cell))),
    }


def _words(preset: Any, estimates: Sequence[Estimate]) -> dict[str, str]:
    """The findings in plain words, whichever way they fall."""
    by_label = {estimate.label: estimate for estimate in estimates}
    small, trainings = preset.sizes[0], [each.name for each in preset.trainings]

    def told(label: str, digits: str = ".2f") -> str:
        return with_interval(by_label[label], digits) if label in by_label else "not measured"

    def triples(part: str) -> str:
        told_of = []
        for training, size in product(trainings, preset.sizes):
            where = f"{training}, {size} rows: steps to {part} loss, late"
            ratios = f"1 : {told(f'{where}, random / uniform')} : {told(f'{where}, full / uniform')}"
            told_of.append(f"{training}, {size} rows {ratios}")
        return "; ".join(told_of)

    def points(training: str, condition: str = "") -> str:
        return told(f"{training}, {small} rows{condition}: held-out accuracy, uniform less random", "+.1f")

    def knobs(training: str) -> str:
        return ", ".join(f"{knob} {share:g} {points(training, f', {knob} {share:g}')}" for knob, share in preset.knobs)

    def trimmed(training: str) -> str:
        conditions = {"clean": "", **{f"{k} {s:g}": f", {k} {s:g}" for k, s in preset.knobs if k == "outliers"}}
        return ", ".join(
            f"{name} {told(f'{training}, {small} rows{where}: held-out accuracy, trimmed less uniform', '+.1f')}"
            for name, where in conditions.items()
        )

    def sizes(training: str) -> str:
        where = f"{training}, {small} rows: steps to"
        return (
            f"{training}: own rows {told(f'{where} own loss, late, full / random')}, held-out "
            f"{told(f'{where} held-out loss, late, full / random')}, batches with repetition over epochs, random, "
            f"own rows {told(f'{where} own loss, late, random with repetition / in epochs')}"
        )

    def ranks(training: str) -> str:
        where = f"{training}, all rules"
        return (
            f"{training}: steps on own rows by h_min {told(f'{where}: steps to own loss by h_min', '+.2f')}, by "
            f"lambda_min {told(f'{where}: steps to own loss by lambda_min', '+.2f')} and by r_0^T K_0^-1 r_0 "
            f"{told(f'{where}: steps to own loss by distance', '+.2f')}, on held-out rows by h_min "
            f"{told(f'{where}: steps to held-out loss by h_min', '+.2f')}"
        )

    published = f"1 : {PUBLISHED['random']:.2f} : {PUBLISHED['full']:.2f} on own rows, {PUBLISHED['setting']}"
    return {
        "R1": f"Rank correlation within seeds among subsets of {small} digits of one pool, all rules. "
        f"lambda_min(K_0)/N by h_min {told(f'{trainings[0]}, all rules: lambda_min by h_min', '+.2f')}. "
        f"{'. '.join(map(ranks, trainings))}. Only where the sign is negative are subsets of larger h_min sooner.",
        "D1": f"Steps to a loss that all three reach, uniform : random : full, above 1 where uniform is sooner "
        f"(published {published}). Own rows: {triples('own')}. Held-out rows: {triples('held-out')}. Points of "
        "held-out accuracy that uniform has over random: "
        + "; ".join(f"{each}, clean {points(each)}, {knobs(each)}" for each in trainings)
        + ". Points gained by leaving the tenth with the farthest nearest neighbours out of its choice: "
        + "; ".join(f"{each}, {trimmed(each)}" for each in trainings)
        + ".",
        "D3": f"Of size alone, a random {small} of {preset.pool_size} digits: steps of the full pool over those of the "
        f"random subset (published {PUBLISHED['full'] / PUBLISHED['random']:.2f} for a half). "
        f"{'. '.join(map(sizes, trainings))}.",
    }

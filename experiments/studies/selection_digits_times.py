"""How soon and how well each choice of digits trains, beside another choice of the same seed.

Threshold. Several choices are compared at one loss a seed: the largest of the lowest losses that they reach within the
  horizon, so that all of them reach it, and none is asked for a loss that only another can have. Horizons: "early", the
  first quarter of the steps, and "late", all of them.
Steps. The first step at which the loss is at the threshold, on the line between two measurements.
Ratios. Geometric means over seeds of steps / steps, 95% bootstrap over seeds: a/b above 1 says that b is sooner.
Diverged. A seed in which one of the compared runs ended without a finite loss is left out of that comparison.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from experiments.records import Record
from experiments.statistics import Estimate, bootstrap
from experiments.studies.digits_run import Cell

PARTS = {"own": 0, "pool": 1, "held-out": 2}
HORIZONS = {"early": 0.25, "late": 1.0}
MAIN = ("uniform", "random", "full")
_LEAST_SEEDS = 2

ByCell = Mapping[tuple[str, Cell], Sequence[Record]]
"""(training, cell) -> one record a seed, the seeds in order."""


def losses(by_cell: ByCell, training: str, cell: Cell, part: str) -> Float[np.ndarray, "seeds checks"]:
    """Loss along the runs; infinite where it is not a number."""
    found = np.stack([record.arrays["loss"][:, PARTS[part]] for record in by_cell[training, cell]])
    return np.where(np.isfinite(found), found, np.inf)


def common_threshold(
    members: Sequence[Float[np.ndarray, "seeds checks"]], *, horizon: float
) -> Float[np.ndarray, " seeds"]:
    """The largest of the members' lowest losses within a share of the run, one a seed."""
    last = max(int(horizon * (members[0].shape[1] - 1)), 1)
    return np.max([member[:, : last + 1].min(axis=1) for member in members], axis=0)


def first_passage(
    loss: Float[np.ndarray, "seeds checks"], threshold: Float[np.ndarray, " seeds"], *, every: int
) -> Float[np.ndarray, " seeds"]:
    """Steps to the threshold, `every` steps between two columns; infinite where it is never reached."""
    found = np.full(len(loss), np.inf)
    for seed, (curve, target) in enumerate(zip(loss, threshold)):
        reached = np.flatnonzero(curve <= target)
        if len(reached) and reached[0] == 0:
            found[seed] = 0.0
        elif len(reached):
            before, after = curve[reached[0] - 1], curve[reached[0]]
            share = (before - target) / (before - after) if np.isfinite(before) else 1.0
            found[seed] = every * (reached[0] - 1 + share)
    return found


def steps_of(
    by_cell: ByCell, training: str, cells: Sequence[Cell], part: str, *, every: int, horizon: str
) -> Float[np.ndarray, "cells seeds"]:
    """Steps of each cell to their common threshold; the seeds in which none of them diverged."""
    members = np.stack([losses(by_cell, training, cell, part) for cell in cells])
    members = members[:, np.isfinite(members[:, :, -1]).all(axis=0)]
    threshold = common_threshold(list(members), horizon=HORIZONS[horizon]) if members.shape[1] else np.zeros(0)
    return np.stack([first_passage(member, threshold, every=every) for member in members])


def ratio_estimate(
    label: str, slow: Float[np.ndarray, " seeds"], soon: Float[np.ndarray, " seeds"]
) -> Iterator[Estimate]:
    """Geometric mean of slow / soon; nothing where fewer than two seeds are left, or a number is not positive."""
    both = np.stack([slow, soon])
    if both.shape[1] >= _LEAST_SEEDS and np.all((both > 0) & np.isfinite(both)):
        yield bootstrap(np.log(slow / soon), label=label, statistic=lambda logs: math.exp(logs.mean()))


def place(training: str, cell: Cell) -> str:
    """Where a comparison is made: training, size, and whatever is not as in the main runs."""
    told = [training, f"{cell.size} rows"] + [f"{cell.knob} {cell.share:g}"] * (cell.knob != "clean")
    told += [f"step size times {cell.step_factor:g}"] * (cell.step_factor != 1) + ["with repetition"] * (
        not cell.epochs
    )
    return ", ".join(told)


def _triples(preset: Any) -> Iterator[dict[str, Cell]]:
    """Uniform, random and full under one and the same condition."""
    cells = set(preset.cells())
    for uniform in preset.cells():
        if (uniform.method, uniform.embedding) == ("uniform", "pixels"):
            full = uniform._replace(method="full", size=preset.pool_size)
            if full in cells:
                yield {"uniform": uniform, "random": uniform._replace(method="random"), "full": full}


def main_estimates(preset: Any, by_cell: ByCell) -> Iterator[Estimate]:
    """Uniform, random and full at one threshold a seed, in every condition; the seconds where all is clean."""
    for training in (each.name for each in preset.trainings):
        for triple in _triples(preset):
            uniform, where = triple["uniform"], place(training, triple["uniform"])
            plain = uniform == Cell("uniform", uniform.size)
            for part in ("own", "held-out"):
                for horizon in HORIZONS if plain else ("late",):
                    cells = list(triple.values())
                    steps = steps_of(by_cell, training, cells, part, every=preset.measured_every, horizon=horizon)
                    by_name: dict[str, np.ndarray] = dict(zip(MAIN, steps))
                    pairs = [("random", "uniform"), ("full", "uniform")] + [("full", "random")] * plain
                    for slow, soon in pairs:
                        label = f"{where}: steps to {part} loss, {horizon}, {slow} / {soon}"
                        yield from ratio_estimate(label, by_name[slow], by_name[soon])
                    if plain and horizon == "late":
                        seconds = {name: _seconds(by_cell, training, triple[name], by_name[name]) for name in MAIN}
                        for slow in ("random", "full"):
                            label = f"{where}: seconds to {part} loss, {horizon}, {slow} / uniform"
                            yield from ratio_estimate(label, seconds[slow], seconds["uniform"])


def _seconds(by_cell: ByCell, training: str, cell: Cell, steps: np.ndarray) -> np.ndarray:
    """Seconds of choosing the rows and of the steps, each at its median over the seeds."""
    records = by_cell[training, cell]
    choosing = float(np.median([record.scalars["seconds_choosing"] for record in records]))
    return choosing + steps * step_seconds(records)


def step_seconds(records: Sequence[Record]) -> float:
    """Median over the runs of the seconds of one step, the measurements along the run included."""
    return float(np.median([record.scalars["seconds_training"] / record.config["steps"] for record in records]))


def rule_estimates(preset: Any, by_cell: ByCell) -> Iterator[Estimate]:
    """Every other rule and embedding against uniform, and batches with repetition against epochs, in pairs."""
    for training in (each.name for each in preset.trainings):
        for cell in preset.cells():
            if cell.draw or cell.step_factor != 1 or cell.knob != "clean":
                continue
            if not cell.epochs:
                first, second, told = cell, cell._replace(epochs=True), f"{cell.method} with repetition / in epochs"
            elif (cell.method, cell.embedding) not in {(name, "pixels") for name in MAIN}:
                first, second = cell, Cell("uniform", cell.size)
                told = f"{cell.method}{'' if cell.embedding == 'pixels' else f' {cell.embedding}'} / uniform"
            else:
                continue
            for part in ("own", "held-out"):
                steps = steps_of(by_cell, training, [first, second], part, every=preset.measured_every, horizon="late")
                label = f"{place(training, second)}: steps to {part} loss, late, {told}"
                yield from ratio_estimate(label, steps[0], steps[1])


def accuracy_estimates(preset: Any, by_cell: ByCell) -> Iterator[Estimate]:
    """Percentage points of held-out accuracy at the last step, and the lowest held-out loss on the way."""
    for training in (each.name for each in preset.trainings):
        cells = set(preset.cells())
        for triple in _triples(preset):
            where = place(training, triple["uniform"])
            points = {name: last_accuracy(by_cell, training, cell) for name, cell in triple.items()}
            for name in ("random", "full"):
                yield bootstrap(
                    points["uniform"] - points[name],
                    label=f"{where}: held-out accuracy, uniform less {name}",
                    statistic=np.mean,
                )
            trimmed = triple["uniform"]._replace(method="trimmed")
            if trimmed in cells:
                gained = last_accuracy(by_cell, training, trimmed)
                for name in ("uniform", "random"):
                    yield bootstrap(
                        gained - points[name],
                        label=f"{where}: held-out accuracy, trimmed less {name}",
                        statistic=np.mean,
                    )
            lowest = {name: losses(by_cell, training, cell, "held-out").min(axis=1) for name, cell in triple.items()}
            yield from ratio_estimate(
                f"{where}: lowest held-out loss, uniform / random", lowest["uniform"], lowest["random"]
            )


def last_accuracy(by_cell: ByCell, training: str, cell: Cell) -> Float[np.ndarray, " seeds"]:
    """Held-out accuracy at the last step, percent."""
    return 100 * np.array([record.arrays["accuracy"][-1, PARTS["held-out"]] for record in by_cell[training, cell]])

"""X11a: does training on a uniform subset of real data reach a loss sooner, and generalise better?

Question. A residual MLP learns scikit-learn's digits from a subset of a pool. At equal steps, does the farthest-first
subset reach a loss sooner than a random one of the same size and than the full pool, on its own rows and on held-out
ones? Does h_min rank the times, as it must if it acts through lambda_min(K_0)?
Varied. The rows that are trained on alone: pool, held-out rows, initialisation, step size, batch size and number of
steps are one and the same for every choice of a seed. Knobs spoil the pool: duplicates, wrong labels, outliers.
Controls. Random subsets of the same size (what is uniformity's), random against full (what is the size's, D3),
batches drawn with repetition (what is the epochs'), random subsets with the classes of the uniform one, nearest rows
(min-dist), other embeddings, half and a quarter of the step size.
Step size. One a training, for all choices: of its ladder the one with the least mean pool loss along the run on the
full clean pool of PILOT, a seed that is not the study's.
Falsified by. "Uniform subsets train faster": a ratio random/uniform of steps whose interval lies below 1.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, NamedTuple

import jax
import numpy as np

from experiments.architecture import ArchitectureConfig
from experiments.blocks import Params
from experiments.classification import Task, shuffled_batches, train
from experiments.descent import member
from experiments.ensemble import drawn
from experiments.records import Record
from experiments.separation import distances
from experiments.studies import selection_digits_findings
from experiments.studies.digits_run import (
    CLASSES,
    PIXELS,
    Cell,
    DigitsRun,
    Start,
    Training,
    choice_of,
    choose,
    embedded,
    geometry,
    mechanism,
    require,
    split,
    spoilt,
    started,
)
from experiments.study import Findings, Measured, Study
from experiments.subsets import subset
from experiments.threads import single_threaded_blas

PILOT = 1000
PARTS = ("own", "pool", "held-out")
"""Rows a loss is averaged over: those trained on, the pool as it is trained on, and rows never seen, never spoilt."""
_BATCH_STREAM = 2
_DRAWS = 200
"""Random subsets whose h_min is measured for D3, without training on them."""


@dataclass(frozen=True)
class Preset:
    """sizes: of the subsets; the ablations, controls and knobs are at the first.  knobs: (knob, share)."""

    architecture: ArchitectureConfig
    trainings: tuple[Training, ...]
    sizes: tuple[int, ...]
    methods: tuple[str, ...]
    knobs: tuple[tuple[str, float], ...]
    embeddings: tuple[str, ...]
    random_draws: int
    step_factors: tuple[float, ...]
    seeds: int
    pool_size: int = 1280
    held_out: int = 517
    batch_size: int = 32
    steps: int = 1280
    measured_every: int = 20

    def cells(self) -> list[Cell]:
        """Every choice that is trained on, for each training and seed."""
        small, full = self.sizes[0], self.pool_size
        main = [("uniform", small), ("random", small), ("full", full)]
        found = [Cell(method, size) for size in self.sizes for method in self.methods]
        found += [Cell("full", full)]
        found += [Cell("random", small, draw=draw) for draw in range(1, self.random_draws)]
        found += [Cell("uniform", small, embedding=embedding) for embedding in self.embeddings]
        found += [Cell(*each, epochs=False) for each in main]
        found += [Cell(*each, step_factor=factor) for factor in self.step_factors for each in main]
        for knob, share in self.knobs:
            spoilt = main + [("trimmed", small)] * (knob == "outliers")
            found += [Cell(*each, knob=knob, share=share) for each in spoilt]
        return found


_NETWORK = ArchitectureConfig("residual", width=64, depth=2, outputs=CLASSES)
_TRAININGS = (Training("l2", "sgd", 0.08), Training("cross-entropy", "adam", 0.002))
LADDERS = {"sgd": (0.01, 0.02, 0.04, 0.08, 0.16, 0.32), "adam": (0.0005, 0.001, 0.002, 0.004, 0.008)}

PRESETS = {
    "smoke": Preset(
        replace(_NETWORK, width=8, depth=1),
        _TRAININGS[:1],  # each training compiles anew
        sizes=(24,),
        methods=("uniform", "random", "min-dist"),
        knobs=(("outliers", 0.05),),
        embeddings=(),
        random_draws=1,
        step_factors=(),
        seeds=2,
        pool_size=96,
        held_out=64,
        batch_size=8,
        steps=120,
        measured_every=20,
    ),
    "quick": Preset(
        _NETWORK,
        _TRAININGS,
        sizes=(320, 640),
        methods=("uniform", "random", "half-random-half-min-dist", "min-dist"),
        knobs=(("duplicates", 0.5), ("label noise", 0.3), ("outliers", 0.1)),
        embeddings=("cosine",),
        random_draws=2,
        step_factors=(),
        seeds=2,
        steps=640,
    ),
    "paper": Preset(
        _NETWORK,
        _TRAININGS,
        sizes=(320, 640),
        methods=(
            "uniform",
            "random",
            "half-random-half-min-dist",
            "min-dist",
            "k-means++",
            "facility",
            "matched",
            "trimmed",
        ),
        knobs=(
            ("duplicates", 0.25),
            ("duplicates", 0.5),
            ("label noise", 0.1),
            ("label noise", 0.3),
            ("outliers", 0.02),
            ("outliers", 0.1),
        ),
        embeddings=("cosine", "whitened"),
        random_draws=5,
        step_factors=(0.25, 0.5),
        seeds=10,
    ),
}


def run_of(cell: Cell, training: Training, preset: Preset, seed: int) -> DigitsRun:
    return DigitsRun(
        preset.architecture,
        replace(training, step_size=training.step_size * cell.step_factor),
        preset.pool_size,
        preset.held_out,
        cell.size,
        cell.method,
        cell.embedding,
        cell.knob,
        cell.share,
        cell.epochs,
        cell.draw,
        preset.batch_size,
        preset.steps,
        preset.measured_every,
        seed,
    )


def _places(preset: Preset) -> Iterator[tuple[int, Training, Cell]]:
    return product(range(preset.seeds), preset.trainings, preset.cells())


def plan(preset: Preset) -> list[DigitsRun]:
    return [run_of(cell, training, preset, seed) for seed, training, cell in _places(preset)]


class Chosen(NamedTuple):
    """One choice of rows, whatever is trained on it. told: what is known of it before training."""

    points: np.ndarray
    labels: np.ndarray
    rows: np.ndarray
    told: dict[str, Any]


def chosen_by(run: DigitsRun, params: Params, starts: dict[Any, Start]) -> Chosen:
    """The rows of a run, with their geometry and kernel; `starts` keeps the network's start on each spoilt pool."""
    clean = split(run)
    points, labels = spoilt(run, clean)
    vectors = embedded(points, run.embedding)
    since = time.perf_counter()
    rows = choose(run, vectors, labels)
    seconds = time.perf_counter() - since
    inputs = points - clean.pool.mean(axis=0)
    if (run.knob, run.share) not in starts:
        starts[run.knob, run.share] = started(run.architecture.build(points.shape[1:]), params, inputs)
    told = geometry(points, labels, rows) | mechanism(starts[run.knob, run.share], labels, rows)
    return Chosen(inputs, labels, rows, told | {"seconds_choosing": seconds})


def task_of(run: DigitsRun, chosen: Chosen) -> Task:
    """What the trainer is given: the pool and, after it, the held-out rows."""
    clean = split(run)
    rng = np.random.default_rng((_BATCH_STREAM, run.seed))
    batches = shuffled_batches(chosen.rows, steps=run.steps, batch=run.batch_size, rng=rng, epochs=run.epochs)
    parts = np.zeros((len(PARTS), run.pool_size + run.held_out))
    parts[0, chosen.rows] = 1 / len(chosen.rows)
    parts[1, : run.pool_size] = 1 / run.pool_size
    parts[2, run.pool_size :] = 1 / run.held_out
    return Task(
        np.concatenate([chosen.points, clean.held_out - clean.pool.mean(axis=0)]),
        np.concatenate([chosen.labels, clean.held_out_labels]),
        batches.reshape(-1, run.measured_every, run.batch_size),
        parts,
        run.training.step_size,
    )


def _slices(count: int, length: int = 2048) -> Iterator[slice]:
    return (slice(start, start + length) for start in range(0, count, length))


def random_separations(run: DigitsRun) -> np.ndarray:
    """h_min of many random subsets of the run's pool and size, none of them trained on."""
    points, _ = spoilt(run, split(run))
    size, table = len(points), distances(points, points)
    first, second = np.triu_indices(size, 1)
    order = np.argsort(table[first, second], kind="stable")
    first, second, found = first[order], second[order], np.empty(_DRAWS)
    for draw in range(_DRAWS):
        inside = np.zeros(size, bool)
        inside[subset(points, run.subset_size, method="random", seed=10_000 * (run.seed + 1) + draw)] = True
        both = (np.flatnonzero(inside[first[at]] & inside[second[at]]) + at.start for at in _slices(len(first)))
        closest = next(hits[0] for hits in both if len(hits))
        found[draw] = table[first[closest], second[closest]]
    return found


def measure(runs: Sequence[DigitsRun]) -> Iterator[tuple[DigitsRun, Measured]]:
    """Choose and train all runs of one seed; every choice is looked at once, whatever is trained on it."""
    model = runs[0].architecture.build((PIXELS,))
    params = member(jax.device_get(drawn(model, np.array([runs[0].seed]))), 0)
    starts: dict[Any, Start] = {}
    by_choice: dict[Any, Chosen] = {}
    with single_threaded_blas():
        for run in runs:
            if choice_of(run) not in by_choice:
                by_choice[choice_of(run)] = chosen_by(run, params, starts)
    choices = [by_choice[choice_of(run)] for run in runs]
    trained = [(run.training.loss, run.training.optimiser) for run in runs]
    for loss, optimiser in dict.fromkeys(trained):
        kept = [index for index, each in enumerate(trained) if each == (loss, optimiser)]
        task = Task(*(np.stack(column) for column in zip(*(task_of(runs[index], choices[index]) for index in kept))))
        since = time.perf_counter()
        curves = train(model, params, task, loss=loss, optimiser=optimiser)
        seconds = (time.perf_counter() - since) * len(jax.devices()) / len(kept)
        for place, index in enumerate(kept):
            run, choice = runs[index], choices[index]
            arrays = {"loss": curves.loss[place], "accuracy": curves.accuracy[place], "chosen": choice.rows}
            if run.method == "random" and run.epochs and run.knob == "clean" and run.draw == 0:
                arrays["draws"] = random_separations(run)
            # Measurements along the run included, compilation only where the process has not compiled yet.
            scalars = {**choice.told, "seconds_training": seconds}
            told = f"held-out loss {curves.loss[place, -1, 2]:.3g}, accuracy {curves.accuracy[place, -1, 2]:.3f}"
            yield run, Measured(scalars, arrays, told)


def find(preset: Preset, records: Sequence[Record]) -> Findings:
    by_cell: dict[tuple[str, Cell], list[Record]] = {}
    for (_, training, cell), record in zip(_places(preset), records, strict=True):
        by_cell.setdefault((training.name, cell), []).append(record)
    return selection_digits_findings.find(preset, dict(zip(plan(preset), records)), by_cell)


STUDY = Study(
    name="selection_digits",
    code="X11a",
    title="Training on a uniform subset of digits, at equal steps",
    question="Does a residual MLP trained on the farthest-first subset of digits reach a loss sooner, and generalise "
    "better, than on a random subset of the same size and on the full pool, and does h_min rank the times?",
    varied="which rows of one pool are trained on; the pool's duplicates, wrong labels and outliers",
    control="random subsets of the same size, with the same classes, batches with repetition, nearest rows, embeddings",
    falsified_by="a ratio of steps, random over uniform, whose interval lies below 1",
    claims=("R1", "D1", "D3"),
    schema=2,
    presets=PRESETS,
    plan=plan,
    batch=lambda run: (
        run.architecture,
        run.pool_size,
        run.held_out,
        run.batch_size,
        run.steps,
        run.measured_every,
        run.seed,
    ),
    require=require,
    measure=measure,
    find=find,
)

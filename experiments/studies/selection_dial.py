"""X6: along the greedy-from-pool dial, what ranks the training time and the test error: h_min, or something else?

Question. N points are chosen farthest-first from an iid pool of M, M/N = 1 being random. Which of h_min,
lambda_min(K_0) and r_0^T K_0^-1 r_0 (r_0 the residual at the start) ranks the steps to a loss, and the test error?
Varied. The training points alone: the pools of a seed are nested, its target function, noise, initialisation, fresh
points and step size are one and the same for every choice.
Control. The reverse choice, the nearest points of the largest pool; dart throwing, a large h_min without going to the
boundary, and Beta(1/2, 1/2) points, the boundary without a large h_min; a permutation of the dial within every seed.
Falsified by. "h_min is the predictor": another quantity that ranks better, or an interval of its correlation around 0.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Int

from experiments.architecture import ArchitectureConfig
from experiments.blocks import require_known
from experiments.descent import descend, member
from experiments.ensemble import drawn, stacked
from experiments.kernel import empirical_ntk
from experiments.labels import Labels, lipschitz_target, with_noise
from experiments.outcome import outcome
from experiments.points import construct
from experiments.points.greedy import farthest_first, uniform_pool
from experiments.separation import distances, separation
from experiments.studies import requirements
from experiments.studies.networks import NETWORKS, PLAIN, Network, domain_of
from experiments.studies.selection_dial_findings import find
from experiments.study import Measured, Study
from theory.require import at_least_zero, positive

_FRESH_STREAM = 3  # independent of the streams of points, target and noise of the same seed
DARTS = {(4,): 0.58, (4, 2): 1.0}
"""Separation of the dart throwing, which every seed's 12 darts reach: about that of the greedy choice at M/N = 8."""

_FROM_POOL = ("greedy", "nearest")
_DESIGNS = (*_FROM_POOL, "darts", "boundary")
_LABELLINGS = ("smooth", "noise")

LOOSER_TARGETS = np.array([1e-1, 3e-2, 1e-2, 3e-3])
START_SHARES = np.array([0.5, 0.1, 0.03, 0.01])
"""Losses passed on the way: fixed ones, and shares of the loss at the start, which the choice of points moves too."""


@dataclass(frozen=True)
class SelectionRun:
    """One training run on N points of a design. pool_ratio: M/N, 1 for designs that choose from no pool."""

    architecture: ArchitectureConfig
    point_shape: tuple[int, ...]
    num_points: int
    design: str
    pool_ratio: int
    darts: float
    labelling: str
    lipschitz: float
    noise: float
    step_size: float
    target: float
    max_steps: int
    fresh_points: int
    seed: int

    @property
    def label(self) -> str:
        return f"{self.architecture.kind} {self.labelling} {self.design} M/N={self.pool_ratio} seed {self.seed}"


@dataclass(frozen=True)
class Preset:
    """ratios: the dial M/N.  fresh_points: uniform points at which the test error is measured."""

    networks: tuple[Network, ...]
    ratios: tuple[int, ...]
    seeds: int
    max_steps: int
    num_points: int = 12
    lipschitz: float = 2.0
    noise: float = 0.3
    target: float = 1e-3
    fresh_points: int = 2000


SMALL = PLAIN._replace(architecture=replace(PLAIN.architecture, width=8, depth=1), step_size=0.1)

PRESETS = {
    # Noise that a loss of 1e-2 does not tolerate: small runs, yet the floors say something.
    "smoke": Preset((SMALL,), (1, 4, 16), seeds=3, max_steps=10_000, noise=1.0, target=1e-2, fresh_points=200),
    "quick": Preset(NETWORKS, (1, 4, 32), seeds=2, max_steps=10_000),
    "paper": Preset(NETWORKS, (1, 2, 4, 8, 16, 32), seeds=20, max_steps=300_000),
}


def plan(preset: Preset) -> list[SelectionRun]:
    dial = [("greedy", ratio) for ratio in preset.ratios]
    controls = [("nearest", max(preset.ratios)), ("darts", 1), ("boundary", 1)]
    return [
        SelectionRun(
            network.architecture,
            network.point_shape,
            preset.num_points,
            design,
            ratio,
            DARTS[network.point_shape],
            labelling,
            preset.lipschitz,
            preset.noise,
            network.step_size,
            preset.target,
            preset.max_steps,
            preset.fresh_points,
            seed,
        )
        for network in preset.networks
        for seed in range(preset.seeds)
        for labelling in ("smooth", "noise")
        for design, ratio in (*dial, *controls)
    ]


def require(run: SelectionRun) -> None:
    """Raise ValueError for a run that cannot be."""
    requirements.network(run.architecture, run.point_shape)
    requirements.seed(run)
    requirements.size("num_points", run.num_points, least=2, most=requirements.POINTS)
    require_known("design", run.design, _DESIGNS)
    require_known("labelling", run.labelling, _LABELLINGS)
    requirements.size("pool_ratio", run.pool_ratio, least=1, most=None if run.design in _FROM_POOL else 1)
    positive(darts=run.darts)
    at_least_zero(lipschitz=run.lipschitz, noise=run.noise)
    requirements.descent(run)
    requirements.size("fresh_points", run.fresh_points, least=1)
    if run.design == "darts":
        try:
            choose(run)
        except ValueError as error:
            raise ValueError(f"darts{str(error).removeprefix('h')}") from error


def batch(run: SelectionRun) -> tuple[Any, ...]:
    """Groups of five seeds of one shape: a kill loses what is in flight of one group."""
    return run.architecture, run.point_shape, run.num_points, run.seed // 5


class Choice(NamedTuple):
    """rows: (N, D) flat points.  chosen: their rows in the pool in the order taken, empty where there is no pool."""

    rows: Float[np.ndarray, "n D"]
    chosen: Int[np.ndarray, " k"]


def nearest_first(pool: Float[np.ndarray, "M D"], num_points: int) -> Int[np.ndarray, " n"]:
    """The reverse of farthest-first: from row 0, again and again the pool point nearest to those taken."""
    taken = [0]
    to_taken = distances(pool, pool[:1])[:, 0]
    while len(taken) < num_points:
        to_taken[taken[-1]] = np.inf
        nearest = int(np.argmin(to_taken))
        taken.append(nearest)
        left = np.isfinite(to_taken)
        to_taken[left] = np.minimum(to_taken, distances(pool, pool[nearest : nearest + 1])[:, 0])[left]
    return np.array(taken)


def choose(run: SelectionRun) -> Choice:
    """The points of a run, which its labelling and architecture do not enter."""
    domain = domain_of(run.point_shape)
    if run.design in _FROM_POOL:
        pool = uniform_pool(run.num_points, domain, pool_size=run.pool_ratio * run.num_points, seed=run.seed)
        order = (farthest_first if run.design == "greedy" else nearest_first)(pool, run.num_points)
        return Choice(pool[order], order)
    family, dials = {"darts": ("poisson_disc", {"h": run.darts}), "boundary": ("beta", {"a": 0.5, "b": 0.5})}[
        run.design
    ]
    points = construct(family, run.num_points, domain, seed=run.seed, **dials).points
    return Choice(points.reshape(run.num_points, -1), np.zeros(0, int))


def label(run: SelectionRun, points: Float[np.ndarray, "n ..."]) -> Labels:
    """Values of the seed's target function; with "noise", close inputs differ by noise that no distance shrinks."""
    labels = lipschitz_target(points, lipschitz=run.lipschitz, seed=run.seed)
    return with_noise(labels, scale=run.noise, seed=run.seed) if run.labelling == "noise" else labels


def fresh(run: SelectionRun) -> tuple[Float[np.ndarray, "m ..."], Float[np.ndarray, " m"]]:
    """Uniform points of the domain that no choice has seen, and the target's values there, without noise."""
    points = np.random.default_rng((_FRESH_STREAM, run.seed)).random((run.fresh_points, *run.point_shape))
    return points, lipschitz_target(points, lipschitz=run.lipschitz, seed=run.seed).values


def first_passages(loss: Float[np.ndarray, " steps"], targets: Float[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
    """First step whose loss is at most each target; NaN where none is."""
    reached = loss[:, None] <= targets
    return np.where(reached.any(axis=0), reached.argmax(axis=0), np.nan)


def error_at_fresh(error: Float[np.ndarray, " m"]) -> dict[str, float | None]:
    """RMS and largest error; None where a diverged run leaves no finite number."""
    with np.errstate(over="ignore"):
        found = {"test_rms": np.sqrt(np.mean(error**2)), "test_max": np.max(np.abs(error))}
    return {name: float(value) if np.isfinite(value) else None for name, value in found.items()}


def measure(runs: Sequence[SelectionRun]) -> Iterator[tuple[SelectionRun, Measured]]:
    """Train all runs of one shape together; of each its kernel and residual, its geometry and its test error."""
    model = runs[0].architecture.build(runs[0].point_shape)
    predict = jax.jit(model)
    choices = [choose(run) for run in runs]
    points = [choice.rows.reshape(-1, *run.point_shape) for run, choice in zip(runs, choices)]
    closest = [separation(each) for each in points]
    labels = [label(run, each).values for run, each in zip(runs, points)]
    problem = stacked(runs, points, labels, [each.pair for each in closest])
    params = drawn(model, np.array([run.seed for run in runs]))
    for index, trace, status, last in descend(model, params, problem):
        run, x, y, first = runs[index], problem.x[index], problem.y[index], member(params, index)
        unseen, truth = fresh(run)
        to_nearest = distances(unseen, x).min(axis=1)
        scalars = outcome(trace, status) | {
            "separation": closest[index].distance,
            "spread": float(np.sqrt(np.mean(np.sum((choices[index].rows - 0.5) ** 2, axis=1)))),
            "fill": float(to_nearest.max()),
            "mean_distance": float(to_nearest.mean()),
            **error_at_fresh(np.asarray(predict(last, unseen)) - truth),
        }
        arrays = {
            "gram_start": np.asarray(empirical_ntk(model, first, x)),
            "gram_end": np.asarray(empirical_ntk(model, last, x)),
            "residual_start": np.asarray(predict(first, x)) - y,
            "pair": problem.pair[index],
            "chosen": choices[index].chosen,
            "steps_to_loss": first_passages(trace.loss, LOOSER_TARGETS),
            "steps_to_share": first_passages(trace.loss, trace.loss[0] * START_SHARES),
        }
        yield run, Measured(scalars, arrays, f"{scalars['status']} at step {scalars['steps']:,}")


STUDY = Study(
    name="selection_dial",
    code="X6",
    title="What ranks training time and test error when points are selected",
    question="Along the greedy-from-pool dial, which of h_min, lambda_min(K_0) and r_0^T K_0^-1 r_0 ranks the steps to "
    "a loss and the test error?",
    varied="which N points are trained on: the size M of the pool of which the farthest-first are taken",
    control="nearest points of the pool; darts and boundary points without a pool; a permutation within every seed",
    falsified_by="a predictor that ranks better than h_min, or an interval of h_min's correlation around 0",
    claims=("R1", "R2", "R3", "D1", "D3"),
    schema=1,
    presets=PRESETS,
    plan=plan,
    batch=batch,
    require=require,
    measure=measure,
    find=find,
)

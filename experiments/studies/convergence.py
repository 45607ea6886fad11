"""X8: does gradient descent converge as the descent product says, while the kernel moves far from its start?

Question. Along a run: is every measured step between the two sides of the descent inequality, does the loss stay below
L_0 prod (1 - eta lambda_min(K_s)/N) with lambda_min resolved above 0, how far does the kernel drift, and does the
prediction of the frozen kernel fail?
Varied. Architecture, labelling, seed; the kernel is watched at every step, the hessian at steps evenly spaced in log s.
Control. A network with fewer parameters than labels, P < N: its kernel is singular, no rate is promised, and it stalls.
Falsified by. A step outside the inequality; a loss above the product; an overparametrised run whose lambda_min is not
resolved above 0; a frozen-kernel prediction that matches while the drift is large.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from experiments.architecture import ArchitectureConfig, parameter_count
from experiments.blocks import Chain
from experiments.curvature import hessian_norms
from experiments.descent import Problem, State, Status, Trace, advance, descent_step, join, member, start
from experiments.ensemble import drawn
from experiments.kernel import empirical_ntk
from experiments.labels import lipschitz_target, with_gap
from experiments.one_by_one import one_by_one
from experiments.outcome import outcome
from experiments.points import construct
from experiments.studies import requirements
from experiments.studies.convergence_findings import find
from experiments.studies.networks import NETWORKS, PLAIN, Network, domain_of
from experiments.study import Measured, Study
from theory.require import positive


@dataclass(frozen=True)
class ConvergenceRun:
    """`steps` steps of one network on pair-collapse points; the label gap is put on the pair, 0 leaves it smooth."""

    architecture: ArchitectureConfig
    point_shape: tuple[int, ...]
    num_points: int
    h: float
    gap: float | None
    step_size: float
    steps: int
    hessians: int
    seed: int

    @property
    def label(self) -> str:
        labels = "smooth" if self.gap is None else "gap"
        return f"{self.architecture.kind} width {self.architecture.width} {labels} seed {self.seed}"


@dataclass(frozen=True)
class Preset:
    networks: tuple[Network, ...]
    seeds: int
    steps: int
    hessians: int
    num_points: int = 12
    h: float = 0.1
    gap: float = 0.5


CONTROL = Network(ArchitectureConfig("plain", width=1, depth=1), (4,), 0.05)
_ALL = (*NETWORKS, CONTROL)

PRESETS = {
    "smoke": Preset((PLAIN, CONTROL), seeds=1, steps=30, hessians=4),
    "quick": Preset(_ALL, seeds=2, steps=1000, hessians=8),
    "paper": Preset(_ALL, seeds=20, steps=4000, hessians=30),
}


def plan(preset: Preset) -> list[ConvergenceRun]:
    return [
        ConvergenceRun(
            architecture,
            shape,
            preset.num_points,
            preset.h,
            gap,
            step_size,
            preset.steps,
            preset.hessians,
            seed,
        )
        for architecture, shape, step_size in preset.networks
        for gap in (preset.gap, None)
        for seed in range(preset.seeds)
    ]


def require(run: ConvergenceRun) -> None:
    """Raise ValueError for a run that cannot be."""
    requirements.network(run.architecture, run.point_shape)
    requirements.seed(run)
    requirements.pair(run)
    if run.gap is not None:
        requirements.finite(gap=run.gap)
    positive(step_size=run.step_size)
    requirements.size("steps", run.steps, least=1, most=requirements.STEPS - 1)
    requirements.size("hessians", run.hessians, least=1)


def _problem(runs: Sequence[ConvergenceRun]) -> Problem:
    xs, ys, pairs = [], [], []
    for run in runs:
        points = construct("pair_collapse", run.num_points, domain_of(run.point_shape), h=run.h, seed=run.seed)
        labels = lipschitz_target(points.points, lipschitz=2.0, seed=run.seed)
        xs.append(points.points)
        ys.append((labels if run.gap is None else with_gap(labels, points.pair, gap=run.gap)).values)
        pairs.append(points.pair)
    return Problem(
        x=np.stack(xs),
        y=np.stack(ys),
        step_size=np.array([run.step_size for run in runs]),
        pair=np.array(pairs),
        target=np.zeros(len(runs)),
        max_steps=np.array([run.steps for run in runs], np.int32),
    )


def measure(runs: Sequence[ConvergenceRun]) -> Iterator[tuple[ConvergenceRun, Measured]]:
    """Watch the kernel of all runs of one shape at every step, and the hessian at some."""
    model = runs[0].architecture.build(runs[0].point_shape)
    problem = _problem(runs)
    params = drawn(model, np.array([run.seed for run in runs]))
    kernels = jax.jit(one_by_one(partial(empirical_ntk, model)))
    looked = np.unique(np.round(np.geomspace(1, runs[0].steps, runs[0].hessians)).astype(int)) - 1
    state = start(params, problem)
    first = np.asarray(kernels(state.params, problem.x))
    spectra, drifts, smoothness = [], [], []
    traces: list[list[Trace]] = [[] for _ in runs]

    def watch(state: State) -> None:
        grams = np.asarray(kernels(state.params, problem.x))
        with np.errstate(over="ignore", invalid="ignore"):
            drifts.append(np.linalg.norm(grams - first, axis=(1, 2)) / np.linalg.norm(first, axis=(1, 2)))
        # A diverging run's kernel may hold infinities, which no eigensolver takes.
        finite = np.asarray(np.isfinite(grams).all(axis=(1, 2)))
        if len(drifts) - 1 in looked:
            smoothness.append(np.where(finite, _segment_smoothness(model, state, problem), np.nan))
        spectra.append(np.full((len(runs), 2), np.nan))
        spectra[-1][finite] = np.linalg.eigvalsh(grams[finite])[:, [0, -1]]

    watch(state)
    last = state
    for last, taken in advance(model, state, problem, chunk=1):
        for pieces, piece in zip(traces, taken):
            pieces.append(piece)
        if (last.status == Status.RUNNING).any():
            watch(last)
    for index, run in enumerate(runs):
        trace = join(traces[index])
        scalars = outcome(trace, int(last.status[index]))
        scalars["parameters"] = parameter_count(member(params, index))
        # The others may have gone on after this one was over.
        taken, seen = len(trace.loss), int(np.sum(looked < len(trace.loss)))
        arrays = {
            **trace._asdict(),
            "smallest": np.array(spectra)[:taken, index, 0],
            "largest": np.array(spectra)[:taken, index, 1],
            "drift": np.array(drifts)[:taken, index],
            "looked": looked[:seen],
            "smoothness": np.array(smoothness)[:seen, index],
            "gram_start": first[index],
            "residual_start": np.asarray(model(member(params, index), problem.x[index])) - problem.y[index],
        }
        yield run, Measured(scalars, arrays, f"loss {trace.loss[0]:.2e} to {trace.loss[-1]:.2e}")


LANCZOS_STEPS = 20
"""At 15 the residual is already below 1e-10 of |hess L| on every network here: N labels make N large eigenvalues."""


@partial(jax.jit, static_argnums=0)
def _segments(model: Chain, params: PyTree, x: jax.Array, y: jax.Array, step_size: jax.Array) -> PyTree:
    """Both ends and the middle of the coming step, (runs, 3, ...) each parameter array."""

    def segment(params: PyTree, x: jax.Array, y: jax.Array, step_size: jax.Array) -> PyTree:
        after = descent_step(model, params, x, y, step_size=step_size)
        return jax.tree.map(lambda a, b: jnp.stack([a, 0.5 * (a + b), b]), params, after)

    return one_by_one(segment)(params, x, y, step_size)


def _segment_smoothness(model: Chain, state: State, problem: Problem) -> np.ndarray:
    """The largest |hess L| at both ends and the middle of the coming step of each run: a sample, below the supremum."""
    places = _segments(model, state.params, problem.x, problem.y, problem.step_size)
    flat = jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), places)
    x, y = (np.repeat(data, 3, axis=0) for data in (problem.x, problem.y))
    norms = hessian_norms(model, flat, x, y, iterations=LANCZOS_STEPS)
    return np.asarray(norms.value).reshape(-1, 3).max(axis=1)


STUDY = Study(
    name="convergence",
    code="X8",
    title="Descent product, kernel and its drift along the run",
    question="Is every step inside the descent inequality, and the loss below the product of the kernel's own rates?",
    varied="architecture, labelling, seed",
    control="a network with fewer parameters than labels",
    falsified_by="a step outside the inequality, a loss above the product, an unresolved lambda_min where P > N",
    claims=("G1", "G7"),
    schema=2,
    presets=PRESETS,
    plan=plan,
    # Groups of five seeds: a kill loses the group in flight.
    batch=lambda run: (run.architecture, run.point_shape, run.num_points, run.steps, run.hessians, run.seed // 5),
    require=require,
    measure=measure,
    find=find,
)

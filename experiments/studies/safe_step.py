"""X9: how conservative is the step size 1/S(R), known before training, against the largest one that is stable?

Question. On the ladder 1/S on the horizon's ball, 1/S at the start's own radii, 1/max|hess L| along a run,
2/|hess L(theta_0)|, largest stable step size of plain gradient descent: by which factor does each rung fall short of
the last, and how does the factor of the first grow with the horizon tau?
Varied. The step size; for each of several networks, with and without normalisation, and seeds.
Control. Linear models, where S is exact for a single point: there the last factor is 2 and the others are 1. And one
rung of the ladder above the largest stable step size, which must climb above the start's loss.
Falsified by. A run at 1/S(R) that leaves its ball or whose loss rises; a measured hessian above S.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import numpy as np
import optax
from jaxtyping import PyTree

from experiments.architecture import ArchitectureConfig
from experiments.blocks import Chain, Linear, Scalar
from experiments.curvature import hessian_norm
from experiments.descent import Problem, Trace, advance, join, loss, member, start
from experiments.ensemble import drawn
from experiments.labels import lipschitz_target
from experiments.largest_step import CRITERIA, largest_steps
from experiments.one_by_one import one_by_one
from experiments.points import construct
from experiments.records import Record
from experiments.smoothness import ball_radii, loss_smoothness, parameter_radii
from experiments.studies import requirements, safe_step_findings
from experiments.studies.networks import domain_of
from experiments.study import Findings, Measured, Study
from theory.finite_horizon import horizon_radius, path_ceiling

LINEAR = None
"""In the place of an architecture: the affine model <w, x> + b."""


@dataclass(frozen=True)
class SafeStepRun:
    """One network: S at its start and for several horizons, a run at 1/S, and the largest stable step size.

    horizons: tau in squared parameters per loss.  steps: of every run.  hessians: looks at |hess L| along a run.
    """

    architecture: ArchitectureConfig | None
    point_shape: tuple[int, ...]
    num_points: int
    horizons: tuple[float, ...]
    steps: int
    hessians: int
    seed: int

    @property
    def label(self) -> str:
        return f"{name_of(self.architecture, self.num_points)} seed {self.seed}"


def name_of(architecture: ArchitectureConfig | None, num_points: int) -> str:
    """A network's name in tables and figures."""
    if architecture is None:
        return f"linear, {num_points} point{'s' * (num_points > 1)}"
    parts = [architecture.kind, f"{architecture.width}x{architecture.depth}"]
    parts += [architecture.normalisation or ""]
    return " ".join(filter(None, parts)) + (f" eps {architecture.eps:g}" if architecture.eps else "")


class Net(NamedTuple):
    architecture: ArchitectureConfig | None
    point_shape: tuple[int, ...]
    num_points: int


@dataclass(frozen=True)
class Preset:
    nets: tuple[Net, ...]
    seeds: int
    horizons: tuple[float, ...] = (0.01, 0.1, 1.0, 10.0, 100.0)
    steps: int = 100
    hessians: int = 8


def _plain(width: int, depth: int) -> Net:
    return Net(ArchitectureConfig("plain", width=width, depth=depth), (4,), 12)


def _residual(normalisation: str, eps: float | None = None) -> Net:
    return Net(ArchitectureConfig("residual", 32, 2, normalisation=normalisation, eps=eps), (4,), 12)


def _transformer(normalisation: str, eps: float | None = None) -> Net:
    return Net(ArchitectureConfig("transformer", 16, 1, heads=2, normalisation=normalisation, eps=eps), (4, 2), 12)


_ONE, _LINEAR = Net(LINEAR, (4,), 1), Net(LINEAR, (4,), 12)

PRESETS = {
    "smoke": Preset((_ONE, _plain(8, 1)), seeds=2, steps=20, hessians=2),
    "quick": Preset((_ONE, _LINEAR, _plain(32, 2), _residual("none"), _transformer("layernorm")), seeds=2, hessians=4),
    "paper": Preset(
        (
            _ONE,
            _LINEAR,
            _plain(8, 1),
            _plain(32, 1),
            _plain(128, 1),
            _plain(32, 2),
            _plain(32, 4),
            _residual("none"),
            _residual("tau", 1.0),
            _residual("layernorm", 1.0),
            _residual("layernorm"),
            _transformer("none"),
            _transformer("layernorm", 1.0),
            _transformer("layernorm"),
        ),
        seeds=20,
    ),
}


def plan(preset: Preset) -> list[SafeStepRun]:
    return [
        SafeStepRun(*net, preset.horizons, preset.steps, preset.hessians, seed)
        for net in preset.nets
        for seed in range(preset.seeds)
    ]


def require(run: SafeStepRun) -> None:
    """Raise ValueError for a run that cannot be."""
    if run.architecture is not None:
        requirements.network(run.architecture, run.point_shape, smooth=True)
    elif len(run.point_shape) != 1 or run.point_shape[0] < 1:
        raise ValueError(f"point_shape must be one number for the linear model, but was {list(run.point_shape)}")
    requirements.seed(run)
    requirements.size("num_points", run.num_points, least=1, most=requirements.POINTS)
    requirements.each_positive("horizons", run.horizons)
    requirements.size("steps", run.steps, least=1, most=requirements.STEPS - 1)
    requirements.size("hessians", run.hessians, least=1)


def model_of(run: SafeStepRun) -> Chain:
    if run.architecture is None:
        return Chain((Linear(run.point_shape[0], 1), Scalar()))
    return run.architecture.build(run.point_shape)


def data(run: SafeStepRun) -> tuple[np.ndarray, np.ndarray]:
    """Independent uniform points of the unit cube, and labels of Lipschitz constant 2."""
    points = construct("uniform", max(run.num_points, 2), domain_of(run.point_shape), seed=run.seed).points
    return points[: run.num_points], lipschitz_target(points, lipschitz=2.0, seed=run.seed).values[: run.num_points]


@partial(jax.jit, static_argnames="model")
def _start(model: Chain, params: PyTree, x: jax.Array, y: jax.Array) -> tuple[PyTree, jax.Array, jax.Array]:
    """The radii of theta_0's arrays, L_0 and |theta_0|."""

    def at_start(params: PyTree, x: jax.Array, y: jax.Array) -> tuple[PyTree, jax.Array, jax.Array]:
        return parameter_radii(model, params), loss(model, params, x, y), optax.tree.norm(params)

    return one_by_one(at_start)(params, x, y)


@partial(jax.jit, static_argnames="model")
def _smoothness(model: Chain, radii: PyTree, x: jax.Array, y: jax.Array) -> jax.Array:
    """S of every run at several radii, (runs, k), from radii with leading axes (runs, k)."""
    at = jax.vmap(partial(loss_smoothness, model), in_axes=(0, None, None))
    return one_by_one(at)(radii, x, y)


class Known(NamedTuple):
    """What is known before training, an array entry a run, of a ball of radius rho = sqrt(2 tau L_0) about theta_0.

    at_start: S at the start's own radii.  around: S on the ball, every array with its own radius, for each tau.
    about_zero: S on |theta| <= |theta_0| + rho.  horizon: the tau that `steps` steps of 1/S cover; smoothness: that S.
    """

    at_start: np.ndarray
    around: np.ndarray
    about_zero: np.ndarray
    horizon: np.ndarray
    smoothness: np.ndarray


_SPAN = 1e-12
"""The horizon is sought above this share of the one that S at the start alone would allow."""
_PASSES = 8


def known_before(
    model: Chain,
    radii: PyTree,
    x: np.ndarray,
    y: np.ndarray,
    *,
    losses: np.ndarray,
    norms: np.ndarray,
    horizons: Sequence[float],
    steps: int,
) -> Known:
    """S for each horizon, and the largest horizon tau found with tau S <= steps, S on its own ball."""

    def around(times: np.ndarray) -> PyTree:
        """The arrays' radii on the balls of several horizons, (runs, k)."""
        path = np.asarray(path_ceiling(losses[:, None], elapsed=times))
        return jax.tree.map(lambda radius: np.asarray(radius)[:, None] + path, radii)

    times = np.broadcast_to([0.0, *horizons], (len(x), 1 + len(horizons)))
    balls = np.asarray(horizon_radius(norms[:, None], losses[:, None], horizon=times[:, 1:]))
    places = jax.tree.map(
        lambda own, ball: np.concatenate([own, ball], axis=1), around(times), ball_radii(model, balls)
    )
    found = np.asarray(_smoothness(model, places, x, y))
    at_start, on_balls, on_big_balls = np.split(found, [1, 1 + len(horizons)], axis=1)
    # tau S rises with tau, and S is at least its value at the start.
    high = steps / at_start[:, 0]
    low, smoothness = _SPAN * high, np.full(len(x), np.nan)
    for _ in range(_PASSES):
        tried = low[:, None] * (high / low)[:, None] ** np.linspace(0.0, 1.0, found.shape[1])
        values = np.asarray(_smoothness(model, around(tried), x, y))
        last = np.maximum(np.sum(tried * values <= steps, axis=1) - 1, 0)[:, None]
        following = np.minimum(last + 1, found.shape[1] - 1)
        low, high, smoothness = (
            np.take_along_axis(column, place, axis=1)[:, 0]
            for column, place in ((tried, last), (tried, following), (values, last))
        )
    return Known(at_start[:, 0], on_balls, on_big_balls, low, smoothness)


COURSES = ("safe", "curvature", "twice", "largest", "beyond")
"""Runs with 1/S of the horizon they cover, 1/|hess L(theta_0)|, 2/|hess L(theta_0)|, the largest bounded step size
found, and the next rung, which was not."""


def measure(runs: Sequence[SafeStepRun]) -> Iterator[tuple[SafeStepRun, Measured]]:
    """All runs of one network, each at the five step sizes of COURSES."""
    model, steps = model_of(runs[0]), runs[0].steps
    x, y = (np.stack(columns) for columns in zip(*map(data, runs)))
    params = jax.device_get(drawn(model, np.array([run.seed for run in runs])))
    radii, losses, norms = jax.device_get(_start(model, params, x, y))
    known = known_before(model, radii, x, y, losses=losses, norms=norms, horizons=runs[0].horizons, steps=steps)
    first = np.array([_hessian(model, member(params, k), x[k], y[k]) for k in range(len(runs))])
    found = largest_steps(model, params, x, y, reference=2.0 / first, steps=steps)
    bounded = CRITERIA.index("bounded")
    step_sizes = np.stack(
        [
            known.horizon / steps,
            1.0 / first,
            2.0 / first,
            found.stable[:, bounded],
            np.where(np.isfinite(found.unstable[:, bounded]), found.unstable[:, bounded], 128.0 / first),
        ],
        axis=1,
    )
    looked = np.unique(np.round(np.geomspace(1, steps, runs[0].hessians)).astype(int))
    courses = _courses(model, params, x, y, step_sizes, looked)
    for index, run in enumerate(runs):
        own = courses[index]
        scalars = {
            "loss": float(losses[index]),
            "norm": float(norms[index]),
            "label_scale": float(np.max(np.abs(y[index]))),
            "at_start": float(known.at_start[index]),
            "horizon": float(known.horizon[index]),
            "smoothness": float(known.smoothness[index]),
            "hessian_start": float(first[index]),
            "hessian_max": float(max(first[index], *own["curvature"].hessians)),
            "hessian_end": own["safe"].hessians[-1],
            "displacement": own["safe"].displacement,
            "path_length": float(own["safe"].trace.path_length[-1]),
            **{name: float(found.stable[index, k]) for k, name in enumerate(CRITERIA)},
            # None: no rung of the ladder was unstable.
            **{
                f"{name}_next": float(bound) if np.isfinite(bound := found.unstable[index, k]) else None
                for k, name in enumerate(CRITERIA)
            },
        }
        arrays = {
            "around": known.around[index],
            "about_zero": known.about_zero[index],
            "gradient_square": own["safe"].trace.gradient_square[:-1],
            "step_sizes": step_sizes[index],
            # A course that left the numbers stops early: NaN from there on.
            "losses": np.array(
                [np.pad(own[name].trace.loss, (0, steps + 1), constant_values=np.nan)[: steps + 1] for name in COURSES]
            ),
        }
        told = f"1/S {step_sizes[index, 0]:.2e}, largest monotone step {scalars['monotone']:.2e}"
        yield run, Measured(scalars, arrays, told)


class _Course(NamedTuple):
    """One run. displacement: max_s |theta_s - theta_0|.  hessians: |hess L| at some steps."""

    trace: Trace
    displacement: float
    hessians: list[float]


def _courses(
    model: Chain, params: PyTree, x: np.ndarray, y: np.ndarray, step_sizes: np.ndarray, looked: np.ndarray
) -> list[dict[str, _Course]]:
    """Every run at each of its step sizes, watched at every step. Curvature: at the end of the safe one, and along the
    one at 1/|hess L(theta_0)|."""
    count, steps = len(x), int(looked[-1])
    member_of = np.repeat(np.arange(count), len(COURSES))
    problem = Problem(
        x=x[member_of],
        y=y[member_of],
        step_size=step_sizes.reshape(-1),
        pair=np.zeros((len(member_of), 2), int),  # no pair is watched here
        target=np.full(len(member_of), -1.0),
        max_steps=np.full(len(member_of), steps, np.int32),
    )
    begin = member(params, member_of)
    pieces: list[list[Trace]] = [[] for _ in member_of]
    largest = np.zeros(len(member_of))
    hessians: list[list[float]] = [[] for _ in member_of]
    for state, rows in advance(model, start(begin, problem), problem, chunk=1):
        for piece, row in zip(pieces, rows):
            piece.append(row)
        moved = jax.tree.map(
            lambda after, before: np.square(np.asarray(after) - np.asarray(before)), state.params, begin
        )
        squares = sum(leaf.reshape(len(member_of), -1).sum(axis=1) for leaf in jax.tree.leaves(moved))
        largest = np.fmax(largest, np.sqrt(squares))
        taken = len(pieces[0])
        for index in range(len(member_of)):
            name = COURSES[index % len(COURSES)]
            if (name == "safe" and taken == steps) or (name == "curvature" and taken in looked):
                own = member(state.params, index)
                hessians[index].append(_hessian(model, own, problem.x[index], problem.y[index]))
    found = [_Course(join(pieces[k]), float(largest[k]), hessians[k]) for k in range(len(member_of))]
    return [dict(zip(COURSES, found[k * len(COURSES) :])) for k in range(count)]


def _hessian(model: Chain, params: PyTree, x: np.ndarray, y: np.ndarray) -> float:
    return hessian_norm(model, params, x, y, tolerance=1e-5)


def find(preset: Preset, records: Sequence[Record]) -> Findings:
    names = list(dict.fromkeys(name_of(net.architecture, net.num_points) for net in preset.nets))
    return safe_step_findings.find(preset, names, records)


STUDY = Study(
    name="safe_step",
    code="X9",
    title="Step size known before training against the largest stable one",
    question="How conservative is 1/S(R) against curvature along the run and against the largest stable step size?",
    varied="the step size",
    control="linear models, where S is exact for one point; one rung above the largest stable step size",
    falsified_by="a run at 1/S(R) that leaves its ball or whose loss rises; a hessian above S",
    claims=("G1", "G2", "G3"),
    schema=1,
    presets=PRESETS,
    plan=plan,
    # Groups of ten seeds: a kill loses the group in flight.
    batch=lambda run: (
        run.architecture,
        run.point_shape,
        run.num_points,
        run.horizons,
        run.steps,
        run.hessians,
        run.seed // 10,
    ),
    require=require,
    measure=measure,
    find=find,
)

"""X7: which of h_min, h_fill and the mean distance D_1 governs the approximation error of a trained network?

Question. Networks trained on N values of one Lipschitz function: does their sup and mean error over the whole domain
follow the separation of the N points, the fill distance, or D_1 = int dist(x, X) dx; at fixed N over thirteen designs,
and along families whose N grows?
Varied. The design (then N) alone: target function, initialisation, step size and target loss depend on the seed only.
Control. Pair collapse: the same points with one pair at distance 0.1 g and at 0.001 g, g = N^(-1/d). Coverage is equal,
h_min differs 100-fold: if coverage governs, the error does not move.
Falsified by. Errors that are ordered as h_min and not as coverage; a control whose error moves; an error above A1 to
A5's bounds.
Beside it. Does a label gap on a close pair, which A1 to A6 do not know, raise the network's own Lipschitz constant?

Domain. [0,1] or [0,1]^2; the transformer's points are two tokens of width 1, the same square. h_fill and D_1 are exact
(Voronoi cells), errors are read off reference points within `Reference.radius` of everything.
Units. Errors in label units; distances in input units; the volume of the domain is 1.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PyTree

from experiments.architecture import ArchitectureConfig
from experiments.blocks import Block, require_known
from experiments.cubature import midpoints
from experiments.descent import descend
from experiments.ensemble import drawn, stacked
from experiments.labels import lipschitz_target
from experiments.outcome import outcome
from experiments.points import Cube, construct
from experiments.points.voronoi import covering
from experiments.separation import separation
from experiments.smoothness import model_bounds, parameter_radii
from experiments.studies import requirements
from experiments.studies.approximation_designs import DESIGNS
from experiments.studies.approximation_findings import find
from experiments.studies.networks import Network
from experiments.study import Measured, Study
from theory.require import at_least_zero, positive

_PROBES = {1: 4097, 2: 65}  # reference values a coordinate, ends included


@dataclass(frozen=True)
class ApproximationRun:
    """One training run on N points of a design, stopped at loss `target`.

    separation: h of the design "dial", pair collapse to h; None for the others.  gap: set between the labels of the
    closest pair, 0 leaves them as the target function has them.
    """

    architecture: ArchitectureConfig
    point_shape: tuple[int, ...]
    design: str
    num_points: int
    separation: float | None
    gap: float
    lipschitz: float
    step_size: float
    target: float
    max_steps: int
    seed: int

    @property
    def label(self) -> str:
        dial = "" if self.separation is None else f" h={self.separation:g} gap={self.gap:g}"
        dim = math.prod(self.point_shape)
        return f"{self.architecture.kind} d={dim} {self.design}{dial} N={self.num_points} seed {self.seed}"


@dataclass(frozen=True)
class Preset:
    """networks: each with the N at which it meets all designs.  scaled, sizes: networks whose N grows, along which N.

    gapped, separations, gap: networks that meet pair collapse with and without a label gap, at which h.
    """

    networks: tuple[tuple[Network, int], ...]
    scaled: tuple[Network, ...]
    sizes: tuple[int, ...]
    gapped: tuple[tuple[Network, int], ...]
    separations: tuple[float, ...]
    seeds: int
    max_steps: int
    target: float
    families: tuple[str, ...] = ("greedy", "iid")
    gap: float = 0.5
    lipschitz: float = 2.0


_MLP = ArchitectureConfig("plain", width=32, depth=2)
_RESIDUAL = ArchitectureConfig("residual", width=16, depth=2)
# A larger eps than the other studies': the points have two numbers, and LayerNorm would divide by less than that.
_TRANSFORMER = ArchitectureConfig("transformer", width=8, depth=1, heads=2, bottleneck=16, eps=0.1)
PLAIN_LINE, PLAIN_SQUARE = Network(_MLP, (1,), 0.2), Network(_MLP, (2,), 0.2)
RESIDUAL_LINE, RESIDUAL_SQUARE = Network(_RESIDUAL, (1,), 0.03), Network(_RESIDUAL, (2,), 0.03)
TRANSFORMER_SQUARE = Network(_TRANSFORMER, (2, 1), 0.015)
ALL = (
    (PLAIN_LINE, 8),
    (RESIDUAL_LINE, 8),
    (PLAIN_SQUARE, 16),
    (RESIDUAL_SQUARE, 16),
    (TRANSFORMER_SQUARE, 16),
)

PRESETS = {
    "smoke": Preset(((PLAIN_LINE, 8),), (), (), (), (), seeds=2, max_steps=1_000, target=1e-3),
    "quick": Preset(
        (ALL[0], *ALL[2:]),
        (PLAIN_SQUARE,),
        (8, 32),
        ((PLAIN_SQUARE, 16),),
        (0.2, 0.1),
        seeds=2,
        max_steps=1_500,
        target=1e-4,
    ),
    "paper": Preset(
        ALL,
        (PLAIN_LINE, PLAIN_SQUARE),
        (8, 16, 32, 64, 128),
        ((PLAIN_SQUARE, 16),),
        (0.2, 0.14, 0.1, 0.07),
        seeds=10,
        max_steps=30_000,
        target=3e-5,
    ),
}


def plan(preset: Preset) -> list[ApproximationRun]:
    """All designs, then the families in N, then pairs with and without a gap; a run that two of them share is one."""

    def run(network: Network, design: str, size: int, seed: int, h: float | None = None, gap: float = 0.0):
        architecture, point_shape, step_size = network
        return ApproximationRun(
            architecture,
            point_shape,
            design,
            size,
            h,
            gap,
            preset.lipschitz,
            step_size,
            preset.target,
            preset.max_steps,
            seed,
        )

    seeds = range(preset.seeds)
    designs = [run(net, name, size, seed) for net, size in preset.networks for name in DESIGNS for seed in seeds]
    scaled = [
        run(net, name, size, seed)
        for net in preset.scaled
        for name in preset.families
        for size in preset.sizes
        for seed in seeds
    ]
    gapped = [
        run(net, "dial", size, seed, h, gap)
        for net, size in preset.gapped
        for gap in (0.0, preset.gap)
        for h in preset.separations
        for seed in seeds
    ]
    return list(dict.fromkeys(designs + scaled + gapped))


def require(run: ApproximationRun) -> None:
    """Raise ValueError for a run that cannot be."""
    requirements.network(run.architecture, run.point_shape, smooth=True)
    requirements.seed(run)
    dim = math.prod(run.point_shape)
    if dim not in _PROBES:
        raise ValueError(f"point_shape must have 1 or 2 numbers in all, but was {list(run.point_shape)}")
    requirements.size("num_points", run.num_points, least=2, most=requirements.POINTS)
    requirements.finite(gap=run.gap)
    at_least_zero(lipschitz=run.lipschitz)
    requirements.descent(run)
    if run.separation is None:
        require_known("design", run.design, DESIGNS)
        try:
            DESIGNS[run.design].build(run.num_points, dim, run.seed)
        except ValueError as error:
            if str(error).startswith("num_points"):
                raise
            raise ValueError(
                f"design must be one for {run.num_points} points in d={dim}, but was {run.design!r}: {error}"
            ) from error
    else:
        if run.design != "dial":
            raise ValueError(f"design must be 'dial' where separation is a number, but was {run.design!r}")
        positive(separation=run.separation)  # the errors' cells are those of distinct points
        requirements.collapse("separation", run.separation, run, Cube(dim))


def batch(run: ApproximationRun) -> tuple[Any, ...]:
    """Five seeds of one shape: a kill loses what is in flight of one group."""
    return run.architecture, run.point_shape, run.num_points, run.seed // 5


def data(run: ApproximationRun) -> tuple[Float[np.ndarray, "n d"], Float[np.ndarray, " n"]]:
    """A run's points, as rows, and labels; the function they are values of depends on the seed and d alone."""
    dim = math.prod(run.point_shape)
    if run.separation is None:
        rows = DESIGNS[run.design].build(run.num_points, dim, run.seed)
    else:
        rows = construct("pair_collapse", run.num_points, Cube(dim), h=run.separation, seed=run.seed).points
    values = lipschitz_target(rows, lipschitz=run.lipschitz, seed=run.seed).values
    if run.gap:
        first, second = separation(rows).pair
        values[second] = values[first] + run.gap
    return rows, values


class Reference(NamedTuple):
    """Where errors are read off. points: (m, d).  centres: how many of them, the first, are cells' midpoints, whose
    mean is an integral.  radius: every x of [0,1]^d lies within it of a point.
    """

    points: Float[np.ndarray, "m d"]
    centres: int
    radius: float


@cache
def reference(dim: int) -> Reference:
    probes = Cube(dim).probes(_PROBES[dim])
    centres = midpoints(dim)
    return Reference(np.concatenate([centres, probes.points]), len(centres), probes.cover_radius)


@cache
def target_values(dim: int, lipschitz: float, seed: int) -> Float[np.ndarray, " m"]:
    """The target function at the reference points: the one whose values `data` hands out."""
    return lipschitz_target(reference(dim).points, lipschitz=lipschitz, seed=seed).values


class Profile(NamedTuple):
    """A model at some points. slope: |grad_x f|.  bend: |f''| where x is one number, else 0."""

    value: Float[Array, " m"]
    slope: Float[Array, " m"]
    bend: Float[Array, " m"]


@partial(jax.jit, static_argnums=0)
def profile(model: Block, params: PyTree, x: Float[ArrayLike, "m ..."]) -> Profile:
    x = jnp.asarray(x)

    def gradient(x: Array) -> Array:
        return jax.grad(lambda x: jnp.sum(model(params, x)))(x)  # rows are independent

    slope, turned = jax.jvp(gradient, (x,), (jnp.ones_like(x),))
    bend = jnp.abs(turned[:, 0]) if x.shape[1:] == (1,) else jnp.zeros(len(x))
    return Profile(model(params, x), jnp.linalg.norm(slope.reshape(len(x), -1), axis=1), bend)


def largest_quotient(error: Float[np.ndarray, " p"], dim: int) -> float:
    """The largest |e(x) - e(x')| / |x - x'| over neighbours of the probes' grid: a lower bound of Lip e."""
    side = _PROBES[dim]
    grid = error.reshape((side,) * dim)
    return max(float(np.abs(np.diff(grid, axis=axis)).max()) for axis in range(dim)) * (side - 1)


def measured_error(
    model: Block, params: PyTree, run: ApproximationRun
) -> tuple[dict[str, float], Float[np.ndarray, " d"]]:
    """How far the network is from the target function, where most, and the constants that the bounds need of it.

    node_error: max_i |f(x_i) - y_i|.  sup_error, mean_error: of |f - g| over the reference points, both at most the
    true ones but for the midpoint rule's error.  slope_seen, bend_seen: sup |grad f|, sup |f''| over the same.
    slope_bound, bend_bound: true upper bounds, from the parameters' norms block by block.  quotient_seen: of f - g.
    """
    dim = math.prod(run.point_shape)
    rows, values = data(run)
    grid = reference(dim)
    seen = jax.device_get(profile(model, params, grid.points.reshape(-1, *run.point_shape)))
    residual = np.asarray(model(params, jnp.asarray(rows.reshape(-1, *run.point_shape)))) - values
    error = np.abs(seen.value - target_values(dim, run.lipschitz, run.seed))
    bounds = model_bounds(model, parameter_radii(model, params), math.sqrt(dim), point_shape=run.point_shape)
    slope, bend = float(bounds.first[0]), float(bounds.second[0, 0])
    numbers = {
        "node_error": float(np.abs(residual).max()),
        "sup_error": float(error.max()),
        "mean_error": float(error[: grid.centres].mean()),
        "slope_seen": float(seen.slope.max()),
        "slope_bound": min(slope, float(seen.slope.max()) + bend * grid.radius),
        "bend_seen": float(seen.bend.max()),
        "bend_bound": bend,
        "quotient_seen": largest_quotient(error[grid.centres :], dim),
        "value_scale": float(np.abs(seen.value).max()),
    }
    return numbers, grid.points[np.argmax(error)]


def measure(runs: Sequence[ApproximationRun]) -> Iterator[tuple[ApproximationRun, Measured]]:
    """Train all runs of one shape together; each is measured against the whole domain as soon as it is over."""
    model = runs[0].architecture.build(runs[0].point_shape)
    rows, labels = zip(*(data(run) for run in runs))
    points = [each.reshape(-1, *runs[0].point_shape) for each in rows]
    problem = stacked(runs, points, labels, [separation(each).pair for each in rows])
    params = drawn(model, np.array([run.seed for run in runs]))
    for index, trace, status, last in descend(model, params, problem):
        run, points = runs[index], rows[index]
        ended = outcome(trace, status)
        cover = covering(points)
        scalars = {
            **{name: ended[name] for name in ("status", "steps", "loss_end")},
            "separation": separation(points).distance,
            "fill_distance": cover.fill_distance,
            "mean_distance": cover.mean_distance,
            "boundary_distance": float(min(points.min(), 1.0 - points.max())),
        }
        arrays = {"points": points}
        if ended["loss_end"] is not None:
            numbers, arrays["worst"] = measured_error(model, last, run)
            scalars |= numbers
        told = f"{scalars['status']} at step {scalars['steps']:,}"
        yield run, Measured(scalars, arrays, told)


STUDY = Study(
    name="approximation",
    code="X7",
    title="Approximation error against h_min, h_fill and D_1",
    question="Which of h_min, h_fill and the mean distance D_1 governs the approximation error of trained networks?",
    varied="the design at fixed N, then N along two families",
    control="one pair at distance 0.1 g and at 0.001 g: equal coverage, a 100-fold smaller h_min",
    falsified_by="errors ordered as h_min and not as coverage, a control whose error moves, an error above a bound",
    claims=("A1", "A2", "A3", "A4", "A5", "A6"),
    schema=1,
    presets=PRESETS,
    plan=plan,
    batch=batch,
    require=require,
    measure=measure,
    find=find,
)

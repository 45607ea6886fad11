"""X12: how do lambda_max(K_0)/N and the largest stable step size depend on width, depth and bottleneck?

Question. Under Xavier initialisation, does lambda_max of the kernel at the start, and with it the largest step size
with which gradient descent stays stable, saturate in the width once the bottleneck and the input dimension are fixed?
Is 2N/lambda_max(K_0), the frozen kernel's largest stable step size, the network's own?
Varied. One of width, depth, bottleneck and input dimension, the others fixed; inputs and labels are standard normal.
Control. The same plain networks with unit variances: the eigenvalue must rise, and the step size fall, like the width.
Falsified by. A mean of tr K_0/N above the ceiling of the learning-rate scale; a step size that keeps falling in the
width of the plain network; a control that saturates.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import PyTree

from experiments.architecture import ArchitectureConfig
from experiments.blocks import Chain
from experiments.ensemble import drawn
from experiments.kernel import empirical_ntk
from experiments.largest_step import CRITERIA, largest_steps
from experiments.one_by_one import one_by_one
from experiments.records import Record
from experiments.studies import requirements, width_scaling_findings
from experiments.study import Findings, Measured, Study


@dataclass(frozen=True)
class WidthRun:
    """One network at initialisation, and `steps` steps at each step size tried.

    unit_variance: whether the drawn weights are divided by their standard deviation under Xavier.
    """

    architecture: ArchitectureConfig
    point_shape: tuple[int, ...]
    num_points: int
    steps: int
    unit_variance: bool
    seed: int

    @property
    def label(self) -> str:
        net = self.architecture
        parts = [net.kind, net.normalisation, f"width {net.width} depth {net.depth}"]
        parts += [net.bottleneck and f"bottleneck {net.bottleneck}", f"dimension {self.point_shape[-1]}"]
        return " ".join([*filter(None, parts), *["unit variances"] * self.unit_variance, f"seed {self.seed}"])


class Sweep(NamedTuple):
    """axis: "width", "depth", "bottleneck" or "dimension" (of an input, or of each of its tokens)."""

    name: str
    axis: str
    architecture: ArchitectureConfig
    point_shape: tuple[int, ...]
    values: tuple[int, ...]
    unit_variance: bool = False

    def shapes(self) -> list[tuple[ArchitectureConfig, tuple[int, ...]]]:
        """The architecture and the shape of a point at each value."""
        if self.axis == "dimension":
            return [(self.architecture, (*self.point_shape[:-1], value)) for value in self.values]
        return [(replace(self.architecture, **{self.axis: value}), self.point_shape) for value in self.values]


@dataclass(frozen=True)
class Preset:
    sweeps: tuple[Sweep, ...]
    seeds: int
    steps: int = 100
    num_points: int = 8


_PLAIN = ArchitectureConfig("plain", width=256, depth=1)
_RESIDUAL = ArchitectureConfig("residual", width=32, depth=2, bottleneck=16)
_TRANSFORMER = ArchitectureConfig("transformer", width=16, depth=1, heads=2, bottleneck=16, normalisation="layernorm")
_TAU = replace(_TRANSFORMER, normalisation="tau")
_FLAT, _TOKENS = (16,), (4, 4)


def _widths(first: int, last: int, factor: int = 2) -> tuple[int, ...]:
    return tuple(first * factor**k for k in range(20) if first * factor**k <= last)


PRESETS = {
    "smoke": Preset(
        (
            Sweep("plain", "width", _PLAIN, _FLAT, (8, 32)),
            Sweep("plain", "width", _PLAIN, _FLAT, (8, 32), unit_variance=True),
        ),
        seeds=2,
        steps=30,
    ),
    "quick": Preset(
        (
            Sweep("plain", "width", _PLAIN, _FLAT, (4, 32, 256)),
            Sweep("residual", "width", _RESIDUAL, _FLAT, (8, 64)),
            Sweep("transformer, layernorm", "width", _TRANSFORMER, _TOKENS, (8, 32)),
            Sweep("plain", "width", _PLAIN, _FLAT, (4, 32), unit_variance=True),
            Sweep("plain", "depth", replace(_PLAIN, width=32), _FLAT, (1, 4)),
            Sweep("plain", "dimension", replace(_PLAIN, width=32), _FLAT, (4, 16)),
        ),
        seeds=3,
    ),
    "paper": Preset(
        (
            Sweep("plain", "width", _PLAIN, _FLAT, _widths(4, 4096)),
            Sweep("residual", "width", _RESIDUAL, _FLAT, _widths(4, 512)),
            Sweep("transformer, layernorm", "width", _TRANSFORMER, _TOKENS, _widths(8, 128)),
            Sweep("transformer, tau", "width", _TAU, _TOKENS, _widths(8, 128)),
            Sweep("plain", "width", _PLAIN, _FLAT, _widths(4, 1024, factor=4), unit_variance=True),
            Sweep("plain", "depth", replace(_PLAIN, width=32), _FLAT, (1, 2, 4, 8)),
            Sweep("residual", "depth", _RESIDUAL, _FLAT, (1, 2, 4, 8)),
            Sweep("transformer, layernorm", "depth", _TRANSFORMER, _TOKENS, (1, 2, 4)),
            Sweep("plain", "dimension", _PLAIN, _FLAT, (2, 4, 8, 16, 32, 64)),
            Sweep("residual", "bottleneck", _RESIDUAL, _FLAT, (2, 4, 8, 16, 32, 64)),
            Sweep("transformer, layernorm", "bottleneck", _TRANSFORMER, _TOKENS, (4, 16, 64)),
        ),
        seeds=20,
    ),
}


def runs_of(sweep: Sweep, preset: Preset) -> list[list[WidthRun]]:
    """The runs of one sweep: for each value one for each seed."""
    return [
        [
            WidthRun(architecture, shape, preset.num_points, preset.steps, sweep.unit_variance, seed)
            for seed in range(preset.seeds)
        ]
        for architecture, shape in sweep.shapes()
    ]


def plan(preset: Preset) -> list[WidthRun]:
    # A network where two sweeps cross is run once.
    return list(dict.fromkeys(run for sweep in preset.sweeps for cell in runs_of(sweep, preset) for run in cell))


def require(run: WidthRun) -> None:
    """Raise ValueError for a run that cannot be."""
    requirements.network(run.architecture, run.point_shape)
    requirements.seed(run)
    requirements.size("num_points", run.num_points, least=1, most=requirements.POINTS)
    requirements.size("steps", run.steps, least=1, most=requirements.STEPS - 1)


def data(run: WidthRun) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (N, ...) and labels (N,), independent and standard normal: |x|^2 is about the number of coordinates."""
    rng = np.random.default_rng(run.seed)
    return rng.standard_normal((run.num_points, *run.point_shape)), rng.standard_normal(run.num_points)


def with_unit_variance(model: Chain, params: PyTree) -> PyTree:
    """The parameters with every array that is random at the start divided by its standard deviation."""
    return jax.tree.map(lambda leaf, law: leaf / law.std if law.std else leaf, params, model.laws())


@partial(jax.jit, static_argnums=0)
def _kernels(model: Chain, params: PyTree, x: jax.Array) -> jax.Array:
    return one_by_one(partial(empirical_ntk, model))(params, x)


def measure(runs: Sequence[WidthRun]) -> Iterator[tuple[WidthRun, Measured]]:
    """The kernels and the largest stable step sizes of all runs of one shape."""
    model, size = runs[0].architecture.build(runs[0].point_shape), runs[0].num_points
    x, y = (np.stack(columns) for columns in zip(*map(data, runs)))
    params = drawn(model, np.array([run.seed for run in runs]))
    params = with_unit_variance(model, params) if runs[0].unit_variance else params
    kernels = _kernels(model, params, x)
    top = np.linalg.eigvalsh(np.asarray(kernels))[:, -1] / size
    found = largest_steps(model, params, x, y, reference=2.0 / top, steps=runs[0].steps)
    for index, run in enumerate(runs):
        scalars = {
            "top": float(top[index]),  # lambda_max(K_0)/N
            "trace": float(np.trace(kernels[index])) / size,
            "squared_norm": float(np.sum(x[index] ** 2)) / size,
            **{name: float(found.stable[index, k]) for k, name in enumerate(CRITERIA)},
            # None: no rung of the ladder was unstable.
            **{
                f"{name}_next": float(bound) if np.isfinite(bound := found.unstable[index, k]) else None
                for k, name in enumerate(CRITERIA)
            },
        }
        told = f"lambda_max/N {top[index]:.3g}, largest monotone step {scalars['monotone']:.3g}"
        yield run, Measured(scalars, {}, told)


def find(preset: Preset, records: Sequence[Record]) -> Findings:
    return width_scaling_findings.find(preset, runs_of, dict(zip(plan(preset), records, strict=True)))


STUDY = Study(
    name="width_scaling",
    code="X12",
    title="Kernel's top eigenvalue and largest stable step size against width, depth and bottleneck",
    question="Do lambda_max(K_0)/N and the largest stable step size saturate in the width under Xavier initialisation?",
    varied="width, depth, bottleneck or input dimension, one at a time",
    control="plain networks with unit variances",
    falsified_by="a mean kernel above its ceiling, a plain network's step that keeps falling, a control's that stays",
    claims=("G8",),
    schema=1,
    presets=PRESETS,
    plan=plan,
    # Groups of ten seeds: a kill loses the group in flight.
    batch=lambda run: (
        run.architecture,
        run.point_shape,
        run.num_points,
        run.steps,
        run.unit_variance,
        run.seed // 10,
    ),
    require=require,
    measure=measure,
    find=find,
)

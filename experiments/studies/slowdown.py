"""X5, the decisive one: does a smaller h_min slow gradient descent down, and for which labels?

Question. Steps to a loss eps against the separation h of the closest pair, for three labellings of the same points:
a fixed label gap on the closest pair, Lipschitz labels, noisy labels; for three architectures.
Varied. h alone: pair collapse moves one point along a fixed line, everything else (the other points, the target
function, the noise, the initialisation, the step size) is the same at every h.
Control. Each network's linearisation at theta_0 (its frozen kernel), run in closed form; and the Lipschitz labels.
Falsified by. A label-gap time that does not grow as h falls; a Lipschitz time that does; any run faster than the step
floors (R3; R6, known before training) or shorter than the path floors (R2, R6).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from experiments.architecture import ArchitectureConfig
from experiments.curvature import segment_hessian_norm
from experiments.descent import descend, descent_step, loss, member
from experiments.ensemble import drawn, stacked
from experiments.kernel import empirical_ntk
from experiments.outcome import outcome, thinned
from experiments.studies import requirements
from experiments.studies.labelled_pair import LABELLINGS, data
from experiments.studies.networks import NETWORKS, RESIDUAL, Network
from experiments.studies.slowdown_findings import find
from experiments.study import Measured, Study


@dataclass(frozen=True)
class SlowdownRun:
    """One training run: N points of `point_shape` with the closest pair at distance h, stopped at loss `target`."""

    architecture: ArchitectureConfig
    point_shape: tuple[int, ...]
    num_points: int
    labelling: str
    h: float
    gap: float
    lipschitz: float
    noise: float
    step_size: float
    target: float
    max_steps: int
    seed: int

    @property
    def label(self) -> str:
        return f"{self.architecture.kind} {self.labelling} h={self.h:g} seed {self.seed}"


@dataclass(frozen=True)
class Preset:
    """separations: the swept h."""

    networks: tuple[Network, ...]
    separations: tuple[float, ...]
    seeds: int
    max_steps: int
    num_points: int = 12
    gap: float = 0.5
    lipschitz: float = 2.0
    noise: float = 0.3
    target: float = 1e-3


SMALL = RESIDUAL._replace(architecture=replace(RESIDUAL.architecture, width=8))

PRESETS = {
    "smoke": Preset(
        (SMALL,),
        (0.3, 0.15),
        seeds=2,
        max_steps=50_000,
    ),
    "quick": Preset(NETWORKS, (0.4, 0.2, 0.1), seeds=3, max_steps=200_000),
    "paper": Preset(NETWORKS, (0.4, 0.2, 0.1, 0.05, 0.025), seeds=20, max_steps=2_000_000),
}


def plan(preset: Preset) -> list[SlowdownRun]:
    return [
        SlowdownRun(
            architecture,
            point_shape,
            preset.num_points,
            labelling,
            h,
            preset.gap,
            preset.lipschitz,
            preset.noise,
            step_size,
            preset.target,
            preset.max_steps,
            seed,
        )
        for architecture, point_shape, step_size in preset.networks
        for labelling in LABELLINGS
        for h in preset.separations
        for seed in range(preset.seeds)
    ]


def require(run: SlowdownRun) -> None:
    """Raise ValueError for a run that cannot be."""
    requirements.network(run.architecture, run.point_shape)
    requirements.seed(run)
    requirements.pair(run)
    requirements.labels(run)
    requirements.descent(run)


def batch(run: SlowdownRun) -> tuple[Any, ...]:
    """Groups of five seeds of one shape: a kill loses what is in flight of one group."""
    return run.architecture, run.point_shape, run.num_points, run.seed // 5


def measure(runs: Sequence[SlowdownRun]) -> Iterator[tuple[SlowdownRun, Measured]]:
    """Train all runs of one shape together; of each also its kernel and residual at both ends, and one step more."""
    model = runs[0].architecture.build(runs[0].point_shape)
    points, labels = zip(*(data(run) for run in runs))
    problem = stacked(
        runs, [each.points for each in points], [each.values for each in labels], [each.pair for each in points]
    )
    params = drawn(model, np.array([run.seed for run in runs]))
    for index, trace, status, last in descend(model, params, problem):
        x, y = problem.x[index], problem.y[index]
        first = member(params, index)
        scalars = outcome(trace, status)
        arrays = thinned(trace)
        for end, theta in (("start", first), ("end", last)):
            arrays[f"gram_{end}"] = np.asarray(empirical_ntk(model, theta, x))
            arrays[f"residual_{end}"] = np.asarray(model(theta, x)) - y
        if scalars["loss_end"] is not None:
            after = descent_step(model, last, x, y, step_size=runs[index].step_size)
            scalars["loss_next"] = float(loss(model, after, x, y))
            scalars["smoothness_next"] = segment_hessian_norm(model, last, after, x, y)
        scalars["separation"] = points[index].separation
        scalars["label_gap"] = abs(float(y[problem.pair[index, 1]] - y[problem.pair[index, 0]]))
        arrays["pair"] = problem.pair[index]
        yield runs[index], Measured(scalars, arrays, f"{scalars['status']} at step {scalars['steps']:,}")


STUDY = Study(
    name="slowdown",
    code="X5",
    title="Steps to a loss against h_min, with and without a label gap",
    question="How do the steps to a loss eps grow as h_min falls, for label gap, Lipschitz labels and noisy labels?",
    varied="h_min, by moving one point along a line",
    control="the same networks linearised at theta_0; Lipschitz labels",
    falsified_by="a label-gap time that does not grow, a Lipschitz time that does, a run below the R2 or R3 floor",
    claims=("R1", "R2", "R3", "R4", "R5", "R6"),
    schema=1,
    presets=PRESETS,
    plan=plan,
    batch=batch,
    require=require,
    measure=measure,
    find=find,
)

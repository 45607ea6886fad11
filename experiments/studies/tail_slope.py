"""X4: does the tail rate of log L fall like h_min^2, for every labelling?

Question. The rate at which log L falls in the end, against the separation h of the closest pair, for a label gap,
Lipschitz labels and noisy labels: is it the kernel's lambda_min at the minimum, is it below the tail-rate ceiling, and
does it fall like h^2?
Varied. h alone: pair collapse moves one point along a fixed line, everything else is the same at every h.
How. Plain gradient descent would need up to 10^7 steps to reach its tail. So it runs to a loss `target`; Levenberg-
Marquardt (experiments.interpolation) leads on to an interpolating minimum theta*; plain gradient descent starts again
where the residual is sigma u, u the bottom eigenvector of K(theta*), sigma = displacement * lambda_min(K(theta*)).
There the slow mode is all that is left, and the kernel moves by a relative O(displacement) only. R5 speaks of the
minimum that gradient descent itself runs to; theta* is one near it: how near is recorded.
Control. Plain gradient descent alone, at the largest h, as far as the budget leads: its last rate against its own
kernel. And the kernel at theta_0, which knows no labels: it falls like h^2.
Falsified by. A rate that is not lambda_min(K(theta*))'s, or above the ceiling; an exponent other than 2.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, PyTree

from experiments.architecture import ArchitectureConfig
from experiments.curvature import segment_hessian_norm
from experiments.descent import Apply, Finished, Problem, Status, descend, member
from experiments.ensemble import drawn, stacked
from experiments.interpolation import interpolate
from experiments.kernel import empirical_ntk
from experiments.studies import requirements
from experiments.studies.labelled_pair import LABELLINGS, data
from experiments.studies.networks import NETWORKS, Network
from experiments.studies.tail_slope_findings import find
from experiments.study import Measured, Study
from theory.require import positive


@dataclass(frozen=True)
class TailRun:
    """One minimum, or (`by_descent`) one long run of plain gradient descent, and the rate of log L at its end.

    target, max_steps: where descent from theta_0 ends.  window: steps over which the tail is measured.
    """

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
    displacement: float
    window: int
    by_descent: bool
    seed: int

    @property
    def label(self) -> str:
        how = " by descent alone" if self.by_descent else ""
        return f"{self.architecture.kind} {self.labelling} h={self.h:g}{how} seed {self.seed}"


@dataclass(frozen=True)
class Preset:
    """separations: the swept h.  Every `control_every`-th seed also descends alone, at the largest h."""

    networks: tuple[Network, ...]
    separations: tuple[float, ...]
    seeds: int
    max_steps: int
    control_every: int = 3
    num_points: int = 12
    gap: float = 0.5
    lipschitz: float = 2.0
    noise: float = 0.3
    target: float = 1e-3
    control_target: float = 1e-18
    displacement: float = 1e-3
    window: int = 400


_TINY = Network(ArchitectureConfig("plain", width=16, depth=1), (4,), 0.2)

PRESETS = {
    "smoke": Preset((_TINY,), (0.4, 0.2), seeds=2, max_steps=5_000),
    "quick": Preset(NETWORKS, (0.4, 0.2), seeds=2, max_steps=1_500, control_every=2),
    "paper": Preset(NETWORKS, (0.4, 0.2, 0.1, 0.05), seeds=12, max_steps=20_000),
}


def plan(preset: Preset) -> list[TailRun]:
    def run(network: Network, labelling: str, h: float, seed: int, *, by_descent: bool) -> TailRun:
        return TailRun(
            network.architecture,
            network.point_shape,
            preset.num_points,
            labelling,
            h,
            preset.gap,
            preset.lipschitz,
            preset.noise,
            network.step_size,
            preset.control_target if by_descent else preset.target,
            preset.max_steps,
            preset.displacement,
            preset.window,
            by_descent,
            seed,
        )

    largest = max(preset.separations)
    return [
        *(
            run(network, labelling, h, seed, by_descent=False)
            for network in preset.networks
            for labelling in LABELLINGS
            for h in preset.separations
            for seed in range(preset.seeds)
        ),
        *(
            run(network, labelling, largest, seed, by_descent=True)
            for network in preset.networks
            for labelling in LABELLINGS
            for seed in range(0, preset.seeds, preset.control_every)
        ),
    ]


def require(run: TailRun) -> None:
    """Raise ValueError for a run that cannot be."""
    requirements.network(run.architecture, run.point_shape)
    requirements.seed(run)
    requirements.pair(run)
    requirements.labels(run)
    requirements.descent(run)
    positive(displacement=run.displacement)
    requirements.size("window", run.window, least=1, most=requirements.STEPS - 1)


def batch(run: TailRun) -> tuple[Any, ...]:
    """Groups of six seeds of one shape: a kill loses what is in flight of one group."""
    return run.architecture, run.point_shape, run.num_points, run.seed // 6


def measure(runs: Sequence[TailRun]) -> Iterator[tuple[TailRun, Measured]]:
    """Descent of all runs of one shape together, then each one's minimum, then their tails together."""
    model = runs[0].architecture.build(runs[0].point_shape)
    points, labels = zip(*(data(run) for run in runs))
    problem = stacked(
        runs, [each.points for each in points], [each.values for each in labels], [each.pair for each in points]
    )
    params = drawn(model, np.array([run.seed for run in runs]))
    found: dict[int, Measured] = {}
    starts: dict[int, PyTree] = {}
    for end in descend(model, params, problem):
        index, one = end.index, member(problem, end.index)
        found[index] = _after_descent(model, member(params, index), end, one)
        found[index].scalars["separation"] = points[index].separation
        found[index].scalars["label_gap"] = abs(float(one.y[one.pair[1]] - one.y[one.pair[0]]))
        found[index].scalars["output_scale"] = 1.0 + float(np.max(np.abs(one.y)))
        if end.status == Status.DIVERGED:
            yield runs[index], found[index]
        elif runs[index].by_descent:
            found[index].scalars["tail_step_size"] = runs[index].step_size
            starts[index] = end.params
        else:
            starts[index] = _displaced(model, end.params, one, found[index], runs[index])
    if starts:
        for index in _tails(model, starts, problem, runs, found):
            yield runs[index], found[index]


def _after_descent(model: Apply, first: PyTree, end: Finished, one: Problem) -> Measured:
    """Where gradient descent stands after its last step, and the kernels there and at theta_0."""
    loss, steps = float(end.trace.loss[-1]), len(end.trace.loss) - 1
    status = Status(end.status).name.lower()
    scalars: dict[str, Any] = {"status": status, "steps": steps, "loss_end": loss if np.isfinite(loss) else None}
    arrays = {"gram_start": np.asarray(empirical_ntk(model, first, one.x))}
    if end.status != Status.DIVERGED:
        arrays["gram_end"] = np.asarray(empirical_ntk(model, end.params, one.x))
        arrays["residual_end"] = np.asarray(_residual(model, end.params, one.x, one.y))
        scalars["gradient_gap_end"] = float(end.trace.gradient_gap[-1])
    return Measured(scalars, arrays, f"{status} at step {steps:,}, loss {loss:.1e}")


def _displaced(model: Apply, last: PyTree, one: Problem, found: Measured, run: TailRun) -> PyTree:
    """Parameters at which the residual is sigma u; on the way there, theta* and its kernel into `found`."""
    minimum, residual = interpolate(model, last, one.x, one.y)
    gram = np.asarray(empirical_ntk(model, minimum, one.x))
    eigenvalues, vectors = np.linalg.eigh(gram)
    sigma = run.displacement * max(float(eigenvalues[0]), 0.0)
    displaced, _ = interpolate(model, minimum, one.x, one.y + sigma * vectors[:, 0])
    before, after = (ravel_pytree(params)[0] for params in (last, minimum))
    found.arrays["gram_star"] = gram
    found.scalars.update(
        residual_star=float(jnp.max(jnp.abs(residual))),
        sigma=sigma,
        distance=float(jnp.linalg.norm(after - before)),
        parameter_norm=float(jnp.linalg.norm(before)),
        # A minimum sharper than 2/eta throws gradient descent out; there the tail is measured at a smaller step.
        stable=bool(run.step_size * eigenvalues[-1] < 2 * run.num_points),
        tail_step_size=float(min(run.step_size, run.num_points / eigenvalues[-1])),
    )
    return displaced


def _tails(
    model: Apply, starts: dict[int, PyTree], problem: Problem, runs: Sequence[TailRun], found: dict[int, Measured]
) -> Iterator[int]:
    """`window` steps of plain gradient descent from each start, and what the ceiling needs of them, into `found`."""
    indices = np.array(list(starts))
    tails = member(problem, indices)._replace(
        step_size=np.array([found[index].scalars["tail_step_size"] for index in indices]),
        target=np.full(len(indices), -1.0),  # never reached
        max_steps=np.array([runs[index].window for index in indices], np.int32),
    )
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *(starts[index] for index in indices))
    for end in descend(model, stacked, tails):
        index = int(indices[end.index])
        first, x, y = starts[index], problem.x[index], problem.y[index]
        arrays, scalars = found[index].arrays, found[index].scalars
        arrays["tail_loss"], arrays["tail_gradient_gap"] = end.trace.loss, end.trace.gradient_gap
        for name, theta in (("first", first), ("last", end.params)):
            arrays[f"gram_{name}"] = np.asarray(empirical_ntk(model, theta, x))
            arrays[f"residual_{name}"] = np.asarray(_residual(model, theta, x, y))
        scalars["smoothness_tail"] = segment_hessian_norm(model, first, end.params, x, y)
        yield index


@partial(jax.jit, static_argnums=0)
def _residual(model: Apply, params: PyTree, x: Array, y: Array) -> Array:
    return model(params, x) - y


STUDY = Study(
    name="tail_slope",
    code="X4",
    title="The tail rate of log L against h_min",
    question="Is the tail rate of log L the minimum's lambda_min, below its ceiling, and does it fall like h^2?",
    varied="h_min, by moving one point along a line",
    control="plain gradient descent alone at the largest h; the kernel at theta_0",
    falsified_by="a rate other than lambda_min's, a rate above the ceiling, an exponent other than 2",
    claims=("R1", "R5"),
    schema=1,
    presets=PRESETS,
    plan=plan,
    batch=batch,
    require=require,
    measure=measure,
    find=find,
)

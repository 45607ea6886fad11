"""What a run must be to be possible at all, in the parts that studies share: asked before anything runs.

Each check raises ValueError with one sentence that begins with the field's name, dotted where it is nested, so that a
grid can say on which line that is. What is possible is asked of those who know: networks are built, points are placed.
A training that diverges is possible.
"""

import math
from functools import lru_cache
from typing import Any

from experiments.architecture import ArchitectureConfig
from experiments.blocks import Chain, require_counts, require_known
from experiments.points import Domain
from experiments.points.collapse import cluster_collapse
from experiments.studies.labelled_pair import LABELLINGS
from experiments.studies.networks import domain_of
from theory import block_bounds
from theory.require import at_least_zero, positive

SEEDS = 2**32
"""Seeds lie below: two streams of 32-bit words may be made of each."""
STEPS = 2**31
"""A number of steps fits into int32."""
POINTS = 2**14
"""Of a run whose kernel is taken, N x N numbers."""
LAYERS = 2**10
"""Layers are compiled one by one."""


def seed(run: Any) -> None:
    """run.seed is one that every generator takes."""
    if not 0 <= run.seed < SEEDS:
        raise ValueError(f"seed must lie in 0 .. {SEEDS - 1}, but was {run.seed}")


def size(name: str, value: int, *, least: int, most: int | None = None) -> None:
    """A count lies between two bounds."""
    if not (least <= value and (most is None or value <= most)):
        bounds = f"at least {least}" if most is None else f"{least} .. {most}"
        raise ValueError(f"{name} must be a whole number, {bounds}, but was {value}")


def each_positive(name: str, values: tuple[float, ...]) -> None:
    """A list has values, all of them positive."""
    if not values or min(values) <= 0:
        raise ValueError(f"{name} must be a list of at least one positive number, but was {list(values)}")


def network(
    architecture: ArchitectureConfig, point_shape: tuple[int, ...], *, outputs: int = 1, smooth: bool = False
) -> Chain:
    """An architecture can be built for points of this shape; returns the model.

    smooth: its bounds need two derivatives of the activation.
    """
    require_counts(**{"architecture.outputs": architecture.outputs})
    if architecture.outputs != outputs:
        raise ValueError(f"architecture.outputs must be {outputs} in this study, but was {architecture.outputs}")
    size("architecture.depth", architecture.depth, least=1, most=LAYERS)
    if not point_shape or min(point_shape) < 1:
        raise ValueError(f"point_shape must be a list of whole numbers from 1 up, but was {list(point_shape)}")
    model = _built(architecture, point_shape)
    if smooth:
        require_known("architecture.activation", architecture.activation, block_bounds.ACTIVATIONS)
    return model


@lru_cache(maxsize=256)
def _built(architecture: ArchitectureConfig, point_shape: tuple[int, ...]) -> Chain:
    try:
        return architecture.build(point_shape)
    except ValueError as error:
        own = "" if str(error).startswith("point_shape") else "architecture."
        raise ValueError(f"{own}{error}") from error


def pair(run: Any) -> None:
    """run.num_points points of run.point_shape fit with the closest pair at distance run.h."""
    size("num_points", run.num_points, least=2, most=POINTS)
    collapse("h", run.h, run, domain_of(run.point_shape))


def collapse(name: str, h: float, run: Any, domain: Domain, *, cluster_size: int = 2) -> None:
    """A run's points can be placed with a pair, or a cluster, at spacing h; `name` is the field that says so."""
    ceiling = _ceiling(domain, run.num_points)
    if not 0 <= h <= ceiling:  # known without placing anything
        raise ValueError(
            f"{name} must lie in [0, {ceiling:.6g}], which no {run.num_points} points in {domain} exceed, but was {h}"
        )
    try:
        cluster_collapse(run.num_points, domain, h=h, cluster_size=cluster_size, seed=run.seed)
    except ValueError as error:
        raise ValueError(name + str(error).removeprefix("h")) from error


@lru_cache(maxsize=256)
def _ceiling(domain: Domain, num_points: int) -> float:
    return domain.packing_ceiling(num_points)


def labels(run: Any) -> None:
    """The labels that experiments.studies.labelled_pair gives."""
    require_known("labelling", run.labelling, LABELLINGS)
    finite(gap=run.gap)
    at_least_zero(lipschitz=run.lipschitz, noise=run.noise)


def finite(**numbers: float) -> None:
    for name, value in numbers.items():
        if not math.isfinite(value):
            raise ValueError(f"{name} must be finite, but was {value}")


def descent(run: Any) -> None:
    """Plain gradient descent from theta_0 to a loss."""
    positive(step_size=run.step_size)
    at_least_zero(target=run.target)
    size("max_steps", run.max_steps, least=1, most=STEPS - 1)

"""The three networks that the studies share, and where their points live.

Each step size is fixed once for all separations, labels and seeds, small enough that the descent lemma applies to most
of the studies' runs; where it does not, the claims that need it are reported as not applicable.
"""

from typing import NamedTuple

from experiments.architecture import ArchitectureConfig
from experiments.points.domains import Cube, Domain, Tokens


class Network(NamedTuple):
    """An architecture, the shape of one point ((dim,) or (tokens, dim)), and the step size it is trained with."""

    architecture: ArchitectureConfig
    point_shape: tuple[int, ...]
    step_size: float


PLAIN = Network(ArchitectureConfig("plain", width=32, depth=2), (4,), 0.05)
RESIDUAL = Network(ArchitectureConfig("residual", width=32, depth=2), (4,), 0.01)
TRANSFORMER = Network(ArchitectureConfig("transformer", width=16, depth=1, heads=2), (4, 2), 0.003)
NETWORKS = (PLAIN, RESIDUAL, TRANSFORMER)


def domain_of(point_shape: tuple[int, ...]) -> Domain:
    """The unit cube of points of this shape; token sequences with the Frobenius distance."""
    return Cube(*point_shape) if len(point_shape) == 1 else Tokens(*point_shape)

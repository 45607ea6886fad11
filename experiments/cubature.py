"""A rigorous lower bound of the integral of a Lipschitz function over [0,1] or [0,1]^2, by the midpoint rule."""

import functools
import math
from collections.abc import Callable

import numpy as np
from jaxtyping import Float

_CELLS = {1: 4096, 2: 56}  # a side
_MEAN_DISTANCE = {1: 0.25, 2: (math.sqrt(2.0) + math.asinh(1.0)) / 6.0}  # to the centre of a cell of side 1


def integral_floor(
    integrand: Callable[[Float[np.ndarray, "n d"]], Float[np.ndarray, " n"]], *, dim: int, lipschitz: float
) -> float:
    """Midpoint rule less lipschitz * (mean distance to the centre of a cell): at most the integral, and near it.

    In each cell phi(x) >= phi(centre) - lipschitz |x - centre|; the loss is 6e-5 (d = 1) or 7e-3 (d = 2) lipschitz.
    """
    return float(np.mean(integrand(midpoints(dim)))) - lipschitz * mean_distance(dim)


def mean_distance(dim: int) -> float:
    """Mean distance of a point of [0,1]^dim to the centre of its cell: what a unit of slope may cost the rule."""
    return _MEAN_DISTANCE[dim] / _CELLS[dim]


@functools.cache
def midpoints(dim: int) -> Float[np.ndarray, "n d"]:
    """Centres of the cells of [0,1]^dim, dim = 1 or 2."""
    ticks = (np.arange(_CELLS[dim]) + 0.5) / _CELLS[dim]
    return np.stack(np.meshgrid(*[ticks] * dim, indexing="ij"), axis=-1).reshape(-1, dim)

"""Evenly spread points of [0,1] and [0,1]^2 with a dial towards chaos, for the hunts of the approximation claims."""

import numpy as np
from jaxtyping import Float

_PLASTIC = 1.32471795724474602596  # real root of x^3 = x + 1; its powers give the plane's Kronecker sequence


def spread(num_points: int, dim: int, *, jitter: float, seed: int) -> Float[np.ndarray, "n d"]:
    """Midpoints of equal parts (d = 1) or a Kronecker sequence (d = 2), moved by `jitter` spacings, wrapped.

    The spacing is N^(-1/d); at jitter 1 the points are close to independent.
    """
    rng = np.random.default_rng(seed)
    steps = np.arange(num_points)
    if dim == 1:
        regular = (steps[:, None] + 0.5) / num_points
    else:
        regular = (0.5 + np.outer(steps, [1.0 / _PLASTIC, 1.0 / _PLASTIC**2])) % 1.0
    moves = jitter * num_points ** (-1.0 / dim) * (rng.random((num_points, dim)) - 0.5)
    return np.where(moves == 0.0, regular, (regular + moves) % 1.0)

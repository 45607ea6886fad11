"""Regular points under a dial: the power warp of the unit interval and the jittered grid."""

import numpy as np
from jaxtyping import Float

from experiments.points.domains import Cube, Domain


def power_warp(num_points: int, domain: Domain, *, exponent: float | int, seed: int = 0) -> Float[np.ndarray, "n D"]:
    """x_i = (i/(N-1))^a on [0,1], a > 0: equispaced at a = 1.

    Separation (N-1)^-a for a >= 1, at the pair (0, 1); 1 - ((N-2)/(N-1))^a for a < 1, at the other end.  No randomness:
    the seed is not used.
    """
    if domain != Cube(1):
        raise ValueError(f"domain must be Cube(dim=1) for power_warp, but was {domain}")
    if not 0 < exponent < np.inf:
        raise ValueError(f"exponent must be a positive number, but was {exponent}")
    return (np.arange(num_points)[:, None] / (num_points - 1)) ** exponent


def jittered_grid(num_points: int, domain: Domain, *, jitter: float | int, seed: int = 0) -> Float[np.ndarray, "n D"]:
    """Centres of a grid of g = N^(-1/D) cells, each moved by a uniform amount in [-jitter g, jitter g] a coordinate.

    Separation at least (1 - 2 jitter) g (Euclidean and on the torus), equal to g at jitter 0; 0 <= jitter <= 1/2.  The
    moves are one draw scaled by the dial.  N must be the D-th power of an integer of at least 2.
    """
    if not 0 <= jitter <= 0.5:
        raise ValueError(f"jitter must lie in [0, 0.5], so that points keep to their cells, but was {jitter}")
    coordinates = domain.coordinates
    side = round(num_points ** (1 / coordinates))
    if side < 2 or side**coordinates != num_points:
        nearest = max(2, side) ** coordinates
        raise ValueError(
            f"num_points must be the {coordinates}-th power of an integer of at least 2 for jittered_grid in {domain} "
            f"(such as {nearest}), but was {num_points}"
        )
    cells = np.stack(np.unravel_index(np.arange(num_points), (side,) * coordinates), axis=1)
    moves = np.random.default_rng(seed).uniform(-1.0, 1.0, cells.shape)
    return (cells + 0.5 + jitter * moves) / side

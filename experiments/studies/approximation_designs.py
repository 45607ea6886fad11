"""The designs whose approximation errors X7 compares: N points of [0,1]^d each, from well spread to badly covering.

None is defined by its error. g = N^(-1/d) is the spacing that N points of a grid have.
  midpoints   centres of the grid's cells: the least h_fill and D_1 there is in d = 1
  lattice     the grid stretched to reach the boundary: more h_min than midpoints, and more h_fill
  jittered    midpoints moved by up to 0.3 g a coordinate
  poisson     darts no closer than 0.6 g
  greedy      farthest-first from a pool of 4096
  sobol       scrambled Sobol' points
  chebyshev   Chebyshev nodes in every coordinate, crowded towards the boundary
  iid         uniform
  pair        greedy, its last point moved to distance 0.1 g of another
  close pair  the same at 0.001 g: 1/100 of the h_min, the same coverage to within 0.1 g
  boundary    equally spaced within a quarter of the ends (d = 1), on the boundary (d = 2): wide gaps inside
  corner      midpoints of the corner cube [0,1/2]^d: half their h_min
  clustered   iid with the density Beta(2, 6) in every coordinate
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from experiments.points import Cube, construct

Rows = Float[np.ndarray, "n d"]


class Design(NamedTuple):
    """build(num_points, dim, seed) -> rows (N, d).  spread: whether it means to cover the domain."""

    build: Callable[[int, int, int], Rows]
    spread: bool


def _family(family: str, **dials: float) -> Callable[[int, int, int], Rows]:
    return lambda num_points, dim, seed: construct(family, num_points, Cube(dim), seed=seed, **dials).points


def _product(values: Callable[[int], Float[np.ndarray, " k"]]) -> Callable[[int, int, int], Rows]:
    """All combinations of k values a coordinate; N must be k^d."""

    def build(num_points: int, dim: int, seed: int) -> Rows:
        side = round(num_points ** (1 / dim))
        if side**dim != num_points:
            raise ValueError(f"num_points must be a whole number to the power {dim}, but was {num_points}")
        return np.stack(np.meshgrid(*[values(side)] * dim, indexing="ij"), axis=-1).reshape(-1, dim)

    return build


def midpoints(side: int) -> Float[np.ndarray, " k"]:
    """(i + 1/2) / k."""
    return (np.arange(side) + 0.5) / side


def chebyshev(side: int) -> Float[np.ndarray, " k"]:
    """(1 - cos((2i + 1) pi / 2k)) / 2, the zeros of the k-th Chebyshev polynomial moved to [0,1]."""
    return 0.5 * (1.0 - np.cos((2 * np.arange(side) + 1) * np.pi / (2 * side)))


def boundary(num_points: int, dim: int, seed: int) -> Rows:
    """d = 1: half of the points equally spaced in [0,1/4], half in [3/4,1], ends included.  d = 2: along the sides."""
    if dim == 1:
        left = np.linspace(0.0, 0.25, num_points // 2)
        right = np.linspace(0.75, 1.0, num_points - num_points // 2)
        return np.concatenate([left, right])[:, None]
    along = 4.0 * np.arange(num_points) / num_points  # 0..4, once around
    side, rest = np.divmod(along, 1.0)
    walk = np.stack([rest, np.zeros(num_points)], axis=1)
    corners = [walk, np.stack([walk[:, 1] + 1, rest], 1), np.stack([1 - rest, walk[:, 1] + 1], 1)]
    corners.append(np.stack([walk[:, 1], 1 - rest], 1))
    return np.stack(corners)[side.astype(int), np.arange(num_points)]


def pair(num_points: int, dim: int, seed: int, *, share: float) -> Rows:
    """Pair collapse at h = share * N^(-1/d)."""
    return _family("pair_collapse", h=share * num_points ** (-1 / dim))(num_points, dim, seed)


DESIGNS: dict[str, Design] = {
    "midpoints": Design(_product(midpoints), True),
    "lattice": Design(_product(lambda side: np.linspace(0.0, 1.0, side)), True),
    "jittered": Design(_family("jittered_grid", jitter=0.3), True),
    "poisson": Design(lambda n, dim, seed: _family("poisson_disc", h=0.6 * n ** (-1 / dim))(n, dim, seed), True),
    "greedy": Design(_family("greedy"), True),
    "sobol": Design(_family("sobol"), True),
    "chebyshev": Design(_product(chebyshev), True),
    "iid": Design(_family("uniform"), True),
    "pair": Design(lambda n, dim, seed: pair(n, dim, seed, share=0.1), False),
    "close pair": Design(lambda n, dim, seed: pair(n, dim, seed, share=0.001), False),
    "boundary": Design(boundary, False),
    "corner": Design(_product(lambda side: 0.5 * midpoints(side)), False),
    "clustered": Design(_family("beta", a=2.0, b=6.0), False),
}

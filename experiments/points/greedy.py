"""Points that spread by choice: farthest-first from a random pool, and dart throwing with a least distance.

Farthest-first traversal (Gonzalez 1985) from a pool of M iid uniform points: take the first, then again and again the
pool point farthest from those taken. Its insertion distances fall, the last one is the separation, and that is at
least half the best separation of any N points of the pool (claim D1). The dial M/N leads from iid (M = N) to spread.
Poisson disc: iid uniform darts, each kept if it is at least h from all kept before; h is a floor, not the separation.
"""

import math

import numpy as np
from jaxtyping import Float, Int

from experiments.points.domains import Domain
from experiments.selection import traversal
from experiments.selection.cloud import Cloud
from experiments.separation import distances
from theory.rounding import EPS

_ROUNDS, _DARTS_PER_POINT = 16, 8  # darts thrown in all: 128 a point
_BISECTIONS = 12


def greedy(num_points: int, domain: Domain, *, pool_size: int | None = None, seed: int = 0) -> Float[np.ndarray, "n D"]:
    """The first `num_points` of the farthest-first traversal of a pool; a larger `num_points` only appends.

    pool_size: M, from num_points (iid points) up; by default max(4096, 4 num_points).
    """
    pool = uniform_pool(num_points, domain, pool_size=pool_size, seed=seed)
    return pool[farthest_first(pool, num_points, period=domain.period)]


def uniform_pool(
    num_points: int, domain: Domain, *, pool_size: int | None = None, seed: int = 0
) -> Float[np.ndarray, "M D"]:
    """M iid uniform points of the domain as flat rows."""
    size = max(4096, 4 * num_points) if pool_size is None else pool_size
    if size < num_points:
        raise ValueError(f"pool_size must be at least the {num_points} points to choose, but was {pool_size}")
    return domain.from_unit_cube(np.random.default_rng(seed).random((size, domain.coordinates)))


def farthest_first(
    pool: Float[np.ndarray, "M D"], num_points: int, *, period: float | None = None
) -> Int[np.ndarray, " n"]:
    """Indices of the farthest-first traversal that starts at row 0; of equally far rows the first is taken.

    Euclidean distances are compared as `experiments.selection.traversal` does; with a period, in O(num_points M D).
    """
    if period is None:
        return traversal.farthest_first(Cloud(pool, "euclidean"), num_points).rows
    taken = [0]
    to_taken = distances(pool, pool[:1], period=period)[:, 0]
    while len(taken) < num_points:
        to_taken[taken[-1]] = -1.0  # never again, even where the pool holds duplicates
        farthest = int(np.argmax(to_taken))
        taken.append(farthest)
        np.minimum(to_taken, distances(pool, pool[farthest : farthest + 1], period=period)[:, 0], out=to_taken)
    return np.array(taken)


def poisson_disc(num_points: int, domain: Domain, *, h: float | int, seed: int = 0) -> Float[np.ndarray, "n D"]:
    """Dart throwing: separation at least h > 0, usually a little more.

    Raises ValueError above the packing ceiling, and where 128 num_points darts leave too few points (the darts jam well
    below the ceiling); it then names an h that this seed's darts do reach.
    """
    ceiling = domain.packing_ceiling(num_points)
    if 0 < h <= ceiling:
        points = _throw_darts(num_points, domain, h, seed)
        if points is not None:
            return points
    reached = _reachable(num_points, domain, min(h, ceiling) if h > 0 else ceiling, seed)
    raise ValueError(
        f"h must lie in (0, {reached:.6g}] for poisson_disc with {num_points} points in {domain} and seed {seed} "
        f"(no points whatever exceed the packing ceiling {ceiling:.6g}), but was {h}"
    )


def _throw_darts(num_points: int, domain: Domain, h: float | int, seed: int) -> Float[np.ndarray, "n D"] | None:
    rng = np.random.default_rng(seed)
    least = h * (1.0 + 4 * (domain.coordinates + 4) * EPS)  # `distances` rounds
    kept = np.zeros((0, domain.coordinates))
    for _ in range(_ROUNDS):
        darts = domain.from_unit_cube(rng.random((_DARTS_PER_POINT * num_points, domain.coordinates)))
        if len(kept):
            darts = darts[np.min(distances(darts, kept, period=domain.period), axis=1) >= least]
        while len(darts):  # the first dart left is kept and clears its surroundings: as if thrown one by one
            kept = np.concatenate([kept, darts[:1]])
            if len(kept) == num_points:
                return kept
            darts = darts[distances(darts, darts[:1], period=domain.period)[:, 0] >= least]
    return None


def _reachable(num_points: int, domain: Domain, too_large: float, seed: int) -> float:
    """The largest h that a bisection finds this seed's darts to reach, rounded down to 6 digits."""
    low, high = 0.0, too_large
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if _throw_darts(num_points, domain, middle, seed) is not None else (low, middle)
    digits = 5 - math.floor(math.log10(low)) if low > 0 else 0
    return math.floor(low * 10.0**digits) / 10.0**digits

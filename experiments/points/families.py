"""One constructor for every family of point sets: `construct(family, num_points, domain, *, seed, **dials)`."""

import inspect
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from experiments.points import collapse, greedy, iid, line_and_grid, sphere_codes, square_packing
from experiments.points.domains import Cube, Domain, Sphere, Tokens, Torus
from experiments.separation import separation


class PointSet(NamedTuple):
    """points: (N, *domain.shape) float64.  separation: the realised h_min.  pair: the closest pair (i, j), i < j."""

    points: Float[np.ndarray, "n ..."]
    separation: float
    pair: tuple[int, int]
    family: str
    domain: Domain


class Family(NamedTuple):
    """build(num_points, domain, *, dials..., seed) -> rows (N, coordinates).  domains: the types it supports.

    separation: what its dials say about h_min, with g = N^(-1/coordinates), V_d the volume of the unit ball.
    """

    build: Callable[..., Float[np.ndarray, "n D"]]
    domains: tuple[type[Domain], ...]
    separation: str


_EVERYWHERE: tuple[type[Domain], ...] = (Cube, Torus, Sphere, Tokens)
_FLAT: tuple[type[Domain], ...] = (Cube, Torus, Tokens)

FAMILIES: dict[str, Family] = {
    "pair_collapse": Family(collapse.pair_collapse, _EVERYWHERE, "h exactly, at the pair (0, 1)"),
    "cluster_collapse": Family(
        collapse.cluster_collapse, _EVERYWHERE, "h exactly, among the first cluster_size points"
    ),
    "power_warp": Family(line_and_grid.power_warp, (Cube,), "(N-1)^-exponent for exponent >= 1"),
    "jittered_grid": Family(line_and_grid.jittered_grid, _FLAT, "at least (1 - 2 jitter) g"),
    "circle": Family(sphere_codes.circle, (Sphere,), "2 sin(pi/N)"),
    "simplex": Family(sphere_codes.simplex, (Sphere,), "sqrt(2N/(N-1))"),
    "cross_polytope": Family(sphere_codes.cross_polytope, (Sphere,), "sqrt 2"),
    "tammes": Family(sphere_codes.tammes, (Sphere,), "the largest possible on S^2"),
    "square_packing": Family(square_packing.square_packing, (Cube,), "the largest possible in the unit square"),
    "greedy": Family(greedy.greedy, _EVERYWHERE, "at least half the best of its pool"),
    "poisson_disc": Family(greedy.poisson_disc, _EVERYWHERE, "at least h"),
    "uniform": Family(iid.uniform, _EVERYWHERE, "of order N^(-2/d)"),
    "beta": Family(iid.beta, _FLAT, "of order N^(-2/d)"),
    "mixture": Family(iid.mixture, _FLAT, "of order N^(-2/d)"),
    "two_level": Family(iid.two_level, _FLAT, "of order N^(-2/d)"),
    "sobol": Family(iid.sobol, _EVERYWHERE, "not controlled"),
}


def construct(family: str, num_points: int, domain: Domain, *, seed: int = 0, **dials: float | int | None) -> PointSet:
    """The point set of a family, with its realised separation; the same arguments give the same bits.

    family: a name in FAMILIES.  num_points: N >= 2.  dials: the family's own (h, cluster_size, exponent, jitter,
    pool_size, a, b, weight, level, share); `dials_of` lists them.
    Raises ValueError, one sentence, for an unknown family or dial, a domain the family does not support, and an
    infeasible dial (naming the largest feasible h where h is prescribed).
    """
    if family not in FAMILIES:
        raise ValueError(f"family must be one of {', '.join(FAMILIES)}, but was {family!r}")
    chosen = FAMILIES[family]
    if not isinstance(domain, chosen.domains):
        supported = ", ".join(kind.__name__ for kind in chosen.domains)
        raise ValueError(f"domain must be one of {supported} for {family}, but was {domain}")
    if not (isinstance(num_points, int) and num_points >= 2):
        raise ValueError(f"num_points must be an integer of at least 2 to have a separation, but was {num_points}")
    if not (isinstance(seed, int) and seed >= 0):
        raise ValueError(f"seed must be a non-negative integer, but was {seed}")
    known = dials_of(family)
    missing = [name for name, required in known.items() if required and name not in dials]
    unknown = [name for name in dials if name not in known]
    if missing or unknown:
        raise ValueError(
            f"dials must be those of {family} ({', '.join(known) or 'none'}), but "
            + " and ".join(
                [f"{name} was missing" for name in missing] + [f"{name} is not one of them" for name in unknown]
            )
        )
    rows = chosen.build(num_points, domain, seed=seed, **dials)
    nearest = separation(rows, period=domain.period)
    return PointSet(rows.reshape(num_points, *domain.shape), nearest.distance, nearest.pair, family, domain)


def dials_of(family: str) -> dict[str, bool]:
    """The names of a family's dials, each with whether it must be given."""
    parameters = inspect.signature(FAMILIES[family].build).parameters.values()
    return {
        p.name: p.default is inspect.Parameter.empty
        for p in parameters
        if p.kind is inspect.Parameter.KEYWORD_ONLY and p.name != "seed"
    }

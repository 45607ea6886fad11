"""Packing ceiling: no choice of N points in a bounded domain has an h_min above an explicit O(N^(-1/d)).

Statement. X = {x_1..x_N} with separation h = min_{i != j} |x_i - x_j|, N >= 2.
  volume, cube       N V_d (h/2)^d <= |[0,1]^d + B(h/2)| = sum_k binom(d, k) V_k (h/2)^k     (Steiner's formula, exact)
  volume, torus      N V_d (h/2)^d <= 1 whenever h <= 1; an h above 1 forces N V_d 2^-d <= 1
  volume, sphere     N * (share of S^(d-1) in a cap of angle arcsin(h/2)) <= 1
  averaging, cube    h^2 <= d floor(N^2/4) / binom(N, 2);  torus: a quarter of that
  averaging, sphere  h^2 <= 2 N / (N - 1);  and h <= sqrt 2 once N >= d + 2
  plane, convex      N <= 2 |Omega| / (sqrt 3 h^2) + Per(Omega) / (2 h) + 1
  S^2                h^2 <= 4 - 1 / sin^2(pi N / (6 (N - 2))),  N >= 3
The ceilings below are the least of those that apply, rounded up: rigorous upper bounds on the separation.
Hypotheses. H1 the points lie in the domain. H2 distances are the domain's own (Euclidean; wrapped on the torus).
Source. Volume: classic (Steiner 1840 for the enlarged cube). Averaging: Plotkin 1960 and Rankin 1955. Plane: Oler 1961.
  S^2: Fejes Toth 1943. Not the paper's: it bounds by how much selection can beat iid sampling (h_min ~ N^(-2/d)).
Proof.  paper_notes.md, S4, lines 1-6.
Sharp.  Cube: d = 1 (h = 1/(N-1)), N = 2, and the tetrahedron in the 3-cube. Torus: d = 1, N = 2. Sphere: N <= 2d, every
  N for d = 2, and N = 12 for d = 3. Plane: the hexagonal lattice, as N grows.
Failure. Outside the domain nothing bounds h. The torus's volume line without h <= 1 is false in high dimension: two
  antipodes have h = sqrt(d)/2, and 2 V_d (h/2)^d > 1 from d = 59 on.
Units.  Lengths: side of the cube, period of the torus, radius of the sphere are 1.
"""

import math
from collections.abc import Callable
from typing import Literal

from theory.ball import cap_fraction, log_unit_ball_volume
from theory.claim import Claim
from theory.rounding import EPS
from theory.verdict import Check

Domain = Literal["cube", "torus", "sphere"]

CLAIM = Claim(
    id="S4",
    title="Packing ceiling",
    statement="N V_d (h/2)^d <= |Omega + B(h/2)| for every set of N points of separation h in Omega",
    hypotheses={
        "points in the domain": "the points lie in the domain",
        "distances of the domain": "distances are the domain's own, and balls of radius h/2 are embedded in it",
    },
    provenance="classic",
    source="volume of disjoint balls (Steiner); averaging (Plotkin, Rankin); Oler 1961; Fejes Toth 1943",
    module="packing_ceiling",
    abstract="more uniform data have a larger minimum pairwise distance",
    sharp="d = 1 and N = 2 (cube, torus); N <= 2d, d = 2 and the icosahedron (sphere)",
    tight=True,
    constants="known: N, d and the domain",
    standing="proved and tight",
)


def cube_ceiling(num_points: int, *, dim: int) -> float:
    """Largest separation that `num_points` points of [0,1]^dim could have (an upper bound; sides of the cube)."""
    _require_counts(num_points, dim, least_dim=1)
    volume = _root(lambda h: _cube_crowding(h, num_points, dim), math.sqrt(dim))
    bounds = [averaging_ceiling(num_points, dim=dim), _above_volume_rounding(volume, dim)]
    if dim == 2:
        bounds.append(plane_ceiling(num_points, area=1.0, perimeter=4.0))
    return _above_rounding(min(bounds))


def torus_ceiling(num_points: int, *, dim: int) -> float:
    """Largest separation that `num_points` points of the flat torus R^dim / Z^dim could have (periods)."""
    _require_counts(num_points, dim, least_dim=1)
    volume = 2.0 * math.exp(-(math.log(num_points) + log_unit_ball_volume(dim)) / dim)
    bounds = [0.5 * averaging_ceiling(num_points, dim=dim)]
    if volume < 1.0:  # only then does a ball of radius h/2 not meet itself around the torus (line 3)
        bounds.append(_above_volume_rounding(volume, dim))
    return _above_rounding(min(bounds))


def sphere_ceiling(num_points: int, *, dim: int) -> float:
    """Largest separation (chord) that `num_points` points of the unit sphere S^(dim-1) of R^dim could have (radii)."""
    _require_counts(num_points, dim, least_dim=2)
    caps = _root(lambda h: num_points * cap_fraction(min(0.5 * h, 1.0), dim=dim) - 1.0, 2.0)
    bounds = [math.sqrt(2.0 * num_points / (num_points - 1.0)), _above_volume_rounding(caps, dim)]
    if num_points >= dim + 2:
        bounds.append(math.sqrt(2.0))
    if dim == 3 and num_points >= 3:
        bounds.append(math.sqrt(4.0 - math.sin(math.pi * num_points / (6.0 * (num_points - 2.0))) ** -2))
    return _above_rounding(min(bounds))


def plane_ceiling(num_points: int, *, area: float, perimeter: float) -> float:
    """Oler's bound for a convex plane domain: the h with N = 2 area/(sqrt 3 h^2) + perimeter/(2 h) + 1.

    Lengths in the unit of `perimeter`. Not rounded up; relative error below 8 eps.
    """
    quadratic, linear, constant = 2.0 * area / math.sqrt(3.0), 0.5 * perimeter, num_points - 1.0
    return (linear + math.sqrt(linear**2 + 4.0 * quadratic * constant)) / (2.0 * constant)  # 1/(root u), h = 1/u


def averaging_ceiling(num_points: int, *, dim: int) -> float:
    """sqrt(d floor(N^2/4) / binom(N, 2)), sides of the cube: the least squared distance is at most the mean one.

    Not rounded up; relative error below 4 eps.
    """
    return math.sqrt(dim * (num_points**2 // 4) / (0.5 * num_points * (num_points - 1)))


def log_enlarged_cube_volume(radius: float, *, dim: int) -> float:
    """log |[0,1]^d + B(radius)| = log sum_{k=0..d} binom(d, k) V_k radius^k (Steiner's formula), radius > 0."""
    terms = [math.log(math.comb(dim, k)) + log_unit_ball_volume(k) + k * math.log(radius) for k in range(dim + 1)]
    largest = max(terms)
    return largest + math.log(math.fsum(math.exp(term - largest) for term in terms))


CEILINGS: dict[Domain, Callable[..., float]] = {
    "cube": cube_ceiling,
    "torus": torus_ceiling,
    "sphere": sphere_ceiling,
}


def check(separation: float, num_points: int, *, dim: int, domain: Domain, instance: str = "points") -> Check:
    """Hold a measured separation of `num_points` points of a domain against its ceiling.

    separation: in the domain's own distance and unit.  rounding: a float64 point is off by at most eps/2 a coordinate
    and a distance's own arithmetic by a relative (d/2 + 2) eps.
    """
    if domain not in CEILINGS:
        raise ValueError(f"domain must be one of {', '.join(CEILINGS)}, but was {domain!r}")
    bound = CEILINGS[domain](num_points, dim=dim)
    return Check(
        claim=CLAIM.id,
        inequality="packing ceiling",
        instance=instance,
        measured=float(separation),
        sense="<=",
        bound=bound,
        rounding=EPS * (math.sqrt(dim) + (0.5 * dim + 2.0) * bound),
    )


def _cube_crowding(separation: float, num_points: int, dim: int) -> float:
    """log of (volume of the N balls) / (volume that must hold them): at most 0 for every possible separation."""
    radius = 0.5 * separation
    balls = math.log(num_points) + log_unit_ball_volume(dim) + dim * math.log(radius)
    return balls - log_enlarged_cube_volume(radius, dim=dim)


def _root(crowding: Callable[[float], float], diameter: float) -> float:
    """The upper end of the last float interval in which an increasing `crowding` turns positive; at most `diameter`."""
    low, high = 0.0, diameter
    if crowding(high) <= 0.0:
        return diameter
    while low < (middle := 0.5 * (low + high)) < high:
        low, high = (middle, high) if crowding(middle) <= 0.0 else (low, middle)
    return high


def _above_rounding(separation: float) -> float:
    """Raise by a relative 16 eps: above the error of the closed forms."""
    return separation * (1.0 + 16.0 * EPS)


def _above_volume_rounding(separation: float, dim: int) -> float:
    """Raise the root of a volume bound by a relative 256 d (1 + log d) eps.

    log-gamma and the sums above err by a few d (1 + log d) eps in the logarithm of a volume; that logarithm climbs at
    slope >= 1 - 1/N >= 1/2 in log h (cube), d (torus), >= d - 1 (sphere), so the root errs by at most twice as much.
    """
    return separation * (1.0 + 256.0 * dim * (1.0 + math.log(dim)) * EPS)


def _require_counts(num_points: int, dim: int, *, least_dim: int) -> None:
    if num_points < 2:
        raise ValueError(f"num_points must be at least 2 to have a separation, but was {num_points}")
    if dim < least_dim:
        raise ValueError(f"dim must be at least {least_dim}, but was {dim}")

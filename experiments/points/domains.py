"""Where points live: the cube, the flat torus, the sphere, and token sequences; unit size, each with its own metric.

  Cube(d)       [0,1]^d, Euclidean            Torus(d)      R^d / Z^d as [0,1)^d, wrapped differences
  Sphere(d)     S^(d-1) in R^d, chord         Tokens(T, d)  [0,1]^(T x d), Frobenius: the cube of dimension T d

Points are arrays (n, *shape); the geometry here works on flat rows (n, coordinates).
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.stats import norm

from theory.ball import unit_ball_volume
from theory.packing_ceiling import cube_ceiling, sphere_ceiling, torus_ceiling

_MOST_PROBES = 1 << 22
_TINY = 2.0**-53


class Probes(NamedTuple):
    """points: (m, *shape).  cover_radius: every x of the domain lies within it of a probe, in the domain's metric."""

    points: Float[np.ndarray, "m ..."]
    cover_radius: float


class Domain(ABC):
    """What families need to know of a domain. The defaults describe a unit cube; a Torus and a Sphere override them."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Shape of one point."""

    @property
    def coordinates(self) -> int:
        """Numbers in one point, prod(shape)."""
        return math.prod(self.shape)

    @property
    def dimension(self) -> int:
        """Dimension as a manifold; d - 1 for the sphere in R^d."""
        return self.coordinates

    @property
    def period(self) -> float | None:
        """Period of every coordinate in the metric, None where differences are not wrapped (see `separation`)."""
        return None

    @property
    def volume(self) -> float:
        """Lebesgue measure; on the sphere the surface measure."""
        return 1.0

    def packing_ceiling(self, num_points: int) -> float:
        """An upper bound on the separation of any `num_points` points (claim S4, theory/packing_ceiling.py)."""
        return cube_ceiling(num_points, dim=self.coordinates)

    def from_unit_cube(self, rows: Float[np.ndarray, "n D"]) -> Float[np.ndarray, "n D"]:
        """Map [0,1)^coordinates onto the domain; the uniform distribution goes to the uniform distribution."""
        return rows

    def towards(
        self, start: Float[np.ndarray, " D"], end: Float[np.ndarray, " D"], *, step: float
    ) -> Float[np.ndarray, " D"]:
        """The point of the shortest path from `start` to `end` at distance `step` from `start`, up to rounding."""
        difference = end - start
        return np.clip(start + step * (difference / np.linalg.norm(difference)), 0.0, 1.0)

    def equal_spacing(self, length: float, *, steps: int) -> float:
        """The spacing of `steps` equal steps that lead along the shortest path to a point at distance `length`."""
        return length / steps

    def probes(self, resolution: int) -> Probes:
        """A grid of `resolution` >= 2 values a coordinate, corners included, to estimate the fill distance on."""
        grid = _grid(np.linspace(0.0, 1.0, _require_size("resolution", resolution, least=2)), self.coordinates)
        return Probes(grid.reshape(-1, *self.shape), 0.5 * math.sqrt(self.coordinates) / (resolution - 1))


@dataclass(frozen=True)
class Cube(Domain):
    """[0,1]^dim with the Euclidean distance."""

    dim: int

    def __post_init__(self) -> None:
        _require_size("dim", self.dim, least=1)

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.dim,)


@dataclass(frozen=True)
class Tokens(Domain):
    """Sequences of `tokens` tokens in R^dim: [0,1]^(tokens x dim) with the Frobenius distance."""

    tokens: int
    dim: int

    def __post_init__(self) -> None:
        _require_size("tokens", self.tokens, least=1)
        _require_size("dim", self.dim, least=1)

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.tokens, self.dim)


@dataclass(frozen=True)
class Torus(Domain):
    """R^dim / Z^dim, points in [0,1)^dim; the distance wraps every coordinate difference to [-1/2, 1/2]."""

    dim: int

    def __post_init__(self) -> None:
        _require_size("dim", self.dim, least=1)

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.dim,)

    @property
    def period(self) -> float | None:
        return 1.0

    def packing_ceiling(self, num_points: int) -> float:
        return torus_ceiling(num_points, dim=self.dim)

    def towards(
        self, start: Float[np.ndarray, " D"], end: Float[np.ndarray, " D"], *, step: float
    ) -> Float[np.ndarray, " D"]:
        difference = end - start
        difference -= np.round(difference)
        moved = np.mod(start + step * (difference / np.linalg.norm(difference)), 1.0)
        return np.where(moved >= 1.0, 0.0, moved)  # np.mod(-tiny, 1.0) is 1.0

    def probes(self, resolution: int) -> Probes:
        """The grid of spacing 1/resolution."""
        values = np.arange(_require_size("resolution", resolution, least=1)) / resolution
        return Probes(_grid(values, self.dim), 0.5 * math.sqrt(self.dim) / resolution)


@dataclass(frozen=True)
class Sphere(Domain):
    """The unit sphere S^(dim-1) of R^dim, dim >= 2, with the distance of R^dim (the chord 2 sin(angle/2))."""

    dim: int

    def __post_init__(self) -> None:
        _require_size("dim", self.dim, least=2)

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.dim,)

    @property
    def dimension(self) -> int:
        return self.dim - 1

    @property
    def volume(self) -> float:
        return self.dim * unit_ball_volume(self.dim)

    def packing_ceiling(self, num_points: int) -> float:
        return sphere_ceiling(num_points, dim=self.dim)

    def from_unit_cube(self, rows: Float[np.ndarray, "n D"]) -> Float[np.ndarray, "n D"]:
        """Directions of standard normal vectors, whose coordinates are the normal quantiles of the rows."""
        normal = norm.ppf(np.clip(rows, _TINY, 1.0 - _TINY))
        return normal / np.linalg.norm(normal, axis=1, keepdims=True)

    def towards(
        self, start: Float[np.ndarray, " D"], end: Float[np.ndarray, " D"], *, step: float
    ) -> Float[np.ndarray, " D"]:
        """Along the great circle: (1 - step^2/2) start + step sqrt(1 - step^2/4) tangent."""
        tangent = end - np.dot(end, start) * start
        if not np.linalg.norm(tangent) > 0:  # `end` is an antipode: every great circle is a shortest path
            tangent = np.eye(self.dim)[np.argmin(np.abs(start))]
        for _ in range(2):  # twice, since a tangent left over from near-antipodes is mostly rounding
            tangent = tangent - np.dot(tangent, start) * start
            tangent = tangent / np.linalg.norm(tangent)
        return start + step * (math.sqrt(1.0 - 0.25 * step**2) * tangent - 0.5 * step * start)

    def equal_spacing(self, length: float, *, steps: int) -> float:
        """Equal chords along the great circle: 2 sin(asin(length/2) / steps)."""
        return 2.0 * math.sin(math.asin(min(0.5 * length, 1.0)) / steps)

    def probes(self, resolution: int) -> Probes:
        """Grids on the faces of [-1,1]^dim, projected radially, which increases no distance outside the ball."""
        face = _grid(np.linspace(-1.0, 1.0, _require_size("resolution", resolution, least=2)), self.dim - 1)
        faces = [np.insert(face, axis, sign, axis=1) for axis in range(self.dim) for sign in (-1.0, 1.0)]
        surface = np.concatenate(faces)
        points = surface / np.linalg.norm(surface, axis=1, keepdims=True)
        return Probes(points, math.sqrt(self.dim - 1) / (resolution - 1))


def _grid(values: Float[np.ndarray, " r"], coordinates: int) -> Float[np.ndarray, "m D"]:
    if coordinates * math.log(len(values)) > math.log(_MOST_PROBES):
        raise ValueError(
            f"resolution must give at most {_MOST_PROBES} probes, but {len(values)} values in {coordinates} "
            f"coordinates give {len(values)}^{coordinates}; hand your own probes to fill_distance instead"
        )
    return np.stack(np.meshgrid(*[values] * coordinates, indexing="ij"), axis=-1).reshape(-1, coordinates)


def _require_size(name: str, value: int, *, least: int) -> int:
    if not (isinstance(value, int) and value >= least):
        raise ValueError(f"{name} must be an integer of at least {least}, but was {value!r}")
    return value

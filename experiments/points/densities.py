"""Densities on [0,1]^d whose L2 norm and maximum are closed forms: the constants of the sampling law (claims S1, S2).

  uniform    pi = 1:                    ||pi||_2^2 = 1
  beta       product of Beta(a, b):     ||pi||_2^2 = (B(2a-1, 2b-1) / B(a, b)^2)^d for a, b > 1/2, else infinite
  mixture    w + (1-w) beta:            ||pi||_2^2 = w^2 + 2 w (1-w) + (1-w)^2 ||beta||_2^2
  two-level  M on a cube of volume v, (1 - M v)/(1 - v) elsewhere:
                                        ||pi||_2^2 = M^2 v + (1 - M v)^2 / (1 - v),   pi_max = M
The last has equal maxima at different L2 norms: v -> 0 gives 1, v = 1/M gives M. It tells the law in ||pi||_2 from the
weaker law in pi_max. Always 1 <= ||pi||_2^2 <= pi_max (Cauchy-Schwarz; Hoelder).
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import betaln


class Density(ABC):
    """A probability density on [0,1]^dim, the norms taken over that cube."""

    dim: int

    @property
    @abstractmethod
    def l2_norm_squared(self) -> float:
        """Integral of pi^2; infinite where pi is not in L2, and the sampling law then does not apply."""

    @property
    @abstractmethod
    def maximum(self) -> float:
        """Supremum of pi, possibly infinite."""

    @abstractmethod
    def pdf(self, points: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        """pi at each point."""

    @abstractmethod
    def sample(self, num: int, rng: np.random.Generator) -> Float[np.ndarray, "num d"]:
        """Independent points."""


@dataclass(frozen=True)
class Uniform(Density):
    dim: int

    @property
    def l2_norm_squared(self) -> float:
        return 1.0

    @property
    def maximum(self) -> float:
        return 1.0

    def pdf(self, points: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        return np.ones(len(points))

    def sample(self, num: int, rng: np.random.Generator) -> Float[np.ndarray, "num d"]:
        return rng.random((num, self.dim))


@dataclass(frozen=True)
class Beta(Density):
    """Independent Beta(a, b) coordinates, a, b > 0."""

    dim: int
    a: float | int
    b: float | int

    def __post_init__(self) -> None:
        for name, value in (("a", self.a), ("b", self.b)):
            if not 0 < value < math.inf:
                raise ValueError(f"{name} must be a positive number, but was {value}")

    @property
    def l2_norm_squared(self) -> float:
        if min(self.a, self.b) <= 0.5:
            return math.inf
        return math.exp(self.dim * (betaln(2 * self.a - 1, 2 * self.b - 1) - 2 * betaln(self.a, self.b)))

    @property
    def maximum(self) -> float:
        """At the mode (a-1)/(a+b-2) for a, b >= 1; infinite where a < 1 or b < 1."""
        if min(self.a, self.b) < 1:
            return math.inf
        log_peak = _power_log(self.a - 1, self.a - 1) + _power_log(self.b - 1, self.b - 1)
        log_peak -= _power_log(self.a + self.b - 2, self.a + self.b - 2)
        return math.exp(self.dim * (log_peak - betaln(self.a, self.b)))

    def pdf(self, points: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        factors = points ** (self.a - 1) * (1 - points) ** (self.b - 1) / math.exp(betaln(self.a, self.b))
        return np.prod(factors, axis=1)

    def sample(self, num: int, rng: np.random.Generator) -> Float[np.ndarray, "num d"]:
        return rng.beta(self.a, self.b, (num, self.dim))


@dataclass(frozen=True)
class Mixture(Density):
    """Uniform with probability `weight` in [0, 1], else every coordinate Beta(a, b)."""

    dim: int
    weight: float | int
    a: float | int
    b: float | int

    def __post_init__(self) -> None:
        if not 0 <= self.weight <= 1:
            raise ValueError(f"weight must lie in [0, 1], but was {self.weight}")
        _ = self.beta  # checks a and b

    @property
    def beta(self) -> Beta:
        return Beta(self.dim, self.a, self.b)

    @property
    def l2_norm_squared(self) -> float:
        if self.weight == 1:
            return 1.0
        return self.weight * (2 - self.weight) + (1 - self.weight) ** 2 * self.beta.l2_norm_squared

    @property
    def maximum(self) -> float:
        if self.weight == 1:
            return 1.0
        return self.weight + (1 - self.weight) * self.beta.maximum

    def pdf(self, points: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        return self.weight + (1 - self.weight) * self.beta.pdf(points)

    def sample(self, num: int, rng: np.random.Generator) -> Float[np.ndarray, "num d"]:
        from_uniform = rng.random(num) < self.weight
        return np.where(from_uniform[:, None], rng.random((num, self.dim)), self.beta.sample(num, rng))


@dataclass(frozen=True)
class TwoLevel(Density):
    """`level` >= 1 on the corner cube [0, share^(1/dim)]^dim of volume `share`, the rest of the mass spread evenly."""

    dim: int
    level: float | int
    share: float

    def __post_init__(self) -> None:
        if not (self.level >= 1 and 0 < self.share < 1 and self.level * self.share <= 1):
            raise ValueError(
                f"level and share must satisfy level >= 1, 0 < share < 1 and level share <= 1, "
                f"but were {self.level} and {self.share}"
            )

    @property
    def low_level(self) -> float:
        return (1 - self.level * self.share) / (1 - self.share)

    @property
    def l2_norm_squared(self) -> float:
        return self.level**2 * self.share + self.low_level**2 * (1 - self.share)

    @property
    def maximum(self) -> float:
        return float(self.level)

    def pdf(self, points: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        inside = np.all(points <= self.share ** (1 / self.dim), axis=1)
        return np.where(inside, self.level, self.low_level)

    def sample(self, num: int, rng: np.random.Generator) -> Float[np.ndarray, "num d"]:
        """pi = low_level * uniform + (1 - low_level) * uniform on the corner cube."""
        anywhere = rng.random(num) < self.low_level
        side = np.where(anywhere, 1.0, self.share ** (1 / self.dim))
        return side[:, None] * rng.random((num, self.dim))


def equal_maximum_pair(dim: int, *, maximum: float | int) -> tuple[TwoLevel, TwoLevel]:
    """Two densities of one maximum M > 1: ||pi||_2^2 = M/8 + (49/64) / (1 - 1/(8M)) for the first, M for the second.

    The sampling law in ||pi||_2 gives the first (||second||_2 / ||first||_2)^(2/d) times the second's separation; a law
    in pi_max gives them the same.
    """
    if not 1 < maximum < math.inf:
        raise ValueError(f"maximum must be a number above 1, but was {maximum}")
    return TwoLevel(dim, maximum, 1 / (8 * maximum)), TwoLevel(dim, maximum, 1 / maximum)


def _power_log(base: float | int, exponent: float | int) -> float:
    """log(base^exponent) with 0^0 = 1."""
    return exponent * math.log(base) if base > 0 else 0.0

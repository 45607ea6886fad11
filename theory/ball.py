"""Volume of the Euclidean ball and of the spherical cap: the constants of every sampling and packing bound."""

import math

from scipy.special import betainc


def log_unit_ball_volume(dim: int) -> float:
    """log V_d, V_d = pi^(d/2) / Gamma(d/2 + 1); d = 0 gives 0 (one point has measure 1)."""
    if dim < 0:
        raise ValueError(f"dim must be a non-negative integer, but was {dim}")
    return 0.5 * dim * math.log(math.pi) - math.lgamma(0.5 * dim + 1.0)


def unit_ball_volume(dim: int) -> float:
    """V_d, the Lebesgue measure of {x in R^d : |x| <= 1}: 2, pi, 4 pi/3, ... for d = 1, 2, 3, ..."""
    return math.exp(log_unit_ball_volume(dim))


def cap_fraction(sine: float, *, dim: int) -> float:
    """Share of S^(d-1) within the angle t <= pi/2 of a point, from sin t: I_{sin^2 t}((d-1)/2, 1/2) / 2.

    Needs d >= 2; the share of a half sphere (sine 1) is 1/2.
    """
    if dim < 2:
        raise ValueError(f"dim must be at least 2 for a cap of the sphere S^(dim-1), but was {dim}")
    return 0.5 * float(betainc(0.5 * (dim - 1), 0.5, sine * sine))

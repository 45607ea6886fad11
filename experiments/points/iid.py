"""Independent points, and Sobol' points: the controls, whose separation nobody chose.

Sobol' points are far more even than iid ones in discrepancy, yet not well separated: a control, never a design of large
separation.
"""

import numpy as np
from jaxtyping import Float
from scipy.stats import qmc

from experiments.points import densities
from experiments.points.domains import Domain


def uniform(num_points: int, domain: Domain, *, seed: int = 0) -> Float[np.ndarray, "n D"]:
    """iid with the uniform density, ||pi||_2^2 = 1 / volume."""
    return domain.from_unit_cube(np.random.default_rng(seed).random((num_points, domain.coordinates)))


def beta(num_points: int, domain: Domain, *, a: float | int, b: float | int, seed: int = 0) -> Float[np.ndarray, "n D"]:
    """iid, every coordinate Beta(a, b)."""
    return _draw(densities.Beta(domain.coordinates, a, b), num_points, domain, seed)


def mixture(
    num_points: int, domain: Domain, *, weight: float | int, a: float | int, b: float | int, seed: int = 0
) -> Float[np.ndarray, "n D"]:
    """iid, uniform with probability `weight`, else every coordinate Beta(a, b)."""
    return _draw(densities.Mixture(domain.coordinates, weight, a, b), num_points, domain, seed)


def two_level(
    num_points: int, domain: Domain, *, level: float | int, share: float, seed: int = 0
) -> Float[np.ndarray, "n D"]:
    """iid, density `level` on a corner cube of volume `share`, constant elsewhere."""
    return _draw(densities.TwoLevel(domain.coordinates, level, share), num_points, domain, seed)


def sobol(num_points: int, domain: Domain, *, seed: int = 0) -> Float[np.ndarray, "n D"]:
    """The first `num_points` of a Sobol' sequence, scrambled by the seed (Matousek's linear scramble and a shift).

    On the sphere their image under normal quantiles.
    """
    engine = qmc.Sobol(d=domain.coordinates, scramble=True, rng=np.random.default_rng(seed))
    rows = engine.random_base2((num_points - 1).bit_length())[:num_points]  # a power of 2: no warning about balance
    return domain.from_unit_cube(rows)


def _draw(density: densities.Density, num_points: int, domain: Domain, seed: int) -> Float[np.ndarray, "n D"]:
    rows = density.sample(num_points, np.random.default_rng(seed))
    return rows if domain.period is None else np.where(rows >= domain.period, 0.0, rows)  # Beta can round to 1

"""Hunt for counterexamples to the sampling law (S1) where P(h_min < t) can be computed exactly: steps on [0,1].

For a piecewise constant density on M equal cells and t a whole number of cells, the probability that N ordered points
keep gaps >= t is an N-fold integral of piecewise polynomials, done here cell by cell without any sampling.
"""

from collections.abc import Sequence
from typing import NamedTuple

import hypothesis.strategies as st
import numpy as np
from jaxtyping import Float

from experiments.hunt import Hunt
from theory import sampling_law
from theory.verdict import Check


class Instance(NamedTuple):
    """Density of `levels` steps exp(spread * normal) on a grid of `cells` in [0,1]; t = gap_cells / cells."""

    num_points: int
    cells: int
    gap_cells: int
    levels: int
    spread: float
    seed: int


def step_density(instance: Instance) -> Float[np.ndarray, " cells"]:
    """Density (per unit length) on each cell of [0,1], of mean 1."""
    heights = np.exp(instance.spread * np.random.default_rng(instance.seed).standard_normal(instance.levels))
    density = np.repeat(heights, -(-instance.cells // instance.levels))[: instance.cells]
    return density / density.mean()


def spread_probability(density: Float[np.ndarray, " cells"], num_points: int, gap_cells: int) -> float:
    """P(h_min >= gap_cells / cells) for `num_points` independent points of a step density on [0,1].

    k! times F_k(x) = int_{x+t}^1 pi F_{k-1}, F_0 = 1, is the probability that k points lie above x + t, t apart and
    ascending. On cell c, F_k is a polynomial in the local coordinate u in [0,1]: row c of `above` is its coefficients.
    """
    cells = density.size
    above = np.zeros((cells, num_points + 1))
    above[:, 0] = 1.0
    for count in range(1, num_points + 1):
        mass = density[:, None] / cells * above * count  # pi F, and the factorial, one factor a round
        antiderivative = np.zeros_like(above)
        antiderivative[:, 1:] = mass[:, :-1] / np.arange(1, num_points + 1)
        whole = antiderivative.sum(axis=1)
        beyond = np.append(np.cumsum(whole[::-1])[::-1], 0.0)  # from the start of cell c to the end of [0,1]
        if count == num_points:
            return float(beyond[0])
        tail = -antiderivative
        tail[:, 0] = beyond[:-1]  # int from u in this cell upward
        above = np.zeros_like(above)
        above[: cells - gap_cells] = tail[gap_cells:]
    return 1.0


def check(instance: Instance) -> Check:
    density = step_density(instance)
    probability = 1.0 - spread_probability(density, instance.num_points, instance.gap_cells)
    return sampling_law.check(
        probability,
        instance.gap_cells / instance.cells,
        instance.num_points,
        dim=1,
        density_norm_sq=float(np.mean(density**2)),
        # sums of `cells` positive terms, num_points times over, of values at most 1
        rounding=4.0 * instance.num_points * instance.cells * float(np.finfo(float).eps),
        instance=repr(instance),
    )


def _instance(num_points: int, cells: int, reach: float, levels: int, spread: float, seed: int) -> Instance:
    """With up to half a close pair expected of the uniform density: beyond one the bound says nothing."""
    farthest = max(cells // (2 * num_points * (num_points - 1)), 1)
    return Instance(num_points, cells, 1 + int(reach * (farthest - 1)), levels, spread, seed)


def check_many(instances: Sequence[Instance]) -> list[Check]:
    return [check(instance) for instance in instances]


HUNT = Hunt(
    claim="S1",
    instances=st.builds(
        _instance,
        num_points=st.sampled_from((2, 3, 5)),
        cells=st.sampled_from((64, 512, 2048)),
        reach=st.floats(0.0, 1.0),
        levels=st.sampled_from((1, 2, 8)),
        spread=st.floats(0.0, 2.0),
        seed=st.integers(0, 2**16),
    ),
    check=check,
    module="experiments.hunts.sampling_law",
    check_many=check_many,
    extremal=(Instance(num_points=2, cells=2**14, gap_cells=1, levels=1, spread=0.0, seed=0),),
)

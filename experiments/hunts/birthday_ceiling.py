"""Hunt for counterexamples to the birthday ceiling (S3), where P(h_min > t) is exact: few atoms, or steps on [0,1].

Atoms at x_1..x_n with weights p: N! times the sum over all N-sets of atoms pairwise more than t apart of prod p.
Densities: the N-fold integral of the sampling law's hunt. Equality: equal weights on a grid just wider than t.
Quantile: t is the ceiling of a delta; the probability that h_min exceeds a hair more than t is a lower bound.
"""

import math
from functools import cache
from itertools import combinations
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import strategies as st
from jaxtyping import Array, Bool, Float

from experiments.ascent import Ascent
from experiments.hunt import Hunt
from experiments.hunts.sampling_law import spread_probability
from experiments.separation import distances
from theory import birthday_ceiling
from theory.verdict import Check

_CELLS = 64
_GRIDS = ((1, 4), (1, 8), (2, 2), (2, 3), (3, 2))  # (dimension, atoms an axis)
_LEAST_WEIGHT = 0.01
_HAIR = 1.0 + 1e-12  # atoms exactly t apart are not more than t apart, whichever way t = sqrt(d)/k is rounded

Form = Literal["packing", "cells", "exponential", "quantile"]
Law = Literal["grid", "scattered", "steps", "bumps"]


class Instance(NamedTuple):
    """A law and t.  grid, scattered: atoms of these weights; t = closeness times the grid's spacing.

    steps, bumps: a density on 64 cells of [0,1] (dim is ignored), the weights on equal intervals that fill it, or on
    single cells that are evenly spaced; t is rounded to whole cells.  quantile: t is the ceiling
    of `failure_probability`.
    """

    form: Form
    law: Law
    dim: int
    per_axis: int
    num_points: int
    closeness: float
    weights: tuple[float, ...]
    seed: int


def atoms(instance: Instance) -> Float[np.ndarray, "atoms dim"]:
    """Where the atoms are: corners of a regular grid of the cube, or uniformly random."""
    if instance.law == "scattered":
        return np.random.default_rng(instance.seed).random((len(instance.weights), instance.dim))
    axes = np.meshgrid(*[np.linspace(0.0, 1.0, instance.per_axis)] * instance.dim, indexing="ij")
    return np.stack([axis.ravel() for axis in axes], axis=1)


@cache
def _sets(count: int) -> tuple[Bool[np.ndarray, "sets atoms"], Bool[np.ndarray, "sets pairs"]]:
    """All subsets of `count` atoms, and which pairs (in the order of `combinations`) each contains."""
    members = (np.arange(2**count)[:, None] >> np.arange(count)) % 2 == 1
    first, second = np.array(list(combinations(range(count), 2))).T
    return members, members[:, first] & members[:, second]


def separated_sets(points: Float[np.ndarray, "atoms dim"], separation: float) -> Bool[np.ndarray, "sets atoms"]:
    """Memberships of the sets of atoms that are pairwise more than `separation` apart."""
    members, pairs = _sets(len(points))
    close = distances(points, points)[np.triu_indices(len(points), 1)] <= separation
    return members[~(pairs & close).any(axis=1)]


def spread_atoms_probability(
    weights: Float[np.ndarray, " atoms"], separated: Bool[np.ndarray, "sets atoms"], num_points: int
) -> float:
    """P(h_min > t) for `num_points` independent draws of atoms with these probabilities."""
    sets = separated[separated.sum(axis=1) == num_points]
    return math.factorial(num_points) * float(np.prod(np.where(sets, weights, 1.0), axis=1).sum())


def density(instance: Instance) -> Float[np.ndarray, " cells"]:
    """Density (per unit length) on each of the 64 cells, of mean 1."""
    weights = np.array(instance.weights)
    heights = np.zeros(_CELLS)
    if instance.law == "steps":
        heights = weights[np.arange(_CELLS) * len(weights) // _CELLS]
    else:
        heights[np.rint(np.linspace(0, _CELLS - 1, len(weights))).astype(int)] = weights
    return heights / heights.mean()


def failure_probability(instance: Instance) -> float:
    """delta of the quantile form: exp(-N(N-1)/2 (t/sqrt(d))^d), t = closeness times the spacing."""
    dim = 1 if instance.law in ("steps", "bumps") else instance.dim
    side = instance.closeness / (instance.per_axis - 1) / math.sqrt(dim)
    return math.exp(-0.5 * instance.num_points * (instance.num_points - 1) * side**dim)


def separation(instance: Instance) -> float:
    """t: of densities a whole number of cells, so that the integral is exact."""
    t = instance.closeness / (instance.per_axis - 1)
    whole = instance.law in ("steps", "bumps")
    if instance.form == "quantile":
        dim = 1 if whole else instance.dim
        t = birthday_ceiling.separation_ceiling(failure_probability(instance), instance.num_points, dim=dim) * _HAIR
        return math.ceil(t * _CELLS) / _CELLS if whole else t  # up: a lower bound on the probability
    return max(1, math.floor(t * _CELLS)) / _CELLS if whole else t


def check(instance: Instance) -> Check:
    t, num_points, form = separation(instance), instance.num_points, instance.form
    if instance.law in ("grid", "scattered"):
        points, dim = atoms(instance), instance.dim
        separated = separated_sets(points, t)
        weights = np.array(instance.weights) / sum(instance.weights)
        probability = spread_atoms_probability(weights, separated, num_points)
        inside, capacity = float(np.minimum(points, 1.0 - points).min()), int(separated.sum(axis=1).max())
        rounding = 2.0**-46 * probability  # at most 512 positive terms of at most 10 factors
    else:
        dim, inside, capacity = 1, 0.0, birthday_ceiling.cells(t, 1)
        probability = spread_probability(density(instance), num_points, round(t * _CELLS))
        rounding = 4.0 * num_points * _CELLS * 2.0**-52
    if form == "packing":
        return birthday_ceiling.check_packing(
            probability, num_points, capacity=capacity, rounding=rounding, instance=repr(instance)
        )
    if form == "quantile":
        return birthday_ceiling.check_quantile(
            probability,
            failure_probability(instance),
            num_points,
            dim=dim,
            inside=inside,
            rounding=rounding,
            instance=repr(instance),
        )
    return birthday_ceiling.check(
        probability,
        t,
        num_points,
        dim=dim,
        exponential=form == "exponential",
        inside=inside,
        rounding=rounding,
        instance=repr(instance),
    )


def log_ratio(instance: Instance) -> Float[Array, ""]:
    """log P(h_min > t) - log bound as a function of the atoms' weights; 0 for densities, which do not climb."""
    if instance.law not in ("grid", "scattered"):
        return jnp.zeros(())
    t = separation(instance)
    separated = separated_sets(atoms(instance._replace(weights=(1.0,) * instance.per_axis**instance.dim)), t)
    sizes = separated.sum(axis=1)
    capacity = int(sizes.max()) if instance.form == "packing" else birthday_ceiling.cells(t, instance.dim)
    log_weights = jnp.log(jnp.asarray(instance.weights)) - jnp.log(jnp.sum(jnp.asarray(instance.weights)))
    log_products = jnp.asarray(separated[sizes == instance.num_points], float) @ log_weights
    if instance.form == "quantile":
        bound = failure_probability(instance)
    elif instance.form == "exponential":
        bound = birthday_ceiling.exponential_ceiling(instance.num_points, capacity)
    else:
        bound = birthday_ceiling.birthday_ceiling(instance.num_points, capacity)
    return jax.nn.logsumexp(log_products) + math.log(math.factorial(instance.num_points) / bound)


def _drawn(
    form: Form, law: Law, grid: tuple[int, int], num_points: int, closeness: float, unevenness: float, seed: int
) -> Instance:
    """Weights exp(unevenness * normal), scaled to the largest; a density is drawn on the line."""
    dim, per_axis = grid if law in ("grid", "scattered") else (1, grid[0] * grid[1])
    heights = np.exp(unevenness * np.random.default_rng(seed).standard_normal(per_axis**dim))
    weights = np.maximum(heights / heights.max(), _LEAST_WEIGHT)
    return Instance(form, law, dim, per_axis, num_points, closeness, tuple(weights.tolist()), seed)


def _equal(form: Form, law: Law, dim: int, per_axis: int, num_points: int, *, closeness: float = 0.95) -> Instance:
    """Equal weights; 0.95 / 3 leaves room for bumps one cell wide."""
    return Instance(form, law, dim, per_axis, num_points, closeness, (1.0,) * per_axis**dim, 0)


def _quantile(dim: int, per_axis: int, num_points: int) -> Instance:
    """delta a hair above the exponential of per_axis^dim cells: t = sqrt(dim)/per_axis, below the grid's spacing."""
    closeness = (per_axis - 1) * math.sqrt(dim) / per_axis / _HAIR
    return _equal("quantile", "grid", dim, per_axis, num_points, closeness=closeness)


HUNT = Hunt(
    claim="S3",
    instances=st.builds(
        _drawn,
        form=st.sampled_from(("packing", "cells", "exponential", "quantile")),
        law=st.sampled_from(("grid", "scattered", "steps", "bumps")),
        grid=st.sampled_from(_GRIDS),
        num_points=st.integers(2, 4),
        closeness=st.floats(0.3, 0.999),
        unevenness=st.floats(0.0, 2.0),
        seed=st.integers(0, 2**16),
    ),
    check=check,
    module="experiments.hunts.birthday_ceiling",
    extremal=(
        _equal("cells", "grid", 1, 4, 3),
        _equal("cells", "bumps", 1, 4, 3),
        _equal("cells", "grid", 2, 2, 4),
        _equal("cells", "grid", 2, 3, 4),
        _equal("cells", "grid", 3, 2, 4),
        _equal("packing", "grid", 2, 3, 4),
        _equal("exponential", "grid", 1, 8, 2),
        _equal("exponential", "grid", 2, 3, 2),
        _quantile(1, 8, 2),
        _quantile(2, 3, 2),
        _quantile(3, 2, 3),
    ),
    ascent=Ascent(ratio=log_ratio, box={"weights": (_LEAST_WEIGHT, 1.0)}),
)

"""Hunt for counterexamples to composable core-sets (D4) on pools of at most 9 points in up to four parts.

Points of the line, the plane and a lattice go through the project's own traversal, general metrics through one on the
table of distances. Optima by brute force; up to three centres outside the pool are offered to the cover.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
from hypothesis import strategies as st
from jaxtyping import Float, Int

from experiments.hunt import Hunt
from experiments.hunts.small_pools import (
    LARGEST_POOL,
    cover_radii,
    separations,
    shortest_paths,
    table_farthest_first,
)
from experiments.points import greedy
from experiments.separation import distances
from theory import composable_core_sets
from theory.composable_core_sets import Composition
from theory.verdict import Check

Form = Literal["core-set", "dispersion", "cover", "fall", "dispersion ceiling", "cover floor"]
Metric = Literal["line", "plane", "lattice", "graph", "ties", "tail", "segment"]

_TIES = np.array([0.0, -1.0, 1.0, -3.0, 1.0, -1.0, 3.0])
_TAIL_EDGES = ((0, 1, 2.0), (0, 2, 2.0), (1, 2, 2.0), (0, 3, 0.0), (2, 4, 2.0))
_TAIL_CENTRES = ((5, 0, 1.0), (5, 1, 1.0), (6, 2, 1.0), (6, 4, 1.0))
_FIXED = {"ties": (7, 0, (1, 4)), "tail": (5, 2, (2,)), "segment": (3, 0, ())}  # pool, outsiders, where parts begin


class Instance(NamedTuple):
    """pool_size points in `parts` parts, each keeping chosen + spare points, to choose `chosen` from what is kept.

    line, plane: normal points.  lattice: points of {0,..,3}^2.  graph: shortest paths of random whole lengths; random
    parts.  Of fixed size and parts: ties: 0 | -1, 1, -3 | 1, -1, 3 on the line.  tail: a triangle of side 2, whose
    third corner, a copy of the first, and the tip of a tail of length 2 at that corner are the second part; centres
    half-way outside.  segment: 0, 1, 1/2 in one part.
    outsiders: further points of the space that may serve as centres.
    shake: uniform noise of this size on every distance of the last four, then shortest paths.
    """

    form: Form
    metric: Metric
    pool_size: int
    outsiders: int
    parts: int
    chosen: int
    spare: int
    shake: float
    seed: int


def coordinates(instance: Instance) -> Float[np.ndarray, "n dim"]:
    """Pool, then outsiders, where the metric is that of points."""
    rng, count = np.random.default_rng(instance.seed), instance.pool_size + instance.outsiders
    if instance.metric == "lattice":
        return rng.integers(0, 4, (count, 2)).astype(float)
    return rng.standard_normal((count, 1 if instance.metric == "line" else 2))


def table(instance: Instance) -> Float[np.ndarray, "n n"]:
    """Distances of pool and outsiders where the metric is given by a table."""
    rng = np.random.default_rng(instance.seed)
    if instance.metric == "graph":
        count = instance.pool_size + instance.outsiders
        lengths = rng.integers(1, 6, (count, count)).astype(float)
    elif instance.metric == "tail":
        lengths = np.full((7, 7), 8.0)
        for i, j, length in _TAIL_EDGES + _TAIL_CENTRES:
            lengths[i, j] = lengths[j, i] = length
        lengths = shortest_paths(lengths)
    else:
        places = _TIES if instance.metric == "ties" else np.array([0.0, 1.0, 0.5])
        lengths = np.abs(places[:, None] - places)
    lengths = lengths + instance.shake * rng.random(lengths.shape)
    return shortest_paths(np.minimum(lengths, lengths.T))


def divided(instance: Instance) -> tuple[Int[np.ndarray, " _"], ...]:
    """The parts, as indices of the pool; some may be smaller than the choice."""
    if instance.metric in _FIXED:
        pool_size, _, begins = _FIXED[instance.metric]
        return tuple(np.split(np.arange(pool_size), begins))
    shuffled = np.random.default_rng(instance.seed + 1).permutation(instance.pool_size)
    return tuple(np.sort(part) for part in np.array_split(shuffled, instance.parts))


def composed(
    choose: Callable[[Int[np.ndarray, " m"], int], Int[np.ndarray, " c"]],
    parts: tuple[Int[np.ndarray, " _"], ...],
    *,
    chosen: int,
    core_size: int,
) -> Composition:
    """The choice from what the parts keep. choose: points, given as ascending indices, and how many -> positions."""
    cores = tuple(part[choose(part, min(core_size, len(part)))] for part in parts)
    union = np.sort(np.concatenate(cores))
    return Composition(parts, cores, union[choose(union, chosen)])


def check(instance: Instance) -> Check:
    pool = instance.pool_size if instance.metric not in _FIXED else _FIXED[instance.metric][0]
    if instance.metric in ("line", "plane", "lattice"):
        points = coordinates(instance)
        lengths = distances(points, points)
        choose = lambda among, count: greedy.farthest_first(points[among], count)  # noqa: E731
    else:
        lengths = table(instance)
        choose = lambda among, count: table_farthest_first(lengths[np.ix_(among, among)], count)  # noqa: E731
    own, k, where = lengths[:pool, :pool], instance.chosen, repr(instance)
    found = composed(choose, divided(instance), chosen=k, core_size=k + instance.spare)
    if instance.form == "fall":
        return composable_core_sets.check_fall(own, found, instance=where)
    if instance.form in ("cover", "cover floor"):
        narrowest = float(cover_radii(lengths[:pool], k).min())
        if instance.form == "cover":
            return composable_core_sets.check_cover(own, found, optimum=narrowest, instance=where)
        return composable_core_sets.check_cover_floor(own, found.order, optimum=narrowest, instance=where)
    widest = float(separations(own, k).max())
    if instance.form == "dispersion":
        return composable_core_sets.check_dispersion(own, found, optimum=widest, instance=where)
    if instance.form == "dispersion ceiling":
        return composable_core_sets.check_dispersion_ceiling(own, found.order, optimum=widest, instance=where)
    kept = float(separations(own[np.ix_(found.union, found.union)], k).max())
    return composable_core_sets.check_core_set(own, found, kept_optimum=kept, optimum=widest, instance=where)


def _fixed(form: Form, metric: Metric, chosen: int) -> Instance:
    pool_size, outsiders, begins = _FIXED[metric]
    return Instance(form, metric, pool_size, outsiders, len(begins) + 1, chosen, 0, 0.0, 0)


HUNT = Hunt(
    claim="D4",
    instances=st.builds(
        Instance,
        form=st.sampled_from(("core-set", "dispersion", "cover", "fall", "dispersion ceiling", "cover floor")),
        metric=st.sampled_from(("line", "plane", "lattice", "graph", "ties", "tail")),
        pool_size=st.integers(5, LARGEST_POOL),
        outsiders=st.integers(0, 3),
        parts=st.integers(1, 4),
        chosen=st.integers(2, 4),
        spare=st.integers(0, 2),
        shake=st.floats(0.0, 0.5),
        seed=st.integers(0, 2**16),
    ),
    check=check,
    module="experiments.hunts.composable_core_sets",
    extremal=(
        _fixed("core-set", "ties", 2),
        _fixed("dispersion", "ties", 2),
        _fixed("fall", "ties", 2),
        _fixed("dispersion ceiling", "ties", 2),
        _fixed("cover", "tail", 2),
        _fixed("cover floor", "segment", 1),
    ),
)

"""Hunt for counterexamples to the guarantees of farthest-first traversal (D1) on pools of at most 9 points.

Points of the line, the plane and a lattice go through the project's own traversal, general metrics through one on the
table of distances. Optima by brute force; up to three centres outside the pool are offered to the cover.
"""

from typing import Literal, NamedTuple

import numpy as np
from hypothesis import strategies as st
from jaxtyping import Float

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
from theory import farthest_first
from theory.verdict import Check

Form = Literal["dispersion", "cover", "fall"]
Metric = Literal["line", "plane", "lattice", "graph", "star", "segments"]


class Instance(NamedTuple):
    """pool_size points to choose `chosen` from, `outsiders` more that may serve as centres, and how they lie.

    line, plane: normal points.  lattice: points of {0,..,3}^2.  graph: shortest paths of random whole lengths.
    star: centre (the first choice), then leaves 1 away.  segments: triples {0, 1, 1/2}, 100 apart.
    shake: uniform noise of this size on every distance of the last three, then shortest paths.
    """

    form: Form
    metric: Metric
    pool_size: int
    outsiders: int
    chosen: int
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
    rng, count = np.random.default_rng(instance.seed), instance.pool_size + instance.outsiders
    if instance.metric == "graph":
        lengths = rng.integers(1, 6, (count, count)).astype(float)
    elif instance.metric == "star":
        lengths = np.full((count, count), 2.0)
        lengths[0] = lengths[:, 0] = 1.0
    else:
        places = 100.0 * (np.arange(count) // 3) + np.array([0.0, 1.0, 0.5])[np.arange(count) % 3]
        lengths = np.abs(places[:, None] - places)
    lengths = lengths + instance.shake * rng.random((count, count))
    return shortest_paths(np.minimum(lengths, lengths.T))


def check(instance: Instance) -> Check:
    pool, chosen = instance.pool_size, instance.chosen
    if instance.metric in ("line", "plane", "lattice"):
        points = coordinates(instance)
        lengths = distances(points, points)
        order = greedy.farthest_first(points[:pool], chosen)
    else:
        lengths = table(instance)
        order = table_farthest_first(lengths[:pool, :pool], chosen)
    own = lengths[:pool, :pool]
    if instance.form == "fall":
        return farthest_first.check_fall(own, order, instance=repr(instance))
    if instance.form == "dispersion":
        optimum = float(separations(own, chosen).max())
        return farthest_first.check_dispersion(own, order, optimum=optimum, instance=repr(instance))
    optimum = float(cover_radii(lengths[:pool], chosen).min())
    return farthest_first.check_cover(own, order, optimum=optimum, instance=repr(instance))


HUNT = Hunt(
    claim="D1",
    instances=st.builds(
        Instance,
        form=st.sampled_from(("dispersion", "cover", "fall")),
        metric=st.sampled_from(("line", "plane", "lattice", "graph", "star", "segments")),
        pool_size=st.integers(5, LARGEST_POOL),
        outsiders=st.integers(0, 3),
        chosen=st.integers(2, 4),
        shake=st.floats(0.0, 0.5),
        seed=st.integers(0, 2**16),
    ),
    check=check,
    module="experiments.hunts.farthest_first",
    extremal=(
        Instance("dispersion", "star", 7, 0, 4, 0.0, 0),
        Instance("cover", "segments", 3, 0, 1, 0.0, 0),
        Instance("cover", "segments", 6, 0, 2, 0.0, 0),
        Instance("cover", "segments", 2, 1, 1, 0.0, 0),
        Instance("fall", "star", 7, 0, 3, 0.0, 0),
    ),
)

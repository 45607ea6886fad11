"""Hunt against A4: farthest-first sets that do not cover, and sets that do not obey the bounds on fill or separation.

Farthest-first in the whole box is exact (the farthest point is a Voronoi vertex), and so are fill distances. Pools are
left-anchored grids, jittered; their own fill distance enters by a rigorous upper bound, exact without jitter.
"""

from typing import Literal, NamedTuple

import numpy as np
from hypothesis import strategies as st
from jaxtyping import Float

from experiments.hunt import Hunt
from experiments.hunts.lipschitz_pairs import cone_distances, drawn_pair
from experiments.hunts.spread import spread
from experiments.points.voronoi import covering
from theory import greedy_fill
from theory.verdict import Check


class Instance(NamedTuple):
    """num_points of [0,1]^dim, chosen farthest-first from the pool point nearest to `start`.

    half, packing: spread and jittered instead, unless pool_side = 0.  line, crowded: on the interval, as in `gapped`.
    pool_side: grid points a side, 0 for the whole box.  shift, level: as in `drawn_pair`.
    """

    form: Literal["cover", "error", "half", "volume", "packing", "line", "crowded"]
    dim: int
    num_points: int
    pool_side: int
    jitter: float
    start: float
    level: float
    shift: float
    seed: int


class Chosen(NamedTuple):
    """points: (n, d).  pool_fill: at least the fill distance q of the pool."""

    points: Float[np.ndarray, "n d"]
    pool_fill: float


def farthest_first(instance: Instance) -> Chosen:
    """Farthest-first from the box itself or from a pool."""
    dim, side, start = instance.dim, instance.pool_side, np.full((1, instance.dim), instance.start)
    if side == 0:
        points = start
        for _ in range(instance.num_points - 1):
            points = np.concatenate([points, covering(points).farthest[None]])
        return Chosen(points, 0.0)
    ticks = np.arange(side, dtype=float)
    grid = np.stack(np.meshgrid(*[ticks] * dim, indexing="ij"), axis=-1).reshape(-1, dim)
    jitter = 0.5 * instance.jitter  # at 1/2 the last column still lies inside
    pool = (grid + jitter * np.random.default_rng(instance.seed).random(grid.shape)) / (side - 0.5)
    chosen = [int(cone_distances(pool, start)[:, 0].argmin())]
    nearest = cone_distances(pool, pool[chosen])[:, 0]
    for _ in range(instance.num_points - 1):
        chosen.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, cone_distances(pool, pool[chosen[-1:]])[:, 0])
    return Chosen(pool[chosen], (0.5 + jitter) * dim**0.5 / (side - 0.5))


def gapped(instance: Instance) -> Float[np.ndarray, "n 1"]:
    """Points of [0,1] at gaps h plus a random share of the room left, of which `start` goes beyond the last point.

    h is 2 level/(N-1), or that far between the best separations of N + 1 points and of N (crowded).
    """
    count, best = instance.num_points, 1.0 / (instance.num_points - 1)
    least = 1.0 / count if instance.form == "crowded" else 0.0
    h = least + 2.0 * instance.level * (best - least)
    shares = (1.0 - instance.start) * np.random.default_rng(instance.seed).dirichlet(np.ones(count + 1))
    room = max(1.0 - (count - 1) * h, 0.0)
    return np.minimum(np.arange(count) * h + room * np.cumsum(shares[:-1]), 1.0)[:, None]


def check(instance: Instance) -> Check:
    name, dim, count = repr(instance), instance.dim, instance.num_points
    if instance.form in ("line", "crowded"):
        points = gapped(instance)
        h, fill = float(np.diff(points[:, 0]).min()), covering(points).fill_distance
        if instance.form == "crowded":  # more than N + 1 points of [0,1] could have: no room for another
            maximality = h - (1.0 + greedy_fill.ROUNDING) / count
            return greedy_fill.check(fill_distance=fill, separation=h, maximality=maximality, instance=name)
        return greedy_fill.check_line(
            fill_distance=fill, separation=h, true_separation=h, num_points=count, instance=name
        )
    points, pool_fill = farthest_first(instance)
    if instance.form in ("half", "packing") and instance.pool_side > 0:
        points = spread(count, dim, jitter=instance.jitter, seed=instance.seed)
    h = float(cone_distances(points, points)[np.triu_indices(count, 1)].min())
    if instance.form == "volume":
        return greedy_fill.check_volume(
            separation=h, num_points=count, dim=dim, volume=1.0, pool_fill=pool_fill, instance=name
        )
    if instance.form == "packing":
        return greedy_fill.check_packing(
            separation=h, num_points=count, dim=dim, volume=1.0, inradius=0.5, instance=name
        )
    cover = covering(points)
    if instance.form == "half":
        return greedy_fill.check_half(fill_distance=cover.fill_distance, separation=h, instance=name)
    if instance.form == "cover":
        return greedy_fill.check(fill_distance=cover.fill_distance, separation=h, pool_fill=pool_fill, instance=name)
    pair = drawn_pair(
        "cones",
        points,
        lipschitz_f=1.0,
        lipschitz_g=0.5,
        level=instance.level,
        shift=instance.shift,
        seed=instance.seed,
    )
    errors = pair.error(np.concatenate([points, cover.vertices]))
    return greedy_fill.check_error(
        sup_error=float(errors.max()),
        node_error=float(errors[:count].max()),
        lipschitz_f=pair.lipschitz_f,
        lipschitz_g=pair.lipschitz_g,
        separation=h,
        pool_fill=pool_fill,
        instance=name,
        output_scale=1.5 + instance.level,
    )


HUNT = Hunt(
    claim="A4",
    instances=st.builds(
        Instance,
        form=st.sampled_from(("cover", "error", "half", "volume", "packing", "line", "crowded")),
        dim=st.sampled_from((1, 2)),
        num_points=st.integers(2, 6),
        pool_side=st.just(0) | st.integers(8, 14),
        jitter=st.just(0.0) | st.floats(0.0, 1.0),
        start=st.floats(0.0, 1.0),
        level=st.floats(0.01, 0.5),
        shift=st.just(0.0) | st.floats(0.0, 0.1),
        seed=st.integers(0, 2**16),
    ),
    check=check,
    module="experiments.hunts.greedy_fill",
    extremal=(
        Instance("cover", 1, 2, 0, 0.0, 0.5, 0.0, 0.0, 0),
        Instance("cover", 2, 2, 3, 0.0, 0.4, 0.0, 0.0, 0),
        Instance("error", 2, 2, 0, 0.0, 0.5, 0.1, 0.0, 0),
        Instance("half", 1, 5, 8, 0.0, 0.5, 0.0, 0.0, 0),
        Instance("packing", 1, 3, 0, 0.0, 0.0, 0.0, 0.0, 0),
        Instance("line", 1, 4, 0, 0.0, 1.0, 0.3, 0.0, 0),
        Instance("crowded", 1, 4, 0, 0.0, 1.0, 1e-4, 0.0, 0),
        Instance("volume", 1, 6, 0, 0.0, 0.0, 0.0, 0.0, 0),
    ),
)

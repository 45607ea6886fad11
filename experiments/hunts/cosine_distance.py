"""Hunt for counterexamples to the cosine guarantees (D2) on pools of at most 9 vectors of very unequal lengths.

Up to three directions outside the pool are offered to the cover as centres. Equality: a fan of directions in a plane,
the middle one first (dispersion) or an end first (cover).
"""

from typing import Literal, NamedTuple

import numpy as np
from hypothesis import strategies as st
from jaxtyping import Float

from experiments.hunt import Hunt
from experiments.hunts.small_pools import LARGEST_POOL, cover_radii, separations, table_farthest_first
from experiments.points import greedy
from theory import cosine_distance
from theory.cosine_distance import cosine_distances
from theory.verdict import Check

Form = Literal["identity", "triangle", "same choice", "dispersion", "cover"]
Layout = Literal["middle first", "end first", "cap"]


class Instance(NamedTuple):
    """pool_size vectors of R^dim to take `chosen` from, `outsiders` more that may serve as centres of the cover.

    Lengths are exp(spread * normal).  middle first, end first: directions at angles 0, -width, width of one plane in
    that order, or -width, width, 0, then others between them.  cap: normal noise of size `width` about one axis.
    """

    form: Form
    layout: Layout
    dim: int
    pool_size: int
    outsiders: int
    chosen: int
    width: float
    spread: float
    seed: int


def vectors(instance: Instance) -> Float[np.ndarray, "n dim"]:
    """Pool, then outsiders."""
    rng, size = np.random.default_rng(instance.seed), instance.pool_size + instance.outsiders
    directions = np.zeros((size, instance.dim))
    if instance.layout == "cap":
        directions = instance.width * rng.standard_normal(directions.shape)
        directions[:, 0] += 1.0
    else:
        ends = (0.0, -1.0, 1.0) if instance.layout == "middle first" else (-1.0, 1.0, 0.0)
        angles = instance.width * np.append(ends, rng.uniform(-1.0, 1.0, size))[:size]
        directions[:, 0], directions[:, 1] = np.cos(angles), np.sin(angles)
    return np.exp(instance.spread * rng.standard_normal((size, 1))) * directions


def check(instance: Instance) -> Check:
    offered = vectors(instance)
    points = offered[: instance.pool_size]
    unit = points / np.linalg.norm(points, axis=1, keepdims=True)
    if instance.form == "identity":
        return cosine_distance.check_identity(points[0], points[-1], scaled=unit[[0, -1]], instance=repr(instance))
    if instance.form == "triangle":
        return cosine_distance.check_triangle(points[[0, 2, 1]], instance=repr(instance))
    table = cosine_distances(points, points)
    if instance.form == "same choice":
        order = table_farthest_first(table, instance.chosen)
        return cosine_distance.check_choice(points, order, scaled=unit, instance=repr(instance))
    order = greedy.farthest_first(unit, instance.chosen)
    if instance.form == "dispersion":
        optimum = float(separations(table, instance.chosen).max())
        return cosine_distance.check_dispersion(points, order, optimum=optimum, instance=repr(instance))
    optimum = float(cover_radii(cosine_distances(points, offered), instance.chosen).min())
    return cosine_distance.check_cover(points, order, optimum=optimum, instance=repr(instance))


HUNT = Hunt(
    claim="D2",
    instances=st.builds(
        Instance,
        form=st.sampled_from(("identity", "triangle", "same choice", "dispersion", "cover")),
        layout=st.sampled_from(("middle first", "end first", "cap")),
        dim=st.sampled_from((2, 3, 16)),
        pool_size=st.integers(4, LARGEST_POOL),
        outsiders=st.integers(0, 3),
        chosen=st.integers(2, 4),
        width=st.floats(0.03, 1.5),
        spread=st.floats(0.0, 3.0),
        seed=st.integers(0, 2**16),
    ),
    check=check,
    module="experiments.hunts.cosine_distance",
    extremal=(
        Instance("identity", "middle first", 3, 4, 0, 2, 1.0, 2.0, 0),
        Instance("triangle", "end first", 3, 4, 0, 2, 0.03, 2.0, 0),
        Instance("same choice", "cap", 3, 8, 0, 4, 1.0, 2.0, 0),
        Instance("dispersion", "middle first", 2, 3, 0, 2, 1.0, 2.0, 0),
        Instance("cover", "end first", 2, 3, 0, 1, 1.0, 2.0, 0),
        Instance("cover", "end first", 2, 2, 1, 1, 1.0, 2.0, 0),
    ),
)

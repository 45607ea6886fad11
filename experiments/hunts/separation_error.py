"""Hunt against A3: error functions with given node error, sup and Lipschitz constant whose integral is too large.

e = min(base + L dist(., Z), M), whose integral is exact (Voronoi cells of Z). With Z = X it is the largest function
that the hypotheses on all of Omega allow for these points; otherwise eps is what e has at the points. The points are
spread, then shrunk towards the middle until the balls of radius h/2 just fit into [0,1]^d.
Equality: shift = 0 and steepness >= 1, in every dimension.
"""

from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st
from jaxtyping import Float

from experiments.hunt import Hunt
from experiments.hunts.lipschitz_pairs import cone_distances
from experiments.hunts.spread import spread
from experiments.points.voronoi import hat_integral
from theory import separation_error
from theory.verdict import Check


class Instance(NamedTuple):
    """num_points of [0,1]^dim; cones about centres Z that lie `shift` separations from the points.

    steepness: L (h/2) over M - base; from 1 on the cones about the points meet M within their balls.
    share: base over M = `sup`.
    """

    dim: int
    num_points: int
    jitter: float
    steepness: float
    sup: float
    share: float
    shift: float
    seed: int


def inner_points(instance: Instance) -> tuple[Float[np.ndarray, "n d"], float]:
    """Points whose balls of radius h/2 fit into the box, and their separation h (1 for a single point)."""
    points = spread(instance.num_points, instance.dim, jitter=instance.jitter, seed=instance.seed)
    h = _separation(points)
    shrunk = 1.0 if np.isinf(h) else h / (1.0 + h)  # h of the box [h/2, 1 - h/2]
    points = 0.5 + (1.0 - shrunk) * (points - 0.5)
    return points, min(_separation(points), 1.0)


def check(instance: Instance) -> Check:
    points, h = inner_points(instance)
    moves = np.random.default_rng(instance.seed).standard_normal(points.shape)
    centres = np.clip(points + instance.shift * h * moves, 0.0, 1.0)
    base = instance.share * instance.sup
    lipschitz = instance.steepness * (instance.sup - base) / (0.5 * h)
    missing = lipschitz * hat_integral(centres, (instance.sup - base) / lipschitz)
    node_error = base + lipschitz * float(cone_distances(points, centres).min(axis=1).max())
    return separation_error.check(
        integral=max(instance.sup - missing, 0.0),
        separation=h,
        num_points=len(points),
        dim=instance.dim,
        volume=1.0,
        lipschitz=lipschitz,
        sup_error=instance.sup,
        node_error=min(node_error, instance.sup),
        true_separation=_separation(points),
        boundary_distance=float(np.minimum(points, 1.0 - points).min()),
        instance=repr(instance),
    )


def _separation(points: Float[np.ndarray, "n d"]) -> float:
    return float((cone_distances(points, points) + np.diag(np.full(len(points), np.inf))).min())


HUNT = Hunt(
    claim="A3",
    instances=st.builds(
        Instance,
        dim=st.sampled_from((1, 2)),
        num_points=st.integers(1, 7),
        jitter=st.floats(0.0, 0.7),
        steepness=st.floats(0.1, 3.0),
        sup=st.floats(0.1, 1.0),
        share=st.just(0.0) | st.floats(0.0, 0.9),
        shift=st.just(0.0) | st.floats(0.0, 0.3),
        seed=st.integers(0, 2**16),
    ),
    check=check,
    module="experiments.hunts.separation_error",
    extremal=(
        Instance(1, 3, 0.0, 1.0, 0.4, 0.0, 0.0, 0),
        Instance(2, 1, 0.0, 1.0, 0.5, 0.5, 0.0, 0),
        Instance(2, 5, 0.3, 2.0, 0.5, 0.2, 0.0, 0),
    ),
)

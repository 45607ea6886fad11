"""Hunt against A3: error functions with given node error, sup and Lipschitz constant whose integral is too large.

The points are spread, then shrunk towards the middle until the balls of radius h/2 just fit into [0,1]^d. The integral
enters by a rigorous lower bound. Equality: shift = 0, where e = min(eps + L dist(., X), M), if L h / 2 >= M - eps.
"""

from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st
from jaxtyping import Float

from experiments.hunt import Hunt
from experiments.hunts.cubature import integral_floor
from experiments.hunts.lipschitz_pairs import Function, cone_distances, lower_cones
from experiments.hunts.spread import spread
from theory import separation_error
from theory.verdict import Check


class Instance(NamedTuple):
    """num_points of [0,1]^dim; e is the extremal function, cut down by cones whose centres and heights are `shift`ed.

    share: node error over sup.
    """

    dim: int
    num_points: int
    jitter: float
    lipschitz: float
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


def error_function(instance: Instance, points: Float[np.ndarray, "n d"]) -> Function:
    """e with Lipschitz constant L, |e| <= M on the box and |e| <= eps at the points."""
    rng = np.random.default_rng(instance.seed)
    centres = points + instance.shift * rng.standard_normal(points.shape)
    heights = instance.sup * (1.0 + 10.0 * instance.shift * rng.standard_normal(len(points)))
    cut = lower_cones(centres, heights, instance.lipschitz)

    def error(x: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        cone = instance.share * instance.sup + instance.lipschitz * cone_distances(x, points).min(axis=1)
        cap = np.minimum(cone, instance.sup)
        return np.clip(cut(x), -cap, cap)

    return error


def check(instance: Instance) -> Check:
    points, h = inner_points(instance)
    error = error_function(instance, points)
    integral = integral_floor(lambda x: np.abs(error(x)), dim=instance.dim, lipschitz=instance.lipschitz)
    return separation_error.check(
        integral=max(integral, 0.0),
        separation=h,
        num_points=len(points),
        dim=instance.dim,
        volume=1.0,
        lipschitz=instance.lipschitz,
        sup_error=instance.sup,
        node_error=instance.share * instance.sup,
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
        lipschitz=st.floats(0.1, 8.0),
        sup=st.floats(0.1, 1.0),
        share=st.just(0.0) | st.floats(0.0, 0.9),
        shift=st.just(0.0) | st.floats(0.0, 0.1),
        seed=st.integers(0, 2**16),
    ),
    check=check,
    module="experiments.hunts.separation_error",
    extremal=(
        Instance(1, 3, 0.0, 4.0, 0.4, 0.0, 0.0, 0),
        Instance(2, 1, 0.0, 1.0, 0.5, 0.5, 0.0, 0),
    ),
)

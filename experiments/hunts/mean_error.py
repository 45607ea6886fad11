"""Hunt against A2: integrals of |f - g| above their ceiling, point sets whose mean distance is below its floor.

D_1 is exact (Voronoi cells); int |f - g| enters by a rigorous lower bound (midpoint rule less its largest error), which
cannot make a violation. Equality: cones with shift = 0 in one dimension; midpoints of equal parts.
"""

from typing import Literal, NamedTuple

from hypothesis import strategies as st

from experiments.cubature import integral_floor
from experiments.hunt import Hunt
from experiments.hunts.lipschitz_pairs import Kind, drawn_pair
from experiments.hunts.spread import spread
from experiments.points.voronoi import covering
from theory import mean_error
from theory.verdict import Check


class Instance(NamedTuple):
    """num_points of [0,1]^dim, spread and jittered; `form` says which of the two inequalities is checked."""

    form: Literal["error", "distance"]
    kind: Kind
    dim: int
    num_points: int
    jitter: float
    lipschitz_f: float
    lipschitz_g: float
    level: float
    shift: float
    seed: int


def check(instance: Instance) -> Check:
    points = spread(instance.num_points, instance.dim, jitter=instance.jitter, seed=instance.seed)
    cover = covering(points)
    if instance.form == "distance":
        return mean_error.check_distance(
            mean_distance=cover.mean_distance,
            num_points=len(points),
            dim=instance.dim,
            volume=1.0,
            instance=repr(instance),
        )
    pair = drawn_pair(
        instance.kind,
        points,
        lipschitz_f=instance.lipschitz_f,
        lipschitz_g=instance.lipschitz_g,
        level=instance.level,
        shift=instance.shift,
        seed=instance.seed,
    )
    integral = integral_floor(pair.error, dim=instance.dim, lipschitz=pair.lipschitz_f + pair.lipschitz_g)
    return mean_error.check(
        integral=max(integral, 0.0),
        node_error=float(pair.error(points).max()),
        lipschitz_f=pair.lipschitz_f,
        lipschitz_g=pair.lipschitz_g,
        mean_distance=cover.mean_distance,
        volume=1.0,
        instance=repr(instance),
        output_scale=instance.level + instance.lipschitz_f + instance.lipschitz_g,
    )


HUNT = Hunt(
    claim="A2",
    instances=st.builds(
        Instance,
        form=st.sampled_from(("error", "distance")),
        kind=st.sampled_from(("cones", "cones", "network")),
        dim=st.sampled_from((1, 2)),
        num_points=st.integers(1, 7),
        jitter=st.floats(0.0, 1.0),
        lipschitz_f=st.floats(0.1, 4.0),
        lipschitz_g=st.floats(0.1, 4.0),
        level=st.floats(0.0, 0.5),
        shift=st.just(0.0) | st.floats(0.0, 0.1),
        seed=st.integers(0, 2**16),
    ),
    check=check,
    module="experiments.hunts.mean_error",
    extremal=(
        Instance("error", "cones", 1, 2, 0.0, 1.0, 1.0, 0.25, 0.0, 0),
        Instance("distance", "cones", 1, 5, 0.0, 1.0, 1.0, 0.0, 0.0, 0),
    ),
)

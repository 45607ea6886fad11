"""Hunt for pairs of Lipschitz functions farther apart than A1 allows: cones and networks on interval and square.

The fill distance is exact (Voronoi cells); the sup is taken over the cells' vertices, the points and random probes, so
it errs low and cannot make a violation. Equality: kind = "cones", shift = 0.
"""

from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

from experiments.hunt import Hunt
from experiments.hunts.lipschitz_pairs import Kind, drawn_pair
from experiments.hunts.spread import spread
from experiments.points.voronoi import covering
from theory import sup_error
from theory.verdict import Check

_PROBES = 64


class Instance(NamedTuple):
    """num_points of [0,1]^dim, spread and jittered; a pair of functions as in `drawn_pair`."""

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
    pair = drawn_pair(
        instance.kind,
        points,
        lipschitz_f=instance.lipschitz_f,
        lipschitz_g=instance.lipschitz_g,
        level=instance.level,
        shift=instance.shift,
        seed=instance.seed,
    )
    cover = covering(points)
    probes = np.random.default_rng(instance.seed).random((_PROBES, instance.dim))
    errors = pair.error(np.concatenate([points, cover.vertices, probes]))
    return sup_error.check(
        sup_error=float(errors.max()),
        node_error=float(errors[: len(points)].max()),
        lipschitz_f=pair.lipschitz_f,
        lipschitz_g=pair.lipschitz_g,
        fill_distance=cover.fill_distance,
        instance=repr(instance),
        output_scale=instance.level + instance.lipschitz_f + instance.lipschitz_g,
    )


HUNT = Hunt(
    claim="A1",
    instances=st.builds(
        Instance,
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
    module="experiments.hunts.sup_error",
    extremal=(
        Instance("cones", 1, 3, 0.0, 1.0, 1.0, 0.25, 0.0, 0),
        Instance("cones", 2, 5, 0.5, 2.0, 0.5, 0.0, 0.0, 1),
    ),
)

"""Hunt for sets on [0,1] that cover better, or worse, than their separation allows (A6).

Points of separation exactly h: every gap is h plus a share of the room left, one gap has none. Errors are broken lines
of slopes +-Lam that vanish on the points: f = dist(., X) Lam share, g = -dist(., X) Lam (1 - share) is the worst pair.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import hypothesis.strategies as st
import numpy as np
from jaxtyping import Float

from experiments.hunt import Hunt
from theory import separation_is_not_coverage
from theory.separation_is_not_coverage import best_points
from theory.verdict import Check


class Instance(NamedTuple):
    """fraction: h (N-1).  room: where the length 1 - (N-1) h goes.  cone: share of the worst pair's error in the pair
    of the ceiling, the rest being teeth that turn back early."""

    form: Literal["floor", "ceiling"]
    num_points: int
    fraction: float
    room: Literal["best", "one end", "one gap", "random"]
    cone: float
    total_slope: float
    seed: int


def place(instance: Instance) -> Float[np.ndarray, " N"]:
    """Points of [0,1] at separation fraction / (N-1)."""
    count, rng = instance.num_points, np.random.default_rng(instance.seed)
    separation = instance.fraction / (count - 1)
    if instance.room == "best":
        return best_points(separation, count)
    shares = np.zeros(count + 1)  # left end, N - 1 gaps, right end
    if instance.room == "random":
        shares[:] = rng.dirichlet(np.full(count + 1, 0.5))
        shares[1 + rng.integers(count - 1)] = 0.0  # this gap stays h
        shares /= shares.sum()
    elif instance.room == "one gap" and count > 2:
        shares[1] = 1.0
    else:
        shares[-1] = 1.0
    pieces = shares * (1.0 - instance.fraction)
    pieces[1:-1] += separation
    return np.clip(np.cumsum(pieces)[:-1], 0.0, 1.0)


def check(instance: Instance) -> Check:
    points = place(instance)
    separation = instance.fraction / (instance.num_points - 1)
    pieces = np.diff(np.concatenate([[0.0], points, [1.0]]))
    reach = np.concatenate([pieces[:1], 0.5 * pieces[1:-1], pieces[-1:]])  # of dist(., X) on each piece of [0,1]
    if instance.form == "floor":
        return separation_is_not_coverage.check_floor(
            float(instance.total_slope * reach.max()),
            points,
            separation=separation,
            total_slope=instance.total_slope,
            instance=repr(instance),
        )
    teeth = instance.cone + (1.0 - instance.cone) * np.random.default_rng(instance.seed + 1).random(reach.size)
    return separation_is_not_coverage.check_ceiling(
        float(instance.total_slope * np.max(teeth * reach)),
        points,
        separation=separation,
        total_slope=instance.total_slope,
        instance=repr(instance),
    )


def check_many(instances: Sequence[Instance]) -> list[Check]:
    return [check(instance) for instance in instances]


HUNT = Hunt(
    claim="A6",
    instances=st.builds(
        Instance,
        form=st.sampled_from(("floor", "ceiling")),
        num_points=st.integers(2, 30),
        fraction=st.floats(0.0, 1.0),
        room=st.sampled_from(("best", "one end", "one gap", "random")),
        cone=st.just(1.0) | st.floats(0.0, 1.0),
        total_slope=st.floats(0.01, 100.0),
        seed=st.integers(0, 2**16),
    ),
    check=check,
    module="experiments.hunts.separation_is_not_coverage",
    check_many=check_many,
    extremal=(
        Instance("floor", 2, 1.0, "best", cone=1.0, total_slope=1.0, seed=0),
        Instance("floor", 2, 0.5, "best", cone=1.0, total_slope=1.0, seed=0),
        Instance("floor", 7, 0.3, "best", cone=1.0, total_slope=1.0, seed=0),
        Instance("floor", 7, 0.95, "best", cone=1.0, total_slope=1.0, seed=0),
        Instance("ceiling", 7, 0.3, "one end", cone=1.0, total_slope=1.0, seed=0),
        Instance("ceiling", 7, 0.95, "one gap", cone=1.0, total_slope=1.0, seed=0),
        Instance("ceiling", 2, 0.5, "one end", cone=1.0, total_slope=1.0, seed=0),
    ),
)

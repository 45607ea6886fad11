"""Hunt for counterexamples to the limit law's band (S2) where P(h_min > t) is known in closed form.

The gaps of N uniform points on the circle of circumference 1 are uniform on a simplex: P(h_min > t) = (1-Nt)_+^(N-1).
Two uniform points of the torus in any dimension: P(h_min > t) = 1 - V_d t^d, t <= 1/2.
N uniform points of [0,1], where only the lower side in u is a theorem: P(h_min > t) = (1-(N-1)t)_+^N.
Equality: two points on the torus; two points of [0,1] as share tends to 0.
"""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import hypothesis.strategies as st

from experiments.hunt import Hunt
from theory import limit_law
from theory.ball import unit_ball_volume
from theory.confidence import Interval
from theory.verdict import Check


class Instance(NamedTuple):
    """N = num_points on the circle or the interval (dim 1), else two; u is `share` of its value at the largest t."""

    num_points: int
    dim: int
    share: float
    domain: Literal["torus", "interval"] = "torus"


def exact_survival(instance: Instance) -> tuple[float, float]:
    """(t, P(h_min > t)), t^dim a fraction `share` of its value at t = 1/N (circle), 1/(N-1) (interval) or 1/2."""
    if instance.domain == "interval":
        return instance.share / (instance.num_points - 1), math.exp(instance.num_points * math.log1p(-instance.share))
    if instance.dim == 1:
        separation = instance.share / instance.num_points
        return separation, math.exp((instance.num_points - 1) * math.log1p(-instance.share))
    separation = 0.5 * instance.share ** (1.0 / instance.dim)
    return separation, 1.0 - unit_ball_volume(instance.dim) * separation**instance.dim


def check(instance: Instance) -> Check:
    separation, survival = exact_survival(instance)
    if instance.domain == "interval":
        return limit_law.check_floor(
            survival, separation, instance.num_points, dim=1, density_norm_sq=1.0, instance=repr(instance)
        )
    num_points = instance.num_points if instance.dim == 1 else 2
    return limit_law.check(
        Interval(survival, survival), separation, num_points, dim=instance.dim, instance=repr(instance)
    )


def _instance(num_points: int, dim: int, share: float, domain: Literal["torus", "interval"]) -> Instance:
    """On the interval u = N share up to 3: far beyond, the floor is 0."""
    return Instance(num_points, dim, share if domain == "torus" else share * min(1.0, 3.0 / num_points), domain)


def check_many(instances: Sequence[Instance]) -> list[Check]:
    return [check(instance) for instance in instances]


HUNT = Hunt(
    claim="S2",
    instances=st.builds(
        _instance,
        num_points=st.one_of(st.integers(2, 12), st.integers(2, 10_000)),
        dim=st.integers(1, 4),
        share=st.floats(1e-3, 0.999),
        domain=st.sampled_from(("torus", "interval")),
    ),
    check=check,
    module="experiments.hunts.limit_law",
    check_many=check_many,
    extremal=(
        *(Instance(2, dim, share) for dim in (1, 2, 3, 4) for share in (0.1, 0.9)),
        Instance(2, 1, 1e-3, "interval"),
    ),
)

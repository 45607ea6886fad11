"""Hunt for counterexamples to the limit law's band (S2) where P(h_min > t) is known in closed form.

The gaps of N uniform points on the circle of circumference 1 are uniform on a simplex: P(h_min > t) = (1-Nt)_+^(N-1).
Two uniform points of the torus in any dimension: P(h_min > t) = 1 - V_d t^d, t <= 1/2.
"""

import math
from typing import NamedTuple

import hypothesis.strategies as st

from experiments.hunt import Hunt
from theory import limit_law
from theory.ball import unit_ball_volume
from theory.confidence import Interval
from theory.verdict import Check


class Instance(NamedTuple):
    """N = num_points on the circle when dim is 1, else two points; u is `share` of its value at the largest t."""

    num_points: int
    dim: int
    share: float


def exact_survival(instance: Instance) -> tuple[float, float]:
    """(t, P(h_min > t)), t^dim a fraction `share` of its value at t = 1/N (circle) or 1/2 (two points)."""
    if instance.dim == 1:
        separation = instance.share / instance.num_points
        return separation, math.exp((instance.num_points - 1) * math.log1p(-instance.share))
    separation = 0.5 * instance.share ** (1.0 / instance.dim)
    return separation, 1.0 - unit_ball_volume(instance.dim) * separation**instance.dim


def check(instance: Instance) -> Check:
    separation, survival = exact_survival(instance)
    num_points = instance.num_points if instance.dim == 1 else 2
    return limit_law.check(
        Interval(survival, survival), separation, num_points, dim=instance.dim, instance=repr(instance)
    )


HUNT = Hunt(
    claim="S2",
    instances=st.builds(
        Instance,
        num_points=st.one_of(st.integers(2, 12), st.integers(2, 10_000)),
        dim=st.integers(1, 4),
        share=st.floats(1e-3, 0.999),
    ),
    check=check,
    module="experiments.hunts.limit_law",
)

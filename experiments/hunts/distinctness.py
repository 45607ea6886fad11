"""Hunt for residual layers that merge points more often than N4 allows; every probability is exact, nothing is sampled.

Branch b(x) = -(1 - mix) x + mix W sigma(V x). On [0, S] the scales at which a pair is within delta of its old distance
form one interval, the roots of a quadratic; their union over pairs is measured. For a Gaussian W the squared distance
of two images is a noncentral chi-square variable; the sum of the pairs' probabilities, at least that of their union,
is held against the bound.
"""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import hypothesis.strategies as st
import numpy as np
from jaxtyping import Float
from scipy.special import chndtr

from experiments.hunt import Hunt
from experiments.hunts.nondegeneracy import VALUES, Activation
from theory import distinctness
from theory.verdict import Check

_SCALES = np.tan(np.linspace(-0.5 * np.pi, 0.5 * np.pi, 66)[1:-1])
_CHI_SQUARE_ERROR = 1e-9
"""Relative, of scipy's chndtr up to 10 deviations; the tests hold it against quadrature in 1 and 3 dimensions."""


class Instance(NamedTuple):
    """strength: the first pair's a in units of S/(1 + delta); Gaussian: its distance over tau |ds|, over the worst."""

    form: Literal["collapse", "scale", "free scale", "Gaussian"]
    activation: Activation
    num_points: int
    dim: int
    hidden: int
    mix: float
    shrinkage: float
    strength: float
    seed: int


class Pairs(NamedTuple):
    """Differences over all pairs i < j, of the points and of their branches."""

    points: Float[np.ndarray, "pairs n"]
    branches: Float[np.ndarray, "pairs n"]


def pairs_of(values: Float[np.ndarray, "N n"]) -> Float[np.ndarray, "pairs n"]:
    first, second = np.triu_indices(len(values), 1)
    return values[first] - values[second]


def merging_probability(pairs: Pairs, *, largest_scale: float, shrinkage: float) -> float:
    """P(|dx + t db| < delta |dx| for some pair), t uniform on [0, S]: the length of a union of intervals over S."""
    squares = np.sum(pairs.branches**2, axis=1)
    distances = np.sum(pairs.points**2, axis=1)
    along = -np.sum(pairs.points * pairs.branches, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        # the part of dx off db, formed without cancellation
        off = pairs.points + (along / squares)[:, None] * pairs.branches
        half = np.sqrt((shrinkage**2 * distances - np.sum(off**2, axis=1)) / squares)
        centre = along / squares
    real = np.isfinite(half) & np.isfinite(centre)
    starts = np.clip(centre[real] - half[real], 0.0, largest_scale)
    ends = np.clip(centre[real] + half[real], 0.0, largest_scale)
    covered, reach = 0.0, 0.0
    for start, end in sorted(zip(starts.tolist(), ends.tolist())):
        covered += max(end - max(start, reach), 0.0)
        reach = max(reach, end)
    return covered / largest_scale


def collapse_count(points: Float[np.ndarray, " N"], branches: Float[np.ndarray, " N"]) -> int:
    """How often two of N points of a line change their order as t rises: each change is a collapse."""
    images = points + _SCALES[:, None] * branches
    first, second = np.triu_indices(len(points), 1)
    order = np.sign(images[:, first] - images[:, second])
    return int(np.sum(order[1:] * order[:-1] < 0.0))


def check(instance: Instance) -> Check:
    rng = np.random.default_rng(instance.seed)
    count, dim, hidden, shrinkage = instance.num_points, instance.dim, instance.hidden, instance.shrinkage
    points = rng.standard_normal((count, dim))
    inner, outer = rng.standard_normal((hidden, dim)), rng.standard_normal((dim, hidden)) / np.sqrt(hidden)
    if instance.form == "collapse":  # the points on a line, the branch along it: what merges most
        line = rng.standard_normal(dim)
        line /= np.linalg.norm(line)
        places = points[:, 0]
        states = VALUES[instance.activation](np.outer(places, inner @ line) + rng.standard_normal(hidden))
        return distinctness.check_collapse(
            collapse_count(places, states @ outer[0]), count, smallest_distance=_least(points), instance=repr(instance)
        )
    states = VALUES[instance.activation](points @ inner.T)
    if instance.form == "Gaussian":
        return _check_gaussian(instance, pairs_of(points), pairs_of(states))
    branches = instance.mix * states @ outer.T - (1.0 - instance.mix) * points
    pairs = Pairs(pairs_of(points), pairs_of(branches))
    with np.errstate(divide="ignore"):
        ratios = np.linalg.norm(pairs.points, axis=1) / np.linalg.norm(pairs.branches, axis=1)
    nearest = float(ratios[0]) if np.isfinite(ratios[0]) else 1.0
    largest_scale = nearest * (1.0 + shrinkage) / instance.strength
    return distinctness.check_scale(
        merging_probability(pairs, largest_scale=largest_scale, shrinkage=shrinkage),
        count,
        shrinkage=shrinkage,
        ratios=ratios if instance.form == "scale" else None,
        largest_scale=largest_scale,
        smallest_distance=_least(points),
        # where a pair just grazes delta its root loses half the digits, but its interval is then far from the bound's
        rounding=1e-14 * count**2,
        instance=repr(instance),
    )


def _check_gaussian(
    instance: Instance, points: Float[np.ndarray, "pairs n"], states: Float[np.ndarray, "pairs hidden"]
) -> Check:
    distances, gaps = np.linalg.norm(points, axis=1), np.linalg.norm(states, axis=1)
    worst = math.sqrt(instance.dim) / (1.0 - instance.shrinkage)
    deviation = float(distances[0] / (instance.strength * worst))  # tau |ds| of the first pair
    deviations = deviation * gaps / gaps[0] if gaps[0] > 0.0 else np.zeros_like(gaps)
    seen = deviations > 0.1 * distances  # beyond, chndtr loses its digits; such pairs count as never, a lower bound
    size = (distances[seen] / deviations[seen]) ** 2
    probability = float(np.sum(chndtr(instance.shrinkage**2 * size, float(instance.dim), size)))
    return distinctness.check_gaussian(
        probability,
        instance.num_points,
        shrinkage=instance.shrinkage,
        dim=instance.dim,
        smallest_distance=float(distances.min()),
        rounding=_CHI_SQUARE_ERROR * probability,
        instance=repr(instance),
    )


def _least(points: Float[np.ndarray, "N n"]) -> float:
    return float(np.linalg.norm(pairs_of(points), axis=1).min())


def check_many(instances: Sequence[Instance]) -> list[Check]:
    return [check(instance) for instance in instances]


HUNT = Hunt(
    claim="N4",
    instances=st.builds(
        Instance,
        form=st.sampled_from(("collapse", "scale", "free scale", "Gaussian")),
        activation=st.sampled_from(("tanh", "sin", "relu")),
        num_points=st.sampled_from((2, 2, 3, 6)),
        dim=st.integers(1, 6),
        hidden=st.sampled_from((1, 3, 16)),
        mix=st.just(0.0) | st.floats(0.0, 1.0),
        shrinkage=st.floats(1e-4, 0.5) | st.floats(1e-4, 1e-2),
        strength=st.just(1.0) | st.floats(0.2, 5.0),
        seed=st.integers(0, 2**16),
    ),
    check=check,
    module="experiments.hunts.distinctness",
    check_many=check_many,
    extremal=(
        Instance("collapse", "tanh", 6, 1, hidden=16, mix=1.0, shrinkage=0.5, strength=1.0, seed=0),
        Instance("scale", "tanh", 2, 3, hidden=3, mix=0.0, shrinkage=0.3, strength=0.4, seed=0),
        Instance("scale", "tanh", 2, 1, hidden=3, mix=0.0, shrinkage=0.1, strength=1.05, seed=0),
        Instance("free scale", "tanh", 2, 4, hidden=3, mix=0.0, shrinkage=0.2, strength=1.0, seed=0),
        Instance("Gaussian", "tanh", 2, 2, hidden=3, mix=1.0, shrinkage=1e-4, strength=1.0, seed=0),
        Instance("Gaussian", "sin", 2, 5, hidden=3, mix=1.0, shrinkage=1e-4, strength=1.0, seed=0),
    ),
)

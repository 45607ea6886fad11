"""Hunt for point sets above the packing ceiling (S4): known optima, shaken, and greedy sets, in the three domains."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import hypothesis.strategies as st
import numpy as np
from jaxtyping import Float

from experiments.hunt import Hunt
from theory import packing_ceiling
from theory.packing_ceiling import Domain
from theory.verdict import Check

_CANDIDATES = 256


class Instance(NamedTuple):
    """num_points of [0,1]^dim, the torus or S^(dim-1): regular or greedy, then normal noise of size `shake`."""

    domain: Domain
    num_points: int
    dim: int
    regular: bool
    shake: float
    seed: int


def distances(
    points: Float[np.ndarray, "n d"], others: Float[np.ndarray, "m d"], domain: Domain
) -> Float[np.ndarray, "n m"]:
    """Distances in the domain: Euclidean, or wrapped with period 1 on the torus."""
    steps = np.abs(points[:, None] - others[None])
    if domain == "torus":
        steps = np.minimum(steps, 1.0 - steps)
    return np.sqrt((steps**2).sum(axis=-1))


def separation(points: Float[np.ndarray, "n d"], domain: Domain) -> float:
    table = distances(points, points, domain)
    return float(table[np.triu_indices(len(points), 1)].min())


def arrange(instance: Instance) -> Float[np.ndarray, "n d"]:
    """The instance's points, inside their domain."""
    rng = np.random.default_rng(instance.seed)
    points = _regular(instance) if instance.regular else _greedy(instance, rng)
    points = points + instance.shake * rng.standard_normal(points.shape)
    return _into_domain(points, instance.domain)


def _regular(instance: Instance) -> Float[np.ndarray, "n d"]:
    """Evenly spaced along the line or the circle; else corners of the cube, or simplex / cross-polytope / circle."""
    count, dim, domain = instance.num_points, instance.dim, instance.domain
    if domain == "sphere" and dim == 2:
        angles = 2.0 * np.pi * np.arange(count) / count
        return np.stack([np.cos(angles), np.sin(angles)], axis=1)
    if domain == "sphere":
        axes = np.concatenate([np.eye(dim), -np.eye(dim)])
        if count <= dim:
            return np.eye(count, dim) - np.eye(count, dim).mean(axis=0)
        return np.tile(axes, (-(-count // (2 * dim)), 1))[:count]
    if dim == 1:
        return np.linspace(0.0, 1.0, count, endpoint=domain == "cube")[:, None]
    corners = np.array(list(itertools.product((0.0, 1.0), repeat=dim)))
    corners = corners[np.argsort(corners.sum(axis=1) % 2, kind="stable")]  # even corners first, then odd ones
    corners = np.tile(corners, (-(-count // len(corners)), 1))[:count]
    if count == 2:
        corners = np.array([np.zeros(dim), np.ones(dim)])
    return corners if domain == "cube" else 0.5 * corners


def _greedy(instance: Instance, rng: np.random.Generator) -> Float[np.ndarray, "n d"]:
    """Farthest-first choice from uniform candidates."""
    pool = rng.random((_CANDIDATES, instance.dim))
    if instance.domain == "sphere":
        pool = _into_domain(rng.standard_normal(pool.shape), "sphere")
    chosen = [0]
    nearest = distances(pool, pool[:1], instance.domain)[:, 0]
    for _ in range(instance.num_points - 1):
        chosen.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, distances(pool, pool[chosen[-1:]], instance.domain)[:, 0])
    return pool[chosen]


def _into_domain(points: Float[np.ndarray, "n d"], domain: Domain) -> Float[np.ndarray, "n d"]:
    if domain == "torus":
        return points % 1.0
    if domain == "cube":
        return np.clip(points, 0.0, 1.0)
    return points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-300)


def check(instance: Instance) -> Check:
    return packing_ceiling.check(
        separation(arrange(instance), instance.domain),
        instance.num_points,
        dim=instance.dim,
        domain=instance.domain,
        instance=repr(instance),
    )


def check_many(instances: Sequence[Instance]) -> list[Check]:
    return [check(instance) for instance in instances]


HUNT = Hunt(
    claim="S4",
    instances=st.builds(
        Instance,
        domain=st.sampled_from(("cube", "torus", "sphere")),
        num_points=st.integers(2, 30),
        dim=st.integers(2, 6),
        regular=st.booleans(),
        shake=st.one_of(st.just(0.0), st.floats(0.0, 0.2)),
        seed=st.integers(0, 2**16),
    ),
    check=check,
    module="experiments.hunts.packing_ceiling",
    check_many=check_many,
    extremal=(
        Instance("cube", 8, 1, True, 0.0, seed=0),
        Instance("cube", 2, 5, True, 0.0, seed=0),
        Instance("cube", 4, 3, True, 0.0, seed=0),
        Instance("torus", 7, 1, True, 0.0, seed=0),
        Instance("torus", 2, 3, True, 0.0, seed=0),
        Instance("sphere", 4, 5, True, 0.0, seed=0),
        Instance("sphere", 8, 4, True, 0.0, seed=0),
        Instance("sphere", 9, 2, True, 0.0, seed=0),
    ),
)

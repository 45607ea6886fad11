"""Hunt for counterexamples to bi-Lipschitz features: residual tanh chains, and tau_eps, on three points of R^3.

Branches are W tanh(V x + b) with |V| = gain and |W| |V| = constant exactly, W between +-V^T (`alignment`) and another
matrix; small gains make them linear.  Everything in numpy, and in JAX for the ascent.
Equality in the limit: alignment = -1 (floor), +1 (ceiling) with gain -> 0; tau_eps on a ray near |x| = R, and near 0.
"""

from collections.abc import Sequence
from itertools import combinations
from types import ModuleType
from typing import Any, Literal, NamedTuple

import jax.numpy as jnp
import numpy as np
from hypothesis import strategies as st
from jaxtyping import Array, Float

from experiments.ascent import Ascent
from experiments.hunt import Hunt
from theory import bi_lipschitz
from theory.bi_lipschitz import normalisation_constants, residual_constants
from theory.verdict import Check

DIM, NUM_POINTS, DEPTH = 3, 3, 4


class Instance(NamedTuple):
    """A chain of `depth` equal constants on three points, or their normalisation; `side` is the side checked."""

    form: Literal["separation", "singular value", "normalisation"]
    side: bi_lipschitz.Side
    depth: int
    constant: float
    gain: float
    alignment: float
    eps: float
    points: tuple[tuple[float, ...], ...]
    seed: int


def layer(instance: Instance, index: int, xp: ModuleType = np) -> tuple[Any, Any, Any]:
    """W and V of operator norm 1, and b: at alignment +-1 W = +-V^T, a reflection, and b = 0.

    The other entries are cosines of multiples of the seed, so that the ascent can trace it.
    """
    numbers = xp.cos((instance.seed + 1.0) * (1.0 + xp.arange(DIM * (DIM + 2))) + index)
    mirror, bias, other = numbers[:DIM], numbers[DIM : 2 * DIM], numbers[2 * DIM :].reshape(DIM, DIM)
    inner = xp.eye(DIM) - 2.0 * xp.outer(mirror, mirror) / (mirror @ mirror)
    share = 1.0 - abs(instance.alignment)
    outer = instance.alignment * inner.T + share * other
    return outer / xp.linalg.norm(outer, 2), inner, share * bias


def constants(instance: Instance, xp: ModuleType = np) -> Any:
    """c_l of DEPTH layers, 0 from layer `depth` on."""
    return xp.where(xp.arange(DEPTH) < instance.depth, instance.constant, 0.0)


def features(instance: Instance, points: Any, xp: ModuleType = np) -> Any:
    """The chain's output at the points (n, 3)."""
    for index, constant in enumerate(constants(instance, xp)):
        outer, inner, bias = layer(instance, index, xp)
        points = points + constant / instance.gain * xp.tanh(instance.gain * points @ inner.T + bias) @ outer.T
    return points


def jacobian(instance: Instance, point: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3 3"]:
    """DF at one point: the product of I + W diag(tanh') V, layer by layer."""
    product = np.eye(DIM)
    for index, constant in enumerate(constants(instance)):
        outer, inner, bias = layer(instance, index)
        hidden = np.tanh(instance.gain * inner @ point + bias)
        product = (np.eye(DIM) + constant * outer @ ((1.0 - hidden**2)[:, None] * inner)) @ product
        point = point + constant / instance.gain * outer @ hidden
    return product


def separation(points: Any, xp: ModuleType = np) -> Any:
    """h_min of three points, differentiable where the closest pair is unique."""
    return xp.min(xp.stack([xp.linalg.norm(points[i] - points[j]) for i, j in combinations(range(NUM_POINTS), 2)]))


def normalised(points: Any, eps: Any, xp: ModuleType = np) -> Any:
    """tau_eps of each row."""
    return points / xp.sqrt(xp.sum(points**2, axis=1, keepdims=True) + eps**2)


def check(instance: Instance) -> Check:
    """h_min of the features, an extreme singular value at the first point, or h_min after tau_eps, against one side."""
    points = np.array(instance.points)
    largest_norm = float(np.linalg.norm(points, axis=1).max())
    if instance.form == "normalisation":
        return bi_lipschitz.check_normalisation(
            float(separation(normalised(points, instance.eps))),
            float(separation(points)),
            side=instance.side,
            radius=largest_norm,
            largest_norm=largest_norm,
            eps=instance.eps,
            instance=repr(instance),
        )
    singular = instance.form == "singular value"
    if singular:
        values = np.linalg.svd(jacobian(instance, points[0]), compute_uv=False)
        measured, before = float(values[-1] if instance.side == "lower" else values[0]), 1.0
    else:
        measured, before = float(separation(features(instance, points))), float(separation(points))
    return bi_lipschitz.check(
        measured,
        before,
        side=instance.side,
        branch_constants=constants(instance),
        quantity="singular value" if singular else "separation",
        input_scale=1.0 if singular else largest_norm + 1.0 / instance.gain,  # a bias moves the features by |b| / gain
        instance=repr(instance),
    )


def check_many(instances: Sequence[Instance]) -> list[Check]:
    """One by one; drawing them in lists is what saves time."""
    return [check(instance) for instance in instances]


def log_ratio(instance: Instance) -> Float[Array, ""]:
    """log of the smaller side over the larger, in points and constants; singular values do not climb."""
    points = jnp.asarray(instance.points)
    if instance.form == "singular value":
        return jnp.zeros(())
    if instance.form == "normalisation":
        radius = jnp.max(jnp.linalg.norm(points, axis=1))
        sides, after = normalisation_constants(radius, instance.eps), normalised(points, instance.eps, jnp)
    else:
        sides, after = residual_constants(constants(instance, jnp)), features(instance, points, jnp)
    stretch = jnp.log(separation(after, jnp)) - jnp.log(separation(points, jnp))
    return jnp.log(sides.lower) - stretch if instance.side == "lower" else stretch - jnp.log(sides.upper)


def _points(closeness: float, on_a_ray: bool, seed: int) -> tuple:
    """Three points of the cube by cosines, the second moved to `closeness` from the first, outwards or anywhere."""
    numbers = np.cos((seed + 1.0) * (1.0 + np.arange(DIM * NUM_POINTS))).reshape(NUM_POINTS, DIM)
    direction = numbers[0] if on_a_ray else numbers[1]
    numbers[1] = numbers[0] + closeness * direction / np.linalg.norm(direction)
    return tuple(tuple(row) for row in numbers.tolist())


_SMALL = ((0.3, 0.1, 0.0), (-0.2, 0.3, 0.1), (0.1, -0.3, 0.2))
_OUTER_RAY = ((0.6, 0.8, 0.0), (0.59994, 0.79992, 0.0), (-0.6, -0.8, 0.0))
_INNER_RAY = ((0.0, 0.0, 0.0), (1e-5, 0.0, 0.0), (0.0, 1.0, 0.0))

HUNT = Hunt(
    claim="N2",
    instances=st.builds(
        Instance,
        form=st.sampled_from(("separation", "separation", "singular value", "normalisation")),
        side=st.sampled_from(("lower", "upper")),
        depth=st.integers(1, DEPTH),
        constant=st.floats(0.05, 0.95) | st.floats(0.95, 1.5),
        gain=st.floats(0.01, 3.0),
        alignment=st.sampled_from((-1.0, 1.0)) | st.floats(-1.0, 1.0),
        eps=st.floats(0.02, 3.0),
        points=st.builds(_points, st.floats(1e-4, 1.0), st.booleans(), st.integers(0, 2**16)),
        seed=st.integers(0, 2**16),
    ),
    check=check,
    module="experiments.hunts.bi_lipschitz",
    check_many=check_many,
    extremal=(
        Instance("separation", "lower", DEPTH, 0.5, 0.01, -1.0, 1.0, _SMALL, 0),
        Instance("separation", "upper", DEPTH, 0.5, 0.01, 1.0, 1.0, _SMALL, 0),
        Instance("singular value", "lower", DEPTH, 0.5, 0.01, -1.0, 1.0, _SMALL, 0),
        Instance("singular value", "upper", DEPTH, 0.5, 0.01, 1.0, 1.0, _SMALL, 0),
        Instance("normalisation", "lower", 1, 0.5, 1.0, 0.0, 0.3, _OUTER_RAY, 0),
        Instance("normalisation", "upper", 1, 0.5, 1.0, 0.0, 0.3, _INNER_RAY, 0),
    ),
    ascent=Ascent(
        ratio=log_ratio,
        box={"points": (-1.0, 1.0), "constant": (0.05, 0.95), "gain": (0.01, 3.0)},
        traced=("seed", "depth", "alignment", "eps"),
    ),
)

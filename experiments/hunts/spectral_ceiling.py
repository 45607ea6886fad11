"""Hunt for kernels above the spectral ceiling (R1): random gradients with a close pair, and a tanh network's own."""

from collections.abc import Sequence
from types import ModuleType
from typing import NamedTuple

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from experiments.ascent import Ascent
from experiments.hunt import Hunt
from theory import spectral_ceiling
from theory.verdict import Check

_WIDTH = 16


class Instance(NamedTuple):
    """Points 0 and 1 are the pair.

    network: gradients of a two-layer tanh network at points of [0,1]^2, the pair `gap` apart; otherwise rows of
    independent normals, the pair's being centre +- gap/2 along a direction that is orthogonal to the rest when `tilt`
    is 0, with lengths in ratio 1 + tilt.  stiffness: factor on the other rows.
    """

    network: bool
    num_points: int
    gap: float
    tilt: float
    stiffness: float
    seed: int


def gradients(instance: Instance, xp: ModuleType = np) -> Float[np.ndarray, "n p"] | Float[Array, "n p"]:
    """The Jacobian J, one row a point, in numpy, or in JAX to be differentiated in gap, tilt and stiffness."""
    rng = np.random.default_rng(instance.seed)
    if instance.network:
        x, angle = rng.random((instance.num_points, 2)), 2.0 * np.pi * rng.random()
        partner = x[0] + instance.gap * np.array([np.cos(angle), np.sin(angle)])
        weights = rng.standard_normal((_WIDTH, 2)), rng.standard_normal(_WIDTH), rng.standard_normal(_WIDTH)
        return xp.asarray(_network_gradients(weights, xp.stack([x[0], partner, *x[2:]])))
    rows = rng.standard_normal((instance.num_points, instance.num_points + 4))
    direction = np.linalg.svd(rows)[2][-1] + instance.tilt * rng.standard_normal(rows.shape[1])
    centre, rest = instance.stiffness * rows[0], instance.stiffness * rows[2:]
    first = (1.0 + instance.tilt) * (centre + 0.5 * instance.gap * direction)
    return xp.stack([first, centre - 0.5 * instance.gap * direction, *rest])


@jax.jit
def _network_gradients(weights: tuple[Array, Array, Array], x: Float[Array, "n 2"]) -> Float[Array, "n p"]:
    """Gradients of f(x) = a . tanh(W x + b) / sqrt(width) with respect to (W, b, a), each flattened."""

    def model(parameters: tuple[Array, Array, Array], point: Array) -> Array:
        inner, bias, outer = parameters
        return outer @ jnp.tanh(inner @ point + bias) / jnp.sqrt(_WIDTH)

    leaves = jax.vmap(jax.grad(model), in_axes=(None, 0))(weights, x)
    return jnp.concatenate([leaf.reshape(len(x), -1) for leaf in leaves], axis=1)


def check(instance: Instance) -> Check:
    jacobian = gradients(instance)
    spectrum = np.linalg.svd(jacobian, compute_uv=False)[::-1] ** 2  # of J, not of K: keeps a small lambda_min's digits
    return spectral_ceiling.check(
        float(spectrum[0]),
        float(np.linalg.norm(jacobian[0] - jacobian[1])),
        largest_eigenvalue=float(spectrum[-1]),
        kernel_size=len(jacobian),
        instance=repr(instance),
    )


def check_many(instances: Sequence[Instance]) -> list[Check]:
    return [check(instance) for instance in instances]


def _log_ratio(instance: Instance) -> Float[Array, ""]:
    """log of lambda_min(K) over G^2/2."""
    jacobian = jnp.asarray(gradients(instance, jnp))
    smallest = jnp.linalg.svd(jacobian, compute_uv=False)[-1] ** 2
    return jnp.log(smallest / spectral_ceiling.gradient_gap_ceiling(jnp.linalg.norm(jacobian[0] - jacobian[1])))


HUNT = Hunt(
    claim="R1",
    instances=st.builds(
        Instance,
        network=st.booleans(),
        num_points=st.sampled_from((2, 4, 8)),
        gap=st.floats(-4.0, 0.5).map(lambda power: 10.0**power),
        tilt=st.one_of(st.just(0.0), st.floats(0.0, 1.0)),
        stiffness=st.sampled_from((1.0, 10.0)),
        seed=st.integers(0, 2**16),
    ),
    check=check,
    module="experiments.hunts.spectral_ceiling",
    check_many=check_many,
    extremal=tuple(Instance(False, num_points, 0.5, 0.0, 10.0, seed=0) for num_points in (2, 4, 8)),
    ascent=Ascent(_log_ratio, box={"gap": (1e-4, 3.0), "tilt": (0.0, 1.0), "stiffness": (1.0, 10.0)}),
)

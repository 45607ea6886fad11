"""Hunt for counterexamples to composition: two-layer tanh maps composed, K_f by complex steps, its parts by hand.

  inner g(x) = x + a V_2 tanh(V_1 x) (skip) or V_2 tanh(V_1 x),  outer F(z) = W_2 tanh(W_1 z) / sqrt(width).
K_f is the Gram matrix of Im f(theta + i 1e-30 e_k) / 1e-30, a derivative without differences or chain rule: it knows
nothing of the composition.  K_out, K_in and D come from derivatives of each map alone, written by hand.
Equality: inner_scale = 0, so K_in = 0; and with K_in > 0 form "sum", where sample i has f_i = a theta_out,i + z_i / 2
and z_i = b theta_in,i, scales a (outer) and b (inner).
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from hypothesis import strategies as st
from jaxtyping import Float, Inexact

from experiments.hunt import Hunt
from theory import composition
from theory.verdict import Check

NUM_POINTS, DIM, WIDTH = 3, 2, 6
STEP = 1e-30


class Instance(NamedTuple):
    """One composition at one parameter; inner_scale multiplies the inner parameters' effect and so K_in."""

    inequality: Literal["identity", "outer floor", "floor", "ceiling"]
    form: Literal["network", "sum"]
    num_features: int
    num_outputs: int
    skip: bool
    inner_scale: float
    outer_scale: float
    seed: int


class _Maps(NamedTuple):
    """Parameters of both maps, leading axes free, and the points (NUM_POINTS, DIM)."""

    inner_first: np.ndarray  # V_1 (..., WIDTH, DIM)
    inner_second: np.ndarray  # V_2 (..., n, WIDTH)
    outer_first: np.ndarray  # W_1 (..., WIDTH, n)
    outer_second: np.ndarray  # W_2 (..., m, WIDTH)


def _draw(instance: Instance) -> tuple[_Maps, Float[np.ndarray, "N d"]]:
    rng = np.random.default_rng(instance.seed)
    n, m = instance.num_features, instance.num_outputs
    maps = _Maps(
        rng.standard_normal((WIDTH, DIM)),
        rng.standard_normal((n, WIDTH)) / WIDTH**0.5,
        rng.standard_normal((WIDTH, n)),
        rng.standard_normal((m, WIDTH)),
    )
    return maps, rng.standard_normal((NUM_POINTS, DIM))


def _inner(instance: Instance, maps: _Maps, points: Float[np.ndarray, "N d"]) -> Inexact[np.ndarray, "... N n"]:
    """g at the points."""
    hidden = np.tanh(points @ np.swapaxes(maps.inner_first, -1, -2))
    features = instance.inner_scale * hidden @ np.swapaxes(maps.inner_second, -1, -2)
    return features + points @ np.eye(DIM, instance.num_features) if instance.skip else features


def _outer(instance: Instance, maps: _Maps, features: Inexact[np.ndarray, "... N n"]) -> Inexact[np.ndarray, "... N m"]:
    """F at the features."""
    hidden = np.tanh(features @ np.swapaxes(maps.outer_first, -1, -2))
    return instance.outer_scale * hidden @ np.swapaxes(maps.outer_second, -1, -2) / WIDTH**0.5


def complex_step_kernel(instance: Instance) -> Float[np.ndarray, "Nm Nm"]:
    """K_f from one imaginary step along each of the P parameters of the whole composition, all at once."""
    maps, points = _draw(instance)
    flat = np.concatenate([part.ravel() for part in maps])
    moved = flat + 1j * STEP * np.eye(len(flat))
    ends = np.cumsum([part.size for part in maps])
    parts = [piece.reshape(-1, *part.shape) for piece, part in zip(np.split(moved, ends[:-1], axis=1), maps)]
    steps = _Maps(*parts)
    outputs = _outer(instance, steps, _inner(instance, steps, points))
    jacobian = (np.imag(outputs) / STEP).reshape(len(flat), -1)
    return jacobian.T @ jacobian


def parts_by_hand(instance: Instance) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """K_out (N m, N m), K_in (N n, N n) and D (N m, N n) of the two maps, each on its own."""
    maps, points = _draw(instance)
    features = _inner(instance, maps, points)
    inner = _two_layer_kernel(maps.inner_second, np.tanh(points @ maps.inner_first.T), points, instance.inner_scale)
    hidden = np.tanh(features @ maps.outer_first.T)
    scale = instance.outer_scale / WIDTH**0.5
    outer = _two_layer_kernel(maps.outer_second, hidden, features, scale)
    slopes = np.einsum("ok,ik,kf->iof", maps.outer_second, scale * (1.0 - hidden**2), maps.outer_first)
    jacobian = np.zeros((NUM_POINTS, slopes.shape[1], NUM_POINTS, slopes.shape[2]))
    for sample, block in enumerate(slopes):
        jacobian[sample, :, sample] = block
    return outer, inner, jacobian.reshape(len(outer), len(inner))


def _two_layer_kernel(
    second: Float[np.ndarray, "m k"], hidden: Float[np.ndarray, "N k"], inputs: Float[np.ndarray, "N d"], scale: float
) -> Float[np.ndarray, "Nm Nm"]:
    """Kernel of scale * second tanh(first x): hidden . hidden' on equal outputs, plus signal . signal' times x . x'."""
    signals = second * (1.0 - hidden**2)[:, None, :]  # (N, m, k)
    outer_part = np.einsum("ij,op->iojp", hidden @ hidden.T, np.eye(len(second)))
    inner_part = np.einsum("iok,jpk,ij->iojp", signals, signals, inputs @ inputs.T)
    size = len(inputs) * len(second)
    return scale**2 * (outer_part + inner_part).reshape(size, size)


def checks(instance: Instance) -> dict[str, Check]:
    """All inequalities of the instance."""
    if instance.form == "sum":
        size = NUM_POINTS
        outer = instance.outer_scale**2 * np.eye(size)
        inner, jacobian = instance.inner_scale**2 * np.eye(size), 0.5 * np.eye(size)
        rows = np.concatenate([instance.outer_scale * np.eye(size), 0.5 * instance.inner_scale * np.eye(size)], axis=1)
        return composition.checks(rows @ rows.T, outer, inner, jacobian=jacobian, instance=repr(instance))
    outer, inner, jacobian = parts_by_hand(instance)
    return composition.checks(complex_step_kernel(instance), outer, inner, jacobian=jacobian, instance=repr(instance))


def check(instance: Instance) -> Check:
    """The one inequality the instance names."""
    return checks(instance)[instance.inequality]


def check_many(instances: Sequence[Instance]) -> list[Check]:
    """One by one; drawing them in lists is what saves time."""
    return [check(instance) for instance in instances]


HUNT = Hunt(
    claim="N3",
    instances=st.builds(
        Instance,
        inequality=st.sampled_from(("outer floor", "floor", "ceiling", "identity")),
        form=st.sampled_from(("network", "network", "network", "sum")),
        num_features=st.sampled_from((1, 2, 4)),
        num_outputs=st.sampled_from((1, 2)),
        skip=st.booleans(),
        inner_scale=st.just(0.0) | st.floats(0.01, 2.0),
        outer_scale=st.floats(0.1, 2.0),
        seed=st.integers(0, 2**31 - 1),
    ),
    check=check,
    module="experiments.hunts.composition",
    check_many=check_many,
    extremal=(
        Instance("outer floor", "network", 2, 1, True, 0.0, 1.0, 0),
        Instance("floor", "sum", 1, 1, False, 1.5, 1.0, 0),
        Instance("ceiling", "sum", 1, 1, False, 1.5, 1.0, 0),
        Instance("identity", "network", 4, 2, True, 1.0, 1.0, 0),
    ),
)

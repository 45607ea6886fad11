"""Hunt for residual layers more degenerate than N1 allows: random, tied (W = -V^T) and diagonal weights, in chains.

The singular scales are counted by sign changes of det(I + t A), A = W D V, at scales t where the sign is certain: a
rigorous lower bound on their number. The scales lie between the eigenvalues' -1/lambda and on a fixed grid, so a wrong
eigenvalue cannot hide a root of the grid. What can be caught is a rank above min(hidden, n): for hidden >= n the
ceiling is the degree of a polynomial in t, and more sign changes would be a fault of the arithmetic.
"""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import hypothesis.strategies as st
import numpy as np
from jaxtyping import Float

from experiments.hunt import Hunt
from theory import nondegeneracy
from theory.verdict import Check

Activation = Literal["tanh", "sin", "relu"]

SLOPES: dict[Activation, Callable[..., np.ndarray]] = {
    "tanh": lambda z: 1.0 - np.tanh(z) ** 2,
    "sin": np.cos,
    "relu": lambda z: (z > 0.0).astype(float),
}
VALUES: dict[Activation, Callable[..., np.ndarray]] = {
    "tanh": np.tanh,
    "sin": np.sin,
    "relu": lambda z: np.maximum(z, 0.0),
}

_GRID = 1.0 / np.linspace(-1.0, 1.0, 24)
"""Scales in units of 1/|A|, within which none is singular: their inverses are evenly spaced, and none is 0."""


class Layer(NamedTuple):
    """x + W sigma(V x + b)."""

    outer: Float[np.ndarray, "n hidden"]
    inner: Float[np.ndarray, "hidden n"]
    bias: Float[np.ndarray, " hidden"]
    activation: Activation


class Instance(NamedTuple):
    """depth: layers before the one that is examined.  strength: |t| |W| |V| B in the conditioning form."""

    form: Literal["count", "conditioning", "no skip"]
    weights: Literal["random", "tied", "diagonal"]
    activation: Activation
    num_points: int
    dim: int
    hidden: int
    depth: int
    strength: float
    seed: int


def draw_layer(instance: Instance, rng: np.random.Generator) -> Layer:
    dim, hidden = instance.dim, instance.hidden
    inner = rng.standard_normal((hidden, dim)) / np.sqrt(dim)
    outer = rng.standard_normal((dim, hidden)) / np.sqrt(hidden)
    if instance.weights == "tied":
        square = np.linalg.qr(rng.standard_normal((max(dim, hidden),) * 2))[0]
        inner = square[:hidden, :dim]
        outer = -inner.T
    elif instance.weights == "diagonal":
        inner = np.eye(hidden, dim)
        outer = np.eye(dim, hidden) * rng.uniform(0.5, 2.0, hidden)
    return Layer(outer, inner, 0.3 * rng.standard_normal(hidden), instance.activation)


def layer_value(layer: Layer, points: Float[np.ndarray, "N n"]) -> Float[np.ndarray, "N n"]:
    return points + VALUES[layer.activation](points @ layer.inner.T + layer.bias) @ layer.outer.T


def branch_jacobians(layer: Layer, points: Float[np.ndarray, "N n"]) -> Float[np.ndarray, "N n n"]:
    """W D_i V at every point, D_i = diag sigma'(V x_i + b)."""
    slopes = SLOPES[layer.activation](points @ layer.inner.T + layer.bias)
    return np.einsum("nh,ph,hm->pnm", layer.outer, slopes, layer.inner)


def certain_sign_changes(branch: Float[np.ndarray, "n n"]) -> int:
    """A lower bound on the number of real t with det(I + t A) = 0: sign changes at certified scales.

    Scales between and beyond the candidates -1/lambda, and a grid that knows no eigenvalue.  The sign of det(I + t A)
    is certain where the least singular value, at least 1/|inverse|, exceeds 1e-10 of the entries' size, ten thousand
    times what rounding can move it.
    """
    eigenvalues = np.linalg.eigvals(branch)
    size = float(np.linalg.norm(branch))
    if size == 0.0:
        return 0
    real = eigenvalues.real[(np.abs(eigenvalues.imag) <= 1e-9 * size) & (np.abs(eigenvalues) > 1e-9 * size)]
    roots = np.sort(-1.0 / real)
    outside = 2.0 * np.array([roots.min(initial=-1.0), roots.max(initial=1.0)])
    scales = np.sort(np.concatenate([outside, 0.5 * (roots[1:] + roots[:-1]), _GRID / size]))
    table = np.eye(len(branch)) + scales[:, None, None] * branch
    signs = np.linalg.slogdet(table)[0]
    regular = signs != 0.0  # no pivot is exactly 0, or there is no inverse to ask
    inverses = np.linalg.norm(np.linalg.inv(table[regular]), axis=(1, 2))
    signs = signs[regular][inverses * (1.0 + np.abs(scales[regular]) * size) < 1e10]
    return int(np.sum(signs[1:] != signs[:-1]))


def check(instance: Instance) -> Check:
    rng = np.random.default_rng(instance.seed)
    points = rng.standard_normal((instance.num_points, instance.dim))
    for _ in range(instance.depth):
        points = layer_value(draw_layer(instance, rng), points)
    layer = draw_layer(instance, rng)
    branches = branch_jacobians(layer, points)
    outer_norm, inner_norm = _norm(layer.outer), _norm(layer.inner)
    slope = float(np.abs(SLOPES[layer.activation](points @ layer.inner.T + layer.bias)).max())
    if instance.form == "count":
        return nondegeneracy.check_count(
            sum(certain_sign_changes(branch) for branch in branches),
            instance.num_points,
            hidden=instance.hidden,
            dim=instance.dim,
            instance=repr(instance),
        )
    if instance.form == "no skip":
        values = np.linalg.svd(branches, compute_uv=False)
        return nondegeneracy.check_no_skip(
            float(values[:, min(instance.hidden, instance.dim - 1)].max()),
            hidden=instance.hidden,
            dim=instance.dim,
            jacobian_norm=outer_norm * inner_norm * slope,
            instance=repr(instance),
        )
    strength = outer_norm * inner_norm * slope
    scale = instance.strength / strength if strength > 0.0 else 0.0
    return nondegeneracy.check_conditioning(
        float(np.linalg.svd(np.eye(instance.dim) + scale * branches, compute_uv=False).min()),
        scale,
        outer_norm=outer_norm,
        inner_norm=inner_norm,
        slope=slope,
        dim=max(instance.dim, instance.hidden),
        instance=repr(instance),
    )


def check_many(instances: Sequence[Instance]) -> list[Check]:
    return [check(instance) for instance in instances]


def _norm(matrix: Float[np.ndarray, "rows columns"]) -> float:
    return float(np.linalg.norm(matrix, ord=2))


HUNT = Hunt(
    claim="N1",
    instances=st.builds(
        Instance,
        form=st.sampled_from(("count", "count", "conditioning", "no skip")),
        weights=st.sampled_from(("random", "tied", "diagonal")),
        activation=st.sampled_from(("tanh", "sin", "relu")),
        num_points=st.integers(1, 5),
        dim=st.integers(2, 6),
        hidden=st.sampled_from((1, 2, 3, 4, 8)),
        depth=st.integers(0, 3),
        strength=st.floats(0.01, 0.99),
        seed=st.integers(0, 2**16),
    ),
    check=check,
    module="experiments.hunts.nondegeneracy",
    check_many=check_many,
    extremal=(
        Instance("count", "diagonal", "tanh", 4, dim=3, hidden=3, depth=0, strength=0.5, seed=0),
        Instance("count", "tied", "tanh", 3, dim=5, hidden=2, depth=2, strength=0.5, seed=0),
        Instance("count", "tied", "tanh", 2, dim=2, hidden=8, depth=0, strength=0.5, seed=0),
        Instance("conditioning", "tied", "tanh", 4, dim=4, hidden=3, depth=1, strength=0.9, seed=0),
        Instance("conditioning", "tied", "relu", 4, dim=6, hidden=3, depth=0, strength=0.5, seed=0),
    ),
)

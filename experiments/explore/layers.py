"""The closest pair of the features, layer by layer, and N2's bounds on it."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from experiments.blocks import Block, Chain, Residual
from experiments.explore.scene import Scene
from experiments.explore.state import OWN
from experiments.layer_maps import LayerMaps, cut_parameters, layer_maps, lipschitz_constants, look, perceptron_weights
from experiments.separation import separation
from theory import bi_lipschitz

_MOST_JACOBIANS = 2_000_000
"""Numbers in the layers' Jacobians, N f^2 each, up to which their singular values are taken."""


class Perceptron(NamedTuple):
    """A branch W sigma(V x + b) of n features and `hidden` units. outer: |W|.  inner: |V|.

    beyond: the largest singular value number hidden + 1 of its Jacobian at the points, or the last where there is none.
    """

    hidden: int
    outer: float
    inner: float
    beyond: float


class LayersPanel(NamedTuple):
    """Depth 0 is the embedding's output; arrays have a row a depth.

    separation: h_min of the features.  constants: c_l, a Lipschitz constant of each branch, one fewer.  lower, upper:
    N2's bounds on the separation; None without skip connections, where it says nothing.  features: how many each point
    has.  scale: their largest norm at depth 0.  singular: the least singular value of each layer's Jacobian at the
    points, branch and skip together, one fewer than depths; None where these are too large.  perceptrons: what N1 asks
    of branches W sigma(V x + b); None for other branches and where the Jacobians are too large.  dead: how many of the
    features are 0 at every point, as ReLU units that never fire are.
    """

    separation: Float[np.ndarray, " depths"]
    constants: Float[np.ndarray, " layers"]
    lower: Float[np.ndarray, " depths"] | None
    upper: Float[np.ndarray, " depths"] | None
    scale: float
    features: int
    singular: Float[np.ndarray, " layers"] | None
    perceptrons: tuple[Perceptron, ...] | None
    dead: Int[np.ndarray, " depths"]


_residual_constants = jax.jit(bi_lipschitz.residual_constants)


def layers(scene: Scene, params: Any = None) -> LayersPanel | str:
    """The features' separations, or the sentence that says why there are no layers to look at.

    params: where the network stands; by default at theta_0.
    """
    chain = scene.twin if scene.twin is not None else scene.model
    if not isinstance(chain, Chain):
        return "the model must be a chain of blocks to be looked at layer by layer, but is a function"
    try:
        maps = layer_maps(chain)
    except ValueError as error:
        return str(error)
    # The user's chain keeps its own skips, and a plain perceptron has none.
    residual = any(isinstance(block, Residual) for block in chain.blocks)
    skip = residual and (scene.state.kind == OWN or scene.state.skip)
    with scene.arithmetic():
        theta = scene.params if params is None else jax.tree.map(jnp.asarray, params)
        return _measured(maps, cut_parameters(maps, theta), scene.x, skip)


def _measured(maps: LayerMaps, params: tuple[Any, list[Any], Any], x: Array, skip: bool) -> LayersPanel:
    embed, own, _ = params
    features = [_apply(maps.embed, embed, x)]
    constants, singular, perceptrons = [], [], []
    size = int(np.prod(features[0].shape[1:]))
    looked = len(maps.layers) * len(x) * size**2 <= _MOST_JACOBIANS
    for layer, theta in zip(maps.layers, own, strict=True):
        batched = jax.tree.map(lambda leaf: leaf[None], theta)
        inputs = features[-1]
        constants.append(float(lipschitz_constants(layer, batched, inputs[None])[0]))
        if looked:
            jacobian = np.asarray(look(layer, batched, inputs[None]).by_input[0])
            whole = jacobian + skip * np.eye(size, dtype=jacobian.dtype)
            singular.append(float(np.linalg.svd(whole, compute_uv=False).min()))
            perceptrons.append(_perceptron(layer, batched, jacobian))
        branch = _apply(layer, theta, inputs)
        features.append(inputs + branch if skip else branch)
    flat = [np.asarray(each, float).reshape(len(x), -1) for each in features]
    separations = np.array([separation(each).distance for each in flat])
    bounds = _bounds(separations[0], np.array(constants)) if skip else (None, None)
    return LayersPanel(
        separation=separations,
        constants=np.array(constants),
        lower=bounds[0],
        upper=bounds[1],
        features=size,
        scale=float(np.linalg.norm(flat[0], axis=1).max()),
        singular=np.array(singular) if looked else None,
        perceptrons=tuple(perceptrons) if looked and None not in perceptrons else None,
        dead=np.array([int(np.sum(~each.any(axis=0))) for each in flat]),
    )


def _bounds(start: float, constants: Float[np.ndarray, " layers"]) -> tuple[np.ndarray, np.ndarray]:
    """N2's two bounds at every depth. Branches of constant 0 stand for the layers beyond: one compilation."""
    deep = np.tril(np.ones((len(constants) + 1, len(constants))), -1) * constants
    found = _residual_constants(deep)
    return np.asarray(found.lower) * start, np.asarray(found.upper) * start


def _perceptron(layer: Block, params: Any, jacobian: Float[np.ndarray, "n f f"]) -> Perceptron | None:
    weights = perceptron_weights(layer, params)
    if weights is None:
        return None
    outer, inner = (matrix[0] for matrix in weights)
    hidden, size = inner.shape
    beyond = float(np.linalg.svd(jacobian, compute_uv=False)[:, min(hidden, size - 1)].max())
    return Perceptron(hidden, float(np.linalg.norm(outer, 2)), float(np.linalg.norm(inner, 2)), beyond)


@partial(jax.jit, static_argnums=0)
def _apply(block: Block, params: Any, x: Array) -> Array:
    return block(params, x)

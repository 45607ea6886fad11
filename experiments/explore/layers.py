"""The closest pair of the features, layer by layer, and N2's bounds on it."""

from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float

from experiments.blocks import Block, Chain
from experiments.explore.scene import Scene
from experiments.layer_maps import LayerMaps, cut_parameters, layer_maps, lipschitz_constants, look, perceptron_weights
from experiments.separation import separation
from theory import bi_lipschitz

_MOST_JACOBIANS = 2_000_000
"""Numbers in the layers' Jacobians, N f^2 each, up to which their singular values are taken."""


class LayersPanel(NamedTuple):
    """Depth 0 is the embedding's output; arrays have a row a depth.

    separation: h_min of the features.  constants: c_l, a Lipschitz constant of each branch, one fewer.  lower, upper:
    N2's bounds on the separation; None without skip connections, where it says nothing.  scale: largest norm of the
    features at depth 0.  singular: the least singular value of each layer's Jacobian at the points, branch and skip
    together, one fewer than depths; None where these are too large.  weights: (|W|, |V|) of each branch
    W sigma(V x + b); None for other branches.
    """

    separation: Float[np.ndarray, " depths"]
    constants: Float[np.ndarray, " layers"]
    lower: Float[np.ndarray, " depths"] | None
    upper: Float[np.ndarray, " depths"] | None
    scale: float
    singular: Float[np.ndarray, " layers"] | None
    weights: Float[np.ndarray, "layers 2"] | None


_residual_constants = jax.jit(bi_lipschitz.residual_constants)


def layers(scene: Scene) -> LayersPanel | str:
    """The features' separations at theta_0, or the sentence that says why there are no layers to look at."""
    chain = scene.twin if scene.twin is not None else scene.model
    if not isinstance(chain, Chain):
        return "the model must be a chain of blocks to be looked at layer by layer, but is a function"
    try:
        maps = layer_maps(chain)
    except ValueError as error:
        return str(error)
    # The user's chain is cut at its own residual layers; a plain perceptron has no skip to switch off.
    skip = scene.state.kind != "plain" and scene.state.skip
    with scene.arithmetic():
        return _measured(maps, cut_parameters(maps, scene.params), scene.x, skip)


def _measured(maps: LayerMaps, params: tuple[Any, list[Any], Any], x: Array, skip: bool) -> LayersPanel:
    embed, own, _ = params
    features = [_apply(maps.embed, embed, x)]
    constants, singular, weights = [], [], []
    size = int(np.prod(features[0].shape[1:]))
    looked = len(maps.layers) * len(x) * size**2 <= _MOST_JACOBIANS
    for layer, theta in zip(maps.layers, own, strict=True):
        batched = jax.tree.map(lambda leaf: leaf[None], theta)
        inputs = features[-1]
        constants.append(float(lipschitz_constants(layer, batched, inputs[None])[0]))
        if looked:
            jacobian = np.asarray(look(layer, batched, inputs[None]).by_input[0])
            jacobian = jacobian + skip * np.eye(size, dtype=jacobian.dtype)
            singular.append(float(np.linalg.svd(jacobian, compute_uv=False).min()))
        weights.append(perceptron_weights(layer, batched))
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
        scale=float(np.linalg.norm(flat[0], axis=1).max()),
        singular=np.array(singular) if looked else None,
        weights=_norms(weights),
    )


def _bounds(start: float, constants: Float[np.ndarray, " layers"]) -> tuple[np.ndarray, np.ndarray]:
    """N2's two bounds at every depth. Branches of constant 0 stand for the layers beyond: one compilation."""
    deep = np.tril(np.ones((len(constants) + 1, len(constants))), -1) * constants
    found = _residual_constants(deep)
    return np.asarray(found.lower) * start, np.asarray(found.upper) * start


def _norms(weights: list[Any]) -> Float[np.ndarray, "layers 2"] | None:
    if any(pair is None for pair in weights):
        return None
    return np.array([[float(np.linalg.norm(matrix[0], 2)) for matrix in pair] for pair in weights])


@partial(jax.jit, static_argnums=0)
def _apply(block: Block, params: Any, x: Array) -> Array:
    return block(params, x)

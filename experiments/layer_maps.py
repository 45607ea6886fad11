"""A network's layers as maps of its feature space into itself, each with its derivatives at given features.

Depth multiplies the layers' Jacobians: D h_l / D h_0 = J_l ... J_1, and a model's gradient is a sum over layers of its
own parameters' derivative, sent through the Jacobians above it. Both are assembled here from one look at each layer.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from experiments.blocks import Activation, Block, Chain, Linear, Residual
from experiments.one_by_one import one_by_one


class LayerMaps(NamedTuple):
    """embed: the map into feature space.  layers: maps of it into itself, a residual layer without its skip.

    tail: from the last features to the output.  sizes: how many of the model's blocks each of these is made of.
    """

    embed: Chain
    layers: tuple[Block, ...]
    tail: Chain
    sizes: tuple[int, ...]


class Look(NamedTuple):
    """A block at N samples of several runs: its value, and its derivatives by the sample and by its P parameters."""

    value: Float[Array, "runs N ..."]
    by_input: Float[Array, "runs N out inputs"]
    by_params: Float[Array, "runs N out P"]


def layer_maps(model: Chain) -> LayerMaps:
    """Cut a model at its residual layers, or a plain perceptron at its activations; the first such pair embeds.

    Raises ValueError for a chain with neither.
    """
    blocks = model.blocks
    skips = [place for place, block in enumerate(blocks) if isinstance(block, Residual)]
    if skips:
        inner = tuple(block.inner for block in blocks if isinstance(block, Residual))
        start, stop = skips[0], skips[-1] + 1
        return LayerMaps(Chain(blocks[:start]), inner, Chain(blocks[stop:]), (start, *(1,) * len(inner)))
    pairs = sum(isinstance(block, Activation) for block in blocks)
    if pairs < 2:
        raise ValueError(f"model must have residual layers or at least 2 activations to be cut, but had {pairs}")
    layers = tuple(Chain(blocks[2 * k : 2 * k + 2]) for k in range(1, pairs))
    return LayerMaps(Chain(blocks[:2]), layers, Chain(blocks[2 * pairs :]), (2,) * pairs)


def cut_parameters(maps: LayerMaps, params: PyTree) -> tuple[Any, list[Any], Any]:
    """The parameters of the embedding, of each layer and of the tail."""
    ends = np.cumsum(maps.sizes).tolist()
    cuts = [tuple(params[start:stop]) for start, stop in zip([0, *ends], ends)]
    layers = [cut[0] if size == 1 else cut for cut, size in zip(cuts[1:], maps.sizes[1:])]
    return cuts[0], layers, tuple(params[ends[-1] :])


@partial(jax.jit, static_argnums=0)
def look(block: Block, params: PyTree, x: Float[Array | np.ndarray, "runs N ..."]) -> Look:
    """Value and derivatives of a block at each run's samples; axes of a sample are flattened in the derivatives."""

    def one(params: PyTree, x: Array) -> tuple[Array, Array, Array]:
        def outputs(params: PyTree, sample: Array) -> Array:
            return block(params, sample[None])[0].reshape(-1)

        by_params, by_input = jax.vmap(jax.jacrev(outputs, argnums=(0, 1)), (None, 0))(params, x)
        rows, out = by_input.shape[:2]
        leaves = [leaf.reshape(rows, out, -1) for leaf in jax.tree.leaves(by_params)]
        flat = jnp.concatenate(leaves, axis=2) if leaves else jnp.zeros((rows, out, 0))
        return block(params, x), by_input.reshape(rows, out, -1), flat

    return Look(*one_by_one(one)(params, jnp.asarray(x)))


@partial(jax.jit, static_argnums=0)
def lipschitz_constants(
    layer: Block, params: PyTree, x: Float[Array | np.ndarray, "runs N ..."]
) -> Float[Array, " runs"]:
    """A Lipschitz constant of a layer on a ball a hundredth larger than the one that holds its inputs, run by run.

    From the blocks' own bounds (theory.block_bounds), known without a sample. ReLU states none, having no second
    derivative; its slope is at most 1, tanh's bound, and no other of a perceptron's bounds enters.
    """
    smooth = _with_tanh_for_relu(layer)

    def one(params: PyTree, x: Array) -> Array:
        radius = 1.01 * jnp.max(jnp.linalg.norm(x.reshape(len(x), -1), axis=1))
        return smooth.bounds(smooth.radii(params), radius, x.shape[1:]).first[0]

    return one_by_one(one)(params, jnp.asarray(x))


def _with_tanh_for_relu(layer: Block) -> Block:
    if isinstance(layer, Chain):
        return Chain(tuple(_with_tanh_for_relu(block) for block in layer.blocks))
    return Activation("tanh") if layer == Activation("relu") else layer


def scaled_branch(params: Any, factor: Float[Array | np.ndarray, " runs"]) -> Any:
    """A branch's parameters with its output map, weight and bias, times a factor: the branch itself times it."""
    *before, last = params
    output = last.get("output", last)
    output = jax.tree.map(lambda leaf: leaf * factor.reshape(-1, *(1,) * (leaf.ndim - 1)), output)
    return (*before, {**last, "output": output} if "output" in last else output)


def perceptron_weights(layer: Block, params: Any) -> tuple[np.ndarray, np.ndarray] | None:
    """(W, V) of a branch W sigma(V x + b), (runs, n, hidden) and (runs, hidden, n); None for any other layer."""
    if not (isinstance(layer, Chain) and [type(block) for block in layer.blocks] == [Linear, Activation, Linear]):
        return None
    return tuple(np.swapaxes(np.asarray(params[place]["weight"]), 1, 2) for place in (2, 0))  # pyright: ignore


@partial(jax.jit, static_argnums=0)
def whole_rows(
    maps: LayerMaps,
    params: tuple[Any, list[Any], Any],
    x: Float[Array | np.ndarray, "runs N ..."],
    skip: Float[Array | np.ndarray, " runs"],
) -> Float[Array, "runs N P"]:
    """Gradient rows of the whole network by reverse mode through a scan over its layers: cuts nothing anywhere.

    skip: 1 where a layer adds its input, 0 where not.  Scalar output; layers that repeat with a period of 1 or 2.
    """
    period = len(dict.fromkeys(maps.layers))
    repeated = maps.layers[:period]

    def output(params: Any, skip: Array, sample: Array) -> Array:
        embed, layers, tail = params
        stacked = [jax.tree.map(lambda *leaves: jnp.stack(leaves), *layers[k::period]) for k in range(period)]

        def apply(features: Array, owns: Any) -> tuple[Array, None]:
            for layer, own in zip(repeated, owns, strict=True):
                features = skip * features + layer(own, features)
            return features, None

        return maps.tail(tail, jax.lax.scan(apply, maps.embed(embed, sample[None]), stacked)[0])[0]

    def rows(params: Any, skip: Array, x: Array) -> Array:
        gradients = jax.vmap(jax.grad(output), (None, None, 0))(params, skip, x)
        return jnp.concatenate([leaf.reshape(len(x), -1) for leaf in jax.tree.leaves(gradients)], axis=1)

    return one_by_one(rows)(params, jnp.asarray(skip), jnp.asarray(x))


class Chained(NamedTuple):
    """Jacobians of the features by h_0, depth by depth (depth 0 the identity), and the rounding error of each.

    error: absolute, in operator norm, of the product as computed.
    """

    jacobians: Float[np.ndarray, "depths runs N f f"]
    error: Float[np.ndarray, "depths runs N"]


def chained(layers: Float[np.ndarray, "layers runs N f f"]) -> Chained:
    """J_l ... J_1 for every depth l. A product A B of n x n matrices errs by at most 2 n eps |A| |B|.

    eps: of the precision that the layers came in, and in which they are multiplied.
    """
    size, eps = layers.shape[-1], float(np.finfo(layers.dtype).eps)
    identity = np.broadcast_to(np.eye(size, dtype=layers.dtype), layers.shape[1:])
    products, errors = [identity.copy()], [np.zeros(layers.shape[1:-2])]
    for layer in layers:
        norm = np.linalg.norm(layer, 2, axis=(-2, -1))
        errors.append(norm * errors[-1] + 2 * size * eps * norm * np.linalg.norm(products[-1], 2, axis=(-2, -1)))
        products.append(layer @ products[-1])
    return Chained(np.stack(products), np.stack(errors))


def gradient_rows(
    through: Float[np.ndarray, "runs N m f"],
    layers: Float[np.ndarray, "layers runs N f f"],
    by_params: list[np.ndarray],
) -> Float[np.ndarray, "runs Nm P"]:
    """d(through h_l)/d(parameters of the embedding and of layers 1..l), l = len(layers), `through` held fixed.

    by_params: derivative of the embedding, then of each layer, by its own parameters, each (runs, N, f, P_l).
    """
    pieces = []
    for jacobian, own in zip(layers[::-1], by_params[:0:-1], strict=True):
        pieces.append(through @ own)
        through = through @ jacobian
    pieces.append(through @ by_params[0])
    rows = np.concatenate(pieces, axis=-1)
    return rows.reshape(len(rows), -1, rows.shape[-1])

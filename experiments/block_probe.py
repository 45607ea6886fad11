"""One look inside a chain of blocks: features and branches of its residual layers, and its kernel cut in two.

The parameters are init(key) times a scale, so that branches with Lipschitz constants below 1 are met too.
"""

import math
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from experiments import smoothness
from experiments.blocks import Block, Chain, Residual
from experiments.model_run import points_with_pair
from experiments.smoothness import model_bounds
from experiments.user_model import UserModel


class Probe(NamedTuple):
    """features: of each sample before the first and after every residual layer, flattened.  branches: of the first.

    constants: Lipschitz constants of the branches on the ball that holds their inputs.  kernel, outer, inner: of the
    chain, of its second half at the features in the middle, of its first half.  through: derivative of the second half.
    """

    features: Float[np.ndarray, "layers n f"]
    branches: Float[np.ndarray, "n f"]
    constants: Float[np.ndarray, " layers-1"]
    kernel: Float[np.ndarray, "nm nm"]
    outer: Float[np.ndarray, "nm nm"]
    inner: Float[np.ndarray, "nf nf"]
    through: Float[np.ndarray, "nm nf"]


def residual_stretch(model: Chain) -> range:
    """Places of the longest run of residual layers in the chain."""
    best = range(0)
    start = None
    for place, block in enumerate((*model.blocks, None)):
        if isinstance(block, Residual):
            start = place if start is None else start
        elif start is not None:
            best, start = max(best, range(start, place), key=len), None
    return best


def states_its_bounds(model: UserModel) -> bool:
    """Whether the model is a chain whose every block bounds its own value and derivatives."""
    if not isinstance(model.apply, Chain):
        return False
    radii = jax.tree.map(lambda law: jnp.ones(()), model.apply.laws())
    try:
        jax.eval_shape(lambda: model_bounds(model.apply, radii, 1.0, point_shape=model.point_shape))
    except ValueError:
        return False
    return True


def probe(model: UserModel, *, separation: float, scale: float, seed: int) -> Probe:
    """Features, branch constants and the kernel's parts at one draw of points and parameters."""
    return Probe(*(np.asarray(part) for part in _compiled_probe(model)(seed, separation, scale)))


@lru_cache(maxsize=4)
def _compiled_probe(model: UserModel) -> Any:
    chain = model.apply
    assert isinstance(chain, Chain)
    stretch = residual_stretch(chain)
    cut = (stretch.start + stretch.stop) // 2 if stretch else len(chain.blocks) // 2

    def run(seed, separation, scale):
        point_key, start_key = jax.random.split(jax.random.key(seed))
        x = points_with_pair(point_key, separation, model.point_shape)
        params = jax.tree.map(lambda leaf: scale * leaf, model.init(start_key))
        features, branches, constants = _layers(chain, params, x, stretch)
        first, second = Chain(chain.blocks[:cut]), Chain(chain.blocks[cut:])
        middle = first(params[:cut], x)
        rows = _jacobian(lambda theta: chain(theta, x), params)
        outer = _jacobian(lambda theta: second(theta, middle), params[cut:])
        inner = _jacobian(lambda theta: first(theta, x), params[:cut])
        through = _jacobian(lambda z: second(params[cut:], z), middle)
        return features, branches, constants, rows @ rows.T, outer @ outer.T, inner @ inner.T, through

    return jax.jit(run)


def _layers(chain: Chain, params: Any, x: Any, stretch: range) -> tuple[Any, Any, Any]:
    features, constants, branches = [], [], None
    for place, (block, own) in enumerate(zip(chain.blocks, params, strict=True)):
        if place in stretch:
            assert isinstance(block, Residual)
            rows = x.reshape(len(x), -1)
            features.append(rows)
            radius = jnp.max(jnp.linalg.norm(rows, axis=1))
            constants.append(block.inner.bounds(block.inner.radii(own), radius, x.shape[1:]).first[0])
            branches = block.inner(own, x).reshape(len(x), -1) if branches is None else branches
        x = block(own, x)
        if place + 1 == stretch.stop:
            features.append(x.reshape(len(x), -1))
    if not stretch:
        return jnp.zeros((1, len(x), 1)), jnp.zeros((len(x), 1)), jnp.zeros(0)
    return jnp.stack(features), branches, jnp.stack(constants)


def _jacobian(function: Any, argument: Any) -> Any:
    """All outputs by all entries of the argument."""
    shape = jax.eval_shape(function, argument).shape
    size = int(np.prod(shape))
    if not jax.tree.leaves(argument):
        return jnp.zeros((size, 1))  # no parameters
    leaves = jax.tree.leaves(jax.jacobian(function)(argument))
    return jnp.concatenate([leaf.reshape(size, -1) for leaf in leaves], axis=1)


@lru_cache(maxsize=4)
def known_path_floor(model: UserModel) -> Any:
    """(seed, separation, excess) -> R6's P* for the run of `measured_run` with that seed, known before training."""
    block = model.apply
    assert isinstance(block, Block)
    outputs = math.prod(block.output_shape(model.point_shape))

    def floor(seed, separation, excess):
        point_key, _, start_key = jax.random.split(jax.random.key(seed), 3)
        pair = points_with_pair(point_key, separation, model.point_shape)[jnp.array([0, -1])]
        return smoothness.known_path_floor(
            block,
            block.radii(model.init(start_key)),
            jnp.max(jnp.linalg.norm(pair.reshape(2, -1), axis=1)),
            excess,
            separation,
            point_shape=model.point_shape,
            outputs=outputs,
        )

    return jax.jit(floor)

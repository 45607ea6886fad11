"""Initial parameters of the runs of an ensemble, one compiled draw for all of them."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int, PyTree

from experiments.blocks import Block


@partial(jax.jit, static_argnums=0)
@partial(jax.vmap, in_axes=(None, 0))
def _draw(block: Block, seed: jax.Array) -> PyTree:
    return block.init(jax.random.key(seed))


def drawn(block: Block, seeds: Int[np.ndarray, " runs"]) -> PyTree:
    """block.init of each seed's key, leading axis over runs; the float64 draws, rounded, in JAX's working precision."""
    with jax.enable_x64(True):  # around the compilation: inside it, float64 would be lowered as float32
        params = _draw(block, seeds)
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, float), params)

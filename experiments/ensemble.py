"""From a study's runs of one shape to the ensemble that is trained: the stacked problem and the initial parameters."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int, PyTree

from experiments.blocks import Block
from experiments.descent import Problem


@partial(jax.jit, static_argnums=0)
@partial(jax.vmap, in_axes=(None, 0))
def _draw(block: Block, seed: jax.Array) -> PyTree:
    return block.init(jax.random.key(seed))


def drawn(block: Block, seeds: Int[np.ndarray, " runs"]) -> PyTree:
    """block.init of each seed's key, leading axis over runs; the float64 draws, rounded, in JAX's working precision."""
    with jax.enable_x64(True):  # around the compilation: inside it, float64 would be lowered as float32
        params = _draw(block, seeds)
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, float), params)


def stacked(
    runs: Sequence[Any], points: Sequence[np.ndarray], labels: Sequence[np.ndarray], pairs: Sequence[tuple[int, int]]
) -> Problem:
    """The problem of runs that each have a step_size, target and max_steps; points, labels and pairs one a run."""
    return Problem(
        x=np.stack(points),
        y=np.stack(labels),
        step_size=np.array([run.step_size for run in runs]),
        pair=np.array(pairs),
        target=np.array([run.target for run in runs]),
        max_steps=np.array([run.max_steps for run in runs], np.int32),
    )

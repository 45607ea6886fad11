"""|hess L| at both ends and the middle of one step of descent: a sample, below the supremum over the segment."""

import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from experiments.curvature import HessianNorms, hessian_norms
from experiments.descent import descent_step
from experiments.explore.scene import Scene

_LANCZOS_STEPS = 20
"""N labels make N large eigenvalues: at 15 the norm has ten digits on every network of the studies."""


def segment_curvature(scene: Scene, params: PyTree) -> HessianNorms:
    """The three norms, of the step from `params` first; one compiled call for the panels and the run."""
    with scene.arithmetic():
        after = descent_step(scene.model, params, scene.x, scene.y, step_size=scene.state.step_size)
        places = jax.tree.map(lambda a, b: jnp.stack([jnp.asarray(a), 0.5 * (a + b), b]), params, after)
        x, y = (jnp.stack([data] * 3) for data in (scene.x, scene.y))
        return hessian_norms(scene.model, places, x, y, iterations=_LANCZOS_STEPS)

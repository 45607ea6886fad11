"""The marks on the step size's axis, and the smoothness and curvature they come from.

safe   1/S, S on the ball that HORIZON_STEPS steps of that size cannot leave (G2 with G3): known, and proved to descend.
kernel 2 N/lambda_max(K_0): the linearised network is stable up to here.
edge   2/|hess L(theta_0)|, measured: plain gradient descent is stable along that direction up to here.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
import optax

from experiments.blocks import Chain
from experiments.descent import Apply, loss
from experiments.explore.scene import Scene
from experiments.explore.segment_curvature import segment_curvature
from experiments.explore.spectrum import SpectrumPanel
from experiments.smoothness import loss_smoothness, parameter_radii
from experiments.studies.safe_step import known_before

HORIZON_STEPS = 100
_TIMES = (1.0, 100.0)


class StepMarks(NamedTuple):
    """at_start: S at theta_0's own radii.  smoothness: S on the horizon's ball.  horizon: that tau.

    radius: |theta_0| + sqrt(2 tau L_0), R of that ball.  These and `safe` are None where `Scene.unbounded` says why.
    hessian: |hess L(theta_0)|, and error, how far an eigenvalue is from it at most.  kernel_curvature:
    lambda_max(K_0)/N.  safe, kernel, edge: step sizes; infinite for a curvature of 0.
    """

    at_start: float | None
    smoothness: float | None
    horizon: float | None
    radius: float | None
    hessian: float
    error: float
    kernel_curvature: float
    safe: float | None
    kernel: float
    edge: float


def step_marks(scene: Scene, spectrum: SpectrumPanel) -> StepMarks:
    """Marks of a scene whose spectrum is `spectrum`."""
    with scene.arithmetic():
        known = _known(scene)
    hessian, error = (float(each[0]) for each in segment_curvature(scene, scene.params))
    curvature = float(spectrum.eigenvalues[-1]) / scene.state.num_points
    return StepMarks(
        **known,
        hessian=hessian,
        error=error,
        kernel_curvature=curvature,
        kernel=_double_inverse(curvature),
        edge=_double_inverse(hessian),
    )


def _known(scene: Scene) -> dict[str, float | None]:
    block = scene.bounded
    if not isinstance(block, Chain):
        return {"at_start": None, "smoothness": None, "horizon": None, "radius": None, "safe": None}
    x, y = (np.asarray(data)[None] for data in (scene.x, scene.y))
    first, norm = (np.asarray(each)[None] for each in _start(scene.model, scene.params, scene.x, scene.y))
    radii = jax.tree.map(lambda radius: np.asarray(radius)[None], parameter_radii(block, scene.params))
    known = known_before(block, radii, x, y, losses=first, norms=norm, horizons=_TIMES, steps=HORIZON_STEPS)
    horizon = float(known.horizon[0])
    return {
        "at_start": float(known.at_start[0]),
        "smoothness": float(known.smoothness[0]),
        "horizon": horizon,
        "radius": float(norm[0] + np.sqrt(2.0 * horizon * first[0])),
        "safe": horizon / HORIZON_STEPS,
    }


@partial(jax.jit, static_argnums=0)
def _start(model: Apply, params: Any, x: Any, y: Any) -> tuple[jax.Array, jax.Array]:
    return loss(model, params, x, y), optax.tree.norm(params)


def smoothness_after(scene: Scene, path_length: float) -> float | None:
    """S wherever a path of that length from theta_0 can reach; None where `Scene.unbounded` says why."""
    block = scene.bounded
    if block is None:
        return None
    with scene.arithmetic():
        radii = parameter_radii(block, scene.params, path_length=path_length)
        return float(loss_smoothness(block, radii, scene.x, scene.y))


def _double_inverse(curvature: float) -> float:
    return 2.0 / curvature if curvature > 0.0 else np.inf

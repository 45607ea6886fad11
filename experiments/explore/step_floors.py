"""How many steps of gradient descent the loss `target` needs: the floors R3 and R6, and the linearised network's count.

R3 takes the gradient gap G along the run; before training only its value at the start is known, and with that the floor
is the one of the network linearised there. R6 is a floor for the network itself, known before training.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from experiments.blocks import Block
from experiments.explore.scene import Scene
from experiments.explore.spectrum import SpectrumPanel
from experiments.linearised import linearise, steps_to
from experiments.smoothness import known_path_floor, parameter_radii
from theory import feature_learning_floor, path_floor, step_floor


class StepFloors(NamedTuple):
    """Steps to the loss `target`.

    loss: L_0.  gap: |d_0| of the closest pair.  excess: (|d_0| - 2 sqrt(N eps))_+, the part of it that must go.
    linear_floor: R3 with G at the start.  path: R6's P*, in parameter units, and known_floor, its steps; None where
    `Scene.unbounded` says why.  linear_steps: exact count of the linearised network; None where its step size is not
    stable or where loss in unresolved modes stays above the target.  residual: r_0, (N,).
    """

    loss: float
    gap: float
    excess: float
    linear_floor: float
    path: float | None
    known_floor: float | None
    linear_steps: int | None
    residual: Float[np.ndarray, " n"]


_step_floor, _least_steps = jax.jit(step_floor.step_floor), jax.jit(feature_learning_floor.least_steps)


def step_floors(scene: Scene, spectrum: SpectrumPanel) -> StepFloors:
    """Floors of a scene whose spectrum is `spectrum`."""
    state, size = scene.state, scene.state.num_points
    with scene.arithmetic():
        outputs = np.asarray(scene.model(scene.params, scene.x), float)
        residual = (outputs - np.asarray(scene.y, float)).reshape(-1)
    loss = float(residual @ residual / (2 * size))
    first, second = scene.points.pair
    gap = abs(float(residual[first] - residual[second]))
    excess = float(path_floor.compiled_excess(gap, state.target, num_points=size))
    path = _known_path(scene, excess)
    above = loss > state.target
    return StepFloors(
        loss=loss,
        gap=gap,
        excess=excess,
        linear_floor=float(
            _step_floor(
                gap,
                spectrum.gradient_gap,
                target_loss=state.target,
                initial_loss=loss,
                step_size=state.step_size,
                num_points=size,
            )
        )
        if above
        else 0.0,
        path=path,
        known_floor=None if path is None else float(_least_steps(path, loss, step_size=state.step_size)),
        linear_steps=_linear_steps(spectrum, residual, scene),
        residual=residual,
    )


def _linear_steps(spectrum: SpectrumPanel, residual: np.ndarray, scene: Scene) -> int | None:
    frozen = linearise(np.asarray(spectrum.kernel, float), residual, num_points=scene.state.num_points)
    # The kernel's entries may come from float32: its error bar, not the eigensolver's alone.
    frozen = frozen._replace(error=spectrum.smallest.error)
    try:
        return steps_to(frozen, scene.state.target, step_size=scene.state.step_size)
    except ValueError:
        return None


def _known_path(scene: Scene, excess: float) -> float | None:
    block = scene.bounded
    if block is None:
        return None
    if excess == 0.0 or scene.points.separation == 0.0:
        return 0.0 if excess == 0.0 else np.inf
    radius = np.max(np.linalg.norm(np.asarray(scene.x)[list(scene.points.pair)].reshape(2, -1), axis=1))
    with scene.arithmetic():
        return float(_path_floor(block, scene.x.shape[1:], scene.params, radius, excess, scene.points.separation))


@partial(jax.jit, static_argnums=(0, 1))
def _path_floor(
    model: Block, point_shape: tuple[int, ...], params: Any, radius: Any, excess: Any, separation: Any
) -> Any:
    radii = parameter_radii(model, params)
    return known_path_floor(model, radii, radius, excess, separation, point_shape=point_shape)

"""The kernel's spectrum at the start, and R1's ceilings on its least eigenvalue."""

from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from experiments.explore.scene import Scene
from experiments.kernel import empirical_ntk, gradient_gap
from experiments.smoothness import jacobian_lipschitz, parameter_radii
from experiments.spectrum import Eigenvalue, smallest_eigenvalue, symmetric_eigh
from theory import spectral_ceiling


class SpectrumPanel(NamedTuple):
    """K_0 = J J^T without 1/N.

    kernel: (N, N) as computed.  eigenvalues: ascending.  smallest: lambda_min with its error bar and whether it is
    resolved.  gradient_gap: G = |grad f(x_i) - grad f(x_j)| of the closest pair.  gap_ceiling: G^2/2.  block_ceiling:
    the least that any pair gives.  lipschitz: L_J on the ball of the points, at theta_0's own radii; None where
    `Scene.unbounded` says why.  lipschitz_ceiling: L_J^2 h^2/2.
    """

    kernel: Float[np.ndarray, "n n"]
    eigenvalues: Float[np.ndarray, " n"]
    smallest: Eigenvalue
    gradient_gap: float
    gap_ceiling: float
    block_ceiling: float
    lipschitz: float | None
    lipschitz_ceiling: float | None

    @property
    def condition(self) -> float:
        """lambda_max / lambda_min; infinite where lambda_min is not resolved."""
        return float(self.eigenvalues[-1] / self.smallest.value) if self.smallest.resolved else np.inf


_block_ceiling = jax.jit(spectral_ceiling.block_ceiling)


def spectrum(scene: Scene) -> SpectrumPanel:
    """The spectrum at theta_0. Raises ValueError where the kernel is not finite."""
    with scene.arithmetic():
        kernel = np.asarray(empirical_ntk(scene.model, scene.params, scene.x))
        gap = float(gradient_gap(scene.model, scene.params, scene.x, scene.points.pair))
        # Equal points have equal gradients, which two rows of one batch may round apart.
        gap = gap if scene.points.separation > 0.0 else 0.0
        lipschitz = _lipschitz(scene)
    values = symmetric_eigh(kernel).values
    ceiling = (
        None
        if lipschitz is None
        else spectral_ceiling.lipschitz_ceiling(scene.points.separation, jacobian_lipschitz=lipschitz)
    )
    return SpectrumPanel(
        kernel=kernel,
        eigenvalues=values,
        smallest=smallest_eigenvalue(kernel),
        gradient_gap=gap,
        gap_ceiling=float(spectral_ceiling.gradient_gap_ceiling(gap)),
        block_ceiling=float(_block_ceiling(kernel.astype(float))),
        lipschitz=lipschitz,
        lipschitz_ceiling=None if ceiling is None else float(ceiling),
    )


def _lipschitz(scene: Scene) -> float | None:
    block = scene.bounded
    if block is None:
        return None
    radius = np.max(np.linalg.norm(np.asarray(scene.x).reshape(len(scene.x), -1), axis=1))
    radii = parameter_radii(block, scene.params)
    return float(jacobian_lipschitz(block, radii, radius, point_shape=scene.x.shape[1:]))

"""A two-layer tanh network in plain numpy for the hunts, with rigorous bounds on its derivatives over a ball.

f(theta; x) = sum_k a_k tanh(w_k . x) / sqrt(m); theta in R^P is the m rows (a_k, w_k) of R^(1 + d), flattened. Leading
axes of theta are batch axes. Bounds use sup |tanh| = sup |tanh'| = 1 and sup |tanh''| = 4 / (3 sqrt 3), never sampling.
Units: loss L = (1/2N) sum (f - y)^2.
"""

import math

import numpy as np
from jaxtyping import Float

_TANH_2 = 4.0 / (3.0 * math.sqrt(3.0))  # sup |tanh''|


def outputs(theta: Float[np.ndarray, "... p"], inputs: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "... n"]:
    """f at every input."""
    outer, value = _layers(theta, inputs)
    return np.einsum("...k,...kn->...n", outer, value) / math.sqrt(outer.shape[-1])


def jacobian(theta: Float[np.ndarray, "... p"], inputs: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "... n p"]:
    """J: row n is (tanh(w_k . x_n), a_k tanh'(w_k . x_n) x_n) over k, divided by sqrt m."""
    outer, value = _layers(theta, inputs)
    inner = (outer[..., None] * (1.0 - value**2))[..., None] * inputs
    rows = np.concatenate([value[..., None], inner], axis=-1) / math.sqrt(outer.shape[-1])
    return np.moveaxis(rows, -2, -3).reshape(*theta.shape[:-1], len(inputs), -1)


def slope_bounds(outer: float, inputs: Float[np.ndarray, "n d"], *, width: int) -> Float[np.ndarray, " n"]:
    """sup |grad f(x_i)| over |a| <= outer: |grad f|^2 = sum_k tanh^2 + a_k^2 tanh'^2 |x|^2 over m."""
    return np.sqrt(1.0 + outer**2 * np.sum(inputs**2, axis=1) / width)


def curvature_bounds(outer: float, inputs: Float[np.ndarray, "n d"], *, width: int) -> Float[np.ndarray, " n"]:
    """sup |hess f(x_i)| over |a| <= outer: one block [[0, b], [b, C]] a neuron, |b| <= |x|, |C| <= |a_k| B2 |x|^2."""
    norms = np.linalg.norm(inputs, axis=1)
    pure = outer * _TANH_2 * norms**2
    return 0.5 * (pure + np.sqrt(pure**2 + 4.0 * norms**2)) / math.sqrt(width)


def loss_smoothness(
    outer: float, residuals: Float[np.ndarray, " n"], inputs: Float[np.ndarray, "n d"], *, width: int
) -> float:
    """sup |hess L| <= mean of |grad f|^2 + |r| |hess f| over |a| <= outer, |r_i| <= residuals."""
    slopes, curvatures = (bound(outer, inputs, width=width) for bound in (slope_bounds, curvature_bounds))
    return float(np.mean(slopes**2 + residuals * curvatures))


def _layers(theta: np.ndarray, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """a of shape (..., m) and tanh(w_k . x_n) of shape (..., m, n)."""
    neurons = theta.reshape(*theta.shape[:-1], -1, 1 + inputs.shape[1])
    return neurons[..., 0], np.tanh(neurons[..., 1:] @ inputs.T)

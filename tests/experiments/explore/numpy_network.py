"""A residual network written out in numpy, with derivatives by complex steps: a route of its own."""

import numpy as np

STEP = 1e-30
SHAPE = {"width": 8, "depth": 1}
"""The shape that these tests share."""


def flatten(params):
    return np.concatenate([np.asarray(leaf).reshape(-1) for layer in params for leaf in _arrays(layer)])


def _arrays(layer):
    """Bias before weight, as sorted keys have them; a branch is a tuple of layers."""
    if isinstance(layer, dict):
        return [layer[name] for name in sorted(layer)]
    return [array for inner in layer for array in _arrays(inner)]


def residual_mlp(theta, x, *, width, depth, skip=True):
    """Linear, `depth` branches W tanh(V x + b) + c, linear: outputs (N,), from the flat parameters."""
    place = 0

    def affine(a, fan_out):
        nonlocal place
        bias = theta[place : place + fan_out]
        weight = theta[place + fan_out : place + fan_out * (1 + a.shape[1])].reshape(a.shape[1], fan_out)
        place += fan_out * (1 + a.shape[1])
        return a @ weight + bias

    features = affine(x, width)
    for _ in range(depth):
        branch = affine(np.tanh(affine(features, width)), width)
        features = features + branch if skip else branch
    return affine(features, 1)[:, 0]


def jacobian(theta, x, **network):
    """(N, P): one complex step a parameter, without cancellation."""
    rows = []
    for k in range(len(theta)):
        moved = theta.astype(complex)
        moved[k] += 1j * STEP
        rows.append(residual_mlp(moved, x, **network).imag / STEP)
    return np.array(rows).T

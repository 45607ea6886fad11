"""A two-layer tanh network in plain numpy, every derivative written by hand: the independent route of the tests.

f(x) = sum_k a_k tanh(w_k . (x, 1)) / sqrt(8), N = 4, samples 0 and 3 close.  theta = 8 rows (a_k, w_k), flattened.
"""

from typing import NamedTuple

import numpy as np

WIDTH, NUM_POINTS, PAIR = 8, 4, (0, 3)


class Data(NamedTuple):
    inputs: np.ndarray  # (4, 3), last column 1
    labels: np.ndarray  # (4,)


def data(*, separation: float, gap: float) -> Data:
    points = np.array([[1.0, 0.0], [-0.5, 0.8], [-0.4, -0.9], [1.0, separation]])
    labels = np.sin(points[:, 0])
    labels[PAIR[1]] += gap
    return Data(np.column_stack([points, np.ones(4)]), labels)


def outputs(theta, data):
    neurons = theta.reshape(WIDTH, 4)
    return np.tanh(data.inputs @ neurons[:, 1:].T) @ neurons[:, 0] / np.sqrt(WIDTH)


def residuals(theta, data):
    return outputs(theta, data) - data.labels


def loss(theta, data):
    return np.sum(residuals(theta, data) ** 2) / (2 * NUM_POINTS)


def jacobian(theta, data):
    """(N, P): d f / d a_k = tanh z_k, d f / d w_k = a_k (1 - tanh^2 z_k) x, over sqrt 8."""
    neurons = theta.reshape(WIDTH, 4)
    value = np.tanh(data.inputs @ neurons[:, 1:].T)
    inner = (neurons[:, 0] * (1 - value**2))[:, :, None] * data.inputs[:, None, :]
    return np.concatenate([value[:, :, None], inner], axis=2).reshape(NUM_POINTS, -1) / np.sqrt(WIDTH)


def gradient(theta, data):
    return residuals(theta, data) @ jacobian(theta, data) / NUM_POINTS


def loss_hessian(theta, data):
    """(P, P): J^T J / N + mean of r hess f, hess f block diagonal with blocks [[0, s1 x], [s1 x, a s2 x x^T]]."""
    neurons, slopes = theta.reshape(WIDTH, 4), jacobian(theta, data)
    value = np.tanh(data.inputs @ neurons[:, 1:].T)
    first, second = 1 - value**2, -2 * value * (1 - value**2)
    hessian = slopes.T @ slopes / NUM_POINTS
    for k in range(WIDTH):
        block = np.zeros((4, 4))
        for r, x, s1, s2 in zip(residuals(theta, data), data.inputs, first[:, k], second[:, k]):
            block[0, 1:] += r * s1 * x
            block[1:, 0] += r * s1 * x
            block[1:, 1:] += r * neurons[k, 0] * s2 * np.outer(x, x)
        hessian[4 * k : 4 * k + 4, 4 * k : 4 * k + 4] += block / np.sqrt(WIDTH) / NUM_POINTS
    return hessian


def train(data, *, step_size: float, steps: int) -> np.ndarray:
    """Iterates theta_0..theta_T of full-batch gradient descent, (T + 1, P)."""
    theta = np.random.default_rng(0).standard_normal(4 * WIDTH)
    path = [theta]
    for _ in range(steps):
        theta = theta - step_size * gradient(theta, data)
        path.append(theta)
    return np.array(path)


def gap(theta, data):
    r = residuals(theta, data)
    return r[PAIR[0]] - r[PAIR[1]]


def gradient_gap(theta, data):
    slopes = jacobian(theta, data)
    return slopes[PAIR[0]] - slopes[PAIR[1]]


def along(start, end, count):
    """`count` equispaced points of the segment, both ends included, (count, P)."""
    return start + np.linspace(0.0, 1.0, count)[:, None] * (end - start)

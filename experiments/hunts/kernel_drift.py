"""Hunt for counterexamples to the kernel drift's ceiling, with Jbar exact or integrated to rounding.

bilinear  f_i = u^T A_i v: J is linear in theta, so Jbar is the mean of J at the ends;
product   the same with one sample and A = 1, f = u v, started small: the kernel only grows;
network   tanh; Jbar by 12 Gauss-Legendre nodes, whose error is below 1e-13 where |step . x| <= 1 for every neuron (the
          integrand is analytic in an ellipse of Bernstein parameter 5 then, and 5^-24 < 2e-17): larger steps do not
          apply.
Equality: product, "measured drift", at every num_steps before the gap closes.
"""

import math
from typing import Literal, NamedTuple

import numpy as np
from hypothesis import strategies as st
from jaxtyping import Float

from experiments.hunt import Hunt
from experiments.hunts import tanh_network
from theory import kernel_drift
from theory.verdict import Check

WIDTH = 6
NUM_POINTS = 3
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)


class Instance(NamedTuple):
    """One run of `num_steps` steps; relative_step is eta lambda_max(K_0)/N, size multiplies a random theta_0."""

    inequality: Literal["measured drift", "uniform drift"]
    model: Literal["bilinear", "product", "network"]
    num_steps: int
    relative_step: float
    size: float
    seed: int


class Bilinear(NamedTuple):
    """f_i = u^T A_i v, theta = (u, v); forms has shape (N, k, k)."""

    forms: Float[np.ndarray, "n k k"]

    def outputs(self, theta: Float[np.ndarray, " p"]) -> Float[np.ndarray, " n"]:
        left, right = np.split(theta, 2)
        return np.einsum("nij,i,j->n", self.forms, left, right)

    def jacobian(self, theta: Float[np.ndarray, " p"]) -> Float[np.ndarray, "n p"]:
        left, right = np.split(theta, 2)
        return np.concatenate([self.forms @ right, left @ self.forms], axis=1)

    def mean_jacobian(self, start: Float[np.ndarray, " p"], end: Float[np.ndarray, " p"]) -> Float[np.ndarray, "n p"]:
        return 0.5 * (self.jacobian(start) + self.jacobian(end))

    def resolved(self, step: Float[np.ndarray, " p"]) -> bool:
        return bool(np.all(np.isfinite(step)))


class Network(NamedTuple):
    """The two-layer tanh network on given inputs."""

    inputs: Float[np.ndarray, "n d"]

    def outputs(self, theta: Float[np.ndarray, " p"]) -> Float[np.ndarray, " n"]:
        return tanh_network.outputs(theta, self.inputs)

    def jacobian(self, theta: Float[np.ndarray, " p"]) -> Float[np.ndarray, "n p"]:
        return tanh_network.jacobian(theta, self.inputs)

    def mean_jacobian(self, start: Float[np.ndarray, " p"], end: Float[np.ndarray, " p"]) -> Float[np.ndarray, "n p"]:
        along = start + (0.5 + 0.5 * _NODES)[:, None] * (end - start)
        return np.tensordot(0.5 * _WEIGHTS, tanh_network.jacobian(along, self.inputs), axes=1)

    def resolved(self, step: Float[np.ndarray, " p"]) -> bool:
        """Whether every neuron's pre-activation moves by at most 1 in the step, at every input."""
        inner = step.reshape(-1, 1 + self.inputs.shape[1])[:, 1:]
        return bool(np.abs(inner @ self.inputs.T).max() <= 1.0)


def problem(instance: Instance) -> tuple[Bilinear | Network, np.ndarray, np.ndarray]:
    """Model, labels and theta_0."""
    rng = np.random.default_rng(instance.seed)
    if instance.model == "product":
        return Bilinear(np.ones((1, 1, 1))), np.array([2.0]), 0.2 * instance.size * rng.uniform(0.5, 1.0, 2)
    if instance.model == "bilinear":
        return Bilinear(rng.standard_normal((2, 2, 2))), rng.standard_normal(2), instance.size * rng.standard_normal(4)
    angles = 2.0 * np.pi * (np.arange(NUM_POINTS) / NUM_POINTS + rng.random())
    inputs = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return Network(inputs), rng.standard_normal(NUM_POINTS), instance.size * rng.standard_normal(3 * WIDTH)


def check(instance: Instance) -> Check:
    """The prediction's error after the whole run."""
    model, labels, theta = problem(instance)
    count = len(labels)
    residual = model.outputs(theta) - labels
    jacobian = model.jacobian(theta)
    frozen_kernel = jacobian @ jacobian.T
    eigenvalues = np.linalg.eigvalsh(frozen_kernel)
    step_size = instance.relative_step * count / float(eigenvalues[-1])
    frozen, norms, drifts, resolved, largest = residual, [float(np.linalg.norm(residual))], [], True, 0.0
    for _ in range(instance.num_steps):
        step = -step_size / count * residual @ jacobian
        kernel = model.mean_jacobian(theta, theta + step) @ jacobian.T
        drifts.append(float(np.linalg.norm(kernel - frozen_kernel, 2)))
        largest = max(largest, float(np.linalg.norm(jacobian)))
        resolved &= model.resolved(step)
        theta = theta + step
        frozen = frozen - step_size / count * frozen_kernel @ frozen
        residual, jacobian = model.outputs(theta) - labels, model.jacobian(theta)
        norms.append(float(np.linalg.norm(residual)))
        if not norms[-1] < 1e6:  # diverged, and so not applicable
            resolved = False
            break
    found = kernel_drift.check(
        inequality=instance.inequality,
        prediction_error=float(np.linalg.norm(residual - frozen)),
        drifts=np.array(drifts),
        residual_norms=np.array(norms),
        frozen_norm=float(np.linalg.norm(frozen)),
        contraction=float(np.abs(1.0 - step_size / count * eigenvalues).max()),
        step_size=step_size,
        num_points=count,
        output_scale=float(np.abs(labels).max()) + max(norms),
        drift_error=1e-13 * largest * (largest + 1.0),
        instance=repr(instance),
    )
    return found._replace(margins={**found.margins, "steps resolved": 0.0 if resolved else -math.inf})


HUNT = Hunt(
    claim="G7",
    instances=st.builds(
        Instance,
        inequality=st.sampled_from(["measured drift", "uniform drift"]),
        model=st.sampled_from(["bilinear", "product", "network"]),
        num_steps=st.sampled_from([1, 2, 4, 8, 15]),  # few shapes
        relative_step=st.floats(-3.0, 0.0).map(lambda exponent: 10.0**exponent) | st.floats(1.0, 3.0),  # q > 1 beyond 2
        size=st.floats(0.3, 2.0),
        seed=st.integers(0, 2**31 - 1),
    ),
    check=check,
    module="experiments.hunts.kernel_drift",
    check_many=lambda instances: [check(instance) for instance in instances],
    extremal=(
        Instance("measured drift", "product", 1, 0.002, 1.0, 0),
        Instance("measured drift", "product", 8, 0.002, 1.0, 0),
        Instance("uniform drift", "product", 1, 0.002, 1.0, 0),
    ),
)

"""Hunt for counterexamples to the finite horizon: quadratics with their exact S, tanh networks with S(R) of the ball.

The step size is `relative_step` / S. For a network S depends on the ball, the ball on the horizon eta T, and the
horizon on S: the fixed point tau S(R(tau)) = relative_step * T is found by bisection, so that every instance applies.
Equality: model = "quadratic", spread = offset = 0, relative_step = num_steps = 1 (containment too).
"""

import math
from typing import Literal, NamedTuple

import numpy as np
from hypothesis import strategies as st
from jaxtyping import Float

from experiments.hunt import Hunt
from experiments.hunts import tanh_network
from theory import finite_horizon
from theory.finite_horizon import Inequality
from theory.verdict import Check

WIDTH = 6
NUM_POINTS = 4


class Instance(NamedTuple):
    """One run of `num_steps` steps and the inequality checked on it.

    spread: log10 of a quadratic's condition number; offset: its least loss.  scale: size of the network's theta_0.
    """

    inequality: Inequality
    model: Literal["quadratic", "network"]
    num_steps: int
    relative_step: float
    spread: float
    offset: float
    scale: float
    seed: int


class HorizonRun(NamedTuple):
    """Iterates, losses and squared gradients of T + 1 points, the step size and the S of the ball."""

    parameters: Float[np.ndarray, "rows p"]
    losses: Float[np.ndarray, " rows"]
    squared_gradients: Float[np.ndarray, " rows"]
    step_size: float
    smoothness: float
    output_scale: float


def quadratic_run(instance: Instance) -> HorizonRun:
    """L = sum_k lambda_k theta_k^2 / 2 + offset in R^3, in closed form: theta_s = (1 - eta lambda)^s theta_0."""
    rng = np.random.default_rng(instance.seed)
    eigenvalues = 10.0 ** (-instance.spread * np.array([0.0, rng.random(), 1.0]))
    step_size = instance.relative_step  # S = 1
    decay = (1.0 - step_size * eigenvalues) ** np.arange(instance.num_steps + 1)[:, None]
    parameters = decay * rng.standard_normal(3)
    losses = 0.5 * (parameters**2 @ eigenvalues) + instance.offset
    scale = float(np.abs(parameters[0]).max()) + math.sqrt(2.0 * instance.offset)
    return HorizonRun(parameters, losses, parameters**2 @ eigenvalues**2, step_size, 1.0, scale)


def network_run(instance: Instance) -> HorizonRun:
    """A tanh network on the unit circle with labels of order 1."""
    rng = np.random.default_rng(instance.seed)
    angles = rng.uniform(0.0, 2.0 * np.pi) + 2.0 * np.pi * np.arange(NUM_POINTS) / NUM_POINTS
    inputs = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    labels = rng.standard_normal(NUM_POINTS)
    theta = instance.scale * rng.standard_normal(3 * WIDTH)
    initial_norm = float(np.linalg.norm(theta))
    initial_loss = float(np.mean((tanh_network.outputs(theta, inputs) - labels) ** 2) / 2)

    def smoothness(horizon: float) -> float:
        # In B_R: |a| <= R, and |f| <= |a| because |tanh| <= 1 and |a|_1 <= sqrt(m) |a|.
        radius = initial_norm + math.sqrt(2.0 * horizon * initial_loss)
        return tanh_network.loss_smoothness(radius, np.abs(labels) + radius, inputs, width=WIDTH)

    low, high = 0.0, instance.relative_step * instance.num_steps / smoothness(0.0)
    for _ in range(20):
        middle = 0.5 * (low + high)
        low, high = (
            (middle, high)
            if middle * smoothness(middle) < instance.relative_step * instance.num_steps
            else (low, middle)
        )
    step_size = low / instance.num_steps
    path = [theta]
    losses, squared_gradients = [], []
    for step in range(instance.num_steps + 1):
        residual = tanh_network.outputs(path[-1], inputs) - labels
        gradient = residual @ tanh_network.jacobian(path[-1], inputs) / NUM_POINTS
        losses.append(0.5 * float(residual @ residual) / NUM_POINTS)
        squared_gradients.append(float(gradient @ gradient))
        if step < instance.num_steps:
            path.append(path[-1] - step_size * gradient)
    scale = float(np.abs(labels).max()) + math.sqrt(2.0 * NUM_POINTS * initial_loss)
    return HorizonRun(np.array(path), np.array(losses), np.array(squared_gradients), step_size, smoothness(low), scale)


def check(instance: Instance) -> Check:
    """The whole run against one inequality."""
    run = quadratic_run(instance) if instance.model == "quadratic" else network_run(instance)
    return finite_horizon.check(
        inequality=instance.inequality,
        largest_distance=float(np.linalg.norm(run.parameters - run.parameters[0], axis=1).max()),
        path_length=float(np.linalg.norm(np.diff(run.parameters, axis=0), axis=1).sum()),
        squared_gradients=run.squared_gradients[:-1],
        initial_loss=float(run.losses[0]),
        final_loss=float(run.losses[-1]),
        least_loss=0.0,  # a squared loss
        step_size=run.step_size,
        smoothness=run.smoothness,
        output_scale=run.output_scale,
        parameter_scale=float(np.abs(run.parameters).max()),
        instance=repr(instance),
    )


_INEQUALITIES: tuple[Inequality, ...] = ("containment", "path length", "gradient", "decrease")

HUNT = Hunt(
    claim="G3",
    instances=st.builds(
        Instance,
        inequality=st.sampled_from(_INEQUALITIES),
        model=st.sampled_from(["quadratic", "network"]),
        num_steps=st.integers(1, 3) | st.integers(1, 20),
        relative_step=st.just(1.0) | st.floats(0.01, 1.0),
        spread=st.just(0.0) | st.floats(0.01, 3.0),
        offset=st.just(0.0) | st.floats(0.01, 2.0),
        scale=st.floats(0.1, 1.5),
        seed=st.integers(0, 2**31 - 1),
    ),
    check=check,
    module="experiments.hunts.finite_horizon",
    check_many=lambda instances: [check(instance) for instance in instances],
    extremal=tuple(Instance(name, "quadratic", 1, 1.0, 0.0, 0.0, 1.0, 0) for name in _INEQUALITIES),
)

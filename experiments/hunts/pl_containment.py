"""Hunt for counterexamples to Polyak-Lojasiewicz containment, with mu and S exact or proven on the whole ball.

quadratic  R^4, eigenvalues in [mu, 1] and one of them 0 (an overparametrised least-squares problem);
profile    1-D, even, L' piecewise linear and positive, not monotone: on a linear piece L'^2/(2L) is monotone, because
           (L'^2/L)' L^2/L' = 2 L'' L - L'^2 is constant there, so mu is the least value at the knots;
network    a tanh network whose labels lie so near f(theta_0) that sigma_min(J) at most halves on the ball.
Step sizes reach 1.9 / S.  Equality: quadratic with spread = 0 (containment: and relative_step = 1).
"""

import math
from typing import Literal, NamedTuple

import numpy as np
from hypothesis import strategies as st
from jaxtyping import Float

from experiments.hunt import Hunt
from experiments.hunts import tanh_network
from theory import pl_containment
from theory.pl_containment import Inequality
from theory.verdict import Check

WIDTH = 8
NUM_POINTS = 3


class Instance(NamedTuple):
    """One run of `num_steps` steps at eta = relative_step / S.

    spread: log10 of S/mu (quadratic).  start: theta_0 (profile).  share: of the largest admissible residual (network).
    """

    inequality: Inequality
    model: Literal["quadratic", "profile", "network"]
    num_steps: int
    relative_step: float
    spread: float
    start: float
    share: float
    seed: int


class Descent(NamedTuple):
    """Largest distance from theta_0, path length and end losses of a run, and the constants of its ball."""

    largest_distance: float
    path_length: float
    initial_loss: float
    final_loss: float
    step_size: float
    rate: float
    smoothness: float
    ball_radius: float
    output_scale: float
    parameter_scale: float


def quadratic_descent(instance: Instance) -> Descent:
    """L = sum_k lambda_k theta_k^2 / 2, closed form; PL with the least positive eigenvalue everywhere."""
    rng = np.random.default_rng(instance.seed)
    eigenvalues = np.append(10.0 ** (-instance.spread * np.array([0.0, rng.random(), 1.0])), 0.0)
    step_size = instance.relative_step
    path = (1.0 - step_size * eigenvalues) ** np.arange(instance.num_steps + 1)[:, None] * rng.standard_normal(4)
    losses = 0.5 * path**2 @ eigenvalues
    scale = float(np.abs(path).max())
    return Descent(
        largest_distance=float(np.linalg.norm(path - path[0], axis=1).max()),
        path_length=float(np.linalg.norm(np.diff(path, axis=0), axis=1).sum()),
        initial_loss=float(losses[0]),
        final_loss=float(losses[-1]),
        step_size=step_size,
        rate=float(eigenvalues[2]),
        smoothness=1.0,
        ball_radius=math.inf,
        output_scale=scale,
        parameter_scale=scale,
    )


def profile(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Knots in [0, 1], L' and L there; beyond 1 the slope L'' is the largest of all."""
    rng = np.random.default_rng(seed)
    knots = np.linspace(0.0, 1.0, 5)
    slopes = np.append(0.0, rng.uniform(0.1, 1.0, 4))
    losses = np.append(0.0, np.cumsum(0.5 * (slopes[1:] + slopes[:-1]) * np.diff(knots)))
    return knots, slopes, losses


def profile_descent(instance: Instance) -> Descent:
    """A scalar run towards 0, the only critical point."""
    knots, slopes, losses = profile(instance.seed)
    curvatures = np.diff(slopes) / np.diff(knots)
    smoothness = float(np.abs(curvatures).max())
    curvatures = np.append(curvatures, smoothness)
    rate = float(min(curvatures[0], np.min(slopes[1:] ** 2 / (2.0 * losses[1:]))))
    step_size = instance.relative_step / smoothness
    points, values = [instance.start], []
    for _ in range(instance.num_steps + 1):
        point = points[-1]
        place = int(np.searchsorted(knots, abs(point), side="right")) - 1
        beyond = abs(point) - knots[place]
        values.append(losses[place] + beyond * (slopes[place] + 0.5 * curvatures[place] * beyond))
        points.append(point - step_size * math.copysign(slopes[place] + curvatures[place] * beyond, point))
    run = np.array(points[:-1])
    return Descent(
        largest_distance=float(np.abs(run - run[0]).max()),
        path_length=float(np.abs(np.diff(run)).sum()),
        initial_loss=float(values[0]),
        final_loss=float(values[-1]),
        step_size=step_size,
        rate=rate,
        smoothness=smoothness,
        ball_radius=math.inf,
        output_scale=1.0 + instance.start,
        parameter_scale=instance.start,
    )


def network_start(seed: int) -> tuple[Float[np.ndarray, " p"], Float[np.ndarray, "n d"]]:
    """theta_0 and inputs of a tanh network on the unit circle."""
    rng = np.random.default_rng(seed)
    angles = 2.0 * np.pi * (np.arange(NUM_POINTS) / NUM_POINTS + rng.random())
    return rng.standard_normal(3 * WIDTH), np.stack([np.cos(angles), np.sin(angles)], axis=1)


def network_descent(instance: Instance) -> Descent:
    """Labels f(theta_0) - r_0, r_0 so small that sigma_min(J) at most halves on a ball of radius kappa sqrt(2 L_0/mu).

    |J - J_0| <= rho |(h_i)|, h_i >= |hess f(x_i)| on the ball of radius 1, so sigma_min(J) >= sigma/2 for
    rho = sigma / (2 |h|) (at most 1), mu = sigma^2/(4N), and |r_0| = sqrt(2 N L_0) = sqrt(N mu) rho / kappa suffices;
    kappa <= 2 / (2 - max(1, eta S)).
    """
    theta, inputs = network_start(instance.seed)
    start_jacobian = tanh_network.jacobian(theta, inputs)
    sigma = float(np.linalg.svd(start_jacobian, compute_uv=False)[-1])
    outer = float(np.linalg.norm(theta[::3])) + 1.0
    bends = tanh_network.curvature_bounds(outer, inputs, width=WIDTH)
    radius = min(1.0, sigma / (2.0 * float(np.linalg.norm(bends))))
    rate = sigma**2 / (4.0 * NUM_POINTS)
    direction = np.random.default_rng(instance.seed + 1).standard_normal(NUM_POINTS)
    share = instance.share * (1.0 - 0.5 * max(1.0, instance.relative_step))
    residual = share * math.sqrt(NUM_POINTS * rate) * radius * direction / np.linalg.norm(direction)
    labels = tanh_network.outputs(theta, inputs) - residual
    reach = np.abs(residual) + radius * tanh_network.slope_bounds(outer, inputs, width=WIDTH)
    smoothness = tanh_network.loss_smoothness(outer, reach, inputs, width=WIDTH)
    step_size = instance.relative_step / smoothness
    path, losses = [theta], []
    for _ in range(instance.num_steps + 1):
        residual = tanh_network.outputs(path[-1], inputs) - labels
        losses.append(0.5 * float(residual @ residual) / NUM_POINTS)
        path.append(path[-1] - step_size / NUM_POINTS * residual @ tanh_network.jacobian(path[-1], inputs))
    run = np.array(path[:-1])
    return Descent(
        largest_distance=float(np.linalg.norm(run - run[0], axis=1).max()),
        path_length=float(np.linalg.norm(np.diff(run, axis=0), axis=1).sum()),
        initial_loss=losses[0],
        final_loss=losses[-1],
        step_size=step_size,
        rate=rate,
        smoothness=smoothness,
        ball_radius=radius,
        output_scale=float(np.abs(labels).max()),
        parameter_scale=float(np.abs(theta).max()),
    )


_MODELS = {"quadratic": quadratic_descent, "profile": profile_descent, "network": network_descent}


def check(instance: Instance) -> Check:
    """The run against its inequality."""
    return pl_containment.check(
        inequality=instance.inequality,
        num_steps=instance.num_steps,
        instance=repr(instance),
        **_MODELS[instance.model](instance)._asdict(),
    )


HUNT = Hunt(
    claim="G5",
    instances=st.builds(
        Instance,
        inequality=st.sampled_from(["containment", "path length", "rate"]),
        model=st.sampled_from(["quadratic", "profile", "network"]),
        num_steps=st.integers(1, 3) | st.integers(1, 20),
        relative_step=st.just(1.0) | st.floats(0.01, 1.9),
        spread=st.just(0.0) | st.floats(0.01, 3.0),
        start=st.floats(0.1, 2.0),
        share=st.floats(0.05, 1.0),
        seed=st.integers(0, 2**31 - 1),
    ),
    check=check,
    module="experiments.hunts.pl_containment",
    check_many=lambda instances: [check(instance) for instance in instances],
    extremal=(
        Instance("containment", "quadratic", 1, 1.0, 0.0, 1.0, 1.0, 0),
        Instance("path length", "quadratic", 1, 1.0, 0.0, 1.0, 1.0, 0),
        Instance("path length", "quadratic", 20, 0.1, 0.0, 1.0, 1.0, 0),
        Instance("path length", "quadratic", 8, 1.5, 0.0, 1.0, 1.0, 0),
        Instance("rate", "quadratic", 5, 0.3, 0.0, 1.0, 1.0, 0),
        Instance("rate", "quadratic", 5, 1.7, 0.0, 1.0, 1.0, 0),
    ),
)

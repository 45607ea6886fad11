"""Hunt for counterexamples to the feature-learning floor: gradient descent of a network, a linear and a scalar model.

network, linear: prefixes of the small runs, with the envelope derived below, and Lbar = 1.  power: theta in R,
f = x theta^(q+1)/(q+1) at x = -+h/2, whose envelope Lbar(R) = R^q is attained along theta > 0 at every parameter.
Each prefix of T steps is an instance with eps = L_T, its tightest reading.
Equality: path floor, model = "power"; step floor, model = "linear", separation = sqrt 2, num_steps = 1, step_size = 1.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from hypothesis import strategies as st
from jaxtyping import Float

from experiments.hunt import Hunt
from experiments.hunts.small_runs import DRAWS, STEPS, WIDTH, Run, drawn_runs
from theory import feature_learning_floor
from theory.feature_learning_floor import polynomial_path_floor
from theory.verdict import Check

DEGREE = 3  # of every envelope, zeros included, so that one root finder is compiled
PAIR = 2  # the scalar model's samples


class Instance(NamedTuple):
    """One prefix of one run; power and start (theta_0) are the scalar model's, the other fields the small runs'."""

    form: Literal["path", "steps"]
    num_steps: int
    model: Literal["network", "linear", "power"]
    num_points: int
    separation: float
    gap: float
    noise: float
    coupling: float
    step_size: float
    power: int
    start: float
    seed: int


class _Prefix(NamedTuple):
    """What the floors need of the first T steps of a run."""

    path_length: float
    losses: Float[np.ndarray, " steps"]
    squared_gradient_sum: float
    step_size: float
    num_points: int
    initial_gap: float
    initial_norm: float
    coefficients: Float[np.ndarray, " 4"]
    output_scale: float
    gradient_cancellation: float


def shallow_tanh_envelope(input_norm: float, width: int) -> Float[np.ndarray, " 4"]:
    """Lbar(R) = (R + B2 rho R^2 / 2) / sqrt(width) for f = a . tanh(W x) / sqrt(width), |x| <= rho, B2 = sup |tanh''|.

    sqrt(width) times the gradient in a moves by at most |W| h, in row w_k of W by |a_k| (1 + B2 rho |w_k|) h; the
    Euclidean sum is at most (|W|^2 + |a|^2)^(1/2) h + B2 rho |a| |W| h, and |a| |W| <= R^2 / 2.
    """
    bend = 4.0 / (3.0 * 3.0**0.5)
    return np.array([0.0, 1.0, 0.5 * bend * input_norm, 0.0]) / width**0.5


def _small_prefix(instance: Instance, run: Run) -> _Prefix:
    steps = instance.num_steps
    if instance.model == "linear":
        coefficients = np.array([1.0, 0.0, 0.0, 0.0])  # the pair's features differ by h u, |u| = 1
    else:  # the circle's points have norm 1, the partner at most 1 + h, and a 1 is appended
        coefficients = shallow_tanh_envelope(float(np.hypot(1.0, 1.0 + instance.separation)), WIDTH)
    return _Prefix(
        path_length=float(run.step_lengths[:steps].sum()),
        losses=run.losses[: steps + 1],
        squared_gradient_sum=float(run.squared_gradients[:steps].sum()),
        step_size=run.step_size,
        num_points=instance.num_points,
        initial_gap=float(abs(run.gaps[0])),
        initial_norm=float(np.linalg.norm(run.parameters[0])),
        coefficients=coefficients,
        output_scale=run.output_scale(steps),
        gradient_cancellation=run.gradient_scale(steps) / instance.separation,
    )


def _power_prefix(instance: Instance) -> _Prefix:
    """Gradient descent of the scalar model, r = -+d/2, eta at most the inverse curvature met on the way."""
    h, q, theta = instance.separation, instance.power, instance.start
    order = q + 1
    goal = instance.gap + h * theta**order / order  # of h theta^(q+1)/(q+1): d_0 = -gap
    limit = (order * goal / h) ** (1.0 / order)
    step_size = min(instance.step_size, 1.0) * 2.0 * PAIR / (h * limit**q) ** 2
    gaps, path_length, squares = [-instance.gap], 0.0, 0.0
    for _ in range(instance.num_steps):
        gradient = gaps[-1] * h * theta**q / (2.0 * PAIR)
        theta -= step_size * gradient
        path_length += step_size * abs(gradient)
        squares += gradient**2
        gaps.append(h * theta**order / order - goal)
    return _Prefix(
        path_length=path_length,
        losses=np.square(gaps) / (4.0 * PAIR),
        squared_gradient_sum=squares,
        step_size=step_size,
        num_points=PAIR,
        initial_gap=instance.gap,
        initial_norm=instance.start,
        coefficients=np.eye(DEGREE + 1)[q],
        output_scale=goal,
        gradient_cancellation=1.0,
    )


def _check(instance: Instance, prefix: _Prefix) -> Check:
    final_loss = float(prefix.losses[-1])
    excess = max(prefix.initial_gap - 2.0 * (prefix.num_points * final_loss) ** 0.5, 0.0)
    floor = polynomial_path_floor(
        excess, instance.separation, coefficients=prefix.coefficients, initial_norm=prefix.initial_norm
    )
    cancellation = prefix.gradient_cancellation + (prefix.output_scale / excess if excess > 0.0 else 0.0)
    if instance.form == "path":
        return feature_learning_floor.check(
            prefix.path_length,
            float(floor),
            target_loss=final_loss,
            final_loss=final_loss,
            cancellation=cancellation,
            instance=repr(instance),
        )
    return feature_learning_floor.check_steps(
        instance.num_steps,
        float(floor),
        initial_loss=float(prefix.losses[0]),
        target_loss=final_loss,
        final_loss=final_loss,
        squared_gradient_sum=prefix.squared_gradient_sum,
        step_size=prefix.step_size,
        cancellation=cancellation,
        instance=repr(instance),
    )


def check(instance: Instance) -> Check:
    """Path length or number of steps of the prefix against its floor."""
    return check_many([instance])[0]


def check_many(instances: Sequence[Instance]) -> list[Check]:
    """The same for many; the small runs of one model and size go through one compiled call."""
    small = [each for each in instances if each.model != "power"]
    runs = iter(drawn_runs(small))
    return [
        _check(each, _power_prefix(each) if each.model == "power" else _small_prefix(each, next(runs)))
        for each in instances
    ]


HUNT = Hunt(
    claim="R6",
    instances=st.builds(
        Instance,
        form=st.sampled_from(("path", "path", "path", "steps")),
        num_steps=st.integers(1, 8) | st.integers(1, STEPS),
        power=st.integers(0, DEGREE),
        start=st.floats(0.1, 3.0),
        **(
            DRAWS
            | {
                "model": st.sampled_from(("network", "linear", "power")),
                "num_points": st.just(4),
                "gap": st.floats(0.5, 2.0),
            }
        ),
    ),
    check=check,
    module="experiments.hunts.feature_learning_floor",
    check_many=check_many,
    extremal=(
        *(Instance("path", 50, "power", 4, 0.1, 0.5, 0.0, 0.0, 0.5, power, 1.0, 0) for power in (0, 1, 3)),
        Instance("steps", 1, "linear", 4, 2.0**0.5, 0.5, 0.0, 0.0, 1.0, 0, 1.0, 0),
        Instance("path", 50, "linear", 4, 2.0**0.5, 0.5, 0.0, 0.0, 0.5, 0, 1.0, 0),
    ),
)

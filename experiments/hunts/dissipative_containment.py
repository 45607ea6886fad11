"""Hunt for counterexamples to dissipative containment: losses whose shell condition holds exactly, by construction.

profile    1-D, piecewise linear L': arbitrary in the ball, in [0, 2 theta / eta] on the shell, runaway beyond it;
           both ends of that interval are linear in theta, so linear pieces stay between them: H2 is exact.
quadratic  (a/2)|theta - b|^2 in R^3 about a centre c: H2 holds from a radius that is a closed form in eta a.
floor      bias-free ReLU networks of `degree` layers, labels near 2 f: -<theta, grad L> against p|y|^2/(4N).
Equality: profile with edge -> 0 started at 1 - edge; floor with noise = 0.
"""

import bisect
import itertools
import math
from typing import Literal, NamedTuple

import numpy as np
from hypothesis import strategies as st

from experiments.hunt import Hunt
from theory import dissipative_containment
from theory.verdict import Check

STEPS = 60
_RUNAWAY = 100.0


class Instance(NamedTuple):
    """step_size: eta (profile), eta a (quadratic).  slope: G of the profile.  edge: width of the turn below R = 1.

    start: theta_0 - c in units of R, along -b for the quadratic.  reach: R over its least value (quadratic).
    """

    form: Literal["profile", "quadratic", "floor"]
    step_size: float
    slope: float
    edge: float
    start: float
    reach: float
    degree: int
    noise: float
    seed: int


def profile(instance: Instance) -> tuple[list[float], list[float]]:
    """Knots and values of L' on [-R - eta G, R + eta G], R = 1, odd-symmetric at the edges of the ball only."""
    rng = np.random.default_rng(instance.seed)
    shell = 1.0 + instance.step_size * instance.slope * np.array([0.0, 0.3, 0.6, 1.0])
    shares = rng.random((2, 4))
    inward = shares * 2.0 * shell / instance.step_size
    inward[:, 0] = np.minimum(inward[:, 0], instance.slope)  # |theta| = R belongs to the ball, where |L'| <= G
    inside = np.array([-0.5, 0.0, 0.5]) * (1.0 - instance.edge)
    knots = [*-shell[::-1], instance.edge - 1.0, *inside, 1.0 - instance.edge, *shell]
    middle = instance.slope * rng.uniform(-1.0, 1.0, 3)
    values = [*-inward[0][::-1], instance.slope, *middle, -instance.slope, *inward[1]]
    return [float(knot) for knot in knots], [float(value) for value in values]


def _interpolate(point: float, knots: list[float], values: list[float]) -> float:
    """L' at a point; beyond the knots it drives the point away."""
    if not knots[0] <= point < knots[-1]:
        return -math.copysign(_RUNAWAY, point)
    place = bisect.bisect_right(knots, point)
    left, right = knots[place - 1], knots[place]
    return values[place - 1] + (values[place] - values[place - 1]) * (point - left) / (right - left)


def _check_profile(instance: Instance) -> Check:
    knots, values = profile(instance)
    # Rounding alone may put an iterate a last digit beyond the shell: the shell's own slope holds that far.
    knots[0], knots[-1] = knots[0] * (1.0 + 1e-14), knots[-1] * (1.0 + 1e-14)
    point = instance.start
    largest = abs(point)
    for _ in range(STEPS):
        point -= instance.step_size * _interpolate(point, knots, values)
        largest = max(largest, abs(point))
    in_shell = [(abs(k), v * math.copysign(1.0, k)) for k, v in zip(knots, values) if abs(k) >= 1.0]
    return dissipative_containment.check(
        largest_distance=largest,
        initial_distance=abs(instance.start),
        radius=1.0,
        gradient_bound=instance.slope,
        step_size=instance.step_size,
        shell_dissipation=min(min(v, 2.0 * k / instance.step_size - v) for k, v in in_shell),
        gradient_margin=instance.slope - max(abs(v) for k, v in zip(knots, values) if abs(k) <= 1.0),
        instance=repr(instance),
    )


def least_radius(scaled_step: float, offset: float) -> float:
    """Least R from which (a/2)|theta - b|^2 is dissipative about c, offset = |b - c|, scaled_step = eta a < 2.

    On |theta - c| = r the least dissipation is a (r - |b|)((1 - x/2) r + x|b|/2) for x <= 1 and
    a (r + |b|)((1 - x/2) r - x|b|/2) for x >= 1: non-negative from |b|, and from x|b|/(2 - x), on.
    """
    return offset * max(1.0, scaled_step / (2.0 - scaled_step))


def _check_quadratic(instance: Instance) -> Check:
    rng = np.random.default_rng(instance.seed)
    x = instance.step_size
    minimum = rng.standard_normal(3)
    offset = float(np.linalg.norm(minimum))
    least = least_radius(x, offset)
    radius = instance.reach * least
    tilt = rng.standard_normal(3)
    first = minimum / offset + instance.noise * tilt
    first *= instance.start * radius / float(np.linalg.norm(first))
    path = minimum + (1.0 - x) ** np.arange(STEPS + 1)[:, None] * (first - minimum)
    distances = np.linalg.norm(path, axis=1)
    return dissipative_containment.check(
        largest_distance=float(distances.max()),
        initial_distance=float(distances[0]) * (1.0 - 1e-15),
        radius=radius,
        gradient_bound=radius + offset,  # a = 1
        step_size=x,
        shell_dissipation=radius - least,
        gradient_margin=0.0,
        instance=repr(instance),
    )


def relu_network(degree: int, *, seed: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Weights of a bias-free ReLU network with `degree` layers of width 4, and 4 inputs of R^3 (columns)."""
    rng = np.random.default_rng(seed)
    sizes = (3,) + (4,) * (degree - 1) + (1,)
    weights = [rng.standard_normal((rows, columns)) for columns, rows in itertools.pairwise(sizes)]
    return weights, rng.standard_normal((3, 4))


def backward(weights: list[np.ndarray], inputs: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """f of every column and its gradient with respect to every layer, arrays (n, rows, columns)."""
    values, active = [inputs], []
    for weight in weights[:-1]:
        before = weight @ values[-1]
        active.append(before > 0)
        values.append(np.maximum(before, 0.0))
    output = (weights[-1] @ values[-1])[0]
    signal = np.ones((1, inputs.shape[1]))
    gradients = [np.einsum("rn,cn->nrc", signal, values[-1])]
    for weight, mask, value in zip(weights[:0:-1], active[::-1], values[-2::-1]):
        signal = (weight.T @ signal) * mask
        gradients.append(np.einsum("rn,cn->nrc", signal, value))
    return output, gradients[::-1]


def _check_floor(instance: Instance) -> Check:
    weights, inputs = relu_network(instance.degree, seed=instance.seed)
    output, gradients = backward(weights, inputs)
    rng = np.random.default_rng(instance.seed + 1)
    labels = 2.0 * output + instance.noise * rng.standard_normal(output.size)
    inner = sum(np.einsum("rc,nrc->n", weight, slope) for weight, slope in zip(weights, gradients))
    sizes = sum(np.einsum("rc,nrc->n", abs(weight), abs(slope)) for weight, slope in zip(weights, gradients))
    return dissipative_containment.check_homogeneous(
        inner_product=float((output - labels) @ inner) / output.size,
        squared_labels=float(labels @ labels),
        degree=instance.degree,
        num_points=output.size,
        euler_defect=float(np.abs(inner - instance.degree * output).max()),
        term_scale=float(np.abs(output - labels) @ sizes) / output.size + float(np.max(sizes)),
        instance=repr(instance),
    )


def check(instance: Instance) -> Check:
    """The instance's inequality: containment of a run, or the homogeneous floor at one theta."""
    forms = {"profile": _check_profile, "quadratic": _check_quadratic, "floor": _check_floor}
    return forms[instance.form](instance)


HUNT = Hunt(
    claim="G4",
    instances=st.builds(
        Instance,
        form=st.sampled_from(["profile", "quadratic", "floor"]),
        step_size=st.floats(0.05, 1.9),
        slope=st.floats(0.1, 5.0),
        edge=st.floats(-6.0, -0.5).map(lambda exponent: 10.0**exponent),
        start=st.floats(-1.0, 1.0),
        reach=st.just(1.0) | st.floats(1.0, 3.0),
        degree=st.sampled_from([1, 2, 3]),
        noise=st.just(0.0) | st.floats(0.01, 2.0),
        seed=st.integers(0, 2**31 - 1),
    ),
    check=check,
    module="experiments.hunts.dissipative_containment",
    check_many=lambda instances: [check(instance) for instance in instances],
    extremal=(
        Instance("profile", 0.5, 1.0, 1e-9, 1.0 - 1e-9, 1.0, 2, 0.0, 0),
        Instance("profile", 1.5, 4.0, 1e-9, 1.0 - 1e-9, 1.0, 2, 0.0, 1),
        Instance("floor", 0.5, 1.0, 0.1, 0.5, 1.0, 3, 0.0, 0),
    ),
)

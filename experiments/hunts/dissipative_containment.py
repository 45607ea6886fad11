"""Hunt for counterexamples to dissipative containment: losses whose shell condition holds exactly, by construction.

profile    1-D, piecewise linear L': arbitrary in the ball, in [0, 2 theta / eta] on the shell, runaway beyond it;
           both ends of that interval are linear in theta, so linear pieces stay between them: H2 is exact.
quadratic  one step from the shell of |theta - b|^2 / 2 in R^3, c = 0: H2 holds from a radius on, in closed form.
floor      bias-free ReLU networks of `degree` layers, labels near 2 f: -<theta, grad L> against p|y|^2/(4N).
Equality: profile with edge -> 0 started at 1 - edge; quadratic with reach = 1, start = noise = 0; floor with noise = 0.
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
    """step_size: eta.  slope: G of the profile.  edge: width of the turn below R = 1.

    start: theta_0 in units of R (profile); the place of theta_0 in the shell, 0 at R and 1 at R + eta G, and its sign a
    side of b (quadratic).  reach: R over its least value (quadratic).  noise: of direction (quadratic), labels (floor).
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


def least_radius(step_size: float, offset: float) -> float:
    """Least R from which |theta - b|^2 / 2 is dissipative about 0, offset = |b|, eta < 2: |b| max(1, eta/(2 - eta))."""
    return offset * max(1.0, step_size / (2.0 - step_size))


def least_dissipation(radius: float, step_size: float, *, offset: float) -> float:
    """Least dissipation of |theta - b|^2 / 2 on the sphere |theta| = r, which rises with r from `least_radius` on.

    Linear in cos(theta, b), so least at an end: (r - |b|)((1 - eta/2) r + eta |b|/2) on the side of b where eta <= 1,
    (r + |b|)((1 - eta/2) r - eta |b|/2) on the other where eta >= 1.
    """
    if step_size <= 1.0:
        return (radius - offset) * ((1.0 - step_size / 2.0) * radius + step_size * offset / 2.0)
    return (radius + offset) * (1.0 - step_size / 2.0) * (radius - step_size / (2.0 - step_size) * offset)


def _check_quadratic(instance: Instance) -> Check:
    rng = np.random.default_rng(instance.seed)
    minimum, tilt = rng.standard_normal((2, 3))
    offset = float(np.linalg.norm(minimum))
    radius = instance.reach * least_radius(instance.step_size, offset)
    gradient_bound = radius + offset
    place = radius + abs(instance.start) * instance.step_size * gradient_bound
    # The sphere's least inward point lies along b where eta <= 1, and along -b beyond.
    side = math.copysign(1.0, instance.start) * (1.0 if instance.step_size <= 1.0 else -1.0)
    before = side * minimum / offset + instance.noise * tilt
    before *= place / float(np.linalg.norm(before))
    after = before - instance.step_size * (before - minimum)
    return dissipative_containment.check_step(
        distance_after=float(np.linalg.norm(after)),
        distance_before=float(np.linalg.norm(before)),
        radius=radius,
        shell_dissipation=least_dissipation(radius, instance.step_size, offset=offset),
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
    """The instance's inequality: containment of a run, a step from the shell, or the homogeneous floor at one theta."""
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
        Instance("quadratic", 1.5, 1.0, 0.1, 0.0, 1.0, 1, 0.0, 0),
        Instance("floor", 0.5, 1.0, 0.1, 0.5, 1.0, 3, 0.0, 0),
    ),
)

"""The largest step size with which plain gradient descent stays stable, found on ladders of step sizes.

theta_{s+1} = theta_s - eta grad L(theta_s), L = (1/2N) sum_i |f(x_i) - y_i|^2, for T steps. A step size eta is
  monotone  if L_{s+1} <= L_s at every step,
  bounded   if L_s <= L_0 throughout,
  forgiven  if L_s <= 10 L_0 throughout: a climb that comes down again (a catapult) does not count against it,
and L_T < L_0 in each case; the first implies the second, the second the third.
Method. A ladder of twelve step sizes in octaves about a reference, each run to its end; then, for each of the three
criteria, four step sizes between the last stable rung and the first unstable one, twice: a ratio of 2^(1/25), 2.8%.
  Stable means that every smaller rung tried is stable too: a stable island above an unstable step does not count.
Units. eta in squared parameters per loss.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array, Float, PyTree

from experiments.descent import Apply, loss
from theory.rounding import ROUNDING

CRITERIA = ("monotone", "bounded", "forgiven")
CATAPULT = 10.0
"""The climb, in units of L_0, that "forgiven" forgives; a run is given up beyond it."""
_OCTAVES = np.arange(-6.0, 6.0)
_BETWEEN = 4


class Course(NamedTuple):
    """A run's losses in units of L_0. rise: max (L_{s+1} - L_s)_+.  peak: max L_s.  end: L_T. NaN once not finite."""

    rise: Any
    peak: Any
    end: Any


class LargestSteps(NamedTuple):
    """For every run and criterion the largest stable step size tried and the least unstable one above it.

    Shapes (runs, 3), columns as CRITERIA. stable is 0 where no rung was stable, unstable infinite where all were.
    """

    stable: Float[np.ndarray, "runs 3"]
    unstable: Float[np.ndarray, "runs 3"]


def _course(apply: Apply, steps: int, params: PyTree, x: Array, y: Array, step_size: Array) -> Course:
    """Run until `steps` are taken or the loss is beyond 10 L_0, or not a number."""
    slope = jax.value_and_grad(lambda theta: loss(apply, theta, x, y))

    def goes_on(state: tuple) -> Array:
        taken, _, _, _, course = state
        return (taken < steps) & (course.peak <= CATAPULT)  # false for NaN

    def step(state: tuple) -> tuple:
        taken, theta, gradient, first, course = state
        theta = jax.tree.map(lambda leaf, down: leaf - step_size * down, theta, gradient)
        value, gradient = slope(theta)
        first = jnp.where(taken < 0, value, first)
        share = value / first
        after = Course(jnp.maximum(course.rise, share - course.end), jnp.maximum(course.peak, share), share)
        return taken + 1, theta, gradient, first, after

    # A step along a zero gradient comes first and measures L_0: the gradient is then compiled once, not twice.
    begin = Course(*(jnp.full((), start, y.dtype) for start in (0.0, 1.0, 1.0)))
    nothing = jax.tree.map(jnp.zeros_like, params)
    return jax.lax.while_loop(goes_on, step, (-1, params, nothing, begin.end, begin))[-1]


@partial(jax.jit, static_argnames=("apply", "steps", "mesh"))
def _courses(params: PyTree, x: Array, y: Array, step_sizes: Array, *, apply: Apply, steps: int, mesh: Mesh) -> Course:
    """Every step size of every run, one after another on each device; the runs are shared out among the devices."""
    shard = PartitionSpec("runs")

    def share(params: PyTree, x: Array, y: Array, step_sizes: Array) -> Course:
        def ladder(run: tuple) -> Course:
            return jax.lax.map(partial(_course, apply, steps, *run[:-1]), run[-1])

        return jax.lax.map(ladder, (params, x, y, step_sizes))

    return jax.shard_map(share, mesh=mesh, in_specs=(shard,) * 4, out_specs=shard, check_vma=False)(
        params, x, y, step_sizes
    )


def courses(
    apply: Apply,
    params: PyTree,
    x: Float[np.ndarray, "runs N ..."],
    y: Float[np.ndarray, "runs N ..."],
    *,
    step_sizes: Float[np.ndarray, "runs rungs"],
    steps: int,
) -> Course:
    """What `steps` steps of each step size do to the loss of each run, (runs, rungs); params: leading axis runs."""
    mesh = Mesh(np.asarray(jax.devices()), ("runs",))
    padded = np.arange(len(x) + -len(x) % mesh.size) % len(x)
    arguments = jax.tree.map(lambda leaf: np.asarray(leaf)[padded], (params, x, y, step_sizes))
    found = jax.device_get(_courses(*arguments, apply=apply, steps=steps, mesh=mesh))
    return Course(*(column[: len(x)] for column in found))


def stability(course: Course) -> np.ndarray:
    """Which criteria a course meets, in the order of CRITERIA along a new last axis."""
    falls = course.end < 1.0
    return np.stack(
        [
            falls & (course.rise <= ROUNDING),  # in units of L_0, as the course
            falls & (course.peak <= 1.0 + ROUNDING),
            falls & (course.peak <= CATAPULT),
        ],
        axis=-1,
    )


def largest_steps(
    apply: Apply,
    params: PyTree,
    x: Float[np.ndarray, "runs N ..."],
    y: Float[np.ndarray, "runs N ..."],
    *,
    reference: Float[np.ndarray, " runs"],
    steps: int,
) -> LargestSteps:
    """The largest stable step size of each run and criterion, within a factor of 32 above and 64 below its reference.

    reference: about 2/|hess L|.  params, x, y: a leading axis over runs.  Raises ValueError for a reference that is
    not positive.
    """
    if not np.all(reference > 0.0):
        raise ValueError(f"reference must be positive, but its least entry was {np.min(reference)}")
    survey = partial(courses, apply, params, x, y, steps=steps)
    rungs = reference[:, None] * 2.0**_OCTAVES
    found = stability(survey(step_sizes=rungs))
    # One ladder a criterion from here on, (runs, 3, rungs), each with the ends 0 and infinity.
    low, high = _bracket(np.repeat(rungs[:, None], len(CRITERIA), axis=1), found.transpose(0, 2, 1))
    for _ in range(2):
        inside = (low > 0.0) & np.isfinite(high)
        ratio = np.where(inside, high, 1.0) / np.where(inside, low, 1.0)
        between = np.where(inside, low, reference[:, None])[..., None] * ratio[..., None] ** (
            np.arange(1, _BETWEEN + 1) / (_BETWEEN + 1)
        )
        found = stability(survey(step_sizes=between.reshape(len(reference), -1)))
        # Rung k of ladder c is judged by criterion c alone.
        own = np.einsum("rckc->rck", found.reshape(*between.shape, len(CRITERIA)))
        finer = _bracket(between, own)
        below, above = np.maximum(low, finer[0]), np.minimum(high, finer[1])
        low, high = np.where(inside, below, low), np.where(inside, above, high)
    return LargestSteps(low, high)


def _bracket(rungs: np.ndarray, stable: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The last rung (along the last axis) before the first unstable one, or 0, and that one, or infinity."""
    climbed = np.logical_and.accumulate(stable, axis=-1).sum(axis=-1)[..., None]
    ends = np.zeros_like(rungs[..., :1])
    ladder = np.concatenate([ends, rungs, ends + np.inf], axis=-1)
    last, next_one = (np.take_along_axis(ladder, climbed + extra, axis=-1)[..., 0] for extra in (0, 1))
    return last, next_one

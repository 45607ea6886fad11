"""Short gradient descent runs of any model with everything measured that the architecture-free claims speak of.

`POINTS` samples, standard normal but for the pair (0, POINTS - 1) at a chosen separation; `STEPS` full-batch steps.
Suprema over a segment are sampled at `SAMPLES` points and raised by half the largest change between neighbours, the
most a straight line between them can hide: measured constants, exact up to the curvature between two samples.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Float

from experiments.user_model import UserModel

POINTS, STEPS, SAMPLES = 4, 24, 5


class ModelRun(NamedTuple):
    """One run; arrays over steps have STEPS + 1 rows, arrays over segments STEPS.

    gap: r_i - r_j of the pair, a row of m numbers.  smoothness: |g^T (hess L) g| / |g|^2 along the segment, g its
    gradient, which is all that Taylor's formula on the segment needs.  radial: <theta, grad L>.  kernel, residual: at
    the start.  step_size: eta.
    """

    losses: Float[np.ndarray, " rows"]
    squared_gradients: Float[np.ndarray, " rows"]
    parameter_norms: Float[np.ndarray, " rows"]
    radial: Float[np.ndarray, " rows"]
    gaps: Float[np.ndarray, "rows m"]
    gradient_gaps: Float[np.ndarray, " rows"]
    eigenvalues: Float[np.ndarray, "rows n"]
    bottom_shares: Float[np.ndarray, " rows"]
    displacement: Float[np.ndarray, " rows"]
    step_lengths: Float[np.ndarray, " segments"]
    segment_gradient_gaps: Float[np.ndarray, " segments"]
    segment_smoothness: Float[np.ndarray, " segments"]
    kernel: Float[np.ndarray, "n n"]
    residual: Float[np.ndarray, " n"]
    output_scale: float
    step_size: float

    def gradient_scale(self, steps: int) -> float:
        """At least every |grad f(x)| up to a step: K_kk <= lambda_max."""
        return float(np.sqrt(max(self.eigenvalues[: steps + 1, -1].max(), 0.0)))


def points_with_pair(
    key: jax.Array, separation: float | jax.Array, point_shape: tuple[int, ...]
) -> Float[jax.Array, "n ..."]:
    """POINTS standard normal points, the last moved to `separation` from the first along a random direction."""
    spread, towards = jax.random.split(key)
    points = jax.random.normal(spread, (POINTS, *point_shape), dtype=jnp.float64)
    direction = jax.random.normal(towards, point_shape, dtype=jnp.float64)
    return points.at[-1].set(points[0] + separation * direction / jnp.linalg.norm(direction))


def measured_run(
    model: UserModel, *, separation: float, gap: float, noise: float, step_share: float, seed: int
) -> ModelRun:
    """Train the model from init(key) on labels f_0 + noise, the pair's a further `gap` apart.

    step_share: eta in units of N / lambda_max(K_0), the inverse curvature of the linearised model.
    """
    measured = _compiled(model)(seed, separation, gap, noise, step_share)
    arrays = {name: np.asarray(value) for name, value in measured.items()}
    return ModelRun(
        **{name: arrays[name] for name in ModelRun._fields[:-2]},
        output_scale=float(arrays["output_scale"]),
        step_size=float(arrays["step_size"]),
    )


@lru_cache(maxsize=4)
def _compiled(model: UserModel) -> Any:
    def run(seed, separation, gap, noise, step_share):
        point_key, label_key, start_key = jax.random.split(jax.random.key(seed), 3)
        points = points_with_pair(point_key, separation, model.point_shape)
        start = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), model.init(start_key))
        theta, unravel = ravel_pytree(start)

        def outputs(theta):
            return model.apply(unravel(theta), points).reshape(POINTS, -1)

        first = outputs(theta)
        labels = first + noise * jax.random.normal(label_key, first.shape, dtype=jnp.float64)
        labels = labels.at[0].add(-0.5 * gap).at[-1].add(0.5 * gap)  # the pair's own mode, where the floors bite
        return _descend(outputs, theta, labels, step_share)

    return jax.jit(run)


def _descend(outputs, theta, labels, step_share):
    """The measurements of ModelRun as a dictionary."""

    def loss(theta):
        return 0.5 * jnp.sum((outputs(theta) - labels) ** 2) / POINTS

    gradient = jax.grad(loss)

    def pair_gradient_gap(theta):
        rows = jax.jacobian(lambda theta: outputs(theta)[0] - outputs(theta)[-1])(theta)
        return jnp.sqrt(jnp.sum(rows**2))

    def at(theta):
        residual = outputs(theta) - labels
        rows = jax.jacobian(lambda theta: outputs(theta).reshape(-1))(theta)
        kernel = rows @ rows.T
        eigenvalues, modes = jnp.linalg.eigh(kernel)
        flat, slope = residual.reshape(-1), gradient(theta)
        return {
            "losses": 0.5 * jnp.sum(residual**2) / POINTS,
            "squared_gradients": jnp.sum(slope**2),
            "parameter_norms": jnp.linalg.norm(theta),
            "radial": theta @ slope,
            "gaps": residual[0] - residual[-1],
            "gradient_gaps": pair_gradient_gap(theta),
            "eigenvalues": eigenvalues,
            "bottom_shares": (modes[:, 0] @ flat) ** 2 / jnp.maximum(jnp.sum(flat**2), 1e-300),
            "displacement": jnp.linalg.norm(theta - start),
        }, kernel

    def along(theta, slope):
        """Sampled suprema on the segment from theta to theta - eta * slope."""
        square = jnp.maximum(jnp.sum(slope**2), 1e-300)

        def sample(t):
            here = theta - t * step_size * slope
            curvature = slope @ jax.jvp(gradient, (here,), (slope,))[1] / square
            return pair_gradient_gap(here), jnp.abs(curvature)

        gaps, curvatures = jax.lax.map(sample, jnp.linspace(0.0, 1.0, SAMPLES))
        return {
            "step_lengths": step_size * jnp.sqrt(jnp.sum(slope**2)),
            "segment_gradient_gaps": _raised(gaps),
            "segment_smoothness": _raised(curvatures),
        }

    start = theta
    _, kernel = at(theta)
    step_size = step_share * POINTS / jnp.linalg.eigvalsh(kernel)[-1]

    def step(theta, _):
        slope = gradient(theta)
        return theta - step_size * slope, (at(theta)[0], along(theta, slope))

    last, (rows, segments) = jax.lax.scan(step, theta, length=STEPS)
    ends = at(last)[0]
    steps = {name: jnp.concatenate([rows[name], ends[name][None]]) for name in rows}
    residual = outputs(theta) - labels
    scale = jnp.max(jnp.abs(labels)) + jnp.sqrt(2.0 * POINTS * jnp.max(steps["losses"]))
    return (
        steps
        | segments
        | {"kernel": kernel, "residual": residual.reshape(-1), "output_scale": scale, "step_size": step_size}
    )


def _raised(samples):
    """The largest sample plus half the largest change between neighbours."""
    return jnp.max(samples) + 0.5 * jnp.max(jnp.abs(jnp.diff(samples)))

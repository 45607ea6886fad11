"""Tiny full-batch runs for the hunts, with rigorous bounds wherever a theorem takes a supremum over a segment.

Two models, P parameters each, on N samples whose pair (0, N-1) sits at distance exactly `separation`:
  network  f(x) = sum_k a_k tanh(w_k . (x, 1)) / sqrt(WIDTH), x in R^2; the others on the unit circle;
  linear   f(x) = <theta, phi(x)>, all suprema exact; `coupling` 0 makes the pair's mode an eigenvector of the kernel.
Suprema over segments are bounded from above by the network's own derivatives (sup |tanh'| = 1, |tanh''| = 4/(3 sqrt 3),
|tanh'''| = 2), never by sampling, so a hunt cannot report a violation that sampling made up.
Many runs of one model and size go through one compiled call, LANES at a time.
Units: loss L = (1/2N) sum r^2; step index s counts steps; row s of a segment's array belongs to [theta_s, theta_{s+1}].
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from jax.typing import ArrayLike
from jaxtyping import Array, Float

STEPS = 200
WIDTH = 8
LANES = 8
MODELS = ("network", "linear")
Model = Literal["network", "linear"]

_TANH_2, _TANH_3 = 4.0 / (3.0 * 3.0**0.5), 2.0  # sup |tanh''|, sup |tanh'''|


DRAWS: dict[str, SearchStrategy] = {
    "model": st.sampled_from(MODELS),
    "num_points": st.sampled_from([4, 6]),
    "separation": st.floats(-4.0, 0.0).map(lambda exponent: 10.0**exponent) | st.just(2.0**0.5),
    "gap": st.just(0.0) | st.floats(0.01, 2.0),
    "noise": st.just(0.0) | st.floats(0.01, 1.0),
    "coupling": st.just(0.0) | st.floats(0.01, 1.0),
    "step_size": st.just(1.0) | st.floats(0.01, 3.0),
    "seed": st.integers(0, 2**31 - 1),
}
"""What every hunt over small runs draws: label gap, smooth or noisy labels, a collapsing pair, timid to unstable steps.

Sizes are 0 or at least 0.01: squares of smaller ones underflow, and float64's range is not what is hunted.
"""


class Run(NamedTuple):
    """Everything measured on one run; row s of STEPS + 1 is step s, so the last segment is one step further."""

    parameters: Float[np.ndarray, "rows p"]
    residuals: Float[np.ndarray, "rows n"]
    kernels: Float[np.ndarray, "rows n n"]
    losses: Float[np.ndarray, " rows"]
    squared_gradients: Float[np.ndarray, " rows"]
    step_lengths: Float[np.ndarray, " rows"]
    gaps: Float[np.ndarray, " rows"]
    gradient_gaps: Float[np.ndarray, " rows"]
    segment_gradient_gaps: Float[np.ndarray, " rows"]
    segment_smoothness: Float[np.ndarray, " rows"]
    labels: Float[np.ndarray, " n"]
    step_size: float

    def output_scale(self, num_steps: int) -> float:
        """At least every |f| and |y| up to a step: |f - y| <= sqrt(2 N L)."""
        residual = np.sqrt(2.0 * len(self.labels) * self.losses[: num_steps + 1].max())
        return float(np.abs(self.labels).max() + residual)

    def gradient_scale(self, num_steps: int) -> float:
        """Largest |grad f(x_k)| = sqrt(K_kk) up to a step."""
        return float(np.sqrt(np.diagonal(self.kernels[: num_steps + 1], axis1=1, axis2=2).max()))

    def spectrum(self, rows: slice) -> tuple[Float[np.ndarray, "some n"], Float[np.ndarray, " some"]]:
        """Ascending eigenvalues of the kernel and the bottom eigenvector's share of |r|^2, at some steps.

        NaN where the run has diverged to a kernel that is not finite.
        """
        kernels, residuals = self.kernels[rows], self.residuals[rows]
        finite = np.asarray(np.isfinite(kernels).all(axis=(1, 2)))
        eigenvalues, modes = np.linalg.eigh(np.where(finite[:, None, None], kernels, 0.0))
        with np.errstate(invalid="ignore", over="ignore"):
            shares = np.einsum("sk,sk->s", modes[:, :, 0], residuals) ** 2 / np.sum(residuals**2, axis=1)
        return np.where(finite[:, None], eigenvalues, np.nan), np.where(finite, shares, np.nan)


def small_run(
    model: Model,
    num_points: int,
    *,
    separation: float,
    gap: float,
    noise: float,
    step_size: float,
    coupling: float = 0.0,
    momentum: float = 0.0,
    seed: int,
) -> Run:
    """Train one tiny model by full-batch gradient descent (heavy ball when momentum > 0) and measure every step.

    labels: smooth target of Lipschitz constant 1 (network) or 0 (linear), `gap` more on one sample of the pair, and
    Gaussian noise of size `noise`.  step_size: eta for the network; in units of N / lambda_max(K), the inverse
    curvature, for the linear model (Run.step_size is eta).  coupling: random part of the linear model's features.
    """
    if model not in MODELS:
        raise ValueError(f"model must be one of {', '.join(MODELS)}, but was {model!r}")
    if num_points < 4:
        raise ValueError(f"num_points must be at least 4, but was {num_points}")
    numbers = dict(zip(_NUMBERS, (separation, gap, noise, step_size, coupling, momentum)))
    return _lanes(model, num_points, [numbers | {"seed": seed}])[0]


def drawn_run(instance: Any) -> Run:
    """The run that a hunt's instance names by its fields (those of DRAWS, and momentum where it has one)."""
    return drawn_runs([instance])[0]


def drawn_runs(instances: Sequence[Any]) -> list[Run]:
    """The runs of many instances, in their order: one compiled call for each LANES of the same model and size."""
    runs: dict[int, Run] = {}
    for model, num_points in sorted({(instance.model, instance.num_points) for instance in instances}):
        places = [k for k, each in enumerate(instances) if (each.model, each.num_points) == (model, num_points)]
        for first in range(0, len(places), LANES):
            some = places[first : first + LANES]
            draws = [{name: getattr(instances[k], name, 0.0) for name in (*_NUMBERS, "seed")} for k in some]
            runs.update(zip(some, _lanes(model, num_points, draws)))
    return [runs[k] for k in range(len(instances))]


_NUMBERS = ("separation", "gap", "noise", "step_size", "coupling", "momentum")


def _lanes(model: Model, num_points: int, draws: Sequence[Mapping[str, float]]) -> list[Run]:
    """Up to LANES runs of one shape; the first fills the empty lanes, so that every call has the same shape."""
    randomness = network_randomness if model == "network" else _linear_randomness
    lanes = [{name: each[name] for name in _NUMBERS} | randomness(int(each["seed"]), num_points) for each in draws]
    lanes += [lanes[0]] * (LANES - len(lanes))
    measured = _compiled({name: np.array([lane[name] for lane in lanes]) for name in lanes[0]}, model=model)
    measured = [np.asarray(part) for part in measured]
    return [Run(*(part[k] for part in measured[:-1]), step_size=float(measured[-1][k])) for k in range(len(draws))]


@partial(jax.jit, static_argnames="model")
def _compiled(lanes, *, model):
    run = _network_run if model == "network" else _linear_run
    return jax.vmap(lambda lane: run(**lane))(lanes)


def network_randomness(seed: int, num_points: int) -> dict[str, Float[np.ndarray, "..."]]:
    """What the seed decides: the circle's turn and the pair's direction (both angles), label noise, start."""
    rng = np.random.default_rng(seed)
    angles = rng.uniform(0.0, 2.0 * np.pi, 2)
    return {
        "angles": angles,
        "label_noise": rng.standard_normal(num_points),
        "start": rng.standard_normal(WIDTH * 4),
    }


def _linear_randomness(seed: int, num_points: int) -> dict[str, Float[np.ndarray, "..."]]:
    rng = np.random.default_rng(seed)
    return {
        "label_noise": rng.standard_normal(num_points),
        "mixing": rng.standard_normal((num_points, num_points)) / num_points**0.5,
    }


def network_output(parameters: Float[Array, " p"], inputs: Float[Array, "n 3"]) -> Float[Array, " n"]:
    """f at inputs (x, 1); parameters are the rows (a_k, w_k) of R^4, flattened."""
    neurons = parameters.reshape(WIDTH, 4)
    return jnp.tanh(inputs @ neurons[:, 1:].T) @ neurons[:, 0] / WIDTH**0.5


def circle_with_pair(
    num_points: int, separation: ArrayLike, *, angles: Float[Array, "2"] | Float[np.ndarray, "2"]
) -> Float[Array, "n 3"]:
    """N - 1 equispaced points of the unit circle and one at `separation` from the first, a column of ones appended."""
    turn, side = angles
    angles = turn + 2.0 * jnp.pi * jnp.arange(num_points - 1) / (num_points - 1)
    circle = jnp.stack([jnp.cos(angles), jnp.sin(angles)], axis=1)
    partner = circle[0] + separation * jnp.stack([jnp.cos(side), jnp.sin(side)])
    points = jnp.concatenate([circle, partner[None]])
    return jnp.concatenate([points, jnp.ones((num_points, 1))], axis=1)


def _network_run(*, separation, gap, noise, step_size, coupling, momentum, angles, label_noise, start):
    del coupling  # of the linear model
    inputs = circle_with_pair(len(label_noise), separation, angles=angles)
    labels = jnp.sin(inputs[:, 0]) + noise * label_noise
    labels = labels.at[-1].add(gap)
    parameters = _descend(partial(network_output, inputs=inputs), labels, start, step_size, momentum)
    measured = _measure(partial(network_output, inputs=inputs), labels, parameters)
    ends = parameters[:-1].reshape(-1, WIDTH, 4), parameters[1:].reshape(-1, WIDTH, 4)
    outer = jnp.maximum(*(jnp.abs(end[:, :, 0]) for end in ends))  # |a_k| on a segment is largest at an end
    inner = jnp.maximum(*(jnp.linalg.norm(end[:, :, 1:], axis=2) for end in ends))
    lengths = measured["step_lengths"]
    gradient_gaps = measured["gradient_gaps"]
    bend = gap_hessian_bound(outer, inner, inputs)
    # The gradient gap is bend-Lipschitz from both ends, and the smaller of two lines is at most their mean height.
    segment_gaps = 0.5 * (gradient_gaps[:-1] + gradient_gaps[1:] + bend * lengths)
    smoothness = loss_hessian_bound(outer, measured["residuals"][:-1], lengths, inputs)
    return _collect(measured, segment_gaps, smoothness, labels, step_size)


def gap_hessian_bound(
    outer: Float[Array, "s k"], inner: Float[Array, "s k"], inputs: Float[Array, "n 3"]
) -> Float[Array, " s"]:
    """sup |hess(f(x_0) - f(x_{N-1}))| given |a_k| <= outer, |w_k| <= inner: block diagonal over the neurons.

    Blocks [[0, b], [b, C]], |b| <= h (1 + B2 |w| R), |C| <= |a| h (2 B2 R + B3 |w| R^2), R the inputs' norm.
    """
    pair = inputs[jnp.array([0, -1])]
    distance, radius = jnp.linalg.norm(pair[0] - pair[1]), jnp.max(jnp.linalg.norm(pair, axis=1))
    mixed = 1.0 + _TANH_2 * inner * radius
    pure = outer * (2.0 * _TANH_2 * radius + _TANH_3 * inner * radius**2)
    return distance * jnp.max(mixed + pure, axis=1) / WIDTH**0.5


def loss_hessian_bound(
    outer: Float[Array, "s k"],
    residuals: Float[Array, "s n"],
    lengths: Float[Array, " s"],
    inputs: Float[Array, "n 3"],
) -> Float[Array, " s"]:
    """sup over the segment of |hess L| <= mean |grad f|^2 + mean |r| |hess f|, residuals taken at its start.

    |grad f|^2 <= 1 + |a|^2 |x|^2 / WIDTH (tanh^2, tanh' <= 1), |r| <= |r_start| + sup |grad f| * length, and hess f has
    blocks [[0, b], [b, c]], b = |x|, c = |a_k| B2 |x|^2, of norm (c + sqrt(c^2 + 4 b^2)) / 2, over sqrt(WIDTH).
    """
    norms = jnp.linalg.norm(inputs, axis=1)
    squared_slopes = 1.0 + jnp.sum(outer**2, axis=1)[:, None] * norms**2 / WIDTH
    curvatures = jnp.max(outer, axis=1)[:, None] * _TANH_2 * norms**2
    curvatures = 0.5 * (curvatures + jnp.sqrt(curvatures**2 + 4.0 * norms**2)) / WIDTH**0.5
    reach = jnp.abs(residuals) + jnp.sqrt(squared_slopes) * lengths[:, None]
    return jnp.mean(squared_slopes + reach * curvatures, axis=1)


def _linear_run(*, separation, gap, noise, step_size, coupling, momentum, label_noise, mixing):
    num_points = len(label_noise)
    basis = jnp.eye(num_points)
    # phi_0, phi_{N-1} = c +- (h/2) u with |c|^2 = 1/2: eigenvalues 1 (N - 1 times) and h^2/2, all 1 at h = sqrt 2.
    features = basis.at[0, 0].set(0.5**0.5).at[-1, -1].set(0.5 * separation)
    features = features.at[-1, 0].set(0.5**0.5).at[0, -1].set(-0.5 * separation)
    features += coupling * mixing.at[-1].set(mixing[0])  # the pair's difference stays h u
    labels = noise * label_noise
    labels = labels.at[0].add(-0.5 * gap).at[-1].add(0.5 * gap)
    curvature = jnp.linalg.eigvalsh(features @ features.T)[-1] / num_points
    step_size = step_size / curvature

    def output(parameters):
        return features @ parameters

    parameters = _descend(output, labels, jnp.zeros(num_points), step_size, momentum)
    measured = _measure(output, labels, parameters)
    smoothness = jnp.full(STEPS + 1, curvature)
    return _collect(measured, measured["gradient_gaps"][:-1], smoothness, labels, step_size)


def _descend(output, labels, start, step_size, momentum):
    """STEPS + 2 iterates theta_s (rows) of heavy-ball gradient descent from rest."""

    def loss(parameters):
        return 0.5 * jnp.mean((output(parameters) - labels) ** 2)

    def step(state, _):
        parameters, velocity = state
        velocity = momentum * velocity - step_size * jax.grad(loss)(parameters)
        return (parameters + velocity, velocity), parameters

    return jax.lax.scan(step, (start, jnp.zeros_like(start)), length=STEPS + 2)[1]


def _measure(output, labels, parameters):
    """Loss, gradient, gap, gradient gap and kernel at every iterate, from the full Jacobian."""

    def at(theta):
        residual, jacobian = output(theta) - labels, jax.jacobian(output)(theta)
        return {
            "residuals": residual,
            "kernels": jacobian @ jacobian.T,
            "losses": 0.5 * jnp.mean(residual**2),
            "squared_gradients": jnp.sum((residual @ jacobian / len(residual)) ** 2),
            "gaps": residual[0] - residual[-1],
            "gradient_gaps": jnp.linalg.norm(jacobian[0] - jacobian[-1]),
        }

    steps = jnp.linalg.norm(parameters[1:] - parameters[:-1], axis=1)
    return jax.vmap(at)(parameters) | {"parameters": parameters, "step_lengths": steps}


def _collect(measured, segment_gaps, smoothness, labels, step_size):
    """The fields of `Run` in order, cut to STEPS + 1 rows."""
    rows = measured | {"segment_gradient_gaps": segment_gaps, "segment_smoothness": smoothness}
    return *(rows[name][: STEPS + 1] for name in Run._fields[:-2]), labels, step_size

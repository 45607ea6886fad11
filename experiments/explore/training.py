"""One run of plain gradient descent on a scene, measured at every step, that can be stopped and continued.

Every step: the loss and the product bound on it (G1), mu_s and lambda_min(K_s)/N, the distance from the start and the
radius R, the kernel's drift, the pair's gap. The curvature |hess L| is looked at on the segments of steps 0, 1, 2, 4,
8, ..., at both ends and the middle. Where the run stands depends on the number of steps alone, never on how the calls
were cut: stopping and continuing changes no bit.
"""

import time
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int, PyTree

from experiments.descent import (
    Apply,
    Problem,
    Status,
    Trace,
    advance_looking,
    member,
    start,
)
from experiments.explore.scene import Scene
from experiments.explore.segment_curvature import segment_curvature
from experiments.kernel import empirical_ntk
from theory import descent_product, finite_horizon

MOST_STEPS = 10_000_000
KEPT = 2000
"""The history keeps at least so many steps, evenly spaced, once there are more, and at most twice as many."""
_CHUNK = 512
_FIRST = 16
"""Steps taken at once before it is known how long one takes."""


class Frame(NamedTuple):
    """Where a run stands after `step` steps.

    status: a name in experiments.descent.Status.  loss: L_s.  product: L_0 prod_{t<s} (1 - eta lambda_min(K_t)/N), an
    unresolved lambda_min counted as 0.  rate: mu_s = |grad L_s|^2 / (2 L_s).  kernel_rate: lambda_min(K_s)/N as
    computed; resolved: whether it lies above its error bar.  kernel_top: lambda_max(K_s)/N.
    displacement: |theta_s - theta_0|.  radius: sqrt(2 tau L_0), tau = s eta, which a run that obeys G3's hypotheses
    cannot leave.  parameter_norm: |theta_s|.  path_length: up to s.  drift: |K_s - K_0| / |K_0|, Frobenius.
    gap: d_s = r_i - r_j of the closest pair.  gradient_gap: |grad f(x_i) - grad f(x_j)|.  curvature: the largest
    |hess L| looked at so far.
    """

    step: int
    status: str
    loss: float
    product: float
    rate: float
    kernel_rate: float
    resolved: bool
    kernel_top: float
    displacement: float
    radius: float
    parameter_norm: float
    path_length: float
    drift: float
    gap: float
    gradient_gap: float
    curvature: float


class History(NamedTuple):
    """Frames' numbers at evenly spaced steps and at the last one, arrays of one length."""

    step: Int[np.ndarray, " rows"]
    loss: Float[np.ndarray, " rows"]
    product: Float[np.ndarray, " rows"]
    rate: Float[np.ndarray, " rows"]
    kernel_rate: Float[np.ndarray, " rows"]
    resolved: Bool[np.ndarray, " rows"]
    kernel_top: Float[np.ndarray, " rows"]
    displacement: Float[np.ndarray, " rows"]
    radius: Float[np.ndarray, " rows"]
    parameter_norm: Float[np.ndarray, " rows"]
    path_length: Float[np.ndarray, " rows"]
    drift: Float[np.ndarray, " rows"]
    gap: Float[np.ndarray, " rows"]
    gradient_gap: Float[np.ndarray, " rows"]


class Totals(NamedTuple):
    """Over all steps 0..T: what the floors and the product are judged by.

    gradient_gap: sup |grad f(x_i) - grad f(x_j)|.  gradient_square_sum: over s < T.  parameter_norm, displacement: the
    largest.
    """

    gradient_gap: float
    gradient_square_sum: float
    parameter_norm: float
    displacement: float


class _Start(NamedTuple):
    params: PyTree
    kernel: Any


class _Looked(NamedTuple):
    smallest: Any
    largest: Any
    drift: Any
    displacement: Any


def _look(apply: Apply, params: PyTree, problem: Problem, given: _Start) -> _Looked:
    kernel = empirical_ntk(apply, params, problem.x)
    values = jnp.linalg.eigvalsh(kernel)
    drift = jnp.linalg.norm(kernel - given.kernel) / jnp.linalg.norm(given.kernel)
    moved = optax.tree.norm(jax.tree.map(jnp.subtract, params, given.params))
    return _Looked(values[0], values[-1], drift, moved)


class Training:
    """A run from the scene's start with the state's step size, until its target or MOST_STEPS."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        state = scene.state
        with scene.arithmetic():
            kernel = empirical_ntk(scene.model, scene.params, scene.x)
            batched = jax.tree.map(lambda leaf: np.asarray(leaf)[None], (scene.params, kernel, scene.x, scene.y))
            params, kernels, x, y = batched
            self._problem = Problem(
                x=x,
                y=y,
                step_size=np.array([state.step_size], y.dtype),
                pair=np.array([scene.points.pair]),
                target=np.array([state.target], y.dtype),
                max_steps=np.array([MOST_STEPS], np.int32),
            )
            begin = start(params, self._problem)
            self._state = begin._replace(path_length=begin.path_length.astype(y.dtype))
        self._given = _Start(params, kernels)
        self._eps = float(np.finfo(kernels.dtype).eps)
        self._rows: list[dict[str, np.ndarray]] = []
        self._last: dict[str, Any] = {}
        self._stride = 1
        self._totals = Totals(0.0, 0.0, 0.0, 0.0)
        self._unsummed = np.zeros(0)  # |grad L|^2 of the last step measured: it counts once a further step is
        self._product: float | None = None  # G1's, at the next step to be measured
        self._curvature = 0.0
        self._next_look = 0
        self._pace = 0.0

    @property
    def status(self) -> Status:
        return Status(int(self._state.status[0]))

    @property
    def over(self) -> bool:
        """Whether the run is at its end: target reached, steps used up, or loss no longer finite."""
        return self.status != Status.RUNNING

    @property
    def totals(self) -> Totals:
        return self._totals

    @property
    def params(self) -> PyTree:
        """Parameters where the next step is taken from: those after step T + 1, or T once the run is over."""
        return member(self._state.params, 0)

    def advance(self, steps: int | None = None, *, seconds: float | None = None) -> Frame:
        """Take `steps` steps, or as many as fit into about `seconds`; fewer if the run ends first.

        The first call may compile, which counts as no time.  Raises ValueError unless exactly one of the two is given
        and it is not negative.
        """
        if (steps is None) == (seconds is None) or min(steps or 0, seconds or 0) < 0:
            raise ValueError(f"advance must be given either steps or seconds, not negative, but had {steps}, {seconds}")
        with self.scene.arithmetic():
            if not self._last:
                self._run_to(1)  # measure step 0, and compile
            if steps is not None:
                self._run_to(self._last["step"] + steps + 1)
            else:
                self._run_for(seconds or 0.0)
        return self.frame

    def _run_for(self, seconds: float) -> None:
        end = time.perf_counter() + seconds
        while not self.over and (left := end - time.perf_counter()) > 0.0:
            count = min(_CHUNK, int(left / self._pace)) if self._pace else _FIRST
            self._run_to(self._last["step"] + max(1, count) + 1)

    @property
    def frame(self) -> Frame:
        """Where the run stands. Raises ValueError before the first `advance`."""
        if not self._last:
            raise ValueError("training must have been advanced before it has a frame, but was not")
        return Frame(**self._last, status=self.status.name.lower(), curvature=self._curvature)

    @property
    def history(self) -> History:
        """What is kept of the run so far, the last step included."""
        rows = {name: np.concatenate([piece[name] for piece in self._rows]) for name in History._fields}
        if self._last["step"] != rows["step"][-1]:
            rows = {name: np.append(column, self._last[name]) for name, column in rows.items()}
        return History(**rows)

    def _run_to(self, until: int) -> None:
        """Go on until the next step to be taken is number `until`."""
        while not self.over and (step := int(self._state.step[0])) < until:
            if step == self._next_look:
                self._curvature = max(self._curvature, float(np.max(segment_curvature(self.scene, self.params).value)))
                self._next_look = max(1, 2 * step)
            stop = min(until, step + _CHUNK, self._next_look)
            begin = time.perf_counter()
            self._state, (trace,), (looked,) = next(
                advance_looking(
                    self.scene.model, self._state, self._problem, _look, self._given, until=stop, chunk=_CHUNK
                )
            )
            # A chunk of few steps is mostly overhead: the pace is that of the longer ones.
            if stop - step >= _FIRST:
                self._pace = (time.perf_counter() - begin) / (stop - step)
            self._keep(step, trace, looked)

    def _keep(self, first: int, trace: Trace, looked: _Looked) -> None:
        rows = self._measured(first, trace, looked)
        last = {name: column[-1].item() for name, column in rows.items()}
        squares = np.cumsum(np.concatenate([[self._totals.gradient_square_sum], self._unsummed, trace.gradient_square]))
        self._unsummed = np.asarray(trace.gradient_square[-1:], float)
        self._totals = Totals(
            gradient_gap=float(np.max(trace.gradient_gap, initial=self._totals.gradient_gap)),
            gradient_square_sum=float(squares[-2]),
            parameter_norm=float(np.max(trace.parameter_norm, initial=self._totals.parameter_norm)),
            displacement=float(np.max(looked.displacement, initial=self._totals.displacement)),
        )
        self._last = last
        self._rows.append(_every(self._stride, rows))
        while sum(len(piece["step"]) for piece in self._rows) > 2 * KEPT:
            self._stride *= 2
            joined = {name: np.concatenate([piece[name] for piece in self._rows]) for name in rows}
            self._rows = [_every(self._stride, joined)]

    def _measured(self, first: int, trace: Trace, looked: _Looked) -> dict[str, np.ndarray]:
        count, state = len(trace.loss), self.scene.state
        steps = np.arange(first, first + count)
        padded = [np.pad(column, (0, _CHUNK - count)) for column in (steps, *trace[:2], *looked[:2])]
        initial = self._rows[0]["loss"][0] if self._rows else trace.loss[0]
        with jax.enable_x64(True):
            found = _derived(*padded, initial, state.step_size, state.num_points)
        rate, kernel_rate, kernel_top, error, radius = (np.asarray(column)[:count] for column in found)
        resolved = np.asarray(looked.smallest > error * (self._eps / np.finfo(float).eps))
        # Factors of the steps before each; one product from the left, whatever the calls were.
        before = np.where(resolved, 1.0 - state.step_size * kernel_rate, 1.0)
        products = np.cumprod(np.concatenate([[float(initial) if self._product is None else self._product], before]))
        self._product = float(products[-1])
        return {
            "step": steps,
            "loss": np.asarray(trace.loss, float),
            "product": products[:-1],
            "rate": rate,
            "kernel_rate": kernel_rate,
            "resolved": resolved,
            "kernel_top": kernel_top,
            "displacement": np.asarray(looked.displacement, float),
            "radius": radius,
            "parameter_norm": np.asarray(trace.parameter_norm, float),
            "path_length": np.asarray(trace.path_length, float),
            "drift": np.asarray(looked.drift, float),
            "gap": np.asarray(trace.gap, float),
            "gradient_gap": np.asarray(trace.gradient_gap, float),
        }


def _every(stride: int, rows: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    kept = rows["step"] % stride == 0
    return {name: column[kept] for name, column in rows.items()}


@jax.jit
def _derived(
    steps: Array,
    losses: Array,
    squared_gradients: Array,
    smallest: Array,
    largest: Array,
    initial_loss: Array,
    step_size: Array,
    num_points: Array,
) -> tuple[Array, Array, Array, Array, Array]:
    """mu_s, lambda_min/N, lambda_max/N, the error bar of lambda_min (that of float64) and sqrt(2 s eta L_0)."""
    return (
        descent_product.descent_rate(squared_gradients, losses),
        descent_product.kernel_rate(smallest, num_points=num_points),
        descent_product.kernel_rate(largest, num_points=num_points),
        4.0 * num_points * jnp.finfo(float).eps * largest,
        finite_horizon.path_ceiling(initial_loss, elapsed=step_size * steps),
    )

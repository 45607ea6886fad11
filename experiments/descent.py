"""Plain gradient descent on an ensemble of runs, measured at every step.

Full batch, no momentum: theta_{s+1} = theta_s - step_size * grad L(theta_s), L(theta) = (1/2N) sum_i |f(x_i) - y_i|^2.
The runs of one ensemble share `apply` and all shapes and differ in everything else (data, labels, step size, target,
initialisation), all of it traced: a sweep compiles once per shape.

Runs are computed one after another on each device and the ensemble axis is sharded over the devices: on a CPU this
beats one vectorised batch for all but the widest steps, and it makes a run's numbers independent of its company.
A run's trajectory is a function of its own problem alone, so stopping and resuming changes no bit.
"""

from collections.abc import Callable, Iterator
from enum import IntEnum
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array, ArrayLike, Float, Int, PyTree

Apply = Callable[[Any, Any], Any]
Look = Callable[[Apply, Any, "Problem", Any], Any]
"""look(apply, params, problem, given) -> pytree of numbers: what else to measure at every step of one run.

given: any arrays of that run, such as what it started from.
"""


class Status(IntEnum):
    RUNNING = 0
    REACHED = 1  # loss <= target
    EXHAUSTED = 2  # max_steps taken
    DIVERGED = 3  # non-finite loss: an outcome, not a fault


class Problem(NamedTuple):
    """What one run minimises, and when it stops; with a leading axis over runs in an ensemble.

    x: (N, ...) inputs.  y: (N,) or (N, m) labels.  step_size: eta.  pair: (2,) indices of the closest pair.
    target: the run stops at the first step with L <= target.  max_steps: it stops there at the latest.
    """

    x: Any
    y: Any
    step_size: Any
    pair: Any
    target: Any
    max_steps: Any


class State(NamedTuple):
    """Where one run stands before its next step; with a leading axis over runs in an ensemble."""

    params: PyTree
    optimiser: PyTree
    step: Any
    path_length: Any
    status: Any


class Trace(NamedTuple):
    """Measurements at steps 0..T of a run, T its last; arrays of shape (T + 1,), NaN where never taken.

    loss: L_s.  gradient_square: |grad L_s|^2.  path_length: sum_{t<s} |theta_{t+1} - theta_t|.
    parameter_norm: |theta_s|.  gap: d_s = r_i - r_j of the closest pair (its Euclidean norm for vector outputs).
    gradient_gap: |grad f(x_i) - grad f(x_j)|, Frobenius over outputs.
    """

    loss: Any
    gradient_square: Any
    path_length: Any
    parameter_norm: Any
    gap: Any
    gradient_gap: Any


def half_mean_square(residual: Float[Array, "N ..."]) -> Float[Array, ""]:
    """L = (1/2N) sum_i |r_i|^2."""
    return 0.5 * jnp.sum(residual**2) / residual.shape[0]


def _residual(apply: Apply, params: PyTree, x: Any, y: Any) -> Array:
    """f(x_i) - y_i as (N, m); the reshape lets a model return (N,) or (N, 1) alike."""
    return apply(params, x).reshape(len(x), -1) - y.reshape(len(y), -1)


def loss(apply: Apply, params: PyTree, x: Float[ArrayLike, "N ..."], y: Float[ArrayLike, "N ..."]) -> Float[Array, ""]:
    """L(theta) = (1/2N) sum_i |f(theta; x_i) - y_i|^2."""
    return half_mean_square(_residual(apply, params, x, y))


@partial(jax.jit, static_argnames="apply")
def descent_step(
    apply: Apply,
    params: PyTree,
    x: Float[ArrayLike, "N ..."],
    y: Float[ArrayLike, "N ..."],
    *,
    step_size: Float[ArrayLike, ""],
) -> PyTree:
    """theta - step_size * grad L(theta), one step of one run."""
    gradient = jax.grad(lambda theta: loss(apply, theta, x, y))(params)
    return jax.tree.map(lambda theta, slope: theta - step_size * slope, params, gradient)


def _measure(apply: Apply, params: PyTree, problem: Problem) -> tuple[Trace, PyTree]:
    """Everything recorded at one theta, path length excepted, and grad L."""

    def residual_at(params: PyTree) -> Array:
        return _residual(apply, params, problem.x, problem.y)

    residual, pull_back = jax.vjp(residual_at, params)
    (gradient,) = pull_back(residual / residual.shape[0])
    first, second = problem.pair[0], problem.pair[1]

    def pair_difference(params: PyTree) -> Array:
        out = apply(params, jnp.stack([problem.x[first], problem.x[second]])).reshape(2, -1)
        return out[0] - out[1]

    difference, pull_back_pair = jax.vjp(pair_difference, params)
    outputs = difference.shape[0]
    rows = [pull_back_pair(jnp.eye(outputs)[k])[0] for k in range(outputs)]
    gap = residual[first] - residual[second]
    measured = Trace(
        loss=half_mean_square(residual),
        gradient_square=optax.tree.norm(gradient, squared=True),
        path_length=jnp.nan,
        parameter_norm=optax.tree.norm(params),
        gap=gap[0] if outputs == 1 else jnp.linalg.norm(gap),
        gradient_gap=jnp.sqrt(sum(optax.tree.norm(row, squared=True) for row in rows)),
    )
    return measured, gradient


def _nothing(apply: Apply, params: PyTree, problem: Problem, given: PyTree) -> tuple[()]:
    return ()


def _step(
    apply: Apply, look: Look, problem: Problem, given: PyTree, until: Array, state: State
) -> tuple[State, tuple[Trace, PyTree]]:
    """Measure at theta_s, then move unless the run is over; frozen runs and steps past `until` cost nothing."""

    def live(state: State) -> tuple[State, tuple[Trace, PyTree]]:
        measured, gradient = _measure(apply, state.params, problem)
        row = measured._replace(path_length=state.path_length)
        status = jnp.where(
            ~jnp.isfinite(row.loss),
            Status.DIVERGED,
            jnp.where(
                row.loss <= problem.target,
                Status.REACHED,
                jnp.where(state.step >= problem.max_steps, Status.EXHAUSTED, Status.RUNNING),
            ),
        ).astype(jnp.int32)
        updates, optimiser = optax.sgd(problem.step_size).update(gradient, state.optimiser)
        moved = State(
            params=optax.apply_updates(state.params, updates),
            optimiser=optimiser,
            step=state.step + 1,
            path_length=state.path_length + optax.tree.norm(updates),
            status=status,
        )
        over = state._replace(status=status)
        after = jax.tree.map(partial(jnp.where, status == Status.RUNNING), moved, over)
        return after, (row, look(apply, state.params, problem, given))

    def frozen(state: State) -> tuple[State, tuple[Trace, PyTree]]:
        rows = jax.eval_shape(live, state)[1]
        return state, jax.tree.map(lambda leaf: jnp.full(leaf.shape, jnp.nan, leaf.dtype), rows)

    active = (state.status == Status.RUNNING) & (state.step < until)
    return jax.lax.cond(active, live, frozen, state)


def _advance_one(
    apply: Apply, look: Look, chunk: int, until: Array, run: tuple[State, Problem, PyTree]
) -> tuple[State, tuple[Trace, PyTree]]:
    state, problem, given = run
    return jax.lax.scan(lambda state, _: _step(apply, look, problem, given, until, state), state, length=chunk)


@partial(jax.jit, static_argnames=("apply", "look", "chunk", "mesh"))
def _advance(
    state: State, problem: Problem, given: PyTree, until: Array, *, apply: Apply, look: Look, chunk: int, mesh: Mesh
):
    """At most `chunk` steps of every run; on each device its share of the runs, one after another."""
    shard = PartitionSpec("runs")

    def share(state: State, problem: Problem, given: PyTree, until: Array) -> tuple[State, tuple[Trace, PyTree]]:
        return jax.lax.map(partial(_advance_one, apply, look, chunk, until), (state, problem, given))

    return jax.shard_map(
        share, mesh=mesh, in_specs=(shard, shard, shard, PartitionSpec()), out_specs=shard, check_vma=False
    )(state, problem, given, until)


def member(ensemble: PyTree, index: int | np.integer | Int[np.ndarray, " some"]) -> PyTree:
    """One run's part (or, for an array of indices, some runs' parts) of anything with a leading axis over runs."""
    return jax.tree.map(lambda leaf: leaf[index], ensemble)


def start(params: PyTree, problem: Problem) -> State:
    """The ensemble at step 0: `params` and `problem` carry one leading axis over runs."""
    runs = np.shape(problem.step_size)[0]
    return State(
        params=params,
        optimiser=optax.sgd(0.0).init(params),
        step=np.zeros(runs, np.int32),
        path_length=np.zeros(runs),
        status=np.zeros(runs, np.int32),
    )


def _dealt(running: np.ndarray, devices: int) -> np.ndarray:
    """An order of the runs that deals those still running evenly to the devices, padded to a multiple of them.

    Once few runs are left, the devices would otherwise wait for the one that holds them. Padding repeats run 0; both
    copies take the same steps.
    """
    order = np.argsort(~running, kind="stable")
    order = np.concatenate([order, np.zeros(-len(order) % devices, order.dtype)])
    return order.reshape(-1, devices).T.reshape(-1)


def advance(
    apply: Apply, state: State, problem: Problem, *, until: int | None = None, chunk: int = 1000
) -> Iterator[tuple[State, list[Trace]]]:
    """Advance an ensemble, yielding after every chunk its state and, run by run, the steps just measured.

    Ends when every run is over, or has taken `until` steps. Each yielded state is a complete checkpoint: passing it
    back in continues to the same bits. A run's measurements over all chunks, concatenated, are its trace.

    apply: f(params, x), rows independent.  chunk: steps between yields (static: one compilation per value).
    """
    for after, traces, _ in advance_looking(apply, state, problem, _nothing, (), until=until, chunk=chunk):
        yield after, traces


def advance_looking(
    apply: Apply,
    state: State,
    problem: Problem,
    look: Look,
    given: PyTree,
    *,
    until: int | None = None,
    chunk: int = 1000,
) -> Iterator[tuple[State, list[Trace], list[PyTree]]]:
    """`advance`, with look(apply, params, problem, given) measured at every step as well: run by run, steps first.

    look: static, one compilation per function.  given: leading axis over runs, as problem.
    """
    mesh = Mesh(np.asarray(jax.devices()), ("runs",))
    limit = np.int32(np.iinfo(np.int32).max if until is None else until)
    state, problem, given = jax.tree.map(np.asarray, (state, problem, given))
    while (running := (state.status == Status.RUNNING) & (state.step < limit)).any():
        order = _dealt(running, mesh.size)
        position = np.zeros(len(running), int)
        position[order] = np.arange(len(order))
        dealt = member((state, problem, given), order)
        after, rows = jax.device_get(_advance(*dealt, limit, apply=apply, look=look, chunk=chunk, mesh=mesh))
        before = state.step
        state, rows = member((after, rows), position)
        # A run that stops in this chunk measured its last step without moving on.
        taken = state.step - before + (running & (state.status != Status.RUNNING))
        steps = [_rows_of(rows, run, count) for run, count in enumerate(taken.tolist())]
        yield state, [trace for trace, _ in steps], [looked for _, looked in steps]


def _rows_of(rows: PyTree, run: int, count: int) -> PyTree:
    """One run's first `count` rows of a chunk."""
    return jax.tree.map(lambda column: column[run, :count], rows)


def join(pieces: list[Trace]) -> Trace:
    """One run's trace from its successive chunks."""
    return Trace(*(np.concatenate(columns) for columns in zip(*pieces)))


class Finished(NamedTuple):
    """One run that is over. index: its place in the ensemble.  params: where it stands after its last step."""

    index: int
    trace: Trace
    status: int
    params: PyTree


def descend(apply: Apply, params: PyTree, problem: Problem, *, chunk: int = 1000) -> Iterator[Finished]:
    """Run an ensemble from `params`, yielding every run as soon as it is over."""
    runs = len(np.asarray(problem.step_size))
    pieces: list[list[Trace]] = [[] for _ in range(runs)]
    over = np.zeros(runs, bool)
    for state, rows in advance(apply, start(params, problem), problem, chunk=chunk):
        for piece, row in zip(pieces, rows):
            piece.append(row)
        for index in np.flatnonzero(~over & (state.status != Status.RUNNING)):
            over[index] = True
            last = member(state.params, index)
            yield Finished(int(index), join(pieces[index]), int(state.status[index]), last)

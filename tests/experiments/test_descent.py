"""The engine: plain gradient descent, measured at every step, the same bits however it is batched, cut or sharded."""

import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import descent
from experiments.descent import Problem, State, Status, advance, join, start
from experiments.outcome import outcome, thinned

RUNS, POINTS, DIM, WIDTH = 5, 6, 3, 7
CHUNK = 40


def network(params, x):
    """Two-layer tanh network, by hand: the engine takes any apply."""
    return jnp.tanh(x @ params["inner"]) @ params["outer"]


def vector_network(params, x):
    hidden = jnp.tanh(x @ params["inner"])
    return jnp.stack([hidden @ params["outer"], hidden @ params["outer"] ** 2], axis=1)


def ensemble(runs=RUNS, max_steps=100, target=0.0, step_size=0.1):
    rng = np.random.default_rng(0)
    params = {
        "inner": rng.normal(size=(runs, DIM, WIDTH)) / np.sqrt(DIM),
        "outer": rng.normal(size=(runs, WIDTH)) / np.sqrt(WIDTH),
    }
    x = rng.uniform(size=(runs, POINTS, DIM))
    problem = Problem(
        x=x,
        y=np.sin(3 * x.sum(-1)),
        step_size=np.full(runs, step_size) * (1 + 0.1 * np.arange(runs)),
        pair=np.tile([1, 4], (runs, 1)),
        target=np.full(runs, target),
        max_steps=np.full(runs, max_steps, np.int32),
    )
    return params, problem


def complete(apply, state, problem, **options):
    """Final state and the trace of every run."""
    pieces = [[] for _ in range(len(state.step))]
    stages = list(advance(apply, state, problem, chunk=CHUNK, **options))
    for _, rows in stages:
        for piece, row in zip(pieces, rows):
            piece.append(row)
    return stages[-1][0], [join(piece) for piece in pieces]


@pytest.fixture(scope="module")
def plain_runs():
    params, problem = ensemble()
    return params, problem, *complete(network, start(params, problem), problem)


def numpy_run(params, problem, run, steps):
    """The same run in numpy with the gradient written out by hand."""
    inner, outer = params["inner"][run].copy(), params["outer"][run].copy()
    x, y, eta = problem.x[run], problem.y[run], problem.step_size[run]
    i, j = problem.pair[run]
    path, rows = 0.0, []
    for _ in range(steps + 1):
        hidden = np.tanh(x @ inner)
        residual = hidden @ outer - y
        per_outer = hidden
        per_inner = x[:, :, None] * ((1 - hidden**2) * outer)[:, None, :]
        gradients = residual @ per_outer / POINTS, np.tensordot(residual, per_inner, 1) / POINTS
        square = sum((g**2).sum() for g in gradients)
        pair_square = ((per_outer[i] - per_outer[j]) ** 2).sum() + ((per_inner[i] - per_inner[j]) ** 2).sum()
        rows.append(
            [
                residual @ residual / (2 * POINTS),
                square,
                path,
                np.sqrt((inner**2).sum() + (outer**2).sum()),
                residual[i] - residual[j],
                np.sqrt(pair_square),
            ]
        )
        path += eta * np.sqrt(square)
        outer, inner = outer - eta * gradients[0], inner - eta * gradients[1]
    return np.array(rows).T


def test_every_measurement_against_numpy(plain_runs):
    params, problem, state, traces = plain_runs
    assert (state.step == 100).all() and (state.status == Status.EXHAUSTED).all()
    for run in range(RUNS):
        expected = numpy_run(params, problem, run, 100)
        for column, wanted in zip(traces[run], expected):
            assert column.shape == (101,)
            np.testing.assert_allclose(column, wanted, rtol=1e-11, atol=1e-14)


def test_runs_do_not_depend_on_their_company(plain_runs):
    params, problem, _, traces = plain_runs
    alone = jax.tree.map(lambda leaf: leaf[2:3], (params, problem))
    _, (trace,) = complete(network, start(*alone), alone[1])
    assert all(np.array_equal(a, b) for a, b in zip(trace, traces[2]))


def test_stopping_and_resuming_changes_no_bit(plain_runs):
    params, problem, final, traces = plain_runs
    state, first = complete(network, start(params, problem), problem, until=33)
    assert (state.step == 33).all() and (state.status == Status.RUNNING).all()
    # Through bytes, as a checkpoint on disk would go.
    leaves, tree = jax.tree.flatten(state)
    state = jax.tree.unflatten(tree, [np.frombuffer(np.asarray(a).tobytes(), a.dtype).reshape(a.shape) for a in leaves])
    state, second = complete(network, State(*state), problem)
    for run in range(RUNS):
        joined = join([first[run], second[run]])
        assert all(np.array_equal(a, b) for a, b in zip(joined, traces[run]))
    assert all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(final), jax.tree.leaves(state)))


def test_a_run_stops_where_it_reaches_its_target(plain_runs):
    params, problem, _, traces = plain_runs
    targets = np.array([trace.loss[5 + 13 * run] for run, trace in enumerate(traces)])
    state, stopped = complete(network, start(params, problem), problem._replace(target=targets))
    assert (state.status == Status.REACHED).all()
    for run, trace in enumerate(stopped):
        first = int(np.argmax(traces[run].loss <= targets[run]))
        assert len(trace.loss) == first + 1 and state.step[run] == first
        assert np.array_equal(trace.loss, traces[run].loss[: first + 1])


def test_divergence_is_an_outcome():
    params, problem = ensemble(runs=3, max_steps=2000)
    problem = problem._replace(step_size=np.array([0.1, 50.0, 0.1]), y=problem.y * np.array([1, 1e8, 1])[:, None])
    state, traces = complete(network, start(params, problem), problem)
    assert list(state.status) == [Status.EXHAUSTED, Status.DIVERGED, Status.EXHAUSTED]
    assert not np.isfinite(traces[1].loss[-1]) and np.isfinite(traces[1].loss[:-1]).all()
    scalars = outcome(traces[1], int(state.status[1]))
    assert scalars["status"] == "diverged" and scalars["loss_end"] is None


def test_a_sweep_of_one_shape_is_one_compilation():
    """Everything that is swept, at the same shapes: step size, target, labels, points, pair, initialisation, length."""
    calls = []

    def counted(params, x):
        calls.append(x.shape)
        return network(params, x)

    params, problem = ensemble(max_steps=45)
    complete(counted, start(params, problem), problem)
    assert calls, "the counter counts"
    traced, before = len(calls), descent._advance._cache_size()
    sweep = [
        {"step_size": 2 * problem.step_size},
        {"target": problem.target + 1e-2},
        {"y": -problem.y},
        {"x": problem.x**2},
        {"pair": np.tile([0, 2], (RUNS, 1))},
        {"max_steps": problem.max_steps + 7},
    ]
    for change in sweep:
        complete(counted, start(params, problem), problem._replace(**change))
    other = jax.tree.map(lambda leaf: leaf[::-1].copy(), params)
    complete(counted, start(other, problem), problem, until=20)
    assert len(calls) == traced and descent._advance._cache_size() == before


def test_vector_outputs_measure_norms():
    params, problem = ensemble(runs=2, max_steps=3)
    problem = problem._replace(y=np.stack([problem.y, problem.y], axis=2))
    _, traces = complete(vector_network, start(params, problem), problem)
    one = jax.tree.map(lambda leaf: leaf[0], params)
    i, j = problem.pair[0]
    residual = vector_network(one, problem.x[0]) - problem.y[0]
    jacobian = jax.jacrev(lambda p: vector_network(p, problem.x[0][[i, j]]))(one)
    square = sum(float(((leaf[0] - leaf[1]) ** 2).sum()) for leaf in jax.tree.leaves(jacobian))
    np.testing.assert_allclose(traces[0].gap[0], np.linalg.norm(residual[i] - residual[j]), rtol=1e-12)
    np.testing.assert_allclose(traces[0].gradient_gap[0], np.sqrt(square), rtol=1e-12)
    np.testing.assert_allclose(traces[0].loss[0], (residual**2).sum() / (2 * POINTS), rtol=1e-12)


def test_outcome_and_thinning_agree_with_the_trace(plain_runs):
    _, _, state, traces = plain_runs
    scalars = outcome(traces[0], int(state.status[0]))
    assert scalars["steps"] == 100 and scalars["status"] == "exhausted"
    assert scalars["gradient_gap"] == traces[0].gradient_gap.max()
    assert scalars["gradient_square_sum"] == pytest.approx(traces[0].gradient_square[:100].sum(), rel=1e-14)
    thin = thinned(traces[0], points=20)
    assert thin["step"][0] == 0 and thin["step"][-1] == 100 and (np.diff(thin["step"]) > 0).all()
    assert np.array_equal(thin["loss"], traces[0].loss[thin["step"]])


SHARDED = """
import jax, sys
jax.config.update("jax_num_cpu_devices", int(sys.argv[1]))
import theory
sys.path.insert(0, sys.argv[2])
from test_descent import every_bit
assert jax.device_count() == int(sys.argv[1])
print(every_bit())
"""


def every_bit():
    """The traces of 3 and of 5 runs on this process's devices: fewer runs than devices, numbers that do not divide."""
    lines = []
    for runs in (3, 5):
        params, problem = ensemble(runs=runs, max_steps=60)
        _, traces = complete(network, start(params, problem), problem)
        lines.append(np.concatenate([np.concatenate(trace) for trace in traces]).tobytes().hex())
    return "\n".join(lines)


def test_the_number_of_devices_changes_no_bit():
    """1 and 4 devices in processes of their own, against the 2 of this one."""
    arguments = [sys.executable, "-c", SHARDED]
    here = str(Path(__file__).parent)
    others = [
        subprocess.run([*arguments, devices, here], capture_output=True, text=True, check=True).stdout.strip()
        for devices in ("1", "4")
    ]
    first = every_bit()
    assert jax.device_count() == 2
    assert len(first) > 1000 and others == [first, first]

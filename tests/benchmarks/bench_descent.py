"""Model-steps per second of gradient descent on an ensemble, all models together, float64, two host devices.

    uv run python tests/benchmarks/bench_descent.py

A step of ours (`experiments.descent.descend`) is everything the engine records: the loss, the gradient and its norm,
the gap of the closest pair and its gradient gap (a backward pass of its own), the parameter norm, the path length, the
stopping rules and the move; the rows are brought back to numpy. A step of a peer is the loss, the gradient and the
move, so ours does more.

  numpy       forward and backward pass by hand, one model after another (multilayer perceptrons only)
  python loop a jitted step of one model, called from Python, one model after another
  vmap scan   one jitted lax.scan over the steps of jax.vmap over the models, on one device

Medians of turns taken by all contestants, compilation excluded; `ratio` is ours over the peer.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np

jax.config.update("jax_num_cpu_devices", 2)

from timing import seconds  # noqa: E402

from experiments import descent  # noqa: E402
from experiments.architecture import residual_mlp, transformer  # noqa: E402
from experiments.blocks import Activation, Block, Chain, Linear, Residual  # noqa: E402
from experiments.studies.networks import PLAIN, RESIDUAL, TRANSFORMER  # noqa: E402

RUNS = 8


def studied(network) -> tuple[Chain, tuple[int, ...], int]:
    return network.architecture.build(network.point_shape), network.point_shape, 12


# name: (model, point shape, N), steps, goal in model-steps per second
CASES = {
    "residual MLP, width 64, 4 blocks, N 64": ((residual_mlp(4, width=64, depth=4), (4,), 64), 60, 7000),
    "transformer, width 32, 2 layers, 8 tokens, N 64": (
        (transformer(32, tokens=8, width=32, depth=2), (8, 32), 64),
        10,
        700,
    ),
    "study: plain, N 12": (studied(PLAIN), 500, None),
    "study: residual, N 12": (studied(RESIDUAL), 300, None),
    "study: transformer, N 12": (studied(TRANSFORMER), 200, None),
}


def ensemble(model: Chain, point_shape: tuple[int, ...], num_points: int, *, steps: int) -> tuple[Any, descent.Problem]:
    rng = np.random.default_rng(0)
    problem = descent.Problem(
        x=rng.random((RUNS, num_points, *point_shape)),
        y=rng.standard_normal((RUNS, num_points)),
        step_size=np.full(RUNS, 1e-3),
        pair=np.tile([0, 1], (RUNS, 1)),
        target=np.zeros(RUNS),
        max_steps=np.full(RUNS, steps, np.int32),
    )
    params = jax.vmap(model.init)(jax.random.split(jax.random.key(0), RUNS))
    return jax.tree.map(np.asarray, params), problem


def ours(model: Chain, params: Any, problem: descent.Problem, *, steps: int) -> list[float]:
    """The last losses, run by run, like every contestant."""
    finished = descent.descend(model, params, problem, chunk=steps + 1)
    return [float(run.trace.loss[steps]) for run in sorted(finished, key=lambda run: run.index)]


def numpy_pass(block: Block, params: Any, x: np.ndarray) -> tuple[np.ndarray, Callable]:
    """The output and its pull-back, g -> (the gradient by the parameters, the gradient by x)."""
    match block:
        case Linear():
            return x @ params["weight"] + params["bias"], lambda g: (
                {"weight": x.T @ g, "bias": g.sum(0)},
                g @ params["weight"].T,
            )
        case Activation("tanh"):
            z = np.tanh(x)
            return z, lambda g: ((), g * (1 - z * z))
        case Residual(inner):
            z, pull_back = numpy_pass(inner, params, x)

            def residual_back(g):
                slope, back = pull_back(g)
                return slope, g + back

            return x + z, residual_back
        case Chain(blocks):
            pull_backs = []
            for inner, inner_params in zip(blocks, params, strict=True):
                x, pull_back = numpy_pass(inner, inner_params, x)
                pull_backs.append(pull_back)

            def chain_back(g):
                slopes = []
                for pull_back in reversed(pull_backs):
                    slope, g = pull_back(g)
                    slopes.append(slope)
                return tuple(reversed(slopes)), g

            return x, chain_back
        case _:  # Scalar
            return x[:, 0], lambda g: ((), g[:, None])


def numpy_descent(model: Chain, params: Any, problem: descent.Problem, *, steps: int) -> list[float]:
    def moved(theta: Any, slope: Any, step_size: float) -> Any:
        if isinstance(theta, tuple):
            return tuple(moved(t, s, step_size) for t, s in zip(theta, slope))
        return {name: value - step_size * slope[name] for name, value in theta.items()}

    losses = []
    for run in range(RUNS):
        theta, one = descent.member((params, problem), run)
        for step in range(steps + 1):
            out, pull_back = numpy_pass(model, theta, one.x)
            residual = out - one.y
            loss = 0.5 * np.sum(residual**2) / len(residual)
            if step < steps:
                theta = moved(theta, pull_back(residual / len(residual))[0], one.step_size)
        losses.append(float(loss))
    return losses


def peer_step(model: Chain, theta: Any, x: Any, y: Any, step_size: Any) -> tuple[Any, Any]:
    loss, gradient = jax.value_and_grad(lambda p: descent.loss(model, p, x, y))(theta)
    return jax.tree.map(lambda t, g: t - step_size * g, theta, gradient), loss


one_step = jax.jit(peer_step, static_argnums=0)


def python_loop(model: Chain, params: Any, problem: descent.Problem, *, steps: int) -> list[float]:
    losses = []
    for run in range(RUNS):
        theta, one = descent.member((params, problem), run)
        for _ in range(steps + 1):
            theta, loss = one_step(model, theta, one.x, one.y, one.step_size)
        losses.append(float(loss))
    return losses


@partial(jax.jit, static_argnames=("model", "steps"))
def scanned(model: Chain, params: Any, problem: descent.Problem, *, steps: int) -> Any:
    together = jax.vmap(partial(peer_step, model))
    return jax.lax.scan(
        lambda theta, _: together(theta, problem.x, problem.y, problem.step_size), params, length=steps + 1
    )[1]


def vmap_scan(model: Chain, params: Any, problem: descent.Problem, *, steps: int) -> list[float]:
    return np.asarray(scanned(model, params, problem, steps=steps))[-1].tolist()


def main() -> None:
    print(f"{'model':48} {'contestant':12} {'steps/s':>9} {'ratio':>6} {'goal':>6}")
    for name, ((model, point_shape, num_points), steps, goal) in CASES.items():
        params, problem = ensemble(model, point_shape, num_points, steps=steps)
        contestants = {"ours": ours, "python loop": python_loop, "vmap scan": vmap_scan}
        if len(point_shape) == 1:
            contestants["numpy"] = numpy_descent
        calls = {who: partial(run, model, params, problem, steps=steps) for who, run in contestants.items()}
        last = [call() for call in calls.values()]
        np.testing.assert_allclose(last, last[:1] * len(last), rtol=1e-9)  # all of them did the same work
        rates = {who: RUNS * (steps + 1) / taken for who, taken in seconds(calls).items()}
        for who, rate in rates.items():
            shown = "" if who != "ours" or goal is None else f"{goal:,}"
            print(f"{name:48} {who:12} {rate:9,.0f} {rates['ours'] / rate:6.2f} {shown:>6}", flush=True)


if __name__ == "__main__":
    main()

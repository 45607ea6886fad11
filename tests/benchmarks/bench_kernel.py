"""Empirical NTK Gram matrix in float64: the structured kernel against per-sample gradients, in one run.

    uv run python tests/benchmarks/bench_kernel.py

Peers, on the same model and data: `vmap(grad)` with the Grams summed over parameter arrays (the fastest generic route
that we know of in plain JAX), and the concatenated Jacobian from `jacrev`. Timed round robin so that all meet the same
load; medians, compilation excluded; every result is compared with ours before it is timed.
"""

import time
from functools import partial
from statistics import median
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import theory  # noqa: F401  (switches JAX to float64)
from experiments.architecture import plain_mlp, transformer
from experiments.blocks import Chain
from experiments.kernel import empirical_ntk, generic_ntk


class Case(NamedTuple):
    name: str
    model: Chain
    shape: tuple[int, ...]
    rounds: int
    with_jacrev: bool = True


MLP = plain_mlp(16, width=256, depth=4)
CASES = (
    Case("MLP 16-256x4-1, N = 256", MLP, (256, 16), 7),
    Case("MLP 16-256x4-1, N = 1024", MLP, (1024, 16), 3, with_jacrev=False),  # its J alone is 1.7 GB
    Case("transformer 2 layers, d 64, T 8, N = 128", transformer(64, tokens=8, width=64, depth=2, heads=4),
         (128, 8, 64), 11),
)  # fmt: skip


def vmap_grad(model):
    """sum over parameter arrays of G G^T, G the array's per-sample gradients."""

    @jax.jit
    def kernel(params, x):
        gradients = jax.vmap(jax.grad(lambda params, sample: model(params, sample[None])[0]), (None, 0))(params, x)
        rows = [leaf.reshape(len(x), -1) for leaf in jax.tree.leaves(gradients)]
        return sum(row @ row.T for row in rows)

    return kernel


def jacrev(model):
    """J J^T with J concatenated, from one reverse-mode Jacobian of the whole batch."""

    @jax.jit
    def kernel(params, x):
        leaves = jax.tree.leaves(jax.jacrev(model)(params, x))
        rows = jnp.concatenate([leaf.reshape(len(x), -1) for leaf in leaves], axis=1)
        return rows @ rows.T

    return kernel


def measure(case: Case) -> dict[str, float]:
    """Median seconds by route."""
    params = case.model.init(jax.random.key(0))
    x = jax.random.normal(jax.random.key(1), case.shape)
    routes = {
        "ours": partial(empirical_ntk, case.model),
        "ours, any model": partial(generic_ntk, lambda params, x: case.model(params, x)),
        "vmap(grad)": vmap_grad(case.model),
        **({"jacrev": jacrev(case.model)} if case.with_jacrev else {}),
    }
    expected = np.asarray(routes["ours"](params, x))
    for route in routes.values():
        np.testing.assert_allclose(route(params, x), expected, rtol=0, atol=1e-10 * expected.max())
    seconds: dict[str, list[float]] = {name: [] for name in routes}
    for _ in range(case.rounds):
        for name, route in routes.items():
            jax.block_until_ready(route(params, x))  # untimed: the allocator forgets its pages under another route
            start = time.perf_counter()
            jax.block_until_ready(route(params, x))
            seconds[name].append(time.perf_counter() - start)
    return {name: median(times) for name, times in seconds.items()}


def test_kernel_benchmark():
    print(f"\n{'':42}{'route':18}{'ms':>10}{'route / ours':>14}")
    for case in CASES:
        seconds = measure(case)
        for name, value in seconds.items():
            label = case.name if name == "ours" else ""
            print(f"{label:42}{name:18}{1e3 * value:10.1f}{value / seconds['ours']:14.1f}", flush=True)


if __name__ == "__main__":
    test_kernel_benchmark()

"""How loose the loosest bounds are: the measured tables in paper_notes.md of G2 (smoothness), R6 (paths), G8 (steps).

    uv run python tests/benchmarks/bench_looseness.py

Nothing is timed and every seed is fixed. Each section says what it prints.
"""

import math
from collections.abc import Iterator
from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from experiments.architecture import plain_mlp, residual_mlp, transformer
from experiments.blocks import Chain
from experiments.curvature import hessian_norm
from experiments.descent import half_mean_square, loss
from experiments.hunts import feature_learning_floor as floor_hunt
from experiments.hunts.small_runs import STEPS
from experiments.hunts.smoothness import CHUNK, MODELS, Case, draw_case, measure
from experiments.hunts.smoothness import Instance as SmoothnessInstance
from experiments.kernel import empirical_ntk
from experiments.smoothness import loss_smoothness, parameter_radii
from theory import block_bounds
from theory.learning_rate_scale import mean_ceiling

# G2, the attention's bend: |D^2| climbed over inputs (Q, K, V) in the ball and directions, over its bound.

ASCENT_STEPS = 1500
ASCENT_STARTS = 64


def attention(flat: jax.Array, tokens: int) -> jax.Array:
    """One head of width 1: flat holds Q, K and V, `tokens` numbers each."""
    query, key, value = jnp.split(flat, [tokens, 2 * tokens])
    return jax.nn.softmax(jnp.outer(query, key), axis=-1) @ value


@partial(jax.jit, static_argnames="tokens")
def largest_bend(radius: jax.Array, key: jax.Array, *, tokens: int) -> jax.Array:
    """The best |D^2 Y[u, u]|, |x| = radius, |u| = 1, of ASCENT_STARTS gradient ascents with normalised, falling steps.

    Half of them start at random, half near the point where the bend approaches its bound as the radius grows.
    """

    def bend(pair: jax.Array) -> jax.Array:
        place, direction = (part / jnp.linalg.norm(part) for part in pair)

        def slope(point: jax.Array) -> jax.Array:
            return jax.jvp(lambda x: attention(x, tokens), (point,), (direction,))[1]

        return jnp.linalg.norm(jax.jvp(slope, (radius * place,), (direction,))[1])

    def climb(pair: jax.Array, scale: jax.Array) -> jax.Array:
        def step(index: jax.Array, state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            pair, best = state
            gradient = jax.grad(bend)(pair)
            size = scale * 10.0 ** (-4.0 * index / ASCENT_STEPS)
            pair = pair / jnp.linalg.norm(pair, axis=1, keepdims=True)
            pair = pair + size * gradient / (jnp.linalg.norm(gradient) + 1e-300)
            return pair, jnp.fmax(best, bend(pair))

        return jax.lax.fori_loop(0, ASCENT_STEPS, step, (pair, bend(pair)))[1]

    random_key, near_key = jax.random.split(key)
    starts = jax.random.normal(random_key, (ASCENT_STARTS, 2, 3 * tokens))
    # One query of size sqrt(2/3) r, two opposite values; keys so small that two tokens share the weight, 0.79 to 0.21.
    share, first = (2.0 / 3.0) ** 0.5, jnp.eye(tokens)[0]
    logits = jnp.full(tokens, -7.0).at[:2].set(jnp.array([0.6585, -0.6585]))
    opposite = jnp.zeros(tokens).at[:2].set(jnp.array([1.0, -1.0]))
    scale = 1.0 / (1.0 + radius**2)  # of such keys, relative to the radius
    place = jnp.concatenate([share * first, logits * scale / share, opposite / 6.0**0.5])
    direction = jnp.concatenate([jnp.zeros(tokens), opposite / 2.0**0.5, jnp.zeros(tokens)])
    near = jnp.stack([place, direction]) + 0.1 * scale * jax.random.normal(near_key, starts.shape)
    both = jnp.concatenate([starts[::2], near[::2]])
    return jnp.max(jax.vmap(climb)(both, jnp.repeat(jnp.array([0.1, 0.1 * scale]), ASCENT_STARTS // 2)))


def print_attention() -> None:
    print("G2: the attention's bend over its bound, d = 1, best found")
    for tokens in (2, 3):
        for radius in (0.1, 1.0, 2.0, 5.0, 10.0, 100.0):
            bound = float(block_bounds.attention(radius, tokens=tokens, head_width=1).second[0, 0])
            best = float(largest_bend(jnp.asarray(radius), jax.random.key(0), tokens=tokens))
            print(f"    T = {tokens}, r = {radius:5}: {best / bound:.4f}", flush=True)


# G2, tiny networks: log10 (S / |hess L|) at random parameters, and the least that climbing finds. S sees norms only, so
# parameters and points move on their spheres, and labels change their signs.

STARTS = 2 * CHUNK
TYPICAL = 64
MOVES = 300


def on_spheres(name: str, case: Case, norm: float) -> Case:
    """The case with every parameter array at Euclidean norm `norm`, the points at norms 1, 3/4, 1/2, labels +-1."""
    ends = np.cumsum([math.prod(law.shape) for law in jax.tree.leaves(MODELS[name][0].laws())])
    arrays = [norm * part / np.linalg.norm(part) for part in np.split(case.theta, ends[:-1])]
    points = [size * point / np.linalg.norm(point) for size, point in zip((1.0, 0.75, 0.5), case.points)]
    return case._replace(theta=np.concatenate(arrays), points=np.stack(points), labels=np.sign(case.labels))


def drawn(name: str, norm: float, *, focus: float, seed: int) -> Case:
    instance = SmoothnessInstance("at the radii", name, norm, 0.0, focus, 1.0, 1.0, 1.0, 0, seed)
    return on_spheres(name, draw_case(instance, np.random.default_rng(seed)), norm)


def looseness(name: str, cases: list[Case]) -> np.ndarray:
    chunks = [measure(name, cases[start : start + CHUNK]) for start in range(0, len(cases), CHUNK)]
    numbers = [found["at the radii"] for chunk in chunks for found in chunk]
    return np.array([math.log10(bound / measured) for measured, bound in numbers])


def worst_found(name: str, norm: float, cases: list[Case], *, rng: np.random.Generator) -> float:
    """MOVES normal moves, of one coordinate or of all, from each start; each is kept where the looseness falls."""
    best = looseness(name, cases)
    for move in range(MOVES):
        size, moved = 0.99**move, []
        for case in cases:
            some = rng.random(case.theta.size) < rng.choice([1.0 / case.theta.size, 1.0])
            step = size * norm * some * rng.standard_normal(case.theta.size)
            turn = size * rng.choice([0.0, 1.0]) * rng.standard_normal(case.points.shape)
            flip = rng.choice([1.0, -1.0], case.labels.shape, p=[0.9, 0.1])
            there = Case(case.theta + step, case.points + turn, case.partner, case.labels * flip)
            moved.append(on_spheres(name, there, norm))
        found = looseness(name, moved)
        cases = [after if new < old else before for before, after, new, old in zip(cases, moved, found, best)]
        best = np.minimum(found, best)
    return float(best.min())


def print_tiny_networks() -> None:
    print(f"G2: log10 (S / |hess L|), every array of norm R: median of {TYPICAL} draws, least of {STARTS} climbs")
    for name in MODELS:
        row = []
        for norm in (1.0, 3.0):
            typical = looseness(name, [drawn(name, norm, focus=0.0, seed=seed) for seed in range(TYPICAL)])
            starts = [drawn(name, norm, focus=float(seed % 2), seed=seed) for seed in range(STARTS)]
            worst = worst_found(name, norm, starts, rng=np.random.default_rng(0))
            row.append(f"R = {norm:g}: {np.median(typical):5.2f} {worst:5.2f}")
        print(f"    {name:24}" + "    ".join(row), flush=True)


# G2, networks at Xavier initialisation: 8 unit inputs, labels N(0, 1), Lanczos.

XAVIER: dict[str, tuple[Chain, tuple[int, ...]]] = {
    "plain tanh, width 64, depth 2": (plain_mlp(4, width=64, depth=2), (4,)),
    "residual, width 32, none": (residual_mlp(4, width=32, depth=2), (4,)),
    "residual, width 32, layernorm": (residual_mlp(4, width=32, depth=2, normalisation="layernorm"), (4,)),
    "residual, width 32, tau": (residual_mlp(4, width=32, depth=2, normalisation="tau"), (4,)),
    "transformer, width 16, none": (transformer(4, tokens=4, width=16, depth=1, normalisation="none"), (4, 4)),
    "transformer, width 16, layernorm": (transformer(4, tokens=4, width=16, depth=1), (4, 4)),
}


def print_xavier() -> None:
    print("G2: Xavier, log10 of S / |hess L|, of S at Euclidean radii / S, of S / S with the loss known; 3 seeds")
    for name, (model, shape) in XAVIER.items():
        rows = []
        for seed in range(3):
            params = model.init(jax.random.key(seed))
            rng = np.random.default_rng(seed)
            points, labels = rng.standard_normal((8, *shape)), rng.standard_normal(8)
            points /= np.linalg.norm(points.reshape(8, -1), axis=1).reshape(8, *[1] * len(shape))
            radii = parameter_radii(model, params)
            euclidean = jax.tree.map(lambda leaf: jnp.linalg.norm(leaf.ravel()), params)
            known = loss_smoothness(model, radii, points, labels, loss=loss(model, params, points, labels))
            bound = loss_smoothness(model, radii, points, labels)
            wider = loss_smoothness(model, euclidean, points, labels)
            exact = hessian_norm(model, params, points, labels, tolerance=1e-4)
            rows.append([bound / exact, wider / bound, bound / known])
        print(f"    {name:34}" + " ".join(f"{number:6.2f}" for number in np.log10(np.median(rows, axis=0))), flush=True)


# R6: gradient descent of the width-8 tanh network of the hunt, against the floor of its proved envelope.

RUNS = 64


def floor_instances(form: Literal["path", "steps"], separation: float) -> Iterator[floor_hunt.Instance]:
    rng = np.random.default_rng(0)
    for seed in range(RUNS):
        gap, step_size = rng.uniform(0.5, 2.0), rng.uniform(0.1, 1.0)
        yield floor_hunt.Instance(form, STEPS, "network", 4, separation, gap, 0.0, 0.0, step_size, 0, 1.0, seed)


def print_paths() -> None:
    print(
        f"R6: path over its floor after {STEPS} steps; runs with a floor of {RUNS}, least, median, largest; step floor"
    )
    for separation in (1.0, 1e-1, 1e-2, 1e-3):
        paths = floor_hunt.check_many(list(floor_instances("path", separation)))
        steps = floor_hunt.check_many(list(floor_instances("steps", separation)))
        ratios = np.array([found.measured / found.bound for found in paths if not found.vacuous])
        spread = f"{ratios.min():.3g} {np.median(ratios):.3g} {ratios.max():.3g}"
        print(f"    h = {separation:5}: {len(ratios)}, {spread}; {max(found.bound for found in steps):.2g}", flush=True)


# G8: one hidden tanh layer, d = N = 16, x and labels N(0, I): the top eigenvalue and the largest step size.

SURVIVED = 100


@partial(jax.jit, static_argnums=0)
def survives(model: Chain, params, x, y, step_size):
    """Whether SURVIVED steps keep the loss below 10 L_0 and end below L_0."""

    def value(params):
        return half_mean_square(model(params, x) - y)

    def step(params, _):
        found, gradient = jax.value_and_grad(value)(params)
        return jax.tree.map(lambda theta, slope: theta - step_size * slope, params, gradient), found

    last, losses = jax.lax.scan(step, params, length=SURVIVED)
    return jnp.all(losses <= 10.0 * losses[0]) & (value(last) < losses[0])


def print_step_sizes() -> None:
    print(
        "G8: width, lambda_max/N, ceiling, 2N/lambda_max, eta_max by bisection to 1%; medians of 5 seeds (3 from 1024)"
    )
    for width in (4, 16, 64, 256, 1024, 4096):
        model, rows = plain_mlp(16, width=width, depth=1), []
        for seed in range(5 if width < 1024 else 3):
            rng = np.random.default_rng(seed)
            x, y = rng.standard_normal((16, 16)), rng.standard_normal(16)
            params = model.init(jax.random.key(seed))
            top = float(np.linalg.eigvalsh(empirical_ntk(model, params, x))[-1]) / 16
            low, high = 0.25 / top, 64.0 / top
            assert bool(survives(model, params, x, y, low)) and not bool(survives(model, params, x, y, high))
            while high > 1.01 * low:
                middle = math.sqrt(low * high)
                low, high = (middle, high) if bool(survives(model, params, x, y, middle)) else (low, middle)
            squared_norm = float(np.mean(np.sum(x**2, axis=1)))
            ceiling = mean_ceiling(squared_norm, dim=16, width=width, value_slope=1.0, slope=1.0, bias=True)
            rows.append([top, float(ceiling), 2.0 / top, low])
        print(f"    {width:5}" + " ".join(f"{number:7.3g}" for number in np.median(rows, axis=0)), flush=True)


def main() -> None:
    print_attention()
    print_paths()
    print_step_sizes()
    print_xavier()
    print_tiny_networks()


if __name__ == "__main__":
    main()

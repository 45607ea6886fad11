"""Hunt for counterexamples to the calculus of smoothness: exact hessians of tiny networks against S and L_J.

Parameters and inputs are random, blended by `focus` with those that sit on the first entry of each array, where
products of norms are at their tightest. Then the parameters climb: random moves are kept when they bring the measured
side nearer to the bound. S and L_J are always those of the norms that the parameters have.
"""

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import strategies as st
from jax.flatten_util import ravel_pytree
from jaxtyping import Float

from experiments.architecture import plain_mlp, residual_mlp, transformer
from experiments.blocks import Chain, Linear, Scalar
from experiments.descent import half_mean_square
from experiments.hunt import Hunt
from experiments.smoothness import model_bounds, parameter_radii
from theory import smoothness
from theory.verdict import Check

NUM_POINTS = 3
CHUNK = 4

_TINY = {"width": 2, "depth": 1, "bottleneck": 2, "eps": 0.5}
_SEQUENCES = {"tokens": 2, **_TINY}

MODELS: dict[str, tuple[Chain, tuple[int, ...]]] = {
    "linear": (Chain((Linear(2, 1), Scalar())), (2,)),
    "plain tanh": (plain_mlp(2, width=2, depth=2), (2,)),
    "plain gelu": (plain_mlp(2, width=3, depth=1, activation="gelu", scaling="ntk"), (2,)),
    "residual none": (residual_mlp(2, **_TINY), (2,)),
    "residual tau": (residual_mlp(2, **_TINY, normalisation="tau", activation="gelu"), (2,)),
    "residual layernorm": (residual_mlp(2, **_TINY, normalisation="layernorm"), (2,)),
    "transformer none": (transformer(2, **_SEQUENCES, normalisation="none", activation="tanh"), (2, 2)),
    "transformer tau": (transformer(2, **_SEQUENCES, normalisation="tau", heads=2), (2, 2)),
    "transformer layernorm": (transformer(2, **_SEQUENCES, normalisation="layernorm", scaling="ntk"), (2, 2)),
    "two outputs": (plain_mlp(2, width=2, depth=2, outputs=2), (2,)),
}
"""Model and point shape by name: every built-in architecture, with every normalisation it takes."""


class Instance(NamedTuple):
    """One network at one parameter; `form` says which inequality is checked.

    radius: median norm of a parameter array, before climbing.  spread: standard deviation of its logarithm.
    input_radius: largest |x|.  label: size of the labels.  closeness: |x - x'| of the gradient gap over |x_0 - x_1|.
    climb: number of moves tried.
    """

    form: Literal["at the radii", "at the loss", "gradient gap"]
    model: str
    radius: float
    spread: float
    focus: float
    input_radius: float
    label: float
    closeness: float
    climb: int
    seed: int


class Case(NamedTuple):
    """What an instance draws: flat parameters, points, a partner of the first point, labels."""

    theta: Float[np.ndarray, " p"]
    points: Float[np.ndarray, "n ..."]
    partner: Float[np.ndarray, "..."]
    labels: Float[np.ndarray, "n m"]


def check(instance: Instance) -> Check:
    """One instance."""
    return check_many([instance])[0]


def check_many(instances: Sequence[Instance]) -> list[Check]:
    """The checks of many instances, in chunks that share a model."""
    found: dict[int, Check] = {}
    for name in dict.fromkeys(instance.model for instance in instances):
        places = [place for place, instance in enumerate(instances) if instance.model == name]
        for start in range(0, len(places), CHUNK):
            chunk = places[start : start + CHUNK]
            found |= zip(chunk, _check_chunk(name, [instances[place] for place in chunk]))
    return [found[place] for place in range(len(instances))]


def _check_chunk(name: str, instances: Sequence[Instance]) -> list[Check]:
    draws = [np.random.default_rng(instance.seed) for instance in instances]
    cases = [draw_case(instance, rng) for instance, rng in zip(instances, draws)]
    best = measure(name, cases)
    for move in range(max(instance.climb for instance in instances)):
        size = 0.5 * 0.9**move
        moved = [
            case._replace(theta=case.theta + size * instance.radius * _on_few(rng, case.theta.size))
            if move < instance.climb
            else case
            for instance, case, rng in zip(instances, cases, draws)
        ]
        for row, there in enumerate(measure(name, moved)):
            here, form = best[row], instances[row].form
            if there[form][0] * here[form][1] > here[form][0] * there[form][1]:
                best[row], cases[row] = there, moved[row]
    return [
        smoothness.check(
            "gradient gap" if instance.form == "gradient gap" else "loss hessian",
            measured=numbers[instance.form][0],
            bound=numbers[instance.form][1],
            parameter_margin=0.0,  # the radii are the norms themselves
            input_margin=0.0,
            scale=numbers["gradient"][0] if instance.form == "gradient gap" else 0.0,
            family=f"{instance.form}, {name}" if instance.form != "gradient gap" else name,
            instance=repr(instance),
        )
        for instance, numbers in zip(instances, best)
    ]


def _on_few(rng: np.random.Generator, size: int) -> Float[np.ndarray, " p"]:
    """A normal move of about three coordinates, or of all."""
    return rng.standard_normal(size) * (rng.random(size) < rng.choice([3.0 / size, 1.0]))


def draw_case(instance: Instance, rng: np.random.Generator) -> Case:
    """Parameters, points and labels of one instance."""
    model, shape = MODELS[instance.model]

    def focused(shape: tuple[int, ...]) -> np.ndarray:
        random, first = rng.standard_normal(shape), np.zeros(shape)
        first[(0,) * len(shape)] = 1.0
        blend = (1.0 - instance.focus) * random / np.linalg.norm(random) + instance.focus * first
        return blend / max(float(np.linalg.norm(blend)), 1e-300)  # one entry can cancel to 0

    laws = jax.tree.leaves(model.laws())
    norms = instance.radius * np.exp(instance.spread * rng.standard_normal(len(laws)))
    theta = np.concatenate([(norm * focused(law.shape)).ravel() for norm, law in zip(norms, laws)])
    sizes = instance.input_radius * np.linspace(1.0, 0.5, NUM_POINTS)
    points = np.stack([size * focused(shape) for size in sizes])
    partner = points[0] + instance.closeness * (points[1] - points[0])
    return Case(theta, points, partner, instance.label * rng.standard_normal((NUM_POINTS, num_outputs(instance.model))))


@cache
def num_outputs(name: str) -> int:
    """m, the number of outputs of one of the models."""
    model, shape = MODELS[name]
    return math.prod(model.output_shape(shape))


def measure(name: str, cases: Sequence[Case]) -> list[dict[str, tuple[float, float]]]:
    """(measured, bound) of each form for each of at most CHUNK cases, and "gradient": (|D f(x_0)|, infinity)."""
    columns = [np.stack(column) for column in zip(*(list(cases) * CHUNK)[:CHUNK])]
    hessians, jacobians, smooth, smooth_at_loss, lipschitz = (np.asarray(part) for part in _evaluate(name)(*columns))
    curvatures = np.abs(np.linalg.eigvalsh(hessians)).max(axis=-1)
    return [
        {
            "at the radii": (float(curvatures[row]), float(smooth[row])),
            "at the loss": (float(curvatures[row]), float(smooth_at_loss[row])),
            "gradient gap": (
                float(np.linalg.norm(jacobians[row, 0] - jacobians[row, -1], 2)),
                float(lipschitz[row] * np.linalg.norm(case.points[0] - case.partner)),
            ),
            "gradient": (float(np.linalg.norm(jacobians[row, 0])), np.inf),
        }
        for row, case in enumerate(cases)
    ]


@cache
def _evaluate(name: str) -> Callable[..., tuple[jax.Array, ...]]:
    """Compiled for a chunk: hess L, D f (m, P) at the points and the partner, S, S at the loss, L_J."""
    (model, shape), outputs = MODELS[name], num_outputs(name)
    unravel = ravel_pytree(jax.tree.map(lambda law: jnp.zeros(law.shape), model.laws()))[1]

    def derivatives(theta, point):
        def f(theta):
            value, pull_back = jax.vjp(lambda theta: model(unravel(theta), point[None]).reshape(outputs), theta)
            jacobian = jax.vmap(pull_back)(jnp.eye(outputs))[0]
            return jacobian, (value, jacobian)

        hessian, (value, jacobian) = jax.jacfwd(f, has_aux=True)(theta)
        return value, jacobian, hessian

    def one(theta, points, partner, labels):
        places = jnp.concatenate([points, partner[None]])
        values, jacobians, hessians = jax.vmap(derivatives, (None, 0))(theta, places)
        residual, slopes = values[:-1] - labels, jacobians[:-1].reshape(NUM_POINTS * outputs, -1)
        hessian = (slopes.T @ slopes + jnp.tensordot(residual, hessians[:-1], 2)) / NUM_POINTS
        label_norms = jnp.linalg.norm(labels, axis=1)
        radii, input_radii = (
            parameter_radii(model, unravel(theta)),
            jnp.linalg.norm(points.reshape(NUM_POINTS, -1), axis=1),
        )
        bounds = jax.vmap(lambda radius: model_bounds(model, radii, radius, point_shape=shape))(input_radii)
        return (
            hessian,
            jacobians,
            smoothness.loss_smoothness(bounds, label_norms),
            smoothness.loss_smoothness(bounds, label_norms, loss=half_mean_square(residual)),
            smoothness.jacobian_lipschitz(bounds)[0],  # x_0 has the largest norm, so its ball holds the partner
        )

    # Compiling costs more than running here; this halves it.
    return jax.jit(jax.vmap(one), compiler_options={"xla_backend_optimization_level": 0})


INSTANCES = st.builds(
    Instance,
    form=st.sampled_from(["at the radii", "at the loss", "gradient gap"]),
    model=st.sampled_from(list(MODELS)),
    radius=st.floats(-2.0, 1.0).map(lambda exponent: 10.0**exponent),
    spread=st.just(0.0) | st.floats(0.0, 1.0),
    focus=st.sampled_from([0.0, 1.0]) | st.floats(0.0, 1.0),
    input_radius=st.floats(-2.0, 1.0).map(lambda exponent: 10.0**exponent),
    label=st.just(0.0) | st.floats(0.01, 10.0),
    closeness=st.floats(-3.0, 0.0).map(lambda exponent: 10.0**exponent),
    climb=st.sampled_from([*[0] * 31, 16]),
    seed=st.integers(0, 2**31 - 1),
)

_SMALL = {"radius": 0.01, "spread": 0.0, "focus": 1.0, "label": 1.0, "closeness": 1e-2, "climb": 0, "seed": 0}

HUNT = Hunt(
    claim="G2",
    instances=INSTANCES,
    check=check,
    module="experiments.hunts.smoothness",
    check_many=check_many,
    extremal=tuple(
        Instance(form=form, model="linear", input_radius=1.0, **_SMALL)
        for form in ("at the radii", "at the loss", "gradient gap")
    ),
)

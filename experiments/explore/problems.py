"""What stands in the way of a state, in sentences: what is impossible, and what would take a page too long."""

from functools import lru_cache
from math import prod

import jax
import jax.numpy as jnp

from experiments.architecture import ArchitectureConfig
from experiments.blocks import Block
from experiments.explore.state import CONTROLS, OWN, Choice, State, idle_controls
from experiments.points import Cube, Domain, PointSet, Sphere, Tokens, construct, dials_of
from experiments.points.collapse import spread_set
from experiments.user_model import UserModel

MOST_WORK = 4_000_000
"""Largest (parameters) x (points) x (tokens): up to here one step of descent takes about ten milliseconds."""
MOST_ARRAYS = 132
"""Parameter arrays, two for each affine map, up to which a network compiles within a minute."""


def problems(state: State, own: UserModel | None = None) -> list[str]:
    """One sentence for each thing that keeps this state from being computed; none: it can be.

    own: the user's model, for states of kind "own".
    """
    found = [*_own_problems(state, own)]
    if not found:
        found += _model_problems(state, own)
    if not found:
        found += _point_problems(state, own)
    return found


def point_shape(state: State, own: UserModel | None = None) -> tuple[int, ...]:
    """(dim,), or (tokens, dim) for sequences; the user's model brings its own."""
    if state.kind == OWN:
        assert own is not None
        return own.point_shape
    return (state.tokens, state.dim) if state.kind == "transformer" else (state.dim,)


def domain_of(state: State, own: UserModel | None = None) -> Domain:
    """Where the points live. Raises ValueError for a domain of these coordinates that does not exist."""
    shape = point_shape(state, own)
    if len(shape) == 2:
        return Tokens(*shape)
    if len(shape) != 1:
        raise ValueError(f"points must have shape (d,) or (tokens, d), but the model {state.kind!r} takes {shape}")
    return Cube(*shape) if state.domain == "cube" else Sphere(*shape)


def points_of(state: State, own: UserModel | None = None) -> PointSet:
    """The state's points. Raises ValueError, one sentence, where there are none."""
    dials = tuple((dial, getattr(state, dial)) for dial in ("h", "cluster_size") if dial in dials_of(state.family))
    return _points(state.family, state.num_points, domain_of(state, own), state.seed, dials)


@lru_cache(maxsize=64)
def _points(
    family: str, num_points: int, domain: Domain, seed: int, dials: tuple[tuple[str, float | int], ...]
) -> PointSet:
    points = construct(family, num_points, domain, seed=seed, **dict(dials))
    points.points.setflags(write=False)  # shared by every session that asks for them
    return points


def largest_h(state: State, own: UserModel | None = None) -> float | None:
    """The largest h_min that the state's family can be asked for; None where it takes none or none is known.

    Raises ValueError where the domain does not exist.
    """
    if state.family not in ("pair_collapse", "cluster_collapse"):
        return None
    size = state.cluster_size if state.family == "cluster_collapse" else 2
    return spread_set(state.num_points, domain_of(state, own), cluster_size=size, seed=state.seed).limit


def architecture_of(state: State) -> ArchitectureConfig:
    """The built-in architecture with the controls that it takes; idle ones are left out."""
    idle = idle_controls(state)
    return ArchitectureConfig(
        state.kind,
        state.width,
        state.depth,
        activation=state.activation,
        scaling=state.scaling,
        bottleneck=None if "bottleneck" in idle else state.bottleneck,
        heads=None if "heads" in idle else state.heads,
        normalisation=None if "normalisation" in idle else state.normalisation,
    )


def array_sizes(state: State, own: UserModel | None = None) -> list[int]:
    """Numbers in each parameter array, without drawing them. Raises ValueError for an impossible architecture."""
    if own is not None and state.kind == OWN:
        return [leaf.size for leaf in jax.tree.leaves(jax.eval_shape(own.init, jax.random.key(0)))]
    model: Block = architecture_of(state).build(point_shape(state))
    return [prod(law.shape) for law in jax.tree.leaves(model.laws())]


def _own_problems(state: State, own: UserModel | None) -> list[str]:
    if state.kind != OWN:
        return []
    if own is None:
        kinds = CONTROLS["kind"]
        assert isinstance(kinds, Choice)
        built_in = ", ".join(name for name in kinds.names if name != OWN)
        return [f"kind must be one of {built_in} unless a model is named on the command line, but was {OWN!r}"]
    params = jax.eval_shape(own.init, jax.random.key(0))
    outputs = jax.eval_shape(own.apply, params, jax.ShapeDtypeStruct((2, *own.point_shape), jnp.float64))
    if outputs.shape not in ((2,), (2, 1)):
        return [f"model {own.source} must return one number a point, shape (2,) for two, but returned {outputs.shape}"]
    return []


def _model_problems(state: State, own: UserModel | None) -> list[str]:
    try:
        sizes = array_sizes(state, own)
    except ValueError as error:
        return [str(error)]
    parameters, arrays = sum(sizes), len(sizes)
    shape = point_shape(state, own)
    tokens = shape[0] if len(shape) == 2 else 1
    if arrays > MOST_ARRAYS:
        return [
            f"parameter arrays must be at most {MOST_ARRAYS} for a page to compile the network, but "
            f"{_named(state, own)} has {arrays}"
        ]
    work = parameters * state.num_points * tokens
    if work <= MOST_WORK:
        return []
    return [
        f"parameters times points{' times tokens' * (tokens > 1)} must be at most {MOST_WORK:,} for a page to answer "
        f"at once, but {_named(state, own)} has {parameters:,} parameters, which with {state.num_points} points"
        f"{f' of {tokens} tokens' * (tokens > 1)} make {work:,}"
    ]


def _named(state: State, own: UserModel | None) -> str:
    if own is not None and state.kind == OWN:
        return f"model {own.source}"
    return f"a {state.kind} network of width {state.width} and depth {state.depth}"


def _point_problems(state: State, own: UserModel | None) -> list[str]:
    try:
        points_of(state, own)
    except ValueError as error:
        return [str(error)]
    return []

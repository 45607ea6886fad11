"""From a state to what is looked at and trained: points with labels, and a network with its initial parameters."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from experiments.blocks import Block, Chain, Residual
from experiments.ensemble import drawn
from experiments.explore.problems import architecture_of, point_shape, points_of, problems
from experiments.explore.state import OWN, State
from experiments.labels import Labels, lipschitz_target
from experiments.points import PointSet
from experiments.smoothness import model_bounds
from experiments.studies.labelled_pair import LABELLINGS
from experiments.user_model import UserModel


class Scene(NamedTuple):
    """What a state stands for.

    model: f(params, x); a Block for the built-in architectures.  twin: the same network with its skip connections,
    whose parameters are the same; None for the user's model, and the model itself where it has them.  points, labels:
    float64.  x, y: (N, ...) and (N,), or (N, 1) as the model returns it, in the network's precision.  ceiling: above
    every separation of N points in the domain (S4).  parameters: P.
    """

    state: State
    model: Callable[[Any, Any], Any]
    twin: Chain | None
    params: PyTree
    points: PointSet
    labels: Labels
    x: Float[Array, "n ..."]
    y: Float[Array, "n ..."]
    ceiling: float
    parameters: int
    own: UserModel | None

    def arithmetic(self) -> AbstractContextManager[Any]:
        """Within it JAX computes in the state's precision, in this thread alone."""
        return arithmetic(self.state)

    @property
    def unbounded(self) -> str:
        """Why no bounds on the network's derivatives are at hand, as a sentence's end; empty where they are."""
        if self.state.kind != OWN and self.state.activation == "relu":
            return "ReLU has no second derivative"
        return _unbounded(self.model, self.x.shape[1:])

    @property
    def bounded(self) -> Block | None:
        """The model where its blocks' bounds are at hand, else None."""
        return self.model if isinstance(self.model, Block) and not self.unbounded else None


def arithmetic(state: State) -> AbstractContextManager[Any]:
    """JAX in the state's precision, in this thread alone."""
    return jax.enable_x64(state.precision == "float64")


def scene(state: State, own: UserModel | None = None) -> Scene:
    """Points, labels and network of a state; the same state gives the same bits.

    own: the user's model, for states of kind "own".  Raises ValueError with the first of `problems(state, own)`.
    """
    if found := problems(state, own):
        raise ValueError(found[0])
    points = points_of(state, own)
    labels = lipschitz_target(points.points, lipschitz=state.lipschitz, seed=state.seed)
    labels = LABELLINGS[state.labelling](labels, points, state)
    if state.kind == OWN:
        assert own is not None
        model, twin, params = own.apply, None, own.init(jax.random.key(state.seed))
    else:
        twin = architecture_of(state).build(point_shape(state))
        model = twin if state.skip else without_skips(twin)
        params = jax.tree.map(lambda leaf: leaf[0], drawn(twin, np.array([state.seed])))
    with arithmetic(state):
        params = jax.tree.map(lambda leaf: jnp.asarray(leaf, float), params)
        x = jnp.asarray(points.points, float)
        y = jnp.asarray(labels.values, float).reshape(jax.eval_shape(model, params, x).shape)
    return Scene(
        state=state,
        model=model,
        twin=twin,
        params=params,
        points=points,
        labels=labels,
        x=x,
        y=y,
        ceiling=points.domain.packing_ceiling(state.num_points),
        parameters=sum(leaf.size for leaf in jax.tree.leaves(params)),
        own=own if state.kind == OWN else None,
    )


MOST_BOUNDED_ARRAYS = 52
"""Parameter arrays, two for each affine map, up to which bounds are composed: beyond, compiling takes minutes."""


@lru_cache(maxsize=64)
def _unbounded(model: Any, point_shape: tuple[int, ...]) -> str:
    if not isinstance(model, Block):
        return "the model is a function that states no bounds on its derivatives"
    radii = jax.tree.map(lambda law: jnp.ones(()), model.laws())
    arrays = len(jax.tree.leaves(radii))
    if arrays > MOST_BOUNDED_ARRAYS:
        return (
            f"bounds on the derivatives are composed for at most {MOST_BOUNDED_ARRAYS} parameter arrays, not {arrays}"
        )
    try:
        jax.eval_shape(lambda: model_bounds(model, radii, 1.0, point_shape=point_shape))
    except ValueError as error:
        return str(error)
    return ""


def without_skips(model: Chain) -> Chain:
    """The chain with each residual layer's branch in its place: the same parameters, no skip connection."""
    return Chain(tuple(block.inner if isinstance(block, Residual) else block for block in model.blocks))


def compiled_for(state: State, own: UserModel | None = None) -> tuple[Any, ...]:
    """Equal for two states exactly when what was compiled for one serves the other: the page says when it must."""
    model = own if state.kind == OWN else (architecture_of(state), state.skip)
    return model, point_shape(state, own), state.num_points, state.precision

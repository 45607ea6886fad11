"""From a state to what is looked at and trained: points with labels, and a network with its initial parameters."""

from collections.abc import Callable
from contextlib import AbstractContextManager
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
    def block(self) -> Block | None:
        """The model where it is a block, which states its own bounds; None for any other function."""
        return self.model if isinstance(self.model, Block) else None


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


def without_skips(model: Chain) -> Chain:
    """The chain with each residual layer's branch in its place: the same parameters, no skip connection."""
    return Chain(tuple(block.inner if isinstance(block, Residual) else block for block in model.blocks))


def compiled_for(state: State, own: UserModel | None = None) -> tuple[Any, ...]:
    """Equal for two states exactly when what was compiled for one serves the other: the page says when it must."""
    model = own if state.kind == OWN else (architecture_of(state), state.skip)
    return model, point_shape(state, own), state.num_points, state.precision

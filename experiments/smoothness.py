"""Smoothness of a model's loss from the norms of its parameters: theory.smoothness for any tree of blocks.

`radii` is a pytree like the parameters with one number in the place of each array (`parameter_radii` of given ones,
`ball_radii` for a whole ball |theta| <= R). All of it is traceable in the radii and never reads the parameters.
"""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float, PyTree

from experiments.blocks import Block
from theory import feature_learning_floor, smoothness
from theory.smoothness import Bounds


def parameter_radii(model: Block, params: PyTree, *, path_length: ArrayLike = 0.0) -> PyTree:
    """R_b of each parameter array: operator norm of a weight matrix, Euclidean norm of anything else.

    path_length: the radii then hold for all parameters that a path of this length from `params` can reach.
    """
    return jax.tree.map(lambda radius: radius + path_length, model.radii(params))


def ball_radii(model: Block, radius: ArrayLike) -> PyTree:
    """The radius R for every parameter array of the model: at least as large as each in the ball |theta| <= R."""
    return jax.tree.map(lambda law: jnp.asarray(radius, float), model.laws())


@partial(jax.jit, static_argnums=0, static_argnames="point_shape")
def model_bounds(model: Block, radii: PyTree, input_radius: ArrayLike, *, point_shape: tuple[int, ...]) -> Bounds:
    """Bounds of x, theta -> model(theta, x) on |x| <= input_radius, |theta_b| <= radii_b.

    point_shape: shape of one point, without the axis of samples.
    """
    _require_like_parameters(model, radii)
    return model.bounds(radii, jnp.asarray(input_radius, float), tuple(point_shape))


def jacobian_lipschitz(
    model: Block, radii: PyTree, input_radius: ArrayLike, *, point_shape: tuple[int, ...]
) -> Float[Array, ""]:
    """L_J: |D_theta f(theta; x) - D_theta f(theta; x')| <= L_J |x - x'| in operator norm."""
    return smoothness.jacobian_lipschitz(model_bounds(model, radii, input_radius, point_shape=point_shape))


@partial(jax.jit, static_argnums=0)
def loss_smoothness(
    model: Block,
    radii: PyTree,
    points: Float[Array | np.ndarray, "N ..."],
    labels: Float[Array | np.ndarray, "N ..."],
    *,
    loss: ArrayLike | None = None,
) -> Float[Array, ""]:
    """S >= |hess L(theta)| wherever |theta_b| <= radii_b (and L <= loss, if given), each point with its own radius.

    L = (1/2N) sum |f(theta; x_i) - y_i|^2. In loss per squared parameter.
    """
    input_radii, label_norms = (
        jnp.linalg.norm(jnp.asarray(rows, float).reshape(len(rows), math.prod(rows.shape[1:])), axis=1)
        for rows in (points, labels)
    )
    bounds = jax.vmap(lambda radius: model_bounds(model, radii, radius, point_shape=points.shape[1:]))(input_radii)
    return smoothness.loss_smoothness(bounds, label_norms, loss=loss)


def stable_step(
    model: Block,
    radii: PyTree,
    points: Float[Array | np.ndarray, "N ..."],
    labels: Float[Array | np.ndarray, "N ..."],
    *,
    loss: ArrayLike | None = None,
) -> Float[Array, ""]:
    """1/S, a step size that gradient descent can take wherever it stays within the radii (and L <= loss, if given)."""
    return 1.0 / loss_smoothness(model, radii, points, labels, loss=loss)


_PIECES = 8
"""Of the upper sum for int Lbar: a coarser one gives a smaller, still true floor."""


def known_path_floor(
    model: Block,
    radii: PyTree,
    input_radius: ArrayLike,
    excess: ArrayLike,
    separation: ArrayLike,
    *,
    point_shape: tuple[int, ...],
    outputs: int = 1,
) -> Float[Array, ""]:
    """R6's P*, known before training: the least path that can take `excess` from the gap of a pair at `separation`.

    Lbar after a path of length P is the blocks' own Lipschitz constant of x -> grad_theta f, in Frobenius norm over the
    outputs, on radii larger by P and on the ball of `input_radius` that holds the pair.
    """

    def envelope(path_length: Array) -> Array:
        grown = jax.tree.map(lambda radius: radius + path_length, radii)
        bounds = model_bounds(model, grown, input_radius, point_shape=point_shape)
        return math.sqrt(outputs) * smoothness.jacobian_lipschitz(bounds)

    travel = feature_learning_floor.upper_travel(jnp.vectorize(envelope), 0.0, pieces=_PIECES)
    return feature_learning_floor.path_floor(excess, separation, travel=travel)


def _require_like_parameters(model: Block, radii: PyTree) -> None:
    expected, found = jax.tree.structure(model.laws()), jax.tree.structure(radii)
    if found != expected:
        raise ValueError(
            f"radii must have one number in the place of each parameter array, {expected}, but was {found}"
        )

"""Pairs of functions on R^d with Lipschitz constants known exactly: cones, McShane functions, a small tanh network.

McShane. min_k (c_k + L |x - z_k|) and max_k (c_k - L |x - z_k|) have Lipschitz constant L for any centres and heights.
With the points as centres and equal heights they are the extremal pair of A1: f - g = level + (L_f + L_g) dist(x, X).
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float

Kind = Literal["cones", "network"]
Function = Callable[[Float[np.ndarray, "n d"]], Float[np.ndarray, " n"]]
_WIDTH = 4


class Pair(NamedTuple):
    """f, g: (n, d) -> (n,).  lipschitz_f, lipschitz_g: their Lipschitz constants on R^d, or upper bounds of them."""

    f: Function
    g: Function
    lipschitz_f: float
    lipschitz_g: float

    def error(self, points: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        """|f - g|."""
        return np.abs(self.f(points) - self.g(points))


def drawn_pair(
    kind: Kind,
    points: Float[np.ndarray, "n d"],
    *,
    lipschitz_f: float,
    lipschitz_g: float,
    level: float,
    shift: float,
    seed: int,
) -> Pair:
    """f a lower envelope of cones, or a network; g an upper envelope of cones below it.

    level: f - g at the points, for cones.  shift: moves the cones' centres and heights off the points and off their
    level (0: the extremal pair).  A network is met by the lowest function of Lipschitz constant L_g through its values.
    """
    rng = np.random.default_rng(seed)

    def shaken(array: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
        return array + shift * rng.standard_normal(array.shape)

    if kind == "network":
        f = tanh_network(points.shape[1], lipschitz=lipschitz_f, seed=seed)
        heights = f(points) - level
        return Pair(f, upper_cones(shaken(points), shaken(heights), lipschitz_g), lipschitz_f, lipschitz_g)
    heights = np.full(len(points), 0.5 * level)
    f = lower_cones(shaken(points), shaken(heights), lipschitz_f)
    return Pair(f, upper_cones(shaken(points), shaken(-heights), lipschitz_g), lipschitz_f, lipschitz_g)


def lower_cones(centres: Float[np.ndarray, "k d"], heights: Float[np.ndarray, " k"], slope: float) -> Function:
    """x -> min_k (heights_k + slope |x - centres_k|), Lipschitz constant `slope`."""
    return lambda x: (heights + slope * cone_distances(x, centres)).min(axis=1)


def upper_cones(centres: Float[np.ndarray, "k d"], heights: Float[np.ndarray, " k"], slope: float) -> Function:
    """x -> max_k (heights_k - slope |x - centres_k|), Lipschitz constant `slope`."""
    return lambda x: (heights - slope * cone_distances(x, centres)).max(axis=1)


def tanh_network(dim: int, *, lipschitz: float, seed: int) -> Function:
    """x -> a . tanh(W x + b), width 4, |a|_2 |W|_2 (operator norm) = `lipschitz` and tanh' <= 1."""
    rng = np.random.default_rng(seed)
    inner, bias = 3.0 * rng.standard_normal((_WIDTH, dim)), rng.standard_normal(_WIDTH)
    outer = rng.standard_normal(_WIDTH)
    outer *= lipschitz / (np.linalg.norm(outer) * np.linalg.norm(inner, 2))
    return lambda x: np.tanh(x @ inner.T + bias) @ outer


def cone_distances(points: Float[np.ndarray, "n d"], centres: Float[np.ndarray, "k d"]) -> Float[np.ndarray, "n k"]:
    """All distances |x - z|, a coordinate at a time (no cancellation, and faster than one (n, k, d) array)."""
    squares = np.zeros((len(points), len(centres)))
    for column, centre in zip(points.T, centres.T, strict=True):
        squares += np.subtract.outer(column, centre) ** 2
    return np.sqrt(squares)

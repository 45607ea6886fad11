"""Bounds on value, first and second derivative of the blocks that networks are composed of: the atoms of G2.

Every function takes the radius r of its input, |x| <= r in Frobenius norm over all rows (tokens) of one sample, and
where it has parameters their radii; it returns the `Bounds` of theory.smoothness, in the order input, parameters.
Radii may be traced, and no bound falls when one grows. "Sharp" means that the supremum over the stated set is attained
or approached.
Proof.  paper_notes.md, G2, lines 9-13.
"""

from math import sqrt

import jax.numpy as jnp
from jax.scipy.special import erf
from jax.typing import ArrayLike
from jaxtyping import Array

from theory.smoothness import Bounds, input_only

GELU_BEND = 0.7978845608028654
"""sup |gelu''| = gelu''(0) = sqrt(2/pi)."""

SOFTMAX_BEND = sqrt(2.0) / (3.0 * sqrt(3.0))
"""sup |D^2 softmax| = 0.2722: the largest third central moment of a variable of range sqrt(2)."""


def linear(
    input_radius: ArrayLike,
    weight_radius: ArrayLike,
    bias_radius: ArrayLike | None = None,
    *,
    rows: int = 1,
    weight_scale: float = 1.0,
    bias_scale: float = 1.0,
) -> Bounds:
    """z = s x W + c 1 b^T on `rows` rows: sharp, each entry. Order: input, (bias,) weight. bias_radius None: no bias.

    value s r R_W + c sqrt(rows) R_b; slopes s R_W, c sqrt(rows), s r; the one bend is D_x D_W = s.
    """
    radius, weight = jnp.asarray(input_radius, float), jnp.asarray(weight_radius, float)
    row_sum = bias_scale * sqrt(rows)  # |1 b^T| = sqrt(rows) |b|
    biases = [] if bias_radius is None else [jnp.asarray(row_sum)]
    first = jnp.stack([weight_scale * weight, *biases, weight_scale * radius])
    second = jnp.zeros((first.size, first.size)).at[0, -1].set(weight_scale).at[-1, 0].set(weight_scale)
    shift = 0.0 if bias_radius is None else row_sum * jnp.asarray(bias_radius, float)
    return Bounds(weight_scale * radius * weight + shift, first, second)


def position(input_radius: ArrayLike, weight_radius: ArrayLike, *, weight_scale: float = 1.0) -> Bounds:
    """x + s W: sharp. value r + s R_W; slopes 1, s; no bend."""
    value = jnp.asarray(input_radius, float) + weight_scale * jnp.asarray(weight_radius, float)
    return Bounds(value, jnp.array([1.0, weight_scale]), jnp.zeros((2, 2)))


def mean_pool(input_radius: ArrayLike, *, rows: int) -> Bounds:
    """Mean over the rows: sharp. value r/sqrt(rows), slope 1/sqrt(rows), no bend."""
    return input_only(jnp.asarray(input_radius, float) / sqrt(rows), 1.0 / sqrt(rows), 0.0)


def tanh(input_radius: ArrayLike, *, entries: int) -> Bounds:
    """tanh entry by entry: sharp. value sqrt(n) tanh(r/sqrt(n)), slope 1, bend 2 t (1 - t^2) at
    t = min(tanh r, 1/sqrt 3): at most 4/(3 sqrt 3)."""
    radius = jnp.asarray(input_radius, float)
    worst = jnp.minimum(jnp.tanh(radius), 1.0 / sqrt(3.0))
    return input_only(sqrt(entries) * jnp.tanh(radius / sqrt(entries)), 1.0, 2.0 * worst * (1.0 - worst**2))


def gelu(input_radius: ArrayLike, *, entries: int) -> Bounds:
    """x Phi(x) entry by entry, Phi exact: sharp. value gelu(r), slope gelu'(min(r, sqrt 2)) <= 1.13, bend gelu''(0).

    The number of entries does not matter: the worst input has one entry that is not 0.
    """
    del entries
    radius = jnp.asarray(input_radius, float)
    worst = jnp.minimum(radius, sqrt(2.0))
    slope = _normal_cdf(worst) + worst * jnp.exp(-(worst**2) / 2.0) * GELU_BEND / 2.0
    return input_only(radius * _normal_cdf(radius), slope, GELU_BEND)


def tau_eps(input_radius: ArrayLike, *, rows: int, eps: ArrayLike) -> Bounds:
    """x / sqrt(|x|^2 + eps^2) row by row: sharp. eps = 0 has no slope and no bend: both are infinite.

    value r / sqrt(r^2/rows + eps^2), slope 1/eps, bend 3 rho eps^2 / (rho^2 + eps^2)^(5/2) at rho = min(r, eps/2): at
    most 48/(25 sqrt 5) / eps^2.
    """
    radius, scale = jnp.asarray(input_radius, float), jnp.asarray(eps, float)
    worst = jnp.minimum(radius / scale, 0.5)
    bend = 3.0 * worst * (1.0 + worst**2) ** -2.5 / scale**2
    return input_only(radius / jnp.sqrt(radius**2 / rows + scale**2), 1.0 / scale, bend)


def layer_norm(input_radius: ArrayLike, *, rows: int, width: int, eps: ArrayLike) -> Bounds:
    """(x - mean) / sqrt(var + eps) row by row: sharp for width >= 2 (width 1 gives 0).

    It is sqrt(width) tau of the centred row, with sqrt(width eps) for tau's eps: value below sqrt(rows width), slope
    1/sqrt(eps), bend at most 48/(25 sqrt 5) / (sqrt(width) eps).
    """
    tau = tau_eps(input_radius, rows=rows, eps=jnp.sqrt(width * jnp.asarray(eps, float)))
    return Bounds(*(sqrt(width) * bound for bound in tau))


def softmax(input_radius: ArrayLike, *, rows: int, entries: int) -> Bounds:
    """softmax over the entries of each row; sharp as r grows, entries >= 2.

    value min(sqrt(rows), sqrt(rows/entries) + slope r), slope min(1/2, 1/entries + SOFTMAX_BEND r), bend SOFTMAX_BEND.
    """
    if entries == 1:
        return input_only(sqrt(rows), 0.0, 0.0)
    radius = jnp.asarray(input_radius, float)
    slope = jnp.minimum(0.5, 1.0 / entries + SOFTMAX_BEND * radius)
    return input_only(jnp.minimum(sqrt(rows), sqrt(rows / entries) + slope * radius), slope, SOFTMAX_BEND)


def attention(input_radius: ArrayLike, *, tokens: int, head_width: int) -> Bounds:
    """softmax(Q K^T / sqrt(D)) V over the tokens, any number of heads of width D, input (Q, K, V) as one array.

    With m, p, c the softmax's value, slope and bend at the scores' radius r^2/(2 sqrt(D)): value m r, slope
    sqrt(m^2 + (p r^2 / 2)^2 / D), bend (2/sqrt(3)) p r/sqrt(D) + 2/(3 sqrt(3)) c r^3/D.  Sharp as r -> 0 and as r
    grows; between, at r = 2, D = 1, the bend is loose by a factor 1.7 (2.1 for three tokens).
    """
    radius = jnp.asarray(input_radius, float)
    mix = softmax(radius**2 / (2.0 * sqrt(head_width)), rows=tokens, entries=tokens)
    slope, bend = mix.first[0] / sqrt(head_width), mix.second[0, 0] / head_width
    return input_only(
        mix.value * radius,
        jnp.sqrt(mix.value**2 + (slope * radius**2 / 2.0) ** 2),
        2.0 / sqrt(3.0) * slope * radius + 2.0 / (3.0 * sqrt(3.0)) * bend * radius**3,
    )


def _normal_cdf(x: Array) -> Array:
    return 0.5 * (1.0 + erf(x / sqrt(2.0)))


ACTIVATIONS = {"tanh": tanh, "gelu": gelu}
"""Smooth activations by name. ReLU is not among them: it has no second derivative at 0."""

"""The blocks of `experiments.blocks` in ball arithmetic: rigorous values and reverse-mode gradients by the parameters.

A sample is an `arb_mat` of shape (tokens, features); a plain point has one token. Each block has one rule,

  pull_back(block, params, x) -> (y, back),   back(g) = (x_bar, params_bar),

y an enclosure of the block's output, g the gradient by y, x_bar the one by x and params_bar the one by the block's
parameters as a flat list in the order of the flattened pytree. All enclosures contain the exact values of the exact
real parameters: the entries of params and x are balls too. Working precision: `flint.ctx.prec`, in bits.

A user's own block joins by `@pull_back.register(TheirBlock)`; without a rule it is refused by name.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import singledispatch
from itertools import chain
from typing import Any, NamedTuple

from flint import arb, arb_mat, fmpq

from experiments.blocks import (
    Activation,
    Attention,
    Block,
    Chain,
    LayerNorm,
    Linear,
    MeanPool,
    Position,
    Residual,
    Scalar,
    TauEps,
    require_known,
)

Back = Callable[[arb_mat], tuple[arb_mat, list[arb]]]
Step = tuple[arb_mat, Back]


class Slope(NamedTuple):
    """An activation's value and derivative at one ball."""

    value: arb
    derivative: arb


def _tanh(z: arb) -> Slope:
    value = z.tanh()
    return Slope(value, 1 - value * value)


def _gelu(z: arb) -> Slope:
    """z Phi(z), with derivative Phi(z) + z phi(z)."""
    cumulative = (-z / arb(2).sqrt()).erfc() / 2
    return Slope(z * cumulative, cumulative + z * (-z * z / 2).exp() / (2 * arb.pi()).sqrt())


ANALYTIC: dict[str, Callable[[arb], Slope]] = {"tanh": _tanh, "gelu": _gelu}
"""The analytic activations of experiments.blocks.ACTIVATIONS; relu is none."""


def exact(number: float) -> arb:
    """A decimal constant such as eps = 1e-3, read as the decimal it is written as: 1/1000, not the nearest float64."""
    return arb(fmpq(*Fraction(repr(number)).as_integer_ratio()))


def scales(scaling: str, fan_in: int) -> tuple[arb, arb]:
    """weight_scale and bias_scale of an affine map (experiments.initialisation), as real numbers."""
    return {"xavier": (arb(1), arb(1)), "ntk": (1 / arb(fan_in).sqrt(), arb(1) / 10)}[scaling]


@singledispatch
def pull_back(block: Block, params: Any, x: arb_mat) -> Step:
    """The block's output at one sample, and the map from gradients by it to gradients by sample and parameters."""
    raise ValueError(f"block must have a rule in ball arithmetic, but {type(block).__name__} has none")


@pull_back.register(Linear)
def _(block: Linear, params: Any, x: arb_mat) -> Step:
    weight_scale, bias_scale = scales(block.scaling, block.fan_in)
    weight = params["weight"]
    y = x * weight * weight_scale
    if block.bias:
        y += _ones(x.nrows(), 1) * params["bias"] * bias_scale

    def back(g: arb_mat) -> tuple[arb_mat, list[arb]]:
        bias_bar = (_ones(1, x.nrows()) * g * bias_scale).entries() if block.bias else []
        return g * weight.transpose() * weight_scale, bias_bar + (x.transpose() * g * weight_scale).entries()

    return y, back


@pull_back.register(Position)
def _(block: Position, params: Any, x: arb_mat) -> Step:
    weight_scale, _ = scales(block.scaling, block.tokens)
    return x + params["weight"] * weight_scale, lambda g: (g, (g * weight_scale).entries())


@pull_back.register(Activation)
def _(block: Activation, params: Any, x: arb_mat) -> Step:
    require_known("activation", block.name, ANALYTIC)
    slopes = [ANALYTIC[block.name](z) for z in x.entries()]
    derivative = _like(x, [slope.derivative for slope in slopes])
    return _like(x, [slope.value for slope in slopes]), lambda g: (_times(g, derivative), [])


@pull_back.register(TauEps)
def _(block: TauEps, params: Any, x: arb_mat) -> Step:
    """y = r x with r = (|x|^2 + eps^2)^(-1/2), row by row; dr/dx = -r^3 x."""
    rows = x.tolist()
    inverse = [(_dot(row, row) + exact(block.eps) ** 2).rsqrt() for row in rows]

    def back(g: arb_mat) -> tuple[arb_mat, list[arb]]:
        return arb_mat([_unit_back(row, r, g_row) for row, r, g_row in zip(rows, inverse, g.tolist())]), []

    return arb_mat([[r * entry for entry in row] for row, r in zip(rows, inverse)]), back


@pull_back.register(LayerNorm)
def _(block: LayerNorm, params: Any, x: arb_mat) -> Step:
    """y = r c with c = x - mean x and r = (mean c^2 + eps)^(-1/2); centring is symmetric, so back centres again."""
    rows, width = [_centred(row) for row in x.tolist()], x.ncols()
    inverse = [(_dot(row, row) / width + exact(block.eps)).rsqrt() for row in rows]

    def back(g: arb_mat) -> tuple[arb_mat, list[arb]]:
        return arb_mat(
            [_centred(_unit_back(row, r, g_row, count=width)) for row, r, g_row in zip(rows, inverse, g.tolist())]
        ), []

    return arb_mat([[r * entry for entry in row] for row, r in zip(rows, inverse)]), back


@pull_back.register(Attention)
def _(block: Attention, params: Any, x: arb_mat) -> Step:
    """Per head A = softmax(Q K^T / sqrt D), A V; back through A: S_bar = A o (A_bar - rowsum(A o A_bar))."""
    projected, projection_back = pull_back(block.query_key_value, params["query_key_value"], x)
    head_width = block.width // block.heads
    scale = arb(head_width).rsqrt()
    starts = [[part * block.width + h * head_width for part in range(3)] for h in range(block.heads)]
    parts = [[_columns(projected, start, head_width) for start in head] for head in starts]
    attention = [_softmax(query * key.transpose() * scale) for query, key, _ in parts]
    mixed = _side_by_side([a * value for a, (_, _, value) in zip(attention, parts)])
    y, output_back = pull_back(block.output, params["output"], mixed)

    def back(g: arb_mat) -> tuple[arb_mat, list[arb]]:
        mixed_bar, output_params_bar = output_back(g)
        bars: list[list[arb_mat]] = []
        for h, (a, (query, key, value)) in enumerate(zip(attention, parts)):
            head_bar = _columns(mixed_bar, h * head_width, head_width)
            a_bar = head_bar * value.transpose()
            means = [_dot(row, bar) for row, bar in zip(a.tolist(), a_bar.tolist())]
            centred = arb_mat([[entry - mean for entry in row] for row, mean in zip(a_bar.tolist(), means)])
            score_bar = _times(a, centred) * scale
            bars.append([score_bar * key, score_bar.transpose() * query, a.transpose() * head_bar])
        projected_bar = _side_by_side([head[k] for k in range(3) for head in bars])
        x_bar, projection_params_bar = projection_back(projected_bar)
        return x_bar, output_params_bar + projection_params_bar

    return y, back


@pull_back.register(MeanPool)
def _(block: MeanPool, params: Any, x: arb_mat) -> Step:
    tokens = x.nrows()
    return _ones(1, tokens) * x / tokens, lambda g: (_ones(tokens, 1) * g / tokens, [])


@pull_back.register(Scalar)
def _(block: Scalar, params: Any, x: arb_mat) -> Step:
    return x, lambda g: (g, [])


@pull_back.register(Residual)
def _(block: Residual, params: Any, x: arb_mat) -> Step:
    y, inner_back = pull_back(block.inner, params, x)

    def back(g: arb_mat) -> tuple[arb_mat, list[arb]]:
        x_bar, params_bar = inner_back(g)
        return g + x_bar, params_bar

    return x + y, back


@pull_back.register(Chain)
def _(block: Chain, params: Any, x: arb_mat) -> Step:
    backs: list[Back] = []
    for part, part_params in zip(block.blocks, params, strict=True):
        x, part_back = pull_back(part, part_params, x)
        backs.append(part_back)

    def back(g: arb_mat) -> tuple[arb_mat, list[arb]]:
        collected: list[list[arb]] = []
        for part_back in reversed(backs):
            g, params_bar = part_back(g)
            collected.append(params_bar)
        return g, [entry for params_bar in reversed(collected) for entry in params_bar]

    return x, back


def jacobian(model: Block, params: Any, samples: Sequence[arb_mat]) -> arb_mat:
    """J, (N m) x P in rows n * m + o and columns of the flattened pytree, as in experiments.kernel: enclosures."""
    rows: list[list[arb]] = []
    for sample in samples:
        y, back = pull_back(model, params, sample)
        outputs = y.ncols()
        rows += [back(arb_mat(1, outputs, [int(o == k) for k in range(outputs)]))[1] for o in range(outputs)]
    return arb_mat(rows)


def _like(shape: arb_mat, entries: list[arb]) -> arb_mat:
    return arb_mat(shape.nrows(), shape.ncols(), entries)


def _ones(rows: int, columns: int) -> arb_mat:
    return arb_mat(rows, columns, [1] * (rows * columns))


def _times(a: arb_mat, b: arb_mat) -> arb_mat:
    """Entry by entry."""
    return _like(a, [p * q for p, q in zip(a.entries(), b.entries(), strict=True)])


def _dot(a: Sequence[arb], b: Sequence[arb]) -> arb:
    return sum((p * q for p, q in zip(a, b, strict=True)), arb(0))


def _centred(row: Sequence[arb]) -> list[arb]:
    mean = sum(row, arb(0)) / len(row)
    return [entry - mean for entry in row]


def _unit_back(x: Sequence[arb], r: arb, g: Sequence[arb], *, count: int = 1) -> list[arb]:
    """Gradient by x of y = r x, r = (|x|^2 / count + constant)^(-1/2): r g - r^3 x <x, g> / count."""
    along = r**3 * _dot(x, g) / count
    return [r * slope - along * entry for entry, slope in zip(x, g, strict=True)]


def _columns(a: arb_mat, start: int, count: int) -> arb_mat:
    return arb_mat([row[start : start + count] for row in a.tolist()])


def _side_by_side(parts: Sequence[arb_mat]) -> arb_mat:
    return arb_mat([list(chain(*rows)) for rows in zip(*(part.tolist() for part in parts), strict=True)])


def _softmax(scores: arb_mat) -> arb_mat:
    rows = [[score.exp() for score in row] for row in scores.tolist()]
    return arb_mat([[entry / total for entry in row] for row in rows for total in [sum(row, arb(0))]])

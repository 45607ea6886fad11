"""Architectures: plain MLP, residual MLP and pre-norm transformer, as chains of blocks.

Each function returns a `Chain`, which is the model itself: `params = model.init(key)`, `model(params, x)` of shape (n,)
when outputs == 1 and (n, outputs) otherwise. `ArchitectureConfig` is the same as plain values, for a study's preset.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any

import jax

from experiments.blocks import (
    Activation,
    Attention,
    Block,
    Chain,
    LayerNorm,
    Linear,
    MeanPool,
    Params,
    Position,
    Residual,
    Scalar,
    TauEps,
    require_counts,
    require_known,
)

EPS = 1e-3
"""Default eps of tau_eps and LayerNorm: small against a unit activation, large enough to bound their derivatives."""

NORMALISATIONS: Mapping[str, Callable[[float], tuple[Block, ...]]] = MappingProxyType(
    {
        "none": lambda eps: (),
        "tau": lambda eps: (TauEps(eps),),
        "layernorm": lambda eps: (LayerNorm(eps),),
    }
)


def _normalise(normalisation: str, eps: float) -> tuple[Block, ...]:
    require_known("normalisation", normalisation, NORMALISATIONS)
    return NORMALISATIONS[normalisation](eps)


def _head(width: int, outputs: int, scaling: str) -> tuple[Block, ...]:
    return (Linear(width, outputs, scaling), *((Scalar(),) if outputs == 1 else ()))


def plain_mlp(
    dim: int, *, width: int, depth: int, outputs: int = 1, activation: str = "tanh", scaling: str = "xavier"
) -> Chain:
    """Multilayer perceptron of points (n, dim) with `depth` hidden layers of `width` units, no skip connections."""
    require_counts(dim=dim, width=width, depth=depth, outputs=outputs)
    fan_ins = (dim,) + (width,) * (depth - 1)
    hidden = [block for fan_in in fan_ins for block in (Linear(fan_in, width, scaling), Activation(activation))]
    return Chain((*hidden, *_head(width, outputs, scaling)))


def residual_mlp(
    dim: int,
    *,
    width: int,
    depth: int,
    bottleneck: int | None = None,
    outputs: int = 1,
    activation: str = "tanh",
    scaling: str = "xavier",
    normalisation: str = "none",
    eps: float = EPS,
) -> Chain:
    """Residual MLP of points (n, dim): a linear embedding, `depth` residual branches, a linear head.

    A branch is [normalisation,] Linear(width, bottleneck), activation, Linear(bottleneck, width); bottleneck is the
    branch's hidden width, by default the width.
    """
    bottleneck = width if bottleneck is None else bottleneck
    require_counts(dim=dim, width=width, depth=depth, bottleneck=bottleneck, outputs=outputs)
    normalise = _normalise(normalisation, eps)
    branch = Residual(Chain((*normalise, *_perceptron(width, bottleneck, activation, scaling))))
    return Chain((Linear(dim, width, scaling), *(branch,) * depth, *_head(width, outputs, scaling)))


def transformer(
    dim: int,
    *,
    tokens: int,
    width: int,
    depth: int,
    heads: int = 1,
    bottleneck: int | None = None,
    outputs: int = 1,
    activation: str = "gelu",
    scaling: str = "xavier",
    normalisation: str = "layernorm",
    eps: float = EPS,
) -> Chain:
    """Pre-norm transformer of token sequences (n, tokens, dim) with `depth` layers, without a mask.

    Linear embedding and learned positions; each layer a residual attention branch and a residual MLP branch with
    `bottleneck` hidden units (by default 4 width), both normalised first; then normalisation, mean over the tokens
    and a linear head.
    """
    bottleneck = 4 * width if bottleneck is None else bottleneck
    require_counts(dim=dim, tokens=tokens, width=width, depth=depth, bottleneck=bottleneck, outputs=outputs)
    normalise = _normalise(normalisation, eps)
    layer = (
        Residual(Chain((*normalise, Attention(width, heads, scaling)))),
        Residual(Chain((*normalise, *_perceptron(width, bottleneck, activation, scaling)))),
    )
    embed = (Linear(dim, width, scaling), Position(tokens, width, scaling))
    return Chain((*embed, *layer * depth, *normalise, MeanPool(), *_head(width, outputs, scaling)))


def _perceptron(width: int, bottleneck: int, activation: str, scaling: str) -> tuple[Block, ...]:
    return Linear(width, bottleneck, scaling), Activation(activation), Linear(bottleneck, width, scaling)


ARCHITECTURES: Mapping[str, Callable[..., Chain]] = MappingProxyType(
    {"plain": plain_mlp, "residual": residual_mlp, "transformer": transformer}
)


@dataclass(frozen=True)
class ArchitectureConfig:
    """One architecture as plain values; None stands for the architecture's own default.

    kind: a name in ARCHITECTURES; the other fields are that function's arguments, and giving one that it does not
    take is an error.
    """

    kind: str
    width: int
    depth: int
    outputs: int = 1
    activation: str = "tanh"
    scaling: str = "xavier"
    bottleneck: int | None = None
    heads: int | None = None
    normalisation: str | None = None
    eps: float | None = None

    def build(self, point_shape: tuple[int, ...]) -> Chain:
        """The model for points of one shape: (dim,), or (tokens, dim) for token sequences.

        Raises ValueError for an unknown kind, an argument the kind does not take, an impossible number or a point
        shape that is not the kind's.
        """
        require_known("kind", self.kind, ARCHITECTURES)
        make = ARCHITECTURES[self.kind]
        accepted = inspect.signature(make).parameters
        axes = ("tokens", "dim") if "tokens" in accepted else ("dim",)
        if len(point_shape) != len(axes):
            raise ValueError(
                f"point_shape must be ({', '.join(axes)}) for architecture {self.kind!r}, but it was {point_shape}"
            )
        options = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "kind"}
        given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
        for name, value in given.items():
            if name not in accepted:
                raise ValueError(f"{name} must be left out for architecture {self.kind!r}, but it was {value!r}")
        return make(**dict(zip(axes, point_shape)), **given)


def parameter_count(params: Params) -> int:
    """P, the number of real parameters in a pytree of arrays."""
    return sum(leaf.size for leaf in jax.tree.leaves(params))

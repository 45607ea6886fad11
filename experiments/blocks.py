"""Blocks: the few maps that every built-in architecture is composed of.

A block is a frozen, hashable value. `block.init(key)` draws its parameters, `block(params, x)` applies it to a batch x
of shape (n, ..., features), row by row: no block mixes samples. Composition is explicit (`Chain.blocks`,
`Residual.inner`), so that kernels, and bounds on values and derivatives, can be built up along the same tree.

Every parameter lives in an affine map z = phi @ weights, with phi the map's features: the input and, for a bias, a
constant column. That is why normalisations carry no learned scale, and why one hook, the tape handed down the tree
(experiments.tape), suffices for a structured kernel.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from math import prod, sqrt
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Key

from experiments.initialisation import SCALINGS, Normal
from experiments.tape import Tape
from theory import block_bounds
from theory.smoothness import Bounds, chain, identity, reordered, residual

Params = Any
"""The parameters of a block: a pytree that mirrors the block's own tree."""

Shape = tuple[int, ...]
"""The shape of one sample: (features,), or (tokens, features)."""

ACTIVATIONS: Mapping[str, Callable[[Array], Array]] = MappingProxyType(
    {
        "tanh": jnp.tanh,
        "gelu": lambda x: jax.nn.gelu(x, approximate=False),  # x Phi(x) with the exact normal distribution function
        "relu": jax.nn.relu,  # derivative 0 at 0
    }
)


def require_known(argument: str, name: str, table: Collection[str]) -> None:
    """Raise ValueError unless name is in the table."""
    if name not in table:
        raise ValueError(f"{argument} must be one of {', '.join(sorted(table))}, but it was {name!r}")


def require_counts(**counts: int) -> None:
    """Raise ValueError unless every count is an integer of at least 1."""
    for argument, count in counts.items():
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise ValueError(f"{argument} must be an integer of at least 1, but it was {count!r}")


def _require_positive(**numbers: float) -> None:
    for argument, number in numbers.items():
        if not 0 < number < float("inf"):
            raise ValueError(f"{argument} must be a positive number, but it was {number!r}")


@dataclass(frozen=True)
class Block(ABC):
    """Base of all blocks; this one has no parameters."""

    def laws(self) -> Params:
        """The parameters' pytree with a `Normal` in the place of each array."""
        return ()

    def init(self, key: Key[Array, ""]) -> Params:
        """Draw the parameters, float64; the same draws, rounded, where JAX computes in float32."""
        laws, tree = jax.tree.flatten(self.laws())
        sizes = [prod(law.shape) for law in laws]
        # One draw for all arrays, then cut: a draw for each array takes many times longer to compile.
        with jax.enable_x64(True):
            draws = jnp.split(jax.random.normal(key, (sum(sizes),), dtype=jnp.float64), np.cumsum(sizes)[:-1])
            params = [law.std * draw.reshape(law.shape) for law, draw in zip(laws, draws)]
        return tree.unflatten(leaf.astype(float) for leaf in params)

    @abstractmethod
    def __call__(self, params: Params, x: Float[Array, "n ..."], tape: Tape | None = None) -> Float[Array, "n ..."]:
        """Apply the block to every row of x."""
        ...

    def radii(self, params: Params) -> Params:
        """The size of each parameter array, as `bounds` understands it: a norm that is at most the Euclidean one."""
        return jax.tree.map(lambda leaf: jnp.sqrt(jnp.sum(jnp.square(leaf))), params)

    def bounds(self, radii: Params, input_radius: ArrayLike, shape: Shape) -> Bounds:
        """Bounds on the block and its first two derivatives where |x| <= input_radius and self.radii(params) <= radii.

        x is one sample, of the given shape, |x| its Euclidean norm over all entries. Blocks of `Bounds`: the input,
        then the parameters in the order of `jax.tree.leaves`. A block that states its own joins theory.smoothness.
        """
        raise ValueError(
            f"block must override bounds(radii, input_radius, shape) to have its smoothness bounded, but "
            f"{type(self).__name__} does not"
        )

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of one sample's output."""
        params = jax.tree.map(lambda law: jax.ShapeDtypeStruct(law.shape, jnp.float64), self.laws())
        return jax.eval_shape(self, params, jax.ShapeDtypeStruct((1, *shape), jnp.float64)).shape[1:]


@dataclass(frozen=True)
class Linear(Block):
    """Affine map of the last axis: z = s a W + c b, with s, c and the law of W, b given by SCALINGS[scaling].

    W has shape (fan_in, fan_out), b has shape (fan_out,). Features: (s a, c), or s a without a bias.
    """

    fan_in: int
    fan_out: int
    scaling: str = "xavier"
    bias: bool = True

    def __post_init__(self) -> None:
        require_counts(fan_in=self.fan_in, fan_out=self.fan_out)
        require_known("scaling", self.scaling, SCALINGS)

    def laws(self) -> Params:
        scaling = SCALINGS[self.scaling]
        weight = Normal((self.fan_in, self.fan_out), scaling.weight_std(self.fan_in, self.fan_out))
        return {"weight": weight, **({"bias": Normal((self.fan_out,), scaling.bias_std)} if self.bias else {})}

    def __call__(
        self, params: Params, x: Float[Array, "n *t fan_in"], tape: Tape | None = None
    ) -> Float[Array, "n *t fan_out"]:
        scaling = SCALINGS[self.scaling]
        weight_scale, bias_scale = scaling.weight_scale(self.fan_in), scaling.bias_scale
        features = x if weight_scale == 1.0 else weight_scale * x
        z = features @ params["weight"]
        if self.bias:
            z = z + (params["bias"] if bias_scale == 1.0 else bias_scale * params["bias"])
        if tape is None:
            return z
        if self.bias:
            features = jnp.concatenate([features, jnp.full_like(features[..., :1], bias_scale)], axis=-1)
        return tape.record(features, z)

    def radii(self, params: Params) -> Params:
        return super().radii(params) | {"weight": jnp.linalg.norm(params["weight"], 2)}  # |x W| <= |x| |W|_2

    def bounds(self, radii: Params, input_radius: ArrayLike, shape: Shape) -> Bounds:
        scaling = SCALINGS[self.scaling]
        return block_bounds.linear(
            input_radius,
            radii["weight"],
            radii["bias"] if self.bias else None,
            rows=prod(shape[:-1]),
            weight_scale=scaling.weight_scale(self.fan_in),
            bias_scale=scaling.bias_scale,
        )


@dataclass(frozen=True)
class Position(Block):
    """Learned additive position embedding of token sequences (n, tokens, width): x_t + s W_t.

    The map of the one-hot tokens e_t by `Linear(tokens, width, scaling, bias=False)`. Features: s times the identity.
    """

    tokens: int
    width: int
    scaling: str = "xavier"

    def __post_init__(self) -> None:
        require_counts(tokens=self.tokens, width=self.width)
        require_known("scaling", self.scaling, SCALINGS)

    def laws(self) -> Params:
        return Linear(self.tokens, self.width, self.scaling, bias=False).laws()

    def __call__(
        self, params: Params, x: Float[Array, "n t width"], tape: Tape | None = None
    ) -> Float[Array, "n t width"]:
        weight_scale = SCALINGS[self.scaling].weight_scale(self.tokens)
        z = x + weight_scale * params["weight"]
        if tape is None:
            return z
        one_hot = weight_scale * jnp.eye(self.tokens, dtype=x.dtype)
        return tape.record(jnp.broadcast_to(one_hot, (x.shape[0], self.tokens, self.tokens)), z)

    def bounds(self, radii: Params, input_radius: ArrayLike, shape: Shape) -> Bounds:
        weight_scale = SCALINGS[self.scaling].weight_scale(self.tokens)
        return block_bounds.position(input_radius, radii["weight"], weight_scale=weight_scale)


@dataclass(frozen=True)
class Activation(Block):
    """ACTIVATIONS[name], entry by entry."""

    name: str

    def __post_init__(self) -> None:
        require_known("activation", self.name, ACTIVATIONS)

    def __call__(self, params: Params, x: Float[Array, "n ..."], tape: Tape | None = None) -> Float[Array, "n ..."]:
        return ACTIVATIONS[self.name](x)

    def bounds(self, radii: Params, input_radius: ArrayLike, shape: Shape) -> Bounds:
        require_known("activation of a smoothness bound", self.name, block_bounds.ACTIVATIONS)
        return block_bounds.ACTIVATIONS[self.name](input_radius, entries=prod(shape))


@dataclass(frozen=True)
class TauEps(Block):
    """tau_eps(x) = x / sqrt(|x|^2 + eps^2) on the last axis: into the open unit ball, 1/eps-Lipschitz, analytic."""

    eps: float

    def __post_init__(self) -> None:
        _require_positive(eps=self.eps)

    def __call__(
        self, params: Params, x: Float[Array, "n *t width"], tape: Tape | None = None
    ) -> Float[Array, "n *t width"]:
        return x * jax.lax.rsqrt(jnp.sum(x**2, axis=-1, keepdims=True) + self.eps**2)

    def bounds(self, radii: Params, input_radius: ArrayLike, shape: Shape) -> Bounds:
        return block_bounds.tau_eps(input_radius, rows=prod(shape[:-1]), eps=self.eps)


@dataclass(frozen=True)
class LayerNorm(Block):
    """(x - mean) / sqrt(var + eps) on the last axis; var is the mean squared deviation.

    Without learned scale and shift: the affine map that follows can express them, and with every parameter in an
    affine map the structured kernel and a calculus of blocks need no case of their own for normalisation.
    """

    eps: float

    def __post_init__(self) -> None:
        _require_positive(eps=self.eps)

    def __call__(
        self, params: Params, x: Float[Array, "n *t width"], tape: Tape | None = None
    ) -> Float[Array, "n *t width"]:
        deviation = x - jnp.mean(x, axis=-1, keepdims=True)
        return deviation * jax.lax.rsqrt(jnp.mean(deviation**2, axis=-1, keepdims=True) + self.eps)

    def bounds(self, radii: Params, input_radius: ArrayLike, shape: Shape) -> Bounds:
        return block_bounds.layer_norm(input_radius, rows=prod(shape[:-1]), width=shape[-1], eps=self.eps)


@dataclass(frozen=True)
class Attention(Block):
    """Multi-head softmax self-attention of token sequences (n, t, width), without a mask.

    Per head, with D = width/heads: softmax(Q K^T / sqrt(D)) V over the tokens; the heads' outputs side by side go
    through the output map. Q, K, V and the output are each `Linear(width, width, scaling)`; the first three read the
    same features, so their weights stand side by side in one (width, 3 width) map "query_key_value".
    """

    width: int
    heads: int = 1
    scaling: str = "xavier"

    def __post_init__(self) -> None:
        require_counts(width=self.width, heads=self.heads)
        require_known("scaling", self.scaling, SCALINGS)
        if self.width % self.heads:
            raise ValueError(f"heads must divide the width {self.width}, but it was {self.heads}")

    @property
    def output(self) -> Linear:
        return Linear(self.width, self.width, self.scaling)

    @property
    def query_key_value(self) -> Linear:
        return Linear(self.width, 3 * self.width, self.scaling)

    def laws(self) -> Params:
        # The law is that of three square maps, not that of one wide map: the Xavier variance depends on fan_out.
        square = self.output.laws()
        wide = {name: Normal((*law.shape[:-1], 3 * law.shape[-1]), law.std) for name, law in square.items()}
        return {"query_key_value": wide, "output": square}

    def __call__(
        self, params: Params, x: Float[Array, "n t width"], tape: Tape | None = None
    ) -> Float[Array, "n t width"]:
        head_width = self.width // self.heads
        projected = self.query_key_value(params["query_key_value"], x, tape)
        query, key, value = (
            part.reshape(*x.shape[:-1], self.heads, head_width) for part in jnp.split(projected, 3, axis=-1)
        )
        scores = jnp.einsum("nthd,nshd->nhts", query, key) / sqrt(head_width)
        mixed = jnp.einsum("nhts,nshd->nthd", jax.nn.softmax(scores, axis=-1), value)
        return self.output(params["output"], mixed.reshape(x.shape), tape)

    def radii(self, params: Params) -> Params:
        return {name: getattr(self, name).radii(params[name]) for name in ("query_key_value", "output")}

    def bounds(self, radii: Params, input_radius: ArrayLike, shape: Shape) -> Bounds:
        projected = self.query_key_value.bounds(radii["query_key_value"], input_radius, shape)
        core = block_bounds.attention(projected.value, tokens=shape[0], head_width=self.width // self.heads)
        mixed = chain(projected, core)
        found = chain(mixed, self.output.bounds(radii["output"], mixed.value, shape))
        return reordered(found, (3, 4, 1, 2))  # as jax.tree.leaves has them: the output map first


@dataclass(frozen=True)
class MeanPool(Block):
    """Mean over the tokens: (n, t, width) -> (n, width)."""

    def __call__(
        self, params: Params, x: Float[Array, "n t width"], tape: Tape | None = None
    ) -> Float[Array, "n width"]:
        return jnp.mean(x, axis=1)

    def bounds(self, radii: Params, input_radius: ArrayLike, shape: Shape) -> Bounds:
        return block_bounds.mean_pool(input_radius, rows=shape[0])


@dataclass(frozen=True)
class Scalar(Block):
    """The only entry of a last axis of length 1: (n, 1) -> (n,)."""

    def __call__(self, params: Params, x: Float[Array, "n 1"], tape: Tape | None = None) -> Float[Array, " n"]:
        return x[:, 0]

    def bounds(self, radii: Params, input_radius: ArrayLike, shape: Shape) -> Bounds:
        return identity(input_radius)


@dataclass(frozen=True)
class Residual(Block):
    """x + inner(x)."""

    inner: Block

    def laws(self) -> Params:
        return self.inner.laws()

    def __call__(self, params: Params, x: Float[Array, "n ..."], tape: Tape | None = None) -> Float[Array, "n ..."]:
        return x + self.inner(params, x, tape)

    def radii(self, params: Params) -> Params:
        return self.inner.radii(params)

    def bounds(self, radii: Params, input_radius: ArrayLike, shape: Shape) -> Bounds:
        return residual(self.inner.bounds(radii, input_radius, shape), input_radius)


@dataclass(frozen=True)
class Chain(Block):
    """blocks[-1] o ... o blocks[0]; the parameters are the tuple of theirs."""

    blocks: tuple[Block, ...]

    def laws(self) -> Params:
        return tuple(block.laws() for block in self.blocks)

    def __call__(
        self, params: Params, x: Float[Array | np.ndarray, "n ..."], tape: Tape | None = None
    ) -> Float[Array, "n ..."]:
        x = jnp.asarray(x)
        for block, block_params in zip(self.blocks, params, strict=True):
            x = block(block_params, x, tape)
        return x

    def radii(self, params: Params) -> Params:
        return tuple(block.radii(block_params) for block, block_params in zip(self.blocks, params, strict=True))

    def bounds(self, radii: Params, input_radius: ArrayLike, shape: Shape) -> Bounds:
        found = identity(input_radius)
        for block, block_radii in zip(self.blocks, radii, strict=True):
            found = chain(found, block.bounds(block_radii, found.value, shape))
            shape = block.output_shape(shape)
        return found

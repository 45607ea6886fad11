"""A small decoder-only transformer language model: pre-norm, causal, the head tied to the token embedding.

  x_t   = E[token_t] + P[t]
  x_t  <- x_t + Attention(norm(x))_t,   x_t <- x_t + W_2 gelu(W_1 norm(x_t) + b_1) + b_2   in each layer
  z_t   = norm(x_t) E^T,   softmax(z_t) the distribution of token t+1
with norm the LayerNorm of `experiments.blocks` (no learned scale and shift), and attention over the tokens up to t
alone.

Shapes.     tokens (n, t); logits (n, t, vocabulary).
Precision.  Parameters and activations are float32: what is measured here are losses to some three digits over noise of
  the seeds of at least 1e-3, and float64 would double every second. Losses are summed in float64.
Own file.   The blocks of `experiments.blocks` carry bounds on their derivatives, and those of attention hold without a
  mask only; they take points, not tokens.
Source.     Radford et al. 2019 (GPT-2), at a thousandth of the size; Press and Wolf 2017 for the tied head.
"""

from dataclasses import dataclass
from math import sqrt
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

Params = dict[str, Any]

_NORM_EPS = 1e-5
_EMBEDDING_STD = 0.02
"""GPT-2's: logits of an untrained model are near 0, its loss near log(vocabulary)."""


@dataclass(frozen=True)
class LanguageModel:
    """context: most tokens of a sequence.  heads must divide the width; a layer's hidden width is 4 width."""

    vocabulary: int
    context: int
    width: int
    heads: int
    layers: int

    def __post_init__(self) -> None:
        if self.heads < 1 or self.width % self.heads:
            raise ValueError(f"heads must divide the width {self.width}, but was {self.heads}")

    def init(self, seed: int) -> Params:
        """Draw the parameters, float32: normal weights, zero biases; maps back to the stream 1/sqrt(2 layers) smaller.

        A map from w features has standard deviation 1/sqrt(w), so that activations start at size 1 at any width.
        """
        rng = np.random.default_rng(seed)  # numpy's: nothing to compile
        width, back = self.width, 1.0 / sqrt(2 * self.layers)

        def normal(rows: int, columns: int, std: float) -> Array:
            return jnp.asarray(std * rng.standard_normal((rows, columns)), jnp.float32)

        def zeros(size: int) -> Array:
            return jnp.zeros(size, jnp.float32)

        def layer() -> Params:
            return {
                "query_key_value": normal(width, 3 * width, width**-0.5),
                "output": normal(width, width, back * width**-0.5),
                "widen": normal(width, 4 * width, width**-0.5),
                "widen_bias": zeros(4 * width),
                "narrow": normal(4 * width, width, back * (4 * width) ** -0.5),
                "narrow_bias": zeros(width),
            }

        return {
            "embedding": normal(self.vocabulary, width, _EMBEDDING_STD),
            "position": normal(self.context, width, _EMBEDDING_STD),
            "layers": [layer() for _ in range(self.layers)],
        }

    def hidden(self, params: Params, tokens: Int[Array, "n t"]) -> Float[Array, "n t width"]:
        """norm(x_t) after the last layer: what the head reads."""
        x = params["embedding"][tokens] + params["position"][: tokens.shape[1]]
        for layer in params["layers"]:
            x = x + self._attention(layer, _normed(x))
            wide = jax.nn.gelu(_normed(x) @ layer["widen"] + layer["widen_bias"], approximate=True)
            x = x + wide @ layer["narrow"] + layer["narrow_bias"]
        return _normed(x)

    def logits(self, params: Params, tokens: Int[Array, "n t"]) -> Float[Array, "n t vocabulary"]:
        return self.hidden(params, tokens) @ params["embedding"].T

    def _attention(self, layer: Params, x: Float[Array, "n t width"]) -> Float[Array, "n t width"]:
        n, t, _ = x.shape
        # (3, n, heads, t, head width): each of query, key, value in the layout of the batched products.
        parts = (x @ layer["query_key_value"]).reshape(n, t, 3, self.heads, -1).transpose(2, 0, 3, 1, 4)
        query, key, value = parts
        scores = query @ key.swapaxes(-1, -2) * (self.width / self.heads) ** -0.5
        # Added, not chosen by a condition: its gradient costs nothing.
        future = jnp.triu(jnp.full((t, t), -jnp.inf, jnp.float32), 1)
        weights = jax.nn.softmax(scores + future, axis=-1)
        return (weights @ value).swapaxes(1, 2).reshape(x.shape) @ layer["output"]


def _normed(x: Float[Array, "n t width"]) -> Float[Array, "n t width"]:
    deviation = x - jnp.mean(x, axis=-1, keepdims=True)
    return deviation * jax.lax.rsqrt(jnp.mean(deviation**2, axis=-1, keepdims=True) + _NORM_EPS)

"""Mini-batch training of a language model with optax: plain SGD or Adam, on the response's tokens alone.

  loss(theta) = mean over the response tokens of a batch of   -log p_y              cross-entropy
                                                               |p - e_y|^2 / 2       l2, p = softmax(logits)
  sgd   theta <- theta - rate * grad          adam   optax's, theta <- theta - rate * m_hat / (sqrt(v_hat) + 1e-8)
The rate is an argument of the compiled step: one compilation for each model, objective, rule and padded length.

Units.     Losses are per token: nats, or half a squared distance between distributions (at most 1).
Precision. Gradients and parameters are float32 (see `experiments.language_model`); losses are summed in float64.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int

from experiments.language_model import LanguageModel, Params
from experiments.token_pairs import TokenPairs, cut

Objective = Literal["cross-entropy", "l2"]
Rule = Literal["sgd", "adam"]

RULES: dict[str, optax.GradientTransformation] = {"sgd": optax.identity(), "adam": optax.scale_by_adam()}
"""What becomes of the gradient before it is multiplied by minus the rate."""

_ROWS = 64  # sequences evaluated at once


class State(NamedTuple):
    """What a step changes."""

    params: Params
    moments: Any


def started(params: Params, rule: str) -> State:
    return State(params, RULES[rule].init(params))


def token_losses(logits: Float[Array, "n t vocabulary"], targets: Int[Array, "n t"]) -> dict[str, Float[Array, "n t"]]:
    """Both objectives for every token."""
    log_total = jax.nn.logsumexp(logits, axis=-1)
    log_chosen = jnp.take_along_axis(logits, targets[..., None], axis=-1)[..., 0] - log_total
    # |p - e_y|^2 = sum p^2 - 2 p_y + 1
    squares = jnp.exp(jax.nn.logsumexp(2.0 * logits, axis=-1) - 2.0 * log_total)
    return {"cross-entropy": -log_chosen, "l2": 0.5 * (squares + 1.0) - jnp.exp(log_chosen)}


def response_mask(
    batch_first: Int[Array, " n"], batch_length: Int[Array, " n"], inputs: int
) -> Float[Array, "n inputs"]:
    """1 where the token asked for, one place after the input, belongs to the response."""
    asked = jnp.arange(1, inputs + 1)
    return ((asked >= batch_first[:, None]) & (asked < batch_length[:, None])).astype(jnp.float32)


def sums(model: LanguageModel, params: Params, batch: TokenPairs) -> dict[str, Float[Array, " n"]]:
    """Per sequence: both objectives summed over the response's tokens (float64), and the number of those."""
    tokens = jnp.asarray(batch.tokens)
    losses = token_losses(model.logits(params, tokens[:, :-1]), tokens[:, 1:])
    mask = response_mask(jnp.asarray(batch.first), jnp.asarray(batch.length), tokens.shape[1] - 1)
    found = {name: jnp.sum((mask * values).astype(jnp.float64), axis=1) for name, values in losses.items()}
    return found | {"tokens": jnp.sum(mask, axis=1, dtype=jnp.float64)}


_sums = jax.jit(sums, static_argnums=0)


@partial(jax.jit, static_argnums=(0, 1, 2), donate_argnums=3)
def _step(
    model: LanguageModel, objective: str, rule: str, state: State, batch: TokenPairs, rate: Float[Array, ""]
) -> tuple[State, Float[Array, ""]]:
    def loss(params: Params) -> Float[Array, ""]:
        found = sums(model, params, batch)
        return jnp.sum(found[objective]) / jnp.sum(found["tokens"])

    value, gradient = jax.value_and_grad(loss)(state.params)
    updates, moments = RULES[rule].update(gradient, state.moments)
    params = jax.tree.map(lambda leaf, update: leaf - rate * update, state.params, updates)
    return State(params, moments), value


def stepper(
    model: LanguageModel, *, objective: str, rule: str
) -> Callable[[State, TokenPairs, float], tuple[State, float]]:
    """step(state, batch, rate): the state after, and the batch's loss before. The state given is used up."""

    def step(state: State, batch: TokenPairs, rate: float) -> tuple[State, float]:
        state, value = _step(model, objective, rule, state, cut(batch), jnp.float32(rate))
        return state, float(value)  # waits for the step

    return step


def evaluate(model: LanguageModel, params: Params, pairs: TokenPairs) -> dict[str, float]:
    """Both objectives, means over all response tokens of the pairs."""
    order = np.argsort(pairs.length, kind="stable")  # batches of like length: little padding
    totals: dict[str, float] = dict.fromkeys(("cross-entropy", "l2", "tokens"), 0.0)
    for start in range(0, len(order), _ROWS):
        rows = np.resize(order[start : start + _ROWS], _ROWS)  # always as many rows: one compilation
        batch = cut(pairs.take(rows))
        batch = batch._replace(length=np.where(np.arange(_ROWS) < len(order) - start, batch.length, 0))
        for name, values in _sums(model, params, batch).items():
            totals[name] += float(np.sum(values))
    tokens = totals.pop("tokens")
    return {name: total / tokens for name, total in totals.items()}

"""Training in the language study: first on general text, then on pairs, with losses, tokens and seconds on the way.

Seconds.   Those of the training steps alone, measured one by one; what is compiled is compiled before.
Tokens.    Those of the pairs stepped over, prompts included, padding not.
Losses.    On fixed rows, the same for all runs of a seed but for the run's own subset.
"""

import time
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from experiments.language_model import LanguageModel, Params
from experiments.minibatch import evaluate, started, stepper
from experiments.token_pairs import TokenPairs, cut, epochs

OBJECTIVES = {"adam": "cross-entropy", "sgd": "l2"}
"""What each rule minimises, as in the paper."""
SETS = ("own", "pool", "held_out")
LOSSES = ("cross-entropy", "l2")
_WARM_UP = 20
_PRETRAINING_RATE = 3e-3
_HIDDEN_ROWS = 64


def pretrained(model: LanguageModel, general: TokenPairs, *, steps: int, batch: int, seed: int) -> Params:
    """Cross-entropy on general text with Adam; the rate rises over the first steps."""
    step = stepper(model, objective="cross-entropy", rule="adam")
    state = started(model.init(seed), "adam")
    for number, rows in enumerate(epochs(len(general.tokens), batch, steps, seed=seed)):
        state, _ = step(state, general.take(rows), _PRETRAINING_RATE * min(1.0, (number + 1) / _WARM_UP))
    return state.params


class Curve(NamedTuple):
    """at: steps taken at each evaluation.  losses: mean per response token, [evaluation, SETS, LOSSES].

    batch_loss: objective on each step's batch, before the step.  seconds, inputs, tokens: of each step.
    params: after the last step.
    """

    at: Int[np.ndarray, " evaluations"]
    losses: Float[np.ndarray, "evaluations sets losses"]
    batch_loss: Float[np.ndarray, " steps"]
    seconds: Float[np.ndarray, " steps"]
    inputs: Int[np.ndarray, " steps"]
    tokens: Int[np.ndarray, " steps"]
    params: Params


def fine_tuned(
    model: LanguageModel,
    params: Params,
    own: TokenPairs,
    samples: dict[str, TokenPairs],
    *,
    rule: str,
    rate: float,
    batch: int,
    steps: int,
    evaluations: int,
    seed: int,
) -> Curve:
    """Train on the run's own pairs. samples: what is evaluated for each name in SETS. The given params stay valid."""
    step = stepper(model, objective=OBJECTIVES[rule], rule=rule)
    state = started(jax.tree.map(jnp.copy, params), rule)
    at = np.unique(np.linspace(0, steps, evaluations).round().astype(int))
    losses, rows_of = [], list(epochs(len(own.tokens), batch, steps, seed=seed))
    batch_loss, seconds, inputs, tokens = (np.zeros(steps) for _ in range(4))

    for rows in {cut(own.take(rows)).tokens.shape[1]: rows for rows in rows_of}.values():  # compiled off the clock
        step(jax.tree.map(jnp.copy, state), own.take(rows), rate)

    def record() -> None:
        found = [evaluate(model, state.params, samples[name]) for name in SETS]
        losses.append([[each[loss] for loss in LOSSES] for each in found])

    for number, rows in enumerate(rows_of):
        if number in at:
            record()
        pairs = own.take(rows)
        start = time.perf_counter()
        state, batch_loss[number] = step(state, pairs, rate)
        seconds[number] = time.perf_counter() - start
        inputs[number], tokens[number] = cut(pairs).tokens.shape[1] - 1, pairs.length.sum()
    record()
    return Curve(at, np.array(losses), batch_loss, seconds, inputs.astype(int), tokens.astype(int), state.params)


_hidden = jax.jit(LanguageModel.hidden, static_argnums=0)


def mean_hidden(model: LanguageModel, params: Params, pairs: TokenPairs) -> Float[np.ndarray, "n width"]:
    """Mean over a pair's tokens of what the head reads, scaled to length 1, float64."""
    rows = []
    for start in range(0, len(pairs.tokens), _HIDDEN_ROWS):
        chosen = np.resize(np.arange(start, min(start + _HIDDEN_ROWS, len(pairs.tokens))), _HIDDEN_ROWS)
        part = pairs.take(chosen)
        states = np.asarray(_hidden(model, params, jnp.asarray(part.tokens[:, :-1])), np.float64)
        mask = np.arange(states.shape[1]) < part.length[:, None]
        rows.append(np.sum(states * mask[..., None], axis=1))
    found = np.concatenate(rows)[: len(pairs.tokens)]
    return found / np.linalg.norm(found, axis=1, keepdims=True)

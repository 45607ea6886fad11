"""Pairs of texts as padded tokens: prompt, SEPARATOR, response, END; and batches of them.

Shapes.     tokens (n, context + 1), padded with PAD: a model reads the first `context`, and is asked for the last.
Truncation. A prompt keeps its first context/2 tokens, a pair its first context + 1: a long response loses its end and
  the END mark.
Lengths.    A batch is cut behind its longest pair, at a multiple of context/3 tokens: a step's seconds depend on the
  lengths as they do in practice, and a step function is compiled three times and not once for every length.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from experiments.corpus.byte_pairs import END, PAD, SEPARATOR, BytePairs
from experiments.corpus.docstring_pairs import Pair

_CUTS = 3
CONTEXT_UNIT = 2 * _CUTS


class TokenPairs(NamedTuple):
    """first: place of the response's first token.  length: tokens kept.  whole: tokens before truncation."""

    tokens: Int[np.ndarray, "n t"]
    first: Int[np.ndarray, " n"]
    length: Int[np.ndarray, " n"]
    whole: Int[np.ndarray, " n"]

    def take(self, rows: Int[np.ndarray, " k"]) -> "TokenPairs":
        return TokenPairs(*(column[rows] for column in self))


def encoded(pairs: Sequence[Pair], tokeniser: BytePairs, *, context: int) -> TokenPairs:
    """The pairs' tokens, int32.  context: a multiple of CONTEXT_UNIT."""
    if context % CONTEXT_UNIT:
        raise ValueError(f"context must be a multiple of {CONTEXT_UNIT}, but was {context}")
    tokens = np.full((len(pairs), context + 1), PAD, np.int32)
    first, length, whole = (np.zeros(len(pairs), np.int64) for _ in range(3))
    for row, pair in enumerate(pairs):
        prompt, response = tokeniser.encode(pair.prompt), tokeniser.encode(pair.response)
        whole[row] = len(prompt) + len(response) + 2
        prompt = prompt[: context // 2]
        kept = np.concatenate([prompt, [SEPARATOR], response, [END]])[: context + 1]
        first[row], length[row] = len(prompt) + 1, len(kept)
        tokens[row, : len(kept)] = kept
    return TokenPairs(tokens, first, length, whole)


def windows(texts: Sequence[str], tokeniser: BytePairs, *, context: int, limit: int) -> TokenPairs:
    """The texts one after another, END between them, cut into at most `limit` rows; every token is response."""
    chunks, size = [], 0
    for text in texts:
        if size >= limit * (context + 1):
            break
        chunks += [tokeniser.encode(text), np.array([END], np.int32)]
        size += len(chunks[-2]) + 1
    rows = min(limit, size // (context + 1))
    tokens = np.concatenate(chunks)[: rows * (context + 1)].reshape(rows, context + 1)
    length = np.full(rows, context + 1)
    return TokenPairs(tokens, np.ones(rows, np.int64), length, length)


def cut(batch: TokenPairs) -> TokenPairs:
    """The batch without the padding behind its longest pair, up to a third of the context."""
    step = (batch.tokens.shape[1] - 1) // _CUTS
    inputs = -(-(int(batch.length.max()) - 1) // step) * step
    return batch._replace(tokens=batch.tokens[:, : inputs + 1])


def epochs(size: int, batch: int, steps: int, *, seed: int) -> Iterator[Int[np.ndarray, " batch"]]:
    """Rows of each of `steps` batches: every row once an epoch, in a new order each; the rest below a batch sits out.

    Raises ValueError for fewer rows than a batch.
    """
    if size < batch:
        raise ValueError(f"size must be at least the batch's {batch}, but was {size}")
    rng = np.random.default_rng(seed)
    each = size // batch
    for step in range(steps):
        if step % each == 0:
            order = rng.permutation(size)
        yield order[step % each * batch :][:batch]

"""What the language study trains on: pool and held-out pairs, ways to spoil the pool, its vectors, the subsets.

Split.     Pairs that occur twice word for word are taken once; one random order a seed, its head the held-out pairs.
Spoilt.    A share of the pool's pairs is overwritten (`experiments.corpus.pair_corruption`): by copies, half of them
  near ones; by the responses to other prompts (noise); by foreign words and random signs (outliers); held-out pairs
  stay.
Vectors.   Rows of length 1, of prompt and response together: TF-IDF with SVD, or the mean over the tokens of what the
  pretrained model's head reads.
Subsets.   Half of the pool.  Cosine distance is half the squared chord of the vectors; all geometry is in it.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from experiments.corpus.byte_pairs import BytePairs
from experiments.corpus.corruption import Row
from experiments.corpus.docstring_pairs import Pair, docstring_pairs, fingerprint
from experiments.corpus.general_text import general_text
from experiments.corpus.news import news_pairs
from experiments.corpus.pair_corruption import (
    SpoiltPairs,
    duplicated_pairs,
    mismatched_pairs,
    pairs_with_outliers,
)
from experiments.separation import separation
from experiments.subsets import matched, strata, subset
from experiments.token_pairs import TokenPairs, encoded, windows

_SPLIT_STREAM, _MATCH_STREAM, _DRAW_STREAM = 31, 33, 34
_GENERAL_SHARE = 4
"""The tokeniser learns from the pairs and from every fourth general text: about as much of either."""
_LENGTH_BINS = 8
_BLOCK = 1024


class Texts(NamedTuple):
    """general: token rows of the text trained on first.  corpora: name -> pairs, each once.  prints: their SHA-256."""

    tokeniser: BytePairs
    general: TokenPairs
    corpora: dict[str, list[Pair]]
    prints: dict[str, str]


@lru_cache(maxsize=1)
def texts(packages: tuple[str, ...], with_news: bool, vocabulary: int, context: int, rows: int) -> Texts:
    """Everything read, tokenised once a process.  rows: at most so many of general text."""
    general = general_text(packages)
    corpora = {"docstrings": _once(docstring_pairs(packages))}
    learnt_from = [*(part for pair in corpora["docstrings"] for part in pair[:2]), *general[::_GENERAL_SHARE]]
    tokeniser = BytePairs.trained(learnt_from, vocabulary)
    if with_news:
        corpora["news"] = _once(news_pairs())
    return Texts(
        tokeniser,
        windows(general, tokeniser, context=context, limit=rows),
        corpora,
        {name: fingerprint(pairs) for name, pairs in corpora.items()},
    )


def _once(pairs: Sequence[Pair]) -> list[Pair]:
    return list({(pair.prompt, pair.response): pair for pair in pairs}.values())


class Split(NamedTuple):
    """spoilt: which pairs of the pool were overwritten."""

    pool: list[Pair]
    held_out: list[Pair]
    spoilt: Bool[np.ndarray, " n"]


CORRUPTIONS: Mapping[str, Callable[..., SpoiltPairs]] = {
    "duplicates": duplicated_pairs,
    "noise": mismatched_pairs,
    "outliers": pairs_with_outliers,
}


def split(pairs: Sequence[Pair], held_out: int, *, corruption: str, share: float, seed: int) -> Split:
    """Held-out pairs and the pool, spoilt; shuffled by the seed, so that row 0 of the pool is a random one.

    Raises ValueError for an unknown corruption.
    """
    order = np.random.default_rng((_SPLIT_STREAM, seed)).permutation(len(pairs))
    chosen = [pairs[row] for row in order]
    pool = chosen[held_out:]
    if corruption == "none":
        return Split(pool, chosen[:held_out], np.zeros(len(pool), bool))
    if corruption not in CORRUPTIONS:
        raise ValueError(f"corruption must be none, {', '.join(CORRUPTIONS)}, but was {corruption!r}")
    found = CORRUPTIONS[corruption](pool, share, seed=seed)
    return Split(found.pairs, chosen[:held_out], found.kinds != Row.CLEAN)


def tokens_of(found: Texts, pairs: Sequence[Pair], context: int) -> TokenPairs:
    return encoded(pairs, found.tokeniser, context=context)


def choose(
    method: str, vectors: Float[np.ndarray, "n d"], length: Int[np.ndarray, " n"], *, seed: int
) -> Int[np.ndarray, " k"]:
    """Half of the pool, or all of it; "matched" is a random half with as many of each length as the uniform one.

    length: tokens of each pair before truncation; matched within eighths of the pool.
    """
    size = len(vectors) if method == "full" else len(vectors) // 2
    if method == "matched":
        uniform = subset(vectors, size, method="uniform", metric="cosine")
        return matched(strata(length.astype(float), _LENGTH_BINS), uniform, seed=seed + 1000 * _MATCH_STREAM)
    return subset(vectors, size, method=method, metric="cosine", seed=seed)


class Geometry(NamedTuple):
    """Cosine distances: the least within the subset, the mean to the nearest other, the largest pool to subset."""

    separation: float
    mean_nearest: float
    cover: float


def geometry(vectors: Float[np.ndarray, "n d"], chosen: Int[np.ndarray, " k"]) -> Geometry:
    """vectors: rows of length 1.  The separation is exact for near duplicates; the other two to about 1e-15."""
    picked = vectors[chosen]
    closest = separation(picked).distance
    nearest, cover = [], 0.0
    for start in range(0, len(picked), _BLOCK):
        similar = picked[start : start + _BLOCK] @ picked.T
        similar[np.arange(len(similar)), start + np.arange(len(similar))] = -np.inf
        nearest.append(similar.max(axis=1))
    for start in range(0, len(vectors), _BLOCK):
        cover = max(cover, 1.0 - float((vectors[start : start + _BLOCK] @ picked.T).max(axis=1).min()))
    return Geometry(closest**2 / 2, float(1.0 - np.mean(np.concatenate(nearest))), cover)


def choice_margin(vectors: Float[np.ndarray, "n d"], order: Int[np.ndarray, " k"], *, turns: int = 5) -> float:
    """Minus the most by which a chosen row is nearer than the farthest one, over some turns: D1's hypothesis.

    Cosine distances; 0 for farthest-first but for rounding.
    """
    worst = 0.0
    for turn in np.unique(np.linspace(1, len(order) - 1, turns).astype(int)):
        away = 1.0 - (vectors @ vectors[order[:turn]].T).max(axis=1)
        worst = min(worst, float(away[order[turn]] - away.max()))
    return worst


class ClosePairs(NamedTuple):
    """count: pairs of the pool at its least distance.  hits: of `draws` random halves, how many hold such a pair."""

    count: int
    hits: int
    draws: int


def close_pairs(vectors: Float[np.ndarray, "n d"], *, seed: int, draws: int = 400) -> ClosePairs:
    """D3's count of close pairs, and how often random halves of the pool keep one of them."""
    least = separation(vectors).distance
    pairs = []
    for start in range(0, len(vectors), _BLOCK):
        similar = vectors[start : start + _BLOCK] @ vectors.T
        # Candidates from the products, which lose digits; then the differences themselves.
        row, column = np.nonzero(similar >= 1.0 - least**2 / 2 - 1e-12)
        row += start
        ahead = row < column
        row, column = row[ahead], column[ahead]
        within = np.linalg.norm(vectors[row] - vectors[column], axis=1) <= least * (1 + 1e-12)
        pairs.append(np.stack([row[within], column[within]], axis=1))
    found = np.concatenate(pairs)
    rng, size, hits = np.random.default_rng((_DRAW_STREAM, seed)), len(vectors) // 2, 0
    for _ in range(draws):
        kept = np.zeros(len(vectors), bool)
        kept[rng.permutation(len(vectors))[:size]] = True
        hits += bool(np.any(kept[found[:, 0]] & kept[found[:, 1]]))
    return ClosePairs(len(found), hits, draws)


def projection(vectors: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n 2"]:
    """The two leading principal components."""
    centred = vectors - vectors.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    return centred @ axes[:, :-3:-1]

"""Spoil a share of a pool of pairs: duplicates, responses to other prompts, outliers, and which row is what.

Size, share and seeds are those of `experiments.corpus.corruption`: rows are overwritten, never added, and a larger
share with the same seed spoils the rows of a smaller one and more.  The mask is true of the texts: a row whose text
a knob leaves as it was is CLEAN, a near copy without a word to change is an EXACT_COPY.
"""

import math
import re
import string
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from experiments.corpus.corruption import Row, clean_rows, rows_to_spoil
from experiments.corpus.docstring_pairs import Pair

_COPY_STREAM, _RESPONSE_STREAM, _OUTLIER_STREAM = 21, 22, 23
_WORD = re.compile(r"[^\W\d]\w*")
_SIGNS = np.array(list(string.ascii_letters + string.digits + string.punctuation + " "))


class SpoiltPairs(NamedTuple):
    """pairs: n of them.  kinds: (n,), `Row` of each.  sources: (n,), the row its response comes from, else its own."""

    pairs: list[Pair]
    kinds: Int[np.ndarray, " n"]
    sources: Int[np.ndarray, " n"]


def duplicated_pairs(
    pairs: Sequence[Pair], share: float | int, *, seed: int, near: float | int = 0.5, changed: int = 3
) -> SpoiltPairs:
    """Overwrite a share of the pairs by copies of pairs that stay.

    near: the part of the copies, rounded, that are near ones: up to `changed` words of the response become other words
    of the pool's responses.  The other copies are exact.
    """
    if not 0 <= near <= 1:
        raise ValueError(f"near must lie in [0, 1], but was {near}")
    if changed < 1:
        raise ValueError(f"changed must be at least 1, but was {changed}")
    spoilt, stay = rows_to_spoil(len(pairs), share, seed=seed)
    rng = np.random.default_rng((_COPY_STREAM, seed))
    copied = stay[rng.integers(len(stay), size=len(spoilt))]
    words = sorted({word for pair in pairs for word in _WORD.findall(pair.response)})
    near_copies = round(near * len(spoilt))
    found, (kinds, sources) = list(pairs), clean_rows(len(pairs))
    for place, (row, source) in enumerate(zip(spoilt.tolist(), copied.tolist())):
        pair = pairs[source]
        response = _with_other_words(pair.response, changed, words, rng) if place < near_copies else pair.response
        found[row] = pair._replace(response=response)
        kinds[row] = Row.EXACT_COPY if response == pair.response else Row.NEAR_COPY
        sources[row] = source
    return SpoiltPairs(found, kinds, sources)


def mismatched_pairs(pairs: Sequence[Pair], share: float | int, *, seed: int) -> SpoiltPairs:
    """Give a share of the prompts one another's responses, in a ring of random order: the noise of labels, for text."""
    spoilt, _ = rows_to_spoil(len(pairs), share, seed=seed)
    givers = np.roll(np.random.default_rng((_RESPONSE_STREAM, seed)).permutation(spoilt), 1)
    takers = np.roll(givers, -1)
    found, (kinds, sources) = list(pairs), clean_rows(len(pairs))
    for taker, giver in zip(takers.tolist(), givers.tolist()):
        if pairs[taker].response != pairs[giver].response:
            found[taker] = pairs[taker]._replace(response=pairs[giver].response)
            kinds[taker], sources[taker] = Row.MISLABELLED, giver
    return SpoiltPairs(found, kinds, sources)


def pairs_with_outliers(
    pairs: Sequence[Pair], share: float | int, *, seed: int, foreign: float | int = 0.5
) -> SpoiltPairs:
    """Overwrite a share of the pairs by texts from elsewhere, of about as many tokens.

    foreign: the part of them, rounded, in a foreign language: the first 3/5 of the pair's own prompt and response with
    the letters permuted, one permutation for all, so that there are words and sentences, but none of the pool's.  The
    others are random signs, half as many as the text they overwrite.  A tokeniser has less to merge in either.
    """
    if not 0 <= foreign <= 1:
        raise ValueError(f"foreign must lie in [0, 1], but was {foreign}")
    spoilt, _ = rows_to_spoil(len(pairs), share, seed=seed)
    rng = np.random.default_rng((_OUTLIER_STREAM, seed))
    letters = "".join(np.array(list(string.ascii_lowercase))[_without_fixed_letters(rng)])
    language = str.maketrans(string.ascii_letters, letters + letters.upper())
    foreign_rows = round(foreign * len(spoilt))
    found, (kinds, sources) = list(pairs), clean_rows(len(pairs))
    for place, row in enumerate(spoilt.tolist()):
        pair = pairs[row]
        if place < foreign_rows:
            prompt, response = (text[: _length(text, 0.6)].translate(language) for text in (pair.prompt, pair.response))
            kinds[row] = Row.FOREIGN
        else:
            prompt, response = (_random_signs(_length(text, 0.5), rng) for text in (pair.prompt, pair.response))
            kinds[row] = Row.OUTLIER
        found[row] = Pair(prompt, response, f"outlier:{pair.source}")
    return SpoiltPairs(found, kinds, sources)


def _with_other_words(text: str, changed: int, words: list[str], rng: np.random.Generator) -> str:
    """Up to `changed` words of the text, at random places, each replaced by another of `words`."""
    places = list(_WORD.finditer(text))
    if not places or len(words) < 2:
        return text
    drawn = rng.choice(len(places), size=min(changed, len(places)), replace=False)
    for match in sorted((places[place] for place in drawn.tolist()), key=re.Match.start, reverse=True):
        word = match.group()
        while word == match.group():
            word = words[int(rng.integers(len(words)))]
        text = text[: match.start()] + word + text[match.end() :]
    return text


def _without_fixed_letters(rng: np.random.Generator) -> Int[np.ndarray, " 26"]:
    """A permutation of the letters in one ring, so that none stays."""
    ring = rng.permutation(len(string.ascii_lowercase))
    found = np.empty_like(ring)
    found[ring] = np.roll(ring, 1)
    return found


def _length(text: str, part: float) -> int:
    return math.ceil(part * len(text))


def _random_signs(length: int, rng: np.random.Generator) -> str:
    return "".join(_SIGNS[rng.integers(len(_SIGNS), size=length)])

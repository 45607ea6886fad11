"""Duplicates counted against all pairs of texts compared one by one, and by hand."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.corpus.redundancy import Redundancy, nearly_repeats, redundancy, repeats


def similarity(text, other):
    """Jaccard of the runs of three words; the texts here have no signs."""
    mine, its = (
        {tuple(words[place : place + 3]) for place in range(max(1, len(words) - 2))} for words in (text, other)
    )
    return len(mine & its) / len(mine | its)


@given(st.integers(0, 10**6), st.sampled_from([5, 12, 40]))
def test_every_pair_of_texts(seed, longest):
    draw = random.Random(seed)
    texts = [[draw.choice("abcdefgh") for _ in range(draw.randrange(1, longest))] for _ in range(6)]
    for _ in range(12):  # copies with a word changed: near or not, by their length
        text = list(draw.choice(texts))
        text[draw.randrange(len(text))] = draw.choice("abxyz")
        texts.append(text)
    written = [" ".join(text) for text in texts]
    assert repeats(written).tolist() == [text in texts[:row] for row, text in enumerate(texts)]
    similar = [max([similarity(text, other) for other in texts[:row]], default=0.0) for row, text in enumerate(texts)]
    # The nearest fraction to 0.8 with a denominator below 80 is over 2e-3 away, rounding is not.
    assert nearly_repeats(written).tolist() == [found > 0.8 - 1e-9 for found in similar]


def test_counts_by_hand():
    long = "one two three four five six seven eight nine ten eleven twelve"
    texts = [long, "other", long, long.replace(" ", "\n"), long + " thirteen", "one two three four", ""]
    # Near: spaced otherwise (all 10 runs shared), and a word more (10 of 11).
    assert redundancy(texts) == Redundancy(
        texts=7, characters=sum(map(len, texts)), shortest=0, median=62.0, longest=71, exact=1, near=2
    )


def test_blocks_do_not_matter(monkeypatch):
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(list("abc"), size=5)) for _ in range(300)]
    whole = nearly_repeats(texts)
    monkeypatch.setattr("experiments.corpus.redundancy._BLOCK", 7)
    np.testing.assert_array_equal(nearly_repeats(texts), whole)
    assert 0 < whole.sum() < 300


def test_no_texts():
    with pytest.raises(ValueError, match="texts must have at least 1 text, but was empty"):
        redundancy([])

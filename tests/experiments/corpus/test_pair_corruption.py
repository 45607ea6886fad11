"""Spoilt pools of pairs: the mask is true of the texts, the counts are those asked for, shares are nested."""

import math
import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.corpus.corruption import Row
from experiments.corpus.docstring_pairs import Pair
from experiments.corpus.pair_corruption import duplicated_pairs, mismatched_pairs, pairs_with_outliers

SEEDS = st.integers(0, 10**6)
SHARES = st.sampled_from([0, 0.1, 0.5, 0.98])
# Every response has words of its own, so that whose it is can be read off it.
POOL = [
    Pair(f"Prompt {row}.", f"return Alpha_{row}(beta_{row}, gamma_{row}) + delta_{row}", f"s{row}") for row in range(50)
]


def spoilt_count(share):
    return min(round(share * len(POOL)), len(POOL) - 1)


def words(text):
    return re.findall(r"[A-Za-z]\w*", text)


@given(SEEDS, SHARES, st.sampled_from([0, 0.5, 1]))
def test_duplicated(seed, share, near):
    found = duplicated_pairs(POOL, share, seed=seed, near=near, changed=2)
    count = spoilt_count(share)
    assert Counter(found.kinds.tolist()) == +Counter(
        {
            Row.CLEAN: len(POOL) - count,
            Row.NEAR_COPY: round(near * count),
            Row.EXACT_COPY: count - round(near * count),
        }
    )
    for row, (pair, kind, source) in enumerate(zip(found.pairs, found.kinds, found.sources)):
        changed = sum(mine != its for mine, its in zip(words(pair.response), words(POOL[source].response), strict=True))
        assert (source == row) == (kind == Row.CLEAN) and found.kinds[source] == Row.CLEAN
        assert changed == (2 if kind == Row.NEAR_COPY else 0)
        assert (pair.prompt, pair.source) == (POOL[source].prompt, POOL[source].source)
        assert re.sub(r"[A-Za-z]\w*", "w", pair.response) == "return w(w, w) + w".replace("return", "w")


def test_near_copies_without_other_words_are_exact():
    found = duplicated_pairs([Pair("p", "1 + 2", "s"), Pair("q", "3", "t")], 0.5, seed=0, near=1)
    assert Counter(found.kinds.tolist()) == {Row.CLEAN: 1, Row.EXACT_COPY: 1}
    many = duplicated_pairs(POOL, 0.5, seed=0, near=1, changed=100)  # no more words than there are
    assert (many.kinds == Row.NEAR_COPY).sum() == 25


@given(SEEDS, SHARES)
def test_mismatched(seed, share):
    found = mismatched_pairs(POOL, share, seed=seed)
    taken = [POOL[source].response for source in found.sources]
    assert [pair.response for pair in found.pairs] == taken
    assert sorted(taken) == sorted(pair.response for pair in POOL)  # none is lost
    assert [(pair.prompt, pair.source) for pair in found.pairs] == [(pair.prompt, pair.source) for pair in POOL]
    wrong = [mine.response != was.response for mine, was in zip(found.pairs, POOL)]
    assert wrong == (found.kinds == Row.MISLABELLED).tolist() and sum(wrong) == spoilt_count(share)


def test_a_response_that_is_the_same_is_clean():
    found = mismatched_pairs([Pair(f"p{row}", "same", "s") for row in range(9)], 0.5, seed=0)
    assert set(found.kinds.tolist()) == {Row.CLEAN}
    assert set(mismatched_pairs(POOL[:4], 0.25, seed=0).kinds.tolist()) == {Row.CLEAN}  # one row has no other


@given(SEEDS, SHARES, st.sampled_from([0, 0.5, 1]))
def test_outliers(seed, share, foreign):
    found = pairs_with_outliers(POOL, share, seed=seed, foreign=foreign)
    count = spoilt_count(share)
    assert (found.kinds == Row.FOREIGN).sum() == round(foreign * count)
    assert (found.kinds == Row.OUTLIER).sum() == count - round(foreign * count)
    language = {}
    for pair, was, kind in zip(found.pairs, POOL, found.kinds):
        if kind == Row.CLEAN:
            assert pair == was
            continue
        assert pair.source == f"outlier:{was.source}"
        part = 0.6 if kind == Row.FOREIGN else 0.5
        assert len(pair.prompt) == math.ceil(part * len(was.prompt))
        assert len(pair.response) == math.ceil(part * len(was.response))
        if kind == Row.FOREIGN:
            for mine, its in zip(pair.prompt + pair.response, was.prompt[: len(pair.prompt)] + was.response):
                assert language.setdefault(its, mine) == mine  # one language in all pairs
                assert (mine == its) == (not its.isalpha()) and mine.isupper() == its.isupper()
    assert len(set(language.values())) == len(language)


@pytest.mark.parametrize("seed", [0, 7])
def test_shares_are_nested_and_seeds_repeat(seed):
    for knob in (duplicated_pairs, mismatched_pairs, pairs_with_outliers):
        few, many = knob(POOL, 0.2, seed=seed), knob(POOL, 0.5, seed=seed)
        assert np.all((few.kinds != Row.CLEAN) <= (many.kinds != Row.CLEAN))
        assert knob(POOL, 0.5, seed=seed).pairs == many.pairs
        assert knob(POOL, 0.5, seed=seed + 1).pairs != many.pairs


@pytest.mark.parametrize(
    "call, sentence",
    [
        (lambda: mismatched_pairs(POOL, 1, seed=0), r"share must lie in \[0, 1\), but was 1"),
        (lambda: duplicated_pairs(POOL, 0.5, seed=0, near=-1), r"near must lie in \[0, 1\], but was -1"),
        (lambda: duplicated_pairs(POOL, 0.5, seed=0, changed=0), "changed must be at least 1, but was 0"),
        (lambda: pairs_with_outliers(POOL, 0.5, seed=0, foreign=2), r"foreign must lie in \[0, 1\], but was 2"),
        (lambda: mismatched_pairs([], 0.5, seed=0), "the pool must have at least 1 row, but was empty"),
    ],
)
def test_bad_input_is_one_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()

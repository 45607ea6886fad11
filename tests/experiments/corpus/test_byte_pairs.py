"""The tokeniser against one that merges and counts everything anew at each step, and its round trips."""

import re
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from experiments.corpus.byte_pairs import END, PAD, SEPARATOR, BytePairs
from experiments.corpus.docstring_pairs import docstring_pairs

TEXTS = [text for pair in docstring_pairs(("optax",))[::4] for text in pair[:2]]
TOKENISER = BytePairs.trained(TEXTS, 400)


def joined(word: list[bytes], left: bytes, right: bytes) -> list[bytes]:
    if len(word) < 2:
        return word
    if word[0] == left and word[1] == right:
        return [left + right, *joined(word[2:], left, right)]
    return [word[0], *joined(word[1:], left, right)]


def naive(texts: list[str], merges: int) -> tuple[list[bytes], list[list[bytes]]]:
    """The tokens, as bytes, and the words of all texts in tokens: nothing is remembered between the merges."""
    words = [
        [bytes([value]) for value in word]
        for text in texts
        for word in re.findall(rb"\n+ *| ?[a-zA-Z\x80-\xff]+| ?\d| ?[^\sa-zA-Z\d\x80-\xff]+|\s+", text.encode())
    ]
    ids = {bytes([value]): value for value in range(256)}
    for _ in range(merges):
        counts = Counter((left, right) for word in words for left, right in pairwise(word))
        if not counts:
            break
        left, right = min(counts, key=lambda pair: (-counts[pair], ids[pair[0]], ids[pair[1]]))
        words = [joined(word, left, right) for word in words]
        ids[left + right] = len(ids)
    return list(ids), words


@pytest.mark.parametrize(
    "texts, merges",
    [
        (TEXTS[:24], 50),
        (["aaaa aaa aa", "aaaaa"], 10),
        (["abab abc bc\n\n  bcbc", "été, été: 1234 -> 12", "a_b_c (self)  (self)"], 12),
        ([""], 3),
    ],
)
def test_the_naive_tokeniser(texts, merges):
    tokeniser = BytePairs.trained(texts, 259 + merges)
    tokens, words = naive(texts, merges)
    assert [tokeniser.decode_bytes([token]) for token in range(3, tokeniser.vocabulary)] == tokens
    found = [tokeniser.decode_bytes([token]) for text in texts for token in tokeniser.encode(text)]
    assert found == [token for word in words for token in word]


@given(st.one_of(st.text(), st.binary(), st.text(alphabet="self. \n\t(=)1_x"), st.sampled_from(TEXTS)))
@example("lone surrogate \ud800, zero \0, wide \N{GRINNING FACE}")
@example(bytes(range(256)))
def test_round_trip(text):
    tokens = TOKENISER.encode(text)
    assert tokens.dtype == np.int32
    if isinstance(text, bytes):
        assert TOKENISER.decode_bytes(tokens) == text
    else:
        assert TOKENISER.decode(tokens) == text
    assert all(token < TOKENISER.vocabulary for token in tokens) and not {PAD, SEPARATOR, END} & set(tokens.tolist())


def test_training_is_deterministic_and_a_smaller_vocabulary_a_prefix():
    assert BytePairs.trained(TEXTS, 400).merges == TOKENISER.merges == BytePairs(TOKENISER.merges).merges
    assert BytePairs.trained(TEXTS, 300).merges == TOKENISER.merges[:41]
    assert TOKENISER.vocabulary == 400 and len(TOKENISER.merges) == 141
    assert BytePairs.trained(TEXTS, 259).vocabulary == 259
    assert BytePairs.trained(["ab"], 1000).merges == ((ord("a") + 3, ord("b") + 3),)  # nothing more to merge


def test_what_is_no_text():
    assert TOKENISER.decode([PAD, *TOKENISER.encode("a"), SEPARATOR, *TOKENISER.encode("b"), END]) == "ab"
    assert TOKENISER.decode(TOKENISER.encode(b"a\xffb")) == "a\N{REPLACEMENT CHARACTER}b"
    assert TOKENISER.decode([]) == "" and len(TOKENISER.encode("")) == 0


@pytest.mark.parametrize(
    "call, sentence",
    [
        (lambda: BytePairs.trained(["a"], 258), "vocabulary must be at least 259, but was 258"),
        (lambda: TOKENISER.decode([400]), "tokens must lie in 0 .. 399, but reach from 400 to 400"),
        (lambda: TOKENISER.decode(np.array([5, -1])), "tokens must lie in 0 .. 399, but reach from -1 to 5"),
        (lambda: BytePairs([(3, 4), (5, 260)]), r"merges must join ids from 3 to 259, but had \(5, 260\)"),
        (lambda: BytePairs([(0, 4)]), r"merges must join ids from 3 to 258, but had \(0, 4\)"),
    ],
)
def test_bad_input_is_one_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()

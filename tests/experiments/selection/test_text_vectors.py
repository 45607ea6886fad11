"""Text vectors: equal to TF-IDF written out by hand, equal for equal texts, and refused in one sentence."""

import math
import sys
import types

import numpy as np
import pytest

from experiments.selection.text_vectors import text_vectors

TEXTS = ["add the two numbers", "add three numbers!", "sort the list", "sort the list", "print a list, print it"]


def weights_by_hand(texts):
    """Unit TF-IDF rows by the formula of the module's docstring, words split without the library."""
    words = [t.replace("!", " ! ").replace(",", " , ").split() for t in texts]
    known = sorted({word for row in words for word in row})
    rows = np.zeros((len(texts), len(known)))
    for i, row in enumerate(words):
        for j, word in enumerate(known):
            if word in row:
                within = sum(word in other for other in words)
                rows[i, j] = (1 + math.log(row.count(word))) * (1 + math.log((1 + len(texts)) / (1 + within)))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_inner_products_are_those_of_the_weights_where_nothing_is_left_out():
    expected = weights_by_hand(TEXTS)
    for dim in (256, expected.shape[1]):
        vectors = text_vectors(TEXTS, dim=dim)
        assert vectors.shape == expected.shape
        np.testing.assert_allclose(vectors @ vectors.T, expected @ expected.T, atol=1e-13)


def test_fewer_dimensions_are_the_leading_singular_vectors():
    expected = weights_by_hand(TEXTS)
    _, _, leading = np.linalg.svd(expected, full_matrices=False)
    projected = expected @ leading[:3].T
    projected /= np.linalg.norm(projected, axis=1, keepdims=True)
    vectors = text_vectors(TEXTS, dim=3)
    assert vectors.shape == (5, 3)
    np.testing.assert_allclose(vectors @ vectors.T, projected @ projected.T, atol=1e-6)  # a randomised method


def test_rows_have_length_one_and_equal_texts_equal_rows():
    words = [chr(97 + i) * 3 for i in range(20)]
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(words, size=8)) for _ in range(400)]
    texts[317], texts[399] = texts[5], texts[5]
    for dim in (7, 256):
        vectors = text_vectors(texts, dim=dim)
        assert np.array_equal(vectors[5], vectors[317]) and np.array_equal(vectors[5], vectors[399])
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, rtol=1e-14)
        assert np.array_equal(vectors, text_vectors(texts, dim=dim))
    assert not np.array_equal(text_vectors(texts, dim=7), text_vectors(texts, dim=7, seed=1))


@pytest.mark.parametrize("texts", [["a"], ["a", "a"], ["one word", "?!"], ["x y", "y z", "z x"]])
@pytest.mark.parametrize("dim", [1, 2, 256])
def test_tiny_corpora_shrink_the_dimension(texts, dim):
    vectors = text_vectors(texts, dim=dim)
    assert len(vectors) == len(texts) and 1 <= vectors.shape[1] <= dim
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0)


@pytest.mark.parametrize(
    ("texts", "options", "sentence"),
    [
        ([], {}, "texts must hold at least one text, but held none"),
        (["a", " \n"], {}, "every text must have a word, but that of row 1 is blank"),
        (["a"], {"dim": 0}, "dim must be at least 1, but was 0"),
    ],
)
def test_bad_input_is_one_sentence(texts, options, sentence):
    with pytest.raises(ValueError, match=f"^{sentence}$"):
        text_vectors(texts, **options)


def test_a_missing_extra_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "wordllama", None)
    with pytest.raises(ValueError, match=r"pip install 'data-uniformity\[wordllama\]'"):
        text_vectors(["a"], embedding="wordllama")


class StandIn:
    """Counts what it embeds: a text's vector is its length and place in the batch, in units of the first."""

    seen: tuple = ()

    @classmethod
    def load(cls, *, cache_dir, trunc_dim, disable_download):
        assert disable_download and str(cache_dir) == "/nowhere"
        return cls()

    def embed(self, texts):
        StandIn.seen += tuple(texts)
        return np.array([[len(text), place] for place, text in enumerate(texts)], np.float32)


def test_wordllama_embeds_each_text_once_from_the_files_in_its_wheel(monkeypatch):
    monkeypatch.setitem(sys.modules, "wordllama", types.SimpleNamespace(WordLlama=StandIn, __path__=["/nowhere"]))
    vectors = text_vectors(["bb", "a", "bb"], embedding="wordllama", dim=64)
    assert StandIn.seen == ("bb", "a") and vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, [[1, 0], np.array([1, 1]) / math.sqrt(2), [1, 0]], rtol=1e-6)
    with pytest.raises(ValueError, match=r"dim must be one of \(64, 128, 256\) for wordllama, but was 100"):
        text_vectors(["a"], embedding="wordllama", dim=100)

"""Texts as vectors of length 1, whose inner product is their similarity.

  tfidf      v = P w / |P w|,  w_j = (1 + log c_j) (1 + log((1 + n) / (1 + n_j))), w divided by |w|,
             c_j how often word j stands in the text, n_j in how many of the n texts it does,
             P the leading `dim` right singular vectors of the n vectors w (latent semantic analysis)
  wordllama  the mean of fixed token vectors, which were trained on other texts (an extra; the weights are in its wheel)

Shapes. n texts, vectors (n, dim); `dim` shrinks to the number of texts or of words where there are fewer.
Units. Lengths are 1: the cosine distance is half the squared Euclidean distance, and both choose alike (D2).
Meaning. Equal texts have equal vectors, bit for bit. A text of which P keeps next to nothing (no other text has its
  words) has a direction without meaning, which is far from all others, as it should be.
Source. Classic: Sparck Jones 1972 for the weights; Deerwester et al. 1990 for P, here by the randomised method of
  Halko, Martinsson and Tropp 2011, seeded.
"""

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float

Embedding = Literal["tfidf", "wordllama"]
EMBEDDINGS: tuple[Embedding, ...] = get_args(Embedding)

_WORD = r"\w+|[^\w\s]"  # a text that is not blank has at least one
_VOCABULARY = 1 << 16  # the most frequent words, so that P stays small: 128 MiB at 256 dimensions
_WORDLLAMA_DIMENSIONS = (64, 128, 256)


def text_vectors(
    texts: Sequence[str], *, embedding: Embedding = "tfidf", dim: int = 256, seed: int = 0
) -> Float[np.ndarray, "n dim"]:
    """The texts as rows of length 1: float64 for tfidf, float32 for wordllama.

    Raises ValueError for no texts, a blank text, a `dim` that cannot be, and where wordllama is not installed.
    """
    if not len(texts):
        raise ValueError("texts must hold at least one text, but held none")
    blank = next((row for row, text in enumerate(texts) if not text.strip()), None)
    if blank is not None:
        raise ValueError(f"every text must have a word, but that of row {blank} is blank")
    if dim < 1:
        raise ValueError(f"dim must be at least 1, but was {dim}")
    if embedding not in EMBEDDINGS:
        raise ValueError(f"embedding must be one of {', '.join(EMBEDDINGS)}, but was {embedding!r}")
    vectors = _latent_semantic(texts, dim=dim, seed=seed) if embedding == "tfidf" else _word_llama(texts, dim=dim)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.all(lengths > 0.0):
        row = int(np.argmin(lengths))
        raise ValueError(f"every text must have a word that {embedding} knows, but that of row {row} has none")
    return vectors / lengths


def _latent_semantic(texts: Sequence[str], *, dim: int, seed: int) -> Float[np.ndarray, "n dim"]:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.utils.extmath import randomized_svd

    words = TfidfVectorizer(token_pattern=_WORD, sublinear_tf=True, max_features=_VOCABULARY).fit_transform(texts)
    if words.shape[1] <= dim:
        return words.toarray()  # nothing to leave out
    components = min(dim, words.shape[0])
    _, _, leading = randomized_svd(words, components, random_state=seed)
    # Not the other factor of the decomposition: its rows are rounded together, these one by one.
    return np.asarray(words @ leading.T)


def _word_llama(texts: Sequence[str], *, dim: int) -> Float[np.ndarray, "n dim"]:
    from importlib import import_module
    from pathlib import Path

    try:
        package = import_module("wordllama")
    except ImportError as error:
        raise ValueError(
            "embedding 'wordllama' must be installed first, by pip install 'data-uniformity[wordllama]' or, in this "
            "repository, uv sync --extra wordllama"
        ) from error
    if dim not in _WORDLLAMA_DIMENSIONS:
        raise ValueError(f"dim must be one of {_WORDLLAMA_DIMENSIONS} for wordllama, but was {dim}")
    model = package.WordLlama.load(cache_dir=Path(package.__path__[0]), trunc_dim=dim, disable_download=True)
    # Each text once: what shares a batch with it may change its last bits.
    places = {text: place for place, text in enumerate(dict.fromkeys(texts))}
    distinct = np.asarray(model.embed(list(places)))
    return distinct[[places[text] for text in texts]]

"""A small byte-level byte-pair tokeniser: bytes, and the most frequent pairs of neighbours merged one by one.

Training. Texts are split into words (an indentation, a word or a run of signs with the space before it, a digit); in
  the words, counted, the most frequent pair of neighbouring tokens becomes a token, until the vocabulary is full. Of
  equally frequent pairs the one with the lowest ids goes first: the same texts give the same merges.
Encoding. In each word the pair that was merged first is merged first. Words are encoded once and remembered.
Ids.      0 PAD, 1 SEPARATOR, 2 END, which no text encodes to; then the 256 bytes; then the merges in their order.
Lossless. decode_bytes(encode(text)) is `text` for any bytes; a str is its UTF-8 bytes.
Source.   Sennrich, Haddow and Birch, Neural machine translation of rare words with subword units, ACL 2016; on bytes
  as in Radford et al., Language models are unsupervised multitask learners, 2019.
"""

import heapq
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import chain, pairwise
from typing import SupportsIndex

import numpy as np
from jaxtyping import Int

PAD, SEPARATOR, END = 0, 1, 2
_FIRST_BYTE = 3
FIRST_MERGE = _FIRST_BYTE + 256

# Every byte matches one of the alternatives. Bytes from 128 on are letters of other alphabets, or parts of them.
_WORDS = re.compile(rb"\n+ *| ?[A-Za-z\x80-\xff]+| ?[0-9]| ?[^\sA-Za-z0-9\x80-\xff]+|\s+")

_Word = tuple[int, ...]
_Merge = tuple[int, int]


class BytePairs:
    """merges: the pairs of ids merged, in order; the k-th becomes the id 259 + k.  vocabulary: the number of ids."""

    def __init__(self, merges: Sequence[_Merge]):
        self.merges = tuple((int(left), int(right)) for left, right in merges)
        self.vocabulary = FIRST_MERGE + len(self.merges)
        self._merged = {pair: FIRST_MERGE + rank for rank, pair in enumerate(self.merges)}
        self._bytes = [b""] * _FIRST_BYTE + [bytes([value]) for value in range(256)]
        for token, (left, right) in enumerate(self.merges, start=FIRST_MERGE):
            if not _FIRST_BYTE <= min(left, right) <= max(left, right) < token:
                raise ValueError(f"merges must join ids from {_FIRST_BYTE} to {token - 1}, but had {(left, right)}")
            self._bytes.append(self._bytes[left] + self._bytes[right])
        self._words: dict[bytes, _Word] = {}

    @classmethod
    def trained(cls, texts: Iterable[str | bytes], vocabulary: int) -> "BytePairs":
        """The tokeniser of `vocabulary` ids that the texts give; fewer where no pair is left to merge.

        Raises ValueError for a vocabulary without room for the bytes and the three ids that are no text.
        """
        if vocabulary < FIRST_MERGE:
            raise ValueError(f"vocabulary must be at least {FIRST_MERGE}, but was {vocabulary}")
        words = Counter(chain.from_iterable(_WORDS.findall(_as_bytes(text)) for text in texts))
        return cls(_learnt(words, vocabulary - FIRST_MERGE))

    def encode(self, text: str | bytes) -> Int[np.ndarray, " t"]:
        """The ids of a text, int32."""
        tokens: list[int] = []
        for word in _WORDS.findall(_as_bytes(text)):
            if word not in self._words:
                self._words[word] = self._encoded(word)
            tokens += self._words[word]
        return np.array(tokens, dtype=np.int32)

    def decode_bytes(self, tokens: Int[np.ndarray, " t"] | Sequence[SupportsIndex]) -> bytes:
        """The bytes of the ids; PAD, SEPARATOR and END have none.  Raises ValueError for ids outside the vocabulary."""
        ids = np.asarray(tokens, dtype=np.int64)
        if len(ids) and not (ids.min() >= 0 and ids.max() < self.vocabulary):
            raise ValueError(
                f"tokens must lie in 0 .. {self.vocabulary - 1}, but reach from {ids.min()} to {ids.max()}"
            )
        return b"".join(self._bytes[token] for token in ids.tolist())

    def decode(self, tokens: Int[np.ndarray, " t"] | Sequence[SupportsIndex]) -> str:
        """The text of the ids; bytes that are no UTF-8, which a model may write, become U+FFFD."""
        found = self.decode_bytes(tokens)
        try:
            return found.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            return found.decode("utf-8", "replace")

    def _encoded(self, word: bytes) -> _Word:
        tokens = _bytes_ids(word)
        while len(tokens) > 1:
            first = min(self._merged.get(pair, self.vocabulary) for pair in pairwise(tokens))
            if first == self.vocabulary:
                break
            tokens = _merge(tokens, self.merges[first - FIRST_MERGE], first)
        return tokens


def _learnt(words: Counter[bytes], merges: int) -> list[_Merge]:
    """The first `merges` merges.  Only words with the merged pair are counted again; the heap's counts may be stale."""
    tokens, sizes = [_bytes_ids(word) for word in words], list(words.values())
    counts: Counter[_Merge] = Counter()
    found_in: defaultdict[_Merge, set[int]] = defaultdict(set)
    for index, word in enumerate(tokens):
        for pair in pairwise(word):
            counts[pair] += sizes[index]
            found_in[pair].add(index)
    heap = [(-count, pair) for pair, count in counts.items()]
    heapq.heapify(heap)
    learnt: list[_Merge] = []
    while heap and len(learnt) < merges:
        count, pair = heapq.heappop(heap)
        if counts[pair] != -count:  # a pair's largest entry is at least its count: put a stale one right, go on
            if counts[pair]:
                heapq.heappush(heap, (-counts[pair], pair))
            continue
        if count == 0:
            break
        token = FIRST_MERGE + len(learnt)
        learnt.append(pair)
        risen = set()
        for index in found_in.pop(pair):
            before, after = tokens[index], _merge(tokens[index], pair, token)
            tokens[index] = after
            for old in pairwise(before):
                counts[old] -= sizes[index]
            for new in pairwise(after):
                counts[new] += sizes[index]
                found_in[new].add(index)
                risen.add(new)
        for new in risen:
            heapq.heappush(heap, (-counts[new], new))
    return learnt


def _merge(tokens: _Word, pair: _Merge, token: int) -> _Word:
    """`tokens` with `pair` replaced by `token`, from the left."""
    found, place, last = [], 0, len(tokens) - 1
    while place <= last:
        if place < last and (tokens[place], tokens[place + 1]) == pair:
            found.append(token)
            place += 2
        else:
            found.append(tokens[place])
            place += 1
    return tuple(found)


def _bytes_ids(word: bytes) -> _Word:
    return tuple(value + _FIRST_BYTE for value in word)


def _as_bytes(text: str | bytes) -> bytes:
    return text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text

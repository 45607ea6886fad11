"""Which runs a worker is given at once: of one shape as far as possible, and as many as keep it busy for seconds.

A chunk that lasts milliseconds is spent on messages, one that lasts minutes is lost with its worker and keeps all
waiting at the end. How long a run lasts is learnt on the way, batch by batch: from records of the same sweep where
there are some, and from the chunks that came back. Sizes are powers of two, or what is left of a batch: an ensemble of
another size is compiled anew.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

CHUNK_SECONDS = 5.0
_LEAST_SECONDS = 1.0
_FIRST_RUNS = 4
_GROWTH = 8
"""A chunk is at most so many times as long as any that came back: the first ones are mostly compilation."""


@dataclass
class _Batch:
    """Runs of one shape. rate: seconds a run, None before any is known.  out: chunks that are being measured."""

    left: list[Any]
    rate: float | None = None
    seen: int = _FIRST_RUNS
    out: int = 0


@dataclass
class Chunks:
    """The runs of a sweep that are still to be handed out, batch by batch.

    batches: the missing runs of each.  known: seconds a run where records tell.
    """

    batches: Mapping[Hashable, Sequence[Any]]
    known: Mapping[Hashable, float]
    _batches: dict[Hashable, _Batch] = field(init=False)

    def __post_init__(self) -> None:
        self._batches = {name: _Batch(list(runs), self.known.get(name)) for name, runs in self.batches.items()}

    def following(self, threads: int) -> dict[Hashable, tuple[Any, ...]]:
        """The next chunk, empty once all are out: batches that nobody works on first, of which all are compiled anew.

        threads: how many work; near the end chunks are short, so that all end at about the same time.
        """
        waiting = sorted((name for name, batch in self._batches.items() if batch.left), key=self._busy)
        rates = {name: self._rate(name) for name in waiting}
        known = [len(self._batches[name].left) * rate for name, rate in rates.items() if rate is not None]
        wished = CHUNK_SECONDS
        if len(known) == len(waiting):
            wished = min(CHUNK_SECONDS, max(_LEAST_SECONDS, sum(known) / (2 * threads)))
        chunk, filled = {}, 0.0
        for name in waiting:
            batch, rate = self._batches[name], rates[name]
            if rate is None:
                if not chunk:
                    chunk[name] = self._taken(name, min(_FIRST_RUNS, max(1, len(batch.left) // (2 * threads))))
                break
            count = min(_GROWTH * batch.seen, int((wished - filled) / rate) if rate > 0 else len(batch.left))
            if count < 1 and chunk:
                break
            chunk[name] = self._taken(name, max(1, count))
            filled += len(chunk[name]) * rate
            if filled >= wished / 2 or batch.left:
                break
        return chunk

    def learn(self, name: Hashable, runs: int, seconds: float) -> None:
        """A batch's part of a chunk is back: so many of its runs were measured in so many seconds."""
        batch = self._batches[name]
        batch.out -= 1
        if runs:
            batch.rate, batch.seen = seconds / runs, max(batch.seen, runs)

    def _busy(self, name: Hashable) -> int:
        return self._batches[name].out

    def _rate(self, name: Hashable) -> float | None:
        """Seconds a run: its own, or the mean of the batches that have one, since shapes of one study are alike."""
        if (own := self._batches[name].rate) is not None:
            return own
        rates = [batch.rate for batch in self._batches.values() if batch.rate is not None]
        return sum(rates) / len(rates) if rates else None

    def _taken(self, name: Hashable, count: int) -> tuple[Any, ...]:
        """At most so many of its runs."""
        batch = self._batches[name]
        count = len(batch.left) if count >= len(batch.left) else 1 << (count.bit_length() - 1)
        taken, batch.left = batch.left[:count], batch.left[count:]
        batch.out += 1
        return tuple(taken)

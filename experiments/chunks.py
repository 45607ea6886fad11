"""Which runs a worker is given at once: of one shape as far as possible, and as many as keep it busy for seconds.

A chunk that lasts milliseconds is spent on messages, one that lasts minutes is lost with its worker and keeps all
waiting at the end. How long a run lasts is learnt on the way, batch by batch: from records of the same sweep where
there are some, and from the chunks that came back. Within a chunk runs are measured together by powers of eight, and
only where there are two such ensembles at least: one of another size is compiled anew, for seconds.
"""

from collections import deque
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

CHUNK_SECONDS = 5.0
_LEAST_SECONDS = 1.0
_TOGETHER = 8
_GROWTH = 8
"""A chunk has at most so many times as many runs as any that came back."""


@dataclass
class _Batch:
    """Runs of one shape. rate: seconds a run, None before any is known.  out: chunks that are being measured."""

    left: list[Any]
    rate: float | None = None
    seen: int = 1
    out: int = 0


class Given(NamedTuple):
    """What is handed out at once: runs, batch by batch. alone: after a death of which these may be guilty."""

    batches: dict[Hashable, tuple[Any, ...]]
    alone: bool = False

    @property
    def runs(self) -> list[Any]:
        return [run for same in self.batches.values() for run in same]


class Chunks:
    """The runs of a sweep that are still to be handed out, and what is out.

    The runs of a chunk that killed its workers are handed out once more, at the end and each alone: while nothing else
    is out, since with company on its worker the wrong one might be blamed.
    """

    def __init__(self, batches: Mapping[Hashable, Sequence[Any]], known: Mapping[Hashable, float]) -> None:
        """batches: the missing runs of each.  known: seconds a run where records tell."""
        self._batches = {name: _Batch(list(runs), known.get(name)) for name, runs in batches.items()}
        self._suspects: deque[Any] = deque()
        self._out: list[Given] = []

    def following(self, threads: int) -> Given | None:
        """The next chunk of those who work with so many threads; None where there is nothing for now."""
        if any(given.alone for given in self._out):
            return None
        given = None
        if batches := self._next(threads):
            given = Given(batches)
        elif self._suspects and not self._out:
            given = Given({None: (self._suspects.popleft(),)}, alone=True)
        if given is not None:
            self._out.append(given)
        return given

    def back(self, given: Given, seconds: Sequence[float] | None) -> None:
        """A chunk is over: so many seconds for each of its batches; None where it killed its workers."""
        self._out = [other for other in self._out if other is not given]
        if given.alone:
            return
        for number, (name, runs) in enumerate(given.batches.items()):
            batch = self._batches[name]
            batch.out -= 1
            if seconds is None:
                self._suspects.extend(runs)
            elif number < len(seconds):
                batch.rate, batch.seen = seconds[number] / len(runs), max(batch.seen, len(runs))

    def _next(self, threads: int) -> dict[Hashable, tuple[Any, ...]]:
        """Batches that nobody works on come first, since whoever begins one compiles it. Chunks are short near the end.

        Empty once all runs are out.
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
                    chunk[name] = self._taken(name, 1)
                break
            count = min(_GROWTH * batch.seen, int((wished - filled) / rate) if rate > 0 else len(batch.left))
            if count < 1 and chunk:
                break
            chunk[name] = self._taken(name, max(1, count))
            filled += len(chunk[name]) * rate
            if filled >= wished / 2 or batch.left:
                break
        return chunk

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
        taken, batch.left = batch.left[:count], batch.left[count:]
        batch.out += 1
        return tuple(taken)


def together(runs: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    """Runs of one shape, cut into the ensembles that are measured together."""
    size = 1
    while 2 * size * _TOGETHER <= len(runs):
        size *= _TOGETHER
    start = 0
    while start < len(runs):
        while start + size > len(runs):
            size //= _TOGETHER
        yield tuple(runs[start : start + size])
        start += size

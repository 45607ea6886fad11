"""Runs of one shape, measured and stored one by one: here or on a worker, which answers with keys and not with data.

A record is stored the moment its run is finished: a kill loses the runs in flight and nothing else. What a study raises
is the failure of one run, found by measuring each of those that are left alone, and the others are measured all the
same. What the store raises is nobody's failure and ends the work.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from experiments.provenance import run_provenance
from experiments.records import DamagedRecord, Record, RecordStore, plain, record_key
from experiments.study import Measured, Study


class Work(NamedTuple):
    """What measuring needs to know of a study, and what travels to a worker. double: float64 and not float32.

    fresh: measure also what the store has.
    """

    study: str
    schema: int
    measure: Callable[[Sequence[Any]], Iterator[tuple[Any, Measured]]]
    fresh: bool
    double: bool

    def key(self, run: Any) -> str:
        return record_key(self.study, self.schema, run)


def work_of(study: Study, *, fresh: bool) -> Work:
    return Work(study.name, study.schema, study.measure, fresh, jnp.zeros(()).dtype.itemsize == 8)


class Ended(NamedTuple):
    """One run that is over. kind: "ran", "reused" (another process was first) or "failed"; outcome: one phrase."""

    kind: str
    key: str
    outcome: str


def measured(work: Work, store: RecordStore, runs: Sequence[Any]) -> Iterator[Ended]:
    """Measure runs of one batch and store each as soon as it is there. Raises OSError where the store cannot."""
    left = {work.key(run): run for run in runs}
    for key in [] if work.fresh else [key for key in left if _holds(store, key)]:
        del left[key]
        yield Ended("reused", key, "")
    results, since, failure = work.measure(list(left.values())), time.monotonic(), ""
    while left and not failure:
        try:
            run, found = next(results, (None, None))
            if found is None:
                raise ValueError("the study measured nothing of it")
            key, now = work.key(run), time.monotonic()
            # Runs of a batch advance together: seconds since the one before it finished.
            made_by = run_provenance(now - since)
            record = Record(key, work.study, plain(run), plain(found.scalars), found.arrays, made_by)
        except Exception as error:
            failure = sentence(error)
            continue
        since = now
        if work.fresh:
            store.put(record)
        else:
            store.add(record)
        left.pop(key, None)
        yield Ended("ran", key, found.outcome)
    if len(left) == 1:
        yield Ended("failed", next(iter(left)), failure)
        return
    for run in left.values():
        yield from measured(work, store, [run])


def sentence(error: Exception) -> str:
    """An exception's kind and its first line."""
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"


def _holds(store: RecordStore, key: str) -> bool:
    try:
        return store.check(key) is not None
    except DamagedRecord:
        return False


class Chunk(NamedTuple):
    """What a worker measures at once: some runs of one batch, or of several small ones, each cut into ensembles."""

    folder: Path
    batches: tuple[tuple[tuple[Any, ...], ...], ...]


class Answer(NamedTuple):
    """What became of a chunk. seconds: of each batch.  fault: the store's, errno, words and file; None without."""

    ended: list[Ended]
    seconds: list[float]
    fault: tuple[int | None, str, str] | None


def measured_chunk(chunk: Chunk, work: Work) -> Answer:
    """The task of a worker. What is in the answer is in the store."""
    answer = Answer([], [], None)
    try:
        if not chunk.folder.is_dir():  # it would be made, and the records be lost with this worker
            raise FileNotFoundError(2, "the workers must see the folder of the records, but one does not", chunk.folder)
        store = RecordStore(chunk.folder)
        with jax.enable_x64(work.double):
            for batch in chunk.batches:
                since = time.monotonic()
                for ensemble in batch:
                    for ended in measured(work, store, ensemble):
                        answer.ended.append(ended)
                answer.seconds.append(time.monotonic() - since)
    except OSError as error:
        return answer._replace(fault=(error.errno, error.strerror or str(error), str(error.filename or chunk.folder)))
    return answer

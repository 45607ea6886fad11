"""All runs of a study to stored records: here, or on the workers of a dask client; what the store has is not repeated.

Nothing is lost: a record is in the store the moment its run is over, whoever measured it. Nothing hangs on one run: one
that raises, or that kills its workers, is a failure of its own and the others are finished. What the store or the
scheduler cannot do ends the sweep, with all that is stored kept.
"""

import time
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from experiments.chunks import Chunks, Given, together
from experiments.cluster import Killed, WorkerLost, answered, asked, threads
from experiments.measuring import Answer, Chunk, Ended, Work, measured, measured_chunk, work_of
from experiments.records import DamagedRecord, RecordStore, plain, record_key
from experiments.study import Study


class Event(NamedTuple):
    """One line of progress.

    kind: 'plan' (total runs known), 'reused', 'damaged' (re-run follows), 'running' (more runs are being measured),
    'ran', 'failed', 'done'.  key, label: of the run; outcome: one phrase on it.  done: runs that have a record.
    running, failed, reused: how many.
    """

    study: Study
    kind: str
    key: str
    label: str
    outcome: str
    done: int
    total: int
    running: int
    failed: int
    reused: int


class Failure(NamedTuple):
    """A run without a record. reason: one sentence."""

    study: str
    key: str
    label: str
    config: dict[str, Any]
    reason: str


class Outcome(NamedTuple):
    """keys: of all runs, in their order, without repeats; one that failed or was not finished has no record."""

    keys: list[str]
    failures: list[Failure]
    interrupted: bool


def run_all(
    study: Study,
    runs: Sequence[Any],
    store: RecordStore,
    *,
    client: Any = None,
    fresh: bool = False,
    report: Callable[[Event], None],
    stop: Callable[[], bool] = lambda: False,
) -> Outcome:
    """A record of every run, measured where the store has none.

    client: what experiments.cluster yields, None for this process.  fresh: measure all anew.  stop: once it says true,
    what runs is finished and nothing more begun.  Raises OSError where the store cannot be written, WorkerLost where
    the workers do not share it or the scheduler is gone.
    """
    sweep = _Sweep(study, runs, report)
    known = {} if fresh else sweep.reuse(store)
    batches: dict[Hashable, list[Any]] = {}
    for run in sorted(sweep.left.values(), key=lambda run: repr(study.batch(run))):
        batches.setdefault(study.batch(run), []).append(run)
    work = work_of(study, fresh=fresh)
    if client is None:
        for batch in batches.values():
            if stop():
                break
            sweep.begin(len(batch))
            for ended in measured(work, store, batch):
                sweep.end(ended)
    elif batches:
        seconds = {name: sum(known[name]) / len(known[name]) for name in batches if name in known}
        _on_workers(sweep, work, store.root.resolve(), Chunks(batches, seconds), client, stop)
        _require_shared(store, sweep.ran)
    sweep.tell("done")
    return Outcome(list(sweep.runs), sweep.failures, bool(sweep.left))


class _Sweep:
    """What is known of every run, told as it becomes known. left: the runs that are neither recorded nor failed."""

    def __init__(self, study: Study, runs: Sequence[Any], report: Callable[[Event], None]) -> None:
        self.study, self.report = study, report
        self.runs = {record_key(study.name, study.schema, run): run for run in runs}
        self.left = dict(self.runs)
        self.failures: list[Failure] = []
        self.ran: list[str] = []
        self.running = self.reused = 0
        self.tell("plan")

    def tell(self, kind: str, key: str = "", outcome: str = "") -> None:
        label = self.runs[key].label if key else ""
        total, failed = len(self.runs), len(self.failures)
        done = total - len(self.left) - failed
        self.report(Event(self.study, kind, key, label, outcome, done, total, self.running, failed, self.reused))

    def reuse(self, store: RecordStore) -> dict[Hashable, list[float]]:
        """Take what the store has; a damaged record counts as absent. Seconds of the runs of each batch."""
        seconds: dict[Hashable, list[float]] = {}
        for key, run in self.runs.items():
            try:
                head = store.check(key)
            except DamagedRecord as error:
                self.tell("damaged", key, str(error))
                continue
            if head is not None:
                self.end(Ended("reused", key, ""), began=False)
                seconds.setdefault(self.study.batch(run), []).append(head.provenance["seconds"])
        return seconds

    def begin(self, runs: int) -> None:
        self.running += runs
        self.tell("running")

    def give_up(self, runs: int) -> None:
        """So many runs are not being measured any more, but will be again."""
        self.running -= runs

    def end(self, ended: Ended, *, began: bool = True) -> None:
        self.running -= began
        run = self.left.pop(ended.key)
        if ended.kind == "failed":
            self.failures.append(Failure(self.study.name, ended.key, run.label, plain(run), ended.outcome))
        elif ended.kind == "ran":
            self.ran.append(ended.key)
        else:
            self.reused += 1
        self.tell(ended.kind, ended.key, ended.outcome)


def _on_workers(sweep: _Sweep, work: Work, folder: Path, chunks: Chunks, client: Any, stop: Callable[[], bool]) -> None:
    """Chunks to workers until none is left; a run that kills its workers even alone is a failure."""
    _require_seen(client, folder)

    def following() -> tuple[Given, Chunk] | None:
        if stop() or (given := chunks.following(threads(client))) is None:
            return None
        sweep.begin(len(given.runs))
        return given, Chunk(folder, tuple(tuple(together(runs)) for runs in given.batches.values()))

    for given, answer in answered(measured_chunk, following, work, client=client):
        if not isinstance(answer, Killed):
            chunks.back(given, answer.seconds)
            _take(sweep, answer)
            continue
        chunks.back(given, None)
        if given.alone:
            told = f"it must not kill its worker, but {answer.deaths} died with it; did it run out of memory?"
            sweep.end(Ended("failed", work.key(given.runs[0]), told))
        else:
            sweep.give_up(len(given.runs))


def _take(sweep: _Sweep, answer: Answer) -> None:
    """What a worker says of its runs; the store's fault, if there was one, is raised here."""
    for ended in answer.ended:
        sweep.end(ended)
    if answer.fault is not None:
        raise OSError(*answer.fault)


def _require_seen(client: Any, folder: Path) -> None:
    """Raises WorkerLost unless every worker sees a file that is made in the folder, OSError if none can be made."""
    probe = folder / f".{uuid4().hex}.tmp"
    probe.write_bytes(b"")
    try:
        blind = [address for address, seen in asked(_sees, str(probe), client=client).items() if not seen]
    finally:
        probe.unlink()
    if blind:
        raise WorkerLost(f"the workers must see the folder {folder}, but the one at {blind[0]} does not")


def _sees(path: str) -> bool:
    return Path(path).is_file()


_PATIENCE = 60.0
"""A network file system may take so many seconds to show what another machine has written."""


def _require_shared(store: RecordStore, keys: Sequence[str]) -> None:
    """Raises WorkerLost where a record that a worker has stored does not appear in this store."""
    until = time.monotonic() + _PATIENCE
    for key in keys:
        while store.check(key) is None:
            if time.monotonic() > until:
                raise WorkerLost(
                    f"the workers must write to the folder {store.root}, but record {key} does not appear there"
                )
            time.sleep(0.5)

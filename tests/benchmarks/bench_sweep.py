"""Seconds of whole sweeps: on two workers, on one, in this process, and by a bare process pool.

    uv run python tests/benchmarks/bench_sweep.py

Ours is `experiments.engine.run_all` into an empty store, its workers started and their imports done beforehand; the
peer is a pool of two processes that measures the same runs, each as its own task, and stores nothing. `ours` is two
workers, `ratio` the others' time over it, `overhead` the share of the workers' time in which no run was measured:
compilation counts as measuring, storing does not. Then a sweep of 1,000 configurations of the smallest study on two
workers, the same once more when all is stored, and reading all records back.
"""

import multiprocessing
import shutil
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from experiments.cluster import asked, workers
from experiments.engine import run_all
from experiments.records import Record, RecordStore
from experiments.studies import STUDIES
from experiments.studies.separation_law import SeparationRun
from experiments.study import Study

LAW = STUDIES["separation_law"]
DESIGNS = LAW.presets["paper"].designs
LONG = [SeparationRun(DESIGNS[seed % 3], 4000, 60, seed) for seed in range(48)]
SMALL = [SeparationRun(design, 64, 20, seed) for design in DESIGNS[:4] for seed in range(250)]
TRAINED = STUDIES["slowdown"]


def swept(study: Study, runs: list[Any], folder: Path, client: Any) -> float:
    """Seconds of a sweep; raises unless every run was measured."""
    since = time.perf_counter()
    outcome = run_all(study, runs, RecordStore(folder), client=client, report=lambda event: None)
    assert not outcome.failures and not outcome.interrupted
    return time.perf_counter() - since


def one(run: Any) -> None:
    list(STUDIES["slowdown" if hasattr(run, "labelling") else "separation_law"].measure([run]))


def warm(number: int) -> None:
    time.sleep(1.0)


def in_a_pool(study: Study, runs: list[Any]) -> float:
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        list(pool.map(warm, range(2)))
        list(pool.map(one, runs[:2]))  # imports
        since = time.perf_counter()
        list(pool.map(one, runs))
        return time.perf_counter() - since


def overhead(folder: Path, seconds: float, number: int) -> float:
    store = RecordStore(folder)
    measuring = sum(record.provenance["seconds"] for record in read_back(store))
    return 1.0 - measuring / (number * seconds)


def read_back(store: RecordStore) -> list[Record]:
    return [record for key in list(store.keys()) if (record := store.get(key)) is not None]


def imported(name: str) -> bool:
    """On a worker: what the first task would import."""
    return name in STUDIES


def compare(title: str, study: Study, runs: list[Any], out: Path) -> None:
    found, shares = {}, {}
    found["this process"] = swept(study, runs, out / "here", None)
    for number in (1, 2):
        with workers(number) as client:
            asked(imported, study.name, client=client)
            name = f"{number} worker{'s' * (number > 1)}"
            found[name] = swept(study, runs, out / name, client)
            shares[name] = overhead(out / name, found[name], number)
    found["bare pool of 2"] = in_a_pool(study, runs)
    print(f"\n{title}")
    print(f"{'':16} {'seconds':>9} {'ours':>9} {'ratio':>7} {'overhead':>9}")
    for name, seconds in found.items():
        share = f"{shares[name]:9.1%}" if name in shares else ""
        print(f"{name:16} {seconds:9.2f} {found['2 workers']:9.2f} {seconds / found['2 workers']:7.2f} {share}")


def thousand(out: Path) -> None:
    with workers(2) as client:
        asked(imported, LAW.name, client=client)
        first = swept(LAW, SMALL, out / "thousand", client)
        again = swept(LAW, SMALL, out / "thousand", client)
    store = RecordStore(out / "thousand")
    since = time.perf_counter()
    records = read_back(store)
    back = time.perf_counter() - since
    print(f"\n{len(records):,} configurations of {LAW.name} on 2 workers")
    print(f"swept in {first:.2f} s, again when all is stored in {again:.2f} s, read back in {back:.2f} s")


def main() -> None:
    out = Path(tempfile.mkdtemp())
    try:
        compare(f"{len(LONG)} runs of {LAW.name}, numpy on one core each", LAW, LONG, out / "law")
        runs = [run for run in TRAINED.plan(TRAINED.presets["quick"]) if run.labelling == "gap"]
        compare(f"{len(runs)} trainings of {TRAINED.name}; this process has one device", TRAINED, runs, out / "trained")
        thousand(out)
    finally:
        shutil.rmtree(out)


if __name__ == "__main__":
    main()

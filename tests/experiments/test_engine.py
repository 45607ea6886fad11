"""Runs to records in this process: what is reused, what fails alone, what is told, what ends the sweep."""

from dataclasses import replace

import numpy as np
import pytest
from study_runs import same_measurements
from tiny_study import STUDY, TinyRun

from experiments.engine import run_all
from experiments.measuring import Chunk, measured_chunk, work_of
from experiments.records import Record, RecordStore, record_key
from experiments.reproduce import Unfinished, run_study

RUNS = [TinyRun(seed, width) for width in (2, 3) for seed in range(3)]


def swept(runs, store, **how):
    events = []
    return run_all(STUDY, runs, store, report=events.append, **how), events


@pytest.fixture(scope="module")
def plain_store(tmp_path_factory):
    store = RecordStore(tmp_path_factory.mktemp("plain"))
    outcome, events = swept([*RUNS, RUNS[0]], store)
    assert outcome.failures == [] and not outcome.interrupted
    return store, outcome, events


def test_every_run_has_one_record_in_the_order_asked_for(plain_store):
    store, outcome, events = plain_store
    assert outcome.keys == [record_key("tiny", STUDY.schema, run) for run in RUNS]
    assert sorted(store.keys()) == sorted(outcome.keys)
    assert [event.kind for event in events] == ["plan", *(["running", *["ran"] * 3] * 2), "done"]
    for event in events:
        assert event.done + event.failed + event.running <= event.total == len(RUNS)
    assert [event.running for event in events if event.kind == "ran"] == [2, 1, 0] * 2
    assert events[-1].done == len(RUNS) and events[-1].running == events[-1].reused == 0


def test_what_the_store_has_is_not_measured_again(plain_store):
    store, outcome, _ = plain_store
    again, events = swept(RUNS, store)
    assert again == outcome and [event.kind for event in events] == ["plan", *["reused"] * len(RUNS), "done"]
    assert events[-1].done == events[-1].reused == len(RUNS)


def test_a_damaged_record_is_told_and_measured_again(plain_store):
    store, outcome, _ = plain_store
    before, path = store.get(outcome.keys[0]), store.root / f"{outcome.keys[0]}.npz"
    path.write_bytes(path.read_bytes()[:-1])
    _, events = swept(RUNS, store)
    (told,) = [event for event in events if event.kind == "damaged"]
    assert path.name in told.outcome and told.label == RUNS[0].label
    assert [event.key for event in events if event.kind == "ran"] == [outcome.keys[0]]
    assert same_measurements(store.get(outcome.keys[0]), before)


def test_fresh_measures_all_anew(plain_store, tmp_path):
    store = RecordStore(tmp_path)
    swept(RUNS[:2], store)
    times = [(tmp_path / f"{key}.json").stat().st_mtime_ns for key in sorted(store.keys())]
    outcome, events = swept(RUNS[:2], store, fresh=True)
    assert [event.kind for event in events].count("ran") == 2 and outcome.failures == []
    assert all(a < (tmp_path / f"{key}.json").stat().st_mtime_ns for a, key in zip(times, sorted(store.keys())))


def test_a_run_that_raises_fails_alone(plain_store, tmp_path):
    """In the midst of its batch: the others have the bits that they have without it."""
    store = RecordStore(tmp_path)
    bad = [TinyRun(seed, 3, deed="raise") for seed in (7, 8)]
    outcome, events = swept([bad[0], *RUNS, bad[1]], store)
    assert [failure.label for failure in outcome.failures] == [run.label for run in bad]
    assert outcome.failures[0].reason == "ArithmeticError: seed 7 cannot be measured"
    assert outcome.failures[0].config == {"seed": 7, "width": 3, "deed": "raise", "seconds": 0.0, "mark": None}
    assert not outcome.interrupted and len(outcome.keys) == len(RUNS) + 2
    assert events[-1].failed == 2 and events[-1].done == len(RUNS)
    assert set(store.keys()) == set(outcome.keys) - {failure.key for failure in outcome.failures}
    for key in plain_store[1].keys:
        assert same_measurements(store.get(key), plain_store[0].get(key))


def test_a_diverging_run_is_an_outcome(tmp_path):
    store = RecordStore(tmp_path)
    outcome, events = swept([TinyRun(0, deed="diverge")], store)
    (record,) = [store.get(key) for key in outcome.keys]
    assert outcome.failures == [] and record.scalars["status"] == "diverged" and record.scalars["loss_end"] is None
    assert events[-2].outcome == "DIVERGED"


def test_a_run_that_the_study_forgets_is_a_failure(tmp_path):
    forgetful = replace(STUDY, measure=lambda runs: STUDY.measure([run for run in runs if run.seed] or runs[:0]))
    outcome = run_all(forgetful, RUNS[:2], RecordStore(tmp_path), report=lambda event: None)
    (failure,) = outcome.failures
    assert failure.label == RUNS[0].label and failure.reason


def test_a_number_that_no_record_can_hold_is_its_runs_failure(tmp_path):
    def spoilt(runs):
        for run, found in STUDY.measure(runs):
            yield run, found._replace(scalars={"nan": np.nan} if run.seed == 1 else found.scalars)

    outcome = run_all(replace(STUDY, measure=spoilt), RUNS[:3], RecordStore(tmp_path), report=lambda event: None)
    (failure,) = outcome.failures
    assert failure.label == RUNS[1].label and "must be finite, got nan" in failure.reason


def test_stopping_finishes_what_runs(plain_store, tmp_path):
    store, begun = RecordStore(tmp_path), []

    def report(event):
        begun.append(event.kind == "ran")

    outcome = run_all(STUDY, RUNS, store, report=report, stop=lambda: any(begun))
    assert outcome.interrupted and len(list(store.keys())) == 3 and len(outcome.keys) == len(RUNS)
    resumed, events = swept(RUNS, store)
    assert not resumed.interrupted and events[-1].reused == 3
    for key in resumed.keys:
        assert same_measurements(store.get(key), plain_store[0].get(key))


def test_a_study_with_a_failure_has_no_findings(tmp_path):
    runs = [*RUNS, TinyRun(7, deed="raise")]
    study, store = replace(STUDY, presets={"all": RUNS, "bad": runs}), RecordStore(tmp_path)
    with pytest.raises(
        Unfinished, match="1 failed, first raise width 3 seed 7: ArithmeticError: seed 7 cannot be measured"
    ):
        run_study(study, "bad", store, report=lambda event: None)
    findings, made_by = run_study(study, "all", store, report=lambda event: None)
    assert findings.summary == {"runs": len(RUNS)} and made_by.records == len(RUNS)


def test_a_worker_without_the_folder_answers_with_a_fault(tmp_path):
    answer = measured_chunk(Chunk(tmp_path / "elsewhere", (((RUNS[0],),),)), work_of(STUDY, fresh=False))
    assert answer.ended == [] and answer.fault is not None
    assert "must see the folder of the records" in answer.fault[1] and not (tmp_path / "elsewhere").exists()


def test_who_is_second_keeps_the_first_ones_record(tmp_path):
    store = RecordStore(tmp_path)
    first, second = (Record("k", "s", {}, {"n": n}, {"x": np.full(3, float(n))}, {}) for n in (1, 2))
    assert store.add(first) and not store.add(second) and store.get("k").scalars == {"n": 1}
    store.put(second)
    assert store.get("k").scalars == {"n": 2}
    (tmp_path / "k.npz").write_bytes(b"")
    assert store.add(first) and store.get("k").scalars == {"n": 1}


def test_what_another_driver_has_stored_meanwhile_is_not_measured(plain_store, tmp_path):
    """A worker looks again before it begins."""
    answer = measured_chunk(Chunk(plain_store[0].root, ((tuple(RUNS[:3]),),)), work_of(STUDY, fresh=False))
    assert [ended.kind for ended in answer.ended] == ["reused"] * 3 and answer.fault is None

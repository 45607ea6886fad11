"""`reproduce` and where it measures: on workers, with runs that fail, interrupted."""

import json
import os
import signal
from dataclasses import replace

import pytest
from in_process import no_drawing
from in_process import run as uniformity

from experiments.studies import STUDIES

ARGUMENTS = ("reproduce", "--preset", "smoke", "--only", "separation_law")
STUDY = STUDIES["separation_law"]
RUNS = STUDY.plan(STUDY.presets["smoke"])
SECOND = sorted(RUNS, key=lambda run: repr(STUDY.batch(run)))[1]
"""Of those that are measured."""


def test_workers_give_the_same_summary(tmp_path):
    """All but who measured it, and for how long."""
    summaries = []
    for out, options in ((tmp_path / "here", ()), (tmp_path / "there", ("--workers", "1"))):
        with no_drawing():
            status, printed, _ = uniformity(*ARGUMENTS, "--out", str(out), *options)
        assert status == 0 and printed.count(" ran ") == len(RUNS)
        summaries.append(json.loads((out / "summaries" / "separation_law.json").read_text()))
    here, there = summaries
    assert list(there.pop("records_made_by")["devices"]) != list(here.pop("records_made_by")["devices"])
    assert here.pop("made_by")["device"] and there.pop("made_by")["device"]
    assert there == here


def spoilt_study(deed):
    """separation_law, whose second run does something before it is measured."""

    def measure(runs):
        for run in runs:
            if run == SECOND:
                deed()
            yield from STUDY.measure([run])

    return {"separation_law": replace(STUDY, measure=measure)}


@pytest.fixture
def spoil(monkeypatch):
    return lambda deed: monkeypatch.setattr("experiments.studies.STUDIES", spoilt_study(deed))


def test_a_failed_run_is_named_and_its_study_not_summarised(spoil, tmp_path):
    spoil(lambda: 1 // 0)
    status, _, told = uniformity(*ARGUMENTS, "--out", str(tmp_path))
    assert status == 1 and f"separation_law, {SECOND.label} failed: ZeroDivisionError" in told
    assert '"num_points"' in told and "no ledger is written" in told
    assert not (tmp_path / "summaries").exists() and not (tmp_path / "ledger.json").exists()
    assert len(list((tmp_path / "records").glob("*.json"))) == len(RUNS) - 1


def test_ctrl_c_says_how_to_resume(spoil, tmp_path):
    spoil(lambda: os.kill(os.getpid(), signal.SIGINT))
    status, _, told = uniformity(*ARGUMENTS, "--fresh", "--out", str(tmp_path))
    assert status == 130 and "finishing what runs" in told
    assert f"without --fresh this resumes: uniformity {' '.join(ARGUMENTS)} --out {tmp_path}\n" in told
    batch = len(list((tmp_path / "records").glob("*.json")))
    assert 2 <= batch < len(RUNS)


@pytest.mark.deep
def test_workers_measure_in_float32_what_this_process_does(tmp_path):
    books = []
    for out, options in ((tmp_path / "here", ()), (tmp_path / "there", ("--workers", "1"))):
        with no_drawing():
            status, _, _ = uniformity(
                *ARGUMENTS[:4], "kernel_spectrum", "--dtype", "float32", "--out", str(out), *options
            )
        assert status == 0
        books.append(json.loads((out / "summaries" / "precision.json").read_text()))
    assert books[0]["studies"] == books[1]["studies"] and books[0]["studies"][0]["measured"] > 0
    assert books[1]["records_made_by"]["dtypes"] == {"float64": 6, "float32": 6}

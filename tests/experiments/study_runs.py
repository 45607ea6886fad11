"""Studies in the tests: their records without a store, and the verdicts once a measurement is spoilt."""

import fcntl
import json
import os
import sys
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from experiments.records import Record, RecordStore, plain, record_key
from experiments.reproduce import run_study
from experiments.statistics import bootstrap
from experiments.studies import STUDIES
from experiments.study import Findings
from theory.verdict import Verdict, judge


def measured(study, runs):
    """Records as the store would give them back, without a store, in the order of the runs."""
    found = {}
    for run, result in study.measure(runs):
        scalars = json.loads(json.dumps(plain(result.scalars)))
        found[run] = Record(
            record_key(study.name, study.schema, run), study.name, plain(run), scalars, result.arrays, {}
        )
    return [found[run] for run in runs]


def same_measurements(one, other):
    """Whether two records (or measurements) have the same bits, but for seconds."""

    def bits(measured):
        arrays = {
            name: (np.asarray(a).dtype, np.shape(a), np.asarray(a).tobytes()) for name, a in measured.arrays.items()
        }
        both = {**{name: repr(value) for name, value in plain(measured.scalars).items()}, **arrays}
        return {name: value for name, value in both.items() if "seconds" not in name}

    return bits(one) == bits(other)


SHARED = Path(os.environ["UNIFORMITY_TESTS"])


def smoke_store(name):
    """The store that has a study's smoke preset, measured once a test session: a worker that comes second waits."""
    store = RecordStore(SHARED / "smoke")
    unread = replace(STUDIES[name], find=lambda preset, records: Findings({}, [], [], {}))
    with (SHARED / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # until it is closed
        run_study(unread, "smoke", store, report=lambda event: None)
    return store


def smoke_keys(name):
    """Keys of a study's smoke records in the plan's order."""
    study = STUDIES[name]
    return [record_key(study.name, study.schema, run) for run in study.plan(study.presets["smoke"])]


@cache
def smoke(name):
    """The records of a study's smoke preset in the plan's order, and its findings."""
    store = smoke_store(name)
    records = [store.get(key) for key in smoke_keys(name)]
    return records, STUDIES[name].find(STUDIES[name].presets["smoke"], records)


def spoilt(value, factor):
    """An array or number times a factor (whole numbers stay whole); an array reversed where the factor is None."""
    if factor is None:
        return value[::-1].copy()
    return int(value * factor) if isinstance(value, int) else value * factor


@contextmanager
def few_resamples():
    """Bootstraps of two draws in every study's findings: for what reads the checks and no interval."""
    with pytest.MonkeyPatch.context() as patch:
        for name, module in list(sys.modules.items()):
            if name.startswith("experiments.studies.") and hasattr(module, "bootstrap"):
                patch.setattr(module, "bootstrap", lambda by_seed, **how: bootstrap(by_seed, **{**how, "resamples": 2}))
        yield


def verdicts_when_spoilt(name, claim, inequality, key, factor) -> set[Verdict]:
    """Verdicts of one inequality on the smoke records with one measurement (a scalar or an array) spoilt."""
    records, _ = smoke(name)

    def spoil(record):
        arrays, scalars = dict(record.arrays), dict(record.scalars)
        for place in (arrays, scalars):
            if key in place and place[key] is not None:
                place[key] = spoilt(place[key], factor)
        return record._replace(arrays=arrays, scalars=scalars)

    study = STUDIES[name]
    with few_resamples():
        checks = study.find(study.presets["smoke"], [spoil(record) for record in records]).checks
    return {judge(check) for check in checks if (check.claim, check.inequality) == (claim, inequality)}

"""A run's bits do not depend on its company, for every study: so a sweep may be resumed, shared out and repeated.

The records of the smoke preset were measured in whole batches on two devices.
"""

import pytest
from study_runs import same_measurements, smoke_keys, smoke_store

from experiments.cluster import workers
from experiments.engine import run_all
from experiments.records import RecordStore
from experiments.studies import STUDIES


def one_of_each_batch(study):
    """The last run of every batch, where it has company."""
    batches = {}
    for run in study.plan(study.presets["smoke"]):
        batches.setdefault(study.batch(run), []).append(run)
    return [runs[-1] for runs in batches.values() if len(runs) > 1]


def assert_same(name, store, key):
    together = smoke_store(name).get(key)
    assert same_measurements(store.get(key), together), name


LONG = ("tail_slope", "slowdown", "approximation", "kernel_spectrum")
"""Seconds of compilation each; the first three train by nothing but `descend`, whose company test_descent.py varies."""
MARKED = [pytest.param(name, marks=pytest.mark.deep) if name in LONG else name for name in STUDIES]


@pytest.mark.parametrize("name", MARKED)
def test_a_run_alone_has_the_bits_it_has_in_its_batch(name, tmp_path):
    study = STUDIES[name]
    run = one_of_each_batch(study)[-1]
    outcome = run_all(study, [run], store := RecordStore(tmp_path), report=lambda event: None)
    assert outcome.failures == [] and set(outcome.keys) <= set(smoke_keys(name))
    assert_same(name, store, outcome.keys[0])


@pytest.mark.deep
@pytest.mark.parametrize("name", STUDIES)
def test_a_worker_with_one_device_finds_the_same_bits(name, tmp_path, one_worker):
    study = STUDIES[name]
    runs = one_of_each_batch(study)
    outcome = run_all(study, runs, store := RecordStore(tmp_path), client=one_worker, report=lambda event: None)
    assert outcome.failures == []
    for key in outcome.keys:
        assert store.get(key).provenance["device"].startswith("1 x ")
        assert_same(name, store, key)


@pytest.fixture(scope="module")
def one_worker():
    with workers(1) as client:
        yield client

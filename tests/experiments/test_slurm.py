"""A real Slurm on this machine: a sweep on its jobs, one of which is cancelled in the middle. `uv run pytest -m slurm`.

Needs Debian, and root: what is missing of Slurm is installed.
"""

import os
import subprocess
import time
from pathlib import Path

import pytest
from slurm_node import install, slurm_node
from tiny_study import STUDY, TinyRun

from experiments import batch_jobs
from experiments.cluster import WorkerLost, batch_system
from experiments.engine import run_all
from experiments.record_health import examine
from experiments.records import RecordStore

pytestmark = pytest.mark.slurm

RUNS = [TinyRun(seed, width=2 + seed % 2, seconds=0.3) for seed in range(40)]


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    if os.geteuid() != 0:
        pytest.skip("Slurm is installed and started as root")
    install()
    with slurm_node(tmp_path_factory.mktemp("slurm")) as environment, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", environment["SLURM_CONF"])
        patch.setattr(batch_jobs, "_LOOK_SECONDS", 1.0)
        yield


@pytest.fixture
def site(tmp_path):
    def write(**changes):
        known = {
            "system": "slurm",
            "jobs": 2,
            "cores": 1,
            "memory": "2GB",
            "walltime": "00:10:00",
            "queue": "main",
            # What a worker measures is in a module of the tests.
            "prologue": [f"export PYTHONPATH={Path(__file__).parent}"],
            "log_directory": str(tmp_path / "logs"),
            **changes,
        }
        path = tmp_path / "site.toml"
        path.write_text("".join(f"{name} = {value!r}\n" for name, value in known.items()))
        return path

    return write


def queued():
    """Numbers of the jobs that Slurm holds."""
    told = subprocess.run(["squeue", "-h", "-o", "%A %T"], capture_output=True, text=True, check=True).stdout
    return {line.split()[0] for line in told.splitlines() if line.split()[1] in ("RUNNING", "PENDING")}


def ended():
    """Whether Slurm's queue empties, as it does once the jobs are cancelled."""
    until = time.monotonic() + 30
    while queued() and time.monotonic() < until:
        time.sleep(0.2)
    return not queued()


def numbers(store, keys):
    """What was measured, without who did it when."""
    records = [store.get(key) for key in keys]
    return [(r.config, r.scalars, {name: a.tobytes() for name, a in r.arrays.items()}) for r in records]


def test_a_cancelled_job_costs_nothing_and_another_takes_its_place(slurm, site, tmp_path):
    cancelled, jobs = [], set()

    def report(event):
        jobs.update(queued() if event.kind in ("running", "ran") and event.done % 5 == 0 else ())
        if event.kind == "ran" and event.done >= len(RUNS) // 4 and not cancelled:
            cancelled.append(min(queued()))
            subprocess.run(["scancel", "--full", "--signal=KILL", cancelled[0]], check=True)

    store = RecordStore(tmp_path / "records")
    with batch_system(site()) as client:
        outcome = run_all(STUDY, RUNS, store, client=client, report=report)
        until = time.monotonic() + 30
        while len(queued()) < 2 and time.monotonic() < until:
            time.sleep(0.2)
        jobs |= queued()
        assert len(queued()) == 2 and cancelled[0] not in queued()
    assert ended()
    assert cancelled and len(jobs) == 3  # two, and the one in the place of the cancelled
    assert not outcome.failures and not outcome.interrupted and len(set(outcome.keys)) == len(RUNS)
    health = examine(store.root)
    assert health.records == len(RUNS) and not health.damaged
    assert {store.get(key).provenance["host"] for key in outcome.keys} == {os.uname().nodename}
    here = RecordStore(tmp_path / "here")
    undisturbed = run_all(STUDY, RUNS, here, report=lambda event: None)
    assert undisturbed.keys == outcome.keys and numbers(here, outcome.keys) == numbers(store, outcome.keys)


def test_a_job_of_several_processes_is_replaced_too(slurm, site):
    with batch_system(site(jobs=1, cores=2)) as client:
        (job,) = queued()
        subprocess.run(["scancel", job], check=True)
        until = time.monotonic() + 60
        while (queued() in (set(), {job}) or len(client.nthreads()) < 2) and time.monotonic() < until:
            time.sleep(0.2)
        assert len(client.nthreads()) == 2 and job not in queued()
    assert ended()


def test_what_slurm_refuses_is_one_sentence(slurm, site):
    words = r"slurm must accept the jobs, but it said: .*Invalid partition"
    with pytest.raises(ValueError, match=words), batch_system(site(queue="nowhere")):
        pass
    assert ended()


def test_jobs_that_end_without_a_worker_are_not_asked_for_for_ever(slurm, site, tmp_path):
    words = f"a job must start a worker, but . ended without one; {tmp_path}/logs may say why"
    with pytest.raises(WorkerLost, match=words), batch_system(site(jobs=3, prologue=["exit 1"])):
        pass
    assert ended()


def test_a_sweep_whose_jobs_cannot_start_any_more_ends_with_all_that_it_has(slurm, site, tmp_path):
    broken = tmp_path / "broken"
    prologue = [f"test -e {broken} && exit 1", f"export PYTHONPATH={Path(__file__).parent}"]

    def report(event):
        if event.kind == "ran" and not broken.exists():
            broken.touch()
            subprocess.run(["scancel", "--full", "--signal=KILL", *queued()], check=True)

    store = RecordStore(tmp_path / "records")
    words = "a job must start a worker, but . ended without one"
    with pytest.raises(WorkerLost, match=words), batch_system(site(jobs=1, prologue=prologue)) as client:
        run_all(STUDY, RUNS, store, client=client, report=report)
    assert ended()
    health = examine(store.root)
    assert 1 <= health.records < len(RUNS) and not health.damaged

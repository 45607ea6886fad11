"""The watch over a batch system's jobs, on a stand-in for Slurm (tests/experiments/test_slurm.py has a real one)."""

import time

import pytest
from slurm_standin import install

from experiments import batch_jobs
from experiments.batch_jobs import Jobs, cluster_of, own_jobs
from experiments.site_file import Site

SITE = Site("slurm", 2, 1, "1GB")


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """The folder of the stand-in."""
    install(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(batch_jobs, "_LOOK_SECONDS", 0.05)
    return tmp_path


def held(slurm):
    return {path.name for path in (slurm / "holds").iterdir()}


def become(condition):
    """Whether the condition holds within a while."""
    until = time.monotonic() + 20
    while not condition() and time.monotonic() < until:
        time.sleep(0.02)
    return condition()


def test_queued_jobs_are_left_alone_and_cancelled_at_the_end(slurm):
    with Jobs(cluster_of(SITE, {}), SITE) as jobs:
        assert held(slurm) == {"101", "102"} and not jobs.working()
        (slurm / "silence").touch()  # a controller that does not answer says nothing about the jobs
        time.sleep(0.5)
        (slurm / "silence").unlink()
        time.sleep(0.5)
        assert held(slurm) == {"101", "102"} and jobs.gave_up is None
    assert not held(slurm)


def test_a_lost_job_is_asked_for_again(slurm):
    with Jobs(cluster_of(SITE, {}), SITE) as jobs:
        (slurm / "holds" / "101").unlink()
        assert become(lambda: held(slurm) == {"102", "103"}) and jobs.gave_up is None
    assert not held(slurm)


def test_jobs_that_end_without_a_worker_are_given_up_once_none_is_left(slurm):
    with Jobs(cluster_of(SITE, {}), SITE) as jobs:
        for number in ("101", "103", "104"):
            assert become(lambda number=number: number in held(slurm))
            (slurm / "holds" / number).unlink()
        assert become(lambda: "105" in held(slurm)) and jobs.gave_up is None  # others are queued still
        for number in ("102", "105"):
            (slurm / "holds" / number).unlink()
        assert become(lambda: jobs.gave_up is not None)
        assert "a job must start a worker, but 5 ended without one" in str(jobs.gave_up)
        assert not held(slurm)


def test_a_refusal_is_one_sentence(slurm):
    (slurm / "refusal").write_text("sbatch: error: Batch job submission failed: Invalid account\n")
    words = "slurm must accept the jobs, but it said: sbatch: error: Batch job submission failed: Invalid account"
    with pytest.raises(ValueError, match=words), Jobs(cluster_of(SITE, {}), SITE):
        pass


def test_no_batch_system_is_one_sentence(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert own_jobs("slurm") is None
    words = "slurm must accept the jobs, but sbatch is not installed here"
    with pytest.raises(ValueError, match=words), Jobs(cluster_of(SITE, {}), SITE):
        pass


def test_a_listing_is_read_line_by_line(tmp_path, monkeypatch):
    listings = {
        "qstat": "Job id   Name  User\\n-----\\n  123.server  dask  me\\n45 0.5 dask me r\\n",
        "bjobs": "77 me RUN short node7\\n78 me PEND short\\n",
    }
    for name, text in listings.items():
        path = tmp_path / name
        path.write_text(f"#!/bin/bash\nprintf '{text}'\n")
        path.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert own_jobs("pbs") == own_jobs("sge") == {"123", "45"} and own_jobs("lsf") == {"77", "78"}
    (tmp_path / "bjobs").write_text("#!/bin/bash\necho No unfinished job found >&2\nexit 255\n")
    assert own_jobs("lsf") == set()

"""Where a command's runs are measured: what is wrong with the cluster that was asked for is one sentence."""

import pytest
from slurm_standin import install

from experiments import batch_jobs
from experiments.cluster import WorkerLost
from figures.commands.asked import BadInput
from figures.commands.engine_options import dask_client

SITE = 'system = "slurm"\njobs = 3\ncores = 1\nmemory = "1GB"\n'


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A site file, and a batch system whose jobs end at once."""
    install(tmp_path)
    sbatch = tmp_path / "sbatch"
    sbatch.write_text(sbatch.read_text().replace("> holds/$number", "> latest"))
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(batch_jobs, "_LOOK_SECONDS", 0.05)
    path = tmp_path / "site.toml"
    path.write_text(SITE)
    return path


def test_jobs_without_workers_are_one_sentence(site):
    with pytest.raises(BadInput, match="a job must start a worker, but 3 ended without one"), dask_client(cluster=site):
        pass


def test_a_site_file_that_cannot_be_is_one_sentence(site):
    site.write_text(SITE.replace("3", "0"))
    with pytest.raises(BadInput, match=r"jobs of .* must be a whole number"), dask_client(cluster=site):
        pass


def test_a_scheduler_that_goes_is_one_sentence():
    with pytest.raises(BadInput, match="gone"), dask_client():
        raise WorkerLost("the scheduler must stay reachable, but it is gone")


def test_an_error_of_the_runs_is_not_taken_for_bad_input():
    with pytest.raises(ValueError, match="own"), dask_client():
        raise ValueError("the runs' own")


def test_two_engines_are_one_too_many(site):
    words = "at most one engine must be given, but --workers and --cluster were"
    with pytest.raises(BadInput, match=words), dask_client(workers=2, cluster=site):
        pass

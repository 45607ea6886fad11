"""What a site file may say, and the submission that follows from it for each batch system."""

import os

import pytest

from experiments.batch_jobs import cluster_of
from experiments.site_file import Site, read_site

GIVEN = """
system = "slurm"
jobs = 3
cores = 4
memory = "8GB"
walltime = "04:00:00"
queue = "short"
account = "mine"
directives = ["--constraint=icelake"]
skip = ["-J"]
prologue = ["module load python", "cd ~/runs"]
"""


def read(tmp_path, text=GIVEN):
    path = tmp_path / "site.toml"
    path.write_text(text)
    return read_site(path)


def test_a_site_is_what_its_file_says(tmp_path):
    site = read(tmp_path)
    assert (site.system, site.jobs, site.cores, site.memory) == ("slurm", 3, 4, "8GB")
    assert site.prologue == ("module load python", "cd ~/runs") and site.port == 0 and site.python is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (GIVEN + "nodes = 3\n", "every key of {path} must be one of system, jobs, .*, but one was nodes"),
        (GIVEN.replace("jobs = 3", ""), "{path} must have a value for jobs, but has none"),
        (GIVEN.replace("jobs = 3", "jobs = 0"), "jobs of {path} must be a whole number of at least 1, but was 0"),
        (GIVEN.replace("cores = 4", "cores = true"), "cores of {path} must be a whole number .*, but was True"),
        (GIVEN.replace('"slurm"', '"cron"'), "system of {path} must be one of slurm, pbs, lsf, sge, but was 'cron'"),
        (GIVEN.replace('"8GB"', '"8"'), "memory of {path} must be a size such as \"8GB\", but was '8'"),
        (GIVEN.replace('"8GB"', "8"), 'memory of {path} must be a size such as "8GB", but was 8'),
        (GIVEN.replace('"short"', "7"), "queue of {path} must be a text of one line, but was 7"),
        (GIVEN.replace('["-J"]', '"-J"'), "skip of {path} must be a list of texts of one line, but was '-J'"),
        (
            GIVEN + 'resource_spec = "mem=1G"\n',
            "resource_spec of {path} must go with pbs or sge, but system was 'slurm'",
        ),
        ("jobs = = 3", "{path} must be a TOML file, but .*line 1"),
    ],
)
def test_what_cannot_be_is_one_sentence(tmp_path, text, sentence):
    with pytest.raises(ValueError, match=sentence.format(path=tmp_path / "site.toml")):
        read(tmp_path, text)


SUBMITTED = {
    "slurm": ("#SBATCH -p short", "#SBATCH -A mine", "#SBATCH --cpus-per-task=4", "#SBATCH --mem=8G", "-t 04:00:00"),
    "pbs": ("#PBS -q short", "#PBS -A mine", "#PBS -l select=1:ncpus=4", "#PBS -l walltime=04:00:00"),
    "sge": ("#$ -q short", "#$ -P mine", "#$ -l h_rt=04:00:00"),
    "lsf": ("#BSUB -q short", '#BSUB -P "mine"', "#BSUB -n 4", "#BSUB -W 04:00"),
}


@pytest.mark.parametrize("system", SUBMITTED)
def test_the_submission_says_what_the_site_says(tmp_path, system, monkeypatch):
    monkeypatch.setenv("LSF_ENVDIR", str(tmp_path))
    (tmp_path / "lsf.conf").write_text("LSF_UNIT_FOR_LIMITS=MB\n")
    walltime = "04:00" if system == "lsf" else "04:00:00"
    directives = ("--constraint=icelake",)
    prologue = ("module load python", "cd ~/runs")
    site = Site(system, 3, 4, "8GB", walltime, "short", "mine", directives, prologue=prologue)
    with cluster_of(
        site, {"distributed.worker.profile.enabled": False, "distributed.nanny.pre-spawn-environ": {"A": 1}}
    ) as cluster:
        script = cluster.job_script()
    for part in (*SUBMITTED[system], "--constraint=icelake"):
        assert part in script, script
    lines = [line for line in script.splitlines() if line]
    first = lines.index("export DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED=False")
    assert lines[first + 1] == """export DASK_DISTRIBUTED__NANNY__PRE_SPAWN_ENVIRON='{'"'"'A'"'"': 1}'"""
    assert lines[first + 2 : first + 4] == list(prologue)
    worker = lines[first + 4]
    assert (
        "--nthreads 1" in worker and "--nworkers 4" in worker and f"--memory-limit {8e9 / 4 / 2**30:.2f}GiB" in worker
    )
    assert os.path.basename(worker.split()[0]).startswith("python")

"""The jobs of a batch system that hold a sweep's workers: asked for, watched, and asked for again when they are lost.

A job is lost when none of its workers is connected and the batch system does not know it any more: it was cancelled,
its node failed, its walltime is over. One that is still queued, or queued again, is left alone. dask-jobqueue submits
and cancels; it does not notice that a job is gone.
"""

import re
import shlex
import subprocess
import threading
from collections.abc import Iterable
from contextlib import suppress
from getpass import getuser
from typing import Any

from experiments.site_file import Site

_OWN_JOBS = {
    "slurm": ("squeue", "--noheader", "--format=%A", "--user"),
    "pbs": ("qstat", "-u"),
    "sge": ("qstat", "-u"),
    "lsf": ("bjobs", "-noheader", "-u"),
}
"""The command that lists a user's unfinished jobs, before the user's name; a line begins with the job's number."""
_LOOK_SECONDS = 15.0
_LOOKS_MISSED = 2
"""A job that was just submitted may not be listed yet."""
_IN_VAIN = 3
_ANSWER_SECONDS = 60.0


def cluster_of(site: Site, settings: dict[str, Any]) -> Any:
    """The dask-jobqueue cluster of a site, without jobs. settings: of dask, for the workers."""
    import dask_jobqueue

    kind = {"slurm": "SLURMCluster", "pbs": "PBSCluster", "lsf": "LSFCluster", "sge": "SGECluster"}[site.system]
    optional = {
        "walltime": site.walltime,
        "queue": site.queue,
        "interface": site.interface,
        "python": site.python,
        "local_directory": site.local_directory,
        "log_directory": site.log_directory,
        "resource_spec": site.resource_spec,
        # Grid Engine has projects where the others have accounts.
        "project" if site.system in ("sge", "lsf") else "account": site.account,
    }
    return getattr(dask_jobqueue, kind)(
        cores=site.cores,
        processes=site.cores,
        memory=site.memory,
        job_extra_directives=list(site.directives),
        job_directives_skip=list(site.skip),
        job_script_prologue=[*_exports(settings), *site.prologue],
        scheduler_options={"dashboard_address": "127.0.0.1:0", "port": site.port},
        **{name: value for name, value in optional.items() if value is not None},
    )


def _exports(settings: dict[str, Any]) -> list[str]:
    """Shell lines that give dask's settings to the workers, which do not inherit this process's."""
    return [
        f"export DASK_{name.upper().replace('.', '__').replace('-', '_')}={shlex.quote(repr(value))}"
        for name, value in settings.items()
    ]


class Jobs:
    """Keeps as many jobs as the site says; a context manager, at whose end the watch is over and all are cancelled.

    gave_up: the one sentence why no more jobs are asked for, though none is left; None while there are.
    """

    def __init__(self, cluster: Any, site: Site) -> None:
        self.gave_up: str | None = None
        self.cluster, self._site = cluster, site
        self._missed: dict[str, int] = {}
        self._seen: set[str] = set()
        self._in_vain = 0
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._keep_watch, daemon=True)

    def __enter__(self) -> "Jobs":
        """Submit the jobs. Raises ValueError with one sentence where the batch system takes none of them."""
        try:
            self.cluster.sync(self._submit)
        except (RuntimeError, OSError, ValueError) as error:
            if not any(self._numbers().values()):
                self._close()
                raise ValueError(f"{self._site.system} must accept the jobs, but {_refusal(error)}") from error
        self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._watch.join()
        self._close()

    def _close(self) -> None:
        from dask import config
        from distributed.core import Status

        for job in self.cluster.workers.values():
            job.status = Status.closing  # dask-jobqueue leaves it as it was, which the cluster asserts not to be
        # Where the scheduler is closed already there is nobody to be patient with.
        patience = {} if self.gave_up is None else {"distributed.comm.timeouts.connect": "1s"}
        with config.set(patience):
            self.cluster.close()

    async def _submit(self, gone: Iterable[str] = ()) -> None:
        """As many new jobs as are missing. Unlike cluster.scale, it waits, and raises what the submission says."""
        for name in gone:
            del self.cluster.worker_spec[name]
        await self.cluster  # a new job may have the name of one that is gone, so these are closed first
        while len(self.cluster.worker_spec) < self._site.jobs:
            self.cluster.worker_spec.update(self.cluster.new_worker_spec())
        await self.cluster

    async def _connected(self) -> set[str]:
        return {str(worker.name) for worker in self.cluster.scheduler.workers.values()}

    def working(self) -> bool:
        """Whether a worker is connected."""
        return bool(self.cluster.sync(self._connected))

    def _numbers(self) -> dict[str, str | None]:
        """Each job's number in the batch system; None where it was not accepted."""
        return {name: job.job_id for name, job in list(self.cluster.workers.items())}

    def _keep_watch(self) -> None:
        while not self._over.wait(_LOOK_SECONDS):
            with suppress(RuntimeError, OSError):  # what does not answer now may at the next look
                self._look()
            if self.gave_up is not None:
                with suppress(RuntimeError, OSError):
                    self.cluster.sync(self.cluster.scheduler.close)  # nobody waits for workers any more
                return

    def _look(self) -> None:
        connected, numbers = self.cluster.sync(self._connected), self._numbers()
        alive = {name for name in numbers if connected & self._worker_names(name)}
        if alive - self._seen:
            self._seen |= alive
            self._in_vain = 0
        silent = numbers.keys() - alive
        queued = own_jobs(self._site.system) if silent else set()
        if queued is None:
            return
        self._missed = {name: self._missed.get(name, 0) + 1 for name in silent if numbers[name] not in queued}
        lost = {name for name, missed in self._missed.items() if missed >= _LOOKS_MISSED}
        self._in_vain += len(lost - self._seen)
        if self._in_vain >= _IN_VAIN and lost == numbers.keys():
            where = self._site.log_directory or "their output"
            self.gave_up = f"a job must start a worker, but {self._in_vain} ended without one; {where} may say why"
        elif lost and self._in_vain < _IN_VAIN * self._site.jobs:
            self._missed = {name: missed for name, missed in self._missed.items() if name not in lost}
            self._seen -= lost
            self.cluster.sync(self._submit, lost)

    def _worker_names(self, job: str) -> set[str]:
        return {job, *(f"{job}-{number}" for number in range(self._site.cores))}


def own_jobs(system: str) -> set[str] | None:
    """Numbers of the user's unfinished jobs; None where the batch system does not answer."""
    try:
        done = subprocess.run(
            [*_OWN_JOBS[system], getuser()], capture_output=True, text=True, timeout=_ANSWER_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode and "No unfinished job found" not in done.stderr:  # so LSF says that there is none
        return None
    return set(re.findall(r"^\s*(\d+)", done.stdout, re.MULTILINE))


def _refusal(error: Exception) -> str:
    """What the submission command said, or that there is no such command."""
    if isinstance(error, FileNotFoundError):
        return f"{error.filename} is not installed here"
    said = [line for line in str(error).strip().splitlines() if line.strip() and not line.endswith(":")]
    return f"it said: {said[-1].strip()}" if said else type(error).__name__

"""Where the runs of a sweep are measured: in this process, on processes of this machine, or on a cluster."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cyclopts import Parameter

from figures.commands.asked import BadInput


@Parameter(name="*")
@dataclass(frozen=True)
class EngineOptions:
    """Where the runs are measured; by default in this process.

    Parameters
    ----------
    workers
        On so many processes of this machine.
    scheduler
        On a running dask cluster, such as tcp://10.0.0.1:8786, whose workers see the same folder.
    cluster
        On jobs of a batch system (Slurm, PBS, LSF, SGE), described by a TOML file.
    """

    workers: int | None = None
    scheduler: str | None = None
    cluster: Path | None = None

    def client(self) -> AbstractContextManager[Any]:
        return dask_client(workers=self.workers, scheduler=self.scheduler, cluster=self.cluster)


@contextmanager
def dask_client(*, workers: int | None = None, scheduler: str | None = None, cluster: Path | None = None) -> Iterator:
    """The client of what was asked for, None for this process; what goes wrong with it is BadInput."""
    from experiments import cluster as clusters

    given = {"--workers": workers, "--scheduler": scheduler, "--cluster": cluster}
    names = [name for name, value in given.items() if value is not None]
    if len(names) > 1:
        raise BadInput(f"at most one engine must be given, but {' and '.join(names)} were")
    place: AbstractContextManager[Any] = nullcontext()
    if workers is not None:
        place = clusters.workers(workers)
    elif scheduler is not None:
        place = clusters.scheduler(scheduler)
    elif cluster is not None:
        place = clusters.batch_system(cluster)
    try:
        with ExitStack() as stack:
            try:
                client = stack.enter_context(place)
            except ValueError as error:
                raise BadInput(str(error)) from error
            yield client
    except clusters.WorkerLost as error:  # through the engine, which may know more of it
        raise BadInput(str(error)) from error

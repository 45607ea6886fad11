"""How `select` chooses from a pool that does not fit into memory: in parts, here, on processes or on a dask cluster."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cyclopts import Parameter

from figures.commands.engine_options import dask_client
from figures.commands.progress import progress_bar

if TYPE_CHECKING:
    from experiments.selection.core_sets import CoreSetSelection


@Parameter(name="*")
@dataclass(frozen=True)
class PartOptions:
    """Choosing from a pool that does not fit into memory.

    Parameters
    ----------
    partitions
        Choose in so many parts of a .npy or .parquet file, one after the other; greedy only.
    workers
        Choose in parts on so many processes of this machine.
    scheduler
        Choose in parts on a running dask cluster, such as tcp://10.0.0.1:8786, whose workers see the same file.
    """

    partitions: int | None = None
    workers: int | None = None
    scheduler: str | None = None

    @property
    def wanted(self) -> bool:
        """Whether the choice is to be made in parts at all."""
        return not (self.partitions is None and self.workers is None and self.scheduler is None)


def choose_in_parts(
    data: str,
    size: int,
    parts: PartOptions,
    *,
    metric: Literal["cosine", "euclidean"],
    start: Literal["first", "random", "center"],
    seed: int,
    columns: tuple[str, ...],
) -> "CoreSetSelection":
    """The choice from core-sets of the file's parts (D4), of which nothing but what the parts keep comes here."""
    from experiments.selection.core_sets import select_core_sets

    with (
        dask_client(workers=parts.workers, scheduler=parts.scheduler) as client,
        progress_bar("choosing in parts") as progress,
    ):
        return select_core_sets(
            data,
            size,
            partitions=parts.partitions,
            metric=metric,
            start=start,
            seed=seed,
            columns=columns,
            client=client,
            progress=progress,
        )

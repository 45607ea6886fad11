"""Tasks in this process, on workers of this machine, on a running dask scheduler, or on jobs of a batch system.

A task is a module-level function of one argument and of what all tasks share. Arguments and results travel, data do
not: a task that needs a part of a file reads it where it runs.
"""

import logging
import signal
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, cast

from experiments.batch_jobs import Jobs, cluster_of
from experiments.site_file import read_site

ALLOWED_DEATHS = 2
"""A task may outlive this many of its workers; the next death is blamed on the task."""

_ANSWER_SECONDS = 8.0
_ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_CHATTY = (
    *(f"distributed{part}" for part in ("", ".client", ".nanny", ".scheduler", ".core", ".comm")),
    "tornado.application",
)
_WORKER_SETTINGS = {
    "distributed.comm.timeouts.connect": "60s",  # a loaded machine is slow, not gone
    "distributed.worker.profile.enabled": False,
    # Without MALLOC_TRIM_THRESHOLD_, dask's default, under which tasks full of small arrays take six times as long.
    "distributed.nanny.pre-spawn-environ": {**dict.fromkeys(_ONE_THREAD, 1), "MALLOC_TRIM_THRESHOLD_": None},
    "distributed.worker.multiprocessing-method": "spawn",  # a forked JAX is in no defined state
}
_SETTINGS = {
    **_WORKER_SETTINGS,
    "distributed.scheduler.allowed-failures": ALLOWED_DEATHS,
    # A worker that died is started anew, however long that takes; by default its place is given up after 15 seconds.
    "distributed.deploy.lost-worker-timeout": "365 days",
}


class WorkerLost(Exception):
    """A task killed its workers, they do not see the folder, or the scheduler is gone; its text is the one sentence."""


@contextmanager
def workers(number: int, *, memory: str | int = "auto") -> Iterator[Any]:
    """A dask client of `number` new processes of this machine with one thread each, which end with the block.

    memory: what a worker may hold before it is started anew, such as "2GiB"; "auto" for its share of the machine.
    The processes are spawned: a script that calls this does so under `if __name__ == "__main__":`.
    """
    if number < 1:
        raise ValueError(f"workers must be at least 1, but was {number}")
    from dask import config
    from distributed import Client, LocalCluster, WorkerPlugin

    with ExitStack() as stack:
        stack.enter_context(config.set(_SETTINGS))
        _hush()
        cluster = LocalCluster(
            n_workers=number,
            threads_per_worker=1,
            processes=True,
            memory_limit=memory,
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.CRITICAL,
        )
        stack.callback(cluster.close)
        client = stack.enter_context(Client(cluster))
        # Also on workers that are started anew, so not by client.run.
        cast(Any, client).register_plugin(type("Quiet", (WorkerPlugin,), {"name": "quiet", "setup": _ignore_ctrl_c})())
        yield client


@contextmanager
def scheduler(address: str) -> Iterator[Any]:
    """A dask client of the scheduler that runs at `address`, such as tcp://10.0.0.1:8786; its workers stay.

    Raises ValueError if nothing answers there, it has no workers, or these lack this package.
    """
    from dask import config
    from distributed import Client

    with ExitStack() as stack:
        stack.enter_context(config.set({**_SETTINGS, "distributed.comm.timeouts.connect": f"{_ANSWER_SECONDS}s"}))
        _hush()
        try:
            client: Any = stack.enter_context(Client(address, timeout=_ANSWER_SECONDS))
        except (OSError, ValueError) as error:
            raise ValueError(
                f"scheduler must be the address of a running dask scheduler, but nothing answers at {address}"
            ) from error
        try:
            client.wait_for_workers(1, timeout=_ANSWER_SECONDS)
        except TimeoutError as error:
            raise ValueError(f"the scheduler at {address} must have a worker, but it has none") from error
        try:
            client.run(_importable)
        except Exception as error:
            said = str(error) or type(error).__name__
            raise ValueError(f"the workers of {address} must have this package, but one said: {said}") from error
        yield client


@contextmanager
def batch_system(path: Path) -> Iterator[Any]:
    """A dask client of the jobs that a site file (experiments.site_file) describes; they are cancelled with the block.

    It begins with the first worker, however long the queue; a lost job is asked for again. Raises ValueError where the
    file or the batch system says no, WorkerLost where every job ends without a worker.
    """
    from dask import config
    from distributed import Client

    site = read_site(path)
    with ExitStack() as stack:
        stack.enter_context(config.set(_SETTINGS))
        _hush()
        jobs = stack.enter_context(Jobs(cluster_of(site, _WORKER_SETTINGS), site))
        while not jobs.working():
            if jobs.gave_up is not None:
                raise WorkerLost(jobs.gave_up)
            time.sleep(0.2)
        client: Any = stack.enter_context(Client(jobs.cluster))
        try:
            yield client
        except (WorkerLost, OSError) as error:
            if jobs.gave_up is None:
                raise
            raise WorkerLost(jobs.gave_up) from error


class Killed(NamedTuple):
    """The answer of a task that killed its workers, so many of them one after the other."""

    deaths: int


def computed(
    function: Callable[[Any, Any], Any], tasks: Sequence[Any], shared: Any = None, *, client: Any = None
) -> Iterator[tuple[int, Any]]:
    """(i, function(tasks[i], shared)) for every i: in this process in order, or from the client's workers as they end.

    What a task raises is raised here after two more trials; WorkerLost if it kills its workers.
    """
    if client is None:
        for i, task in enumerate(tasks):
            yield i, function(task, shared)
        return
    waiting = iter(enumerate(tasks))
    for i, answer in answered(function, lambda: next(waiting, None), shared, client=client):
        if isinstance(answer, Killed):
            raise WorkerLost(
                f"a task must not kill its worker, but one died {answer.deaths} times; did it run out of memory?"
            )
        yield i, answer


def answered(
    function: Callable[[Any, Any], Any], following: Callable[[], tuple[Any, Any] | None], shared: Any, *, client: Any
) -> Iterator[tuple[Any, Any]]:
    """(name, function(task, shared)) of each (name, task) that `following` gives, from the workers as they end.

    following: asked whenever a thread is free; None is nothing for now, and the end once no task is out. As many tasks
    are out as there are threads, so a worker's death throws suspicion on no other task and few results wait. The answer
    of a task that kills its workers is Killed. What a task raises is raised here after two more trials; WorkerLost if
    the scheduler is gone.
    """
    import cloudpickle
    from distributed import wait

    with _reachable(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sending large graph")
        # As a task, not scattered: what died with its worker is made again.
        common = client.submit(_same, cloudpickle.dumps((function, shared)), pure=False)
    out: dict[Any, Any] = {}
    try:
        while True:
            free = threads(client) - len(out)
            while free > 0 and (given := following()) is not None:
                name, task = given
                with _reachable():
                    out[client.submit(_called, cloudpickle.dumps(task), common, pure=False, retries=2)] = name
                free -= 1
            if not out:
                return
            with _reachable():
                try:
                    ready, _ = cast(Any, wait(list(out), timeout=5.0, return_when="FIRST_COMPLETED"))
                except TimeoutError:
                    continue
            for future in ready:
                name = out.pop(future)
                result = _result(future)
                future.release()
                yield name, result
    finally:
        if out:
            with suppress(OSError):
                client.cancel(list(out))


def threads(client: Any) -> int:
    """How many tasks can run at once, 1 at least: a cluster's first workers may be on their way."""
    with _reachable():
        return max(1, sum(client.nthreads().values()))


def asked(function: Callable[[Any], Any], argument: Any, *, client: Any) -> dict[str, Any]:
    """function(argument) of every worker, by its address; one that dies over it is left out."""
    with _reachable():
        answers = client.run(function, argument, on_error="return")
    return {address: answer for address, answer in answers.items() if not isinstance(answer, Exception)}


@contextmanager
def _reachable() -> Iterator[None]:
    try:
        yield
    except (OSError, CancelledError) as error:  # the latter where the connection ends while one waits for a task
        raise WorkerLost("the scheduler must stay reachable, but it is gone") from error


def _result(future: Any) -> Any:
    from distributed import KilledWorker

    if future.status not in ("finished", "error"):
        raise WorkerLost("the scheduler must keep its tasks, but it lost one; is it gone?")
    try:
        return future.result()
    except KilledWorker:
        return Killed(ALLOWED_DEATHS + 1)
    except _OtherCode as error:
        raise WorkerLost(
            f"the workers must run the code that runs here, but one could not read a task: {error}"
        ) from error


def _hush() -> None:
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.CRITICAL)  # a lost worker is retried and no news


def _ignore_ctrl_c(plugin: Any, worker: Any) -> None:
    """Ctrl-C goes to the whole terminal; only the driver decides what it means."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _same(value: Any) -> Any:
    return value


class _OtherCode(Exception):
    """A worker could not make out its task, which names functions and classes by their modules."""


def _called(task: bytes, common: bytes) -> Any:
    """The task on the worker. Read here and not by dask, which waits for ever for a worker that cannot."""
    import pickle

    try:
        (function, shared), own = pickle.loads(common), pickle.loads(task)
    except Exception as error:
        raise _OtherCode(f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}") from None
    return function(own, shared)


def _importable() -> bool:
    return True

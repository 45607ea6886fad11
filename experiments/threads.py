"""Work on all cores by threads of Python, with BLAS on one thread in each.

Why. BLAS's own threads wait for each other within every product. Where other work keeps a core busy, small products
  then take ten times as long and more, and what is done between the products runs on one core only. numpy lets go of
  the interpreter in products and in passes over arrays, so that plain threads share both, and none waits for another.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from threading import Lock
from typing import TypeVar

_Item = TypeVar("_Item")
_LOCK = Lock()
_WAITING = 4  # items a thread that are handed out ahead
_users, _limit = 0, None


def cores() -> int:
    """Cores that this process may use: no more than OMP_NUM_THREADS, which dask's workers set to 1."""
    own = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return min(own, int(asked)) if asked.isdigit() and int(asked) > 0 else own


def on_all_cores(work: Callable[[_Item], None], items: Iterable[_Item]) -> None:
    """Do `work` on every item, several at a time, started in their order. The first exception of `work` is raised."""
    items, threads = iter(items), cores()
    with single_threaded_blas():
        if threads == 1:
            for item in items:
                work(item)
            return
        with ThreadPoolExecutor(threads) as pool:
            running = [pool.submit(work, item) for item in islice(items, _WAITING * threads)]
            try:
                while running:
                    running.pop(0).result()
                    running += [pool.submit(work, item) for item in islice(items, 1)]
            finally:
                for future in running:
                    future.cancel()


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """BLAS on one thread in the whole process, until the last of those who asked for it is done."""
    global _users, _limit
    with _LOCK:
        if _users == 0:
            from threadpoolctl import threadpool_limits

            _limit = threadpool_limits(1, user_api="blas")
        _users += 1
    try:
        yield
    finally:
        with _LOCK:
            _users -= 1
            if _users == 0 and _limit is not None:
                _limit.restore_original_limits()
                _limit = None

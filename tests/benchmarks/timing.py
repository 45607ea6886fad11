"""Timing of contestants side by side: ratios from one run are comparable, times from two runs are not."""

import time
from collections.abc import Callable, Mapping
from statistics import median


def seconds(contestants: Mapping[str, Callable[[], object]], *, repeats: int = 5) -> dict[str, float]:
    """The median seconds of each contestant, after one call that is not timed (it compiles and fills caches).

    The contestants take turns, so that a change in the machine's load meets all of them.  A contestant must return
    only when its work is done: jax computes asynchronously.
    """
    for contestant in contestants.values():
        contestant()
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(repeats):
        for name, contestant in contestants.items():
            begin = time.perf_counter()
            contestant()
            taken[name].append(time.perf_counter() - begin)
    return {name: median(times) for name, times in taken.items()}

"""Many hunts at once: one process per core, a claim each, reports in the order of the claims."""

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor

from experiments.hunt import HuntReport, search
from experiments.hunts import HUNTS


def search_claim(claim: str, examples: int, seed: int) -> HuntReport:
    """Search one claim by its id, in whatever process this is called."""
    return search(HUNTS[claim], examples=examples, seed=seed)


def search_claims(
    claims: Sequence[str], *, examples: int, seed: int, workers: int | None = None
) -> Iterator[HuntReport]:
    """Reports in the order of `claims`, each as soon as it and those before it are there.

    workers: processes, by default one per core but no more than claims; a single one means this process. A search
    depends on its claim, `examples` and `seed` alone, so the number of workers changes no report.
    """
    workers = min(len(claims), os.cpu_count() or 1) if workers is None else workers
    if workers <= 1:
        yield from (search_claim(claim, examples, seed) for claim in claims)
        return
    # spawn: a forked process would inherit JAX's threads in an undefined state.
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(search_claim, claims, [examples] * len(claims), [seed] * len(claims))

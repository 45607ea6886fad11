"""What proved claims say of the rows chosen from digits: D3 of every subset and of random ones, D1 of greedy, R1."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from scipy.stats import beta

from experiments.records import Record
from experiments.separation import distances
from experiments.studies.digits_run import DigitsRun, choice_of, embedded, split, spoilt
from theory import farthest_first, spectral_ceiling, subset_separation
from theory.verdict import Check

_TAIL_PAIRS = (1, 3, 10)
"""The tail is held at the distances of so many closest pairs of the pool."""
_MISS = 1e-5
"""Probability with which a confidence limit of a sampled probability may miss, on either side."""
_ERRORS = 4.0
"""Standard errors allowed to a mean over the draws."""


def checks(by_run: Mapping[DigitsRun, Record]) -> Iterator[Check]:
    """Of every choice once. by_run: records by the runs of digits_run."""
    tables: dict[Any, np.ndarray] = {}
    seen: set[Any] = set()
    means: dict[tuple[int, int], tuple[float, float]] = {}
    for run, record in by_run.items():
        if choice_of(run) in seen:
            continue
        seen.add(choice_of(run))
        points, _ = spoilt(run, split(run))
        pool = run.seed, run.knob, run.share
        if pool not in tables:
            tables = {pool: distances(points, points)}
        yield from _choice_checks(run, record, points, tables[pool])
        if "draws" in record.arrays:
            yield from _draw_checks(run, record.arrays["draws"], tables[pool])
            means[run.seed, run.subset_size] = _mean(record.arrays["draws"])
    for (seed, size), (larger, error) in means.items():
        for (other, small), (smaller, other_error) in means.items():
            if seed == other and small < size:
                # A mean over draws errs to either side: the larger one is given the benefit.
                least = larger - _ERRORS * float(np.hypot(error, other_error))
                yield subset_separation.check_size(least, smaller, instance=f"seed {seed} sizes {small} and {size}")


def _choice_checks(run: DigitsRun, record: Record, points: np.ndarray, table: np.ndarray) -> Iterator[Check]:
    chosen, told = record.arrays["chosen"], record.scalars
    where = " ".join(map(str, [*choice_of(run)[1:], "seed", run.seed]))
    contained = subset_separation.check_containment(table, chosen, pool_size=run.pool_size, instance=where)
    # The separation of the rows trained on, not that of the table's own, which no choice could violate.
    own = told["separation"]
    yield contained._replace(measured=own, rounding=subset_separation.ROUNDING * own)
    if run.method == "uniform":
        vectors = embedded(points, run.embedding)
        lengths = table if run.embedding == "pixels" else distances(vectors, vectors)
        yield farthest_first.check_fall(lengths, chosen, instance=where)
    yield spectral_ceiling.check(
        told["smallest"],
        told["gradient_gap"],
        largest_eigenvalue=told["largest"],
        kernel_size=len(chosen),
        instance=where,
    )


def _mean(draws: np.ndarray) -> tuple[float, float]:
    """Mean and its standard error."""
    return float(draws.mean()), float(np.std(draws, ddof=1) / len(draws) ** 0.5)


def _draw_checks(run: DigitsRun, draws: np.ndarray, table: np.ndarray) -> Iterator[Check]:
    """The random subsets' h_min: sampled probabilities by their exact confidence limits."""
    where, pairs = f"{run.subset_size} of seed {run.seed}", np.sort(table[np.triu_indices(len(table), 1)])
    sizes = {"subset_size": run.subset_size, "pool_size": run.pool_size}
    for rank in _TAIL_PAIRS:
        t = pairs[rank - 1]
        within, close = int((draws <= t).sum()), int((pairs <= t).sum())
        least = float(beta.ppf(_MISS, within, len(draws) - within + 1)) if within else 0.0
        most = float(beta.isf(_MISS, within + 1, len(draws) - within)) if within < len(draws) else 1.0
        yield subset_separation.check_tail(least, close, **sizes, instance=f"{where}, {close} pairs")
        yield subset_separation.check_kept(most, close, **sizes, instance=f"{where}, {close} pairs")
    mean, error = _mean(draws)
    yield subset_separation.check_mean(
        mean + _ERRORS * error, pairs, subset_size=run.subset_size, instance=f"mean of {where}"
    )

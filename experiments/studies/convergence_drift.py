"""The convergence study's kernel drift: G7's ceilings at a few steps of a run, and the numbers that a reader quotes.

A record keeps |r_s| (from the loss), not r_s, and K_s at the iterates, not Kbar_s along the segments. So what is held
against the ceiling is | |r_T| - |rlin_T| |, which the prediction's error |r_T - rlin_T| is at least; delta_s is the
larger Frobenius drift of the segment's ends, at least its operator norm, and is taken to be off by at most the largest
change of the drift in one step.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from experiments.linearised import linearise, loss_after
from experiments.records import Record
from experiments.statistics import Estimate, bootstrap
from theory import kernel_drift
from theory.verdict import Check

PREFIXES = (1, 3, 10, 30, 100, 300, 1000, 3000)
"""Steps at which the frozen prediction is held against the drift."""

LONGEST_UNIFORM = 100


def drift_checks(record: Record, where: str) -> Iterator[Check]:
    """G7 in both forms for prefixes of a run that did not diverge; vacuous where the ceiling passes the residuals.

    The uniform form grows like a power of the drift: asked at the shorter prefixes only, before it overflows.
    """
    config, arrays = record.config, record.arrays
    size, eta = config["num_points"], config["step_size"]
    frozen = linearise(arrays["gram_start"], arrays["residual_start"], num_points=size)
    norms = np.sqrt(2 * size * arrays["loss"])
    moved = arrays["drift"] * float(np.linalg.norm(arrays["gram_start"]))
    segments = np.maximum(moved[:-1], moved[1:])
    contraction = float(kernel_drift.contraction(frozen.eigenvalues, step_size=eta, num_points=size))
    for steps in PREFIXES:
        if steps > len(segments):
            return
        frozen_norm = float(np.sqrt(2 * size * loss_after(frozen, steps, step_size=eta)))
        forms: tuple[Literal["measured drift", "uniform drift"], ...] = ("measured drift", "uniform drift")
        for inequality in forms[: 2 if steps <= LONGEST_UNIFORM else 1]:
            yield kernel_drift.check(
                inequality=inequality,
                prediction_error=abs(float(norms[steps]) - frozen_norm),
                drifts=segments[:steps],
                residual_norms=norms[: steps + 1],
                frozen_norm=frozen_norm,
                contraction=contraction,
                step_size=eta,
                num_points=size,
                output_scale=1.0 + float(np.max(np.abs(arrays["residual_start"]))),
                drift_error=float(np.max(np.abs(np.diff(moved[: steps + 1])))),
                instance=f"{steps} steps of {where}",
            )


QUOTED: Mapping[str, Callable[[dict[str, Any]], float]] = {
    "kernel drift at the end": lambda run: run["drift_end"],
    "factor by which the frozen kernel misses the loss": lambda run: (
        10.0 ** abs(np.log10(run["frozen_end"] / run["loss_end"]))
    ),
    "share of steps with lambda_min resolved": lambda run: run["resolved_share"],
    "|theta_T| / |theta_0|": lambda run: run["norm_growth"],
}


def drift_estimates(runs: Sequence[dict[str, Any]], num_points: int) -> list[Estimate]:
    """Medians over labels and seeds (of the resolved share the mean) for P >= N, each network of it, and P < N.

    Seeds are resampled whole; one whose runs did not all end finitely is left out.
    """
    groups: dict[str, list[dict[str, Any]]] = {}
    for run in runs:
        wide = run["parameters"] >= num_points
        groups.setdefault("P >= N" if wide else "P < N (control)", []).append(run)
        if wide:
            groups.setdefault(f"{run['architecture']} width {run['width']}", []).append(run)
    return [
        bootstrap(
            table,
            label=f"{name}, {group}",
            statistic=np.mean if name.startswith("share") else np.median,
        )
        for group, members in groups.items()
        for name, number in QUOTED.items()
        if len(table := _by_seed(members, number)) >= 2
    ]


def _by_seed(runs: Sequence[dict[str, Any]], number: Callable[[dict[str, Any]], float]) -> np.ndarray:
    """(seeds, runs of a seed), complete and finite rows only."""
    rows: dict[int, list[float]] = {}
    for run in runs:
        rows.setdefault(run["seed"], []).append(float(number(run)))
    most = max(map(len, rows.values()))
    return np.array([row for row in rows.values() if len(row) == most and np.all(np.isfinite(row))]).reshape(-1, most)

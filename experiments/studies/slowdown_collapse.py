"""The slowdown study's collapse: does eps over the pair's own loss decide whether h matters to the time?

The closest pair carries the loss d_0^2/(4N) at the start, d_0 = r_i - r_j, which is Lam^2 h^2/(4N) for residuals of
Lipschitz constant Lam = |d_0|/h on the pair. R4: the time to an eps above what the pair carries does not depend on h.
  x = eps / (d_0^2/(4N)),   y = log10 of the steps to eps over those of the same network and seed to the same eps with
Lipschitz labels and the smallest h (where the pair carries least); y = 0 says that neither h nor the label gap matters.
For Lipschitz labels R4 expects y = 0 from x = 1 on. The label gap is the control: its pair carries most of the loss at
every h. Noisy labels have no reference, since their noise is on every point.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from experiments.records import Record
from experiments.statistics import Estimate, bootstrap

TARGETS = (3e-2, 1.5e-2, 8e-3, 4e-3, 2e-3, 1e-3)
"""Losses eps (squared label units), read from the stored trace of a run that was stopped at the last or below."""

BINS_PER_DECADE = 4


class Collapse(NamedTuple):
    """points: one row a run and eps: its case (architecture, labelling, h, seed), eps, log10 of the steps, x and y."""

    cases: list[tuple[str, str, float, int]]
    eps: Float[np.ndarray, " points"]
    log_steps: Float[np.ndarray, " points"]
    x: Float[np.ndarray, " points"]
    y: Float[np.ndarray, " points"]


def steps_to_loss(record: Record, eps: float) -> float | None:
    """First step with loss <= eps, interpolated in the logarithms between the stored steps; None if it is not below.

    None too where the run starts at or below eps: no step is a time there.
    """
    step, loss = record.arrays["step"].astype(float) + 1.0, record.arrays["loss"]
    below = np.flatnonzero(loss <= eps)
    if not below.size or below[0] == 0:
        return None
    last = below[0]
    high, low = np.log(loss[last - 1]), np.log(loss[last])
    share = (high - np.log(eps)) / (high - low)
    return float(step[last - 1] * (step[last] / step[last - 1]) ** share)


def collapse(records: Sequence[Record], targets: Sequence[float] = TARGETS) -> Collapse:
    """x and y of every run and target that both it and its reference reach."""
    times: dict[tuple[str, str, float, int, float], float] = {}
    records = [
        record
        for record in records
        if record.config["labelling"] in ("smooth", "gap") and record.scalars["status"] != "diverged"
    ]
    for record in records:
        for eps in targets:
            found = steps_to_loss(record, eps)
            if found is not None:
                times[(*_case(record), eps)] = found
    smallest = min((record.config["h"] for record in records), default=0.0)
    cases, rows = [], []
    for record in records:
        kind, labelling, h, seed = _case(record)
        carried = record.scalars["gap_start"] ** 2 / (4 * record.config["num_points"])
        for eps in targets:
            own, reference = (
                times.get((kind, labelling, h, seed, eps)),
                times.get((kind, "smooth", smallest, seed, eps)),
            )
            if own is not None and reference is not None and carried > 0.0 and (labelling, h) != ("smooth", smallest):
                cases.append((kind, labelling, h, seed))
                rows.append((eps, np.log10(own), eps / carried, np.log10(own / reference)))
    return Collapse(cases, *np.array(rows).reshape(-1, 4).T)


def _case(record: Record) -> tuple[str, str, float, int]:
    config = record.config
    return config["architecture"]["kind"], config["labelling"], config["h"], config["seed"]


def spread(coordinate: Float[np.ndarray, " points"], values: Float[np.ndarray, " points"]) -> float:
    """Standard deviation of the values within bins of log10(coordinate), pooled over the bins."""
    bins = np.floor(BINS_PER_DECADE * np.log10(coordinate) + 1e-9)
    within = sum(float(np.sum((values[bins == each] - values[bins == each].mean()) ** 2)) for each in np.unique(bins))
    return float(np.sqrt(within / len(values)))


def estimates(found: Collapse) -> list[Estimate]:
    """How far runs scatter before and after the collapse, and the factor that h costs on either side of x = 1."""
    labelling, seeds = (np.array([case[place] for case in found.cases]) for place in (1, 3))
    smooth = labelling == "smooth"
    told = [
        _over_seeds(
            smooth, seeds, lambda kept: spread(found.eps[kept], found.log_steps[kept]), "equal eps, before the collapse"
        ),
        _over_seeds(smooth, seeds, lambda kept: spread(found.x[kept], found.y[kept]), "equal x, after it"),
    ]
    told = [each and each._replace(label=f"spread of log10 steps, Lipschitz labels, at {each.label}") for each in told]
    for name, side in (("above", found.x >= 1.0), ("below", found.x < 1.0)):
        for kind, of_kind in (("Lipschitz labels", smooth), ("label gap", ~smooth)):
            told.append(
                _over_seeds(
                    side & of_kind,
                    seeds,
                    lambda kept: float(10 ** np.median(found.y[kept])),
                    f"factor in steps to eps {name} the pair's loss, {kind}",
                )
            )
    return [each for each in told if each]


def _over_seeds(
    chosen: np.ndarray, seeds: np.ndarray, statistic: Callable[[np.ndarray], float], label: str
) -> Estimate | None:
    """A statistic of row numbers, resampling the seeds that have chosen rows; None below two of those."""
    rows = [np.flatnonzero(chosen & (seeds == seed)) for seed in np.unique(seeds[chosen])]
    if len(rows) < 2:
        return None

    def pooled(drawn: np.ndarray) -> float:
        return statistic(np.concatenate([rows[int(place)] for place in drawn]))

    return bootstrap(np.arange(len(rows), dtype=float), label=label, statistic=pooled, resamples=500)


def drawn(found: Collapse) -> list[dict[str, Any]]:
    """Of each architecture and labelling, for every h and eps: medians over seeds of x and of the factor 10^y."""
    groups: dict[tuple[str, str], dict[tuple[float, float], list[int]]] = {}
    for index, (kind, labelling, h, _) in enumerate(found.cases):
        group = groups.setdefault((kind, labelling), {})
        group.setdefault((h, float(found.eps[index])), []).append(index)
    return [
        {
            "architecture": kind,
            "labelling": labelling,
            "x": [float(np.median(found.x[members])) for members in group.values()],
            "factor": [float(10 ** np.median(found.y[members])) for members in group.values()],
        }
        for (kind, labelling), group in groups.items()
    ]

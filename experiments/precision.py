"""What single precision loses: a preset's runs measured again in float32, number by number beside the float64 ones.

Points and labels are numpy's float64 in both, initial parameters are the same draws, rounded; what differs is all that
JAX computes: descent, kernels, Hessians. A deviation is |a - b| / max(|a|, |b|), a in float32, b in float64: 0 where
they agree, 1 where a is 0, 2 where the signs differ and the sizes do not, infinite where a is not finite. Entries that
float64 does not have either are left out.

No inequality is judged on float32 records: the claims' rounding allowances are those of float64. Findings (slopes) are
read from both kinds of records by the same float64 code.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from experiments.engine import Event
from experiments.measuring import sentence
from experiments.provenance import provenance, provenance_of
from experiments.records import Record, RecordStore, record_key
from experiments.reproduce import Unfinished, run_study
from experiments.statistics import Slope
from experiments.study import Findings, Study

RESOLVED, LOST = 0.01, 0.5
"""Deviations up to which a number is as good as in float64, and from which it says nothing."""
_MOST_SEPARATIONS = 12
"""Records with more different separations than this do not sweep h but draw it."""


class Resolution(StrEnum):
    """By the deviation that 95% of a quantity's entries stay below: under RESOLVED, between, over LOST."""

    RESOLVED = "resolved"
    DEGRADED = "degraded"
    UNRESOLVED = "unresolved"


class Deviation(NamedTuple):
    """One measured quantity of a study in float32 against float64, over the entries of all runs.

    entries: how many were compared.  unmatched: runs whose array has another length in float32 (another number of
    steps), which are not compared.  median, high, worst: of the deviations, high their 95% quantile.
    """

    study: str
    quantity: str
    entries: int
    unmatched: int
    median: float
    high: float
    worst: float
    resolution: Resolution


def relative_deviation(single: Any, double: Any) -> np.ndarray:
    """|a - b| / max(|a|, |b|) entry by entry, flat, where b is finite; texts deviate by 0 or infinitely.

    None counts as not finite. Raises ValueError when the shapes differ.
    """
    if isinstance(double, str):
        return np.array([0.0 if single == double else np.inf])
    a, b = (np.asarray(value, dtype=np.float64) for value in (single, double))
    if a.shape != b.shape:
        raise ValueError(f"single must have the shape of double, {b.shape}, but its shape was {a.shape}")
    a, b = a[np.isfinite(b)], b[np.isfinite(b)]
    with np.errstate(invalid="ignore", divide="ignore"):
        deviation = np.abs(a - b) / np.maximum(np.abs(a), np.abs(b))
    return np.where(a == b, 0.0, np.where(np.isfinite(a), deviation, np.inf))


def _resolution(high: float) -> Resolution:
    if high < RESOLVED:
        return Resolution.RESOLVED
    return Resolution.DEGRADED if high <= LOST else Resolution.UNRESOLVED


def _quantities(record: Record) -> dict[str, Any]:
    """What was measured, scalars and arrays: not flags, versions, times, nor error bars, which are meant to differ."""
    return {
        name: value
        for name, value in {**record.scalars, **record.arrays}.items()
        if value is not None
        and not isinstance(value, (bool, dict))
        and not name.endswith("error")
        and "seconds" not in name
    }


def _paired(singles: Sequence[Record], doubles: Sequence[Record]) -> Iterator[tuple[dict[str, Any], Record]]:
    """The float32 measurements of each run that has both, None where float32 has no such number, and its record."""
    by_key = {record.key: record for record in singles}
    for double in doubles:
        if single := by_key.get(double.key):
            yield {**dict.fromkeys(_quantities(double)), **single.scalars, **single.arrays}, double


def deviations(singles: Sequence[Record], doubles: Sequence[Record]) -> list[Deviation]:
    """One row a quantity of the records' study, over the runs that were measured in both precisions."""
    found: dict[str, list[np.ndarray]] = {}
    unmatched: dict[str, int] = {}
    for single, double in _paired(singles, doubles):
        for name, value in _quantities(double).items():
            if np.shape(single[name]) != np.shape(value):
                unmatched[name] = unmatched.get(name, 0) + 1
            else:
                found.setdefault(name, []).append(relative_deviation(single[name], value))
    rows = []
    for name, pieces in found.items():
        entries = np.concatenate(pieces)
        if len(entries):
            # A quantile that is not interpolated: between a number and infinity there is nothing.
            median, high = (float(np.quantile(entries, share, method="higher")) for share in (0.5, 0.95))
            rows.append(
                Deviation(
                    doubles[0].study,
                    name,
                    len(entries),
                    unmatched.get(name, 0),
                    median,
                    high,
                    float(entries.max()),
                    _resolution(high),
                )
            )
    return rows


def by_separation(singles: Sequence[Record], doubles: Sequence[Record]) -> list[dict[str, Any]]:
    """Median deviation of each quantity at each separation, where the records sweep h.

    A record knows its `separation` as a number, and then its other numbers belong to it, or as an array over the
    sweep, and then so do its arrays of the same length. Clusters of another cluster_size, which lose digits at another
    rate, are another sweep; None where the runs know no cluster.
    """
    cells: dict[tuple[str, int | None], dict[float, list[float]]] = {}
    for single, double in _paired(singles, doubles):
        measured = _quantities(double)
        if "separation" not in measured:
            continue
        h = np.asarray(measured["separation"], dtype=float)
        for name, value in measured.items():
            shapes = {np.shape(single[name]), np.shape(value), h.shape}
            if name == "separation" or isinstance(value, str) or len(shapes) > 1:
                continue
            for k, place in enumerate(np.atleast_1d(h)):
                deviation = relative_deviation(np.atleast_1d(single[name])[k], np.atleast_1d(value)[k])
                sweep = cells.setdefault((name, double.config.get("cluster_size")), {})
                sweep.setdefault(float(f"{place:.3g}"), []).extend(deviation.tolist())
    return [
        {
            "study": doubles[0].study,
            "quantity": name,
            "cluster_size": cluster_size,
            "separation": sorted(places),
            "deviation": [
                float(np.quantile(places[h], 0.5, method="higher")) if places[h] else None for h in sorted(places)
            ],
        }
        for (name, cluster_size), places in cells.items()
        if 1 < len(places) <= _MOST_SEPARATIONS
    ]


def compared_slopes(singles: Sequence[Slope], doubles: Sequence[Slope]) -> list[dict[str, Any]]:
    """Each exponent in both precisions; None where float32 has no such fit. apart: the intervals do not meet."""
    by_name = {(slope.claim, slope.label): slope for slope in singles}
    rows = []
    for double in doubles:
        single = by_name.get((double.claim, double.label))
        apart = single is None or single.ci_low > double.ci_high or single.ci_high < double.ci_low
        rows.append(
            {
                "claim": double.claim,
                "label": double.label,
                "double": double.measured,
                "single": None if single is None else single.measured,
                "apart": apart,
            }
        )
    return rows


class SingleRuns(NamedTuple):
    """A study's float32 records, in the plan's order, as far as they could be made; failure: why not further."""

    records: list[Record]
    slopes: Sequence[Slope]
    failure: str | None


_FAILURES = (ValueError, ArithmeticError, RuntimeError, np.linalg.LinAlgError)
"""How findings from lost digits show: an asymmetric matrix, a solver without convergence, a logarithm of 0."""


def measure_single(
    study: Study, preset: str, store: RecordStore, *, report: Callable[[Event], None], **how: Any
) -> SingleRuns:
    """Measure a study's preset in float32, into a store of its own: keys do not know the precision.

    A failure to measure, or to read findings from what was measured, is a result and returned as its sentence, the
    first run's.  how: client, fresh and stop of run_study. Raises Unfinished only when it was interrupted.
    """
    try:
        with jax.enable_x64(False):
            # The code is what the progress lines name a study by.
            named = replace(study, find=_nothing, code=f"{study.code} float32")
            run_study(named, preset, store, report=report, **how)
        failure = None
    except Unfinished as error:
        if error.outcome.interrupted:
            raise
        failure = error.outcome.failures[0].reason
    settings = study.presets[preset]
    keys = [record_key(study.name, study.schema, run) for run in study.plan(settings)]
    records = [record for key in keys if (record := store.get(key))]
    try:
        return SingleRuns(records, study.find(settings, records).slopes if failure is None else [], failure)
    except _FAILURES as error:
        return SingleRuns(records, [], sentence(error))


def _nothing(settings: Any, records: Sequence[Record]) -> Findings:
    """Findings are read afterwards, in float64."""
    return Findings({}, [], [], {})


def compare(study: Study, single: SingleRuns, doubles: Sequence[Record], slopes: Sequence[Slope]) -> dict[str, Any]:
    """One study in both precisions, as plain values: a row a quantity, a sweep, an exponent."""
    return {
        "study": study.name,
        "code": study.code,
        "runs": len(doubles),
        "measured": len(single.records),
        "failure": single.failure,
        "quantities": [
            {**row._asdict(), "resolution": row.resolution.value} for row in deviations(single.records, doubles)
        ],
        "by_separation": by_separation(single.records, doubles),
        "slopes": compared_slopes(single.slopes, slopes),
    }


class Compared(NamedTuple):
    """studies: one comparison a study.  records: all that they rest on, of both precisions."""

    studies: list[dict[str, Any]]
    records: list[Record]


def compare_all(
    studies: Sequence[Study], preset: str, out: Path, *, report: Callable[[Event], None], **how: Any
) -> Compared:
    """Each study's preset in both precisions: records of float64 in out/records, of float32 in out/float32/records.

    how: client, fresh and stop of run_study, and what it raises.
    """
    double_store, single_store = (RecordStore(folder / "records") for folder in (out, out / "float32"))
    compared = Compared([], [])
    for study in studies:
        doubles: list[Record] = []

        def find(settings: Any, records: Sequence[Record], study: Study = study, kept: list = doubles) -> Findings:
            kept.extend(records)
            return study.find(settings, records)

        findings, _ = run_study(replace(study, find=find), preset, double_store, report=report, **how)
        single = measure_single(study, preset, single_store, report=report, **how)
        compared.studies.append(compare(study, single, doubles, findings.slopes))
        compared.records.extend([*doubles, *single.records])
    return compared


def summary(preset: str, compared: Compared, *, only: Sequence[str] = ()) -> dict[str, Any]:
    """All that the figure draws and the table prints: the studies' comparisons, and how many of each outcome.

    only: the names of studies that were asked for, none when all were.
    """
    studies = compared.studies
    named = f" --only {' '.join(only)}" if only else ""
    rows = [row for study in studies for row in study["quantities"]]
    slopes = [slope for study in studies for slope in study["slopes"]]
    return {
        "preset": preset,
        "command": f"uniformity reproduce --preset {preset} --dtype float32{named}",
        "made_by": provenance(),
        "records_made_by": provenance_of(compared.records)._asdict(),
        "resolved_below": RESOLVED,
        "lost_above": LOST,
        "counts": {kind.value: sum(row["resolution"] == kind for row in rows) for kind in Resolution},
        "slopes": len(slopes),
        "slopes_apart": sum(slope["apart"] for slope in slopes),
        "slopes_lost": sum(slope["single"] is None for slope in slopes),
        "studies": studies,
    }

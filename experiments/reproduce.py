"""From presets to findings: plan the runs, reuse the records that exist, measure the rest, read them all."""

import json
import math
import time
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from experiments.provenance import Provenance, provenance, provenance_of
from experiments.records import DamagedRecord, Record, RecordStore, plain, record_key, write_atomically
from experiments.study import Findings, Study


class Event(NamedTuple):
    """One line of progress. kind: 'plan' (total runs known), 'ran', 'reused', 'damaged' (re-run follows), 'done'."""

    study: Study
    kind: str
    label: str
    outcome: str
    done: int
    total: int


def _stored(study: Study, keys: Sequence[str], store: RecordStore, damaged: Callable[[str], None]) -> dict[str, Record]:
    """The records that exist; a damaged one is reported and counts as absent."""
    found = {}
    for key in keys:
        try:
            record = store.get(key)
        except DamagedRecord as error:
            damaged(str(error))
        else:
            if record is not None:
                found[key] = record
    return found


def run_study(
    study: Study, preset: str, store: RecordStore, *, fresh: bool = False, report: Callable[[Event], None]
) -> tuple[Findings, Provenance]:
    """All records of a study's preset, measured where the store has none; the findings read from them; what made them.

    A record is stored the moment its run is finished: a kill loses the runs in flight and nothing else.
    """
    settings = study.presets[preset]
    runs = {record_key(study.name, study.schema, run): run for run in study.plan(settings)}
    total, done = len(runs), 0

    def tell(kind: str, label: str = "", outcome: str = "") -> None:
        report(Event(study, kind, label, outcome, done, total))

    tell("plan")
    records = {} if fresh else _stored(study, list(runs), store, lambda text: tell("damaged", outcome=text))
    for key in records:
        done += 1
        tell("reused", runs[key].label)
    made_by = provenance()
    missing = sorted((run for key, run in runs.items() if key not in records), key=lambda run: repr(study.batch(run)))
    for _, batch in groupby(missing, key=study.batch):
        since = time.monotonic()
        for run, measured in study.measure(list(batch)):
            key = record_key(study.name, study.schema, run)
            now = time.monotonic()
            records[key] = Record(
                key,
                study.name,
                plain(run),
                measured.scalars,
                measured.arrays,
                # Runs of a batch advance together: seconds since the one before it finished.
                {**made_by, "seconds": now - since},
            )
            since = now
            store.put(records[key])
            done += 1
            tell("ran", run.label, measured.outcome)
    tell("done")
    planned = [records[key] for key in runs]
    return study.find(settings, planned), provenance_of(planned)


def write_summary(study: Study, preset: str, findings: Findings, made: Provenance, folder: Path) -> dict[str, Any]:
    """Write a study's summary: all that its figure draws, what made it (made_by), what made its records."""
    summary = {
        "study": study.name,
        "code": study.code,
        "title": study.title,
        "question": study.question,
        "varied": study.varied,
        "control": study.control,
        "falsified_by": study.falsified_by,
        "words": findings.words,
        "preset": preset,
        "command": f"uniformity reproduce --preset {preset} --only {study.name}",
        "settings": plain(study.presets[preset]),
        "schema": study.schema,
        "made_by": provenance(),
        "records_made_by": made._asdict(),
        "slopes": [slope._asdict() for slope in findings.slopes],
        "estimates": [estimate._asdict() for estimate in findings.estimates],
        **findings.summary,
    }
    content = dump(summary)
    write_atomically(folder / f"{study.name}.json", content)
    return json.loads(content)  # as written, so that a figure redrawn from the file is the same


def dump(value: Any) -> bytes:
    """JSON for people and git: sorted, indented by one, floats to 6 significant digits; null for NaN and infinity."""
    return (json.dumps(_rounded(value), indent=1, sort_keys=True, allow_nan=False) + "\n").encode()


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value

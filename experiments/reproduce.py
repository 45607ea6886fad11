"""From presets to findings: plan the runs, reuse the records that exist, measure the rest, read them all."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from experiments.engine import Event, Outcome, run_all
from experiments.provenance import Provenance, provenance, provenance_of
from experiments.records import DamagedRecord, Record, RecordStore, plain, write_atomically
from experiments.study import Findings, Study


class Unfinished(Exception):
    """A study whose runs do not all have a record: some failed, or it was interrupted."""

    def __init__(self, outcome: Outcome) -> None:
        failed = [f"{failure.label}: {failure.reason}" for failure in outcome.failures]
        super().__init__(f"{len(failed)} failed, first {failed[0]}" if failed else "the study was interrupted")
        self.outcome = outcome


def run_study(
    study: Study,
    preset: str,
    store: RecordStore,
    *,
    client: Any = None,
    fresh: bool = False,
    report: Callable[[Event], None],
    stop: Callable[[], bool] = lambda: False,
) -> tuple[Findings, Provenance]:
    """All records of a study's preset, measured where the store has none; the findings read from them; what made them.

    client, fresh, stop, and what is raised: of experiments.engine.run_all. Raises Unfinished unless every run has a
    record.
    """
    settings = study.presets[preset]
    outcome = run_all(study, study.plan(settings), store, client=client, fresh=fresh, report=report, stop=stop)
    if outcome.failures or outcome.interrupted:
        raise Unfinished(outcome)
    records = [_stored(store, key) for key in outcome.keys]
    return study.find(settings, records), provenance_of(records)


def _stored(store: RecordStore, key: str) -> Record:
    record = store.get(key)
    if record is None:
        raise DamagedRecord(f"record {key}: it was stored, but is gone; does another process remove records?")
    return record


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

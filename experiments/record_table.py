"""Records as tables: what a store has of each study, the runs of one study, and all of it for polars, pandas, duckdb.

A run's configuration and scalars are in the records' json files; the arrays stay unread.
"""

import io
import json
import os
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from experiments.provenance import Provenance, code_version_of, provenance_of
from experiments.records import DamagedRecord, Head, read_head, schema_of


class Stored(NamedTuple):
    """heads: of the whole records, by study and key.  damaged: a sentence for each of the others."""

    heads: list[Head]
    damaged: list[str]


class StudyRecords(NamedTuple):
    """What a store has of one study.

    schemas: schema number (None: a key that its content does not have) -> records.  bytes: of their files.
    newest: seconds since the latest was written.
    """

    study: str
    records: int
    schemas: dict[int | None, int]
    bytes: int
    newest: float
    made_by: Provenance


class StoredRun(NamedTuple):
    """One run.  varied: the fields of its configuration that differ among the runs that are listed with it.

    outcome: the status it ended with, None where its study has none.  age: seconds since it was written.
    """

    key: str
    schema: int | None
    varied: dict[str, Any]
    outcome: str | None
    seconds: float
    age: float
    commit: str | None
    dirty: bool | None
    host: str | None


def stored(root: Path) -> Stored:
    """All records of a store. Raises OSError where there is no such folder."""
    found = Stored([], [])
    for name in sorted(os.listdir(root)):
        if not name.endswith(".json"):
            continue
        try:
            head = read_head(root / name)
        except FileNotFoundError:
            continue  # removed since the folder was read
        except DamagedRecord as error:
            found.damaged.append(str(error))
        else:
            found.heads.append(head)
    found.heads.sort(key=lambda head: head.study)
    return found


def by_study(root: Path, heads: Sequence[Head]) -> list[StudyRecords]:
    """A row a study."""
    rows = []
    for study in sorted({head.study for head in heads}):
        own = [head for head in heads if head.study == study]
        files = [path.stat() for head in own for path in _files(root, head)]
        schemas = Counter(schema_of(head) for head in own)
        rows.append(
            StudyRecords(
                study,
                len(own),
                dict(sorted(schemas.items(), key=lambda item: item[0] or 0)),
                sum(file.st_size for file in files),
                time.time() - max(file.st_mtime for file in files),
                provenance_of(own),
            )
        )
    return rows


def runs(root: Path, heads: Sequence[Head]) -> list[StoredRun]:
    """A row a run, the latest last."""
    configs = [flat(head.config) for head in heads]
    names = dict.fromkeys(name for config in configs for name in config)
    varied = [name for name in names if len({json.dumps(config.get(name)) for config in configs}) > 1]
    rows = []
    for head, config in zip(heads, configs):
        version = code_version_of(head.provenance)
        rows.append(
            StoredRun(
                head.key,
                schema_of(head),
                {name: config[name] for name in varied if name in config},
                head.scalars.get("status"),
                head.provenance["seconds"],
                time.time() - (root / f"{head.key}.json").stat().st_mtime,
                version.commit,
                version.dirty,
                head.provenance.get("host"),
            )
        )
    return sorted(rows, key=lambda row: -row.age)


def table(heads: Sequence[Head]) -> pa.Table:
    """One row a run: key, study, schema, config.*, scalars.*, and what made it; the union of all runs' columns.

    Numbers, flags and texts keep their types and None is null; a list of numbers is a list. A column whose values are
    of several kinds (texts in one study, numbers in another) has them all as JSON texts.
    """
    rows = [_row(head) for head in heads]
    names = dict.fromkeys(name for row in rows for name in row)
    order = sorted(names, key=_group)
    return pa.table({name: _column([row.get(name) for row in rows]) for name in order})


def parquet(rows: pa.Table) -> bytes:
    """A table as a parquet file."""
    stream = io.BytesIO()
    pq.write_table(rows, stream)
    return stream.getvalue()


_GROUPS = ("key", "study", "schema", "config", "scalars")


def _group(name: str) -> int:
    first = name.split(".")[0]
    return _GROUPS.index(first) if first in _GROUPS else len(_GROUPS)


def _row(head: Head) -> dict[str, Any]:
    made = {name: value for name, value in head.provenance.items() if name not in ("commit", "dirty")}
    return {
        "key": head.key,
        "study": head.study,
        "schema": schema_of(head),
        **flat(head.config, "config."),
        **flat(head.scalars, "scalars."),
        **code_version_of(head.provenance)._asdict(),
        **flat(made),
    }


def flat(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"a": {"b": 1}} as {"a.b": 1}; lists stay lists."""
    found: dict[str, Any] = {}
    for name, value in nested.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return found


def _column(values: list[Any]) -> pa.Array:
    kinds = {type(value) for value in values} - {type(None)}
    try:
        if kinds == {int, float}:
            return pa.array([None if value is None else float(value) for value in values])
        if len(kinds) <= 1:
            return pa.array(values)
    except (pa.ArrowException, OverflowError):
        pass  # lists of several kinds, or a whole number beyond 64 bits
    return _as_json(values)


def _as_json(values: Iterable[Any]) -> pa.Array:
    return pa.array([None if value is None else json.dumps(value) for value in values], pa.string())


def _files(root: Path, head: Head) -> list[Path]:
    return [path for suffix in ("json", "npz") if (path := root / f"{head.key}.{suffix}").exists()]

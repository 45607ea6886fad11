"""`uniformity records`: look after what `reproduce` and `sweep` have stored."""

import json as json_format
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cyclopts

from figures.commands.asked import BadInput

if TYPE_CHECKING:
    from experiments.records import Head

records = cyclopts.App(name="records", help="List, show, check, tidy and export the records of measured runs.")


@records.command
def ls(*, study: str | None = None, out: Path = Path("out"), json: bool = False) -> int:
    """List what is stored of each study, or the runs of one.

    Parameters
    ----------
    study
        List the runs of this study, the latest last, by the fields in which they differ.
    out
        Folder of the `reproduce` or `sweep` whose records are meant (out/float32 for those of single precision).
    json
        Print the list as JSON.
    """
    from experiments.record_table import by_study, runs
    from figures.records_screen import print_runs, print_studies

    root = _root(out)
    heads, damaged = _stored(root, study)
    rows = [row._asdict() for row in (by_study(root, heads) if study is None else runs(root, heads))]
    if json:
        print(json_format.dumps([_plain(row) for row in rows], indent=1))
    elif study is None:
        print_studies(rows, root)
    else:
        print_runs(rows)
    _tell_damaged(damaged)
    return 0


@records.command
def show(key: str, /, *, out: Path = Path("out"), json: bool = False) -> int:
    """Show one record: configuration, scalars, what made it, the names and shapes of its arrays.

    Parameters
    ----------
    key
        Its key, or a beginning that no other record's key has.
    out
        Folder of the `reproduce` or `sweep` whose records are meant.
    json
        Print it as JSON.
    """
    from experiments.record_health import keys_in, stored_files
    from experiments.records import DamagedRecord, read_arrays, read_head, schema_of
    from figures.records_screen import print_record

    root = _root(out)
    keys = [stored for stored in keys_in(stored_files(root)) if stored.startswith(key)]
    if len(keys) != 1:
        some = f" ({', '.join(keys[:3])}{', ...' if len(keys) > 3 else ''})" if keys else ""
        raise BadInput(f"KEY must be the beginning of one record's key, but {key!r} is that of {len(keys)}{some}")
    try:
        head = read_head(root / f"{keys[0]}.json")
        arrays = read_arrays(root, head)
    except DamagedRecord as error:
        raise BadInput(f"a record must be whole to be shown, but {error}") from error
    known = {
        "key": head.key,
        "study": head.study,
        "schema": schema_of(head),
        "config": head.config,
        "scalars": head.scalars,
        "arrays": {name: {"shape": list(array.shape), "dtype": str(array.dtype)} for name, array in arrays.items()},
        "provenance": head.provenance,
    }
    if json:
        print(json_format.dumps(known, indent=1))
    else:
        print_record(known)
    return 0


@records.command
def check(*, out: Path = Path("out"), json: bool = False) -> int:
    """Check every byte of every record against its hashes, and every key against its content; exit 1 if one is damaged.

    Parameters
    ----------
    out
        Folder of the `reproduce` or `sweep` whose records are meant.
    json
        Print what was found as JSON.
    """
    from experiments.record_health import examine
    from figures.records_screen import print_health

    root = _root(out)
    health = examine(root)
    if json:
        findings = [
            {"kind": found.kind.value, "files": [file.name for file in found.files], "said": found.said}
            for found in health.findings
        ]
        print(json_format.dumps({"records": health.records, "bytes": health.bytes, "findings": findings}, indent=1))
    else:
        print_health(health, root)
    return 1 if health.damaged else 0


@records.command
def gc(*, out: Path = Path("out"), damaged: bool = False, outdated: bool = False, dry_run: bool = False) -> int:
    """Remove what killed writers left an hour or more ago; whole records of the present schema always stay.

    Parameters
    ----------
    out
        Folder of the `reproduce` or `sweep` whose records are meant.
    damaged
        Remove damaged records too; the next run measures them again.
    outdated
        Remove records too that are of an older schema than their study has now, which nothing will reuse.
    dry_run
        Say what would be removed, and remove nothing.
    """
    from experiments.record_removal import removable, remove
    from figures.records_screen import print_removals

    present = None
    if outdated:
        from experiments.studies import STUDIES

        present = {name: study.schema for name, study in STUDIES.items()}
    root = _root(out)
    found = removable(root, damaged=damaged, present=present)
    print_removals(found if dry_run else list(remove(root, found)), dry_run=dry_run)
    return 0


@records.command
def export(*, parquet: Path, study: str | None = None, out: Path = Path("out")) -> int:
    """Write the records as one tidy table, a row a run, for polars, pandas or duckdb.

    Columns: key, study, schema, config.* and scalars.* by name, and what made the run (commit, dirty, versions.*,
    device, machine, dtype, host, seconds). Arrays stay in the store.

    Parameters
    ----------
    parquet
        The file.
    study
        Only the records of this study.
    out
        Folder of the `reproduce` or `sweep` whose records are meant.
    """
    from experiments import record_table
    from experiments.records import write_atomically

    heads, damaged = _stored(_root(out), study)
    table = record_table.table(heads)
    write_atomically(parquet, record_table.parquet(table))
    print(f"{parquet}: {table.num_rows:,} runs, {table.num_columns:,} columns")
    _tell_damaged(damaged)
    return 1 if damaged else 0


def _root(out: Path) -> Path:
    root = out / "records"
    if not root.is_dir():
        raise BadInput(f"--out must be a folder that holds records, but there is no folder {root}")
    return root


def _stored(root: Path, study: str | None) -> "tuple[list[Head], list[str]]":
    from experiments.record_table import stored

    found = stored(root)
    heads = [head for head in found.heads if study in (None, head.study)]
    if not heads and study is not None:
        known = ", ".join(sorted({head.study for head in found.heads})) or "there are no records"
        raise BadInput(f"--study must be a study that has records ({known}), but was {study!r}")
    if not heads:
        raise BadInput(f"--out must be a folder that holds records, but {root} holds none")
    return heads, found.damaged


def _tell_damaged(damaged: list[str]) -> None:
    if damaged:
        told = f"{len(damaged)} damaged records are left out; `uniformity records check` names them"
        print(f"uniformity: {told}", file=sys.stderr)


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value._asdict() if hasattr(value, "_asdict") else value for name, value in row.items()}

"""Are the records whole? Every file of a store against its hashes, and every key against what it names.

Nothing here writes. Drivers may store records meanwhile.
"""

import json
import os
import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from experiments.records import DamagedRecord, read_arrays_file, read_head, schema_of, written_json

_KEY = re.compile(r"[0-9a-f]{32}")
_LOCK = ".lock"


class Kind(StrEnum):
    """What is wrong: with a record (DAMAGED, UNREADABLE), or nothing (the other three, which are no records)."""

    DAMAGED = "damaged"
    UNREADABLE = "unreadable"
    UNFINISHED = "unfinished"
    TEMPORARY = "temporary"
    FOREIGN = "foreign"


class StoredFile(NamedTuple):
    """A file as it was seen; another inode or time of the same name is another file."""

    name: str
    inode: int
    modified_ns: int
    size: int


class Finding(NamedTuple):
    """files: one record's, or a single one.  said: which file and what is wrong with it, in one phrase."""

    kind: Kind
    files: tuple[StoredFile, ...]
    said: str


class Health(NamedTuple):
    """records: whole and damaged ones.  bytes: of all files.  findings: in the order of the files' names."""

    records: int
    bytes: int
    findings: list[Finding]

    @property
    def damaged(self) -> list[Finding]:
        """What a record is lost by."""
        return [found for found in self.findings if found.kind in (Kind.DAMAGED, Kind.UNREADABLE)]


def stored_files(root: Path) -> dict[str, StoredFile]:
    """The files of a store by name, in order. Raises OSError where there is no such folder."""
    found = {}
    with os.scandir(root) as entries:
        for entry in entries:
            try:
                if entry.is_file(follow_symlinks=False):
                    found[entry.name] = as_seen(entry.name, entry.stat(follow_symlinks=False))
            except FileNotFoundError:
                continue  # a writer renamed its temporary
    return dict(sorted(found.items()))


def as_seen(name: str, stat: os.stat_result) -> StoredFile:
    """What tells a file from a later one of the same name."""
    return StoredFile(name, stat.st_ino, stat.st_mtime_ns, stat.st_size)


def keys_in(files: Mapping[str, StoredFile]) -> list[str]:
    """Keys of the committed records among a store's files."""
    return [name[:-5] for name in files if name.endswith(".json") and _KEY.fullmatch(name[:-5])]


def examine(root: Path) -> Health:
    """Every record's bytes against its hashes, and whatever else lies in a store. Raises OSError for no folder."""
    files = stored_files(root)
    keys = keys_in(files)
    findings = [found for key in keys if (found := _settled(root, key, files))]
    return Health(len(keys), sum(file.size for file in files.values()), [*findings, *leftovers(files)])


def leftovers(files: Mapping[str, StoredFile]) -> list[Finding]:
    """What is no record: temporaries, arrays whose json never came, files of somebody else."""
    found = []
    for name, file in files.items():
        stem, dot, suffix = name.rpartition(".")
        if suffix == "tmp" and name.startswith("."):
            found.append(
                Finding(Kind.TEMPORARY, (file,), f"{name} is half-written: its writer is at work or was killed")
            )
        elif dot and _KEY.fullmatch(stem) and suffix == "npz":
            if f"{stem}.json" not in files:
                found.append(Finding(Kind.UNFINISHED, (file,), f"{name} has no {stem}.json: its writer was killed"))
        elif name != _LOCK and not (dot and _KEY.fullmatch(stem) and suffix == "json"):
            found.append(Finding(Kind.FOREIGN, (file,), f"{name} is no file of a record"))
    return found


def fault(root: Path, key: str) -> str | None:
    """What is wrong with a record's bytes, or with its key; None for a whole record. Raises OSError if unreadable."""
    path = root / f"{key}.json"
    try:
        head = read_head(path)
        read_arrays_file(root, head)
    except DamagedRecord as error:
        return str(error).removeprefix(f"record {key}: ")
    # The hash is of what the json says; one more space, or E for e in a number, says the same.
    text = path.read_bytes()
    if written_json(json.loads(text)) != text:
        return f"{path.name} says what was recorded, but not in the bytes that were written"
    if schema_of(head) is None:
        return f"{path.name} has a key that is not that of its study and configuration"
    return None


def _settled(root: Path, key: str, files: Mapping[str, StoredFile]) -> Finding | None:
    try:
        # A writer takes the json away before it renews the arrays: at a second look it is gone, or the record whole.
        said = fault(root, key) and fault(root, key)
    except FileNotFoundError:
        return None  # removed since the folder was read
    except OSError as error:
        name = Path(error.filename).name if error.filename else f"{key}.json"
        return Finding(Kind.UNREADABLE, _files_of(key, files), f"{name} cannot be read: {error.strerror}")
    return Finding(Kind.DAMAGED, _files_of(key, files), said) if said else None


def _files_of(key: str, files: Mapping[str, StoredFile]) -> tuple[StoredFile, ...]:
    return tuple(files[name] for name in (f"{key}.json", f"{key}.npz") if name in files)

"""What can go from a store: leftovers of killed writers, and on request damaged records and those of older schemas.

A whole record of the present schema never goes. Drivers may store records meanwhile: a leftover goes only when it is
older than any writer is slow, and a record's file only under the lock of its key and if it is the one that was judged.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from experiments.record_health import Kind, StoredFile, as_seen, examine, keys_in, leftovers, stored_files
from experiments.records import STALE_SECONDS, DamagedRecord, alone, read_head, schema_of


class Removal(NamedTuple):
    """why: 'temporary', 'unfinished', 'damaged' or 'outdated'.  files: the json before the npz.  said: one phrase."""

    why: str
    files: tuple[StoredFile, ...]
    said: str

    @property
    def bytes(self) -> int:
        """What the files hold."""
        return sum(file.size for file in self.files)


def removable(root: Path, *, damaged: bool = False, present: Mapping[str, int] | None = None) -> list[Removal]:
    """What may go from the store at `root`.

    damaged: records that are damaged too.  present: study -> its schema number; records of these studies with older
    ones go too. Raises OSError where there is no such folder.
    """
    files = stored_files(root)
    found = [
        Removal(left.kind.value, left.files, left.said)
        for left in leftovers(files)
        if left.kind in (Kind.TEMPORARY, Kind.UNFINISHED) and _stale(left.files[0])
    ]
    if damaged:
        found += [Removal("damaged", bad.files, bad.said) for bad in examine(root).findings if bad.kind is Kind.DAMAGED]
    if present:
        found += _outdated(root, files, present)
    return found


def remove(root: Path, removals: Sequence[Removal]) -> Iterator[Removal]:
    """Remove them, one after the other; yields each that is gone. What a writer has renewed meanwhile stays."""
    for removal in removals:
        if removal.why == "temporary":  # of no key that anybody waits for
            gone = _remove(root, removal.files[0])
        else:
            with alone(root, Path(removal.files[0].name).stem):
                # The json first: what a kill leaves is then no damaged record, but none. If it stays, so do its arrays.
                gone = all(_remove(root, file) for file in removal.files)
        if gone:
            yield removal


def _stale(file: StoredFile) -> bool:
    return time.time() - file.modified_ns / 1e9 > STALE_SECONDS


def _outdated(root: Path, files: Mapping[str, StoredFile], present: Mapping[str, int]) -> Iterator[Removal]:
    for key in keys_in(files):
        try:
            head = read_head(root / f"{key}.json")
        except (DamagedRecord, FileNotFoundError):
            continue  # damage is another question
        schema = schema_of(head)
        if schema is not None and schema < present.get(head.study, 0):
            said = f"{key} is of schema {schema} of {head.study}, whose present one is {present[head.study]}"
            yield Removal("outdated", tuple(files[n] for n in (f"{key}.json", f"{key}.npz") if n in files), said)


def _remove(root: Path, file: StoredFile) -> bool:
    """Remove a file that still is the one that was seen; whether it was."""
    path = root / file.name
    try:
        if as_seen(file.name, path.stat()) != file:
            return False
        path.unlink()
    except FileNotFoundError:
        return False
    return True

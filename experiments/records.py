"""The record store: one measured run a record, found by what was run, never lost or half-written.

Reuse rule, in one sentence: a record is reused if and only if a record with the same key exists and its bytes still
match their hashes, the key being the hash of the study's name, the study's schema number and the run's
configuration. Whoever changes what a study measures raises its schema number.

A record is `<key>.npz` (arrays) and then `<key>.json` (configuration, scalars, provenance, the hash of the npz and of
the json itself). Each is written to a temporary file, flushed to disk and renamed into place, and the json comes
last: its presence is the commit mark, and a kill at any moment leaves either a whole record or none. Several processes
may write to one store: who writes a key holds a lock on it.
"""

import dataclasses
import errno
import fcntl
import hashlib
import io
import json
import math
import os
import tempfile
import time
import typing
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

STALE_SECONDS = 3600.0
"""Age from which what is half-done (a temporary file, arrays without their json) has no writer any more."""
_MOST_SCHEMAS = 100


class Record(NamedTuple):
    """One measured run.

    config: the run's configuration as plain values.  scalars: named numbers and strings (None where unmeasured).
    arrays: named float or int arrays.  provenance: versions, device, commit, wall time of the run that made it.
    """

    key: str
    study: str
    config: dict[str, Any]
    scalars: dict[str, Any]
    arrays: dict[str, np.ndarray]
    provenance: dict[str, Any]


class Head(NamedTuple):
    """All of a stored record but its arrays, of which it has the hash of their file's bytes."""

    key: str
    study: str
    config: dict[str, Any]
    scalars: dict[str, Any]
    provenance: dict[str, Any]
    arrays_sha256: str


class DamagedRecord(Exception):
    """A stored record whose bytes do not match their hash; says which and why."""


def plain(config: Any) -> Any:
    """A frozen dataclass as nested plain values, each field cast through its declared type.

    1 and 1.0 in a float field are the same configuration. Raises ValueError for NaN or infinity, and TypeError for a
    value that is not a number, a string, a bool, None, a sequence or a dataclass of these.
    """
    if dataclasses.is_dataclass(config) and not isinstance(config, type):
        hints = typing.get_type_hints(type(config))
        fields = {}
        for field in dataclasses.fields(config):
            value = getattr(config, field.name)
            wants_float = hints[field.name] in (float, float | None) and isinstance(value, int)
            fields[field.name] = plain(float(value) if wants_float else value)
        return fields
    if isinstance(config, (tuple, list)):
        return [plain(value) for value in config]
    if isinstance(config, Mapping):
        return {str(name): plain(value) for name, value in config.items()}
    if isinstance(config, float) and not math.isfinite(config):
        raise ValueError(f"configuration values must be finite, got {config}")
    if config is None or isinstance(config, (bool, int, float, str)):
        return config
    raise TypeError(f"configuration values must be plain, got {type(config).__name__}")


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def record_key(study: str, schema: int, config: Any) -> str:
    """Content address of a run: the first 32 hexadecimal digits of the SHA-256 of its canonical form."""
    return hashlib.sha256(_canonical({"study": study, "schema": schema, "config": plain(config)})).hexdigest()[:32]


def schema_of(head: Head) -> int | None:
    """The schema number under which a record's content has its key; None where no number up to 100 gives that key."""
    numbers = range(1, _MOST_SCHEMAS + 1)
    return next((n for n in numbers if record_key(head.study, n, head.config) == head.key), None)


def write_atomically(path: Path, content: bytes | Iterable[bytes]) -> None:
    """Write a file, in one piece or in several, so that a reader, or a crash, sees the old content or the new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as stream:
            os.fchmod(handle, 0o644)  # mkstemp makes files that only their owner may read
            stream.writelines([content] if isinstance(content, bytes) else content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def written_json(body: Mapping[str, Any]) -> bytes:
    """The bytes of a record's json file."""
    return json.dumps(body, indent=1, sort_keys=True).encode()


def read_head(path: Path) -> Head:
    """What a record's json file says. Raises DamagedRecord when it does not match its hash, OSError where none is."""
    text = path.read_bytes()
    try:
        body = json.loads(text)
        claimed = body.pop("sha256")
        # Damage may have made a number infinite, which has no canonical form.
        actual = hashlib.sha256(_canonical(body)).hexdigest()
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise DamagedRecord(f"record {path.stem}: {path.name} is not a whole json object ({error})") from error
    if actual != claimed or body.get("key") != path.stem:
        raise DamagedRecord(f"record {path.stem}: {path.name} does not match its hash")
    return Head(*(body[name] for name in Head._fields))


def read_arrays(root: Path, head: Head) -> dict[str, np.ndarray]:
    """A record's arrays. Raises DamagedRecord when their file is missing or does not match the hash in the head."""
    content = read_arrays_file(root, head)
    with np.load(io.BytesIO(content), allow_pickle=False) as loaded:
        return {name: loaded[name] for name in loaded.files}


def read_arrays_file(root: Path, head: Head) -> bytes:
    """The bytes of a record's npz file, which match their hash; else as read_arrays."""
    try:
        content = (root / f"{head.key}.npz").read_bytes()
    except FileNotFoundError as error:
        raise DamagedRecord(f"record {head.key}: {head.key}.npz is missing") from error
    if hashlib.sha256(content).hexdigest() != head.arrays_sha256:
        raise DamagedRecord(f"record {head.key}: {head.key}.npz does not match its hash")
    return content


@contextmanager
def alone(root: Path, key: str) -> Iterator[None]:
    """No other process writes this key meanwhile: a byte of the lock file a key; a lock ends with its process."""
    with (root / ".lock").open("a") as stream:
        place = int.from_bytes(hashlib.sha256(key.encode()).digest()[:4])
        try:
            fcntl.lockf(stream, fcntl.LOCK_EX, 1, place)
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.ENOTSUP):  # a file system without locks
                raise
        yield


class RecordStore:
    """Records of all studies under one folder."""

    def __init__(self, root: Path) -> None:
        """Open (or make) the store at `root`, sweeping temporaries that a killed writer left an hour or more ago."""
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        for leftover in root.glob(".*.tmp"):
            if time.time() - leftover.stat().st_mtime > STALE_SECONDS:
                leftover.unlink(missing_ok=True)

    def put(self, record: Record) -> None:
        """Store a record; an existing one of the same key is replaced."""
        with alone(self.root, record.key):
            # A kill on the way leaves no record rather than the arrays of one beside the numbers of the other.
            (self.root / f"{record.key}.json").unlink(missing_ok=True)
            self._write(record)

    def add(self, record: Record) -> bool:
        """Store a record unless a whole one of its key is there, as when another process was first; whether it was."""
        with alone(self.root, record.key):
            try:
                if self.check(record.key) is not None:
                    return False
            except DamagedRecord:
                (self.root / f"{record.key}.json").unlink(missing_ok=True)
            self._write(record)
            return True

    def _write(self, record: Record) -> None:
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **record.arrays)
        arrays = buffer.getvalue()
        body = {
            "key": record.key,
            "study": record.study,
            "config": record.config,
            "scalars": plain(record.scalars),
            "provenance": record.provenance,
            "arrays_sha256": hashlib.sha256(arrays).hexdigest(),
        }
        body["sha256"] = hashlib.sha256(_canonical(body)).hexdigest()
        write_atomically(self.root / f"{record.key}.npz", arrays)
        write_atomically(self.root / f"{record.key}.json", written_json(body))

    def check(self, key: str) -> Head | None:
        """The record's head, or None when there is no record; bytes are checked as by `get`, but no array unpacked."""
        try:
            head = read_head(self.root / f"{key}.json")
        except FileNotFoundError:
            return None
        read_arrays_file(self.root, head)
        return head

    def get(self, key: str) -> Record | None:
        """The record, or None when there is none. Raises DamagedRecord when its bytes do not match their hashes."""
        try:
            head = read_head(self.root / f"{key}.json")
        except FileNotFoundError:
            return None
        return Record(key, head.study, head.config, head.scalars, read_arrays(self.root, head), head.provenance)

    def keys(self) -> Iterator[str]:
        """Keys of all committed records, in order."""
        return (path.stem for path in sorted(self.root.glob("*.json")))

"""What goes from a store and what stays: old leftovers, and on request damaged and outdated records, nothing else."""

import os
import time

import pytest
from stored_runs import run, stored

from experiments.record_removal import removable, remove
from experiments.records import STALE_SECONDS

PRESENT = {"slowdown": 2}


def aged(path):
    """The path, whose file was written long ago."""
    os.utime(path, (time.time() - 2 * STALE_SECONDS,) * 2)
    return path


@pytest.fixture
def store(tmp_path):
    return stored(tmp_path, *(run(seed, schema=2) for seed in range(3)))


def names(store):
    return {path.name for path in store.root.iterdir() if path.name != ".lock"}


def test_whole_present_records_stay_whatever_is_asked_for_and_however_old_they_are(store):
    before = names(store)
    for path in store.root.iterdir():
        aged(path)
    assert not removable(store.root, damaged=True, present=PRESENT)
    assert names(store) == before


def test_leftovers_go_once_no_writer_can_be_at_work(store):
    old, new = run(7).key, run(8).key
    gone = [store.root / f".{old}.json.x.tmp", store.root / f"{old}.npz"]
    for path in gone:
        path.write_bytes(b"1")
        aged(path)
    for name in (f".{new}.json.x.tmp", f"{new}.npz", "notes.txt"):
        (store.root / name).write_bytes(b"half")
    aged(store.root / "notes.txt")
    before = names(store)
    removals = removable(store.root)
    assert [(removal.why, removal.bytes) for removal in removals] == [("temporary", 1), ("unfinished", 1)]
    assert names(store) == before  # asking removes nothing
    assert list(remove(store.root, removals)) == removals
    assert before - names(store) == {path.name for path in gone}


def test_damaged_records_go_on_request_alone(store):
    key = run(1, schema=2).key
    (store.root / f"{key}.npz").write_bytes(b"")
    assert not removable(store.root, present=PRESENT)
    (removal,) = remove(store.root, removable(store.root, damaged=True))
    assert removal.why == "damaged" and {file.name for file in removal.files} == {f"{key}.json", f"{key}.npz"}
    assert store.get(key) is None and len(list(store.keys())) == 2


def test_older_schemas_of_known_studies_go_on_request_alone(store):
    older, newer, unknown = run(schema=1), run(schema=3), run(study="elsewhere", schema=1)
    for record in (older, newer, unknown):
        store.put(record)
    assert not removable(store.root, damaged=True)
    (removal,) = remove(store.root, removable(store.root, present=PRESENT))
    assert removal.why == "outdated" and "schema 1 of slowdown, whose present one is 2" in removal.said
    assert store.get(older.key) is None and store.get(newer.key) is not None and store.get(unknown.key) is not None


def test_what_was_renewed_between_the_look_and_the_removal_stays(store):
    damaged, orphan = run(1, schema=2), run(9, schema=2)
    (store.root / f"{damaged.key}.npz").write_bytes(b"")
    aged(stored(store.root, orphan).root / f"{orphan.key}.npz")
    (store.root / f"{orphan.key}.json").unlink()
    removals = removable(store.root, damaged=True)
    assert {removal.why for removal in removals} == {"damaged", "unfinished"}
    for record in (damaged, orphan):
        store.put(record)
    assert not list(remove(store.root, removals))
    assert all(store.get(record.key) is not None for record in (damaged, orphan))

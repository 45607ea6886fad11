"""What looks whole is whole: any changed byte is found, and so is all that is no record; nothing found is made up."""

import os

import numpy as np
import pytest
from stored_runs import run, stored

from experiments import record_health
from experiments.record_health import Kind, examine, fault


@pytest.fixture
def store(tmp_path):
    return stored(tmp_path, *(run(seed) for seed in range(3)))


def test_whole_records_are_whole(store):
    health = examine(store.root)
    assert health.records == 3 and not health.findings and not health.damaged
    assert health.bytes == sum(path.stat().st_size for path in store.root.iterdir())


@pytest.mark.parametrize("suffix", ["json", "npz"])
def test_every_flipped_byte_and_any_cut_is_found(store, suffix):
    """Flips at every position: of one bit, into the other case (e and E of a number), at random; and lengths."""
    key = run(1).key
    path = store.root / f"{key}.{suffix}"
    content = path.read_bytes()
    masks = np.random.default_rng(0).integers(1, 256, len(content))
    for place, random in enumerate(masks):
        for mask in {1, 0x20, int(random)} if suffix == "json" else {int(random)}:
            path.write_bytes(content[:place] + bytes([content[place] ^ mask]) + content[place + 1 :])
            assert fault(store.root, key), (place, mask)
    for length in range(0, len(content), 7):
        path.write_bytes(content[:length])
        assert fault(store.root, key), length
    path.write_bytes(content + b"\n")
    assert fault(store.root, key)
    path.write_bytes(content)
    assert fault(store.root, key) is None


def test_damage_names_the_file_and_what_is_wrong(store):
    cut, lost, misfiled = (run(seed) for seed in range(3))
    (store.root / f"{cut.key}.npz").write_bytes(b"")
    (store.root / f"{lost.key}.npz").unlink()
    store.put(misfiled._replace(config={**misfiled.config, "seed": 99}))
    found = {finding.files[0].name: finding for finding in examine(store.root).damaged}
    assert {name: finding.said for name, finding in found.items()} == {
        f"{cut.key}.json": f"{cut.key}.npz does not match its hash",
        f"{lost.key}.json": f"{lost.key}.npz is missing",
        f"{misfiled.key}.json": f"{misfiled.key}.json has a key that is not that of its study and configuration",
    }
    assert len(found[f"{cut.key}.json"].files) == 2 and len(found[f"{lost.key}.json"].files) == 1


def test_a_record_of_another_schema_has_its_key(tmp_path):
    assert not examine(stored(tmp_path, run(schema=7)).root).findings


def test_what_is_no_record_is_said_and_is_no_damage(store):
    unfinished = run(1).key
    (store.root / f"{unfinished}.json").unlink()
    (store.root / f".{unfinished}.json.abc.tmp").write_bytes(b"half")
    (store.root / "notes.json").write_text("{}")
    health = examine(store.root)
    assert health.records == 2 and not health.damaged
    assert {(finding.kind, finding.files[0].name) for finding in health.findings} == {
        (Kind.UNFINISHED, f"{unfinished}.npz"),
        (Kind.TEMPORARY, f".{unfinished}.json.abc.tmp"),
        (Kind.FOREIGN, "notes.json"),
    }
    assert all(finding.files[0].name in finding.said for finding in health.findings)


def test_a_file_that_cannot_be_read_is_reported_with_the_rest(store):
    path = store.root / f"{run(1).key}.npz"
    path.unlink()
    os.mkdir(path)
    (finding,) = examine(store.root).damaged
    assert finding.kind is Kind.UNREADABLE and path.name in finding.said


def test_a_writer_at_work_is_no_damage(store, monkeypatch):
    """A record renewed, with other arrays, between the look at its json and the look at its arrays."""
    read, renewals = record_health.read_arrays_file, [run(1)._replace(arrays={"loss": np.ones(5)})]

    def read_late(root, head):
        if head.key == run(1).key and renewals:
            store.put(renewals.pop())
        return read(root, head)

    monkeypatch.setattr(record_health, "read_arrays_file", read_late)
    assert not examine(store.root).findings and not renewals


def test_no_folder_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        examine(tmp_path / "nowhere")

"""The record store: content-addressed, atomic, hashed; damage is found, kills lose nothing that was committed."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass

import numpy as np
import pytest

from experiments.records import DamagedRecord, Record, RecordStore, plain, record_key


@dataclass(frozen=True)
class Inner:
    width: int
    eps: float | None = None


@dataclass(frozen=True)
class Config:
    inner: Inner
    step_size: float
    shape: tuple[int, ...] = (2, 3)


def example(key: str = "k", value: float = 1.5) -> Record:
    arrays = {"loss": np.linspace(0, value, 50), "step": np.arange(4)}
    return Record(key, "slowdown", {"h": 0.1}, {"steps": 3, "gap": None}, arrays, {"commit": "c"})


def test_a_record_comes_back_bit_for_bit(tmp_path):
    store = RecordStore(tmp_path)
    stored = example()
    store.put(stored)
    back = store.get("k")
    assert back._replace(arrays={}) == stored._replace(arrays={})
    assert all(np.array_equal(back.arrays[name], stored.arrays[name]) for name in stored.arrays)
    assert back.arrays["step"].dtype == stored.arrays["step"].dtype
    assert list(store.keys()) == ["k"]


def test_absent_is_none(tmp_path):
    assert RecordStore(tmp_path).get("nothing") is None


@pytest.mark.parametrize("suffix", ["json", "npz"])
@pytest.mark.parametrize("damage", ["truncate", "flip", "empty"])
def test_a_damaged_byte_is_found_and_a_rewrite_heals(tmp_path, suffix, damage):
    store = RecordStore(tmp_path)
    store.put(example())
    path = tmp_path / f"k.{suffix}"
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(
        {
            "truncate": content[:middle],
            "flip": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
            "empty": b"",
        }[damage]
    )
    with pytest.raises(DamagedRecord, match=r"record k: k\."):
        store.get("k")
    store.put(example())
    assert store.get("k") is not None


def test_every_flipped_byte_of_the_json_is_found(tmp_path):
    store = RecordStore(tmp_path)
    store.put(example())
    path = tmp_path / "k.json"
    content = path.read_bytes()
    for position in range(0, len(content), 7):
        path.write_bytes(content[:position] + bytes([content[position] ^ 4]) + content[position + 1 :])
        try:
            record = store.get("k")
        except DamagedRecord:
            continue
        # White space may change without changing what was recorded.
        assert record._replace(arrays={}) == example()._replace(arrays={})


def test_a_number_damaged_to_infinity_is_found(tmp_path):
    store = RecordStore(tmp_path)
    store.put(example()._replace(config={"h": 1.5e-05}))
    path = tmp_path / "k.json"
    path.write_text(path.read_text().replace("1.5e-05", "1.5e905"))
    with pytest.raises(DamagedRecord, match=r"k\.json"):
        store.get("k")


def test_missing_arrays_are_damage(tmp_path):
    store = RecordStore(tmp_path)
    store.put(example())
    (tmp_path / "k.npz").unlink()
    with pytest.raises(DamagedRecord, match="missing"):
        store.get("k")


def test_arrays_without_json_are_no_record(tmp_path):
    store = RecordStore(tmp_path)
    store.put(example())
    (tmp_path / "k.json").unlink()
    assert store.get("k") is None


def test_stale_temporaries_are_swept_and_fresh_ones_left(tmp_path):
    stale, fresh = tmp_path / ".a.json.x.tmp", tmp_path / ".b.json.y.tmp"
    for path in (stale, fresh):
        path.write_bytes(b"half")
    os.utime(stale, (time.time() - 7200,) * 2)
    RecordStore(tmp_path)
    assert not stale.exists() and fresh.exists()


def test_the_key_depends_on_values_and_not_on_their_spelling():
    base = record_key("slowdown", 1, Config(Inner(3), 1.0))
    assert base == record_key("slowdown", 1, Config(Inner(3), 1)) == record_key("slowdown", 1, Config(Inner(3), 1.0))
    others = [
        record_key("slowdown", 2, Config(Inner(3), 1.0)),
        record_key("other", 1, Config(Inner(3), 1.0)),
        record_key("slowdown", 1, Config(Inner(4), 1.0)),
        record_key("slowdown", 1, Config(Inner(3, 0.1), 1.0)),
        record_key("slowdown", 1, Config(Inner(3), float(np.nextafter(1.0, 2.0)))),
    ]
    assert len({base, *others}) == 6


def test_configurations_are_finite_and_plain():
    with pytest.raises(ValueError, match="finite"):
        plain(Config(Inner(3), float("nan")))
    with pytest.raises(TypeError, match="ndarray"):
        plain({"x": np.zeros(2)})
    assert plain(Config(Inner(3), 2)) == {"inner": {"width": 3, "eps": None}, "step_size": 2.0, "shape": [2, 3]}


WRITER = """
import sys, numpy as np
from pathlib import Path
from experiments.records import Record, RecordStore
store = RecordStore(Path(sys.argv[1]))
print("up", flush=True)
for n in range(100000):
    key = f"k{n % 40}"
    store.put(Record(key, "s", {"n": n % 40}, {}, {"x": np.full(20000, n % 40, float)}, {}))
"""


def test_killed_writers_leave_only_whole_records(tmp_path):
    for round_ in range(2):
        writers = [
            subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE) for _ in range(2)
        ]
        for writer in writers:
            writer.stdout.readline()
        time.sleep(0.1 + 0.05 * round_)
        for writer in writers:
            writer.send_signal(signal.SIGKILL)
            writer.wait()
    store = RecordStore(tmp_path)
    keys = list(store.keys())
    assert keys
    for key in keys:
        record = store.get(key)
        assert np.all(record.arrays["x"] == int(key[1:])) and record.config == {"n": int(key[1:])}
    assert all(json.loads((tmp_path / f"{key}.json").read_text())["key"] == key for key in keys)

"""`uniformity records` as a user runs it."""

import json
import os
import time

import in_process
import pyarrow.parquet as pq
import pytest
from stored_runs import run, stored

from figures.amounts import duration, size


def records(*arguments):
    """Status and stdout of `uniformity records`."""
    return in_process.run("records", *arguments)[:2]


@pytest.fixture
def out(tmp_path):
    stored(tmp_path / "records", *(run(seed) for seed in range(3)), run(study="elsewhere", schema=4))
    return tmp_path


def damage(out, seed=1):
    path = out / "records" / f"{run(seed).key}.npz"
    path.write_bytes(path.read_bytes()[:-1])
    return path.name


def test_ls_counts_by_study_and_lists_the_runs_of_one(out):
    status, printed = records("ls", "--out", out)
    assert status == 0 and "slowdown" in printed and "elsewhere" in printed and "4 records" in printed
    assert "0123456789ab" in printed and "jax 0.10.2" in printed
    rows = {row["study"]: row for row in json.loads(records("ls", "--out", out, "--json")[1])}
    assert rows["slowdown"]["records"] == 3 and rows["slowdown"]["schemas"] == {"1": 3}
    assert rows["elsewhere"]["schemas"] == {"4": 1} and rows["elsewhere"]["made_by"]["seconds"] == 2.5
    status, printed = records("ls", "--study", "slowdown", "--out", out)
    assert status == 0 and printed.count("(reached)") == 3
    assert all(f"{run(seed).key[:12]}  seed={seed}  (reached)  2.5 s, " in printed for seed in range(3))
    listed = json.loads(records("ls", "--study", "slowdown", "--out", out, "--json")[1])
    assert {row["key"]: row["varied"] for row in listed} == {run(seed).key: {"seed": seed} for seed in range(3)}


def test_show_takes_the_beginning_of_a_key(out):
    key = run(1).key
    status, printed = records("show", key[:9], "--out", out)
    assert status == 0 and all(text in printed for text in (key, "seed = 1", "steps = 4", "loss: float64, 20", "node7"))
    known = json.loads(records("show", key[:9], "--out", out, "--json")[1])
    assert known["arrays"]["step"] == {"shape": [4], "dtype": "int64"} and known["config"]["seed"] == 1


def test_check_exits_1_on_damage_and_names_the_file(out):
    status, printed = records("check", "--out", out)
    assert status == 0 and "4 records" in printed and "all whole" in printed
    name = damage(out)
    status, printed = records("check", "--out", out)
    assert status == 1 and f"{name} does not match its hash" in printed and "1 damaged" in printed
    status, printed = records("check", "--out", out, "--json")
    (finding,) = json.loads(printed)["findings"]
    assert status == 1 and finding["kind"] == "damaged" and name in finding["files"]


def test_gc_says_what_it_removes_and_removes_nothing_in_a_dry_run(out):
    name = damage(out)
    half = out / "records" / ".x.json.y.tmp"
    half.write_bytes(b"12345")
    os.utime(half, (time.time() - 7200,) * 2)
    before = set(os.listdir(out / "records"))
    status, printed = records("gc", "--out", out, "--damaged", "--outdated", "--dry-run")
    assert status == 0 and name in printed and "3 files would be removed" in printed
    assert set(os.listdir(out / "records")) == before
    assert records("gc", "--out", out) == (0, f"temporary  {half.name} is half-written: its writer is at work or was "
        "killed (5 B)\n1 files removed, 5 B\n")  # fmt: skip
    status, printed = records("gc", "--out", out, "--damaged")
    assert status == 0 and "2 files removed" in printed and records("check", "--out", out)[0] == 0
    assert before - set(os.listdir(out / "records")) == {half.name, name, name.replace("npz", "json")}


def test_export_is_one_table_of_all_or_of_one_study(out):
    path = out / "runs.parquet"
    assert records("export", "--parquet", path, "--out", out) == (0, f"{path}: 4 runs, 20 columns\n")
    assert pq.read_table(path).num_rows == 4
    assert records("export", "--parquet", path, "--study", "slowdown", "--out", out)[0] == 0
    found = pq.read_table(path)
    assert sorted(found.column("config.seed").to_pylist()) == [0, 1, 2]
    mode = path.stat().st_mode & 0o777
    assert mode == 0o644 and [p.name for p in out.iterdir() if p.name.startswith(".")] == []


def test_what_is_damaged_is_left_out_and_said(out):
    path = out / "records" / f"{run(1).key}.json"
    path.write_bytes(path.read_bytes()[:-1])
    status, printed, told = in_process.run("records", "export", "--parquet", out / "runs.parquet", "--out", out)
    assert status == 1 and "3 runs" in printed and "1 damaged records are left out" in told


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("ls", "--study", "slow"), ("--study", "elsewhere, slowdown", "'slow'")),
        (("show", "zz"), ("KEY", "'zz'", "that of 0")),
        (("show", ""), ("KEY", "that of 4", "...")),
        (("check", "--out", "nowhere"), ("--out", "nowhere/records")),
        (("export", "--parquet", "{out}"), ("cannot use",)),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(out, arguments, words):
    given = [argument.format(out=out) for argument in arguments]
    status, printed, err = in_process.run("records", *given, *(() if "--out" in given else ("--out", out)))
    assert status == 2 and printed == "" and err.count("\n") == 1 and all(word in err for word in words), err


def test_looking_writes_nothing(out):
    before = {path.name: path.stat().st_mtime_ns for path in (out / "records").iterdir()}
    for arguments in (("ls",), ("check",), ("show", run(0).key), ("gc", "--dry-run")):
        assert records(*arguments, "--out", out)[0] == 0
    assert {path.name: path.stat().st_mtime_ns for path in (out / "records").iterdir()} == before


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.042, "0.042 s"), (9.94, "9.9 s"), (59.4, "59 s"), (600, "10 min"), (7200, "2.0 h"), (864000, "10 d")],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (25e6, "25 MB"), (3e12, "3.0 TB")]
)
def test_sizes(number, text):
    assert size(number) == text

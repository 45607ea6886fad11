"""`uniformity sweep` as a user runs it, on a tiny grid of the smallest study: run, resumed, planned, refused."""

import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from in_process import run as uniformity

from experiments.records import RecordStore
from experiments.studies import separation_law

GRID = """study = "separation_law"
preset = "smoke"

[fixed]
replicates = 3

[grid]
num_points = [4, 8]
seed = {seeds = 3}
"""


@pytest.fixture
def grid(tmp_path):
    path = tmp_path / "grid.toml"
    path.write_text(GRID)
    return path


def records(out):
    store = RecordStore(out / "records")
    return {key: store.get(key) for key in sorted(store.keys())}


def test_a_grid_is_run_once_and_then_reused(grid, tmp_path):
    out = tmp_path / "out"
    status, printed, _ = uniformity("sweep", grid, "--out", out)
    assert status == 0 and printed.count(" ran ") == 6
    assert f"6 of 6 runs have a record in {out / 'records'} (0 reused, 0 failed)" in printed
    stored = records(out)
    assert {(r.config["num_points"], r.config["seed"], r.config["replicates"]) for r in stored.values()} == {
        (size, seed, 3) for size in (4, 8) for seed in range(3)
    }
    grid.write_text(GRID.replace("[4, 8]", "[4, 8, 16, 8]"))
    status, printed, _ = uniformity("sweep", grid, "--out", out)
    assert status == 0 and printed.count(" ran ") == 3
    assert "12 combinations, but 9 different runs, each run once" in printed
    assert "9 of 9 runs have a record" in printed and "(6 reused, 0 failed)" in printed
    again = records(out)
    assert len(again) == 9 and all(again[key].provenance == record.provenance for key, record in stored.items())
    words = next(line for line in printed.splitlines() if line.startswith("Read them: uniformity ")).split()[3:]
    table = tmp_path / "table.parquet"
    assert uniformity(*words[:-1], table)[0] == 0 and table.stat().st_size > 0


def test_a_dry_run_tells_count_shapes_and_time_and_writes_nothing(grid, tmp_path):
    out = tmp_path / "out"
    before = sorted(tmp_path.rglob("*"))
    status, printed, _ = uniformity("sweep", grid, "--out", out, "--dry-run")
    assert status == 0 and "6 runs" in printed and "no past records" in printed
    assert sorted(tmp_path.rglob("*")) == before
    uniformity("sweep", grid, "--out", out)
    seconds = [record.provenance["seconds"] for record in records(out).values()]
    grid.write_text(GRID.replace("[4, 8]", "[4, 16]").replace("[grid]", '[grid]\ndesign = ["uniform, torus, d=2"]'))
    before = sorted(tmp_path.rglob("*"))
    status, printed, _ = uniformity("sweep", grid, "--out", out, "--dry-run", "--json")
    assert sorted(tmp_path.rglob("*")) == before
    plan = json.loads(printed)
    assert (plan["runs"], plan["stored"], plan["shapes"]) == (6, 3, 1)
    assert plan["estimate"] == {"seconds": pytest.approx(3 * sum(seconds) / 6), "records": 6, "known": 3}
    assert plan["base"] == separation_law.plan(separation_law.PRESETS["smoke"])[0].label


def test_json_is_a_line_an_event_and_a_summary(grid, tmp_path):
    status, printed, _ = uniformity("sweep", grid, "--out", tmp_path / "out", "--json")
    events = [json.loads(line) for line in printed.splitlines()]
    kinds = [event["kind"] for event in events]
    assert status == 0 and kinds[0] == "plan" and kinds[-2:] == ["done", "summary"] and kinds.count("ran") == 6
    assert {event["key"] for event in events if event["kind"] == "ran"} == set(records(tmp_path / "out"))
    assert [event["done"] for event in events if event["kind"] == "ran"] == [1, 2, 3, 4, 5, 6]
    summary = events[-1]
    assert (summary["runs"], summary["done"], summary["reused"], summary["failures"]) == (6, 6, 0, [])


def test_a_failed_run_is_told_with_its_configuration_and_the_rest_is_finished(grid, tmp_path, monkeypatch):
    def measure(runs):
        for run in runs:
            if (run.num_points, run.seed) == (8, 1):
                raise FloatingPointError("no")
            yield from separation_law.measure([run])

    broken = replace(separation_law.STUDY, measure=measure)
    monkeypatch.setattr("experiments.grid.STUDIES", {broken.name: broken})
    status, printed, told = uniformity("sweep", grid, "--out", tmp_path / "out")
    assert status == 1 and "5 of 6 runs have a record" in printed and "1 failed" in printed
    assert "N=8 seed 1 failed: FloatingPointError: no" in told and '"num_points": 8' in told
    assert len(records(tmp_path / "out")) == 5
    monkeypatch.undo()
    status, printed, _ = uniformity("sweep", grid, "--out", tmp_path / "out")
    assert status == 0 and "6 of 6 runs have a record" in printed and "(5 reused" in printed


def test_ctrl_c_finishes_what_runs_and_says_how_to_resume(grid, tmp_path):
    grid.write_text(
        GRID.replace("[4, 8]", "[1000]").replace("= 3\n\n", "= 500\n\n")
        + 'design = ["uniform, torus, d=1", "uniform, torus, d=2", "uniform, torus, d=3"]\n'
    )
    command = [str(Path(sys.executable).parent / "uniformity"), "sweep", str(grid), "--out", str(tmp_path / "out")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = next(line for line in process.stdout if " ran " in line)
    process.send_signal(signal.SIGINT)
    printed, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
    assert f"the same command resumes: uniformity sweep {grid} --out {tmp_path / 'out'}" in told
    done = len(records(tmp_path / "out"))
    # Those of the designs under way are finished, however late this process got to send the signal.
    assert done == (line + printed).count(" ran ") and done in (3, 6)


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        (GRID.replace("num_points", "num_point"), (), "grid.toml line 8: num_point must be a field of SeparationRun"),
        (GRID.replace("4,", "1,"), (), "grid.toml line 8: num_points must be a whole number, 2 .. 16777216, but was 1"),
        (GRID, ("--study", "slowdown"), "line 1: study must be slowdown, as --study says, but was 'separation_law'"),
        (GRID.replace("[grid]", "[grid"), (), "grid.toml line 7 must be TOML"),
        (GRID, ("--workers", "0"), "workers must be at least 1, but was 0"),
        (None, (), "cannot use"),
    ],
)
def test_bad_input_is_one_sentence_and_nothing_is_written(tmp_path, text, options, words):
    path = tmp_path / "grid.toml"
    if text is not None:
        path.write_text(text)
    status, printed, told = uniformity("sweep", path, "--out", tmp_path / "out", *options)
    assert status == 2 and words in told and told.count("\n") == 1 and not printed
    assert not (tmp_path / "out").exists()


def test_help_names_every_option():
    _, printed, _ = uniformity("sweep", "--help")
    for option in ("GRID", "--study", "--out", "--dry-run", "--json", "--workers", "--scheduler", "--cluster"):
        assert option in printed

"""A summary says which commits, versions and devices made the records that it was read from."""

import subprocess
from dataclasses import dataclass

import numpy as np

from experiments import measuring, reproduce
from experiments.provenance import UNRECORDED, CodeVersion, code_version, provenance, provenance_of, run_provenance
from experiments.records import Record, RecordStore
from experiments.study import Findings, Measured, Study


def record(**changes):
    made = {
        "versions": {"jax": "1", "numpy": "2"},
        "device": "2 x cpu",
        "machine": "x86_64",
        "commit": "a",
        "seconds": 2.0,
    }
    return Record("k", "s", {}, {}, {}, {**made, **changes})


def test_counts_are_by_value_the_most_frequent_first():
    found = provenance_of([record(commit="b"), record(dtype="float64"), record(seconds=0.5, versions={"jax": "3"})])
    assert found.records == 3 and found.seconds == 4.5
    assert list(found.commits.items()) == [("a", 2), ("b", 1)]
    assert found.versions == {"jax 1, numpy 2": 2, "jax 3": 1} and found.devices == {"2 x cpu, x86_64": 3}
    assert found.dtypes == {UNRECORDED: 2, "float64": 1}


def test_this_process_says_what_it_is():
    made = provenance()
    assert made["dtype"] == "float64" and made["versions"]["numpy"] == np.__version__ and "cpu" in made["device"]


def test_a_commit_is_marked_when_its_sources_differ(tmp_path):
    def git(*arguments):
        identity = ("-c", "user.name=n", "-c", "user.email=e@e")
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True)

    git("init")
    (tmp_path / "theory").mkdir()
    (tmp_path / "theory" / "a.py").write_text("1")
    git("add", ".")
    git("commit", "-m", "first")
    clean = code_version(tmp_path)
    assert clean.commit and len(clean.commit) == 12 and set(clean.commit) <= set("0123456789abcdef")
    assert clean.dirty is False
    (tmp_path / "notes.md").write_text("notes make no record")
    assert code_version(tmp_path) == clean
    (tmp_path / "theory" / "new.py").write_text("2")  # not added
    assert code_version(tmp_path) == CodeVersion(clean.commit, True)
    (tmp_path / "theory" / "new.py").unlink()
    (tmp_path / "theory" / "a.py").write_text("3")
    assert code_version(tmp_path) == CodeVersion(clean.commit, True)
    assert code_version(tmp_path / "nowhere") == CodeVersion(None, None)


def test_a_commit_is_one_word_in_a_summary_however_old_the_record():
    old, new = {"commit": "a+"}, {"commit": "a", "dirty": True}
    unknown = [record(commit="unknown"), record(commit=None, dirty=None)]
    assert provenance_of([record(**old), record(**new), *unknown]).commits == {"a+": 2, "unknown": 2}


@dataclass(frozen=True)
class Run:
    seed: int

    @property
    def label(self) -> str:
        return f"seed {self.seed}"


@dataclass(frozen=True)
class Preset:
    seeds: int


def study_of(presets):
    return Study(
        name="toy",
        code="X0",
        title="",
        question="",
        varied="",
        control="",
        falsified_by="",
        claims=(),
        schema=3,
        presets=presets,
        plan=lambda preset: [Run(seed) for seed in range(preset.seeds)],
        batch=lambda run: 0,
        require=lambda run: None,
        measure=lambda runs: ((run, Measured({"seed": run.seed}, {}, "")) for run in runs),
        find=lambda preset, records: Findings({"seeds": preset.seeds, "third": 1 / 3}, [], [], {}),
    )


def test_a_grown_preset_keeps_the_old_records_and_says_who_made_which(tmp_path, monkeypatch):
    store, study = RecordStore(tmp_path), study_of({"few": Preset(2), "more": Preset(3)})
    for commit, preset in (("old", "few"), ("new", "more")):
        made = {**provenance(), "commit": commit}
        monkeypatch.setattr(reproduce, "provenance", lambda made=made: made)
        own = {**run_provenance(0.0), "commit": commit, "dirty": False}
        monkeypatch.setattr(measuring, "run_provenance", lambda seconds, own=own: {**own, "seconds": seconds})
        findings, found = reproduce.run_study(study, preset, store, report=lambda event: None)
    assert found.commits == {"old": 2, "new": 1} and found.records == 3
    summary = reproduce.write_summary(study, "more", findings, found, tmp_path)
    assert summary["records_made_by"]["commits"] == found.commits and summary["made_by"]["commit"] == "new"
    assert summary["settings"] == {"seeds": 3} and summary["schema"] == 3
    assert summary["third"] == 0.333333  # as in the file: a figure redrawn from it is the same

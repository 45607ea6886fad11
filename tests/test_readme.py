"""README's promises: its commands are the ones CI runs, its Python examples run, its table is the committed ledger."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from study_runs import smoke_keys, smoke_store

from experiments.record_table import table
from experiments.records import read_head
from experiments.site_file import read_site
from experiments.studies import STUDIES
from figures.answers import ANSWERS, answers_table
from figures.tables import conditions_table, exponent_table, selection_table

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_ci_runs_the_test_command_of_the_readme():
    command = "pip install uv && uv run pytest"
    assert f"\n{command}\n" in README
    assert (ROOT / ".ci" / "run").read_text().rstrip().endswith(command)


def python_blocks():
    blocks = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    named = {block.split("\n")[0].removeprefix("# "): block for block in blocks if block.startswith("# ")}
    return named, [block for block in blocks if not block.startswith("# ")]


def test_python_examples_run(tmp_path):
    _, blocks = python_blocks()
    assert blocks
    for block in blocks:
        done = subprocess.run([sys.executable, "-c", block], capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode == 0 and done.stdout, done.stderr


def test_the_model_of_the_readme_is_hunted_by_its_command(tmp_path):
    files, _ = python_blocks()
    (tmp_path / "mymodel.py").write_text(files["mymodel.py"])
    (command,) = re.findall(r"^uv run (uniformity verify --model .*)$", README, re.MULTILINE)
    executable, *arguments = command.split()
    done = subprocess.run(
        [str(Path(sys.executable).parent / executable), *arguments, "--examples", "20", "--claim", "R2", "G1"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("no violation") == 2


@pytest.mark.deep
def test_the_selection_of_the_readme_is_what_its_commands_print(tmp_path):
    files, _ = python_blocks()
    (tmp_path / "make_pairs.py").write_text(files["make_pairs.py"])
    (shown,) = re.findall(r"^\$ uv run python make_pairs.py\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    commands, printed = shown.splitlines()[:2], "\n".join(shown.splitlines()[2:])
    done = subprocess.run([sys.executable, "make_pairs.py"], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    screens = []
    for command in commands:
        executable, *arguments = command.removeprefix("$ uv run ").split()
        done = subprocess.run(
            [str(Path(sys.executable).parent / executable), *arguments],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "COLUMNS": "200"},
        )
        assert done.returncode == 0, done.stderr
        screens.append(done.stdout)
    assert screens[-1].split() == printed.split()
    assert len((tmp_path / "selected.jsonl").read_text().splitlines()) == 3478


def test_the_site_file_of_the_readme_is_one(tmp_path):
    (text,) = re.findall(r"^```toml\n(# slurm\.toml.*?)^```", README, re.MULTILINE | re.DOTALL)
    (tmp_path / "slurm.toml").write_text(text)
    site = read_site(tmp_path / "slurm.toml")
    assert site.system == "slurm" and site.jobs == 20 and site.interface == "ib0"


def test_the_query_of_the_readme_names_columns_of_the_export():
    files, _ = python_blocks()
    wanted = set(re.findall(r'"((?:config|scalars)\.[^"]+)"', files["steps.py"]))
    heads = [read_head(smoke_store("slowdown").root / f"{key}.json") for key in smoke_keys("slowdown")]
    assert len(wanted) == 4 and wanted <= set(table(heads).column_names)
    assert "reached" in table(heads).column("scalars.status").to_pylist()


def test_tables_are_the_committed_numbers():
    summaries = ROOT / "figures" / "summaries"
    slowdown = json.loads((summaries / "slowdown.json").read_text())
    assert exponent_table(slowdown) in README
    assert f"preset {slowdown['preset']};" in README
    assert answers_table([json.loads((summaries / f"{name}.json").read_text()) for name in ANSWERS]) in README
    assert list(ANSWERS) == list(STUDIES)
    chosen = [json.loads((summaries / f"selection_{name}.json").read_text()) for name in ("digits", "language")]
    assert selection_table(*chosen) in README
    assert conditions_table(chosen[0]) in README
    found = {row["label"]: row["value"] for row in chosen[0]["estimates"]}
    assert f"({found['l2, sgd, all rules: lambda_min by h_min']:+.2f})" in README
    assert f"({found['l2, sgd, all rules: steps to own loss by h_min']:+.2f})" in README
    for training, optimiser in (("l2, sgd", "SGD"), ("cross-entropy, adam", "Adam")):
        alone = found[f"{training}, 320 rows: steps to own loss, late, full / random"]
        assert f"{alone:.2f} with {optimiser}" in README


def test_committed_summaries_come_from_one_preset():
    books = [json.loads(path.read_text()) for path in (ROOT / "figures" / "summaries").glob("*.json")]
    # The deep hunt has none; what float32 loses is measured at the smoke preset.
    found = {book["preset"] for book in books if "preset" in book and "resolved_below" not in book}
    assert len(found) == 1

"""The command, as a user runs it: a smoke run end to end, reuse, damage, bad input, verification."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from in_process import ROOT, no_drawing, run
from matplotlib.patches import FancyArrowPatch
from study_runs import smoke_keys, smoke_store

from experiments.hunt import Hunt, search
from experiments.hunts import HUNTS
from experiments.studies import STUDIES
from figures import style
from figures.draw import FIGURES, committed_summary, draw_figure, draw_graph, figure_of
from figures.terminal import print_claims
from theory.claims import CLAIMS
from theory.verdict import Check


def uniformity(*arguments, check=True):
    """Run the command in its own process, exactly as installed."""
    command = [str(Path(sys.executable).parent / "uniformity"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if check:
        assert done.returncode == 0, done.stderr + done.stdout
    return done


MEASURED = ("separation_law", "greedy_designs")
"""Studies whose smoke preset the command measures here; it finds the records of the others in its store."""


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    """Every study's smoke preset by the installed command, in its own process."""
    out = tmp_path_factory.mktemp("out")
    (out / "records").mkdir()
    for name in reversed(STUDIES):  # the studies' own tests, beside this, begin at the other end
        store = smoke_store(name)
        for key in smoke_keys(name) if name not in MEASURED else ():
            for kind in ("npz", "json"):
                shutil.copy(store.root / f"{key}.{kind}", out / "records")
    done = uniformity("reproduce", "--preset", "smoke", "--out", str(out))
    return out, done.stdout, json.loads((out / "ledger.json").read_text())["claims"]


@pytest.fixture(scope="module")
def again(smoke, tmp_path_factory):
    """The same run in this process on the first one's records, one of them damaged; it draws nothing."""
    out = tmp_path_factory.mktemp("again")
    shutil.copytree(smoke[0] / "records", out / "records")
    victim = out / "records" / f"{smoke_keys(MEASURED[0])[0]}.npz"
    victim.write_bytes(victim.read_bytes()[:-7])
    with no_drawing():
        status, printed, told = run("reproduce", "--preset", "smoke", "--out", str(out), "--json")
    assert status == 0
    return out, victim, printed, told


def test_reproduce_writes_ledger_records_summaries_and_figures(smoke):
    out, printed, _ = smoke
    book = json.loads((out / "ledger.json").read_text())
    assert [entry["id"] for entry in book["claims"]] == list(CLAIMS)
    for entry in book["claims"]:
        counted = sum(entry[name] for name in ("holds", "violated", "vacuous", "not_applicable"))
        assert counted == entry["checks"] and entry["violated"] == 0, entry
    for name in STUDIES:
        assert (out / "summaries" / f"{name}.json").stat().st_size <= 110_000
    for name in (*STUDIES, "ledger"):
        for kind in ("pdf", "svg", "png"):
            assert (out / "figures" / f"{name}.{kind}").stat().st_size > 1000
    ran = sum(len(smoke_keys(name)) for name in MEASURED)
    assert printed.count(" ran ") == ran > 0
    assert printed.count(" reused ") == len(list((out / "records").glob("*.json"))) - ran > 0
    assert "Ledger" in printed


def test_a_second_run_reuses_all_but_a_damaged_record_and_gives_the_same_ledger(smoke, again):
    """The ledger that another process wrote."""
    (_, _, claims), (out, victim, printed, progress) = smoke, again
    assert "damaged" in progress and victim.stem in progress
    assert progress.count(" ran ") == 1
    assert progress.count(" reused ") == len(list((out / "records").glob("*.json"))) - 1
    assert json.loads((out / "ledger.json").read_text())["claims"] == claims
    assert [entry["id"] for entry in json.loads(printed)["claims"]] == list(CLAIMS)


def test_a_killed_run_resumes_to_the_same_ledger(smoke, tmp_path):
    _, _, whole = smoke
    arguments = ("reproduce", "--preset", "smoke", "--only", "greedy_designs", "--out")
    command = [str(Path(sys.executable).parent / "uniformity"), *arguments, str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT)
    for line in process.stdout:
        if " ran " in line:
            break
    process.kill()
    process.wait()
    stored = len(list((tmp_path / "records").glob("*.json")))
    assert stored >= 1
    with no_drawing():
        status, printed, _ = run(*arguments, str(tmp_path))
    assert status == 0 and printed.count(" reused ") >= stored
    own = {claim for claim in CLAIMS if [s.name for s in STUDIES.values() if claim in s.claims] == ["greedy_designs"]}
    assert own  # a claim that other studies check too has more checks in the whole ledger
    claims = json.loads((tmp_path / "ledger.json").read_text())["claims"]
    assert [entry for entry in claims if entry["id"] in own] == [entry for entry in whole if entry["id"] in own]


def test_float32_is_compared_with_float64_and_no_ledger_written(tmp_path):
    arguments = (
        "reproduce",
        "--preset",
        "smoke",
        "--dtype",
        "float32",
        "--only",
        "separation_law",
        "--out",
        str(tmp_path),
    )
    done = uniformity(*arguments)
    book = json.loads((tmp_path / "summaries" / "precision.json").read_text())
    (part,) = book["studies"]
    assert part["measured"] == part["runs"] > 0 and sum(book["counts"].values()) == len(part["quantities"]) > 0
    assert book["command"] == "uniformity " + " ".join(arguments[:-2])
    assert "no ledger is written" in done.stdout and not (tmp_path / "ledger.json").exists()
    for kind in ("pdf", "svg", "png"):
        assert (tmp_path / "figures" / f"precision.{kind}").stat().st_size > 1000
    with no_drawing():
        status, printed, told = run(*arguments, "--json")
    assert status == 0 and json.loads(printed) == book
    assert " reused " in told and " ran " not in told


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (("reproduce", "--only", "nonsense"), ("--only", "slowdown", "nonsense")),
        (("draw", "nonsense"), ("figure", "slowdown", "nonsense")),
        (("verify", "--claim", "Z9"), ("--claim", "R2", "Z9")),
        (("verify", "--examples", "0"), ("--examples", "at least 1", "0")),
        (("verify", "--model", "nowhere.py:net"), ("model", "nowhere.py")),
        (("draw", "slowdown", "--out", "README.md"), ("README.md", "cannot use")),
        (("draw", "slowdown", "--gallery"), ("--gallery", "without", "slowdown")),
        (("report", "--out", "report.pdf"), ("--out", ".html", "report.pdf")),
        (("report", "--from", "nowhere"), ("nowhere/ledger.json", "cannot use")),
        (("reproduce", "--preset", "smoke", "--out", "README.md"), ("README.md", "cannot use")),
        (("reproduce", "--workers", "0"), ("workers must be at least 1", "0")),
        (
            ("reproduce", "--workers", "1", "--scheduler", "tcp://a:1"),
            ("at most one engine", "--workers", "--scheduler"),
        ),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(arguments, names):
    status, printed, err = run(*arguments)
    assert status == 2 and printed == ""
    assert err.count("\n") == 1 and all(name in err for name in names)


def test_the_installed_command_passes_the_status_on():
    done = uniformity("draw", "nonsense", check=False)
    assert done.returncode == 2 and done.stdout == "" and done.stderr.count("\n") == 1


def test_unknown_options_are_refused():
    for arguments in (("reproduce", "--preset", "huge"), ("reproduce", "--colour", "red")):
        status, _, _ = run(*arguments)
        assert status not in (0, None)


def test_draw_needs_no_training_and_is_byte_identical(tmp_path):
    first, again = tmp_path / "first", tmp_path / "again"
    uniformity("draw", "kernel_spectrum", "--out", str(first))
    assert sorted(path.name for path in first.iterdir()) == [
        f"kernel_spectrum.{kind}" for kind in ("pdf", "png", "svg")
    ]
    # Drawn once more in another process: time leaves no trace.
    for path in draw_figure("kernel_spectrum", committed_summary("kernel_spectrum"), again):
        assert path.read_bytes() == (first / path.name).read_bytes(), path.name


@pytest.mark.parametrize(("index", "name"), list(enumerate(STUDIES)))
def test_each_figure_redrawn_from_its_summary_is_byte_identical(smoke, index, name):
    """Against what another process drew. A format each in turn: its writer does not know which figure it writes."""
    out, _, _ = smoke
    kind = list(style.UNDATED)[index % 3]
    with style.applied():
        figure = figure_of(name, json.loads((out / "summaries" / f"{name}.json").read_text()))
        (path,) = style.save(figure, out / "redrawn" / name, kinds=(kind,))
    assert path.read_bytes() == (out / "figures" / path.name).read_bytes()


def test_a_summary_says_what_made_its_records(smoke):
    out, _, _ = smoke
    for name, study in STUDIES.items():
        summary = json.loads((out / "summaries" / f"{name}.json").read_text())
        made = summary["records_made_by"]
        assert made["records"] == len(study.plan(study.presets["smoke"])) and made["seconds"] > 0
        for counts in (made["commits"], made["versions"], made["devices"], made["dtypes"]):
            assert sum(counts.values()) == made["records"]
        assert made["dtypes"] == {"float64": made["records"]} and summary["seeds"] >= 1 and summary["settings"]


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_has_a_committed_summary_and_a_gallery_picture(name):
    if name in STUDIES:
        assert committed_summary(name)["study"] == name
    assert (ROOT / "figures" / "gallery" / f"{name}.png").stat().st_size > 10_000


def test_claims_lists_every_claim_with_existing_places(capsys):
    status, printed, _ = run("claims", "--json")
    rows = json.loads(printed)
    assert status == 0
    assert [row["id"] for row in rows] == list(CLAIMS)
    for row in rows:
        for place in (row["code"], row["test"], *row["study"], *row["figure"]):
            assert (ROOT / place).is_file(), place
    print_claims(rows)
    assert all(row["statement"] in capsys.readouterr().out for row in rows[:1])


def test_the_graph_shows_every_claim_and_its_premises(tmp_path):
    written = run("claims", "--graph", "--out", str(tmp_path))[1].split()
    assert [Path(name).name for name in written] == [f"claims_graph.{kind}" for kind in ("pdf", "svg", "png")]
    ax = draw_graph().axes[0]
    shown = {"".join(text.get_text().split()) for text in ax.texts}  # lines may break at a hyphen
    assert {"".join(f"{claim.id}{claim.title}".split()) for claim in CLAIMS.values()} <= shown
    arrows = [patch for patch in ax.patches if isinstance(patch, FancyArrowPatch)]
    assert len(arrows) == sum(len(claim.rests_on) for claim in CLAIMS.values())


def test_help_does_not_wait_for_jax():
    probe = "import sys; import figures.cli; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", probe], cwd=ROOT).returncode == 0
    assert "reproduce" in uniformity("--help").stdout


def test_verify_hunts_the_chosen_claims_and_finds_nothing(tmp_path):
    out, chosen = tmp_path / "hunts.json", ["D2"]
    arguments = ("verify", "--claim", *chosen, "--examples", "5", "--json", "--out", str(out))
    reports = json.loads(uniformity(*arguments).stdout)
    assert [report["claim"] for report in reports] == chosen
    assert [report["claim"] for report in json.loads(out.read_text())["claims"]] == chosen
    assert all(report["tried"] >= 1 and report["violation"] is None for report in reports)


def test_every_claim_has_a_hunt():
    assert list(HUNTS) == list(CLAIMS)


def test_a_false_claim_is_found_shrunk_and_printed_as_runnable_python():
    from false_claim import Instance, check
    from hypothesis import strategies

    hunt = Hunt("R2", strategies.builds(Instance, size=strategies.integers(1, 1000)), check, "false_claim")
    report = search(hunt, examples=200, seed=0)
    # n^2 <= 100 n fails first at 101.
    assert report.violation is not None and "Instance(size=101)" in report.violation
    script = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n" + report.violation
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0 and done.stdout.startswith("violated") and isinstance(check(Instance(101)), Check)

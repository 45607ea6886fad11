"""paper_notes.md is the map: every claim has section, row, living links, its five tests, a current status."""

import ast
import math
import re
from pathlib import Path

import pytest

from experiments.studies import STUDIES
from figures.claims_table import claim_rows
from figures.draw import committed_summary
from figures.tables import claims_table, looseness_table, studies_section, verdict_table
from theory.claims import CLAIMS

ROOT = Path(__file__).parent.parent
NOTES = (ROOT / "paper_notes.md").read_text()
README = (ROOT / "README.md").read_text()
ROWS = {row["id"]: row for row in claim_rows()}
PARTS = ("Abstract says", "Statement", "Hypotheses", "Proof", "Sharp", "Failure", "Constants", "Evidence", "Deviations")
TESTS = {
    "holds": r"test_holds_on_random_instances",
    "sharp": r"test_(is_attained|how_loose)\w*",
    "fails": r"test_fails_\w+",
    "invariances": r"test_invariances_and_limits\w*",
    "proof": r"test_proof_lines_on_\w+",
}


def section(claim: str) -> str:
    found = re.search(rf"^## {claim} .*?(?=^## |\Z)", NOTES, re.MULTILINE | re.DOTALL)
    assert found, f"paper_notes.md has no section '## {claim} ...'"
    return found.group()


def function_names(claim: str) -> list[str]:
    tree = ast.parse((ROOT / ROWS[claim]["test"]).read_text())
    return [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]


@pytest.mark.parametrize("claim", ROWS)
def test_section_has_every_part_and_a_numbered_proof(claim):
    text = section(claim)
    assert text.startswith(f"## {claim} {ROWS[claim]['title']}\n")
    for part in PARTS:
        assert f"**{part}" in text, part
    proof = text[text.index("**Proof") :]
    assert re.search(r"^1\. ", proof, re.MULTILINE) and re.search(r"^2\. ", proof, re.MULTILINE)


@pytest.mark.parametrize("claim", ROWS)
def test_table_row_is_current(claim):
    line = next(line for line in NOTES.splitlines() if line.startswith(f"| {claim} |"))
    row = ROWS[claim]
    for place in (row["code"], row["test"], *row["study"], *row["figure"]):
        assert f"]({place})" in line, place
    assert line.rstrip().endswith(f"| {row['status'].replace('_', ' ')} |"), "stale status"


def test_tables_are_generated():
    assert claims_table(list(ROWS.values())) in NOTES
    assert looseness_table(list(ROWS.values())) in NOTES
    assert verdict_table(committed_summary("ledger")) in NOTES
    assert studies_section([committed_summary(name) for name in STUDIES]) in NOTES


def test_the_graph_of_the_claims_stands_in_the_notes():
    assert "](figures/gallery/claims_graph.png)" in NOTES
    for claim in CLAIMS.values():
        assert set(claim.rests_on) <= set(CLAIMS) - {claim.id}, claim.id


@pytest.mark.parametrize("claim", ROWS)
def test_standing_is_what_the_committed_hunt_shows(claim):
    """A deep hunt without a violation; tight: some instance comes within 0.1% of equality."""
    row = ROWS[claim]
    hunt = row["hunt"]
    assert hunt is not None and hunt["violation"] is None and hunt["tried"] >= 9_000 and hunt["applicable"] >= 1_000
    smallest = min(found["slack_log10"] for found in hunt["tightest"])
    assert row["tight"] == (smallest <= -math.log10(0.999)), smallest
    assert row["tight"] or row["standing"] != "proved and tight"


@pytest.mark.parametrize("claim", ROWS)
def test_every_hypothesis_has_a_control_that_breaks_the_conclusion(claim):
    names = function_names(claim)
    for hypothesis in ROWS[claim]["hypotheses"]:
        stem = "test_fails_without_" + re.sub(r"\W+", "_", hypothesis).strip("_")
        assert any(name.startswith(stem) for name in names), f"{claim} has no {stem}"
        assert stem in section(claim), f"the notes on {claim} do not name {stem}"


@pytest.mark.parametrize("claim", ROWS)
def test_five_tests_exist(claim):
    names = function_names(claim)
    for part, pattern in TESTS.items():
        assert any(re.fullmatch(pattern, name) for name in names), part


@pytest.mark.parametrize("name", ["paper_notes.md", "README.md"])
def test_links_are_alive(name):
    text = {"paper_notes.md": NOTES, "README.md": README}[name]
    headings = {
        re.sub(r"[^\w\- ]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in text.splitlines()
        if line.startswith("#")
    }
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("http"):
            continue
        path, _, anchor = target.partition("#")
        if path:
            assert (ROOT / path).exists(), target
        elif anchor:
            assert anchor in headings, target


def test_evidence_names_tests_that_exist():
    for claim, row in ROWS.items():
        known = (ROOT / row["test"]).read_text()
        for name in re.findall(r"`(test_\w+)`", section(claim)):
            assert (
                name in known
                or (ROOT / "tests").joinpath(f"{name}.py").exists()
                or any(name in path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
            ), f"{claim}: {name}"

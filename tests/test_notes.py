"""paper_notes.md is the map: every claim has section, row, living links, its five tests, a current status."""

import ast
import re
from pathlib import Path

import pytest

from figures.claims_table import claim_rows
from figures.tables import claims_table

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


def test_trace_table_is_generated():
    assert claims_table(list(ROWS.values())) in NOTES


@pytest.mark.parametrize("claim", ROWS)
def test_five_tests_exist(claim):
    tree = ast.parse((ROOT / ROWS[claim]["test"]).read_text())
    names = [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
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

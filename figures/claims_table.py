"""Where each claim stands: the claim's own words joined with its code, test, study, figure and committed verdict."""

import json
from typing import Any

from experiments.studies import STUDIES
from figures.draw import DRAWERS, SUMMARIES
from theory.claims import CLAIMS


def committed_ledger() -> dict[str, dict[str, Any]]:
    """The committed ledger's entries by claim id."""
    book = json.loads((SUMMARIES / "ledger.json").read_text())
    return {entry["id"]: entry for entry in book["claims"]}


def claim_rows() -> list[dict[str, Any]]:
    """One row per claim, as plain values."""
    verdicts = committed_ledger()
    rows = []
    for claim in CLAIMS.values():
        studies = [study.name for study in STUDIES.values() if claim.id in study.claims]
        rows.append(
            {
                "id": claim.id,
                "title": claim.title,
                "statement": claim.statement,
                "hypotheses": dict(claim.hypotheses),
                "provenance": claim.provenance,
                "source": claim.source,
                "abstract": claim.abstract,
                "sharp": claim.sharp,
                "tight": claim.tight,
                "standing": claim.standing,
                "rests_on": list(claim.rests_on),
                "constants": claim.constants,
                "code": f"theory/{claim.module}.py",
                "test": f"tests/theory/test_{claim.module}.py",
                "study": [f"experiments/studies/{name}.py" for name in studies],
                "figure": [f"figures/{name}.py" for name in studies if name in DRAWERS],
                "status": verdicts[claim.id]["status"] if claim.id in verdicts else "not_checked",
            }
        )
    return rows

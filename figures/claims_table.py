"""Where each claim stands: the claim's own words joined with its code, test, study, figure and committed verdict."""

from typing import Any

from experiments.studies import STUDIES
from figures.draw import DRAWERS, committed_hunts, committed_summary
from theory.claims import CLAIMS


def committed_ledger() -> dict[str, dict[str, Any]]:
    """The committed ledger's entries by claim id."""
    return {entry["id"]: entry for entry in committed_summary("ledger")["claims"]}


def _status(entry: dict[str, Any] | None, hunt: dict[str, Any] | None) -> str:
    """The worst that the committed studies and the committed hunt say together."""
    if (entry and entry["status"] == "violated") or (hunt and hunt["violation"]):
        return "violated"
    if (entry and entry["status"] == "holds") or (hunt and hunt["applicable"]):
        return "holds"
    return entry["status"] if entry else "not_checked"


def claim_rows() -> list[dict[str, Any]]:
    """One row per claim, as plain values."""
    verdicts, hunts = committed_ledger(), committed_hunts()
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
                "hunt": hunts.get(claim.id),
                "status": _status(verdicts.get(claim.id), hunts.get(claim.id)),
            }
        )
    return rows

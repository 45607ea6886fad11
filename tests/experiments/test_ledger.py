"""The ledger counts verdicts, and says in words what its numbers say."""

import numpy as np

from experiments.ledger import ledger
from experiments.statistics import Slope
from theory.claims import CLAIMS
from theory.verdict import Check


def entry(claim, checks, **options):
    return next(entry for entry in ledger(checks, **options) if entry["id"] == claim)


HOLDS = Check("R2", "a", 100.0, ">=", 10.0)
TIGHT = Check("R2", "b", 10.0, ">=", 10.0)
VACUOUS = Check("R2", "c", 1.0, ">=", 0.0, vacuous=True)
NOT_APPLICABLE = Check("R2", "d", 1.0, ">=", 2.0, margins={"target reached": -1.0})
VIOLATED = Check("R2", "the culprit", 1.0, ">=", 2.0)


def test_every_claim_has_an_entry_even_when_nothing_was_checked():
    entries = ledger([])
    assert [entry["id"] for entry in entries] == list(CLAIMS)
    assert {entry["status"] for entry in entries} == {"not_checked"}


def test_counts_slack_and_words():
    found = entry("R2", [HOLDS, TIGHT, TIGHT, VACUOUS, NOT_APPLICABLE])
    assert [found[name] for name in ("checks", "holds", "violated", "vacuous", "not_applicable")] == [5, 3, 0, 1, 1]
    assert found["slack_log10"] == {"min": 0.0, "median": 0.0, "max": 1.0} and found["status"] == "holds"
    for part in ("Held in 3 of 3", "vacuous) in 1", "target reached (1)", "10 at worst"):
        assert part in found["words"]


def test_one_violation_decides_the_status_and_is_named():
    found = entry("R2", [HOLDS, VIOLATED, VACUOUS])
    assert found["status"] == "violated" and found["violations"] == ["the culprit"]
    np.testing.assert_allclose(found["slack_log10"]["min"], np.log10(0.5))


def test_a_claim_that_never_bites_is_vacuous_not_held():
    assert entry("R2", [VACUOUS, NOT_APPLICABLE])["status"] == "vacuous"
    assert entry("R2", [NOT_APPLICABLE])["status"] == "not_applicable"


def test_the_first_slope_is_the_headline():
    slopes = [Slope("R3", "first", -2.0, -1.9, -2.1, -1.7, 5), Slope("R3", "second", None, 0.0, -1.0, 1.0, 5)]
    found = entry("R3", [], slopes=slopes)
    assert found["slope"]["label"] == "first" and len(found["slopes"]) == 2
    assert [slope["covers"] for slope in found["slopes"]] == [True, None]
    assert entry("R2", [], slopes=slopes)["slope"] is None


def test_inequalities_are_counted_apart():
    strong, weak = HOLDS._replace(inequality="strong"), VACUOUS._replace(inequality="weak")
    rows = entry("R2", [strong, weak, weak])["inequalities"]
    assert [(row["name"], row["holds"], row["vacuous"]) for row in rows] == [("strong", 1, 0), ("weak", 0, 2)]
    assert rows[0]["slack_log10"]["median"] == 1.0 and rows[1]["slack_log10"] is None

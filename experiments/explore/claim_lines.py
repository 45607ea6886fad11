"""What a claim says of one scene or run, as one plain line: holds, by which factor, vacuous or not applicable, and why.

The verdict is theory's own (`judge` of the claim's own check); here it is put into words. In float32 nothing is
judged: the checks allow for the rounding of float64.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from theory.claims import CLAIMS
from theory.verdict import Check, Verdict, failed_hypotheses, judge, slack_log10

PROMISES = "promises"
"""The fate of a claim that says before training what a run will have to do."""

FLOAT32 = "not judged because the network computes in float32, and the checks allow for float64's rounding only"

_ATTAINED = 1.001
"""Within this factor a bound counts as attained, as in the hunts."""


class ClaimLine(NamedTuple):
    """id, title: the claim's own.  fate: a Verdict's value or PROMISES.  text: one or a few plain sentences."""

    id: str
    title: str
    fate: str
    text: str


class Finding(NamedTuple):
    """A check with the words for it.

    compared: the sentence that states measurement and bound.  vacuous: why the bound excludes nothing here, if it does
    not.  failing: for a hypothesis that fails, why; without an entry the claim's own statement of it.
    """

    check: Check
    compared: str
    vacuous: str = "it excludes nothing here"
    failing: Mapping[str, str] = MappingProxyType({})


def line(findings: Sequence[Finding], *, float32: bool = False) -> ClaimLine:
    """One claim's findings as a line; its fate is the worst that says something, violated before holds."""
    claim = findings[0].check.claim
    if float32:
        return not_applicable(claim, " ".join(map(_sentence, [FLOAT32, *(each.compared for each in findings)])))
    verdicts = [judge(each.check) for each in findings]
    worst = (Verdict.VIOLATED, Verdict.HOLDS, Verdict.VACUOUS, Verdict.NOT_APPLICABLE)
    fate = next(verdict for verdict in worst if verdict in verdicts)
    told = [_told(each, verdict) for each, verdict in zip(findings, verdicts)]
    return ClaimLine(claim, CLAIMS[claim].title, fate.value, " ".join(told))


def promise(claim: str, text: str) -> ClaimLine:
    """A line that says what a run will have to do."""
    return ClaimLine(claim, CLAIMS[claim].title, PROMISES, text)


def vacuous(claim: str, because: str) -> ClaimLine:
    return ClaimLine(claim, CLAIMS[claim].title, Verdict.VACUOUS.value, f"Vacuous because {because}.")


def not_applicable(claim: str, text: str) -> ClaimLine:
    return ClaimLine(claim, CLAIMS[claim].title, Verdict.NOT_APPLICABLE.value, text)


def because(claim: str, reason: str) -> ClaimLine:
    """Not applicable, with the reason."""
    return not_applicable(claim, f"Not applicable because {reason}.")


def _told(finding: Finding, verdict: Verdict) -> str:
    check = finding.check
    if verdict is Verdict.NOT_APPLICABLE:
        reasons = [finding.failing.get(name) or _hypothesis(check.claim, name) for name in failed_hypotheses(check)]
        return f"{_about(check)} not applicable because {', and '.join(reasons)}."
    if verdict is Verdict.VACUOUS:
        return f"{_about(check)} vacuous because {finding.vacuous}."
    if verdict is Verdict.VIOLATED:
        return f"{_about(check)} VIOLATED: {finding.compared}"
    slack = slack_log10(check)
    if slack is None:
        return f"{_about(check)} holds: {finding.compared}"
    factor = 10.0**slack
    tightness = "attained" if factor < _ATTAINED else f"loose by x {factor:.3g}"
    return f"{_about(check)} holds, {tightness}: {finding.compared}"


def _hypothesis(claim: str, name: str) -> str:
    statement = CLAIMS[claim].hypotheses.get(name)
    return f"it fails here that {statement}" if statement else f"it fails here: {name}"


def _about(check: Check) -> str:
    return _sentence(check.inequality).rstrip(".") + ":" if check.inequality else "It"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."

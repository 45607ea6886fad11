"""The ledger: for each claim, whether it held, how tightly, and where it does not apply."""

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from experiments.statistics import Slope
from theory.claims import CLAIMS
from theory.verdict import Check, Verdict, failed_hypotheses, judge, slack_log10


def _status(counts: Counter[Verdict]) -> str:
    """One word: the worst verdict that says something, else why nothing was said."""
    for verdict in (Verdict.VIOLATED, Verdict.HOLDS, Verdict.VACUOUS, Verdict.NOT_APPLICABLE):
        if counts[verdict]:
            return verdict.value
    return "not_checked"


def _factor(slack: float) -> str:
    return f"{10**slack:.3g}"


def _slack(slacks: list[float]) -> dict[str, float] | None:
    return {"min": min(slacks), "median": statistics.median(slacks), "max": max(slacks)} if slacks else None


STRIP = 60
"""Slacks kept a claim, to draw their distribution."""


def thinned(slacks: Sequence[float]) -> list[float]:
    """The sorted slacks, or where there are more than STRIP their STRIP equally spaced quantiles, ends included."""
    if len(slacks) <= STRIP:
        return sorted(slacks)
    return np.quantile(slacks, np.linspace(0, 1, STRIP)).tolist()


def _inequalities(tested: list[Check]) -> list[dict[str, Any]]:
    """The same counts for each of the claim's inequalities: a claim may hold by its weakest one alone."""
    rows = []
    for name in dict.fromkeys(check.inequality for check in tested):
        own = [check for check in tested if check.inequality == name]
        counts = Counter(judge(check) for check in own)
        slacks = [slack for check in own if (slack := slack_log10(check)) is not None]
        rows.append(
            {"name": name, **{verdict.value: counts[verdict] for verdict in Verdict}, "slack_log10": _slack(slacks)}
        )
    return rows


def _words(counts: Counter[Verdict], inequalities: list[dict[str, Any]], failed: Counter[str]) -> str:
    """The counts as a sentence a newcomer understands."""
    if not counts.total():
        return "Not checked by these studies."
    parts = []
    applicable = counts[Verdict.HOLDS] + counts[Verdict.VIOLATED]
    if applicable:
        parts.append(f"held in {counts[Verdict.HOLDS]} of {applicable} applicable checks")
    for row in inequalities:
        if slack := row["slack_log10"]:
            parts.append(
                f"{row['name']}: off by a factor of {_factor(slack['min'])} at best, {_factor(slack['median'])} in the "
                f"median, {_factor(slack['max'])} at worst ({row['holds']} checks)"
            )
    if counts[Verdict.VACUOUS]:
        parts.append(f"says nothing (vacuous) in {counts[Verdict.VACUOUS]}")
    if counts[Verdict.NOT_APPLICABLE]:
        reasons = ", ".join(f"{name} ({count})" for name, count in failed.most_common())
        parts.append(f"does not apply in {counts[Verdict.NOT_APPLICABLE]}, where this fails: {reasons}")
    sentence = "; ".join(parts)
    return sentence[0].upper() + sentence[1:] + "."


def ledger(
    checks: Iterable[Check], slopes: Iterable[Slope] = (), words: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """One entry per claim, as plain values.

    checks: how many inequalities were tested, and of them holds / violated / vacuous / not_applicable.
    slack_log10: log10 of how far measurement and bound lie apart, min / median / max over the checks with a ratio;
    slacks: their distribution, thinned.  standing: what is known of the claim from its proof and its hunt.
    slope: the first slope reported for the claim; slopes: all of them, each with whether its interval covers what is
    expected.  inequalities: the counts and slacks of each inequality of the claim.  constants: which numbers of the
    bound were known before training.  words: counts and findings in plain words.
    """
    by_claim: dict[str, list[Check]] = {claim: [] for claim in CLAIMS}
    for check in checks:
        by_claim[check.claim].append(check)
    reported: dict[str, list[Slope]] = {claim: [] for claim in CLAIMS}
    for slope in slopes:
        reported[slope.claim].append(slope)
    entries = []
    for claim, tested in by_claim.items():
        counts = Counter(judge(check) for check in tested)
        slacks = [slack for check in tested if (slack := slack_log10(check)) is not None]
        failed = Counter(name for check in tested for name in failed_hypotheses(check))
        violations = [check.instance for check in tested if judge(check) is Verdict.VIOLATED]
        found = [{**slope._asdict(), "covers": slope.covers} for slope in reported[claim]]
        inequalities = _inequalities(tested)
        entries.append(
            {
                "id": claim,
                "title": CLAIMS[claim].title,
                "checks": len(tested),
                **{verdict.value: counts[verdict] for verdict in Verdict},
                "slack_log10": _slack(slacks),
                "slacks": thinned(slacks),
                "standing": CLAIMS[claim].standing,
                "inequalities": inequalities,
                "constants": CLAIMS[claim].constants,
                "slope": found[0] if found else None,
                "slopes": found,
                "status": _status(counts),
                "words": " ".join(filter(None, [_words(counts, inequalities, failed), (words or {}).get(claim)])),
                "violations": violations[:5],
            }
        )
    return entries

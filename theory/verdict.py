"""What a measurement says about a bound: one of four verdicts, and how loose the bound was.

A failed mathematical hypothesis is data (a negative margin), never an exception; a NaN where the theorem promises a
number is a fault of the measurement and raises.
"""

import math
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Literal, NamedTuple


class Verdict(StrEnum):
    HOLDS = "holds"
    VIOLATED = "violated"
    VACUOUS = "vacuous"
    NOT_APPLICABLE = "not_applicable"


class Check(NamedTuple):
    """One inequality `measured <sense> bound` of one claim at one instance.

    inequality: which of the claim's inequalities, where it has several; the ledger counts each of its own.
    rounding: absolute allowance for float64 rounding in `measured` and `bound`, same unit as both.
    margins: signed slack of each hypothesis by name; negative (or NaN) means the hypothesis fails at this instance.
    vacuous: the bound, though true, excludes nothing here (a path floor of 0, a probability bound above 1).
    """

    claim: str
    instance: str
    measured: float
    sense: Literal["<=", ">="]
    bound: float
    rounding: float = 0.0
    margins: Mapping[str, float] = MappingProxyType({})
    vacuous: bool = False
    inequality: str = ""


def failed_hypotheses(check: Check) -> tuple[str, ...]:
    """Names of the hypotheses that fail at this instance."""
    return tuple(name for name, margin in check.margins.items() if not margin >= 0)


def judge(check: Check) -> Verdict:
    """Verdict on one check: hypotheses first, then vacuity, then the inequality within its rounding allowance.

    Raises ValueError when the hypotheses hold and `measured` or `bound` is NaN.
    """
    if failed_hypotheses(check):
        return Verdict.NOT_APPLICABLE
    if math.isnan(check.measured) or math.isnan(check.bound):
        raise ValueError(
            f"check of {check.claim} at {check.instance} must compare numbers, "
            f"but measured = {check.measured} and bound = {check.bound}"
        )
    if check.vacuous:
        return Verdict.VACUOUS
    excess = check.measured - check.bound if check.sense == "<=" else check.bound - check.measured
    return Verdict.HOLDS if excess <= check.rounding else Verdict.VIOLATED


def slack_log10(check: Check) -> float | None:
    """How loose the bound is: log10 of the larger side of the inequality over the smaller, 0 when attained.

    Negative for a violation. None where no ratio exists (a side that is not positive and finite) or none is claimed
    (vacuous, not applicable).
    """
    if judge(check) not in (Verdict.HOLDS, Verdict.VIOLATED):
        return None
    small, large = (check.measured, check.bound) if check.sense == "<=" else (check.bound, check.measured)
    if not (0 < small < math.inf and 0 < large < math.inf):
        return None
    return math.log10(large) - math.log10(small)

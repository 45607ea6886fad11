"""Hunt for counterexamples: Hypothesis searches a claim's instances for the smallest slack, then gradients push on."""

import contextlib
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import hypothesis
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from experiments.ascent import Ascent, ascend
from theory.verdict import Check, Verdict, judge, slack_log10

BATCH = 32
STARTS = 4
RESOLUTION = 1e-3
"""Rounding allowance, as a share of the bound, above which an instance is no evidence of tightness."""


class Hunt(NamedTuple):
    """How to search one claim.

    instances: strategy drawing a small NamedTuple of seeds and scalars (`Instance`), shapes from a short menu so that
    few are compiled.  check: instance -> Check (hypotheses as margins).  module: where `Instance` and `check` live,
    for the runnable counterexample.  check_many: the same for many instances at once, where a compiled shape evaluates
    a batch faster than one by one.  extremal: instances where the bound is known to be attained or at its tightest;
    the hunt tries them first.  ascent: how to climb towards the bound, where measured/bound is differentiable.
    setup: Python that defines `Instance` and `check`, where importing them from `module` does not.
    """

    claim: str
    instances: SearchStrategy[Any]
    check: Callable[[Any], Check]
    module: str
    check_many: Callable[[Sequence[Any]], Sequence[Check]] | None = None
    extremal: tuple[Any, ...] = ()
    ascent: Ascent | None = None
    setup: str = ""


class Tightest(NamedTuple):
    """The smallest log10 slack seen on one of a claim's inequalities, and the instance that has it, as Python."""

    inequality: str
    slack_log10: float
    instance: str


class HuntReport(NamedTuple):
    """What one search saw: instances by verdict, the smallest slack of each inequality, a counterexample if any."""

    claim: str
    tried: int
    applicable: int
    vacuous: int
    tightest: tuple[Tightest, ...]
    violation: str | None

    @property
    def smallest_slack_log10(self) -> float | None:
        """Over all inequalities; None where no applicable instance has a ratio."""
        return min((found.slack_log10 for found in self.tightest), default=None)


class _ViolationFound(Exception):
    """Raised inside the search so that Hypothesis shrinks the instance; never leaves `search`."""


def runnable(hunt: Hunt, instance: Any) -> str:
    """Python that rebuilds one instance and prints its check."""
    return (
        f"{hunt.setup or f'from {hunt.module} import Instance, check'}\n"
        f"from theory.verdict import judge\n"
        f"found = check({instance!r})\n"
        f"print(judge(found), found)"
    )


class _Tally:
    """Counts and extremes over everything a search evaluates."""

    def __init__(self, hunt: Hunt) -> None:
        self.hunt = hunt
        self.counts = {verdict: 0 for verdict in Verdict}
        self.best: dict[str, list[tuple[float, Any]]] = {}  # by inequality: (slack, instance), the smallest first
        self.violation: Any = None

    def evaluate(self, instances: Sequence[Any]) -> float | None:
        """Judge the instances; the smallest slack among them. Remembers the last violation."""
        many = self.hunt.check_many
        found = [self.hunt.check(instances[0])] if many is None or len(instances) == 1 else many(instances)
        smallest = None
        for instance, check in zip(instances, found, strict=True):
            verdict, slack = judge(check), slack_log10(check)
            self.counts[verdict] += 1
            if verdict is Verdict.VIOLATED:
                self.violation = instance
            if slack is not None:
                smallest = slack if smallest is None else min(slack, smallest)
            if slack is not None and check.rounding <= RESOLUTION * abs(check.bound):
                best = self.best.setdefault(check.inequality, [])
                if len(best) < STARTS or slack < best[-1][0]:
                    best.append((slack, instance))
                    best.sort(key=lambda pair: pair[0])
                    del best[STARTS:]
        return smallest


def search(hunt: Hunt, *, examples: int, seed: int) -> HuntReport:
    """Search `examples` instances of one claim, guided towards small slack; a violation is shrunk to the smallest.

    First the known extremal instances, then Hypothesis (in batches where the hunt has `check_many`), then gradient
    ascent from the best of both, whose end points are judged like any instance.
    """
    tally = _Tally(hunt)
    # Hypothesis begins with the simplest list and learns from whole lists: a small budget is spent on short ones.
    batch = 1 if hunt.check_many is None else min(BATCH, math.ceil(examples / 16))
    for instance in hunt.extremal[:examples]:
        tally.evaluate([instance])

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=max(1, (examples - len(hunt.extremal)) // batch),
        deadline=None,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),  # pyright: ignore[reportArgumentType]
        verbosity=hypothesis.Verbosity.quiet,
        phases=(hypothesis.Phase.generate, hypothesis.Phase.target, hypothesis.Phase.shrink),
    )
    @hypothesis.given(st.lists(hunt.instances, min_size=batch, max_size=batch))
    def explore(instances: list[Any]) -> None:
        smallest = tally.evaluate(instances)
        if smallest is not None:
            hypothesis.target(-smallest, label="tightness")
        if tally.violation is not None and tally.violation in instances:
            raise _ViolationFound

    if tally.violation is None:
        with contextlib.suppress(_ViolationFound):
            explore()
    if hunt.ascent is not None and tally.violation is None:
        for best in list(tally.best.values()):
            for end in ascend(hunt.ascent, [instance for _, instance in best]):
                tally.evaluate([end])
    return HuntReport(
        claim=hunt.claim,
        tried=sum(tally.counts.values()),
        applicable=tally.counts[Verdict.HOLDS] + tally.counts[Verdict.VIOLATED],
        vacuous=tally.counts[Verdict.VACUOUS],
        tightest=tuple(Tightest(name, best[0][0], repr(best[0][1])) for name, best in sorted(tally.best.items())),
        violation=None if tally.violation is None else runnable(hunt, tally.violation),
    )

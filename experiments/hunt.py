"""Hunt for counterexamples: Hypothesis searches a claim's instances for the smallest slack, or for a violation."""

import contextlib
from collections.abc import Callable
from typing import Any, NamedTuple

import hypothesis
from hypothesis.strategies import SearchStrategy

from theory.verdict import Check, Verdict, judge, slack_log10


class Hunt(NamedTuple):
    """How to search one claim.

    instances: strategy drawing a small NamedTuple of seeds and scalars (`Instance`), shapes from a short menu so that
    few are compiled.  check: instance -> Check (hypotheses as margins).  module: where `Instance` and `check` live,
    for the runnable counterexample.
    """

    claim: str
    instances: SearchStrategy[Any]
    check: Callable[[Any], Check]
    module: str


class HuntReport(NamedTuple):
    claim: str
    tried: int
    applicable: int
    vacuous: int
    smallest_slack_log10: float | None
    tightest: str | None
    violation: str | None


class _ViolationFound(Exception):
    """Raised inside the search so that Hypothesis shrinks the instance; never leaves `search`."""


def runnable(hunt: Hunt, instance: Any) -> str:
    """Python that rebuilds one instance and prints its check."""
    return (
        f"from {hunt.module} import Instance, check\n"
        f"from theory.verdict import judge\n"
        f"found = check({instance!r})\n"
        f"print(judge(found), found)"
    )


def search(hunt: Hunt, *, examples: int, seed: int) -> HuntReport:
    """Search `examples` instances of one claim, guided towards small slack; a violation is shrunk to the smallest."""
    counts = {verdict: 0 for verdict in Verdict}
    tightest: tuple[float, Any] | None = None
    smallest_violation: Any = None

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),  # pyright: ignore[reportArgumentType]
        verbosity=hypothesis.Verbosity.quiet,
        phases=(hypothesis.Phase.generate, hypothesis.Phase.target, hypothesis.Phase.shrink),
    )
    @hypothesis.given(hunt.instances)
    def explore(instance: Any) -> None:
        nonlocal tightest, smallest_violation
        found = hunt.check(instance)
        verdict = judge(found)
        counts[verdict] += 1
        slack = slack_log10(found)
        if slack is not None:
            hypothesis.target(-slack, label="tightness")
            if tightest is None or slack < tightest[0]:
                tightest = (slack, instance)
        if verdict is Verdict.VIOLATED:
            smallest_violation = instance
            raise _ViolationFound

    with contextlib.suppress(_ViolationFound):
        explore()
    return HuntReport(
        claim=hunt.claim,
        tried=sum(counts.values()),
        applicable=counts[Verdict.HOLDS] + counts[Verdict.VIOLATED],
        vacuous=counts[Verdict.VACUOUS],
        smallest_slack_log10=None if tightest is None else tightest[0],
        tightest=None if tightest is None else repr(tightest[1]),
        violation=None if smallest_violation is None else runnable(hunt, smallest_violation),
    )

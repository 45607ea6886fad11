"""What a command says when not every run has a record: which failed, or how to go on."""

import json
import shlex
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from experiments.engine import Outcome


def tell_unfinished(outcome: "Outcome", *, fresh: bool = False) -> int:
    """On stderr: each failed run with its configuration, how to resume; the exit status, 0 where all is done."""
    for failure in outcome.failures:
        print(f"uniformity: {failure.study}, {failure.label} failed: {failure.reason}", file=sys.stderr)
        print(f"  its configuration: {json.dumps(failure.config)}", file=sys.stderr)
    if not outcome.interrupted:
        return 1 if outcome.failures else 0
    again = shlex.join(["uniformity", *(word for word in sys.argv[1:] if word != "--fresh")])
    resumed = "without --fresh this resumes" if fresh else "the same command resumes"
    print(f"uniformity: interrupted; what finished is stored, and {resumed}: {again}", file=sys.stderr)
    return 130

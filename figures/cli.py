"""The command `uniformity`: its subcommands, and how each outcome becomes an exit status.

The commands (figures/commands) are the one place that knows theory, experiments and figures together. Heavy imports
live inside them, so that `uniformity --help` answers at once.
"""

import sys

import cyclopts

from figures.commands.asked import BadInput
from figures.commands.certify import certify
from figures.commands.explore import explore
from figures.commands.measure import measure
from figures.commands.records import records
from figures.commands.report import report
from figures.commands.reproduce import reproduce
from figures.commands.select import select
from figures.commands.show import claims, draw
from figures.commands.sweep import sweep
from figures.commands.verify import verify

app = cyclopts.App(
    name="uniformity",
    help="Does more uniform training data make gradient descent faster, and what exactly can be proved about it?",
)
for command in (explore, reproduce, sweep, report, claims, draw, verify, certify, measure, select):
    app.command(command)
app.command(records)


def main() -> None:
    """Run the command; bad input is one sentence on stderr and exit status 2, an interrupt 130."""
    try:
        code = app(sys.argv[1:], result_action="return_value")
    except BadInput as error:
        print(f"uniformity: {error}", file=sys.stderr)
        code = 2
    except OSError as error:
        print(f"uniformity: cannot use {error.filename or 'a file'}: {error.strerror}", file=sys.stderr)
        code = 2
    except KeyboardInterrupt:
        told = "interrupted; no file is half-written, and reproduce and sweep resume after the runs that finished"
        print(f"uniformity: {told}", file=sys.stderr)
        code = 130
    sys.exit(code)

"""The command inside the tests' process, and without its figures."""

import sys
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

from figures import cli, draw
from figures.commands import reproduce, sweep, verify

ROOT = Path(__file__).parent.parent.parent


def uniformity_here(*arguments):
    """The same command inside this process: its status and what it printed."""
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(StringIO()) as printed:
        patch.setattr(sys, "argv", ["uniformity", *arguments])
        patch.chdir(ROOT)
        for command in (reproduce, sweep, verify):
            patch.setattr(command, "use_all_cores", lambda: None)  # this process has its devices already
        with pytest.raises(SystemExit) as left:
            cli.main()
    return left.value.code, printed.getvalue()


@contextmanager
def no_drawing():
    """Where the figures are not what is tested: drawing them takes most of a command's time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(draw, "draw_figure", lambda *arguments, **options: [])
        yield

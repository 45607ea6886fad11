"""`uniformity` in this process: what a command prints and how it ends; and without its figures."""

import io
import sys
import types
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from figures import cli, draw
from figures.commands import reproduce, sweep, verify

ROOT = Path(__file__).parent.parent.parent


def run(*arguments, stdin=b""):
    """Status, stdout and stderr of the command."""
    with (
        pytest.MonkeyPatch.context() as patch,
        redirect_stdout(io.StringIO()) as out,
        redirect_stderr(io.StringIO()) as err,
    ):
        patch.setattr(sys, "argv", ["uniformity", *map(str, arguments)])
        patch.setattr(sys, "stdin", types.SimpleNamespace(buffer=io.BytesIO(stdin)))
        for command in (reproduce, sweep, verify):
            patch.setattr(command, "use_all_cores", lambda: None)  # this process has its devices already
        with pytest.raises(SystemExit) as left:
            cli.main()
    return left.value.code or 0, out.getvalue(), err.getvalue()


@contextmanager
def no_drawing():
    """Where the figures are not what is tested: drawing them takes most of a command's time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(draw, "draw_figure", lambda *arguments, **options: [])
        yield

"""`uniformity` in this process: what a command prints and how it ends."""

import io
import sys
import types
from contextlib import redirect_stderr, redirect_stdout

import pytest

from figures import cli


def run(*arguments, stdin=b""):
    """Status, stdout and stderr of the command."""
    with (
        pytest.MonkeyPatch.context() as patch,
        redirect_stdout(io.StringIO()) as out,
        redirect_stderr(io.StringIO()) as err,
    ):
        patch.setattr(sys, "argv", ["uniformity", *map(str, arguments)])
        patch.setattr(sys, "stdin", types.SimpleNamespace(buffer=io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as left:
            cli.main()
    return left.value.code or 0, out.getvalue(), err.getvalue()

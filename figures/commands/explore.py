"""`uniformity explore`: a page in the browser on which architecture and data are changed and trained."""

import os
import sys
from pathlib import Path
from typing import Annotated

import cyclopts

from figures.commands.asked import BadInput


def explore(
    *,
    state: Path | None = None,
    model: str | None = None,
    point_shape: Annotated[tuple[int, ...], cyclopts.Parameter(consume_multiple=True)] = (2,),
    port: int = 0,
    browser: bool = True,
    export: Path | None = None,
) -> int:
    """Open a page to change network and data with sliders, see what the theorems say, and train live.

    Parameters
    ----------
    state
        A state that the page has saved (.toml); by default one close pair and a residual network.
    model
        FILE.py:NAME, an (init, apply) pair of your own, looked at as "your own" network; no page can name another.
    point_shape
        Shape of one of that model's input points: 4, or 8 4 for eight tokens of width four.
    port
        Port on 127.0.0.1; by default a free one.
    browser
        Open the browser; with --no-browser only print the address.
    export
        Write instead a page that needs no server: this state, other h_min, labels and skip connections, trained.
    """
    if not 0 <= port <= 65535:
        raise BadInput(f"--port must be a number from 0 (any free one) to 65535, but it was {port}")
    if export is not None and export.suffix not in (".html", ".htm"):
        raise BadInput(f"--export must be an .html file, but it was {str(export)!r}")
    import dataclasses

    from experiments.explore.problems import problems
    from experiments.explore.state import OWN, State, load_state
    from experiments.user_model import load_model

    try:
        own = None if model is None else load_model(model, point_shape)
        first = State() if state is None else load_state(state)
    except ValueError as error:
        raise BadInput(str(error)) from error
    if own is not None and state is None:
        first = dataclasses.replace(first, kind=OWN)
    if found := problems(first, own):
        raise BadInput(found[0])
    if export is not None:
        from figures.commands.progress import progress_bar
        from figures.explore.static_page import write_page

        with progress_bar("training") as progress:
            write_page(export, first, own, progress=progress)
        print(export)
        return 0
    from figures.explore.server import serve

    try:
        serve(first, own, port=port, browser=browser)
    except OSError as error:
        raise BadInput(f"--port must be free on 127.0.0.1, but {port} was not: {error.strerror}") from error
    sys.stdout.flush()
    os._exit(0)  # the thread of a page may be inside the compiler: an orderly end of Python aborts there

"""Ctrl-C while much is under way: the first asks to finish what runs, the second stops at once."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any


@contextmanager
def gentle_interrupt() -> Iterator[Callable[[], bool]]:
    """Within the block the first SIGINT is told by the function that is yielded; the next one is KeyboardInterrupt."""
    asked = False

    def handle(number: int, frame: Any) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        with suppress(RuntimeError):  # the signal may have come while something else was being printed
            print("uniformity: finishing what runs; press Ctrl-C again to stop at once", file=sys.stderr)

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGINT, before)

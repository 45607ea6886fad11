"""How far the runs are: bars on a terminal, plain lines elsewhere, or a line of JSON an event.

All three show the same counts, which come with the events. Pace and time left rest on the runs that were measured in
this call: what was found in the store says nothing of how long the rest will take.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.table import Column
from rich.text import Text

from figures.amounts import duration

_WIDE = 100
"""Columns from which a bar has room for its study's name beside the code."""
_COUNTS = ("done", "running", "failed", "reused", "total")


class Pace:
    """One study's counts, and the pace since its first run began."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.done = self.total = self.running = self.failed = self.reused = 0
        self._clock = clock
        self._began = self._latest = clock()

    def take(self, event: Any) -> None:
        """The counts of experiments.engine.Event."""
        measured, idle = self.measured, not (self.measured or self.running)
        for name in _COUNTS:
            setattr(self, name, getattr(event, name))
        if idle:
            self._began = self._clock()
        if self.measured > measured:
            self._latest = self._clock()

    @property
    def measured(self) -> int:
        """Runs that were measured in this call, in vain or not."""
        return self.done - self.reused + self.failed

    @property
    def seconds(self) -> float:
        """From the first run's begin to the latest one's end."""
        return max(0.0, self._latest - self._began)

    @property
    def per_minute(self) -> float | None:
        """Runs a minute; None before the first has ended."""
        return 60 * self.measured / self.seconds if self.measured and self.seconds else None

    @property
    def seconds_left(self) -> float | None:
        """Until all are measured at this pace; None where there is none, 0 where it is overdue."""
        if (pace := self.per_minute) is None:
            return None
        return max(0.0, 60 * (self.total - self.done - self.failed) / pace - (self._clock() - self._latest))

    def words(self) -> str:
        """Counts, pace and time left, such as '2 running, 1 failed, 40 reused, 12/min, 3 min left'; only what is."""
        said = [f"{getattr(self, name):,} {name}" for name in ("running", "failed", "reused") if getattr(self, name)]
        if (pace := self.per_minute) is not None:
            said.append(f"{pace:,.0f}/min" if pace >= 10 else f"{pace:.2g}/min")
        if (left := self.seconds_left) is not None and self.done + self.failed < self.total:
            said.append(f"{duration(left)} left" if left >= 1 else "soon done")
        return ", ".join(said)

    def summary(self) -> str:
        """What became of the runs, once no more is begun."""
        said = [f"{self.done:,} of {self.total:,} done"]
        if self.measured:
            said.append(f"{self.measured - self.failed:,} measured in {duration(self.seconds)}")
        said += [f"{getattr(self, name):,} {name}" for name in ("reused", "failed") if getattr(self, name)]
        return ", ".join(said)


class Reporter:
    """Takes the events of any studies: a bar a study on a terminal; plain lines on a dumb one, in a pipe or in CI."""

    def __init__(self, *, to_stderr: bool, console: Console | None = None) -> None:
        console = console or Console(stderr=to_stderr, highlight=False)
        plain = not console.is_terminal or console.is_dumb_terminal or "CI" in os.environ
        self._screen = _Lines(console) if plain else _Bars(console)

    def __enter__(self) -> "Reporter":
        self._screen.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._screen.stop()

    def __call__(self, event: Any) -> None:
        self._screen.take(event)


class EventStream:
    """Takes the same events and writes each as one line of JSON at once.

    kind, study, label, key and outcome as in the event; done, running, failed, reused and total runs of the study;
    seconds since the stream began.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._since = time.monotonic()

    def __enter__(self) -> "EventStream":
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(BrokenPipeError):
            self._stream.flush()

    def __call__(self, event: Any) -> None:
        told = {
            "kind": event.kind,
            "study": event.study.name,
            "label": event.label,
            "key": event.key,
            "outcome": event.outcome,
            **{name: getattr(event, name) for name in _COUNTS},
            "seconds": round(time.monotonic() - self._since, 3),
        }
        print(json.dumps(told), file=self._stream, flush=True)


class _Lines:
    """A line a run, with the counter before it and the other numbers behind it."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.paces: dict[str, Pace] = {}

    def start(self) -> None:
        pass

    def stop(self) -> None:
        pass

    def take(self, event: Any) -> None:
        pace = _pace(self.paces, event)
        if event.kind == "plan":
            self._print(f"{event.study.code} {event.study.name}: {event.total:,} runs")
        elif event.kind == "done":
            self._print(f"{event.study.code} {event.study.name}: {pace.summary()}")
        elif (line := _line(event)) is not None:
            words = f"   {pace.words()}" if event.kind in ("ran", "failed") and pace.words() else ""
            self._print(f"{line.plain}{words}")

    def _print(self, text: str) -> None:
        self.console.print(text, soft_wrap=True, markup=False)


class _Bars:
    """A bar a study, with its numbers; above the bars a line a run, but none for what was in the store."""

    def __init__(self, console: Console) -> None:
        self.paces: dict[str, Pace] = {}
        self.tasks: dict[str, TaskID] = {}
        self.progress = Progress(
            TextColumn("[bold]{task.description}", table_column=Column(no_wrap=True)),
            BarColumn(bar_width=None),  # it takes what the numbers leave
            MofNCompleteColumn(table_column=Column(no_wrap=True)),
            _Numbers(table_column=Column(no_wrap=True)),
            console=console,
            expand=True,
        )

    def start(self) -> None:
        self.progress.start()

    def stop(self) -> None:
        self.progress.stop()

    def take(self, event: Any) -> None:
        pace = _pace(self.paces, event)
        name = f"{event.study.code} {event.study.name}"
        if event.kind == "plan":
            shown = name if self.progress.console.width >= _WIDE else event.study.code
            self.tasks[name] = self.progress.add_task(shown, total=event.total, pace=pace, over=False)
        self.progress.update(self.tasks[name], completed=event.done + event.failed, over=event.kind == "done")
        if event.kind != "reused" and (line := _line(event)) is not None:
            self.progress.console.print(line)


class _Numbers(ProgressColumn):
    """Counts, pace and time left of a bar, as they are when it is drawn."""

    def render(self, task: Task) -> Text:
        pace: Pace = task.fields["pace"]
        words = pace.summary().partition(", ")[2] if task.fields["over"] else pace.words()
        return Text(words, style="red" if pace.failed else "")


def _pace(paces: dict[str, Pace], event: Any) -> Pace:
    # By code and name: a comparison of precisions goes through each study twice.
    name = f"{event.study.code} {event.study.name}"
    if event.kind == "plan":
        paces[name] = Pace()
    paces[name].take(event)
    return paces[name]


def _line(event: Any) -> Text | None:
    """What became of one run; None for an event that is not about one."""
    counter = Text(f"{event.study.code} {event.done:>4}/{event.total} ", style="dim")
    if event.kind == "damaged":
        return counter + Text("damaged", style="bold red") + Text(f", to be run again: {event.outcome}", style="")
    if event.kind == "failed":
        return counter + Text("failed", style="bold red") + Text(f" {event.label}: {event.outcome}", style="")
    if event.kind in ("ran", "reused"):
        outcome = f" ({event.outcome})" if event.outcome else ""
        return counter + Text(f"{event.kind:<6} {event.label}{outcome}", style="")
    return None

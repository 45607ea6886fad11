"""What is said of the runs' progress: the same numbers on a terminal, in a pipe and as JSON; and no pace is made up."""

import json
import re
from io import StringIO

import pytest
from rich.console import Console

from experiments.engine import Event
from experiments.studies import STUDIES
from figures.progress_screen import EventStream, Pace, Reporter

STUDY = STUDIES["selection_language"]  # the longest name


def event(kind, done=0, running=0, failed=0, reused=0, total=100, label="h = 0.1 [seed 3]", outcome="reached"):
    return Event(STUDY, kind, "0" * 32, label, outcome, done, total, running, failed, reused)


SWEEP = [
    event("plan"),
    event("reused", 1, reused=1),
    event("damaged", 1, reused=1, outcome="record 0: 0.npz is missing"),
    event("running", 1, running=2, reused=1),
    event("ran", 2, running=1, reused=1),
    event("failed", 2, failed=1, reused=1, outcome="ArithmeticError: too large [4, 5]"),
    event("ran", 99, failed=1, reused=1),
    event("done", 99, failed=1, reused=1),
]


class Clock:
    """A clock that is set by hand."""

    now = 1000.0

    def __call__(self):
        return self.now


def paced(*steps):
    """The pace after events, each with the second at which it comes."""
    clock = Clock()
    pace = Pace(clock)
    for second, taken in steps:
        clock.now = 1000.0 + second
        pace.take(taken)
    return pace, clock


def test_pace_and_time_left_are_of_the_runs_measured_in_this_call():
    reading = [(0, event("plan")), *((5, event("reused", n, reused=n)) for n in range(1, 41))]
    pace, clock = paced(*reading)
    assert pace.per_minute is None and pace.seconds_left is None and pace.words() == "40 reused"
    pace, clock = paced(
        *reading,
        (8, event("running", 40, running=4, reused=40)),  # three seconds until the workers are there
        (20, event("ran", 41, running=3, reused=40)),
        (28, event("failed", 41, running=2, failed=1, reused=40)),
    )
    assert pace.per_minute == pytest.approx(60 * 2 / 20) and pace.seconds_left == pytest.approx(58 * 10)
    assert pace.words() == "2 running, 1 failed, 40 reused, 6/min, 10 min left"
    clock.now += 30  # nothing ends meanwhile: the rest is nearer, the pace is known no better
    assert pace.per_minute == pytest.approx(6) and pace.seconds_left == pytest.approx(550)
    clock.now += 3600
    assert pace.seconds_left == 0 and pace.words().endswith("soon done")


def test_more_runs_that_begin_do_not_start_the_clock_again():
    pace, _ = paced((0, event("plan")), (1, event("running", running=1)), (9, event("running", running=2)))
    assert pace.per_minute is None
    pace, _ = paced(
        (0, event("plan")), (1, event("running", running=1)), (9, event("running", running=2)), (11, event("ran", 1))
    )
    assert pace.per_minute == pytest.approx(6)


def shown(console):
    """All that a Reporter prints of the sweep."""
    with Reporter(to_stderr=False, console=console) as reporter:
        for taken in SWEEP:
            reporter(taken)
    return console.file.getvalue()


@pytest.fixture(params=["pipe", "dumb", "ci"])
def plain(request, monkeypatch):
    """What is printed where there is no cursor to move."""
    monkeypatch.delenv("CI", raising=False)
    if request.param == "ci":
        monkeypatch.setenv("CI", "true")
    environment = {"TERM": "dumb"} if request.param == "dumb" else {"TERM": "xterm"}
    terminal = request.param != "pipe"
    return shown(Console(file=StringIO(), force_terminal=terminal, width=40, highlight=False, _environ=environment))


def test_plain_lines_have_a_counter_and_no_bar(plain):
    lines = plain.splitlines()
    assert "\x1b[" not in plain and "━" not in plain
    assert lines[0] == "X11b selection_language: 100 runs"
    assert lines[1] == "X11b    1/100 reused h = 0.1 [seed 3] (reached)"
    assert lines[2] == "X11b    1/100 damaged, to be run again: record 0: 0.npz is missing"
    assert lines[3].startswith("X11b    2/100 ran    h = 0.1 [seed 3] (reached)   1 running, 1 reused, ")
    assert lines[4].startswith("X11b    2/100 failed h = 0.1 [seed 3]: ArithmeticError: too large [4, 5]   1 failed, ")
    assert "/min, " in lines[3] and lines[3].endswith(("left", "soon done"))
    assert lines[-1].startswith("X11b selection_language: 99 of 100 done, 98 measured in ")
    assert lines[-1].endswith(", 1 reused, 1 failed") and len(lines) == 7


def test_bars_hold_the_same_numbers_within_80_columns(monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    console = Console(file=StringIO(), force_terminal=True, width=80, highlight=False, _environ={"TERM": "xterm"})
    text = shown(console)
    last = text.rsplit("\r", 1)[-1]
    assert "━" in last and "100/100" in last and re.search(r"98 measured in [\d.]+ s, 1 reused, 1 failed", last)
    for line in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "\n").splitlines():
        assert len(line) <= 80 and "…" not in line
    assert "reused h = 0.1" not in text and "ran    h = 0.1 [seed 3] (reached)" in text
    assert "ArithmeticError: too large [4, 5]" in text


def test_json_is_a_line_an_event(capsys):
    with EventStream() as stream:
        for taken in SWEEP:
            stream(taken)
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["kind"] for row in rows] == [taken.kind for taken in SWEEP]
    for row, taken in zip(rows, SWEEP, strict=True):
        assert row["study"] == "selection_language" and row["key"] == "0" * 32 and 0 <= row["seconds"] < 60
        for name in ("label", "outcome", "done", "running", "failed", "reused", "total"):
            assert row[name] == getattr(taken, name)

"""What a study is: a question, the one thing it varies, its control, and how its runs are measured and read.

A study's file holds its presets (values), its runs (frozen dataclasses of plain values) and four functions; it knows
nothing of stores, progress bars, figures or machines.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from experiments.records import Record
from experiments.statistics import Estimate, Slope
from theory.verdict import Check


class Run(Protocol):
    """One run's configuration: a frozen dataclass of plain values with a name for people."""

    @property
    def label(self) -> str: ...


class Measured(NamedTuple):
    """What one run produced. outcome: one phrase for the progress line."""

    scalars: dict[str, Any]
    arrays: dict[str, np.ndarray]
    outcome: str


class Findings(NamedTuple):
    """What a study's records say.

    summary: plain values, all a figure needs.  checks: every inequality tested.  slopes: fitted exponents.
    words: claim id -> one plain sentence with the measured numbers.  estimates: other numbers that a reader quotes.
    """

    summary: dict[str, Any]
    checks: list[Check]
    slopes: list[Slope]
    words: dict[str, str]
    estimates: Sequence[Estimate] = ()


@dataclass(frozen=True)
class Study:
    """One experiment.

    name: stem of its file, its summary and its figure.  code: its name in paper_notes.md.  schema: raised whenever
    what is measured changes, so that old records are not reused.  presets: name -> the study's preset dataclass.
    plan(preset): the runs.  batch(run): runs with equal values are measured together (one shape, one compilation).
    require(run): raises ValueError for a configuration that cannot be run: one sentence that begins with the field's
    name, dotted where it is nested.
    measure(runs): yields each run with its measurements as soon as it is finished, in any order.
    find(preset, records): the findings; records are in the plan's order.
    """

    name: str
    code: str
    title: str
    question: str
    varied: str
    control: str
    falsified_by: str
    claims: tuple[str, ...]
    schema: int
    presets: Mapping[str, Any]
    plan: Callable[[Any], Sequence[Any]]
    batch: Callable[[Any], Hashable]
    require: Callable[[Any], None]
    measure: Callable[[Sequence[Any]], Iterator[tuple[Any, Measured]]]
    find: Callable[[Any, Sequence[Record]], Findings]

"""How long runs will take, from what the store knows of runs like them.

Shape.   What is compiled once: runs of one shape differ in their seed and in numbers that are data to the compiled
  code. A study's `batch` says it, without the seed, by which it only cuts into groups.
Seconds. The runs of a batch advance together, and a record has the seconds since the one before it: one record says
  nothing, their sum is the wall time, compilation included. So a shape's mean is taken, not its median.
Nearest. A shape without records takes the mean of the one nearest to it: two positive numbers differ by the
  logarithm of their ratio, other values by 1.
"""

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any, NamedTuple

from experiments.records import Head, plain
from experiments.run_fields import run_of
from experiments.study import Study


class Estimate(NamedTuple):
    """seconds: of all runs, one after the other in one process; None without records.

    records: how many it is read from.  known: runs whose own shape has records; the others' are of the nearest shape.
    """

    seconds: float | None
    records: int
    known: int


def shape_of(study: Study, run: Any) -> Hashable:
    """Equal for runs that share their compiled code."""
    return study.batch(replace(run, seed=0))


def estimate(study: Study, runs: Sequence[Any], past: Iterable[Head]) -> Estimate:
    """The time that runs will take; past: what is stored, of any study and any age."""
    if not runs:
        return Estimate(0.0, 0, 0)
    seconds = _seconds_by_shape(study, type(runs[0]), past)
    if not seconds:
        return Estimate(None, 0, 0)
    wanted = Counter(shape_of(study, run) for run in runs)
    used = {shape: shape if shape in seconds else _nearest(shape, seconds) for shape in wanted}
    return Estimate(
        seconds=math.fsum(count * fmean(seconds[used[shape]]) for shape, count in wanted.items()),
        records=sum(len(seconds[shape]) for shape in set(used.values())),
        known=sum(count for shape, count in wanted.items() if shape in seconds),
    )


def _seconds_by_shape(study: Study, kind: type, past: Iterable[Head]) -> dict[Hashable, list[float]]:
    found: dict[Hashable, list[float]] = {}
    for head in past:
        if head.study != study.name:
            continue
        try:
            shape = shape_of(study, run_of(kind, head.config))
        except (ValueError, TypeError):
            continue  # of an older schema, whose runs had other fields
        found.setdefault(shape, []).append(float(head.provenance["seconds"]))
    return found


def _nearest(shape: Hashable, known: Iterable[Hashable]) -> Hashable:
    own = dict(_leaves(plain(shape)))
    return min(known, key=lambda other: _distance(own, dict(_leaves(plain(other)))))


def _distance(first: Mapping[Any, Any], second: Mapping[Any, Any]) -> float:
    return math.fsum(_apart(first.get(place), second.get(place)) for place in {**first, **second})


def _apart(first: Any, second: Any) -> float:
    numbers = all(isinstance(each, (int, float)) and not isinstance(each, bool) for each in (first, second))
    if numbers and first > 0 and second > 0:
        return abs(math.log(first / second))
    return float(first != second)


def _leaves(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """The plain values inside a nested one, each with where it is."""
    if isinstance(value, (dict, list)):
        for name, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(item, (*place, name))
    else:
        yield place, value

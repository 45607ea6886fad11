"""Names of a grid's runs, for people: a study's own label tells what its presets vary, a grid may vary anything."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from experiments.run_fields import Field, leaves, told


def labels(runs: Sequence[Any]) -> list[str]:
    """A name for each run that no other has: its own, and where runs share theirs the fields in which they differ."""
    own = [run.label for run in runs]
    if len(set(own)) == len(own):
        return own
    rows = [leaves(run) for run in runs]
    varied = [field for field in dict.fromkeys(itertools.chain(*rows)) if len({row.get(field) for row in rows}) > 1]
    return [" ".join([label, *_unsaid(label, row, varied)]) for label, row in zip(own, rows)]


def _unsaid(label: str, row: Mapping[Field, Any], varied: Sequence[Field]) -> Iterator[str]:
    """The varied fields that a label does not tell already, as in "h=0.1" or "seed 3"."""
    for field in varied:
        value = told(row.get(field))
        if not any(f" {field[-1]}{sign}{value} " in f" {label} " for sign in "= "):
            yield f"{'.'.join(field)}={value}"

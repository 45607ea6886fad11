"""A grid of runs of one study, as a TOML file says it; every run is checked before the first begins.

  study = "slowdown"
  preset = "quick"                  # fields named nowhere are those of the preset's first run
  [fixed]                           # the same in every run
  labelling = "gap"
  architecture.width = 16
  [grid]                            # every combination
  h = {from = 0.4, to = 0.025, count = 5, spacing = "log"}
  seed = {seeds = 20}
  [[zip]]                           # these move together; every [[zip]] is one more axis of the grid
  architecture.depth = [1, 2, 4]
  step_size = [0.5, 0.25, 0.1]

Fields are those of the study's run, dotted where nested; "unset" is None. Values of an axis: experiments.grid_axes.
Order. Axes as in the file, the last one fastest. A run that several combinations give is run once.
Errors. One sentence that names the key and its line. An impossible run is a mistake in the grid, not an outcome.
"""

import itertools
import math
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from experiments.grid_axes import MOST, axis_values
from experiments.run_fields import (
    Field,
    FieldError,
    dataclass_in,
    declared_type,
    flat,
    told,
    unknown,
    with_fields,
)
from experiments.studies import STUDIES
from experiments.study import Study
from experiments.toml_lines import Path as Place
from experiments.toml_lines import key_lines

PRESET = "quick"
"""The preset whose first run is the base where the file names none."""

_SECTIONS = ("study", "preset", "fixed", "grid", "zip")


class Grid(NamedTuple):
    """runs: different ones, in the grid's order.  base: where fields named nowhere come from.

    combinations: what the axes multiply to; more than the runs where several give the same one.
    """

    study: Study
    runs: tuple[Any, ...]
    base: Any
    preset: str
    combinations: int


class _Choice(NamedTuple):
    """What one value of an axis sets: the fields' values, and where in the file each is."""

    values: dict[Field, Any]
    places: dict[Field, Place]


def read_grid(path: Path, study_name: str | None = None) -> Grid:
    """The runs of a grid file; study_name: the study where the file names none.

    Raises ValueError, one sentence with key and line, for whatever is unknown or impossible; OSError for no file.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} must be UTF-8 text, but byte {error.start} is not") from error
    try:
        document = tomllib.loads(text, parse_float=_exact)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(_syntax(path, text, error)) from error
    return _Reader(path, key_lines(text), document).grid(study_name)


def _exact(text: str) -> Decimal:
    """The decimal as written; what is beyond all floats is infinite."""
    value = float(text)
    return Decimal(text) if math.isfinite(value) else Decimal(repr(value))


def _syntax(path: Path, text: str, error: Exception) -> str:
    """tomllib's word, which ends in the line, and that line."""
    found = re.search(r"\(at line (\d+)", str(error))
    lines = text.splitlines() or [""]
    line = min(int(found.group(1)), len(lines)) if found else len(lines)
    return f"{path} line {line} must be TOML, but {lines[line - 1].strip()!r} is not: {error}"


class _Reader:
    def __init__(self, path: Path, lines: Mapping[Place, int], document: Mapping[str, Any]) -> None:
        self.path, self.lines, self.document = path, lines, document

    def grid(self, study_name: str | None) -> Grid:
        for name in self.document:
            if name not in _SECTIONS:
                raise self._error((name,), f"{name} {unknown(name, _SECTIONS, what='a key of a grid')}")
        study = self._study(study_name)
        preset = self._known("preset", self.document.get("preset", PRESET), study.presets)
        base = study.plan(study.presets[preset])[0]
        axes = self._axes(type(base))
        combinations = math.prod(len(axis) for axis in axes)
        if combinations > MOST:
            raise ValueError(f"{self.path} must have at most {MOST:,} combinations, but has {combinations:,}")
        runs: dict[Any, None] = {}
        for chosen in itertools.product(*axes):
            runs.setdefault(self._run(study, preset, base, chosen))
        return Grid(study, tuple(runs), base, preset, combinations)

    def _study(self, asked: str | None) -> Study:
        named = self.document.get("study", asked)
        if named is None:
            raise ValueError(f'{self.path} must name a study, as in study = "slowdown", where --study does not')
        if "study" not in self.document and named not in STUDIES:
            raise ValueError(f"--study {unknown(named, STUDIES, what='a study')}, and it was {named!r}")
        self._known("study", named, STUDIES)
        if asked not in (None, named):
            raise self._error(("study",), f"study must be {asked}, as --study says, but was {named!r}")
        return STUDIES[named]

    def _known(self, key: str, value: Any, known: Mapping[str, Any]) -> str:
        if not isinstance(value, str):
            raise self._error((key,), f"{key} must be a string, but was {told(value)}")
        if value not in known:
            raise self._error((key,), f"{key} {unknown(value, known, what=f'one of {len(known)} names')}")
        return value

    def _axes(self, kind: type) -> list[list[_Choice]]:
        """The axes of the product, of which [fixed] is the first, with one value."""
        document = self.document
        axes: list[list[_Choice]] = []
        set_at: dict[Field, Place] = {}
        for section in ("fixed", "grid"):
            if not isinstance(document.get(section, {}), dict):
                raise self._error((section,), f"{section} must be a table, but was {told(document[section])}")
        for field, place, given in self._set_in(("fixed",), document.get("fixed", {}), kind):
            self._once(field, place, set_at)
            axes.append([self._choice(kind, field, given, place)])
        for field, place, given in self._set_in(("grid",), document.get("grid", {}), kind):
            self._once(field, place, set_at)
            axes.append(self._axis(kind, field, place, given))
        zips = document.get("zip", [])
        if not (isinstance(zips, list) and all(isinstance(each, dict) for each in zips)):
            raise self._error(("zip",), "zip must be a table under [[zip]], with two brackets, but is not")
        for number, each in enumerate(zips):
            columns = []
            for field, place, given in self._set_in(("zip", number), each, kind):
                self._once(field, place, set_at)
                columns.append((field, place, self._axis(kind, field, place, given)))
            axes.append(self._zipped(("zip", number), columns))
        if not set_at:
            raise ValueError(f"{self.path} must set a field under [fixed], [grid] or [[zip]], but sets none")
        return axes

    def _set_in(self, section: Place, table: Mapping[str, Any], kind: type) -> list[tuple[Field, Place, Any]]:
        """Every field that a section sets, where, and what it is given, in the order of the file."""
        order = {place: number for number, place in enumerate(self.lines)}
        return sorted(self._fields((), section, table, kind), key=lambda each: order[each[1]])

    def _fields(
        self, above: Field, place: Place, table: Mapping[str, Any], kind: type
    ) -> Iterator[tuple[Field, Place, Any]]:
        """The same, table by table: dotted keys of one table need not stand together in the file."""
        for name, given in table.items():
            field, here = (*above, name), (*place, name)
            try:
                declared = declared_type(kind, field)
            except FieldError as error:
                raise self._at(here, error) from error
            if isinstance(given, dict) and dataclass_in(declared) is not None:
                yield from self._fields(field, here, given, kind)
            else:
                yield field, here, given

    def _once(self, field: Field, place: Place, set_at: dict[Field, Place]) -> None:
        for other, earlier in set_at.items():
            if field[: len(other)] == other or other[: len(field)] == field:
                line = self._line(earlier)
                raise self._error(place, f"{'.'.join(field)} must be set once, but line {line} sets {'.'.join(other)}")
        set_at[field] = place

    def _axis(self, kind: type, field: Field, place: Place, given: Any) -> list[_Choice]:
        try:
            values = axis_values(given, field, whole=declared_type(kind, field) is int)
        except FieldError as error:
            raise self._at((*place, *error.path[len(field) :]), error) from error
        # A list's elements have lines of their own.
        return [
            self._choice(kind, field, value, (*place, number) if isinstance(given, list) else place)
            for number, value in enumerate(values)
        ]

    def _choice(self, kind: type, field: Field, value: Any, place: Place) -> _Choice:
        try:
            values = flat(value, declared_type(kind, field), field)
        except FieldError as error:
            raise self._at((*place, *error.path[len(field) :]), error) from error
        return _Choice(values, {each: (*place, *each[len(field) :]) for each in values})

    def _zipped(self, place: Place, columns: Sequence[tuple[Field, Place, list[_Choice]]]) -> list[_Choice]:
        if not columns:
            raise self._error(place, "zip must set a field, but sets none")
        first, _, longest = columns[0]
        for field, where, column in columns:
            if len(column) != len(longest):
                raise self._error(
                    where,
                    f"{'.'.join(field)} must have {len(longest)} values, as {'.'.join(first)} in the same [[zip]], "
                    f"but has {len(column)}",
                )
        return [_together(row) for row in zip(*(column for _, _, column in columns))]

    def _run(self, study: Study, preset: str, base: Any, chosen: Sequence[_Choice]) -> Any:
        """The run of one combination. Raises ValueError where the study refuses it."""
        try:
            run = with_fields(base, {field: value for each in chosen for field, value in each.values.items()})
            study.require(run)
        except ValueError as error:
            places = _together(chosen).places
            refused = tuple(str(error).split(" ", 1)[0].split("."))
            # The field itself; else one beside it in the same table, which it may not go with.
            for depth in range(len(refused), 0, -1):
                for field, place in places.items():
                    if field[:depth] == refused[:depth]:
                        raise self._error(place, str(error)) from error
            setting = ", ".join(f"{'.'.join(field)} on line {self._line(place)}" for field, place in places.items())
            raise ValueError(
                f"{self.path}: {error}, the value of preset {preset}'s first run, while the grid sets {setting}"
            ) from error
        return run

    def _line(self, place: Place) -> int:
        """The line of a place, or of the nearest above it that has one (the values of a range have none)."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)

    def _error(self, place: Place, sentence: str) -> ValueError:
        return ValueError(f"{self.path} line {self._line(place)}: {sentence}")

    def _at(self, place: Place, error: FieldError) -> ValueError:
        return self._error(place, str(error))


def _together(choices: Sequence[_Choice]) -> _Choice:
    return _Choice(
        {field: value for each in choices for field, value in each.values.items()},
        {field: place for each in choices for field, place in each.places.items()},
    )

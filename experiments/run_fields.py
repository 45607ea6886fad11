"""Fields of a run by name: what type each has, values cast to it, and a run with some of them replaced.

A run is a frozen dataclass of plain values and of such dataclasses; "architecture.width" is a field within a field.
Values come from people (TOML) or from stored records (JSON). 1 and 1.0 are the same number; a string is never one.
"""

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import cache
from typing import Any

Field = tuple[str, ...]
"""A field's name, part by part."""

UNSET = "unset"
"""How TOML, which has no null, says None for a field that may be None."""


_LARGEST = 10**300


class FieldError(ValueError):
    """A field that cannot have a value. path: the field's name and, behind it, keys inside what was given."""

    def __init__(self, path: Field, problem: str) -> None:
        super().__init__(f"{'.'.join(path)} {problem}")
        self.path = path


@cache
def fields_of(kind: type) -> dict[str, Any]:
    """Names and declared types of a dataclass's fields."""
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def dataclass_in(declared: Any) -> type | None:
    """The dataclass that a declared type is, or is unless it is None; None for any other type."""
    inner, _ = _unless_none(declared)
    return inner if isinstance(inner, type) and dataclasses.is_dataclass(inner) else None


def declared_type(kind: type, path: Field) -> Any:
    """The declared type of a field of a run. Raises FieldError for an unknown one, with the nearest name."""
    declared: Any = kind
    for depth, name in enumerate(path):
        inside = dataclass_in(declared)
        if inside is None:
            raise FieldError(path[:depth], f"must be one value without fields of its own, but was given {name}")
        known = fields_of(inside)
        if name not in known:
            raise FieldError(path[: depth + 1], unknown(name, known, what=f"a field of {kind.__name__}"))
        declared = known[name]
    return declared


def unknown(name: str, known: Iterable[str], *, what: str) -> str:
    """What is wrong with a name that is none of the known ones, with the nearest of them or, if none is near, all."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"must be {what}, but is unknown; " + (f"is it {near[0]}?" if near else f"there are {', '.join(known)}")


def cast(value: Any, declared: Any, path: Field) -> Any:
    """A value as its field has it; lists become tuples. Raises FieldError where it is none of the declared type."""
    inner, optional = _unless_none(declared)
    if optional and (value is None or value == UNSET):
        return None
    wanted = f"must be {_told_type(inner)}{f' or {UNSET!r}' if optional else ''}, but was {told(value)}"
    if typing.get_origin(inner) is tuple:
        if not isinstance(value, list):
            raise FieldError(path, wanted)
        return tuple(cast(each, typing.get_args(inner)[0], path) for each in value)
    number = isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)
    if number and inner in (int, float):
        return _number(value, inner, path, wanted)
    if inner in (bool, str) and isinstance(value, inner):
        return value
    raise FieldError(path, wanted)


def _number(value: int | float | Decimal, kind: type, path: Field, wanted: str) -> int | float:
    if not (abs(value) < _LARGEST if isinstance(value, int) else math.isfinite(value)):
        raise FieldError(path, f"must be a finite number, but was {told(value)}")
    if kind is int:
        if value != int(value):
            raise FieldError(path, wanted)
        if abs(value) >= 2**63:
            raise FieldError(path, f"must be a whole number of 64 bits, but was {told(value)}")
        return int(value)
    return float(value) + 0.0  # -0.0 is 0.0, or one run would have two records


def flat(value: Any, declared: Any, path: Field) -> dict[Field, Any]:
    """The cast value by the field it goes to; a table, which a field with fields of its own takes, by each of them."""
    inside = dataclass_in(declared)
    if inside is None or value == UNSET or value is None:
        return {path: cast(value, declared, path)}
    if not isinstance(value, Mapping):
        raise FieldError(path, f"must be a table with fields of {inside.__name__}, but was {told(value)}")
    known = fields_of(inside)
    found: dict[Field, Any] = {}
    for name, item in value.items():
        if name not in known:
            raise FieldError((*path, name), unknown(name, known, what=f"a field of {inside.__name__}"))
        found |= flat(item, known[name], (*path, name))
    return found


def with_fields(run: Any, values: Mapping[Field, Any]) -> Any:
    """The run with these fields replaced. Raises FieldError for values that the dataclass itself refuses."""
    return _replaced(run, type(run), values, ())


def _replaced(current: Any, kind: type, values: Mapping[Field, Any], place: Field) -> Any:
    known, direct, nested = fields_of(kind), {}, {}
    for (name, *rest), value in values.items():
        if rest:
            nested.setdefault(name, {})[tuple(rest)] = value
        else:
            direct[name] = value
    for name, inner in nested.items():
        inside = dataclass_in(known[name])
        assert inside is not None
        direct[name] = _replaced(getattr(current, name, None), inside, inner, (*place, name))
    try:
        if current is not None:
            return dataclasses.replace(current, **direct)
        for field in dataclasses.fields(kind):
            if field.default is dataclasses.MISSING and field.name not in direct:
                raise FieldError((*place, field.name), f"must be given where {'.'.join(place)} was None, but was not")
        return kind(**direct)
    except FieldError:
        raise
    except ValueError as error:  # the class's own word begins with the field's name
        name, _, problem = str(error).partition(" ")
        raise FieldError((*place, name), problem) from error


def leaves(run: Any, above: Field = ()) -> dict[Field, Any]:
    """Every field of a run with its value; a field with fields of its own by each of them."""
    found: dict[Field, Any] = {}
    for name in fields_of(type(run)):
        value = getattr(run, name)
        path = (*above, name)
        found |= leaves(value, path) if dataclasses.is_dataclass(value) else {path: value}
    return found


def run_of(kind: type, config: Mapping[str, Any]) -> Any:
    """The run whose plain values a stored record holds. Raises ValueError where it is none of this kind."""
    known = fields_of(kind)
    if set(known) != set(config):
        raise ValueError(f"config must have the fields of {kind.__name__}, but had {', '.join(config)}")
    found = {}
    for name, value in config.items():
        inside = dataclass_in(known[name])
        found[name] = cast(value, known[name], (name,)) if inside is None or value is None else run_of(inside, value)
    return kind(**found)


def told(value: Any) -> str:
    """A value as a sentence shows it."""
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(told, value))}]"
    return repr(value) if isinstance(value, str) else str(value)


def _unless_none(declared: Any) -> tuple[Any, bool]:
    """The type without None, and whether None is one of its values."""
    if isinstance(declared, types.UnionType):
        inner = [each for each in typing.get_args(declared) if each is not types.NoneType]
        return inner[0], len(inner) < len(typing.get_args(declared))
    return declared, False


def _told_type(inner: Any) -> str:
    if typing.get_origin(inner) is tuple:
        return f"a list, each {_told_type(typing.get_args(inner)[0])}"
    if dataclasses.is_dataclass(inner):
        return "a table"
    return {int: "a whole number", float: "a number", bool: "true or false", str: "a string"}[inner]

"""Rows of JSON: a line each (.jsonl), or the items of one list (.json); a picked row is the text that it was.

A row is an object with fields, or a list of numbers. What it holds is
  numbers  the fields asked for, one number each, or one of them a list; else a field of VECTOR_FIELDS; or the list
  a text   the fields asked for, else the usual ones (text_fields)
A .json file that begins with an object holds a line each.
"""

import json
import math
import re
from array import array
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int

from experiments.selection.file_rows import Asked, Content, Rows, column_name
from experiments.selection.text_fields import text_of, usual_fields

VECTOR_FIELDS = ("vector", "embedding")

_BLANK = re.compile(r"[ \t\r\n]*")


class _Item(NamedTuple):
    """start, stop: its place in the file (bytes of lines, characters of a list).  line: from 1; None in a list."""

    start: int
    stop: int
    line: int | None
    value: Any


def json_line_rows(content: Content, asked: Asked) -> Rows:
    """The rows of a .jsonl file; blank lines are no rows."""
    starts, stops = array("q"), array("q")
    rows = _rows(_line_items(content), content.name, asked, starts, stops)
    return rows._replace(pick=lambda indices: content.pieces(starts, stops, indices))


def json_rows(content: Content, asked: Asked) -> Rows:
    """The rows of a .json file; what is picked has the list's own brackets, separators and indentation."""
    if content.data[content.begin : content.begin + 256].lstrip()[:1] == b"{":
        return json_line_rows(content, asked)
    try:
        text = content.data[content.begin :].decode()
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ValueError(f"{content.name} must be UTF-8 text, but line {line} is not: {error.reason}") from error
    starts, stops = array("q"), array("q")
    rows = _rows(_list_items(text, content.name), content.name, asked, starts, stops)
    head, tail = text[: starts[0]], text[stops[-1] :]
    between = text[stops[0] : starts[1]] if rows.count > 1 else ""

    def pick(indices: Int[np.ndarray, " k"]) -> Iterator[bytes]:
        yield head.encode()
        for place, row in enumerate(indices.tolist()):
            yield (between * (place > 0) + text[starts[row] : stops[row]]).encode()
        yield tail.encode()

    return rows._replace(pick=pick)


def _line_items(content: Content) -> Iterator[_Item]:
    for number, (start, stop, line) in enumerate(content.lines(), start=1):
        if line.strip():
            try:
                yield _Item(start, stop, number, json.loads(line))
            except (ValueError, RecursionError) as error:
                raise ValueError(_not_json(error, content.name, number)) from error


def _list_items(text: str, source: str) -> Iterator[_Item]:
    decoder, here = json.JSONDecoder(), _skip(text, 0)
    if text[here : here + 1] != "[":
        raise ValueError(f"{source} must be a JSON list of rows, but does not begin with [")
    here = _skip(text, here + 1)
    follows = text[here : here + 1] != "]"
    while follows:
        try:
            value, stop = decoder.raw_decode(text, here)
        except (ValueError, RecursionError) as error:
            line = error.lineno if isinstance(error, json.JSONDecodeError) else text.count("\n", 0, here) + 1
            raise ValueError(_not_json(error, source, line)) from error
        yield _Item(here, stop, None, value)
        here = _skip(text, stop)
        follows = text[here : here + 1] == ","
        if follows:
            here = _skip(text, here + 1)
    ended = text[here : here + 1] == "]"
    here = _skip(text, here + 1) if ended else here
    if not ended or here < len(text):
        found = f"has something else after {'the list' if ended else 'an item'}"
        found = found if here < len(text) else "ends before the list does"
        line = text.count("\n", 0, here) + 1
        raise ValueError(f"{source} must be one JSON list, but line {line} {found}")


def _skip(text: str, here: int) -> int:
    match = _BLANK.match(text, here)
    assert match is not None  # nothing at all is blank
    return match.end()


def _not_json(error: ValueError | RecursionError, source: str, line: int) -> str:
    why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
    if isinstance(error, json.JSONDecodeError):
        why = f"{error.msg}, column {error.colno}"
    return f"line {line} of {source} must be JSON, but is not: {why}"


def _rows(items: Iterator[_Item], source: str, asked: Asked, starts: array, stops: array) -> Rows:
    """The rows without a way to pick them; `starts` and `stops` are filled."""
    values, texts, dim = array("d"), [], 0
    fields, columns, numeric = (), (), False
    unseen: set[str] = set()
    for row, item in enumerate(items):
        where = f"row {row} of {source}" if item.line is None else f"row {row} (line {item.line}) of {source}"
        if row == 0:
            fields, columns, numeric = _roles(item.value, asked, where)
            unseen = set(fields)
        starts.append(item.start)
        stops.append(item.stop)
        if fields:
            texts.append(text_of(_fields(item.value, where), fields, where))
            unseen -= item.value.keys()
        if numeric:
            numbers = _numbers(item.value, columns, where)
            dim = dim or len(numbers)
            if len(numbers) != dim:
                raise ValueError(f"every row must hold {dim} numbers as row 0 does, but {where} holds {len(numbers)}")
            values.extend(numbers)
    if not starts:
        raise ValueError(f"{source} must hold rows, but holds none")
    if asked.text and unseen:
        raise ValueError(f"a row must have the field {min(unseen)!r}, but none of {source} has")
    fields = tuple(field for field in fields if field not in unseen)
    vectors = np.frombuffer(values).reshape(len(starts), dim) if numeric else None
    names = columns if len(columns) == dim else ()
    return Rows(len(starts), _none, vectors, texts if fields else None, names, fields)


def _none(indices: Int[np.ndarray, " k"]) -> Iterator[bytes]:
    return iter(())


def _roles(value: Any, asked: Asked, where: str) -> tuple[tuple[str, ...], tuple[str, ...], bool]:
    """By the first row: the fields that are text, those that are numbers, and whether the vectors are numbers."""
    names = list(value) if isinstance(value, dict) else []
    usual = usual_fields(names)
    if asked.text or asked.beside:
        return asked.text or usual, (), False
    if asked.columns or isinstance(value, list):
        return (), asked.columns, True
    vector = next((name for name in VECTOR_FIELDS if name in names), None)
    if vector is not None:
        return (), (vector,), True
    if not usual:
        has = f"the fields {', '.join(map(str, names))}" if names else f"none ({type(value).__name__})"
        raise ValueError(
            f"every row must have a text or numbers, in fields that --text or --columns name, but {where} has {has}"
        )
    return usual, (), False


def _fields(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"every row must be an object with fields, but {where} is {type(value).__name__}")
    return value


def _numbers(value: Any, columns: tuple[str, ...], where: str) -> list[float]:
    found = value
    if columns or not isinstance(value, list):
        fields = _fields(value, where)
        for name in columns:
            if name not in fields:
                raise ValueError(f"every row must have the field {name!r}, but {where} has none")
        only = fields[columns[0]] if len(columns) == 1 else None
        found = only if isinstance(only, list) else [fields[name] for name in columns]
    if not found:
        raise ValueError(f"every row must hold at least one number, but {where} holds none")
    for column, number in enumerate(found):
        if type(number) not in (int, float):  # a boolean is an int too, but no number
            called = column_name(columns if len(columns) == len(found) else (), column)
            raise ValueError(f"every number must be there, but {called} of {where} is {json.dumps(number)[:40]}")
    return list(map(_float, found))


def _float(number: int | float) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf  # which is refused with the others that are not finite

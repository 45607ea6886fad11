"""Rows of .csv files (and .tsv): a picked row is the bytes that it was, below the same header."""

import csv
from array import array
from collections.abc import Iterator
from itertools import chain, islice
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from experiments.selection.file_rows import Asked, Content, Rows, column_name
from experiments.selection.text_fields import text_of, usual_fields

_SAMPLE = 100  # rows that tell which columns are numbers
_LONGEST_CELL = 1 << 30


class _Record(NamedTuple):
    """start, stop: its bytes in the file.  line: its last line, from 1."""

    start: int
    stop: int
    line: int
    cells: list[str]


def csv_rows(content: Content, asked: Asked, *, delimiter: str = ",") -> Rows:
    """The rows of a .csv file; its first record is the header if none of its cells is a number.

    The vectors are the columns asked for, or all whose cells are numbers (or empty) in the first hundred rows; where
    there are none, the texts are those of the usual fields. Blank lines are no rows.
    """
    records = _records(content, delimiter)
    sample = list(islice(records, _SAMPLE + 1))
    has_header = bool(sample) and not any(map(_is_number, sample[0].cells))
    body = sample[1:] if has_header else sample
    if not body:
        raise ValueError(f"{content.name} must hold rows, but holds {'a header only' if has_header else 'blank lines'}")
    first = sample[0]
    names = tuple(first.cells) if has_header else tuple(map(str, range(len(first.cells))))
    fields, columns = _roles(content.name, names, body[:_SAMPLE], asked)

    starts, stops, values, texts = array("q"), array("q"), array("d"), []
    for row, record in enumerate(chain(body, records)):
        where = f"row {row} (line {record.line}) of {content.name}"
        if len(record.cells) != len(names):
            raise ValueError(f"every row must have {len(names)} cells, but {where} has {len(record.cells)}")
        starts.append(record.start)
        stops.append(record.stop)
        if fields:
            texts.append(text_of(dict(zip(names, record.cells)), fields, where))
        try:
            values.extend([float(record.cells[column]) for column in columns])
        except ValueError as error:
            column = next(column for column in columns if not _is_number(record.cells[column]))
            called = column_name(tuple(first.cells) if has_header else (), column)
            found = repr(record.cells[column][:40]) if record.cells[column].strip() else "empty"
            raise ValueError(f"every number must be there, but {called} of {where} is {found}") from error

    def pick(indices: Int[np.ndarray, " k"]) -> Iterator[bytes]:
        yield content.data[: first.stop if has_header else first.start]
        yield from content.pieces(starts, stops, indices)

    return Rows(
        len(starts),
        pick,
        vectors=np.frombuffer(values).reshape(len(starts), -1) if columns else None,
        texts=texts if fields else None,
        names=tuple(names[column] for column in columns) if has_header else (),
        fields=fields,
    )


def _records(content: Content, delimiter: str) -> Iterator[_Record]:
    """Every record that is not a blank line."""
    csv.field_size_limit(_LONGEST_CELL)
    start = stop = content.begin

    def lines() -> Iterator[str]:
        nonlocal stop
        for _, end, line in content.lines():
            stop = end
            yield line

    reader = csv.reader(lines(), delimiter=delimiter, strict=True)
    try:
        for cells in reader:  # it takes no line more than the record has
            if len(cells) > 1 or (cells and cells[0].strip()):
                yield _Record(start, stop, reader.line_num, cells)
            start = stop
    except csv.Error as error:
        raise ValueError(f"{content.name} must be a table, but line {reader.line_num} is not: {error}") from error


def _roles(
    source: str, names: tuple[str, ...], body: list[_Record], asked: Asked
) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Names of the columns that are text, and places of those that are numbers."""
    for name in (*asked.text, *asked.columns):
        if names.count(name) != 1:
            raise ValueError(f"{source} must have one column {name!r}, but its columns are {', '.join(names)}")
    usual = tuple(name for name in usual_fields(names) if name in names)
    if asked.beside:
        return asked.text or usual, ()
    if asked.text:
        return asked.text, ()
    if asked.columns:
        return (), tuple(names.index(name) for name in asked.columns)
    numbers = tuple(column for column in range(len(names)) if _are_numbers(body, column))
    if not numbers and not usual:
        raise ValueError(
            f"{source} must have a column of numbers, or of text that --text names, but its columns are "
            f"{', '.join(names)}"
        )
    return ((), numbers) if numbers else (usual, ())


def _are_numbers(body: list[_Record], column: int) -> bool:
    cells = [record.cells[column] for record in body if column < len(record.cells)]
    filled = [cell for cell in cells if cell.strip()]
    return bool(filled) and all(map(_is_number, filled))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell  # Python's 1_000

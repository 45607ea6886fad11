"""Rows of .parquet files; a picked file has the same schema, its metadata included, and the same compression."""

from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Int, Num

from experiments.selection.file_rows import Asked, Content, Picker, Rows
from experiments.selection.stored_rows import ParquetRows
from experiments.selection.text_fields import text_of, usual_fields


def parquet_rows(content: Content, asked: Asked) -> Rows:
    """The rows of a .parquet file.

    The vectors are the columns asked for, or all that are numbers, or the one column of lists; where there are none,
    the texts are those of the usual fields.
    """
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    if content.path is None:
        raise ValueError("a parquet pool must be a file, but was standard input")
    try:
        file = ParquetFile(content.path)
        fields, numbers = _roles(content, file.schema_arrow.names, asked)
        vectors = None if numbers is None else _vectors(numbers)
        texts = list(_texts(file, fields, content.name)) if fields else None
    except (ArrowException, OSError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{content.name} must be a whole parquet file, but is not: {reason}") from error
    names = () if numbers is None else tuple(numbers.name(column) for column in range(numbers.dim))
    count = file.metadata.num_rows
    if count == 0:
        raise ValueError(f"{content.name} must hold rows, but holds none")
    return Rows(count, partial(_picked, file), vectors, texts, names, fields)


def parquet_picker(content: Content) -> Picker:
    """The rows of a .parquet file, none of which is read before it is picked."""
    from pyarrow.parquet import ParquetFile

    return partial(_picked, ParquetFile(content.path))


def _roles(content: Content, names: list[str], asked: Asked) -> tuple[tuple[str, ...], ParquetRows | None]:
    """Names of the columns that are text, and the reader of those that are numbers."""
    assert content.path is not None
    for name in asked.text:
        if name not in names:
            raise ValueError(f"{content.name} must have the column {name!r}, but its columns are {', '.join(names)}")
    usual = tuple(name for name in usual_fields(names) if name in names)
    if asked.text or asked.beside:
        return asked.text or usual, None
    try:
        return (), ParquetRows([content.path], columns=asked.columns)
    except ValueError:
        if asked.columns or not usual:
            raise
        return usual, None


def _vectors(numbers: ParquetRows) -> Num[np.ndarray, "n d"]:
    first = numbers.stored(0, 1)
    table = np.empty((numbers.count, numbers.dim), first.dtype)
    for begin, end in pairwise(numbers.begins):  # a row group each
        table[begin:end] = numbers.stored(begin, end)
    return table


def _texts(file: Any, fields: tuple[str, ...], source: str) -> Iterator[str]:
    row = 0
    for batch in file.iter_batches(columns=list(fields)):
        for values in batch.to_pylist():
            yield text_of(values, fields, f"row {row} of {source}")
            row += 1


def _picked(file: Any, indices: Int[np.ndarray, " k"]) -> Iterator[bytes]:
    from pyarrow import BufferOutputStream, concat_tables
    from pyarrow.parquet import write_table

    order = np.argsort(indices, kind="stable")
    rising, begin = indices[order], 0
    found = [file.schema_arrow.empty_table()]
    for group in range(file.num_row_groups):
        end = begin + file.metadata.row_group(group).num_rows
        low, high = np.searchsorted(rising, [begin, end])
        if low < high:
            found.append(file.read_row_group(group).take(rising[low:high] - begin))
        begin = end
    table = concat_tables(found).take(np.argsort(order))  # from rising indices back to their own order
    codec = file.metadata.row_group(0).column(0).compression
    written = BufferOutputStream()
    write_table(table, written, compression="NONE" if codec == "UNCOMPRESSED" else codec)
    yield written.getvalue().to_pybytes()

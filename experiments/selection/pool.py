"""The pool that a user chooses from: rows of a file, the vectors that measure how far apart they are, and a way back.

The vectors are the file's own numbers, or made from its texts, or the user's own from a second file, a row each. Every
error is a ValueError of one sentence that names the place, or the OSError of a file that cannot be read; no pickle is
ever loaded.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from experiments.selection.array_files import npy_rows, npz_rows
from experiments.selection.csv_files import csv_rows
from experiments.selection.file_rows import Asked, Content, Numbers, Picker, Rows, column_name, open_content
from experiments.selection.json_files import json_line_rows, json_rows
from experiments.selection.methods import Metric
from experiments.selection.parquet_files import parquet_picker, parquet_rows
from experiments.selection.text_vectors import Embedding, text_vectors

STDIN = "-"
READERS: dict[str, Callable[[Content, Asked], Rows]] = {
    ".npy": npy_rows,
    ".npz": npz_rows,
    ".csv": csv_rows,
    ".tsv": partial(csv_rows, delimiter="\t"),
    ".parquet": parquet_rows,
    ".jsonl": json_line_rows,
    ".json": json_rows,
}
"""By the ending of the file's name; each can also write the rows that are picked."""

_BLOCK_ENTRIES = 1 << 20
_LARGEST = 1e150  # above, squares overflow
_NAMED = 8  # columns that one line can name


class Pool(NamedTuple):
    """n rows of a file.

    vectors: (n, d), float16, 32 or 64 as stored (float64 for whole numbers), finite and at most 1e150 in size; of
      a .npy, and of a .npz that is not compressed, a view of the file.
    texts: one a row, or None.  names: of the vectors' columns; () where they have numbers only.
    pick: the rows of some indices as a file of the same format, piece by piece.  suffix: that format, as ".jsonl".
    metric: the natural one, "cosine" for vectors made from texts, else "euclidean".  about: what it is, in one line.
    """

    vectors: Float[np.ndarray, "n d"]
    texts: list[str] | None
    names: tuple[str, ...]
    pick: Picker
    suffix: str
    metric: Metric
    about: str


def read_pool(
    source: str | Path,
    *,
    format: str | None = None,
    array: str | None = None,
    columns: tuple[str, ...] = (),
    text: tuple[str, ...] = (),
    vectors: str | Path | None = None,
    embedding: Embedding = "tfidf",
    dim: int = 256,
    seed: int = 0,
) -> Pool:
    """The pool in a file, or in standard input for "-".

    format: "npy", "npz", "csv", "tsv", "parquet", "jsonl" or "json"; by default what the file's name ends in.
    array: name of the array in an .npz.  columns: the numbers, by name.  text: the fields that are texts, by name.
    vectors: a second file with numbers, row for row.  embedding, dim, seed: how texts become vectors (text_vectors).
    """
    suffix = pool_suffix(source, format)
    asked = Asked(array, tuple(columns), tuple(text), beside=vectors is not None)
    _require_meaning(suffix, asked)
    content = open_content(None if str(source) == STDIN else Path(source))
    rows = READERS[suffix](content, asked)
    metric: Metric = "euclidean"
    if vectors is not None:
        own = _own_vectors(vectors, asked)
        if own.count != rows.count:
            raise ValueError(
                f"{vectors} must have a row for each of the {rows.count} rows of {content.name}, but has {own.count}"
            )
        numbers, names, where = own.vectors, own.names, str(vectors)
        about = f"{rows.count:,} rows of {content.name}, with vectors from {vectors}"
    elif rows.vectors is not None:
        numbers, names, where = rows.vectors, rows.names, content.name
        about = f"{rows.count:,} rows of {content.name}"
    else:
        assert rows.texts is not None  # a reader finds numbers or texts
        try:
            numbers, names, where = text_vectors(rows.texts, embedding=embedding, dim=dim, seed=seed), (), content.name
        except ValueError as error:
            raise ValueError(f"{content.name}: {error}") from error
        metric = "cosine"
        about = f"{rows.count:,} texts ({', '.join(rows.fields)}) of {content.name}, as {embedding} vectors"
    assert numbers is not None
    floats = _floats(numbers)
    _require_finite(floats, names, where)
    unit = "number" if floats.shape[1] == 1 else "numbers"
    named = f": {', '.join(names)}" if 0 < len(names) <= _NAMED else ""
    return Pool(
        vectors=floats,
        texts=rows.texts,
        names=names,
        pick=rows.pick,
        suffix=suffix,
        metric=metric,
        about=f"{about} ({floats.shape[1]:,} {unit} a row{named})",
    )


def row_picker(source: str | Path) -> Picker:
    """The rows of a .npy or .parquet file, whose numbers are not read."""
    content = open_content(Path(source))
    return parquet_picker(content) if pool_suffix(source) == ".parquet" else npy_rows(content, Asked()).pick


def require_different(pool: Pool) -> None:
    """Raise ValueError where all rows are equal: then no choice is more uniform than another."""
    first = pool.vectors[0]
    if all(np.array_equal(block, np.broadcast_to(first, block.shape)) for _, block in _blocks(pool.vectors)):
        raise ValueError(
            f"the pool must have at least two different rows, but all {len(pool.vectors)} have equal vectors"
        )


def pool_suffix(source: str | Path, format: str | None = None) -> str:
    """The pool's format, as ".jsonl". Raises ValueError where neither its name nor `format` says a known one."""
    known = ", ".join(suffix.removeprefix(".") for suffix in READERS)
    if format is None and str(source) == STDIN:
        raise ValueError(f"the format of standard input must be named with --format, one of {known}")
    suffix = Path(source).suffix.lower() if format is None else f".{format}"
    if suffix not in READERS:
        if format is not None:
            raise ValueError(f"--format must be one of {known}, but was {format!r}")
        raise ValueError(f"{source} must end in .{known.replace(', ', ', .')}, or --format must name its format")
    return suffix


def _require_meaning(suffix: str, asked: Asked) -> None:
    """Raise ValueError for what this format has nothing of."""
    if asked.array is not None and suffix != ".npz" and not asked.beside:
        raise ValueError(f"--array must name an array of an .npz file, but the pool's format is {suffix}")
    for option, names in (("--text", asked.text), ("--columns", () if asked.beside else asked.columns)):
        if names and suffix in (".npy", ".npz"):
            raise ValueError(f"{option} must name fields of rows that have names, but the pool's format is {suffix}")


def _own_vectors(source: str | Path, asked: Asked) -> Rows:
    suffix = pool_suffix(source)
    rows = READERS[suffix](open_content(Path(source)), Asked(array=asked.array, columns=asked.columns))
    if rows.vectors is None:
        raise ValueError(f"{source} must hold vectors of numbers, but holds texts")
    return rows


def _floats(numbers: Numbers) -> Float[np.ndarray, "n d"]:
    """As they are if they are float16, 32 or 64 of this machine's byte order, else as float64 or in that order."""
    if numbers.dtype.kind != "f" or numbers.dtype.itemsize > 8:
        return numbers.astype(np.float64)
    return numbers.astype(numbers.dtype.newbyteorder("="), copy=False)


def _blocks(vectors: Float[np.ndarray, "n d"]) -> Iterator[tuple[int, Float[np.ndarray, "rows d"]]]:
    rows = max(1, _BLOCK_ENTRIES // vectors.shape[1])
    return ((start, vectors[start : start + rows]) for start in range(0, len(vectors), rows))


def _require_finite(vectors: Float[np.ndarray, "n d"], names: tuple[str, ...], source: str) -> None:
    for start, block in _blocks(vectors):
        usable = np.isfinite(block) if block.dtype.itemsize < 8 else np.abs(block) <= _LARGEST
        if not usable.all():
            row, column = np.argwhere(~usable)[0]
            raise ValueError(
                f"every number must be finite and at most {_LARGEST:.0e} in size, but "
                f"{column_name(names, int(column))} of row {start + row} of {source} is {block[row, column]}"
            )

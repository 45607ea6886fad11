"""What every reader of files is given and returns: content, what is asked of it, and rows that can be picked.

Rows are counted from 0, as the indices of a selection are; lines of a file from 1, as editors count them.
"""

import mmap
import os
import stat
import sys
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from jaxtyping import Bool, Int, Num

Picker = Callable[[Int[np.ndarray, " k"]], Iterator[bytes]]
"""The rows of these indices, in this order, as a file of the format they came from, piece by piece."""


Numbers = Num[np.ndarray, "n d"] | Bool[np.ndarray, "n d"]


class Content(NamedTuple):
    """name: for sentences.  path: None for standard input.

    data: all bytes, of a file mapped into memory.  stream: the same, to be read and sought.
    """

    name: str
    path: Path | None
    data: bytes | mmap.mmap
    stream: BinaryIO

    @property
    def begin(self) -> int:
        """Where text begins: behind the byte order mark, if there is one."""
        return len(BOM_UTF8) if self.data[: len(BOM_UTF8)] == BOM_UTF8 else 0

    def lines(self) -> Iterator[tuple[int, int, str]]:
        """Start, stop and text of each line; the end of line belongs to it. Raises ValueError where it is not UTF-8."""
        start, number = self.begin, 0
        while start < len(self.data):
            stop, number = (self.data.find(b"\n", start) + 1) or len(self.data), number + 1
            try:
                yield start, stop, self.data[start:stop].decode()
            except UnicodeDecodeError as error:
                raise ValueError(f"{self.name} must be UTF-8 text, but line {number} is not: {error.reason}") from error
            start = stop

    def pieces(self, starts: Sequence[int], stops: Sequence[int], indices: Int[np.ndarray, " k"]) -> Iterator[bytes]:
        """The lines (or records of several) from starts[i] to stops[i], as they are; the file's last gets an end."""
        end = b"\r\n" if self.data[: self.data.find(b"\n") + 1].endswith(b"\r\n") else b"\n"
        for row in indices.tolist():
            line = self.data[starts[row] : stops[row]]
            yield line if line.endswith(b"\n") else line + end


class Asked(NamedTuple):
    """array: its name in an .npz.  columns: names of the numbers.  text: names of the texts.

    beside: the rows' vectors come from elsewhere, so that neither need be found.
    """

    array: str | None = None
    columns: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    beside: bool = False


class Rows(NamedTuple):
    """count: number of rows.  vectors: (count, d) numbers, or None.  texts: one a row, or None.

    names: of the vectors' columns; empty where they only have numbers.  fields: whose text the texts are.
    """

    count: int
    pick: Picker
    vectors: Numbers | None = None
    texts: list[str] | None = None
    names: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()


def open_content(source: Path | None) -> Content:
    """A file, or standard input for None. Raises OSError where it cannot be read, ValueError where it is empty."""
    if source is None:
        import io

        data = sys.stdin.buffer.read()
        content = Content("standard input", None, data, io.BytesIO(data))
    else:
        stream = source.open("rb")
        status = os.fstat(stream.fileno())
        mapped = stat.S_ISREG(status.st_mode) and status.st_size > 0  # neither a pipe nor nothing can be mapped
        data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) if mapped else stream.read()
        content = Content(str(source), source, data, stream)
    if not content.data:
        raise ValueError(f"{content.name} must hold rows, but is empty")
    return content


def column_name(names: tuple[str, ...], column: int) -> str:
    """How a sentence calls a column."""
    return f"column {names[column]!r}" if names else f"column {column}"

"""Rows of a pool that need not fit into memory, a range at a time: of an array, a .npy file, or parquet files.

Shapes. (stop - start, d), floating point as stored; whole numbers become float64.
Parquet. The coordinates are the numeric columns, one a coordinate, or one column of lists of one length; files follow
  one another in the order given. A range is read from the row groups that it meets, so that row groups smaller than
  the ranges are read fastest.
Errors. ValueError with one sentence for what is no table of finite numbers; it names the row in the whole pool and the
  column, both from 0.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

_BATCH_ROWS = 1 << 14
_BUFFER_BYTES = 1 << 20


class StoredRows(ABC):
    """count: how many rows.  dim: coordinates of each.  row_bytes: what one needs in memory."""

    count: int
    dim: int
    row_bytes: int

    @abstractmethod
    def stored(self, start: int, stop: int) -> Shaped[np.ndarray, "rows d"]:
        """Rows start..stop as they are stored."""

    def read(self, start: int, stop: int) -> Float[np.ndarray, "rows d"]:
        """Rows start..stop, all finite."""
        block = self.stored(start, stop)
        block = block if block.dtype.kind == "f" else block.astype(np.float64)
        finite = np.isfinite(block)
        if not finite.all():
            row, column = np.argwhere(~finite)[0]
            raise ValueError(
                f"every value must be finite, but row {start + row}, column {self.name(int(column))} "
                f"was {block[row, column]}"
            )
        return block

    def name(self, column: int) -> str:
        """What a column is called."""
        return str(column)

    def _describe(self, where: str, shape: tuple[int, ...], dtype: np.dtype) -> None:
        if len(shape) != 2 or 0 in shape or dtype.kind not in "fiu" or dtype.itemsize > 8:
            raise ValueError(
                f"{where} must hold a table (n, d) of numbers of at most 64 bits, n and d at least 1, "
                f"but had shape {shape} and type {dtype}"
            )
        self.count, self.dim = shape
        self.row_bytes = self.dim * (dtype.itemsize if dtype.kind == "f" else 8)


class HeldRows(StoredRows):
    """Rows of an array in memory, or of a memory map."""

    def __init__(self, points: Shaped[np.ndarray, "..."]) -> None:
        self.points = points
        self._describe("the pool", points.shape, points.dtype)

    def stored(self, start: int, stop: int) -> Shaped[np.ndarray, "rows d"]:
        return np.asarray(self.points[start:stop])


class NpyRows(StoredRows):
    """Rows of a .npy file, mapped only while a range is read: resident pages are those of one range."""

    def __init__(self, path: Path) -> None:
        self.path = path
        points = self._mapped()
        self._describe(str(path), points.shape, points.dtype)

    def stored(self, start: int, stop: int) -> Shaped[np.ndarray, "rows d"]:
        return np.array(self._mapped()[start:stop], order="C")

    def _mapped(self) -> np.ndarray:
        try:
            return np.load(self.path, mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise ValueError(f"{self.path} must be a whole .npy file of numbers, but is not") from error


class ParquetRows(StoredRows):
    """Rows of parquet files, one file after the other. columns: the coordinates; by default all that are numbers."""

    def __init__(self, paths: Sequence[Path], *, columns: Sequence[str] = ()) -> None:
        self.groups: list[tuple[Path, int]] = []
        self.begins = [0]  # where in the pool each row group begins; the last is where the pool ends
        self.columns, self.lists = _coordinates(paths[0], tuple(columns))
        for path in paths:
            file = _opened(path)
            missing = [column for column in self.columns if column not in file.schema_arrow.names]
            if missing:
                raise ValueError(f"{path} must have the column {missing[0]}, but has none of that name")
            for group in range(file.num_row_groups):
                self.groups.append((path, group))
                self.begins.append(self.begins[-1] + file.metadata.row_group(group).num_rows)
        self.dim = -1  # not known before the first list is read
        if self.begins[-1] == 0:
            raise ValueError(f"{paths[0]} must hold at least one row, but held none")
        first = self.stored(0, 1)
        self._describe(str(paths[0]), (self.begins[-1], first.shape[1]), first.dtype)

    def stored(self, start: int, stop: int) -> Shaped[np.ndarray, "rows d"]:
        met = zip(self.groups, pairwise(self.begins))
        parts = [
            block
            for (path, group), (begin, end) in met
            if begin < stop and start < end
            for block in self._of_group(path, group, begin, max(start, begin), min(stop, end))
        ]
        return np.concatenate(parts) if parts else np.empty((0, self.dim))

    def _of_group(self, path: Path, group: int, begin: int, start: int, stop: int) -> Iterator[np.ndarray]:
        """Rows start..stop of the pool from one row group, whose first row is row `begin` of the pool."""
        batches = _opened(path).iter_batches(_BATCH_ROWS, row_groups=[group], columns=self.columns, use_threads=False)
        for batch in batches:
            low, high = max(start, begin), min(stop, begin + len(batch))
            if low < high:
                yield self._table(batch.slice(low - begin, high - low), low)
            begin += len(batch)
            if begin >= stop:
                return

    def _table(self, batch: Any, begin: int) -> np.ndarray:
        if not self.lists:
            return np.column_stack([column.to_numpy(zero_copy_only=False) for column in batch.columns])
        from pyarrow import compute

        lengths = compute.call_function("list_value_length", [batch.column(0)])  # missing where the list is
        lengths = lengths.fill_null(-1).to_numpy(zero_copy_only=False)
        wanted = self.dim if self.dim >= 0 else max(int(lengths[0]), 0)
        if np.any(lengths != wanted):
            row = int(np.argmax(lengths != wanted))
            raise ValueError(
                f"every row must hold {wanted} values in {self.columns[0]}, but row {begin + row} held "
                f"{'none' if lengths[row] < 0 else lengths[row]}"
            )
        return batch.column(0).flatten().to_numpy(zero_copy_only=False).reshape(len(batch), wanted)

    def name(self, column: int) -> str:
        return f"{self.columns[0]}[{column}]" if self.lists else self.columns[column]


def stored_rows(pool: Any, *, columns: Sequence[str] = ()) -> StoredRows:
    """The rows of an array, of a path that ends in .npy or .parquet, or of several parquet paths in their order.

    columns: of parquet files, by default all numeric ones.
    """
    if isinstance(pool, StoredRows):
        return pool
    if isinstance(pool, np.ndarray):
        return HeldRows(pool)
    paths = [Path(path) for path in ([pool] if isinstance(pool, (str, Path)) else pool)]
    for path in paths:
        if not path.is_file():
            raise ValueError(f"every pool file must exist on the machine that reads it, but {path} does not")
    if len(paths) == 1 and paths[0].suffix == ".npy":
        return NpyRows(paths[0])
    other = next((path for path in paths if path.suffix not in (".parquet", ".pq")), None)
    if not paths or other is not None:
        raise ValueError(f"a pool must be an array, one .npy file or parquet files, but was {other or 'nothing'}")
    return ParquetRows(paths, columns=columns)


def _opened(path: Path) -> Any:
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        return ParquetFile(path, buffer_size=_BUFFER_BYTES)
    except (ArrowException, OSError) as error:
        raise ValueError(f"{path} must be a whole parquet file, but is not: {error}") from error


def _coordinates(path: Path, columns: tuple[str, ...]) -> tuple[list[str], bool]:
    """The columns to read, and whether they are one column of lists."""
    from pyarrow import types

    def is_number(kind: Any) -> bool:
        return types.is_floating(kind) or types.is_integer(kind)

    def is_list(kind: Any) -> bool:
        some = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
        return some and is_number(kind.value_type)

    schema = _opened(path).schema_arrow
    for column in columns:
        if schema.names.count(column) != 1:
            raise ValueError(f"{path} must have one column {column}, but its columns are {', '.join(schema.names)}")
    kinds = {column: schema.field(column).type for column in columns or schema.names}
    lists = [column for column, kind in kinds.items() if is_list(kind)]
    numbers = [column for column, kind in kinds.items() if is_number(kind)]
    other = next((column for column in columns if column not in lists + numbers), None)
    if other is not None or not (numbers or lists) or (lists and (len(lists) > 1 or (columns and numbers))):
        found = f"{other} is {kinds[other]}" if other else f"they are {', '.join(kinds) or 'none'}"
        raise ValueError(f"the coordinates in {path} must be numeric columns or one column of lists, but {found}")
    return (lists, True) if lists else (numbers, False)

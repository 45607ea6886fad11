"""What a selection leaves behind: the chosen rows as the pool has them, or their row numbers.

A file that ends as the pool's does gets the rows. Row numbers count from 0 and come in
  .json  {"indices": [...], "insertion": [...], ...}, with all that is known of the selection; no distance of the first
         row to those before it is null
  .csv   row,insertion_distance; inf for the first
  .npy   int64, the row numbers alone
"""

import csv
import io
import json
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

INDEX_SUFFIXES = (".npy", ".csv", ".json")


def asked_size(asked: str, count: int) -> int:
    """The number of rows that is asked for, as a number or as a share of `count` such as 50%, rounded down.

    Raises ValueError unless it is a whole number from 1 to `count`.
    """
    share = asked.endswith("%")
    try:
        number = Fraction(asked.removesuffix("%"))
        size = math.floor(number * count / 100) if share else int(number)
        whole = number <= 100 if share else size == number
    except (ValueError, ZeroDivisionError):
        size, whole = 0, False
    if not whole or not 1 <= size <= count:
        raise ValueError(f"k must be a number of rows from 1 to {count}, or a share such as 50%, but was {asked!r}")
    return size


def holds_rows(path: Path, pool_suffix: str) -> bool:
    """Whether this file gets rows, not row numbers. Raises ValueError where it can get neither."""
    suffix = path.suffix.lower()
    if suffix == pool_suffix:
        return True
    if suffix not in INDEX_SUFFIXES:
        raise ValueError(
            f"{path} must end in {pool_suffix}, as the pool does, for the chosen rows, or in "
            f"{', '.join(INDEX_SUFFIXES)} for their row numbers"
        )
    return False


def index_file(
    suffix: str, indices: Int[np.ndarray, " k"], insertion: Float[np.ndarray, " k"], known: dict[str, Any]
) -> bytes:
    """The row numbers as a file of this suffix; `known` stands before them in .json."""
    if suffix == ".json":
        distances = [distance if math.isfinite(distance) else None for distance in insertion.tolist()]
        body = {**known, "indices": indices.tolist(), "insertion": distances}
        return (json.dumps(body, indent=1, allow_nan=False) + "\n").encode()
    if suffix == ".csv":
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(("row", "insertion_distance"))
        rows.writerows(zip(indices.tolist(), insertion.tolist()))
        return text.getvalue().encode()
    binary = io.BytesIO()
    np.save(binary, indices.astype(np.int64), allow_pickle=False)
    return binary.getvalue()

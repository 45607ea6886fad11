"""Read row numbers back, as `uniformity select` writes them: .npy, .csv whose first column is "row", .json.

A .json may also be a plain list. Row numbers count from 0.
"""

import csv
import json
from pathlib import Path

import numpy as np
from jaxtyping import Int


def read_row_numbers(path: Path, count: int) -> Int[np.ndarray, " k"]:
    """At least one number from 0 to `count` - 1, in the order of the file. Raises ValueError where it holds none."""
    try:
        numbers = np.asarray(_READERS[path.suffix.lower()](path))
    except KeyError as error:
        raise ValueError(f"row numbers must be in a file ending in {', '.join(_READERS)}, but was {path}") from error
    except (ValueError, TypeError, EOFError) as error:
        raise ValueError(f"{path} must hold row numbers, but cannot be read as such: {error}") from error
    if numbers.ndim != 1 or numbers.dtype.kind not in "iu" or not len(numbers):
        raise ValueError(f"{path} must hold a list of row numbers, but holds {numbers.dtype} of shape {numbers.shape}")
    wrong = numbers[(numbers < 0) | (numbers >= count)]
    if len(wrong):
        raise ValueError(f"row numbers must lie between 0 and {count - 1}, but {path} has {wrong[0]}")
    return numbers.astype(np.intp)


def _csv(path: Path) -> list[int]:
    with path.open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    if header[:1] != ["row"]:
        raise ValueError('its first column is not "row"')
    return [int(row[0]) for row in rows]


def _json(path: Path) -> list[int]:
    body = json.loads(path.read_text(encoding="utf-8"))
    return body.get("indices", []) if isinstance(body, dict) else body


_READERS = {".npy": lambda path: np.load(path, allow_pickle=False), ".csv": _csv, ".json": _json}

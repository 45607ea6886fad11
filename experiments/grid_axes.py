"""The values that a grid asks of one field: a list, a range, or seeds.

  [0.4, 0.2, 0.1]                                      these
  {from = 0.4, to = 0.1, count = 3, spacing = "log"}   so many, equal ratios apart; "linear": equal differences apart
  {from = 8, to = 32, step = 8}                        8, 16, 24, 32
  {seeds = 20, first = 100}                            100 .. 119; without `first` from 0

Exact. Ranges are computed in decimal, from the decimals in the file, and rounded once: 0.1 to 0.3 by 0.1 is what the
  list [0.1, 0.2, 0.3] is, to the last bit, and finds the same records.
Whole. In a field of whole numbers the inner values of a `count` are rounded to the nearest: 8 to 64, 3 values, log,
  is 8, 23, 64. A `step` is not: what it does not hit is an error.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal, localcontext
from typing import Any

from experiments.run_fields import Field, FieldError, told, unknown

MOST = 100_000
"""Runs in a grid, and so values on an axis."""

_DIGITS = 60
_RANGE, _SEEDS = ("from", "to", "count", "step", "spacing"), ("seeds", "first")
_SPACINGS = ("linear", "log")


def axis_values(given: Any, path: Field, *, whole: bool) -> list[Any]:
    """The values, not yet cast. whole: whether the field takes whole numbers. Raises FieldError for what is no axis."""
    if isinstance(given, list):
        if not given:
            raise FieldError(path, "must have at least 1 value, but its list is empty")
        return given
    if not isinstance(given, Mapping):
        raise FieldError(path, f"must be a list or a range here, but was {told(given)}; one value goes under [fixed]")
    known = _SEEDS if "seeds" in given else _RANGE
    for name in given:
        if name not in known:
            raise FieldError((*path, name), unknown(name, known, what="a word of a range"))
    with localcontext() as context:
        context.prec = _DIGITS
        return _seeds(given, path) if known is _SEEDS else list(_range(given, path, whole=whole))


def _seeds(given: Mapping[str, Any], path: Field) -> list[int]:
    count, first = _count(given["seeds"], (*path, "seeds"), least=1), given.get("first", 0)
    if not _is_whole(first) or first < 0:
        raise FieldError((*path, "first"), f"must be a whole number of at least 0, but was {told(first)}")
    return list(range(first, first + count))


def _range(given: Mapping[str, Any], path: Field, *, whole: bool) -> Iterator[Any]:
    if not {"from", "to"} <= set(given) or ("count" in given) == ("step" in given):
        raise FieldError(path, f"must have from, to and one of count and step, but has {', '.join(given) or 'nothing'}")
    start, end = (_number(given[name], (*path, name), whole=whole) for name in ("from", "to"))
    spacing = given.get("spacing", "linear")
    if spacing not in _SPACINGS:
        raise FieldError((*path, "spacing"), f"must be one of {', '.join(_SPACINGS)}, but was {told(spacing)}")
    if "step" in given:
        if spacing == "log":
            raise FieldError((*path, "spacing"), "must be linear beside a step, but was 'log'")
        yield from _stepped(start, end, _number(given["step"], (*path, "step"), whole=whole), path)
        return
    count = _count(given["count"], (*path, "count"), least=2)
    if spacing == "log" and not (start > 0 and end > 0):
        name = "to" if start > 0 else "from"
        raise FieldError((*path, name), f"must be positive for spacing log, but was {told(given[name])}")
    for k in range(count):
        share = Decimal(k) / (count - 1)
        value = start + (end - start) * share if spacing == "linear" else start * (end / start) ** share
        value = (start, end)[k > 0] if k in (0, count - 1) else value
        yield round(value) if whole else value


def _stepped(start: Decimal, end: Decimal, step: Decimal, path: Field) -> Iterator[Decimal]:
    if step == 0 or (end - start) / step < 0:
        raise FieldError((*path, "step"), f"must lead from {start} to {end}, but was {step}")
    count = int((end - start) / step) + 1
    _count(count, path, least=1)
    yield from (start + k * step for k in range(count))


def _number(value: Any, path: Field, *, whole: bool) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)) or not Decimal(value).is_finite():
        raise FieldError(path, f"must be a finite number, but was {told(value)}")
    if whole and value != int(value):
        raise FieldError(path, f"must be a whole number, but was {told(value)}")
    return Decimal(value)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _count(value: Any, path: Field, *, least: int) -> int:
    if not _is_whole(value) or not least <= value <= MOST:
        raise FieldError(path, f"must be a whole number of {least} to {MOST:,} values, but was {told(value)}")
    return value

"""Which fields of a row are its text, and the text that they make.

A row's text is its fields' texts, one below the other. A field is a text, nothing (missing, null, blank), or a list of
texts or of a conversation's turns, {"content": ...} or {"value": ...}.
"""

from collections.abc import Collection, Mapping
from typing import Any

USUAL_FIELDS = (
    ("instruction", "input", "output", "response"),
    ("prompt", "completion", "response"),
    ("question", "context", "answer"),
    ("messages",),
    ("conversations",),
    ("text",),
    ("content",),
)
"""Of the first of these whose first field a row has, all fields are its text."""

_TURN = ("content", "value")


def usual_fields(names: Collection[str]) -> tuple[str, ...]:
    """The fields that are the text where the user names none; () where none is known."""
    return next((fields for fields in USUAL_FIELDS if fields[0] in names), ())


def text_of(row: Mapping[str, Any], fields: tuple[str, ...], where: str) -> str:
    """The row's text; `where` begins the sentence of the ValueError for a field that is no text."""
    parts = [_part(row[field], f"{where}, field {field!r},") for field in fields if field in row]
    return "\n".join(part for part in parts if part.strip())


def _part(value: Any, where: str) -> str:
    turns = [_turn(item) for item in value] if isinstance(value, list) else [value]
    other = next((turn for turn in turns if not (turn is None or isinstance(turn, str))), None)
    if other is not None:
        raise ValueError(f"{where} must be a text, but is {type(other).__name__}")
    return "\n".join(turn for turn in turns if turn)


def _turn(item: Any) -> Any:
    return next((item[name] for name in _TURN if name in item), None) if isinstance(item, Mapping) else item

"""A page as plain blocks: what it says, apart from how HTML or Markdown writes it."""

from typing import NamedTuple, Union


class Heading(NamedTuple):
    """level: 1 is the page's title.  anchor: its address inside the page."""

    level: int
    text: str
    anchor: str


class Text(NamedTuple):
    """One paragraph."""

    text: str


class Code(NamedTuple):
    """A command or a formula, to be read to the letter."""

    text: str


class Link(NamedTuple):
    """A word that leads to an anchor of the same page."""

    text: str
    anchor: str


class Facts(NamedTuple):
    """Names and what belongs to them: a sentence, or links."""

    facts: tuple[tuple[str, str | tuple[Link, ...]], ...]


class Table(NamedTuple):
    """Every cell is text; each row has as many as the header."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Picture(NamedTuple):
    """name: stem of its file where it has one.  svg: the whole file."""

    name: str
    alt: str
    caption: str
    svg: bytes


class Folded(NamedTuple):
    """Blocks behind a title, closed at first where the page can fold."""

    title: str
    anchor: str
    blocks: tuple["Block", ...]


Block = Union[Heading, Text, Code, Facts, Table, Picture, Folded]  # noqa: UP007

"""What one panel of the explorer shows, as plain values: drawn for the page by svg.py, for a paper by paper.py."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

Kind = Literal["measured", "control", "bound", "guide", "violated", "ring"]
"""The roles of the house grammar (figures/style.py), and a ring, which points something out."""


class Series(NamedTuple):
    """Points (x_k, y_k) of one role; index: its colour and marker among its kind.

    joined, marked: a line through the points, markers on them.  shades: a number in [0, 1] a point, its place on the
    scale from blue to orange, instead of the one colour.  names: what a pointer over a point reads.
    """

    label: str
    x: Sequence[float]
    y: Sequence[float]
    kind: Kind = "measured"
    index: int = 0
    joined: bool = True
    marked: bool = True
    shades: Sequence[float] | None = None
    names: Sequence[str] | None = None


class Mark(NamedTuple):
    """A line across the panel at one value of one axis, with its name."""

    axis: Literal["x", "y"]
    at: float
    label: str
    kind: Kind = "guide"


class Plot(NamedTuple):
    """A panel: its axes, what is in it, and the sentence for a reader who cannot see it.

    equal: one unit is as long on both axes.  rows: instead of a vertical axis, named rows, the first at y = 1, on top,
    each with a line up to its point.  empty: the sentence shown instead where there is nothing to draw.
    """

    name: str
    title: str
    x_label: str
    y_label: str
    series: tuple[Series, ...] = ()
    marks: tuple[Mark, ...] = ()
    log_x: bool = False
    log_y: bool = False
    equal: bool = False
    rows: tuple[str, ...] = ()
    empty: str = ""

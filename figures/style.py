"""One visual grammar for all figures: measured, bound, control, violated; the widths of a paper; how a figure is saved.

Measured numbers are filled markers on solid lines in a colour-blind-safe hue (Okabe and Ito 2008), one marker shape
per series so that grey print still tells them apart; bounds are dashed black lines; controls are open markers on dotted
lines; expected laws are thin grey dotted guides; a violated check is a red cross.
"""

import io
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path
from matplotlib.ticker import NullFormatter

from experiments.records import write_atomically

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#882255", "#7F7F2F")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
BOUND: dict[str, Any] = {"color": "black", "linestyle": (0, (5, 2)), "linewidth": 1.2}
GUIDE: dict[str, Any] = {"color": "0.55", "linestyle": (0, (1, 1.5)), "linewidth": 1.0}
VIOLATED: dict[str, Any] = {"color": "#CC0000", "marker": "x", "linestyle": "none", "markersize": 6}


class Paper(NamedTuple):
    """A page's widths in inches and its figures' font size in points.

    full: the text block.  narrow: what one or two panels fill, a column where there are two.
    """

    full: float
    narrow: float
    font: float


PAPERS = {"one-column": Paper(5.5, 5.5, 8.0), "two-column": Paper(6.75, 3.25, 7.5)}
"""NeurIPS' and JMLR's text block; ICML's two columns (their style files: 5.5 in; 6.75 in with 3.25 in columns)."""

_PAPER: ContextVar[Paper] = ContextVar("paper", default=PAPERS["one-column"])

_CAPTION_SIZE = 6.5
_LEGEND_HEIGHT = 0.5

UNDATED: dict[str, dict[str, Any]] = {"pdf": {"CreationDate": None}, "svg": {"Date": None}, "png": {}}
"""The formats of a saved figure, and the metadata without which one is the same at any time."""

_RC: Any = {
    "font.family": "DejaVu Sans",
    "axes.titlesize": "medium",
    "axes.labelsize": "medium",
    "legend.fontsize": "small",
    "xtick.labelsize": "small",
    "ytick.labelsize": "small",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "legend.frameon": False,
    "lines.linewidth": 1.3,
    "lines.markersize": 4.5,
    "figure.autolayout": False,
    "figure.constrained_layout.use": False,
    "savefig.dpi": 200,
    "svg.hashsalt": "uniformity",
    "pdf.fonttype": 42,
}


def measured(index: int) -> dict[str, Any]:
    """Line style of the index-th measured series."""
    return {"color": COLOURS[index % len(COLOURS)], "marker": MARKERS[index % len(MARKERS)], "linestyle": "-"}


def control(index: int) -> dict[str, Any]:
    """Line style of the control that belongs to the index-th measured series."""
    return {**measured(index), "linestyle": ":", "markerfacecolor": "white"}


@contextmanager
def applied(paper: str = "one-column") -> Iterator[None]:
    """The house style at a paper's widths (a name in PAPERS), for everything drawn or saved inside."""
    token = _PAPER.set(PAPERS[paper])
    try:
        with matplotlib.rc_context({**_RC, "font.size": PAPERS[paper].font}):
            yield
    finally:
        _PAPER.reset(token)


def _new_figure(rows: int, columns: int, *, width: float, height: float, **options: Any) -> tuple[Figure, Any]:
    """An empty figure in inches with its grid of axes; without pyplot, so nothing is kept between figures."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def panels(
    count: int, *, height: float, columns: int | None = None, wide: bool = False, **options: Any
) -> tuple[Figure, list[Axes]]:
    """A figure at the paper's width with `count` panels, row by row; height: inches of one row of panels.

    columns: panels a row, by default three, or two of two or four; a narrow figure stacks its panels.  wide: fill the
    text block whatever the count.  options: as for Figure.subplots, such as sharey.  A caption adds its own height.
    """
    paper = _PAPER.get()
    width = paper.narrow if count <= 2 and not wide else paper.full
    columns = columns or (count if count <= 3 else 2 if count == 4 else 3)
    if width < paper.full:
        columns = 1
    rows = math.ceil(count / columns)
    figure, axes = _new_figure(rows, columns, width=width, height=height * rows + _LEGEND_HEIGHT, **options)
    for spare in axes.flat[count:]:
        spare.set_axis_off()
    return figure, list(axes.flat[:count])


def panel_title(ax: Axes, letter: str, text: str) -> None:
    ax.set_title(f"({letter}) {text}", loc="left")


def log_axes(ax: Axes, *, x_ticks: list[float] | None = None) -> None:
    """Logarithmic axes over whole decades of y; x either over decades or labelled at the given values alone."""
    ax.set_xscale("log")
    ax.set_yscale("log")
    low, high = ax.get_ylim()
    ax.set_ylim(10.0 ** math.floor(math.log10(low)), 10.0 ** math.ceil(math.log10(high)))
    ax.yaxis.set_minor_formatter(NullFormatter())
    if x_ticks:
        ax.set_xticks(x_ticks, [f"{tick:g}" for tick in x_ticks])
        ax.set_xticks([], minor=True)


def source(summary: dict[str, Any]) -> str:
    """From what a figure was drawn, and how it is measured again: preset, seeds, the records' commits, the command."""
    commits = list(summary.get("records_made_by", {}).get("commits", {})) or [summary["made_by"]["commit"]]
    told = ", ".join(commits[:2]) + (f" and {len(commits) - 2} more" if len(commits) > 2 else "")
    seeds = f", {summary['seeds']} seeds" if "seeds" in summary else ""
    return f"Preset {summary['preset']}{seeds}, commit {told}: {summary['command']}"


def caption(figure: Figure, text: str, summary: dict[str, Any]) -> None:
    """What was measured, under the panels, and its source; the figure grows by the caption's height."""
    lines = _wrapped(f"{text} {source(summary)}.", 72 * (figure.get_figwidth() - 0.12))
    figure.set_figheight(figure.get_figheight() + _caption_height(lines))
    figure.supxlabel("\n".join(lines), x=0.01, ha="left", fontsize=_CAPTION_SIZE, color="0.25")


def take_caption(figure: Figure) -> str:
    """The caption's text on one line, taken off the figure, for a page that sets it itself."""
    lines = figure.get_supxlabel().split("\n")
    figure.set_figheight(figure.get_figheight() - _caption_height(lines))
    figure.supxlabel("")
    return " ".join(lines)


def _wrapped(text: str, width: float) -> list[str]:
    """Lines of at most `width` points, broken between words alone: a command broken at a hyphen could not be copied."""
    look = FontProperties(family=_RC["font.family"], size=_CAPTION_SIZE)
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".lstrip()
        # The glyphs of mathtext are at most as wide as its source.
        fits = text_to_path.get_text_width_height_descent(longer.replace("$", ""), look, ismath=False)[0] <= width
        lines = [*lines[:-1], longer] if fits or not lines[-1] else [*lines, word]
    return lines


def _caption_height(lines: list[str]) -> float:
    """Inches of a caption: lines of 1.2 font sizes."""
    return len(lines) * 1.2 * _CAPTION_SIZE / 72


def quoted(number: dict[str, Any], digits: str = "+.2f") -> str:
    """A slope or an estimate with its bootstrap interval, as a caption quotes it."""
    value = number["measured"] if "measured" in number else number["value"]
    return f"{value:{digits}} [{number['ci_low']:{digits}}, {number['ci_high']:{digits}}]"


def lay_out(figure: Figure) -> None:
    """Place the panels once for all formats: the same places in each, in a third of the time."""
    figure.draw_without_rendering()
    figure.set_layout_engine(None)  # "none" leaves a placeholder, for which each format would be drawn twice


def save(figure: Figure, stem: Path, *, kinds: Sequence[str] = tuple(UNDATED)) -> list[Path]:
    """Write PDF, SVG and PNG, byte-identical for the same figure: no date, fixed identifiers."""
    lay_out(figure)
    written = []
    for kind in kinds:
        buffer = io.BytesIO()
        figure.savefig(buffer, format=kind, metadata=UNDATED[kind])
        written.append(stem.with_suffix(f".{kind}"))
        write_atomically(written[-1], buffer.getvalue())
    return written

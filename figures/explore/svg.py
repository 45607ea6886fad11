"""A panel as inline SVG: under two milliseconds, its colours the page's own, so that one drawing serves light and dark.

A Matplotlib figure of one panel takes 60 to 150 ms and has its colours baked in: half a dozen of them, five times a
second, are out of its reach. The same plots for a paper are drawn by paper.py.
"""

import math
from html import escape
from typing import NamedTuple

import numpy as np
from matplotlib.ticker import MaxNLocator

from figures.explore.plot import Plot, Series

WIDTH, HEIGHT = 330.0, 220.0
LEFT, RIGHT, TOP, BOTTOM = 50.0, 10.0, 10.0, 36.0
MOST_POINTS = 400
"""Of a line: more than the panel has pixels to show."""
MOST_DECADES = 16.0


class Axis(NamedTuple):
    """From values to pixels: low and high are shown at start and end, as logarithms to base 10 where log."""

    low: float
    high: float
    start: float
    end: float
    log: bool

    def place(self, values: np.ndarray) -> np.ndarray:
        """Pixels of values; NaN where a value cannot be shown."""
        with np.errstate(divide="ignore", invalid="ignore"):
            shown = np.log10(values) if self.log else values
        share = (shown - self.low) / (self.high - self.low)
        return np.where(np.isfinite(share), self.start + share * (self.end - self.start), np.nan)

    def ticks(self, count: int) -> list[tuple[float, str]]:
        """Pixel and text of each tick inside the axis."""
        if not self.log:
            found = MaxNLocator(count, steps=[1, 2, 5, 10]).tick_values(self.low, self.high)
            inside = [float(value) for value in found if self.low <= value <= self.high]
            return [(float(self.place(np.array(value))), plain_number(value)) for value in inside]
        step = max(1, math.ceil((self.high - self.low) / count))
        decades = range(math.ceil(self.low / step) * step, math.floor(self.high) + 1, step)
        if len(decades) >= 2:
            return [(float(self.place(np.array(10.0**decade))), power_of_ten(decade)) for decade in decades]
        values = MaxNLocator(count - 1).tick_values(10.0**self.low, 10.0**self.high)
        inside = [float(v) for v in values if v > 0 and self.low <= math.log10(v) <= self.high]
        return [(float(self.place(np.array(value))), plain_number(value)) for value in inside]


def plain_number(value: float) -> str:
    """A number as a reader says it: 0.05, 12, 3e-05; a true minus sign."""
    return f"{value:.4g}".replace("-", "−") if value else "0"


_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def power_of_ten(exponent: int) -> str:
    """10⁻³; the first whole numbers as they are."""
    return {0: "1", 1: "10", 2: "100", -1: "0.1", -2: "0.01"}.get(exponent, "10" + str(exponent).translate(_RAISED))


def svg(plot: Plot) -> str:
    """The panel, or its sentence where there is nothing to draw; its text alternative is its title and its series."""
    x_axis, y_axis = _axes(plot)
    axes = plot.x_label if plot.rows else f"{plot.y_label} against {plot.x_label}"
    told = f"{plot.title}: {axes}. " + "; ".join(plot.rows or [_told(series) for series in plot.series])
    opening = (
        f'<svg class="plot" data-plot="{escape(plot.name)}" viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img" '
        f'aria-label="{escape(plot.empty or told)}">'
    )
    if plot.empty or x_axis is None or y_axis is None:
        words = plot.empty or "Nothing to draw: no value is finite."
        lines = "".join(
            f'<text class="empty" x="{WIDTH / 2:g}" y="{HEIGHT / 2 - 16 + 17 * k:g}">{escape(line)}</text>'
            for k, line in enumerate(_wrapped(words, 48))
        )
        return f"{opening}{lines}</svg>"
    drawn = [_frame(plot, x_axis, y_axis)]
    drawn += [_series(series, x_axis, y_axis, stems=bool(plot.rows)) for series in plot.series]
    return opening + "".join(drawn) + _marks(plot, x_axis, y_axis) + "</svg>"


def legend(plot: Plot) -> str:
    """The keys of a panel's series and marks, as an HTML list that wraps."""
    keys = [(series.label, _look(series), series.joined, series.marked) for series in plot.series if series.label]
    items = "".join(
        f'<li><svg viewBox="0 0 26 10" aria-hidden="true" class="{look}">'
        + ('<path class="line" d="M0 5H26"/>' if joined else "")
        + (_marker(13, 5, look, small=True) if marked or not joined else "")
        + f"</svg>{escape(label)}</li>"
        for label, look, joined, marked in keys
    )
    return f'<ul class="legend">{items}</ul>' if items and not plot.empty else ""


def _told(series: Series) -> str:
    values = np.asarray(series.y, float)
    finite = values[np.isfinite(values)]
    return f"{series.label} from {finite[0]:.3g} to {finite[-1]:.3g}" if len(finite) else f"{series.label} not measured"


def _axes(plot: Plot) -> tuple[Axis | None, Axis | None]:
    x_values = np.concatenate([np.asarray(series.x, float) for series in plot.series] or [np.empty(0)])
    y_values = np.concatenate([np.asarray(series.y, float) for series in plot.series] or [np.empty(0)])
    marked = {axis: np.array([mark.at for mark in plot.marks if mark.axis == axis]) for axis in ("x", "y")}
    x_range = _range(np.append(x_values, marked["x"]), log=plot.log_x, space=0.04)
    y_range = _range(np.append(y_values, marked["y"]), log=plot.log_y, space=0.07)
    if plot.rows:
        y_range = (len(plot.rows) + 0.45, 0.25)  # the first row on top
    if x_range is None or y_range is None:
        return None, None
    across, up = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    if plot.equal:
        unit = max((x_range[1] - x_range[0]) / across, (y_range[1] - y_range[0]) / up)
        x_range, y_range = _centred(x_range, unit * across), _centred(y_range, unit * up)
    return Axis(*x_range, LEFT - 44 if plot.rows else LEFT, WIDTH - RIGHT, plot.log_x), Axis(
        *y_range, HEIGHT - BOTTOM, TOP, plot.log_y
    )


def _range(values: np.ndarray, *, log: bool, space: float) -> tuple[float, float] | None:
    """What an axis shows: every finite value and some space; at most sixteen decades, from the top."""
    with np.errstate(divide="ignore", invalid="ignore"):
        shown = np.log10(values) if log else values
    shown = shown[np.isfinite(shown)]
    if not len(shown):
        return None
    low, high = float(shown.min()), float(shown.max())
    if log:
        low = max(low, high - MOST_DECADES)
    spare = space * (high - low) or (0.5 if log else 0.5 * abs(high) or 1.0)
    return low - spare, high + spare


def _centred(shown: tuple[float, float], length: float) -> tuple[float, float]:
    middle = (shown[0] + shown[1]) / 2
    return middle - length / 2, middle + length / 2


def _frame(plot: Plot, x_axis: Axis, y_axis: Axis) -> str:
    """Axes, a faint grid, the ticks' numbers and the axes' names."""
    bottom, parts, left = HEIGHT - BOTTOM, [], LEFT - 44 if plot.rows else LEFT
    for at, text in x_axis.ticks(6):
        parts.append(f'<path class="grid" d="M{at:.1f} {TOP:g}V{bottom:g}"/>')
        parts.append(f'<text class="tick x" x="{at:.1f}" y="{bottom + 14:g}">{text}</text>')
    for k, name in enumerate(plot.rows, 1):
        at = float(y_axis.place(np.array(float(k))))
        parts.append(f'<text class="row" x="{LEFT - 44:g}" y="{at - 8:.1f}">{escape(name)}</text>')
    for at, text in [] if plot.rows else y_axis.ticks(6):
        parts.append(f'<path class="grid" d="M{LEFT:g} {at:.1f}H{WIDTH - RIGHT:g}"/>')
        parts.append(f'<text class="tick y" x="{LEFT - 6:g}" y="{at + 3.5:.1f}">{text}</text>')
    parts.append(f'<path class="axis" d="M{left:g} {TOP:g}V{bottom:g}H{WIDTH - RIGHT:g}"/>')
    middle = (left + WIDTH - RIGHT) / 2
    parts.append(f'<text class="name" x="{middle:g}" y="{HEIGHT - 6:g}">{escape(plot.x_label)}</text>')
    if plot.rows:
        return "".join(parts)
    across = f'transform="translate(11 {(TOP + bottom) / 2:g}) rotate(-90)"'
    parts.append(f'<text class="name" {across}>{escape(plot.y_label)}</text>')
    return "".join(parts)


def _series(series: Series, x_axis: Axis, y_axis: Axis, *, stems: bool) -> str:
    chosen = _chosen(len(series.x))
    x = _inside(x_axis.place(np.asarray(series.x, float)[chosen]), x_axis)
    y = _inside(y_axis.place(np.asarray(series.y, float)[chosen]), y_axis)
    parts = [f'<g class="{_look(series)}">']
    if stems:
        ends = zip(x.tolist(), y.tolist())
        parts += [f'<path class="line" d="M{x_axis.start:g} {b:.1f}H{a:.1f}"/>' for a, b in ends if math.isfinite(a)]
    elif series.joined:
        parts.append(f'<path class="line" d="{_path(x, y)}"/>')
    if series.marked or not series.joined:
        for k in np.flatnonzero(np.isfinite(x) & np.isfinite(y)):
            at = int(chosen[k])
            colour = "" if series.shades is None else f' style="--own:{shade(float(series.shades[at]))}"'
            name = "" if series.names is None else f"<title>{escape(series.names[at])}</title>"
            parts.append(_marker(float(x[k]), float(y[k]), _look(series), colour, name))
    return "".join(parts) + "</g>"


def _inside(pixels: np.ndarray, axis: Axis) -> np.ndarray:
    """NaN beyond the axis: what lies under its sixteen decades is off the panel."""
    low, high = sorted((axis.start, axis.end))
    return np.where((pixels >= low - 0.5) & (pixels <= high + 0.5), pixels, np.nan)


def _chosen(count: int) -> np.ndarray:
    """Indices that a line of many points is drawn by: both ends, denser at the beginning, where curves bend."""
    if count <= MOST_POINTS:
        return np.arange(count)
    even = np.linspace(0, count - 1, MOST_POINTS // 2)
    early = np.geomspace(1, count, MOST_POINTS // 2) - 1
    return np.unique(np.round(np.concatenate([even, early])).astype(int))


def _path(x: np.ndarray, y: np.ndarray) -> str:
    """A line through the points that can be shown, broken where one cannot."""
    words, pen = [], "M"
    for across, down in zip(x.tolist(), y.tolist()):
        if math.isfinite(across) and math.isfinite(down):
            words.append(f"{pen}{across:.1f} {down:.1f}")
            pen = "L"
        else:
            pen = "M"
    return "".join(words)


def _look(series: Series) -> str:
    return f"{series.kind} hue-{series.index % 8}"


def _marker(x: float, y: float, look: str, colour: str = "", name: str = "", *, small: bool = False) -> str:
    shape = int(look[-1])
    if look.startswith("violated"):
        return f'<path class="cross" d="M{x - 4:.1f} {y - 4:.1f}l8 8m0 -8l-8 8"/>'
    if look.startswith("ring"):
        return f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="{4 if small else 8}"/>'
    if shape % 4 == 0:
        opening, tag = f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="3.1"{colour}', "circle"
    else:
        outline = {1: "m-3 -3h6v6h-6z", 2: "m0 -3.8l3.6 6.4h-7.2z", 3: "m0 -4l4 4l-4 4l-4 -4z"}[shape % 4]
        opening, tag = f'<path class="dot" d="M{x:.1f} {y:.1f}{outline}"{colour}', "path"
    return f"{opening}>{name}</{tag}>" if name else f"{opening}/>"


def _marks(plot: Plot, x_axis: Axis, y_axis: Axis) -> str:
    """Lines across the panel; their names at its far end, each below the one before so that none covers another."""
    parts = []
    for k, mark in enumerate(plot.marks):
        at = float((x_axis if mark.axis == "x" else y_axis).place(np.array(mark.at, float)))
        if not math.isfinite(at):
            continue
        if mark.axis == "x":
            path, x, y, anchor = f"M{at:.1f} {TOP:g}V{HEIGHT - BOTTOM:g}", at + 3, TOP + 9 + 12 * k, "start"
            if at > WIDTH - RIGHT - 6.0 * len(mark.label):
                x, anchor = at - 3, "end"
        else:
            path, x, y, anchor = f"M{LEFT:g} {at:.1f}H{WIDTH - RIGHT:g}", LEFT + 4, at - 3, "start"
            y = y if y > TOP + 8 else at + 11
        parts.append(
            f'<g class="{mark.kind} mark"><path class="line" d="{path}"/>'
            f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(mark.label)}</text></g>'
        )
    return "".join(parts)


def shade(share: float) -> str:
    """A colour from blue through grey to orange; distinguishable without seeing red or green apart."""
    stops = np.array([[0, 114, 178], [150, 150, 150], [213, 94, 0]], float)
    place = min(max(share, 0.0), 1.0) * 2
    k = min(int(place), 1)
    colour = stops[k] + (place - k) * (stops[k + 1] - stops[k])
    return "#" + "".join(f"{round(float(part)):02x}" for part in colour)


def _wrapped(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".lstrip()
        lines = [*lines[:-1], longer] if len(longer) <= width or not lines[-1] else [*lines, word]
    return lines

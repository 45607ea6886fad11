"""The page's panels as one figure for a paper, in the house style: PDF, SVG and PNG."""

import io
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import style
from figures.explore.plot import Plot, Series
from figures.explore.svg import shade

_LETTERS = "abcdefghijkl"


def figure_files(plots: Sequence[Plot]) -> dict[str, bytes]:
    """PDF, SVG and PNG of the panels that have something to draw, by suffix; the same plots give the same bytes."""
    files = {}
    with style.applied():
        figure = draw([plot for plot in plots if not plot.empty])
        style.lay_out(figure)
        for kind, metadata in style.UNDATED.items():
            buffer = io.BytesIO()
            figure.savefig(buffer, format=kind, metadata=metadata)
            files[kind] = buffer.getvalue()
    return files


def draw(plots: Sequence[Plot]) -> Figure:
    """One panel a plot, row by row."""
    figure, axes = style.panels(len(plots), height=2.0, columns=2, wide=True)
    for letter, ax, plot in zip(_LETTERS, axes, plots):
        draw_panel(ax, plot)
        style.panel_title(ax, letter, plot.title)
    return figure


def draw_panel(ax: Axes, plot: Plot) -> Axes:
    """A plot on its axes, each series in the look of its role."""
    for series in plot.series:
        _draw_series(ax, series)
    for mark in plot.marks:
        look = style.BOUND if mark.kind == "bound" else style.GUIDE
        (ax.axvline if mark.axis == "x" else ax.axhline)(mark.at, **look)
    if plot.log_x:
        ax.set_xscale("log")
    if plot.log_y:
        ax.set_yscale("log")
    if plot.equal:
        ax.set_aspect("equal", adjustable="datalim")
    if plot.rows:
        left = ax.get_xlim()[0]
        ax.set_xlim(left, None)
        for line in [line for line in ax.lines if str(line.get_label()).startswith("_")]:
            ax.hlines(line.get_ydata(), left, line.get_xdata(), color=line.get_color(), linewidth=1.0)
        ax.set_ylim(len(plot.rows) + 0.4, 0.2)
        ax.set_yticks([])
        for k, name in enumerate(plot.rows, 1):
            place = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "fontsize": "x-small"}
            ax.annotate(name, (0.02, k), xytext=(0, 4), **place).set_in_layout(False)
    ax.set_xlabel(plot.x_label)
    ax.set_ylabel(plot.y_label)
    if any(series.label for series in plot.series) and not plot.rows:
        # Beneath its panel: over the curves it would hide them.
        ax.legend(loc="upper left", bbox_to_anchor=(0.0, -0.28), handlelength=1.8, fontsize="x-small", borderpad=0.0)
    return ax


def _draw_series(ax: Axes, series: Series) -> None:
    x, y = np.asarray(series.x, float), np.asarray(series.y, float)
    if series.shades is not None:
        ax.scatter(x, y, c=[shade(share) for share in series.shades], s=14, label=series.label, zorder=3)
        return
    looks = {
        "measured": style.measured(series.index),
        "control": style.control(series.index),
        "bound": {**style.BOUND, "marker": "o", "markersize": 3},
        "guide": style.GUIDE,
        "violated": style.VIOLATED,
        "ring": {"color": "#CC0000", "marker": "o", "markerfacecolor": "none", "markersize": 9, "linewidth": 1.0},
    }
    look = dict(looks[series.kind])
    if not series.joined:
        look["linestyle"] = "none"
    if not series.marked:
        look["marker"] = "none"
    ax.plot(x, y, label=series.label or None, **look)

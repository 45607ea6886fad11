"""X11b: losses of a language model fine-tuned on halves of its pairs, at equal steps and seconds; times to a loss."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from figures import style

METHODS = {
    "uniform": "uniform half",
    "random": "random half",
    "full": "whole pool",
    "matched": "random, lengths of the uniform",
    "half-random-half-min-dist": "half random, half nearest",
    "min-dist": "nearest",
}
CLOCKS = {"steps": "equal steps", "tokens": "equal tokens", "seconds": "equal seconds"}
UNITS = {"cross-entropy": "nats", "l2": r"$l_2$"}


def look(method: str) -> dict[str, Any]:
    """A method's line; the random half, with which all are compared, is the control."""
    index = list(METHODS).index(method)
    return (style.control if method == "random" else style.measured)(index)


def draw_own(ax: Axes, panel: dict[str, Any]) -> Axes:
    """Mean loss on each run's own rows, and its range over seeds."""
    for method, curve in panel["methods"].items():
        ax.plot(curve["steps"], curve["own"]["mean"], **look(method), markevery=2)
        ax.fill_between(
            curve["steps"],
            curve["own"]["low"],
            curve["own"]["high"],
            color=look(method)["color"],
            alpha=0.12,
            linewidth=0,
        )
    return ax


def draw_minus_random(ax: Axes, panel: dict[str, Any], clock: str) -> Axes:
    """Held-out loss less that of the same seed's random half."""
    for method, curve in panel["methods"].items():
        found = curve["minus_random"][clock]
        if method != "random":
            ax.plot(found["at"], found["mean"], **look(method), markevery=2)
            ax.fill_between(
                found["at"], found["low"], found["high"], color=look(method)["color"], alpha=0.12, linewidth=0
            )
    ax.axhline(0.0, **style.GUIDE)
    return ax


def draw_ratios(ax: Axes, rows: list[dict[str, Any]], situations: list[str], paper: dict[str, float]) -> Axes:
    """Times to the full run's loss over the uniform half's; the paper's as guides."""
    for method in ("random", "full"):
        ratio = {row["situation"]: row["ratio"] for row in rows if row["method"] == method}
        places = [place for place, name in enumerate(situations) if ratio.get(name) is not None]
        ax.plot(
            [ratio[situations[place]] for place in places], places, **{**look(method), "linestyle": "none"}, zorder=3
        )
        ax.axvline(paper[method], color=look(method)["color"], linestyle=(0, (1, 1.5)), linewidth=1.0)
    ax.axvline(1.0, **style.GUIDE)
    ax.set_yticks(range(len(situations)), situations)
    ax.set_ylim(len(situations) - 0.5, -0.5)
    ax.set_xlim(0.0, 1.05 * max(paper.values()))
    return ax


def draw(summary: dict[str, Any]) -> Figure:
    """A row for each model and optimiser: own loss, held-out less random at equal steps and seconds; then the ratios."""
    panels = [panel for panel in summary["panels"] if panel["situation"] in _main(summary)]
    figure, axes = style.panels(3 * (len(panels) + 1), height=1.45, columns=3)
    letters = iter("abcdefghijklmnopqrstuvwxyz")
    for row, panel in enumerate(panels):
        own, steps, seconds = axes[3 * row : 3 * row + 3]
        draw_own(own, panel)
        draw_minus_random(steps, panel, "steps")
        draw_minus_random(seconds, panel, "seconds")
        unit = UNITS[panel["objective"]]
        style.panel_title(own, next(letters), f"{panel['situation']}, own rows")
        style.panel_title(steps, next(letters), "held-out − random's")
        style.panel_title(seconds, next(letters), "held-out − random's")
        own.set_ylabel(f"loss ({unit})")
        steps.set_ylabel(f"difference ({unit})")
        for ax, label in zip((own, steps, seconds), ("steps", "steps", "seconds")):
            ax.set_xlabel(label)
    for ax, clock in zip(axes[3 * len(panels) :], CLOCKS):
        rows = [
            row for row in summary["ratios"] if (row["clock"], row["where"], row["threshold"]) == (clock, "own", "half")
        ]
        draw_ratios(ax, rows, _main(summary), summary["paper_ratios"])
        style.panel_title(ax, next(letters), CLOCKS[clock])
        ax.set_xlabel("time over the uniform half's")
    shown = [name for name in METHODS if any(name in panel["methods"] for panel in panels)]
    figure.legend(
        handles=[Line2D([], [], **look(name), label=METHODS[name]) for name in shown],
        loc="outside upper center",
        ncols=3,
    )
    style.caption(figure, _caption(summary), summary)
    return figure


def _main(summary: dict[str, Any]) -> list[str]:
    """Situations in which the uniform, the random and the full runs are compared on the clean pool."""
    found = list(dict.fromkeys(row["situation"] for row in summary["ratios"]))
    return [name for name in found if name.count(" ") == 1]


def _caption(summary: dict[str, Any]) -> str:
    return (
        "Fine-tuning a causal transformer on pairs of docstring summary and function body, batches of "
        f"{summary['batch']}, the same steps for all: loss on the run's own rows (mean and range over seeds), held-out "
        "loss less that of the same seed's random half. Last row: time to the loss that the full run has on its own "
        "rows after half its steps, over the uniform half's; dotted, the paper's 1.90 (random) and 3.79 (full)."
    )

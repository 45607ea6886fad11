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
    "matched": "random, the uniform half's lengths",
    "half-random-half-min-dist": "half random, half nearest",
    "min-dist": "nearest",
}
CLOCKS = ("steps", "tokens", "seconds")
UNITS = {"cross-entropy": "nats", "l2": r"$l_2$"}


def look(method: str) -> dict[str, Any]:
    """A method's line; the random half, with which all are compared, is the control."""
    index = list(METHODS).index(method)
    return (style.control if method == "random" else style.measured)(index)


def draw_line(ax: Axes, curve: dict[str, list[float]], method: str) -> Axes:
    """Mean and range over seeds."""
    ax.plot(curve["at"], curve["mean"], **look(method), markevery=3)
    ax.fill_between(curve["at"], curve["low"], curve["high"], color=look(method)["color"], alpha=0.12, linewidth=0)
    return ax


def draw_training(ax: Axes, panel: dict[str, Any]) -> Axes:
    """Mean loss of the last batches."""
    for method, curves in panel["methods"].items():
        draw_line(ax, curves["training"], method)
    return ax


def draw_minus_random(ax: Axes, panel: dict[str, Any], clock: str) -> Axes:
    """Held-out loss less that of the same seed's random half."""
    for method, curves in panel["methods"].items():
        if method != "random":
            draw_line(ax, curves["minus_random"][clock], method)
    ax.axhline(0.0, **style.GUIDE)
    ax.locator_params(axis="x", nbins=5)
    ax.ticklabel_format(axis="y", scilimits=(-3, 3))
    return ax


def draw_ratios(
    ax: Axes, rows: list[dict[str, Any]], clock: str, situations: list[str], paper: dict[str, float]
) -> Axes:
    """Times over the uniform half's, one row a situation; the paper's in the last."""
    for method in ("random", "full"):
        ratio = {row["situation"]: row[clock] for row in rows if row["method"] == method}
        found = [(value, place) for place, name in enumerate(situations) if (value := ratio.get(name)) is not None]
        points = {**look(method), "linestyle": "none"}
        ax.plot(*zip(*found, (paper[method], len(situations))), **points)
    ax.axvline(1.0, **style.GUIDE)
    ax.axhline(len(situations) - 0.5, color="0.8", linewidth=0.6)
    ax.set_yticks(range(len(situations) + 1), [*situations, "the paper's"])
    ax.set_ylim(len(situations) + 0.5, -0.5)
    ax.set_xlim(0.0, 1.1 * max(paper.values()))
    return ax


def main_situations(summary: dict[str, Any]) -> list[str]:
    """Model and optimiser, where nothing else departs from the rule and there is a full run to compare with."""
    found = dict.fromkeys(row["situation"] for row in summary["ratios"])
    return [name for name in found if name.count(" ") == 1]


def draw(summary: dict[str, Any]) -> Figure:
    """A row a situation: training loss, held-out less random's at equal steps and seconds; below, the ratios."""
    situations = main_situations(summary)
    panels = [panel for panel in summary["panels"] if panel["situation"] in situations]
    figure, axes = style.panels(3 * (len(panels) + 1), height=1.4, columns=3)
    letters = iter("abcdefghijklmnopqrstuvwxyz")
    for row, panel in enumerate(panels):
        training, steps, seconds = axes[3 * row : 3 * row + 3]
        draw_training(training, panel)
        draw_minus_random(steps, panel, "steps")
        draw_minus_random(seconds, panel, "seconds")
        unit = UNITS[panel["objective"]]
        style.panel_title(training, next(letters), f"{panel['situation']}")
        style.panel_title(steps, next(letters), "held-out")
        style.panel_title(seconds, next(letters), "held-out")
        training.set_ylabel(f"loss ({unit})")
        steps.set_ylabel(f"difference ({unit})")
        for ax, label in zip((training, steps, seconds), ("steps", "steps", "seconds")):
            ax.set_xlabel(label)
    rows = [row for row in summary["ratios"] if (row["where"], row["threshold"]) == ("training", "half")]
    for ax, clock in zip(axes[3 * len(panels) :], CLOCKS):
        draw_ratios(ax, rows, clock, situations, summary["paper_ratios"])
        style.panel_title(ax, next(letters), f"ratios, {clock}")
        ax.set_xlabel("over uniform's")
        if clock != "steps":
            ax.tick_params(labelleft=False)
    shown = [name for name in METHODS if any(name in panel["methods"] for panel in panels)]
    handles = [Line2D([], [], **look(name), label=METHODS[name]) for name in shown]
    figure.legend(handles=handles, loc="outside upper center", ncols=3, columnspacing=1.2)
    style.caption(figure, _caption(summary), summary)
    return figure


def _caption(summary: dict[str, Any]) -> str:
    told = [
        f"{row['situation']} {style.quoted(row, '+.4f')}"
        for row in summary["parts"]
        if row["part"] == "uniformity" and row["situation"] in main_situations(summary)
    ]
    return (
        "A causal transformer fine-tuned on pairs of docstring summary and function body, batches of "
        f"{summary['batch']}, equally many steps: mean training loss of the last batches; loss on some held-out "
        "pairs less that of the same seed's random half (mean and range over seeds; every batch has texts at the "
        "cut of the context, so that steps last alike). Last row: time to the training loss of the whole pool's run "
        "after half its steps, over the uniform half's (the paper's: LLaMA-1-13B on WizardLM, minutes). Loss on all "
        "held-out pairs at the end, uniform less random, with 95% bootstrap intervals (of three seeds, their range): "
        f"{'; '.join(told)}."
    )

"""X6: steps and test error along the farthest-first dial, and how well each predictor ranks them."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from figures import style

ARCHITECTURES = {"plain": "plain MLP", "residual": "residual MLP", "transformer": "pre-norm transformer"}
CONTROLS = {"nearest": "nearest", "darts": "darts", "boundary": "boundary"}
PREDICTORS = {
    "h_min": r"$h_{\min}$",
    "lambda_min": r"$\lambda_{\min}(K_0)$",
    "distance": r"$r_0^T K_0^{-1} r_0$",
    "frozen_steps": "frozen-kernel steps",
    "loss_start": "loss at start",
    "spread": "spread about centre",
    "fill": "largest distance",
    "mean_distance": "mean distance",
}
ASKED = 3
LABELLINGS = {"smooth": "Lipschitz labels", "noise": "noisy labels"}
COLUMNS = (("steps", "smooth"), ("steps", "noise"), ("test_rms", "smooth"))
TICKS = {
    "steps": [1, 3, 10, 30, 100, 300, 1000, 3000, 10_000, 30_000, 100_000, 300_000, 1_000_000],
    "test_rms": [0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0],
}
WITHIN = "within seed"


def _shift(index: int, count: int, width: float) -> float:
    """Where the index-th of `count` series stands beside a common tick, so that none hides another."""
    return width * (index - (count - 1) / 2)


def draw_dial(ax: Axes, summary: dict[str, Any], outcome: str, labelling: str) -> Axes:
    """Geometric mean and quartiles over seeds: along the dial joined, of the controls open and apart."""
    dial = len(summary["ratios"])
    places = np.concatenate([np.arange(dial), dial + 0.8 + 1.5 * np.arange(len(CONTROLS))])
    cells = [cell for cell in summary["cells"] if cell["labelling"] == labelling]
    for index, cell in enumerate(cells):
        look = list(ARCHITECTURES).index(cell["architecture"])
        told = {name: np.array(values, float) for name, values in cell[outcome].items()}
        at = places + _shift(index, len(cells), 0.16)
        ax.vlines(at, told["low"], told["high"], color=style.COLOURS[look], linewidth=0.7, alpha=0.7)
        ax.plot(at[:dial], told["centre"][:dial], **style.measured(look))
        ax.plot(at[dial:], told["centre"][dial:], **{**style.control(look), "linestyle": "none"})
    ax.axvline(dial - 0.2, **{**style.GUIDE, "linewidth": 0.6})
    # Every other ratio and the last: more labels than that run into each other.
    named = {*range(0, dial - 2, 2), dial - 1}
    ratios = [f"{ratio}" if index in named else "" for index, ratio in enumerate(summary["ratios"])]
    ax.set_xticks(places, ratios + list(CONTROLS.values()))
    for tick in ax.get_xticklabels()[dial:]:
        tick.set(rotation=50, ha="right", rotation_mode="anchor")
    ax.set_yscale("log")
    drawn = np.array([cell[outcome][name] for cell in cells for name in ("low", "high")], float)
    low, high = np.nanmin(drawn), np.nanmax(drawn)
    # One tick beyond the data on either side; whole decades alone where there are many.
    ticks = [tick for tick in TICKS[outcome] if high < 100 * low or tick == 10 ** round(np.log10(tick))]
    ax.set_yticks(ticks, [f"{tick:,g}" for tick in ticks])
    ax.yaxis.set_minor_locator(NullLocator())
    ax.set_ylim(max([tick for tick in ticks if tick <= low] or [low]), min([t for t in ticks if t >= high] or [high]))
    ax.set_xlabel("M/N")
    ax.xaxis.set_label_coords(0.25, -0.12)
    return ax


def draw_predictors(ax: Axes, summary: dict[str, Any], outcome: str, labelling: str) -> Axes:
    """Within-seed rank correlation in the claimed direction, a row a predictor, a marker a network; the null's band."""
    estimates = {estimate["label"]: estimate for estimate in summary["estimates"]}
    kinds = [cell["architecture"] for cell in summary["cells"] if cell["labelling"] == labelling]
    null = estimates[f"permutation null, {kinds[0]} {labelling}, {WITHIN}"]
    ax.axvspan(null["ci_low"], null["ci_high"], color="0.9", linewidth=0)
    ax.axvline(0, **style.GUIDE)
    ax.axhline(ASKED - 0.5, color="0.7", linewidth=0.5)  # the three in question above, others below
    for row, name in enumerate(PREDICTORS):
        sign = summary["predictors"][name]
        for index, kind in enumerate(kinds):
            look = list(ARCHITECTURES).index(kind)
            found = estimates[f"{outcome} by {name}, {kind} {labelling}, {WITHIN}"]
            height = row + _shift(index, len(kinds), 0.22)
            ax.plot([sign * found["ci_low"], sign * found["ci_high"]], [height] * 2, color=style.COLOURS[look], lw=0.8)
            ax.plot(sign * found["value"], height, **{**style.measured(look), "markersize": 3.5})
    ax.set_xlim(-1.05, 1.05)
    ax.set_xticks([-1, -0.5, 0, 0.5, 1], ["-1", "-.5", "0", ".5", "1"])
    ax.set_ylim(len(PREDICTORS) - 0.5, -0.5)
    ax.set_yticks(range(len(PREDICTORS)), [""] * len(PREDICTORS))
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel("skill")
    return ax


def _caption(summary: dict[str, Any]) -> str:
    estimates = {estimate["label"]: estimate for estimate in summary["estimates"]}

    def number(label: str) -> str:
        return style.quoted(estimates[label])

    def ranked(outcome: str, labelling: str) -> str:
        names = {"h_min": "h_min", "lambda_min": "lambda_min", "distance": "r'K^-1 r"}
        where = f"all {labelling}, {WITHIN}"
        told = ", ".join(f"{word} {number(f'{outcome} by {name}, {where}')}" for name, word in names.items())
        return f"{told}, h_min's skill less that of r'K^-1 r {number(f'{outcome}: h_min less distance, {where}')}"

    late = sum(cell["not_reached"] for cell in summary["cells"])
    rows = summary["seeds"] * len(summary["designs"]) * len(summary["cells"])
    return (
        f"Farthest-first choices of N = {summary['num_points']} from M iid points; plain gradient descent. (a)-(c) "
        f"geometric mean and quartiles over seeds; open: nearest points of the largest pool, "
        f"Poisson-disc darts, iid Beta(1/2, 1/2). (d)-(f) Spearman correlation in a seed's dial times the claimed sign "
        f"(1: ranks as claimed), 95% bootstrap; grey: 95% of permutations of the dial. Of all networks together. "
        f"Steps, Lipschitz labels: {ranked('steps', 'smooth')}. Steps, noise {summary['noise']:g}: "
        f"{ranked('steps', 'noise')}. Error, Lipschitz labels: {ranked('test_rms', 'smooth')}. Error, noise: "
        f"{ranked('test_rms', 'noise')}. {late} of {rows} runs were not at the target when stopped and rank last."
    )


def draw(summary: dict[str, Any]) -> Figure:
    """Upper row: time and error along the dial.  Lower row: the predictors' skill at ranking the panel above."""
    figure, axes = style.panels(6, height=2.2)
    for column, (outcome, labelling) in enumerate(COLUMNS):
        above, below = axes[column], axes[3 + column]
        draw_dial(above, summary, outcome, labelling)
        draw_predictors(below, summary, outcome, labelling)
        above.set_ylabel({"steps": f"steps to loss {summary['target']:g}", "test_rms": "RMS test error"}[outcome])
        style.panel_title(above, "abc"[column], LABELLINGS[labelling])
        style.panel_title(below, "def"[column], f"what ranks ({'abc'[column]})")
    axes[3].set_yticks(range(len(PREDICTORS)), list(PREDICTORS.values()))
    shown = dict.fromkeys(cell["architecture"] for cell in summary["cells"])
    handles = [
        Line2D([], [], **style.measured(list(ARCHITECTURES).index(kind)), label=ARCHITECTURES[kind]) for kind in shown
    ]
    handles.append(Line2D([], [], **{**style.control(0), "color": "0.3", "linestyle": "none"}, label="control designs"))
    figure.legend(handles=handles, loc="outside upper center", ncols=4)
    style.caption(figure, _caption(summary), summary)
    return figure

"""X11a: loss against steps for each choice of digits, ratios of steps, what the knobs do, and what ranks the times."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter

from figures import style

METHODS = {
    "uniform": "uniform (farthest-first)",
    "random": "random",
    "half-random-half-min-dist": "half random, half min-dist",
    "min-dist": "min-dist",
    "full": "full pool",
    "k-means++": "k-means++",
    "facility": "facility location",
    "matched": "random, classes as uniform",
    "trimmed": "uniform, far tenth left out",
}
"""In the order of the styles; controls open, and what is derived from uniform in its hue."""
CONTROLS = ("random", "min-dist", "matched", "trimmed")
TRAININGS = {"l2, sgd": "l2-loss, SGD", "cross-entropy, adam": "cross-entropy, Adam"}
_TRAINING_LOOKS: tuple[dict[str, Any], ...] = (
    {"color": "black", "marker": "o", "linestyle": "none"},
    {"color": "0.5", "marker": "s", "linestyle": "none"},
)
"""Without a hue: the hues are the methods'."""
PARTS = {"own": "own rows", "held-out": "held-out"}
PREDICTORS = {
    "h_min": r"$h_{\min}$",
    "nearest": "mean nearest",
    "lambda_min": r"$\lambda_{\min}(K_0)$",
    "distance": r"$r_0^T K_0^{-1} r_0$",
    "cover": "cover",
    "spread": "spread",
    "imbalance": "imbalance",
}


def _look(method: str) -> dict[str, Any]:
    index = list(METHODS).index(method)
    return style.control(index) if method in CONTROLS else style.measured(index)


def draw_curves(ax: Axes, summary: dict[str, Any], training: str, part: str) -> Axes:
    """Median over seeds of the loss along the run, quartiles shaded."""
    steps = np.array(summary["curve_steps"])
    for curve in summary["curves"]:
        if (curve["training"], curve["part"]) != (training, part):
            continue
        low, median, high = (np.array(curve[name], float) for name in ("low", "median", "high"))
        look = {**_look(curve["method"]), "markersize": 3.0, "linewidth": 1.0}
        ax.fill_between(steps, low, high, color=look["color"], alpha=0.15, linewidth=0)
        ax.plot(steps, median, **look, markevery=max(len(steps) // 6, 1))
    ax.set_yscale("log")
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("steps")
    ax.set_ylabel(f"{'l2' if training.startswith('l2') else 'cross-entropy'} loss")
    return ax


def draw_ratios(ax: Axes, summary: dict[str, Any]) -> Axes:
    """Steps of random and of the full pool over those of uniform, a row a training, part and size; the published."""
    estimates = {estimate["label"]: estimate for estimate in summary["estimates"]}
    rows = [(training, part, size) for training in summary["trainings"] for part in PARTS for size in summary["sizes"]]
    for row, (training, part, size) in enumerate(rows):
        for method in ("random", "full"):
            found = estimates.get(f"{training}, {size} rows: steps to {part} loss, late, {method} / uniform")
            if found is not None:
                look = {**_look(method), "markersize": 3.5}
                ax.plot([found["ci_low"], found["ci_high"]], [row] * 2, color=look["color"], linewidth=0.8)
                ax.plot(found["value"], row, **look)
    for method in ("random", "full"):
        ax.axvline(summary["published"][method], **{**style.GUIDE, "color": _look(method)["color"]})
    ax.axvline(1.0, color="black", linewidth=0.6)
    ax.set_xscale("log")
    ax.set_xticks([0.25, 0.5, 1, 2, 4], ["¼", "½", "1", "2", "4"])
    ax.set_xticks([], minor=True)
    short = {"l2, sgd": "l2", "cross-entropy, adam": "CE"}
    ax.set_yticks(range(len(rows)), [f"{short[t]} {'own' if p == 'own' else 'held'} {s}" for t, p, s in rows])
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel("steps / uniform's")
    return ax


def draw_knobs(ax: Axes, summary: dict[str, Any]) -> Axes:
    """Held-out accuracy of uniform less random, in points, where the pool is clean or spoilt; open: trimmed."""
    estimates = {estimate["label"]: estimate for estimate in summary["estimates"]}
    short = {"duplicates": "dupl.", "label noise": "noise", "outliers": "outl."}
    conditions = [("clean", ""), *((f"{short[k]} {s:.0%}", f", {k} {s:g}") for k, s in summary["knobs"])]
    size = summary["sizes"][0]
    for index, training in enumerate(summary["trainings"]):
        for row, (_, condition) in enumerate(conditions):
            look = _TRAINING_LOOKS[index]
            looks = {"uniform": look, "trimmed": {**look, "markerfacecolor": "white"}}
            for shift, (method, look) in zip((-0.07, 0.07), looks.items()):
                label = f"{training}, {size} rows{condition}: held-out accuracy, {method} less random"
                if (found := estimates.get(label)) is not None:
                    height = row + 0.32 * (index - 0.5) + shift
                    ax.plot([found["ci_low"], found["ci_high"]], [height] * 2, color=look["color"], linewidth=0.8)
                    ax.plot(found["value"], height, **{**look, "markersize": 3.5})
    ax.axvline(0.0, color="black", linewidth=0.6)
    ax.set_yticks(range(len(conditions)), [name for name, _ in conditions])
    ax.set_ylim(len(conditions) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel("points over random")
    return ax


def draw_mechanism(ax: Axes, summary: dict[str, Any], training: str) -> Axes:
    """lambda_min(K_0)/N of each choice against its h_min, medians over seeds."""
    for choice in summary["choices"]:
        if choice["training"] == training and choice["embedding"] == "pixels":
            ax.plot(choice["h_min"], choice["lambda_min"], **{**_look(choice["method"]), "linestyle": "none"})
    ax.set_yscale("log")
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel(r"$h_{\min}$ of the subset")
    ax.set_ylabel(r"$\lambda_{\min}(K_0)/N$")
    return ax


def draw_skill(ax: Axes, summary: dict[str, Any], part: str) -> Axes:
    """Rank correlation with the steps times the claimed sign, a row a predictor; grey: what shuffling leaves."""
    estimates = {estimate["label"]: estimate for estimate in summary["estimates"]}
    scope = "all rules"
    null = estimates[f"{summary['trainings'][0]}, {scope}: permutation null"]
    ax.axvspan(null["ci_low"], null["ci_high"], color="0.9", linewidth=0)
    ax.axvline(0.0, **style.GUIDE)
    for row, name in enumerate(PREDICTORS):
        sign = summary["predictors"][name]
        for index, training in enumerate(summary["trainings"]):
            found = estimates[f"{training}, {scope}: steps to {part} loss by {name}"]
            height = row + 0.24 * (index - 0.5)
            look = {**_TRAINING_LOOKS[index], "markersize": 3.5}
            ax.plot([sign * found["ci_low"], sign * found["ci_high"]], [height] * 2, color=look["color"], linewidth=0.8)
            ax.plot(sign * found["value"], height, **look)
    ax.set_xlim(-1.05, 1.05)
    ax.set_xticks([-1, -0.5, 0, 0.5, 1], ["-1", "-.5", "0", ".5", "1"])
    ax.set_yticks(range(len(PREDICTORS)), [""] * len(PREDICTORS))
    ax.set_ylim(len(PREDICTORS) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel("skill")
    return ax


def _caption(summary: dict[str, Any]) -> str:
    estimates = {estimate["label"]: estimate for estimate in summary["estimates"]}
    size, published = summary["sizes"][0], summary["published"]

    def triple(training: str, part: str) -> str:
        where = f"{training}, {size} rows: steps to {part} loss, late"
        told = [style.quoted(estimates[f"{where}, {slow} / uniform"], ".2f") for slow in ("random", "full")]
        return f"1 : {told[0]} : {told[1]}"

    told = "; ".join(
        f"{TRAININGS[training]}, {PARTS[part]} {triple(training, part)}"
        for training in summary["trainings"]
        for part in PARTS
        if f"{training}, {size} rows: steps to {part} loss, late, full / uniform" in estimates
    )
    return (
        f"Residual MLP on digits, {size} rows of a pool of {summary['pool_size']}, batches of {summary['batch_size']}: "
        f"equal steps are equal samples, and equal seconds but for the choice, which costs uniform "
        f"{summary['choosing_in_steps']:.0f} steps. (a), (b), (d), (e) median and quartiles over seeds. (c) geometric "
        f"means of steps to a loss that all three reach, 95% bootstrap; dotted: published, {published['setting']}, own "
        f"rows, 1 : {published['random']:.2f} : {published['full']:.2f}. Uniform : random : full here: {told}. "
        f"(f) held-out accuracy of uniform less random in pools spoilt by duplicates, label noise, outliers; open: the "
        f"tenth with the farthest nearest neighbours left out. (g) subsets of {size}; medians. (h), (i) Spearman "
        f"correlation within seeds among subsets of {size} times the claimed sign (1: ranks as claimed); grey: 95% of "
        f"permutations. {summary['diverged']} of {summary['runs']} runs diverged."
    )


def draw(summary: dict[str, Any]) -> Figure:
    """Rows: curves of each training with ratios and knobs beside them; the mechanism and what ranks the times."""
    figure, axes = style.panels(9, height=1.85)
    for row, training in enumerate(summary["trainings"]):
        for column, part in enumerate(PARTS):
            ax = axes[3 * row + column]
            draw_curves(ax, summary, training, part)
            style.panel_title(ax, "abcdef"[3 * row + column], f"{PARTS[part]}, {TRAININGS[training].split(',')[0]}")
    for spare in axes[3 * len(summary["trainings"]) : 6]:
        spare.set_axis_off()
    draw_ratios(axes[2], summary)
    style.panel_title(axes[2], "c", "steps to one loss")
    axes[5].set_axis_on()
    draw_knobs(axes[5], summary)
    style.panel_title(axes[5], "f", "accuracy gained")
    draw_mechanism(axes[6], summary, summary["trainings"][0])
    style.panel_title(axes[6], "g", r"$h_{\min}$ and the kernel")
    for ax, letter, part in zip(axes[7:], "hi", PARTS):
        draw_skill(ax, summary, part)
        style.panel_title(ax, letter, f"ranks steps on {PARTS[part]}" if part == "own" else "on held-out rows")
    axes[7].set_yticks(range(len(PREDICTORS)), list(PREDICTORS.values()))
    shown = dict.fromkeys(choice["method"] for choice in summary["choices"])
    handles = [
        Line2D([], [], **_look(method), label=METHODS[method]) for method in METHODS if method in {*shown, "full"}
    ]
    handles += [
        Line2D([], [], **_TRAINING_LOOKS[index], label=f"(f), (h), (i): {TRAININGS[training]}")
        for index, training in enumerate(summary["trainings"])
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=3)
    style.caption(figure, _caption(summary), summary)
    return figure

"""X5: steps to a loss against h_min for three labellings and three architectures, and loss curves behind them."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from figures import style

LABELLINGS = {"gap": "label gap", "noise": "noisy labels", "smooth": "Lipschitz labels"}
ARCHITECTURES = {"plain": "plain MLP", "residual": "residual MLP", "transformer": "pre-norm transformer"}
# What is drawn of each panel: name -> (labelling, which seeds by whether their noise is tolerated, series index).
GROUPS = {
    "label gap": ("gap", None, 0),
    "noise the target does not tolerate": ("noise", False, 1),
    "noise the target tolerates": ("noise", True, 3),
    "Lipschitz labels": ("smooth", None, 2),
}


def _geometric_mean(values: np.ndarray) -> np.ndarray:
    return np.exp(np.mean(np.log(np.maximum(values, 1.0)), axis=0))


def draw_steps(ax: Axes, summary: dict[str, Any], architecture: str) -> Axes:
    """Geometric mean and range over seeds of the steps, against the realised h; controls open, floor dashed."""
    panels = {panel["labelling"]: panel for panel in summary["panels"] if panel["architecture"] == architecture}
    for labelling, tolerated, index in GROUPS.values():
        panel = panels[labelling]
        h = np.mean(panel["separation"], axis=0)
        look = style.measured(index)
        chosen = np.ones(len(panel["steps"]), bool) if tolerated is None else np.array(panel["tolerated"]) == tolerated
        if not chosen.any():
            continue
        for series in ("steps", "linearised", "floor"):
            values = np.array(panel[series], float)[chosen]
            arrived = np.all(np.isfinite(values), axis=0)  # the h that every seed reached, as for the slopes
            centre = _geometric_mean(values[:, arrived])
            if series == "steps":
                ax.plot(h[arrived], centre, **look)
                low, high = values[:, arrived].min(axis=0), values[:, arrived].max(axis=0)
                ax.fill_between(h[arrived], low, high, color=look["color"], alpha=0.15, linewidth=0)
            elif series == "linearised":
                ax.plot(h[arrived], centre, **style.control(index))
            elif labelling == "gap":
                ax.plot(h[arrived], centre, **style.BOUND)
    ax.set_ylim(1, None)
    style.log_axes(ax, x_ticks=summary["separations"])
    ax.set_xlabel("separation h of the closest pair")
    return ax


def draw_curves(ax: Axes, summary: dict[str, Any], labelling: str) -> Axes:
    """Loss against steps, one curve a separation, the smallest h darkest."""
    shades = np.linspace(0.75, 0.0, len(summary["separations"]))
    for curve in summary["curves"]:
        if curve["labelling"] == labelling:
            shade = shades[summary["separations"].index(curve["h"])]
            ax.plot(
                np.array(curve["step"]) + 1, curve["loss"], color=str(shade), linewidth=1.1, label=f"h = {curve['h']:g}"
            )
    ax.axhline(summary["target"], **style.GUIDE)
    style.log_axes(ax)
    ax.set_xlabel("gradient descent step + 1")
    return ax


def _caption(summary: dict[str, Any]) -> str:
    slopes = {slope["label"]: slope for slope in summary["slopes"]}

    def told(name: str, group: str) -> str:
        labels = {kind: f"{kind} {name}, {group}, all h" for kind in ARCHITECTURES}
        return ", ".join(f"{kind} {style.quoted(slopes[key])}" for kind, key in labels.items() if key in slopes)

    return (
        f"Steps of plain gradient descent to loss {summary['target']:g}, N = {summary['num_points']}; geometric mean "
        f"over seeds, bands their range. Exponents in h with 95% bootstrap intervals. Label gap "
        f"{summary['gap']:g}: {told('network', 'gap')}; linearised at start: {told('linearised', 'gap')}. Lipschitz "
        f"labels: {told('network', 'smooth')}. Noise {summary['noise']:g}, on the pair more than the target tolerates: "
        f"{told('network', 'noise not tolerated')}. The floor's G is measured along the run. (d)-(f): seed "
        f"{summary['curves_seed']}, the one with the largest noise on the pair."
    )


def draw(summary: dict[str, Any]) -> Figure:
    """Upper row: steps against h, one panel an architecture.  Lower row: loss curves, one panel a labelling."""
    present = {panel["architecture"] for panel in summary["panels"]}
    shown = [name for name in ARCHITECTURES if name in present]
    figure, axes = style.new_figure(2, 3, width=7.2, height=5.6)
    for column in range(3):
        ax = axes[0, column]
        if column >= len(shown):
            ax.set_axis_off()
            continue
        draw_steps(ax, summary, shown[column])
        style.panel_title(ax, "abc"[column], ARCHITECTURES[shown[column]])
    axes[0, 0].set_ylabel(f"steps to loss {summary['target']:g}")
    for column, labelling in enumerate(LABELLINGS):
        ax = draw_curves(axes[1, column], summary, labelling)
        style.panel_title(ax, "def"[column], f"{summary['curves_architecture']} MLP, {LABELLINGS[labelling]}")
    axes[1, 0].set_ylabel("loss (squared label units)")
    axes[1, 0].legend(loc="upper right")
    samples = [(name, style.measured(index)) for name, (_, _, index) in GROUPS.items()]
    samples += [
        ("linearised at start (control)", {**style.control(0), "color": "0.3"}),
        ("step floor R3, label gap (bound)", style.BOUND),
    ]
    handles = [Line2D([], [], **look, label=name) for name, look in samples]
    figure.legend(handles=handles, loc="outside upper center", ncols=3)
    style.caption(figure, _caption(summary), summary)
    return figure

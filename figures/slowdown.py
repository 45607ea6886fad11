"""X5: steps to a loss against h_min for three labellings and architectures, loss curves, and what decides the time."""

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


KNOWN_BOUND = {**style.BOUND, "linestyle": (0, (4, 1.5, 1, 1.5))}


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
        for series in ("steps", "linearised", "floor", "known_floor"):
            if series not in panel:
                continue
            values = np.array(panel[series], float)[chosen]
            arrived = np.all(np.isfinite(values), axis=0)  # the h that every seed reached, as for the slopes
            centre = _geometric_mean(values[:, arrived])
            if series == "steps":
                ax.plot(h[arrived], centre, **look)
                low, high = values[:, arrived].min(axis=0), values[:, arrived].max(axis=0)
                ax.fill_between(h[arrived], low, high, color=look["color"], alpha=0.15, linewidth=0)
            elif series == "linearised":
                ax.plot(h[arrived], centre, **style.control(index), clip_on=False)
            else:
                ax.plot(h[arrived], centre, **(style.BOUND if series == "floor" else KNOWN_BOUND))
    ax.set_ylim(1, None)
    style.log_axes(ax, x_ticks=summary["separations"])
    ax.set_xlabel("separation h")
    return ax


def draw_curves(ax: Axes, summary: dict[str, Any], labelling: str) -> Axes:
    """Loss against steps, one curve a separation, the smallest h darkest."""
    shades = np.linspace(0.75, 0.0, len(summary["separations"]))
    for curve in summary["curves"]:
        if curve["labelling"] == labelling:
            shade = shades[summary["separations"].index(curve["h"])]
            ends = curve["h"] in (summary["separations"][0], summary["separations"][-1])
            label = f"h = {curve['h']:g}" if ends else None
            ax.plot(np.array(curve["step"]) + 1, curve["loss"], color=str(shade), linewidth=1.1, label=label)
    ax.axhline(summary["target"], **style.GUIDE)
    style.log_axes(ax)
    ax.set_xlabel("step + 1")
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
        f"{told('network', 'noise not tolerated')}. R3's G is measured along the run; R6 is below one step "
        f"where it is not drawn. (d), (e): seed {summary['curves_seed']}. (f): steps to several losses over those with "
        f"Lipschitz labels at the smallest h; filled Lipschitz labels, open label gap{_told_collapse(summary)}."
    )


def _told_collapse(summary: dict[str, Any]) -> str:
    estimates = {estimate["label"]: estimate for estimate in summary["estimates"]}
    names = {
        "spread of log10 steps, Lipschitz labels, at equal eps, before the collapse": "; spread of log10 steps",
        "spread of log10 steps, Lipschitz labels, at equal x, after it": "after the collapse",
        "factor in steps to eps above the pair's loss, Lipschitz labels": "; median factor right of 1, Lipschitz",
        "factor in steps to eps above the pair's loss, label gap": "label gap",
        "factor in steps to eps below the pair's loss, label gap": "and left of 1",
    }
    parts = []
    for label, name in names.items():
        if found := estimates.get(label):
            parts.append(f"{name} {style.quoted(found, '.2f')}")
    return ", ".join(parts).replace(", ; ", "; ")


def draw_collapse(ax: Axes, summary: dict[str, Any]) -> Axes:
    """Factor in steps against eps over the pair's own loss: every architecture, h and eps, medians over seeds."""
    for group in summary["collapse"]:
        index = {"smooth": GROUPS["Lipschitz labels"][2], "gap": GROUPS["label gap"][2]}[group["labelling"]]
        marker = style.MARKERS[list(ARCHITECTURES).index(group["architecture"])]
        face = "white" if group["labelling"] == "gap" else style.COLOURS[index]
        look = {**style.measured(index), "marker": marker, "markerfacecolor": face, "linestyle": "none"}
        ax.plot(group["x"], group["factor"], **{**look, "markersize": 3.2, "markeredgewidth": 0.7})
    style.log_axes(ax)
    ax.axvline(1.0, **style.GUIDE)
    ax.axhline(1.0, **style.GUIDE)
    ax.set_xlabel(r"$\epsilon$ / pair's loss $d_0^2/4N$")
    ax.set_ylabel("factor in steps")
    return ax


def draw(summary: dict[str, Any]) -> Figure:
    """Upper row: steps against h, one panel an architecture.  Lower row: loss curves, and the collapse."""
    present = {panel["architecture"] for panel in summary["panels"]}
    shown = [name for name in ARCHITECTURES if name in present]
    figure, axes = style.panels(6, height=1.85)
    for ax, name, letter in zip(axes, ARCHITECTURES, "abc"):
        if name not in shown:
            ax.set_axis_off()
            continue
        style.panel_title(draw_steps(ax, summary, name), letter, ARCHITECTURES[name].replace("pre-norm ", ""))
        ax.set_xticks(summary["separations"], [f"{h:g}".lstrip("0") for h in summary["separations"]])
    axes[list(ARCHITECTURES).index(shown[0])].set_ylabel(f"steps to loss {summary['target']:g}")
    kind = summary["curves_architecture"]
    for ax, labelling, letter in zip(axes[3:], ("gap", "smooth"), "de"):
        style.panel_title(draw_curves(ax, summary, labelling), letter, f"{kind}, {LABELLINGS[labelling]}")
    axes[3].set_ylabel("loss (squared label units)")
    axes[4].legend(loc="upper right", handlelength=1.2, labelspacing=0.2)
    style.panel_title(draw_collapse(axes[5], summary), "f", "all networks, h and $\\epsilon$")
    samples = [(name, style.measured(index)) for name, (_, _, index) in GROUPS.items()]
    samples += [
        ("linearised at start (control)", {**style.control(0), "color": "0.3"}),
        ("floor R3, label gap (bound)", style.BOUND),
        ("floor R6, known before training", KNOWN_BOUND),
    ]
    handles = [Line2D([], [], **look, label=name) for name, look in samples]
    figure.legend(handles=handles, loc="outside upper center", ncols=2)
    style.caption(figure, _caption(summary), summary)
    return figure

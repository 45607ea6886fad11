"""X4: the tail rate of log L, as an eigenvalue, against h_min for three labellings; descent alone as control."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from figures import style

ARCHITECTURES = {"plain": "plain MLP", "residual": "residual MLP", "transformer": "pre-norm transformer"}
LABELLINGS = {"gap": ("label gap", 0), "noise": ("noisy labels", 1), "smooth": ("Lipschitz labels", 2)}
FROZEN = {**style.control(3), "color": "0.35"}


def _ceiling(index: int) -> dict[str, Any]:
    return {**style.BOUND, "marker": style.MARKERS[index], "markerfacecolor": "white", "markersize": 3.5}


def _centre(values: np.ndarray) -> np.ndarray:
    """Geometric mean over seeds; NaN at an h that one seed did not resolve, as for the slopes."""
    return np.exp(np.mean(np.log(values), axis=0))


def draw_rates(ax: Axes, summary: dict[str, Any], architecture: str) -> Axes:
    """Rates as eigenvalues against h, geometric mean and range over seeds; ceilings dashed, K at theta_0 open."""
    panels = {panel["labelling"]: panel for panel in summary["panels"] if panel["architecture"] == architecture}
    h = np.array(summary["separations"])
    for labelling, (_, index) in LABELLINGS.items():
        if labelling not in panels:
            continue
        panel, look = panels[labelling], style.measured(index)
        rate = np.array(panel["rate"], float)
        ax.plot(h, _centre(rate), **look)
        ax.fill_between(h, rate.min(axis=0), rate.max(axis=0), color=look["color"], alpha=0.15, linewidth=0)
        ax.plot(h, _centre(np.array(panel["ceiling"], float)), **_ceiling(index))
    frozen = _centre(np.array(next(iter(panels.values()))["frozen"], float))
    ax.plot(h, frozen, **FROZEN)
    ax.plot(h, frozen[0] / 3 * (h / h[0]) ** 2, **style.GUIDE)
    style.log_axes(ax, x_ticks=summary["separations"])
    ax.set_xlabel("separation h of the closest pair")
    return ax


def draw_control(ax: Axes, summary: dict[str, Any]) -> Axes:
    """Descent alone at the largest h: its last rate (filled), theta*'s lambda_min (open) against its own."""
    for labelling, (_, index) in LABELLINGS.items():
        chosen = [each for each in summary["controls"] if each["labelling"] == labelling]
        own = [each["own"] for each in chosen]
        ax.plot(own, [each["rate"] for each in chosen], **{**style.measured(index), "linestyle": "none"})
        ax.plot(own, [each["minimum"] for each in chosen], **{**style.control(index), "linestyle": "none"}, zorder=1)
    ends = np.array([each["own"] for each in summary["controls"]])
    line = np.array([ends.min() / 1.5, ends.max() * 1.5])
    ax.plot(line, line, **style.GUIDE, zorder=0)
    style.log_axes(ax)
    ax.set_xlabel("lambda_min(K) where it ends")
    return ax


def _caption(summary: dict[str, Any]) -> str:
    slopes = {slope["label"]: slope for slope in summary["slopes"]}

    def told(name: str) -> str:
        labels = {kind: f"{kind} {name}, all h" for kind in ARCHITECTURES}
        return ", ".join(f"{kind} {style.quoted(slopes[key])}" for kind, key in labels.items() if key in slopes)

    shares = [each["share"] for each in summary["controls"]]
    letter = "abcd"[len({panel["architecture"] for panel in summary["panels"]})]
    return (
        f"Rate of log L over {summary['window']} steps of gradient descent along the slow mode of an interpolating "
        f"minimum, as the eigenvalue N(1 - exp(-rate/2))/eta; N = {summary['num_points']}; geometric mean over seeds, "
        f"bands their range. Exponents in h with 95% bootstrap intervals. Lipschitz labels: "
        f"{told('tail rate, smooth')}. Label gap {summary['gap']:g}: {told('tail rate, gap')}. Noise "
        f"{summary['noise']:g}: {told('tail rate, noise')}. At theta_0: {told('lambda_min at theta_0, any labels')}. "
        f"The ceiling G^2/2 is measured at the minimum. ({letter}) Descent alone, h = {max(summary['separations']):g}, "
        f"all architectures: last rate filled, lambda_min(K*) of the minimum found from loss {summary['target']:g} "
        f"open; the slow mode holds {min(shares):.0%} to {max(shares):.0%} of its last loss."
    )


def draw(summary: dict[str, Any]) -> Figure:
    """One panel an architecture, then the control."""
    present = {panel["architecture"] for panel in summary["panels"]}
    shown = [name for name in ARCHITECTURES if name in present]
    figure, axes = style.panels(len(shown) + 1, height=2.3)
    for ax, letter, name in zip(axes, "abc", shown):
        style.panel_title(draw_rates(ax, summary, name), letter, ARCHITECTURES[name])
        ax.set_ylabel("tail rate as an eigenvalue")
    style.panel_title(draw_control(axes[-1], summary), "abcd"[len(shown)], "descent alone (control)")
    axes[-1].set_ylabel("rate, or lambda_min(K*)")
    samples = [(name, style.measured(index)) for name, index in LABELLINGS.values()]
    samples += [
        ("lambda_min at theta_0 (control)", FROZEN),
        ("ceiling G^2/2, by labels", {**style.BOUND, "marker": "o", "markerfacecolor": "white", "markersize": 3.5}),
        ("slope 2", style.GUIDE),
    ]
    handles = [Line2D([], [], **look, label=name) for name, look in samples]
    figure.legend(handles=handles, loc="outside upper center", ncols=3 if len(axes) > 2 else 2)
    style.caption(figure, _caption(summary), summary)
    return figure

"""X1: h_min of iid points against N, its collapse in the law's unit, and the law of the scaled closest pair."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import style


def draw_means(ax: Axes, summary: dict[str, Any]) -> Axes:
    """Mean h_min against N for every design; guides of slope -2/d through each dimension's first point."""
    sizes = np.array(summary["sizes"])
    guided = set()
    for index, design in enumerate(summary["designs"]):
        ax.plot(sizes, design["mean"], **style.measured(index), label=design["name"])
        if design["dim"] not in guided:
            guided.add(design["dim"])
            ax.plot(sizes, design["mean"][0] * (sizes / sizes[0]) ** (-2 / design["dim"]), **style.GUIDE)
    style.log_axes(ax, x_ticks=summary["sizes"])
    ax.set_xlabel("number of points N")
    ax.set_ylabel(r"mean $h_{\min}$ (side of the domain = 1)")
    return ax


def draw_collapse(ax: Axes, summary: dict[str, Any]) -> Axes:
    """Mean h_min in the law's unit, every seed, a column a design; limit and floor dashed."""
    designs = summary["designs"]
    for index, design in enumerate(designs):
        seeds = np.array(design["collapsed_seeds"])
        look = style.measured(index)
        for column in range(len(summary["sizes"])):
            x = index + 0.22 * (column - (len(summary["sizes"]) - 1) / 2)
            ax.plot(np.full(len(seeds), x), seeds[:, column], linestyle="none", marker=".", color="0.8", markersize=2)
            ax.plot([x], [design["collapsed"][column]], **{**look, "markersize": 2.0 + 0.5 * column})
        dim = design["dim"]
        ax.hlines(summary["limit"][str(dim)], index - 0.42, index + 0.42, **style.GUIDE)
        ax.hlines(dim / (dim + 1), index - 0.42, index + 0.42, color="black", linestyles=(0, (5, 2)), linewidth=1.2)
    ax.set_ylim(0.4, None)
    ax.set_xticks([])
    ax.set_xlabel("design; in each, N grows")
    ax.set_ylabel(r"mean $h_{\min}$ (units of the law)")
    return ax


def draw_law(ax: Axes, summary: dict[str, Any]) -> Axes:
    """Survival function of the scaled closest pair at the largest N against exp(-u)."""
    u = np.linspace(0, 5, 200)
    ax.plot(u, np.exp(-u), **style.GUIDE, zorder=3)
    for index, design in enumerate(summary["designs"]):
        values, survival = np.array(design["scaled_quantiles"]).T
        ax.plot(values, survival, **{**style.measured(index), "marker": None, "linewidth": 1.0})
    ax.plot(u, np.maximum(1 - u, 0), **style.BOUND)
    ax.set_yscale("log")
    ax.set_ylim(1e-2, 1.1)
    ax.set_xlim(0, 5)
    ax.set_xlabel(r"$u = \frac{N(N-1)}{2} V_d \|\pi\|_2^2\, h_{\min}^d$")
    ax.set_ylabel("share of samples above u")
    return ax


def _caption(summary: dict[str, Any]) -> str:
    tori = [slope for slope in summary["slopes"] if "torus" in slope["label"]]
    told = ", ".join(f"{style.quoted(slope)} ({slope['expected']:.2f})" for slope in tori)
    far = max(abs(slope["measured"] - slope["expected"]) for slope in summary["slopes"])
    return (
        f"h_min of iid points, {summary['replicates']} samples a seed. (a) Slopes in N, expected -2/d in brackets, on "
        f"the torus: {told}; of all designs within {far:.2f} of it. (b) Means in units of "
        f"(N(N-1)/2 V_d |pi|_2^2)^(-1/d), grey dots the seeds. (c) Scaled closest pair against the exponential law. "
        f"The two-level densities have the same maximum: only a law in the L2 norm tells them apart."
    )


def draw(summary: dict[str, Any]) -> Figure:
    """(a) means, (b) collapse, (c) law."""
    figure, axes = style.panels(3, height=2.4)
    style.panel_title(draw_means(axes[0], summary), "a", "falls like $N^{-2/d}$")
    style.panel_title(draw_collapse(axes[1], summary), "b", "one unit for all")
    style.panel_title(draw_law(axes[2], summary), "c", f"law at N = {summary['sizes'][-1]}")
    handles, _ = axes[0].get_legend_handles_labels()
    handles += [
        axes[0].plot([], [], **style.GUIDE, label="limit law S2")[0],
        axes[0].plot([], [], **style.BOUND, label="sampling law S1")[0],
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=3)
    style.caption(figure, _caption(summary), summary)
    return figure

"""X12: lambda_max(K_0)/N and the largest stable step size against width, depth, bottleneck and input dimension."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from figures import style

SERIES = {
    "plain": "plain",
    "residual": "residual",
    "transformer, layernorm": "transformer, LayerNorm",
    "transformer, tau": r"transformer, $\tau_\epsilon$",
}
OTHERS = {
    "depth": "depth (layers, blocks)",
    "bottleneck": "bottleneck of a block",
    "dimension": "input dimension",
}
CRITERIA = {"monotone": "loss never rises", "bounded": r"never above $L_0$", "forgiven": r"never above $10\,L_0$"}


def _few(values: list[int]) -> list[float]:
    """Every value where they are few, else every third: more labels than that overlap in a narrow panel."""
    return [float(value) for value in (values if len(values) <= 4 else values[::3])]


def _ticks(shown: list[dict[str, Any]]) -> list[float]:
    return _few(sorted({value for series in shown for value in series["values"]}))


def _chosen(summary: dict[str, Any], axis: str) -> list[dict[str, Any]]:
    return [series for series in summary["series"] if series["axis"] == axis]


def draw_sweep(ax: Axes, shown: list[dict[str, Any]], quantity: str) -> Axes:
    """Medians of one quantity with their quartiles; unit variances (the control) open and dotted."""
    for series in shown:
        index = list(SERIES).index(series["name"])
        look = style.control(index) if series["unit_variance"] else style.measured(index)
        spread = {name: np.array(values, float) for name, values in series[quantity].items()}
        ax.plot(series["values"], spread["median"], **look)
        ax.fill_between(series["values"], spread["low"], spread["high"], color=look["color"], alpha=0.15, linewidth=0)
        if quantity == "top" and series["ceiling"]:
            ax.plot(series["values"], series["ceiling"], **style.BOUND)
    style.log_axes(ax, x_ticks=_ticks(shown))
    return ax


def draw_ratios(ax: Axes, series: dict[str, Any]) -> Axes:
    """The largest stable step size over 2N/lambda_max(K_0), for the three meanings of stable."""
    for index, (criterion, label) in enumerate(CRITERIA.items()):
        look = {**style.measured(4 + index), "label": label}
        spread = {name: np.array(values, float) for name, values in series["ratios"][criterion].items()}
        ax.plot(series["values"], spread["median"], **look)
        ax.fill_between(series["values"], spread["low"], spread["high"], color=look["color"], alpha=0.15, linewidth=0)
    ax.axhline(1.0, **style.GUIDE)
    ax.set_xscale("log")
    ax.set_xticks(ticks := _few(series["values"]), [f"{tick:g}" for tick in ticks])
    ax.set_xticks([], minor=True)
    ax.set_ylim(0.0, 1.6 * ax.get_ylim()[1])  # the legend's place
    return ax


def _caption(summary: dict[str, Any]) -> str:
    slopes = {slope["label"]: slope for slope in summary["slopes"]}

    def told(quantity: str) -> str:
        parts = []
        for name in (*SERIES, "plain, unit variances"):
            labels = [f"{name}: {quantity} in width, {reach}" for reach in ("3 largest", "all")]
            found = [slopes[label] for label in labels if label in slopes]
            parts += [f"{name} {style.quoted(found[0])}" for _ in found[:1]]
        return "; ".join(parts)

    return (
        f"Networks at initialisation, N = {summary['num_points']} standard normal inputs and labels; medians and "
        f"quartiles over seeds. A step size is stable if {summary['steps']} steps of gradient descent from it keep the "
        "loss falling (monotone), or as (c) says. Exponents over the largest widths, with 95% bootstrap "
        f"intervals, of the eigenvalue: {told('lambda_max/N')}; of the largest monotone step size: "
        f"{told('monotone step')}."
    )


def draw(summary: dict[str, Any]) -> Figure:
    """(a) eigenvalue, (b) largest monotone step size, (c) its ratio to the frozen kernel's; (d)-(f) other sweeps."""
    figure, axes = style.panels(6, height=1.9)
    widths = _chosen(summary, "width")
    draw_sweep(axes[0], widths, "top")
    draw_sweep(axes[1], widths, "monotone")
    draw_ratios(axes[2], widths[0])
    titles = ["kernel's top eigenvalue", "step size", "plain, over 2N/λ"]
    labels = [r"$\lambda_{\max}(K_0)/N$", r"largest monotone $\eta$", r"$\eta\,\lambda_{\max}(K_0)/2N$"]
    for ax, letter, title, label in zip(axes, "abc", titles, labels):
        style.panel_title(ax, letter, title)
        ax.set_xlabel("width")
        ax.set_ylabel(label)
    letters = iter("def")
    for ax, (axis, label) in zip(axes[3:], OTHERS.items()):
        if not (shown := _chosen(summary, axis)):
            ax.set_axis_off()
            continue
        draw_sweep(ax, shown, "monotone")
        style.panel_title(ax, next(letters), axis if axis != "dimension" else "input dimension")
        ax.set_xlabel(label)
        ax.set_ylabel(r"largest monotone $\eta$")
    axes[2].legend(loc="upper right", handlelength=1.2, borderaxespad=0.1)
    named = [series["name"] for series in widths if not series["unit_variance"]]
    samples = [(SERIES[name], style.measured(list(SERIES).index(name))) for name in named]
    samples += [("plain, unit variances (control)", style.control(0)), ("G8 ceiling, plain (bound)", style.BOUND)]
    handles = [Line2D([], [], **look, label=name) for name, look in samples]
    figure.legend(handles=handles, loc="outside upper center", ncols=3)
    style.caption(figure, _caption(summary), summary)
    return figure

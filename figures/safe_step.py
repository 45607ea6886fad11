"""X9: the ladder of step sizes from 1/S, known before training, to the largest stable one; horizons; loss curves."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from figures import style

# Rung -> (label, look): bounds known before training black, measured rungs filled and coloured.
_KNOWN = {"color": "black", "linestyle": "none", "markerfacecolor": "white"}
RUNGS: dict[str, tuple[str, dict[str, Any]]] = {
    "ball about zero": (r"1/S on $|\theta| \leq R$ (bound)", {**_KNOWN, "marker": "<"}),
    "ball about start": (r"1/S on $B(\theta_0, \rho)$ (bound)", {**_KNOWN, "marker": "o"}),
    "start": (r"1/S at $\theta_0$ (bound)", {**_KNOWN, "marker": ">"}),
    "run": (r"1/max $|\nabla^2 L|$ on a run", {**style.measured(0), "linestyle": "none"}),
    "twice": (r"2/$|\nabla^2 L(\theta_0)|$", {**style.measured(1), "linestyle": "none"}),
    "monotone": ("largest monotone", {**style.measured(2), "linestyle": "none"}),
}
COURSES = (
    "1/S on the ball",
    r"1/$|\nabla^2 L(\theta_0)|$",
    r"2/$|\nabla^2 L(\theta_0)|$",
    r"largest, never above $L_0$",
    "next above (control)",
)
OVER_HORIZONS = (
    "linear, 12 points",
    "plain 32x2",
    "residual 32x2 none",
    "residual 32x2 layernorm eps 1",
    "transformer 16x1 none",
)


def draw_ladder(ax: Axes, nets: list[dict[str, Any]]) -> Axes:
    """One row a network: medians over seeds of each rung's step size; bars: range of the largest monotone one."""
    for row, net in enumerate(nets):
        for rung, (_, look) in RUNGS.items():
            found = net["ladder"][rung]
            if found["median"] is not None:
                ax.plot(found["median"], row, **look)
        best = net["ladder"]["monotone"]
        if best["low"] is not None:
            ax.plot([best["low"], best["high"]], [row, row], color=style.COLOURS[2], linewidth=1.0)
    ax.set_yticks(range(len(nets)), [_short(net["name"]) for net in nets])
    ax.set_ylim(len(nets) - 0.4, -0.6)
    ax.set_xscale("log")
    ax.grid(axis="y", color="0.92", linewidth=0.6)
    ax.set_xlabel(r"step size $\eta$ (parameter$^2$/loss)")
    return ax


def _short(name: str) -> str:
    return name.replace("transformer 16x1", "transf.").replace("residual 32x2", "resid.").replace("layernorm", "LN")


def draw_horizons(ax: Axes, summary: dict[str, Any]) -> Axes:
    """The largest monotone step size over 1/S on the ball of each horizon, medians over seeds."""
    for index, name in enumerate(OVER_HORIZONS):
        for net in summary["nets"]:
            if net["name"] == name:
                look = style.control(index) if name.startswith("linear") else style.measured(index)
                ax.plot(summary["horizons"], net["over_horizons"]["around"], **look, label=_short(name))
    style.log_axes(ax)
    ax.set_xlabel(r"horizon $\tau = \eta T$ (parameter$^2$/loss)")
    ax.set_ylabel(r"largest monotone $\eta$ times $S$")
    return ax


def draw_courses(ax: Axes, curves: dict[str, Any]) -> Axes:
    """Loss over its start at five step sizes of one network."""
    for index, (label, losses) in enumerate(zip(COURSES, curves["losses"])):
        look = style.control(index) if index == len(COURSES) - 1 else style.measured(index)
        values = np.array(losses, float)
        ax.plot(np.arange(len(values)), values, **look, markevery=max(1, len(values) // 6), label=label)
    ax.axhline(1.0, **style.GUIDE)
    ax.set_ylim(0.0, 1.9 * min(ax.get_ylim()[1], 3.0))  # the legend's place, above the curves
    ax.set_xlabel("gradient descent step")
    ax.set_ylabel(r"loss / $L_0$")
    return ax


def _caption(summary: dict[str, Any]) -> str:
    estimates = {estimate["label"]: estimate for estimate in summary["estimates"]}

    def told(name: str) -> str:
        found = [
            estimates.get(f"{name}: largest monotone step over {rung}")
            for rung in (
                "1/S on the ball of radius rho about theta_0",
                "1/S at the radii of theta_0",
                "1/max |hess L| along a run",
                "2/|hess L(theta_0)|",
            )
        ]
        return f"{name} " + ", ".join(style.quoted(one, ".3g") for one in found if one)

    names = [
        net["name"]
        for net in summary["nets"]
        if f"{net['name']}: largest monotone step over 2/|hess L(theta_0)|" in estimates
    ]
    shown = [name for name in ("linear, 1 point", *OVER_HORIZONS[1:3], OVER_HORIZONS[4]) if name in names]
    climbs = sum(net["climbs_beyond"] for net in summary["nets"])
    return (
        f"The largest step size whose loss never rises in {summary['steps']} steps, against step sizes from bounds and "
        f"curvatures; S for the horizon tau = {summary['told_horizon']:g}, medians over seeds, bars the range. Its "
        "factor over 1/S on the ball, 1/S at the start, 1/max |hess L| on a run and 2/|hess L(theta_0)|, medians with "
        f"95% bootstrap intervals: {'; '.join(map(told, shown))}. (d): {summary['curves']['name']}, seed 0; the "
        f"control climbed above the start's loss in {climbs} of {summary['seeds'] * len(summary['nets'])} runs."
    )


def draw(summary: dict[str, Any]) -> Figure:
    """(a), (b) the ladder by network; (c) the factor of 1/S against the horizon; (d) loss at five step sizes."""
    figure, axes = style.panels(4, height=2.3)
    simple = [net for net in summary["nets"] if net["name"].split()[0] in ("linear,", "plain")]
    deep = [net for net in summary["nets"] if net not in simple]
    draw_ladder(axes[0], simple)
    if deep:
        draw_ladder(axes[1], deep)
    else:
        axes[1].set_axis_off()
    draw_horizons(axes[2], summary)
    draw_courses(axes[3], summary["curves"])
    titles = ("linear and plain", "residual, transformer", "growth with the horizon", "loss at five step sizes")
    for ax, letter, title in zip(axes, "abcd", titles):
        style.panel_title(ax, letter, title)
    if axes[2].lines:  # a small preset has none of the networks shown there
        axes[2].legend(loc="upper left", handlelength=1.5)
    axes[3].legend(loc="upper right", handlelength=1.5)
    handles = [Line2D([], [], **look, label=label) for label, look in RUNGS.values()]
    figure.legend(handles=handles, loc="outside upper center", ncols=3)
    style.caption(figure, _caption(summary), summary)
    return figure

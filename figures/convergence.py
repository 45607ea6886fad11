"""X8: loss, promised product and frozen-kernel prediction along a run; the kernel's spectrum and its drift."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import style
from figures.slowdown import ARCHITECTURES


def _numbers(values: list[float | None]) -> np.ndarray:
    return np.array(values, float)


def draw_losses(ax: Axes, curves: dict[str, Any]) -> Axes:
    """Measured loss, the kernel's product above it, the frozen kernel's prediction as control."""
    step = _numbers(curves["step"]) + 1
    ax.plot(step, _numbers(curves["loss"]), **{**style.measured(0), "marker": None}, label="measured loss")
    ax.plot(
        step, _numbers(curves["product"]), **style.BOUND, label=r"bound $L_0\prod(1-\eta\lambda_{\min}(K_s)/N)$ (G1)"
    )
    frozen = {**style.control(1), "marker": None}
    ax.plot(step, _numbers(curves["frozen"]), **frozen, label="frozen-kernel prediction (control)")
    style.log_axes(ax)
    return ax


def draw_rates(ax: Axes, curves: dict[str, Any], num_points: int) -> Axes:
    """mu_s above its floor lambda_min(K_s)/N; the kernel's drift beside them."""
    step = _numbers(curves["step"]) + 1
    ax.plot(step, _numbers(curves["rate"]), **{**style.measured(2), "marker": None}, label=r"measured rate $\mu_s$")
    ax.plot(
        step,
        _numbers(curves["smallest"]) / num_points,
        **{**style.measured(3), "marker": None},
        label=r"$\lambda_{\min}(K_s)/N$, where resolved",
    )
    ax.plot(
        step[1:], _numbers(curves["drift"])[1:], color="0.35", linestyle="-.", label=r"kernel drift $|K_s-K_0|/|K_0|$"
    )
    style.log_axes(ax)
    ax.set_xlabel("gradient descent step + 1")
    return ax


def _caption(summary: dict[str, Any]) -> str:
    wide = [run for run in summary["runs"] if run["parameters"] >= summary["num_points"]]
    resolved = sum(run["resolved_share"] == 1 for run in wide)
    return (
        f"Label gap {summary['gap']:g} on the closest pair, h = {summary['h']:g}, N = {summary['num_points']}, first "
        f"seed. Over all seeds and labels: the smallest eigenvalue is resolved above 0 at every step in {resolved} of "
        f"{len(wide)} runs with P >= N; median kernel drift {np.median([run['drift_end'] for run in wide]):.2g}. The "
        f"product of the kernel's rates is true of any labels, hence loose for these."
    )


def draw(summary: dict[str, Any]) -> Figure:
    """A column a network (label gap, first seed), the control P < N last."""
    shown = [run for run in summary["runs"] if run["curves"] and run["labelling"] == "gap"]
    figure, axes = style.new_figure(2, len(shown), width=7.2, height=4.8, sharex="col")
    for column, run in enumerate(shown):
        draw_losses(axes[0, column], run["curves"])
        draw_rates(axes[1, column], run["curves"], summary["num_points"])
        narrow = run["parameters"] < summary["num_points"]
        title = (
            f"control, P = {run['parameters']}"
            if narrow
            else ARCHITECTURES[run["architecture"]].replace("pre-norm ", "")
        )
        style.panel_title(axes[0, column], "abcdefgh"[column], title)
    axes[0, 0].set_ylabel("loss (squared label units)")
    axes[1, 0].set_ylabel("rate per unit step size; drift")
    handles = [handle for row in axes for handle in row[0].get_legend_handles_labels()[0]]
    figure.legend(handles=handles, loc="outside upper center", ncols=3)
    style.caption(figure, _caption(summary), summary)
    return figure

"""X8: loss, promised product and frozen-kernel prediction along a run; the kernel's spectrum and its drift."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import style
from figures.slowdown import ARCHITECTURES


def _numbers(values: list[float | None]) -> np.ndarray:
    return np.array(values, float)


def _sparse(look: dict[str, Any]) -> dict[str, Any]:
    """Few markers on a dense curve, enough to tell it in grey."""
    return {**look, "markevery": 8, "markersize": 3.5}


def draw_losses(ax: Axes, curves: dict[str, Any]) -> Axes:
    """Measured loss, the kernel's product above it, the frozen kernel's prediction as control."""
    step = _numbers(curves["step"]) + 1
    ax.plot(step, _numbers(curves["loss"]), **_sparse(style.measured(0)), label="measured loss")
    ax.plot(
        step, _numbers(curves["product"]), **style.BOUND, label=r"bound $L_0\prod(1-\eta\lambda_{\min}(K_s)/N)$ (G1)"
    )
    frozen = _sparse(style.control(1))
    ax.plot(step, _numbers(curves["frozen"]), **frozen, label="frozen-kernel prediction (control)")
    return ax


def draw_rates(ax: Axes, curves: dict[str, Any], num_points: int) -> Axes:
    """mu_s above its floor lambda_min(K_s)/N; the kernel's drift beside them."""
    step = _numbers(curves["step"]) + 1
    ax.plot(step, _numbers(curves["rate"]), **_sparse(style.measured(2)), label=r"measured rate $\mu_s$")
    ax.plot(
        step,
        _numbers(curves["smallest"]) / num_points,
        **_sparse(style.measured(3)),
        label=r"$\lambda_{\min}(K_s)/N$, where resolved",
    )
    ax.plot(
        step[1:], _numbers(curves["drift"])[1:], color="0.35", linestyle="-.", label=r"kernel drift $|K_s-K_0|/|K_0|$"
    )
    ax.plot(step, _numbers(curves["norm"]), **_sparse(style.measured(4)), label=r"$|\theta_s|/|\theta_0|$")
    return ax


def _caption(summary: dict[str, Any]) -> str:
    wide = [run for run in summary["runs"] if run["parameters"] >= summary["num_points"]]
    resolved = sum(run["resolved_share"] == 1 for run in wide)
    estimates = {estimate["label"]: estimate for estimate in summary["estimates"]}

    def told(quantity: str) -> str:
        parts = []
        for group in ("P >= N", "P < N (control)"):
            if found := estimates.get(f"{quantity}, {group}"):
                parts.append(f"{group} {style.quoted(found, '.2f')}")
        return ", ".join(parts) or "too few seeds"

    return (
        f"Label gap {summary['gap']:g} on the closest pair, h = {summary['h']:g}, N = {summary['num_points']}, first "
        f"seed. Over all seeds and labels: the smallest eigenvalue is resolved above 0 at every step in {resolved} of "
        f"{len(wide)} runs with P >= N. Medians with 95% bootstrap intervals: kernel drift at the end "
        f"{told('kernel drift at the end')}; factor by which the frozen kernel misses the loss "
        f"{told('factor by which the frozen kernel misses the loss')}; norm of the parameters at the end over the "
        f"start {told('|theta_T| / |theta_0|')}. The product of the kernel's rates is true of any labels, hence loose "
        f"for these."
    )


def draw(summary: dict[str, Any]) -> Figure:
    """A column a network (label gap, first seed), the control P < N last; above the losses, below rates and drift."""
    shown = [run for run in summary["runs"] if run["curves"] and run["labelling"] == "gap"]
    figure, axes = style.panels(2 * len(shown), height=1.8, columns=len(shown), wide=True, sharex="col", sharey="row")
    for ax, below, run, letter in zip(axes, axes[len(shown) :], shown, "abcd"):
        draw_losses(ax, run["curves"])
        draw_rates(below, run["curves"], summary["num_points"])
        narrow = run["parameters"] < summary["num_points"]
        name = ARCHITECTURES[run["architecture"]].replace("pre-norm ", "")
        style.panel_title(ax, letter, f"control, P = {run['parameters']}" if narrow else name)
    for ax in axes:
        style.log_axes(ax)  # once all is drawn: the rows share their axes
    steps = summary["steps"]
    for ax in axes[len(shown) :]:
        ax.set_xticks([10.0**power for power in range(0, int(np.log10(steps)) + 1, 1 if steps < 1000 else 2)])
        ax.set_xlabel("step + 1")
    axes[0].set_ylabel("loss (squared label units)")
    axes[len(shown)].set_ylabel("rate per unit step size;\ndrift, norm (no unit)")
    handles = [handle for ax in (axes[0], axes[len(shown)]) for handle in ax.get_legend_handles_labels()[0]]
    figure.legend(handles=handles, loc="outside upper center", ncols=2)
    style.caption(figure, _caption(summary), summary)
    return figure

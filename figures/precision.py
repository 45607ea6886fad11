"""What float32 loses: of every measured quantity, of the kernel as points close up, of the exponents."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import style

LOOKS = {"resolved": 2, "degraded": 5, "unresolved": 1}  # resolution -> series
SWEPT = {"smallest": r"$\lambda_{\min}$", "gradient_gap": "gradient gap", "largest": r"$\lambda_{\max}$"}
FLOOR, CEILING = 1e-9, 1e1
"""Ends of the axis of deviations: what is equal stands at the left, what is not finite in float32 at the right."""


def _shown(deviations: list[float | None]) -> np.ndarray:
    """Null (not finite) at the right end, 0 at the left."""
    return np.clip([CEILING if value is None else value for value in deviations], FLOOR, CEILING)


def draw_quantities(ax: Axes, summary: dict[str, Any]) -> Axes:
    """One row a study, one marker a quantity: the deviation that 95% of its entries stay below."""
    for row, study in enumerate(summary["studies"]):
        for resolution, index in LOOKS.items():
            high = _shown([each["high"] for each in study["quantities"] if each["resolution"] == resolution])
            ax.plot(high, np.full(len(high), row), **{**style.measured(index), "linestyle": "none"}, alpha=0.75)
    for limit in (summary["resolved_below"], summary["lost_above"]):
        ax.axvline(limit, **style.GUIDE)
    ax.set_xscale("log")
    ax.set_xlim(FLOOR / 2, CEILING * 2)
    ax.set_xticks([1e-9, 1e-6, 1e-3, 1e0], ["equal", "$10^{-6}$", "$10^{-3}$", "1"])
    ax.set_xticks([], minor=True)
    ax.set_yticks(range(len(summary["studies"])), [study["code"] for study in summary["studies"]])
    ax.set_ylim(len(summary["studies"]) - 0.5, -0.5)
    ax.set_xlabel("deviation, 95% quantile")
    ax.set_ylabel("study")
    for resolution, index in LOOKS.items():
        ax.plot([], [], **{**style.measured(index), "linestyle": "none"}, label=resolution)
    return ax


def draw_sweep(ax: Axes, summary: dict[str, Any], study: str = "kernel_spectrum") -> Axes:
    """Median deviation of a kernel's ends and of the gradient gap against the separation, for pairs."""
    sweeps = [
        sweep
        for part in summary["studies"]
        for sweep in part["by_separation"]
        if sweep["study"] == study and sweep["cluster_size"] == 2
    ]
    ax.set_ylim(FLOOR, CEILING)
    for index, (quantity, name) in enumerate(SWEPT.items()):
        for sweep in sweeps:
            if sweep["quantity"] == quantity:
                ax.plot(sweep["separation"], _shown(sweep["deviation"]), **style.measured(index), label=name)
    swept = [h for sweep in sweeps for h in sweep["separation"]]
    style.log_axes(ax, x_ticks=[min(swept), max(swept)] if swept else None)
    ax.set_xlabel("separation h of the closest pair")
    ax.set_ylabel("deviation, median")
    return ax


def draw_slopes(ax: Axes, summary: dict[str, Any]) -> Axes:
    """Exponents in float32 against the same in float64; those that float32 cannot fit as crosses at the bottom."""
    slopes = [slope for study in summary["studies"] for slope in study["slopes"] if slope["double"] is not None]
    ends = [slope["double"] for slope in slopes]
    low, high = min(ends, default=0.0) - 0.5, max(ends, default=1.0) + 0.5
    ax.plot([low, high], [low, high], **style.GUIDE)
    for apart, look in ((False, style.measured(0)), (True, style.control(1))):
        chosen = [slope for slope in slopes if slope["single"] is not None and slope["apart"] == apart]
        points = [slope["double"] for slope in chosen], [slope["single"] for slope in chosen]
        ax.plot(*points, **{**look, "linestyle": "none"}, label="intervals apart" if apart else "intervals meet")
    lost = [slope["double"] for slope in slopes if slope["single"] is None]
    ax.plot(lost, np.full(len(lost), low), **style.VIOLATED, label="no fit in float32", clip_on=False)
    ax.set_xlim(low, high)
    ax.set_ylim(low, high)
    ax.set_xlabel("exponent in float64")
    ax.set_ylabel("exponent in float32")
    return ax


def _caption(summary: dict[str, Any]) -> str:
    counts = summary["counts"]
    failed = [f"{study['code']} ({study['failure']})" for study in summary["studies"] if study["failure"]]
    text = (
        "Every run measured in float32 and in float64; deviation |s - t| / max(|s|, |t|) of the two. (a) One marker a "
        f"quantity: resolved where 95% of its entries deviate by less than {summary['resolved_below']:g}, unresolved "
        f"where by more than {summary['lost_above']:g} (grey lines): {counts['resolved']} resolved, "
        f"{counts['degraded']} degraded, {counts['unresolved']} unresolved. (b) The ends of the kernel's spectrum and "
        f"the gradient gap of the closest pair, X3. (c) Of {summary['slopes']} exponents "
        f"{summary['slopes_apart'] - summary['slopes_lost']} have intervals that do not meet and "
        f"{summary['slopes_lost']} have no fit. No inequality is judged in float32."
    )
    return text + (f" Not measured to the end: {'; '.join(failed)}." if failed else "")


def draw(summary: dict[str, Any]) -> Figure:
    """The figure of `uniformity reproduce --dtype float32`."""
    figure, axes = style.panels(3, height=2.9)
    style.panel_title(draw_quantities(axes[0], summary), "a", "quantities")
    style.panel_title(draw_sweep(axes[1], summary), "b", "kernel against h")
    style.panel_title(draw_slopes(axes[2], summary), "c", "exponents")
    for ax in axes:
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.24), handletextpad=0.3)
    style.caption(figure, _caption(summary), summary)
    return figure

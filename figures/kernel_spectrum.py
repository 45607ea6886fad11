"""X3: the kernel's smallest eigenvalue against h for three activations and architectures, and for clusters."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import style
from figures.slowdown import ARCHITECTURES

ACTIVATIONS = ("tanh", "gelu", "relu")


def _draw_series(ax: Axes, series: dict[str, Any], index: int, label: str, *, ceiling: bool) -> None:
    """Geometric mean over seeds, at the h that every seed resolves; the pair's ceiling dashed in the same colour."""
    h = np.array(series["separation"])
    resolved = np.array(series["resolved"])
    smallest = np.array(series["smallest"], float)
    centre = np.exp(np.log(np.where(resolved, smallest, 1.0)).mean(axis=0))
    ax.plot(h[resolved], centre[resolved], **style.measured(index), label=label)
    if ceiling:
        ax.plot(h, series["pair_ceiling"], **{**style.BOUND, "color": style.COLOURS[index], "linewidth": 0.9})


def _few(separations: list[float]) -> list[float]:
    """The ends and the middle: more labels than that overlap in a narrow panel."""
    return [separations[0], separations[len(separations) // 2], separations[-1]]


def _caption(summary: dict[str, Any]) -> str:
    near = [slope for slope in summary["slopes"] if slope["label"].endswith("two smallest h")] or summary["slopes"]
    told = "; ".join(
        f"{slope['label'].rsplit(', ', 1)[0]} {style.quoted(slope)} ({slope['expected']:g})" for slope in near
    )
    return (
        f"Smallest eigenvalue of the empirical kernel at initialisation, N = {summary['num_points']}, geometric mean "
        f"over seeds, against the ceiling half the squared gradient gap. Exponents between the two smallest h, "
        f"measured (expected): {told}. Clusters are collinear and equally spaced."
    )


def draw(summary: dict[str, Any]) -> Figure:
    """(a)-(c) pair collapse, one panel an architecture; (d) clusters of m points."""
    figure, axes = style.new_figure(1, 4, width=7.2, height=3.3)
    pairs = [series for series in summary["series"] if not series["cluster_size"]]
    clusters = [series for series in summary["series"] if series["cluster_size"]]
    for column, (name, title) in enumerate(ARCHITECTURES.items()):
        ax = axes[0, column]
        shown = [series for series in pairs if series["architecture"] == name]
        for series in shown:
            index = ACTIVATIONS.index(series["activation"])
            _draw_series(ax, series, index, series["activation"], ceiling=True)
        style.panel_title(ax, "abc"[column], title.replace("pre-norm ", ""))
        if shown:
            style.log_axes(ax, x_ticks=_few(shown[0]["separation"]))
    for index, series in enumerate(clusters):
        _draw_series(axes[0, 3], series, 3 + index, f"cluster of {series['cluster_size']}", ceiling=False)
    style.panel_title(axes[0, 3], "d", "clusters, plain MLP")
    style.log_axes(axes[0, 3], x_ticks=_few(clusters[0]["separation"]))
    for ax in axes[0]:
        ax.set_xlabel("separation h")
    axes[0, 0].set_ylabel(r"$\lambda_{\min}(K)$ (squared label / parameter units)")
    handles = {}
    for ax in axes[0]:
        for handle, label in zip(*ax.get_legend_handles_labels()):
            handles.setdefault(label, handle)
    handles["ceiling $G^2/2$ (R1), same colour"] = axes[0, 0].plot([], [], **style.BOUND)[0]
    figure.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=4)
    style.caption(figure, _caption(summary), summary)
    return figure

"""X3: the kernel's smallest eigenvalue against h for three activations and architectures, and for clusters."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import style
from figures.slowdown import ARCHITECTURES

ACTIVATIONS = ("tanh", "gelu", "relu")


def _draw_series(ax: Axes, series: dict[str, Any], index: int, label: str, *, ceiling: bool) -> None:
    """Geometric mean and range over seeds, at the h that every seed resolves; the pair's ceiling with its marker."""
    h = np.array(series["separation"])
    resolved = np.array(series["resolved"])
    smallest = np.array(series["smallest"], float)
    centre = np.exp(np.log(np.where(resolved, smallest, 1.0)).mean(axis=0))
    look = style.measured(index)
    ax.plot(h[resolved], centre[resolved], **look, label=label)
    shown = smallest[:, resolved]
    ax.fill_between(h[resolved], shown.min(axis=0), shown.max(axis=0), color=look["color"], alpha=0.15, linewidth=0)
    if ceiling:
        marked = {"marker": look["marker"], "markersize": 2.5, "markerfacecolor": look["color"]}
        ax.plot(h, series["pair_ceiling"], **{**style.BOUND, "linewidth": 0.8, **marked, "markeredgewidth": 0})
    else:
        law = 2 * (series["cluster_size"] - 1)
        least = h[resolved].argmin()
        ax.plot(h, centre[resolved][least] * (h / h[resolved][least]) ** law, **style.GUIDE)


def _few(separations: list[float]) -> list[float]:
    """The ends and the middle: more labels than that overlap in a narrow panel."""
    return [separations[0], separations[len(separations) // 2], separations[-1]]


def _caption(summary: dict[str, Any]) -> str:
    near = [slope for slope in summary["slopes"] if slope["label"].endswith("two smallest h")] or summary["slopes"]

    def told(found: list[dict[str, Any]]) -> str:
        return ", ".join(f"{slope['label'].split(' ')[0]} {style.quoted(slope)}" for slope in found)

    pairs = [
        f"{activation} ({found[0]['expected']:g}): {told(found)}"
        for activation in ACTIVATIONS
        if (found := [slope for slope in near if f" {activation}, " in slope["label"]])
    ]
    clusters = [
        f"{size} points ({slope['expected']:g}): {style.quoted(slope)}"
        for slope in near
        if "cluster" in slope["label"] and (size := slope["label"].split("cluster of ")[1].split(",")[0])
    ]
    return (
        f"Smallest eigenvalue of the empirical kernel at initialisation, N = {summary['num_points']}; geometric mean "
        f"over seeds, bands their range. Exponents between the two smallest h (in brackets what is expected of h -> 0) "
        f"with 95% bootstrap intervals. {'; '.join(pairs)}. Clusters, collinear and equally spaced: "
        f"{', '.join(clusters)}."
    )


def draw(summary: dict[str, Any]) -> Figure:
    """(a)-(c) pair collapse, one panel an architecture; (d) clusters of m points."""
    figure, axes = style.panels(4, height=2.2)
    pairs = [series for series in summary["series"] if not series["cluster_size"]]
    clusters = [series for series in summary["series"] if series["cluster_size"]]
    for ax, letter, (name, title) in zip(axes, "abc", ARCHITECTURES.items()):
        shown = [series for series in pairs if series["architecture"] == name]
        for series in shown:
            index = ACTIVATIONS.index(series["activation"])
            _draw_series(ax, series, index, series["activation"], ceiling=True)
        style.panel_title(ax, letter, title)
        if shown:
            style.log_axes(ax, x_ticks=_few(shown[0]["separation"]))
    for index, series in enumerate(clusters):
        _draw_series(axes[3], series, 3 + index, f"cluster of {series['cluster_size']}", ceiling=False)
    style.panel_title(axes[3], "d", "clusters, plain MLP")
    style.log_axes(axes[3], x_ticks=_few(clusters[0]["separation"]))
    for ax in axes:
        ax.set_xlabel("separation h (input units)")
        ax.set_ylabel(r"$\lambda_{\min}(K)$  (labels / parameters)$^2$")
    handles = {}
    for ax in axes:
        for handle, label in zip(*ax.get_legend_handles_labels()):
            handles.setdefault(label, handle)
    handles["ceiling $G^2/2$ (R1), marked alike"] = axes[0].plot([], [], **style.BOUND)[0]
    handles["expected law $h^{2(m-1)}$"] = axes[3].plot([], [], **style.GUIDE)[0]
    figure.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=3)
    style.caption(figure, _caption(summary), summary)
    return figure

"""X2: h_min against N by design, the slopes, the distance from the packing ceiling, and the pool that greedy needs."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import style

# design -> (name on the axis, style); controls open and dotted, greedy and the other chosen designs filled.
SOBOL = "Sobol'"
LOOKS: dict[str, tuple[str, dict[str, Any]]] = {
    "independent": ("independent*", style.control(0)),
    SOBOL: ("Sobol'*", style.control(1)),
    "one random point a cell": ("random in its cell*", style.control(2)),
    "greedy, M = N + 8": ("greedy, M = N + 8", style.measured(3)),
    "greedy, M = 1.1 N": ("greedy, M = 1.1 N", style.measured(4)),
    "greedy, M = 2 N": ("greedy, M = 2 N", style.measured(5)),
    "greedy, M = 4 N": ("greedy, M = 4 N", style.measured(6)),
    "greedy, M = 16 N": ("greedy, M = 16 N", style.measured(7)),
    "greedy, M = 32,768": ("greedy, dense pool", style.measured(0)),
    "Poisson disc": ("Poisson disc", style.measured(1)),
    "grid jittered by a quarter cell": ("grid, jitter 1/4", style.measured(2)),
}


def _entries(summary: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [entry for entry in summary["designs"] if entry["name"] == name]


def draw_fall(ax: Axes, summary: dict[str, Any], dim: int) -> Axes:
    """h_min against N in one dimension, geometric mean over seeds; packing ceiling dashed, the two laws as guides."""
    for name, (_, look) in LOOKS.items():
        for entry in _entries(summary, name):
            if entry["dim"] == dim:
                ax.plot(entry["sizes"], entry["separation"], **{**look, "linewidth": 0.9, "markersize": 3.5})
                sizes, ceiling = np.array(entry["sizes"], float), entry["ceiling"]
    ax.plot(sizes, ceiling, **style.BOUND, label="packing ceiling S4")
    for entry in _entries(summary, "independent"):
        if entry["dim"] == dim:
            law = entry["separation"][0] * (sizes / sizes[0]) ** (-2 / dim)
            ax.plot(sizes, law, **style.GUIDE, label="slope -2/d")
    style.log_axes(ax, x_ticks=[float(size) for size in sizes])
    ax.set_xlabel("number of points N")
    ax.set_ylabel("h_min (period of the torus = 1)")
    ax.legend(loc="lower left")
    return ax


def draw_pools(ax: Axes, summary: dict[str, Any]) -> Axes:
    """h_min over the ceiling at the largest N against M/N, a line a dimension; what the count of pairs gives dotted."""
    for index, dim in enumerate(summary["dims"]):
        greedy = [entry for entry in summary["designs"] if entry["dim"] == dim and entry["pool_size"]]
        greedy.sort(key=lambda entry: entry["pool_size"][-1])
        ratio = np.array([entry["pool_size"][-1] / entry["sizes"][-1] for entry in greedy])
        share = np.array([entry["share"]["value"] for entry in greedy])
        counted = np.array([entry["counted"][-1] / entry["ceiling"][-1] for entry in greedy])
        look = style.measured(index)
        ax.plot(ratio - 1, share, **look, label=f"d = {dim}")
        ax.plot(ratio - 1, counted, **{**style.GUIDE, "color": look["color"]})
    ax.plot([], [], **style.GUIDE, label="count of close pairs")
    style.log_axes(ax)
    ax.set_ylim(top=1.5)
    ax.axhline(1.0, **style.BOUND)
    ax.set_xlabel("spare candidates a point, M/N - 1")
    ax.set_ylabel("h_min / packing ceiling")
    ax.legend(loc="lower right")
    return ax


def _rows(ax: Axes, summary: dict[str, Any], *, named: bool) -> Axes:
    shown = [name for name in LOOKS if _entries(summary, name)]
    names = [LOOKS[name][0] if named else "" for name in shown]
    ax.set_yticks(range(len(shown)), names)
    ax.set_ylim(len(shown) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    for row in range(1, len(shown)):
        ax.axhline(row - 0.5, color="0.9", linewidth=0.6, zorder=0)
    return ax


def _places(summary: dict[str, Any]) -> list[tuple[float, dict[str, Any], dict[str, Any]]]:
    """(height, entry, style) of every design and dimension; d = 1, 2, 3 from top to bottom within a row."""
    found = []
    shown = [name for name in LOOKS if _entries(summary, name)]
    for row, name in enumerate(shown):
        entries = _entries(summary, name)
        for place, entry in enumerate(entries):
            look = {**LOOKS[name][1], "linestyle": "none", "markersize": 3.5}
            found.append((row + 0.26 * (place - (len(entries) - 1) / 2), entry, look))
    return found


def draw_slopes(ax: Axes, summary: dict[str, Any]) -> Axes:
    """d times the slope of h_min in N with its 95% interval, a row a design; guides at -2 and -1."""
    for height, entry, look in _places(summary):
        middle, low, high = entry["slope"]
        ax.plot([low, high], [height, height], color=look["color"], linewidth=1.0)
        ax.plot([middle], [height], **look)
    for law in (-2, -1):
        ax.axvline(law, **style.GUIDE, zorder=0)
    ax.set_xticks([-2, -1.5, -1])
    ax.set_xlabel("d x slope of h_min in N")
    return _rows(ax, summary, named=True)


def draw_shares(ax: Axes, summary: dict[str, Any]) -> Axes:
    """h_min over the packing ceiling at the largest N, a row a design; the ceiling itself at 1."""
    for height, entry, look in _places(summary):
        ax.plot([entry["share"]["ci_low"], entry["share"]["ci_high"]], [height] * 2, color=look["color"], linewidth=1.0)
        ax.plot([entry["share"]["value"]], [height], **look)
    ax.set_xscale("log")
    ax.axvline(1.0, **style.BOUND)
    ax.set_xlabel("h_min / packing ceiling")
    return _rows(ax, summary, named=False)


def _caption(summary: dict[str, Any], dim: int) -> str:
    def slopes(name: str) -> str:
        return ", ".join(
            f"{entry['slope'][0]:+.2f} [{entry['slope'][1]:+.2f}, {entry['slope'][2]:+.2f}]"
            for entry in _entries(summary, name)
        )

    dims = ", ".join(str(each) for each in summary["dims"])
    known = [share for _, share in summary["best_known"]]
    return (
        f"h_min on the flat torus. (a) d = {dim}, geometric means over seeds; symbols as in (c), * and open: "
        f"controls. (b) Greedy from M "
        f"random candidates, N = the largest; dotted: (2(M-N+1)/(V_d M^2))^(1/d), where the pool has as many pairs as "
        f"greedy needs. (c) d times the slope, d = {dims} from top to bottom in each row, 95% bootstrap intervals: "
        f"independent {slopes('independent')}; greedy, M = N + 8 {slopes('greedy, M = N + 8')}; greedy, M = 2 N "
        f"{slopes('greedy, M = 2 N')}; Sobol' {slopes(SOBOL)}. (d) Largest N, medians over seeds. For scale: "
        f"the proved best sets of up to 36 points in the square reach {min(known):.2f} to {max(known):.2f} of its "
        f"ceiling."
    )


def draw(summary: dict[str, Any]) -> Figure:
    """(a) the fall in one dimension, (b) the pool, (c) slopes, (d) distance from the ceiling."""
    dim = 2 if 2 in summary["dims"] else summary["dims"][0]
    figure, axes = style.panels(4, height=2.5)
    style.panel_title(draw_fall(axes[0], summary, dim), "a", f"d = {dim}")
    style.panel_title(draw_pools(axes[1], summary), "b", "greedy and its pool")
    style.panel_title(draw_slopes(axes[2], summary), "c", "the two laws")
    style.panel_title(draw_shares(axes[3], summary), "d", "how far from the best")
    style.caption(figure, _caption(summary, dim), summary)
    return figure

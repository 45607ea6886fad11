"""X11b: what the halves of a pool of texts look like, and what other choices, vectors and pools do to the result."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import style
from figures.selection_language import METHODS, look

CHOICES = {
    "uniformity": "uniform",
    "lengths": "its lengths",
    "half nearest": "half nearest",
    "all nearest": "nearest",
}
"""Parts that compare a choice of half the pool with a random half."""
POOLS = {
    "": "as found",
    "duplicates": "duplicates",
    "noise": "noise",
    "outliers": "outliers",
    "news": "news",
    "hidden": "hidden states",
}
"""What sets a situation of the small model and Adam apart."""


def draw_projection(ax: Axes, projection: dict[str, Any], method: str) -> Axes:
    """The pool on its two principal components, what a method chose filled."""
    points, chosen = np.array(projection["points"]), np.array(projection["chosen"][method], bool)
    ax.plot(*points[~chosen].T, linestyle="none", marker=".", markersize=2, color="0.75")
    ax.plot(*points[chosen].T, linestyle="none", marker=".", markersize=2.5, color=look(method)["color"])
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_xlabel("component 1")
    ax.set_ylabel("component 2")
    return ax


def draw_lengths(ax: Axes, methods: dict[str, Any], bins: list[int]) -> Axes:
    """Shares of a subset's pairs by their tokens; all that are longer in the last bin."""
    middles = [edge + (bins[1] - bins[0]) / 2 for edge in bins]
    for method, label in {"uniform": "uniform", "random": "random", "min-dist": "nearest", "full": "pool"}.items():
        if method in methods:
            ax.plot(middles, methods[method]["lengths"], **look(method), markevery=2, label=label)
    ax.legend(loc="upper right", handlelength=1.2, borderaxespad=0.1)
    ax.set_xlabel("tokens of a pair")
    ax.set_ylabel("share")
    ax.set_ylim(bottom=0.0)
    return ax


def draw_differences(ax: Axes, rows: list[tuple[str, dict[str, Any]]]) -> Axes:
    """Held-out loss at the end less a random half's, with its interval; below 0 is better."""
    for place, (_, row) in enumerate(rows):
        line = {**style.measured(0), "linestyle": "none"}
        error = [[row["value"] - row["ci_low"]], [row["ci_high"] - row["value"]]]
        ax.errorbar(row["value"], place, xerr=error, **line, elinewidth=1.0)
    ax.axvline(0.0, **style.GUIDE)
    ax.set_yticks(range(len(rows)), [name for name, _ in rows])
    ax.set_ylim(max(len(rows), 1) - 0.5, -0.5)
    ax.set_xlabel("difference (nats)")
    ax.locator_params(axis="x", nbins=4)
    return ax


def draw_spoilt(ax: Axes, shares: dict[str, dict[str, float]]) -> Axes:
    """Shares of spoilt pairs in the halves of each spoilt pool."""
    for method in ("uniform", "random"):
        values = [share[method] for share in shares.values()]
        ax.plot(values, range(len(values)), **{**look(method), "linestyle": "none"})
    ax.set_yticks(range(len(shares)), list(shares))
    ax.set_ylim(max(len(shares), 1) - 0.5, -0.5)
    ax.set_xlim(left=0.0)
    ax.set_xlabel("share of the half")
    return ax


def draw(summary: dict[str, Any]) -> Figure:
    """(a), (b) pool and chosen points; (c) lengths; (d) other choices; (e) other vectors and pools; (f) spoilt rows."""
    figure, axes = style.panels(6, height=1.75)
    subsets = {each["situation"]: each["methods"] for each in summary["subsets"]}
    first = next(iter(subsets))
    chosen = [method for method in ("uniform", "min-dist", "random") if method in summary["projection"]["chosen"]]
    for ax, letter, method in zip(axes[:2], "ab", chosen):
        draw_projection(ax, summary["projection"], method)
        style.panel_title(ax, letter, METHODS[method])
    draw_lengths(axes[2], subsets[first], summary["length_bins"])
    draw_differences(axes[3], _differences(summary, first))
    draw_differences(axes[4], _pools(summary, first))
    draw_spoilt(axes[5], _spoilt(subsets, first))
    for ax, letter, title in zip(axes[2:], "cdef", ("lengths", "other choices", "uniform elsewhere", "spoilt pairs")):
        style.panel_title(ax, letter, title)
    style.caption(figure, _caption(summary, first), summary)
    return figure


def _differences(summary: dict[str, Any], first: str) -> list[tuple[str, dict[str, Any]]]:
    found = {row["part"]: row for row in summary["parts"] if row["situation"] == first}
    return [(name, found[part]) for part, name in CHOICES.items() if part in found]


def _apart(situation: str, first: str) -> str | None:
    """What sets a situation apart from the first, None where it is another model or optimiser."""
    return situation.removeprefix(first).split()[0] if situation.startswith(f"{first} ") else None


def _pools(summary: dict[str, Any], first: str) -> list[tuple[str, dict[str, Any]]]:
    found = {
        "" if row["situation"] == first else _apart(row["situation"], first): row
        for row in summary["parts"]
        if row["part"] == "uniformity"
    }
    return [(name, found[key]) for key, name in POOLS.items() if key in found]


def _spoilt(subsets: dict[str, Any], first: str) -> dict[str, dict[str, float]]:
    return {
        str(_apart(situation, first)): {name: methods[name]["spoilt_share"] for name in ("uniform", "random")}
        for situation, methods in subsets.items()
        if {"uniform", "random"} <= set(methods) and methods["random"]["spoilt_share"] > 0
    }


def _caption(summary: dict[str, Any], first: str) -> str:
    methods = next(each["methods"] for each in summary["subsets"] if each["situation"] == first)
    told = "; ".join(
        f"{METHODS[name]} {round(methods[name]['separation'], 6):.3g} and {methods[name]['mean_nearest']:.3g}"
        for name in METHODS
        if name in methods
    )
    return (
        f"Halves of a pool of {methods['full']['pool_size']:.0f} pairs (TF-IDF vectors, cosine distance) on the pool's "
        "two principal components (coloured: chosen); tokens of the pairs before they are cut; held-out loss at the "
        f"end ({first}) less that of the same seed's random half, with 95% bootstrap intervals (of three seeds, their "
        "range); spoilt pairs in the uniform (filled) and the random half. Least and mean nearest distance within the "
        f"halves: {told}."
    )

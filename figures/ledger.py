"""The ledger at a glance: a row a claim, what is known of it, how tight its bound was, and how its checks came out."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from figures import style
from figures.claims_graph import STANDING_COLOURS
from theory.claims import CLAIMS

BADGES = {
    "proved and tight": "tight",
    "proved but loose": "loose",
    "conditional": "conditional",
    "false as stated": "false",
    "measured only": "measured",
}
VERDICTS: dict[str, dict[str, Any]] = {
    "holds": {"facecolor": style.COLOURS[0]},
    "violated": {"facecolor": "#CC0000", "hatch": "xxxxx", "edgecolor": "white"},
    "vacuous": {"facecolor": "0.85", "hatch": "/////", "edgecolor": "0.6"},
    "not_applicable": {"facecolor": "white", "edgecolor": "0.5"},
}
LARGEST = 8.0
"""log10 of the largest factor drawn in its place; what is looser stands at the right edge."""

SLACK: dict[str, Any] = {
    "color": style.COLOURS[0],
    "marker": "o",
    "linestyle": "none",
    "markersize": 2.0,
    "markeredgewidth": 0,
}
MEDIAN: dict[str, Any] = {"color": "black", "marker": "|", "linestyle": "none", "markersize": 8, "markeredgewidth": 1.4}
HUNTED: dict[str, Any] = {
    "color": style.COLOURS[1],
    "marker": "^",
    "linestyle": "none",
    "markersize": 4.5,
    "markerfacecolor": "white",
    "markeredgewidth": 0.9,
}


def draw_names(ax: Axes, entries: list[dict[str, Any]]) -> Axes:
    """Each claim's id and title, and its standing on a badge."""
    for row, entry in enumerate(entries):
        standing = CLAIMS[entry["id"]].standing
        ax.text(0.0, row, entry["id"], va="center", fontsize=6, fontweight="bold")
        ax.text(0.1, row, entry["title"], va="center", fontsize=6)
        badge = {"boxstyle": "round,pad=0.25", "facecolor": STANDING_COLOURS[standing], "edgecolor": "none"}
        ax.text(0.985, row, BADGES[standing], va="center", ha="right", fontsize=5.5, bbox=badge)
    ax.set_xlim(0, 1)
    ax.set_axis_off()
    return ax


def draw_slacks(ax: Axes, entries: list[dict[str, Any]], hunts: Mapping[str, dict[str, Any]]) -> Axes:
    """log10 of the factor between measurement and bound: every check's (thinned), their median, the hunt's nearest."""
    for row, entry in enumerate(entries):
        slacks = np.minimum(entry["slacks"], LARGEST)
        # A golden-ratio spread, so that equal slacks do not hide each other.
        heights = row + 0.5 * (np.arange(len(slacks)) * 0.618034 % 1 - 0.5)
        held = slacks >= 0
        ax.plot(slacks[held], heights[held], **SLACK)
        if entry["slack_log10"]:
            ax.plot([min(entry["slack_log10"]["median"], LARGEST)], [row], **MEDIAN)
        hunt = hunts.get(entry["id"])
        if hunt and hunt["tightest"]:
            nearest = min(found["slack_log10"] for found in hunt["tightest"])
            ax.plot([min(nearest, LARGEST)], [row], **HUNTED)
        if entry["violated"]:
            # A violation without a ratio, such as a bound of 0, still has its cross.
            broken = slacks[~held] if np.any(~held) else np.zeros(1)
            ax.plot(broken, np.full(len(broken), row), **style.VIOLATED)
        if not entry["checks"]:
            ax.text(LARGEST, row, "no study checks it", va="center", ha="right", fontsize=5.5, color="0.35")
    ax.axvline(0, **{**style.BOUND, "linewidth": 0.8})
    lowest = min([0.0, *(min(entry["slacks"], default=0.0) for entry in entries)])
    ax.set_xlim(min(-0.4, 1.1 * lowest), LARGEST + 0.3)
    ticks = range(0, int(LARGEST) + 1, 2)
    ax.set_xticks(ticks, ["1", *(f"$10^{tick}$" for tick in ticks[1:-1]), rf"$\geq 10^{int(LARGEST)}$"])
    ax.set_xlabel("factor between measurement and bound", fontsize=6.5)
    ax.spines["left"].set_visible(False)
    return ax


def draw_verdicts(ax: Axes, entries: list[dict[str, Any]], hunts: Mapping[str, dict[str, Any]]) -> Axes:
    """The share of each verdict and the number of checks; what the hunt says where no study checked."""
    for row, entry in enumerate(entries):
        if not entry["checks"]:
            hunt = hunts.get(entry["id"])
            text = f"hunt: {hunt['applicable']:,} of {hunt['tried']:,} apply" if hunt else "nor hunted"
            ax.text(0, row, text, va="center", fontsize=5.5, color="0.35")
            if hunt and hunt["violation"]:
                ax.plot([1.1], [row], **style.VIOLATED)
            continue
        start = 0.0
        for name, look in VERDICTS.items():
            share = entry[name] / entry["checks"]
            if share:
                ax.barh(row, share, left=start, height=0.55, linewidth=0.4, **look)
            start += share
        count = f"{entry['checks']:,}" + (f", {entry['violated']:,} violated" if entry["violated"] else "")
        broken: dict[str, Any] = {"color": "#CC0000", "fontweight": "bold"} if entry["violated"] else {"color": "0.2"}
        ax.text(1.04, row, count, va="center", fontsize=5.5, **broken)
    ax.set_xlim(0, 1.75)
    ax.set_xticks([0, 0.5, 1], ["0", "1/2", "1"])
    ax.set_xlabel("share of checks; how many", loc="left", fontsize=6.5)
    ax.spines["left"].set_visible(False)
    return ax


def _rows(book: dict[str, Any]) -> list[dict[str, Any]]:
    """Every claim's entry in the order of the notes; one without any check where the ledger has none."""
    found = {entry["id"]: entry for entry in book["claims"]}
    blank = {"checks": 0, "slacks": [], "slack_log10": None, **dict.fromkeys(VERDICTS, 0)}
    return [found.get(claim.id, {"id": claim.id, "title": claim.title, **blank}) for claim in CLAIMS.values()]


def _caption(entries: list[dict[str, Any]], hunts: Mapping[str, dict[str, Any]]) -> str:
    checked = [entry for entry in entries if entry["checks"]]
    total, violated, vacuous = (sum(entry[name] for entry in checked) for name in ("checks", "violated", "vacuous"))
    text = (
        f"{total:,} checks of {len(checked)} of {len(entries)} claims, {violated:,} violated, {vacuous:,} vacuous "
        f"(true, but excluding nothing). Dots: the checks' factors, at most 60 equally spaced quantiles a claim."
    )
    if hunts:
        tried = sum(hunt["tried"] for hunt in hunts.values())
        found = sum(hunt["violation"] is not None for hunt in hunts.values())
        text += f" Triangles: the nearest to equality of the hunt's {tried:,} instances; it found {found} violations."
    return text


def draw(book: dict[str, Any], hunts: Mapping[str, dict[str, Any]]) -> Figure:
    """book: a ledger.json.  hunts: the deep hunt's reports by claim id."""
    entries = _rows(book)
    figure, axes = style.panels(
        3, height=0.172 * len(entries) + 0.4, columns=3, wide=True, sharey=True, width_ratios=[1.55, 1.25, 1.0]
    )
    draw_names(axes[0], entries)
    draw_slacks(axes[1], entries, hunts)
    draw_verdicts(axes[2], entries, hunts)
    for ax in axes:
        ax.set_ylim(len(entries) - 0.4, -0.6)
        ax.tick_params(axis="y", left=False, labelleft=False)
        for row in range(0, len(entries), 2):
            ax.axhspan(row - 0.5, row + 0.5, color="0.96", zorder=0, linewidth=0)
    axes[1].grid(axis="x", color="0.88", linewidth=0.5)
    axes[1].set_axisbelow(True)
    handles = [
        Line2D([], [], **{**SLACK, "markersize": 3.5}, label="a check"),
        Line2D([], [], **MEDIAN, label="their median"),
        Line2D([], [], **HUNTED, label="nearest in the hunt"),
        Line2D([], [], **style.VIOLATED, label="a violated check"),
        *(Patch(**look, label=name.replace("_", " ")) for name, look in VERDICTS.items()),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=4)
    style.caption(figure, _caption(entries, hunts), book)
    return figure

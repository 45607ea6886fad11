"""X10: singular networks against the bottleneck, and how features, Jacobians and kernels move with depth."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import style

# Curves against depth: what their names hold, what they are called, index of their look.
SMALL, DRAWN, RECTIFIED = "small branches", "residual tanh", "residual ReLU"
TRANSFORMER, PLAIN = "transformer", "plain MLP"
LOOKS = {DRAWN: 0, RECTIFIED: 1, TRANSFORMER: 2, SMALL: 3, PLAIN: 4}


def _kind(name: str) -> str | None:
    """Which of the drawn curves a case is; None for those that the table alone tells."""
    network = name.rsplit(", ", 1)[0]
    if " tau" in network or " LayerNorm" in network:
        return None
    if network.startswith("plain"):
        return PLAIN
    if network.startswith("transformer"):
        return TRANSFORMER
    if " branches " in network:
        return SMALL
    return {"tanh": DRAWN, "relu": RECTIFIED}.get(network.split()[1])


def draw_fractions(ax: Axes, summary: dict[str, Any]) -> Axes:
    """Share of seeds with some singular layer against the branch's hidden width, with exact 95% intervals."""
    rows = [
        row
        for row in summary["rows"]
        if row["kind"] == "residual" and row["normalisation"] == "none" and row["branch_constant"] is None
    ]
    widths = sorted({row["hidden"] for row in rows})
    for index, activation in enumerate(("tanh", "relu")):
        for skip in (True, False):
            chosen = sorted(
                (row for row in rows if row["activation"] == activation and row["skip"] is skip),
                key=lambda row: row["hidden"],
            )
            shares = np.array([[row["network"][end] for end in ("share", "low", "high")] for row in chosen])
            if not len(shares):
                continue
            look = style.measured(index) if skip else style.control(index)
            # Side by side: the two activations mostly lie on each other.
            place = np.array([widths.index(row["hidden"]) for row in chosen]) + (0.12 if index else -0.12)
            spread = np.abs(shares[:, 1:] - shares[:, :1]).T
            ax.errorbar(place, shares[:, 0], spread, elinewidth=0.8, **look)
    features = rows[0]["width"]
    if features in widths:
        ax.axvline(widths.index(features), **style.GUIDE)
    ax.set_xticks(range(len(widths)), [f"{width}" for width in widths])
    ax.set_ylim(-0.05, 1.05)
    ax.set_xlabel(f"hidden width ({features} features)")
    ax.set_ylabel("share of singular networks")
    return ax


def draw_depth(ax: Axes, summary: dict[str, Any], quantity: str) -> Axes:
    """Geometric mean over seeds against depth, up to where every seed is resolved; bands their range."""
    for curve in summary["curves"]:
        kind = _kind(curve["name"])
        if kind is None or (kind == SMALL and not curve["skip"]):  # its branches alone are a contraction by design
            continue
        look = style.measured(LOOKS[kind]) if curve["skip"] else style.control(LOOKS[kind])
        middle, low, high = (np.array(curve[f"{quantity}_{end}"], float) for end in ("mean", "low", "high"))
        depth = np.arange(len(middle))
        ax.plot(depth, middle, markevery=2, **look)
        if kind in (DRAWN, SMALL) and curve["skip"]:
            ax.fill_between(depth, low, high, color=look["color"], alpha=0.12, linewidth=0)
        if kind == SMALL and curve["skip"] and quantity != "condition":
            sides = ("lower", "upper") if quantity == "separation" else ("lower",)
            for side in sides:
                ax.plot(depth, curve[side], **style.BOUND)
    ax.set_yscale("log")
    ax.set_xlabel("depth (layers)")
    ax.set_xticks(range(0, summary["depth"] + 1, 2))
    return ax


def _caption(summary: dict[str, Any]) -> str:
    estimates = {estimate["label"]: estimate for estimate in summary["estimates"]}

    def told(quantity: str) -> str:
        names = {
            "Xavier tanh": "residual tanh hidden 8, skip",
            "without skip": "residual tanh hidden 8, no skip",
            "transformer": "transformer gelu hidden 32, skip",
        }
        parts = []
        for name, case in names.items():
            found = estimates.get(f"log10 {quantity} a layer, {case}")
            if found:
                parts.append(f"{name} {style.quoted(found)}")
        return ", ".join(parts)

    skips = [row["network"] for row in summary["rows"] if row["skip"]]
    singular = sum(round(each["share"] * each["of"]) for each in skips)
    return (
        f"Networks at initialisation, N = {summary['num_points']} points. With skip {singular} of "
        f"{sum(each['of'] for each in skips)} networks have a layer singular at some point; (a) exact 95% binomial "
        f"intervals. (b)-(d) geometric means over seeds, bands their range, ending where some seed's number is not "
        f"above its rounding error; dashed, N2's bounds for the small branches, scaled to Lipschitz constant "
        f"{summary['small_branch']:g}: for Xavier branches the lower one is 0. "
        f"log10 a layer with 95% bootstrap intervals, h_min: {told('h_min')}; smallest singular value: "
        f"{told('sigma_min')}; condition of K: {told('condition of K')}."
    )


def draw(summary: dict[str, Any]) -> Figure:
    """(a) singular share against bottleneck; against depth (b) h_min, (c) sigma_min, (d) the kernel's condition."""
    figure, axes = style.panels(4, height=2.0)
    style.panel_title(draw_fractions(axes[0], summary), "a", "singular at some layer")
    titles = {"separation": "separation of the features", "smallest": "features' Jacobian", "condition": "kernel"}
    labels = {
        "separation": r"$h_{\min}$ over that at depth 0",
        "smallest": r"$\sigma_{\min}$ of Jacobian",
        "condition": r"$\lambda_{\max}/\lambda_{\min}$",
    }
    for ax, letter, (quantity, title) in zip(axes[1:], "bcd", titles.items()):
        style.panel_title(draw_depth(ax, summary, quantity), letter, title)
        ax.set_ylabel(labels[quantity])
    drawn = {_kind(curve["name"]) for curve in summary["curves"]}
    looks = {kind: (style.control if kind == PLAIN else style.measured)(index) for kind, index in LOOKS.items()}
    handles = {kind: axes[1].plot([], [], **look)[0] for kind, look in looks.items() if kind in drawn}
    handles["without skip (control)"] = axes[1].plot([], [], **{**style.control(0), "color": "0.3"})[0]
    handles["bound N2, small branches"] = axes[1].plot([], [], **style.BOUND)[0]
    figure.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=4)
    style.caption(figure, _caption(summary), summary)
    return figure

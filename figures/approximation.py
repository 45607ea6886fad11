"""X7: errors of trained networks over designs against h_min, h_fill, D_1; what ranks them; exponents in N; slopes."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from figures import style

SHOWN = "plain d=2"
# The designs that mean to cover, then the two of the control, then those that leave a part out.
LOOKS: dict[str, dict[str, Any]] = {
    **{
        name: {**style.measured(index), "linestyle": "none"}
        for index, name in enumerate(
            ("midpoints", "lattice", "jittered", "poisson", "greedy", "sobol", "chebyshev", "iid")
        )
    },
    "pair": {**style.control(0), "linestyle": "none", "marker": "o", "color": "0.2"},
    "close pair": {**style.control(1), "linestyle": "none", "marker": "s", "color": "0.2"},
    "boundary": {"color": "0.2", "marker": "d", "linestyle": "none"},
    "corner": {"color": "0.2", "marker": "<", "linestyle": "none"},
    "clustered": {"color": "0.2", "marker": "p", "linestyle": "none"},
}
PREDICTORS = {"1/h_min": "$1/h_{min}$", "h_fill": "$h_{fill}$", "D_1": "$D_1$", "corner": "farthest corner"}
FAMILIES = {"greedy": 4, "iid": 7}  # series index, as in LOOKS
TICKS = {"fill_distance": [0.1, 0.2, 0.5, 1.0], "mean_distance": [0.05, 0.1, 0.2, 0.4]}
AXES = {
    "separation": "separation $h_{min}$",
    "fill_distance": "fill distance $h_{fill}$",
    "mean_distance": "mean distance $D_1$",
    "sup_error": "sup error (label units)",
    "mean_error": "mean error (label units)",
}


def draw_designs(ax: Axes, network: dict[str, Any], measure: str, error: str, lipschitz: float) -> Axes:
    """One marker a design, geometric mean over seeds, with the errors' range; the control's two joined; A1 or A2."""
    centres = {name: (entry[measure][0], entry[error][0]) for name, entry in network["designs"].items()}
    for name, entry in network["designs"].items():
        look = LOOKS[name]
        ax.plot([entry[measure][0]] * 2, entry[error][1:], color=look["color"], linewidth=0.6, alpha=0.6)
        ax.plot(*centres[name], **look)
    ax.plot(*zip(centres["close pair"], centres["pair"]), color="0.2", linestyle=":", linewidth=1.0, zorder=1)
    if measure != "separation":
        known = np.geomspace(min(x for x, _ in centres.values()), max(x for x, _ in centres.values()), 50)
        ax.plot(known, network["node_error"] + (network["slope_seen"] + lipschitz) * known, **style.BOUND)
    style.log_axes(ax, x_ticks=TICKS.get(measure))
    ax.set_xlabel(AXES[measure])
    ax.set_ylabel(AXES[error])
    return ax


def draw_ranks(ax: Axes, summary: dict[str, Any], group: str, error: str) -> Axes:
    """Rank correlation with the error across the designs of a group, a row a network, with intervals over seeds."""
    names = [network["network"] for network in summary["networks"]]
    for index, predictor in enumerate(PREDICTORS):
        for rank in summary["ranks"]:
            if (rank["predictor"], rank["group"], rank["error"]) == (predictor, group, error):
                height = -names.index(rank["network"]) - 0.2 * (index - 1.5)
                ax.plot([rank["ci_low"], rank["ci_high"]], [height] * 2, color=style.COLOURS[index], linewidth=1.2)
                ax.plot(rank["value"], height, **{**style.measured(index), "linestyle": "none"})
    ax.axvline(0.0, **style.GUIDE)
    ax.set_xlim(-1.05, 1.05)
    ax.set_ylim(-len(names) + 0.4, 0.6)
    ax.set_xlabel("rank correlation")
    return _rows(ax, names)


def draw_reversals(ax: Axes, summary: dict[str, Any]) -> Axes:
    """Of the pairs of designs that h_min orders in every seed: how many the error orders likewise, or the other way."""
    names = [network["network"] for network in summary["networks"]]
    for each in summary["reversals"]:
        row, pairs = -names.index(each["network"]), each["ordered"]
        agree, against = each["agreeing"] / pairs, each["reversed"] / pairs
        ax.barh(row, agree, height=0.6, color=style.COLOURS[2])
        ax.barh(row, 1.0 - agree - against, left=agree, height=0.6, color="0.85")
        ax.barh(row, against, left=1.0 - against, height=0.6, color=style.COLOURS[1], hatch="////", edgecolor="white")
    ax.set_xlim(0.0, 1.0)
    ax.set_ylim(-len(names) + 0.4, 0.6)
    ax.set_xlabel("share of design pairs")
    return _rows(ax, names)


def _rows(ax: Axes, names: list[str]) -> Axes:
    ax.set_yticks(-np.arange(len(names)), [name.replace(" d=", "\nd = ") for name in names])
    ax.tick_params(axis="y", length=0)
    return ax


def draw_scaling(ax: Axes, summary: dict[str, Any], network: str) -> Axes:
    """Sup error along the families in N (filled), the error left on the points themselves (open)."""
    for series in summary["scaling"]:
        if series["network"] == network:
            index, sizes = FAMILIES[series["family"]], series["sizes"]
            values = np.array(series["sup_error"])
            ax.plot(sizes, values[:, 0], **style.measured(index), label=f"{series['family']}, sup")
            ax.fill_between(sizes, values[:, 1], values[:, 2], color=style.COLOURS[index], alpha=0.15, linewidth=0)
            nodes = np.array(series["node_error"])[:, 0]
            ax.plot(sizes, nodes, **style.control(index), label=f"{series['family']}, at the points")
            style.log_axes(ax, x_ticks=sizes)
    ax.set_xlabel("number of points N")
    ax.set_ylabel("error (label units)")
    return ax


def draw_own_slopes(ax: Axes, summary: dict[str, Any]) -> Axes:
    """The network's own slope against the separation of one pair; dashed: the least that the gap it learnt allows."""
    for each in summary["own_slopes"]:
        h, values = each["separations"], np.array(each["slope"])
        look = style.measured(0) if each["gap"] else style.control(2)
        ax.plot(h, values[:, 0], **look, label="label gap" if each["gap"] else "no gap")
        ax.fill_between(h, values[:, 1], values[:, 2], color=look["color"], alpha=0.15, linewidth=0)
        if each["gap"]:
            learnt = np.array(each["needed"]) > 0
            ax.plot(np.array(h)[learnt], np.array(each["needed"])[learnt], **style.BOUND, label="least possible")
    if summary["own_slopes"]:
        style.log_axes(ax, x_ticks=summary["own_slopes"][0]["separations"])
    ax.set_xlabel("separation of the pair")
    ax.set_ylabel(r"own slope $\sup\,|\nabla f|$")
    return ax


def _caption(summary: dict[str, Any], shown: dict[str, Any]) -> str:
    estimates = {estimate["label"]: estimate for estimate in summary["estimates"]}
    slopes = {slope["label"]: slope for slope in summary["slopes"]}
    network = shown["network"]

    def quoted(label: str) -> str:
        return style.quoted(estimates[label], ".3g")

    def exponent(name: str, family: str) -> str:
        found = slopes.get(f"{name} {family}, sup error in N")
        return style.quoted(found) if found else "not measured"

    scaled = list(dict.fromkeys(series["network"] for series in summary["scaling"]))
    told = "; ".join(f"{name} greedy {exponent(name, 'greedy')}, iid {exponent(name, 'iid')}" for name in scaled)
    own = "; ".join(
        f"{'gap ' + format(each['gap'], 'g') if each['gap'] else 'no gap'} {style.quoted(each)}"
        for each in summary["own_slopes"]
    )
    return (
        f"Networks trained by gradient descent to loss {summary['target']:g} ({summary['not_reached']} of "
        f"{summary['runs']} runs stopped short) on N values of a function of slope {summary['lipschitz']:g}; intervals "
        f"are 95% bootstrap over seeds. (a)-(c) {network}, N = {shown['num_points']}, geometric means and ranges over "
        f"seeds; dashed: A1, A2 with the median slope seen. Control, joined by dots: 1/100 of the h_min at equal "
        f"coverage multiplies the sup error by "
        f"{quoted(f'sup error at 1/100 of the h_min over before, equal coverage, {network}')}. (d), (e) what ranks the "
        f"sup error. (f) pairs of designs that h_min orders alike in every seed: in all of them the larger h_min has "
        f"the smaller error (green), the larger error (hatched), or it depends (grey). (g), (h) exponents of the sup "
        f"error in N: {told}. (i) exponent of the network's own slope in h: {own or 'not measured'}."
    )


def draw(summary: dict[str, Any]) -> Figure:
    """(a)-(c) one network over all designs; (d)-(f) what orders the errors; (g), (h) families in N; (i) own slopes."""
    networks = {network["network"]: network for network in summary["networks"]}
    shown = networks.get(SHOWN, summary["networks"][0])
    figure, axes = style.panels(9, height=1.8)
    for ax, (measure, error) in zip(
        axes, (("separation", "sup_error"), ("fill_distance", "sup_error"), ("mean_distance", "mean_error"))
    ):
        draw_designs(ax, shown, measure, error, summary["lipschitz"])
    draw_ranks(axes[3], summary, "all designs", "sup_error")
    draw_ranks(axes[4], summary, "spread designs", "sup_error")
    draw_reversals(axes[5], summary)
    scaled = list(dict.fromkeys(series["network"] for series in summary["scaling"]))
    for ax, name in zip(axes[6:8], scaled):
        draw_scaling(ax, summary, name)
    draw_own_slopes(axes[8], summary)
    titles = ["separation", "fill distance", "mean distance", "all designs", "covering designs", "order by $h_{min}$"]
    growing = [f"N grows, {name}" for name in scaled] + [""] * (2 - len(scaled))
    for letter, ax, title in zip("abcdefghi", axes, [*titles, *growing, "own slope"]):
        style.panel_title(ax, letter, title)
    for ax in (axes[6], axes[8]):
        if ax.get_legend_handles_labels()[0]:
            ax.set_ylim(bottom=ax.get_ylim()[0] / 100)  # room for the legend under the data
            ax.legend(loc="lower left")
    for ax in axes[6 + len(scaled) : 8] + axes[8 : 9 - bool(summary["own_slopes"])]:
        ax.set_axis_off()
    samples = [(name, look) for name, look in LOOKS.items() if name in shown["designs"]]
    samples += [(label, {**style.measured(k), "markersize": 3}) for k, label in enumerate(PREDICTORS.values())]
    samples += [("bound", style.BOUND)]
    handles = [Line2D([], [], **look, label=name) for name, look in samples]
    figure.legend(handles=handles, loc="outside upper center", ncols=5)
    style.caption(figure, _caption(summary, shown), summary)
    return figure

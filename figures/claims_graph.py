"""Which statement rests on which: a column a theme, an arrow from each premise to what rests on it."""

import textwrap
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Patch
from matplotlib.path import Path

from figures import style

THEMES = {
    "S": "separation",
    "R": "slow-down",
    "G": "convergence",
    "A": "approximation",
    "N": "non-degeneracy",
    "D": "selection",
}

HALF_WIDTH, HALF_HEIGHT = 0.41, 0.22

STANDING_COLOURS = {
    "proved and tight": "#8FD1B5",
    "proved but loose": "#9CCBEA",
    "conditional": "#F6D58A",
    "false as stated": "#F0A58A",
    "measured only": "#D9D9D9",
}


def draw(rows: list[dict[str, Any]]) -> Figure:
    """The graph of the claims in `rows` (of claims_table.claim_rows): boxes coloured by standing."""
    tallest = max(sum(row["id"][0] == theme for row in rows) for theme in THEMES)
    figure, axes = style.new_figure(1, 1, width=11.5, height=0.8 + 0.62 * tallest)
    ax = axes[0, 0]
    places = _places(rows)
    for row in rows:
        for premise in row["rests_on"]:
            _arrow(ax, places[premise], places[row["id"]])
    for row in rows:
        x, y = places[row["id"]]
        ax.add_patch(
            FancyBboxPatch(
                (x - HALF_WIDTH, y - HALF_HEIGHT),
                2 * HALF_WIDTH,
                2 * HALF_HEIGHT,
                boxstyle="round,pad=0,rounding_size=0.06",
                facecolor=STANDING_COLOURS[row["standing"]],
                edgecolor="0.3",
                linewidth=0.9,
            )
        )
        label = textwrap.fill(f"{row['id']}  {row['title']}", 26)
        ax.text(x, y, label, ha="center", va="center", fontsize=6.8)
    for column, (theme, name) in enumerate(THEMES.items()):
        ax.text(column, 0.75, f"{theme}  {name}", ha="center", va="center", fontsize=9, fontweight="bold")
    ax.set_xlim(-0.55, len(THEMES) - 0.45)
    ax.set_ylim(-tallest + 0.4, 1.1)
    ax.set_axis_off()
    ax.legend(
        handles=[Patch(facecolor=colour, edgecolor="0.3", label=name) for name, colour in STANDING_COLOURS.items()],
        loc="lower center",
        bbox_to_anchor=(0.5, -0.06),
        ncols=len(STANDING_COLOURS),
        fontsize=8,
    )
    return figure


def _places(rows: list[dict[str, Any]]) -> dict[str, tuple[float, float]]:
    """A column a theme, from the top in the order of the notes."""
    places: dict[str, tuple[float, float]] = {}
    for column, theme in enumerate(THEMES):
        own = [row["id"] for row in rows if row["id"][0] == theme]
        places.update({claim: (float(column), -float(depth)) for depth, claim in enumerate(own)})
    return places


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    """From the premise's box to the conclusion's, by the sides that face each other; in a column, round the boxes."""
    (x, y), (to_x, to_y) = start, end
    side = HALF_WIDTH if to_x >= x else -HALF_WIDTH
    if abs(x - to_x) > 1.0:  # along the free lane above the row
        ends = (x + 1.2 * side, y + 0.5), (to_x - 1.2 * side, y + 0.5)
        path = Path([(x + side, y), *ends, (to_x - side, to_y)])
    elif x != to_x:
        path = Path([(x + side, y), (to_x - side, to_y)])
    elif abs(y - to_y) == 1.0:
        down = HALF_HEIGHT if y > to_y else -HALF_HEIGHT
        path = Path([(x, y - down), (to_x, to_y + down)])
    else:
        bulge = x + side + min(0.03 + 0.035 * abs(y - to_y), 0.3)  # a cubic reaches 3/4 of its control points
        path = Path([(x + side, y), (bulge, y), (bulge, to_y), (x + side, to_y)], [Path.MOVETO, *[Path.CURVE4] * 3])
    ax.add_patch(FancyArrowPatch(path=path, arrowstyle="-|>", mutation_scale=8, linewidth=0.9, color="0.35", zorder=3))

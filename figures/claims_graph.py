"""Which statement rests on which: a column a theme, an arrow from each premise to what rests on it."""

import textwrap
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Patch
from matplotlib.path import Path

from figures import style
from theory.claim import Claim

THEMES = {
    "S": "separation",
    "R": "slow-down",
    "G": "convergence",
    "A": "approximation",
    "N": "non-degeneracy",
    "D": "selection",
}

HALF_WIDTH, HALF_HEIGHT = 0.39, 0.31

STANDING_COLOURS = {
    "proved and tight": "#8FD1B5",
    "proved but loose": "#9CCBEA",
    "conditional": "#F6D58A",
    "false as stated": "#F0A58A",
    "measured only": "#D9D9D9",
}

# Readable in grey: the less is known, the more broken the edge.
STANDING_EDGES: dict[str, dict[str, Any]] = {
    "proved and tight": {"edgecolor": "0.2", "linewidth": 1.3},
    "proved but loose": {"edgecolor": "0.2", "linewidth": 0.6},
    "conditional": {"edgecolor": "0.2", "linewidth": 0.9, "linestyle": (0, (5, 2))},
    "false as stated": {"edgecolor": "#990000", "linewidth": 1.5, "linestyle": (0, (1, 1))},
    "measured only": {"edgecolor": "0.6", "linewidth": 0.6},
}


def draw(claims: Sequence[Claim]) -> Figure:
    """The graph of the claims: boxes coloured by standing."""
    tallest = max(sum(claim.id[0] == theme for claim in claims) for theme in THEMES)
    figure, (ax,) = style.panels(1, height=0.3 + 0.5 * tallest, wide=True)
    places = _places(claims)
    for claim in claims:
        for premise in claim.rests_on:
            _arrow(ax, places[premise], places[claim.id])
    for claim in claims:
        x, y = places[claim.id]
        ax.add_patch(
            FancyBboxPatch(
                (x - HALF_WIDTH, y - HALF_HEIGHT),
                2 * HALF_WIDTH,
                2 * HALF_HEIGHT,
                boxstyle="round,pad=0,rounding_size=0.06",
                facecolor=STANDING_COLOURS[claim.standing],
                **STANDING_EDGES[claim.standing],
            )
        )
        label = textwrap.fill(f"{claim.id}  {claim.title}", 15)
        ax.text(x, y, label, ha="center", va="center", fontsize=5.3, linespacing=1.05)
    for column, (theme, name) in enumerate(THEMES.items()):
        ax.text(column, 0.75, f"{theme}  {name}", ha="center", va="center", fontsize=5.6, fontweight="bold")
    ax.set_xlim(-0.55, len(THEMES) - 0.45)
    ax.set_ylim(-tallest + 0.4, 1.1)
    ax.set_axis_off()
    figure.legend(
        handles=[
            Patch(facecolor=colour, **STANDING_EDGES[name], label=name) for name, colour in STANDING_COLOURS.items()
        ],
        loc="outside lower center",
        ncols=len(STANDING_COLOURS),
    )
    return figure


def _places(claims: Sequence[Claim]) -> dict[str, tuple[float, float]]:
    """A column a theme, from the top in the order of the notes."""
    places: dict[str, tuple[float, float]] = {}
    for column, theme in enumerate(THEMES):
        own = [claim.id for claim in claims if claim.id[0] == theme]
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
        # To the left, where no arrow comes from the next column; a cubic reaches 3/4 of its control points.
        left = x - HALF_WIDTH
        bulge = left - min(0.03 + 0.045 * abs(y - to_y), 0.25)
        path = Path([(left, y), (bulge, y), (bulge, to_y), (left, to_y)], [Path.MOVETO, *[Path.CURVE4] * 3])
    ax.add_patch(FancyArrowPatch(path=path, arrowstyle="-|>", mutation_scale=6, linewidth=0.8, color="0.35", zorder=3))

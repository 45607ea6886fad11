"""X11a: loss against steps for each choice of digits, what the knobs do, and what ranks the times."""

from typing import Any

from matplotlib.figure import Figure

from figures import style


def draw(summary: dict[str, Any]) -> Figure:
    figure, _ = style.panels(1, height=2.0)
    style.caption(figure, "To be drawn.", summary)
    return figure

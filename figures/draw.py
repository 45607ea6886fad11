"""From a summary to a figure: the table of drawers, the committed summaries, and saving."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from matplotlib.figure import Figure

from figures import convergence, kernel_spectrum, separation_law, slowdown, style

SUMMARIES = Path(__file__).parent / "summaries"

DRAWERS: Mapping[str, Callable[[dict[str, Any]], Figure]] = MappingProxyType(
    {
        "separation_law": separation_law.draw,
        "kernel_spectrum": kernel_spectrum.draw,
        "slowdown": slowdown.draw,
        "convergence": convergence.draw,
    }
)


def committed_summary(name: str) -> dict[str, Any]:
    """The summary in the repository from which a figure is drawn without training."""
    return json.loads((SUMMARIES / f"{name}.json").read_text())


def draw_figure(name: str, summary: dict[str, Any], folder: Path) -> list[Path]:
    """Draw one figure and write it as PDF, SVG and PNG into a folder."""
    with style.applied():
        return style.save(DRAWERS[name](summary), folder / name)

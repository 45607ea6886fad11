"""From a summary to a figure: the table of drawers, the committed summaries, and saving."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from matplotlib.figure import Figure

from figures import (
    approximation,
    claims_graph,
    convergence,
    greedy_designs,
    kernel_spectrum,
    ledger,
    precision,
    propagation,
    safe_step,
    selection_dial,
    selection_digits,
    selection_language,
    selection_subsets,
    separation_law,
    slowdown,
    style,
    tail_slope,
    width_scaling,
)
from theory.claims import CLAIMS

SUMMARIES = Path(__file__).parent / "summaries"

DRAWERS: Mapping[str, Callable[[dict[str, Any]], Figure]] = MappingProxyType(
    {
        "separation_law": separation_law.draw,
        "greedy_designs": greedy_designs.draw,
        "kernel_spectrum": kernel_spectrum.draw,
        "tail_slope": tail_slope.draw,
        "slowdown": slowdown.draw,
        "selection_dial": selection_dial.draw,
        "approximation": approximation.draw,
        "convergence": convergence.draw,
        "safe_step": safe_step.draw,
        "propagation": propagation.draw,
        "selection_digits": selection_digits.draw,
        "selection_language": selection_language.draw,
        "width_scaling": width_scaling.draw,
    }
)


def read_summary(path: Path) -> dict[str, Any]:
    """A summary, a ledger or a hunt's report. Raises OSError without the file, ValueError unless a JSON object."""
    try:
        summary = json.loads(path.read_text())
    except (ValueError, RecursionError):
        summary = None
    if not isinstance(summary, dict):
        raise ValueError(f"{path} must be a JSON object written by this command, but it was not")
    return summary


def committed_summary(name: str) -> dict[str, Any]:
    """The summary in the repository from which a figure is drawn without training."""
    return read_summary(SUMMARIES / f"{_SECOND.get(name, name)}.json")


def committed_hunts() -> dict[str, dict[str, Any]]:
    """The committed deep hunt's reports by claim id: `uniformity verify --examples 10000 --out` wrote them."""
    return {report["claim"]: report for report in committed_summary("hunts")["claims"]}


def draw_ledger(book: dict[str, Any]) -> Figure:
    """A ledger beside the committed hunt, which speaks where no study does."""
    return ledger.draw(book, committed_hunts())


def draw_graph() -> Figure:
    """The claims and their premises; nothing measured."""
    return claims_graph.draw(tuple(CLAIMS.values()))


_SECOND = MappingProxyType({"selection_subsets": "selection_language"})
"""Figures that are drawn from the summary of a study that has another one."""
FIGURES = (*DRAWERS, *_SECOND, "precision", "ledger", "claims_graph")
"""Every figure: one a study or two, the comparison of precisions, the ledger, the graph of the claims."""
_BESIDE = MappingProxyType(
    {"selection_subsets": selection_subsets.draw, "precision": precision.draw, "ledger": draw_ledger}
)


def drawn_from(study: str) -> tuple[str, ...]:
    """The figures of a study's summary."""
    return study, *(name for name, first in _SECOND.items() if first == study)


def committed_figure(name: str) -> Figure:
    """A figure of FIGURES from the repository's summaries, in the style applied."""
    if name == "claims_graph":
        return draw_graph()
    return figure_of(name, committed_summary(name))


def figure_of(name: str, summary: dict[str, Any]) -> Figure:
    """A study's figure from its summary, or another of FIGURES. Raises ValueError for what is not such a summary."""
    drawer = {**DRAWERS, **_BESIDE}[name]
    try:
        return drawer(summary)
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(
            f"the summary of {name} must be what this version writes, but {type(error).__name__} {error} came up"
        ) from error


def draw_figure(name: str, summary: dict[str, Any], folder: Path, *, paper: str = "one-column") -> list[Path]:
    """Draw one figure and write it as PDF, SVG and PNG into a folder, at a paper's widths."""
    with style.applied(paper):
        return style.save(figure_of(name, summary), folder / name)


def draw_committed(name: str, folder: Path, *, paper: str = "one-column") -> list[Path]:
    """The same for a figure of FIGURES, from the repository's summaries."""
    with style.applied(paper):
        return style.save(committed_figure(name), folder / name)

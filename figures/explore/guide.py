"""The four findings that the page leads to: a button that starts each, a button that compares."""

from collections.abc import Callable
from typing import Any

import marimo as mo

from experiments.explore.presets import PRESETS
from experiments.explore.state import State
from figures.explore.page import header


def buttons(start: Callable[[int, State], None], compare: Callable[[int, State], None]) -> Any:
    """Two buttons a finding: its first state, and its second beside the first."""
    made = {}
    for k, preset in enumerate(PRESETS):
        made[f"start {k}"] = mo.ui.button(
            label="1 Start",
            kind="success",
            tooltip=f"{preset.name}: set every control and train",
            on_click=lambda _, k=k, state=preset.first: start(k, state),
        )
        made[f"compare {k}"] = mo.ui.button(
            label="2 Compare",
            tooltip=f"{preset.name}: pin that run and train the other",
            on_click=lambda _, k=k, state=preset.second: compare(k, state),
        )
    return mo.ui.dictionary(made)


def findings(pressed: Any) -> str:
    """The page's head."""
    return header(
        [
            (preset.name, preset.finding, f"{pressed[f'start {k}']}{pressed[f'compare {k}']}")
            for k, preset in enumerate(PRESETS)
        ]
    )


def told(chosen: int | None) -> str:
    """Where to look, for the finding that was started."""
    return "" if chosen is None else PRESETS[chosen].look

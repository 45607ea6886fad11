"""The controls of the page: one marimo element for each field of the state, in groups, each with a word of help."""

import math
from collections.abc import Mapping
from dataclasses import replace
from html import escape
from typing import Any
from urllib.parse import parse_qsl

import marimo as mo

from experiments.explore.state import CONTROLS, OWN, Choice, Range, State, Switch, idle_controls, to_query

GROUPS: Mapping[str, tuple[str, ...]] = {
    "Architecture": (
        "kind",
        "depth",
        "width",
        "bottleneck",
        "heads",
        "activation",
        "skip",
        "normalisation",
        "scaling",
    ),
    "Data": ("family", "h", "num_points", "dim", "tokens", "cluster_size", "domain"),
    "Labels": ("labelling", "gap", "noise", "lipschitz"),
    "Run": ("seed", "precision"),
}
SHAPE = tuple(name for names in GROUPS.values() for name in names)
TRAINING = ("step_size", "target")
SHAPING = frozenset({"depth", "width", "heads", "num_points", "dim", "tokens"})
"""Sliders whose every value is compiled for: heard when let go, not on the way."""

WORDS: Mapping[str, tuple[str, str]] = {
    "kind": ("Network", "plain and residual networks read points, a transformer reads sequences of tokens"),
    "depth": ("Depth", "hidden layers, residual branches or transformer layers"),
    "width": ("Width", "units of a layer, or the transformer's model width"),
    "bottleneck": ("Bottleneck", "hidden units inside a residual branch; auto: the architecture's own"),
    "heads": ("Heads", "attention heads; they must divide the width"),
    "activation": ("Activation", "ReLU is not smooth: some bounds do not apply to it"),
    "skip": ("Skip connections", "off: each residual branch stands alone, with the same parameters"),
    "normalisation": ("Normalise", "before each branch; tau is LayerNorm without its division"),
    "scaling": ("Scaling", "how the weights are drawn and multiplied"),
    "domain": ("Where", "the cube [0, 1]^d, or the unit sphere"),
    "num_points": ("Points N", "how many training points"),
    "dim": ("Dimension d", "coordinates of a point, or of a token"),
    "tokens": ("Tokens", "of a transformer's sequence"),
    "family": ("Family", "pair_collapse: one pair closes up, everything else stays"),
    "h": ("h_min", "the smallest distance of two points: the question of this page"),
    "cluster_size": ("Cluster", "points that close up together"),
    "labelling": (
        "Labels",
        "gap: the closest pair keeps different labels; smooth: a Lipschitz function; noise: with noise",
    ),
    "lipschitz": ("Lipschitz", "Lipschitz constant of the labels, before gap and noise"),
    "gap": ("Label gap", "difference of the labels of the closest pair"),
    "noise": ("Noise", "its standard deviation"),
    "step_size": ("Step size", "of gradient descent; the marks beneath say what theory allows"),
    "target": ("Stop at loss", "training stops there"),
    "seed": ("Seed", "of points, labels and initial weights"),
    "precision": ("Arithmetic", "of the network; theory is always computed in float64"),
}
"""What the page calls each control, and what it says about it."""

NAMES: Mapping[str, str] = {
    "plain": "plain MLP",
    "residual": "residual MLP",
    "transformer": "transformer",
    OWN: "your own",
    "smooth": "smooth",
    "gap": "gap on pair",
    "noise": "noisy",
    "pair_collapse": "close pair",
    "cluster_collapse": "tight cluster",
}
AUTO = "auto"

_STEPS: Mapping[str, list[float]] = {
    "depth": [*range(1, 13), 16, 24, 32, 48, 64],
    "width": [2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 256, 512, 1024, 2048, 4096],
    "heads": [1, 2, 3, 4, 6, 8, 12, 16],
    "num_points": [*range(2, 17), 20, 24, 32, 40, 48, 64],
    "dim": [*range(1, 11), 12, 16, 24, 32, 48, 64],
    "tokens": [*range(1, 9), 12, 16],
    "cluster_size": [*range(2, 9)],
    "h": [
        0.0,
        0.001,
        0.002,
        0.005,
        0.01,
        0.0125,
        0.025,
        0.05,
        0.075,
        *(k / 20 for k in range(2, 13)),
        0.8,
        1.0,
        1.5,
        2.0,
    ],
    "gap": [0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.0, 5.0],
    "noise": [0.0, 0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 1.0],
    "lipschitz": [0.0, 0.1, 0.2, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0],
    "step_size": [float(f"{10 ** (k / 10):.2g}") for k in range(-60, 31)],
    "target": [10.0**k for k in range(-12, 1)],
    "seed": [*range(0, 31)],
}
"""Where each slider stops: evenly for what is counted, by factors for what is a scale."""
_BOTTLENECKS = [AUTO, "1", "2", "3", "4", "8", "16", "32", "64", "128", "256"]


def stops(name: str, value: Any) -> list[float]:
    """A slider's stops, the value itself among them: a state from elsewhere is shown as it is."""
    return sorted({*_STEPS[name], value})


def element(name: str, state: State, *, own: str | None = None) -> Any:
    """The marimo element of one control, at its value in the state.

    own: how the user's model is called, where one is named on the command line.
    """
    control, value = CONTROLS[name], getattr(state, name)
    match control:
        case Switch():
            return mo.ui.switch(value=value)
        case Choice(_, names):
            known = [choice for choice in names if choice != OWN or own or value == OWN]
            return mo.ui.dropdown({told(choice): choice for choice in known}, value=told(value), full_width=True)
        case Range() if name == "bottleneck":
            shown = AUTO if value is None else str(value)
            return mo.ui.dropdown(
                [*_BOTTLENECKS, *([shown] if shown not in _BOTTLENECKS else [])], value=shown, full_width=True
            )
        case Range():
            return mo.ui.slider(
                steps=stops(name, value),
                value=value,
                debounce=name in SHAPING,
                show_value=name != "step_size",
                full_width=True,
            )


def elements(state: State, names: tuple[str, ...], *, own: str | None = None) -> Any:
    """The elements of these controls, as one marimo dictionary."""
    return mo.ui.dictionary({name: element(name, state, own=own) for name in names})


def told(choice: str) -> str:
    return NAMES.get(choice, choice)


def asked(values: Mapping[str, Any], base: State) -> State:
    """The state that these controls stand for; what they do not name is the base's."""
    read = {name: _read(name, value) for name, value in values.items()}
    return replace(base, **read)


def _read(name: str, value: Any) -> Any:
    if name == "bottleneck":
        return None if value == AUTO else int(value)
    control = CONTROLS[name]
    return int(value) if isinstance(control, Range) and control.whole else value


def controls_html(controls: Any) -> str:
    """The left column: the groups, each control under its name, with what it does."""
    parts = []
    for group, names in GROUPS.items():
        rows = "".join(setting(controls[name], name) for name in names)
        parts.append(f'<section class="group" data-group="{group}"><h2>{group}</h2>{rows}</section>')
    return f'<div class="explore" data-testid="controls">{"".join(parts)}</div>'


def setting(control: Any, name: str) -> str:
    """One control with its name; a pointer over it reads what it does."""
    title, help_text = WORDS[name]
    return (
        f'<div class="setting" data-control="{name}" title="{escape(help_text)}">'
        f'<span class="title">{escape(title)}</span>{control}</div>'
    )


def idle_style(state: State) -> str:
    """The controls that change nothing in this state go pale, without being drawn anew."""
    chosen = ", ".join(f'.setting[data-control="{name}"]' for name in sorted(idle_controls(state)))
    return f"<style>{chosen} {{ opacity: 0.38; }}</style>"


def write_query(query: Any, state: State) -> None:
    """Make the page's address say the state."""
    wanted = dict(parse_qsl(to_query(state)))
    for name in [name for name in query.to_dict() if name not in wanted]:
        query.remove(name)
    for name, text in wanted.items():
        if query.get(name) != text:
            query.set(name, text)


def told_state(state: State) -> str:
    """What differs from the page's default, in words."""
    return (
        ", ".join(f"{WORDS[name][0]} {shown_value(value)}" for name, value in state.changes().items()) or "the default"
    )


def shown_value(value: Any) -> str:
    """A control's value as the page writes it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.4g}"
    return told(str(value))

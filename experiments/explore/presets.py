"""The four findings that the page leads to: each two states to compare, and what to look at."""

from dataclasses import replace
from typing import NamedTuple

from experiments.explore.state import DEFAULT, State


class Preset(NamedTuple):
    """Load `first`, train it, pin it; load `second` and train that.

    finding: what will be seen, in one sentence.  look: where on the page.
    """

    name: str
    finding: str
    look: str
    first: State
    second: State


_PAIR = replace(DEFAULT, gap=1.0, step_size=0.01, target=2e-3, seed=1)
_DEEP = replace(DEFAULT, width=8, depth=8)
_NARROW = State(
    kind="plain", width=3, depth=2, dim=2, h=0.2, labelling="smooth", activation="relu", step_size=0.1, seed=2
)

PRESETS: tuple[Preset, ...] = (
    Preset(
        "Close points, different labels",
        "With a label gap on the closest pair, a quarter of the h_min takes about four times the steps.",
        "Train both: the second loss curve reaches the target several times later. R3 foretells it: its floor for the "
        "linearised network rises more than tenfold. The pair's gap is the last to go.",
        replace(_PAIR, h=0.4),
        replace(_PAIR, h=0.1),
    ),
    Preset(
        "Close points, smooth labels",
        "With Lipschitz labels the same smaller h_min costs nothing: close points ask for nearly the same output.",
        "Train both: the two loss curves reach the target after about as many steps, though lambda_min starts as small "
        "as before. R3 is vacuous: it asks for no step at all.",
        replace(_PAIR, h=0.4, labelling="smooth"),
        replace(_PAIR, h=0.1, labelling="smooth"),
    ),
    Preset(
        "Skip connections keep points apart",
        "With the same parameters, the features of a deep network keep their h_min with skip connections and lose it "
        "without.",
        "No training needed: in the layers' panel h_min stays about level with the skip, and falls layer by layer "
        "without it.",
        _DEEP,
        replace(_DEEP, skip=False),
    ),
    Preset(
        "Dead ReLU units stall",
        "A narrow ReLU network whose last units fire at no point has no gradient left but that of its last bias, and "
        "stalls; tanh from the same start does not.",
        "Train both: the first loss stays far above its target while mu_s falls to 0 and the layers' panel counts dead "
        "units; the second reaches it.",
        _NARROW,
        replace(_NARROW, activation="tanh"),
    ),
)

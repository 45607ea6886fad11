"""What one open page holds: the scene, its panels, and a run that a thread advances while the page looks at it."""

import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any, NamedTuple

import marimo as mo

from experiments.explore.claim_lines import ClaimLine
from experiments.explore.claims_after import claims_after
from experiments.explore.claims_before import claims_before
from experiments.explore.layers import LayersPanel, layers
from experiments.explore.panels import Panels
from experiments.explore.projection import Projection, projection
from experiments.explore.scene import Scene, compiled_for, scene
from experiments.explore.spectrum import SpectrumPanel, spectrum
from experiments.explore.state import State
from experiments.explore.step_floors import StepFloors, step_floors
from experiments.explore.step_marks import StepMarks, step_marks
from experiments.explore.training import Frame, History, Training
from experiments.user_model import UserModel
from figures.explore import pictures
from figures.explore.page import card, claim_table, unable, waiting, wrapped
from figures.explore.plot import Plot

BREATH = 0.07
"""Seconds of training between two pictures."""


class Look:
    """A scene that is looked at: what several panels need is computed once, when the first asks."""

    def __init__(self, found: Scene) -> None:
        self.scene = found

    @cached_property
    def projection(self) -> Projection:
        return projection(self.scene)

    @cached_property
    def spectrum(self) -> SpectrumPanel:
        return spectrum(self.scene)

    @cached_property
    def layers(self) -> LayersPanel | str:
        return layers(self.scene)

    @cached_property
    def marks(self) -> StepMarks:
        return step_marks(self.scene, self.spectrum)

    @cached_property
    def floors(self) -> StepFloors:
        return step_floors(self.scene, self.spectrum)

    @cached_property
    def panels(self) -> Panels:
        return Panels(self.projection, self.spectrum, self.floors, self.layers, self.marks)

    @cached_property
    def claims(self) -> list[ClaimLine]:
        return claims_before(self.scene, self.panels)

    def at(self, state: State) -> "Look":
        """The same scene under another step size or target, which the floors and claims alone depend on."""
        other = Look(self.scene._replace(state=state))
        for name in ("projection", "spectrum", "layers", "marks"):
            if name in self.__dict__:
                other.__dict__[name] = self.__dict__[name]
        return other


CLAIMS_SAY = (
    "Each claim is proved in the notes and checked here on your state. Vacuous: true, but it excludes nothing here. "
    "Not applicable: one of its hypotheses fails. Violated would be a counterexample: please report it."
)


class Panel(NamedTuple):
    """A panel of the page: what it computes, how it is drawn, what it found, what it says.

    compared: whether its drawing takes a second panel's numbers, the pinned run's.
    """

    title: str
    compute: Callable[[Look], Any]
    draw: Callable[..., Plot]
    tell: Callable[[Any], str]
    says: str
    compared: bool = False


PANELS: dict[str, Panel] = {
    "points": Panel(
        "The points",
        lambda look: look.projection,
        pictures.points_plot,
        pictures.told_points,
        "The closest pair is joined in red: its distance is h_min. Colours are labels: if the pair's differ, it has a "
        "label gap.",
    ),
    "spectrum": Panel(
        "The kernel's spectrum",
        lambda look: look.spectrum,
        pictures.spectrum_plot,
        pictures.told_spectrum,
        "Directions with small eigenvalues are learned slowly. Two close points pull the smallest one down, below the "
        "dashed ceiling.",
        compared=True,
    ),
    "floors": Panel(
        "Steps needed",
        lambda look: look.floors,
        pictures.floors_plot,
        pictures.told_floors,
        "Known before any training. Halve h_min under a label gap: the linearised network needs four times as many.",
    ),
    "layers": Panel(
        "Points through the layers",
        lambda look: look.layers,
        pictures.layers_plot,
        pictures.told_layers,
        "With skip connections the closest two features stay between the dashed bounds; without, they may merge.",
        compared=True,
    ),
    "smoothness": Panel(
        "Smoothness against curvature",
        lambda look: look.marks,
        pictures.smoothness_plot,
        pictures.told_smoothness,
        "A step size of 1/S(R) is proved to descend; the measured curvature shows how careful that is.",
    ),
}

_COMPILED: set[Any] = set()
"""The panels and shapes that this process has compiled, for all pages."""


def panel_html(name: str, look: Look, show: Callable[[str], None], pin: "Pin | None" = None) -> str:
    """A panel's card, beside the pinned run's where it compares.

    show: gets a card that says so where the shape has to be compiled first.
    """
    panel = PANELS[name]
    shape = (name, compiled_for(look.scene.state, look.scene.own))
    if shape not in _COMPILED:
        show(waiting(name, panel.title, "compiling for this shape"))
    try:
        numbers = panel.compute(look)
        if isinstance(numbers, str):
            return unable(name, panel.title, f"Not applicable: {numbers}.")
        other = panel.compute(pin.look) if pin is not None and panel.compared else None
        drawn = panel.draw(numbers) if other is None or isinstance(other, str) else panel.draw(numbers, other)
        made = card(drawn, panel.says, panel.tell(numbers))
    except ValueError as error:
        return unable(name, panel.title, f"Not applicable: {error}")
    except Exception as error:  # the page says it in a sentence; the terminal has the whole of it
        traceback.print_exc(file=sys.stderr)
        return unable(name, panel.title, f"This panel could not be computed: {type(error).__name__}.")
    _COMPILED.add(shape)
    return made


def panel_output(name: str, look: Look | str, pin: "Pin | None" = None) -> mo.Html | None:
    """A panel as the output of its cell; nothing where the state has no scene, which the page says once."""
    if isinstance(look, str):
        return None
    return mo.Html(panel_html(name, look, lambda html: mo.output.replace(mo.Html(html)), pin))


def claims_output(look: Look | str) -> mo.Html | None:
    """The table of what each claim says of this state before any training."""
    if isinstance(look, str):
        return None
    mo.output.replace(mo.Html(waiting("claims", "What the theorems say here", "checking")))
    try:
        table = claim_table(look.claims)
    except ValueError as error:
        return mo.Html(unable("claims", "What the theorems say here", f"Not applicable: {error}"))
    return mo.Html(
        wrapped(
            '<section class="card" data-testid="panel-claims"><h3>What the theorems say here</h3>'
            f'<p class="says">{CLAIMS_SAY}</p>{table}</section>'
        )
    )


class Run:
    """A run of one state. It begins at the first advance, and one thread at a time advances it.

    seen: its history so far, None before the first advance.  frame: where it stands.  claims: what the claims say of
    it, and dead, how many features are 0 at every point; None while it goes on.
    """

    def __init__(self, look: Look) -> None:
        self.look = look
        self.scene = look.scene
        self.seen: History | None = None
        self.frame: Frame | None = None
        self.claims: list[ClaimLine] | None = None
        self.dead: int | None = None
        self._lock = threading.Lock()
        self._training: Training | None = None

    @property
    def compiled(self) -> bool:
        return ("training", compiled_for(self.scene.state, self.scene.own)) in _COMPILED

    @property
    def over(self) -> bool:
        return self._training is not None and self._training.over

    def play(self, stopped: Callable[[], bool], show: Callable[[], None]) -> None:
        """Advance and show, again and again, until stopped or over; what another thread began is waited for."""
        with self._lock:
            while not stopped() and not self.over:
                self.claims = self.dead = None
                self._training = self._training or Training(self.scene)
                frame = self._training.advance(seconds=BREATH)
                self.seen, self.frame = self._training.history, frame
                _COMPILED.add(("training", compiled_for(self.scene.state, self.scene.own)))
                if not stopped():
                    show()
        if self.over:
            self.judge()
            if not stopped():
                show()

    def judge(self) -> None:
        """Ask the claims about the run as it stands, unless that was done or it has not begun."""
        with self._lock:
            if self._training is not None and self.seen is not None and self.claims is None:
                self.claims = claims_after(self._training, self.look.panels)
                with self.scene.arithmetic():
                    found = layers(self.scene, self._training.params)
                self.dead = None if isinstance(found, str) else int(found.dead.sum())

    @contextmanager
    def stopped(self) -> Iterator[Training]:
        """The training, which nothing advances meanwhile; begun, but at step 0, where it was not."""
        with self._lock:
            if self._training is None:
                self._training = Training(self.scene)
            if self.frame is None:
                self._training.advance(0)
            yield self._training


class Pin(NamedTuple):
    """A run that was put aside to compare with; history: None where it had not begun."""

    look: Look
    history: History | None

    @property
    def state(self) -> State:
        return self.look.scene.state


class Desk:
    """What lies on one open page beside its controls: the run that its buttons speak of."""

    def __init__(self) -> None:
        self.run: Run | None = None

    def lay(self, look: Look | str) -> Run | None:
        """A new run of the state, not yet begun; None where it has no scene."""
        self.run = None if isinstance(look, str) else Run(look)
        return self.run

    def pinned(self) -> Pin | None:
        """The run as it stands, to compare with."""
        return None if self.run is None else Pin(self.run.look, self.run.seen)


def look_of(state: State, own: UserModel | None) -> Look | str:
    """The state's scene to look at, or the sentence that says why there is none."""
    try:
        return Look(scene(state, own))
    except (ValueError, MemoryError) as error:
        return str(error) or "This state does not fit into memory."

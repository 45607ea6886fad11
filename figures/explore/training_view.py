"""The part of the page that trains: its bar, and the run as it goes, beside the one that was pinned."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import marimo as mo

from experiments.explore.state import CONTROLS, Range, State
from figures.explore import pictures
from figures.explore.controls import TRAINING, WORDS, setting, shown_value, stops
from figures.explore.page import claim_table, numbers, step_marks, wrapped
from figures.explore.session import Desk, Look, Pin, Run
from figures.explore.svg import legend, plain_number, svg

STATUS = {
    "running": "running",
    "reached": "reached the loss where it stops",
    "exhausted": "took all its steps",
    "diverged": "diverged: the loss is no longer a number, so the step size is too large for this network",
}


def buttons(desk: Desk, *, play: Callable[[bool], None], restart: Callable[[], None], pin: Callable[..., None]) -> Any:
    """Train, stop, start over, pin and unpin; each says by its tooltip what it does."""
    made = {
        "train": ("Train", "run gradient descent, on from where it stands", lambda: play(True)),
        "stop": ("Stop", "hold; Train goes on to the same bits", lambda: play(False)),
        "restart": ("Start over", "back to step 0", restart),
        "pin": ("Pin this run", "keep its curves dotted, to compare the next run with", lambda: pin(desk.pinned())),
        "unpin": ("Unpin", "forget the pinned run", lambda: pin(None)),
    }
    return mo.ui.dictionary(
        {
            name: mo.ui.button(
                label=label,
                tooltip=tooltip,
                on_click=lambda _, act=act: act(),
                kind="success" if name == "train" else "neutral",
            )
            for name, (label, tooltip, act) in made.items()
        }
    )


def bar(rates: Any, pressed: Any) -> str:
    """The training's controls in a line."""
    sliders = "".join(setting(rates[name], name) for name in TRAINING)
    row = "".join(f"{pressed[name]}" for name in pressed.elements)
    return wrapped(
        f'<section class="card" data-testid="training"><h3>Train by plain gradient descent</h3>'
        f'<div class="bar"><div class="buttons">{row}</div>{sliders}</div></section>'
    )


def takes(look: Look | str, state: State, take: Callable[[State], None]) -> Any:
    """Buttons that take one of the step sizes that theory names; none where nothing is known."""
    allowed = CONTROLS["step_size"]
    assert isinstance(allowed, Range)

    def taken(value: float) -> None:
        take(replace(state, step_size=float(f"{min(max(value, allowed.low), allowed.high):.3g}")))

    return mo.ui.dictionary(
        {
            name: mo.ui.button(label=name, on_click=lambda _, value=value: taken(value))
            for name, value in _named_steps(look)
            if value is not None and 0.0 < value < math.inf
        }
    )


def _named_steps(look: Look | str) -> list[tuple[str, float | None]]:
    if isinstance(look, str):
        return []
    try:
        known = look.marks
    except ValueError:  # the panels say why
        return []
    return [("1/S(R)", known.safe), ("2N/λ_max", known.kernel), ("edge 2/|∇²L|", known.edge)]


def marks(look: Look | str, state: State, buttons: Any) -> mo.Html | None:
    """Under the step size's slider: what theory says about it."""
    named = _named_steps(look)
    if not named:
        return None
    row = "".join(f"{buttons[name]}" for name in buttons.elements)
    return mo.Html(step_marks(named, state.step_size, stops("step_size", state.step_size), row))


def live(run: Run | None, *, playing: bool, pin: Pin | None) -> mo.Html | None:
    """The run's curves; while it plays, a thread advances it and draws them anew."""
    if run is None:
        return None

    def show() -> None:
        mo.output.replace(mo.Html(run_html(run, pin)))

    if playing and not run.over:
        mo.Thread(target=lambda: run.play(lambda: mo.current_thread().should_exit, show), daemon=True).start()
    elif not playing:
        run.judge()
    return mo.Html(run_html(run, pin, playing=playing))


def run_html(run: Run, pin: Pin | None, *, playing: bool = False) -> str:
    """Where the run stands, and its five pictures."""
    history, frame = run.seen, run.frame
    if history is None or frame is None:
        why = "compiling the training step for this shape" if playing and not run.compiled else ""
        words = (
            f'<p class="wait" role="status">{why}</p>'
            if why
            else (
                '<p class="says">Press Train: the loss falls here, live, with the bounds that the theorems give at '
                "every step. Moving a control while it trains starts the new network at once.</p>"
            )
        )
        return wrapped(f'<section class="card" data-testid="run">{words}{_told_pin(run, pin)}</section>')
    other = pin.history if pin else None
    plots = pictures.run_plots(history, other, target=run.scene.state.target)
    key = (
        "<div class='key'><p class='says'>Solid: this run. Dotted: the pinned one. Dashed: what the theorems give; "
        "where their hypotheses hold, the loss stays below its dashed line and the run inside its radius.</p></div>"
    )
    drawn = "".join(f"<div><h3>{plot.title}</h3>{svg(plot)}{legend(plot)}</div>" for plot in plots)
    judged = (
        f"<details open><summary>What the theorems say of this run</summary>{claim_table(run.claims)}</details>"
        if run.claims
        else ""
    )
    facts = numbers(
        (
            ("Step", f"{frame.step:,}"),
            ("Loss", plain_number(frame.loss)),
            ("μ_s", plain_number(frame.rate)),
            ("Curvature seen", plain_number(frame.curvature)),
            *(() if run.dead is None else (("Dead units", str(run.dead)),)),
            ("Run", STATUS[frame.status]),
        )
    )
    return wrapped(
        f'<section class="card" data-testid="run" data-step="{frame.step}" data-status="{frame.status}">{facts}'
        f'{_told_pin(run, pin)}<div class="runs">{drawn}{key}</div>{judged}</section>'
    )


def _told_pin(run: Run, pin: Pin | None) -> str:
    """In what the run differs from the pinned one, and how many steps each has needed."""
    if pin is None:
        return ""
    names = [name for name in WORDS if getattr(run.scene.state, name) != getattr(pin.state, name)]
    changed = ", ".join(
        f"{WORDS[name][0]} {shown_value(getattr(pin.state, name))} → {shown_value(getattr(run.scene.state, name))}"
        for name in names
    )
    stands = "The pinned state was not trained."
    if pin.history is not None:
        steps, loss = f"{int(pin.history.step[-1]):,}", plain_number(float(pin.history.loss[-1]))
        stands = f"The pinned run (dotted) stands at step {steps}, loss {loss}."
    return f'<p class="fact" data-testid="pin">{stands} Changed since: {changed or "nothing"}.</p>'

"""The page's pieces as HTML: cards, the line of findings, the table of claims, the marks under the step size."""

import math
from collections.abc import Iterable, Sequence
from html import escape

import numpy as np

from figures.explore.plot import Plot
from figures.explore.svg import legend, plain_number, svg

QUESTION = "Does more uniform training data make gradient descent faster?"
LEAD = (
    "Move two training points closer together (a smaller h_min), change the network, and see at once what the theorems "
    "say and what training does. Everything on this page is computed now, on this machine. New here? Start one of the "
    "four findings, then compare. After that, pin any run, change one control, and see for yourself."
)


def wrapped(html: str) -> str:
    """A piece under the page's own style."""
    return f'<div class="explore">{html}</div>'


def card(plot: Plot, says: str, fact: str = "") -> str:
    """A panel: its title, its drawing, what one sees and what it found here."""
    told = f'<p class="fact" data-testid="fact-{plot.name}">{escape(fact)}</p>' if fact else ""
    return wrapped(
        f'<section class="card" data-testid="panel-{plot.name}"><h3>{escape(plot.title)}</h3>{svg(plot)}{legend(plot)}'
        f'{told}<p class="says">{escape(says)}</p></section>'
    )


def waiting(name: str, title: str, why: str) -> str:
    """A panel whose numbers are not there yet, and why."""
    return wrapped(
        f'<section class="card" data-testid="panel-{name}"><h3>{escape(title)}</h3>'
        f'<p class="wait" role="status" data-testid="wait-{name}">{escape(why)}</p></section>'
    )


def unable(name: str, title: str, why: str) -> str:
    """A panel that does not apply to this state, and why."""
    return wrapped(
        f'<section class="card" data-testid="panel-{name}"><h3>{escape(title)}</h3>'
        f'<p class="fact" data-testid="fact-{name}">{escape(why)}</p></section>'
    )


def problem_list(sentences: Iterable[str]) -> str:
    """What stands in the way of a state."""
    items = "".join(f'<p class="problem">{escape(sentence)}</p>' for sentence in sentences)
    return wrapped(f'<div role="alert" data-testid="problems">{items}</div>') if items else ""


def header(cards: Sequence[tuple[str, str, str]]) -> str:
    """The question, and the guided findings: title, what will be seen, buttons."""
    items = "".join(
        f'<section class="preset"><h3>{escape(title)}</h3><p>{escape(finding)}</p>'
        f'<div class="buttons">{buttons}</div></section>'
        for title, finding, buttons in cards
    )
    return wrapped(f'<h1>{escape(QUESTION)}</h1><p class="lead">{escape(LEAD)}</p><div class="presets">{items}</div>')


def guide(words: str) -> str:
    """What to look at in the finding that was chosen."""
    return wrapped(f'<p class="look" role="status" data-testid="look">{escape(words)}</p>') if words else ""


def claim_table(lines: Iterable[tuple[str, str, str, str]]) -> str:
    """One line a claim: its id, its title, its fate, the sentence that says why or by how much."""
    rows = "".join(_claim_row(claim, title, fate.replace("_", " "), sentence) for claim, title, fate, sentence in lines)
    head = "<tr><th>Claim</th><th>Says</th><th>Fate here</th><th>Why, and by how much</th></tr>"
    return f'<table class="claims"><thead>{head}</thead><tbody>{rows}</tbody></table>'


def _claim_row(claim: str, title: str, fate: str, sentence: str) -> str:
    return (
        f'<tr data-claim="{escape(claim)}"><td>{escape(claim)}</td><td>{escape(title)}</td>'
        f'<td><span class="fate {fate.replace(" ", "-")}">{escape(fate)}</span></td><td>{escape(sentence)}</td></tr>'
    )


def numbers(facts: Iterable[tuple[str, str]]) -> str:
    """A line of named numbers."""
    return '<p class="numbers">' + "".join(f"<span>{escape(k)} <b>{escape(v)}</b></span>" for k, v in facts) + "</p>"


def step_marks(marks: Sequence[tuple[str, float | None]], chosen: float, stops: Sequence[float], tries: str) -> str:
    """What theory says about the step size, on the slider's own axis; a mark beyond it stands at its end.

    stops: the slider's, increasing, which it spaces evenly.  tries: buttons that take a mark's value.
    """
    known = sorted(
        ((name, value) for name, value in marks if value is not None and value > 0), key=lambda mark: mark[1]
    )
    parts = [_strip_mark("here", f"η = {plain_number(chosen)}", _share(chosen, stops), 0)]
    for row, (name, value) in enumerate(known, 1):
        arrow = "← " if value < stops[0] else "→ " if value > stops[-1] else ""
        parts.append(_strip_mark("theory", f"{arrow}{name} = {plain_number(value)}", _share(value, stops), row))
    missing = [name for name, value in marks if value is None]
    told = f'<p class="says">Not known for this network: {", ".join(missing)}.</p>' if missing else ""
    return wrapped(
        f'<section class="card under" data-testid="marks"><div class="strip" style="--rows:{len(known) + 1}">'
        f'{"".join(parts)}</div><div class="bar"><span class="says">Up to 1/S(R) every step is proved to descend; '
        f"beyond the edge, training is unstable. Take a mark:</span>{tries}</div>{told}</section>"
    )


def _share(value: float, stops: Sequence[float]) -> float:
    """Where on the slider a value stands, from 0 to 1."""
    return float(np.interp(math.log(value), np.log(stops), np.linspace(0.0, 1.0, len(stops))))


def _strip_mark(kind: str, text: str, share: float, row: int) -> str:
    side = "left" if share < 0.75 else "right"
    return f'<i class="{kind} {side}" style="left:{share:.2%};--row:{row}"><span>{escape(text)}</span></i>'


def shared(button: str, *, query: str, toml: str) -> str:
    """How to come back to what is shown, and to take it along."""
    told = f"?{query}" if query else "the default"
    return wrapped(
        '<section class="card" data-testid="share"><h3>Keep and share</h3><div class="share">'
        f'{button}<span>The address of this page says its state: <code data-testid="query">{escape(told)}</code></span>'
        "<details><summary>The same as a file, for <code>uniformity explore --state FILE</code></summary>"
        f'<pre data-testid="toml">{escape(toml)}</pre></details></div></section>'
    )


def state_line(words: str) -> str:
    """What is looked at, in words."""
    return wrapped(f'<p class="says" data-testid="state">Looking at: {escape(words)}.</p>')

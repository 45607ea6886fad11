"""A page that needs no server: one state's neighbours, trained beforehand, in one file that loads nothing.

Every picture is drawn by the same functions as on the live page; a few lines of script show the one that is asked for.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

from experiments.explore.claims_after import claims_after
from experiments.explore.problems import problems
from experiments.explore.state import State, idle_controls, to_toml
from experiments.explore.training import Training
from experiments.provenance import provenance
from experiments.records import write_atomically
from experiments.user_model import UserModel
from figures.explore import pictures
from figures.explore.controls import WORDS, shown_value
from figures.explore.page import QUESTION, claim_table, numbers
from figures.explore.session import PANELS, Look, look_of
from figures.explore.svg import legend, plain_number, svg
from figures.explore.training_view import STATUS

MOST_STEPS = 20_000
SHARES = (0.125, 0.25, 0.5, 1.0, 2.0)
"""The h_min of the neighbours, as multiples of the state's own."""
LABELLINGS = ("gap", "smooth")
STYLE = Path(__file__).with_name("page.css")
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


class Axis(NamedTuple):
    """A control of the page: a field of the state and the values that were computed."""

    name: str
    values: tuple[Any, ...]


def axes_of(first: State, own: UserModel | None) -> list[Axis]:
    """What the page varies: h_min, labels, skip connections, each where the state has it and it can be had."""
    idle = idle_controls(first)
    axes = [Axis("labelling", tuple(dict.fromkeys((first.labelling, *LABELLINGS))))]
    if "h" not in idle:
        heights = sorted({float(f"{first.h * share:.4g}") for share in SHARES} | {first.h})
        possible = [h for h in heights if h == first.h or (h <= 10.0 and not problems(replace(first, h=h), own))]
        axes.insert(0, Axis("h", tuple(possible)))
    if "skip" not in idle:
        axes.append(Axis("skip", (first.skip, not first.skip)))
    return axes


def _grid(first: State, axes: list[Axis]) -> Iterator[tuple[str, State]]:
    """Every combination, by the places of its values."""
    places = [[]]
    for axis in axes:
        places = [[*before, k] for before in places for k in range(len(axis.values))]
    for place in places:
        changed = {axis.name: axis.values[k] for axis, k in zip(axes, place)}
        yield "-".join(map(str, place)), replace(first, **changed)


def write_page(
    path: Path, first: State, own: UserModel | None, *, progress: Callable[[int, int], None] | None = None
) -> None:
    """Compute the grid around a state and write the page; nothing is written before all of it is there."""
    axes = axes_of(first, own)
    grid = dict(_grid(first, axes))
    start = "-".join(str(axis.values.index(getattr(first, axis.name))) for axis in axes)
    order = [start, *(key for key in grid if key != start)]
    runs, views = {}, {}
    for done, key in enumerate(order):
        look = look_of(grid[key], own)
        if isinstance(look, str):
            raise ValueError(look)
        runs[key] = training = Training(look.scene)
        training.advance(MOST_STEPS)
        views[key] = _view(look, training, None if key == start else runs[start])
        if progress is not None:
            progress(done + 1, len(grid))
    write_atomically(path, _html(first, axes, start, views).encode())


def _view(look: Look, training: Training, pinned: Training | None) -> str:
    """All panels of one state, as HTML."""
    history, other = training.history, None if pinned is None else pinned.history
    frame = training.frame
    plots = [
        pictures.loss_plot(history, other, target=look.scene.state.target),
        pictures.gap_plot(history, other),
        pictures.rates_plot(history, other),
    ]
    cells = [
        f'<section class="card"><h3>{escape(plot.title)}</h3>{svg(plot)}{legend(plot)}</section>' for plot in plots
    ]
    for panel in PANELS.values():
        found = panel.compute(look)
        if isinstance(found, str):
            cells.append(f'<section class="card"><h3>{escape(panel.title)}</h3><p>{escape(found)}</p></section>')
            continue
        plot = panel.draw(found)
        cells.append(
            f'<section class="card"><h3>{escape(panel.title)}</h3>{svg(plot)}{legend(plot)}'
            f'<p class="fact">{escape(panel.tell(found))}</p><p class="says">{escape(panel.says)}</p></section>'
        )
    facts = numbers(
        (
            ("Steps", f"{frame.step:,}"),
            ("Loss", plain_number(frame.loss)),
            ("Run", STATUS[frame.status] if frame.status != "running" else f"stopped after {MOST_STEPS:,} steps"),
        )
    )
    before, after = claim_table(look.claims), claim_table(claims_after(training, look.panels))
    return (
        f'{facts}<div class="grid">{"".join(cells)}</div><h2>What the theorems say before training</h2>{before}'
        f"<h2>What they say of the run</h2>{after}"
    )


_LAYOUT = """
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.45 system-ui, "DejaVu Sans", sans-serif; }
main { max-width: 1240px; margin: 0 auto; padding: 20px 22px 48px; }
.grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(280px, 1fr)); gap: 14px; margin: 12px 0 18px; }
fieldset { border: 1px solid var(--line); border-radius: 8px; display: inline-flex; gap: 4px 16px; flex-wrap: wrap;
  margin: 12px 10px 4px 0; padding: 6px 12px 8px; background: var(--card); }
legend { color: var(--soft); font-size: 0.82rem; padding: 0 4px; }
label { font-size: 0.92rem; cursor: pointer; }
h2 { margin: 22px 0 6px !important; }
footer { color: var(--soft); font-size: 0.82rem; margin-top: 24px; }
pre { white-space: pre-wrap; }
"""

_SCRIPT = """
const views = JSON.parse(document.getElementById("views").textContent);
function show() {
  const key = [...document.querySelectorAll("fieldset")].map(f => f.querySelector("input:checked").value).join("-");
  document.getElementById("view").innerHTML = views[key];
  document.getElementById("view").dataset.key = key;
}
document.addEventListener("change", show);
show();
"""


def _html(first: State, axes: list[Axis], start: str, views: dict[str, str]) -> str:
    chosen = dict(zip([axis.name for axis in axes], map(int, start.split("-"))))
    fields = "".join(
        f"<fieldset><legend>{escape(WORDS[axis.name][0])}</legend>"
        + "".join(
            f'<label><input type="radio" name="{axis.name}" value="{k}"{" checked" if k == chosen[axis.name] else ""}> '
            f"{escape(shown_value(value))}</label>"
            for k, value in enumerate(axis.values)
        )
        + "</fieldset>"
        for axis in axes
    )
    made = provenance()
    data = json.dumps(views).replace("<", "\\u003c")
    dark = STYLE.read_text().split(".dark {", 1)[1].split("}", 1)[0]
    theme = f"{STYLE.read_text()}\n@media (prefers-color-scheme: dark) {{ :root {{{dark}}} }}\n{_LAYOUT}"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(QUESTION)}</title>\n<style>{theme}</style>\n</head>\n<body>\n"
        f'<main class="explore">\n<h1>{escape(QUESTION)}</h1>\n<p class="lead">Each choice below was trained '
        f"beforehand by plain gradient descent, for at most {MOST_STEPS:,} steps; the dotted curves are the first "
        f"choice's. Solid: measured. Dashed: what the theorems give.</p>\n{fields}\n"
        f'<div id="view" aria-live="polite"></div>\n<footer>Made by <code>uniformity explore --export</code>, commit '
        f"{escape(str(made['commit']))}, from the state<pre>{escape(to_toml(first))}</pre></footer>\n</main>\n"
        f'<script type="application/json" id="views">{data}</script>\n<script>{_SCRIPT}</script>\n</body>\n</html>\n'
    )

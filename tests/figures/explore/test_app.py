"""The page's cells without a browser: every panel, live training, extreme settings as sentences."""

import contextlib
import io
import zipfile
from io import BytesIO

import numpy as np
import pytest

from experiments.explore.state import CONTROLS, State, load_state
from experiments.explore.training import Training
from experiments.records import RecordStore
from figures.explore import app as page_module
from figures.explore import controls, session, training_view
from figures.explore.export import bundle
from figures.explore.opened import OPENED

SMALL = State(num_points=5, dim=2, depth=1, width=4, h=0.2, target=0.02, step_size=0.05)


@pytest.fixture(scope="module")
def look():
    return session.look_of(SMALL, None)


def test_the_cells_run_and_show_every_panel(monkeypatch):
    monkeypatch.setattr("figures.explore.opened.first_state", lambda query: (SMALL, ""))
    outputs, defined = page_module.app.run()
    text = "".join(output.text for output in outputs if hasattr(output, "text"))
    for name in (*session.PANELS, "claims"):
        assert f'data-testid="panel-{name}"' in text
    assert text.count("<tr data-claim=") == len(defined["look"].claims) >= 8
    for name in CONTROLS:
        assert f'data-control="{name}"' in text
    assert defined["state"] == SMALL and defined["run"].scene.state == SMALL


def test_controls_give_back_the_state_that_they_were_made_from():
    unusual = State(kind="plain", depth=5, width=7, bottleneck=9, h=0.123, seed=31, step_size=0.0123, skip=False)
    for state in (State(), unusual):
        for names in (controls.SHAPE, controls.TRAINING):
            assert controls.asked(controls.elements(state, names).value, state) == state
    assert set(controls.SHAPE) | set(controls.TRAINING) == set(CONTROLS) == set(controls.WORDS)


def test_a_run_is_the_library_s_own_wherever_it_was_stopped(look):
    run, shown = session.Run(look), []
    run.play(lambda: len(shown) >= 2, lambda: shown.append(run.frame.step))
    run.play(lambda: len(shown) >= 4, lambda: shown.append(run.frame.step))
    whole = Training(look.scene)
    frame = whole.advance(run.frame.step)
    assert frame.loss == run.frame.loss and frame.displacement == run.frame.displacement
    run.judge()
    assert {line.id for line in run.claims} >= {"R3", "G1"} and all(line.fate != "violated" for line in run.claims)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"h": 5.0}, "h must lie in"),
        ({"depth": 64, "width": 4096}, "parameter arrays must be at most"),
        ({"kind": "transformer", "heads": 3}, "heads"),
        ({"kind": "own"}, "kind"),
    ],
)
def test_what_cannot_be_is_a_sentence(change, words):
    found = session.look_of(State(**change), None)
    assert isinstance(found, str) and words in found and "\n" not in found and "Traceback" not in found
    assert session.Desk().lay(found) is None and session.panel_output("points", found) is None


def test_a_step_size_past_stability_ends_as_an_outcome(look):
    run = session.Run(look.at(State(**{**vars(SMALL), "step_size": 1e3})))
    run.play(lambda: False, lambda: None)
    assert run.over and run.frame.status == "diverged"
    assert "diverged" in training_view.run_html(run, None)


def test_pinning_overlays_and_says_what_changed(look):
    desk = session.Desk()
    assert desk.pinned() is None
    run = desk.lay(look)
    assert desk.pinned().history is None
    run.play(lambda: run.frame is not None, lambda: None)
    pin = desk.pinned()
    other = session.Run(look.at(State(**{**vars(SMALL), "step_size": 0.01})))
    other.play(lambda: other.frame is not None, lambda: None)
    html = training_view.run_html(other, pin)
    assert "Step size 0.05 → 0.01" in html and "pinned: loss" in html
    assert "pinned" not in training_view.run_html(other, None).replace("the pinned one", "")


def test_two_pages_do_not_mix(look):
    first, second = session.Desk(), session.Desk()
    first.lay(look).play(lambda: first.run.frame is not None, lambda: None)
    assert second.run is None and second.lay(look).frame is None


def test_the_export_is_the_run_to_the_bit(look, tmp_path):
    desk = session.Desk()
    run = desk.lay(look)
    run.play(lambda: run.frame is not None, lambda: None)
    with run.stopped() as training:
        data = bundle(look, training)
        assert bundle(look, training) == data
    with zipfile.ZipFile(BytesIO(data)) as archive:
        archive.extractall(tmp_path)
    folder = tmp_path / "uniformity-explore"
    assert load_state(folder / "state.toml") == SMALL
    assert (folder / "figure.pdf").read_bytes().startswith(b"%PDF")
    (path,) = (folder / "record").glob("*.json")
    stored = RecordStore(folder / "record").get(path.stem)
    np.testing.assert_array_equal(stored.arrays["loss"], run.seen.loss)
    assert stored.scalars["step"] == run.frame.step and stored.scalars["loss"] == run.frame.loss
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile((folder / "reproduce.py").read_text(), "reproduce.py", "exec"), {"__name__": "__main__"})
    lines = dict(line.split(" = ") for line in printed.getvalue().splitlines())
    assert lines["loss"] == repr(run.frame.loss) and lines["displacement"] == repr(run.frame.displacement)


def test_no_page_names_a_model_of_its_own():
    assert OPENED.own is None and "model" not in CONTROLS

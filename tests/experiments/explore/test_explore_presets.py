"""Each of the four findings is there to be seen, and an exported run comes out again to the bit."""

import subprocess
import sys

import numpy as np
import pytest

from experiments.explore.layers import layers
from experiments.explore.panels import measure
from experiments.explore.presets import PRESETS
from experiments.explore.problems import problems
from experiments.explore.record import numbers, record
from experiments.explore.scene import scene
from experiments.explore.snippet import snippet
from experiments.explore.training import Training
from experiments.records import RecordStore
from theory import step_floor

GAP, SMOOTH, SKIP, DEAD = PRESETS


def run(state, steps=40_000):
    training = Training(scene(state))
    return training, training.advance(steps)


def linear_floor(training):
    """R3 with the gradient gap of the start, as the page shows it."""
    history, state = training.history, training.scene.state
    return step_floor.step_floor(
        history.gap[0],
        history.gradient_gap[0],
        target_loss=state.target,
        initial_loss=history.loss[0],
        step_size=state.step_size,
        num_points=state.num_points,
    )


def test_they_can_be_computed_and_say_what_to_look_at():
    for preset in PRESETS:
        assert problems(preset.first) == problems(preset.second) == []
        assert preset.finding.endswith(".") and preset.look.endswith(".")
        assert preset.first != preset.second


def test_with_a_label_gap_a_quarter_of_h_min_takes_about_four_times_the_steps():
    assert GAP.first.h == 4 * GAP.second.h and GAP.first.labelling == "gap"
    (first, far), (second, near) = run(GAP.first), run(GAP.second)
    assert far.status == near.status == "reached"
    assert 3.0 < near.step / far.step < 5.0
    assert linear_floor(second) > 10 * linear_floor(first) > 10


def test_with_smooth_labels_the_same_h_min_costs_nothing():
    assert SMOOTH.first.h == 4 * SMOOTH.second.h and SMOOTH.first.labelling == "smooth"
    (first, far), (second, near) = run(SMOOTH.first), run(SMOOTH.second)
    assert far.status == near.status == "reached"
    assert near.step <= 1.1 * far.step
    assert max(linear_floor(first), linear_floor(second)) < 1


def test_the_skip_keeps_points_apart():
    with_skip, without = (layers(scene(state)) for state in (SKIP.first, SKIP.second))
    assert not isinstance(with_skip, str) and not isinstance(without, str)
    assert with_skip.separation[0] == without.separation[0]
    assert with_skip.separation.min() > 0.8 * with_skip.separation[0]
    assert without.separation[-1] < 0.1 * without.separation[0]


def test_dead_relu_units_stall():
    (stalled, dead), (_, alive) = run(DEAD.first, 12_000), run(DEAD.second, 12_000)
    assert DEAD.first.activation == "relu" and alive.status == "reached"
    assert dead.status == "running" and dead.loss > 50 * DEAD.first.target and dead.rate < 1e-12
    found = layers(stalled.scene, stalled.params)
    assert not isinstance(found, str) and found.dead[-1] == 3


@pytest.fixture(scope="module")
def shown():
    training = Training(scene(DEAD.first))
    training.advance(30)
    return training


@pytest.fixture(scope="module")
def panels(shown):
    return measure(shown.scene)


def test_the_snippet_prints_the_same_bits(tmp_path, shown, panels):
    script = tmp_path / "again.py"
    script.write_text(snippet(DEAD.first, 30))
    printed = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=200)
    assert printed.stderr == ""
    expected = {name: repr(value) for name, value in numbers(shown, panels).items()}
    assert dict(row.split(" = ") for row in printed.stdout.splitlines()) == expected


def test_the_record_is_stored_and_found_again(tmp_path, shown, panels):
    made = record(shown, panels)
    RecordStore(tmp_path).put(made)
    found = RecordStore(tmp_path).get(made.key)
    assert found is not None and found.scalars == made.scalars and found.config["steps"] == 30
    assert found.scalars["loss"] == shown.frame.loss
    assert np.array_equal(found.arrays["loss"], shown.history.loss)
    shown_more = record(_advanced(shown, 1), panels)
    assert shown_more.key != made.key


def _advanced(training, steps):
    training.advance(steps)
    return training

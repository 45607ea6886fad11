"""A run against experiments.descent and numpy, and that stopping it changes nothing."""

from dataclasses import replace

import numpy as np
import pytest
from numpy_network import SHAPE, flatten, jacobian, residual_mlp

from experiments.curvature import segment_hessian_norm
from experiments.descent import Problem, descend, descent_step
from experiments.explore.scene import scene
from experiments.explore.state import State
from experiments.explore.training import KEPT, Training
from theory import descent_product


@pytest.fixture(scope="module")
def run(small_scene):
    training = Training(small_scene)
    training.advance(40)
    return training


def finished(shown, steps):
    """The same run by experiments.descent alone."""
    import jax

    params, x, y = jax.tree.map(lambda leaf: np.asarray(leaf)[None], (shown.params, shown.x, shown.y))
    problem = Problem(
        x,
        y,
        np.array([shown.state.step_size]),
        np.array([shown.points.pair]),
        np.array([shown.state.target]),
        np.array([steps], np.int32),
    )
    return next(descend(shown.model, params, problem, chunk=64))


def test_the_trace_is_that_of_descent(small_scene, run):
    trace, history = finished(small_scene, 40).trace, run.history
    assert history.step.tolist() == list(range(41))
    for name in ("loss", "path_length", "parameter_norm", "gap", "gradient_gap"):
        assert getattr(history, name) == pytest.approx(getattr(trace, name), rel=1e-9)
    assert history.rate == pytest.approx(trace.gradient_square / (2 * trace.loss), rel=1e-8)
    assert run.totals.gradient_square_sum == pytest.approx(trace.gradient_square[:-1].sum(), rel=1e-9)
    assert run.totals.gradient_gap == pytest.approx(trace.gradient_gap.max(), rel=1e-9)


def test_kernel_and_distances_are_those_of_numpy(small_scene):
    training, x, y = Training(small_scene), np.asarray(small_scene.x), np.asarray(small_scene.y)
    training.advance(3)
    theta = first = flatten(small_scene.params)
    start = jacobian(theta, x, **SHAPE)
    for _ in range(3):
        rows = jacobian(theta, x, **SHAPE)
        theta = theta - 0.005 / 12 * rows.T @ (residual_mlp(theta, x, **SHAPE) - y)
    rows, residual = jacobian(theta, x, **SHAPE), residual_mlp(theta, x, **SHAPE) - y
    kernel, before = rows @ rows.T, start @ start.T
    values, frame = np.linalg.eigvalsh(kernel), training.frame
    assert frame.step == 3
    assert frame.loss == pytest.approx(residual @ residual / 24)
    assert (frame.kernel_rate, frame.kernel_top) == pytest.approx((values[0] / 12, values[-1] / 12), rel=1e-7)
    assert frame.drift == pytest.approx(np.linalg.norm(kernel - before) / np.linalg.norm(before))
    assert frame.displacement == pytest.approx(np.linalg.norm(theta - first))
    assert frame.rate == pytest.approx(residual @ kernel @ residual / 12 / (residual @ residual))
    assert frame.gap == pytest.approx(residual[0] - residual[1])
    assert frame.radius == pytest.approx(np.sqrt(2 * 3 * 0.005 * training.history.loss[0]))


def test_the_product_is_the_theorem_of_the_kernels_own_rates(run):
    history = run.history
    for last in (1, 7, 40):
        rates = np.where(history.resolved, history.kernel_rate, 0.0)[:last]
        bound = descent_product.product_ceiling(history.loss[0], rates, step_size=0.005)
        assert history.product[last] == pytest.approx(float(bound), rel=1e-12)


def test_curvature_is_looked_at_on_segments(small_scene, run):
    shown, params, largest = small_scene, small_scene.params, 0.0
    for step in range(33):
        after = descent_step(shown.model, params, shown.x, shown.y, step_size=0.005)
        if step in (0, 1, 2, 4, 8, 16, 32):
            largest = max(largest, segment_hessian_norm(shown.model, params, after, shown.x, shown.y))
        params = after
    assert run.frame.curvature == pytest.approx(largest, rel=1e-6)


def test_stopping_and_continuing_changes_no_bit(small_scene):
    whole, cut = Training(small_scene), Training(small_scene)
    end = whole.advance(1100)
    for steps in (0, 1, 16, 33, 500, 550):
        cut.advance(steps)
    timed = cut.advance(seconds=0.0)
    assert end == timed == cut.frame and end.step == 1100
    assert whole.totals == cut.totals
    assert all(np.array_equal(a, b) for a, b in zip(whole.history, cut.history))


def test_time_is_kept_and_the_steps_it_gave_can_be_repeated(small_scene):
    timed = Training(small_scene)
    frame = timed.advance(seconds=0.2)
    assert frame.step >= 16
    assert Training(small_scene).advance(frame.step) == frame


def test_a_long_history_is_thinned_to_even_steps(small_scene):
    training = Training(small_scene._replace(state=replace(small_scene.state, target=1e-30)))
    training.advance(2 * KEPT + 700)
    steps = training.history.step
    assert KEPT <= len(steps) <= 2 * KEPT + 2
    assert steps[0] == 0 and steps[-1] == 2 * KEPT + 700
    assert set(np.diff(steps[:-1])) == {2}


def test_a_run_ends_at_its_target_and_stays(small_scene, run):
    target = 0.5 * float(run.history.loss[0])
    training = Training(small_scene._replace(state=replace(small_scene.state, target=target)))
    frame = training.advance(10_000)
    assert frame.status == "reached" and training.over and frame.loss <= target < training.history.loss[-2]
    assert training.advance(100) == frame == training.advance(seconds=0.1)


def test_divergence_is_an_outcome(small_scene):
    training = Training(small_scene._replace(state=replace(small_scene.state, step_size=10.0)))
    frame = training.advance(1000)
    assert frame.status == "diverged" and frame.step < 100 and not np.isfinite(frame.loss)


def test_sessions_do_not_mix(small_scene):
    first, second = Training(small_scene), Training(scene(State(**SHAPE, h=0.3)))
    alone = Training(scene(State(**SHAPE, h=0.3))).advance(30)
    for _ in range(3):
        first.advance(10)
        second.advance(10)
    assert second.frame == alone != first.frame


@pytest.mark.parametrize("arguments", [{}, {"steps": 1, "seconds": 1.0}, {"steps": -1}, {"seconds": -0.5}])
def test_advance_takes_steps_or_seconds(small_scene, arguments):
    with pytest.raises(ValueError, match="advance must be given either steps or seconds, not negative"):
        Training(small_scene).advance(**arguments)


def test_there_is_no_frame_before_the_first_advance(small_scene):
    with pytest.raises(ValueError, match="must have been advanced"):
        _ = Training(small_scene).frame


def test_float32_runs_in_float32():
    shown = scene(State(**SHAPE, precision="float32"))
    frame, x, y = Training(shown).advance(20), shown.points.points, shown.labels.values
    theta = flatten(shown.params).astype(float)
    for _ in range(20):
        theta -= 0.005 / 12 * jacobian(theta, x, **SHAPE).T @ (residual_mlp(theta, x, **SHAPE) - y)
    expected = np.sum((residual_mlp(theta, x, **SHAPE) - y) ** 2) / 24
    assert frame.loss == np.float32(frame.loss) and 0 < abs(frame.loss / expected - 1) < 1e-4

"""The largest stable step size, against closed forms and the descent engine's own traces."""

import jax
import numpy as np
import pytest

from experiments.architecture import plain_mlp
from experiments.descent import Problem, descend
from experiments.largest_step import CATAPULT, CRITERIA, ROUNDING, Course, courses, largest_steps, stability

RATIO = 2.0 ** (1 / 25)
NETWORK = plain_mlp(2, width=5, depth=1)


def line(params, x):
    return x @ params


@pytest.fixture(scope="module")
def lines():
    """Linear models of two points in the plane, three runs, with their hessians' extreme eigenvalues."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(3, 2, 2)), rng.normal(size=(3, 2))
    return np.zeros((3, 2)), x, y, np.linalg.eigvalsh(np.einsum("rnd,rne->rde", x, x) / 2)


def test_a_linear_models_largest_step_is_two_over_its_curvature(lines):
    params, x, y, curvatures = lines
    found = largest_steps(line, params, x, y, reference=1.7 / curvatures[:, 1], steps=400)
    exact = 2.0 / curvatures[:, 1]
    for column in (0, 1):  # no climb in between to forgive
        assert np.all(
            (found.stable[:, column] <= exact * (1 + 1e-9)) & (exact <= found.unstable[:, column] * (1 + 1e-9))
        )
    np.testing.assert_allclose(found.unstable / found.stable, RATIO, rtol=1e-9)
    assert np.all(found.stable[:, 2] >= found.stable[:, 1])


def test_courses_are_what_the_descent_engine_measures():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(1, 4, 2)), rng.normal(size=(1, 4))
    params = jax.tree.map(lambda leaf: np.asarray(leaf)[None], NETWORK.init(jax.random.key(0)))
    step_sizes = np.array([[0.05, 0.5, 1.1]])
    found = courses(NETWORK, params, x, y, step_sizes=step_sizes, steps=20)
    for rung, step_size in enumerate(step_sizes[0]):
        problem = Problem(x, y, step_sizes[:, rung], np.zeros((1, 2), int), np.array([-1.0]), np.array([20], np.int32))
        (run,) = descend(NETWORK, params, problem, chunk=20)
        losses = run.trace.loss / run.trace.loss[0]
        assert losses.max() <= CATAPULT, step_size  # so that neither stops early
        np.testing.assert_allclose(found.peak[0, rung], losses.max(), rtol=1e-9)
        np.testing.assert_allclose(found.end[0, rung], losses[-1], rtol=1e-9)
        np.testing.assert_allclose(found.rise[0, rung], max(np.diff(losses).max(), 0.0), rtol=1e-7, atol=1e-12)


def test_criteria_are_ordered_and_refuse_what_is_no_number():
    """Rows: falls; rises by rounding; rises once below the start; a catapult; a flight; not a number; ends above."""
    rise = np.array([0.0, ROUNDING / 2, 0.1, 4.0, 20.0, np.nan, 0.5])
    peak = np.array([1.0, 1.0, 1.0, 5.0, 21.0, np.nan, 1.5])
    end = np.array([0.1, 0.1, 0.1, 0.1, 0.1, np.nan, 1.2])
    found = stability(Course(rise, peak, end))
    assert found.sum(axis=1).tolist() == [3, 3, 2, 1, 0, 0, 0]
    assert np.all(found[:, :-1] <= found[:, 1:]) and found.shape[1] == len(CRITERIA)


def test_a_ladder_out_of_reach_says_so(lines):
    params, x, y, curvatures = lines
    low = largest_steps(line, params, x, y, reference=1e3 / curvatures[:, 1], steps=5)
    assert np.all(low.stable == 0.0) and np.all(np.isfinite(low.unstable))
    high = largest_steps(line, params, x, y, reference=1e-3 / curvatures[:, 1], steps=5)
    assert np.all(np.isinf(high.unstable)) and np.all(high.stable > 0.0)
    with pytest.raises(ValueError, match="reference must be positive"):
        largest_steps(line, params, x, y, reference=np.zeros(3), steps=5)

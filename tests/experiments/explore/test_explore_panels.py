"""Panels against numpy."""

from dataclasses import replace

import numpy as np
import pytest
from numpy_network import SHAPE, flatten, jacobian, residual_mlp

from experiments.curvature import hessian_norm
from experiments.explore.layers import layers
from experiments.explore.panels import measure
from experiments.explore.projection import projection
from experiments.explore.scene import scene
from experiments.explore.spectrum import spectrum
from experiments.explore.state import State
from experiments.explore.step_floors import step_floors
from experiments.explore.step_marks import smoothness_after


@pytest.fixture(scope="module")
def rows(small_scene):
    return jacobian(flatten(small_scene.params), np.asarray(small_scene.x), **SHAPE)


def distances(points):
    return np.linalg.norm(points[:, None] - points[None], axis=-1)


def test_projection_shows_the_largest_variance(small_scene, small_panels):
    shown, points = small_panels.projection, small_scene.points.points
    values = np.linalg.eigvalsh(np.cov(points.T, bias=True))
    assert shown.plane.var(axis=0) == pytest.approx(values[[-1, -2]])
    assert shown.explained == pytest.approx(values[-2:].sum() / values.sum())
    assert np.all(distances(shown.plane) <= distances(points) + 1e-12)
    assert shown.separation == pytest.approx(0.1) and shown.pair == (0, 1)


def test_up_to_two_coordinates_are_shown_as_they_are():
    line, square = (projection(scene(State(dim=dim, h=0.01))) for dim in (1, 2))
    assert np.array_equal(square.plane, scene(State(dim=2, h=0.01)).points.points)
    assert np.all(line.plane[:, 1] == 0.0) and line.explained == square.explained == 1.0


def test_kernel_is_the_gram_of_complex_step_gradients(small_panels, rows):
    found, expected = small_panels.spectrum, np.linalg.svd(rows, compute_uv=False)[::-1] ** 2
    assert found.eigenvalues == pytest.approx(expected, rel=1e-9, abs=1e-11)
    assert found.smallest.value == pytest.approx(expected[0], rel=1e-8) and found.smallest.resolved
    assert found.condition == pytest.approx(expected[-1] / expected[0], rel=1e-8)


def test_ceilings_of_the_least_eigenvalue(small_panels, rows):
    found, gap = small_panels.spectrum, np.linalg.norm(rows[0] - rows[1])
    blocks = [np.linalg.eigvalsh(rows[[i, j]] @ rows[[i, j]].T)[0] for i in range(12) for j in range(i)]
    assert found.gradient_gap == pytest.approx(gap, rel=1e-10)
    assert found.gap_ceiling == pytest.approx(gap**2 / 2)
    assert found.block_ceiling == pytest.approx(min(blocks))
    assert found.smallest.value <= found.block_ceiling <= found.gap_ceiling <= found.lipschitz_ceiling


def test_floors_are_the_theorem_with_numbers_of_the_start(small_scene, small_panels, rows):
    floors, state = small_panels.floors, small_scene.state
    x, y = np.asarray(small_scene.x), np.asarray(small_scene.y)
    residual = residual_mlp(flatten(small_scene.params), x, **SHAPE) - y
    loss, gap = residual @ residual / 24, abs(residual[0] - residual[1])
    excess = gap - 2 * np.sqrt(12 * state.target)
    squared_gap = np.sum((rows[0] - rows[1]) ** 2)
    assert (floors.loss, floors.gap, floors.excess) == pytest.approx((loss, gap, excess))
    assert floors.linear_floor == pytest.approx(excess**2 / (2 * state.step_size * (loss - state.target) * squared_gap))
    assert floors.known_floor == pytest.approx(floors.path**2 / (2 * state.step_size * loss))


def test_linear_steps_are_those_of_the_linear_recursion(small_scene, small_panels, rows):
    coarse = small_scene._replace(state=replace(small_scene.state, target=0.02))
    counted = step_floors(coarse, small_panels.spectrum).linear_steps
    residual, steps = small_panels.floors.residual.copy(), 0
    while residual @ residual / 24 > 0.02:
        residual -= 0.005 / 12 * (rows @ (rows.T @ residual))
        steps += 1
    assert counted == steps


def test_no_gap_must_go_where_the_target_tolerates_it(small_scene, small_panels):
    tolerant = small_scene._replace(state=replace(small_scene.state, target=1.0))
    floors = step_floors(tolerant, small_panels.spectrum)
    assert (floors.excess, floors.linear_floor, floors.path, floors.known_floor) == (0.0, 0.0, 0.0, 0.0)


def test_duplicates_keep_their_labels_apart_for_ever():
    found = measure(scene(State(**SHAPE, h=0.0)))
    assert found.spectrum.gradient_gap == 0.0 and not found.spectrum.smallest.resolved
    assert found.floors.linear_floor == found.floors.known_floor == np.inf
    assert found.floors.linear_steps is None


@pytest.mark.parametrize("skip", [True, False])
def test_layers_are_those_of_the_network_written_out(skip):
    shown = scene(State(width=8, skip=skip))
    found, params = layers(shown), shown.params
    assert not isinstance(found, str)
    features = np.asarray(shown.x) @ params[0]["weight"] + params[0]["bias"]
    expected, smallest = [distances(features)[~np.eye(12, dtype=bool)].min()], []
    for inner, _, outer in params[1:3]:
        hidden = np.tanh(features @ inner["weight"] + inner["bias"])
        slopes = np.einsum("ah,nh,hb->nab", inner["weight"], 1 - hidden**2, outer["weight"]) + skip * np.eye(8)
        smallest.append(np.linalg.svd(slopes, compute_uv=False).min())
        features = skip * features + hidden @ outer["weight"] + outer["bias"]
        expected.append(distances(features)[~np.eye(12, dtype=bool)].min())
    assert found.separation == pytest.approx(expected)
    assert found.singular == pytest.approx(smallest)
    norms = [[np.linalg.norm(branch[k]["weight"], 2) for k in (2, 0)] for branch in params[1:3]]
    assert [[each.outer, each.inner] for each in found.perceptrons] == [pytest.approx(pair) for pair in norms]
    assert np.all(found.constants >= [outer * inner - 1e-12 for outer, inner in norms])
    if skip:
        assert found.upper == pytest.approx(expected[0] * np.cumprod([1.0, *(1 + found.constants)]))
        assert np.all(found.lower <= found.separation) and np.all(found.separation <= found.upper)
    else:
        assert found.lower is None and found.upper is None


def test_a_perceptron_of_one_layer_has_no_layers_to_look_at():
    assert layers(scene(State(kind="plain", depth=1))) == (
        "model must have residual layers or at least 2 activations to be cut, but had 1"
    )


def test_marks_are_inverses_of_what_they_stand_for(small_scene, small_panels, rows):
    marks, shown = small_panels.marks, small_scene
    measured = hessian_norm(shown.model, shown.params, shown.x, shown.y, tolerance=1e-6)
    assert marks.hessian == pytest.approx(measured, rel=1e-5) and marks.error < 1e-6 * marks.hessian
    assert marks.edge == 2 / marks.hessian
    assert marks.kernel == pytest.approx(2 * 12 / np.linalg.norm(rows, 2) ** 2)
    assert marks.safe == pytest.approx(marks.horizon / 100) and marks.safe * marks.smoothness <= 1.0
    radius = np.sqrt(2 * marks.horizon * small_panels.floors.loss)
    assert marks.radius == pytest.approx(np.linalg.norm(flatten(shown.params)) + radius)
    assert smoothness_after(shown, radius) == pytest.approx(marks.smoothness, rel=1e-9)
    assert smoothness_after(shown, 0.0) == pytest.approx(marks.at_start)


def test_relu_states_no_bounds_and_counts_its_dead_units():
    shown = scene(State(kind="plain", width=3, depth=2, dim=2, h=0.2, activation="relu", seed=2))
    found = measure(shown)
    assert shown.unbounded == "ReLU has no second derivative"
    assert found.spectrum.lipschitz is found.floors.known_floor is found.marks.safe is None
    assert not isinstance(found.layers, str)
    first, second = (shown.params[k] for k in (0, 2))
    hidden = np.maximum(np.asarray(shown.x) @ first["weight"] + first["bias"], 0)
    deeper = np.maximum(hidden @ second["weight"] + second["bias"], 0)
    assert found.layers.dead.tolist() == [int((each == 0).all(axis=0).sum()) for each in (hidden, deeper)]
    assert found.layers.dead[-1] == 3


def test_float32_says_what_it_does_not_resolve():
    shown = scene(State(kind="plain", width=32, depth=1, activation="relu", h=0.01, precision="float32"))
    single, double = spectrum(shown), spectrum(scene(replace(shown.state, precision="float64")))
    assert single.kernel.dtype == np.float32
    assert single.smallest.value < single.smallest.error and not single.smallest.resolved
    assert double.smallest.resolved
    assert single.smallest.error > 1e8 * double.smallest.error

"""Voronoi cells: areas, nearest points, fill and mean distance against dense grids and closed forms."""

import numpy as np
import pytest

from experiments.cubature import integral_floor, midpoints
from experiments.hunts.lipschitz_pairs import drawn_pair
from experiments.hunts.spread import spread
from experiments.points.voronoi import covering, hat_integral, interval_cells, polygon_cells


def shoelace(polygon):
    x, y = polygon.T
    return 0.5 * np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))


@pytest.mark.parametrize("seed", range(5))
def test_cells_tile_the_square_and_belong_to_their_points(seed):
    points = np.random.default_rng(seed).random((8, 2))
    cells = polygon_cells(points)
    assert sum(shoelace(cell) for cell in cells) == pytest.approx(1.0, rel=1e-12)
    for point, cell in zip(points, cells, strict=True):
        nearest = np.linalg.norm(cell[:, None] - points, axis=2).min(axis=1)
        np.testing.assert_allclose(np.linalg.norm(cell - point, axis=1), nearest, atol=1e-12)


def test_cells_of_the_interval():
    cells = interval_cells(np.array([[0.9], [0.1], [0.3]]))
    np.testing.assert_allclose(np.array(cells)[:, :, 0], [[0.6, 1.0], [0.0, 0.2], [0.2, 0.6]])


@pytest.mark.parametrize(("dim", "count"), [(1, 6), (2, 1), (2, 7)])
def test_covering_against_a_grid(dim, count):
    points = np.random.default_rng(count).random((count, dim))
    ticks = (np.arange(400) + 0.5) / 400
    grid = np.stack(np.meshgrid(*[ticks] * dim), axis=-1).reshape(-1, dim)
    nearest = np.linalg.norm(grid[:, None] - points, axis=2).min(axis=1)
    found = covering(points)
    assert nearest.max() <= found.fill_distance <= nearest.max() + 0.5 * dim**0.5 / 400
    assert found.mean_distance == pytest.approx(nearest.mean(), rel=1e-4)
    assert np.linalg.norm(points - found.farthest, axis=1).min() == pytest.approx(found.fill_distance, rel=1e-12)


def test_covering_in_closed_form():
    centre = covering(np.array([[0.5, 0.5]]))
    assert centre.fill_distance == pytest.approx(np.sqrt(0.5))
    assert centre.mean_distance == pytest.approx((np.sqrt(2.0) + np.log(1.0 + np.sqrt(2.0))) / 6.0, rel=1e-14)
    corner = covering(np.array([[0.0, 0.0]]))
    assert corner.mean_distance == pytest.approx(2.0 * centre.mean_distance, rel=1e-14)
    assert covering(np.array([[0.0], [1.0]])).mean_distance == pytest.approx(0.25)


@pytest.mark.parametrize(("dim", "count"), [(1, 1), (1, 6), (2, 1), (2, 7)])
@pytest.mark.parametrize("reach", [0.07, 0.3, 2.0])
def test_hat_integral_against_a_grid(dim, count, reach):
    points = np.random.default_rng(count).random((count, dim))
    ticks = (np.arange(1000) + 0.5) / 1000
    grid = np.stack(np.meshgrid(*[ticks] * dim), axis=-1).reshape(-1, dim)
    nearest = np.min([np.linalg.norm(grid - point, axis=1) for point in points], axis=0)
    assert hat_integral(points, reach) == pytest.approx(np.maximum(reach - nearest, 0.0).mean(), rel=3e-4)
    assert hat_integral(points, 2.0) == pytest.approx(2.0 - covering(points).mean_distance, rel=1e-13)


def test_hat_integral_in_closed_form():
    """A whole cone, a half and a quarter of one: V_d R^(d+1) / (d+1)."""
    for x, share in ((0.5, 1.0), (0.0, 0.5)):
        assert hat_integral(np.array([[x]]), 0.3) == pytest.approx(share * 0.09, rel=1e-14)
        assert hat_integral(np.array([[x, 0.5]]), 0.3) == pytest.approx(share * np.pi * 0.009, rel=1e-13)
        assert hat_integral(np.array([[x, 0.0]]), 0.3) == pytest.approx(share * np.pi * 0.0045, rel=1e-13)


def test_covering_refuses_duplicates_and_more_coordinates():
    with pytest.raises(ValueError, match="points must be distinct, but two coincide"):
        covering(np.array([[0.5, 0.5], [0.5, 0.5]]))
    with pytest.raises(ValueError, match="points must have 1 or 2 coordinates, but had 3"):
        covering(np.zeros((1, 3)))


@pytest.mark.parametrize(("dim", "loss"), [(1, 1e-4), (2, 1e-2)])
def test_integral_floor_lies_below_and_near(dim, loss):
    """int |x - c| over the box, c the centre in closed form; c in the middle of a cell is the rule's worst kink."""
    exact = {1: 0.25, 2: (np.sqrt(2.0) + np.arcsinh(1.0)) / 6.0}[dim]
    for centre in (np.full(dim, 0.5), midpoints(dim)[len(midpoints(dim)) // 2]):
        found = integral_floor(lambda x, c=centre: np.linalg.norm(x - c, axis=1), dim=dim, lipschitz=1.0)
        assert exact - loss <= found <= exact + np.linalg.norm(centre - 0.5)


@pytest.mark.parametrize("kind", ["cones", "network"])
def test_pairs_have_their_lipschitz_constants(kind):
    rng = np.random.default_rng(1)
    points, x, step = rng.random((5, 2)), rng.random((2000, 2)), 1e-6 * rng.standard_normal((2000, 2))
    numbers = {"lipschitz_f": 1.5, "lipschitz_g": 0.7, "level": 0.2, "seed": 3}
    pair = drawn_pair(kind, points, shift=0.05, **numbers)
    for function, constant in ((pair.f, 1.5), (pair.g, 0.7)):
        slopes = np.abs(function(x + step) - function(x)) / np.linalg.norm(step, axis=1)
        assert slopes.max() <= constant * (1 + 1e-6)
        assert slopes.max() >= 0.99 * constant or function is pair.f  # the network's constant is only an upper bound
    extremal = drawn_pair("cones", points, shift=0.0, **numbers)
    cone = np.linalg.norm(x[:, None] - points, axis=2).min(axis=1)
    np.testing.assert_allclose(extremal.error(x), 0.2 + 2.2 * cone, rtol=1e-12)


def test_spread_points_start_regular():
    np.testing.assert_allclose(spread(4, 1, jitter=0.0, seed=0)[:, 0], [0.125, 0.375, 0.625, 0.875])
    plane = spread(7, 2, jitter=1.0, seed=0)
    assert np.all((plane >= 0.0) & (plane <= 1.0)) and len(np.unique(plane, axis=0)) == 7

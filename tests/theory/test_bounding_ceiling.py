"""Ceilings for data in a box or a ball: attained where known, equal to S4's for the cube, never below a point set."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from theory.bounding_ceiling import ball_ceiling, box_ceiling
from theory.packing_ceiling import cube_ceiling


def least_distance(points):
    table = np.linalg.norm(points[:, None] - points, axis=2)
    return table[np.triu_indices(len(points), 1)].min()


@given(st.integers(0, 2**32 - 1), st.integers(2, 30), st.integers(1, 6), st.booleans())
def test_no_point_set_beats_its_own_box_or_ball(seed, num, dim, lattice):
    rng = np.random.default_rng(seed)
    points = rng.standard_normal((num, dim)) * 10.0 ** rng.integers(-3, 3, dim)
    if lattice:
        axes = [np.arange(2.0 + rng.integers(2))] * min(dim, 3)
        points = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, len(axes))
    separation = least_distance(points)
    assert separation <= box_ceiling(len(points), sides=np.ptp(points, axis=0).tolist())
    radius = np.linalg.norm(points - points.mean(axis=0), axis=1).max()
    assert separation <= ball_ceiling(len(points), radius=float(radius), dim=points.shape[1])


def test_attained_where_it_is_known_to_be():
    assert box_ceiling(11, sides=[5.0]) == pytest.approx(0.5)  # equal steps
    assert box_ceiling(2, sides=[3.0, 0.0, 4.0]) == pytest.approx(5.0)  # the diagonal
    simplex = np.eye(5)
    radius = float(np.linalg.norm(simplex[0] - simplex.mean(axis=0)))
    assert ball_ceiling(5, radius=radius, dim=4) == pytest.approx(math.sqrt(2.0))
    cross = np.concatenate([np.eye(4), -np.eye(4)])
    assert ball_ceiling(8, radius=1.0, dim=4) == pytest.approx(least_distance(cross))
    assert ball_ceiling(2, radius=3.0, dim=7) == pytest.approx(6.0)


@pytest.mark.parametrize("dim", [1, 2, 3, 10, 100])
@pytest.mark.parametrize("num", [2, 7, 1000, 10**6])
def test_a_cube_is_a_box(num, dim):
    assert box_ceiling(num, sides=[2.0] * dim) == pytest.approx(2.0 * cube_ceiling(num, dim=dim), rel=1e-8)


def test_it_scales_and_ignores_constant_columns():
    sides = [1.0, 3.0, 0.2]
    assert box_ceiling(500, sides=[1e3 * side for side in sides]) == pytest.approx(1e3 * box_ceiling(500, sides=sides))
    assert box_ceiling(500, sides=[*sides, 0.0]) == box_ceiling(500, sides=sides)
    assert box_ceiling(500, sides=[0.0, 0.0]) == 0.0
    assert box_ceiling(10**5, sides=[1.0] * 2000) == pytest.approx(math.sqrt(1000), rel=1e-4)  # the mean alone


def test_bad_input_is_one_sentence():
    with pytest.raises(ValueError, match="num_points and sides must be at least 2 and 0, but were 3 and -1"):
        box_ceiling(3, sides=[-1.0])
    with pytest.raises(ValueError, match="num_points, radius and dim must be at least 2, 0 and 1"):
        ball_ceiling(1, radius=1.0, dim=3)

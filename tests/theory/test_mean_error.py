"""A2 mean error, in five parts: random instances, attained, necessary hypotheses, invariances, proof lines."""

import itertools
import math

import hand_trained
import numpy as np
import pytest
from hypothesis import given

from experiments.hunt import search
from experiments.hunts.mean_error import HUNT
from theory import mean_error
from theory.mean_error import ball_radius, mean_bound, mean_distance_floor
from theory.verdict import Verdict, failed_hypotheses, judge, slack_log10


def run_check(**changes):
    numbers = {"integral": 0.5, "node_error": 0.1, "lipschitz_f": 1.0, "lipschitz_g": 2.0, "mean_distance": 0.25}
    return mean_error.check(**(numbers | {"volume": 2.0, "instance": "by hand"} | changes))


def run_distance(**changes):
    numbers = {"mean_distance": 0.25, "num_points": 1, "dim": 1, "volume": 1.0, "instance": "by hand"}
    return mean_error.check_distance(**(numbers | changes))


def breaks(found):
    return judge(found._replace(margins={})) is Verdict.VIOLATED


# 1. Holds on random instances


@given(HUNT.instances)
def test_holds_on_random_instances(instance):
    assert judge(HUNT.check(instance)) is not Verdict.VIOLATED


def test_random_instances_are_applicable_and_come_close_to_equality():
    report = search(HUNT, examples=60, seed=0)
    assert report.violation is None
    assert report.applicable >= 20
    assert report.smallest_slack_log10 is not None and report.smallest_slack_log10 < 4.3e-4


# 2. Attained


@pytest.mark.parametrize("num_points", [1, 2, 5])
def test_is_attained_by_midpoints_of_an_interval(num_points):
    """N midpoints of [0, 1]: D_1 = 2N triangles of legs 1/(2N), that is 1/(4N); and cones above and below them."""
    distance = 1.0 / (4.0 * num_points)
    found = run_distance(mean_distance=distance, num_points=num_points)
    assert judge(found) is Verdict.HOLDS and slack_log10(found) == pytest.approx(0.0, abs=1e-14)
    assert breaks(found._replace(bound=1.15 * found.bound))
    knots = np.linspace(0.0, 1.0, 2 * num_points + 1)  # walls and points in turn: f - g is linear between them
    differences = 0.1 + 3.0 * np.where(np.arange(len(knots)) % 2 == 0, 0.5 / num_points, 0.0)
    found = run_check(integral=float(np.trapezoid(differences, knots)), mean_distance=distance, volume=1.0)
    assert judge(found) is Verdict.HOLDS and slack_log10(found) == pytest.approx(0.0, abs=1e-14)
    assert breaks(found._replace(bound=found.bound / 1.15))


@pytest.mark.parametrize("dim", [1, 2, 3, 8])
def test_is_attained_by_the_centre_of_a_ball(dim):
    """Mean distance to the centre of the unit ball: d/(d+1), on the radii's own distribution P(|x| <= t) = t^d."""
    volume = math.pi ** (dim / 2) / math.gamma(dim / 2 + 1)
    nodes, weights = np.polynomial.legendre.leggauss(20)
    radii = (nodes + 1) / 2
    mean = weights @ (radii * dim * radii ** (dim - 1)) / 2
    found = run_distance(mean_distance=float(volume * mean), dim=dim, volume=volume)
    assert judge(found) is Verdict.HOLDS and slack_log10(found) == pytest.approx(0.0, abs=1e-12)


def test_how_loose_for_hexagons():
    """A regular hexagon of area 1 about each point, the plane's best cells: 0.28% above the floor."""
    apothem = (math.sqrt(3.0) / 6.0) ** 0.5  # area 2 sqrt(3) apothem^2
    mean = 2.0 * apothem**3 * (2.0 / 3.0 + math.asinh(1.0 / math.sqrt(3.0)))  # 12 triangles of int r^2 dr dphi
    points = np.stack(np.meshgrid(*[(np.arange(600) + 0.5) / 300 - 1] * 2), axis=-1).reshape(-1, 2)
    normals = np.array([[math.cos(k * math.pi / 3), math.sin(k * math.pi / 3)] for k in range(6)])
    inside = np.all(points @ normals.T <= apothem, axis=1)
    assert mean == pytest.approx(np.linalg.norm(points[inside], axis=1).sum() / 300**2, rel=2e-3)
    assert mean / float(mean_distance_floor(7, dim=2, volume=7.0)) * 7 == pytest.approx(1.00285, abs=1e-5)


# 3. Fails without each hypothesis


def test_fails_without_lipschitz_constants():
    """f = sin(8 pi x) vanishes at x_i = i/4: slope 0 on the data, yet int |f| = 2/pi on [0, 1]."""
    x = (np.arange(8000) + 0.5) / 8000
    numbers = {"integral": float(np.abs(np.sin(8 * np.pi * x)).mean()), "node_error": 0.0, "volume": 1.0}
    found = run_check(**numbers, lipschitz_f=0.0, lipschitz_g=0.0, mean_distance=1.0 / 16, observed_slope=8 * math.pi)
    assert numbers["integral"] == pytest.approx(2 / math.pi, rel=1e-4)
    assert failed_hypotheses(found) == ("lipschitz constants",) and breaks(found)
    assert judge(run_check(**numbers, lipschitz_f=8 * math.pi, mean_distance=1.0 / 16)) is Verdict.HOLDS


def test_fails_without_euclidean_volume():
    """The centre of a square in the maximum norm, whose unit ball has measure 4: D_1 = 1/3 is below the floor 0.376."""
    ticks = (np.arange(400) + 0.5) / 400 - 0.5
    distance = float(np.maximum(np.abs(ticks[:, None]), np.abs(ticks)).mean())
    assert distance == pytest.approx(1.0 / 3.0, rel=1e-4)
    found = run_distance(mean_distance=distance, dim=2, unit_ball=4.0)
    assert failed_hypotheses(found) == ("euclidean volume",) and breaks(found)


def test_fails_without_euclidean_volume_for_a_mean_over_the_points_own_density():
    """A density that sits within 0.01 of two points: its mean distance, 0.005, is below the uniform floor 0.125."""
    found = run_distance(mean_distance=0.005, num_points=2, unit_ball=0.5 / 0.01)  # measure t/0.02 of a ball each
    assert failed_hypotheses(found) == ("euclidean volume",) and breaks(found)


# 4. Invariances and limits


def test_invariances_and_limits():
    floor = float(mean_distance_floor(10, dim=3, volume=1.0))
    ball = 4.0 * math.pi / 3.0
    assert floor == pytest.approx(0.75 * (10 * ball) ** (-1 / 3), rel=1e-14)
    assert float(mean_distance_floor(10, dim=3, volume=8.0)) == pytest.approx(16.0 * floor)  # lengths times 2
    assert float(mean_distance_floor(80, dim=3, volume=1.0)) == pytest.approx(0.5 * floor)  # N^(-1/d)
    assert float(mean_distance_floor(70, dim=3, volume=7.0)) == pytest.approx(7.0 * floor)  # seven copies
    assert 10 * ball * float(ball_radius(10, dim=3, volume=1.0)) ** 3 == pytest.approx(1.0)
    assert float(mean_bound(0.1, 3.0, mean_distance=0.25, volume=2.0)) == pytest.approx(0.95)
    assert float(mean_bound(0.0, 3.0, mean_distance=0.0, volume=2.0)) == 0.0
    counts = np.array([1, 2, 4])
    np.testing.assert_allclose(mean_distance_floor(counts, dim=1, volume=1.0), [0.25, 0.125, 0.0625], rtol=1e-14)


@pytest.mark.parametrize("name", ["integral", "node_error", "lipschitz_f", "lipschitz_g", "mean_distance", "volume"])
def test_bad_numbers_are_one_sentence(name):
    with pytest.raises(ValueError, match=f"^{name} must be at least 0, but was -1.0$"):
        run_check(**{name: -1.0})


def test_bad_counts_are_one_sentence():
    with pytest.raises(ValueError, match=r"^num_points must be at least 1, but was 0$"):
        run_distance(num_points=0)


# 5. Proof lines


@pytest.fixture(scope="module")
def trained():
    """Four points in [-1, 1]^2, a trained network against sin x_1, distances and errors on a 64 x 64 grid."""
    data = hand_trained.data(separation=0.5, gap=0.0)
    theta = hand_trained.train(data, step_size=0.5, steps=300)[-1]
    neurons = theta.reshape(hand_trained.WIDTH, 4)
    lipschitz = np.linalg.norm(neurons[:, 0]) * np.linalg.norm(neurons[:, 1:3], 2) / np.sqrt(hand_trained.WIDTH)
    grid = np.array(list(itertools.product((np.arange(64) + 0.5) / 32 - 1, repeat=2)))
    inputs = hand_trained.Data(np.column_stack([grid, np.ones(len(grid))]), np.sin(grid[:, 0]))
    reach = np.linalg.norm(grid[:, None] - data.inputs[:, :2], axis=2)
    return reach, hand_trained.residuals(theta, inputs), hand_trained.residuals(theta, data), lipschitz + 1.0


def test_proof_lines_on_a_trained_network_1(trained):
    """Over the Voronoi cells first, each with its own node error, then with the largest one; on the grid's measure."""
    reach, errors, node_errors, lipschitz = trained
    owner, distance = reach.argmin(axis=1), reach.min(axis=1)
    cells = np.bincount(owner, minlength=4) * 4.0 / len(reach)
    integral, mean_distance = 4.0 * np.abs(errors).mean(), 4.0 * distance.mean()
    by_cells = cells @ np.abs(node_errors) + lipschitz * mean_distance
    assert integral <= by_cells
    worst = np.abs(node_errors).max()
    assert by_cells <= float(mean_bound(worst, lipschitz, mean_distance=mean_distance, volume=4.0)) + 1e-12


def test_proof_lines_on_four_points_2(trained):
    """Layer cake: the mean of dist is the integral of the share farther than t, exactly, on the grid's measure."""
    distance = np.sort(trained[0].min(axis=1))
    survival = 1.0 - np.arange(len(distance)) / len(distance)
    assert survival @ np.diff(distance, prepend=0.0) == pytest.approx(distance.mean(), rel=1e-12)


def test_proof_lines_on_four_points_3(trained):
    """|{dist <= t}| <= min(4, N pi t^2): cells whose centre is within t lie within t + half their diagonal."""
    distance, side = trained[0].min(axis=1), 1.0 / 32
    for t in np.linspace(0.0, 1.5, 31):
        covered = np.sum(distance <= t) * side**2
        assert covered <= min(4.0, 4 * math.pi * (t + side / math.sqrt(2)) ** 2)


def test_proof_lines_on_four_points_4(trained):
    """int_0^a (|Omega| - N V_d t^d) dt by quadrature is the floor, and the four points lie above it."""
    nodes, weights = np.polynomial.legendre.leggauss(10)
    a = (4.0 / (4 * math.pi)) ** 0.5
    t = (nodes + 1) * a / 2
    floor = float(mean_distance_floor(4, dim=2, volume=4.0))
    assert floor == pytest.approx(weights @ (4.0 - 4 * math.pi * t**2) * a / 2, rel=1e-13)
    assert 1.0 < 4.0 * trained[0].min(axis=1).mean() / floor < 1.5

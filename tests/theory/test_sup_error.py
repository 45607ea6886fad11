"""A1 sup error, in five parts: random instances, attained, necessary hypotheses, invariances, proof lines."""

import itertools

import hand_trained
import numpy as np
import pytest
from hypothesis import given

from experiments.hunt import search
from experiments.hunts.sup_error import HUNT
from theory import sup_error
from theory.sup_error import sup_bound
from theory.verdict import Verdict, failed_hypotheses, judge, slack_log10


def run_check(**changes):
    numbers = {"sup_error": 0.5, "node_error": 0.1, "lipschitz_f": 1.0, "lipschitz_g": 2.0, "fill_distance": 0.25}
    return sup_error.check(**(numbers | {"instance": "by hand"} | changes))


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
    assert report.smallest_slack_log10 is not None and abs(report.smallest_slack_log10) < 1e-6


# 2. Attained


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_is_attained_by_cones_over_the_corners_of_a_cube(dim):
    """The centre is farthest from the corners, at sqrt(d)/2; f and g here on a grid that has the centre."""
    corners = np.array(list(itertools.product((0.0, 1.0), repeat=dim)))
    grid = np.array(list(itertools.product(np.linspace(0.0, 1.0, 9), repeat=dim)))
    cone = np.linalg.norm(grid[:, None] - corners, axis=2).min(axis=1)
    f, g = 0.05 + 1.5 * cone, -0.05 - 0.5 * cone
    found = run_check(
        sup_error=float(np.abs(f - g).max()), lipschitz_f=1.5, lipschitz_g=0.5, fill_distance=dim**0.5 / 2
    )
    assert judge(found) is Verdict.HOLDS
    assert slack_log10(found) == pytest.approx(0.0, abs=1e-14)
    assert breaks(found._replace(bound=found.bound / 1.15))  # a constant 1.15 times too small is seen


# 3. Fails without each hypothesis


def test_fails_without_lipschitz_constants():
    """f = sin(8 pi x) vanishes at x_i = i/4, so the data show no slope at all."""
    points, x = np.linspace(0.0, 1.0, 5), np.linspace(0.0, 1.0, 101)
    values = np.sin(8 * np.pi * points)
    slope = np.abs(np.diff(values) / np.diff(points)).max()
    numbers = {"sup_error": float(np.sin(8 * np.pi * x).max()), "node_error": float(np.abs(values).max())}
    found = run_check(**numbers, lipschitz_f=slope, lipschitz_g=0.0, fill_distance=0.125, observed_slope=8 * np.pi)
    assert failed_hypotheses(found) == ("lipschitz constants",) and breaks(found)
    honest = run_check(**numbers, lipschitz_f=8 * np.pi, lipschitz_g=0.0, fill_distance=0.125)
    assert judge(honest) is Verdict.HOLDS


def test_fails_without_lipschitz_constants_in_the_distance_of_the_fill():
    """The arc t in [0, 6] of the unit circle: |f'| = 1 for f = t, but no two points are more than 2 apart."""
    t = np.linspace(0.0, 6.0, 601)
    arc = np.stack([np.cos(t), np.sin(t)], axis=1)
    reach = np.linalg.norm(arc - arc[0], axis=1)
    euclidean = float((t[1:] / reach[1:]).max())  # Lipschitz constant from x_1 in the plane's distance
    numbers = {"sup_error": 6.0, "node_error": 0.0, "lipschitz_g": 0.0, "fill_distance": float(reach.max())}
    found = run_check(**numbers, lipschitz_f=1.0, observed_slope=euclidean)
    assert failed_hypotheses(found) == ("lipschitz constants",) and breaks(found)
    assert judge(run_check(**numbers, lipschitz_f=euclidean)) is Verdict.HOLDS


def test_fails_without_fill_distance_of_the_domain():
    """X = {0} in [0, 1], covered within 0.2 on the pool {0, 0.1, 0.2} only: f = x is 1 at the far end."""
    pool = np.array([0.0, 0.1, 0.2])
    numbers = {"sup_error": 1.0, "node_error": 0.0, "lipschitz_f": 1.0, "lipschitz_g": 0.0}
    found = run_check(**numbers, fill_distance=float(pool.max()), observed_distance=1.0)
    assert failed_hypotheses(found) == ("fill distance of the domain",) and breaks(found)
    assert judge(run_check(**numbers, fill_distance=1.0)) is Verdict.HOLDS


# 4. Invariances and limits


def test_invariances_and_limits():
    bound = float(sup_bound(0.1, 3.0, fill_distance=0.25))
    assert bound == pytest.approx(0.85)
    assert float(sup_bound(0.1, 3.0 / 7, fill_distance=7 * 0.25)) == pytest.approx(bound)  # input units
    assert float(sup_bound(0.7, 21.0, fill_distance=0.25)) == pytest.approx(7 * bound)  # label units
    assert float(sup_bound(0.1, 3.0, fill_distance=0.0)) == 0.1  # X is dense
    assert float(sup_bound(0.1, 0.0, fill_distance=5.0)) == 0.1  # f - g is constant
    fills = np.array([[0.1], [0.2]])
    slopes = np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(sup_bound(np.zeros(3), slopes, fill_distance=fills), fills * slopes)


def test_verdicts():
    assert judge(run_check(sup_error=0.85)) is Verdict.HOLDS
    assert judge(run_check(sup_error=0.86)) is Verdict.VIOLATED
    assert judge(run_check(sup_error=float("nan"), lipschitz_f=float("nan"))) is Verdict.NOT_APPLICABLE


@pytest.mark.parametrize("name", ["sup_error", "node_error", "lipschitz_f", "lipschitz_g", "fill_distance"])
def test_bad_numbers_are_one_sentence(name):
    with pytest.raises(ValueError, match=f"^{name} must be at least 0, but was -1.0$"):
        run_check(**{name: -1.0})


# 5. Proof lines


@pytest.fixture(scope="module")
def trained():
    """A trained network on four points of [-1, 1]^2 against its labels' function sin x_1, both constants by hand."""
    data = hand_trained.data(separation=0.5, gap=0.0)
    theta = hand_trained.train(data, step_size=0.5, steps=300)[-1]
    neurons = theta.reshape(hand_trained.WIDTH, 4)
    lipschitz = np.linalg.norm(neurons[:, 0]) * np.linalg.norm(neurons[:, 1:3], 2) / np.sqrt(hand_trained.WIDTH)
    grid = np.array(list(itertools.product(np.linspace(-1.0, 1.0, 33), repeat=2)))
    inputs = hand_trained.Data(np.column_stack([grid, np.ones(len(grid))]), np.sin(grid[:, 0]))
    return data, grid, hand_trained.residuals(theta, inputs), hand_trained.residuals(theta, data), lipschitz + 1.0


def test_proof_lines_on_a_trained_network_1(trained):
    """|e(x) - e(x_i)| <= (Lip f + Lip g) |x - x_i| for every i, at every x of the grid."""
    data, grid, errors, node_errors, lipschitz = trained
    reach = np.linalg.norm(grid[:, None] - data.inputs[:, :2], axis=2)
    assert np.all(np.abs(errors[:, None] - node_errors) <= lipschitz * reach + 1e-12)


def test_proof_lines_on_a_trained_network_2_and_3(trained):
    """With the nearest i, then the supremum over the grid (whose own fill distance is below h_fill)."""
    data, grid, errors, node_errors, lipschitz = trained
    nearest = np.linalg.norm(grid[:, None] - data.inputs[:, :2], axis=2).min(axis=1)
    worst = np.abs(node_errors).max()
    pointwise = np.asarray(sup_bound(worst, lipschitz, fill_distance=nearest))
    assert np.all(np.abs(errors) <= pointwise + 1e-12)
    assert np.abs(errors).max() <= pointwise.max() == float(sup_bound(worst, lipschitz, fill_distance=nearest.max()))


def test_proof_lines_on_a_point_set_4():
    """dist(., X) is 1-Lipschitz and 0 on X; no function of the data is nearer than L h_fill to both +-L dist(., X)."""
    rng = np.random.default_rng(0)
    points, x = rng.random((6, 2)), rng.random((300, 2))
    cone = np.linalg.norm(x[:, None] - points, axis=2).min(axis=1)
    steps = np.linalg.norm(x[:, None] - x, axis=2)
    assert np.all(np.abs(cone[:, None] - cone) <= steps + 1e-15)
    assert np.linalg.norm(points[:, None] - points, axis=2).min(axis=1).max() == 0.0
    for guess in (np.zeros(300), rng.standard_normal(300), 2.0 * cone):
        assert max(np.abs(3.0 * cone - guess).max(), np.abs(-3.0 * cone - guess).max()) >= 3.0 * cone.max()

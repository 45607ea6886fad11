"""R2 path floor, in five parts: random instances, attained, necessary hypotheses, invariances, proof lines."""

import itertools

import hand_trained
import jax
import numpy as np
import pytest
from hypothesis import given

from experiments.hunt import search
from experiments.hunts.path_floor import HUNT
from theory import path_floor
from theory.path_floor import excess_gap, gap_motion_ceiling, loss_floor
from theory.verdict import Verdict, judge, slack_log10


def run_check(**changes):
    numbers = {
        "initial_gap": 0.5,
        "path_length": 4.0,
        "gradient_gap": 0.1,
        "target_loss": 1e-3,
        "final_loss": 1e-3,
        "num_points": 4,
        "instance": "by hand",
    }
    return path_floor.check(**(numbers | changes))


# 1. Holds on random instances


@given(HUNT.instances)
def test_holds_on_random_instances(instance):
    assert judge(HUNT.check(instance)) is not Verdict.VIOLATED


def test_random_instances_are_applicable_and_come_close_to_equality():
    report = search(HUNT, examples=60, seed=0)
    assert report.violation is None
    assert report.applicable >= 30
    assert report.smallest_slack_log10 is not None and abs(report.smallest_slack_log10) < 1e-6


# 2. Attained


def linear_pair_run(*, separation, gap, step_size, num_steps, num_points=5):
    """Gradient descent on f = <theta, phi>, orthogonal features but for the pair phi = c +- (h/2) u, numpy."""
    features = np.eye(num_points + 1)[:num_points]
    features[1] = features[0]
    features[0, -1], features[1, -1] = separation / 2, -separation / 2
    labels = np.zeros(num_points)
    labels[:2] = -gap / 2, gap / 2
    path = [np.zeros(num_points + 1)]
    for _ in range(num_steps):
        path.append(path[-1] - step_size * (features @ path[-1] - labels) @ features / num_points)
    return np.array(path), features, labels


@pytest.mark.parametrize(("separation", "step_size"), [(0.5, 0.7), (0.02, 3.0)])
def test_is_attained_by_the_pair_mode_of_a_linear_model(separation, step_size):
    path, features, labels = linear_pair_run(separation=separation, gap=0.5, step_size=step_size, num_steps=100)
    final_loss = np.mean((features @ path[-1] - labels) ** 2) / 2
    found = run_check(
        initial_gap=0.5,
        path_length=float(np.linalg.norm(np.diff(path, axis=0), axis=1).sum()),
        gradient_gap=separation,
        target_loss=float(final_loss),
        final_loss=float(final_loss),
        num_points=5,
    )
    assert judge(found) is Verdict.HOLDS
    assert slack_log10(found) == pytest.approx(0.0, abs=1e-10)


@pytest.mark.parametrize("instance", HUNT.extremal)
def test_is_attained_closely_enough_to_see_a_wrong_constant(instance):
    found = HUNT.check(instance)
    assert judge(found) is Verdict.HOLDS
    wrong = found.bound * (1.15 if found.sense == ">=" else 1 / 1.15)
    assert judge(found._replace(bound=wrong)) is Verdict.VIOLATED


# 3. Fails without each hypothesis


def test_fails_without_continuity():
    """f = [theta > x] has gradient 0 wherever it has one, so the gap must not move; one short step moves it by 1."""

    def gap(theta):
        return float(theta > 0.25) - float(theta > 0.75)

    start, end = 0.0, 0.5
    found = path_floor.check_motion(
        gap_motion=abs(gap(end) - gap(start)), path_length=end - start, gradient_gap=0.0, instance="jump"
    )
    assert judge(found) is Verdict.VIOLATED


def test_fails_without_supremum_over_segments():
    """f = x sin theta from -pi/2 to pi/2: the gradient gap |x_i - x_j| |cos theta| is 0 at both iterates, 1 between."""
    inputs = np.array([0.0, 1.0])
    thetas = np.array([-np.pi / 2, np.pi / 2])
    motion = np.ptp(np.sin(thetas) * (inputs[1] - inputs[0]))
    at_iterates = float(np.abs(np.cos(thetas)).max())
    supremum = float(np.abs(np.cos(np.linspace(*thetas, 1001))).max())
    verdicts = [
        judge(path_floor.check_motion(gap_motion=motion, path_length=np.pi, gradient_gap=g, instance="arc"))
        for g in (at_iterates, supremum)
    ]
    assert verdicts == [Verdict.VIOLATED, Verdict.HOLDS]


# 4. Invariances and limits


def test_invariances_and_limits_units():
    """Labels times c: loss times c^2, gap and gradient gap times c, same path. Parameters times c: path times c."""
    floor = path_floor.path_floor(0.5, 0.1, target_loss=1e-3, num_points=4)
    assert float(path_floor.path_floor(1.5, 0.3, target_loss=9e-3, num_points=4)) == pytest.approx(float(floor))
    assert float(path_floor.path_floor(0.5, 0.1 / 7, target_loss=1e-3, num_points=4)) == pytest.approx(7 * float(floor))


def test_invariances_and_limits_extremes():
    def floor(gap, gradient_gap, eps):
        return float(path_floor.path_floor(gap, gradient_gap, target_loss=eps, num_points=4))

    assert floor(0.5, 0.1, 0.0) == pytest.approx(5.0)
    assert floor(-0.5, 0.1, 0.0) == pytest.approx(5.0)
    assert floor(0.5, 0.1, 0.25 / 16) == 0.0  # eps = d^2/(4N): nothing need go
    assert floor(0.5, 0.0, 1e-3) == np.inf
    assert floor(0.1, 0.0, 1.0) == 0.0  # nothing need go, though nothing can
    assert floor(0.5, 0.05, 1e-3) == pytest.approx(2 * floor(0.5, 0.1, 1e-3))


def test_invariances_and_limits_batches():
    gaps, losses = np.linspace(0.0, 1.0, 5), np.array([[1e-4], [1e-2]])
    expected = np.maximum(gaps - 2 * np.sqrt(4 * losses), 0) / 0.1
    found = path_floor.path_floor(gaps, 0.1, target_loss=losses, num_points=4)
    mapped = jax.vmap(lambda g: path_floor.path_floor(g, 0.1, target_loss=losses[:, 0], num_points=4))(gaps)
    np.testing.assert_allclose(found, expected, rtol=1e-14)
    np.testing.assert_allclose(mapped, expected.T, rtol=1e-14)


def test_invariances_and_limits_vector_outputs():
    """f(x) = A(x) theta in R^2: |(A_i - A_j) step| is at most the Frobenius norm times |step|, equal for rank 1."""
    rng = np.random.default_rng(1)
    step = rng.standard_normal(6)
    full = rng.standard_normal((2, 6))
    rank_one = np.outer([0.6, 0.8], step)
    for difference in (full, rank_one):
        ceiling = gap_motion_ceiling(np.linalg.norm(difference), np.linalg.norm(step))
        motion = np.linalg.norm(difference @ step)
        assert motion <= float(ceiling) * (1 + 1e-14)
        assert (motion == pytest.approx(float(ceiling))) == (difference is rank_one)


def test_verdicts():
    assert judge(run_check(final_loss=2e-3)) is Verdict.NOT_APPLICABLE
    assert judge(run_check(final_loss=float("nan"), path_length=float("nan"))) is Verdict.NOT_APPLICABLE
    assert judge(run_check(initial_gap=0.1)) is Verdict.VACUOUS
    assert judge(run_check(path_length=3.74)) is Verdict.HOLDS  # the floor is (0.5 - 2 sqrt(0.004)) / 0.1 = 3.735...
    assert judge(run_check(path_length=3.73)) is Verdict.VIOLATED


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"num_points": 1}, "num_points must be at least 2"),
        ({"path_length": -1.0}, "path_length must be at least 0, but was -1.0"),
        ({"gradient_gap": -0.1}, "gradient_gap must be at least 0"),
        ({"target_loss": -1e-9}, "target_loss must be at least 0"),
    ],
)
def test_bad_numbers_are_one_sentence(change, words):
    with pytest.raises(ValueError, match=words):
        run_check(**change)


# 5. Proof lines


@pytest.fixture(scope="module")
def trained():
    data = hand_trained.data(separation=0.5, gap=1.0)
    return data, hand_trained.train(data, step_size=0.5, steps=300)


def test_proof_lines_on_a_trained_network_1(trained):
    """d_{s+1} - d_s = integral of <grad f(x_i) - grad f(x_j), step>, labels gone; 8 Gauss points, error below 1e-12."""
    data, path = trained
    nodes, weights = np.polynomial.legendre.leggauss(8)
    for start, end in itertools.pairwise(path):
        slopes = [hand_trained.gradient_gap(start + (1 + t) / 2 * (end - start), data) @ (end - start) for t in nodes]
        moved = hand_trained.gap(end, data) - hand_trained.gap(start, data)
        assert moved == pytest.approx(weights @ slopes / 2, abs=1e-12)


def test_proof_lines_on_a_trained_network_2(trained):
    """|d_{s+1} - d_s| <= G_s |step|, and summed |d_T - d_0| <= G PathLength_T; G over 21 points a segment."""
    data, path = trained
    lengths = np.linalg.norm(np.diff(path, axis=0), axis=1)
    gaps = np.array([hand_trained.gap(theta, data) for theta in path])
    suprema = np.array(
        [
            max(np.linalg.norm(hand_trained.gradient_gap(theta, data)) for theta in hand_trained.along(start, end, 21))
            for start, end in itertools.pairwise(path)
        ]
    )
    assert np.all(np.abs(np.diff(gaps)) <= suprema * lengths * (1 + 1e-12))
    ceilings = gap_motion_ceiling(np.maximum.accumulate(suprema), np.cumsum(lengths))
    assert np.all(np.abs(gaps[1:] - gaps[0]) <= np.asarray(ceilings) * (1 + 1e-12))


def test_proof_lines_on_a_trained_network_3(trained):
    """d^2 <= 2 (r_i^2 + r_j^2) <= 4 N L at every step, for every pair."""
    data, path = trained
    for theta in path:
        r = hand_trained.residuals(theta, data)
        differences = r[:, None] - r
        assert np.all(differences**2 <= 2 * (r[:, None] ** 2 + r**2) + 1e-15)
        assert float(np.max(loss_floor(differences, hand_trained.NUM_POINTS))) <= hand_trained.loss(theta, data)


def test_proof_lines_on_a_trained_network_4(trained):
    """(|d_0| - 2 sqrt(N L_T))_+ <= |d_0| - |d_T| <= |d_T - d_0| wherever the left side is positive."""
    data, path = trained
    first = hand_trained.gap(path[0], data)
    excesses = []
    for theta in path:
        last = hand_trained.gap(theta, data)
        excess = float(excess_gap(first, hand_trained.loss(theta, data), num_points=hand_trained.NUM_POINTS))
        excesses.append(excess)
        assert excess == 0.0 or excess <= abs(first) - abs(last) + 1e-15
        assert abs(first) - abs(last) <= abs(last - first)
    assert max(excesses) > 0.5  # the line is not empty on this run

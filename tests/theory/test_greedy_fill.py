"""A4 greedy fill, in five parts: random instances, attained, necessary hypotheses, invariances, proof lines."""

import itertools
import math

import hand_trained
import numpy as np
import pytest
from hypothesis import given

from experiments.hunt import search
from experiments.hunts.greedy_fill import HUNT
from theory import greedy_fill
from theory.greedy_fill import fill_ceiling, line_fill_ceiling, separation_ceiling
from theory.packing_ceiling import cube_ceiling
from theory.verdict import Verdict, failed_hypotheses, judge, slack_log10


def distances(points, others):
    return np.linalg.norm(np.asarray(points)[:, None] - np.asarray(others), axis=2)


def farthest_first(pool, count, first=0):
    """Rows of the pool and the insertion distances, by the definition: the farthest point of the pool each time."""
    chosen, lengths = [first], []
    for _ in range(count - 1):
        nearest = distances(pool, pool[chosen]).min(axis=1)
        chosen.append(int(nearest.argmax()))
        lengths.append(nearest.max())
    return pool[chosen], np.array(lengths)


def separation(points):
    return float(distances(points, points)[np.triu_indices(len(points), 1)].min())


def line_fill(points, length=1.0):
    """Fill distance in [0, length] from the gaps."""
    x = np.sort(np.ravel(points))
    return float(max(x[0], length - x[-1], np.diff(x).max() / 2))


def breaks(found):
    return judge(found._replace(margins={})) is Verdict.VIOLATED


def attained(found, wrong):
    """Equality, and a bound wrong by the factor is seen."""
    assert judge(found) is Verdict.HOLDS
    assert slack_log10(found) == pytest.approx(0.0, abs=1e-12)
    assert breaks(found._replace(bound=wrong * found.bound))


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


def test_is_attained_cover_from_the_middle():
    """[0, 1] from 1/2: the next point is an end, at 1/2, and the other end stays uncovered within less than 1/2."""
    points, lengths = farthest_first(np.linspace(0.0, 1.0, 101)[:, None], 2, first=50)
    assert lengths[-1] == separation(points) == 0.5
    attained(greedy_fill.check(fill_distance=line_fill(points), separation=0.5, instance="middle"), 1 / 1.15)
    cone = np.abs(np.linspace(0.0, 1.0, 101)[:, None] - np.ravel(points)).min(axis=1)
    numbers = {"node_error": 0.1, "lipschitz_f": 2.0, "lipschitz_g": 1.0, "separation": 0.5, "instance": "cones"}
    attained(greedy_fill.check_error(sup_error=float(0.1 + 3.0 * cone.max()), **numbers), 1 / 1.15)


def test_is_attained_cover_from_a_pool():
    """The pool {0, 2/5, 4/5} of [0, 1] from 2/5: h = 2/5, q = 1/5, and 1 is 3/5 away from {0, 2/5}."""
    points, lengths = farthest_first(np.array([[0.0], [0.4], [0.8]]), 2, first=1)
    q = line_fill([0.0, 0.4, 0.8])
    found = greedy_fill.check(fill_distance=line_fill(points), separation=lengths[-1], pool_fill=q, instance="pool")
    attained(found, 1 / 1.15)


def test_is_attained_half_by_midpoints():
    points = (np.arange(7)[:, None] + 0.5) / 7
    found = greedy_fill.check_half(fill_distance=line_fill(points), separation=separation(points), instance="midpoints")
    attained(found, 1.15)


def test_is_attained_packing_by_equispaced_points():
    for count in (2, 3, 9):
        numbers = {"num_points": count, "dim": 1, "volume": 1.0, "inradius": 0.5, "instance": "equispaced"}
        attained(greedy_fill.check_packing(separation=1.0 / (count - 1), **numbers), 1 / 1.15)


@pytest.mark.parametrize("h", [0.0, 0.1, 0.2, 0.24, 0.25])
def test_is_attained_line_by_points_pushed_to_one_end_or_apart(h):
    """Five points: at spacing h from 0, or with all the room left in one inner gap, whichever is worse."""
    pushed = h * np.arange(5)
    parted = np.where(np.arange(5) < 4, pushed, 1.0)
    fill = max(line_fill(pushed), line_fill(parted))
    numbers = {"separation": h, "true_separation": h, "num_points": 5, "instance": "line"}
    attained(greedy_fill.check_line(fill_distance=fill, **numbers), 1 / 1.15)


def test_how_loose_volume():
    """[0, 1] with gaps 2h but for one h, ends h uncovered: maximal, h = 1/(2N - 1), against a = 1/(2N)."""
    for count in (3, 10, 50):
        h = 1.0 / (2 * count - 1)
        points = h + h * np.concatenate([[0.0], 1.0 + 2.0 * np.arange(count - 1)])
        assert separation(points[:, None]) == pytest.approx(h) and line_fill(points) <= h * (1 + 1e-9)
        numbers = {"num_points": count, "dim": 1, "volume": 1.0, "instance": "gaps"}
        found = greedy_fill.check_volume(separation=h, **numbers)
        assert judge(found) is Verdict.HOLDS
        assert found.measured / found.bound == pytest.approx(2 * count / (2 * count - 1))
    assert breaks(found._replace(bound=1.15 * found.bound))


# 3. Fails without each hypothesis


def test_fails_without_farthest_first():
    """A cluster {0, 0.1, 0.2} of [0, 1]: h_min = 0.1, while 1 is 0.8 away and balls of radius 0.1 cover too little."""
    points = np.array([[0.0], [0.1], [0.2]])
    slack = 0.1 - 1.0  # the second point was 0.1 away, the farthest one 1
    found = greedy_fill.check(fill_distance=0.8, separation=separation(points), maximality=slack, instance="cluster")
    assert failed_hypotheses(found) == ("farthest first",) and breaks(found)
    numbers = {"num_points": 3, "dim": 1, "volume": 1.0, "maximality": slack, "instance": "cluster"}
    found = greedy_fill.check_volume(separation=0.1, **numbers)
    assert failed_hypotheses(found) == ("farthest first",) and breaks(found)


def test_fails_without_pool():
    """Farthest-first in the pool [0, 1/2] of Omega = [0, 1], said to have q = 0."""
    points, lengths = farthest_first(np.linspace(0.0, 0.5, 51)[:, None], 3)
    numbers = {"separation": lengths[-1], "instance": "half a pool"}
    found = greedy_fill.check(fill_distance=line_fill(points), observed_pool_distance=0.5, **numbers)
    assert failed_hypotheses(found) == ("pool",) and breaks(found)
    assert judge(greedy_fill.check(fill_distance=line_fill(points), pool_fill=0.5, **numbers)) is Verdict.HOLDS


def test_fails_without_lipschitz_constants():
    """f = sin(8 pi x) vanishes at 0, 1, 1/2, 1/4, 3/4, farthest-first in [0, 1], and the data show no slope."""
    points, lengths = farthest_first(np.linspace(0.0, 1.0, 5)[:, None], 5)
    numbers = {"node_error": float(np.abs(np.sin(8 * np.pi * points)).max()), "lipschitz_g": 0.0, "instance": "sine"}
    numbers |= {"sup_error": 1.0, "separation": float(lengths[-1])}
    found = greedy_fill.check_error(lipschitz_f=0.0, observed_slope=8 * math.pi, **numbers)
    assert failed_hypotheses(found) == ("lipschitz constants",) and breaks(found)
    assert judge(greedy_fill.check_error(lipschitz_f=8 * math.pi, **numbers)) is Verdict.HOLDS


def test_fails_without_connected_domain():
    """Omega = [0, 0.1] and [10, 10.1], X = {0, 10}: covered within 0.1, separated by 10."""
    found = greedy_fill.check_half(fill_distance=0.1, separation=10.0, connectedness=-9.9, instance="two intervals")
    assert failed_hypotheses(found) == ("connected domain",) and breaks(found)


def test_fails_without_convex_domain():
    """Omega = [-1, 1] and the speck 100: |Omega| = 2, rho = 1, yet {-1, 100} are 101 apart, not at most 2."""
    numbers = {"num_points": 2, "dim": 1, "volume": 2.0, "inradius": 1.0, "instance": "speck"}
    found = greedy_fill.check_packing(separation=101.0, convexity=-99.0, **numbers)
    assert found.bound == pytest.approx(2.0)
    assert failed_hypotheses(found) == ("convex domain",) and breaks(found)
    assert judge(greedy_fill.check_packing(separation=2.0, **numbers)) is Verdict.HOLDS  # {-1, 1}


def test_fails_without_separation():
    """{0, 0.1, 0.2} said to be 0.4 apart would leave no more than 0.3 uncovered; it leaves 0.8."""
    numbers = {"fill_distance": 0.8, "true_separation": 0.1, "num_points": 3, "instance": "cluster"}
    found = greedy_fill.check_line(separation=0.4, **numbers)
    assert failed_hypotheses(found) == ("separation",) and breaks(found)
    assert judge(greedy_fill.check_line(separation=0.1, **numbers)) is Verdict.HOLDS


def test_fails_at_fixed_n_the_wish_that_a_larger_separation_always_helps():
    """{0, 1} has twice the separation and twice the fill distance of {1/4, 3/4}; its guarantee is no worse, though."""
    assert line_fill([0.0, 1.0]) == 2 * line_fill([0.25, 0.75]) == 0.5
    guarantees = np.asarray(line_fill_ceiling(np.array([0.5, 1.0]), 2))
    np.testing.assert_allclose(guarantees, [0.5, 0.5])


# 4. Invariances and limits


def test_invariances_and_limits():
    ceiling = float(separation_ceiling(100, dim=2, volume=1.0, inradius=0.5))
    assert float(separation_ceiling(100, dim=2, volume=9.0, inradius=1.5)) == pytest.approx(3.0 * ceiling)
    assert cube_ceiling(100, dim=2) <= ceiling <= 1.2 * cube_ceiling(100, dim=2)
    many = float(separation_ceiling(10**8, dim=2, volume=1.0, inradius=0.5))
    assert many == pytest.approx(2.0 / math.sqrt(1e8 * math.pi), rel=1e-3)  # 2 a, a ~ N^(-1/d)
    assert float(separation_ceiling(1, dim=1, volume=1.0, inradius=0.4)) == math.inf  # a > rho
    assert float(fill_ceiling(0.3, pool_fill=0.1)) == pytest.approx(0.4)


def test_invariances_and_limits_of_the_line():
    h = np.linspace(0.0, 0.25, 26)
    ceiling = np.asarray(line_fill_ceiling(h, 5))
    assert np.all(np.diff(ceiling) < 0)  # the guarantee falls as the separation grows, at fixed N
    assert ceiling[0] == 1.0 and ceiling[-1] == pytest.approx(0.125)
    np.testing.assert_allclose(line_fill_ceiling(3 * h, 5, length=3.0), 3 * ceiling, rtol=1e-14)
    for count in (3, 4, 9):
        assert np.all(np.diff(line_fill_ceiling(np.linspace(0.0, 1.0 / (count - 1), 41), count)) < 0)
    pair = np.asarray(line_fill_ceiling(np.array([0.0, 0.25, 0.5, 0.75, 1.0]), 2))
    np.testing.assert_array_equal(pair, [1.0, 0.75, 0.5, 0.5, 0.5])  # two points: it stays at l/2


def test_verdicts():
    numbers = {"num_points": 2, "dim": 2, "volume": 1.0, "inradius": 0.4, "instance": "few points"}
    assert judge(greedy_fill.check_packing(separation=1.0, **numbers)) is Verdict.HOLDS
    assert judge(greedy_fill.check_packing(separation=1.0, **(numbers | {"inradius": 0.1}))) is Verdict.VACUOUS


def test_bad_numbers_are_one_sentence():
    with pytest.raises(ValueError, match=r"^num_points must be at least 2 to have a separation, but was 1$"):
        greedy_fill.check_volume(separation=1.0, num_points=1, dim=1, volume=1.0, instance="one")
    for name in ("fill_distance", "separation", "pool_fill"):
        numbers = {"fill_distance": 1.0, "separation": 1.0, "pool_fill": 0.0, "instance": "bad"}
        with pytest.raises(ValueError, match=f"^{name} must be at least 0, but was -1.0$"):
            greedy_fill.check(**(numbers | {name: -1.0}))


# 5. Proof lines


@pytest.fixture(scope="module")
def chosen():
    """25 of 4000 random points of the unit square, farthest-first; the pool stands for Omega where a line allows it."""
    pool = np.random.default_rng(3).random((4000, 2))
    return pool, *farthest_first(pool, 25)


def test_proof_lines_on_a_greedy_set_1(chosen):
    """Insertion distances fall; the last one is the separation."""
    _, points, lengths = chosen
    assert np.all(np.diff(lengths) <= 0.0)
    table = distances(points, points)
    for j in range(1, 25):
        assert np.all(table[j, :j] >= lengths[j - 1] * (1 - 1e-15))
    assert separation(points) == pytest.approx(lengths[-1], rel=1e-14)


def test_proof_lines_on_a_greedy_set_2_and_3(chosen):
    """The pool lies within h_min of the set, a point x of the square within h_min + its distance to the pool."""
    pool, points, lengths = chosen
    assert distances(pool, points).min(axis=1).max() <= lengths[-1]
    probes = np.random.default_rng(4).random((500, 2))
    to_pool, to_points = (distances(probes, others).min(axis=1) for others in (pool, points))
    assert np.all(to_points <= to_pool + lengths[-1])


def test_proof_lines_on_a_trained_network_4(chosen):
    """A1 with h_min + q: a trained network against sin x_1 on [0, 1]^2, Lipschitz constants by operator norms."""
    pool, points, lengths = chosen
    data = hand_trained.data(separation=0.5, gap=0.0)
    theta = hand_trained.train(data, step_size=0.5, steps=100)[-1]
    neurons = theta.reshape(hand_trained.WIDTH, 4)
    slope = 1.0 + np.linalg.norm(neurons[:, 0]) * np.linalg.norm(neurons[:, 1:3], 2) / np.sqrt(hand_trained.WIDTH)

    def error(x):
        inputs = hand_trained.Data(np.column_stack([x, np.ones(len(x))]), np.sin(x[:, 0]))
        return np.abs(hand_trained.residuals(theta, inputs))

    assert error(pool).max() <= error(points).max() + slope * lengths[-1]


def test_proof_lines_on_a_greedy_set_5(chosen):
    """On the segment between any two points some point is h_min/2 from the first and no nearer to the others."""
    _, points, lengths = chosen
    h = lengths[-1]
    for a, b in itertools.combinations(range(25), 2):
        way = points[b] - points[a]
        half = points[a] + 0.5 * h * way / np.linalg.norm(way)
        reach = np.linalg.norm(points - half, axis=1)
        assert reach[a] == pytest.approx(0.5 * h) and np.delete(reach, a).min() >= 0.5 * h * (1 - 1e-12)


def test_proof_lines_on_a_greedy_set_6_and_7(chosen):
    """Balls of radius h_fill cover: a <= h_fill; those of radius h_min/2 fit into (1 + h/(2 rho)) Omega."""
    _, points, lengths = chosen
    a, h = (25 * math.pi) ** -0.5, lengths[-1]
    probes = (np.stack(np.meshgrid(*[np.arange(200) + 0.5] * 2), axis=-1) / 200).reshape(-1, 2)
    fill = distances(probes, points).min(axis=1).max() + math.sqrt(0.5) / 200  # at least h_fill
    assert a <= fill
    assert 25 * math.pi * (h / 2) ** 2 <= (1.0 + h) ** 2  # the square of side 1 + h, rho = 1/2
    enlarged = 0.5 + (1.0 + h) * np.array([-0.5, 0.5])
    assert np.all(points - h / 2 >= enlarged[0]) and np.all(points + h / 2 <= enlarged[1])
    assert h <= 2 * a / (1 - 2 * a) * (1 + 1e-12)


def test_proof_lines_on_crowded_sets_8():
    """Four points near the corners of the square are farther apart than any five: no room for a fifth."""
    rng = np.random.default_rng(5)
    probes = rng.random((2000, 2))
    for _ in range(20):
        points = np.abs(np.array(list(itertools.product((0.0, 1.0), repeat=2))) - 0.07 * rng.random((4, 2)))
        h = separation(points)
        assert h > cube_ceiling(5, dim=2)
        assert distances(probes, points).min(axis=1).max() < h


def test_proof_lines_on_random_lines_9():
    rng = np.random.default_rng(6)
    for _ in range(200):
        x = np.sort(rng.random(4))
        h = np.diff(x).min()
        assert max(x[0], 1.0 - x[-1]) <= 1.0 - 3 * h + 1e-15
        assert np.diff(x).max() <= 1.0 - 2 * h + 1e-15
        assert line_fill(x) <= float(line_fill_ceiling(h, 4)) + 1e-15

"""D2 cosine distance: brute force on small pools, phi attained at every angle, three failures, its lines."""

import math
from itertools import combinations

import hand_trained
import hypothesis
import numpy as np
import pytest

from experiments.hunt import search
from experiments.hunts.cosine_distance import HUNT
from experiments.hunts.small_pools import table_farthest_first
from experiments.points.greedy import farthest_first
from theory.cosine_distance import (
    check_choice,
    check_cover,
    check_dispersion,
    check_identity,
    check_triangle,
    cosine_distances,
    doubled_angle,
)
from theory.verdict import Verdict, judge, slack_log10


def fan(*angles, lengths=None):
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return directions if lengths is None else np.array(lengths)[:, None] * directions


def normalised(points):
    return np.array([point / math.hypot(*point) for point in points])


def cosine_distance(u, v) -> float:
    return 1.0 - math.fsum(u * v) / (math.hypot(*u) * math.hypot(*v))


# 1. Holds on random instances


@hypothesis.given(HUNT.instances)
def test_holds_on_random_instances(instance):
    assert judge(HUNT.check(instance)) in (Verdict.HOLDS, Verdict.VACUOUS)


def test_the_hunt_reaches_equality():
    report = search(HUNT, examples=60, seed=0)
    assert report.violation is None and report.applicable >= 50
    assert report.smallest_slack_log10 is not None and abs(report.smallest_slack_log10) < 1e-8
    assert all(found.slack_log10 < 4.3e-4 for found in report.tightest) and len(report.tightest) == 5


# 2. Attained


@pytest.mark.parametrize("angle", [0.01, 0.3, 1.0, 1.5])
def test_is_attained_at_every_angle(angle):
    """Middle first: D = 1 - cos a against OPT = 1 - cos 2a; end first: cover 1 - cos 2a against OPT = 1 - cos a."""
    wide, narrow = 1.0 - math.cos(2 * angle), 1.0 - math.cos(angle)
    middle = fan(0.0, angle, -angle, lengths=(5.0, 0.1, 1.0))
    end = fan(angle, 0.0, -angle, lengths=(1.0, 7.0, 0.01))
    dispersion = check_dispersion(middle, np.array([0, 1]), optimum=wide)
    cover = check_cover(end, np.array([0]), optimum=narrow)
    outside = check_cover(end[[0, 2]], np.array([0]), optimum=narrow)  # the middle may be the centre, not be chosen
    for found in (dispersion, cover, outside):
        assert judge(found) is Verdict.HOLDS
        assert slack_log10(found) == pytest.approx(0.0, abs=1e-10)


def test_how_loose_the_factor_four_is():
    """OPT / D on the fan is 2 (2 - D): 4 for narrow fans only; in chords 2 cos(a/2), never 2."""
    for angle in (1e-3, 0.1, 1.0, 1.5):
        ratio = (1.0 - math.cos(2 * angle)) / (1.0 - math.cos(angle))
        assert ratio == pytest.approx(4.0 - 2.0 * (1.0 - math.cos(angle)), rel=1e-9)
        chords = math.sin(angle) / math.sin(angle / 2)
        assert chords == pytest.approx(2.0 * math.cos(angle / 2)) and chords < 2.0
    assert doubled_angle(1e-3) / 1e-3 == pytest.approx(4.0, rel=1e-3)


def test_a_wrong_constant_is_rejected():
    """phi / 1.15 is violated on the fan, and the relaxed triangle inequality with 2 / 1.15 on a narrow one."""
    for found in (
        check_dispersion(fan(0.0, 0.5, -0.5), np.array([0, 1]), optimum=1.0 - math.cos(1.0)),
        check_triangle(fan(-0.1, 0.0, 0.1)),
    ):
        assert judge(found) is Verdict.HOLDS and judge(found._replace(bound=found.bound / 1.15)) is Verdict.VIOLATED


# 3. Fails without each hypothesis


def test_fails_without_nonzero_vectors():
    """With the usual convention cos(0, v) = 0 the zero vector is at cosine distance 1, but |0 - v|^2 / 2 = 1/2."""
    zero, unit = np.zeros(2), np.array([0.6, 0.8])
    found = check_identity(zero, unit, scaled=np.stack([zero, unit]))
    assert judge(found) is Verdict.NOT_APPLICABLE and found.margins["nonzero vectors"] == -math.inf
    assert judge(found._replace(margins={})) is Verdict.VIOLATED


def test_fails_without_normalised_vectors():
    """(1, 0), (100, 0), (0, 1): Euclid takes the long parallel one, of cosine distance 0, cosine the orthogonal one."""
    pool = np.array([[1.0, 0.0], [100.0, 0.0], [0.0, 1.0]])
    by_length, by_angle = farthest_first(pool, 2), farthest_first(normalised(pool), 2)
    assert by_length.tolist() == [0, 1] and by_angle.tolist() == [0, 2]
    choice = check_choice(pool, by_angle, scaled=pool)
    assert judge(choice) is Verdict.NOT_APPLICABLE and choice.margins["farthest choice"] >= 0.0
    assert judge(choice._replace(margins={})) is Verdict.VIOLATED
    identity = check_identity(pool[0], pool[1], scaled=pool[:2])
    assert judge(identity) is Verdict.NOT_APPLICABLE and judge(identity._replace(margins={})) is Verdict.VIOLATED
    guarantee = check_dispersion(pool, by_length, optimum=1.0)
    assert judge(guarantee) is Verdict.NOT_APPLICABLE and judge(guarantee._replace(margins={})) is Verdict.VIOLATED


def test_fails_without_farthest_choice():
    pool = fan(0.0, 0.01, 1.0)
    for found in (
        check_dispersion(pool, np.array([0, 1]), optimum=1.0 - math.cos(1.0)),
        check_cover(pool, np.array([0, 1]), optimum=1.0 - math.cos(0.005)),
        check_choice(pool, np.array([0, 1]), scaled=pool),
    ):
        assert judge(found) is Verdict.NOT_APPLICABLE and found.margins["farthest choice"] < 0.0
        assert judge(found._replace(margins={})) is Verdict.VIOLATED


def test_cosine_distance_is_not_a_metric():
    """Angles 0, 45, 90 degrees: 1 > 2 (1 - 1/sqrt 2) = 0.586; twice the sum holds, and 1.99 times it fails at 0.1."""
    path = fan(0.0, math.pi / 4, math.pi / 2)
    table = cosine_distances(path, path)
    assert table[0, 2] > table[0, 1] + table[1, 2] == pytest.approx(2.0 - math.sqrt(2.0))
    assert judge(check_triangle(path)) is Verdict.HOLDS
    narrow = check_triangle(fan(-0.1, 0.0, 0.1))
    assert narrow.measured > 1.99 / 2.0 * narrow.bound


# 4. Invariances and limits


def test_invariances_and_limits():
    rng = np.random.default_rng(0)
    pool = rng.standard_normal((30, 5))
    longer = pool * np.exp(2.0 * rng.standard_normal((30, 1)))
    rotation = np.linalg.qr(rng.standard_normal((5, 5)))[0]
    table = cosine_distances(pool, pool)
    np.testing.assert_allclose(cosine_distances(longer, longer), table, atol=1e-14)
    np.testing.assert_allclose(cosine_distances(pool @ rotation, pool @ rotation), table, atol=1e-14)
    np.testing.assert_allclose(table[3], [cosine_distance(pool[3], other) for other in pool], atol=1e-14)
    assert cosine_distances(pool, -pool)[2, 2] == pytest.approx(2.0)
    order = farthest_first(normalised(pool), 12)
    np.testing.assert_array_equal(farthest_first(normalised(longer), 12), order)
    np.testing.assert_array_equal(farthest_first(7.0 * normalised(pool), 12), order)  # equal lengths are enough
    assert [doubled_angle(d) for d in (0.0, 1.0, 1.7, 2.0)] == [0.0, 2.0, 2.0, 2.0]
    assert all(doubled_angle(1.0 - math.cos(a)) == pytest.approx(1.0 - math.cos(2 * a)) for a in (0.1, 0.7, 1.5))
    cross = np.array([[1.0, 0.0], [0.0, 3.0], [0.0, -1.0]])  # D = 1 exactly
    assert judge(check_dispersion(cross, np.array([0, 1]), optimum=2.0)) is Verdict.VACUOUS
    assert judge(check_dispersion(fan(0.0, 1.57, -1.57), np.array([0, 1]), optimum=1.9)) is Verdict.HOLDS
    obtuse = check_dispersion(fan(0.0, 2.0), np.array([0, 1]), optimum=1.0 - math.cos(2.0))
    assert judge(obtuse) is Verdict.VACUOUS


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda pool: check_choice(pool, np.array([0]), scaled=pool), r"order must be at least 2 .*, but was \[0\]"),
        (lambda pool: check_dispersion(pool, np.array([1, 1]), optimum=1.0), r"order must be .*, but was \[1, 1\]"),
        (lambda pool: check_cover(pool, np.array([3]), optimum=1.0), r"order must hold indices of the 3 .* was \[3\]"),
    ],
)
def test_bad_orders_are_one_sentence(call, words):
    with pytest.raises(ValueError, match=words):
        call(fan(0.0, 0.5, 1.0))


# 5. Proof lines


@pytest.fixture(scope="module")
def gradients():
    """Per-sample gradients of a trained tanh network at 24 inputs: vectors of 32 coordinates, of unequal lengths."""
    theta = hand_trained.train(hand_trained.data(separation=0.5, gap=1.0), step_size=0.5, steps=50)[-1]
    points = np.random.default_rng(3).standard_normal((24, 2))
    rows = []
    for start in range(0, 24, 4):
        inputs = np.column_stack([points[start : start + 4], np.ones(4)])
        rows.append(hand_trained.jacobian(theta, hand_trained.Data(inputs, np.zeros(4))))
    return np.concatenate(rows)


def test_proof_lines_on_a_networks_gradients_1_to_3(gradients):
    """The identity; the angle's triangle inequality; one choice by cosine, chord and angle."""
    unit = normalised(gradients)
    for u, v in combinations(range(len(unit)), 2):
        half_square = 0.5 * math.fsum((unit[u] - unit[v]) ** 2)
        assert cosine_distance(gradients[u], gradients[v]) == pytest.approx(half_square, abs=1e-14)  # line 1
    chords = np.sqrt(((unit[:, None] - unit) ** 2).sum(axis=2))
    angles = 2.0 * np.arcsin(np.minimum(chords / 2.0, 1.0))
    assert np.all(angles[:, None, :] <= angles[:, :, None] + angles[None, :, :] + 1e-7)  # line 2
    orders = [table_farthest_first(table, 15).tolist() for table in (1.0 - np.cos(angles), chords, angles)]
    assert orders[0] == orders[1] == orders[2] == farthest_first(unit, 15).tolist()  # line 3
    assert np.ptp(np.linalg.norm(gradients, axis=1)) > 0.1
    raw = np.sqrt(((gradients[:, None] - gradients) ** 2).sum(axis=2))
    assert table_farthest_first(raw, 15).tolist() != orders[0]


def test_proof_lines_on_a_networks_gradients_4_to_6(gradients):
    """Twice the angle: phi; any k vectors, any k directions as centres; the relaxed triangle inequality by chords."""
    unit = normalised(gradients)
    order = farthest_first(unit, 24)
    rng = np.random.default_rng(2)
    for k in (3, 6, 10):
        least = min(cosine_distance(unit[a], unit[b]) for a, b in combinations(order[:k], 2))
        phi = 1.0 - math.cos(min(2.0 * math.acos(1.0 - least), math.pi))  # line 4
        assert doubled_angle(least) == pytest.approx(phi, abs=1e-12)
        for _ in range(30):  # line 5
            others = rng.choice(24, k, replace=False)
            assert min(cosine_distance(unit[a], unit[b]) for a, b in combinations(others, 2)) <= phi + 1e-12
            cover = max(min(cosine_distance(x, unit[s]) for s in order[:k]) for x in unit)
            between = unit[others] + unit[rng.choice(24, k)]  # directions that no vector of the pool has
            for centres in (unit[others], between):
                radius = max(min(cosine_distance(x, centre) for centre in centres) for x in unit)
                assert cover <= doubled_angle(radius) + 1e-12
    for a, b, c in combinations(range(12), 3):  # line 6
        to_middle = math.fsum((unit[a] - unit[b]) ** 2) + math.fsum((unit[b] - unit[c]) ** 2)
        assert math.fsum((unit[a] - unit[c]) ** 2) <= 2.0 * to_middle + 1e-14

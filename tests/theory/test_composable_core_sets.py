"""D4 composable core-sets: brute force on small pools, all constants attained, four failures, proof lines."""

from itertools import combinations, pairwise

import hand_trained
import hypothesis
import numpy as np
import pytest

from experiments.hunt import search
from experiments.hunts.composable_core_sets import HUNT, Instance, composed, divided, table
from experiments.hunts.small_pools import shortest_paths, table_farthest_first
from theory.composable_core_sets import (
    Composition,
    check_core_set,
    check_cover,
    check_cover_floor,
    check_dispersion,
    check_dispersion_ceiling,
    check_fall,
    cover_floor,
    dispersion_ceiling,
)
from theory.farthest_first import chosen_separation, cover_radius
from theory.verdict import Verdict, judge

TIES = [0.0, -1.0, 1.0, -3.0, 1.0, -1.0, 3.0]
TIES_CHOICE = Composition(
    (np.array([0]), np.array([1, 2, 3]), np.array([4, 5, 6])),
    (np.array([0]), np.array([1, 2]), np.array([4, 5])),
    np.array([0, 1]),
)


def line(*places):
    places = np.array(places, dtype=float)
    return np.abs(places[:, None] - places)


def best_dispersion(table, count) -> float:
    chosen = combinations(range(len(table)), count)
    return float(max(min(table[a, b] for a, b in combinations(points, 2)) for points in chosen))


def best_cover(to_centres, count) -> float:
    chosen = combinations(range(to_centres.shape[1]), count)
    return float(min(max(min(row[c] for c in centres) for row in to_centres) for centres in chosen))


def choice(table, begins, *, chosen, core_size=None) -> Composition:
    """Farthest-first in consecutive parts and among what they keep."""
    return composed(
        lambda among, count: table_farthest_first(table[np.ix_(among, among)], count),
        tuple(np.split(np.arange(len(table)), begins)),
        chosen=chosen,
        core_size=core_size or chosen,
    )


def all_checks(table, found, *, narrowest):
    """narrowest: least cover radius. The other optima by plain loops."""
    k, kept = len(found.order), table[np.ix_(found.union, found.union)]
    widest = best_dispersion(table, k)
    return (
        check_core_set(table, found, kept_optimum=best_dispersion(kept, k), optimum=widest),
        check_dispersion(table, found, optimum=widest),
        check_cover(table, found, optimum=narrowest),
        check_fall(table, found),
        check_dispersion_ceiling(table, found.order, optimum=widest),
        check_cover_floor(table, found.order, optimum=narrowest),
    )


# 1. Holds on random instances


@hypothesis.given(HUNT.instances)
def test_holds_on_random_instances(instance):
    check = HUNT.check(instance)
    assert judge(check) is Verdict.HOLDS or check.vacuous


def test_the_hunt_reaches_equality():
    report = search(HUNT, examples=60, seed=0)
    assert report.violation is None and report.applicable >= 50 and len(report.tightest) == 6
    assert all(abs(found.slack_log10) < 1e-12 for found in report.tightest)


@pytest.mark.parametrize("metric", ["graph", "line"])
def test_the_hunt_says_what_plain_loops_say(metric):
    instance = Instance("core-set", metric, 8, 0, 3, 2, 0, 0.3, 5)
    if metric == "graph":
        own = table(instance)
        found = choice_in(own, divided(instance), 2)
        assert sorted(np.concatenate(found.parts)) == list(range(8))
        expected = all_checks(own, found, narrowest=best_cover(own, 2))
    else:
        places = np.random.default_rng(5).standard_normal(8)
        own = line(*places)
        found = choice_in(own, divided(instance), 2)
        expected = all_checks(own, found, narrowest=best_cover(own, 2))
    for check in expected:
        hunted = HUNT.check(instance._replace(form=check.inequality))
        assert (hunted.measured, hunted.bound) == pytest.approx((check.measured, check.bound), rel=1e-13)


def choice_in(table, parts, chosen):
    return composed(
        lambda among, count: table_farthest_first(table[np.ix_(among, among)], count),
        parts,
        chosen=chosen,
        core_size=chosen,
    )


# 2. Attained


def test_is_attained_on_the_line():
    """0 | -1, 1, -3 | 1, -1, 3: ties keep the ends out, and 0 and -1 are chosen where -3 and 3 could be."""
    found = choice(line(*TIES), (1, 4), chosen=2)
    for ours, expected in zip((*found.cores, found.order), (*TIES_CHOICE.cores, TIES_CHOICE.order)):
        np.testing.assert_array_equal(ours, expected)
    checks = {check.inequality: check for check in all_checks(line(*TIES), found, narrowest=1.5)}
    for name, value in {"core-set": 2.0, "dispersion": 1.0, "fall": 3.0, "dispersion ceiling": 6.0}.items():
        assert judge(checks[name]) is Verdict.HOLDS and checks[name].measured == checks[name].bound == value


def test_is_attained_on_the_line_for_three_points():
    """The same with a point far away in every part."""
    far = line(0, 100, *(-1, 1, -3, 100), *(1, -1, 3, 100))
    found = choice(far, (2, 6), chosen=3)
    check = check_dispersion(far, found, optimum=best_dispersion(far, 3))
    assert judge(check) is Verdict.HOLDS and check.measured == check.bound == 1.0


@pytest.mark.parametrize("core_size", [2, 3, 5])
def test_is_attained_by_stars_whatever_the_parts_keep(core_size):
    """Leaves 1 from a centre, 2 apart; two parts also hold an end, 2 from its own leaves and 3 from the centre."""
    leaves = 2 * core_size
    lengths = np.full((leaves + 3, leaves + 3), 8.0)
    order = [0, *range(1, core_size + 1), leaves + 1, *range(core_size + 1, leaves + 1), leaves + 2]
    lengths[0, 1 : leaves + 1] = 1.0
    lengths[1 : core_size + 1, leaves + 1] = lengths[core_size + 1 : leaves + 1, leaves + 2] = 2.0
    lengths = shortest_paths(np.minimum(lengths, lengths.T))[np.ix_(order, order)]
    found = choice(lengths, (1, core_size + 2), chosen=2, core_size=core_size)
    check = check_dispersion(lengths, found, optimum=best_dispersion(lengths, 2))
    assert judge(check) is Verdict.HOLDS and check.measured == check.bound == 1.0


@pytest.mark.parametrize("core_size", [2, 3, 5])
def test_is_attained_by_a_tail_for_cover(core_size):
    """Leaves 2 apart and 2 from a corner, and copies of them with the corner and a tip 2 beyond it; centres outside."""
    leaves, corner, tip = core_size, 2 * core_size - 1, 2 * core_size
    places = [*range(leaves), corner, *range(leaves - 1), tip]  # the part with the corner copies all leaves but one
    lengths = np.full((tip + 3, tip + 3), 8.0)
    lengths[:leaves, :leaves] = 2.0
    lengths[:leaves, corner] = 2.0
    lengths[corner, tip] = 2.0
    lengths[:leaves, tip + 1] = lengths[corner, tip + 2] = lengths[tip, tip + 2] = 1.0
    lengths = shortest_paths(np.minimum(lengths, lengths.T))
    own = lengths[np.ix_(places, places)]
    found = choice(own, (leaves,), chosen=2, core_size=core_size)
    narrowest = best_cover(lengths[np.ix_(places, [*places, tip + 1, tip + 2])], 2)
    check = check_cover(own, found, optimum=narrowest)
    assert narrowest == 1.0 and judge(check) is Verdict.HOLDS and check.measured == check.bound == 4.0


def test_is_attained_by_a_segment_for_the_cover_floor():
    check = check_cover_floor(line(0, 1, 0.5), np.array([0]), optimum=0.5)
    assert judge(check) is Verdict.HOLDS and check.measured == check.bound == 0.5
    two = line(0, 1, 0.5, 100, 101, 100.5)
    check = check_cover_floor(two, np.array([0, 4]), optimum=best_cover(two, 2))
    assert judge(check) is Verdict.HOLDS and check.measured == check.bound == 0.5


@pytest.mark.parametrize("core_size", [2, 4, 8])
def test_how_loose_six_is_when_parts_of_a_line_keep_more(core_size):
    """k = 2: the kept points of a part lie within r of the first, c apart: OPT <= (2 + 4 / (core_size - 1)) r."""
    factor = 2.0 + 4.0 / (core_size - 1)
    kept, gap = np.linspace(-1.0, 1.0, core_size), 2.0 / (core_size - 1)
    pool = line(0.0, *kept, -1.0 - gap, *kept[::-1], 1.0 + gap)
    found = choice(pool, (1, core_size + 2), chosen=2, core_size=core_size)
    check = check_dispersion(pool, found, optimum=best_dispersion(pool, 2))
    assert judge(check) is Verdict.HOLDS
    assert check.measured == pytest.approx(1.0) and 6.0 * check.bound == pytest.approx(factor)
    rng = np.random.default_rng(0)
    for _ in range(50):
        pool = line(*rng.standard_normal(20))
        found = choice(pool, (10,), chosen=2, core_size=core_size)
        assert best_dispersion(pool, 2) <= factor * chosen_separation(pool, found.order) * (1 + 1e-12)


def test_a_wrong_constant_is_rejected():
    for instance in HUNT.extremal:
        check = HUNT.check(instance)
        wrong = check.bound / 1.15 if check.sense == "<=" else 1.15 * check.bound
        assert judge(check._replace(bound=wrong)) is Verdict.VIOLATED


# 3. Fails without each hypothesis


def test_fails_without_metric():
    """Squares of the extremal distances: the same choices, and every inequality fails."""
    for instance in HUNT.extremal:
        own, parts = table(instance) ** 2, divided(instance)
        size = sum(len(part) for part in parts)
        pool = own[:size, :size]
        found = choice_in(pool, parts, instance.chosen)
        narrowest = best_cover(own[:size], instance.chosen)
        if instance.form == "cover floor":
            check = check_cover_floor(pool, found.order, optimum=narrowest)
        else:
            check = next(c for c in all_checks(pool, found, narrowest=narrowest) if c.inequality == instance.form)
        assert judge(check) is Verdict.NOT_APPLICABLE and check.margins["metric"] < 0.0
        assert judge(check._replace(margins={})) is Verdict.VIOLATED


def test_fails_without_farthest_choice():
    """A near choice in the part, and one of the union; the certificate does not ask who chose."""
    near = line(0, 0.01, 1)
    in_part = Composition((np.arange(3),), (np.array([0, 1]),), np.array([0, 1]))
    of_union = in_part._replace(cores=(np.array([0, 2, 1]),))
    for found in (in_part, of_union):
        core_set, dispersion, cover, fall, *certificate = all_checks(near, found, narrowest=0.005)
        for check in (dispersion, cover, fall) + ((core_set,) if found is in_part else ()):
            assert judge(check) is Verdict.NOT_APPLICABLE
            assert check.margins["farthest choice"] == pytest.approx(-0.99)
            assert judge(check._replace(margins={})) is Verdict.VIOLATED
        assert [judge(check) for check in certificate] == [Verdict.HOLDS, Verdict.HOLDS]


def test_fails_without_enough_of_each_part():
    """Each of {0, 100} and {1, 101} keeps its first point only."""
    pool = line(0, 100, 1, 101)
    found = choice(pool, (2,), chosen=2, core_size=1)
    core_set, dispersion, cover, fall, *certificate = all_checks(pool, found, narrowest=best_cover(pool, 2))
    for check in (core_set, dispersion, cover, fall):
        assert judge(check) is Verdict.NOT_APPLICABLE and check.margins["enough of each part"] == -1.0
        assert judge(check._replace(margins={})) is Verdict.VIOLATED
    assert [judge(check) for check in certificate] == [Verdict.HOLDS, Verdict.HOLDS]


def test_fails_without_whole_pool():
    """A point that no part holds; and a certificate whose cover is measured without it."""
    pool, part = line(0, 0.05, 0.1, 1), np.arange(3)
    found = choice_in(pool, (part,), 2)
    core_set, dispersion, cover, fall, *_ = all_checks(pool, found, narrowest=best_cover(pool, 2))
    for check in (core_set, dispersion, cover, fall):
        assert judge(check) is Verdict.NOT_APPLICABLE and check.margins["whole pool"] == -1.0
        assert judge(check._replace(margins={})) is Verdict.VIOLATED
    assert judge(check_dispersion_ceiling(pool[:3, :3], found.order, optimum=1.0)) is Verdict.VIOLATED
    wide = line(0, 1, 0.5)  # the certificate says 1/2; one centre covers {0, 0.1} at less
    assert judge(check_cover_floor(wide, np.array([0]), optimum=0.1)) is Verdict.VIOLATED


# 4. Invariances and limits


def test_invariances_and_limits():
    own = table(Instance("dispersion", "graph", 8, 0, 3, 3, 0, 0.0, 2))
    whole = table_farthest_first(own, 3)
    np.testing.assert_array_equal(choice(own, (), chosen=3).order, whole)  # one part
    np.testing.assert_array_equal(choice(own, range(1, 8), chosen=3).order, whole)  # every point its own part
    np.testing.assert_array_equal(choice(own, (3, 5), chosen=3, core_size=8).order, whole)  # all is kept
    found = choice(own, (4,), chosen=3)
    scaled = choice(7.0 * own, (4,), chosen=3)
    np.testing.assert_array_equal(scaled.order, found.order)
    assert [judge(check) for check in all_checks(7.0 * own, scaled, narrowest=7.0 * best_cover(own, 3))] == [
        Verdict.HOLDS
    ] * 6
    # The certificate of an undivided pool is D1's: 2 cover(S_{k-1}) = 2 h_min(S_k), and cover <= h_min.
    ceiling = dispersion_ceiling(cover_radius(own, whole[:-1]))
    assert ceiling == 2.0 * chosen_separation(own, whole)
    cover = cover_radius(own, whole)
    assert cover_floor(chosen_separation(own, whole), cover) == cover / 2.0 and cover_floor(np.inf, 3.0) == 1.5
    duplicates = line(0, 0, 0, 0)
    checks = all_checks(duplicates, choice(duplicates, (2,), chosen=2), narrowest=0.0)
    assert [judge(check) for check in checks[:2]] == [Verdict.VACUOUS] * 2
    assert judge(checks[2]) is judge(checks[3]) is judge(checks[4]) is Verdict.HOLDS
    assert judge(checks[5]) is Verdict.VACUOUS


def test_invariances_and_limits_more_kept_points_never_lower_the_guarantee():
    """c falls with the size of what the parts keep: prefixes of one order."""
    points = np.random.default_rng(4).standard_normal((40, 2))
    own = np.sqrt(((points[:, None] - points) ** 2).sum(axis=2))
    covers = [cover_radius(own, choice(own, (13, 26), chosen=3, core_size=size).union) for size in (3, 6, 12, 14)]
    assert all(later <= earlier for earlier, later in pairwise(covers)) and covers[0] > covers[-1] == 0.0


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ([0], r"order must be at least 2 different indices, but was \[0\]"),
        ([0, 3], r"order must hold indices of the 3 pool points, but was \[0, 3\]"),
    ],
)
def test_bad_orders_are_one_sentence(order, words):
    found = Composition((np.arange(3),), (np.arange(3),), np.array(order))
    with pytest.raises(ValueError, match=words):
        check_dispersion(line(0, 1, 2), found, optimum=1.0)
    with pytest.raises(ValueError, match=words):
        check_dispersion_ceiling(line(0, 1, 2), np.array(order), optimum=1.0)


# 5. Proof lines


@pytest.fixture(scope="module")
def traversal():
    """The hidden features of 40 inputs under a trained tanh network in four parts; distances by plain numpy."""
    theta = hand_trained.train(hand_trained.data(separation=0.5, gap=1.0), step_size=0.5, steps=50)[-1]
    inputs = np.column_stack([np.random.default_rng(3).standard_normal((40, 2)), np.ones(40)])
    features = np.tanh(inputs @ theta.reshape(hand_trained.WIDTH, 4)[:, 1:].T)
    lengths = np.sqrt(((features[:, None] - features) ** 2).sum(axis=2))
    return lengths, {k: choice(lengths, (10, 20, 30), chosen=k) for k in (2, 4, 8)}


def to_nearest(lengths, chosen):
    return np.array([min(lengths[x, s] for s in chosen) for x in range(len(lengths))])


def test_proof_lines_on_a_networks_features_1_to_4(traversal):
    lengths, choices = traversal
    rng = np.random.default_rng(1)
    for k, found in choices.items():
        before = found.order[:-1]
        cover, r = to_nearest(lengths, before).max(), chosen_separation(lengths, found.order)
        for _ in range(30):  # line 1: of k points two share a nearest one
            others = rng.choice(40, k, replace=False)
            homes = lengths[np.ix_(others, before)].argmin(axis=1)
            a, b = next((a, b) for a, b in combinations(range(k), 2) if homes[a] == homes[b])
            assert lengths[others[a], others[b]] <= 2 * cover + 1e-12
        c = to_nearest(lengths, found.union).max()
        assert to_nearest(lengths, before)[found.union].max() <= r + 1e-12  # line 2
        assert cover <= r + c + 1e-12
        own = [to_nearest(lengths, core)[part].max() for part, core in zip(found.parts, found.cores)]
        assert c <= max(own) + 1e-12
        core = found.cores[int(np.argmax(own))]
        assert chosen_separation(lengths, core) >= max(own) - 1e-12 and max(own) <= 2 * r + 1e-12  # line 3
        assert 2 * cover <= 6 * r + 1e-12  # line 4


def test_proof_lines_on_a_networks_features_5_to_7(traversal):
    lengths, choices = traversal
    rng = np.random.default_rng(2)
    for k, found in choices.items():
        c = to_nearest(lengths, found.union).max()
        order, own = found.order, [to_nearest(lengths, core)[part] for part, core in zip(found.parts, found.cores)]
        for _ in range(30):
            others = rng.choice(40, k, replace=False)
            moved = found.union[lengths[np.ix_(others, found.union)].argmin(axis=1)]
            spread = chosen_separation(lengths, others)
            if spread > 2 * c:  # line 5: moved to T, still apart
                assert chosen_separation(lengths, moved) >= spread - 2 * c - 1e-12
            radius = to_nearest(lengths, others).max()  # any k centres
            assert max(cover.max() for cover in own) <= 2 * radius + 1e-12  # line 7, the parts
            assert to_nearest(lengths, order)[found.union].max() <= 2 * radius + 1e-12  # line 7, the union
            assert min(chosen_separation(lengths, order), to_nearest(lengths, order).max()) <= 2 * radius + 1e-12
        cover = to_nearest(lengths, order).max()
        assert cover <= to_nearest(lengths, order)[found.union].max() + c + 1e-12  # line 6
        assert cover <= 3 * chosen_separation(lengths, order)

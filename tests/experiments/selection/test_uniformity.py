"""What is told of a data set, against numbers by hand, brute force, and the invariances of a distance."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.selection.uniformity import measure
from theory.packing_ceiling import sphere_ceiling


def table(points, metric="euclidean"):
    rows = points.astype(np.float64)
    if metric == "cosine":
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return 1.0 - rows @ rows.T
    return np.linalg.norm(rows[:, None] - rows, axis=2)


def nearest(distances):
    return np.where(np.eye(len(distances), dtype=bool), np.inf, distances).min(axis=1)


def test_seven_points_of_the_line_by_hand():
    """Nearest distances 1, 1, 0, 0, 2, 0.5, 0.5 (row 4 is 2 from rows 2 and 3)."""
    found = measure(np.array([[0.0], [1.0], [6.0], [6.0], [8.0], [20.0], [20.5]]))
    assert (found.n, found.d, found.metric) == (7, 1, "euclidean")
    assert (found.h_min, found.closest_pair) == (0.0, (2, 3))
    assert (found.fill, found.loneliest) == (2.0, 4)
    assert (found.mean_nearest, found.median_nearest) == (pytest.approx(5 / 7), 0.5)
    assert found.exact == (1, 1, [[2, 3]]) and found.near == (0, 0, ())
    assert found.near_threshold == pytest.approx(1e-4)  # of the median 1 of those apart
    assert found.ceiling == pytest.approx(20.5 / 6) and found.ratio == 0.0
    assert found.thinned == (1, 0.0) and found.widest == (0, 1.0)
    assert sum(found.histogram.counts) == 5 and found.histogram.edges[-1] >= 2.0
    squares = table(np.array([0, 1, 6, 6, 8, 20, 20.5])[:, None])[np.triu_indices(7, 1)] ** 2
    assert found.mean_distance == pytest.approx(math.sqrt(squares.mean()))


@given(st.integers(0, 2**32 - 1), st.sampled_from(["euclidean", "cosine"]), st.sampled_from([3, 5, 11]))
def test_what_is_told_is_true_by_brute_force(seed, metric, dim):
    rng = np.random.default_rng(seed)
    points = rng.standard_normal((40, dim))
    points[30:33], points[33] = points[3], points[5]  # groups of four and of two
    points[34] = points[8] * (1.0 + 1e-6) + 1e-6
    found, distances = measure(points, metric=metric), table(points, metric)
    least = nearest(distances)
    apart = least > 1e-15
    np.testing.assert_allclose(
        [found.fill, found.mean_nearest, found.median_nearest],
        [least.max(), least.mean(), np.median(least)],
        rtol=1e-9,
        atol=1e-15,
    )
    assert found.exact == (4, 2, [[3, 30, 31, 32], [5, 33]])
    linked = apart & (least <= found.near_threshold)
    assert found.near.rows >= linked.sum() / 2 and any({8, 34} <= set(group) for group in found.near.examples)
    counts, _ = np.histogram(least[apart], [*found.histogram.edges[:-1], found.histogram.edges[-1] + 1e-9])
    assert list(found.histogram.counts) == counts.tolist() and sum(counts) == apart.sum()
    kept = np.argsort(least, kind="stable")[found.thinned.rows :]
    assert nearest(distances[np.ix_(kept, kept)]).min() >= found.thinned.h_min - 1e-15
    pairs = distances[np.triu_indices(40, 1)]
    mean = pairs.mean() if metric == "cosine" else math.sqrt((pairs**2).mean())
    assert found.mean_distance == pytest.approx(mean)
    assert found.h_min == 0.0 and found.ratio == 0.0


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("dim", [3, 12])
def test_chosen_rows_are_measured_over_their_pool(metric, dim):
    points = np.random.default_rng(3).standard_normal((60, dim))
    chosen = np.array([50, 7, 9, 41, 20])
    found, distances = measure(points, metric=metric, chosen=chosen), table(points, metric)
    among = distances[np.ix_(chosen, chosen)] + 9.0 * np.eye(5)
    i, j = np.unravel_index(among.argmin(), among.shape)
    assert found.closest_pair == tuple(sorted((chosen[i], chosen[j]))) and found.n == 5
    assert found.h_min == pytest.approx(among.min())
    to_chosen = distances[:, chosen].min(axis=1)
    assert (found.fill, found.loneliest) == (pytest.approx(to_chosen.max()), to_chosen.argmax())
    alone = measure(points[chosen], metric=metric)
    assert alone._replace(fill=0, loneliest=0, closest_pair=None) == found._replace(
        fill=0, loneliest=0, closest_pair=None
    )


def test_a_single_row_has_a_cover_only():
    points = np.array([[0.0, 0.0], [3.0, 4.0]])
    found = measure(points, chosen=np.array([0]))
    assert (found.n, found.fill, found.loneliest, found.h_min, found.exact.rows) == (1, 5.0, 1, None, 0)


@pytest.mark.parametrize("dim", [3, 12])
def test_invariances(dim):
    """Rotation, translation and scale; under cosine rotation and the scale of each row."""
    rng = np.random.default_rng(4)
    points = rng.standard_normal((80, dim))
    rotation = np.linalg.qr(rng.standard_normal((dim, dim)))[0]
    moved = {"euclidean": 0.25 * (points @ rotation + 7.0), "cosine": rng.uniform(1, 9, (80, 1)) * (points @ rotation)}
    for metric, unit in (("euclidean", 0.25), ("cosine", 1.0)):
        one, other = measure(points, metric=metric), measure(moved[metric], metric=metric)
        assert one.closest_pair == other.closest_pair and one.loneliest == other.loneliest
        names = ("h_min", "fill", "mean_nearest", "median_nearest", "mean_distance", "near_threshold")
        for name in names:
            assert getattr(other, name) == pytest.approx(unit * getattr(one, name), rel=1e-9)


def test_the_near_threshold_is_a_tenth_and_less_in_few_dimensions():
    rng = np.random.default_rng(5)
    for dim, share in ((2, 1e-2), (3, 10 ** (-4 / 3)), (4, 0.1), (30, 0.1)):
        found = measure(rng.random((50, dim)))
        assert found.near_threshold == pytest.approx(share * found.median_nearest)
        cosine = measure(rng.standard_normal((50, dim + 1)), metric="cosine")
        assert cosine.near_threshold == pytest.approx(share**2 * cosine.median_nearest)
    points = np.array([[0.0, 0], [0, 1], [0, 4], [9, 0]])
    assert measure(points, near=1.0).near == (1, 1, [[0, 1]])
    assert measure(points, near=3.0).near == (2, 1, [[0, 1, 2]])


def test_near_repeats_of_evenly_spread_points_are_as_rare_as_promised():
    """1 in 14,400 by chance: among 20,000 points of the square 1.4 links expected, 8 would be one time in 10,000."""
    assert measure(np.random.default_rng(6).random((20_000, 2))).near.rows < 8


def test_ceilings_of_the_sphere_and_of_optimal_sets():
    simplex = np.eye(6)
    assert measure(simplex).ratio == pytest.approx(1.0, rel=1e-8)
    assert measure(simplex - 1 / 6, metric="cosine").ratio == pytest.approx(1.0)
    found = measure(np.random.default_rng(7).standard_normal((30, 3)), metric="cosine")
    assert found.ceiling == pytest.approx(sphere_ceiling(30, dim=3) ** 2 / 2)
    assert measure(np.array([[1.0], [-2.0]]), metric="cosine").ratio == 1.0


def test_equal_rows_only():
    found = measure(np.full((5, 3), 2.0))
    assert (found.h_min, found.fill, found.ceiling, found.ratio) == (0.0, 0.0, 0.0, None)
    assert found.exact == (4, 1, [[0, 1, 2, 3, 4]]) and found.histogram == ((), ())


def test_half_precision_and_the_widest_column():
    rng = np.random.default_rng(8)
    points = (rng.standard_normal((50, 12)) * np.where(np.arange(12) == 4, 100.0, 1.0)).astype(np.float16)
    found, least = measure(points), nearest(table(points))
    assert found.h_min == pytest.approx(least.min(), rel=1e-12)
    variances = points.astype(np.float64).var(axis=0)
    assert found.widest == (4, pytest.approx(variances[4] / variances.sum()))


@pytest.mark.parametrize(
    "call, sentence",
    [
        (lambda x: measure(x, near=-1.0), "near must be a distance of at least 0, but was -1.0"),
        (lambda x: measure(x, chosen=np.array([0, 4])), "chosen must be rows of the pool, from 0 to 3"),
        (lambda x: measure(x, metric="cosine"), "row 2 "),
    ],
)
def test_bad_input_is_one_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence) as error:
        call(np.array([[1.0, 2.0], [3.0, 4.0], [0.0, 0.0], [1.0, 0.0]]))
    assert "\n" not in str(error.value)

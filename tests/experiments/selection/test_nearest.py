"""Nearest rows against brute force in plain float64, rational and decimal arithmetic, whatever finds them."""

from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments import equal_rows, pair_tiles
from experiments.equal_rows import lowest_equal
from experiments.pair_tiles import PairTiles, band
from experiments.selection.cloud import Cloud
from experiments.selection.nearest import cover, nearest

RNG = np.random.default_rng(0)


@pytest.fixture
def small_tiles(monkeypatch):
    """Many tiles, in float32, on all cores, of pools that would be done at once in float64."""
    monkeypatch.setattr(pair_tiles, "_SIDE", 64)
    monkeypatch.setattr(pair_tiles, "_SMALL", 0)


def pool(kind, dim, dtype=np.float64):
    points = RNG.standard_normal((200, dim))
    if kind == "lattice":
        points = np.round(2 * points) + 20
    if kind == "duplicates":
        points[120:] = points[RNG.integers(0, 60, 80)]
    if kind == "near":
        points += 1e3
        points[150:] = points[:50] + 1e-9 * RNG.standard_normal((50, dim))
    if kind == "outlier":  # the centre lies far from all rows but one: float32 does not resolve their distances
        points[3] *= 1e9
    return points.astype(dtype)


def brute(points, metric):
    rows = points.astype(np.float64)
    if metric == "cosine":
        rows = rows / np.sqrt(np.sum(rows**2, axis=1, keepdims=True))
    table = np.sqrt(np.sum((rows[:, None] - rows) ** 2, axis=2))
    np.fill_diagonal(table, np.inf)
    least = table.min(axis=1)
    return np.where(least < 1e-14, 0.0, least**2 / 2) if metric == "cosine" else least, table.argmin(axis=1)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("kind", ["plain", "lattice", "duplicates", "near", "outlier"])
@pytest.mark.parametrize("dim", [2, 12])
def test_nearest_rows_by_tree_and_by_tiles_are_those_of_brute_force(small_tiles, dim, kind, metric):
    for dtype in (np.float64, np.float32) + (np.float16,) * (kind not in ("near", "outlier")):
        points = pool(kind, dim, dtype)
        found, (distance, index) = nearest(points, metric=metric), brute(points, metric)
        np.testing.assert_allclose(found.distance, distance, rtol=1e-7 if metric == "cosine" else 1e-14)
        assert np.all(found.index != np.arange(200))
        if dim == 12 and metric == "euclidean":
            np.testing.assert_array_equal(found.index, index)


def test_float64_and_one_tile_find_the_same_bit_for_bit(monkeypatch):
    points = pool("lattice", 12)
    at_once = nearest(points)
    for side in (50, 64, 199):
        monkeypatch.setattr(pair_tiles, "_SIDE", side)
        monkeypatch.setattr(pair_tiles, "_SMALL", 0)
        found = nearest(points)
        assert np.array_equal(found.distance, at_once.distance) and np.array_equal(found.index, at_once.index)


def test_near_duplicates_far_from_the_origin_keep_their_digits(small_tiles):
    """1e-9 apart at 1e3, and one float32 apart at 1e3: the expanded square keeps no digit of either in float32."""
    points = 1e3 + RNG.standard_normal((300, 40))
    points[200] = points[10]
    points[200, 7] += 1e-9
    assert nearest(points).distance[200] == points[200, 7] - points[10, 7]
    single = points.astype(np.float32)
    single[200] = single[10]
    single[200, 7] = np.nextafter(single[10, 7], np.float32(np.inf))
    found = nearest(single)
    assert found.distance[10] == found.distance[200] == float(single[200, 7]) - float(single[10, 7]) < 1e-4
    assert (found.index[10], found.index[200]) == (200, 10)


def test_cosine_distance_of_nearly_parallel_rows(small_tiles):
    """Against 1 - u.v/(|u| |v|) in 60 digits."""
    points = RNG.standard_normal((100, 12))
    points[50] = 3.0 * points[4]
    points[50, 2] += 1e-7
    points[60] = 7.0 * points[5]  # parallel up to rounding
    with localcontext() as context:
        context.prec = 60
        u, v = ([Decimal(float(x)) for x in points[row]] for row in (4, 50))
        dot, squares = sum(a * b for a, b in zip(u, v)), sum(a * a for a in u) * sum(b * b for b in v)
        expected = float(1 - dot / squares.sqrt())
    found = nearest(points, metric="cosine")
    assert found.distance[50] == pytest.approx(expected, rel=1e-7) and expected < 1e-15
    assert found.distance[5] == found.distance[60] == 0.0


@given(st.integers(0, 2**32 - 1), st.integers(-40, 0), st.sampled_from([np.float32, np.float64]))
def test_tiles_bound_the_squared_distances(seed, exponent, dtype):
    """In rational arithmetic: never above, and below by no more than twice the band."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(-1, 1, (9, 5)) * 2.0 ** rng.integers(exponent, 1, (9, 1))
    points[4] = points[2] * (1 + 2.0**-30)
    points -= points.mean(axis=0)
    tiles = PairTiles(points.__getitem__, 9, 5)
    tiles._dtype = dtype
    seen = []
    tiles.visit(seen.append)
    for lower in (seen[0].lower, seen[0].sharper().lower) if dtype == np.float32 else (seen[0].lower,):
        width = band(5, lower.dtype.type)
        for i in range(9):
            assert np.all(np.isinf(lower[i, : i + 1]))
            for j in range(i + 1, 9):
                a, b = ([Fraction(float(x)) for x in points[row]] for row in (i, j))
                square = sum((x - y) ** 2 for x, y in zip(a, b))
                assert Fraction(float(lower[i, j])) <= square
                size = sum(x**2 for x in a) + sum(x**2 for x in b)
                assert lower[i, j] >= float(square - 2 * Fraction(width) * size) - 1e-29


@pytest.mark.parametrize("same_key", [False, True])
def test_equal_rows_are_found_whatever_their_keys(monkeypatch, same_key):
    if same_key:
        monkeypatch.setattr(equal_rows, "_keys", lambda rows: np.zeros(len(rows), dtype=np.uint64))
        monkeypatch.setattr(equal_rows, "_BLOCK", 30)
    rows = RNG.integers(0, 3, (40, 3)).astype(np.float64)
    rows[5], rows[30] = [0.0, 1.0, 2.0], [-0.0, 1.0, 2.0]
    expected = [min(j for j in range(40) if np.all(rows[j] == rows[i])) for i in range(40)]
    assert lowest_equal(rows.__getitem__, 40, 3).tolist() == expected


def test_a_file_in_memory_gives_the_same(small_tiles, tmp_path):
    points = pool("near", 12, np.float32)
    np.save(tmp_path / "points.npy", points)
    mapped = np.load(tmp_path / "points.npy", mmap_mode="r")
    np.testing.assert_array_equal(nearest(mapped).distance, nearest(points).distance)


def test_permuted_rows_have_permuted_distances(small_tiles):
    points, order = pool("duplicates", 12), RNG.permutation(200)
    np.testing.assert_array_equal(nearest(points[order]).distance, nearest(points).distance[order])


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("dim", [2, 12])
def test_cover_is_that_of_brute_force(dim, metric):
    points, chosen = pool("plain", dim), RNG.permutation(200)[:7]
    rows = points / np.linalg.norm(points, axis=1, keepdims=True) if metric == "cosine" else points
    table = np.linalg.norm(rows[:, None] - rows[chosen], axis=2).min(axis=1)
    radius, row = cover(Cloud(points, metric), chosen)
    assert row == np.argmax(table)
    assert radius == pytest.approx(table.max() ** 2 / 2 if metric == "cosine" else table.max(), rel=1e-14)


def test_progress_counts_every_tile(small_tiles):
    calls = []
    nearest(pool("plain", 12), progress=lambda done, total: calls.append((done, total)))
    assert calls == [(done, 10) for done in range(1, 11)]  # 4 sides, 10 pairs of them


def test_rows_without_a_meaning_are_refused_by_number():
    points = pool("plain", 12)
    points[17] = 0.0
    with pytest.raises(ValueError, match="row 17"):
        nearest(points, metric="cosine")
    with pytest.raises(ValueError, match=r"at least 2 rows .* there were 1"):
        nearest(points[:1])

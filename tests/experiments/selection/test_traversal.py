"""Farthest-first traversal: the plain greedy's choice on nasty pools, D1 and D2 by brute force, known optima."""

from contextlib import nullcontext
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.selection import contenders, screen, select, traversal
from experiments.selection.cloud import Cloud
from experiments.selection.screen import Screen
from experiments.separation import separation

RNG = np.random.default_rng(5)
CENTRES = RNG.normal(size=(5, 8))
POOLS = {
    "normal": RNG.normal(size=(140, 6)),
    "float32": RNG.normal(size=(140, 40)).astype(np.float32),
    "float16": RNG.normal(size=(120, 3)).astype(np.float16),
    "one column": RNG.normal(size=(120, 1)),
    "lattice": np.stack(np.meshgrid(*[np.arange(5.0)] * 3), axis=-1).reshape(-1, 3),
    "lattice of tenths": np.stack(np.meshgrid(*[np.arange(12) * 0.1] * 2), axis=-1).reshape(-1, 2) - 0.5,
    "bits": RNG.integers(0, 2, (120, 9)).astype(np.float32),
    "one-hot": np.eye(60),
    "duplicates": RNG.normal(size=(20, 5))[RNG.integers(20, size=120)],
    "all the same": np.ones((90, 3)),
    "near duplicates": np.concatenate([RNG.normal(size=(60, 6)), 1.0 + 1e-9 * RNG.normal(size=(60, 6))]),
    "clumps below rounding": CENTRES[RNG.integers(5, size=90)] + 1e-14 * RNG.normal(size=(90, 8)),
    "tight clumps": CENTRES[RNG.integers(5, size=120)] + 1e-6 * RNG.normal(size=(120, 8)),
    "offset": RNG.normal(size=(120, 5)) + 1e6,
    "offset in float32": (RNG.normal(size=(120, 5)) + 3e3).astype(np.float32),
    "far offset": RNG.normal(size=(90, 3)) + 1e12,
    "heavy tails": RNG.standard_t(1, size=(120, 8)),
    "one outlier": np.concatenate([RNG.normal(size=(120, 4)), np.full((1, 4), 1e8)]),
    "circle": np.stack([f(np.arange(120) * np.pi / 60) for f in (np.cos, np.sin)], axis=1),
    "huge": 1e140 * RNG.normal(size=(90, 4)),
    "integers": RNG.integers(-4, 5, (120, 3)),
    "two": RNG.normal(size=(2, 3)),
}
WITH_ORIGIN = ("lattice", "lattice of tenths", "bits", "integers")


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every stage of the lazy traversal on pools of some hundred rows."""
    monkeypatch.setattr(traversal, "_SMALL", 0)
    monkeypatch.setattr(traversal, "_FEW", 2)
    monkeypatch.setattr(traversal, "_CONTENDERS", 12)
    monkeypatch.setattr(traversal, "_LEAST_AWAKE", 36)
    monkeypatch.setattr(traversal, "_MEASURED", 1)
    monkeypatch.setattr(traversal, "single_threaded_blas", nullcontext)
    monkeypatch.setattr(screen, "_PRODUCTS", 1 << 10)
    monkeypatch.setattr(screen, "_MOST_CHOSEN", 16)
    monkeypatch.setattr(screen, "on_all_cores", lambda work, items: [work(item) for item in items])


def plain(points, k, *, start=0, metric="euclidean", candidates=None):
    """The textbook loop: all distances from the newest row, the farthest row, of equally far ones the first."""
    points = np.asarray(points, dtype=float)
    if metric == "cosine":
        points = points / np.linalg.norm(points, axis=1)[:, None]
    to_chosen = np.full(len(points), np.inf)
    allowed = np.ones(len(points), dtype=bool) if candidates is None else candidates.copy()
    chosen, insertion = [start], [np.inf]
    while True:
        allowed[chosen[-1]] = False
        to_chosen = np.minimum(to_chosen, np.linalg.norm(points - points[chosen[-1]], axis=1))
        if len(chosen) == k:
            break
        chosen.append(int(np.argmax(np.where(allowed, to_chosen, -1.0))))
        insertion.append(to_chosen[chosen[-1]])
    insertion, cover = np.array(insertion), to_chosen.max()
    return (chosen, 0.5 * insertion**2, 0.5 * cover**2) if metric == "cosine" else (chosen, insertion, cover)


def assert_plain(points, k, *, start=0, metric="euclidean", candidates=None):
    found = traversal.farthest_first(Cloud(points, metric), k, start=start, candidates=candidates)
    rows, insertion, cover = plain(points, k, start=start, metric=metric, candidates=candidates)
    np.testing.assert_array_equal(found.rows, rows)
    np.testing.assert_array_equal(found.insertion, insertion)
    assert found.cover == cover


@pytest.mark.parametrize("name", POOLS)
def test_is_the_plain_greedy_bit_for_bit(name, small_steps):
    points = POOLS[name]
    assert_plain(points, len(points) // 2, start=len(points) // 3)
    if name not in WITH_ORIGIN:
        assert_plain(points, max(1, len(points) // 3), metric="cosine")


@pytest.mark.parametrize("name", ["float32", "heavy tails", "offset in float32", "bits"])
def test_a_pool_too_large_to_be_held_gives_the_same(name, small_steps, monkeypatch):
    monkeypatch.setattr(screen, "HELD_BYTES", 0)
    assert_plain(POOLS[name], len(POOLS[name]) // 2)


@pytest.mark.parametrize("name", ["normal", "lattice of tenths", "duplicates", "clumps below rounding"])
def test_a_whole_pool_is_put_in_order(name, small_steps):
    assert_plain(POOLS[name], len(POOLS[name]))


@pytest.mark.parametrize("name", ["normal", "float32", "lattice", "tight clumps"])
def test_steps_of_the_usual_size_give_the_plain_greedy_too(name, monkeypatch):
    monkeypatch.setattr(traversal, "_SMALL", 0)
    assert_plain(POOLS[name], len(POOLS[name]) // 2, start=1)


def test_ties_that_are_too_many_are_decided_by_a_measured_table(small_steps, monkeypatch):
    tables = []
    measured = contenders.play_measured
    monkeypatch.setattr(contenders, "play_measured", lambda *args: tables.append(len(args[2])) or measured(*args))
    monkeypatch.setattr(traversal, "_CONTENDERS", 64)
    for name in ("lattice", "duplicates", "clumps below rounding"):
        tables.clear()
        assert_plain(POOLS[name], len(POOLS[name]) // 2)
        assert tables


@given(st.integers(0, 10**6), st.integers(2, 40), st.integers(1, 5), st.sampled_from(["f2", "f4", "f8"]))
@settings(max_examples=20)
def test_is_the_plain_greedy_on_small_lattices_with_duplicates(seed, count, dim, dtype):
    rng = np.random.default_rng(seed)
    points = (rng.integers(-2, 3, (count, dim)) * rng.choice([1.0, 0.1, 1e-3])).astype(dtype)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (
            ("_SMALL", 0),
            ("_CONTENDERS", 4),
            ("_LEAST_AWAKE", 9),
            ("single_threaded_blas", nullcontext),
        ):
            patch.setattr(traversal, name, value)
        assert_plain(points, int(rng.integers(1, count + 1)), start=int(rng.integers(count)))


def test_rows_that_are_no_candidates_are_covered_but_not_chosen(small_steps):
    points = POOLS["normal"]
    candidates = np.linalg.norm(points, axis=1) < 2.5
    start = int(np.flatnonzero(candidates)[0])
    assert_plain(points, 40, start=start, candidates=candidates)
    found = traversal.farthest_first(Cloud(points, "euclidean"), 40, start=start, candidates=candidates)
    assert candidates[found.rows].all() and found.cover > found.insertion[-1]  # D1's "fall" needs the whole pool


@pytest.mark.parametrize("name", ["float32", "heavy tails", "tight clumps", "far offset"])
def test_screened_distances_are_exact_or_upper_bounds(name, small_steps):
    points = POOLS[name].astype(float)
    rows, chosen, wanted = np.arange(0, 60), np.arange(60, 90), np.arange(60) % 3 == 0
    exact = np.linalg.norm(points[:, None] - points[chosen], axis=2).min(axis=1)
    cloud = Cloud(points, "euclidean")
    filter_ = Screen(cloud, len(chosen))
    filter_.choose(chosen)
    known = cloud.distances_to(cloud[np.array([89])])[rows]
    found = filter_.nearest(rows, known=known, measured=wanted)
    np.testing.assert_array_equal(cloud.unscaled(found.distance)[wanted], exact[rows][wanted])
    assert found.exact[wanted].all()
    np.testing.assert_array_equal(cloud.unscaled(found.distance)[found.exact], exact[rows][found.exact])
    assert (cloud.unscaled(found.distance) >= exact[rows]).all() and (found.distance <= known).all()


@pytest.mark.parametrize("dim", [1, 2, 7, 8, 9, 100, 129, 1000])
def test_the_distance_of_two_rows_does_not_depend_on_the_others(dim):
    points = np.random.default_rng(dim).normal(size=(12, dim))
    cloud, first, second = Cloud(points, "cosine"), np.arange(12), np.roll(np.arange(12), 1)
    together = cloud.distances(first, second)
    alone = [cloud.distances(first[[i]], second[[i]])[0] for i in range(12)]
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(together, cloud.distances(second, first))
    unit = points / np.linalg.norm(points, axis=1)[:, None]
    np.testing.assert_array_equal(together, [np.linalg.norm(unit[[i]] - unit[[i - 1]], axis=1)[0] for i in range(12)])


@given(st.integers(0, 10**6), st.integers(3, 12), st.booleans(), st.sampled_from(["euclidean", "cosine"]))
@settings(max_examples=30)
def test_d1_and_d2_against_every_other_choice(seed, count, tied, metric):
    rng = np.random.default_rng(seed)
    points = rng.integers(-2, 3, (count, 2)) + 0.25 if tied else rng.normal(size=(count, 2))
    k = int(rng.integers(2, min(count, 6)))
    found = select(points, k, metric=metric)
    unit = points / np.linalg.norm(points, axis=1)[:, None] if metric == "cosine" else points
    table = np.linalg.norm(unit[:, None] - unit, axis=2)
    table = 0.5 * table**2 if metric == "cosine" else table
    subsets = [list(rows) for rows in combinations(range(count), k)]
    best = max(table[np.ix_(rows, rows)][np.triu_indices(k, 1)].min() for rows in subsets)
    best_cover = min(table[:, rows].min(axis=1).max() for rows in subsets)

    def doubled(distance: float) -> float:  # what a ball of this radius may have across: D1's factor 2, D2's phi
        return (2 * distance * (2 - distance) if distance < 1 else 2.0) if metric == "cosine" else 2 * distance

    slack = 1e-12
    assert best <= doubled(found.insertion[-1]) + slack
    assert found.cover <= doubled(best_cover) + slack
    assert found.cover <= found.insertion[-1] + slack
    assert (np.diff(found.insertion[1:]) <= slack).all()
    chosen = table[np.ix_(found.indices, found.indices)][np.triu_indices(k, 1)]
    assert abs(chosen.min() - found.insertion[-1]) <= slack


def test_finds_the_optimum_of_structured_pools():
    line = np.arange(17.0)[:, None]
    assert [select(line, k).insertion[-1] for k in (2, 3, 5, 9, 17)] == [16, 8, 4, 2, 1]
    square = np.stack(np.meshgrid(np.arange(5.0), np.arange(5.0)), axis=-1).reshape(-1, 2)
    assert select(square, 4).insertion[-1] == 4 and set(select(square, 4).indices) == {0, 4, 20, 24}
    assert select(square, 5).indices[-1] == 12  # the centre
    assert select(square, 25).insertion[-1] == 1 and select(square, 25).cover == 0
    simplex = np.concatenate([np.eye(20), np.full((1, 20), 0.05)])
    found = select(simplex, 20)
    np.testing.assert_array_equal(found.indices, np.arange(20))  # the centre last, of equally far corners the first
    np.testing.assert_array_equal(found.insertion[1:], np.full(19, np.sqrt(2.0)))
    orthogonal = select(3.0 * np.eye(20), 20, metric="cosine")
    np.testing.assert_allclose(orthogonal.insertion[1:], 1.0, rtol=1e-15)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_every_prefix_is_a_selection(metric):
    points = np.random.default_rng(2).normal(size=(900, 40)).astype(np.float32)
    long = select(points, 300, metric=metric)
    for k in (1, 7, 299):
        short = select(points, k, metric=metric)
        np.testing.assert_array_equal(short.indices, long.indices[:k])
        np.testing.assert_array_equal(short.insertion, long.insertion[:k])
        assert short.cover == long.insertion[k]  # r_{k+1}


def test_motions_and_scalings_change_no_choice():
    rng = np.random.default_rng(3)
    points = rng.normal(size=(900, 40))
    found = select(points, 200)
    rotation = np.linalg.qr(rng.normal(size=(40, 40)))[0]
    for factor, moved in ((1.0, points @ rotation), (1.0, points + 7.0), (3e-5, points * 3e-5), (1e9, points * 1e9)):
        again = select(moved, 200)
        np.testing.assert_array_equal(again.indices, found.indices)
        np.testing.assert_allclose(again.insertion[1:], factor * found.insertion[1:], rtol=1e-12)
        np.testing.assert_allclose(again.cover, factor * found.cover, rtol=1e-12)
    tiny = select(points * 2.0**-700, 200)  # squares underflow
    np.testing.assert_array_equal(tiny.indices, found.indices)
    np.testing.assert_array_equal(tiny.insertion[1:] * 2.0**700, found.insertion[1:])
    cosine = select(points, 200, metric="cosine")
    rescaled = select(points * rng.uniform(0.01, 100.0, (900, 1)), 200, metric="cosine")
    np.testing.assert_array_equal(rescaled.indices, cosine.indices)
    np.testing.assert_allclose(rescaled.insertion[1:], cosine.insertion[1:], rtol=1e-12)


def test_files_other_layouts_and_integers_give_the_same(tmp_path):
    points = np.random.default_rng(4).integers(-99, 99, (700, 50))
    found = select(points.astype(float), 100)
    np.save(tmp_path / "pool.npy", points.astype(np.float32))
    mapped = np.load(tmp_path / "pool.npy", mmap_mode="r")
    for same in (mapped, np.asfortranarray(points, dtype=float), points, points[::-1][::-1].astype(np.float16)):
        again = select(same, 100)
        np.testing.assert_array_equal(again.indices, found.indices)
        np.testing.assert_array_equal(again.insertion, found.insertion)


def test_progress_tells_how_many_are_chosen():
    calls = []
    select(np.random.default_rng(6).normal(size=(900, 40)), 300, progress=lambda *call: calls.append(call))
    done = [call[0] for call in calls]
    assert done == sorted(done) and len(set(done)) > 1 and calls[-1] == (300, 300)


def test_bad_pools_are_told_by_row_and_column():
    points = np.ones((9, 3))
    for value in (np.nan, np.inf, -np.inf, 1e151):
        spoilt = points.copy()
        spoilt[4, 2] = value
        with pytest.raises(ValueError, match=r"^points must be finite .*, but row 4, column 2 was"):
            select(spoilt, 2)
    points[7] = 0.0
    with pytest.raises(ValueError, match=r"^points must have a direction .*, but row 7 has length 0$"):
        select(points, 2, metric="cosine")
    with pytest.raises(ValueError, match=r"^points must be an array \(n, d\) .*, but had shape \(0, 3\)$"):
        select(points[:0], 1)


@pytest.mark.deep
def test_the_papers_task_size():
    """20,000 x 768 -> 10,000 under the cosine metric: every choice was a farthest one, checked by blocks."""
    points = np.random.default_rng(0).normal(size=(20_000, 768)).astype(np.float32)
    found = select(points, 10_000, metric="cosine")
    rows, insertion, _ = plain(points, 60, metric="cosine")
    np.testing.assert_array_equal(found.indices[:60], rows)
    np.testing.assert_array_equal(found.insertion[:60], insertion)
    unit = points.astype(float)
    unit /= np.linalg.norm(unit, axis=1)[:, None]
    np.testing.assert_allclose(separation(unit[found.indices]).distance ** 2 / 2, found.insertion[-1], rtol=1e-12)
    turn = np.full(20_000, 10_000)
    turn[found.indices] = np.arange(10_000)
    following = np.append(found.insertion[1:], found.cover)  # r_2 .. r_{k+1}
    for start in range(0, 20_000, 500):
        block = slice(start, start + 500)
        nearest = np.minimum.accumulate(1.0 - unit[block] @ unit[found.indices].T, axis=1)
        before = np.arange(10_000) < turn[block, None]  # columns after a row's own turn say nothing about the choice
        assert (np.where(before, nearest, 0.0) <= following + 1e-12).all()

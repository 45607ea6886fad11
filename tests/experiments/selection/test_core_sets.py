"""Core-sets: brute force on small pools, the worst case attained, the same from every file and number of workers."""

import os
import signal
from itertools import combinations

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from experiments.cluster import WorkerLost, computed, scheduler, workers
from experiments.selection import select
from experiments.selection.core_sets import farthest, select_core_sets
from theory.composable_core_sets import check_fall


def table(points, metric):
    lengths = cdist(*2 * (np.asarray(points, dtype=np.float64),), metric)
    np.fill_diagonal(lengths, 0.0)
    return np.maximum(lengths, 0.0)


def best(lengths, k):
    """Largest separation of k rows and the least radius of k rows, by plain loops."""
    sets = list(combinations(range(len(lengths)), k))
    widest = max(min((lengths[a, b] for a, b in combinations(rows, 2)), default=np.inf) for rows in sets)
    return widest, min(lengths[:, list(rows)].min(axis=1).max() for rows in sets)


def assert_equal(found, expected):
    for ours, theirs in zip(found.selection, expected.selection):
        np.testing.assert_array_equal(ours, theirs)
    assert found.certificate == expected.certificate


# Guarantee


@hypothesis.given(
    shape=st.tuples(st.integers(4, 12), st.integers(1, 3)),
    partitions=st.integers(1, 4),
    k=st.integers(1, 4),
    spare=st.integers(0, 2),
    lattice=st.booleans(),
    metric=st.sampled_from(("euclidean", "cosine")),
    start=st.sampled_from(("first", "random", "center")),
    seed=st.integers(0, 2**16),
)
def test_guarantee_and_certificate_against_brute_force(shape, partitions, k, spare, lattice, metric, start, seed):
    rng = np.random.default_rng(seed)
    points = rng.integers(0, 4, shape).astype(float) if lattice else rng.standard_normal(shape)
    if metric == "cosine":
        points = np.column_stack([points, np.ones(len(points))])
    found, certificate = select_core_sets(
        points, k, partitions=partitions, core_size=k + spare, metric=metric, start=start, seed=seed
    )
    lengths = table(points, metric)
    own = lengths[np.ix_(found.indices, found.indices)]
    assert len(set(found.indices.tolist())) == k and found.insertion[0] == np.inf
    for i in range(1, k):
        assert found.insertion[i] == pytest.approx(own[i, :i].min(), abs=1e-12)
    assert certificate.separation == found.insertion.min()
    assert certificate.cover == found.cover == pytest.approx(lengths[:, found.indices].min(axis=1).max(), abs=1e-12)
    if k > 1:
        before = lengths[:, found.indices[:-1]].min(axis=1).max()
        assert certificate.cover_before == pytest.approx(before, abs=1e-12)
    widest, narrowest = best(lengths, k)
    assert widest <= certificate.best_separation + 1e-12 and narrowest >= certificate.best_cover - 1e-12
    assert certificate.share <= 1.0 + 1e-9
    if metric == "cosine":  # D4 is about the angle
        widest, narrowest, separation, cover = (
            np.arccos(np.clip(1.0 - value, -1.0, 1.0))
            for value in (min(widest, 2.0), narrowest, min(certificate.separation, 2.0), found.cover)
        )
    else:
        separation, cover = certificate.separation, found.cover
    if k > 1:
        assert separation >= widest / 6.0 - 1e-6 and cover <= 3.0 * separation + 1e-6
    assert cover <= 4.0 * narrowest + 1e-6


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_worst_case_is_attained(dtype):
    """D4's three parts of the line: ties keep the ends out."""
    pool = np.array([[0, 0, 0, -1, 1, -3, 1, -1, 3]], dtype=dtype).T
    found, certificate = select_core_sets(pool, 2, partitions=3)
    assert found.indices.tolist() == [0, 3] and certificate.separation == 1.0 and found.cover == 3.0
    assert certificate.best_separation == best(table(pool, "euclidean"), 2)[0] == 6.0
    assert certificate.share == pytest.approx(1.0 / 6.0, rel=1e-15)
    assert check_fall(table(pool, "euclidean"), composition(pool, found.indices)).bound == found.cover


def composition(pool, order):
    from theory.composable_core_sets import Composition

    rows = np.arange(len(pool))
    return Composition((rows,), (rows,), order)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_one_part_is_the_plain_selection_with_its_factor_of_two(metric):
    points = np.random.default_rng(1).standard_normal((300, 6))
    found, certificate = select_core_sets(points, 12, partitions=1, metric=metric)
    expected = select(points, 12, metric=metric)
    np.testing.assert_array_equal(found.indices, expected.indices)
    np.testing.assert_array_equal(found.insertion, expected.insertion)
    assert found.cover == pytest.approx(expected.cover, rel=1e-13)
    if metric == "euclidean":
        assert certificate.share == pytest.approx(0.5, rel=1e-13)
        assert certificate.best_cover == pytest.approx(expected.cover / 2.0, rel=1e-13)


def test_prefixes_are_selections_of_their_own_size():
    points = np.random.default_rng(2).standard_normal((200, 3))
    longer = select_core_sets(points, 20, partitions=5).selection
    shorter = select_core_sets(points, 7, partitions=5, core_size=20).selection
    np.testing.assert_array_equal(longer.indices[:7], shorter.indices)


def test_larger_core_sets_and_duplicates():
    points = np.random.default_rng(3).standard_normal((400, 2))
    kept = [select_core_sets(points, 8, partitions=4, core_size=size).certificate for size in (8, 32, 100)]
    assert [one.kept for one in kept] == [32, 128, 400]
    assert kept[0].kept_cover > kept[1].kept_cover > kept[2].kept_cover == 0.0
    found, certificate = select_core_sets(np.ones((9, 2)), 3, partitions=3)
    assert len(set(found.indices.tolist())) == 3 and found.cover == 0.0 and certificate.share == 1.0


# The pass for the certificate


@pytest.mark.parametrize("name", ["plain", "half", "far from 0", "near duplicates", "lattice"])
def test_farthest_is_exact_whatever_the_products_round(name):
    rng = np.random.default_rng(4)
    points = {
        "plain": rng.standard_normal((500, 7)).astype(np.float32),
        "half": rng.standard_normal((500, 7)).astype(np.float16),
        "far from 0": 1e6 + rng.standard_normal((500, 7)),
        "near duplicates": (1e3 + 1e-3 * rng.standard_normal((500, 7))).astype(np.float32),
        "lattice": rng.integers(0, 3, (500, 7)).astype(np.float32),
    }[name]
    chosen = points[rng.choice(500, 40, replace=False)]
    lengths = cdist(points.astype(np.float64), chosen.astype(np.float64))
    expected = lengths[:, :-1].min(axis=1).max(), lengths.min(axis=1).max()
    assert farthest(points, chosen) == pytest.approx(expected, rel=1e-13)
    assert farthest(points, chosen, single=True) == pytest.approx(expected, rel=1e-13)
    assert farthest(points, chosen[:1])[1] == pytest.approx(lengths[:, 0].max(), rel=1e-13)


# Files and workers


@pytest.fixture(scope="module")
def pool():
    return np.random.default_rng(5).standard_normal((900, 5)).astype(np.float32)


@pytest.fixture(scope="module")
def files(pool, tmp_path_factory):
    """One pool as .npy, as one parquet file, as two, and as one with a column of lists."""
    import pyarrow as pa
    from pyarrow import parquet

    folder = tmp_path_factory.mktemp("pool")
    np.save(folder / "pool.npy", pool)
    columns = pa.table({f"x{i}": pool[:, i] for i in range(5)})
    parquet.write_table(columns, folder / "columns.parquet", row_group_size=130)
    parquet.write_table(columns.slice(0, 333), folder / "first.parquet", row_group_size=100)
    parquet.write_table(columns.slice(333), folder / "second.parquet")
    lists = pa.FixedSizeListArray.from_arrays(pa.array(pool.ravel()), 5)
    parquet.write_table(pa.table({"text": ["a"] * 900, "vector": lists}), folder / "lists.parquet", row_group_size=200)
    return {
        "npy": folder / "pool.npy",
        "parquet": folder / "columns.parquet",
        "two files": [folder / "first.parquet", folder / "second.parquet"],
        "lists": folder / "lists.parquet",
    }


@pytest.mark.parametrize("kind", ["npy", "parquet", "two files", "lists"])
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_files_give_what_the_array_gives(pool, files, kind, metric):
    options = {"partitions": 4, "metric": metric, "start": "random", "seed": 3}
    assert_equal(select_core_sets(files[kind], 15, **options), select_core_sets(pool, 15, **options))


@pytest.fixture(scope="module")
def two_workers():
    with workers(2, memory="2GiB") as client:
        yield client


def recorder(news):
    return lambda done, total: news.append((done, total))


def test_workers_give_what_this_process_gives(files, two_workers, tmp_path):
    """One test, since workers take seconds to start."""
    for kind in ("npy", "two files"):
        news: list[tuple[int, int]] = []
        found = select_core_sets(files[kind], 15, partitions=5, client=two_workers, progress=recorder(news))
        assert_equal(found, select_core_sets(files[kind], 15, partitions=5))
        assert news == [(done, 10) for done in range(1, 11)]
    spoilt = np.load(files["npy"])
    spoilt[777, 3] = np.nan
    np.save(tmp_path / "spoilt.npy", spoilt)
    with pytest.raises(ValueError, match="every value must be finite, but row 777, column 3 was nan"):
        select_core_sets(tmp_path / "spoilt.npy", 15, partitions=5, client=two_workers)
    with pytest.raises(ValueError, match="with a client the pool must be a file that its workers can read"):
        select_core_sets(spoilt, 15, client=two_workers)
    with scheduler(two_workers.scheduler.address) as another:
        assert dict(computed(max, [3, 1, 2], 2, client=another)) == {0: 3, 1: 2, 2: 2}


@pytest.mark.deep
def test_a_killed_worker_costs_nothing_but_time(two_workers, tmp_path):
    points = np.random.default_rng(6).standard_normal((40_000, 32)).astype(np.float32)
    np.save(tmp_path / "pool.npy", points)

    def kill(done, total):
        if done in (2, 9):
            os.kill(next(iter(two_workers.run(os.getpid).values())), signal.SIGKILL)

    found = select_core_sets(tmp_path / "pool.npy", 300, partitions=8, client=two_workers, progress=kill)
    assert_equal(found, select_core_sets(tmp_path / "pool.npy", 300, partitions=8))


@pytest.mark.deep
def test_a_task_that_kills_every_worker_is_one_sentence(two_workers):
    with pytest.raises(WorkerLost, match="a task must not kill its worker, but one died 3 times"):
        list(computed(lambda task, shared: os.kill(os.getpid(), signal.SIGKILL), [0], client=two_workers))


# Bad input


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"k": 0}, "k must lie between 1 and the pool's 6 rows, but was 0"),
        ({"k": 7}, "k must lie between 1 and the pool's 6 rows, but was 7"),
        ({"k": 3, "core_size": 2}, "core_size must be at least k = 3, but was 2"),
        ({"k": 2, "partitions": 7}, "partitions must lie between 1 and the pool's 6 rows, but was 7"),
        ({"k": 2, "metric": "cosine", "partitions": 3}, "under cosine no row may be zero, but row 4 is"),
    ],
)
def test_bad_arguments_are_one_sentence(options, words):
    points = np.arange(12.0).reshape(6, 2)
    points[4] = 0.0
    with pytest.raises(ValueError, match=words):
        select_core_sets(points, **options)

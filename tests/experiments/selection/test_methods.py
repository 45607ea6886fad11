"""The rules other than farthest-first against their definitions, and what `select` does for all of them."""

from itertools import combinations

import numpy as np
import pytest

from experiments.selection import METHODS, facility_location, nearest_first, seeding, select
from experiments.selection.cloud import Cloud

POINTS = np.random.default_rng(0).normal(size=(150, 4))
LATTICE = np.stack(np.meshgrid(np.arange(8.0), np.arange(8.0)), axis=-1).reshape(-1, 2) + 1.0


def table(points, metric="euclidean"):
    unit = points / np.linalg.norm(points, axis=1)[:, None] if metric == "cosine" else points
    distances = np.linalg.norm(unit[:, None] - unit, axis=2)
    return 0.5 * distances**2 if metric == "cosine" else distances


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("method", METHODS)
def test_insertion_distances_and_cover_are_those_of_the_rows(method, metric):
    found = select(POINTS, 60, method=method, metric=metric, seed=3)
    distances = table(POINTS, metric)
    assert len(set(found.indices.tolist())) == 60
    among = distances[np.ix_(found.indices, found.indices)]
    np.testing.assert_array_equal(found.insertion, [np.inf, *(among[i, :i].min() for i in range(1, 60))])
    assert found.cover == distances[:, found.indices].min(axis=1).max()


@pytest.mark.parametrize("method", METHODS)
def test_every_prefix_is_a_selection(method):
    long = select(POINTS, 40, method=method, seed=1)
    for k in (1, 11, 39):
        short = select(POINTS, k, method=method, seed=1)
        np.testing.assert_array_equal(short.indices, long.indices[:k])


@pytest.mark.parametrize(
    "points", [POINTS, LATTICE, LATTICE[np.arange(128) % 64] * 0.1], ids=["normal", "ties", "twice"]
)
def test_min_dist_takes_the_nearest_row(points, monkeypatch):
    monkeypatch.setattr(nearest_first, "_TOGETHER", 5)
    for metric in ("euclidean", "cosine"):
        unit = points / np.linalg.norm(points, axis=1)[:, None] if metric == "cosine" else points
        chosen, to_chosen = [0], np.linalg.norm(unit - unit[0], axis=1)
        while len(chosen) < 50:
            to_chosen[chosen[-1]] = np.inf
            chosen.append(int(np.argmin(to_chosen)))
            to_chosen = np.where(
                np.isinf(to_chosen), np.inf, np.minimum(to_chosen, np.linalg.norm(unit - unit[chosen[-1]], axis=1))
            )
        np.testing.assert_array_equal(select(points, 50, method="min-dist", metric=metric).indices, chosen)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_facility_takes_the_largest_gain(metric, monkeypatch):
    monkeypatch.setattr(facility_location, "_TOGETHER", 6)
    distances = table(POINTS, metric)
    chosen, reached = [], np.full(len(POINTS), 10.0)
    for _ in range(40):
        gain = np.maximum(reached[:, None] - distances, 0.0).sum(axis=0)
        gain[chosen] = -1.0
        chosen.append(int(np.argmax(gain)))
        reached = np.minimum(reached, distances[:, chosen[-1]])
    np.testing.assert_array_equal(select(POINTS, 40, method="facility", metric=metric).indices, chosen)


def test_facility_reaches_its_share_of_the_best():
    rng = np.random.default_rng(1)
    for _ in range(20):
        points = rng.normal(size=(9, 2)) * rng.choice([1.0, 5.0], size=(9, 1))
        distances = table(points)

        def value(rows, distances=distances):
            return (distances.max() - distances[:, list(rows)].min(axis=1)).sum()

        best = max(value(rows) for rows in combinations(range(9), 3))
        assert value(select(points, 3, method="facility").indices) >= (1.0 - np.exp(-1.0)) * best - 1e-9


def test_facility_refuses_a_pool_that_is_too_large(monkeypatch):
    monkeypatch.setattr(facility_location, "LARGEST", 100)
    with pytest.raises(
        ValueError, match=r"^facility compares all pairs of rows, so points must have at most 100 .* 150$"
    ):
        select(POINTS, 3, method="facility")


def test_k_means_draws_by_squared_distance():
    """Pairs drawn one after the other, where the second is drawn by rejection, against their exact probabilities."""
    points = np.array([[0.0], [1.0], [1.5], [4.0], [9.0]])
    cloud, known = Cloud(points, "euclidean"), np.abs(points[:, 0]) / 16.0  # over the cloud's unit
    squares = np.minimum(np.abs(points - points.T), points[:, 0]) ** 2
    expected = (
        np.outer(known**2 / (known**2).sum(), np.ones(5)) * squares / np.maximum(squares.sum(axis=1), 1e-9)[:, None]
    )
    rng, counts, number = np.random.default_rng(2), np.zeros((5, 5)), 6000
    whole = 0
    for _ in range(number):
        drawn = seeding._draw(cloud, known, 2, rng).tolist()
        whole += len(drawn) == 2
        while len(drawn) < 2:  # in vain too often: the caller goes on with distances up to date
            now = np.minimum(known, np.abs(points[:, 0] - points[drawn[0], 0]) / 16.0)
            drawn += seeding._draw(cloud, now, 1, rng).tolist()
        counts[tuple(drawn)] += 1
    assert whole > 0.9 * number
    error = np.sqrt(expected * (1 - expected) / number)
    assert (np.abs(counts / number - expected) <= 4.5 * error).all()


def test_k_means_goes_on_where_only_duplicates_are_left():
    points = np.repeat(POINTS[:4], 5, axis=0)
    found = select(points, 12, method="k-means++", seed=4)
    assert len(set(found.indices.tolist())) == 12
    assert (found.insertion[:4] > 0).all() and (found.insertion[4:] == 0).all()


def test_random_gives_every_row_the_same_chance():
    counts = np.zeros(10)
    for seed in range(400):
        counts[select(POINTS[:10], 3, method="random", seed=seed).indices] += 1
    assert (np.abs(counts - 120) < 4.5 * np.sqrt(400 * 0.3 * 0.7)).all()


@pytest.mark.parametrize("method", ["greedy", "min-dist", "k-means++"])
def test_the_start_is_as_asked_for(method):
    assert select(POINTS, 3, method=method).indices[0] == 0
    centre = np.argmin(np.linalg.norm(POINTS - POINTS.mean(axis=0), axis=1))
    assert select(POINTS, 3, method=method, start="center").indices[0] == centre
    unit = POINTS / np.linalg.norm(POINTS, axis=1)[:, None]
    centre = np.argmin(np.linalg.norm(unit - unit.mean(axis=0), axis=1))
    assert select(POINTS, 3, method=method, start="center", metric="cosine").indices[0] == centre
    starts = {int(select(POINTS, 1, method=method, start="random", seed=seed).indices[0]) for seed in range(20)}
    assert len(starts) > 10
    assert select(POINTS, 1, method=method, start="random", seed=7) == select(
        POINTS, 1, method=method, start="random", seed=7
    )


@pytest.mark.parametrize("method", METHODS)
def test_outliers_are_no_candidates(method):
    points = np.concatenate([[[80.0, 0, 0, 0]], POINTS, [[0, 90.0, 0, 0], [0, 0, 70.0, 0]]])
    found = select(points, 150, method=method, max_outlier=3 / 153, seed=2)
    assert set(found.indices.tolist()) == set(range(1, 151))
    assert 80 < found.cover < 95  # the outliers are still to be covered
    with pytest.raises(
        ValueError, match=r"^k must be at most 149, the rows that max_outlier = 0.02 leaves, but was 151$"
    ):
        select(points, 151, method=method, max_outlier=0.02)


def test_a_larger_share_of_outliers_leaves_fewer_candidates():
    everything = select(POINTS, 20, max_outlier=0.0)
    np.testing.assert_array_equal(everything.indices, select(POINTS, 20).indices)
    nearest = np.sort(table(POINTS) + np.diag(np.full(150, np.inf)), axis=1)[:, 0]
    for share in (0.1, 0.5):
        allowed = np.flatnonzero(nearest <= np.quantile(nearest, 1 - share))
        found = select(POINTS, len(allowed), max_outlier=share)
        np.testing.assert_array_equal(np.sort(found.indices), allowed)
    assert select(POINTS[:1], 1, max_outlier=0.5).indices.tolist() == [0]


def test_bad_arguments_are_told():
    for k in (0, -1, 151):
        with pytest.raises(ValueError, match=rf"^k must lie between 1 and the pool's 150 rows, but was {k}$"):
            select(POINTS, k)
    for share in (-0.1, 1.0, np.nan):
        with pytest.raises(ValueError, match=r"^max_outlier must lie in \[0, 1\), but was"):
            select(POINTS, 3, max_outlier=share)

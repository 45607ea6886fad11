"""Spoilt pools of points: the counts, what each row is, that shares are nested, and distances by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.corpus.corruption import Row, duplicated, mislabelled, with_outliers

SEEDS = st.integers(0, 10**6)
SHARES = st.sampled_from([0, 0.01, 0.25, 0.5, 0.99])
SIZE, DIM = 40, 3


def pool(seed):
    rng = np.random.default_rng(seed)
    return 5.0 + rng.standard_normal((SIZE, DIM)), rng.integers(4, size=SIZE)


def spoilt_count(share):
    return min(round(share * SIZE), SIZE - 1)


@given(SEEDS, SHARES, st.sampled_from([0, 0.5, 1]))
def test_duplicated(seed, share, near):
    points, labels = pool(seed)
    found = duplicated(points, labels, share, seed=seed, near=near, distance=0.1)
    spoilt = found.kinds != Row.CLEAN
    moved = found.kinds == Row.NEAR_COPY
    assert spoilt.sum() == spoilt_count(share) and moved.sum() == round(near * spoilt_count(share))
    assert set(found.kinds.tolist()) <= {Row.CLEAN, Row.EXACT_COPY, Row.NEAR_COPY}
    np.testing.assert_array_equal(found.sources[~spoilt], np.flatnonzero(~spoilt))
    assert not spoilt[found.sources].any()  # copies are of rows that stayed
    np.testing.assert_array_equal(found.points[~moved], points[found.sources][~moved])
    np.testing.assert_array_equal(found.labels, labels[found.sources])
    radius = np.sqrt(sum(points.var(axis=0)))  # the mean square distance from the mean is the sum of the variances
    shifts = np.linalg.norm(found.points[moved] - points[found.sources[moved]], axis=1)
    np.testing.assert_allclose(shifts, 0.1 * radius, rtol=1e-9)


@given(SEEDS, SHARES)
def test_mislabelled(seed, share):
    labels = np.random.default_rng(seed).integers(4, size=SIZE)
    found = mislabelled(labels, share, classes=4, seed=seed)
    np.testing.assert_array_equal(found.labels != labels, found.kinds == Row.MISLABELLED)
    assert (found.kinds == Row.MISLABELLED).sum() == spoilt_count(share)
    assert found.labels.min() >= 0 and found.labels.max() < 4


def test_wrong_labels_are_equally_likely():
    labels = np.repeat(np.arange(3), 4000)
    found = mislabelled(labels, 0.5, classes=3, seed=1)
    counts = np.array([[np.sum((labels == own) & (found.labels == other)) for other in range(3)] for own in range(3)])
    wrong = counts[~np.eye(3, dtype=bool)]
    assert wrong.sum() == 6000
    np.testing.assert_allclose(wrong, 1000, atol=5 * np.sqrt(6000 * (1 / 6) * (5 / 6)))


@given(SEEDS, SHARES)
def test_outliers(seed, share):
    points, labels = pool(seed)
    found = with_outliers(points, labels, share, seed=seed, distance=3.0)
    far = found.kinds == Row.OUTLIER
    assert far.sum() == spoilt_count(share)
    np.testing.assert_array_equal(found.points[~far], points[~far])
    np.testing.assert_array_equal(found.labels, labels)
    reach = np.linalg.norm(points - points.mean(axis=0), axis=1).max()
    lengths = np.linalg.norm(found.points[far] - points.mean(axis=0), axis=1)
    np.testing.assert_allclose(lengths, 3.0 * reach, rtol=1e-9)
    apart = np.linalg.norm(found.points[far][:, None] - found.points[~far][None], axis=2)
    assert apart.min(initial=np.inf) >= 2.0 * reach * (1 - 1e-9)


@pytest.mark.parametrize("seed", [0, 7])
def test_shares_are_nested_seeds_repeat_and_the_pool_is_left_alone(seed):
    points, labels = pool(seed)
    before = points.copy(), labels.copy()
    knobs = [
        lambda share, seed: duplicated(points, labels, share, seed=seed),
        lambda share, seed: mislabelled(labels, share, classes=4, seed=seed),
        lambda share, seed: with_outliers(points, labels, share, seed=seed),
    ]
    rows = []
    for knob in knobs:
        few, many = knob(0.2, seed), knob(0.5, seed)
        assert np.all((few.kinds != Row.CLEAN) <= (many.kinds != Row.CLEAN))
        for mine, again in zip(many, knob(0.5, seed)):
            np.testing.assert_array_equal(mine, again)
        assert np.any(many.kinds != knob(0.5, seed + 1).kinds)
        rows.append(many.kinds != Row.CLEAN)
    assert np.all(rows == rows[0])
    for mine, was in zip((points, labels), before):
        np.testing.assert_array_equal(mine, was)


def test_labels_of_any_shape_and_single_precision():
    points = np.random.default_rng(0).random((10, 2)).astype(np.float32)
    found = duplicated(points, np.eye(10), 0.5, seed=0)
    assert found.points.dtype == np.float32
    np.testing.assert_array_equal(found.labels, np.eye(10)[found.sources])


POINTS, LABELS = np.zeros((4, 2)), np.array([0, 1, 1, 3])


@pytest.mark.parametrize(
    "call, sentence",
    [
        (lambda: duplicated(POINTS, LABELS, 1, seed=0), r"share must lie in \[0, 1\), but was 1"),
        (lambda: duplicated(POINTS, LABELS, -0.1, seed=0), r"share must lie in \[0, 1\), but was -0.1"),
        (lambda: duplicated(POINTS, LABELS, 0.5, seed=0, near=1.5), r"near must lie in \[0, 1\], but was 1.5"),
        (lambda: duplicated(POINTS, LABELS, 0.5, seed=0, distance=-1), "distance must be a non-negative number, .* -1"),
        (lambda: duplicated(POINTS[:0], LABELS[:0], 0.5, seed=0), "the pool must have at least 1 row, but was empty"),
        (lambda: mislabelled(LABELS, 0.5, classes=1, seed=0), "classes must be at least 2, but was 1"),
        (lambda: mislabelled(LABELS, 0.5, classes=3, seed=0), "labels must lie in 0 .. 2, but reach from 0 to 3"),
        (
            lambda: with_outliers(POINTS, LABELS, 0.5, seed=0, distance=1),
            "distance must be a number above 1, but was 1",
        ),
    ],
)
def test_bad_input_is_one_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()

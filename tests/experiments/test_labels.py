"""Labels: the target's Lipschitz constant is attained and never exceeded; gaps and noise are what they say."""

import math

import numpy as np
import pytest
from hypothesis import given, target
from hypothesis import strategies as st

from experiments.labels import Labels, lipschitz_target, with_gap, with_noise
from experiments.points import Cube, Tokens, Torus, construct

EPS = 2.0**-52


def quotients(points, values, period=None):
    rows = points.reshape(len(points), -1)
    differences = rows[:, None] - rows[None]
    if period is not None:
        differences -= period * np.round(differences / period)
    apart = np.sqrt(np.sum(differences**2, axis=-1)) + np.eye(len(rows))
    return np.abs(values[:, None] - values[None]) / apart


@given(st.integers(0, 10**6), st.sampled_from([(60, 1), (60, 2), (40, 3, 4)]), st.sampled_from([None, 1.0]))
def test_target_never_exceeds_its_lipschitz_constant(seed, shape, period):
    rng = np.random.default_rng(seed)
    points = rng.random(shape)
    points[1::2] = (points[::2] + 1e-4 * rng.standard_normal(points[::2].shape)) % 1.0  # local slopes, too
    labels = lipschitz_target(points, lipschitz=3.0, seed=seed, period=period)
    steepest = quotients(points, labels.values, period).max()
    target(steepest)
    assert labels.lipschitz == 3.0
    assert steepest <= 3.0 * (1 + 1e-9)  # 1e-9: rounding of labels over distances of 1e-4


@pytest.mark.parametrize("dim", [1, 3])
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("period", [None, 1.0])
def test_the_lipschitz_constant_is_attained_in_the_cube(dim, seed, period):
    """Climb the slope by random search over short segments: it reaches the constant."""
    rng = np.random.default_rng(seed)
    step = 1e-4
    places, headings, best = rng.random((8000, dim)), rng.standard_normal((8000, dim)), 0.0
    for spread in 0.3 * 0.7 ** np.arange(20):
        headings /= np.linalg.norm(headings, axis=1, keepdims=True)
        places = np.clip(places, 0, 1 - step)
        segments = np.concatenate([places, places + step * headings])
        starts, ends = np.split(lipschitz_target(segments, lipschitz=1.0, seed=seed, period=period).values, 2)
        slopes = np.abs(ends - starts) / step
        if slopes.max() > best:
            best, steepest = slopes.max(), int(np.argmax(slopes))
            place, heading = places[steepest], headings[steepest]
        places = place + spread * rng.standard_normal((600, dim))
        headings = heading + spread * rng.standard_normal((600, dim))
    assert 0.99 < best <= 1 + 1e-9


def test_target_depends_on_the_seed_not_on_the_points():
    few = construct("pair_collapse", 8, Cube(3), h=1e-3)
    other = construct("pair_collapse", 8, Cube(3), h=0.1)
    first = lipschitz_target(few.points, lipschitz=2.0, seed=4)
    second = lipschitz_target(other.points, lipschitz=2.0, seed=4)
    np.testing.assert_array_equal(np.delete(first.values, 1), np.delete(second.values, 1))
    assert first.values[1] != second.values[1]
    assert abs(first.gap) <= 2.0 * few.separation
    assert not np.allclose(first.values, lipschitz_target(few.points, lipschitz=2.0, seed=5).values)
    np.testing.assert_allclose(lipschitz_target(few.points, lipschitz=4.0, seed=4).values, 2 * first.values)


def test_target_is_periodic_on_the_torus():
    points = construct("uniform", 20, Torus(2)).points
    values = lipschitz_target(points, lipschitz=1.0, seed=0, period=1.0).values
    shifted = lipschitz_target(points + np.array([2.0, -1.0]), lipschitz=1.0, seed=0, period=1.0).values
    np.testing.assert_allclose(shifted, values, atol=1e-13)
    plain = lipschitz_target(points, lipschitz=1.0, seed=0).values
    assert not np.allclose(lipschitz_target(points + 1.0, lipschitz=1.0, seed=0).values, plain)


def test_pair_and_gap_are_those_of_the_closest_pair():
    found = construct("pair_collapse", 9, Torus(2), h=1e-3, seed=3)
    labels = lipschitz_target(found.points, lipschitz=5.0, seed=1, period=1.0)
    assert labels.pair == found.pair == (0, 1)
    assert labels.gap == labels.values[1] - labels.values[0]
    sequences = construct("pair_collapse", 9, Tokens(2, 3), h=1e-3, seed=3).points
    flat = lipschitz_target(sequences.reshape(9, 6), lipschitz=5.0, seed=1)
    np.testing.assert_array_equal(lipschitz_target(sequences, lipschitz=5.0, seed=1).values, flat.values)


@given(st.integers(0, 10**6), st.floats(-10, 10), st.sampled_from([(0, 1), (3, 5), (7, 2)]))
def test_with_gap(seed, gap, pair):
    labels = Labels(np.random.default_rng(seed).standard_normal(8), 1.0, 0.0, (0, 1))
    found = with_gap(labels, pair, gap=gap)
    i, j = pair
    allowance = EPS * max(abs(found.values[i]), abs(found.values[j]))
    assert abs((found.values[j] - found.values[i]) - gap) <= allowance
    assert found.gap == found.values[j] - found.values[i] and found.pair == pair
    assert found.lipschitz is None
    np.testing.assert_array_equal(np.delete(found.values, j), np.delete(labels.values, j))


def test_with_noise():
    points = construct("uniform", 4000, Cube(2)).points
    clean = lipschitz_target(points, lipschitz=2.0, seed=0)
    noisy = with_noise(clean, scale=0.2, seed=7)
    noise = noisy.values - clean.values
    assert noise.mean() == pytest.approx(0, abs=5 * 0.2 / math.sqrt(4000))
    assert noise.std() == pytest.approx(0.2, rel=5 / math.sqrt(2 * 4000))
    assert noisy.lipschitz is None and noisy.pair == clean.pair
    assert noisy.gap == noisy.values[clean.pair[1]] - noisy.values[clean.pair[0]] != clean.gap
    np.testing.assert_array_equal(with_noise(clean, scale=0.2, seed=7).values, noisy.values)
    np.testing.assert_allclose(with_noise(clean, scale=0.1, seed=7).values - clean.values, noise / 2, atol=4 * EPS)
    assert not np.allclose(with_noise(clean, scale=0.2, seed=8).values, noisy.values)
    same = with_noise(clean, scale=0.0, seed=7)
    np.testing.assert_array_equal(same.values, clean.values)
    assert same.lipschitz == 2.0


def test_one_seed_gives_independent_points_target_and_noise():
    """Streams that share bits would make the noise a function of the points or of the target."""
    uniforms = np.random.default_rng(7).random(3000)
    normals = np.random.default_rng(7).standard_normal(3000)
    noise = with_noise(Labels(np.zeros(3000), None, 0.0, (0, 1)), scale=1.0, seed=7).values
    assert abs(np.corrcoef(noise, uniforms)[0, 1]) < 5 / math.sqrt(3000)
    assert abs(np.corrcoef(noise, normals)[0, 1]) < 5 / math.sqrt(3000)


LABELS = Labels(np.zeros(4), 1.0, 0.0, (0, 1))


@pytest.mark.parametrize(
    "call, sentence",
    [
        (
            lambda: lipschitz_target(np.eye(3), lipschitz=-1.0, seed=0),
            "lipschitz must be a non-negative number, .* -1.0",
        ),
        (lambda: lipschitz_target(np.eye(3), lipschitz=math.nan, seed=0), "lipschitz must be .* but was nan"),
        (lambda: lipschitz_target(np.eye(3)[:1], lipschitz=1.0, seed=0), "at least 2 points"),
        (lambda: with_gap(LABELS, (0, 4), gap=1.0), r"pair must be two different indices below 4, but was \(0, 4\)"),
        (lambda: with_gap(LABELS, (2, 2), gap=1.0), r"pair must be .* but was \(2, 2\)"),
        (lambda: with_gap(LABELS, (0, 1), gap=math.inf), "gap must be finite, but was inf"),
        (lambda: with_noise(LABELS, scale=-0.1, seed=0), "scale must be a non-negative number, but was -0.1"),
    ],
)
def test_bad_input_is_one_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence) as error:
        call()
    assert "\n" not in str(error.value)

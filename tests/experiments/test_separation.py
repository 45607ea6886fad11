"""Separation against exact rational arithmetic and brute force; fill distance against closed forms."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments import pair_tiles
from experiments import separation as module
from experiments.points import Cube, Sphere, Torus
from experiments.separation import Separation, distance, distances, fill_distance, separation

EPS = 2.0**-52

clouds = st.tuples(st.integers(0, 2**32 - 1), st.sampled_from([(2, 1), (7, 2), (9, 5), (6, 3, 2)]), st.integers(0, 3))


def cloud(seed, shape, copies):
    """Uniform points, the last `copies` of which repeat others, or repeat them to within 1e-9."""
    rng = np.random.default_rng(seed)
    points = rng.random(shape)
    for k in range(min(copies, shape[0] - 1)):
        points[-1 - k] = points[rng.integers(shape[0] - 1 - k)] + rng.choice([0.0, 1e-9])
    return points


def exact_squares(points, period=None):
    """Squared distances of all pairs i < j in rational arithmetic."""
    rows = [[Fraction(float(x)) for x in row] for row in points.reshape(len(points), -1)]
    squares = {}
    for i in range(len(rows)):
        for j in range(i + 1, len(rows)):
            differences = [abs(a - b) for a, b in zip(rows[i], rows[j])]
            if period is not None:
                differences = [min(x % period, period - x % period) for x in differences]
            squares[i, j] = sum(x * x for x in differences)
    return squares


@given(clouds)
def test_separation_is_exact_in_float64(drawn):
    points = cloud(*drawn)
    found = separation(points)
    squares = exact_squares(points)
    least = min(squares.values())
    assert found.distance == pytest.approx(math.sqrt(least), rel=2 * EPS, abs=0)
    assert squares[found.pair] <= least * (1 + Fraction(8 * EPS))
    if least == 0:
        assert found.pair == min(pair for pair, square in squares.items() if square == 0)


@given(clouds)
def test_torus_separation_wraps(drawn):
    points = cloud(*drawn) % 1.0
    found = separation(points, period=1.0)
    squares = exact_squares(points, period=1)
    allowance = 2 * EPS * math.sqrt(points[0].size)
    assert found.distance == pytest.approx(math.sqrt(min(squares.values())), rel=4 * EPS, abs=allowance)
    assert math.sqrt(squares[found.pair]) <= found.distance + allowance + 4 * EPS
    shift = np.random.default_rng(drawn[0]).integers(-3, 3, points.shape)
    assert separation(points + shift, period=1.0).distance == pytest.approx(found.distance, abs=16 * EPS)


def test_separation_across_the_seam():
    points = np.array([[0.01, 0.5], [0.98, 0.5], [0.5, 0.5], [0.53, 0.54]])
    assert separation(points, period=1.0).pair == (0, 1)
    assert separation(points, period=1.0).distance == pytest.approx(0.03, abs=2 * EPS)
    assert separation(points).pair == (2, 3)
    assert separation(points, period=2.0).pair == (2, 3)


def test_ties_go_to_the_lexicographically_lowest_pair():
    assert separation(np.array([[9.0], [4.0], [2.0], [6.0], [0.0]])) == Separation(2.0, (1, 2))
    assert separation(np.array([[1.0], [5.0], [3.0], [5.0], [3.0], [5.0]])) == Separation(0.0, (1, 3))


@pytest.mark.parametrize("period", [None, 1.0])
@pytest.mark.parametrize("kind", ["random", "lattice", "near duplicates", "offset", "outlier"])
def test_tree_and_blocks_agree_with_brute_force(monkeypatch, kind, period):
    rng = np.random.default_rng(5)
    points = rng.random((400, 3))
    if kind == "lattice":
        points = np.stack(np.meshgrid(*[np.arange(8) / 8] * 3), axis=-1).reshape(-1, 3)[rng.permutation(512)]
    if kind == "near duplicates":
        points[300:] = points[:100] + 1e-9 * rng.standard_normal((100, 3))
    if kind == "offset":  # near-duplicates far from the origin: |a|^2 + |b|^2 - 2 a.b keeps no digit of them
        points = 1e6 + points
        points[7] = points[301] + 2e-8
    if kind == "outlier":  # float32 resolves no distance but those to it
        points[50] *= 1e9
    if period is not None:
        points %= 1.0
    differences = points[:, None] - points[None]
    if period is not None:
        differences -= np.round(differences)
    every = np.sqrt(np.sum(differences**2, axis=-1))
    every[np.tril_indices(len(every))] = np.inf
    found = []
    for most_coordinates in (0, 12):
        monkeypatch.setattr(module, "_TREE_COORDINATES", most_coordinates)
        monkeypatch.setattr(module, "_BLOCK_ENTRIES", 40_000)  # several blocks
        monkeypatch.setattr(pair_tiles, "_SIDE", 150)
        monkeypatch.setattr(pair_tiles, "_SMALL", 0)  # float32 first
        found.append(separation(points, period=period))
    assert found[0] == found[1]
    assert found[0].distance == pytest.approx(every.min(), rel=8 * EPS, abs=4 * EPS)
    assert every[found[0].pair] == pytest.approx(every.min(), rel=8 * EPS, abs=4 * EPS)


def test_separation_scales_permutes_and_flattens():
    rng = np.random.default_rng(1)
    points = rng.standard_normal((30, 2, 3))
    found = separation(points)
    assert separation(0.25 * points) == Separation(0.25 * found.distance, found.pair)  # a power of 2 rounds nothing
    assert separation(points.reshape(30, 6)) == found
    order = rng.permutation(30)
    moved = separation(points[order])
    assert (moved.distance, {*order[list(moved.pair)]}) == (found.distance, {*found.pair})
    assert found.distance == pytest.approx(np.linalg.norm(points[found.pair[0]] - points[found.pair[1]]), rel=4 * EPS)


@pytest.mark.parametrize("most_coordinates", [0, 12])
def test_separation_where_squares_underflow_unevenly(monkeypatch, most_coordinates):
    """Squares 0.4 + 0.4 + 0.4 of the smallest float vanish one by one, 0.6 + 0 + 0 rounds to 1."""
    monkeypatch.setattr(module, "_TREE_COORDINATES", most_coordinates)
    monkeypatch.setattr(module, "_TREE_POINTS", 1)
    a, b = math.sqrt(0.4) * 2.0**-537, math.sqrt(0.6) * 2.0**-537
    points = np.array([[0, 0, 0], [a, a, a], [0, 0, 100 * a], [b, 0, 100 * a]])
    assert separation(points) == Separation(b, (2, 3))


def test_separation_resolves_below_the_square_root_of_the_smallest_float():
    points = np.array([[0.0, 0.0], [3e-200, 4e-200], [1e-170, 0.0]])
    assert separation(points).distance == pytest.approx(5e-200, rel=2 * EPS)
    assert separation(points).pair == (0, 1)


def test_distances_of_two_sets():
    rng = np.random.default_rng(2)
    points, others = rng.random((4, 2, 3)), rng.random((5, 2, 3))
    wrapped = [[distance(x, y, period=1.0) for y in others] for x in points]
    plain = np.linalg.norm(points[:, None] - others[None], axis=(2, 3))
    np.testing.assert_allclose(distances(points, others), plain, rtol=1e-15)
    np.testing.assert_allclose(distances(points, others, period=1.0), wrapped, rtol=1e-14)
    assert np.any(np.array(wrapped) < plain - 0.1)


def fill_1d(values):
    values = np.sort(values)
    return max(values[0], 1 - values[-1], 0.5 * np.max(np.diff(values)))


@given(st.integers(0, 2**32 - 1), st.integers(2, 12), st.integers(2, 40))
def test_fill_distance_is_bracketed_by_the_probes(seed, num, resolution):
    values = np.random.default_rng(seed).random(num)
    probes, cover_radius = Cube(1).probes(resolution)
    lower = fill_distance(values[:, None], probes)
    assert lower - 4 * EPS <= fill_1d(values) <= lower + cover_radius + 4 * EPS
    torus = np.sort(values)
    true = 0.5 * max(np.max(np.diff(torus)), 1 - torus[-1] + torus[0])
    probes, cover_radius = Torus(1).probes(resolution)
    lower = fill_distance(values[:, None], probes, period=1.0)
    assert lower - 4 * EPS <= true <= lower + cover_radius + 4 * EPS
    angles = 2 * math.pi * torus
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    probes, cover_radius = Sphere(2).probes(resolution)
    lower = fill_distance(circle, probes)
    assert lower - 8 * EPS <= 2 * math.sin(math.pi * true) <= lower + cover_radius + 8 * EPS


def test_fill_distance_closed_forms():
    corners = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    centre = Cube(2).probes(3).points
    assert fill_distance(corners, centre) == math.sqrt(0.5)
    assert fill_distance(corners[:1], centre, period=1.0) == math.sqrt(0.5)
    assert fill_distance(corners[:1], centre) == math.sqrt(2.0)


def test_fill_distance_by_tree_and_by_blocks_agree(monkeypatch):
    rng = np.random.default_rng(3)
    points, probes = rng.random((300, 2)), rng.random((1000, 2))
    by_tree = fill_distance(points, probes, period=1.0)
    monkeypatch.setattr(module, "_TREE_COORDINATES", 0)
    monkeypatch.setattr(module, "_BLOCK_ENTRIES", 30_000)
    assert fill_distance(points, probes, period=1.0) == pytest.approx(by_tree, rel=4 * EPS)
    assert fill_distance(points, probes) == pytest.approx(
        np.max(np.min(np.linalg.norm(probes[:, None] - points[None], axis=-1), axis=1)), rel=4 * EPS
    )


@pytest.mark.parametrize("domain, true", [(Cube(2), math.sqrt(2)), (Torus(3), math.sqrt(0.75)), (Sphere(4), 2.0)])
def test_probes_cover_their_domain(domain, true):
    """One point's fill distance is the diameter seen from it: from a corner, from anywhere on a torus or sphere."""
    probes, cover_radius = domain.probes(7)
    point = np.zeros((1, domain.coordinates))
    point[0, 0] = 1.0
    lower = fill_distance(point, probes, period=domain.period)
    assert lower - 4 * EPS <= true <= lower + cover_radius + 4 * EPS


@pytest.mark.parametrize(
    "call, sentence",
    [
        (lambda: separation(np.zeros((1, 2))), r"points must be an array \(n, ...\) of at least 2 points .* \(1, 2\)"),
        (lambda: separation(np.zeros(3)), r"points must be an array .* but had shape \(3,\)"),
        (lambda: separation(np.zeros((3, 0))), r"at least one coordinate each, but had shape \(3, 0\)"),
        (lambda: separation(np.array([[0.0], [1.0], [np.nan]])), "points must be finite .* but point 2 is not"),
        (lambda: separation(np.array([[0.0], [1e200]])), "at most 1e.150 in size, but point 1 is not"),
        (lambda: separation(np.zeros((3, 1)), period=0.0), "period must be positive and finite, but was 0.0"),
        (lambda: fill_distance(np.zeros((3, 1)), np.zeros((3, 2))), "probes must have the points' 1 coordinates"),
        (lambda: Cube(30).probes(4), r"resolution must give at most \d+ probes, but .* 4\^30"),
        (lambda: Cube(1).probes(1), "resolution must be an integer of at least 2, but was 1"),
    ],
)
def test_bad_input_is_one_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence) as error:
        call()
    assert "\n" not in str(error.value)

"""Every family against one battery, then each against its closed form; prescribed separations to 8 eps."""

import math
import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.points import FAMILIES, Cube, Sphere, Tokens, Torus, construct, dials_of
from experiments.points.collapse import spread_set
from experiments.points.densities import Beta, Mixture, TwoLevel, Uniform, equal_maximum_pair
from experiments.points.greedy import farthest_first
from experiments.separation import separation

EPS = 2.0**-52
EVERYWHERE = [Cube(2), Torus(3), Sphere(3), Tokens(2, 3)]
FLAT = [Cube(2), Torus(2), Tokens(1, 2)]

CASES = [
    *[("pair_collapse", 12, domain, {"h": 1e-3}) for domain in EVERYWHERE],
    *[("cluster_collapse", 12, domain, {"h": 1e-2, "cluster_size": 4}) for domain in EVERYWHERE],
    ("power_warp", 9, Cube(1), {"exponent": 2.5}),
    *[("jittered_grid", 16, domain, {"jitter": 0.3}) for domain in FLAT],
    ("circle", 7, Sphere(2), {}),
    ("simplex", 4, Sphere(5), {}),
    ("cross_polytope", 9, Sphere(5), {}),
    *[("tammes", num, Sphere(3), {}) for num in (*range(4, 15), 24)],
    *[("square_packing", num, Cube(2), {}) for num in (*range(2, 11), 16, 25, 36)],
    *[("greedy", 20, domain, {"pool_size": 100}) for domain in EVERYWHERE],
    *[("poisson_disc", 20, domain, {"h": 0.1}) for domain in EVERYWHERE],
    *[("uniform", 20, domain, {}) for domain in EVERYWHERE],
    *[("beta", 20, domain, {"a": 0.3, "b": 2.0}) for domain in FLAT],
    *[("mixture", 20, domain, {"weight": 0.5, "a": 4.0, "b": 2.0}) for domain in FLAT],
    *[("two_level", 20, domain, {"level": 4.0, "share": 0.2}) for domain in FLAT],
    *[("sobol", 20, domain, {}) for domain in EVERYWHERE],
]
FIXED = {"power_warp", "circle", "simplex", "cross_polytope", "tammes", "square_packing"}  # no randomness


def all_distances(points, domain):
    """Brute force, infinite on the diagonal."""
    rows = points.reshape(len(points), -1)
    differences = rows[:, None] - rows[None]
    if isinstance(domain, Torus):
        differences = np.minimum(np.abs(differences), 1 - np.abs(differences))
    return np.sqrt(np.sum(differences**2, axis=-1)) + np.diag(np.full(len(rows), np.inf))


def test_the_battery_covers_every_family_and_domain():
    covered = {name: {type(domain) for case, _, domain, _ in CASES if case == name} for name in FAMILIES}
    assert covered == {name: set(family.domains) for name, family in FAMILIES.items()}


@pytest.mark.parametrize("family, num, domain, dials", CASES)
def test_every_family(family, num, domain, dials):
    found = construct(family, num, domain, seed=3, **dials)
    assert found.points.shape == (num, *domain.shape) and found.points.dtype == np.float64
    assert (found.family, found.domain) == (family, domain)
    if isinstance(domain, Sphere):
        np.testing.assert_allclose(np.linalg.norm(found.points, axis=1), 1.0, atol=4 * EPS)
    else:
        assert np.all(found.points >= 0) and np.all(found.points <= 1)
        assert not isinstance(domain, Torus) or np.all(found.points < 1)
    every = all_distances(found.points, domain)
    assert found.separation == pytest.approx(every.min(), rel=16 * EPS, abs=4 * EPS)
    i, j = found.pair
    assert i < j and every[i, j] == pytest.approx(every.min(), rel=16 * EPS, abs=4 * EPS)
    assert 0 < found.separation <= domain.packing_ceiling(num)
    again = construct(family, num, domain, seed=3, **dials)
    assert again.points.tobytes() == found.points.tobytes() and again.pair == found.pair
    other = construct(family, num, domain, seed=4, **dials)
    assert (other.points.tobytes() == found.points.tobytes()) == (family in FIXED)


# Collapse


@given(
    st.integers(0, 10**6),
    st.sampled_from([*EVERYWHERE, Cube(1), Sphere(2), Tokens(4, 16)]),
    st.sampled_from([2, 3, 12]),
    st.one_of(st.just(0.0), st.just(1.0), st.floats(-12, -0.01).map(lambda x: 10**x)),
)
def test_pair_collapse_realises_h(seed, domain, num, fraction):
    h = fraction * spread_set(num, domain, pool_size=64, seed=seed).limit
    found = construct("pair_collapse", num, domain, h=h, pool_size=64, seed=seed)
    assert abs(found.separation - h) <= 8 * EPS * np.max(np.abs(found.points))
    every = all_distances(found.points, domain)
    if fraction < 1:
        assert found.pair == (0, 1)
        every[0, 1] = every[1, 0] = np.inf
        assert num == 2 or every.min() > h


def test_h_is_realised_in_a_thousand_coordinates():
    """Distances near 10, whose own rounding is 8 eps: to stay within 8 eps they must be realised to the last bit."""
    domain = Tokens(16, 64)
    for seed in range(8):
        limit = spread_set(3, domain, pool_size=16, seed=seed).limit
        for h in np.linspace(0.9, 1, 8) * limit:
            found = construct("pair_collapse", 3, domain, h=float(h), pool_size=16, seed=seed)
            assert found.separation == h


@pytest.mark.parametrize("domain", EVERYWHERE)
def test_a_sweep_in_h_moves_one_point_along_one_line(domain):
    sweep = [construct("pair_collapse", 10, domain, h=h, seed=1).points for h in (0.0, 1e-6, 1e-3, 0.1)]
    for points in sweep[1:]:
        assert np.delete(points, 1, axis=0).tobytes() == np.delete(sweep[0], 1, axis=0).tobytes()
    assert np.array_equal(sweep[0][0], sweep[0][1])
    moves = [np.ravel(points[1] - points[0]) for points in sweep[1:]]
    moves = [move - np.round(move) if isinstance(domain, Torus) else move for move in moves]
    directions = [move / np.linalg.norm(move) for move in moves]
    bend = 0.1 if isinstance(domain, Sphere) else 1e-9  # on the sphere a chord of the same great circle
    assert np.linalg.norm(directions[2] - directions[1]) <= bend
    assert np.linalg.norm(directions[1] - directions[0]) <= max(bend / 100, 1e-9)
    stacked = np.linalg.svd(np.array([np.ravel(sweep[0][0]), *directions]))[1]
    assert not isinstance(domain, Sphere) or stacked[2] <= 1e-9  # all in one plane through the centre


@pytest.mark.parametrize("domain", [*EVERYWHERE, Tokens(4, 16)])
@pytest.mark.parametrize("cluster_size, num", [(3, 3), (3, 10), (5, 10)])
@pytest.mark.parametrize("fraction", [1e-6, 0.3, 1.0])
def test_cluster_collapse_is_an_equispaced_line_of_the_smallest_distances(domain, cluster_size, num, fraction):
    spread = spread_set(num, domain, cluster_size=cluster_size, seed=2)
    h = fraction * spread.limit
    found = construct("cluster_collapse", num, domain, h=h, cluster_size=cluster_size, seed=2)
    allowance = 8 * EPS * np.max(np.abs(found.points))
    every = all_distances(found.points, domain)
    assert abs(found.separation - h) <= allowance
    for i in range(cluster_size):
        for j in range(i):
            steps = i - j
            length = 2 * math.sin(steps * math.asin(h / 2)) if isinstance(domain, Sphere) else steps * h
            assert every[i, j] == pytest.approx(length, abs=cluster_size * allowance)
    if fraction == 1:  # the line ends where the traversal would have put its next point
        np.testing.assert_allclose(np.ravel(found.points[cluster_size - 1]), spread.end, atol=1e-14)
    every[:cluster_size, :cluster_size] = np.inf
    assert num == cluster_size or every.min() >= h - allowance
    if fraction < 1:
        assert max(found.pair) < cluster_size and found.pair[1] == found.pair[0] + 1


def test_duplicates_are_allowed():
    found = construct("cluster_collapse", 6, Torus(2), h=0.0, cluster_size=3)
    assert (found.separation, found.pair) == (0.0, (0, 1))
    assert len(np.unique(found.points, axis=0)) == 4


@pytest.mark.parametrize("domain", EVERYWHERE)
@pytest.mark.parametrize(
    "family, dials", [("pair_collapse", {}), ("cluster_collapse", {"cluster_size": 4}), ("poisson_disc", {})]
)
@pytest.mark.parametrize("h", [math.nan, -0.1, 0.9, 5.0])
def test_the_largest_feasible_h_is_named_and_feasible(domain, family, dials, h):
    num = 40
    with pytest.raises(ValueError, match=r"h must lie in .* packing ceiling .* but was") as error:
        construct(family, num, domain, h=h, **dials)
    assert "\n" not in str(error.value)
    largest = float(re.search(r", ([\d.e-]+)\]", str(error.value))[1])
    assert 0 < largest <= domain.packing_ceiling(num)
    assert construct(family, num, domain, h=largest, **dials).separation >= largest * (1 - 8 * EPS) - 8 * EPS
    if family != "poisson_disc":
        with pytest.raises(ValueError, match="h must lie in"):
            construct(family, num, domain, h=math.nextafter(largest, 1), **dials)


def test_h_below_the_spacing_of_floats_is_refused():
    with pytest.raises(ValueError, match=r"h must be 0 or wide enough for float64 coordinates .* but was 1e-20"):
        construct("pair_collapse", 5, Cube(2), h=1e-20)


# Regular points


@given(st.floats(0.2, 5.0), st.integers(2, 40))
def test_power_warp(exponent, num):
    found = construct("power_warp", num, Cube(1), exponent=exponent)
    first, last = (num - 1) ** -exponent, 1 - ((num - 2) / (num - 1)) ** exponent
    assert found.separation == pytest.approx(min(first, last), rel=1e-12, abs=2 * EPS)
    assert construct("power_warp", num, Cube(1), exponent=1.0).points[:, 0] == pytest.approx(np.linspace(0, 1, num))


@given(st.integers(0, 10**6), st.floats(0, 0.5), st.sampled_from([(16, Cube(2)), (27, Torus(3)), (5, Torus(1))]))
def test_jittered_grid(seed, jitter, where):
    num, domain = where
    found = construct("jittered_grid", num, domain, jitter=jitter, seed=seed)
    side = round(num ** (1 / domain.dim))
    assert found.separation >= (1 - 2 * jitter) / side - 2 * EPS
    assert len(np.unique(np.floor(found.points * side), axis=0)) == num  # one point a cell
    regular = construct("jittered_grid", num, domain, jitter=0.0)
    assert regular.separation == pytest.approx(1 / side, abs=2 * EPS)
    half = construct("jittered_grid", num, domain, jitter=jitter / 2, seed=seed)
    np.testing.assert_allclose(half.points - regular.points, (found.points - regular.points) / 2, rtol=0, atol=2 * EPS)


# Optimal points: published values

TAMMES_ANGLES = {  # radians (OEIS A156546, A019669, A383859, A381756, A137914, A340918, A105199, A217695, A383860)
    4: 1.9106332362490185563,
    5: math.pi / 2,
    6: math.pi / 2,
    7: 1.3590798976326601419,
    8: math.acos((2 * math.sqrt(2) - 1) / 7),
    9: math.acos(1 / 3),
    10: 1.1544798334192707378,
    11: math.acos(math.sqrt(1 / 5)),
    12: math.acos(math.sqrt(1 / 5)),
    13: 0.9972235924381191637,
    14: 0.9716347428862240759,
}
TAMMES_CONTACTS = {4: 6, 6: 12, 7: 12, 8: 16, 9: 18, 10: 19, 11: 25, 12: 30, 13: 24, 14: 28, 24: 60}


@pytest.mark.parametrize("num", TAMMES_ANGLES)
def test_tammes_angles(num):
    found = construct("tammes", num, Sphere(3))
    assert found.separation == pytest.approx(2 * math.sin(TAMMES_ANGLES[num] / 2), rel=1e-15, abs=0)


def test_tammes_snub_cube():
    found = construct("tammes", 24, Sphere(3))
    assert math.degrees(2 * math.asin(found.separation / 2)) == pytest.approx(43.6907671, abs=5e-8)  # Robinson 1961
    cosine = 1 - found.separation**2 / 2
    t = next(root.real for root in np.roots([1, -1, -1, -1]) if abs(root.imag) < 1e-12)  # tribonacci
    assert cosine == pytest.approx(t**2 / (1 + t**2 + t**-2), rel=4 * EPS)


@pytest.mark.parametrize("num", TAMMES_CONTACTS)
def test_tammes_contacts(num):
    """The optimum's touching pairs all touch to rounding: the known number, then a gap."""
    found = construct("tammes", num, Sphere(3))
    sorted_distances = np.sort(all_distances(found.points, Sphere(3))[np.triu_indices(num, 1)])
    contacts = TAMMES_CONTACTS[num]
    assert sorted_distances[contacts - 1] - found.separation < 8 * EPS
    assert contacts == len(sorted_distances) or sorted_distances[contacts] > found.separation + 1e-3


SQUARE_SEPARATIONS = {
    2: math.sqrt(2),
    3: math.sqrt(6) - math.sqrt(2),
    4: 1,
    5: math.sqrt(2) / 2,
    6: math.sqrt(13) / 6,
    7: 4 - 2 * math.sqrt(3),
    8: math.sqrt(2 - math.sqrt(3)),
    9: 1 / 2,
    10: 0.42127954398390343277,
    16: 1 / 3,
    25: 1 / 4,
    36: 1 / 5,
}


@pytest.mark.parametrize("num", SQUARE_SEPARATIONS)
def test_square_packing(num):
    assert construct("square_packing", num, Cube(2)).separation == pytest.approx(SQUARE_SEPARATIONS[num], rel=4 * EPS)


def test_square_packing_of_ten_solves_its_polynomial():
    """OEIS A281065: the least real root, degree 18; its sign changes within 1e-14."""
    coefficients = [
        1180129, -11436428, 98015844, -462103584, 1145811528, -1398966480, 227573920, 1526909568, -1038261808,
        -2960321792, 7803109440, -9722063488, 7918461504, -4564076288, 1899131648, -563649536, 114038784, -14172160,
        819200,
    ]  # fmt: skip

    def sign(x):
        value = Fraction(0)
        for coefficient in coefficients:
            value = value * Fraction(x) + coefficient
        return value > 0

    h = construct("square_packing", 10, Cube(2)).separation
    assert sign(h - 1e-14) != sign(h + 1e-14)


@pytest.mark.parametrize("num", [2, 3, 5, 24])
def test_circle_and_simplex(num):
    assert construct("circle", num, Sphere(2)).separation == pytest.approx(2 * math.sin(math.pi / num), rel=8 * EPS)
    points = construct("simplex", num, Sphere(24)).points
    gram = np.full((num, num), -1 / (num - 1)) + np.eye(num) * (1 + 1 / (num - 1))
    np.testing.assert_allclose(points @ points.T, gram, atol=8 * EPS)
    assert np.all(points[:, num - 1 :] == 0)


@pytest.mark.parametrize("num", [3, 5, 8])
def test_cross_polytope(num):
    found = construct("cross_polytope", num, Sphere(4))
    assert found.separation == math.sqrt(2)
    assert len(np.unique(np.abs(found.points), axis=0)) == min(num, 4)


# Chosen points


def test_farthest_first_is_within_half_of_the_best_subset():
    from itertools import combinations

    for seed in range(20):
        pool = np.random.default_rng(seed).random((9, 2))
        every = all_distances(pool, Cube(2))
        order = farthest_first(pool, 9)
        best = max(every[np.ix_(s, s)].min() for s in map(list, combinations(range(9), 4)))
        assert every[np.ix_(order[:4], order[:4])].min() >= best / 2
        insertion = [every[order[k], order[:k]].min() for k in range(1, 9)]
        assert insertion == sorted(insertion, reverse=True)
        for k in range(1, 9):  # each is the farthest of those left
            left = order[k:]
            assert insertion[k - 1] == every[np.ix_(left, order[:k])].min(axis=1).max()


def test_greedy_dial_leads_from_iid_to_spread():
    iid = construct("uniform", 30, Cube(2), seed=5)
    whole = construct("greedy", 30, Cube(2), pool_size=30, seed=5)
    assert np.array_equal(np.unique(iid.points, axis=0), np.unique(whole.points, axis=0))
    means = [
        np.mean([construct("greedy", 30, Cube(2), pool_size=size, seed=s).separation for s in range(10)])
        for size in (30, 60, 240, 2000)
    ]
    assert means == sorted(means) and means[-1] > 4 * means[0]
    longer = construct("greedy", 40, Cube(2), pool_size=500, seed=5).points
    assert np.array_equal(longer[:30], construct("greedy", 30, Cube(2), pool_size=500, seed=5).points)


def test_farthest_first_takes_no_point_of_a_pool_of_duplicates_twice():
    order = farthest_first(np.array([[0.0], [1.0], [0.0], [1.0]]), 4)
    assert sorted(order) == [0, 1, 2, 3] and list(order[:2]) == [0, 1]


@given(st.integers(0, 10**6), st.floats(0.01, 0.14), st.sampled_from(EVERYWHERE))
def test_poisson_disc_keeps_its_floor(seed, h, domain):
    found = construct("poisson_disc", 15, domain, h=h, seed=seed)
    assert found.separation >= h


def test_uniform_points_are_uniform_on_every_domain():
    """First and second moments to 5 standard errors; on the sphere E x x^T = I/d."""
    for domain in (Cube(2), Torus(2), Tokens(2, 1)):
        rows = construct("uniform", 4000, domain).points.reshape(4000, -1)
        np.testing.assert_allclose(rows.mean(axis=0), 0.5, atol=5 * math.sqrt(1 / 12 / 4000))
        np.testing.assert_allclose(np.cov(rows.T), np.eye(2) / 12, atol=0.01)
    rows = construct("uniform", 4000, Sphere(3)).points
    np.testing.assert_allclose(rows.mean(axis=0), 0, atol=5 * math.sqrt(1 / 3 / 4000))
    np.testing.assert_allclose(rows.T @ rows / 4000, np.eye(3) / 3, atol=0.03)
    heights = np.sort(rows[:, 2])  # Archimedes: uniform on [-1, 1]
    assert np.max(np.abs(heights - np.linspace(-1, 1, 4000))) < 2 * 1.95 / math.sqrt(4000)


def test_sobol_points_are_stratified_but_not_separated():
    found = construct("sobol", 256, Cube(2), seed=1)
    for sides in ((256, 1), (16, 16), (4, 64), (1, 256)):  # a (0, 8, 2)-net: one point in every elementary box
        assert len(np.unique(np.floor(found.points * sides), axis=0)) == 256
    assert found.separation < 0.5 * construct("greedy", 256, Cube(2), seed=1).separation


def test_domain_volumes():
    assert [Cube(3).volume, Torus(3).volume, Tokens(2, 2).volume] == [1, 1, 1]
    assert Sphere(2).volume == pytest.approx(2 * math.pi)
    assert Sphere(3).volume == pytest.approx(4 * math.pi)
    assert [d.dimension for d in (Cube(3), Torus(3), Sphere(3), Tokens(2, 3))] == [3, 3, 2, 6]


# Densities

DENSITIES = [
    Uniform(2),
    Beta(1, 2, 3),
    Beta(2, 0.8, 1.7),
    Beta(1, 1, 1),
    Beta(2, 1, 4),
    Mixture(1, 0.3, 5, 2),
    Mixture(2, 0.75, 2, 2),
    Mixture(2, 1, 0.2, 2),
    TwoLevel(1, 3, 0.25),
    TwoLevel(2, 10, 1 / 16),
    *equal_maximum_pair(2, maximum=4),
]


@pytest.mark.parametrize("density", DENSITIES)
def test_density_norms(density):
    """Closed forms against the midpoint rule after x = t^2 (3 - 2t), which tames the ends."""
    cells = 800
    t = (np.arange(cells) + 0.5) / cells
    line, weight = t**2 * (3 - 2 * t), 6 * t * (1 - t) / cells
    if isinstance(density, TwoLevel):  # a jump: plain cells, its side a whole number of them or nearly
        line, weight = t, np.full(cells, 1 / cells)
    grid = np.stack(np.meshgrid(*[line] * density.dim, indexing="ij"), axis=-1).reshape(-1, density.dim)
    weights = weight if density.dim == 1 else np.outer(weight, weight).ravel()
    values = density.pdf(grid)
    tolerance = 2e-2 if isinstance(density, TwoLevel) and density.share**0.5 * cells % 1 else 2e-4
    assert weights @ values == pytest.approx(1, rel=tolerance)
    assert weights @ values**2 == pytest.approx(density.l2_norm_squared, rel=tolerance)
    if math.isfinite(density.maximum):
        assert values.max() == pytest.approx(density.maximum, rel=1e-3)
        assert values.max() <= density.maximum * (1 + 8 * EPS)
    else:
        assert density.pdf(grid**20).max() > 10 * values.max()
    assert 1 - 4 * EPS <= density.l2_norm_squared <= density.maximum + 4 * EPS


@pytest.mark.parametrize("density", DENSITIES)
def test_density_samples(density):
    """E pi(X) = ||pi||_2^2 and the mean of every coordinate, to 5 standard errors of 20000 draws."""
    points = density.sample(20_000, np.random.default_rng(0))
    assert points.shape == (20_000, density.dim) and np.all((points >= 0) & (points <= 1))
    values = density.pdf(points)
    assert values.mean() == pytest.approx(density.l2_norm_squared, abs=5 * values.std() / math.sqrt(20_000) + 1e-12)
    first_half = np.mean(points[:, 0] < 0.5)
    cells = (np.arange(400) + 0.5) / 400
    grid = np.stack(np.meshgrid(*[cells] * density.dim, indexing="ij"), axis=-1).reshape(-1, density.dim)
    mass = density.pdf(grid)
    assert first_half == pytest.approx(
        mass[grid[:, 0] < 0.5].sum() / mass.sum(), abs=5 * 0.5 / math.sqrt(20_000) + 5e-3
    )


def test_equal_maximum_pair():
    even, peaked = equal_maximum_pair(3, maximum=6)
    assert even.maximum == peaked.maximum == 6
    assert even.l2_norm_squared == pytest.approx(6 / 8 + 49 / 64 / (1 - 1 / 48))
    assert peaked.l2_norm_squared == pytest.approx(6)


def test_beta_outside_l2_has_infinite_norms():
    assert Beta(2, 0.5, 3).l2_norm_squared == math.inf
    assert Beta(2, 0.51, 3).l2_norm_squared < math.inf == Beta(2, 0.51, 3).maximum


# Bad input


@pytest.mark.parametrize(
    "call, sentence",
    [
        (lambda: construct("grid", 4, Cube(2)), "family must be one of pair_collapse, .*sobol, but was 'grid'"),
        (lambda: construct("tammes", 12, Cube(3)), r"domain must be one of Sphere for tammes, but was Cube\(dim=3\)"),
        (lambda: construct("tammes", 12, Sphere(4)), r"domain must be Sphere\(dim=3\) for tammes"),
        (lambda: construct("tammes", 15, Sphere(3)), "num_points must be one of 4, .*24, .* but was 15"),
        (lambda: construct("square_packing", 11, Cube(2)), "num_points must be one of 2, 3, .*36, .* but was 11"),
        (lambda: construct("square_packing", 4, Cube(3)), r"domain must be Cube\(dim=2\)"),
        (lambda: construct("circle", 4, Sphere(3)), r"domain must be Sphere\(dim=2\)"),
        (lambda: construct("power_warp", 4, Cube(2), exponent=2.0), r"domain must be Cube\(dim=1\)"),
        (
            lambda: construct("power_warp", 4, Cube(1), exponent=-1.0),
            "exponent must be a positive number, but was -1.0",
        ),
        (lambda: construct("uniform", 1, Cube(2)), "num_points must be an integer of at least 2 .* but was 1"),
        (lambda: construct("uniform", 4, Cube(2), seed=-1), "seed must be a non-negative integer, but was -1"),
        (lambda: construct("uniform", 4, Cube(2), h=0.1), r"dials must be those of uniform \(none\), but h is not one"),
        (lambda: construct("pair_collapse", 4, Cube(2)), r"pair_collapse \(h, pool_size\), but h was missing"),
        (lambda: construct("simplex", 5, Sphere(3)), "num_points must be at most dim [+] 1 .* but was 5"),
        (lambda: construct("cross_polytope", 7, Sphere(3)), "num_points must be at most 2 dim .* but was 7"),
        (lambda: construct("jittered_grid", 10, Cube(2), jitter=0.1), r"2-th power .* \(such as 9\), but was 10"),
        (lambda: construct("jittered_grid", 9, Cube(2), jitter=0.6), r"jitter must lie in \[0, 0.5\].* but was 0.6"),
        (lambda: construct("greedy", 9, Cube(2), pool_size=8), "pool_size must be at least the 9 points .* was 8"),
        (
            lambda: construct("cluster_collapse", 4, Cube(2), h=0.1, cluster_size=5),
            r"cluster_size must lie in \[2, 4\], .* but was 5",
        ),
        (lambda: construct("beta", 4, Cube(2), a=0.0, b=1.0), "a must be a positive number, but was 0.0"),
        (lambda: construct("mixture", 4, Cube(2), weight=2.0, a=1.0, b=1.0), r"weight must lie in \[0, 1\], but was 2"),
        (
            lambda: construct("two_level", 4, Cube(2), level=5.0, share=0.3),
            "level and share must satisfy .* 5.0 and 0.3",
        ),
        (lambda: equal_maximum_pair(2, maximum=1.0), "maximum must be a number above 1, but was 1.0"),
        (lambda: Cube(0), "dim must be an integer of at least 1, but was 0"),
        (lambda: Sphere(1), "dim must be an integer of at least 2, but was 1"),
        (lambda: Tokens(0, 3), "tokens must be an integer of at least 1, but was 0"),
    ],
)
def test_bad_input_is_one_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence) as error:
        call()
    assert "\n" not in str(error.value)


def test_dials_are_listed():
    assert dials_of("cluster_collapse") == {"h": True, "cluster_size": True, "pool_size": False}
    assert dials_of("tammes") == {}


def test_realised_separation_is_that_of_the_returned_points():
    found = construct("pair_collapse", 8, Tokens(2, 3), h=0.05)
    assert separation(found.points) == (found.separation, found.pair)

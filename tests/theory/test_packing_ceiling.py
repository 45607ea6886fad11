"""S4, packing ceiling: no set found above it, attained by the classical optima, each line on a greedy set."""

import itertools
import math

import hypothesis
import numpy as np
import pytest
from jaxtyping import Float

from experiments.hunts.packing_ceiling import HUNT, Instance, arrange, distances, separation
from theory.ball import cap_fraction, unit_ball_volume
from theory.packing_ceiling import (
    CEILINGS,
    Domain,
    averaging_ceiling,
    check,
    cube_ceiling,
    log_enlarged_cube_volume,
    plane_ceiling,
    sphere_ceiling,
    torus_ceiling,
)
from theory.verdict import Verdict, judge, slack_log10


def test_holds_on_random_instances() -> None:
    verdicts = []

    @hypothesis.given(HUNT.instances)
    def explore(instance: Instance) -> None:
        found = HUNT.check(instance)
        verdicts.append(judge(found))
        assert verdicts[-1] is not Verdict.VIOLATED, found
        hypothesis.target(-(slack_log10(found) or 0.0))

    explore()
    assert verdicts.count(Verdict.HOLDS) > len(verdicts) // 2


def icosahedron() -> Float[np.ndarray, "12 3"]:
    golden = 0.5 * (1.0 + math.sqrt(5.0))
    corners = [np.roll([0.0, a, b], k) for k in range(3) for a in (1.0, -1.0) for b in (golden, -golden)]
    return np.array(corners) / math.hypot(1.0, golden)


@pytest.mark.parametrize(
    "domain, points",
    [
        ("cube", np.linspace(0.0, 1.0, 8)[:, None]),
        ("cube", np.array([[0.0] * 5, [1.0] * 5])),
        ("cube", np.array([[0, 0, 0], [1, 1, 0], [1, 0, 1], [0, 1, 1]], dtype=float)),
        ("torus", np.arange(7)[:, None] / 7.0),
        ("torus", np.array([[0.0] * 3, [0.5] * 3])),
        ("sphere", np.concatenate([np.eye(4), -np.eye(4)])),
        ("sphere", icosahedron()),
    ],
)
def test_is_attained(domain: Domain, points: Float[np.ndarray, "n d"]) -> None:
    """The ceiling exceeds the optimum by a relative 1e-12 at most, and never falls short of it."""
    found = check(separation(points, domain), len(points), dim=points.shape[1], domain=domain)
    assert judge(found) is Verdict.HOLDS
    assert found.bound == pytest.approx(found.measured, rel=1e-12)


@pytest.mark.parametrize("instance", HUNT.extremal)
def test_is_attained_closely_enough_to_see_a_wrong_constant(instance: Instance) -> None:
    found = HUNT.check(instance)
    assert judge(found) is Verdict.HOLDS
    assert judge(found._replace(bound=found.bound / 1.15)) is Verdict.VIOLATED


@pytest.mark.parametrize("num_points, optimum", [(4, 1.0), (9, 0.5), (16, 1.0 / 3.0), (25, 0.25), (36, 0.2)])
def test_how_loose_on_square_packings(num_points: int, optimum: float) -> None:
    assert optimum <= cube_ceiling(num_points, dim=2) <= 1.08 * optimum


def test_how_loose_the_volume_line_is_on_the_face_centred_lattice() -> None:
    """Face-centred cubic points of the 3-torus and 3-cube, h = 1/(sqrt 2 m): 1.15 in the ceiling would be seen."""
    for m in (2, 10):
        assert 1.0 <= torus_ceiling(4 * m**3, dim=3) * math.sqrt(2.0) * m <= 1.106
    assert 1.0 <= cube_ceiling(((2 * 10 + 1) ** 3 + 1) // 2, dim=3) * math.sqrt(2.0) * 10 <= 1.14


def test_fails_without_points_in_the_domain() -> None:
    outside = 1.01 * np.linspace(0.0, 1.0, 8)[:, None]
    assert judge(check(separation(outside, "cube"), 8, dim=1, domain="cube")) is Verdict.VIOLATED
    long_vectors = 1.01 * np.concatenate([np.eye(3), -np.eye(3)])
    assert judge(check(separation(long_vectors, "sphere"), 6, dim=3, domain="sphere")) is Verdict.VIOLATED


def test_fails_without_distances_of_the_domain() -> None:
    """Unwrapped distances on the torus, and the length of arcs on the sphere: both above what chords can be."""
    ends = np.array([[0.0], [0.9]])
    assert judge(check(separation(ends, "cube"), 2, dim=1, domain="torus")) is Verdict.VIOLATED
    assert judge(check(separation(ends, "torus"), 2, dim=1, domain="torus")) is Verdict.HOLDS
    cross = np.concatenate([np.eye(3), -np.eye(3)])
    chord = separation(cross, "sphere")
    assert judge(check(2.0 * math.asin(0.5 * chord), 6, dim=3, domain="sphere")) is Verdict.VIOLATED
    assert judge(check(chord, 6, dim=3, domain="sphere")) is Verdict.HOLDS


def test_fails_without_the_torus_balls_being_embedded() -> None:
    """In 59 dimensions two antipodes beat the naive N V_d (h/2)^d <= 1, and the ceiling knows it."""
    antipodes = np.array([np.zeros(59), np.full(59, 0.5)])
    found = separation(antipodes, "torus")
    naive = 2.0 * (2.0 * unit_ball_volume(59)) ** (-1.0 / 59)
    assert found > 1.0 and found > naive
    assert found == pytest.approx(torus_ceiling(2, dim=59), rel=1e-12)


def test_invariances_and_limits() -> None:
    for dim in (2, 3, 5):
        for domain in ("cube", "torus", "sphere"):
            falling = [CEILINGS[domain](count, dim=dim) for count in range(2, 60)]
            assert all(later <= earlier for earlier, later in itertools.pairwise(falling))
        assert torus_ceiling(50, dim=dim) <= cube_ceiling(50, dim=dim)  # wrapped distances are shorter
        lattice_like = 2.0 * (10**9 * unit_ball_volume(dim)) ** (-1.0 / dim)  # N V_d (h/2)^d = 1
        assert cube_ceiling(10**9, dim=dim) == pytest.approx(lattice_like, rel=5e-2)
        assert torus_ceiling(10**9, dim=dim) == pytest.approx(lattice_like, rel=1e-12)
    assert plane_ceiling(20, area=4.0, perimeter=8.0) == pytest.approx(2.0 * plane_ceiling(20, area=1.0, perimeter=4.0))
    assert sphere_ceiling(9, dim=40) == pytest.approx(math.sqrt(18.0 / 8.0))
    with pytest.raises(ValueError, match="num_points must be at least 2"):
        cube_ceiling(1, dim=2)
    with pytest.raises(ValueError, match="dim must be at least 2"):
        sphere_ceiling(3, dim=1)


@pytest.mark.parametrize("domain", ["cube", "torus", "sphere"])
def test_proof_lines_on_a_greedy_set(domain: Domain) -> None:
    count, dim = 14, 3
    points = arrange(Instance(domain, count, dim, regular=False, shake=0.0, seed=3))
    table = distances(points, points, domain)
    h, total = separation(points, domain), float((table[np.triu_indices(count, 1)] ** 2).sum())
    balls = count * unit_ball_volume(dim) * (0.5 * h) ** dim
    r = 0.3
    steiner = 1.0 + 6.0 * r + 3.0 * math.pi * r**2 + 4.0 * math.pi / 3.0 * r**3  # three cylinders, eight octants
    assert math.exp(log_enlarged_cube_volume(r, dim=3)) == pytest.approx(steiner, rel=1e-13)
    if domain == "cube":
        assert balls <= math.exp(log_enlarged_cube_volume(0.5 * h, dim=dim))  # line 1
        assert total <= dim * (count**2 // 4)  # line 2
        assert h <= averaging_ceiling(count, dim=dim)
    elif domain == "torus":
        assert h <= 1.0 and balls <= 1.0  # line 3
        steps = np.abs(points[:, None] - points[None])
        steps = np.minimum(steps, 1.0 - steps)
        assert 0.5 * steps.sum() <= dim * (count**2 // 4) / 2.0  # line 4: sum of circular distances
        assert total <= 0.5 * (0.5 * steps.sum()) <= dim * (count**2 // 4) / 4.0
    else:
        assert count * cap_fraction(0.5 * h, dim=dim) <= 1.0  # line 5: disjoint caps
        assert total == pytest.approx(count**2 - float(np.sum(points.sum(axis=0) ** 2)), rel=1e-12)
        assert max((points @ points.T)[np.triu_indices(count, 1)]) >= 0.0  # N >= d + 2

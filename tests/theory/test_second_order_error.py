"""A5 second-order error, in five parts: random instances, attained, necessary hypotheses, invariances, proof lines."""

import hand_trained
import jax
import numpy as np
import pytest
from hypothesis import given
from scipy.interpolate import CubicSpline
from scipy.optimize import minimize

from experiments.hunt import search
from experiments.hunts.second_order_error import HUNT
from theory.second_order_error import check_line, check_simplex, enclosing_ball, line_bound, simplex_bound
from theory.verdict import Verdict, failed_hypotheses, judge

NODES = np.array([0.0, 0.3, 1.0, 1.2])
TRIANGLES = {
    "acute": (np.array([[0.0, 0.0], [1.0, 0.0], [0.4, 0.9]]), None),
    "right": (np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]]), 2.5),
    "obtuse": (np.array([[-1.0, 0.0], [1.0, 0.0], [0.0, 0.2]]), 1.0),
    "equilateral": (np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(0.75)]]), 1 / np.sqrt(3)),
}


# 1. Holds on random instances


@given(HUNT.instances)
def test_holds_on_random_instances(instance):
    assert judge(HUNT.check(instance)) is Verdict.HOLDS


def test_random_instances_are_applicable_and_reach_equality():
    report = search(HUNT, examples=60, seed=0)
    assert report.violation is None
    assert report.applicable >= 20
    assert report.smallest_slack_log10 is not None and abs(report.smallest_slack_log10) < 1e-10


# 2. Attained


@pytest.mark.parametrize(
    ("interval", "node_error", "worst", "point"),
    [
        ((0.0, 1.2), 0.0, (0.3, 1.0), 0.65),  # the widest gap: M 0.7^2 / 8
        ((-0.5, 1.2), 0.0, (0.0, 0.3), -0.5),  # the left end: M 0.5 * 0.8 / 2
        ((0.0, 2.2), 0.1, (1.0, 1.2), 2.2),  # the right end: eps (1 + 2 / 0.2) + M 1.0 * 1.2 / 2
    ],
)
def test_is_attained_by_a_parabola_on_the_worst_piece(interval, node_error, worst, point):
    """M (x - a)(x - b) / 2 plus eps at a and b with the signs that help; constant on the other gaps."""
    a, b = worst
    curve = abs(3.0 * (point - a) * (point - b) / 2)
    lift = node_error * (abs(point - a) + abs(point - b)) / (b - a)
    found = line_bound(NODES, interval, curvature=3.0, node_error=node_error)
    assert float(found) == pytest.approx(curve + lift, rel=1e-14)


@pytest.mark.parametrize("name", TRIANGLES)
def test_is_attained_by_a_paraboloid_on_a_triangle(name):
    """u = M (|x - c|^2 - R^2) / 2, c the circumcentre from its two linear equations, largest over a dense mesh."""
    vertices, radius = TRIANGLES[name]
    edges = vertices[1:] - vertices[0]
    centre = vertices[0] + np.linalg.solve(2 * edges, np.sum(edges**2, axis=1))
    circumradius = np.linalg.norm(vertices[0] - centre)
    i, j = np.meshgrid(np.arange(601), np.arange(601))
    weights = np.stack([i, j, 600 - i - j], axis=-1)[i + j <= 600] / 600
    error = np.abs(np.sum((weights @ vertices - centre) ** 2, axis=1) - circumradius**2).max()  # M = 2
    found = check_simplex(float(error), vertices, curvature=2.0)
    assert judge(found) is Verdict.HOLDS
    assert found.bound / error < 1 + 2e-5
    if radius is not None:
        assert enclosing_ball(vertices).radius == pytest.approx(radius, rel=1e-14)


# 3. Fails without each hypothesis


def test_fails_without_bounded_curvature():
    """A hat on one gap has u'' = 0 wherever it exists, and the kink lets it rise to any height."""
    found = check_line(1.0, NODES, (0.0, 1.2), curvature=0.0, margins={"bounded curvature": -np.inf})
    assert failed_hypotheses(found) == ("bounded curvature",)
    assert judge(found._replace(margins={})) is Verdict.VIOLATED


def test_fails_without_agreement_at_the_nodes():
    """u = 1: no curvature at all."""
    found = check_line(1.0, NODES, (0.0, 1.2), curvature=0.0, margins={"agreement at the nodes": -1.0})
    assert failed_hypotheses(found) == ("agreement at the nodes",)
    assert judge(found._replace(margins={})) is Verdict.VIOLATED


@pytest.mark.parametrize("outside", [1.3, 3.0])
def test_fails_without_point_between_the_nodes(outside):
    """The parabola through 0 and 1 is within M/8 between them and beyond it from x = 1.21 on."""
    error = outside * (outside - 1.0) / 2
    margins = {"point between the nodes": 1.0 - outside}
    on_line = check_line(error, np.array([0.0, 1.0]), (0.0, 1.0), curvature=1.0, margins=margins)
    in_simplex = check_simplex(error, np.array([[0.0], [1.0]]), curvature=1.0, margins=margins)
    for found in (on_line, in_simplex):
        assert judge(found) is Verdict.NOT_APPLICABLE
        assert judge(found._replace(margins={})) is Verdict.VIOLATED


def test_fails_with_the_fill_distance_in_place_of_the_radius():
    """Obtuse triangle: every point lies within 0.52 of a vertex, and the error is that of radius 1."""
    vertices, radius = TRIANGLES["obtuse"]
    weights = np.random.default_rng(0).dirichlet(np.ones(3), 20_000)
    fill = np.linalg.norm((weights @ vertices)[:, None] - vertices, axis=-1).min(axis=1).max()
    assert fill < 0.525
    assert 0.5 * radius**2 > 3.6 * float(simplex_bound(fill, curvature=1.0))


# 4. Invariances and limits


def test_invariances_and_limits_units():
    """Inputs times c: curvature over c^2. Labels times c: curvature and eps times c. Translation: nothing."""
    here = float(line_bound(NODES, (-0.1, 1.5), curvature=2.0, node_error=0.1))
    assert float(line_bound(7 * NODES, (-0.7, 10.5), curvature=2 / 49, node_error=0.1)) == pytest.approx(here)
    assert float(line_bound(NODES, (-0.1, 1.5), curvature=6.0, node_error=0.3)) == pytest.approx(3 * here)
    assert float(line_bound(NODES + 5, (4.9, 6.5), curvature=2.0, node_error=0.1)) == pytest.approx(here)


def test_invariances_and_limits_order_two():
    """Halving every gap quarters the bound; without curvature or radius only eps remains; the line is a 1-simplex."""
    bounds = [float(line_bound(np.linspace(0, 1, n + 1), (0.0, 1.0), curvature=1.0)) for n in (4, 8)]
    np.testing.assert_allclose(bounds, [1 / 128, 1 / 512], rtol=1e-13)
    assert float(line_bound(NODES, (0.0, 1.2), curvature=0.0, node_error=0.2)) == pytest.approx(0.2)
    assert float(simplex_bound(0.0, curvature=5.0, node_error=0.2)) == pytest.approx(0.2)
    assert float(simplex_bound(0.35, curvature=1.0)) == pytest.approx(float(line_bound(NODES, (0.0, 1.2), curvature=1)))
    mapped = jax.vmap(lambda m: line_bound(NODES, (0.0, 1.2), curvature=m))(np.array([1.0, 2.0]))
    np.testing.assert_allclose(mapped, [0.49 / 8, 0.49 / 4], rtol=1e-14)


@pytest.mark.parametrize("seed", range(4))
def test_invariances_and_limits_enclosing_ball(seed):
    """Rotation and order leave the ball alone; it holds every vertex; the centre minimises the largest distance."""
    rng = np.random.default_rng(seed)
    vertices = rng.standard_normal((4, 3))
    ball = enclosing_ball(vertices)
    turn = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    assert enclosing_ball(vertices[::-1] @ turn).radius == pytest.approx(ball.radius, rel=1e-12)
    reach = np.linalg.norm(vertices - ball.weights @ vertices, axis=1).max()
    assert reach == pytest.approx(ball.radius, rel=1e-12)
    best = minimize(
        lambda c: np.linalg.norm(vertices - c, axis=1).max(),
        vertices.mean(axis=0),
        method="Nelder-Mead",
        options={"xatol": 1e-9, "fatol": 1e-10, "maxiter": 4000},
    ).fun
    assert ball.radius == pytest.approx(best, rel=1e-5)


def test_invariances_and_limits_flat_vertices():
    """Three collinear points, and a repeated one: the ball of the outer two."""
    vertices = np.array([[0.0, 0.0], [1.0, 1.0], [4.0, 4.0], [4.0, 4.0]])
    assert enclosing_ball(vertices).radius == pytest.approx(np.sqrt(8.0))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: check_line(0.1, NODES[::-1].copy(), (0.0, 1.2), curvature=1.0), "nodes must be at least 2 ascending"),
        (lambda: check_line(0.1, NODES, (0.1, 1.2), curvature=1.0), "interval must hold all nodes"),
        (lambda: check_line(0.1, NODES, (0.0, 1.2), curvature=-1.0), "curvature must be at least 0, but was -1.0"),
        (lambda: check_simplex(0.1, np.eye(2), curvature=1.0, node_error=-0.5), "node_error must be at least 0"),
        (lambda: enclosing_ball(np.zeros((9, 1))), "vertices must be at most 8 points"),
    ],
)
def test_bad_numbers_are_one_sentence(call, words):
    with pytest.raises(ValueError, match=words):
        call()


# 5. Proof lines, for u = a trained network minus its interpolant along a line and on a triangle


@pytest.fixture(scope="module")
def network():
    """The trained network as a function of x in R^2, and a bound on the norm of its hessian in x."""
    data = hand_trained.data(separation=0.5, gap=1.0)
    theta = hand_trained.train(data, step_size=0.5, steps=100)[-1]
    neurons = theta.reshape(hand_trained.WIDTH, 4)

    def value(x):
        return hand_trained.outputs(theta, hand_trained.Data(np.column_stack([x, np.ones(len(x))]), np.zeros(len(x))))

    largest = 4 / (3 * np.sqrt(3))  # of |tanh''|
    curvature = largest * np.abs(neurons[:, 0]) @ np.sum(neurons[:, 1:3] ** 2, axis=1) / np.sqrt(hand_trained.WIDTH)
    return value, float(curvature)


def test_proof_lines_on_a_trained_network_1_to_3(network):
    """q - u is convex, 0 at both nodes, so at most 0 between them and at least 0 outside, q = M (x - a)(x - b) / 2."""
    value, curvature = network
    x = np.linspace(-2.0, 2.0, 4001)
    along = value(np.column_stack([x, 0.3 * x])) / (1 + 0.3**2)  # curvature along the line, per unit of x
    for a, b in [(1000, 2200), (1900, 2100), (2500, 3900)]:
        u = along - (along[a] + (along[b] - along[a]) * (x - x[a]) / (x[b] - x[a]))
        q = curvature * (x - x[a]) * (x - x[b]) / 2
        for signed in (u, -u):
            assert np.diff(q - signed, 2).min() >= -1e-12  # line 1
        inside = (x >= x[a]) & (x <= x[b])
        assert np.all(np.abs(u[inside]) <= -q[inside] + 1e-12)  # line 2
        assert np.all(np.abs(u[~inside]) <= q[~inside] + 1e-12)  # line 3


def test_proof_lines_on_a_trained_network_4(network):
    """u = network - constant, l affine with l = u at a and b: u - l bends as u does, |l| <= eps between and
    eps (1 + 2t/g) at distance t outside; equality where u(a) = -u(b); and |u| stays below both parts together.
    """
    value, curvature = network
    x = np.linspace(-2.0, 2.0, 4001)
    line = value(np.column_stack([x, np.zeros_like(x)]))
    for a, b in [(1000, 2200), (1900, 2100), (2500, 3900)]:
        inside, gap = (x >= x[a]) & (x <= x[b]), x[b] - x[a]
        t = np.maximum(np.maximum(x[a] - x, x - x[b]), 0.0)
        for constant, attained in ((0.5 * (line[a] + line[b]), True), (line[a] - 0.1, False)):
            u = line - constant
            eps = max(abs(u[a]), abs(u[b]))
            affine = np.polynomial.Polynomial.fit(x[[a, b]], u[[a, b]], 1)(x)
            np.testing.assert_allclose(np.diff(u - affine, 2), np.diff(u, 2), atol=1e-13)
            assert np.abs(affine[inside]).max() == pytest.approx(eps, rel=1e-12)
            assert np.all(np.abs(affine) <= eps * (1 + 2 * t / gap) * (1 + 1e-12))
            if attained:
                np.testing.assert_allclose(np.abs(affine[~inside]), eps * (1 + 2 * t / gap)[~inside], rtol=1e-11)
            bound = float(line_bound(x[[a, b]], (-2.0, 2.0), curvature=curvature, node_error=eps))
            assert np.abs(u).max() <= bound * (1 + 1e-12)


def test_proof_lines_on_a_trained_network_5_to_7(network):
    """|u(x)| <= M sum w_i |v_i - x|^2 / 2 = M (R^2 - |x - c|^2) / 2 <= M r^2 / 2 on two triangles."""
    value, curvature = network
    for name in ("acute", "obtuse"):
        vertices, _ = TRIANGLES[name]
        edges = vertices[1:] - vertices[0]
        centre = vertices[0] + np.linalg.solve(2 * edges, np.sum(edges**2, axis=1))
        weights = np.random.default_rng(3).dirichlet(np.ones(3), 2000)
        x = weights @ vertices
        u = value(x) - weights @ value(vertices)
        spread = np.sum(weights * np.sum((vertices - x[:, None]) ** 2, axis=2), axis=1)
        power = np.sum((vertices[0] - centre) ** 2) - np.sum((x - centre) ** 2, axis=1)
        assert np.all(np.abs(u) <= curvature * spread / 2)  # line 5
        np.testing.assert_allclose(spread, power, atol=1e-13)  # line 6
        radius = enclosing_ball(vertices).radius
        assert np.all(spread <= radius**2 * (1 + 1e-12)) and spread.max() > 0.98 * radius**2  # line 7


def test_proof_lines_on_a_cubic_spline():
    """The corollary: a spline and its values' broken line agree at the nodes, and differ by at most M g^2 / 8."""
    nodes = np.array([0.0, 0.4, 1.0, 1.3, 2.0])
    spline = CubicSpline(nodes, [0.0, 1.0, -0.5, 0.3, 0.2])
    curvature = np.abs(spline(nodes, 2)).max()  # u'' is linear on each gap
    x = np.linspace(0.0, 2.0, 2001)
    error = np.abs(spline(x) - np.interp(x, nodes, spline(nodes))).max()
    found = check_line(float(error), nodes, (0.0, 2.0), curvature=float(curvature))
    assert judge(found) is Verdict.HOLDS
    assert found.measured > 0.3 * found.bound

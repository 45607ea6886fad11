"""N1 non-degeneracy, in five parts: random instances, attained, necessary hypotheses, invariances, proof lines."""

import jax
import numpy as np
import pytest
from hypothesis import given

from experiments.hunt import search
from experiments.hunts.nondegeneracy import HUNT, certain_sign_changes
from theory.nondegeneracy import (
    check_conditioning,
    check_count,
    check_no_skip,
    conditioning_floor,
    singular_scales_ceiling,
)
from theory.verdict import Verdict, failed_hypotheses, judge, slack_log10

SCALES = np.linspace(1.0, 2.0, 100)


def breaks(found, name):
    assert failed_hypotheses(found) == (name,)
    return judge(found._replace(margins={})) is Verdict.VIOLATED


# 1. Holds on random instances


@given(HUNT.instances)
def test_holds_on_random_instances(instance):
    assert judge(HUNT.check(instance)) is not Verdict.VIOLATED


def test_random_instances_are_applicable_and_reach_equality():
    report = search(HUNT, examples=60, seed=0)
    assert report.violation is None
    assert report.applicable >= 20
    assert {t.inequality for t in report.tightest if abs(t.slack_log10) < 1e-10} == {"count", "conditioning"}


# 2. Attained


@pytest.mark.parametrize("hidden", [1, 2, 3, 5])
def test_is_attained_by_diagonal_weights(hidden):
    """x_k + t w_k tanh(x_k), k <= hidden, and x_k else: singular at t = -1/(w_k (1 - tanh(x_ik)^2)), all different."""
    rng = np.random.default_rng(hidden)
    dim, num_points = 3, 4
    points, weights = rng.standard_normal((num_points, dim)), rng.uniform(0.5, 2.0, hidden)
    used = min(hidden, dim)
    roots = -1 / (weights[:used] * (1 - np.tanh(points[:, :used]) ** 2))
    assert np.diff(np.sort(roots.ravel())).min() > 1e-6
    for point, own in zip(points, roots):
        for t in own:
            layer = np.eye(dim)
            layer[range(used), range(used)] += t * weights[:used] * (1 - np.tanh(point[:used]) ** 2)
            assert abs(np.linalg.det(layer)) < 1e-12 * np.prod(1 + np.abs(np.diag(layer)))
    assert roots.size == singular_scales_ceiling(num_points, hidden=hidden, dim=dim)


def test_is_attained_conditioning():
    """W = -V^T with orthonormal rows, sigma' = B: the Jacobian is 1 - tB on the row space, 1 beside it."""
    inner = np.linalg.qr(np.random.default_rng(0).standard_normal((5, 2)))[0].T
    jacobian = np.eye(5) - 0.7 * inner.T @ (0.8 * inner)
    smallest = np.linalg.svd(jacobian, compute_uv=False)[-1]
    found = check_conditioning(float(smallest), 0.7, outer_norm=1.0, inner_norm=1.0, slope=0.8, dim=5)
    slack = slack_log10(found)
    assert judge(found) is Verdict.HOLDS and slack is not None and abs(slack) < 1e-14


# 3. Fails without each hypothesis


def test_fails_without_skip_connection():
    """W D V of hidden width 1 in two dimensions is singular at every scale; and W D V may be small."""
    branch = np.outer([1.0, 2.0], [0.5, -1.0])
    singular = sum(np.linalg.matrix_rank(t * branch) < 2 for t in SCALES)
    assert breaks(check_count(int(singular), 1, hidden=1, dim=2, skip=False), "skip connection")
    found = check_conditioning(0.25, 0.25, outer_norm=1.0, inner_norm=1.0, slope=1.0, skip=False)  # 0.25 I
    assert breaks(found, "skip connection")


def test_fails_without_differentiability():
    """x + t |x| at 0: no Jacobian; its generalised one, between the slopes 1 - t and 1 + t, holds 0 for every t >= 1.

    With it goes what a nonsingular Jacobian of a C^1 layer gives, local injectivity: s (t-1)/(t+1) has the image of -s.
    """
    s, singular = 1e-3, 0
    for t in SCALES:

        def layer(x, t=t):
            return x + t * abs(x)

        assert layer(s * (t - 1) / (t + 1)) == pytest.approx(layer(-s), abs=1e-15)
        singular += int(jax.grad(layer)(-s) <= 0.0 <= jax.grad(layer)(s))
    assert breaks(check_count(singular, 1, hidden=1, dim=1, differentiable=False), "differentiability")


def test_fails_without_differentiability_in_a_chain():
    """x + W_1 relu(-x), then x + W_2 relu(x - 1), at x = 1: on the kink for every W_1, a fold for every W_2 < -1."""
    near = 1 + np.array([-1e-3, 0.0, 1e-3])
    folded = 0
    for first, second in np.random.default_rng(0).uniform(-3.0, -1.1, (100, 2)):
        inputs = near + first * np.maximum(-near, 0.0)
        assert inputs[1] - 1 == 0.0  # the pre-activation, whatever W_1
        images = inputs + second * np.maximum(inputs - 1, 0.0)
        folded += int(images[0] < images[1] > images[2])
    assert folded == 100
    assert breaks(check_count(folded, 1, hidden=1, dim=1, differentiable=False), "differentiability")


def test_fails_without_finitely_many_points():
    """x + t sin x has slope 0 at x = arccos(-1/t), for every t >= 1: no t is good for all x."""
    singular = sum(abs(1 + t * np.cos(np.arccos(-1 / t))) < 1e-14 for t in SCALES)
    assert breaks(check_count(int(singular), 1, hidden=1, dim=1, continuum=True), "finitely many points")


def test_fails_without_slope_bound():
    """x - t x has slope 1 - t; with B = 1/2 the floor would be 1 - t/2."""
    found = check_conditioning(0.2, 0.8, outer_norm=1.0, inner_norm=1.0, slope=0.5, largest_slope=1.0)
    assert breaks(found, "slope bound")


def test_fails_without_narrow_hidden_layer():
    """Without the skip the least singular value jumps at hidden = n, from 0 for every weight to 1 for W = V = I."""
    smallest = []
    for hidden in (1, 2, 3, 4, 5):
        branch = np.eye(4, hidden) @ np.eye(hidden, 4)
        smallest.append(np.linalg.svd(branch, compute_uv=False)[-1])
    assert smallest == [0.0, 0.0, 0.0, 1.0, 1.0]
    assert breaks(check_no_skip(1.0, hidden=4, dim=4, jacobian_norm=1.0), "narrow hidden layer")
    assert judge(check_no_skip(0.0, hidden=3, dim=4, jacobian_norm=1.0)) is Verdict.HOLDS
    assert judge(check_no_skip(1e-13, hidden=3, dim=4, jacobian_norm=1.0)) is Verdict.VIOLATED


def test_fails_on_the_exceptional_set():
    """Almost every W is not every W: x - x tanh'(0) at 0."""
    assert np.linalg.det(np.eye(1) - 1.0 * (1 - np.tanh(0.0) ** 2)) == 0.0


# 4. Invariances and limits


def test_invariances_and_limits_change_of_coordinates():
    """x -> Q x (W -> QW, V -> V Q^T) changes no eigenvalue; scaling W by c divides the singular scales by c."""
    rng = np.random.default_rng(1)
    branch = rng.standard_normal((4, 3)) @ rng.standard_normal((3, 4))
    turn = np.linalg.qr(rng.standard_normal((4, 4)))[0]
    assert (
        certain_sign_changes(turn @ branch @ turn.T) == certain_sign_changes(branch) == certain_sign_changes(7 * branch)
    )


def test_invariances_and_limits_counts():
    """Symmetric: one scale for each nonzero eigenvalue. Rotation, nilpotent, zero: none. Double root: none certain."""
    symmetric = np.diag([3.0, -2.0, 1.0, 0.0])
    rotation, nilpotent = np.array([[0.0, -1.0], [1.0, 0.0]]), np.array([[0.0, 1.0], [0.0, 0.0]])
    assert certain_sign_changes(symmetric) == 3
    assert [certain_sign_changes(a) for a in (rotation, nilpotent, np.zeros((2, 2)))] == [0, 0, 0]
    assert certain_sign_changes(np.eye(2)) == 0
    found = certain_sign_changes(symmetric)  # as if of hidden width 2, which allows rank 2
    assert judge(check_count(found, 1, hidden=2, dim=4)) is Verdict.VIOLATED
    assert singular_scales_ceiling(5, hidden=8, dim=3) == 15 and singular_scales_ceiling(5, hidden=2, dim=3) == 10


def test_invariances_and_limits_of_a_blind_eigenvalue_routine(monkeypatch):
    """The grid alone, in units of 1/|A|, tells the roots -1/3, 1/2 and -1 apart, whatever the unit."""
    monkeypatch.setattr(np.linalg, "eigvals", lambda branch: np.zeros(len(branch)))
    for unit in (1e-3, 1.0, 1e3):
        assert certain_sign_changes(unit * np.diag([3.0, -2.0, 1.0, 0.0])) == 3


def test_invariances_and_limits_conditioning():
    assert float(conditioning_floor(0.0, outer_norm=3.0, inner_norm=2.0, slope=1.0)) == 1.0
    assert float(conditioning_floor(-0.1, outer_norm=3.0, inner_norm=2.0, slope=1.0)) == pytest.approx(0.4)
    found = check_conditioning(0.0, 1.0, outer_norm=1.0, inner_norm=1.0, slope=1.0)
    assert judge(found) is Verdict.VACUOUS
    assert judge(check_conditioning(0.39, 0.1, outer_norm=3.0, inner_norm=2.0, slope=1.0)) is Verdict.VIOLATED


@pytest.mark.parametrize("change", [{"num_points": 0}, {"hidden": 0}, {"dim": 0}])
def test_bad_numbers_are_one_sentence(change):
    numbers = {"num_points": 1, "hidden": 1, "dim": 1} | change
    with pytest.raises(ValueError, match=f"{next(iter(change))} must be at least 1, but was 0"):
        singular_scales_ceiling(numbers["num_points"], hidden=numbers["hidden"], dim=numbers["dim"])


# 5. Proof lines, on a random residual network of three layers with GELU branches


@pytest.fixture(scope="module")
def network():
    """(layers, the points at every depth, their Jacobians by automatic differentiation), n = 4, hidden 2, N = 5."""
    rng = np.random.default_rng(3)
    layers = [(rng.standard_normal((4, 2)), rng.standard_normal((2, 4)), rng.standard_normal(2)) for _ in range(3)]

    def forward(x, outer, inner, bias):
        return x + outer @ jax.nn.gelu(inner @ x + bias, approximate=False)

    depths, jacobians = [rng.standard_normal((5, 4))], []
    for layer in layers:
        jacobians.append(np.asarray(jax.vmap(jax.jacfwd(lambda x: forward(x, *layer)))(depths[-1])))  # noqa: B023
        depths.append(np.asarray(jax.vmap(lambda x: forward(x, *layer))(depths[-1])))  # noqa: B023

    def whole(x):
        for layer in layers:
            x = forward(x, *layer)
        return x

    return layers, depths, jacobians, np.asarray(jax.vmap(jax.jacfwd(whole))(depths[0]))


def slopes_at(layer, points):
    return np.asarray(
        jax.vmap(jax.vmap(jax.grad(lambda z: jax.nn.gelu(z, approximate=False))))(points @ layer[1].T + layer[2])
    )


def test_proof_lines_on_a_random_network_1_and_2(network):
    """J_i = I + W D_i V; det(I + t A) = prod(1 + t lambda), rank A <= hidden: at most 2 nonzero eigenvalues."""
    layers, depths, jacobians, _ = network
    for layer, points, found in zip(layers, depths, jacobians):
        for slopes, jacobian in zip(slopes_at(layer, points), found):
            branch = layer[0] @ np.diag(slopes) @ layer[1]
            np.testing.assert_allclose(jacobian, np.eye(4) + branch, atol=1e-12)
            eigenvalues = np.linalg.eigvals(branch)
            assert np.sum(np.abs(eigenvalues) > 1e-8) <= 2
            for t in (-1.3, 0.4, 2.0):
                assert np.prod(1 + t * eigenvalues).real == pytest.approx(np.linalg.det(np.eye(4) + t * branch))


def test_proof_lines_on_a_random_network_3(network):
    """det(I + t W D V) = det(I + t D V W), 2 x 2, is 1 at 0; zeros on a fine grid of t: at most N min(hidden, n)."""
    layers, depths, _, _ = network
    s = np.linspace(-1.0, 1.0, 4000)  # even, so without 0
    t = np.sort(np.concatenate([s, 1 / s, 1 / s**3]))
    for layer, points in zip(layers, depths):
        changes, certain = 0, 0
        for slopes in slopes_at(layer, points):
            small = np.diag(slopes) @ layer[1] @ layer[0]
            values = 1 + t * np.trace(small) + t**2 * np.linalg.det(small)
            changes += int(np.sum(np.diff(np.sign(values)) != 0))
            certain += certain_sign_changes(layer[0] @ np.diag(slopes) @ layer[1])
        assert 0 < changes == certain <= singular_scales_ceiling(5, hidden=2, dim=4)


def test_proof_lines_on_a_random_network_4(network):
    """The chain rule: the whole Jacobian is the layers' product, determinants multiply, none is 0."""
    _, _, jacobians, whole = network
    np.testing.assert_allclose(whole, jacobians[2] @ jacobians[1] @ jacobians[0], rtol=1e-9, atol=1e-9)
    layerwise = np.prod([np.linalg.det(found) for found in jacobians], axis=0)
    np.testing.assert_allclose(np.linalg.det(whole), layerwise, rtol=1e-8)
    assert np.abs(layerwise).min() > 1e-6


def test_proof_lines_on_a_random_network_5(network):
    """|J v| >= |v| - |t| |W| |D| |V| |v|, at a scale where that says something."""
    layers, depths, _, _ = network
    for layer, points in zip(layers, depths):
        slopes = slopes_at(layer, points)
        norms = {"outer_norm": np.linalg.norm(layer[0], 2), "inner_norm": np.linalg.norm(layer[1], 2)}
        strength = norms["outer_norm"] * norms["inner_norm"] * np.abs(slopes).max()
        jacobians = np.eye(4) + 0.5 / strength * layer[0] @ (slopes[:, :, None] * layer[1])
        smallest = np.linalg.svd(jacobians, compute_uv=False).min()
        floor = conditioning_floor(0.5 / strength, **norms, slope=np.abs(slopes).max())
        assert float(floor) == pytest.approx(0.5) and smallest >= 0.5


def test_proof_lines_on_a_random_network_6(network):
    """Without the skip: rank at most hidden = 2 of 4, at every layer and point."""
    _, _, jacobians, _ = network
    for found in jacobians:
        values = np.linalg.svd(found - np.eye(4), compute_uv=False)
        assert np.all(values[:, 2:] < 1e-14) and values[:, 1].max() > 0.01

"""N2 bi-Lipschitz features, in five parts: random, attained, necessary hypotheses, invariances, proof lines."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

from experiments.blocks import LayerNorm, TauEps
from experiments.hunt import search
from experiments.hunts.bi_lipschitz import HUNT
from theory import bi_lipschitz
from theory.bi_lipschitz import Side, chain_constants, normalisation_constants, residual_constants
from theory.verdict import Verdict, failed_hypotheses, judge, slack_log10

POINTS = np.random.default_rng(0).uniform(-1.0, 1.0, (5, 3))


def h_min(points):
    return min(float(np.linalg.norm(p - q)) for p, q in itertools.combinations(np.atleast_2d(points), 2))


def tau(points, eps):
    return points / np.sqrt(np.sum(points**2, axis=-1, keepdims=True) + eps**2)


def separation_check(inputs, outputs, constants, side: Side = "lower"):
    return bi_lipschitz.check(
        h_min(outputs), h_min(inputs), side=side, branch_constants=np.array(constants), instance="by hand"
    )


def normalisation_check(inputs, eps, *, side: Side = "lower", radius=None):
    largest = float(np.linalg.norm(inputs, axis=1).max())
    return bi_lipschitz.check_normalisation(
        h_min(tau(inputs, eps)),
        h_min(inputs),
        side=side,
        radius=largest if radius is None else radius,
        largest_norm=largest,
        eps=eps,
        instance="by hand",
    )


# 1. Holds on random instances


@given(HUNT.instances)
def test_holds_on_random_instances(instance):
    assert judge(HUNT.check(instance)) is not Verdict.VIOLATED


def test_random_instances_are_applicable_and_come_close_to_equality():
    report = search(HUNT._replace(ascent=None), examples=60, seed=0)
    assert report.violation is None
    assert report.applicable >= 20
    assert report.tightest and all(abs(found.slack_log10) < 4.3e-4 for found in report.tightest)
    assert len(report.tightest) == 6


# 2. Attained


@pytest.mark.parametrize("constants", [(0.5,), (0.25, 0.75), (0.1,) * 8])
def test_is_attained_by_linear_branches(constants):
    """g = -+c x: every distance is multiplied by exactly prod(1 -+ c), and a bound 15% off is violated."""
    shrunk = separation_check(POINTS, POINTS * np.prod(1 - np.array(constants)), constants)
    grown = separation_check(POINTS, POINTS * np.prod(1 + np.array(constants)), constants, side="upper")
    for found, wrong in ((shrunk, 1.15), (grown, 1 / 1.15)):
        assert judge(found) is Verdict.HOLDS
        assert slack_log10(found) == pytest.approx(0.0, abs=1e-13)
        assert judge(found._replace(bound=found.bound * wrong)) is Verdict.VIOLATED


@pytest.mark.parametrize("eps", [0.1, 1.0])
def test_is_attained_by_normalisation_in_the_limit(eps):
    """Two points of one ray, next to the sphere of radius R (lower) or to 0 (upper); slack of the order of the step."""
    axis = np.array([0.6, 0.8, 0.0])
    outer = normalisation_check(np.array([2.0, 2.0 - 1e-5])[:, None] * axis, eps)
    inner = normalisation_check(np.array([0.0, 1e-4 * eps])[:, None] * axis, eps, side="upper")
    for found, wrong in ((outer, 1.15), (inner, 1 / 1.15)):
        assert judge(found) is Verdict.HOLDS
        assert slack_log10(found) == pytest.approx(0.0, abs=1e-4)
        assert judge(found._replace(bound=found.bound * wrong)) is Verdict.VIOLATED


# 3. Fails without each hypothesis


def test_fails_without_skip_connections():
    """The branch alone, g = x / 10: h_min falls by 10, whatever its constant 1/10 would promise with a skip (0.9)."""
    found = separation_check(POINTS, POINTS / 10, (0.1,))
    assert judge(found) is Verdict.VIOLATED
    assert judge(separation_check(POINTS, POINTS + POINTS / 10, (0.1,))) is Verdict.HOLDS


def test_fails_without_branch_constants():
    """g(x) = -x^2 (3 - 2x) has slope 0 at both samples 0 and 1, where c would be read as 0; yet g(1) - g(0) = -1."""
    inputs = np.array([[0.0], [1.0]])
    outputs = inputs - inputs**2 * (3 - 2 * inputs)
    assert h_min(outputs) == 0.0
    assert judge(separation_check(inputs, outputs, (0.0,))) is Verdict.VIOLATED
    secant = 1.5  # sup |6 x (1 - x)|, the Lipschitz constant between them
    assert failed_hypotheses(separation_check(inputs, outputs, (secant,))) == ("contractive branches",)


def test_fails_without_branch_constants_near_the_features():
    """g(x) = -x (1 - x) is 0 at both features 0 and 1, so c = 0 on those; yet g'(0) = -1 and F' = 0 at 0.

    Features keep their distances exactly, but a singular value needs c near the feature, where it is at least 1.
    """
    inputs = np.array([[0.0], [1.0]])
    outputs = inputs - inputs * (1 - inputs)
    assert judge(separation_check(inputs, outputs, (0.0,))) is Verdict.HOLDS
    slope = float(jax.grad(lambda x: x - x * (1 - x))(0.0))
    found = bi_lipschitz.check(
        slope, 1.0, side="lower", branch_constants=np.zeros(1), quantity="singular value", instance="by hand"
    )
    assert judge(found) is Verdict.VIOLATED
    near = found._replace(bound=float(residual_constants(np.ones(1)).lower))
    assert judge(near) is Verdict.HOLDS


def test_fails_without_contractive_branches():
    """x - 2 max(x, 0) = -|x|, c = 2, folds 1 onto -1.  The raw product over two such layers is (-1)^2 = 1: broken."""
    inputs, outputs = np.array([[-1.0], [1.0]]), np.array([[-1.0], [1.0]])
    for _ in range(2):
        outputs = outputs - 2 * np.maximum(outputs, 0.0)
    found = separation_check(inputs, outputs, (2.0, 2.0))
    assert failed_hypotheses(found) == ("contractive branches",)
    raw = found._replace(margins={}, vacuous=False, bound=float(np.prod(1 - np.array([2.0, 2.0]))) * h_min(inputs))
    assert judge(raw) is Verdict.VIOLATED
    assert found.bound == 0.0  # the function promises nothing there
    collapsed = separation_check(POINTS, POINTS - POINTS, (1.0,))  # g = -x, c = 1: all is lost
    assert judge(collapsed) is Verdict.VACUOUS


def test_fails_without_positive_eps():
    """eps = 0: x and 2x coincide, so no positive constant is left; any eps > 0 keeps them apart."""
    inputs = np.array([[0.3, 0.4], [0.6, 0.8]])
    found = normalisation_check(inputs, 0.0)
    assert failed_hypotheses(found) == ("positive eps",)
    assert found.measured == pytest.approx(0.0, abs=1e-15)
    promised = found._replace(margins={}, vacuous=False, bound=1e-6 * h_min(inputs))
    assert judge(promised) is Verdict.VIOLATED
    assert judge(normalisation_check(inputs, 1e-3)) is Verdict.HOLDS


def test_fails_without_inputs_in_the_ball():
    """Two points of a ray at 10 and 11, with the constant of the unit ball: radially tau_eps is flat far out."""
    found = normalisation_check(np.array([[10.0, 0.0], [11.0, 0.0]]), 0.5, radius=1.0)
    assert failed_hypotheses(found) == ("inputs in the ball",)
    assert judge(found._replace(margins={})) is Verdict.VIOLATED


def test_centring_collapses_whatever_eps():
    """LayerNorm subtracts the mean first, so x and x + 1 coincide for every eps: it is not bi-Lipschitz, tau_eps is."""
    inputs = jnp.asarray(np.stack([POINTS[0], POINTS[0] + 1.0]))
    for eps in (0.1, 0.5, 10.0):
        assert h_min(np.asarray(LayerNorm(eps)((), inputs))) < 1e-12
        lower = float(normalisation_constants(float(jnp.linalg.norm(inputs, axis=1).max()), eps).lower)
        assert h_min(np.asarray(TauEps(eps)((), inputs))) >= lower * h_min(np.asarray(inputs)) > 1e-3


# 4. Invariances and limits


def test_invariances_and_limits_of_chains():
    """Order and grouping do not matter, no layers change nothing; a batch of chains is each chain."""
    constants = np.array([[0.1, 0.5, 0.3], [0.0, 0.0, 0.9]])
    found = residual_constants(constants)
    np.testing.assert_allclose(found.lower, [0.9 * 0.5 * 0.7, 0.1], rtol=1e-14)
    np.testing.assert_allclose(found.upper, [1.1 * 1.5 * 1.3, 1.9], rtol=1e-14)
    chained = chain_constants([residual_constants(np.array([c])) for c in constants[0, ::-1]])
    assert float(chained.lower) == pytest.approx(float(found.lower[0]), rel=1e-14)
    assert float(chained.upper) == pytest.approx(float(found.upper[0]), rel=1e-14)
    assert tuple(map(float, residual_constants(np.zeros(0)))) == (1.0, 1.0)
    assert tuple(map(float, residual_constants(np.array([0.5, 1.0, 3.0])))) == (0.0, 12.0)


def test_invariances_and_limits_of_normalisation():
    """Constants scale like 1/x; at R = 0 both are 1/eps; eps = 0 promises nothing."""
    lower, upper = map(float, normalisation_constants(3.0, 4.0))
    assert (lower, upper) == (pytest.approx(16 / 125), 0.25)
    assert float(normalisation_constants(30.0, 40.0).lower) == pytest.approx(lower / 10)
    assert tuple(map(float, normalisation_constants(0.0, 2.0))) == (0.5, 0.5)
    assert tuple(map(float, normalisation_constants(1.0, 0.0))) == (0.0, np.inf)
    np.testing.assert_allclose(normalisation_constants(np.zeros(3), 2.0).lower, np.full(3, 0.5))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"feature_separation": -1.0}, "feature_separation must be at least 0, but was -1.0"),
        ({"eps": -0.1}, "eps must be at least 0"),
        ({"radius": -2.0}, "radius must be at least 0"),
    ],
)
def test_bad_numbers_are_one_sentence(change, words):
    numbers = {"feature_separation": 1.0, "separation": 1.0, "radius": 1.0, "largest_norm": 1.0, "eps": 0.1}
    with pytest.raises(ValueError, match=words):
        bi_lipschitz.check_normalisation(side="lower", instance="by hand", **(numbers | change))


def test_a_negative_branch_constant_is_one_sentence():
    words = "smallest_branch_constant must be at least 0, but was -0.5"
    with pytest.raises(ValueError, match=words):
        residual_constants(np.array([0.1, -0.5]))
    with pytest.raises(ValueError, match=words):
        separation_check(POINTS, POINTS, (-0.5,))


# 5. Proof lines


WIDTH, STEPS = 6, 100


@pytest.fixture(scope="module")
def trained():
    """Two residual blocks x + W tanh(V x) of width 6, trained by hand-written gradient descent.

    The targets are 0.3 of the way to the flipped points: the branches grow and stay contractive (0.80 and 0.75).
    """
    rng, targets = np.random.default_rng(1), POINTS + 0.3 * (POINTS[::-1] - POINTS)
    blocks = [
        [0.3 * rng.standard_normal((3, WIDTH)) / WIDTH**0.5, 0.5 * rng.standard_normal((WIDTH, 3))] for _ in range(2)
    ]
    for _ in range(STEPS):
        states = [POINTS]
        for outer, inner in blocks:
            states.append(states[-1] + np.tanh(states[-1] @ inner.T) @ outer.T)
        back = (states[-1] - targets) / len(POINTS)
        for (outer, inner), state in zip(reversed(blocks), reversed(states[:-1])):
            hidden = np.tanh(state @ inner.T)
            signal = (back @ outer) * (1 - hidden**2)
            back_next = back + signal @ inner
            outer -= 0.05 * back.T @ hidden
            inner -= 0.05 * signal.T @ state
            back = back_next
    return blocks, states


def branch_constant(block):
    return np.linalg.norm(block[0], 2) * np.linalg.norm(block[1], 2)


def test_proof_lines_on_a_trained_network_1_2(trained):
    """| |F(x) - F(y)| - |x - y| | <= |g(x) - g(y)| <= c |x - y| in every block, and the products over blocks."""
    blocks, states = trained
    constants = np.array([branch_constant(block) for block in blocks])
    for p, q in itertools.combinations(range(len(POINTS)), 2):
        gaps = [np.linalg.norm(state[p] - state[q]) for state in states]
        for block, (before, after) in zip(blocks, itertools.pairwise(gaps)):
            assert abs(after - before) <= branch_constant(block) * before * (1 + 1e-12)
        assert gaps[-1] <= float(residual_constants(constants).upper) * gaps[0]
        assert gaps[-1] >= float(residual_constants(constants).lower) * gaps[0]


def test_proof_lines_on_a_trained_network_3(trained):
    """lower h_min(X) <= h_min(F(X)) <= the image of the closest pair <= upper h_min(X), block by block and in all."""
    blocks, states = trained
    chains = [([block], *pair) for block, pair in zip(blocks, itertools.pairwise(states))]
    for some, before, after in [*chains, (blocks, states[0], states[-1])]:
        lower, upper = map(float, residual_constants(np.array([branch_constant(block) for block in some])))
        pairs = list(itertools.combinations(range(len(POINTS)), 2))
        closest = min(pairs, key=lambda pair: np.linalg.norm(before[pair[0]] - before[pair[1]]))
        image = np.linalg.norm(after[closest[0]] - after[closest[1]])
        assert 0.0 < lower * h_min(before) <= h_min(after) <= image <= upper * h_min(before)


def test_proof_lines_on_a_trained_network_4(trained):
    """Singular values of I + Dg lie in [1 - |Dg|, 1 + |Dg|], |Dg| <= c; of the product, in the products."""
    blocks, states = trained
    total, constants = np.eye(3), np.array([branch_constant(block) for block in blocks])
    for (outer, inner), state, constant in zip(blocks, states, constants):
        slope = outer @ ((1 - np.tanh(inner @ state[0]) ** 2)[:, None] * inner)
        norm = np.linalg.norm(slope, 2)
        values = np.linalg.svd(np.eye(3) + slope, compute_uv=False)
        assert norm <= constant and 1 - norm <= values[-1] + 1e-14 and values[0] <= 1 + norm + 1e-14
        total = (np.eye(3) + slope) @ total
    values = np.linalg.svd(total, compute_uv=False)
    assert float(residual_constants(constants).lower) <= values[-1]
    assert values[0] <= float(residual_constants(constants).upper)


@pytest.mark.parametrize("eps", [0.2, 1.5])
def test_proof_lines_on_normalisation_5(eps):
    """Derivative of the block TauEps: singular values 1/s twice and eps^2/s^3 along x, the lower constant at |x|."""
    block = TauEps(eps)
    for point in POINTS:
        slope = np.asarray(jax.jacfwd(lambda x: block((), x[None])[0])(jnp.asarray(point)))
        s = np.sqrt(point @ point + eps**2)
        values = np.linalg.svd(slope, compute_uv=False)
        np.testing.assert_allclose(values, [1 / s, 1 / s, eps**2 / s**3], rtol=1e-12)
        np.testing.assert_allclose(slope @ point, eps**2 / s**3 * point, rtol=1e-11, atol=1e-14)
        lower, upper = map(float, normalisation_constants(np.linalg.norm(point), eps))
        assert values[-1] == pytest.approx(lower, rel=1e-12) and values[0] <= upper


@pytest.mark.parametrize("eps", [0.2, 1.5])
def test_proof_lines_on_normalisation_6_7(eps):
    """u -> eps u / sqrt(1 - |u|^2) inverts tau_eps, and stretches segments of the image ball by at most 1/lower."""

    def inverse(u):
        return eps * u / np.sqrt(1 - np.sum(u**2, axis=-1, keepdims=True))

    images = tau(POINTS, eps)
    np.testing.assert_allclose(inverse(images), POINTS, rtol=1e-12)
    radius = float(np.linalg.norm(POINTS, axis=1).max())
    lower, upper = map(float, normalisation_constants(radius, eps))
    image_radius = radius / np.sqrt(radius**2 + eps**2)
    for p, q in itertools.combinations(range(len(POINTS)), 2):
        segment = images[p] + np.linspace(0, 1, 200)[:, None] * (images[q] - images[p])
        assert np.linalg.norm(segment, axis=1).max() <= image_radius * (1 + 1e-14)  # the ball is convex
        length = np.linalg.norm(np.diff(inverse(segment), axis=0), axis=1).sum()
        assert np.linalg.norm(POINTS[p] - POINTS[q]) <= length * (1 + 1e-12)
        assert length <= np.linalg.norm(images[p] - images[q]) / lower * (1 + 1e-12)
        assert np.linalg.norm(images[p] - images[q]) <= upper * np.linalg.norm(POINTS[p] - POINTS[q])

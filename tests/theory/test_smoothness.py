"""G2 calculus of smoothness, in five parts: random instances, attained, necessary hypotheses, invariances, proof lines.

Derivatives are exact (automatic differentiation, dense), norms are numpy's; no bound is its own oracle.
"""

from dataclasses import dataclass
from functools import partial
from math import atanh, exp, log, pi, sqrt
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.flatten_util import ravel_pytree
from scipy.stats import norm

from experiments.architecture import plain_mlp, residual_mlp, transformer
from experiments.ascent import Ascent, ascend
from experiments.blocks import (
    Activation,
    Attention,
    Block,
    Chain,
    LayerNorm,
    Linear,
    MeanPool,
    Position,
    Residual,
    Scalar,
    TauEps,
)
from experiments.curvature import hessian_norm
from experiments.descent import loss
from experiments.hunt import search
from experiments.hunts.smoothness import HUNT, INSTANCES, MODELS, check_many
from experiments.smoothness import (
    ball_radii,
    jacobian_lipschitz,
    loss_smoothness,
    model_bounds,
    parameter_radii,
    stable_step,
)
from theory import block_bounds, smoothness
from theory.smoothness import Bounds, chain, identity, input_only, residual, spectral_norm
from theory.verdict import Verdict, judge, slack_log10

COMPILED = ("linear", "two outputs", "transformer none")  # compiling takes the time: the command's hunt has all ten
FEW = INSTANCES.map(lambda instance: instance._replace(model=COMPILED[sorted(MODELS).index(instance.model) % 3]))


def run_check(inequality="loss hessian", **changes):
    numbers = {"measured": 1.0, "bound": 1.0, "parameter_margin": 0.0, "input_margin": 0.0, "instance": "by hand"}
    return smoothness.check(inequality, **(numbers | changes))


def exact_hessian_norm(model, params, points, labels):
    """max |eigenvalue| of the dense hessian of the loss."""
    return float(np.abs(np.linalg.eigvalsh(dense_hessian(model, params, points, labels))).max())


@partial(jax.jit, static_argnums=0)
def dense_hessian(model, params, points, labels):
    theta, unravel = ravel_pytree(params)
    return jax.hessian(lambda theta: loss(model, unravel(theta), points, labels))(theta)


# 1. Holds on random instances


@settings(max_examples=10)
@given(st.lists(FEW, min_size=8, max_size=8))
def test_holds_on_random_instances(instances):
    assert all(judge(found) is not Verdict.VIOLATED for found in check_many(instances))


def test_hunt_finds_no_violation_and_reaches_equality():
    report = search(HUNT._replace(instances=FEW), examples=60, seed=0)
    assert report.violation is None
    assert report.applicable >= 40
    assert report.smallest_slack_log10 is not None and abs(report.smallest_slack_log10) < 1e-12


class Point(NamedTuple):
    theta: tuple[float, ...]


def test_holds_where_gradient_ascent_drives_the_hessian_towards_its_bound():
    """Every coordinate of theta in [-2, 2] climbs log(|hess L| / S): it comes closer, and never gets through."""
    model = Chain((Linear(1, 2, bias=False), Activation("tanh"), Linear(2, 1, bias=False), Scalar()))
    points, labels = np.array([[1.0], [-0.5]]), np.array([1.0, 1.0])
    unravel = ravel_pytree(model.init(jax.random.key(0)))[1]

    def log_ratio(point):
        hessian = jax.hessian(lambda theta: loss(model, unravel(theta), points, labels))(point.theta)
        bound = loss_smoothness(model, parameter_radii(model, unravel(point.theta)), points, labels)
        return jnp.log(jnp.max(jnp.abs(jnp.linalg.eigvalsh(hessian)))) - jnp.log(bound)

    starts = [Point(tuple(theta)) for theta in np.random.default_rng(0).uniform(-2, 2, (4, 4))]
    ends = ascend(Ascent(log_ratio, {"theta": (-2.0, 2.0)}), starts)
    evaluate = jax.jit(log_ratio)
    before, after = (
        np.array([float(evaluate(Point(jnp.array(point.theta)))) for point in points]) for points in (starts, ends)
    )
    assert np.all(after <= smoothness.ROUNDING)
    assert np.all(after > before) and np.mean(after - before) > 0.3


def test_holds_on_a_wider_network_by_lanczos():
    model = residual_mlp(3, width=16, depth=1, normalisation="layernorm")
    params = jax.jit(model.init)(jax.random.key(0))
    points, labels = np.random.default_rng(0).standard_normal((4, 3)), np.array([1.0, -1.0, 0.5, 0.0])
    bound = loss_smoothness(model, parameter_radii(model, params), points, labels)
    assert 1.0 < hessian_norm(model, params, points, labels) <= float(bound) < np.inf


# 2. Attained


def test_is_attained_by_a_linear_model():
    """L = (f - y)^2/2, f = w.x + b: the hessian is (x, 1)(x, 1)^T, of norm |x|^2 + 1."""
    model, point = Chain((Linear(2, 1), Scalar())), np.array([[0.6, 0.8]])
    bound = float(loss_smoothness(model, ball_radii(model, 5.0), point, np.ones(1)))
    found = run_check(measured=2.0, bound=bound)
    assert slack_log10(found) == pytest.approx(0.0, abs=1e-12)
    assert judge(run_check(measured=2.0, bound=bound / 1.15)) is Verdict.VIOLATED
    gap = float(jacobian_lipschitz(model, ball_radii(model, 5.0), 1.0, point_shape=(2,)))
    assert gap == pytest.approx(1.0, abs=1e-14)  # grad f = (x, 1)


@pytest.mark.parametrize(("u", "v", "y"), [(2.0, 3.0, -1.0), (0.5, 0.25, -4.0), (0.0, 1.0, 0.0)])
def test_is_attained_by_a_product_of_scalar_weights(u, v, y):
    """L = (uvx - y)^2/2 with x = 1 and y < 0 < uv: hessian [[v^2, 2uv - y], [2uv - y, u^2]]."""
    model = Chain((Linear(1, 1, bias=False), Linear(1, 1, bias=False), Scalar()))
    params = ({"weight": jnp.array([[u]])}, {"weight": jnp.array([[v]])}, ())
    exact = np.linalg.norm([[v**2, 2 * u * v - y], [2 * u * v - y, u**2]], 2)
    bound = float(loss_smoothness(model, parameter_radii(model, params), np.ones((1, 1)), np.array([y])))
    assert bound == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize("width", [1, 3])
def test_is_attained_by_a_tanh_network_at_zero(width):
    """theta = 0: f = 0, D_b f = 1, and y (a . (W x + c)) has a bilinear norm of |y| sqrt(|x|^2 + 1)."""
    model, point, label = plain_mlp(2, width=width, depth=1), np.array([[3.0, 4.0]]), np.array([2.0])
    bound = float(loss_smoothness(model, ball_radii(model, 0.0), point, label))
    assert bound == pytest.approx(2 * sqrt(26), rel=1e-12)
    at_zero = jax.tree.map(jnp.zeros_like, model.init(jax.random.key(0)))
    assert exact_hessian_norm(model, at_zero, point, label) == pytest.approx(bound, rel=1e-12)


class Atom(NamedTuple):
    """A block without parameters, the bounds it states, and inputs that attain its value, slope and bend (None: loose).

    fractions: what must be reached of each bound.
    """

    block: Block
    shape: tuple[int, ...]
    radius: float
    attaining: tuple
    fractions: tuple[float, float, float] = (0.999, 0.999, 0.999)


class Mixing(Block):
    """The attention between its two affine maps: (Q, K, V) side by side, one head."""

    def __call__(self, params, x, tape=None):
        query, key, value = jnp.split(x, 3, axis=-1)
        scores = jnp.einsum("ntd,nsd->nts", query, key) / sqrt(query.shape[-1])
        return jax.nn.softmax(scores, axis=-1) @ value

    def bounds(self, radii, input_radius, shape):
        return block_bounds.attention(input_radius, tokens=shape[0], head_width=shape[1] // 3)


class Softmax(Block):
    def __call__(self, params, x, tape=None):
        return jax.nn.softmax(x, axis=-1)

    def bounds(self, radii, input_radius, shape):
        return block_bounds.softmax(input_radius, rows=shape[0], entries=shape[1])


ZEROS = np.zeros(6)
ONE = np.eye(6)[0]
CENTRED = np.array([1.0, -1.0, 0.0, 0.0]) / sqrt(2)
SKEW = log((1 - 1 / sqrt(3)) / (1 + 1 / sqrt(3))) / 2  # logits (SKEW, -SKEW): q (1 - q)(1 - 2q) is 1/(6 sqrt 3)
QKV = np.array([1, 1, 1, 1, -1, -1]) / sqrt(6)  # two tokens (Q, K, V): Q equal, K and V opposite
QKV_3 = 0.02 * np.stack([np.ones(3) / 3, *[np.array([1, -1, 0]) / sqrt(6)] * 2], axis=1).ravel()  # a third token at 0


def far_attention(r, tokens):
    """Inputs of norm r whose value, slope and bend approach the attention's bounds as r grows, d = 1.

    Value: every query takes the first token, where all of V is.  Slope and bend: one query, of size r/sqrt(2) and
    sqrt(2/3) r, and small keys, so that its weights are 1/2, 1/2 (slope) or the most skewed (bend), third token 0.
    """
    first, opposite = np.eye(tokens)[0], np.array([1.0, -1.0, 0.0])[:tokens] / sqrt(2)
    select = 2.5 * np.stack([np.ones(tokens), 2 * first - 1])
    value = np.array([*select, sqrt(r**2 - np.sum(select**2)) * first])
    rows = [value]
    for share, logits in ((sqrt(1 / 2), [0, 0, -20.0]), (sqrt(2 / 3), [SKEW, -SKEW, -20.0])):
        keys = np.array(logits[:tokens]) / (share * r)
        rows.append(np.array([share * r * first, keys, sqrt((1 - share**2) * r**2 - keys @ keys) * opposite]))
    return tuple(row.T.ravel() for row in rows)


ATOMS = {
    "tanh": Atom(Activation("tanh"), (6,), 1.5, (np.full(6, 1.5 / sqrt(6)), ZEROS, atanh(1 / sqrt(3)) * ONE)),
    "tanh, small": Atom(Activation("tanh"), (2, 3), 0.3, (np.full(6, 0.3 / sqrt(6)), ZEROS, 0.3 * ONE)),
    "gelu": Atom(Activation("gelu"), (6,), 2.0, (2.0 * ONE, sqrt(2) * ONE, ZEROS)),
    "gelu, small": Atom(Activation("gelu"), (6,), 0.5, (0.5 * ONE, 0.5 * ONE, ZEROS)),
    "tau": Atom(TauEps(0.5), (2, 3), 2.0, (sqrt(2) * np.eye(6)[[0, 3]].sum(0), ZEROS, 0.25 * ONE)),
    "tau, small": Atom(TauEps(0.5), (2, 3), 0.1, (0.1 * np.eye(6)[[0, 3]].sum(0) / sqrt(2), ZEROS, 0.1 * ONE)),
    "layernorm": Atom(
        LayerNorm(0.3),
        (2, 4),
        2.0,
        (np.tile(CENTRED, 2) * sqrt(2), np.zeros(8), np.pad(CENTRED, (0, 4)) * sqrt(4 * 0.3) / 2),
    ),
    "softmax": Atom(Softmax(), (1, 2), 20.0, (20 * np.eye(2)[0], np.zeros(2), np.array([SKEW, -SKEW]))),
    "softmax, three": Atom(
        Softmax(),
        (2, 3),
        30.0,
        (
            30 * np.eye(6)[[0, 3]].sum(0) / sqrt(2),
            np.array([7, 7, -14, 0, 0, 0]),
            np.array([7 + SKEW, 7 - SKEW, -14, 0, 0, 0]),
        ),
    ),
    "attention, small": Atom(
        Mixing(), (2, 3), 0.02, (0.02 * np.eye(6)[[2, 5]].sum(0) / sqrt(2), ZEROS, 0.02 * QKV), (0.995, 0.995, 0.995)
    ),
    "attention, three, small": Atom(
        Mixing(),
        (3, 3),
        0.02,
        (0.02 * np.eye(9)[[2, 5, 8]].sum(0) / sqrt(3), np.zeros(9), QKV_3),
        (0.995, 0.995, 0.995),
    ),
    "attention": Atom(Mixing(), (2, 3), 100.0, far_attention(100.0, 2), (0.995, 0.999, 0.999)),
    "attention, three": Atom(Mixing(), (3, 3), 100.0, far_attention(100.0, 3), (0.995, 0.999, 0.999)),
    "mean": Atom(MeanPool(), (3, 2), 2.0, (2 * np.tile([1.0, 0.0], 3) / sqrt(3), ZEROS, ZEROS), (0.999, 0.999, 0.0)),
}


def bilinear_norm(tensor, sweeps=40):
    """max |T[u, v]| over unit u, v, by alternating maximisation from the axes and a diagonal: at most the norm."""
    best = 0.0
    for u in (*np.eye(tensor.shape[1]), np.ones(tensor.shape[1])):
        for _ in range(sweeps):
            v = np.linalg.svd(np.einsum("oij,i->oj", tensor, u))[2][0]
            u = np.linalg.svd(np.einsum("oij,j->oi", tensor, v))[2][0]
        best = max(best, float(np.linalg.norm(np.einsum("oij,i,j->o", tensor, u, v))))
    return best


@pytest.mark.parametrize("name", ATOMS)
def test_is_attained_by_each_atom(name):
    """Value, |D|, |D^2| at random inputs in the ball never exceed the atom's bounds, and reach them where stated."""
    atom, rng = ATOMS[name], np.random.default_rng(0)
    bounds = atom.block.bounds((), atom.radius, atom.shape)
    stated = np.array([float(bounds.value), float(bounds.first[0]), float(bounds.second[0, 0])])
    size = int(np.prod(atom.shape))

    def apply(x):
        return atom.block((), x.reshape(1, *atom.shape)).ravel()

    directions = rng.standard_normal((6, size))
    inputs = atom.radius * rng.uniform(0, 1, (6, 1)) * directions / np.linalg.norm(directions, axis=1, keepdims=True)
    inputs = np.concatenate([inputs, np.stack(atom.attaining)])
    assert np.all(np.linalg.norm(inputs, axis=1) <= atom.radius * (1 + 1e-12))
    derivatives = jax.jit(jax.vmap(lambda x: (apply(x), jax.jacfwd(apply)(x), jax.jacfwd(jax.jacfwd(apply))(x))))
    values, slopes, bends = (np.asarray(part) for part in derivatives(inputs))
    measured = np.array(
        [
            np.linalg.norm(values, axis=1),
            np.linalg.norm(slopes, 2, axis=(1, 2)),
            [bilinear_norm(bend) for bend in bends],
        ]
    )
    assert np.all(measured <= stated[:, None] * (1 + 1e-10) + 1e-14)
    assert np.all(np.diag(measured[:, -3:]) >= atom.fractions * stated)


def test_is_attained_by_affine_maps():
    """z = s x W + c 1 b^T on three rows and x + s W, at parallel inputs and weights."""
    shape, row = (3, 2), np.array([[0.6, 0.8]])
    block = Linear(2, 4, "ntk")
    scale, weight = 1 / sqrt(2), 2.0 * np.outer(row, np.eye(4)[0])
    x, bias = 5.0 * np.tile(row, (3, 1)) / sqrt(3), 0.7 * np.eye(4)[0]
    bounds = block.bounds(block.radii({"weight": weight, "bias": bias}), 5.0, shape)
    value = block({"weight": weight, "bias": bias}, jnp.asarray(x[None]))
    assert np.linalg.norm(value) == pytest.approx(float(bounds.value), rel=1e-12)
    columns = [np.kron(np.ones((3, 1)), 0.1 * np.eye(4)), np.kron(scale * x, np.eye(4))]  # dz/db, dz/dW
    slopes = [np.linalg.norm(scale * weight, 2), *(np.linalg.norm(column, 2) for column in columns)]
    np.testing.assert_allclose(bounds.first, slopes, rtol=1e-12)
    np.testing.assert_allclose(bounds.second, [[0, 0, scale], [0, 0, 0], [scale, 0, 0]], rtol=1e-12)
    position = Position(3, 2, "ntk").bounds({"weight": 2.0}, 5.0, shape)
    np.testing.assert_allclose([float(position.value), *position.first], [5 + 2 / sqrt(3), 1, 1 / sqrt(3)])
    assert not np.any(position.second)


def test_constants_of_the_atoms():
    t, q = np.linspace(0, 6, 600_001), np.linspace(0, 1, 100_001)
    tanh, tau = block_bounds.tanh(9.0, entries=1), block_bounds.tau_eps(9.0, rows=1, eps=1.0)
    stated = [float(tanh.second[0, 0]), block_bounds.GELU_BEND, float(tau.second[0, 0]), block_bounds.SOFTMAX_BEND]
    largest = [
        np.max(2 * np.tanh(t) / np.cosh(t) ** 2),
        np.max(np.abs((2 - t**2) * norm.pdf(t))),
        np.max(3 * t / (1 + t**2) ** 2.5),
        2 * sqrt(2) * np.max(q * (1 - q) * (1 - 2 * q)),
    ]
    np.testing.assert_allclose(stated, largest, rtol=1e-8)
    assert block_bounds.GELU_BEND == pytest.approx(sqrt(2 / pi), rel=1e-15)  # noqa: SIM300
    assert float(block_bounds.gelu(9.0, entries=1).first[0]) == pytest.approx(np.max(norm.cdf(t) + t * norm.pdf(t)))


@pytest.mark.parametrize("seed", range(3))
def test_how_loose_for_a_shallow_network(seed):
    """f = a . tanh(W x)/sqrt(m): exact hessian <= by hand with every neuron <= this calculus = by hand with norms."""
    m, rng = 4, np.random.default_rng(seed)
    hidden, output = Linear(3, m, bias=False), Linear(m, 1, "ntk", bias=False)
    model = Chain((hidden, Activation("tanh"), output, Scalar()))
    weight, a = rng.standard_normal((3, m)), rng.standard_normal((m, 1))
    params = ({"weight": jnp.asarray(weight)}, (), {"weight": jnp.asarray(a)}, ())
    x, label = rng.standard_normal((1, 3)), rng.standard_normal(1)
    r, size, top = np.linalg.norm(x), np.linalg.norm(a), np.abs(a).max()

    def by_hand(largest, b0, b2):
        """[B0^2 + |a|^2 r^2/m] + (B0 |a| + |y|)(r + B2 r^2 largest)/sqrt(m), and the same as a 2 x 2 matrix."""
        slopes, reach = np.array([b0, size * r / sqrt(m)]), b0 * size + abs(label[0])
        bends = np.array([[0, r], [r, b2 * r**2 * largest]]) / sqrt(m)
        matrix = np.linalg.norm(np.outer(slopes, slopes) + reach * bends, 2)
        return slopes @ slopes + reach * (r + b2 * r**2 * largest) / sqrt(m), matrix

    exact = exact_hessian_norm(model, params, x, label)
    found = float(loss_smoothness(model, parameter_radii(model, params), x, label))
    bend, reach = 4 / (3 * sqrt(3)), np.linalg.norm(weight, 2) * r
    sharpened = (
        np.tanh(reach / sqrt(m)),
        bend if np.tanh(reach) > 1 / sqrt(3) else 2 * np.tanh(reach) / np.cosh(reach) ** 2,
    )
    assert found == pytest.approx(by_hand(size, *sharpened)[1], rel=1e-12)
    assert exact <= by_hand(top, 1.0, bend)[1] <= by_hand(top, 1.0, bend)[0] <= by_hand(size, 1.0, bend)[0]
    assert exact <= found <= by_hand(size, 1.0, bend)[0]


# 3. Fails without each hypothesis


def test_fails_without_twice_differentiable():
    """relu(w x + b) at w = 1, b = 0 taken for as smooth as tanh: D_b f jumps by 1 across 0, however small h.

    The calculus refuses ReLU.
    """
    refused = Chain((Linear(1, 1), Activation("relu"), Scalar()))
    with pytest.raises(
        ValueError, match="activation of a smoothness bound must be one of gelu, tanh, but it was 'relu'"
    ):
        model_bounds(refused, ball_radii(refused, 1.0), 1.0, point_shape=(1,))
    params, h = refused.init(jax.random.key(0)), 1e-6
    params[0]["weight"] = jnp.ones((1, 1))
    gradient = jax.grad(lambda params, x: refused(params, x)[0])
    left, right = (gradient(params, np.array([[x]]))[0]["bias"][0] for x in (-h, h))
    pretended = chain(block_bounds.linear(h, 1.0, 0.0), input_only(2 * h, 1.0, 4 / (3 * sqrt(3))))  # tanh's bend
    bound = float(smoothness.jacobian_lipschitz(pretended)) * 2 * h
    found = run_check("gradient gap", measured=float(abs(right - left)), bound=bound, scale=1.0, smooth=False)
    assert judge(found) is Verdict.NOT_APPLICABLE
    assert judge(found._replace(margins={})) is Verdict.VIOLATED


def test_fails_without_parameters_in_their_balls():
    """(uv - 1)^2/2 at u = v = 2 has the curvature 11 along (1, 1); S for radii 1 is 4."""
    model = Chain((Linear(1, 1, bias=False), Linear(1, 1, bias=False), Scalar()))
    bound = float(loss_smoothness(model, ball_radii(model, 1.0), np.ones((1, 1)), np.ones(1)))
    assert bound == pytest.approx(4.0)  # [[1, 3], [3, 1]]: |r| <= 1 + 1
    exact = np.linalg.norm([[4.0, 7.0], [7.0, 4.0]], 2)
    found = run_check(measured=exact, bound=bound, parameter_margin=1.0 - 2.0)
    assert judge(found) is Verdict.NOT_APPLICABLE
    assert judge(found._replace(margins={})) is Verdict.VIOLATED


def test_fails_without_inputs_in_their_balls():
    """w x on |x| <= 1 has S = 1; at x = 2 its curvature is 4."""
    model = Chain((Linear(1, 1, bias=False), Scalar()))
    bounds = jax.vmap(lambda r: model_bounds(model, ball_radii(model, 1.0), r, point_shape=(1,)))(np.ones(1))
    bound = float(smoothness.loss_smoothness(bounds, np.zeros(1)))
    exact = exact_hessian_norm(model, ({"weight": jnp.ones((1, 1))}, ()), np.array([[2.0]]), np.zeros(1))
    found = run_check(measured=exact, bound=bound, input_margin=1.0 - 2.0)
    assert (exact, bound) == pytest.approx((4.0, 1.0))
    assert judge(found) is Verdict.NOT_APPLICABLE
    assert judge(found._replace(margins={})) is Verdict.VIOLATED


def test_fails_at_eps_zero():
    """x / |x| turns by pi across 0, however close: no finite slope, and the bounds say so."""
    for bounds in (block_bounds.tau_eps(1.0, rows=1, eps=0.0), block_bounds.layer_norm(1.0, rows=1, width=4, eps=0.0)):
        assert np.all(np.isinf(bounds.first)) and np.all(np.isinf(bounds.second))
        model = chain(block_bounds.linear(1.0, 1.0, 1.0), bounds)
        bound = float(smoothness.loss_smoothness(jax.tree.map(lambda part: part[None], model), np.zeros(1)))
        assert judge(run_check(measured=1.0, bound=bound)) is Verdict.VACUOUS
    slopes = [abs(np.sign(x) - np.sign(-x)) / (2 * x) for x in (1e-2, 1e-4)]
    assert slopes[1] == pytest.approx(100 * slopes[0])


def test_fails_with_smoothness_from_the_gradient():
    """(uv - 1)^2/2: grad = 0 along uv = 1, where the curvature is u^2 + v^2, without bound; S of the radii holds."""
    model = Chain((Linear(1, 1, bias=False), Linear(1, 1, bias=False), Scalar()))
    for u in (1.0, 10.0, 100.0):
        params = ({"weight": jnp.array([[u]])}, {"weight": jnp.array([[1 / u]])}, ())
        gradient = ravel_pytree(jax.grad(lambda p: loss(model, p, jnp.ones((1, 1)), jnp.ones(1)))(params))[0]
        exact = exact_hessian_norm(model, params, np.ones((1, 1)), np.ones(1))
        bound = float(loss_smoothness(model, parameter_radii(model, params), np.ones((1, 1)), np.ones(1)))
        assert float(jnp.linalg.norm(gradient)) == 0.0
        assert exact == pytest.approx(u**2 + u**-2)
        assert exact <= bound <= 2 * exact + 4


# 4. Invariances and limits


SMALL_TRANSFORMER = transformer(2, tokens=3, width=4, depth=1, heads=2, bottleneck=3)


@pytest.mark.parametrize(
    ("model", "shape"),
    [(residual_mlp(2, width=3, depth=2), (2,)), (SMALL_TRANSFORMER, (3, 2))],
    ids=["residual", "transformer"],
)
def test_invariances_and_limits_monotone(model, shape):
    """No entry of the bounds falls when a radius grows, so that S(R) covers the whole ball."""
    flat, unravel = ravel_pytree(ball_radii(model, 1.0))
    evaluate = jax.jit(jax.vmap(lambda flat, r: model_bounds(model, unravel(flat), r, point_shape=shape)))
    rng = np.random.default_rng(0)
    radii, inputs = rng.uniform(0, 2, (20, flat.size)), rng.uniform(0, 2, 20)
    grown = evaluate(radii * rng.uniform(1, 2, radii.shape), inputs * 1.1)
    for smaller, larger in zip(evaluate(radii, inputs), grown):
        assert np.all(np.asarray(smaller) <= np.asarray(larger) * (1 + 1e-12))


@pytest.mark.parametrize(
    ("activation", "depth", "degree"), [("tanh", 1, 2), ("tanh", 2, 4), ("gelu", 1, 3), ("gelu", 2, 6)]
)
def test_invariances_and_limits_polynomial_degree(activation, depth, degree):
    """S(R) of a plain network without normalisation grows like R^(2 depth) for tanh and R^(3 depth) for GELU."""
    model = plain_mlp(2, width=3, depth=depth, activation=activation)
    low, high = (
        float(loss_smoothness(model, ball_radii(model, radius), np.ones((1, 2)), np.ones(1))) for radius in (1e5, 1e6)
    )
    assert np.log10(high / low) == pytest.approx(degree, abs=1e-3)


def test_invariances_and_limits_units():
    """Labels and the output map times c: S of the hidden weights' part times c^2. Samples repeated: S as before."""
    model, points, labels = plain_mlp(2, width=3, depth=1), np.array([[1.0, 2.0], [0.5, 0.0]]), np.array([1.0, -2.0])
    radii = ball_radii(model, 0.7)
    bound = float(loss_smoothness(model, radii, points, labels))
    repeated = float(loss_smoothness(model, radii, np.tile(points, (3, 1)), np.tile(labels, 3)))
    assert repeated == pytest.approx(bound, rel=1e-12)
    assert float(stable_step(model, radii, points, labels)) == pytest.approx(1 / bound, rel=1e-12)
    cubed = Bounds(jnp.full(1, 3.0), jnp.array([[0.0, 2.0]]), jnp.array([[[0.0, 0.0], [0.0, 5.0]]]))
    scaled = Bounds(*(7.0 * part for part in cubed))
    assert float(smoothness.loss_smoothness(cubed, np.array([4.0]))) == pytest.approx(2**2 + (3 + 4) * 5)
    assert float(smoothness.loss_smoothness(scaled, np.array([28.0]))) == pytest.approx(49 * (2**2 + (3 + 4) * 5))


def test_invariances_and_limits_known_loss():
    """sqrt(2 L) rms(C) in the place of mean (v_i + |y_i|) C_i: the smaller one, Gauss-Newton alone at L = 0."""
    bounds = Bounds(
        jnp.array([1.0, 3.0]),
        jnp.array([[0.0, 2.0], [0.0, 1.0]]),
        jnp.array([[[0.0, 0.0], [0.0, 4.0]], [[0.0, 0.0], [0.0, 3.0]]]),
    )
    free = (4 + 1) / 2 + (1 * 4 + 3 * 3) / 2
    for value, expected in [(0.0, 2.5), (0.5, 2.5 + sqrt(12.5)), (1e6, free), (None, free)]:
        assert float(smoothness.loss_smoothness(bounds, np.zeros(2), loss=value)) == pytest.approx(expected)


def test_invariances_and_limits_path_length():
    """Radii after a path of length p hold for every parameter within p: |W|_2 moves by at most |dW|_F."""
    model, rng = plain_mlp(2, width=3, depth=1), np.random.default_rng(0)
    params = model.init(jax.random.key(0))
    theta, unravel = ravel_pytree(params)
    reach = ravel_pytree(parameter_radii(model, params, path_length=0.5))[0]
    for _ in range(20):
        step = rng.standard_normal(theta.size)
        there = model.radii(unravel(theta + 0.5 * step / np.linalg.norm(step)))
        assert np.all(np.asarray(ravel_pytree(there)[0]) <= np.asarray(reach))


def test_spectral_norm_of_matrices_with_entries_of_zero_and_infinity():
    assert float(spectral_norm(jnp.zeros((0, 0)))) == 0.0
    assert float(spectral_norm(jnp.array([[0.0, 2.0], [2.0, 3.0]]))) == pytest.approx(4.0)
    assert float(spectral_norm(jnp.array([[0.0, jnp.inf], [jnp.inf, 3.0]]))) == np.inf


@dataclass(frozen=True)
class Sine(Block):
    """A user's own block: sin entry by entry."""

    def __call__(self, params, x, tape=None):
        return jnp.sin(x)

    def bounds(self, radii, input_radius, shape):
        return input_only(input_radius, 1.0, 1.0)


def test_a_users_own_block_joins_by_its_three_bounds():
    model = Chain((Linear(2, 3), Sine(), Linear(3, 1), Scalar()))
    points, labels = np.random.default_rng(0).standard_normal((3, 2)), np.array([1.0, 0.0, -1.0])
    params = model.init(jax.random.key(0))
    bound = float(loss_smoothness(model, parameter_radii(model, params), points, labels))
    assert exact_hessian_norm(model, params, points, labels) <= bound < 20.0


class Silent(Sine):
    bounds = Block.bounds


def test_bad_input_is_one_sentence():
    with pytest.raises(
        ValueError, match=r"block must override bounds.* to have its smoothness bounded, but Silent does"
    ):
        Chain((Silent(),)).bounds(((),), 1.0, (2,))
    with pytest.raises(ValueError, match="radii must have one number in the place of each parameter array"):
        model_bounds(plain_mlp(2, width=2, depth=1), 1.0, 1.0, point_shape=(2,))
    with pytest.raises(ValueError, match="bound must be at least 0, but was -1"):
        run_check(bound=-1.0)


# 5. Proof lines, on a random residual network with a LayerNorm, weights well above their initial size


class Dissected(NamedTuple):
    """f(theta; x), its derivatives cut into blocks (input first), bounds, radii and Euclidean norms of the blocks."""

    value: float
    first: list[np.ndarray]
    second: list[list[np.ndarray]]
    bounds: Bounds
    radii: np.ndarray
    norms: np.ndarray


POINT, LABEL = np.array([0.4, -0.9]), 1.5
BRANCH = Residual(Chain((LayerNorm(0.5), Linear(3, 3, bias=False), Activation("gelu"))))
NETWORK = Chain((Linear(2, 3), BRANCH, Linear(3, 1), Scalar()))


@pytest.fixture(scope="module")
def network():
    shapes = [law.shape for law in jax.tree.leaves(NETWORK.laws())]
    rng = np.random.default_rng(3)
    params = jax.tree.unflatten(jax.tree.structure(NETWORK.laws()), [rng.standard_normal(shape) for shape in shapes])
    theta, unravel = ravel_pytree(params)

    def f(inputs):
        return NETWORK(unravel(inputs[2:]), inputs[None, :2])[0]

    value, first, second = jax.jit(lambda z: (f(z), jax.grad(f)(z), jax.hessian(f)(z)))(np.concatenate([POINT, theta]))
    cuts = np.cumsum([2, *(int(np.prod(shape)) for shape in shapes)])[:-1]
    radii = jax.jit(NETWORK.radii)(params)
    return Dissected(
        value=float(value),
        first=np.split(np.asarray(first), cuts),
        second=[np.split(rows, cuts, axis=1) for rows in np.split(np.asarray(second), cuts)],
        bounds=Bounds(*map(np.asarray, model_bounds(NETWORK, radii, np.linalg.norm(POINT), point_shape=(2,)))),
        radii=np.array(jax.tree.leaves(radii)),
        norms=np.array([np.linalg.norm(leaf) for leaf in jax.tree.leaves(params)]),
    )


def test_proof_lines_on_a_random_network_1_and_2(network):
    """Block norms: |D_theta f| <= |a|_2, |D^2_theta f| <= |norms of blocks|_2, |D_x D_theta f| <= their root sum."""
    norms = np.array([[np.linalg.norm(block, 2) for block in row] for row in network.second])
    whole = np.block(network.second)
    inputs = network.first[0].size
    assert np.linalg.norm(whole[inputs:, inputs:], 2) <= np.linalg.norm(norms[1:, 1:], 2) * (1 + 1e-12)
    assert np.linalg.norm(whole[:inputs, inputs:], 2) <= np.linalg.norm(norms[0, 1:]) * (1 + 1e-12)
    slopes = [np.linalg.norm(part) for part in network.first[1:]]
    assert np.linalg.norm(np.concatenate(network.first[1:])) == pytest.approx(np.linalg.norm(slopes))
    assert np.linalg.norm(norms[1:, 1:], 2) <= float(smoothness.parameter_bend(network.bounds)) * (1 + 1e-12)
    assert np.linalg.norm(slopes) <= float(smoothness.parameter_slope(network.bounds)) * (1 + 1e-12)


def test_proof_lines_on_a_random_network_3(network):
    """Radii are norms that are at most Euclidean, and strictly less for weight matrices of full rank."""
    assert np.all(network.radii <= network.norms * (1 + 1e-12)) and np.any(network.radii < 0.99 * network.norms)


def test_proof_lines_on_a_random_network_4_to_6(network):
    """Every block of every derivative of the composed network is within its own entry of the composed bounds."""
    assert abs(network.value) <= float(network.bounds.value)
    for i, part in enumerate(network.first):
        assert np.linalg.norm(part) <= float(network.bounds.first[i]) * (1 + 1e-12)
        for j, block in enumerate(network.second[i]):
            assert np.linalg.norm(block, 2) <= float(network.bounds.second[i, j]) * (1 + 1e-12) + 1e-15


def test_proof_lines_on_an_attention_block_4_to_6():
    """Two maps in one block: each derivative is within the entry of its own array, in the order of jax.tree.leaves.

    The output map is small, so that its entries and those of the first map cannot stand for each other.
    """
    block, rng = Attention(2), np.random.default_rng(5)
    laws, tree = jax.tree.flatten(block.laws())
    params = tree.unflatten(rng.standard_normal(law.shape) for law in laws)
    params["output"]["weight"] *= 0.05
    theta, unravel = ravel_pytree(params)
    x = 0.3 * rng.standard_normal(4)

    def f(inputs):
        return block(unravel(inputs[4:]), inputs[:4].reshape(1, 2, 2)).ravel()

    first, second = jax.jit(lambda z: (jax.jacfwd(f)(z), jax.jacfwd(jax.jacfwd(f))(z)))(np.concatenate([x, theta]))
    bounds = Bounds(*map(np.asarray, block.bounds(block.radii(params), np.linalg.norm(x), (2, 2))))
    cuts = np.cumsum([4, *(int(np.prod(law.shape)) for law in laws)])[:-1]
    slopes = np.array([np.linalg.norm(part, 2) for part in np.split(np.asarray(first), cuts, axis=1)])
    assert np.all(slopes <= bounds.first * (1 + 1e-12))
    for i, rows in enumerate(np.split(np.asarray(second), cuts, axis=1)):
        for j, part in enumerate(np.split(rows, cuts, axis=2)):
            reached = np.linalg.norm(np.einsum("oij,j->oi", part, np.ones(part.shape[2])), 2) / sqrt(part.shape[2])
            assert reached <= bounds.second[i, j] * (1 + 1e-12) + 1e-14
    unordered = bounds.first[[0, 3, 4, 1, 2]]
    assert np.any(slopes > 1.15 * unordered)  # so the order matters here


def test_proof_lines_on_maps_of_one_number_4_and_5():
    """chain and residual against calculus by hand: h = f(g(x, t), p), all derivatives positive, so equal."""
    g = Bounds(jnp.asarray(2.0), jnp.array([3.0, 5.0]), jnp.array([[7.0, 11.0], [11.0, 13.0]]))
    f = Bounds(jnp.asarray(17.0), jnp.array([19.0, 23.0]), jnp.array([[29.0, 31.0], [31.0, 37.0]]))
    h = chain(g, f)
    np.testing.assert_allclose([float(h.value), *h.first], [17, 19 * 3, 19 * 5, 23])
    np.testing.assert_allclose(
        h.second,
        [
            [29 * 9 + 19 * 7, 29 * 15 + 19 * 11, 31 * 3],
            [29 * 15 + 19 * 11, 29 * 25 + 19 * 13, 31 * 5],
            [31 * 3, 31 * 5, 37],
        ],
    )
    skip = residual(g, 2.0)
    np.testing.assert_allclose([float(skip.value), *skip.first], [4, 4, 5])
    for same in (chain(identity(2.0), g), chain(g, identity(g.value))):
        for part, expected in zip(same, g):
            np.testing.assert_allclose(part, expected)


def test_proof_lines_on_a_random_network_7_and_8(network):
    """D_b D_c L = D_b f^T D_c f + r D_b D_c f, each block within a_b a_c + (v + |y|) C_bc, and S is their norm."""
    residual_value = network.value - LABEL
    reach = float(network.bounds.value) + LABEL
    assert abs(residual_value) <= reach
    for b in range(1, len(network.first)):
        for c in range(1, len(network.first)):
            block = np.outer(network.first[b], network.first[c]) + residual_value * network.second[b][c]
            a_b, a_c = float(network.bounds.first[b]), float(network.bounds.first[c])
            assert np.linalg.norm(block, 2) <= a_b * a_c + reach * float(network.bounds.second[b, c]) * (1 + 1e-12)
    stacked = jax.tree.map(lambda part: part[None], network.bounds)
    a, bends = np.asarray(network.bounds.first[1:]), np.asarray(network.bounds.second[1:, 1:])
    free = float(smoothness.loss_smoothness(stacked, np.array([LABEL])))
    assert free == pytest.approx(np.linalg.norm(np.outer(a, a) + reach * bends, 2), rel=1e-12)
    known = float(smoothness.loss_smoothness(stacked, np.array([LABEL]), loss=residual_value**2 / 2))
    assert known == pytest.approx(np.linalg.norm(np.outer(a, a) + abs(residual_value) * bends, 2), rel=1e-12)


def test_proof_lines_on_random_rows_11_to_13():
    """tau along and across the ray; third central moments; the attention's terms: each within the atom's bound."""
    rng = np.random.default_rng(0)
    for _ in range(30):  # line 11: |D^2 tau| at distance rho, closed form against the tensor
        x, eps = rng.standard_normal(3) * exp(rng.normal()), exp(rng.normal())
        rho, s = np.linalg.norm(x), np.hypot(np.linalg.norm(x), eps)
        eye, outer = np.eye(3), np.einsum("i,j,k->ijk", x, x, x)
        symmetric = sum(np.einsum(spec, eye, x) for spec in ("ij,k->ijk", "ik,j->ijk", "jk,i->ijk"))
        kappa = 3 * eps**2 / s**2
        closed = rho / s**3 * (kappa if kappa >= 2 else 2 / sqrt(3 - kappa))
        assert bilinear_norm(3 * outer / s**5 - symmetric / s**3) == pytest.approx(closed, rel=1e-3)
        stated = float(block_bounds.tau_eps(rho, rows=1, eps=eps).second[0, 0])
        assert closed <= stated * (1 + 1e-12)
        assert closed == pytest.approx(stated, rel=1e-12) or rho > eps / 2
    softmax = block_bounds.softmax(100.0, rows=1, entries=4)
    for _ in range(100):  # line 12: the variance and the third central moment of a direction u under p
        p, u = rng.dirichlet(np.full(4, 0.3)), rng.standard_normal(4)
        assert abs(p @ (u - p @ u) ** 3) <= np.ptp(u) ** 3 / (6 * sqrt(3)) + 1e-15
        assert abs(p @ (u - p @ u) ** 3) <= float(softmax.second[0, 0]) * np.linalg.norm(u) ** 3
        assert p @ (u - p @ u) ** 2 <= min(np.ptp(u) ** 2 / 4, float(softmax.first[0]) * (u @ u)) + 1e-15
    for _ in range(30):  # line 13: the terms of both derivatives at norms q, k, v in a unit direction, d = 4, T = 3
        (q, k, v), (a, b, c) = (np.abs(rng.standard_normal(3)) for _ in range(2))
        r, size = np.linalg.norm([q, k, v]), np.linalg.norm([a, b, c])
        a, b, c = a / size, b / size, c / size
        mix = block_bounds.softmax(r**2 / 4, rows=3, entries=3)
        m, p, bend = (float(part) for part in (mix.value, mix.first[0], mix.second[0, 0]))
        stated = block_bounds.attention(r, tokens=3, head_width=4)
        assert m * c + p * v * (k * a + q * b) / 2 <= float(stated.first[0]) * (1 + 1e-12)
        mixed = p * (v * a * b + k * a * c + q * b * c)
        assert bend * v / 4 * (k * a + q * b) ** 2 + mixed <= float(stated.second[0, 0]) * (1 + 1e-12)

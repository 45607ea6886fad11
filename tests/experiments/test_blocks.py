"""Blocks against the same maps written in numpy, and the tape's two promises."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import erf

from experiments.blocks import (
    Activation,
    Attention,
    Chain,
    LayerNorm,
    Linear,
    MeanPool,
    Position,
    Residual,
    Scalar,
    TauEps,
)
from experiments.tape import Tape

KEY = jax.random.key(0)
X = jax.random.normal(jax.random.key(1), (5, 4, 6))  # five samples, four tokens, six features
ROUNDING = dict(rtol=1e-12, atol=1e-13)


def affine(params, x, weight_scale=1.0, bias_scale=1.0):
    return weight_scale * np.asarray(x) @ np.asarray(params["weight"]) + bias_scale * np.asarray(params["bias"])


def softmax(scores):
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize(("scaling", "scales"), [("xavier", (1.0, 1.0)), ("ntk", (1 / np.sqrt(6), 0.1))])
def test_linear_is_the_scaled_affine_map(scaling, scales):
    block = Linear(6, 3, scaling)
    params = {"weight": jax.random.normal(KEY, (6, 3)), "bias": jnp.arange(3.0)}
    np.testing.assert_allclose(block(params, X), affine(params, X, *scales), **ROUNDING)


@pytest.mark.parametrize(("scaling", "std", "bias_std"), [("xavier", np.sqrt(2 / 500), 0.0), ("ntk", 1.0, 1.0)])
def test_linear_draws_the_stated_law(scaling, std, bias_std):
    params = Linear(300, 200, scaling).init(KEY)
    # 60,000 entries: the sample deviation is within 1.5% (5 standard errors) of the law's; 200 biases: within 25%.
    assert np.std(params["weight"]) == pytest.approx(std, rel=0.015)
    assert np.std(params["bias"]) == pytest.approx(bias_std, rel=0.25)
    assert "bias" not in Linear(3, 2, scaling, bias=False).init(KEY)


def test_activations():
    x = np.asarray(X)
    expected = {"tanh": np.tanh(x), "gelu": x * (1 + erf(x / np.sqrt(2))) / 2, "relu": np.maximum(x, 0)}
    for name, values in expected.items():
        np.testing.assert_allclose(Activation(name)((), X), values, **ROUNDING)


def test_normalisations():
    x = np.asarray(X)
    tau = x / np.sqrt((x**2).sum(-1, keepdims=True) + 0.3**2)
    np.testing.assert_allclose(TauEps(0.3)((), X), tau, **ROUNDING)
    norm = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 0.3)
    np.testing.assert_allclose(LayerNorm(0.3)((), X), norm, **ROUNDING)
    assert not np.any(TauEps(0.3)((), jnp.zeros((1, 6)))), "tau_eps is defined at the origin"


def test_position_is_the_linear_map_of_one_hot_tokens():
    block = Position(4, 6, "ntk")
    params = block.init(KEY)
    one_hot = jnp.broadcast_to(jnp.eye(4), (5, 4, 4))
    expected = X + Linear(4, 6, "ntk", bias=False)(params, one_hot)
    np.testing.assert_allclose(block(params, X), expected, **ROUNDING)


@pytest.mark.parametrize("heads", [1, 3])
def test_attention_head_by_head(heads):
    block = Attention(6, heads)
    params = jax.tree.map(lambda leaf: leaf + 0.1, block.init(KEY))  # biases away from their initial 0
    query, key, value = np.split(affine(params["query_key_value"], X), 3, axis=-1)
    width = 6 // heads
    mixed = np.zeros(X.shape)
    for sample in range(5):
        for head in range(heads):
            part = slice(head * width, (head + 1) * width)
            q, k, v = query[sample, :, part], key[sample, :, part], value[sample, :, part]
            mixed[sample, :, part] = softmax(q @ k.T / np.sqrt(width)) @ v
    np.testing.assert_allclose(block(params, X), affine(params["output"], mixed), **ROUNDING)


def test_query_key_and_value_are_each_drawn_as_a_square_map():
    weight = Attention(64).init(KEY)["query_key_value"]["weight"]
    for part in np.split(np.asarray(weight), 3, axis=-1):
        assert np.std(part) == pytest.approx(np.sqrt(2 / 128), rel=0.06)  # 4,096 entries, 5 standard errors


def test_pooling_residual_and_scalar():
    np.testing.assert_allclose(MeanPool()((), X), np.asarray(X).mean(1), **ROUNDING)
    np.testing.assert_allclose(Residual(Activation("tanh"))((), X), X + np.tanh(X), **ROUNDING)
    assert Scalar()((), X[:, 0, :1]).shape == (5,)


CHAIN = Chain(
    (
        Linear(6, 8, "ntk"),
        Position(4, 8, "ntk"),
        Residual(Chain((LayerNorm(0.1), Attention(8, 2)))),
        Residual(Chain((TauEps(0.1), Linear(8, 5), Activation("gelu"), Linear(5, 8, bias=False)))),
        MeanPool(),
        Linear(8, 3, "ntk"),
    )
)


@pytest.fixture(scope="module")
def params():
    return jax.jit(CHAIN.init)(KEY)  # one compilation, not one for each shape drawn


def test_no_block_mixes_samples(params):
    apply = jax.jit(CHAIN)
    changed_elsewhere = X.at[1:].add(1.0)
    np.testing.assert_allclose(apply(params, changed_elsewhere)[0], apply(params, X)[0], rtol=1e-12)
    assert np.all(np.any(np.abs(apply(params, changed_elsewhere) - apply(params, X))[1:] > 1e-3, axis=-1))


def test_blocks_are_values():
    again = Chain(tuple(CHAIN.blocks))
    assert again == CHAIN and hash(again) == hash(CHAIN) and Chain(CHAIN.blocks[:-1]) != CHAIN


@jax.jit
def taped(params, perturbations):
    tape = Tape(perturbations)
    return CHAIN(params, X, tape), tape.features, tape.outputs


def test_tape_sees_every_parameter_as_weights_of_its_features(params):
    """outputs = features @ [W; b] (plus the position's input), and together these maps hold all parameters."""
    _, all_features, all_outputs = taped(params, None)
    embed, position, attention, branch, _, head = params
    maps = [embed, position, attention[1]["query_key_value"], attention[1]["output"], branch[1], branch[3], head]
    counted = 0
    for l, (features, output, weights) in enumerate(zip(all_features, all_outputs, maps, strict=True)):
        stacked = np.concatenate([weights["weight"], *([weights["bias"][None]] if "bias" in weights else [])])
        carried = np.asarray(all_outputs[0]) if l == 1 else 0.0  # a position is added to the embedding
        np.testing.assert_allclose(output, np.asarray(features) @ stacked + carried, **ROUNDING)
        counted += stacked.size
    assert counted == sum(leaf.size for leaf in jax.tree.leaves(params))


def test_tape_adds_each_perturbation_to_its_own_output(params):
    """A constant perturbation of z_l is a change of the bias that z_l has (NTK scaling: 0.1 b)."""
    unchanged, _, outputs = taped(params, None)
    zeros = [jnp.zeros(z.shape) for z in outputs]
    np.testing.assert_allclose(taped(params, zeros)[0], unchanged, rtol=1e-12)
    for l, where, bias_scale in [(0, 0, 0.1), (6, 5, 0.1)]:
        perturbed, _, _ = taped(params, [z + 0.3 * (i == l) for i, z in enumerate(zeros)])
        shifted = list(params)
        shifted[where] = {**params[where], "bias": params[where]["bias"] + 0.3 / bias_scale}
        np.testing.assert_allclose(perturbed, taped(tuple(shifted), None)[0], rtol=1e-12)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Linear(0, 3), "fan_in must be an integer of at least 1, but it was 0"),
        (lambda: Linear(2, 3, "he"), "scaling must be one of ntk, xavier, but it was 'he'"),
        (lambda: Activation("sine"), "activation must be one of gelu, relu, tanh, but it was 'sine'"),
        (lambda: TauEps(0.0), "eps must be a positive number, but it was 0.0"),
        (lambda: LayerNorm(float("nan")), "eps must be a positive number, but it was nan"),
        (lambda: Attention(6, 4), "heads must divide the width 6, but it was 4"),
        (lambda: Position(True, 4), "tokens must be an integer of at least 1, but it was True"),
    ],
)
def test_bad_input_is_one_sentence(make, sentence):
    with pytest.raises(ValueError) as caught:
        make()
    assert str(caught.value) == sentence

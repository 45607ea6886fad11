"""Architectures against the same networks written in numpy, counts in closed form, and configurations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.architecture import (
    ARCHITECTURES,
    ArchitectureConfig,
    parameter_count,
    plain_mlp,
    residual_mlp,
    transformer,
)

KEY = jax.random.key(0)
POINTS = jax.random.normal(jax.random.key(1), (5, 3))
SEQUENCES = jax.random.normal(jax.random.key(2), (5, 4, 3))


def initial(model):
    return jax.jit(model.init)(KEY)  # one compilation, not one for each shape drawn


def perturbed(model):
    """Parameters with biases away from their initial 0."""
    return jax.tree.map(lambda leaf: np.asarray(leaf) + 0.1, initial(model))


def run(model, params, x):
    return np.asarray(jax.jit(model)(params, x))


def affine(params, x):
    return x @ np.asarray(params["weight"]) + np.asarray(params["bias"])


def test_plain_mlp_layer_by_layer():
    model = plain_mlp(3, width=7, depth=2)
    params = perturbed(model)
    first, _, second, _, head, _ = params
    expected = affine(head, np.tanh(affine(second, np.tanh(affine(first, np.asarray(POINTS))))))[:, 0]
    np.testing.assert_allclose(run(model, params, POINTS), expected, rtol=1e-12)
    assert parameter_count(params) == (3 * 7 + 7) + (7 * 7 + 7) + (7 + 1)


def test_residual_mlp_layer_by_layer():
    model = residual_mlp(3, width=7, depth=2, bottleneck=2, outputs=2, activation="relu", normalisation="tau", eps=0.5)
    params = perturbed(model)
    embed, *branches, head = params
    stream = affine(embed, np.asarray(POINTS))
    for _, inner, _, outer in branches:
        normalised = stream / np.sqrt((stream**2).sum(-1, keepdims=True) + 0.25)
        stream = stream + affine(outer, np.maximum(affine(inner, normalised), 0))
    np.testing.assert_allclose(run(model, params, POINTS), affine(head, stream), rtol=1e-12)
    assert parameter_count(params) == (3 * 7 + 7) + 2 * ((7 * 2 + 2) + (2 * 7 + 7)) + (7 * 2 + 2)


def test_transformer_counts_and_default_widths():
    width, hidden = 6, 24  # the MLP branch is four times as wide by default
    params = jax.eval_shape(transformer(3, tokens=4, width=width, depth=2, heads=2).init, KEY)
    attention = 4 * (width * width + width)
    perceptron = (width * hidden + hidden) + (hidden * width + width)
    embedding = (3 * width + width) + 4 * width
    assert parameter_count(params) == embedding + 2 * (attention + perceptron) + (width + 1)


@pytest.mark.parametrize("normalisation", ["none", "tau", "layernorm"])
def test_transformer_is_blind_to_token_order_up_to_its_positions(normalisation):
    model = transformer(3, tokens=4, width=6, depth=1, heads=2, normalisation=normalisation)
    params = initial(model)
    shuffled = SEQUENCES[:, jnp.array([2, 0, 3, 1])]
    blind = (params[0], jax.tree.map(jnp.zeros_like, params[1]), *params[2:])
    np.testing.assert_allclose(run(model, blind, shuffled), run(model, blind, SEQUENCES), rtol=1e-11)
    assert np.max(np.abs(run(model, params, shuffled) - run(model, params, SEQUENCES))) > 1e-3


def test_final_normalisation_bounds_a_tau_transformer():
    """Tokens leave tau_eps inside the unit ball, so |f - b| < |w| whatever the input."""
    model = transformer(3, tokens=4, width=6, depth=2, normalisation="tau")
    params = initial(model)
    weight = np.asarray(params[-2]["weight"])
    assert np.all(np.abs(run(model, params, 1e6 * SEQUENCES)) < np.linalg.norm(weight))


@pytest.mark.parametrize(("outputs", "shape"), [(1, (5,)), (3, (5, 3))])
@pytest.mark.parametrize("kind", sorted(ARCHITECTURES))
def test_every_kind_builds_from_plain_values(kind, outputs, shape):
    x = SEQUENCES if kind == "transformer" else POINTS
    config = ArchitectureConfig(kind, width=4, depth=1, outputs=outputs, scaling="ntk")
    model = config.build(x.shape[1:])
    assert model == config.build(x.shape[1:]), "equal values, so that compilations are shared"
    assert jax.eval_shape(model, jax.eval_shape(model.init, KEY), x).shape == shape


def test_config_hands_every_value_on():
    config = ArchitectureConfig(
        "transformer", 6, 2, 3, "gelu", "ntk", bottleneck=5, heads=3, normalisation="tau", eps=0.2
    )
    assert config.build((4, 3)) == transformer(
        3,
        tokens=4,
        width=6,
        depth=2,
        heads=3,
        bottleneck=5,
        outputs=3,
        activation="gelu",
        scaling="ntk",
        normalisation="tau",
        eps=0.2,
    )


@pytest.mark.parametrize(
    ("config", "point_shape", "sentence"),
    [
        (dict(kind="cnn"), (3,), "kind must be one of plain, residual, transformer, but it was 'cnn'"),
        (dict(kind="plain", width=0), (3,), "width must be an integer of at least 1, but it was 0"),
        (dict(kind="plain", depth=-2), (3,), "depth must be an integer of at least 1, but it was -2"),
        (dict(kind="plain", heads=2), (3,), "heads must be left out for architecture 'plain', but it was 2"),
        (dict(kind="plain"), (4, 3), "point_shape must be (dim) for architecture 'plain', but it was (4, 3)"),
        (
            dict(kind="transformer"),
            (3,),
            "point_shape must be (tokens, dim) for architecture 'transformer', but it was (3,)",
        ),
        (
            dict(kind="residual", normalisation="batch"),
            (3,),
            "normalisation must be one of layernorm, none, tau, but it was 'batch'",
        ),
    ],
)
def test_impossible_configurations_are_one_sentence(config, point_shape, sentence):
    with pytest.raises(ValueError) as caught:
        ArchitectureConfig(**{"width": 4, "depth": 1, **config}).build(point_shape)
    assert str(caught.value) == sentence

"""The kernel by independent routes: generic against structured, closed form, finite differences, feature maps."""

from functools import partial

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from experiments.architecture import ArchitectureConfig, plain_mlp, transformer
from experiments.kernel import empirical_ntk, generic_ntk, gradient_gap, jacobian

COVERING = [  # each structure; with each other choice of activation, outputs and scaling
    (ArchitectureConfig("plain", 4, 2, activation="relu", scaling="ntk", outputs=3), 1),
    (ArchitectureConfig("plain", 4, 2, activation="tanh"), 1),
    (ArchitectureConfig("residual", 4, 1, activation="gelu", bottleneck=3, scaling="ntk"), 1),
    (ArchitectureConfig("residual", 4, 1, activation="relu", bottleneck=3, normalisation="tau", eps=0.1), 1),
    (ArchitectureConfig("residual", 4, 1, bottleneck=3, normalisation="layernorm", eps=0.1, outputs=3), 1),
    (ArchitectureConfig("transformer", 4, 1, bottleneck=3, normalisation="none", scaling="ntk", outputs=3), 3),
    (ArchitectureConfig("transformer", 4, 1, activation="gelu", bottleneck=3, normalisation="tau", eps=0.1), 4),
    (ArchitectureConfig("transformer", 4, 1, activation="relu", bottleneck=3, eps=0.1, outputs=3), 1),
]
RANDOM = st.builds(
    ArchitectureConfig,
    kind=st.just("plain"),
    width=st.just(4),
    depth=st.just(2),
    outputs=st.sampled_from([1, 3]),
    activation=st.sampled_from(["tanh", "gelu", "relu"]),
    scaling=st.sampled_from(["xavier", "ntk"]),
) | st.builds(
    ArchitectureConfig,
    kind=st.sampled_from(["residual", "transformer"]),
    width=st.just(4),
    depth=st.just(1),
    outputs=st.sampled_from([1, 3]),
    activation=st.sampled_from(["tanh", "gelu", "relu"]),
    scaling=st.sampled_from(["xavier", "ntk"]),
    bottleneck=st.just(3),
    normalisation=st.sampled_from(["none", "tau", "layernorm"]),
    eps=st.just(0.1),
)


def structured_is_generic(config, tokens, seed):
    """Agreement to 1e-10 of the largest entry; the wrapped model is just a function, so it takes the generic path."""
    shape = (tokens, 2) if config.kind == "transformer" else (2,)
    model = config.build(shape)
    key, data_key = jax.random.split(jax.random.key(seed))
    params, x = jax.jit(model.init)(key), jax.random.normal(data_key, (24, *shape))  # up to 288 rows: halved
    expected = np.asarray(generic_ntk(lambda params, x: model(params, x), params, x))
    assert expected.shape == (24 * config.outputs,) * 2
    np.testing.assert_allclose(empirical_ntk(model, params, x), expected, rtol=0, atol=1e-10 * np.max(expected))


@pytest.mark.parametrize(("config", "tokens"), COVERING, ids=lambda value: getattr(value, "kind", None))
def test_structured_is_generic(config, tokens):
    structured_is_generic(config, tokens, seed=0)


@pytest.mark.deep  # each compiles two programs
@hypothesis.given(config=RANDOM, tokens=st.integers(1, 4), seed=st.integers(0, 2**31))
def test_structured_is_generic_for_random_architectures(config, tokens, seed):
    structured_is_generic(config, tokens, seed)


@pytest.mark.parametrize("num_points", [50, 301, 1100])  # at once; halved unevenly; halved, with blocks in strips
def test_parts_make_up_the_kernel(num_points):
    """Closed form for f = v tanh(x W + b) + c, with features phi = tanh(x W + b):

    K = phi phi^T + 1 + (x x^T + 1) o (D D^T), D = v (1 - phi^2).
    """
    model = plain_mlp(2, width=5, depth=1)
    params = jax.tree.map(lambda leaf: leaf + 0.1, model.init(jax.random.key(0)))
    x = np.random.default_rng(1).standard_normal((num_points, 2))
    (hidden, _, head, _) = jax.tree.map(np.asarray, params)
    phi = np.tanh(x @ hidden["weight"] + hidden["bias"])
    signal = head["weight"][:, 0] * (1 - phi**2)
    expected = phi @ phi.T + 1 + (x @ x.T + 1) * (signal @ signal.T)
    np.testing.assert_allclose(empirical_ntk(model, params, x), expected, rtol=0, atol=1e-12 * np.max(expected))


@pytest.fixture(scope="module")
def small_transformer():
    model = transformer(2, tokens=3, width=4, depth=1, heads=2, bottleneck=3, outputs=2, eps=0.1)
    params = model.init(jax.random.key(2))
    return model, params, np.asarray(jax.random.normal(jax.random.key(3), (3, 3, 2)))


def central_differences(model, params, x, step=1e-5):
    theta, unravel = ravel_pytree(params)
    outputs = jax.jit(lambda theta: model(unravel(theta), x).reshape(-1))
    columns = [(outputs(theta + step * e) - outputs(theta - step * e)) / (2 * step) for e in np.eye(theta.size)]
    return np.stack(columns, axis=1)


def test_jacobian_and_kernel_against_central_differences(small_transformer):
    """Rows in the order n * m + o, columns as the flattened parameters; differences are good to about 1e-9."""
    model, params, x = small_transformer
    expected = central_differences(model, params, x)
    assert expected.shape[0] == 6
    np.testing.assert_allclose(jacobian(model, params, x), expected, rtol=0, atol=1e-7)
    np.testing.assert_allclose(empirical_ntk(model, params, x), expected @ expected.T, rtol=0, atol=1e-6)


def test_gradient_gap_is_the_norm_of_the_difference_of_rows(small_transformer):
    model, params, x = small_transformer
    rows = np.asarray(jacobian(model, params, x)).reshape(3, 2, -1)
    assert float(gradient_gap(model, params, x, (2, 0))) == pytest.approx(np.linalg.norm(rows[2] - rows[0]), rel=1e-12)


def test_gradient_gap_keeps_its_digits_for_close_points():
    """f = <theta, x>: the gap is |x_i - x_j|, here 2^-30, which K_ii + K_jj - 2 K_ij would lose entirely."""
    x = np.array([[1.0, 2.0], [1.0 + 2.0**-30, 2.0]])
    assert float(gradient_gap(linear, jnp.ones(2), x, np.array([0, 1]))) == 2.0**-30


def linear(theta, x):
    return x @ theta


def test_any_model_and_single_precision_parameters():
    """A model of whole-number tokens: f = sum_t table[token_t], K_ij = the number of equal token pairs."""
    tokens = np.array([[0, 0, 1], [1, 2, 2], [0, 1, 2]])
    table = jnp.arange(3, dtype=jnp.float32)
    kernel = empirical_ntk(lambda table, x: jnp.sum(table[x], axis=1), table, tokens)
    counts = np.stack([np.bincount(row, minlength=3) for row in tokens])
    assert kernel.dtype == np.float64
    np.testing.assert_array_equal(kernel, counts @ counts.T)


def test_wrong_output_shape_is_one_sentence():
    with pytest.raises(ValueError, match=r"^apply must return shape \(2,\) or \(2, m\), but it returned \(\)"):
        empirical_ntk(lambda theta, x: jnp.sum(x @ theta), jnp.ones(3), np.ones((2, 3)))


def test_a_kernel_tracked_along_runs_is_one_compilation():
    """The kernels of three runs at several steps: the model's own code runs while tracing, and then never again."""
    calls = []

    def counted(theta, x):
        calls.append(x.shape)
        return jnp.tanh(x @ theta)

    watch = jax.jit(jax.vmap(partial(empirical_ntk, counted)))
    rng = np.random.default_rng(0)
    theta, x = rng.standard_normal((3, 2)), rng.standard_normal((3, 5, 2))
    first = np.asarray(watch(theta, x))
    traced = len(calls)
    for step in range(3):
        moved = np.asarray(watch(theta + 0.1 * step, x / (1 + step)))
    assert traced > 0 and len(calls) == traced and not np.allclose(moved, first)
    slope = 1 - np.tanh(x[1] @ theta[1]) ** 2
    np.testing.assert_allclose(first[1], np.outer(slope, slope) * (x[1] @ x[1].T), rtol=1e-12, atol=1e-15)

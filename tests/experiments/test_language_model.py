"""The language model: what it computes, and that no token sees a later one."""

import jax
import jax.numpy as jnp
import numpy as np
import numpy_language_model as oracle
import pytest
from scipy.special import log_softmax

from experiments.language_model import LanguageModel

MODEL = LanguageModel(vocabulary=11, context=6, width=8, heads=2, layers=2)
TOKENS = np.random.default_rng(3).integers(11, size=(3, 6)).astype(np.int32)


logits = jax.jit(MODEL.logits)


def larger(params):
    """The parameters times 3, biases drawn: every part of the model matters to the logits."""
    rng = np.random.default_rng(4)

    def changed(leaf):
        return jnp.asarray(3 * np.asarray(leaf) + 0.3 * rng.standard_normal(leaf.shape), leaf.dtype)

    return jax.tree.map(changed, params)


@pytest.fixture(scope="module")
def params():
    return larger(MODEL.init(0))


def test_logits_are_those_of_the_formula(params):
    found = logits(params, jnp.asarray(TOKENS))
    assert found.shape == (3, 6, 11) and found.dtype == jnp.float32
    for row, tokens in zip(np.asarray(found), TOKENS):
        np.testing.assert_allclose(row, oracle.logits(MODEL, params, tokens), rtol=2e-4, atol=2e-4)


def test_shorter_sequences_are_beginnings_of_longer_ones(params):
    short = logits(params, jnp.asarray(TOKENS[:, :4]))
    np.testing.assert_allclose(short, logits(params, jnp.asarray(TOKENS))[:, :4], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("changed", range(6))
def test_a_token_changes_no_logit_before_it(params, changed):
    other = TOKENS.copy()
    other[:, changed] = (other[:, changed] + 1) % 11
    before, after = (np.asarray(logits(params, jnp.asarray(tokens))) for tokens in (TOKENS, other))
    np.testing.assert_array_equal(before[:, :changed], after[:, :changed])
    assert np.all(np.abs(before[:, changed:] - after[:, changed:]).max(axis=2) > 1e-6)


def test_untrained_predictions_are_nearly_uniform():
    found = log_softmax(np.asarray(logits(MODEL.init(0), jnp.asarray(TOKENS))), axis=-1)
    np.testing.assert_allclose(found, -np.log(11), atol=0.3)


def test_parameters_are_float32_and_drawn_by_the_seed():
    first, again, other = MODEL.init(0), MODEL.init(0), MODEL.init(1)
    leaves = [jax.tree.leaves(each) for each in (first, again, other)]
    assert all(leaf.dtype == jnp.float32 for leaf in leaves[0])
    assert all(np.array_equal(a, b) for a, b in zip(leaves[0], leaves[1]))
    assert not np.array_equal(first["embedding"], other["embedding"])
    # embedding + position + layers of 12 width^2 weights and 5 width biases
    assert sum(leaf.size for leaf in leaves[0]) == 11 * 8 + 6 * 8 + 2 * (12 * 64 + 5 * 8)


def test_heads_must_divide_the_width():
    with pytest.raises(ValueError, match="heads must divide the width 8, but was 3"):
        LanguageModel(vocabulary=11, context=6, width=8, heads=3, layers=1)

"""Mini-batch training: batches of padded pairs, losses on the response, steps against numbers computed otherwise."""

import jax
import jax.numpy as jnp
import numpy as np
import numpy_language_model as oracle
import pytest

from experiments.corpus.byte_pairs import END, PAD, SEPARATOR, BytePairs
from experiments.corpus.docstring_pairs import Pair
from experiments.language_model import LanguageModel
from experiments.minibatch import evaluate, started, stepper
from experiments.minibatch import sums as sums_of
from experiments.token_pairs import TokenPairs, cut, encoded, epochs, windows

MODEL = LanguageModel(vocabulary=300, context=12, width=4, heads=1, layers=1)
TOKENISER = BytePairs([])  # bytes: token = byte + 3


sums = jax.jit(sums_of, static_argnums=0)


def pairs_of(*texts):
    return encoded([Pair(prompt, response, "") for prompt, response in texts], TOKENISER, context=12)


BATCH = pairs_of(("ab", "xyz"), ("c", "pq"), ("longer", "than its context"))


def params():
    return jax.tree.map(lambda leaf: jnp.asarray(2 * np.asarray(leaf)), MODEL.init(0))


def bytes_of(text):
    return [ord(letter) + 3 for letter in text]


def test_a_pair_is_prompt_separator_response_end_and_padding():
    assert BATCH.tokens.shape == (3, 13)
    row = [*bytes_of("ab"), SEPARATOR, *bytes_of("xyz"), END]
    assert BATCH.tokens[0].tolist() == row + [PAD] * (13 - len(row))
    assert (BATCH.first[0], BATCH.length[0], BATCH.whole[0]) == (3, 7, 7)


def test_long_pairs_lose_their_ends():
    assert BATCH.tokens[2].tolist() == [*bytes_of("longer"), SEPARATOR, *bytes_of("than i")]
    assert (BATCH.first[2], BATCH.length[2], BATCH.whole[2]) == (7, 13, 24)
    long_prompt = pairs_of(("a prompt beyond half", "xy"))
    assert long_prompt.tokens[0].tolist() == [*bytes_of("a prom"), SEPARATOR, *bytes_of("xy"), END, *[PAD] * 3]


def test_batches_are_cut_to_thirds_of_the_context():
    inputs = [cut(BATCH.take(np.array(rows))).tokens.shape[1] - 1 for rows in ([1], [0], [0, 1, 2])]
    assert inputs == [4, 8, 12]  # lengths 5, 7 and 13: 4, 6 and 12 inputs
    with pytest.raises(ValueError, match="context must be a multiple of 6, but was 10"):
        encoded([], TOKENISER, context=10)


def test_windows_hold_all_texts_in_their_order():
    found = windows(["abc", "defgh", "ijklmnop"], TOKENISER, context=6, limit=10)
    stream = [*bytes_of("abc"), END, *bytes_of("defgh"), END, *bytes_of("ijklmnop"), END]
    assert found.tokens.ravel().tolist() == stream[:14] and found.first.tolist() == [1, 1]
    assert len(windows(["abc"] * 10, TOKENISER, context=6, limit=2).tokens) == 2


def test_epochs_take_every_row_once_in_a_new_order():
    batches = list(epochs(11, 3, 7, seed=0))
    assert len(batches) == 7
    first, second = np.concatenate(batches[:3]), np.concatenate(batches[3:6])
    assert len(set(first)) == len(set(second)) == 9 and first.tolist() != second.tolist()
    assert all(np.array_equal(a, b) for a, b in zip(batches, epochs(11, 3, 7, seed=0)))
    with pytest.raises(ValueError, match="size must be at least the batch's 12, but was 11"):
        next(epochs(11, 12, 1, seed=0))


def response_losses(weights, batch):
    """Both losses summed over each row's response, from the oracle, without any padding."""
    totals = []
    for tokens, first, length in zip(batch.tokens, batch.first, batch.length):
        losses = oracle.token_losses(oracle.logits(MODEL, weights, tokens[: length - 1]), tokens[1:length])
        totals.append({name: values[first - 1 :].sum() for name, values in losses.items()})
    return totals


def test_losses_are_of_the_response_alone():
    found = sums(MODEL, params(), BATCH)
    assert found["tokens"].tolist() == [4, 3, 6] and found["cross-entropy"].dtype == jnp.float64
    for row, totals in enumerate(response_losses(params(), BATCH)):
        for name, total in totals.items():
            assert float(found[name][row]) == pytest.approx(total, rel=1e-4)


def test_padding_changes_nothing():
    changed = BATCH.tokens.copy()
    for row, length in enumerate(BATCH.length):
        changed[row, length:] = 7
    short = cut(BATCH.take(np.array([0, 1])))
    ours = sums(MODEL, params(), BATCH._replace(tokens=changed))
    for name, values in sums(MODEL, params(), BATCH).items():
        np.testing.assert_array_equal(values, ours[name])
        np.testing.assert_allclose(values[:2], sums(MODEL, params(), short)[name], rtol=1e-5)


def test_evaluation_weighs_tokens_and_not_rows():
    totals = response_losses(params(), BATCH)
    found = evaluate(MODEL, params(), BATCH)
    assert found.keys() == {"cross-entropy", "l2"}
    for name, value in found.items():
        assert value == pytest.approx(sum(row[name] for row in totals) / 13, rel=1e-4)


@pytest.fixture(scope="module")
def slope():
    """d loss / d (one entry) of both losses, by differences of the oracle, in a direction of each kind of parameter."""

    def loss(weights, name):
        return sum(row[name] for row in response_losses(weights, BATCH)) / 13

    def moved(path, by):
        weights = params()
        place = weights if path[0] in weights else weights["layers"][0]
        value = np.array(place[path[0]], float)
        value[path[1]] += by
        place[path[0]] = value
        return weights

    paths = [("embedding", (103, 1)), ("position", (2, 0)), ("query_key_value", (1, 9)), ("widen_bias", (2,))]
    return {
        (name, path): (loss(moved(path, 1e-4), name) - loss(moved(path, -1e-4), name)) / 2e-4
        for name in ("cross-entropy", "l2")
        for path in paths
    }


def entry(weights, path):
    return float((weights if path[0] in weights else weights["layers"][0])[path[0]][path[1]])


def test_a_plain_step_is_minus_rate_times_the_gradient(slope):
    before = params()
    state, loss = stepper(MODEL, objective="l2", rule="sgd")(started(params(), "sgd"), BATCH, 0.5)
    assert loss == pytest.approx(evaluate(MODEL, before, BATCH)["l2"], rel=1e-5)
    for (name, path), expected in slope.items():
        if name == "l2":
            assert entry(before, path) - entry(state.params, path) == pytest.approx(0.5 * expected, rel=1e-2, abs=2e-6)


def test_first_step_of_adam_is_the_sign_of_the_gradient(slope):
    before = params()
    state, _ = stepper(MODEL, objective="cross-entropy", rule="adam")(started(params(), "adam"), BATCH, 1e-2)
    for (name, path), expected in slope.items():
        if name == "cross-entropy" and abs(expected) > 1e-4:
            moved = entry(before, path) - entry(state.params, path)
            assert moved == pytest.approx(1e-2 * np.sign(expected), rel=1e-2)


def test_training_learns_a_single_pair():
    step = stepper(MODEL, objective="cross-entropy", rule="adam")
    state, one = started(MODEL.init(0), "adam"), BATCH.take(np.array([2, 2, 2]))
    state, first = step(state, one, 3e-2)
    for _ in range(60):
        state, loss = step(state, one, 3e-2)
    assert loss < 0.2 * first


def test_take_keeps_the_columns_together():
    taken = BATCH.take(np.array([2, 0]))
    assert isinstance(taken, TokenPairs) and taken.whole.tolist() == [24, 7]

"""Classifiers on given batches: losses by their formulas, steps by hand, independence of the company."""

import numpy as np
import pytest

from experiments.classification import Task, shuffled_batches, train

RNG = np.random.default_rng(0)
POINTS, LABELS = RNG.normal(size=(7, 4)), np.array([0, 2, 1, 1, 0, 2, 2])
WEIGHTS = RNG.normal(size=(4, 3))


def linear(params, x):
    return x @ params


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def by_hand(loss, w, x, y):
    """Loss of every row and gradient of their mean, from the formulas."""
    hot, z = np.eye(3)[y], x @ w
    if loss == "l2":
        return 0.5 * np.sum((z - hot) ** 2, axis=1), x.T @ (z - hot) / len(x)
    return -np.log(np.sum(softmax(z) * hot, axis=1)), x.T @ (softmax(z) - hot) / len(x)


def sgd(w, gradient, eta, state):
    return w - eta * gradient, state


def adam(w, gradient, eta, state):
    """Kingma and Ba 2015, algorithm 1, with their constants."""
    first, second, t = state or (np.zeros_like(w), np.zeros_like(w), 0)
    t, first, second = t + 1, 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
    step = eta * (first / (1 - 0.9**t)) / (np.sqrt(second / (1 - 0.999**t)) + 1e-8)
    return w - step, (first, second, t)


def tasks(batches, etas):
    parts = np.stack([np.eye(7)[0], np.full(7, 1 / 7), np.array([0, 0, 0, 0, 0, 0.5, 0.5])])
    runs = len(etas)
    return Task(*(np.stack([each] * runs) for each in (POINTS, LABELS, batches, parts)), np.array(etas))


@pytest.mark.parametrize(("loss", "optimiser", "move"), [("l2", "sgd", sgd), ("cross-entropy", "adam", adam)])
def test_curves_are_those_of_steps_taken_by_hand(loss, optimiser, move):
    batches = np.array([[[0, 1], [3, 3], [5, 2]], [[6, 4], [1, 0], [2, 6]]])
    etas = [0.1, 0.03, 0.2]
    found = train(linear, WEIGHTS, tasks(batches, etas), loss=loss, optimiser=optimiser)
    assert found.loss.shape == found.accuracy.shape == (3, 3, 3)
    for run, eta in enumerate(etas):
        w, state = WEIGHTS, None
        for check, steps in enumerate([[], *batches]):
            for rows in steps:
                w, state = move(w, by_hand(loss, w, POINTS[rows], LABELS[rows])[1], eta, state)
            each = by_hand(loss, w, POINTS, LABELS)[0]
            right = (np.argmax(POINTS @ w, axis=1) == LABELS).astype(float)
            np.testing.assert_allclose(found.loss[run, check], [each[0], each.mean(), each[5:].mean()], rtol=1e-9)
            np.testing.assert_allclose(found.accuracy[run, check], [right[0], right.mean(), right[5:].mean()])


def test_epochs_show_every_row_equally_often_and_repetition_does_not():
    rows = np.array([3, 8, 11, 20, 21, 30])
    batches = shuffled_batches(rows, steps=9, batch=4, rng=np.random.default_rng(0))
    assert batches.shape == (9, 4)
    epochs = batches.reshape(-1, 6)
    assert all(sorted(epoch) == rows.tolist() for epoch in epochs) and len({tuple(epoch) for epoch in epochs}) > 1
    drawn = shuffled_batches(rows, steps=3000, batch=4, rng=np.random.default_rng(0), epochs=False)
    shares = np.bincount(drawn.ravel(), minlength=31)[rows] / drawn.size
    assert np.abs(shares - 1 / 6).max() < 5 * np.sqrt(5 / 36 / drawn.size) and set(drawn.ravel()) == set(rows)
    assert any(sorted(epoch) != rows.tolist() for epoch in drawn.reshape(-1, 6))

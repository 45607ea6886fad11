"""An oracle of the language model: one sequence in float64, head by head and token by token, with numpy alone."""

import numpy as np
from scipy.special import softmax


def _normed(x):
    return (x - x.mean()) / np.sqrt(x.var() + 1e-5)


def _gelu(x):
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def logits(model, params, tokens):
    """(t, vocabulary) of one sequence of t tokens."""
    params = {name: value for name, value in params.items()}
    embedding, position = (np.asarray(params[name], float) for name in ("embedding", "position"))
    x = [embedding[token] + position[place] for place, token in enumerate(tokens)]
    size = model.width // model.heads
    for layer in params["layers"]:
        layer = {name: np.asarray(value, float) for name, value in layer.items()}
        projected = [np.split(_normed(row) @ layer["query_key_value"], 3) for row in x]
        mixed = []
        for place in range(len(x)):
            heads = []
            for head in range(model.heads):
                part = slice(head * size, (head + 1) * size)
                query = projected[place][0][part]
                past = projected[: place + 1]
                weights = softmax([query @ key[part] / np.sqrt(size) for _, key, _ in past])
                heads.append(sum(weight * value[part] for weight, (_, _, value) in zip(weights, past)))
            mixed.append(np.concatenate(heads))
        x = [row + mix @ layer["output"] for row, mix in zip(x, mixed)]
        x = [
            row + _gelu(_normed(row) @ layer["widen"] + layer["widen_bias"]) @ layer["narrow"] + layer["narrow_bias"]
            for row in x
        ]
    return np.array([_normed(row) @ embedding.T for row in x])


def token_losses(found, targets):
    """Cross-entropy and half the squared distance to the one-hot target, of each token."""
    p = softmax(found, axis=-1)
    one_hot = np.eye(found.shape[-1])[np.asarray(targets)]
    return {"cross-entropy": -np.log(np.sum(p * one_hot, axis=-1)), "l2": 0.5 * np.sum((p - one_hot) ** 2, axis=-1)}

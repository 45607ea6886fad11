"""The empirical NTK of a block, K = J J^T, without its Jacobian.

Every parameter of a block lives in an affine map z_t = phi_t @ weights, applied at the tokens t of a sample (t = 1 for
plain inputs), so the gradient of output o at sample i by the weights of map l is sum_t phi_it beta_iot^T with the
signal beta_iot = df_o(x_i)/dz_it, and

    K[(i, o), (j, p)] = sum_l sum_{t, s} <phi^l_it, phi^l_js> <beta^l_iot, beta^l_jps>.

One forward pass yields all features phi and one backward pass per output, by perturbations added to the z's, all
signals beta. Each term then has two forms of equal value:

- pair form: (features Gram) o (signals Gram), summed over token pairs; N^2 t^2 (p + q) multiplications;
- gradient form: the map's own weight gradients, (N, p q), and their Gram; N t p q + N^2 p q multiplications.

For t = 1 the pair form always wins; for long sequences the gradient form does. Source: Novak, Sohl-Dickstein and
Schoenholz 2022, "Fast finite width neural tangent kernel", structured derivatives; the choice by size is ours.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from experiments.blocks import Block, Params
from experiments.tape import Tape

_HALVINGS = 3
"""How often a symmetric block is halved: 3 leave 9/16 of the products of the full square."""
_FEW_ROWS = 64
"""Rows (samples x outputs x tokens) from which halving a block no longer pays."""
_STRIP = 2**18
"""Entries of an intermediate Gram matrix (2 MiB) from which a block is computed in strips of rows."""


class AffineTrace(NamedTuple):
    """What one affine map did in a forward and a backward pass over N samples, m outputs and t tokens."""

    features: Float[Array, "N t p"]
    signals: Float[Array, "N m t q"]


Traces = tuple[AffineTrace, ...]


def affine_traces(block: Block, params: Params, x: Float[Array, "N ..."]) -> Traces:
    """Features and signals of every affine map of a block with output (N,) or (N, m), in order of application."""

    def outputs(params: Params, x: Array, perturbations: list[Array] | None):
        tape = Tape(perturbations)
        f = block(params, x, tape)
        return f.reshape(x.shape[0], -1), (tape.features, tape.outputs)

    zeros = [jnp.zeros(z.shape, z.dtype) for z in jax.eval_shape(outputs, params, x, None)[1][1]]
    f, pull_back, (features, _) = jax.vjp(lambda perturbations: outputs(params, x, perturbations), zeros, has_aux=True)
    n, m = f.shape
    # Rows do not mix: the gradient of sum_i f_o(x_i) by the perturbation at sample i is df_o(x_i)/dz_i.
    directions = jnp.broadcast_to(jnp.eye(m, dtype=f.dtype)[:, None, :], (m, n, m))
    if m == 1:  # a batch of one backward pass costs a tenth more than the pass itself
        signals = [beta[:, None] for beta in pull_back(directions[0])[0]]
    else:
        (signals,) = jax.vmap(pull_back, out_axes=1)(directions)
    return tuple(
        AffineTrace(phi.reshape(n, -1, phi.shape[-1]), beta.reshape(n, m, -1, beta.shape[-1]))
        for phi, beta in zip(features, signals)
    )


def _pair_form_is_cheaper(trace: AffineTrace) -> bool:
    """Compare multiplications; the pair form computes each unordered pair of samples once."""
    (n, m, t, q), p = trace.signals.shape, trace.features.shape[-1]
    return n * t * t * (p + m * m * q) / 2 <= m * t * p * q + n * m * m * p * q


def _gradient_form(trace: AffineTrace) -> Float[Array, "Nm Nm"]:
    n, m = trace.signals.shape[:2]
    gradients = jnp.einsum("ntp,nmtq->nmpq", trace.features, trace.signals).reshape(n * m, -1)
    return gradients @ gradients.T


def _rows_gram(a: Array, b: Array) -> Array:
    """Inner products of all rows (last axes), as a matrix with the leading axes flattened."""
    return a.reshape(-1, a.shape[-1]) @ b.reshape(-1, b.shape[-1]).T


def _pair_form(rows: Traces, columns: Traces) -> Float[Array, "Im Jm"]:
    """The terms of all maps for one set of samples against another."""
    total = jnp.zeros(())
    for a, b in zip(rows, columns):
        (i, m, t, _), j = a.signals.shape, b.signals.shape[0]
        per_output = (i, m, t, j, m, t)  # outputs o, p of a sample pair share one block of the features' Gram matrix
        feature_gram = jnp.broadcast_to(_rows_gram(a.features, b.features).reshape(i, 1, t, j, 1, t), per_output)
        # Plain matrices here: with axes of length 1 left in, the compiler does not fuse the product into the sum.
        terms = feature_gram.reshape(i * m * t, j * m * t) * _rows_gram(a.signals, b.signals)
        total += jnp.sum(terms.reshape(i * m, t, j * m, t), axis=(1, 3))
    return total


def _pair_form_in_strips(rows: Traces, columns: Traces) -> Float[Array, "Im Jm"]:
    """The same with bounded memory: a few samples of `rows` at a time."""
    (i, m), j = rows[0].signals.shape[:2], columns[0].signals.shape[0]
    at_once = max(1, _STRIP // (j * _rows_per_sample(rows) ** 2))
    if at_once >= i:
        return _pair_form(rows, columns)

    def strip(sample: Traces) -> Array:
        return _pair_form(jax.tree.map(lambda array: array[None], sample), columns)

    return jax.lax.map(strip, rows, batch_size=at_once).reshape(i * m, j * m)


def _pair_form_of_all(traces: Traces, halvings: int = _HALVINGS) -> Float[Array, "Nm Nm"]:
    """[[A, B], [B^T, C]] by halves: B once, A and C in the same way."""
    n = traces[0].signals.shape[0]
    if halvings == 0 or n * _rows_per_sample(traces) <= _FEW_ROWS:
        return _pair_form_in_strips(traces, traces)
    first = jax.tree.map(lambda array: array[: n // 2], traces)
    second = jax.tree.map(lambda array: array[n // 2 :], traces)
    a, c = (_pair_form_of_all(half, halvings - 1) for half in (first, second))
    b = _pair_form_in_strips(first, second)
    return jnp.block([[a, b], [b.T, c]])


def _rows_per_sample(traces: Traces) -> int:
    """m t, for the longest token sequence of any map."""
    return max(trace.signals.shape[1] * trace.signals.shape[2] for trace in traces)


@partial(jax.jit, static_argnums=0)
def structured_ntk(block: Block, params: Params, x: Float[Array, "N ..."]) -> Float[Array, "Nm Nm"]:
    """K = J J^T of a block with output (N,) or (N, m), shape (N m, N m), rows in the order n * m + o."""
    traces = affine_traces(block, params, x)
    paired = tuple(trace for trace in traces if _pair_form_is_cheaper(trace))
    terms = [_gradient_form(trace) for trace in traces if not _pair_form_is_cheaper(trace)]
    return sum(terms, start=_pair_form_of_all(paired) if paired else jnp.zeros(()))

"""Composition: a composed model's kernel is its outer kernel plus what the inner parameters add; nothing is taken away.

Statement. f = F(theta_out; g(theta_in; x)) with separate parameters, g: n features, F: m outputs, N samples; K_out the
kernel of F in theta_out at the features g(x_i), K_in the kernel of g, D = dF/dg of shape (N m, N n) (block diagonal,
blocks m x n, where samples do not interact). Then K_f = K_out + D K_in D^T, hence
  lambda_min(K_f) >= lambda_min(K_out) + sigma_min(D)^2 lambda_min(K_in)  >=  lambda_min(K_out),
  lambda_min(K_f) <= lambda_min(K_out) + sigma_max(D)^2 lambda_max(K_in),
sigma_min(D)^2 = lambda_min(D D^T): the least over samples of the m-th singular value squared, 0 where m > n.
The floor repeats: for a chain of layers lambda_min(K_f) >= sum_l sigma_min(D_l)^2 lambda_min(K_l), D_l from layer l on.
Hypotheses. H1 separate parameters. H2 the chain rule for the inner parameters, D the true derivative (identity, and the
  two sides that see K_in); the plain floor lambda_min(K_out) needs H1 alone.
Source. Reconstruction of "compositions keep networks non-degenerate": chain rule; Weyl 1912.
Proof.  paper_notes.md, N3, lines 1-6.
Sharp.  Inner map without parameters or constant in them (K_in = 0): K_f = K_out. Sharp floor and ceiling together:
  D = a I and K_in = b I give lambda_min(K_f) = lambda_min(K_out) + a^2 b.
Failure. Shared parameters: f = theta (c - theta) has K_f = 0 at theta = c/2, where K_out = c^2/4. Partial derivatives
  only: F = z1^2 z2/(z1^2 + z2^2) has D = 0 at 0, but on g = (theta, theta) it is theta/2, so K_f = 1/4.
Units.  kernels in squared outputs per squared parameter, no 1/N; D in outputs per feature.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from theory.claim import Claim
from theory.verdict import Check

CLAIM = Claim(
    id="N3",
    title="Composition",
    statement="K_f = K_out + D K_in D^T, so lambda_min(K_f) >= lambda_min(K_out) + sigma_min(D)^2 lambda_min(K_in)",
    hypotheses={
        "separate parameters": "outer and inner map share no parameter",
        "chain rule": "the outer map has the derivative D in its input, and the inner map is differentiable in its "
        "parameters",
    },
    provenance="reconstruction",
    source="chain rule; Weyl 1912 for the eigenvalues of a sum",
    module="composition",
    abstract="residual connections and compositions keep networks non-degenerate",
    sharp="K_in = 0 (inner map constant in its parameters); D and K_in multiples of the identity",
    tight=True,
    constants="measured at any one parameter: both kernels and D; nothing fitted",
    standing="proved and tight",
)

ROUNDING = 2.0**-42
"""Relative float64 allowance, 1024 eps: inner products over a layer's parameters and an eigenvalue solver's backward
error, both relative to the largest eigenvalue."""


def composed_kernel(
    outer_kernel: Float[ArrayLike, "Nm Nm"],
    inner_kernel: Float[ArrayLike, "Nn Nn"],
    jacobian: Float[ArrayLike, "Nm Nn"],
) -> Float[Array, "Nm Nm"]:
    """K_out + D K_in D^T, the kernel of the composition with separate parameters."""
    slope = jnp.asarray(jacobian)
    return jnp.asarray(outer_kernel) + slope @ jnp.asarray(inner_kernel) @ slope.T


def block_diagonal(jacobians: Float[ArrayLike, "N m n"]) -> Float[Array, "Nm Nn"]:
    """D of samples that do not interact, from the derivative of the outer map at each sample's features."""
    blocks = jnp.asarray(jacobians, float)
    count, outputs, features = blocks.shape
    return jnp.einsum("ij,imn->imjn", jnp.eye(count), blocks).reshape(count * outputs, count * features)


def composition_floor(
    outer_smallest: ArrayLike, inner_smallest: ArrayLike, *, singular_smallest: ArrayLike
) -> Float[Array, "..."]:
    """lambda_min(K_out) + sigma_min(D)^2 lambda_min(K_in) <= lambda_min(K_f); arguments broadcast.

    singular_smallest: sqrt(lambda_min(D D^T)), so 0 where there are more outputs than features.
    """
    return jnp.asarray(outer_smallest, float) + jnp.square(jnp.asarray(singular_smallest, float)) * inner_smallest


def composition_ceiling(
    outer_smallest: ArrayLike, inner_largest: ArrayLike, *, singular_largest: ArrayLike
) -> Float[Array, "..."]:
    """lambda_min(K_out) + sigma_max(D)^2 lambda_max(K_in) >= lambda_min(K_f); arguments broadcast."""
    return jnp.asarray(outer_smallest, float) + jnp.square(jnp.asarray(singular_largest, float)) * inner_largest


def chain_floor(
    kernels_smallest: Float[ArrayLike, "... layers"], *, singular_smallest: Float[ArrayLike, "... layers"]
) -> Float[Array, "..."]:
    """sum_l sigma_min(D_l)^2 lambda_min(K_l), D_l the derivative of the output in layer l's features (1 for the last).

    For residual layers of equal width sigma_min(D_l) >= prod_{k > l} (1 - c_k) by bi-Lipschitz features.
    """
    return jnp.sum(jnp.square(jnp.asarray(singular_smallest, float)) * jnp.asarray(kernels_smallest, float), axis=-1)


_compiled_floor, _compiled_ceiling = jax.jit(composition_floor), jax.jit(composition_ceiling)


def checks(
    kernel: Float[np.ndarray, "size size"],
    outer_kernel: Float[np.ndarray, "Nm Nm"],
    inner_kernel: Float[np.ndarray, "Nn Nn"],
    *,
    jacobian: Float[np.ndarray, "rows columns"],
    instance: str,
    separate: bool = True,
    chain_rule: bool = True,
) -> dict[str, Check]:
    """The identity, the two floors and the ceiling for one composed model, by inequality.

    kernel: K_f by a route of its own.  separate, chain_rule: whether the two hypotheses hold, which no kernel shows.
    Eigenvalues below the allowance of their matrix's largest are not resolved: such a floor is vacuous.
    """
    _require_shapes(kernel, outer_kernel, inner_kernel, jacobian)
    smallest = float(np.linalg.eigvalsh(kernel)[0])
    outer, inner = np.linalg.eigvalsh(outer_kernel), np.linalg.eigvalsh(inner_kernel)
    squares = np.linalg.eigvalsh(jacobian @ jacobian.T)
    singular = np.sqrt(np.maximum(squares[[0, -1]], 0.0))  # rounding may make a Gram matrix's 0 negative
    added = singular[1] ** 2 * float(inner[-1])
    rounding = ROUNDING * (float(np.abs(outer_kernel).sum(axis=0).max()) + added)
    floor = _compiled_floor(outer[0], max(float(inner[0]), 0.0), singular_smallest=singular[0])
    ceiling = _compiled_ceiling(outer[0], inner[-1], singular_largest=singular[1])
    error = np.abs(kernel - (outer_kernel + jacobian @ inner_kernel @ jacobian.T)).max()
    margins = {"separate parameters": 0.0 if separate else -1.0, "chain rule": 0.0 if chain_rule else -1.0}
    first = {"separate parameters": margins["separate parameters"]}
    found = {
        "identity": Check(CLAIM.id, instance, float(error), "<=", 0.0, rounding, margins),
        "outer floor": Check(CLAIM.id, instance, smallest, ">=", float(outer[0]), rounding, first),
        "floor": Check(CLAIM.id, instance, smallest, ">=", float(floor), rounding, margins),
        "ceiling": Check(CLAIM.id, instance, smallest, "<=", float(ceiling), rounding, margins),
    }
    return {
        name: each._replace(inequality=name, vacuous=each.sense == ">=" and each.bound <= rounding)
        for name, each in found.items()
    }


def _require_shapes(kernel: np.ndarray, outer: np.ndarray, inner: np.ndarray, jacobian: np.ndarray) -> None:
    expected = (len(outer), len(inner))
    if jacobian.shape != expected:
        raise ValueError(f"jacobian must have shape {expected} for these two kernels, but had {jacobian.shape}")
    if kernel.shape != outer.shape:
        raise ValueError(f"kernel must have the outer kernel's shape {outer.shape}, but had {kernel.shape}")

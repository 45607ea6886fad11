"""Calculus of smoothness: |hess L| is bounded by an explicit function of the parameters' norms, block by block.

Statement. For F(x, theta_1..theta_k) on the set D = {|x| <= r, |theta_b| <= R_b} let `Bounds` hold v >= sup|F|,
a_i >= sup|D_i F| and C_ij = C_ji >= sup|D_i D_j F|, index 0 the input x. All norms are Euclidean over all entries, save
that a matrix that multiplies the input enters D by its operator norm, which is smaller. Bounds compose:
  h = f(g(x, theta), phi):  G = derivative bounds of (g, phi) by (x, theta, phi),
  a_h = G^T a_f,  C_h = G^T C_f G + a_f[0] C_g,  with f's bounds taken at the input radius v_g;
and add under sums (residual connections). With C restricted to the parameters, |.|_2 its spectral norm,
  |D_theta F| <= |a|_2,   |D^2_theta F| <= |C|_2,   |D_theta F(x) - D_theta F(x')| <= |(C_0b)_b|_2 |x - x'|,
and for L = (1/2N) sum |f(x_i) - y_i|^2, with one set of bounds for each sample,
  |hess L| <= S = |(1/N) sum_i (a_i a_i^T + (v_i + |y_i|) C_i)|_2,
where (1/N) sum_i |r_i| C_i may be replaced by sqrt(2 L) times the entrywise root mean square of the C_i.
The atoms are those of theory.block_bounds; all of them grow polynomially in the radii, so S(R) does.
Hypotheses. H1 each block is C^2 in (x, theta) and its own bounds are true. H2 |theta_b| <= R_b, in particular all of
  |theta| <= R where every R_b is R. H3 |x_i| <= r_i.
Source. Chain rule and compression to block norms; a reconstruction of smoothness that grows polynomially with |theta|.
Proof.  paper_notes.md, G2, lines 1-8 and 14; the atoms, lines 9-13.
Sharp.  Equality for linear models of one sample, for products of scalar weights and for tanh networks at theta = 0.
  For small plain and residual networks within a factor 3 of the worst parameters found at arrays of norm 1, and 10 at
  norm 3; far from it for transformers and for typical parameters: every layer is taken at its worst at once.
Failure. ReLU has no second derivative. eps = 0 in tau_eps or LayerNorm: S is infinite. Outside of the stated balls S is
  no bound. No function of |grad L| can stand in for S: along uv = 1, (uv - 1)^2/2 has gradient 0, curvature u^2 + v^2.
Units.  v in units of F; a and C in units of F per unit of the blocks; S in loss per squared parameter (1/step size).
"""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from theory import require
from theory.claim import Claim
from theory.rounding import ROUNDING
from theory.verdict import Check

CLAIM = Claim(
    id="G2",
    title="Calculus of smoothness",
    statement="|hess L(theta)| <= S(|theta_1|, .., |theta_k|), S explicit, composed block by block and polynomial in "
    "the norms of the parameter blocks",
    hypotheses={
        "twice differentiable": "every block is C^2 in its input and parameters, and its own three bounds are true",
        "parameters in their balls": "|theta_b| <= R_b for every parameter block",
        "inputs in their balls": "|x_i| <= r_i for every sample",
    },
    provenance="reconstruction",
    source="chain rule for bounds on value, first and second derivative; block norms of a bilinear map",
    module="smoothness",
    abstract="gradient descent converges for a wide class of architectures without Lipschitz smoothness of the loss",
    sharp="equality for linear models of one sample, products of scalar weights and one-layer tanh networks at 0; at "
    "typical parameters loose by 10^1 (plain) to 10^3 (residual) and far more behind a normalisation of small eps",
    tight=True,
    constants="all known before training: norms of parameter blocks, inputs and labels, shapes, eps",
    standing="proved but loose",
)


class Bounds(NamedTuple):
    """Suprema over {|x| <= r, |theta_b| <= R_b} of a map and of its first two derivatives.

    value: sup|F|.  first: sup|D_i F|, i = 0 the input, i = 1..k the parameter blocks.  second: sup|D_i D_j F| as a
    bilinear map, symmetric.  Leading axes, if any, run over samples or radii.
    """

    value: Float[Array, "..."]
    first: Float[Array, "... blocks"]
    second: Float[Array, "... blocks blocks"]


def input_only(value: ArrayLike, first: ArrayLike, second: ArrayLike) -> Bounds:
    """Bounds of a map without parameters, from its three numbers."""
    slope, bend = (jnp.asarray(bound, float) for bound in (first, second))
    return Bounds(jnp.asarray(value, float), slope[None], bend[None, None])


def identity(input_radius: ArrayLike) -> Bounds:
    """x -> x: value r, slope 1, no bend."""
    return input_only(input_radius, 1.0, 0.0)


def chain(inner: Bounds, outer: Bounds) -> Bounds:
    """f(g(x, theta), phi) from the bounds of g and of f, those of f taken at the input radius inner.value.

    Blocks in the order input, theta, phi.
    """
    size, added = inner.first.size, outer.first.size - 1
    # d(z, phi) / d(x, theta, phi): the bounds of g in the row of z, the identity in those of phi (line 4).
    through = jnp.eye(1 + added, size + added, size - 1).at[0, :size].set(inner.first)
    second = through.T @ outer.second @ through
    return Bounds(
        value=outer.value,
        first=outer.first @ through,
        second=second.at[:size, :size].add(outer.first[0] * inner.second),
    )


def residual(inner: Bounds, input_radius: ArrayLike) -> Bounds:
    """x + F(x, theta) from the bounds of F."""
    return Bounds(inner.value + input_radius, inner.first.at[0].add(1.0), inner.second)  # line 5


def reordered(bounds: Bounds, order: Sequence[int]) -> Bounds:
    """The same bounds with block order[b] in the place of parameter block b = 1..k."""
    places = jnp.array((0, *order))
    return Bounds(bounds.value, bounds.first[places], bounds.second[jnp.ix_(places, places)])


def parameter_slope(bounds: Bounds) -> Float[Array, "..."]:
    """|a|_2 over the parameter blocks, at least |D_theta F|."""
    return jnp.linalg.norm(bounds.first[..., 1:], axis=-1)


def parameter_bend(bounds: Bounds) -> Float[Array, "..."]:
    """|C|_2 over the parameter blocks, at least |D^2_theta F|."""
    return spectral_norm(bounds.second[..., 1:, 1:])


def jacobian_lipschitz(bounds: Bounds) -> Float[Array, "..."]:
    """|(C_0b)_b|_2, a Lipschitz constant on |x| <= r of x -> D_theta F(theta; x) in operator norm.

    That is L_J when F has one output; in Frobenius norm over m outputs it is at most sqrt(m) times this.
    """
    mixed = bounds.second[..., 0, 1:]
    mixed = jnp.where(jnp.isnan(mixed), jnp.inf, mixed)  # 0 * inf: some bound inside is infinite
    return jnp.linalg.norm(mixed, axis=-1)


def loss_smoothness(
    bounds: Bounds, label_norms: Float[ArrayLike, " N"], *, loss: ArrayLike | None = None
) -> Float[Array, ""]:
    """S, at least |hess L| for L = (1/2N) sum |f(x_i) - y_i|^2 in the parameters' balls.

    bounds: of the model, with a leading axis over the N samples.  label_norms: |y_i|.  loss: if given, S need hold only
    where L <= loss, which lowers it.  Infinite where a bound is.
    """
    size = bounds.value.shape[0]
    slopes, bends = bounds.first[:, 1:], bounds.second[:, 1:, 1:]
    residual_radii = bounds.value + jnp.asarray(label_norms, float)
    curvature = jnp.einsum("n,nbc->bc", residual_radii, bends) / size  # line 7
    if loss is not None:
        root_mean_square = jnp.sqrt(jnp.mean(bends**2, axis=0))
        curvature = jnp.minimum(curvature, jnp.sqrt(2.0 * jnp.asarray(loss, float)) * root_mean_square)  # line 8
    return spectral_norm(slopes.T @ slopes / size + curvature)


def spectral_norm(matrix: Float[Array | np.ndarray, "... k k"]) -> Float[Array, "..."]:
    """Largest eigenvalue of a symmetric matrix with entries >= 0 (Perron), infinite if an entry is; 0 if k = 0."""
    if matrix.shape[-1] == 0:
        return jnp.zeros(matrix.shape[:-2])
    finite = jnp.all(jnp.isfinite(matrix), axis=(-2, -1))
    top = jnp.linalg.eigvalsh(jnp.where(finite[..., None, None], matrix, 0.0))[..., -1]
    return jnp.where(finite, top, jnp.inf)


def check(
    inequality: Literal["loss hessian", "gradient gap"],
    *,
    measured: float,
    bound: float,
    parameter_margin: float,
    input_margin: float,
    smooth: bool = True,
    scale: float = 0.0,
    family: str = "",
    instance: str,
) -> Check:
    """Hold |hess L| against S, or |D_theta f(x) - D_theta f(x')| against L_J |x - x'|.

    parameter_margin: min_b R_b - |theta_b|.  input_margin: min_i r_i - |x_i|.  smooth: every block is C^2 with true
    bounds.  scale: size of the gradients whose difference `measured` is.  family: kind of network, which the ledger
    then lists by itself.  An infinite bound is vacuous.
    """
    require.at_least_zero(bound=bound)
    return Check(
        claim=CLAIM.id,
        inequality=f"{inequality}, {family}" if family else inequality,
        instance=instance,
        measured=measured,
        sense="<=",
        bound=bound,
        rounding=ROUNDING * (bound + scale) if math.isfinite(bound) else 0.0,
        margins={
            "twice differentiable": 0.0 if smooth else -1.0,
            "parameters in their balls": parameter_margin,
            "inputs in their balls": input_margin,
        },
        vacuous=bound == math.inf,
    )

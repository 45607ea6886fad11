"""Non-degeneracy: with a skip connection the Jacobian is singular for finitely many scales only, at any hidden width.

Statement. F(x) = x + t W sigma(V x + b), W (n, hidden), V (hidden, n), J_i(t) = I + t W D_i V its Jacobian at x_i,
D_i = diag sigma'(V x_i + b), i = 1..N.
  count         the pairs (i, t), t real, with J_i(t) singular number at most N min(hidden, n). So for every V and b,
                and almost every W, all N Jacobians are nonsingular, whatever the hidden width.
  conditioning  sigma_min(J_i(t)) >= 1 - |t| |W| |V| B,  |sigma'| <= B at the pre-activations (operator norms).
  no skip       the Jacobian W D_i V of W sigma(V x + b) has sigma_{hidden+1} = 0: for hidden < n it is singular at
                every parameter and every x; at hidden = n it no longer is.
  chains        under H2 a composition of such layers has a nonsingular Jacobian at x_i iff every layer has at its own
                input. sigma differentiable off a countable set: so at every V's, b's and almost all W's that meet H2,
                and at every V's, W's almost all b's do.
Hypotheses. H1 (count, conditioning, chains) the skip connection. H2 (count, chains) sigma is differentiable at the
  pre-activations, in a chain at those of every layer's own inputs; one layer needs no analyticity, not even continuity
  elsewhere. H3 (count, chains) finitely many points. H4 (conditioning) B bounds |sigma'| at the pre-activations. H5 (no
  skip) hidden < n.
Source. Reconstruction; linear algebra (det(I + t A) has a root at t = -1/lambda for each real eigenvalue lambda of A),
  the triangle inequality, Fubini.
Proof.  paper_notes.md, N1, lines 1-6.
Sharp.  Count: W D_i V = diag(w_k sigma'(x_ik)), all distinct, or any W = V^T with sigma' > 0. Conditioning: W = -V^T,
  V with orthonormal rows.
Failure. t on the exceptional set; a continuum of points (x + t sin x); a fold (x + t |x| at 0; in a chain at every
  W_1: x + W_1 relu(-x), then x + W_2 relu(x - 1), at 1); no skip, hidden < n.
Units.  J has no unit where input and output share one; t a number.
"""

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from theory.claim import Claim
from theory.rounding import EPS
from theory.verdict import Check

CLAIM = Claim(
    id="N1",
    title="Non-degeneracy",
    statement="I + t W D_i V is singular for at most N min(hidden, n) pairs (i, t), so for almost no W, at any width",
    hypotheses={
        "skip connection": "the layer adds its input (count, conditioning, chains)",
        "differentiability": "sigma is differentiable at the pre-activations, in a chain at those of every layer's own "
        "inputs (count, chains)",
        "finitely many points": "the Jacobians are asked for at N points, not on a continuum (count, chains)",
        "slope bound": "|sigma'| <= B at the pre-activations (conditioning)",
        "narrow hidden layer": "hidden < n (no skip)",
    },
    provenance="reconstruction",
    source="eigenvalues of W D V, triangle inequality, Fubini",
    module="nondegeneracy",
    abstract="residual connections and compositions keep networks non-degenerate",
    sharp="count: diagonal or tied weights (W = V^T); conditioning: W = -V^T with orthonormal rows",
    tight=True,
    constants="known: N, widths and, given the weights, |W|, |V| and sup |sigma'|",
    standing="proved and tight",
)


def singular_scales_ceiling(num_points: int, *, hidden: int, dim: int) -> int:
    """N min(hidden, n): how many pairs (i, t) can have a singular I + t W D_i V."""
    for name, value in {"num_points": num_points, "hidden": hidden, "dim": dim}.items():
        if value < 1:
            raise ValueError(f"{name} must be at least 1, but was {value}")
    return num_points * min(hidden, dim)


def conditioning_floor(
    scale: ArrayLike, *, outer_norm: ArrayLike, inner_norm: ArrayLike, slope: ArrayLike
) -> Float[Array, "..."]:
    """1 - |t| |W| |V| B, below every singular value of I + t W D V; says nothing where it is not positive."""
    return 1.0 - jnp.abs(jnp.asarray(scale, float)) * outer_norm * inner_norm * slope


def check_count(
    singular_scales: int,
    num_points: int,
    *,
    hidden: int,
    dim: int,
    skip: bool = True,
    differentiable: bool = True,
    continuum: bool = False,
    instance: str = "layer",
) -> Check:
    """Hold the number of pairs (i, t) with a singular Jacobian, or a lower bound on it, against N min(hidden, n).

    skip, differentiable, continuum: whether the layer adds its input, sigma has a derivative at the pre-activations,
    and the points are more than the `num_points` counted.
    """
    return Check(
        claim=CLAIM.id,
        inequality="count",
        instance=instance,
        measured=float(singular_scales),
        sense="<=",
        bound=float(singular_scales_ceiling(num_points, hidden=hidden, dim=dim)),
        margins={
            "skip connection": 0.0 if skip else -1.0,
            "differentiability": 0.0 if differentiable else -1.0,
            "finitely many points": -1.0 if continuum else 0.0,
        },
    )


def check_conditioning(
    smallest_singular_value: float,
    scale: float,
    *,
    outer_norm: float,
    inner_norm: float,
    slope: float,
    largest_slope: float | None = None,
    skip: bool = True,
    dim: int = 1,
    instance: str = "layer",
) -> Check:
    """Hold sigma_min(I + t W D V) against 1 - |t| |W| |V| B; vacuous where that is not positive.

    slope: B.  largest_slope: max |sigma'| met, where measured.  dim: n, for the rounding of an SVD.
    """
    bound = float(conditioning_floor(scale, outer_norm=outer_norm, inner_norm=inner_norm, slope=slope))
    return Check(
        claim=CLAIM.id,
        inequality="conditioning",
        instance=instance,
        measured=float(smallest_singular_value),
        sense=">=",
        bound=bound,
        rounding=32.0 * dim * EPS * (1.0 + abs(1.0 - bound)),  # backward stable: a few n eps |J|
        margins={
            "skip connection": 0.0 if skip else -1.0,
            "slope bound": slope - (slope if largest_slope is None else largest_slope),
        },
        vacuous=bound <= 0.0,
    )


def check_no_skip(
    singular_value: float, *, hidden: int, dim: int, jacobian_norm: float, instance: str = "layer"
) -> Check:
    """Hold sigma_{min(hidden+1, n)}(W D V) against 0, which it is for hidden < n and need not be from hidden = n on.

    jacobian_norm: |W| |D| |V|, for the rounding. By Weyl's inequality a singular value moves by at most the norm of the
    error. Sums of k = hidden triple products are off by at most (k + 1) eps/2 times those of the absolute values, of
    norm at most |W|_F |D| |V|_F <= min(k, n) |W| |D| |V|; the SVD adds a modest multiple of n eps |W D V|, here 16.
    """
    product = 0.5 * (hidden + 1) * min(hidden, dim)
    return Check(
        claim=CLAIM.id,
        inequality="no skip",
        instance=instance,
        measured=float(singular_value),
        sense="<=",
        bound=0.0,
        rounding=(product + 16.0 * dim) * EPS * jacobian_norm,
        margins={"narrow hidden layer": float(dim - 1 - hidden)},
    )

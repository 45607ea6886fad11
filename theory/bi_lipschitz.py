"""Bi-Lipschitz features: residual layers with small branches, and tau_eps, move no two points together or far apart.

Statement. F = F_L o ... o F_1, F_l = id + g_l, |g_l(x) - g_l(y)| <= c_l |x - y| on the features met.  If every c_l < 1,
  prod(1 - c_l) |x - y| <= |F(x) - F(y)| <= prod(1 + c_l) |x - y|,
so the features' h_min lies between prod(1 - c_l) h_min and prod(1 + c_l) h_min, and where F is differentiable and every
c_l also holds for all points near the features,
  prod(1 - c_l) <= sigma_min(DF) <= sigma_max(DF) <= prod(1 + c_l).
tau_eps(x) = x / s, s = sqrt(|x|^2 + eps^2): D tau = (I - x x^T / s^2) / s has singular values 1/s (n - 1 times) and
eps^2 / s^3, and for differences, not only derivatives, on the ball |x| <= R
  eps^2 / (R^2 + eps^2)^(3/2) |x - y| <= |tau_eps(x) - tau_eps(y)| <= |x - y| / eps.
Chains of both kinds of layer multiply their constants.  The upper side of a residual chain needs no c_l < 1.
Hypotheses. H1 skip connections. H2 c_l >= 0 are Lipschitz constants on the features met (for singular values: also near
  each), not slopes at the samples. H3 c_l < 1 (lower side). H4 eps > 0. H5 the inputs of tau_eps lie in the ball of
  radius R (lower side).
Source. Reconstruction of "residual connections keep networks non-degenerate"; the triangle inequality is classic.
Proof.  paper_notes.md, N2, lines 1-7.
Sharp.  Residual: g_l = -c_l x and g_l = +c_l x on every pair.  tau_eps: two points of one ray near |x| = R (lower) and
  near 0 (upper), in the limit.
Failure. Without the skip a branch contracts.  c = 2: x - 2 max(x, 0) = -|x| folds x onto -x.  eps = 0: x and 2x meet.
Units.  distances in the units of x; all constants are pure numbers, but tau_eps' have the unit 1/x.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from theory import require
from theory.claim import Claim
from theory.verdict import Check

CLAIM = Claim(
    id="N2",
    title="Bi-Lipschitz features",
    statement="prod(1 - c_l) h_min(X) <= h_min(F(X)) <= prod(1 + c_l) h_min(X) for branches of constants c_l < 1",
    hypotheses={
        "skip connections": "each layer adds its branch to its own input",
        "branch constants": "|g_l(x) - g_l(y)| <= c_l |x - y| for all features x, y met by layer l, and, for singular "
        "values, for all x, y near each of them",
        "contractive branches": "every c_l is below 1 (lower side)",
        "positive eps": "normalisation divides by sqrt(|x|^2 + eps^2) with eps > 0",
        "inputs in the ball": "the inputs of the normalisation have norm at most R (lower side)",
    },
    provenance="reconstruction",
    source="triangle inequality; inverse of tau_eps in closed form",
    module="bi_lipschitz",
    abstract="residual connections and compositions keep networks non-degenerate",
    sharp="g_l = -c_l x and g_l = c_l x; tau_eps in the limit on a ray near the sphere of radius R and near 0",
    tight=True,
    constants="known before training: eps and the products of the branches' operator norms; R measured or bounded",
    standing="proved and tight",
)

ROUNDING = 2.0**-44
"""Relative float64 allowance, 256 eps: a few products of small matrices and a few dozen layers."""

Side = Literal["lower", "upper"]


class Constants(NamedTuple):
    """lower |x - y| <= |F(x) - F(y)| <= upper |x - y|; a lower constant of 0 promises nothing."""

    lower: Float[Array, "..."]
    upper: Float[Array, "..."]


def residual_constants(branch_constants: Float[ArrayLike, "... layers"]) -> Constants:
    """prod(1 - c_l) and prod(1 + c_l) over the last axis; the lower one is 0 once a c_l >= 1, which can fold.

    Raises ValueError where a c_l is negative.
    """
    branch = jnp.asarray(branch_constants, float)
    if not isinstance(branch, Tracer):  # a traced constant has no sign yet
        require.at_least_zero(smallest_branch_constant=float(jnp.min(branch, initial=0.0)))
    return Constants(jnp.prod(jnp.maximum(1.0 - branch, 0.0), axis=-1), jnp.prod(1.0 + branch, axis=-1))


def normalisation_constants(radius: ArrayLike, eps: ArrayLike) -> Constants:
    """eps^2 / (R^2 + eps^2)^(3/2) and 1 / eps: those of tau_eps on the ball of radius R (unit 1/x); broadcast.

    eps = 0 gives 0 and infinity: nothing is promised.
    """
    squared = jnp.square(jnp.asarray(eps, float))
    return Constants(squared / (jnp.square(jnp.asarray(radius, float)) + squared) ** 1.5, 1.0 / jnp.asarray(eps, float))


def chain_constants(layers: Sequence[Constants]) -> Constants:
    """Constants of a composition: the products, in any order."""
    lower, upper = jnp.ones(()), jnp.ones(())
    for layer in layers:
        lower, upper = lower * layer.lower, upper * layer.upper
    return Constants(lower, upper)


# One compiled call in place of a dozen dispatches: a hunt makes ten thousand of these.
_compiled_residual, _compiled_normalisation = jax.jit(residual_constants), jax.jit(normalisation_constants)


def check(
    feature_separation: float,
    separation: float,
    *,
    side: Side,
    branch_constants: Float[ArrayLike, " layers"],
    instance: str,
    quantity: Literal["separation", "singular value"] = "separation",
    input_scale: float = 1.0,
) -> Check:
    """Hold h_min of the features of a residual chain (or a distance, or a singular value) against one side.

    separation: h_min of the inputs (or the pair's distance; 1 for a singular value of DF).  input_scale: size of the
    inputs, whose rounding the features' differences inherit.  Vacuous where the bound is within the allowance of 0.
    """
    smallest = float(np.min(branch_constants, initial=0.0))
    require.at_least_zero(
        feature_separation=feature_separation, separation=separation, smallest_branch_constant=smallest
    )
    constants = _compiled_residual(branch_constants)
    bound = float(constants.lower if side == "lower" else constants.upper) * separation
    rounding = ROUNDING * float(constants.upper) * (separation + input_scale)
    contractive = {"contractive branches": 1.0 - float(np.max(branch_constants, initial=0.0))}
    return Check(
        claim=CLAIM.id,
        inequality=f"{quantity} {'floor' if side == 'lower' else 'ceiling'}",
        instance=instance,
        measured=feature_separation,
        sense=">=" if side == "lower" else "<=",
        bound=bound,
        rounding=rounding,
        margins=contractive if side == "lower" else {},
        vacuous=bound <= rounding,
    )


def check_normalisation(
    feature_separation: float,
    separation: float,
    *,
    side: Side,
    radius: float,
    largest_norm: float,
    eps: float,
    instance: str,
) -> Check:
    """Hold the distance of tau_eps' outputs against one side, for inputs of norm at most `largest_norm` <= radius."""
    require.at_least_zero(feature_separation=feature_separation, separation=separation, radius=radius, eps=eps)
    constants = _compiled_normalisation(radius, eps)
    bound = float(constants.lower if side == "lower" else constants.upper) * separation
    rounding = ROUNDING * (bound + 1.0)  # the outputs have norm below 1
    in_ball = {"inputs in the ball": radius - largest_norm} if side == "lower" else {}
    return Check(
        claim=CLAIM.id,
        inequality=f"normalisation {'floor' if side == 'lower' else 'ceiling'}",
        instance=instance,
        measured=feature_separation,
        sense=">=" if side == "lower" else "<=",
        bound=bound,
        rounding=rounding,
        margins={"positive eps": eps if eps > 0.0 else -1.0} | in_ball,
        vacuous=bound <= rounding,
    )

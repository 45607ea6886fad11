"""Descent product: two-sided one-step inequality of gradient descent, with the kernel's spectrum as its rate.

Statement. L >= 0 is C^2, theta_{s+1} = theta_s - eta grad L(theta_s), |hess L| <= S_s on the segment between them, and
mu_s = |grad L_s|^2 / (2 L_s) where L_s > 0. Then
  (1 - 2 eta mu_s - eta^2 S_s mu_s) L_s <= L_{s+1} <= (1 - eta mu_s (2 - eta S_s)) L_s,
and under eta <= 1/S_s the right side is at most (1 - eta mu_s) L_s, so L_T <= L_0 prod_{s<T} (1 - eta mu_s).
For L = (1/2N) sum |f(x_k) - y_k|^2 and the empirical kernel K = J J^T,
  lambda_min(K_s)/N <= mu_s = r^T K_s r / (N |r|^2) <= lambda_max(K_s)/N.
Beware. mu_s > 0 off critical points is a tautology, and a product of measured mu_s restates the losses. The content is
  mu_low,s = lambda_min(K_s)/N > 0, which bounds mu_s for EVERY labelling: L_T <= L_0 prod (1 - eta lambda_min(K_s)/N).
Hypotheses. H1 |hess L| <= S_s on the segments, S_s finite: no global Lipschitz smoothness. H2 (product) eta <= 1/S_s.
Source. Descent lemma (Polyak 1963; Nesterov 2004, lemma 1.2.3), Polyak-Lojasiewicz inequality through the kernel
  (Liu, Zhu and Belkin 2022); put together along the path as a reconstruction of the paper's convergence framework.
Proof.  paper_notes.md, G1, lines 1-6.
Sharp.  Upper: one curvature, L = (S/2)|theta|^2. Lower: curvature -S along the segment, L = c - (S/2) theta^2 >= 0.
  Spectrum: K a multiple of the identity.
Failure. eta > 2/S: no descent. 1/S < eta < 2/S: descent, but not by 1 - eta mu. S from a segment's end points: false.
  S sampled at finitely many points errs LOW: stricter for the inequalities, which contain S, but LAXER for H2, so a
  violation with a margin near 0 may be a failed H2. S cannot be had from |grad L|: (uv - 1)^2/2 has none that works.
Units.  S and mu in loss per squared parameter (1/eta); L in squared labels.
"""

import math
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from theory import require
from theory.claim import Claim
from theory.rounding import ROUNDING
from theory.verdict import Check

CLAIM = Claim(
    id="G1",
    title="Descent product",
    statement="L_T <= L_0 prod (1 - eta mu_s) with mu_s >= lambda_min(K_s)/N, and each step loses at most "
    "(2 eta + eta^2 S_s) mu_s of L_s",
    hypotheses={
        "smoothness on segments": "|hess L| <= S_s on each segment of the path",
        "stable step size": "eta <= 1/S_s (upper product only)",
    },
    provenance="reconstruction",
    source="descent lemma (Polyak 1963, Nesterov 2004) with the kernel's spectrum as the Polyak-Lojasiewicz constant",
    module="descent_product",
    abstract="gradient descent converges beyond the kernel regime, without Lipschitz smoothness of the loss",
    sharp="upper: a single curvature; lower: curvature -S along the segment; spectrum: K a multiple of the identity",
    tight=True,
    constants="measured along the run: S and the kernel's spectrum",
    standing="conditional",
)


def descent_rate(squared_gradient: ArrayLike, loss: ArrayLike) -> Float[Array, "..."]:
    """mu = |grad L|^2 / (2 L), the Polyak-Lojasiewicz ratio (1 / step size); NaN at L = 0 with zero gradient."""
    return jnp.asarray(squared_gradient, float) / (2.0 * jnp.asarray(loss, float))


def kernel_rate(eigenvalue: ArrayLike, *, num_points: ArrayLike) -> Float[Array, "..."]:
    """lambda/N: with lambda_min(K) the least, with lambda_max(K) the largest mu over all residuals."""
    return jnp.asarray(eigenvalue, float) / num_points


def upper_factor(rate: ArrayLike, step_size: ArrayLike, *, smoothness: ArrayLike) -> Float[Array, "..."]:
    """1 - eta mu (2 - eta S): L_{s+1}/L_s is at most this, for any eta; broadcasts."""
    scaled = jnp.asarray(step_size, float)
    return 1.0 - scaled * rate * (2.0 - scaled * smoothness)


def greatest_fall(rate: ArrayLike, step_size: ArrayLike, *, smoothness: ArrayLike) -> Float[Array, "..."]:
    """2 eta mu + eta^2 S mu, the largest share of L_s that a step of any size can remove; above 1 says nothing."""
    scaled = jnp.asarray(step_size, float)
    return scaled * rate * (2.0 + scaled * smoothness)


def lower_factor(rate: ArrayLike, step_size: ArrayLike, *, smoothness: ArrayLike) -> Float[Array, "..."]:
    """1 - 2 eta mu - eta^2 S mu: L_{s+1}/L_s is at least this, for any eta; negative says nothing; broadcasts."""
    return 1.0 - greatest_fall(rate, step_size, smoothness=smoothness)


def product_ceiling(
    initial_loss: ArrayLike, rates: Float[ArrayLike, "... steps"], *, step_size: ArrayLike
) -> Float[Array, "..."]:
    """L_0 prod_s (1 - eta mu_s) over the last axis; `rates` are mu_s or any lower bounds such as lambda_min(K_s)/N.

    eta mu_s <= 1 is no extra hypothesis: eta <= 1/S_s and L >= 0 force it.
    """
    rates = jnp.asarray(rates, float)
    return jnp.asarray(initial_loss, float) * jnp.prod(1.0 - jnp.asarray(step_size, float)[..., None] * rates, axis=-1)


# One compiled call in place of a dozen dispatches: a hunt makes ten thousand of these.
_compiled_product, _compiled_rate = jax.jit(product_ceiling), jax.jit(kernel_rate)
_compiled_upper, _compiled_lower = jax.jit(upper_factor), jax.jit(lower_factor)


def check(
    *,
    initial_loss: float,
    final_loss: float,
    rates: Float[np.ndarray, " steps"],
    step_size: float,
    smoothness: float,
    instance: str,
    output_scale: float = 1.0,
) -> Check:
    """Hold the final loss of a run against L_0 prod (1 - eta rate_s).

    rates: one lower bound of mu_s a step; lambda_min(K_s)/N has content, mu_s itself is near a tautology.
    smoothness: S, at least |hess L| on every segment (sampled: see Failure).  output_scale: size of f and y, whose
    rounding the residuals inherit.  Vacuous when the product does not fall below 1 by more than rounding.
    """
    _require_run(step_size, smoothness)
    bound = float(_compiled_product(initial_loss, rates, step_size=step_size))
    rounding = ROUNDING * abs(bound) + loss_rounding(abs(bound), output_scale)
    return Check(
        claim=CLAIM.id,
        inequality="product over the run",
        instance=instance,
        measured=final_loss,
        sense="<=",
        bound=bound,
        rounding=rounding,
        margins={
            "stable step size": _step_margin(step_size, smoothness),
            "bound above rounding": abs(bound) - rounding,
        },
        vacuous=bound >= initial_loss * (1.0 - ROUNDING),
    )


def check_step(
    *,
    loss: float,
    next_loss: float,
    rate: float,
    step_size: float,
    smoothness: float,
    side: Literal["upper", "lower"],
    instance: str,
    output_scale: float = 1.0,
) -> Check:
    """Hold one step, of any size, against the "upper" or "lower" side of the inequality; H1 alone is needed.

    rate: mu_s itself, not a bound of it.  The lower side is vacuous when its factor is not positive.
    """
    _require_run(step_size, smoothness)
    if side not in ("upper", "lower"):
        raise ValueError(f"side must be 'upper' or 'lower', but was {side!r}")
    factor = float((_compiled_upper if side == "upper" else _compiled_lower)(rate, step_size, smoothness=smoothness))
    # Off by rho in each residual, eta |grad L|^2 is off by 2 eta sqrt(2 mu L S) rho <= eta (mu + S) sqrt(2 L) rho.
    terms = 1.0 + step_size * (rate + smoothness) * (2.0 + step_size * smoothness)
    rounding = terms * (ROUNDING * loss + loss_rounding(loss, output_scale))
    return Check(
        claim=CLAIM.id,
        inequality=f"one step, {side}",
        instance=instance,
        measured=next_loss,
        sense="<=" if side == "upper" else ">=",
        bound=factor * loss,
        rounding=rounding,
        margins={
            "smoothness on segments": 0.0 if math.isfinite(smoothness) else -1.0,
            "bound above rounding": abs(factor) * loss - rounding,
        },
        vacuous=side == "lower" and factor <= 0.0,
    )


def check_rate(
    *,
    rate: float,
    bottom_eigenvalue: float,
    top_eigenvalue: float,
    num_points: int,
    instance: str,
    loss: float = 1.0,
    output_scale: float = 1.0,
) -> Check:
    """Hold mu_s against its floor lambda_min(K_s)/N, true for every labelling; loss: L_s, for mu_s's own rounding.

    rounding: eigenvalues are off by rows * eps * lambda_max (ROUNDING lambda_max up to 4096 rows), and mu_s, a ratio of
    quadratic forms of residuals off by rho, by 4 rho / sqrt(2 L) of lambda_max/N.  A lambda_min that the first swallows
    is vacuous; a loss that is rounding noise is not applicable.
    """
    bound = float(_compiled_rate(bottom_eigenvalue, num_points=num_points))
    noise = ROUNDING * output_scale / math.sqrt(2.0 * loss) if loss > 0.0 else math.nan
    return Check(
        claim=CLAIM.id,
        inequality="kernel rate floor",
        instance=instance,
        measured=rate,
        sense=">=",
        bound=bound,
        rounding=(ROUNDING + 4.0 * noise) * top_eigenvalue / num_points,
        margins={"loss above rounding": loss_resolution(loss, output_scale)},
        vacuous=bound <= ROUNDING * top_eigenvalue / num_points,
    )


def loss_rounding(loss: float, output_scale: float) -> float:
    """Rounding of a loss (1/2N)|r|^2 whose residuals are off by rho = ROUNDING * output_scale each.

    |r|/sqrt(N) = sqrt(2 L) is off by rho, so L by at most rho sqrt(2 L) + rho^2/2.
    """
    rho = ROUNDING * output_scale
    return rho * math.sqrt(2.0 * loss) + 0.5 * rho**2


def loss_resolution(loss: float, output_scale: float) -> float:
    """sqrt(2 L) - rho (label units): negative when the residuals are rounding noise, or all 0."""
    return math.sqrt(2.0 * loss) - ROUNDING * output_scale if loss != 0.0 else -math.inf


def _step_margin(step_size: float, smoothness: float) -> float:
    """1/(eta S) - 1: at least 0 exactly when eta <= 1/S."""
    return math.inf if smoothness == 0.0 else 1.0 / (step_size * smoothness) - 1.0


def _require_run(step_size: float, smoothness: float) -> None:
    require.positive(step_size=step_size)
    require.at_least_zero(smoothness=smoothness)

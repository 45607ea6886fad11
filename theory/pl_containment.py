"""Polyak-Lojasiewicz containment: a PL inequality on one ball about theta_0 is enough for linear convergence in it.

Statement. L >= 0 is C^2, theta_{s+1} = theta_s - eta grad L(theta_s), and on the ball B = B(theta_0, rho)
  |grad L|^2 >= 2 mu L (mu > 0),   |hess L| <= S,   eta < 2/S,   rho >= max(1, kappa) sqrt(2 L_0 / mu),
  kappa = (1 + sqrt(1 - eta mu (2 - eta S))) / (2 - eta S), real.
Then mu <= S, kappa >= 1 (both where L_0 > 0), all segments stay in B, and for every T
  containment  |theta_T - theta_0| <= kappa sqrt(2 L_0 / mu);
  path length  PathLength_T <= kappa sqrt(2/mu) (sqrt L_0 - sqrt L_T);
  rate         L_T <= (1 - eta mu (2 - eta S))^T L_0, at most (1 - eta mu)^T L_0 where eta <= 1/S,
so the iterates converge to a theta in B with L = 0. kappa <= 1 + sqrt(1 - mu/S) < 2 for eta <= 1/S, and
kappa < 2 / (2 - eta S) always. For L = (1/2N)|f - y|^2, mu = inf_B lambda_min(K)/N will do.
Hypotheses. H1 PL on B. H2 |hess L| <= S on B. H3 the radius. H4 eta < 2/S. H5 L >= 0.
Source. Polyak 1963, Lojasiewicz 1963; containment in a ball as in Oymak and Soltanolkotabi 2019 and Liu, Zhu and Belkin
  2022. The constant kappa and its interpolation between 1 (eta -> 0, gradient flow) and 2 (eta = 1/S) are ours.
Proof.  paper_notes.md, G5, lines 1-6.
Sharp.  A single curvature mu = S: rate and path length are equalities at every eta < 2/S and every T; containment too
  for eta <= 1/S, where kappa = 1, as T grows.
Failure. A loss with a positive minimum (H1); an S too small (H2); a ball that ends before the minimum, beyond which the
  loss is flat (H3); eta = 5/(2S), which leaves every ball (H4); a loss below 0 (H5).
Units.  mu, S in loss per squared parameter; path length in parameter units.
"""

import math
from typing import Literal

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from theory import require
from theory.claim import Claim
from theory.descent_product import loss_rounding
from theory.rounding import ROUNDING
from theory.verdict import Check

CLAIM = Claim(
    id="G5",
    title="Polyak-Lojasiewicz containment",
    statement="|grad L|^2 >= 2 mu L and |hess L| <= S on B(theta_0, kappa sqrt(2 L_0/mu)), eta < 2/S: the iterates "
    "stay there and L_T <= (1 - eta mu (2 - eta S))^T L_0",
    hypotheses={
        "gradient dominance on the ball": "|grad L|^2 >= 2 mu L on the ball, mu > 0",
        "smoothness on the ball": "|hess L| <= S on the ball",
        "large enough ball": "rho >= max(1, kappa) sqrt(2 L_0 / mu)",
        "stable step size": "eta < 2/S",
        "nonnegative loss": "L >= 0",
    },
    provenance="classic",
    source="Polyak 1963, Lojasiewicz 1963; ball: Oymak and Soltanolkotabi 2019, Liu, Zhu and Belkin 2022; kappa: ours",
    module="pl_containment",
    abstract="gradient descent converges beyond the kernel regime, without Lipschitz smoothness of the loss",
    sharp="a single curvature: rate and path length are equalities at every eta < 2/S and every T",
    tight=True,
    constants="to be proved on a ball before training: mu and S; known: L_0 and the step size",
    standing="conditional",
)

Inequality = Literal["containment", "path length", "rate"]


def path_factor(step_size: ArrayLike, *, rate: ArrayLike, smoothness: ArrayLike) -> Float[Array, "..."]:
    """kappa = (1 + sqrt(1 - eta mu (2 - eta S))) / (2 - eta S), rising in eta from 1 to infinity at 2/S; broadcasts.

    Where mu > S, which the hypotheses exclude (line 1), it may be below 1 or NaN; where eta > 2/S it is negative.
    """
    remaining = 2.0 - jnp.asarray(step_size, float) * smoothness
    return (1.0 + jnp.sqrt(step_factor(step_size, rate=rate, smoothness=smoothness))) / remaining


def step_factor(step_size: ArrayLike, *, rate: ArrayLike, smoothness: ArrayLike) -> Float[Array, "..."]:
    """1 - eta mu (2 - eta S), at least L_{s+1}/L_s; with mu = S it is (1 - eta S)^2. Broadcasts."""
    scaled = jnp.asarray(step_size, float) * smoothness
    # ((1 - x)^2 for mu = S without cancellation)
    return (1.0 - scaled) ** 2 + jnp.asarray(step_size, float) * (2.0 - scaled) * (jnp.asarray(smoothness) - rate)


@jax.jit
def path_ceiling(
    initial_loss: ArrayLike, final_loss: ArrayLike, *, step_size: ArrayLike, rate: ArrayLike, smoothness: ArrayLike
) -> Float[Array, "..."]:
    """kappa sqrt(2/mu) (sqrt L_0 - sqrt L_T), the longest path; final_loss = 0 gives the radius of B, where mu <= S."""
    fallen = jnp.sqrt(jnp.asarray(initial_loss, float)) - jnp.sqrt(jnp.asarray(final_loss, float))
    return path_factor(step_size, rate=rate, smoothness=smoothness) * jnp.sqrt(2.0 / jnp.asarray(rate, float)) * fallen


@jax.jit
def loss_ceiling(
    initial_loss: ArrayLike, num_steps: ArrayLike, *, step_size: ArrayLike, rate: ArrayLike, smoothness: ArrayLike
) -> Float[Array, "..."]:
    """(1 - eta mu (2 - eta S))^T L_0; broadcasts."""
    return jnp.asarray(initial_loss, float) * step_factor(step_size, rate=rate, smoothness=smoothness) ** num_steps


def check(
    *,
    inequality: Inequality,
    largest_distance: float,
    path_length: float,
    initial_loss: float,
    final_loss: float,
    num_steps: int,
    step_size: float,
    rate: float,
    smoothness: float,
    ball_radius: float,
    instance: str,
    output_scale: float = 1.0,
    parameter_scale: float = 1.0,
) -> Check:
    """Hold a run of `num_steps` steps against one of the inequalities.

    inequality: "containment" is largest_distance, the largest |theta_s - theta_0|, against the least rho of H3.
    rate, smoothness: mu and S, proven on the ball of radius `ball_radius` about theta_0 (sampled ones are laxer in the
    hypotheses than the theorem).  output_scale: size of f and y; parameter_scale: of theta.
    """
    if inequality not in ("containment", "path length", "rate"):
        raise ValueError(f"inequality must be one of containment, path length, rate, but was {inequality!r}")
    constants = {"step_size": step_size, "rate": rate, "smoothness": smoothness}
    require.positive(**constants)
    least_radius = max(math.sqrt(2.0 * initial_loss / rate), float(path_ceiling(initial_loss, 0.0, **constants)))
    # kappa divides by 2 - eta S: near 2/S it, and all that scales with it, loses that many digits.
    amplified = ROUNDING * 2.0 / max(abs(2.0 - step_size * smoothness), ROUNDING)
    if inequality == "rate":
        measured, bound = final_loss, float(loss_ceiling(initial_loss, num_steps, **constants))
        rounding = ROUNDING * abs(bound) + loss_rounding(max(abs(bound), ROUNDING**2), output_scale)
    else:
        # sqrt(L) = |r| / sqrt(2N) is off by what the residuals are off by, twice.
        noise = 2.0 * ROUNDING * output_scale / math.sqrt(initial_loss) if initial_loss > 0.0 else 0.0
        rounding = least_radius * (noise + amplified) + ROUNDING * parameter_scale
        if inequality == "containment":
            measured, bound = largest_distance, least_radius
        else:
            measured, bound = path_length, float(path_ceiling(initial_loss, max(final_loss, 0.0), **constants))
    return Check(
        claim=CLAIM.id,
        inequality=inequality,
        instance=instance,
        measured=measured,
        sense="<=",
        bound=bound,
        rounding=rounding,
        margins={
            "stable step size": 2.0 / (step_size * smoothness) - 1.0 - ROUNDING,  # strict
            "large enough ball": ball_radius * (1.0 + ROUNDING) - least_radius,
            "nonnegative loss": final_loss,
            "rate at most smoothness": smoothness * (1.0 + ROUNDING) - rate,  # line 1
            "above rounding": max(measured, bound) - rounding,
        },
    )

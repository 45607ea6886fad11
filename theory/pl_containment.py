"""Polyak-Lojasiewicz containment: a PL inequality on one ball about theta_0 is enough for linear convergence in it.

Statement. L >= 0 is C^2, theta_{s+1} = theta_s - eta grad L(theta_s), and on the ball B = B(theta_0, rho)
  |grad L|^2 >= 2 mu L (mu > 0),   |hess L| <= S,   eta <= 1/S,   rho >= kappa sqrt(2 L_0 / mu),
  kappa = (1 + sqrt(1 - eta mu (2 - eta S))) / (2 - eta S),   1 <= kappa <= 1 + sqrt(1 - mu/S) < 2.
Then all segments stay in B, and for every T
  rate         L_T <= (1 - eta mu (2 - eta S))^T L_0 <= (1 - eta mu)^T L_0;
  path length  PathLength_T <= kappa sqrt(2/mu) (sqrt L_0 - sqrt L_T) <= kappa sqrt(2 L_0 / mu),
so the iterates converge to a theta in B with L = 0. For L = (1/2N)|f - y|^2, mu = inf_B lambda_min(K)/N will do.
Hypotheses. H1 PL on B. H2 |hess L| <= S on B. H3 the radius. H4 eta <= 1/S. H5 L >= 0.
Source. Polyak 1963, Lojasiewicz 1963; containment in a ball as in Oymak and Soltanolkotabi 2019 and Liu, Zhu and Belkin
  2022. The constant kappa and its interpolation between 1 (eta -> 0, gradient flow) and 2 are ours.
Proof.  paper_notes.md, G5, lines 1-6.
Sharp.  A single curvature mu = S: kappa = 1 at every step size, and both inequalities are equalities at every T.
Failure. A loss with a positive minimum (H1); an S too small, or eta = 3/S (H2, H4); a ball that ends before the
  minimum, beyond which the loss is flat (H3).
Units.  mu, S in loss per squared parameter; path length in parameter units.
"""

import math
from typing import Literal

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from theory.claim import Claim
from theory.descent_product import ROUNDING, loss_rounding
from theory.verdict import Check

CLAIM = Claim(
    id="G5",
    title="Polyak-Lojasiewicz containment",
    statement="|grad L|^2 >= 2 mu L and |hess L| <= S on B(theta_0, kappa sqrt(2 L_0/mu)), eta <= 1/S: the iterates "
    "stay there and L_T <= (1 - eta mu (2 - eta S))^T L_0",
    hypotheses={
        "gradient dominance on the ball": "|grad L|^2 >= 2 mu L on the ball, mu > 0",
        "smoothness on the ball": "|hess L| <= S on the ball",
        "large enough ball": "rho >= kappa sqrt(2 L_0 / mu)",
        "stable step size": "eta <= 1/S",
        "nonnegative loss": "L >= 0",
    },
    provenance="classic",
    source="Polyak 1963, Lojasiewicz 1963; ball: Oymak and Soltanolkotabi 2019, Liu, Zhu and Belkin 2022; kappa: ours",
    module="pl_containment",
    abstract="gradient descent converges beyond the kernel regime, without Lipschitz smoothness of the loss",
    sharp="a single curvature: both inequalities are equalities at every step size and every T",
    tight=True,
    constants="to be proved on a ball before training: mu and S; known: L_0 and the step size",
    standing="conditional",
    rests_on=("G1",),
)


def path_factor(step_size: ArrayLike, *, rate: ArrayLike, smoothness: ArrayLike) -> Float[Array, "..."]:
    """kappa = (1 + sqrt(1 - eta mu (2 - eta S))) / (2 - eta S) in [1, 2]; NaN where mu > S, which H1-H5 exclude."""
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
    """kappa sqrt(2/mu) (sqrt L_0 - sqrt L_T), the longest path; final_loss = 0 gives the radius that B must have."""
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
    inequality: Literal["path length", "rate"],
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

    rate, smoothness: mu and S, proven on the ball of radius `ball_radius` about theta_0 (sampled ones are laxer in the
    hypotheses than the theorem).  output_scale: size of f and y; parameter_scale: of theta.
    """
    if inequality not in ("path length", "rate"):
        raise ValueError(f"inequality must be 'path length' or 'rate', but was {inequality!r}")
    for name, value in {"step_size": step_size, "rate": rate, "smoothness": smoothness}.items():
        if not value > 0.0:
            raise ValueError(f"{name} must be positive, but was {value}")
    constants = {"step_size": step_size, "rate": rate, "smoothness": smoothness}
    radius = float(path_ceiling(initial_loss, 0.0, **constants))
    if inequality == "path length":
        measured, bound = path_length, float(path_ceiling(initial_loss, max(final_loss, 0.0), **constants))
        # sqrt(L) = |r| / sqrt(2N) is off by what the residuals are off by, twice.
        noise = 2.0 * ROUNDING * output_scale * radius / math.sqrt(initial_loss) if initial_loss > 0.0 else 0.0
        rounding = noise + ROUNDING * (abs(radius) + parameter_scale)
    else:
        measured, bound = final_loss, float(loss_ceiling(initial_loss, num_steps, **constants))
        rounding = ROUNDING * abs(bound) + loss_rounding(max(abs(bound), ROUNDING**2), output_scale)
    return Check(
        claim=CLAIM.id,
        inequality=inequality,
        instance=instance,
        measured=measured,
        sense="<=",
        bound=bound,
        rounding=rounding,
        margins={
            "stable step size": 1.0 / (step_size * smoothness) - 1.0 + ROUNDING,
            "large enough ball": ball_radius * (1.0 + ROUNDING) - radius,
            "nonnegative loss": final_loss,
            "above rounding": max(measured, bound) - rounding,
        },
    )

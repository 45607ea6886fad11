"""Finite horizon: a fixed training time keeps gradient descent in a ball known before training, and 1/S there suffices.

Statement. L is C^2, theta_{s+1} = theta_s - eta grad L(theta_s) for s < T, tau = eta T the horizon, L >= 0 on the run,
  rho = sqrt(2 tau L_0),  |hess L| <= S on the ball B(theta_0, rho), which lies in B_R, R = |theta_0| + rho.
If eta <= 1/S, then every segment [theta_s, theta_{s+1}] stays in B(theta_0, rho), and for s <= T
  decrease      (eta/2) sum_{k<s} |grad L_k|^2 <= L_0 - L_s, so L never rises and the descent product (G1) holds;
  path length   |theta_s - theta_0| <= PathLength_s <= sqrt(2 s eta (L_0 - L_s)) <= rho;
  gradient      min_{k<T} |grad L_k|^2 <= 2 (L_0 - L_T) / tau <= 2 L_0 / tau.
No global smoothness, no dissipativity, no width: a continuous S(R) with |hess L| <= S(|theta|) is enough, and every tau
has its step size 1/S(R), hence ceil(tau S(R)) steps.
Hypotheses. H1 |hess L| <= S on the ball. H2 eta <= 1/S. H3 L >= 0 on the segments of the run.
Source. Descent lemma with a continuity argument; a reconstruction of descent without Lipschitz smoothness.
Proof.  paper_notes.md, G3, lines 1-5.
Sharp.  T = 1, a single curvature, eta = 1/S: all three at once, with L_1 = 0. For T > 1 a constant slope M with
  tau M^2 = L_0 travels sqrt(tau L_0): the radius is loose by at most sqrt 2 at every horizon.
Failure. S from the iterates alone (H1); eta = 3/S (H2); L = 1 - 2 theta, run to below 0 (H3).
  Past the horizon nothing is promised.
Units.  tau in squared parameters per loss (it is eta times steps); S in loss per squared parameter.
"""

import math
from typing import Literal

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from theory import require
from theory.claim import Claim
from theory.descent_product import loss_rounding
from theory.rounding import ROUNDING
from theory.verdict import Check

CLAIM = Claim(
    id="G3",
    title="Finite horizon",
    statement="|hess L| <= S on B(theta_0, sqrt(2 tau L_0)) and eta <= 1/S keep T = tau/eta steps there, with L "
    "falling and min |grad L_s|^2 <= 2 (L_0 - L_T)/tau",
    hypotheses={
        "smoothness on the ball": "|hess L| <= S on the ball of radius sqrt(2 tau L_0) about theta_0",
        "stable step size": "eta <= 1/S",
        "nonnegative loss": "L >= 0 on the segments of the run",
    },
    provenance="reconstruction",
    source="descent lemma (Polyak 1963, Nesterov 2004) with a continuity argument along partial steps",
    module="finite_horizon",
    abstract="gradient descent converges beyond the kernel regime, without Lipschitz smoothness of the loss",
    sharp="one step at eta = 1/S on a single curvature; the radius within sqrt 2 at every horizon (constant slope)",
    tight=True,
    constants="known before training: |theta_0|, L_0, tau and, with a calculus of blocks, S; nothing is fitted",
    standing="proved and tight",
    rests_on=("G1", "G2"),
)

Inequality = Literal["containment", "path length", "gradient", "decrease"]


def horizon_radius(initial_norm: ArrayLike, initial_loss: ArrayLike, *, horizon: ArrayLike) -> Float[Array, "..."]:
    """R = |theta_0| + sqrt(2 tau L_0), the ball about 0 that gradient descent cannot leave within the horizon."""
    return jnp.asarray(initial_norm, float) + path_ceiling(initial_loss, elapsed=horizon)


def path_ceiling(loss_decrease: ArrayLike, *, elapsed: ArrayLike) -> Float[Array, "..."]:
    """sqrt(2 s eta (L_0 - L_s)), the longest path in the time `elapsed` = s eta (parameter units); broadcasts."""
    return jnp.sqrt(2.0 * jnp.asarray(elapsed, float) * jnp.asarray(loss_decrease, float))


def gradient_ceiling(loss_decrease: ArrayLike, *, horizon: ArrayLike) -> Float[Array, "..."]:
    """2 (L_0 - L_T) / tau, the most that the least |grad L_s|^2, s < T, can be; broadcasts."""
    return 2.0 * jnp.asarray(loss_decrease, float) / horizon


def steps_for_horizon(horizon: float, smoothness: float) -> int:
    """ceil(tau S), at least 1: the fewest steps that cover the horizon tau with eta = tau / steps <= 1/S."""
    if not (horizon > 0.0 and math.isfinite(horizon * smoothness)):
        raise ValueError(f"horizon must be positive, and finite times smoothness, but was {horizon} with {smoothness}")
    return max(1, math.ceil(horizon * smoothness))


def check(
    *,
    inequality: Inequality,
    largest_distance: float,
    path_length: float,
    squared_gradients: Float[np.ndarray, " steps"],
    initial_loss: float,
    final_loss: float,
    least_loss: float,
    step_size: float,
    smoothness: float,
    instance: str,
    output_scale: float = 1.0,
    parameter_scale: float = 1.0,
) -> Check:
    """Hold a run of T = len(squared_gradients) steps against one of the inequalities.

    inequality: "containment" is largest_distance, the largest |theta_s - theta_0| over s <= T, against
    sqrt(2 tau L_0), known before training; the other three use L_T.  squared_gradients: |grad L_s|^2, s < T.
    least_loss: of the run's segments, or any lower bound of L there; only its sign counts (H3).
    smoothness: S, at least |hess L| on the whole ball, a proven bound (a sampled one errs low and is laxer in H2).
    output_scale, parameter_scale: sizes of f, y and of theta, whose rounding residuals and distances inherit.
    """
    _require_run(inequality, squared_gradients, step_size, smoothness)
    horizon = step_size * len(squared_gradients)
    fallen = initial_loss - (0.0 if inequality == "containment" else final_loss)
    noise = loss_rounding(initial_loss, output_scale) + ROUNDING * initial_loss
    # Residuals off by rho move |grad L| by at most |J|/sqrt(N) rho <= sqrt(S) rho.
    slip = ROUNDING * math.sqrt(smoothness) * output_scale
    largest = float(np.sqrt(squared_gradients.max()))
    if inequality in ("containment", "path length"):
        measured = largest_distance if inequality == "containment" else path_length
        bound = float(path_ceiling(max(fallen, 0.0), elapsed=horizon))
        rounding = _root(2.0 * horizon * (fallen + 2.0 * noise)) - bound + ROUNDING * (bound + parameter_scale)
    elif inequality == "gradient":
        measured, bound = float(squared_gradients.min()), float(gradient_ceiling(fallen, horizon=horizon))
        rounding = 4.0 * noise / horizon + slip * (2.0 * math.sqrt(measured) + slip) + ROUNDING * measured
    else:
        measured, bound = 0.5 * step_size * float(squared_gradients.sum()), fallen
        rounding = 2.0 * noise + ROUNDING * measured + 0.5 * horizon * slip * (2.0 * largest + slip)
    return Check(
        claim=CLAIM.id,
        inequality=inequality,
        instance=instance,
        measured=measured,
        sense="<=",
        bound=bound,
        rounding=rounding,
        margins={
            "smoothness on the ball": 0.0 if math.isfinite(smoothness) else -1.0,
            "stable step size": math.inf if smoothness == 0.0 else 1.0 / (step_size * smoothness) - 1.0 + ROUNDING,
            "nonnegative loss": least_loss,
            "above rounding": max(measured, bound) - rounding,
        },
    )


def _root(value: float) -> float:
    """sqrt, with 0 for what rounding (or a rising loss, a violation) made negative."""
    return math.sqrt(max(value, 0.0))


def _require_run(inequality: str, squared_gradients: np.ndarray, step_size: float, smoothness: float) -> None:
    if inequality not in ("containment", "path length", "gradient", "decrease"):
        raise ValueError(
            f"inequality must be one of containment, path length, gradient, decrease, but was {inequality!r}"
        )
    if len(squared_gradients) < 1:
        raise ValueError("squared_gradients must hold at least 1 step, but was empty")
    require.positive(step_size=step_size)
    require.at_least_zero(smoothness=smoothness)

"""Tail rate: in the end gradient descent is as slow as the kernel's least eigenvalue, hence as slow as h_min^2.

Statement. loss L = (1/2N)|r|^2, K = J J^T, gradient descent of step size eta; rate = fall of log L in one step.
(a) One mode, exact. f linear in theta: r_s = (I - eta K/N)^s r_0, an eigenvector's share of the loss falls by exactly
      rate(lambda) = -2 log|1 - eta lambda/N|  a step.
(b) A window of T steps, exact, f linear: with p > 0 the share of |r_0|^2 in the eigenvector of lambda_min,
      (1/T) log(L_0/L_T) <= rate(lambda_min) + (1/T) log(1/p).
(c) One step, any C^2 model: |hess L| <= S on the segment, 1 - alpha the share of |r_s|^2 in K_s's bottom eigenvector,
      log(L_s/L_{s+1}) <= -log(1 - (2 eta + eta^2 S) mu),  mu = ((1 - alpha) G_s^2/2 + alpha lambda_max(K_s))/N,
    G_s = |grad f(x_i) - grad f(x_j)| at theta_s for any pair: lambda_min(K_s) <= G_s^2/2 (spectral ceiling).
(d) With lambda_min <= G^2/2 in (a) and z = eta G^2/(2N) < 1: rate <= -2 log(1 - z), so the loss needs at least
      1/rate >= N/(eta G^2) - 1/2  steps an e-folding, Omega(h_min^-2), for every labelling with p > 0.
Asymptotic (cited, not checked on runs). If theta_s -> theta* with L(theta*) = 0, f is C^2 near it and no L_s is 0, then
  (1/s) log(L_0/L_s) -> rate(lambda) of SOME eigenvalue lambda of K(theta*): the slowest unless the run avoids its mode,
  and the slowest is lambda_min when eta (lambda_min + lambda_max) <= 2 N.
Hypotheses. H1 (a, b, d) f is linear in theta. H2 (c) f is C^2, |hess L| <= S on the segments.
Source. Reconstruction; (a) classic. Asymptotic: Perron's theorem for x_{s+1} = (A + E_s) x_s, E_s -> 0 (Pituk 2002).
Proof.  paper_notes.md, R5, lines 1-7.
Sharp.  (a), (b): equality for a residual in the bottom mode. (d): residual and bottom eigenvector (e_i - e_j)/sqrt 2.
  (c) loses a factor 1 + eta S/2 in the rate at small mu, and more where its logarithm nears 0.
Failure. p = 0 (Lipschitz labels come close): the tail follows the next mode, however small h_min is.
  (c): S and G sampled within a window err LOW, so the ceiling errs LOW and the check is stricter than the theorem.
Units.  Rates per step; lambda in squared labels over squared parameters; eta lambda/N has no unit.
"""

import math

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from theory import require
from theory.claim import Claim
from theory.descent_product import greatest_fall, kernel_rate, loss_resolution
from theory.rounding import ROUNDING
from theory.verdict import Check

CLAIM = Claim(
    id="R5",
    title="Tail rate",
    statement="log L falls by at most -log(1 - (2 eta + eta^2 S) mu) a step, mu = ((1 - alpha) G^2/2 + "
    "alpha lambda_max)/N; for a linear model the slow mode's e-folding takes at least N/(eta G^2) - 1/2 steps",
    hypotheses={
        "smoothness on segments": "finite step: f is C^2 and |hess L| <= S on the segments",
        "frozen kernel": "linear law: f is linear in theta",
        "share in the bottom mode": "linear law: the residual has a share p > 0 in the bottom eigenvector",
    },
    provenance="reconstruction",
    source="one-step floor of the descent product, spectral ceiling; Perron's theorem (Pituk 2002) for the limit",
    module="tail_rate",
    abstract="a smaller minimum pairwise distance can slow down gradient descent",
    sharp="linear law: residual in the bottom mode; with G: bottom eigenvector (e_i - e_j)/sqrt 2",
    tight=True,
    constants="measured at the step: G, S, mode share, largest eigenvalue",
    standing="conditional",
    rests_on=("R1", "G1"),
)


def tail_rate(eigenvalue: ArrayLike, step_size: ArrayLike, *, num_points: ArrayLike) -> Float[Array, "..."]:
    """-2 log|1 - eta lambda/N|, the fall of one mode's log-loss a step (f linear in theta; exact).

    Infinite at eta lambda = N, negative above 2 N: the mode grows.  Arguments broadcast.
    """
    return -2.0 * _log_distance_from_one(jnp.asarray(step_size, float) * kernel_rate(eigenvalue, num_points=num_points))


def tail_rate_ceiling(gradient_gap: ArrayLike, step_size: ArrayLike, *, num_points: ArrayLike) -> Float[Array, "..."]:
    """-2 log(1 - eta G^2/(2N)) >= rate(lambda_min); infinite, thus vacuous, once eta G^2 >= 2 N."""
    slowest = 0.5 * jnp.square(jnp.asarray(gradient_gap, float))
    contracted = jnp.asarray(step_size, float) * kernel_rate(slowest, num_points=num_points)
    return -2.0 * _log_distance_from_one(jnp.minimum(contracted, 1.0))


def e_folding_floor(gradient_gap: ArrayLike, step_size: ArrayLike, *, num_points: ArrayLike) -> Float[Array, "..."]:
    """(N/(eta G^2) - 1/2)_+, the least number of steps in which the slow mode's loss falls by a factor e."""
    squared_gap = jnp.square(jnp.asarray(gradient_gap, float))
    return jnp.maximum(num_points / (step_size * squared_gap) - 0.5, 0.0)


def window_rate_ceiling(
    eigenvalue: ArrayLike,
    step_size: ArrayLike,
    *,
    num_points: ArrayLike,
    mode_share: ArrayLike,
    num_steps: ArrayLike,
) -> Float[Array, "..."]:
    """rate(lambda) + (1/T) log(1/p), f linear: the mean rate over T steps that start with the share p in that mode."""
    rate = tail_rate(eigenvalue, step_size, num_points=num_points)
    return rate - jnp.log(jnp.asarray(mode_share, float)) / num_steps


def step_rate_ceiling(
    gradient_gap: ArrayLike,
    step_size: ArrayLike,
    *,
    num_points: ArrayLike,
    mode_share: ArrayLike,
    top_eigenvalue: ArrayLike,
    smoothness: ArrayLike,
) -> Float[Array, "..."]:
    """-log(1 - (2 eta + eta^2 S) ((1 - alpha) G^2/2 + alpha lambda_max)/N), any C^2 model, one step.

    mode_share: 1 - alpha, the share of |r|^2 in the bottom eigenvector.  Increases in G, lambda_max, S and alpha (G^2/2
    <= lambda_max always), so suprema over a window bound every step of it.  Infinite, thus vacuous, once the
    logarithm's argument is not positive.
    """
    share = jnp.asarray(mode_share, float)
    weighted = share * 0.5 * jnp.square(jnp.asarray(gradient_gap, float)) + (1.0 - share) * top_eigenvalue
    rate = kernel_rate(weighted, num_points=num_points)
    return -_log_distance_from_one(jnp.minimum(greatest_fall(rate, step_size, smoothness=smoothness), 1.0))


# One compiled call in place of a dozen dispatches: a hunt makes ten thousand of these.
_compiled_window, _compiled_step = jax.jit(window_rate_ceiling), jax.jit(step_rate_ceiling)


def check(
    *,
    first_loss: float,
    last_loss: float,
    num_steps: int,
    gradient_gap: float,
    mode_share: float,
    top_eigenvalue: float,
    smoothness: float,
    step_size: float,
    num_points: int,
    instance: str,
    output_scale: float = 1.0,
) -> Check:
    """Hold the mean rate of any C^2 model over a window of steps against the finite-step ceiling (c).

    gradient_gap, top_eigenvalue, smoothness: suprema over the window; mode_share: the infimum over its steps.
    output_scale: size of f and y, whose rounding the residuals inherit.
    """
    _require_window(num_steps, step_size, mode_share)
    bound = float(
        _compiled_step(
            gradient_gap,
            step_size,
            num_points=num_points,
            mode_share=mode_share,
            top_eigenvalue=top_eigenvalue,
            smoothness=smoothness,
        )
    )
    # d bound = (2 eta + eta^2 S) exp(bound) d mu, and mu inherits the eigenvectors' ROUNDING lambda_max.
    steepness = step_size * (2.0 + step_size * smoothness) * math.exp(min(bound, 700.0))
    return Check(
        claim=CLAIM.id,
        inequality="one step",
        instance=instance,
        measured=mean_rate(first_loss, last_loss, num_steps),
        sense="<=",
        bound=bound,
        rounding=rate_rounding(first_loss, last_loss, output_scale)
        + ROUNDING * (bound + steepness * top_eigenvalue / num_points),
        margins={"loss above rounding": _resolution(first_loss, last_loss, output_scale)},
        vacuous=math.isinf(bound),
    )


def check_linear(
    *,
    first_loss: float,
    last_loss: float,
    num_steps: int,
    bottom_eigenvalue: float,
    top_eigenvalue: float,
    mode_share: float,
    step_size: float,
    num_points: int,
    instance: str,
    kernel_drift: float = 0.0,
    output_scale: float = 1.0,
) -> Check:
    """Hold the mean rate of a linear model (a network's linearisation) over a window against the window law (b).

    mode_share: p at the window's first step.  kernel_drift: |K_T - K_0|/|K_0|; not linear, not applicable, above
    rounding.
    """
    _require_window(num_steps, step_size, mode_share)
    bound = float(
        _compiled_window(
            bottom_eigenvalue, step_size, num_points=num_points, mode_share=mode_share, num_steps=num_steps
        )
    )
    contraction = abs(1.0 - step_size * bottom_eigenvalue / num_points)
    steepness = 2.0 * step_size / (num_points * contraction) if contraction > 0.0 else math.inf
    return Check(
        claim=CLAIM.id,
        inequality="window of a linear model",
        instance=instance,
        measured=mean_rate(first_loss, last_loss, num_steps),
        sense="<=",
        bound=bound,
        rounding=rate_rounding(first_loss, last_loss, output_scale)
        + ROUNDING * (abs(bound) + steepness * top_eigenvalue),
        margins={
            "loss above rounding": _resolution(first_loss, last_loss, output_scale),
            "frozen kernel": ROUNDING - kernel_drift,
        },
        vacuous=math.isinf(bound),
    )


def mean_rate(first_loss: float, last_loss: float, num_steps: int) -> float:
    """(log L_first - log L_last) / T, the measured fall of log L a step; infinite when the last loss is 0, NaN when
    the first is."""
    if first_loss == 0.0:
        return math.nan
    if last_loss == 0.0:
        return math.inf
    return (math.log(first_loss) - math.log(last_loss)) / num_steps


def rate_rounding(first_loss: float, last_loss: float, output_scale: float) -> float:
    """Rounding of a mean rate whose residuals, and whose steps, are off by rho = ROUNDING * output_scale.

    log L is off by 2 rho / sqrt(2 L) at either end and is pushed by as much at every step: 2 (2 + T) / T <= 6 a step.
    """
    least = min(first_loss, last_loss)
    return 6.0 * ROUNDING * output_scale / math.sqrt(2.0 * least) if least > 0.0 else math.inf


def _log_distance_from_one(share: Float[Array, "..."]) -> Float[Array, "..."]:
    """log|1 - x|, accurate to a few eps both for tiny x (slow modes live at x = 1e-9) and near x = 1."""
    return jnp.where(share < 0.5, jnp.log1p(-jnp.minimum(share, 0.5)), jnp.log(jnp.abs(1.0 - share)))


def _resolution(first_loss: float, last_loss: float, output_scale: float) -> float:
    """`loss_resolution` of the lesser loss; NaN for a diverged run."""
    return math.nan if math.isnan(first_loss + last_loss) else loss_resolution(min(first_loss, last_loss), output_scale)


def _require_window(num_steps: int, step_size: float, mode_share: float) -> None:
    if num_steps < 1:
        raise ValueError(f"num_steps must be at least 1, but was {num_steps}")
    require.positive(step_size=step_size)
    if mode_share < 0.0 or mode_share > 1.0 + ROUNDING:  # NaN passes: a diverged run is data
        raise ValueError(f"mode_share must lie in [0, 1], but was {mode_share}")

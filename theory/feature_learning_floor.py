"""Feature-learning floor: the path and step floors with constants known before training, however the kernel moves.

Statement. G(theta) = |grad f(theta; x_i) - grad f(theta; x_j)| <= Lbar(|theta|) h, h = |x_i - x_j|, Lbar nondecreasing;
A(P) = int_0^P Lbar(|theta_0| + p) dp.  For any optimiser's iterates, L_T <= eps needs
  PathLength_T >= P*,  P* the least P with A(P) h >= (|d_0| - 2 sqrt(N eps))_+,
and gradient descent needs T >= P*^2 / (2 eta L_0) steps; eps may be subtracted from L_0 when L_T = eps, or when Lbar is
concave on [|theta_0|, infinity), but not in general.
The larger P Lbar(|theta_0| + P), or any upper sum, in place of A(P) gives a smaller, true floor.  For Lbar = c R^q
  P* = (|theta_0|^(q+1) + (q+1) excess / (c h))^(1/(q+1)) - |theta_0|,  so T = Omega(h^(-2/(1+q))):
h^-2 for a frozen kernel (q = 0), h^-1 for q = 1, wherever a label gap must go.
Hypotheses. H1 continuity, as in the path floor. H2 Lbar bounds G on the ball of radius |theta_0| + PathLength. H3 Lbar
  nondecreasing. H4 (steps) summed sufficient decrease, as in the step floor.
Source. Reconstruction of "a smaller h_min can slow down gradient descent", beyond a frozen kernel.
Proof.  paper_notes.md, R6, lines 1-8.
Sharp.  Path: f = x theta^(q+1)/(q+1), theta > 0 moving outwards, every T.  Steps: T = 1 (tests).
Failure. The frozen constant L_J(theta_0) for Lbar: f = x theta^2/2 needs less path.  A jump.  One huge step.
Units.  P*, |theta| in parameter units; Lbar in labels per (parameter x input); h in input units; T counts steps.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from theory import require, step_floor
from theory.claim import Claim
from theory.rounding import ROUNDING
from theory.verdict import Check

CLAIM = Claim(
    id="R6",
    title="Feature-learning floor",
    statement="L_T <= eps needs PathLength_T >= P*, h int_0^P* Lbar(|theta_0| + p) dp = |d_0| - 2 sqrt(N eps), "
    "and T >= P*^2 / (2 eta L_0)",
    hypotheses={
        "continuity": "f(.; x_i) and f(.; x_j) are absolutely continuous along the path and obey the chain rule",
        "envelope on the ball": "|grad f(x_i) - grad f(x_j)| <= Lbar(|theta|) h for |theta| <= |theta_0| + path length",
        "nondecreasing envelope": "Lbar does not fall as |theta| grows",
        "sufficient decrease": "summed: (eta/2) sum_s |grad L_s|^2 <= L_0 - L_T (steps only)",
    },
    provenance="reconstruction",
    source="path floor in arc length; Cauchy-Schwarz",
    module="feature_learning_floor",
    abstract="a smaller minimum pairwise distance can slow down gradient descent",
    sharp="path: f = x theta^(q+1)/(q+1) moving outwards; steps: T = 1; networks: as loose as their envelope",
    tight=True,
    constants="all known before training: d_0, L_0, |theta_0|, step size, and Lbar from the architecture",
    standing="conditional",
    rests_on=("R2", "R3", "G2"),
)

_EXPONENT = 250.0  # the root is sought in [2^-250, 2^250]
_HALVINGS = 62  # of that interval's 500 exponents: the last is below float64's resolution of an exponent

Travel = Callable[[Float[Array, "..."]], Float[Array, "..."]]
"""P -> int_0^P Lbar(|theta_0| + p) dp, or more: nondecreasing, in JAX."""


def polynomial_travel(
    path_length: ArrayLike, coefficients: Float[ArrayLike, " degree_plus_1"], *, initial_norm: ArrayLike
) -> Float[Array, "..."]:
    """A(P) for Lbar(R) = sum_k c_k R^k, c_k >= 0: sum_j b_j P^(j+1)/(j+1), b_j the coefficients about |theta_0|.

    Multiplied by h it is the most that the gap can have moved (line 2).  All terms are positive: nothing cancels.
    """
    path, lift = jnp.asarray(path_length, float), jnp.asarray(initial_norm, float)
    about_origin = jnp.asarray(coefficients, float)
    total = jnp.zeros(jnp.broadcast_shapes(path.shape, lift.shape))
    for j in range(about_origin.shape[0]):
        shifted = sum(math.comb(k, j) * about_origin[k] * lift ** (k - j) for k in range(j, about_origin.shape[0]))
        total += jnp.where(shifted == 0.0, 0.0, shifted * path ** (j + 1) / (j + 1))  # 0 times an overflow is 0
    return total


def upper_travel(envelope: Travel, initial_norm: ArrayLike, *, pieces: int = 1) -> Travel:
    """P -> sum_{k=1..n} (P/n) Lbar(|theta_0| + k P/n) >= A(P) if Lbar never falls; P Lbar(|theta_0| + P) at n = 1."""
    if pieces < 1:
        raise ValueError(f"pieces must be at least 1, but was {pieces}")
    shares = jnp.arange(1, pieces + 1) / pieces

    def travel(path_length: Float[Array, "..."]) -> Float[Array, "..."]:
        path = jnp.asarray(path_length)[..., None]
        return jnp.sum(path / pieces * envelope(jnp.asarray(initial_norm)[..., None] + shares * path), axis=-1)

    return travel


def path_floor(excess: ArrayLike, separation: ArrayLike, *, travel: Travel) -> Float[Array, "..."]:
    """P*, the least P with travel(P) h >= excess (parameter units), by bisection of log2 P; arguments broadcast.

    excess: (|d_0| - 2 sqrt(N eps))_+, `theory.path_floor.excess_gap`.  0 where nothing must go (or P* < 2^-250),
    infinity where it cannot (P* > 2^250), NaN for NaN.  Relative error about |log2 P*| eps, to the low side.
    """
    needed = jnp.asarray(excess, float) / jnp.asarray(separation, float)

    def reached(exponent: Float[Array, "..."]) -> Array:
        return travel(jnp.exp2(exponent)) >= needed

    def halve(_: ArrayLike, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = 0.5 * (low + high)
        enough = reached(middle)
        return jnp.where(enough, low, middle), jnp.where(enough, middle, high)

    least, most = jnp.full(needed.shape, -_EXPONENT), jnp.full(needed.shape, _EXPONENT)
    root = jnp.exp2(jax.lax.fori_loop(0, _HALVINGS, halve, (least, most))[0])
    floor = jnp.where(reached(least) | (needed <= 0.0), 0.0, jnp.where(reached(most), root, jnp.inf))
    return jnp.where(jnp.isnan(needed), jnp.nan, floor)


@jax.jit
def polynomial_path_floor(
    excess: ArrayLike,
    separation: ArrayLike,
    *,
    coefficients: Float[ArrayLike, " degree_plus_1"],
    initial_norm: ArrayLike,
) -> Float[Array, ""]:
    """P* for Lbar(R) = sum_k c_k R^k with c_k >= 0, one compiled call a degree; scalars."""
    return path_floor(
        excess, separation, travel=lambda path: polynomial_travel(path, coefficients, initial_norm=initial_norm)
    )


def power_path_floor(
    excess: ArrayLike, separation: ArrayLike, *, constant: ArrayLike, power: ArrayLike, initial_norm: ArrayLike
) -> Float[Array, "..."]:
    """P* for Lbar(R) = c R^q, q >= 0 real, in closed form; for Lbar = c (1 + R)^q pass 1 + |theta_0|.  Broadcasts."""
    order, start = jnp.asarray(power, float) + 1.0, jnp.asarray(initial_norm, float)
    needed = order * jnp.asarray(excess, float) / (jnp.asarray(constant, float) * separation)
    relative = needed / start**order  # infinite from the origin
    near = start * jnp.expm1(jnp.log1p(relative) / order)  # cancels nothing
    return jnp.where(relative < 1.0, near, (start**order + needed) ** (1.0 / order) - start)


def least_steps(
    path_length: ArrayLike, initial_loss: ArrayLike, *, step_size: ArrayLike, target_loss: ArrayLike = 0.0
) -> Float[Array, "..."]:
    """P*^2 / (2 eta (L_0 - target_loss)), the least number of steps of gradient descent.

    target_loss: leave at 0 unless the loss ends at exactly this value or Lbar is concave beyond |theta_0| (line 6).
    """
    return step_floor.steps_for_path(path_length, jnp.asarray(initial_loss, float) - target_loss, step_size=step_size)


def check(
    path_length: float,
    floor: float,
    *,
    target_loss: float,
    final_loss: float,
    instance: str,
    envelope_margin: float = 0.0,
    cancellation: float = 1.0,
) -> Check:
    """Hold the path length at which a run stood at `final_loss` <= `target_loss` against P*.

    envelope_margin: the least Lbar(|theta|) h - G(theta) seen on the run; 0 where Lbar is proved.  cancellation: how
    many times larger the numbers are whose differences d_0 and G are (|f|/excess, |grad f|/G).  Floor 0 is vacuous.
    """
    require.at_least_zero(path_length=path_length, floor=floor, target_loss=target_loss)
    return Check(
        claim=CLAIM.id,
        inequality="path floor",
        instance=instance,
        measured=path_length,
        sense=">=",
        bound=floor,
        rounding=_rounding(floor, cancellation),
        margins={"target reached": target_loss - final_loss, "envelope on the ball": envelope_margin},
        vacuous=floor == 0.0,
    )


def check_steps(
    num_steps: int,
    floor: float,
    *,
    initial_loss: float,
    target_loss: float,
    final_loss: float,
    squared_gradient_sum: float,
    step_size: float,
    instance: str,
    envelope_margin: float = 0.0,
    cancellation: float = 1.0,
) -> Check:
    """Hold the number of steps after which gradient descent stood at L_T <= eps against P*^2 / (2 eta (L_0 - L_T)).

    floor: P* for eps = `target_loss` (tightest at L_T itself).  final_loss: L_T.  squared_gradient_sum: sum of
    |grad L_s|^2 over the num_steps gradients used.  Vacuous below one step.
    """
    require.at_least_zero(
        floor=floor, target_loss=target_loss, final_loss=final_loss, squared_gradient_sum=squared_gradient_sum
    )
    require.positive(step_size=step_size)
    bound = float(_compiled_steps(floor, initial_loss, step_size=step_size, target_loss=final_loss))
    decrease = _compiled_margin(
        initial_loss, final_loss, step_size=step_size, squared_gradient_sum=squared_gradient_sum
    )
    rounding = 3.0 * _rounding(bound, cancellation)  # a square, and L_0 - L_T inherits the gap's rounding
    return Check(
        claim=CLAIM.id,
        inequality="step floor",
        instance=instance,
        measured=float(num_steps),
        sense=">=",
        bound=bound,
        rounding=rounding,
        margins={
            "target reached": target_loss - final_loss,
            "sufficient decrease": float(decrease),
            "envelope on the ball": envelope_margin,
        },
        vacuous=bound + rounding < 1.0,
    )


_compiled_steps, _compiled_margin = jax.jit(least_steps), jax.jit(step_floor.sufficient_decrease_margin)


def _rounding(bound: float, cancellation: float) -> float:
    """Relative rounding of P*, whose elasticity in excess/h is at most 1 (A is convex and A(0) = 0)."""
    return bound * ROUNDING * (1.0 + cancellation) if math.isfinite(bound) else 0.0

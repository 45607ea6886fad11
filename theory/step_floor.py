"""Step floor: gradient descent of a given step size needs Omega(h_min^-2) steps wherever close inputs keep a label gap.

Statement. Gradient descent theta_{s+1} = theta_s - eta grad L(theta_s); d_0, G as in the path floor. L_T <= eps needs
  T >= (|d_0| - 2 sqrt(N eps))_+^2 / (2 eta (L_0 - eps) G^2)  >=  (|d_0| - 2 sqrt(N eps))_+^2 / (2 eta L_0 G^2).
The step before it is sharper, with the path and the losses of the run itself:
  PathLength_T^2 <= T * eta^2 sum_{s<T} |grad L_s|^2 <= 2 eta T (L_0 - L_T).
Both speak of the time eta T alone: halving the step size doubles the floor.
Hypotheses. H1 of the path floor. H2 summed sufficient decrease, (eta/2) sum_{s<T} |grad L_s|^2 <= L_0 - L_T: implied by
  eta <= 1/sup |hess L| on the path (each step then decreases L by (eta/2)|grad L|^2), and measured exactly on a run.
Source. Reconstruction of "a smaller h_min can slow down gradient descent": the path floor with Cauchy-Schwarz.
Proof.  paper_notes.md, R3, lines 1-5.
Sharp.  T = 1: linear model, residual +-d_0/2 on the pair alone, eta = 1/curvature along phi(x_i) - phi(x_j), eps = 0.
  Such a run at eps = L_T takes T x coth(-T log(1 - x) / 2) times the floor, x = eta |phi(x_i) - phi(x_j)|^2 / (2N):
  a factor 2 as T x -> 0, because small steps decrease L by eta |grad L|^2, twice what H2 asks.
Failure. Without H2: one huge step beats the floor, whatever h_min is. G from the iterates alone, as in the path floor:
  it errs LOW, so the floor errs HIGH and the check is stricter than the theorem.
Units.  T counts steps; eta G^2 has no unit; loss L = (1/2N) sum |r|^2 in squared labels.
"""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from theory import path_floor, require
from theory.claim import Claim
from theory.rounding import ROUNDING
from theory.verdict import Check

CLAIM = Claim(
    id="R3",
    title="Step floor",
    statement="L_T <= eps needs T >= (|d_0| - 2 sqrt(N eps))_+^2 / (2 eta (L_0 - eps) G^2)",
    hypotheses={
        "continuity": "f(.; x_i) and f(.; x_j) are absolutely continuous along the path and obey the chain rule",
        "supremum over segments": "G is at least the gradient gap at every point of the path, not at its corners alone",
        "sufficient decrease": "summed: (eta/2) sum_s |grad L_s|^2 <= L_0 - L_T (implied by eta <= 1/sup |hess L|)",
    },
    provenance="reconstruction",
    source="path floor and Cauchy-Schwarz",
    module="step_floor",
    abstract="a smaller minimum pairwise distance can slow down gradient descent",
    sharp="T = 1 on the pair's mode of a linear model with eta = 1/curvature; a factor 2 for short times and every T",
    tight=True,
    constants="known before training: d_0, L_0, step size; measured along the run: G",
    standing="conditional",
    rests_on=("R2",),
)


def steps_for_path(path_length: ArrayLike, loss_decrease: ArrayLike, *, step_size: ArrayLike) -> Float[Array, "..."]:
    """PathLength^2 / (2 eta (L_0 - L_T)), the least number of descent steps that can lay a path of that length.

    loss_decrease: L_0 - L_T > 0; a path of length 0 needs 0 steps.  Arguments broadcast.
    """
    path = jnp.asarray(path_length, float)
    return jnp.where(path == 0.0, 0.0, jnp.square(path) / (2.0 * step_size * jnp.asarray(loss_decrease, float)))


def step_floor(
    initial_gap: ArrayLike,
    gradient_gap: ArrayLike,
    *,
    target_loss: ArrayLike,
    initial_loss: ArrayLike,
    step_size: ArrayLike,
    num_points: ArrayLike,
) -> Float[Array, "..."]:
    """(|d_0| - 2 sqrt(N eps))_+^2 / (2 eta (L_0 - eps) G^2), the least number of steps to the loss eps.

    Consistent arguments have L_0 >= |d_0|^2 / (4N); then eps >= L_0 gives 0.  G = 0 gives infinity when a gap must go.
    """
    path = path_floor.path_floor(initial_gap, gradient_gap, target_loss=target_loss, num_points=num_points)
    return steps_for_path(path, jnp.asarray(initial_loss, float) - target_loss, step_size=step_size)


def sufficient_decrease_margin(
    initial_loss: ArrayLike, final_loss: ArrayLike, *, step_size: ArrayLike, squared_gradient_sum: ArrayLike
) -> Float[Array, "..."]:
    """(L_0 - L_T) / ((eta/2) sum_{s<T} |grad L_s|^2) - 1: at least 0 exactly when H2 holds, 1 for gradient flow.

    0 for a run that starts at a critical point and stays there.
    """
    promised = 0.5 * jnp.asarray(step_size, float) * squared_gradient_sum
    decrease = jnp.asarray(initial_loss, float) - final_loss
    return jnp.where((promised == 0.0) & (decrease == 0.0), 0.0, decrease / promised - 1.0)


_compiled_floor, _compiled_margin = jax.jit(step_floor), jax.jit(sufficient_decrease_margin)


def check(
    *,
    num_steps: int,
    initial_gap: float,
    gradient_gap: float,
    initial_loss: float,
    final_loss: float,
    target_loss: float,
    squared_gradient_sum: float,
    step_size: float,
    num_points: int,
    instance: str,
    output_scale: float = 1.0,
    gradient_scale: float = 1.0,
) -> Check:
    """Hold the number of steps after which a run stood at `final_loss` <= `target_loss` against the floor.

    squared_gradient_sum: sum of |grad L_s|^2 over the num_steps gradients used.  initial_gap, gradient_gap and the two
    scales: as in `path_floor.check`.  Vacuous below one step: it then says no more than L_0 > eps.
    """
    require.positive(step_size=step_size)
    if num_points < 2:
        raise ValueError(f"num_points must be at least 2 to have a pair, but was {num_points}")
    if initial_gap**2 > 4.0 * num_points * initial_loss * (1.0 + ROUNDING):
        raise ValueError(
            f"initial_loss must be at least initial_gap^2 / (4 num_points) = {initial_gap**2 / (4.0 * num_points)}, "
            f"but was {initial_loss}"
        )
    excess = float(path_floor.compiled_excess(initial_gap, target_loss, num_points=num_points))
    bound = float(
        _compiled_floor(
            initial_gap,
            gradient_gap,
            target_loss=target_loss,
            initial_loss=initial_loss,
            step_size=step_size,
            num_points=num_points,
        )
    )
    # 3: a square, and L_0 - eps >= (sqrt(L_0) + sqrt(eps)) excess / (2 sqrt N) inherits the gap's rounding.
    rounding = 3.0 * path_floor.floor_rounding(bound, excess, gradient_gap, output_scale, gradient_scale)
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
            "sufficient decrease": float(
                _compiled_margin(
                    initial_loss, final_loss, step_size=step_size, squared_gradient_sum=squared_gradient_sum
                )
            ),
        },
        vacuous=bound + rounding < 1.0,
    )

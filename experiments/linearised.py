"""A model's linearisation at theta_0 under gradient descent, in closed form: the frozen-kernel control.

f_lin(theta; x) = f(theta_0; x) + <grad f(theta_0; x), theta - theta_0> has the constant kernel K = J J^T, so
r_s = (I - step_size K / N)^s r_0 exactly. In the eigenbasis of K every loss along the run is a sum of N m
exponentials, and the number of steps to a target, be it 10^12, is found by bisection instead of by running.
"""

from typing import NamedTuple

import numpy as np
import scipy.linalg
from jaxtyping import Float


class Linearisation(NamedTuple):
    """Spectrum of the frozen kernel and the initial residual in its eigenbasis.

    eigenvalues: ascending, of K.  energies: squared components of r_0, (N m,).  num_points: N.
    error: rounding error bar N m eps lambda_max of each eigenvalue.
    """

    eigenvalues: np.ndarray
    energies: np.ndarray
    num_points: int
    error: float


def linearise(
    gram: Float[np.ndarray, "nm nm"], residual: Float[np.ndarray, " nm"], *, num_points: int
) -> Linearisation:
    """The linearisation with empirical kernel `gram` at theta_0 and residual f(theta_0; x_i) - y_i there."""
    eigenvalues, vectors = scipy.linalg.eigh(gram)
    return Linearisation(
        eigenvalues, (vectors.T @ residual) ** 2, num_points, len(eigenvalues) * np.finfo(float).eps * eigenvalues[-1]
    )


def loss_after(linearisation: Linearisation, steps: float | int, *, step_size: float) -> float:
    """L_s = (1/2N) sum_k (1 - step_size lambda_k / N)^(2 s) <r_0, v_k>^2 after `steps` steps.

    An eigenvalue below its error bar counts as 0: its mode is not resolved and is taken to stay.
    """
    rates = np.where(linearisation.eigenvalues > linearisation.error, linearisation.eigenvalues, 0.0)
    rates = step_size * rates / linearisation.num_points
    # |1 - rate| through log1p: a slow mode's rate must not be lost against 1. rate = 1 leaves nothing of its mode.
    with np.errstate(divide="ignore"):
        decay = np.log1p(np.where(rates < 1, -rates, rates - 2))
    remaining = np.exp(2 * steps * decay) if steps else np.ones_like(decay)
    return float(remaining @ linearisation.energies / (2 * linearisation.num_points))


def steps_to(linearisation: Linearisation, target: float, *, step_size: float) -> int | None:
    """First step s with L_s <= target; None if the loss in unresolved modes alone exceeds it, so that s is unknown.

    Raises ValueError unless step_size is below 2 N / lambda_max, where the loss falls monotonically.
    """
    ceiling = 2 * linearisation.num_points / linearisation.eigenvalues[-1]
    if not 0 < step_size < ceiling:
        raise ValueError(f"step_size must be in (0, 2 N / lambda_max) = (0, {ceiling:.6g}), but it was {step_size}")
    if loss_after(linearisation, 1e300, step_size=step_size) > target:
        return None
    low, high = 0, 1
    if loss_after(linearisation, 0, step_size=step_size) <= target:
        return 0
    while loss_after(linearisation, high, step_size=step_size) > target:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if loss_after(linearisation, middle, step_size=step_size) > target:
            low = middle
        else:
            high = middle
    return high

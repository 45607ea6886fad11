"""Confidence limits with exact coverage at every sample size: what a sampled probability or mean entitles one to say.

Clopper-Pearson 1934 for a probability, Dvoretzky-Kiefer-Wolfowitz with Massart's constant (1990) for a distribution
function, Maurer-Pontil 2009 (empirical Bernstein) for the mean of a bounded quantity. No normal approximation: a
violation found beyond these limits is wrong with probability at most `error_rate`.
"""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.special import betaincinv


class Interval(NamedTuple):
    low: float
    high: float


def binomial_interval(successes: int, trials: int, *, error_rate: float) -> Interval:
    """Clopper-Pearson interval of a probability; each side misses it with probability at most error_rate / 2."""
    if not 0 <= successes <= trials or trials < 1:
        raise ValueError(f"successes must lie between 0 and trials >= 1, but were {successes} of {trials}")
    _require_rate(error_rate)
    low = 0.0 if successes == 0 else float(betaincinv(successes, trials - successes + 1, 0.5 * error_rate))
    high = 1.0 if successes == trials else float(betaincinv(successes + 1, trials - successes, 1.0 - 0.5 * error_rate))
    return Interval(low, high)


def distribution_radius(trials: int, *, error_rate: float) -> float:
    """sqrt(log(2/error_rate) / (2 trials)): sup |empirical - true distribution function| but for that error rate."""
    _require_rate(error_rate)
    return math.sqrt(math.log(2.0 / error_rate) / (2.0 * trials))


def mean_interval(samples: Float[np.ndarray, " trials"], *, largest: float, error_rate: float) -> Interval:
    """Interval of the mean of a quantity with values in [0, largest]; each side misses with at most error_rate / 2.

    mean -+ ( sqrt(2 V log(4/e) / n) + 7 largest log(4/e) / (3 (n - 1)) ), V the sample variance, e the error rate.
    """
    _require_rate(error_rate)
    trials = samples.size
    if trials < 2:
        raise ValueError(f"samples must be at least 2 numbers, but were {trials}")
    if not (samples.min() >= 0.0 and samples.max() <= largest):
        raise ValueError(f"samples must lie in [0, {largest}], but span {samples.min()} to {samples.max()}")
    mean, level = float(samples.mean()), math.log(4.0 / error_rate)
    radius = math.sqrt(2.0 * float(samples.var(ddof=1)) * level / trials) + 7.0 * largest * level / (3.0 * (trials - 1))
    return Interval(max(mean - radius, 0.0), min(mean + radius, largest))


def _require_rate(error_rate: float) -> None:
    if not 0.0 < error_rate < 1.0:
        raise ValueError(f"error_rate must lie strictly between 0 and 1, but was {error_rate}")

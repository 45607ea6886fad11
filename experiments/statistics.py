"""Slopes and other numbers that a reader quotes, with bootstrap intervals over seeds."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float


class Slope(NamedTuple):
    """A measured log-log slope beside what a claim expects of it (None: nothing is claimed, the number is reported).

    ci_low, ci_high: 95% percentile bootstrap over seeds; with few seeds it is too narrow, hence their number.
    """

    claim: str
    label: str
    expected: float | None
    measured: float
    ci_low: float
    ci_high: float
    seeds: int

    @property
    def covers(self) -> bool | None:
        """Whether the interval holds the expected slope; None where none is claimed."""
        return None if self.expected is None else self.ci_low <= self.expected <= self.ci_high


class Estimate(NamedTuple):
    """A number that a reader quotes, with its 95% percentile bootstrap interval over seeds."""

    label: str
    value: float
    ci_low: float
    ci_high: float
    seeds: int


def with_interval(number: Slope | Estimate, digits: str = "+.2f") -> str:
    """The number with its interval as a sentence quotes it: +1.77 [+1.68, +1.85]."""
    value = number.measured if isinstance(number, Slope) else number.value
    return f"{value:{digits}} [{number.ci_low:{digits}}, {number.ci_high:{digits}}]"


def bootstrap(
    by_seed: Float[np.ndarray, "seeds ..."],
    *,
    label: str,
    statistic: Callable[[np.ndarray], float] = np.median,
    resamples: int = 2000,
    seed: int = 0,
) -> Estimate:
    """`statistic` of an array whose first axis runs over seeds, resampling whole seeds.

    statistic maps an array of any number of seeds to one number. Entries must be finite; raises ValueError otherwise.
    """
    if not np.all(np.isfinite(by_seed)):
        raise ValueError(f"by_seed must be finite, but {np.sum(~np.isfinite(by_seed))} of its entries were not")
    rng = np.random.default_rng(seed)
    draws = [float(statistic(by_seed[rows])) for rows in rng.integers(len(by_seed), size=(resamples, len(by_seed)))]
    low, high = np.quantile(draws, [0.025, 0.975])
    return Estimate(label, float(statistic(by_seed)), float(low), float(high), len(by_seed))


def fitted_slopes(
    x: Float[np.ndarray, " points"], values: Float[np.ndarray, "seeds points"]
) -> Float[np.ndarray, " seeds"]:
    """Least-squares slope of log(values) against log(x), seed by seed. All entries must be positive and finite."""
    if not (np.all(np.isfinite(values)) and np.all(values > 0)):
        raise ValueError(f"values must be positive and finite to take logarithms, got {np.nanmin(values)} at least")
    if len(x) < 2:
        raise ValueError(f"x must have at least 2 entries to fit a slope, got {len(x)}")
    centred = np.log(x) - np.mean(np.log(x))
    return np.log(values) @ centred / (centred @ centred)


def bootstrap_slope(
    x: Float[np.ndarray, " points"],
    values: Float[np.ndarray, "seeds points"],
    *,
    claim: str,
    label: str,
    expected: float | None,
    resamples: int = 2000,
    seed: int = 0,
) -> Slope:
    """Mean over seeds of the fitted slope (the slope of the geometric mean), resampling whole seeds."""
    slopes = fitted_slopes(x, values)
    rng = np.random.default_rng(seed)
    means = slopes[rng.integers(len(slopes), size=(resamples, len(slopes)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Slope(claim, label, expected, float(slopes.mean()), float(low), float(high), len(slopes))


def slopes_in_separation(
    separation: Float[np.ndarray, " points"],
    values: Float[np.ndarray, "seeds points"],
    *,
    claim: str,
    label: str,
    expected: float | None,
) -> list[Slope]:
    """Slope between the two smallest separations, where a law for h -> 0 speaks, and then over all of them."""
    order = np.argsort(separation)
    ranges = {"two smallest h": order[:2], "all h": order} if len(order) > 2 else {"all h": order}
    return [
        bootstrap_slope(separation[kept], values[:, kept], claim=claim, label=f"{label}, {name}", expected=expected)
        for name, kept in ranges.items()
    ]

"""Rank correlations of several quantities at once, within seeds or pooled, with paired bootstrap intervals over seeds.

Spearman's rho is Pearson's correlation of ranks (equal values share their mean rank). `within`: ranks among a seed's
own designs, centred in every seed, then stacked over seeds; without ties that is the mean of the seeds' rhos, and what
differs between seeds alone cannot enter. Pooled: one ranking of all seeds and designs.
Moments. Everything is read off sums of products of ranks, one matrix a seed: cells of equal size add up, and resampling
whole seeds costs a sum. A resample keeps the ranks of the whole sample: it weighs seeds, it does not rank again.
Paired. All statistics of one sample are resampled with the same seeds, so differences of correlations are paired.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float
from scipy.stats import rankdata

from experiments.statistics import Estimate


def centred_ranks(
    values: Float[np.ndarray, "seeds designs quantities"], *, within: bool
) -> Float[np.ndarray, "seeds designs quantities"]:
    """Ranks of every quantity minus their mean; infinities rank last or first, NaN raises ValueError."""
    if np.isnan(values).any():
        raise ValueError(f"values must be numbers to be ranked, but {np.isnan(values).sum()} of them were NaN")
    if within:
        ranks = rankdata(values, axis=1)
        return ranks - ranks.mean(axis=1, keepdims=True)
    ranks = rankdata(values.reshape(-1, values.shape[-1]), axis=0)
    return (ranks - ranks.mean(axis=0)).reshape(values.shape)


def rank_moments(
    values: Float[np.ndarray, "seeds designs quantities"], *, within: bool
) -> Float[np.ndarray, "seeds q q"]:
    """Sums over a seed's designs of products of (1, centred ranks), q = 1 + quantities; moments of cells add."""
    ranks = centred_ranks(values, within=within)
    extended = np.concatenate([np.ones((*ranks.shape[:2], 1)), ranks], axis=2)
    return np.einsum("sdi,sdj->sij", extended, extended)


def correlations(moments: Float[np.ndarray, "*sets q q"]) -> Float[np.ndarray, "*sets k k"]:
    """Correlation matrix of ranks from summed moments, k = q - 1; 0 where a quantity does not vary."""
    scaled = moments / moments[..., :1, :1]
    mean = scaled[..., 0, 1:]
    covariance = scaled[..., 1:, 1:] - mean[..., :, None] * mean[..., None, :]
    spread = np.sqrt(np.maximum(np.diagonal(covariance, axis1=-2, axis2=-1), 0.0))
    scale = spread[..., :, None] * spread[..., None, :]
    return np.where(scale > 1e-9, covariance / np.where(scale > 1e-9, scale, 1.0), 0.0)


def partial_correlation(
    matrix: Float[np.ndarray, "*sets k k"], first: int, second: int, *, given: int
) -> Float[np.ndarray, "*sets"]:
    """Of two quantities once the third is accounted for, (r_12 - r_13 r_23) / sqrt((1 - r_13^2)(1 - r_23^2)).

    0 where the third determines one of them.
    """
    r12, r13, r23 = matrix[..., first, second], matrix[..., first, given], matrix[..., second, given]
    left = (1.0 - r13**2) * (1.0 - r23**2)
    return np.where(left > 1e-9, (r12 - r13 * r23) / np.sqrt(np.where(left > 1e-9, left, 1.0)), 0.0)


def resampled(
    moments: Float[np.ndarray, "seeds q q"], *, resamples: int = 2000, seed: int = 0
) -> Float[np.ndarray, "resamples k k"]:
    """Correlation matrices of bootstrap resamples of whole seeds; the same seeds at every call."""
    rows = np.random.default_rng(seed).integers(len(moments), size=(resamples, len(moments)))
    weights = (rows[:, :, None] == np.arange(len(moments))).sum(axis=1)
    return correlations(np.tensordot(weights.astype(float), moments, axes=1))


def estimate(
    moments: Float[np.ndarray, "seeds q q"],
    draws: Float[np.ndarray, "resamples k k"],
    statistic: Callable[[np.ndarray], np.ndarray],
    *,
    label: str,
) -> Estimate:
    """A statistic of the correlation matrix with its 95% percentile interval; draws: `resampled(moments)`."""
    low, high = np.quantile(statistic(draws), [0.025, 0.975])
    return Estimate(label, float(statistic(correlations(moments.sum(axis=0)))), float(low), float(high), len(moments))


def permutation_null(
    values: Float[np.ndarray, "seeds designs two"], *, label: str, resamples: int = 2000, seed: int = 0
) -> Estimate:
    """Within-seed correlation of two quantities when the first is shuffled among every seed's designs.

    value: the mean over shuffles, ci: the band that holds 95% of them.
    """
    ranks = centred_ranks(values, within=True)
    rng = np.random.default_rng(seed)
    stacked = np.broadcast_to(ranks[:, :, 0], (resamples, *ranks.shape[:2]))
    shuffled = rng.permuted(stacked, axis=2)
    scale = np.sqrt((ranks[:, :, 0] ** 2).sum() * (ranks[:, :, 1] ** 2).sum())
    draws = np.einsum("rsd,sd->r", shuffled, ranks[:, :, 1]) / scale if scale > 0 else np.zeros(resamples)
    low, high = np.quantile(draws, [0.025, 0.975])
    return Estimate(label, float(draws.mean()), float(low), float(high), len(values))

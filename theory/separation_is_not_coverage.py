"""Separation is not coverage: on [0,1] the least possible error RISES with h_min from the midpoint design on.

Statement. X = N >= 2 points of [0,1] with separation exactly h, so h <= 1/(N-1). Over all pairs of functions that agree
on X, with Lip f + Lip g <= Lam, the worst |f - g|_inf is Lam h_fill(X) (A1), and
  floor    h_fill(X) >= max(h, (1 - h)/(N - 1)) / 2,
  ceiling  h_fill(X) <= max(1 - (N - 1) h, (1 - (N - 2) h)/2),   for N = 2 max(1 - h, h/2),
each attained for every N and every h. The floor, what the best set of separation h can do, falls up to h = 1/N, where
it is 1/(2N) (midpoints), and rises from there to 1/(2(N-1)) at the largest h. The ceiling, what h alone guarantees,
falls for N >= 3. So "the error falls as h_min grows" is false set by set: {0, 1} has twice the h_min and twice the
worst error of {1/4, 3/4}; and true of the guarantee. For large N the floor's rise is slight, a factor N/(N-1).
Hypotheses. H1 (ceiling) the points lie in [0,1]; the floor holds for points anywhere, if h <= 1. H2 h is their
  separation, exactly. H3 (floor) the error is the worst over all such pairs. H4, H5 (ceiling) f and g agree on X, and
  Lip f + Lip g <= Lam.
Source. Reconstruction: the abstract's claim read without conditions, and its counterexample.
Proof.  paper_notes.md, A6, lines 1-5.
Sharp.  Floor: gaps h and (1 - h)/(N - 1) else (h <= 1/N); all gaps h, centred (h >= 1/N). Ceiling: all gaps h against
  one end, or one wide gap.
Failure. See the tests, and beside them two more readings that fail: interpolation by polynomials (Chebyshev points have
  smaller h_min, larger h_fill, smaller error), and "low discrepancy means separated" (Sobol' points).
Units.  The interval has length 1; Lam in labels per length.
"""

import numpy as np
from jaxtyping import Float

from theory.claim import Claim
from theory.rounding import EPS
from theory.verdict import Check

CLAIM = Claim(
    id="A6",
    title="Separation is not coverage",
    statement="least worst-case error at separation h on [0,1] is Lam max(h, (1-h)/(N-1))/2, which rises for h > 1/N",
    hypotheses={
        "points in the interval": "the points lie in [0,1] (ceiling)",
        "exact separation": "h is the separation of the points, not a bound on it",
        "worst case": "the error is the largest over all pairs that agree on the points (floor)",
        "agreement at the points": "f = g at every point (ceiling)",
        "total slope": "Lip f + Lip g <= Lam (ceiling)",
    },
    provenance="reconstruction",
    source="counting gaps; counterexample to the abstract's sentence read without conditions",
    module="separation_is_not_coverage",
    abstract="the approximation error falls as the minimum pairwise distance grows",
    sharp="for every N and h, both the floor and the ceiling",
    tight=True,
    constants="known: N, h and the total slope",
    standing="false as stated",
    rests_on=("A1",),
)

_MISS = 64.0 * EPS
"""By how much float64 points may miss a prescribed separation, or the interval: N roundings of numbers up to 1."""


def least_fill(separation: float, num_points: int) -> float:
    """max(h, (1-h)/(N-1)) / 2: the least fill distance of N points of [0,1] at separation h."""
    _require_feasible(separation, num_points)
    return 0.5 * max(separation, (1.0 - separation) / (num_points - 1))


def largest_fill(separation: float, num_points: int) -> float:
    """max(1-(N-1)h, w/2), w = 1-(N-2)h the widest gap beside one of h: the largest fill distance at separation h.

    Two points have the gap h alone: w = h.
    """
    _require_feasible(separation, num_points)
    widest = separation if num_points == 2 else 1.0 - (num_points - 2) * separation
    return max(1.0 - (num_points - 1) * separation, 0.5 * widest)


def best_points(separation: float, num_points: int) -> Float[np.ndarray, " N"]:
    """A set that attains `least_fill`: a gap h and else equal gaps, or all gaps h; the rest of [0,1] split in two."""
    _require_feasible(separation, num_points)
    gaps = np.full(num_points - 1, max(separation, (1.0 - separation) / (num_points - 1)))
    gaps[0] = separation
    return np.clip(0.5 * (1.0 - gaps.sum()) + np.append(0.0, np.cumsum(gaps)), 0.0, 1.0)


def check_floor(
    worst_error: float,
    points: Float[np.ndarray, " N"],
    *,
    separation: float,
    total_slope: float,
    worst_case: bool = True,
    instance: str = "points",
) -> Check:
    """Hold the worst error over all pairs of total slope Lam that agree on the points against Lam `least_fill`.

    separation: the h for which the floor is claimed.  worst_case: whether `worst_error` is the supremum over all pairs.
    """
    bound = _require_slope(total_slope) * least_fill(separation, len(points))
    return Check(
        claim=CLAIM.id,
        inequality="floor",
        instance=instance,
        measured=float(worst_error),
        sense=">=",
        bound=bound,
        rounding=_MISS * total_slope * len(points),
        margins={
            "exact separation": _separation_margin(points, separation),
            "worst case": 0.0 if worst_case else -1.0,
        },
    )


def check_ceiling(
    error: float,
    points: Float[np.ndarray, " N"],
    *,
    separation: float,
    total_slope: float,
    largest_disagreement: float = 0.0,
    largest_slope: float | None = None,
    instance: str = "points",
) -> Check:
    """Hold |f - g|_inf of one pair on [0,1] against Lam `largest_fill`.

    largest_disagreement: max_i |f(x_i) - g(x_i)|.  largest_slope: Lip f + Lip g of the pair, where measured.
    """
    bound = _require_slope(total_slope) * largest_fill(separation, len(points))
    slope = total_slope if largest_slope is None else largest_slope
    return Check(
        claim=CLAIM.id,
        inequality="ceiling",
        instance=instance,
        measured=float(error),
        sense="<=",
        bound=bound,
        rounding=_MISS * total_slope * len(points),
        margins={
            "points in the interval": float(min(points.min(), 1.0 - points.max())),
            "exact separation": _separation_margin(points, separation),
            "agreement at the points": _MISS * total_slope - largest_disagreement,
            "total slope": total_slope * (1.0 + _MISS) - slope,
        },
    )


def _separation_margin(points: Float[np.ndarray, " N"], separation: float) -> float:
    return _MISS * len(points) - abs(float(np.diff(np.sort(points)).min()) - separation)


def _require_feasible(separation: float, num_points: int) -> None:
    if num_points < 2:
        raise ValueError(f"num_points must be at least 2 to have a separation, but was {num_points}")
    if not 0.0 <= separation * (num_points - 1) <= 1.0 + _MISS * num_points:
        raise ValueError(
            f"separation must lie in [0, 1/{num_points - 1}] for {num_points} points of [0,1], but was {separation}"
        )


def _require_slope(total_slope: float) -> float:
    if not total_slope >= 0.0:
        raise ValueError(f"total_slope must be at least 0, but was {total_slope}")
    return total_slope

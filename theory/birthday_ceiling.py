"""Birthday ceiling: independent points of one law, whatever the law, soon share a cell, so h_min is at most ~ N^(-2/d).

Statement. X_1..X_N independent with one law pi on Omega, any law (atoms allowed), t > 0.
  packing      P(h_min > t) <= prod_{j<N} (1 - j/M)_+,  M = largest number of points of Omega pairwise more than t apart
  cells        M <= m = ceil(sqrt(d)/t)^d on [0,1]^d, so P(h_min > t) <= prod_{j<N} (1 - j/m)_+
  exponential  prod_{j<N} (1 - j/m)_+ <= exp(-N(N-1)/(2m))
  quantile     h_min <= sqrt(d)/k with probability at least 1 - delta, k = floor((N(N-1)/(2 log(1/delta)))^(1/d)) >= 1
Hypotheses. H1 the points are independent. H2 they lie in [0,1]^d (packing: in Omega). H3 they have one common law.
Source. Reconstruction: birthday problem on a grid; the packing form by Motzkin and Straus's 1965 symmetrisation.
Proof.  paper_notes.md, S3, lines 1-7.
Sharp.  Packing: equality for the uniform law on M such points, for every Omega, N and t, and for a density around
  them. Cells: equality where m = M, for instance d = 1 and t < 1; d = 2 and 1/sqrt(2) <= t < 1 (corners) or
  sqrt(2)/3 <= t < 1/2 (3 x 3 grid); d = 3 and sqrt(3)/2 <= t < 1. Exponential, quantile: at least 1 - 1/m^2 for N = 2.
Failure. A law of its own for each point (H3); draws without replacement (H1); a law on a larger cube (H2).
Units.  t, h_min in the cube's side; everything else is a number.
"""

import math
from fractions import Fraction

from theory.claim import Claim
from theory.rounding import EPS
from theory.verdict import Check

CLAIM = Claim(
    id="S3",
    title="Birthday ceiling",
    statement="P(h_min > t) <= prod_{j<N} (1 - j/m)_+ <= exp(-N(N-1)/(2m)), m = ceil(sqrt(d)/t)^d, for every law on "
    "[0,1]^d; m may be replaced by the packing number M(t)",
    hypotheses={
        "independent points": "the points are independent",
        "points in the cube": "every point lies in [0,1]^d, or in the Omega whose packing number is taken",
        "one common distribution": "all points have the same law",
    },
    provenance="reconstruction",
    source="birthday problem on a grid; Maclaurin's inequality; Motzkin and Straus 1965 for the packing form",
    module="birthday_ceiling",
    abstract="more uniform data have a larger minimum pairwise distance",
    sharp="packing form: uniform law on a largest t-separated set, any Omega; cells: every t < 1 for d = 1",
    tight=True,
    constants="known: N, d, t",
    standing="proved and tight",
)


def cells(separation: float, dim: int) -> int:
    """m = k^d, k = ceil(sqrt(d)/t) the least integer with k^2 t^2 >= d, in exact arithmetic."""
    if not 0.0 < separation < math.inf:
        raise ValueError(f"separation must be positive and finite, but was {separation}")
    if dim < 1:
        raise ValueError(f"dim must be at least 1, but was {dim}")
    per_axis = math.isqrt(math.ceil(dim / Fraction(separation) ** 2) - 1) + 1
    return per_axis**dim


def birthday_ceiling(num_points: int, capacity: int) -> float:
    """prod_{j<N} (1 - j/M)_+: the most that P(h_min > t) can be; relative rounding below 2 N eps.

    capacity: M, how many points can be pairwise more than t apart, or any upper bound of it such as `cells`.
    """
    _require(num_points, capacity)
    if num_points > capacity:
        return 0.0
    return math.prod((capacity - j) / capacity for j in range(num_points))


def exponential_ceiling(num_points: int, capacity: int) -> float:
    """exp(-N(N-1)/(2M)), the simpler and larger one."""
    _require(num_points, capacity)
    return math.exp(-(num_points * (num_points - 1)) / (2 * capacity))


def separation_ceiling(failure_probability: float, num_points: int, *, dim: int) -> float:
    """sqrt(d)/k: h_min is at most this with probability at least 1 - delta, whatever the law on [0,1]^d.

    Where not even one cell is allowed (k = 0) it is the cube's diameter sqrt(d), which nothing exceeds.
    """
    if not 0.0 < failure_probability < 1.0:
        raise ValueError(f"failure_probability must lie strictly between 0 and 1, but was {failure_probability}")
    _require(num_points, 1)
    allowed = num_points * (num_points - 1) / (-2.0 * math.log(failure_probability))
    per_axis = math.floor(allowed ** (1.0 / dim)) + 1
    while per_axis > 1 and per_axis**dim > allowed:  # the root rounds; the power of an integer does not
        per_axis -= 1
    return math.sqrt(dim) / per_axis


def check(
    probability: float,
    separation: float,
    num_points: int,
    *,
    dim: int,
    exponential: bool = False,
    inside: float = 0.0,
    rounding: float = 0.0,
    instance: str = "sample",
) -> Check:
    """Hold P(h_min > separation) for a law on [0,1]^dim against the cells' product, or against its exponential.

    probability: exact, or the lower confidence limit of a sampled one (`theory.confidence.binomial_interval`).
    inside: least distance of the law's support to the cube's faces, negative outside.  rounding: of `probability`.
    """
    bound = (exponential_ceiling if exponential else birthday_ceiling)(num_points, cells(separation, dim))
    return Check(
        claim=CLAIM.id,
        inequality="exponential" if exponential else "cells",
        instance=instance,
        measured=probability,
        sense="<=",
        bound=bound,
        rounding=rounding + 2.0 * num_points * EPS * bound,
        margins={"points in the cube": inside},
    )


def check_packing(
    probability: float, num_points: int, *, capacity: int, rounding: float = 0.0, instance: str = "sample"
) -> Check:
    """Hold P(h_min > t) for a law on any set against the product with its packing number M(t), or an upper bound."""
    bound = birthday_ceiling(num_points, capacity)
    return Check(
        claim=CLAIM.id,
        inequality="packing",
        instance=instance,
        measured=probability,
        sense="<=",
        bound=bound,
        rounding=rounding + 2.0 * num_points * EPS * bound,
    )


def check_quantile(
    probability: float,
    failure_probability: float,
    num_points: int,
    *,
    dim: int,
    inside: float = 0.0,
    rounding: float = 0.0,
    instance: str = "sample",
) -> Check:
    """Hold P(h_min > separation_ceiling(failure_probability, num_points)), or a lower bound on it, against that delta.

    probability: of h_min above the real sqrt(d)/k, which the float rounds.  Other arguments as in `check`.  A few eps
    in N(N-1)/(2 log(1/delta)) are as many in log(delta).
    """
    return Check(
        claim=CLAIM.id,
        inequality="quantile",
        instance=instance,
        measured=probability,
        sense="<=",
        bound=failure_probability,
        rounding=rounding + 8.0 * EPS * failure_probability * (1.0 - math.log(failure_probability)),
        margins={"points in the cube": inside},
    )


def _require(num_points: int, capacity: int) -> None:
    if num_points < 2:
        raise ValueError(f"num_points must be at least 2 to have a pair, but was {num_points}")
    if capacity < 1:
        raise ValueError(f"capacity must be at least 1, but was {capacity}")

"""Distinctness: a residual layer merges points at finitely many scales only, and nearly merges them with small chance.

Statement. F_t(x) = x + t b(x), b any function whatever (a branch W sigma(V x), attention, ...), x_1..x_N distinct
points of R^n, a_ij = |x_i - x_j| / |b(x_i) - b(x_j)|.
  collapse  at most N(N-1)/2 values of t merge any two points; so images stay distinct for all but finitely many t, and
            in a chain whose branches are Borel functions for almost every vector of scales.
  scale     t uniform on [0, S], 0 < delta: the probability that some pair's distance shrinks by a factor below delta is
              <= sum_{i<j} (min(S, (1+delta) a_ij) - (1-delta)_+ a_ij)_+ / S <= N(N-1) delta / (1+delta),
            the last free of b, S, n. L layers with independent scales and Borel branches: at most L times that in some
            layer, so h_min(F_L o..o F_1(X)) >= delta^L h_min(X) otherwise.
  Gaussian  F(x) = x + W s(x), s any function, W (n, hidden) with independent N(0, tau^2) entries, delta < 1: it is
              <= N(N-1)/2 c_n (delta/(1-delta))^n,  c_n = (n/(2e))^(n/2) / Gamma(n/2+1) <= 1/sqrt(pi n),
            whatever tau and s.
Hypotheses. H1 the skip connection. H2 distinct points. H3 the scale (the weights) drawn independently of points and b.
  One layer asks nothing of b; a chain that it is Borel in every layer but the first, so that its events are measurable.
Source. Reconstruction; triangle inequality, density of a Gaussian on a small ball.
Proof.  paper_notes.md, N4, lines 1-7.
Sharp.  Collapse: n = 1, all -(x_i - x_j)/(b(x_i) - b(x_j)) different. Scale: N = 2, b(x_i) - b(x_j) parallel to
  x_j - x_i, both bounds at S = (1+delta) a. Gaussian: N = 2, tau^2 |s_i - s_j|^2 = (1-delta)^2 |x_i - x_j|^2 / n, as
  delta -> 0.
Failure. No skip: a dead ReLU layer merges everything at every t. Equal points. t chosen after the points.
Units.  t, delta and probabilities are numbers.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from theory.claim import Claim
from theory.rounding import EPS
from theory.verdict import Check

CLAIM = Claim(
    id="N4",
    title="Distinctness",
    statement="P(some distance shrinks below delta times itself) <= N(N-1) delta/(1+delta) for x + t b(x), t uniform",
    hypotheses={
        "skip connection": "the layer adds its input",
        "distinct points": "no two of the points coincide",
        "independent scale": "t, or W, is drawn independently of the points and of the branch",
    },
    provenance="reconstruction",
    source="triangle inequality on a ray; Gaussian density on a small ball",
    module="distinctness",
    abstract="residual connections and compositions keep networks non-degenerate",
    sharp="collapse: n = 1; scale: N = 2, branch against the skip, S = (1+delta) a; Gaussian: N = 2, delta -> 0",
    tight=True,
    constants="known: N, n and delta",
    standing="proved and tight",
)


def collapse_ceiling(num_points: int) -> int:
    """N(N-1)/2: at how many scales t two images can coincide."""
    return _require_count(num_points) * (num_points - 1) // 2


def scale_bound(
    ratios: Float[Array | np.ndarray, " pairs"], *, largest_scale: ArrayLike, shrinkage: ArrayLike
) -> Float[Array, ""]:
    """sum_p (min(S, (1+delta) a_p) - (1-delta)_+ a_p)_+ / S, above P(some pair shrinks below delta).

    t uniform on [0, S].  ratios: a_p = |x_i - x_j| / |b(x_i) - b(x_j)|, inf where the branch does not tell i from j.
    """
    ratios = jnp.asarray(ratios, float)
    start = jnp.where(jnp.asarray(shrinkage) < 1.0, (1.0 - jnp.asarray(shrinkage, float)) * ratios, 0.0)  # not 0 * inf
    end = jnp.minimum(largest_scale, (1.0 + jnp.asarray(shrinkage)) * ratios)
    return jnp.sum(jnp.where(start < end, end - start, 0.0)) / largest_scale


_compiled_scale_bound = jax.jit(scale_bound)


def free_bound(shrinkage: float, num_points: int) -> float:
    """N(N-1) delta / (1+delta): the same probability, whatever the branch, the largest scale and the dimension."""
    return _require_count(num_points) * (num_points - 1) * _require_shrinkage(shrinkage) / (1.0 + shrinkage)


def gaussian_bound(shrinkage: float, num_points: int, *, dim: int) -> float:
    """N(N-1)/2 c_n (delta/(1-delta))^n, above the same probability for a Gaussian outer matrix of any variance."""
    if dim < 1:
        raise ValueError(f"dim must be at least 1, but was {dim}")
    pairs = collapse_ceiling(num_points)
    if _require_shrinkage(shrinkage) >= 1.0:
        return math.inf
    log_constant = 0.5 * dim * math.log(0.5 * dim / math.e) - math.lgamma(0.5 * dim + 1.0)
    return pairs * math.exp(log_constant + dim * (math.log(shrinkage) - math.log1p(-shrinkage)))


def shrinkage_at(failure_probability: float, num_points: int) -> float:
    """p / (N(N-1) - p): with probability at least 1 - p no distance shrinks below this factor (t uniform on [0, S])."""
    if not 0.0 < failure_probability < 1.0:
        raise ValueError(f"failure_probability must lie strictly between 0 and 1, but was {failure_probability}")
    return failure_probability / (_require_count(num_points) * (num_points - 1) - failure_probability)


def check_collapse(
    collapse_scales: int,
    num_points: int,
    *,
    skip: bool = True,
    smallest_distance: float = 1.0,
    instance: str = "layer",
) -> Check:
    """Hold the number of scales at which two images coincide against N(N-1)/2; smallest_distance: of the inputs."""
    return Check(
        claim=CLAIM.id,
        inequality="collapse",
        instance=instance,
        measured=float(collapse_scales),
        sense="<=",
        bound=float(collapse_ceiling(num_points)),
        margins=_margins(skip, smallest_distance, True),
    )


def check_scale(
    probability: float,
    num_points: int,
    *,
    shrinkage: float,
    ratios: Float[Array | np.ndarray, " pairs"] | None = None,
    largest_scale: float = 1.0,
    skip: bool = True,
    smallest_distance: float = 1.0,
    independent: bool = True,
    rounding: float = 0.0,
    instance: str = "layer",
) -> Check:
    """Hold P(some pair shrinks below delta), t uniform on [0, S], against the bound in `ratios`, or the free one.

    probability: exact, or a lower confidence limit.  rounding: of `probability`.  Vacuous where the bound reaches 1.
    """
    free = free_bound(shrinkage, num_points)
    bound = free
    if ratios is not None:
        bound = float(_compiled_scale_bound(ratios, largest_scale=largest_scale, shrinkage=shrinkage))
    return Check(
        claim=CLAIM.id,
        inequality="free scale" if ratios is None else "scale",
        instance=instance,
        measured=float(probability),
        sense="<=",
        bound=bound,
        rounding=rounding + 16.0 * num_points**2 * EPS,  # of N(N-1)/2 interval lengths up to 1
        margins=_margins(skip, smallest_distance, independent),
        vacuous=bound >= 1.0,
    )


def check_gaussian(
    probability: float,
    num_points: int,
    *,
    shrinkage: float,
    dim: int,
    skip: bool = True,
    smallest_distance: float = 1.0,
    independent: bool = True,
    rounding: float = 0.0,
    instance: str = "layer",
) -> Check:
    """Hold P(some pair shrinks below delta), W Gaussian, against its bound; arguments as in `check_scale`."""
    bound = gaussian_bound(shrinkage, num_points, dim=dim)
    return Check(
        claim=CLAIM.id,
        inequality="Gaussian",
        instance=instance,
        measured=float(probability),
        sense="<=",
        bound=bound,
        rounding=rounding + 64.0 * dim * (1.0 + abs(math.log(shrinkage))) * EPS * min(bound, 1.0),
        margins=_margins(skip, smallest_distance, independent),
        vacuous=bound >= 1.0,
    )


def _margins(skip: bool, smallest_distance: float, independent: bool) -> dict[str, float]:
    return {
        "skip connection": 0.0 if skip else -1.0,
        "distinct points": smallest_distance if smallest_distance > 0.0 else -1.0,
        "independent scale": 0.0 if independent else -1.0,
    }


def _require_count(num_points: int) -> int:
    if num_points < 2:
        raise ValueError(f"num_points must be at least 2 to have a pair, but was {num_points}")
    return num_points


def _require_shrinkage(shrinkage: float) -> float:
    if not shrinkage > 0.0:
        raise ValueError(f"shrinkage must be above 0, but was {shrinkage}")
    return shrinkage

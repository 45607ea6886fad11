"""Limit law: the closest pair of many iid points is exponential, with a finite-N error band.

Statement. h = h_min of N iid points, n = N(N-1)/2, U_N = n V_d |pi|_2^2 h^d.  For pi in L^2, as N -> infinity,
  U_N -> Exp(1) in law,   E h ~ Gamma(1 + 1/d) (n V_d |pi|_2^2)^(-1/d).
For every N and t, with p = P(|X-Y| <= t), lambda = n p, kappa = P(|X-Y| <= t and |X-Z| <= t) / p^2 >= 1,
  -(2N-3) lambda p s(lambda) <= P(h > t) - exp(-lambda) <= 2(N-2) kappa lambda p s(lambda),
  s(lambda) = (exp(-lambda) - 1 + lambda) / lambda^2 = int_0^1 (1-y) exp(-lambda y) dy <= min(1/2, 1/lambda).
Uniform on the flat torus: kappa = 1, and lambda = U_N's argument u exactly while t <= 1/2: an error of about 4 (u-1)/N.
Any density, any t: lambda <= u (S1), and the lower side falls in lambda, so it holds with u in place of lambda:
U_N is at most 4/N (u - 1 + exp(-u)) short of being stochastically larger than Exp(1), as on the cube.
Hypotheses. H1 independent points of one density. H2 t <= 1/2 and uniform on the torus for the band in terms of u alone.
Source. Limit: classic (Silverman-Brown 1978, Jammalamadaka-Janson 1986). Band: the Chen-Stein method for dissociated
  indicators (Arratia-Goldstein-Gordon 1989) with the exact Stein solution of the set {0}; its two error terms have
  opposite signs, so for large N it is 2 to 4 times tighter than the textbook (b1 + b2)(1 - exp(-lambda))/lambda.
Proof.  paper_notes.md, S2, lines 1-10.
Sharp.  Lower side attained at N = 2 (P(h > t) = 1 - p; on the circle the mean's too).
  Circle, N -> infinity, u -> 0: the band is 4 times the error.
Failure. A density with a dense speck (kappa large) breaks the band with kappa = 1; an atom breaks the limit.
Units.  u, lambda count close pairs: dimensionless. h in the unit of x.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float
from scipy.special import gammainc, gammaincc

from theory.claim import Claim
from theory.confidence import Interval
from theory.sampling_law import close_pairs, separation_quantile
from theory.verdict import Check

CLAIM = Claim(
    id="S2",
    title="Limit law",
    statement="U_N = N(N-1)/2 V_d |pi|_2^2 h_min^d tends to Exp(1) in law, within an explicit band on the flat torus",
    hypotheses={
        "independent points": "the points are independent, of one square integrable density",
        "uniform density": "the density is uniform on the flat torus (the band in u alone)",
        "separation at most one half": "t <= 1/2 (the band in u alone)",
    },
    provenance="classic",
    source="Silverman-Brown 1978; Jammalamadaka-Janson 1986; Chen-Stein band after Arratia-Goldstein-Gordon 1989",
    module="limit_law",
    abstract="more uniform data have a larger minimum pairwise distance",
    sharp="lower side of the band attained at N = 2; about 4 times the error on the circle for large N",
    tight=True,
    constants="known: N, d and the density's norm",
    standing="proved and tight",
    rests_on=("S1",),
)


class Band(NamedTuple):
    """Bounds on a quantity from below and above."""

    low: Float[Array, "..."]
    high: Float[Array, "..."]


def scaled_separation(
    separation: ArrayLike, num_points: ArrayLike, *, dim: int, density_norm_sq: ArrayLike
) -> Float[Array, "..."]:
    """U_N = N(N-1)/2 V_d |pi|_2^2 h^d: S1's expected number of close pairs, read at the realised h_min."""
    return close_pairs(separation, num_points, dim=dim, density_norm_sq=density_norm_sq)


def limit_mean(num_points: ArrayLike, *, dim: int, density_norm_sq: ArrayLike) -> Float[Array, "..."]:
    """Gamma(1 + 1/d) (N(N-1)/2 V_d |pi|_2^2)^(-1/d), the leading order of E h_min."""
    return math.gamma(1.0 + 1.0 / dim) * separation_quantile(1.0, num_points, dim=dim, density_norm_sq=density_norm_sq)


def stein_factor(expected_pairs: ArrayLike) -> Float[Array, "..."]:
    """s(lambda) = (exp(-lambda) - 1 + lambda)/lambda^2 for lambda >= 0 (line 3); s(0) = 1/2.

    Below 0.05 the alternating series, to a relative 1e-15; above, the closed form, relative error below 4 eps / lambda.
    """
    rate = jnp.asarray(expected_pairs, float)
    large = jnp.maximum(rate, 0.05)
    closed = (jnp.expm1(-large) + large) / large**2
    series = sum((-rate) ** k / math.factorial(k + 2) for k in range(9))
    return jnp.where(rate < 0.05, series, closed)


def survival_band(expected_pairs: ArrayLike, num_points: ArrayLike, *, clustering: ArrayLike = 1.0) -> Band:
    """Band of P(h_min > t), from lambda = N(N-1)/2 P(|X-Y| <= t).

    clustering: kappa >= 1, 1 for the uniform density on the torus.  Clipped to [0, 1].
    """
    rate, points = jnp.asarray(expected_pairs, float), jnp.asarray(num_points, float)
    one_pair = rate / (0.5 * points * (points - 1.0))
    unit = rate * one_pair * stein_factor(rate)
    low = jnp.exp(-rate) - (2.0 * points - 3.0) * unit
    high = jnp.exp(-rate) + 2.0 * (points - 2.0) * jnp.asarray(clustering) * unit
    return Band(jnp.maximum(low, 0.0), jnp.minimum(high, 1.0))


def distance_allowance(num_points: int, *, dim: int) -> float:
    """Bound on sup_u |P(U_N > u) - exp(-u)|, uniform density on the flat torus (line 7).

    Up to a cut u_0 the band; beyond it both survival functions are at most their value at u_0. Every cut with
    t <= 1/2 is valid; the least over a grid of them is returned.
    """
    cuts = _cuts(num_points, dim)
    low, high = (np.asarray(side) for side in survival_band(cuts, num_points))
    return float(np.maximum(np.exp(-cuts) - low, high).min())


def mean_band(num_points: int, *, dim: int) -> Interval:
    """Bounds on E h_min for N uniform points on the flat torus of period 1 and dim <= 4 (line 8).

    The integral of the band up to a cut u_0, plus tails: P(U_N > u) <= exp(-u/2^d) from packing half-radius balls.
    """
    if not 1 <= dim <= 4:
        raise ValueError(f"dim must be from 1 to 4, where no separation on the torus exceeds 1, but was {dim}")
    cuts, pairs, order = _cuts(num_points, dim), 0.5 * num_points * (num_points - 1), 1.0 / dim
    gamma = math.gamma(1.0 + order)
    # int_0^{u_0} u^2 s(u) d(u^(1/d)), term by term of u^2 s(u) = exp(-u) - 1 + u
    excess = gamma * gammainc(order, cuts) - cuts**order + cuts ** (1.0 + order) / (dim + 1.0)
    tail = gamma * gammaincc(order, cuts)
    packed_tail = 2.0 * gamma * gammaincc(order, cuts / 2.0**dim)
    low = np.max(gamma - (2.0 * num_points - 3.0) / pairs * excess - tail)
    high = np.min(gamma + 2.0 * (num_points - 2.0) / pairs * excess - tail + packed_tail)
    unit = float(separation_quantile(1.0, num_points, dim=dim, density_norm_sq=1.0))
    return Interval(unit * max(float(low), 0.0), unit * float(high))


def _cuts(num_points: int, dim: int) -> Float[np.ndarray, " cuts"]:
    """Candidate cuts 0 < u_0 <= u(t = 1/2), 0.05 apart in the logarithm."""
    last = float(scaled_separation(0.5, num_points, dim=dim, density_norm_sq=1.0))
    return np.minimum(np.exp(np.arange(-3.0, 5.0, 0.05)), last)


# One compiled call in place of a dozen dispatches: a hunt makes ten thousand of these.
_compiled_separation, _compiled_band = jax.jit(scaled_separation, static_argnames="dim"), jax.jit(survival_band)


def check(survival: Interval, separation: float, num_points: int, *, dim: int, instance: str = "sample") -> Check:
    """Hold P(h_min > separation) of N uniform points on the flat torus of period 1 against the band.

    survival: both ends equal when exact, else a confidence interval (`theory.confidence.binomial_interval`); measured
    is the distance from exp(-u) to the interval, 0 inside, and bound the band's width on that side.  Vacuous where
    that side of the band reaches 0 or 1.
    """
    expected = float(_compiled_separation(separation, num_points, dim=dim, density_norm_sq=1.0))
    limit, band = math.exp(-expected), _compiled_band(expected, num_points)
    above = survival.low > limit
    return Check(
        claim=CLAIM.id,
        inequality="band of the law",
        instance=instance,
        measured=max(survival.low - limit if above else limit - survival.high, 0.0),
        sense="<=",
        bound=float(band.high) - limit if above else limit - float(band.low),
        rounding=16.0 * float(jnp.finfo(float).eps) * (1.0 + expected),
        margins={"separation at most one half": 0.5 - separation},
        vacuous=float(band.high) >= 1.0 if above else float(band.low) <= 0.0,
    )


def check_floor(
    survival: float, separation: float, num_points: int, *, dim: int, density_norm_sq: float, instance: str = "sample"
) -> Check:
    """Hold P(h_min > separation) of any square integrable density against the lower side of the band in u (line 10).

    survival: exact, or the upper confidence limit of a sampled one.  Vacuous where the bound is 0.
    """
    expected = float(_compiled_separation(separation, num_points, dim=dim, density_norm_sq=density_norm_sq))
    bound = float(_compiled_band(expected, num_points).low)
    return Check(
        claim=CLAIM.id,
        inequality="floor of the law, any density",
        instance=instance,
        measured=survival,
        sense=">=",
        bound=bound,
        rounding=16.0 * float(jnp.finfo(float).eps) * (1.0 + expected),
        vacuous=bound <= 0.0,
    )


def check_mean(mean_separation: Interval, num_points: int, *, dim: int, instance: str = "sample") -> Check:
    """Hold E h_min of N uniform points on the flat torus of period 1 against `mean_band`, in the way of `check`."""
    limit, band = float(limit_mean(num_points, dim=dim, density_norm_sq=1.0)), mean_band(num_points, dim=dim)
    above = mean_separation.low > limit
    return Check(
        claim=CLAIM.id,
        inequality="band of the mean",
        instance=instance,
        measured=max(mean_separation.low - limit if above else limit - mean_separation.high, 0.0),
        sense="<=",
        bound=band.high - limit if above else limit - band.low,
        rounding=64.0 * float(jnp.finfo(float).eps) * limit,
        vacuous=not above and band.low <= 0.0,
    )

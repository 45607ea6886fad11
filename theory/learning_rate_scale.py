"""Learning-rate scale: under Xavier initialisation the kernel's top eigenvalue has a ceiling free of the width.

Statement. f(x) = sum_k a_k sigma(w_k . x + b_k) + c, x in R^d, k <= m, with b = c = 0 at the start and trained
(beta = 1), or without biases (beta = 0); |sigma(t)| <= A |t| and |sigma'| <= B. For weights of Xavier's second moments,
E w_k w_k^T <= (2/(d+m)) I and E a_k^2 <= 2/(m+1), the empirical kernel K = J J^T at the start has
  mean      E K(x, x) <= (2m/(d+m)) A^2 |x|^2 + (2m/(m+1)) B^2 (|x|^2 + beta) + beta
                      <= 2 A^2 |x|^2 + 2 B^2 (|x|^2 + beta) + beta                          at every width,
  spectrum  tr K / N^2 <= lambda_max(K) / N <= tr K / N,
so E lambda_max(K)/N <= the same with the mean |x|^2 over the samples, 4 mean |x|^2 + 3 for tanh and ReLU with biases.
The frozen kernel's largest stable step size eta* = 2N/lambda_max(K) then has E eta* >= 2/ceiling, and
P(eta* < 2 delta / ceiling) <= delta, at every width: it need not be lowered as the network widens.
Hypotheses. H1 Xavier's second moments (no law, no independence). H2 |sigma(t)| <= A|t|. H3 |sigma'| <= B.
Source. Reconstruction of a first look at the follow-up, arXiv 2606.23364; initialisation of Glorot and Bengio 2010.
Proof.  paper_notes.md, G8, lines 1-5.
Sharp.  Mean: the identity, at every d, m; tanh as |x| -> 0. Spectrum: N = 1 above, K a multiple of the identity below.
Failure. Unit variances: the mean grows like m (H1). Cosine and the logistic sigmoid, not 0 at 0, likewise (H2).
  Unbounded slopes, t sin t (H3). One hidden layer only: deeper, sigma' and the weights above it are dependent.
Units.  K in squared labels per squared parameter; x has no unit (it is added to the bias's 1).
"""

import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from theory.claim import Claim
from theory.rounding import ROUNDING
from theory.verdict import Check

CLAIM = Claim(
    id="G8",
    title="Learning-rate scale",
    statement="Xavier, one hidden layer: E lambda_max(K_0)/N <= 2m/(d+m) A^2 |x|^2 + 2m/(m+1) B^2 (|x|^2 + beta) + "
    "beta, |x|^2 averaged over the samples: a ceiling that saturates in the width m",
    hypotheses={
        "xavier second moments": "E w w^T <= (2/(d+m)) I for each hidden unit and E a^2 <= 2/(m+1)",
        "activation through zero": "|sigma(t)| <= A |t| for all t",
        "bounded slope": "|sigma'| <= B",
    },
    provenance="reconstruction",
    source="linearity of the expectation; initialisation of Glorot and Bengio 2010",
    module="learning_rate_scale",
    abstract="gradient descent converges beyond the kernel regime, without Lipschitz smoothness of the loss",
    sharp="mean: identity activation at every width; spectrum: one sample",
    tight=True,
    constants="known before drawing: d, m, A, B and the samples' mean squared norm",
    standing="proved and tight",
)


def mean_kernel(
    value_moment: ArrayLike,
    slope_moment: ArrayLike,
    squared_norm: ArrayLike,
    *,
    width: ArrayLike,
    outer_variance: ArrayLike,
    bias: bool,
) -> Float[Array, "..."]:
    """E K(x, x) = m E sigma(w.x)^2 + m E[a^2] E sigma'(w.x)^2 (|x|^2 + beta) + beta, a independent of w; broadcasts.

    value_moment, slope_moment: E sigma(w.x)^2 and E sigma'(w.x)^2 for one hidden unit.
    """
    through_inner = jnp.asarray(outer_variance, float) * slope_moment * (jnp.asarray(squared_norm) + float(bias))
    return jnp.asarray(width) * (jnp.asarray(value_moment, float) + through_inner) + float(bias)


def mean_ceiling(
    squared_norm: ArrayLike,
    *,
    dim: ArrayLike,
    width: ArrayLike,
    value_slope: ArrayLike,
    slope: ArrayLike,
    bias: bool,
) -> Float[Array, "..."]:
    """(2m/(d+m)) A^2 |x|^2 + (2m/(m+1)) B^2 (|x|^2 + beta) + beta; value_slope is A, slope is B. Broadcasts."""
    square, units = jnp.asarray(squared_norm, float), jnp.asarray(width, float)
    from_outer = 2.0 * units / (dim + units) * jnp.square(jnp.asarray(value_slope)) * square
    from_inner = 2.0 * units / (units + 1.0) * jnp.square(jnp.asarray(slope)) * (square + float(bias))
    return from_outer + from_inner + float(bias)


def width_free_ceiling(
    squared_norm: ArrayLike, *, value_slope: ArrayLike, slope: ArrayLike, bias: bool
) -> Float[Array, "..."]:
    """2 A^2 |x|^2 + 2 B^2 (|x|^2 + beta) + beta, the limit m -> infinity of `mean_ceiling`, above it at every m."""
    square = jnp.asarray(squared_norm, float)
    slopes = jnp.square(jnp.asarray(value_slope)) * square + jnp.square(jnp.asarray(slope)) * (square + float(bias))
    return 2.0 * slopes + float(bias)


def stable_step_quantile(failure_probability: ArrayLike, ceiling: ArrayLike) -> Float[Array, "..."]:
    """2 delta / ceiling: eta* = 2N/lambda_max(K_0) is at least this with probability at least 1 - delta (Markov)."""
    return 2.0 * jnp.asarray(failure_probability, float) / ceiling


def check(
    *,
    kernel_mean: float,
    squared_norm: float,
    dim: int,
    width: int,
    value_slope: float,
    slope: float,
    bias: bool,
    weight_variance: float,
    outer_variance: float,
    instance: str,
    quadrature_error: float = 0.0,
) -> Check:
    """Hold E K(x, x), exact up to `quadrature_error`, against its ceiling.

    weight_variance, outer_variance: second moments of the weights, at most 2/(d+m) and 2/(m+1) under H1.
    """
    for name, count in {"dim": dim, "width": width}.items():
        if count < 1:
            raise ValueError(f"{name} must be at least 1, but was {count}")
    if not squared_norm >= 0.0:
        raise ValueError(f"squared_norm must be at least 0, but was {squared_norm}")
    for name, variance in {"weight_variance": weight_variance, "outer_variance": outer_variance}.items():
        if not variance > 0.0:
            raise ValueError(f"{name} must be positive, but was {variance}")
    bound = float(mean_ceiling(squared_norm, dim=dim, width=width, value_slope=value_slope, slope=slope, bias=bias))
    spare = min(2.0 / (dim + width) / weight_variance, 2.0 / (width + 1) / outer_variance) - 1.0
    return Check(
        claim=CLAIM.id,
        inequality="mean",
        instance=instance,
        measured=kernel_mean,
        sense="<=",
        bound=bound,
        rounding=ROUNDING * bound + quadrature_error,
        margins={"xavier second moments": spare + ROUNDING},
    )


def check_spectrum(*, top_eigenvalue: float, trace: float, num_points: int, instance: str) -> Check:
    """Hold lambda_max(K)/N against tr K/N on one drawn network; eigenvalues are off by N eps lambda_max."""
    if num_points < 1:
        raise ValueError(f"num_points must be at least 1, but was {num_points}")
    bound = trace / num_points
    return Check(
        claim=CLAIM.id,
        inequality="spectrum",
        instance=instance,
        measured=top_eigenvalue / num_points,
        sense="<=",
        bound=bound,
        rounding=ROUNDING * abs(bound),
    )

"""Sup error: two Lipschitz functions that agree on the points differ by at most their constants times h_fill.

Statement. Omega any set of a metric space, X = {x_1..x_N} in Omega, f and g Lipschitz on Omega (values in R^m),
  |f - g|_inf <= max_i |f(x_i) - g(x_i)| + (Lip f + Lip g) h_fill,   h_fill = sup_{x in Omega} min_i |x - x_i|.
Pointwise with dist(x, X) in place of h_fill; and with Lip(f - g), where it is known, in place of Lip f + Lip g.
Hypotheses. H1 the constants hold on all of Omega, in the distance that measures h_fill. H2 h_fill is the supremum over
  all of Omega.
Source. Classic (McShane 1934 for the extremal functions; optimal recovery, Sukharev 1978).
Proof.  paper_notes.md, A1, lines 1-4.
Sharp.  Every X, node error, Lip f and Lip g: f = eps/2 + Lip f dist(., X), g = -eps/2 - Lip g dist(., X).
Failure. A slope read off the data alone; a gradient bound on an arc; the fill distance of a pool.
Units.  f, g in label units; Lipschitz constants in labels per input unit; h_fill in input units.
"""

import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from theory import require
from theory.claim import Claim
from theory.rounding import ROUNDING
from theory.verdict import Check

CLAIM = Claim(
    id="A1",
    title="Sup error",
    statement="|f - g|_inf <= max_i |f(x_i) - g(x_i)| + (Lip f + Lip g) h_fill",
    hypotheses={
        "lipschitz constants": "f and g have these Lipschitz constants on all of Omega, in the distance of h_fill",
        "fill distance of the domain": "every point of Omega lies within h_fill of X",
    },
    provenance="classic",
    source="triangle inequality; McShane 1934 for the extremal pair",
    module="sup_error",
    abstract="the approximation error falls as the minimum pairwise distance grows",
    sharp="cones over X: f = eps/2 + Lip f dist(., X), g = -eps/2 - Lip g dist(., X), for every X",
    tight=True,
    constants="known: h_fill and Lip g; measured on the trained network: Lip f (at most its operator norms' product)",
    standing="proved and tight",
)


def sup_bound(node_error: ArrayLike, lipschitz: ArrayLike, *, fill_distance: ArrayLike) -> Float[Array, "..."]:
    """node_error + lipschitz * fill_distance, a ceiling of |f - g|_inf (label units); arguments broadcast.

    node_error: max_i |f(x_i) - g(x_i)|.  lipschitz: Lip f + Lip g, or Lip(f - g).  With dist(x, X) for `fill_distance`
    it bounds |f(x) - g(x)|.
    """
    return jnp.asarray(node_error, float) + jnp.asarray(lipschitz, float) * fill_distance


def check(
    *,
    sup_error: float,
    node_error: float,
    lipschitz_f: float,
    lipschitz_g: float,
    fill_distance: float,
    instance: str,
    observed_slope: float = 0.0,
    observed_distance: float = 0.0,
    output_scale: float = 0.0,
) -> Check:
    """Hold |f - g|_inf, or any lower bound of it, against the ceiling.

    observed_slope: largest difference quotient of f - g seen; observed_distance: largest dist(x, X) seen. Both are
    evidence against the two hypotheses, 0 where these hold by construction.  output_scale: size of f and g, whose
    rounding the difference inherits.
    """
    numbers = {"sup_error": sup_error, "node_error": node_error, "fill_distance": fill_distance}
    require.at_least_zero(**numbers, lipschitz_f=lipschitz_f, lipschitz_g=lipschitz_g)
    lipschitz = lipschitz_f + lipschitz_g
    bound = float(sup_bound(node_error, lipschitz, fill_distance=fill_distance))
    return Check(
        claim=CLAIM.id,
        inequality="sup error",
        instance=instance,
        measured=sup_error,
        sense="<=",
        bound=bound,
        rounding=ROUNDING * (bound + output_scale),
        margins={
            "lipschitz constants": lipschitz * (1.0 + ROUNDING) - observed_slope,
            "fill distance of the domain": fill_distance * (1.0 + ROUNDING) - observed_distance,
        },
    )

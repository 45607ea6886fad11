"""Mean error: the mean of |f - g| is governed by the mean distance to the points, which no choice of points beats.

Statement. Omega in R^d of volume |Omega|, X = {x_1..x_N}, f and g Lipschitz, D_1 = int_Omega dist(x, X) dx.
  error     int_Omega |f - g| <= |Omega| max_i |f(x_i) - g(x_i)| + (Lip f + Lip g) D_1
  distance  D_1 >= |Omega| d/(d+1) (|Omega| / (N V_d))^(1/d),  wherever the N points lie
Hypotheses. H1 the constants hold along the way from each x to its nearest point of X. H2 the integral is Lebesgue's and
  the distance Euclidean (or wrapped, on a flat torus): a ball of radius t has volume at most V_d t^d.
Source. Reconstruction; the distance line is the classic bathtub argument (Fejes Toth 1953 for the plane's optimum).
Proof.  paper_notes.md, A2, lines 1-4.
Sharp.  Error: the cones of A1, every X. Distance: balls of volume |Omega|/N about X tile Omega: midpoints of N equal
  parts of an interval; N = 1 and Omega a ball in every d. In the plane, regular hexagons come within 0.29%.
Failure. A slope read off the data alone. Balls of another norm; a mean over a density that sits on the points.
Units.  D_1 in (input unit)^(d+1); f, g in label units; the integral is not divided by |Omega|.
"""

import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from theory import require
from theory.ball import log_unit_ball_volume
from theory.claim import Claim
from theory.rounding import ROUNDING
from theory.verdict import Check

CLAIM = Claim(
    id="A2",
    title="Mean error",
    statement="|f - g|_1 <= |Omega| max_i |f(x_i) - g(x_i)| + (Lip f + Lip g) D_1, "
    "and D_1 >= |Omega| d/(d+1) (|Omega|/(N V_d))^(1/d)",
    hypotheses={
        "lipschitz constants": "f and g have these Lipschitz constants between each point of Omega and X",
        "euclidean volume": "a ball of radius t has measure at most V_d t^d: Lebesgue measure, Euclidean distance",
    },
    provenance="reconstruction",
    source="A1 integrated; layer-cake (bathtub) argument for the distance",
    module="mean_error",
    abstract="the approximation error falls as the minimum pairwise distance grows",
    sharp="error: cones over X; distance: midpoints of equal parts of an interval, one point in a ball",
    tight=True,
    constants="known: D_1 and Lip g; measured on the trained network: Lip f",
    standing="proved and tight",
    rests_on=("A1",),
)


def mean_bound(
    node_error: ArrayLike, lipschitz: ArrayLike, *, mean_distance: ArrayLike, volume: ArrayLike
) -> Float[Array, "..."]:
    """volume * node_error + lipschitz * D_1, a ceiling of int |f - g| (labels times volume); arguments broadcast.

    node_error: max_i |f(x_i) - g(x_i)|, or the mean of the node errors weighted by the volumes of the Voronoi cells.
    mean_distance: D_1 = int_Omega dist(x, X) dx, an integral, not divided by the volume.
    """
    return jnp.asarray(volume, float) * node_error + jnp.asarray(lipschitz, float) * mean_distance


def mean_distance_floor(num_points: ArrayLike, *, dim: int, volume: ArrayLike) -> Float[Array, "..."]:
    """|Omega| d/(d+1) (|Omega| / (N V_d))^(1/d), the least D_1 of any N points; relative error below 32 eps."""
    return jnp.asarray(volume, float) * (dim / (dim + 1.0)) * ball_radius(num_points, dim=dim, volume=volume)


def ball_radius(num_points: ArrayLike, *, dim: int, volume: ArrayLike) -> Float[Array, "..."]:
    """a = (|Omega| / (N V_d))^(1/d), the radius at which N balls have together the volume of Omega (input units)."""
    log_share = jnp.log(jnp.asarray(volume, float)) - jnp.log(jnp.asarray(num_points, float))
    return jnp.exp((log_share - log_unit_ball_volume(dim)) / dim)


def check(
    *,
    integral: float,
    node_error: float,
    lipschitz_f: float,
    lipschitz_g: float,
    mean_distance: float,
    volume: float,
    instance: str,
    observed_slope: float = 0.0,
    output_scale: float = 0.0,
) -> Check:
    """Hold int_Omega |f - g|, or any lower bound of it, against the ceiling.

    mean_distance: D_1, or an upper bound of it.  observed_slope: largest difference quotient of f - g seen, 0 where
    the constants hold by construction.  output_scale: size of f and g, whose rounding the difference inherits.
    """
    numbers = {"integral": integral, "node_error": node_error, "mean_distance": mean_distance, "volume": volume}
    require.at_least_zero(**numbers, lipschitz_f=lipschitz_f, lipschitz_g=lipschitz_g)
    lipschitz = lipschitz_f + lipschitz_g
    bound = float(mean_bound(node_error, lipschitz, mean_distance=mean_distance, volume=volume))
    return Check(
        claim=CLAIM.id,
        inequality="error",
        instance=instance,
        measured=integral,
        sense="<=",
        bound=bound,
        rounding=ROUNDING * (bound + output_scale * volume),
        margins={"lipschitz constants": lipschitz * (1.0 + ROUNDING) - observed_slope},
    )


def check_distance(
    *, mean_distance: float, num_points: int, dim: int, volume: float, instance: str, unit_ball: float | None = None
) -> Check:
    """Hold D_1 of any N points against its floor.

    unit_ball: measure of the unit ball of the distance used, V_d (Euclidean) if not given; more than V_d means that
    the hypothesis fails.
    """
    if num_points < 1:
        raise ValueError(f"num_points must be at least 1, but was {num_points}")
    require.at_least_zero(mean_distance=mean_distance, volume=volume)
    bound = float(mean_distance_floor(num_points, dim=dim, volume=volume))
    excess = 0.0 if unit_ball is None else float(jnp.log(unit_ball)) - log_unit_ball_volume(dim)
    return Check(
        claim=CLAIM.id,
        inequality="distance",
        instance=instance,
        measured=mean_distance,
        sense=">=",
        bound=bound,
        rounding=ROUNDING * bound,
        margins={"euclidean volume": ROUNDING - excess},
    )

"""Second-order error: functions with Lipschitz slopes that agree at nodes differ by at most the gap squared, M g^2 / 8.

Statement. u = f - g with |u(x_i)| <= eps at the nodes.
  line     nodes x_1 < ... < x_N, low <= x_1, x_N <= high; u' Lipschitz with constant M on every gap [x_i, x_{i+1}] (on
           the end pieces: up to the second node). With g_i the gaps, t_- = x_1 - low, t_+ = high - x_N,
             |u|_inf on [low, high] <= max of  eps + M g_i^2 / 8  over the gaps  and, at either end,
                                       eps (1 + 2 t / g) + M t (t + g) / 2,  g the gap next to that end.
  simplex  T = conv(v_0..v_k) in R^d, grad u Lipschitz with constant M on T, |u(v_i)| <= eps:
             |u|_inf on T <= eps + M r^2 / 2,   r the radius of the smallest ball that holds the vertices.
  So a set of nodes with a triangulation of its hull whose simplices fit in balls of radius r has order 2 in r.
Hypotheses. H1 bounded curvature: u' (grad u) is Lipschitz with constant M on each piece; kinks at inner nodes, or on
  faces that simplices share, are harmless. H2 agreement at the nodes. H3 the point lies in the interval or the simplex.
Source. Classic: the line is Cauchy's remainder; the simplex is Waldron 1998, whose M/2 (R^2 - |x - c|^2), R the
  circumradius, has M r^2 / 2 as its maximum. Cited, not proved here: sampling inequalities, order
  h_fill^(k - d (1/p - 1/q)_+) of |u|_q in W^k_p, Madych and Potter 1985, Narcowich, Ward and Wendland 2005.
Proof.  paper_notes.md, A5, lines 1-7.
Sharp.  Every node set: +-M (x - x_i)(x - x_{i+1}) / 2 plus the line through +-eps at its two nodes on the worst piece,
  constant on the other gaps, with its node's value. Every simplex: M (|x - c|^2 - R^2) / 2, which vanishes at all
  vertices, at the centre of the smallest ball.
Failure. A kink inside a gap; nodes that disagree; points outside; h_fill in place of r (an obtuse triangle).
Units.  M in labels per squared input unit; eps in label units; g, t, r in input units.
"""

import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from theory.claim import Claim
from theory.rounding import EPS
from theory.verdict import Check

CLAIM = Claim(
    id="A5",
    title="Second-order error",
    statement="|f - g| <= eps + M g^2/8 between nodes of the line (largest gap g), eps (1 + 2t/g) + M t (t + g)/2 on "
    "an end piece (length t, next gap g), eps + M r^2/2 on a simplex (smallest ball r)",
    hypotheses={
        "bounded curvature": "the gradient of f - g is Lipschitz with constant M on each gap or simplex",
        "agreement at the nodes": "|f - g| <= eps at every node",
        "point between the nodes": "the point lies in the interval, or in the simplex of its nodes",
    },
    provenance="classic",
    source="Cauchy's remainder; Waldron 1998 on simplices; order in W^k_p cited (Madych-Potter, Narcowich et al.)",
    module="second_order_error",
    abstract="the approximation error falls as the minimum pairwise distance grows",
    sharp="a parabola on the worst gap or end piece; a paraboloid on every simplex",
    tight=True,
    constants="known: the nodes; assumed of f and g: the curvature M and the agreement eps",
    standing="proved and tight",
)


class EnclosingBall(NamedTuple):
    """Smallest ball that holds k points: its radius, and its centre as a convex combination of them."""

    radius: float
    weights: Float[np.ndarray, " k"]


def line_bound(
    nodes: Float[Array | np.ndarray, " N"],
    interval: tuple[ArrayLike, ArrayLike],
    *,
    curvature: ArrayLike,
    node_error: ArrayLike = 0.0,
) -> Float[Array, ""]:
    """Largest possible |f - g| (label units) on interval = (low, high), nodes ascending within it, N >= 2."""
    gaps = jnp.diff(jnp.asarray(nodes, float))
    beyond = jnp.array([nodes[0] - interval[0], interval[1] - nodes[-1]])
    beside = gaps[jnp.array([0, -1])]
    stretch = jnp.concatenate([jnp.ones_like(gaps), 1.0 + 2.0 * beyond / beside])
    weight = jnp.concatenate([gaps**2 / 8.0, beyond * (beyond + beside) / 2.0])
    return jnp.max(jnp.asarray(node_error) * stretch + jnp.asarray(curvature) * weight)


_compiled_line_bound = jax.jit(line_bound)


def simplex_bound(radius: ArrayLike, *, curvature: ArrayLike, node_error: ArrayLike = 0.0) -> Float[Array, "..."]:
    """eps + M r^2 / 2: largest possible |f - g| (label units) where the vertices fit in a ball of that radius."""
    return jnp.asarray(node_error) + 0.5 * jnp.asarray(curvature) * jnp.square(jnp.asarray(radius, float))


def enclosing_ball(vertices: Float[np.ndarray, "k d"]) -> EnclosingBall:
    """Smallest ball around k <= 8 points: the largest circumball of a face that holds its own centre (line 7).

    Relative error about 16 d eps divided by the sine of the flattest angle that matters; never errs high by more
    than rounding, since every candidate is the mean squared distance of a convex combination from its own mean.
    """
    if len(vertices) > 8:
        raise ValueError(f"vertices must be at most 8 points, for every face is tried, but were {len(vertices)}")
    best = EnclosingBall(0.0, np.eye(len(vertices))[0])
    for size in range(2, len(vertices) + 1):
        for face in itertools.combinations(range(len(vertices)), size):
            edges = vertices[list(face[1:])] - vertices[face[0]]
            gram = edges @ edges.T
            try:
                inner = np.linalg.solve(2.0 * gram, np.diag(gram))  # |v_0 - c| = |v_j - c|
            except np.linalg.LinAlgError:
                continue  # affinely dependent: a smaller face has the same ball
            own = np.array([1.0 - inner.sum(), *inner])
            if own.min() < 0.0:
                continue
            weights = np.zeros(len(vertices))
            weights[list(face)] = own
            spread = vertices - weights @ vertices
            radius = float(np.sqrt(weights @ np.sum(spread**2, axis=1)))
            if radius > best.radius:
                best = EnclosingBall(radius, weights)
    return best


def check_line(
    error: float,
    nodes: Float[np.ndarray, " N"],
    interval: tuple[float, float],
    *,
    curvature: float,
    node_error: float = 0.0,
    size: float = 0.0,
    margins: dict[str, float] | None = None,
    instance: str = "functions",
) -> Check:
    """Hold the largest |f - g| seen on the interval against `line_bound`.

    curvature, node_error: M and eps.  size: of the values that were subtracted, whose rounding the error inherits.
    margins: signed slack of the hypotheses by name (`CLAIM.hypotheses`), where they were measured.
    """
    if not (len(nodes) >= 2 and np.all(np.diff(nodes) > 0.0)):
        raise ValueError(f"nodes must be at least 2 ascending numbers, but were {nodes.tolist()}")
    if not (interval[0] <= nodes[0] and nodes[-1] <= interval[1]):
        raise ValueError(f"interval must hold all nodes {nodes[0]}..{nodes[-1]}, but was {interval}")
    bound = float(_compiled_line_bound(nodes, interval, curvature=curvature, node_error=node_error))
    return _check("line", error, bound, size, curvature, node_error, margins, instance)


def check_simplex(
    error: float,
    vertices: Float[np.ndarray, "k d"],
    *,
    curvature: float,
    node_error: float = 0.0,
    size: float = 0.0,
    margins: dict[str, float] | None = None,
    instance: str = "functions",
) -> Check:
    """Hold the largest |f - g| seen on the convex hull of the vertices against `simplex_bound`; arguments as above."""
    radius = enclosing_ball(vertices).radius
    bound = float(simplex_bound(radius, curvature=curvature, node_error=node_error))
    return _check("simplex", error, bound, size, curvature, node_error, margins, instance)


def _check(
    inequality: str,
    error: float,
    bound: float,
    size: float,
    curvature: float,
    node_error: float,
    margins: dict[str, float] | None,
    instance: str,
) -> Check:
    for name, value in {"curvature": curvature, "node_error": node_error}.items():
        if not value >= 0.0:
            raise ValueError(f"{name} must be at least 0, but was {value}")
    return Check(
        claim=CLAIM.id,
        inequality=inequality,
        instance=instance,
        measured=float(error),
        sense="<=",
        bound=bound,
        rounding=64.0 * EPS * (bound + size),  # a dozen operations on values of that size
        margins=dict.fromkeys(CLAIM.hypotheses, 0.0) | (margins or {}),
    )

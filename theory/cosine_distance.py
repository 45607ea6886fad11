"""Cosine distance: half the squared chord of the normalised vectors, so the same choice with a weaker guarantee.

Statement. u, v nonzero vectors, a in [0, pi] their angle, D = 1 - cos a.
  identity     D = |u/|u| - v/|v||^2 / 2
  same choice  farthest-first by D, by Euclidean distance of the normalised vectors, and by angle are the same
  dispersion   OPT <= phi(D(S_k)), phi(D) = 2 D (2 - D) <= 4 D for D <= 1, phi = 2 beyond;  D(S_k) the least cosine
               distance within the chosen S_k, OPT the largest of any k vectors of the pool
  cover        cover(S_k) <= phi(OPT), OPT the least cosine radius at which k directions cover the pool
  triangle     D(u, w) <= 2 (D(u, v) + D(v, w)), and no number less than 2 will do: D is not a metric
Hypotheses. H1 the vectors are not zero. H2 Euclidean distances are those of the normalised vectors (equal lengths
  do). H3 the choice is farthest-first.
Source. Reconstruction: D1 for the angle, which is a metric on directions.
Proof.  paper_notes.md, D2, lines 1-6.
Sharp.  phi at every D < 1: three directions of a plane at angles 0, a, -a. The factor 4 only as D -> 0.
Failure. A zero vector (H1); lengths left as they are (H2); a near choice (H3).
Units.  D is a number in [0, 2]; chords are in the unit of the sphere's radius 1; angles in radians.
"""

import math

import numpy as np
from jaxtyping import Float, Int

from theory.claim import Claim
from theory.farthest_first import choice_margin, chosen_separation, cover_radius, require_order
from theory.verdict import Check

CLAIM = Claim(
    id="D2",
    title="Cosine distance",
    statement="1 - cos(u, v) = |u/|u| - v/|v||^2 / 2: the same farthest-first choice, with OPT <= 2 D (2 - D) <= 4 D "
    "for its least cosine distance D <= 1, and the same for the cover",
    hypotheses={
        "nonzero vectors": "no vector is zero",
        "normalised vectors": "Euclidean distances are taken between vectors of length 1",
        "farthest choice": "each vector is a farthest one of the pool from those before it",
    },
    provenance="reconstruction",
    source="Gonzalez 1985 for the angle between directions",
    module="cosine_distance",
    abstract="selecting data by maximal minimum cosine distance",
    sharp="three directions of a plane at angles 0, a, -a, any a < pi/2",
    tight=True,
    constants="known: none but the numbers of the formula",
    standing="proved and tight",
    rests_on=("D1",),
)

ROUNDING = 2.0**-46
"""Absolute float64 allowance of a cosine, 64 eps: vectors of up to some fifty coordinates."""


def cosine_distances(
    points: Float[np.ndarray, "n dim"], others: Float[np.ndarray, "m dim"]
) -> Float[np.ndarray, "n m"]:
    """1 - cos of all pairs, within a few eps of the true numbers in [0, 2]; a zero vector has cosine 0 with all."""
    products = points @ others.T
    lengths = np.outer(np.linalg.norm(points, axis=1), np.linalg.norm(others, axis=1))
    return 1.0 - np.divide(products, lengths, out=np.zeros_like(products), where=lengths > 0.0)


def doubled_angle(distance: float | int) -> float:
    """phi(D) = 1 - cos(2a) where D = 1 - cos(a), a <= pi/2; beyond, 2, the largest cosine distance."""
    return 2.0 * distance * (2.0 - distance) if distance < 1.0 else 2.0


def check_identity(
    vector: Float[np.ndarray, " dim"],
    other: Float[np.ndarray, " dim"],
    *,
    scaled: Float[np.ndarray, "2 dim"],
    instance: str = "pair",
) -> Check:
    """Hold 1 - cos(u, v) against |scaled_1 - scaled_2|^2 / 2: the larger may not exceed the smaller.

    scaled: the two vectors between which the Euclidean distance is taken, u/|u| and v/|v| by H2.
    """
    cosine = float(cosine_distances(vector[None], other[None])[0, 0])
    half_square = 0.5 * float(np.sum((scaled[0] - scaled[1]) ** 2))
    return Check(
        claim=CLAIM.id,
        inequality="identity",
        instance=instance,
        measured=max(cosine, half_square),
        sense="<=",
        bound=min(cosine, half_square),
        rounding=ROUNDING,
        margins=_length_margins(np.stack([vector, other]), scaled),
    )


def check_triangle(path: Float[np.ndarray, "3 dim"], *, instance: str = "triple") -> Check:
    """Hold D from the first to the last vector against twice the sum of both steps; vacuous where that reaches 2."""
    table = cosine_distances(path, path)
    bound = 2.0 * float(table[0, 1] + table[1, 2])
    return Check(
        claim=CLAIM.id,
        inequality="triangle",
        instance=instance,
        measured=float(table[0, 2]),
        sense="<=",
        bound=bound,
        rounding=8.0 * ROUNDING,
        margins=_length_margins(path),
        vacuous=bound >= 2.0,
    )


def check_choice(
    points: Float[np.ndarray, "n dim"],
    order: Int[np.ndarray, " k"],
    *,
    scaled: Float[np.ndarray, "n dim"],
    instance: str = "pool",
) -> Check:
    """Hold the choice by cosine distance against the farthest point by Euclidean distance of `scaled`, worst turn.

    Both in halves of squares; the chosen one may not be nearer than the farthest.
    """
    require_order(order, len(points), least=2)
    squares = 0.5 * np.sum((scaled[:, None] - scaled[None, order[:-1]]) ** 2, axis=2)
    nearest = np.minimum.accumulate(squares, axis=1)
    chosen, farthest = nearest[order[1:], np.arange(len(order) - 1)], nearest.max(axis=0)
    turn = int(np.argmax(farthest - chosen))
    return Check(
        claim=CLAIM.id,
        inequality="same choice",
        instance=instance,
        measured=float(chosen[turn]),
        sense=">=",
        bound=float(farthest[turn]),
        rounding=4.0 * ROUNDING,
        margins=_length_margins(points, scaled) | _choice_margin(points, order),
    )


def check_dispersion(
    points: Float[np.ndarray, "n dim"], order: Int[np.ndarray, " k"], *, optimum: float, instance: str = "pool"
) -> Check:
    """Hold the best least cosine distance of k vectors of the pool against phi of the chosen ones'.

    Vacuous where those are at a right angle or wider: phi = 2 excludes nothing.
    """
    require_order(order, len(points), least=2)
    own = chosen_separation(cosine_distances(points, points), order)
    return Check(
        claim=CLAIM.id,
        inequality="dispersion",
        instance=instance,
        measured=optimum,
        sense="<=",
        bound=doubled_angle(own),
        rounding=8.0 * ROUNDING,
        margins=_length_margins(points) | _choice_margin(points, order),
        vacuous=own >= 1.0,
    )


def check_cover(
    points: Float[np.ndarray, "n dim"], order: Int[np.ndarray, " k"], *, optimum: float, instance: str = "pool"
) -> Check:
    """Hold the chosen ones' cosine cover radius against phi of the least of any k directions; vacuous from 1 on."""
    require_order(order, len(points), least=1)
    return Check(
        claim=CLAIM.id,
        inequality="cover",
        instance=instance,
        measured=cover_radius(cosine_distances(points, points), order),
        sense="<=",
        bound=doubled_angle(optimum),
        rounding=8.0 * ROUNDING,
        margins=_length_margins(points) | _choice_margin(points, order),
        vacuous=optimum >= 1.0,
    )


def _length_margins(
    points: Float[np.ndarray, "n dim"], scaled: Float[np.ndarray, "n dim"] | None = None
) -> dict[str, float]:
    shortest = float(np.linalg.norm(points, axis=1).min())
    margins = {"nonzero vectors": shortest if shortest > 0.0 else -math.inf}
    if scaled is not None:
        margins["normalised vectors"] = ROUNDING - float(np.abs(np.linalg.norm(scaled, axis=1) - 1.0).max())
    return margins


def _choice_margin(points: Float[np.ndarray, "n dim"], order: Int[np.ndarray, " k"]) -> dict[str, float]:
    return {"farthest choice": choice_margin(cosine_distances(points, points), order) + 4.0 * ROUNDING}

"""What is certain of a selection by farthest-first once it is made: how good any other choice could be at most.

  separation  no k rows of the candidates have a larger h_min than  2 h (D1)  or, in cosine distance,  phi(h) (D2)
  cover       no k centres, rows or not, have every row of the pool within less than  c/2 (D1)  or  1 - sqrt(1 - c/2),
              which phi takes to c (D2)
with h = h_min of the chosen k rows, c their cover of the pool, phi(D) = 2 D (2 - D), and 2 beyond D = 1.
Hypotheses. Each row was the farthest of the candidates: the whole pool, or what is left of it without outliers. The
  bound on covers needs that no row was left out.
Units.  h and c in the metric's distance.
"""

import math
from typing import NamedTuple

from experiments.selection import Selection
from theory.cosine_distance import CLAIM as COSINE
from theory.cosine_distance import doubled_angle
from theory.farthest_first import CLAIM as METRIC
from theory.farthest_first import FACTOR


class Guarantee(NamedTuple):
    """claim: D1 or D2.  best_separation: None for k = 1.  best_cover: None where candidates were left out."""

    claim: str
    best_separation: float | None
    best_cover: float | None


def guarantee(selection: Selection, *, metric: str, method: str, trimmed: bool) -> Guarantee | None:
    """The guarantee of this selection, None for a method that has none; `trimmed`: outliers were no candidates."""
    if method != "greedy":
        return None
    separation = float(selection.insertion[-1]) if len(selection.insertion) > 1 else None
    if metric == "cosine":
        best_separation = None if separation is None else doubled_angle(separation)
        # Rounding may take a cosine distance past 2.
        best_cover = 1.0 - math.sqrt(max(1.0 - selection.cover / 2.0, 0.0))
    else:
        best_separation = None if separation is None else FACTOR * separation
        best_cover = selection.cover / FACTOR
    return Guarantee(
        claim=(COSINE if metric == "cosine" else METRIC).id,
        best_separation=best_separation,
        best_cover=None if trimmed else best_cover,
    )

"""Packing ceilings for data: how far apart N points could be at most within the box, or the ball, that holds the data.

Statement. N >= 2 points of separation h = min_{i != j} |x_i - x_j|.
  box, sides a_k    N V_d (h/2)^d <= |box + B(h/2)| = sum_k e_{d-k}(a) V_k (h/2)^k   (Steiner; e_k elementary symmetric)
                    h^2 <= |a|^2 floor(N^2/4) / binom(N, 2)
  ball, radius R    h <= 2 R / (N^(1/d) - 1);  h^2 <= 2 N / (N - 1) R^2;  h^2 <= 2 R^2 once N >= d + 2
Sides of length 0 count neither in the box nor in its d.
Hypotheses. The points lie in the box, in the ball; distances are Euclidean.
Source. As S4 (theory/packing_ceiling.py), of which the box is the affine version: disjoint balls of radius h/2 in the
  enlarged body; the least squared distance is at most the mean one; Rankin 1955 for N >= d + 2, in the ball as on the
  sphere.
Sharp.  Box: d = 1, and N = 2. Ball: simplex (N = d + 1), cross-polytope (N = 2d).
Failure. Data on a surface of few dimensions have many coordinates: the volumes then say nothing, and the ceilings are
  those of the mean. One outlier enlarges both bodies.
Rounding. Rounded up by a relative 1e-9: rigorous.
Units.  Lengths in one unit, that of the data.
"""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from theory.ball import log_unit_ball_volume
from theory.packing_ceiling import plane_ceiling

_UP = 1.0 + 1e-9
_MOST_SIDES = 1 << 10  # above, no number of points that fits into a computer makes the volume matter


def box_ceiling(num_points: int, *, sides: Sequence[float]) -> float:
    """Largest separation that `num_points` points of a box with these sides could have (an upper bound)."""
    if num_points < 2 or min(sides, default=0.0) < 0.0:
        raise ValueError(f"num_points and sides must be at least 2 and 0, but were {num_points} and {min(sides)}")
    lengths = np.array([side for side in sides if side > 0.0])
    if not len(lengths):
        return 0.0
    unit = float(np.max(lengths))
    scaled = lengths / unit
    bounds = [math.sqrt(float(np.sum(scaled**2)) * (num_points**2 // 4) / (0.5 * num_points * (num_points - 1)))]
    if len(scaled) <= _MOST_SIDES:
        bounds.append(_volume_ceiling(num_points, scaled))
    if len(scaled) == 2:
        bounds.append(plane_ceiling(num_points, area=float(np.prod(scaled)), perimeter=2.0 * float(np.sum(scaled))))
    return _UP * unit * min(bounds)


def ball_ceiling(num_points: int, *, radius: float, dim: int) -> float:
    """Largest separation that `num_points` points of a ball could have (an upper bound)."""
    if num_points < 2 or radius < 0.0 or dim < 1:
        raise ValueError(
            f"num_points, radius and dim must be at least 2, 0 and 1, but were {num_points}, {radius} and {dim}"
        )
    bounds = [math.sqrt(2.0 * num_points / (num_points - 1.0)), 2.0 / math.expm1(math.log(num_points) / dim)]
    if num_points >= dim + 2:
        bounds.append(math.sqrt(2.0))
    return _UP * radius * min(bounds)


def _volume_ceiling(num_points: int, sides: Float[np.ndarray, " d"]) -> float:
    """The h at which the balls fill the enlarged box, its longest side 1; infinite if beyond its diagonal."""
    symmetric = np.full(len(sides) + 1, -math.inf)  # log e_k of the sides so far
    symmetric[0] = 0.0
    for side in sides:
        symmetric[1:] = np.logaddexp(symmetric[1:], symmetric[:-1] + math.log(side))
    dims = np.arange(len(sides) + 1)
    steiner = symmetric[::-1] + np.array([log_unit_ball_volume(int(k)) for k in dims])

    def crowding(log_radius: float) -> float:
        terms = steiner + dims * log_radius
        balls = math.log(num_points) + log_unit_ball_volume(len(sides)) + len(sides) * log_radius
        return balls - float(np.logaddexp.reduce(terms))

    high = math.log(0.5 * math.sqrt(len(sides)))  # half the diagonal of a unit cube holds the box's own
    if crowding(high) <= 0.0:
        return math.inf
    low = high - 1.0
    while crowding(low) > 0.0:
        low -= 1.0
    for _ in range(40):  # to 1e-12
        middle = 0.5 * (low + high)
        low, high = (middle, high) if crowding(middle) <= 0.0 else (low, middle)
    return 2.0 * math.exp(high)

"""Proved best separations of N points in the unit square, N = 2..10, 16, 25, 36.

  N  2       3              4  5        6          7            8               9    10             k^2 = 16, 25, 36
  h  sqrt 2  sqrt6 - sqrt2  1  sqrt2/2  sqrt13/6   4 - 2 sqrt3  (sqrt6-sqrt2)/2 1/2  0.42127954398  1/(k-1)
Source. N <= 9: Schaer 1965, Schaer and Meir 1965; N = 10: de Groot, Peikert and Wuertz 1990 (h is a root of a
polynomial of degree 18, OEIS A281065); N = 16 and 25: Wengerodt 1983, 1987; N = 36: Kirchner and Wengerodt 1987.
"""

import math

import numpy as np
from jaxtyping import Float

from experiments.points.domains import Cube, Domain

_H_7 = 4.0 - 2.0 * math.sqrt(3.0)
_LOW_3 = 2.0 - math.sqrt(3.0)
_LOW_8 = 0.5 * _LOW_3

# N = 10: the contact equations of the optimum, solved to 40 digits.
_H_10 = 0.42127954398390343
_LEFT_10, _IN_10, _RIGHT_10, _TOP_10 = (
    0.57887684044731768,
    0.39069111370327883,
    0.37698994762287076,
    0.011477746627787916,
)
_FREE_10 = (0.71637864530584567, 0.68849497381143538)

_KNOWN: dict[int, tuple[tuple[float, float], ...]] = {
    2: ((0.0, 0.0), (1.0, 1.0)),
    3: ((0.0, 0.0), (1.0, _LOW_3), (_LOW_3, 1.0)),
    5: ((0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0), (0.5, 0.5)),
    6: ((0.0, 0.0), (0.0, 2 / 3), (0.5, 1 / 3), (0.5, 1.0), (1.0, 0.0), (1.0, 2 / 3)),
    7: ((0.0, 0.0), (_H_7, 0.0), (0.0, _H_7), (_H_7, _H_7), (0.5 * _H_7, 1.0), (1.0, 0.5 * _H_7), (1.0, 1.0)),
    8: (
        (0.0, 0.0),
        (0.0, 1.0),
        (1.0, 0.0),
        (1.0, 1.0),
        (0.5, _LOW_8),
        (0.5, 1.0 - _LOW_8),
        (_LOW_8, 0.5),
        (1.0 - _LOW_8, 0.5),
    ),
    10: (
        (0.0, _LEFT_10),
        (0.0, _LEFT_10 - _H_10),
        (_IN_10, _H_10),
        (_IN_10, 0.0),
        (_IN_10 + _H_10, 0.0),
        (1.0, _RIGHT_10),
        _FREE_10,
        (1.0, 1.0),
        (_TOP_10, 1.0),
        (_TOP_10 + _H_10, 1.0),
    ),
}
_GRIDS = {side**2: side for side in (2, 3, 4, 5, 6)}


def square_packing(num_points: int, domain: Domain, *, seed: int = 0) -> Float[np.ndarray, "n D"]:
    """The best separated N points of [0,1]^2 for N = 2..10, 16, 25, 36. No randomness."""
    if domain != Cube(2):
        raise ValueError(f"domain must be Cube(dim=2) for square_packing, but was {domain}")
    if num_points in _GRIDS:
        line = np.linspace(0.0, 1.0, _GRIDS[num_points])
        return np.stack(np.meshgrid(line, line, indexing="ij"), axis=-1).reshape(-1, 2)
    if num_points not in _KNOWN:
        known = ", ".join(map(str, sorted([*_KNOWN, *_GRIDS])))
        raise ValueError(f"num_points must be one of {known}, where the optimum is proved, but was {num_points}")
    return np.array(_KNOWN[num_points])

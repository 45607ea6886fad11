"""Best separated points on spheres, in closed form or to float64: circle, simplex, cross-polytope, Tammes codes.

Separations are chords. The Tammes problem (N points on S^2) is solved for N = 3..14 and 24: Fejes Toth 1943 (3, 4, 6,
12), Schuette and van der Waerden 1951 (5, 7, 8, 9), Danzer 1963 (10, 11), Musin and Tarasov 2012 (13) and 2015 (14),
Robinson 1961 (24). Decimal angles: OEIS A383859, A381756, A137914, A340918, A105199, A217695, A383860, A383861.
"""

import itertools
import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.linalg import helmert

from experiments.points.domains import Domain, Sphere


def circle(num_points: int, domain: Domain, *, seed: int = 0) -> Float[np.ndarray, "n D"]:
    """Equal angles on S^1: separation 2 sin(pi/N). No randomness."""
    if domain != Sphere(2):
        raise ValueError(f"domain must be Sphere(dim=2) for circle, but was {domain}")
    angles = 2.0 * math.pi * np.arange(num_points) / num_points
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def simplex(num_points: int, domain: Domain, *, seed: int = 0) -> Float[np.ndarray, "n D"]:
    """All distances sqrt(2N/(N-1)), N <= dim + 1: the largest possible (Rankin 1955). No randomness."""
    if num_points > domain.coordinates + 1:
        raise ValueError(f"num_points must be at most dim + 1 for a simplex in {domain}, but was {num_points}")
    vertices = helmert(num_points).T * math.sqrt(num_points / (num_points - 1))
    return np.pad(vertices, ((0, 0), (0, domain.coordinates - num_points + 1)))


def cross_polytope(num_points: int, domain: Domain, *, seed: int = 0) -> Float[np.ndarray, "n D"]:
    """The first N <= 2 dim of e_1..e_dim, -e_1..-e_dim: separation sqrt 2, best for N >= dim + 2. No randomness."""
    if num_points > 2 * domain.coordinates:
        raise ValueError(f"num_points must be at most 2 dim for a cross-polytope in {domain}, but was {num_points}")
    return np.concatenate([np.eye(domain.coordinates), -np.eye(domain.coordinates)])[:num_points]


def tammes(num_points: int, domain: Domain, *, seed: int = 0) -> Float[np.ndarray, "n D"]:
    """The proved optimum of N points on S^2, N = 4..14 or 24. No randomness."""
    if domain != Sphere(3):
        raise ValueError(f"domain must be Sphere(dim=3) for tammes, but was {domain}")
    if num_points == 24:
        return _snub_cube()
    if num_points not in _RINGS:
        known = ", ".join(map(str, (*_RINGS, 24)))
        raise ValueError(f"num_points must be one of {known}, where the optimum is proved, but was {num_points}")
    return _on_rings(_RINGS[num_points])


class _Rings(NamedTuple):
    """A code that a turn by 2 pi/fold about the z axis maps to itself: poles and rings of `fold` points.

    poles: their heights z = +-1.  rings: (azimuth of one point, height z).
    """

    fold: int
    poles: tuple[float, ...]
    rings: tuple[tuple[float, float], ...]


_PI = math.pi
_COS_7 = math.sin(_PI / 18) / (1.0 - math.sin(_PI / 18))  # root of 3 x^3 - 9 x^2 - 3 x + 1
_HEIGHT_8 = 1.0 / math.sqrt(1.0 + 2.0 * math.sqrt(2.0))
# Where no short closed form is at hand: the contact equations of the symmetric optimum, solved to 40 digits.
_TURN_10, _TURN_14 = 0.58258259295645266, 0.96985022126199933
_HEIGHTS_10 = (0.79244320346128552, 0.51031332397061473, -0.12720172154541604, -0.83797205359613597)
_HEIGHTS_13 = (0.54263648682963846, -0.090105092440958604, -0.73663864060313756)
_LOW_14, _HIGH_14 = 0.18657276716940989, 0.56395030036050517

_RINGS = {
    4: _Rings(3, (1.0,), ((0.0, -1 / 3),)),
    5: _Rings(3, (1.0, -1.0), ((0.0, 0.0),)),
    6: _Rings(4, (1.0, -1.0), ((0.0, 0.0),)),
    7: _Rings(3, (1.0,), ((0.0, _COS_7), (_PI / 3, -math.sqrt((1.0 + 2.0 * _COS_7) / 3.0)))),
    8: _Rings(4, (), ((0.0, _HEIGHT_8), (_PI / 4, -_HEIGHT_8))),
    9: _Rings(3, (), ((0.0, 0.0), (_PI / 3, math.sqrt(5.0) / 3.0), (_PI / 3, -math.sqrt(5.0) / 3.0))),
    10: _Rings(
        2,
        (),
        (
            (0.0, _HEIGHTS_10[0]),
            (_PI / 2, _HEIGHTS_10[1]),
            (_TURN_10, _HEIGHTS_10[2]),
            (-_TURN_10, _HEIGHTS_10[2]),
            (_PI / 2, _HEIGHTS_10[3]),
        ),
    ),
    11: _Rings(5, (1.0,), ((0.0, math.sqrt(0.2)), (_PI / 5, -math.sqrt(0.2)))),
    12: _Rings(5, (1.0, -1.0), ((0.0, math.sqrt(0.2)), (_PI / 5, -math.sqrt(0.2)))),
    13: _Rings(4, (1.0,), ((0.0, _HEIGHTS_13[0]), (_PI / 4, _HEIGHTS_13[1]), (0.0, _HEIGHTS_13[2]))),
    14: _Rings(
        2,
        (1.0, -1.0),
        (
            (0.0, _LOW_14),
            (_PI / 2, -_LOW_14),
            (_TURN_14, _HIGH_14),
            (-_TURN_14, _HIGH_14),
            (_PI / 2 - _TURN_14, -_HIGH_14),
            (_TURN_14 - _PI / 2, -_HIGH_14),
        ),
    ),
}


def _on_rings(code: _Rings) -> Float[np.ndarray, "n 3"]:
    points = [(0.0, 0.0, height) for height in code.poles]
    for azimuth, height in code.rings:
        radius = math.sqrt(1.0 - height**2)
        turns = [azimuth + 2.0 * _PI * k / code.fold for k in range(code.fold)]
        points += [(radius * math.cos(turn), radius * math.sin(turn), height) for turn in turns]
    return np.array(points)


def _snub_cube() -> Float[np.ndarray, "24 3"]:
    """Even permutations of (+-1, +-1/t, +-t) with an even number of minus signs, odd ones with an odd number.

    t = 1.839..., the tribonacci constant, t^3 = t^2 + t + 1.
    """
    root = 3.0 * math.sqrt(33.0)
    t = (1.0 + math.cbrt(19.0 + root) + math.cbrt(19.0 - root)) / 3.0
    magnitudes = np.array([1.0, 1.0 / t, t]) / math.sqrt(1.0 + 1.0 / t**2 + t**2)
    vertices = [
        magnitudes[list(order)] * signs
        for order in itertools.permutations(range(3))
        for signs in itertools.product((1.0, -1.0), repeat=3)
        if np.linalg.det(np.eye(3)[list(order)]) * np.prod(signs) > 0
    ]
    return np.array(vertices)

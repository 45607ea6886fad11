"""Labels for points x_i: a smooth target with a known Lipschitz constant, a fixed gap on one pair, noise.

Target.  f(x) = sum_{k=1..6} c_k sin(w_k . (x - z)), x flattened; w, |c| and z in [0,1]^D are random, but depend on
  the seed and the number of coordinates only, so a sweep that moves points keeps the function.
Constant. grad f = sum_k c_k cos(w_k . (x - z)) w_k, so |grad f| <= max over signs s of |sum_k s_k |c_k| w_k|: convex in
  the cosines, largest at a corner.  The signs of c are those of the maximum, and |c| is scaled to make it `lipschitz`.
Sharp.   At x = z every cosine is 1: `lipschitz` is the Lipschitz constant of f on the cube and on the torus, not only a
  bound.  On the sphere, whose tangents miss a direction and which may miss z, it is a bound.
Units.   Labels are in label units, `lipschitz` in label units per unit of distance (Frobenius for token sequences).
"""

import itertools
import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from experiments.separation import separation

_FEATURES = 6
_TARGET_STREAM, _NOISE_STREAM = 1, 2  # one seed, yet target, noise and the points' own draws are independent
_SLOWEST, _FASTEST = 0.5 * math.pi, 1.5 * math.pi  # |w|: a quarter to three quarters of a period across a unit length


class Labels(NamedTuple):
    """values: (N,).  lipschitz: a Lipschitz constant of the target, None once a gap or noise is put in.

    gap: y_j - y_i on `pair` = (i, j), the closest pair of the points.
    """

    values: Float[np.ndarray, " n"]
    lipschitz: float | None
    gap: float
    pair: tuple[int, int]


def lipschitz_target(
    points: Float[np.ndarray, "n ..."], *, lipschitz: float | int, seed: int, period: float | None = None
) -> Labels:
    """y_i = f(x_i) for a random smooth f of Lipschitz constant `lipschitz` >= 0, by construction.

    points: (N, d) or (N, T, d).  period: that of the torus, on which f must be periodic; its frequencies are then whole
    multiples of 2 pi/period in every coordinate, and the constant holds for the wrapped distance.
    """
    if not 0 <= lipschitz < math.inf:
        raise ValueError(f"lipschitz must be a non-negative number, but was {lipschitz}")
    pair = separation(points, period=period).pair
    rows = points.reshape(len(points), -1)
    values = lipschitz * _unit_slope_target(rows, seed=seed, period=period)
    return Labels(values, float(lipschitz), _gap(values, pair), pair)


def with_gap(labels: Labels, pair: tuple[int, int], *, gap: float | int) -> Labels:
    """Set y_j so that y_j - y_i = gap on pair = (i, j), to within eps max(|y_i|, |y_j|); other labels stay."""
    i, j = pair
    if not (i != j and min(i, j) >= 0 and max(i, j) < len(labels.values)):
        raise ValueError(f"pair must be two different indices below {len(labels.values)}, but was {pair}")
    if not math.isfinite(gap):
        raise ValueError(f"gap must be finite, but was {gap}")
    values = labels.values.copy()
    values[j] = values[i] + gap
    return Labels(values, None, _gap(values, pair), pair)


def with_noise(labels: Labels, *, scale: float | int, seed: int) -> Labels:
    """Add independent normal noise of standard deviation `scale` >= 0; the same noise for every set of N points."""
    if not 0 <= scale < math.inf:
        raise ValueError(f"scale must be a non-negative number, but was {scale}")
    values = labels.values + scale * np.random.default_rng((_NOISE_STREAM, seed)).standard_normal(len(labels.values))
    return Labels(values, labels.lipschitz if scale == 0 else None, _gap(values, labels.pair), labels.pair)


def _unit_slope_target(rows: Float[np.ndarray, "n D"], *, seed: int, period: float | None) -> Float[np.ndarray, " n"]:
    rng = np.random.default_rng((_TARGET_STREAM, seed))
    directions = rng.standard_normal((_FEATURES, rows.shape[1]))
    lengths = rng.uniform(_SLOWEST, _FASTEST, (_FEATURES, 1))
    sizes = rng.uniform(0.5, 1.0, (_FEATURES, 1))
    centre = rng.random(rows.shape[1])
    frequencies = lengths * directions / np.linalg.norm(directions, axis=1, keepdims=True)
    if period is not None:
        frequencies = _whole_multiples(frequencies, 2.0 * math.pi / period)
    amplitudes = sizes / np.linalg.norm(frequencies, axis=1, keepdims=True)
    signs = np.array([(1, *others) for others in itertools.product((1, -1), repeat=_FEATURES - 1)])
    slopes = np.linalg.norm(signs @ (amplitudes * frequencies), axis=1)
    steepest = int(np.argmax(slopes))
    return np.sin((rows - centre) @ frequencies.T) @ (signs[steepest] * amplitudes[:, 0] / slopes[steepest])


def _whole_multiples(frequencies: Float[np.ndarray, "k D"], unit: float) -> Float[np.ndarray, "k D"]:
    """Nearest whole multiples of `unit`; a frequency that would vanish keeps one unit in its largest coordinate."""
    multiples = np.round(frequencies / unit)
    for row, frequency in zip(multiples, frequencies):
        if not row.any():
            largest = np.argmax(np.abs(frequency))
            row[largest] = math.copysign(1.0, frequency[largest])
    return unit * multiples


def _gap(values: Float[np.ndarray, " n"], pair: tuple[int, int]) -> float:
    return float(values[pair[1]] - values[pair[0]])

"""How parameters are drawn and scaled: the laws of parameter arrays, and the two scalings of an affine map."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import sqrt
from types import MappingProxyType
from typing import NamedTuple


@dataclass(frozen=True)
class Normal:
    """The law of one parameter array: independent N(0, std^2) entries."""

    shape: tuple[int, ...]
    std: float


class Scaling(NamedTuple):
    """Initialisation and parametrisation of an affine map z = weight_scale * a W + bias_scale * b.

    weight_std(fan_in, fan_out) and bias_std are the standard deviations of the independent normal entries of W and b.
    """

    weight_std: Callable[[int, int], float]
    bias_std: float
    weight_scale: Callable[[int], float]
    bias_scale: float


SCALINGS: Mapping[str, Scaling] = MappingProxyType(
    {
        # Glorot and Bengio 2010: the variance that is the harmonic compromise of forward and backward preservation.
        "xavier": Scaling(lambda fan_in, fan_out: sqrt(2 / (fan_in + fan_out)), 0.0, lambda fan_in: 1.0, 1.0),
        # Jacot, Gabriel and Hongler 2018, with their beta = 0.1: the kernel has a limit as the width grows.
        "ntk": Scaling(lambda fan_in, fan_out: 1.0, 1.0, lambda fan_in: 1 / sqrt(fan_in), 0.1),
    }
)

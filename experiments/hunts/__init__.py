"""How to search each claim for counterexamples, by claim id."""

from collections.abc import Mapping
from types import MappingProxyType

from experiments.hunt import Hunt
from experiments.hunts import (
    descent_product,
    limit_law,
    packing_ceiling,
    path_floor,
    sampling_law,
    slow_mode,
    spectral_ceiling,
    step_floor,
    tail_rate,
)

_MODULES = (
    sampling_law,
    limit_law,
    packing_ceiling,
    spectral_ceiling,
    path_floor,
    step_floor,
    slow_mode,
    tail_rate,
    descent_product,
)

HUNTS: Mapping[str, Hunt] = MappingProxyType({module.HUNT.claim: module.HUNT for module in _MODULES})

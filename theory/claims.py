"""All claims by id, in the order in which paper_notes.md tells them."""

from collections.abc import Mapping
from types import MappingProxyType

from theory import (
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
from theory.claim import Claim

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

CLAIMS: Mapping[str, Claim] = MappingProxyType({module.CLAIM.id: module.CLAIM for module in _MODULES})

"""The studies, by name, in the order in which the ledger runs them."""

from collections.abc import Mapping
from types import MappingProxyType

from experiments.studies import (
    approximation,
    convergence,
    greedy_designs,
    kernel_spectrum,
    propagation,
    safe_step,
    selection_dial,
    selection_digits,
    selection_language,
    separation_law,
    slowdown,
    tail_slope,
    width_scaling,
)
from experiments.study import Study

STUDIES: Mapping[str, Study] = MappingProxyType(
    {
        module.STUDY.name: module.STUDY
        for module in (
            separation_law,
            greedy_designs,
            kernel_spectrum,
            tail_slope,
            slowdown,
            selection_dial,
            approximation,
            convergence,
            safe_step,
            propagation,
            selection_digits,
            selection_language,
            width_scaling,
        )
    }
)

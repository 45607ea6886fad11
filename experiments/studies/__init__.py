"""The studies, by name, in the order in which the ledger runs them."""

from collections.abc import Mapping
from types import MappingProxyType

from experiments.studies import convergence, kernel_spectrum, separation_law, slowdown
from experiments.study import Study

STUDIES: Mapping[str, Study] = MappingProxyType(
    {module.STUDY.name: module.STUDY for module in (separation_law, kernel_spectrum, slowdown, convergence)}
)

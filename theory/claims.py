"""All claims by id, in the order in which paper_notes.md tells them."""

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

from theory.claim import Claim

MODULES = (
    "sampling_law",
    "limit_law",
    "birthday_ceiling",
    "packing_ceiling",
    "spectral_ceiling",
    "path_floor",
    "step_floor",
    "slow_mode",
    "tail_rate",
    "feature_learning_floor",
    "descent_product",
    "smoothness",
    "finite_horizon",
    "dissipative_containment",
    "pl_containment",
    "almost_all_initialisations",
    "kernel_drift",
    "learning_rate_scale",
    "sup_error",
    "mean_error",
    "separation_error",
    "greedy_fill",
    "second_order_error",
    "separation_is_not_coverage",
    "nondegeneracy",
    "bi_lipschitz",
    "composition",
    "distinctness",
    "farthest_first",
    "cosine_distance",
    "subset_separation",
    "composable_core_sets",
)
"""Stems of the theorem modules in theory/; each has a hunt of the same name in experiments/hunts/."""


def _claims() -> dict[str, Claim]:
    found = [import_module(f"theory.{name}").CLAIM for name in MODULES]
    return {claim.id: claim for claim in found}


CLAIMS: Mapping[str, Claim] = MappingProxyType(_claims())

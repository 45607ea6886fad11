"""How to search each claim for counterexamples, by claim id."""

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

from experiments.hunt import Hunt
from theory.claims import CLAIMS

HUNTS: Mapping[str, Hunt] = MappingProxyType(
    {claim.id: import_module(f"experiments.hunts.{claim.module}").HUNT for claim in CLAIMS.values()}
)

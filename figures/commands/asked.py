"""What the commands share: how names are chosen from a table, and what bad input is."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import cyclopts

Names = Annotated[tuple[str, ...], cyclopts.Parameter(consume_multiple=True)]
Style = Literal["one-column", "two-column"]


class BadInput(Exception):
    """What the user asked for cannot be done; its text is the one sentence that says so."""


def chosen(kind: str, names: tuple[str, ...], known: Mapping[str, Any]) -> list[Any]:
    """The named entries of a table, all of them when none is named; an unknown name is one clear sentence."""
    for name in names:
        if name not in known:
            raise BadInput(f"{kind} must be one of {', '.join(known)}, but it was {name!r}")
    return [known[name] for name in dict.fromkeys(names)] if names else list(known.values())


def use_all_cores() -> None:
    """One JAX device per core: an ensemble of runs is sharded over devices."""
    import os

    import jax

    jax.config.update("jax_num_cpu_devices", os.cpu_count() or 1)


def plain(value: Any) -> Any:
    """Named tuples as objects and other sequences as lists, for JSON."""
    if hasattr(value, "_asdict"):
        return {name: plain(item) for name, item in value._asdict().items()}
    return [plain(item) for item in value] if isinstance(value, (tuple, list)) else value

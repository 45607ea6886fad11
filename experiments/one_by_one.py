"""Runs of one shape in one compiled call, computed one after another, so that no run's bits depend on its company.

A vectorised call (jax.vmap) rounds differently with the number of runs: the compiler picks other loops and other matrix
products for other shapes. A resumed or shared-out study measures the same run in other company, and must find the same.
"""

from collections.abc import Callable
from typing import Any

import jax


def one_by_one(function: Callable[..., Any]) -> Callable[..., Any]:
    """As jax.vmap(function): every argument, and the result, with a leading axis over runs."""

    def each(*arguments: Any) -> Any:
        return jax.lax.map(lambda own: function(*own), arguments)

    return each

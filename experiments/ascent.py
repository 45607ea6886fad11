"""Gradient ascent on measured/bound: from the best instances a search found, towards equality or beyond."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

ROUNDS = 60


class Ascent(NamedTuple):
    """A differentiable measure of how close an instance comes to its bound.

    ratio: instance -> log of the smaller side of the inequality over the larger (0 at equality, positive only for a
    violation), in JAX, differentiable in the box's fields.  box: the fields that move, each with its least and largest
    value; a field holds a float or a (nested) tuple of floats.  traced: further numeric fields, such as the seed, that
    do not move but may differ between starts without compiling anew.
    """

    ratio: Callable[[Any], Float[Array, ""]]
    box: Mapping[str, tuple[float, float]]
    traced: tuple[str, ...] = ()


def ascend(ascent: Ascent, starts: Sequence[Any]) -> list[Any]:
    """The end point of each start: projected gradient ascent in the box's unit coordinates, halving refused steps.

    Only the fields of the box change; an end point is never further from the bound than its start, as `ratio` sees it.
    """
    compiled: dict[Any, Callable[..., Any]] = {}
    return [_climb(ascent, start, compiled) for start in starts]


def _climb(ascent: Ascent, start: Any, compiled: dict[Any, Callable[..., Any]]) -> Any:
    box, kept = ascent.box, (*ascent.box, *ascent.traced)
    fixed = start._replace(**{name: None for name in kept})
    shapes = tuple(np.shape(getattr(start, name)) for name in box)
    if (fixed, shapes) not in compiled:

        def value(unit: dict[str, Any], traced: dict[str, Any]) -> Any:
            moved = {name: low + (high - low) * unit[name] for name, (low, high) in box.items()}
            return ascent.ratio(fixed._replace(**moved, **traced))

        compiled[fixed, shapes] = jax.jit(jax.value_and_grad(value))
    evaluate = compiled[fixed, shapes]
    traced = {name: jnp.asarray(getattr(start, name)) for name in ascent.traced}
    here = {
        name: jnp.clip((jnp.asarray(getattr(start, name), float) - low) / (high - low), 0.0, 1.0)
        for name, (low, high) in box.items()
    }
    height, slope = evaluate(here, traced)
    step, moved = 0.1, False
    for _ in range(ROUNDS):
        length = float(jnp.sqrt(sum(jnp.sum(part**2) for part in slope.values())))
        if not (np.isfinite(length) and length > 0.0 and np.isfinite(float(height)) and step > 1e-12):
            break
        there = {name: jnp.clip(here[name] + step * slope[name] / length, 0.0, 1.0) for name in here}
        next_height, next_slope = evaluate(there, traced)
        if float(next_height) > float(height):
            here, height, slope, step, moved = there, next_height, next_slope, 1.5 * step, True
        else:
            step *= 0.5
    if not moved:
        return start
    ends = {name: low + (high - low) * np.asarray(here[name]) for name, (low, high) in box.items()}
    return start._replace(**{name: _as_tuple(end.tolist()) for name, end in ends.items()})


def _as_tuple(value: Any) -> Any:
    return tuple(_as_tuple(part) for part in value) if isinstance(value, list) else value

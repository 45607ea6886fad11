"""Gradient ascent on measured/bound: climbs, stays in its box, moves only what it may, compiles once a kind."""

from typing import NamedTuple

import jax.numpy as jnp
import pytest

from experiments.ascent import Ascent, ascend


class Instance(NamedTuple):
    kind: str
    place: tuple[float, ...]
    height: float
    seed: int


def ratio(instance):
    """Largest, 0, where every place is its own centre 0.25 + 0.1 seed and the height is at its upper end."""
    centre = 0.25 + 0.1 * instance.seed
    return -jnp.sum((jnp.asarray(instance.place) - centre) ** 2) - (2.0 - instance.height) ** 2


ASCENT = Ascent(ratio, {"place": (0.0, 1.0), "height": (-1.0, 2.0)}, traced=("seed",))


def test_reaches_the_maximum_inside_and_on_the_edge_of_the_box():
    (end,) = ascend(ASCENT, [Instance("a", (0.9, 0.1), 0.0, 2)])
    assert end.place == pytest.approx((0.45, 0.45), abs=1e-3) and end.height == pytest.approx(2.0, abs=1e-3)
    assert isinstance(end.place, tuple) and (end.kind, end.seed) == ("a", 2)


def test_a_start_at_the_top_comes_back_as_it_was():
    start = Instance("a", (0.25, 0.25), 2.0, 0)
    assert ascend(ASCENT, [start]) == [start]


def test_never_ends_lower_and_nan_stops_it():
    def broken(instance):
        return jnp.where(instance.height > 1.0, jnp.nan, instance.height)

    starts = [Instance("a", (0.5,), 0.2, 0), Instance("a", (0.5,), 1.5, 0)]
    climbed, stuck = ascend(Ascent(broken, {"height": (-1.0, 2.0)}), starts)
    assert 0.2 < climbed.height <= 1.0 and stuck == starts[1]


def test_starts_of_one_kind_share_a_compilation():
    traces = []

    def counted(instance):
        traces.append(instance.kind)
        return ratio(instance)

    starts = [Instance(kind, (0.1 * k, 0.5), 0.0, k) for k in range(3) for kind in ("a", "b")]
    ascend(Ascent(counted, ASCENT.box, ASCENT.traced), starts)
    assert sorted(traces) == ["a", "b"]

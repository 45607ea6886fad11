"""Hunt for functions further from their interpolant than A5 allows: a parabola plus a wave, on lines and simplices.

u = e - (affine interpolant of e + node errors) piece by piece, e(x) = |x|^2/2 + wiggle cos(w.x + phase)/|w|^2, so that
its curvature is at most M = 1 + wiggle and all hypotheses hold by construction. Equality: wiggle = 0.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import hypothesis.strategies as st
import numpy as np

from experiments.hunt import Hunt
from theory import second_order_error
from theory.second_order_error import enclosing_ball
from theory.verdict import Check

_SAMPLES = np.linspace(0.0, 1.0, 17)


class Instance(NamedTuple):
    """count: nodes on the line, or dimension of the simplex.  beyond: end pieces over their neighbouring gap."""

    form: Literal["line", "simplex"]
    count: int
    beyond: float
    node_error: float
    wiggle: float
    frequency: float
    seed: int


def check(instance: Instance) -> Check:
    return _check_line(instance) if instance.form == "line" else _check_simplex(instance)


def _check_line(instance: Instance) -> Check:
    rng = np.random.default_rng(instance.seed)
    nodes = np.cumsum(rng.random(max(instance.count, 2)) + 0.05)
    gaps = np.diff(nodes)
    interval = (float(nodes[0] - instance.beyond * gaps[0]), float(nodes[-1] + instance.beyond * gaps[-1]))
    phase = rng.uniform(0.0, 2.0 * np.pi)

    def value(x):
        return 0.5 * x**2 + instance.wiggle * np.cos(instance.frequency * x + phase) / instance.frequency**2

    # one row a piece: the gaps, then the left and right end; `along` is 0 and 1 at the row's two nodes
    left, right = np.append(nodes[:-1], nodes[[0, -2]]), np.append(nodes[1:], nodes[[1, -1]])
    ends = instance.beyond * np.stack([-_SAMPLES, _SAMPLES]) + np.array([[0.0], [1.0]])
    along = np.concatenate([np.tile(_SAMPLES, (len(gaps), 1)), ends])
    errors = np.where(np.arange(len(left))[:, None] < len(gaps), [[-1.0, -1.0]], [[1.0, -1.0]]) * instance.node_error
    errors[-1] = -errors[-1]
    at_nodes = np.stack([value(left), value(right)], axis=1) - errors
    x = left[:, None] + along * (right - left)[:, None]
    u = value(x) - (1.0 - along) * at_nodes[:, :1] - along * at_nodes[:, 1:]
    return second_order_error.check_line(
        float(np.abs(u).max()),
        nodes,
        interval,
        curvature=1.0 + instance.wiggle,
        node_error=instance.node_error,
        size=float(np.abs(value(x)).max()) * (1.0 + 2.0 * instance.beyond),
        instance=repr(instance),
    )


def _check_simplex(instance: Instance) -> Check:
    rng = np.random.default_rng(instance.seed)
    dim = min(instance.count, 3)
    vertices = rng.standard_normal((dim + 1, dim))
    wave = rng.standard_normal(dim)
    wave *= instance.frequency / np.linalg.norm(wave)
    phase = rng.uniform(0.0, 2.0 * np.pi)

    def value(x):
        bumps = np.cos(x @ wave + phase) / instance.frequency**2
        return 0.5 * np.sum(x**2, axis=-1) + instance.wiggle * bumps

    weights = np.concatenate([enclosing_ball(vertices).weights[None], rng.dirichlet(np.ones(dim + 1), 30)])
    u = value(weights @ vertices) - weights @ (value(vertices) + instance.node_error)
    return second_order_error.check_simplex(
        float(np.abs(u).max()),
        vertices,
        curvature=1.0 + instance.wiggle,
        node_error=instance.node_error,
        size=float(np.abs(value(vertices)).max()),
        instance=repr(instance),
    )


def check_many(instances: Sequence[Instance]) -> list[Check]:
    return [check(instance) for instance in instances]


HUNT = Hunt(
    claim="A5",
    instances=st.builds(
        Instance,
        form=st.sampled_from(("line", "simplex")),
        count=st.integers(1, 6),
        beyond=st.just(0.0) | st.floats(0.0, 1.0),
        node_error=st.just(0.0) | st.floats(0.0, 1.0),
        wiggle=st.floats(0.0, 2.0),
        frequency=st.floats(0.5, 10.0),
        seed=st.integers(0, 2**16),
    ),
    check=check,
    module="experiments.hunts.second_order_error",
    check_many=check_many,
    extremal=(
        Instance("line", count=5, beyond=0.0, node_error=0.0, wiggle=0.0, frequency=1.0, seed=0),
        Instance("line", count=3, beyond=1.0, node_error=0.5, wiggle=0.0, frequency=1.0, seed=1),
        Instance("simplex", count=2, beyond=0.0, node_error=0.0, wiggle=0.0, frequency=1.0, seed=2),
        Instance("simplex", count=3, beyond=0.0, node_error=0.5, wiggle=0.0, frequency=1.0, seed=3),
    ),
)

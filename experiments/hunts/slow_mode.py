"""Hunt for gradient descent slower than the slow-mode ceiling (R4): linear models whose pair of gradients closes.

Equality: coupling = 0 (the pair's difference is an eigenvector) and aligned.
"""

from collections.abc import Sequence
from typing import NamedTuple

import hypothesis.strategies as st
import numpy as np
from jaxtyping import Float

from experiments.hunt import Hunt
from theory import slow_mode
from theory.verdict import Check

PAIR = (0, 1)


class Instance(NamedTuple):
    """A linear model of num_points gradients in one more than as many parameters; points 0 and 1 are the pair.

    gap: |g_0 - g_1|.  coupling: share of that difference inside the span of the other gradients; at 0 the pair's
    difference is an eigenvector.  label_gap: d_0.  rest: |P r_0|, along B's slowest mode if `aligned`, else random.
    step_share: eta lambda_max / N in (0, 1].
    """

    num_points: int
    gap: float
    coupling: float
    label_gap: float
    rest: float
    aligned: bool
    step_share: float
    steps: int
    seed: int


class Run(NamedTuple):
    kernel: Float[np.ndarray, "n n"]
    residual0: Float[np.ndarray, " n"]
    step_size: float
    loss: float


def descend(instance: Instance) -> Run:
    """Gradient descent on the residuals, r_s = (I - eta K / N)^s r_0, by repeated squaring."""
    rng = np.random.default_rng(instance.seed)
    size = instance.num_points
    rows = rng.standard_normal((size, size + 1))
    rows[1] = rows[0]
    free = np.linalg.svd(rows)[2][-1]  # orthogonal to every row
    direction = np.sqrt(1.0 - instance.coupling**2) * free + instance.coupling * rows[-1] / np.linalg.norm(rows[-1])
    rows[0] = rows[0] + 0.5 * instance.gap * direction
    rows[1] = rows[1] - 0.5 * instance.gap * direction
    kernel = rows @ rows.T

    difference = np.zeros(size)
    difference[list(PAIR)] = 1.0, -1.0
    complement = np.linalg.svd(difference[None])[2][1:]  # orthonormal rows, all orthogonal to the difference
    modes = np.linalg.eigh(complement @ kernel @ complement.T)[1]
    rest = modes[:, 0] if instance.aligned else rng.standard_normal(size - 1)
    residual0 = 0.5 * instance.label_gap * difference + instance.rest * rest / np.linalg.norm(rest) @ complement

    step_size = instance.step_share * size / float(np.linalg.eigvalsh(kernel)[-1])
    residual = np.linalg.matrix_power(np.eye(size) - step_size / size * kernel, instance.steps) @ residual0
    return Run(kernel, residual0, step_size, float(residual @ residual) / (2.0 * size))


def check(instance: Instance) -> Check:
    run = descend(instance)
    return slow_mode.check(
        run.loss,
        instance.steps,
        run.kernel,
        run.residual0,
        PAIR,
        step_size=run.step_size,
        instance=repr(instance),
    )


def check_many(instances: Sequence[Instance]) -> list[Check]:
    return [check(instance) for instance in instances]


HUNT = Hunt(
    claim="R4",
    instances=st.builds(
        Instance,
        num_points=st.sampled_from((3, 6)),
        gap=st.floats(-4.0, 0.0).map(lambda power: 10.0**power),
        coupling=st.one_of(st.just(0.0), st.floats(0.0, 1.0)),
        label_gap=st.one_of(st.just(0.0), st.floats(0.0, 1.0)),
        rest=st.floats(0.5, 2.0),
        aligned=st.booleans(),
        step_share=st.floats(0.05, 0.99),
        steps=st.integers(1, 300),
        seed=st.integers(0, 2**16),
    ),
    check=check,
    module="experiments.hunts.slow_mode",
    check_many=check_many,
    extremal=tuple(
        Instance(num_points, 0.1, 0.0, label_gap, 1.0, True, 0.9, steps, seed=1)
        for num_points in (3, 6)
        for label_gap, steps in ((0.0, 5), (0.5, 5), (0.5, 200))
    ),
)

"""Hunt for counterexamples to the tail rate: windows of tiny runs against the finite-step ceiling or the linear law.

The window law is for the linear model; the ceiling for C^2 models holds of both, its suprema are taken over every step
of the window and its |hess L| is exact (linear) or bounded rigorously (network).
Equality: model = "linear", coupling = noise = 0 (residual in the bottom mode), for the ceiling as step_size tends to 0.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from hypothesis import strategies as st

from experiments.hunt import Hunt
from experiments.hunts.small_runs import DRAWS, STEPS, Model, Run, drawn_run, drawn_runs
from theory import tail_rate
from theory.verdict import Check


class Instance(NamedTuple):
    """The window of num_steps steps after `start` of one run; `form` says which of the two inequalities is checked."""

    form: Literal["window", "one step"]
    model: Model
    start: int
    num_steps: int
    num_points: int
    separation: float
    gap: float
    noise: float
    coupling: float
    step_size: float
    seed: int


def check(instance: Instance) -> Check:
    """Mean fall of log L a step over the window against its ceiling."""
    return _check(instance, drawn_run(instance))


def _check(instance: Instance, run: Run) -> Check:
    start, stop = instance.start, instance.start + instance.num_steps
    window = slice(start, stop)
    eigenvalues, shares = run.spectrum(window)
    common = {
        "first_loss": float(run.losses[start]),
        "last_loss": float(run.losses[stop]),
        "num_steps": instance.num_steps,
        "top_eigenvalue": float(eigenvalues[:, -1].max()),
        "step_size": run.step_size,
        "num_points": instance.num_points,
        "instance": repr(instance),
        "output_scale": run.output_scale(stop),
    }
    if instance.form == "window":
        kernels = run.kernels[start : stop + 1]
        drift = float(np.linalg.norm(kernels - kernels[0], axis=(1, 2)).max() / np.linalg.norm(kernels[0]))
        return tail_rate.check_linear(
            bottom_eigenvalue=float(eigenvalues[0, 0]), mode_share=float(shares[0]), kernel_drift=drift, **common
        )
    return tail_rate.check(
        gradient_gap=float(run.gradient_gaps[window].max()),
        mode_share=float(shares.min()),
        smoothness=float(run.segment_smoothness[window].max()),
        **common,
    )


def check_many(instances: Sequence[Instance]) -> list[Check]:
    return [_check(instance, run) for instance, run in zip(instances, drawn_runs(instances))]


HUNT = Hunt(
    claim="R5",
    instances=st.builds(
        lambda kind, **rest: Instance(*kind, **rest),
        kind=st.sampled_from((("window", "linear"), ("one step", "linear"), ("one step", "network"))),
        **{name: draw for name, draw in DRAWS.items() if name != "model"}
        | {
            "gap": st.floats(0.01, 2.0),
            "start": st.integers(0, STEPS // 4),
            "num_steps": st.integers(1, STEPS // 4),
        },
    ),
    check=check,
    module="experiments.hunts.tail_rate",
    check_many=check_many,
    extremal=(
        Instance("window", "linear", 0, 50, 4, 0.1, 0.5, 0.0, 0.0, 0.5, seed=0),
        Instance("window", "linear", 10, 50, 4, 0.3, 0.5, 0.0, 0.0, 1.5, seed=0),
        Instance("one step", "linear", 0, 50, 4, 0.1, 0.5, 0.0, 0.0, 1e-4, seed=0),
    ),
)

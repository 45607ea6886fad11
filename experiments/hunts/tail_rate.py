"""Hunt for counterexamples to the tail rate: windows of tiny runs against the finite-step ceiling or the linear law.

The linear model is held against the window law, the network against the ceiling for C^2 models, whose suprema are
taken over every step of the window and whose |hess L| is bounded rigorously.
Equality: model = "linear", coupling = noise = 0 (residual in the bottom mode).
"""

from typing import NamedTuple

from hypothesis import strategies as st

from experiments.hunt import Hunt
from experiments.hunts.small_runs import DRAWS, STEPS, Model, drawn_run
from theory import tail_rate
from theory.verdict import Check


class Instance(NamedTuple):
    """The window of num_steps steps after `start` of one run."""

    start: int
    num_steps: int
    model: Model
    num_points: int
    separation: float
    gap: float
    noise: float
    coupling: float
    step_size: float
    seed: int


def check(instance: Instance) -> Check:
    """Mean fall of log L a step over the window against its ceiling."""
    run, start = drawn_run(instance), instance.start
    stop = start + instance.num_steps
    window = slice(start, stop)
    common = {
        "first_loss": float(run.losses[start]),
        "last_loss": float(run.losses[stop]),
        "num_steps": instance.num_steps,
        "top_eigenvalue": float(run.eigenvalues[window, -1].max()),
        "step_size": run.step_size,
        "num_points": instance.num_points,
        "instance": repr(instance),
        "output_scale": run.output_scale(stop),
    }
    if instance.model == "linear":
        return tail_rate.check_linear(
            bottom_eigenvalue=float(run.eigenvalues[start, 0]), mode_share=float(run.bottom_shares[start]), **common
        )
    return tail_rate.check(
        gradient_gap=float(run.gradient_gaps[window].max()),
        mode_share=float(run.bottom_shares[window].min()),
        smoothness=float(run.segment_smoothness[window].max()),
        **common,
    )


HUNT = Hunt(
    claim="R5",
    instances=st.builds(Instance, start=st.integers(0, STEPS // 2), num_steps=st.integers(1, STEPS // 2), **DRAWS),
    check=check,
    module="experiments.hunts.tail_rate",
)

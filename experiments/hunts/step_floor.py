"""Hunt for counterexamples to the step floor: prefixes of tiny gradient descent runs, from timid to unstable steps.

Each prefix of T steps is an instance with eps = L_T; unstable runs fail summed sufficient decrease and say so.
Equality: model = "linear", coupling = noise = 0, separation = sqrt 2, num_steps = 1, step_size = 1.
"""

from typing import NamedTuple

from hypothesis import strategies as st

from experiments.hunt import Hunt
from experiments.hunts.small_runs import DRAWS, STEPS, Model, drawn_run
from theory import step_floor
from theory.verdict import Check


class Instance(NamedTuple):
    """One prefix of one gradient descent run."""

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
    """Number of steps of the prefix against the floor for the loss it reached."""
    run, steps = drawn_run(instance), instance.num_steps
    return step_floor.check(
        num_steps=steps,
        initial_gap=float(abs(run.gaps[0])),
        gradient_gap=float(run.segment_gradient_gaps[:steps].max()),
        initial_loss=float(run.losses[0]),
        final_loss=float(run.losses[steps]),
        target_loss=float(run.losses[steps]),
        squared_gradient_sum=float(run.squared_gradients[:steps].sum()),
        step_size=run.step_size,
        num_points=instance.num_points,
        instance=repr(instance),
        output_scale=run.output_scale(steps),
        gradient_scale=run.gradient_scale(steps),
    )


HUNT = Hunt(
    claim="R3",
    instances=st.builds(Instance, num_steps=st.integers(1, 8) | st.integers(1, STEPS), **DRAWS),
    check=check,
    module="experiments.hunts.step_floor",
)

"""Hunt for counterexamples to the path floor: prefixes of tiny runs of gradient descent and heavy ball.

Each prefix of T steps is an instance with eps = L_T, its tightest reading; G is bounded rigorously on every segment.
Equality: model = "linear", coupling = noise = momentum = 0, step_size <= 1.
"""

from typing import Literal, NamedTuple

from hypothesis import strategies as st

from experiments.hunt import Hunt
from experiments.hunts.small_runs import DRAWS, STEPS, Model, drawn_run
from theory import path_floor
from theory.verdict import Check


class Instance(NamedTuple):
    """One prefix of one run; `form` says which of the two inequalities is checked."""

    form: Literal["floor", "motion"]
    num_steps: int
    model: Model
    num_points: int
    separation: float
    gap: float
    noise: float
    coupling: float
    step_size: float
    momentum: float
    seed: int


def check(instance: Instance) -> Check:
    """Path length of the prefix against the floor, or the gap's motion against G * path length."""
    run, steps = drawn_run(instance), instance.num_steps
    path_length = float(run.step_lengths[:steps].sum())
    gradient_gap = float(run.segment_gradient_gaps[:steps].max())
    if instance.form == "motion":
        return path_floor.check_motion(
            gap_motion=float(abs(run.gaps[steps] - run.gaps[0])),
            path_length=path_length,
            gradient_gap=gradient_gap,
            instance=repr(instance),
            output_scale=run.output_scale(steps),
            gradient_scale=run.gradient_scale(steps),
        )
    return path_floor.check(
        initial_gap=float(abs(run.gaps[0])),
        path_length=path_length,
        gradient_gap=gradient_gap,
        target_loss=float(run.losses[steps]),
        final_loss=float(run.losses[steps]),
        num_points=instance.num_points,
        instance=repr(instance),
        output_scale=run.output_scale(steps),
        gradient_scale=run.gradient_scale(steps),
    )


HUNT = Hunt(
    claim="R2",
    instances=st.builds(
        Instance,
        form=st.sampled_from(["floor", "motion"]),
        num_steps=st.integers(1, STEPS),
        momentum=st.just(0.0) | st.floats(0.0, 0.95),
        **DRAWS,
    ),
    check=check,
    module="experiments.hunts.path_floor",
)

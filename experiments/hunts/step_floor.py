"""Hunt for counterexamples to the step floor: prefixes of tiny gradient descent runs, from timid to unstable steps.

Each prefix of T steps is an instance with eps = L_T; unstable runs fail summed sufficient decrease and say so.
Equality: model = "linear", coupling = noise = 0, separation = sqrt 2, num_steps = 1, step_size = 1.
"""

from collections.abc import Sequence
from typing import NamedTuple

from hypothesis import strategies as st

from experiments.hunt import Hunt
from experiments.hunts.small_runs import DRAWS, STEPS, Model, Run, drawn_run, drawn_runs
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
    return _check(instance, drawn_run(instance))


def _check(instance: Instance, run: Run) -> Check:
    steps = instance.num_steps
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


def check_many(instances: Sequence[Instance]) -> list[Check]:
    return [_check(instance, run) for instance, run in zip(instances, drawn_runs(instances))]


HUNT = Hunt(
    claim="R3",
    # A floor of at least a step needs a gap that carries much of the loss and goes in many steps.
    instances=st.builds(
        Instance,
        **DRAWS
        | {
            "num_steps": st.integers(2, STEPS) | st.integers(STEPS // 2, STEPS),
            "model": st.sampled_from(("linear", "linear", "network")),
            "separation": st.floats(0.3, 1.5) | DRAWS["separation"],
            "gap": st.floats(0.5, 3.0),
            "noise": st.just(0.0) | st.floats(0.01, 0.1),
            "coupling": st.just(0.0) | st.floats(0.01, 0.3),
            "step_size": st.just(1.0) | st.floats(0.1, 0.6) | st.floats(0.6, 2.0),
        },
    ),
    check=check,
    module="experiments.hunts.step_floor",
    check_many=check_many,
    extremal=(Instance(1, "linear", 4, 2.0**0.5, 0.5, 0.0, 0.0, 1.0, seed=0),),
)

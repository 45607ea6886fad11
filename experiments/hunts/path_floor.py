"""Hunt for counterexamples to the path floor: prefixes of tiny runs of gradient descent and heavy ball.

Each prefix of T steps is an instance with eps = L_T, its tightest reading; G is bounded rigorously on every segment.
Equality: model = "linear", coupling = noise = momentum = 0, step_size <= 1.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from hypothesis import strategies as st

from experiments.hunt import Hunt
from experiments.hunts.small_runs import DRAWS, STEPS, Model, Run, drawn_run, drawn_runs
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
    return _check(instance, drawn_run(instance))


def _check(instance: Instance, run: Run) -> Check:
    steps = instance.num_steps
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


def check_many(instances: Sequence[Instance]) -> list[Check]:
    return [_check(instance, run) for instance, run in zip(instances, drawn_runs(instances))]


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
    check_many=check_many,
    extremal=tuple(
        Instance(form, num_steps, "linear", num_points, separation, 0.5, 0.0, 0.0, step_size, 0.0, seed=0)
        for form in ("floor", "motion")
        for num_steps, num_points, separation, step_size in ((50, 4, 2.0**0.5, 0.5), (STEPS, 6, 0.1, 1.0))
    ),
)

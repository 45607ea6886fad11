"""Hunt for counterexamples to the descent product: single steps, whole products and the kernel's rate on tiny runs.

|hess L| is exact for the linear model and bounded rigorously on every segment for the network.
Equality: model = "linear", coupling = 0, separation = sqrt 2 (a single curvature): the upper side and the rate exactly,
the lower side and the product as step_size tends to 0.
"""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from hypothesis import strategies as st

from experiments.hunt import Hunt
from experiments.hunts.small_runs import DRAWS, STEPS, Model, Run, drawn_run, drawn_runs
from theory import descent_product
from theory.verdict import Check


class Instance(NamedTuple):
    """One step (forms "upper", "lower", "rate") or the first num_steps steps ("product") of one run."""

    form: Literal["upper", "lower", "rate", "product"]
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
    """Step num_steps - 1, or the product of all steps up to num_steps with lambda_min(K_s)/N for rates."""
    return _check(instance, drawn_run(instance))


def _check(instance: Instance, run: Run) -> Check:
    steps = instance.num_steps
    last = steps - 1
    if instance.form == "product":
        rates = np.zeros(STEPS)  # a rate of 0 leaves the product as it is: one shape, compiled once
        rates[:steps] = run.spectrum(slice(steps))[0][:, 0] / instance.num_points
        return descent_product.check(
            initial_loss=float(run.losses[0]),
            final_loss=float(run.losses[steps]),
            rates=rates,
            step_size=run.step_size,
            smoothness=float(run.segment_smoothness[:steps].max()),
            instance=repr(instance),
            output_scale=run.output_scale(steps),
        )
    loss = float(run.losses[last])
    rate = float(run.squared_gradients[last]) / (2.0 * loss) if loss > 0.0 else math.nan
    if instance.form == "rate":
        bottom, *_, top = run.spectrum(slice(last, steps))[0][0]
        return descent_product.check_rate(
            rate=rate,
            loss=loss,
            bottom_eigenvalue=float(bottom),
            top_eigenvalue=float(top),
            num_points=instance.num_points,
            instance=repr(instance),
            output_scale=run.output_scale(last),
        )
    return descent_product.check_step(
        loss=loss,
        next_loss=float(run.losses[steps]),
        rate=rate,
        step_size=run.step_size,
        smoothness=float(run.segment_smoothness[last]),
        side=instance.form,
        instance=repr(instance),
        output_scale=run.output_scale(steps),
    )


def check_many(instances: Sequence[Instance]) -> list[Check]:
    return [_check(instance, run) for instance, run in zip(instances, drawn_runs(instances))]


HUNT = Hunt(
    claim="G1",
    instances=st.builds(
        Instance,
        **DRAWS
        | {
            "form": st.sampled_from(["upper", "lower", "rate", "product"]),
            "num_steps": st.integers(1, 8) | st.integers(1, STEPS),
            "gap": st.floats(0.01, 2.0),  # 0 would leave a linear model at loss 0 after one step of size 1
            "step_size": DRAWS["step_size"] | st.floats(0.003, 0.05),
        },
    ),
    check=check,
    module="experiments.hunts.descent_product",
    check_many=check_many,
    extremal=(
        Instance("upper", 1, "linear", 4, 2.0**0.5, 0.5, 0.0, 0.0, 0.5, seed=0),
        Instance("lower", 1, "linear", 4, 2.0**0.5, 0.5, 0.0, 0.0, 1e-3, seed=0),
        Instance("rate", 1, "linear", 6, 2.0**0.5, 0.5, 0.5, 0.0, 0.5, seed=0),
        Instance("product", 1, "linear", 4, 2.0**0.5, 0.5, 0.0, 0.0, 1e-4, seed=0),
        Instance("product", 1, "linear", 4, 2.0**0.5, 0.5, 0.0, 0.0, 0.95, seed=0),
    ),
)

"""Hunt for counterexamples to the descent product: single steps, whole products and the kernel's rate on tiny runs.

|hess L| is exact for the linear model and bounded rigorously on every segment for the network.
Equality: model = "linear", coupling = noise = 0, separation = sqrt 2 (a single curvature).
"""

from typing import Literal, NamedTuple

from hypothesis import strategies as st

from experiments.hunt import Hunt
from experiments.hunts.small_runs import DRAWS, STEPS, Model, drawn_run
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
    run, steps = drawn_run(instance), instance.num_steps
    last = steps - 1
    rates = descent_product.descent_rate(run.squared_gradients, run.losses)
    if instance.form == "product":
        return descent_product.check(
            initial_loss=float(run.losses[0]),
            final_loss=float(run.losses[steps]),
            rates=run.eigenvalues[:steps, 0] / instance.num_points,
            step_size=run.step_size,
            smoothness=float(run.segment_smoothness[:steps].max()),
            instance=repr(instance),
            output_scale=run.output_scale(steps),
        )
    if instance.form == "rate":
        return descent_product.check_rate(
            rate=float(rates[last]),
            loss=float(run.losses[last]),
            bottom_eigenvalue=float(run.eigenvalues[last, 0]),
            top_eigenvalue=float(run.eigenvalues[last, -1]),
            num_points=instance.num_points,
            instance=repr(instance),
            output_scale=run.output_scale(last),
        )
    return descent_product.check_step(
        loss=float(run.losses[last]),
        next_loss=float(run.losses[steps]),
        rate=float(rates[last]),
        step_size=run.step_size,
        smoothness=float(run.segment_smoothness[last]),
        side=instance.form,
        instance=repr(instance),
        output_scale=run.output_scale(steps),
    )


HUNT = Hunt(
    claim="G1",
    instances=st.builds(
        Instance,
        form=st.sampled_from(["upper", "lower", "rate", "product"]),
        num_steps=st.integers(1, 8) | st.integers(1, STEPS),
        **DRAWS,
    ),
    check=check,
    module="experiments.hunts.descent_product",
)

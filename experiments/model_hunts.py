"""Hunts of the architecture-free claims on one model of the user's own: R1-R5, G1, with constants measured on its runs.

Every instance is a prefix of a short gradient descent run of the model (experiments/model_run.py). What a theorem
takes as a supremum along the path is sampled there, so a violation here is either a counterexample or a sample that
missed the supremum; the printed instance lets one look.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

from experiments.hunt import Hunt
from experiments.model_run import POINTS, STEPS, ModelRun, measured_run
from experiments.user_model import UserModel
from theory import descent_product, path_floor, slow_mode, spectral_ceiling, step_floor, tail_rate
from theory.verdict import Check


class Instance(NamedTuple):
    """One prefix of one run of the model; `part` says which of the claim's inequalities is checked."""

    part: str
    num_steps: int
    separation: float
    gap: float
    noise: float
    step_share: float
    seed: int


def model_hunts(model: UserModel) -> dict[str, Hunt]:
    """A hunt for each claim that speaks of any (init, apply) pair, by claim id.

    R4 is a theorem about linear models: it is searched on the model linearised at its start, and only for models with
    one output. G3 to G5 and R6 use constants measured on the run in the place of suprema over balls.
    """
    scalar = measured_run(model, separation=0.5, gap=0.5, noise=0.1, step_share=0.5, seed=0).gaps.shape[1] == 1
    checks = {claim: found for claim, found in CHECKS.items() if scalar or claim != "R4"}
    return {claim: _hunt(model, claim, parts, check) for claim, (parts, check) in checks.items()}


def _hunt(model: UserModel, claim: str, parts: tuple[str, ...], check: Callable[[Instance, ModelRun], Check]) -> Hunt:
    return Hunt(
        claim=claim,
        instances=st.builds(
            Instance,
            part=st.sampled_from(parts),
            num_steps=st.integers(1, STEPS),
            separation=st.floats(-3.0, 0.3).map(lambda exponent: 10.0**exponent),
            gap=st.just(0.0) | st.floats(0.01, 2.0),
            noise=st.just(0.0) | st.floats(0.01, 1.0),
            step_share=st.floats(0.01, 2.0),
            seed=st.integers(0, 2**31 - 1),
        ),
        check=partial(_check, model, check),
        module=__name__,
        setup=(
            f"from experiments.model_hunts import Instance, model_hunts\n"
            f"from experiments.user_model import load_model\n"
            f"check = model_hunts(load_model({model.source!r}, {model.point_shape!r}))[{claim!r}].check"
        ),
    )


def _check(model: UserModel, check: Callable[[Instance, ModelRun], Check], instance: Instance) -> Check:
    run = measured_run(
        model,
        separation=instance.separation,
        gap=instance.gap,
        noise=instance.noise,
        step_share=instance.step_share,
        seed=instance.seed,
    )
    return check(instance, run)


def _spectral_ceiling(instance: Instance, run: ModelRun) -> Check:
    values = run.eigenvalues[instance.num_steps]
    return spectral_ceiling.check(
        float(values[0]),
        float(run.gradient_gaps[instance.num_steps]),
        largest_eigenvalue=float(values[-1]),
        kernel_size=len(values),
        num_outputs=run.gaps.shape[1],
        instance=repr(instance),
    )


def _scales(run: ModelRun, steps: int) -> dict[str, float]:
    return {"output_scale": run.output_scale, "gradient_scale": run.gradient_scale(steps)}


def _path_floor(instance: Instance, run: ModelRun) -> Check:
    steps = instance.num_steps
    path_length = float(run.step_lengths[:steps].sum())
    gradient_gap = float(run.segment_gradient_gaps[:steps].max())
    if instance.part == "motion":
        return path_floor.check_motion(
            gap_motion=float(np.linalg.norm(run.gaps[steps] - run.gaps[0])),
            path_length=path_length,
            gradient_gap=gradient_gap,
            instance=repr(instance),
            **_scales(run, steps),
        )
    return path_floor.check(
        initial_gap=float(np.linalg.norm(run.gaps[0])),
        path_length=path_length,
        gradient_gap=gradient_gap,
        target_loss=float(run.losses[steps]),
        final_loss=float(run.losses[steps]),
        num_points=POINTS,
        instance=repr(instance),
        **_scales(run, steps),
    )


def _step_floor(instance: Instance, run: ModelRun) -> Check:
    steps = instance.num_steps
    return step_floor.check(
        num_steps=steps,
        initial_gap=float(np.linalg.norm(run.gaps[0])),
        gradient_gap=float(run.segment_gradient_gaps[:steps].max()),
        initial_loss=float(run.losses[0]),
        final_loss=float(run.losses[steps]),
        target_loss=float(run.losses[steps]),
        squared_gradient_sum=float(run.squared_gradients[:steps].sum()),
        step_size=run.step_size,
        num_points=POINTS,
        instance=repr(instance),
        **_scales(run, steps),
    )


def _slow_mode(instance: Instance, run: ModelRun) -> Check:
    """The linearised model's own descent, r_s = (I - eta K_0 / N)^s r_0."""
    step = np.eye(POINTS) - run.step_size / POINTS * run.kernel
    residual = np.linalg.matrix_power(step, instance.num_steps) @ run.residual
    return slow_mode.check(
        float(residual @ residual) / (2.0 * POINTS),
        instance.num_steps,
        run.kernel,
        run.residual,
        (0, POINTS - 1),
        step_size=run.step_size,
        instance=repr(instance),
    )


def _tail_rate(instance: Instance, run: ModelRun) -> Check:
    """One step, the last of the prefix."""
    stop = instance.num_steps
    return tail_rate.check(
        first_loss=float(run.losses[stop - 1]),
        last_loss=float(run.losses[stop]),
        num_steps=1,
        gradient_gap=float(run.gradient_gaps[stop - 1]),
        mode_share=float(min(run.bottom_shares[stop - 1], 1.0)),
        top_eigenvalue=float(run.eigenvalues[stop - 1, -1]),
        smoothness=float(run.segment_smoothness[stop - 1]),
        step_size=run.step_size,
        num_points=POINTS,
        instance=repr(instance),
        output_scale=run.output_scale,
    )


def _descent_product(instance: Instance, run: ModelRun) -> Check:
    steps = instance.num_steps
    last = steps - 1
    rate = float(descent_product.descent_rate(run.squared_gradients[last], run.losses[last]))
    common = {"instance": repr(instance), "output_scale": run.output_scale}
    if instance.part == "product":
        return descent_product.check(
            initial_loss=float(run.losses[0]),
            final_loss=float(run.losses[steps]),
            rates=run.eigenvalues[:steps, 0] / POINTS,
            step_size=run.step_size,
            smoothness=float(run.segment_smoothness[:steps].max()),
            **common,
        )
    if instance.part == "rate":
        return descent_product.check_rate(
            rate=rate,
            loss=float(run.losses[last]),
            bottom_eigenvalue=float(run.eigenvalues[last, 0]),
            top_eigenvalue=float(run.eigenvalues[last, -1]),
            num_points=POINTS,
            **common,
        )
    return descent_product.check_step(
        loss=float(run.losses[last]),
        next_loss=float(run.losses[steps]),
        rate=rate,
        step_size=run.step_size,
        smoothness=float(run.segment_smoothness[last]),
        side="lower" if instance.part == "lower" else "upper",
        **common,
    )


CHECKS: dict[str, tuple[tuple[str, ...], Callable[[Instance, ModelRun], Check]]] = {
    "R1": (("gradient gap",), _spectral_ceiling),
    "R2": (("floor", "motion"), _path_floor),
    "R3": (("floor",), _step_floor),
    "R4": (("linearised",), _slow_mode),
    "R5": (("one step",), _tail_rate),
    "G1": (("upper", "lower", "rate", "product"), _descent_product),
}
"""The claims searched, each with the parts an instance may ask for."""

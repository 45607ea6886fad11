"""The architecture-free claims at a prefix of a measured run of any model, by the theorems' own checks.

What a theorem takes as a supremum along the path is sampled there (experiments/model_run.py), so a violation here is
either a counterexample or a sample that missed the supremum. The proofs of G3 to G5 use their suprema over balls at
the run's own segments only, so constants measured there are enough for the run's conclusion. Such a check tests the
theorem and predicts nothing: only R6 with stated block constants is known before training.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from experiments.block_probe import known_path_floor
from experiments.model_run import POINTS, ModelRun
from experiments.user_model import UserModel
from theory import (
    descent_product,
    dissipative_containment,
    feature_learning_floor,
    finite_horizon,
    path_floor,
    pl_containment,
    slow_mode,
    spectral_ceiling,
    step_floor,
    tail_rate,
)
from theory.verdict import Check

Prefix = Any
"""A hunt's instance: `part` names the inequality, `num_steps` the length of the prefix, and the rest draws the run."""


def check_spectral_ceiling(instance: Prefix, run: ModelRun) -> Check:
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


def check_path_floor(instance: Prefix, run: ModelRun) -> Check:
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


def check_step_floor(instance: Prefix, run: ModelRun) -> Check:
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


def check_slow_mode(instance: Prefix, run: ModelRun) -> Check:
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


def check_tail_rate(instance: Prefix, run: ModelRun) -> Check:
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


def check_descent_product(instance: Prefix, run: ModelRun) -> Check:
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


def _excess(run: ModelRun, steps: int) -> float:
    """(|d_0| - 2 sqrt(N eps))_+ at eps = L_T."""
    gap = float(np.linalg.norm(run.gaps[0]))
    return float(path_floor.excess_gap(gap, run.losses[steps], num_points=POINTS))


def check_feature_learning_floor(instance: Prefix, run: ModelRun) -> Check:
    """R6 with the largest measured gradient gap per distance as a constant envelope."""
    steps = instance.num_steps
    largest = float(run.segment_gradient_gaps[:steps].max()) / instance.separation
    floor = feature_learning_floor.polynomial_path_floor(
        _excess(run, steps), instance.separation, coefficients=np.array([largest]), initial_norm=0.0
    )
    return _feature_learning_floor(instance, run, float(floor))


def known_feature_learning_floor(model: UserModel, instance: Prefix, run: ModelRun) -> Check:
    """R6 with the envelope that the model's blocks state, known before training."""
    floor = known_path_floor(model)(instance.seed, instance.separation, _excess(run, instance.num_steps))
    return _feature_learning_floor(instance, run, float(floor))


def _feature_learning_floor(instance: Prefix, run: ModelRun, floor: float) -> Check:
    steps = instance.num_steps
    excess, gradient_gap = _excess(run, steps), float(run.segment_gradient_gaps[:steps].max())
    output_loss = run.output_scale / excess if excess > 0.0 else 1.0
    return feature_learning_floor.check(
        float(run.step_lengths[:steps].sum()),
        floor,
        target_loss=float(run.losses[steps]),
        final_loss=float(run.losses[steps]),
        cancellation=max(output_loss, run.gradient_scale(steps) / gradient_gap, 1.0),
        instance=repr(instance),
    )


def check_finite_horizon(instance: Prefix, run: ModelRun) -> Check:
    """G3 with the curvature measured along the run for S."""
    steps = instance.num_steps
    return finite_horizon.check(
        inequality=instance.part,
        largest_distance=float(run.displacement[: steps + 1].max()),
        path_length=float(run.step_lengths[:steps].sum()),
        squared_gradients=run.squared_gradients[:steps],
        initial_loss=float(run.losses[0]),
        final_loss=float(run.losses[steps]),
        least_loss=float(run.losses[: steps + 1].min()),
        step_size=run.step_size,
        smoothness=float(run.segment_smoothness[:steps].max()),
        instance=repr(instance),
        output_scale=run.output_scale,
        parameter_scale=float(run.parameter_norms.max()),
    )


def check_dissipative_containment(instance: Prefix, run: ModelRun) -> Check:
    """G4 about the origin with R = |theta_0|; the gradient bound and the shell's dissipation at the run's iterates.

    Vacuous where no iterate enters the shell: nothing of the hypothesis was then seen.
    """
    steps = slice(0, instance.num_steps)
    norms, squares = run.parameter_norms[steps], run.squared_gradients[steps]
    radius = float(run.parameter_norms[0])
    outside = norms > radius
    dissipation = run.radial[steps] - 0.5 * run.step_size * squares
    found = dissipative_containment.check(
        largest_distance=float(run.parameter_norms[: instance.num_steps + 1].max()),
        initial_distance=radius,
        radius=radius,
        gradient_bound=float(np.sqrt(squares[~outside].max())),
        step_size=run.step_size,
        shell_dissipation=float(dissipation[outside].min()) if outside.any() else 0.0,
        gradient_margin=0.0,
        instance=repr(instance),
    )
    return found._replace(vacuous=found.vacuous or not outside.any())


def check_pl_containment(instance: Prefix, run: ModelRun) -> Check:
    """G5 with the smallest |grad L|^2 / (2 L) and the largest curvature of the run for mu and S."""
    steps = instance.num_steps
    rates = np.asarray(descent_product.descent_rate(run.squared_gradients[:steps], run.losses[:steps]))
    # A run that starts at a minimum has rate and curvature 0, a diverged one NaN: neither is applicable.
    slowest = float(np.nan_to_num(rates, nan=0.0).min())
    return pl_containment.check(
        inequality=instance.part,
        path_length=float(run.step_lengths[:steps].sum()),
        largest_distance=float(run.displacement[: steps + 1].max()),
        initial_loss=float(run.losses[0]),
        final_loss=float(run.losses[steps]),
        num_steps=steps,
        step_size=run.step_size,
        rate=max(slowest, 1e-300),
        smoothness=float(np.maximum(run.segment_smoothness[:steps].max(), 1e-300)),
        ball_radius=float("inf"),
        instance=repr(instance),
        output_scale=run.output_scale,
        parameter_scale=float(run.parameter_norms.max()),
    )


CHECKS: dict[str, tuple[tuple[str, ...], Callable[[Prefix, ModelRun], Check]]] = {
    "R1": (("gradient gap",), check_spectral_ceiling),
    "R2": (("floor", "motion"), check_path_floor),
    "R3": (("floor",), check_step_floor),
    "R4": (("linearised",), check_slow_mode),
    "R5": (("one step",), check_tail_rate),
    "R6": (("path floor",), check_feature_learning_floor),
    "G1": (("upper", "lower", "rate", "product"), check_descent_product),
    "G3": (("containment", "path length", "gradient", "decrease"), check_finite_horizon),
    "G4": (("containment",), check_dissipative_containment),
    "G5": (("containment", "path length", "rate"), check_pl_containment),
}
"""The claims searched on any model, each with the parts an instance may ask for."""

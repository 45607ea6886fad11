"""What the claims say of a run so far: to the loss it has reached, with what was measured along it.

The gradient gap and the curvature are suprema along the path; here they are taken at the steps (the curvature at a few
segments), as in the studies: a floor then errs high, which is stricter than the theorem.
"""

from typing import Any

import jax
import numpy as np

from experiments.descent import Status, descent_step, loss
from experiments.explore.claim_lines import ClaimLine, Finding, because, line
from experiments.explore.claims_before import count_of
from experiments.explore.panels import Panels
from experiments.explore.segment_curvature import segment_curvature
from experiments.explore.step_marks import smoothness_after
from experiments.explore.training import Frame, Training
from experiments.kernel import empirical_ntk, gradient_gap
from theory import (
    descent_product,
    feature_learning_floor,
    finite_horizon,
    path_floor,
    slow_mode,
    step_floor,
    tail_rate,
)

AFTER = ("R2", "R3", "R4", "R5", "R6", "G1", "G3")
"""The claims that speak of a run."""


def claims_after(training: Training, panels: Panels) -> list[ClaimLine]:
    """A line for each claim that speaks of a run, as far as it has come.

    panels: of the run's scene.  Raises ValueError before the first `advance`.
    """
    frame = training.frame
    if training.status is Status.DIVERGED or not np.isfinite(frame.loss):
        return [because(claim, f"the loss is no longer finite, after {count_of(frame.step)} steps") for claim in AFTER]
    if frame.step == 0:
        return [because(claim, "no step has been taken") for claim in AFTER]
    float32 = training.scene.state.precision == "float32"
    findings = [
        _path_floor(training, panels),
        _step_floor(training, panels),
        _slow_mode(training, panels),
        _tail_rate(training, panels),
        _known_floor(training, panels),
        _descent_product(training, panels),
        _finite_horizon(training, panels),
    ]
    return [line(each, float32=float32) if isinstance(each, list) else each for each in findings]


def _inverse(curvature: float) -> float:
    return 1.0 / curvature if curvature > 0.0 else np.inf


def _reached(frame: Frame) -> str:
    return f"the loss {frame.loss:.3g} after {count_of(frame.step)} steps"


def _scales(training: Training, panels: Panels) -> dict[str, float]:
    """Sizes of outputs and gradients, whose rounding the differences over the closest pair inherit."""
    top = training.frame.kernel_top * training.scene.state.num_points
    return {
        "output_scale": 1.0 + float(np.max(np.abs(panels.floors.residual))),
        "gradient_scale": float(np.sqrt(max(top, panels.spectrum.eigenvalues[-1]))),  # K_kk <= lambda_max
    }


def _path_floor(training: Training, panels: Panels) -> list[Finding]:
    frame, totals, size = training.frame, training.totals, training.scene.state.num_points
    scales = _scales(training, panels)
    floor = path_floor.check(
        initial_gap=panels.floors.gap,
        path_length=frame.path_length,
        gradient_gap=totals.gradient_gap,
        target_loss=frame.loss,
        final_loss=frame.loss,
        num_points=size,
        instance="the run",
        **scales,
    )
    first, second = training.scene.points.pair
    start = float(panels.floors.residual[first] - panels.floors.residual[second])
    motion = path_floor.check_motion(
        gap_motion=abs(frame.gap - start),
        path_length=frame.path_length,
        gradient_gap=totals.gradient_gap,
        instance="the run",
        **scales,
    )
    return [
        Finding(
            floor,
            f"{_reached(frame)} took a path of {floor.measured:.3g}, at least {floor.bound:.3g}.",
            vacuous=f"{_reached(frame)} asks nothing of the pair's gap",
        ),
        Finding(motion, f"the pair's gap moved by {motion.measured:.3g}, at most {motion.bound:.3g}."),
    ]


def _step_floor(training: Training, panels: Panels) -> list[Finding]:
    frame, totals, state = training.frame, training.totals, training.scene.state
    check = step_floor.check(
        num_steps=frame.step,
        initial_gap=panels.floors.gap,
        gradient_gap=totals.gradient_gap,
        initial_loss=panels.floors.loss,
        final_loss=frame.loss,
        target_loss=frame.loss,
        squared_gradient_sum=totals.gradient_square_sum,
        step_size=state.step_size,
        num_points=state.num_points,
        instance="the run",
        **_scales(training, panels),
    )
    return [
        Finding(
            check,
            f"{_reached(frame)} needs at least {check.bound:.3g} of them.",
            vacuous=f"{_reached(frame)} asks for {max(check.bound, 0.0):.2g} steps only",
            failing={"sufficient decrease": _no_decrease(state.step_size)},
        )
    ]


def _no_decrease(step_size: float) -> str:
    return f"at the step size {step_size:g} the loss fell by less than half of eta |grad L|^2 in sum"


def _slow_mode(training: Training, panels: Panels) -> list[Finding]:
    frame, state = training.frame, training.scene.state
    check = slow_mode.check(
        frame.loss,
        frame.step,
        np.asarray(panels.spectrum.kernel, float),
        panels.floors.residual,
        training.scene.points.pair,
        step_size=state.step_size,
        kernel_drift=frame.drift,
        instance="the run",
    )
    top = state.num_points / float(panels.spectrum.eigenvalues[-1])
    return [
        Finding(
            check,
            f"the loss is {check.measured:.3g}, at most {check.bound:.3g}.",
            failing={
                "frozen kernel": f"the kernel has moved by {100 * frame.drift:.3g}% of itself, and it speaks of linear "
                "models",
                "small step size": f"the step size {state.step_size:g} is above N/lambda_max(K_0) = {top:.3g}",
                "single close pair": "the closest pair's mode is not the slowest",
            },
        )
    ]


def _tail_rate(training: Training, panels: Panels) -> list[Finding] | ClaimLine:
    """The step that would be taken next."""
    scene, params = training.scene, training.params
    state = scene.state
    with scene.arithmetic():
        kernel = np.asarray(empirical_ntk(scene.model, params, scene.x), float)
        residual = (np.asarray(scene.model(params, scene.x), float) - np.asarray(scene.y, float)).reshape(-1)
        after = descent_step(scene.model, params, scene.x, scene.y, step_size=state.step_size)
        first, last = (float(_loss(scene.model, theta, scene.x, scene.y)) for theta in (params, after))
        gap = float(gradient_gap(scene.model, params, scene.x, scene.points.pair))
    if not np.all(np.isfinite(kernel)) or not np.isfinite(last):
        return because("R5", "the next step leaves the numbers")
    values, modes = np.linalg.eigh(kernel)
    share = float((modes[:, 0] @ residual) ** 2 / (residual @ residual)) if residual.any() else 0.0
    check = tail_rate.check(
        first_loss=first,
        last_loss=last,
        num_steps=1,
        gradient_gap=gap,
        mode_share=min(share, 1.0),
        top_eigenvalue=float(values[-1]),
        smoothness=float(np.max(segment_curvature(scene, params).value)),
        step_size=state.step_size,
        num_points=state.num_points,
        instance="the next step",
        output_scale=_scales(training, panels)["output_scale"],
    )
    compared = f"log L falls by {check.measured:.3g} in the next step, at most {check.bound:.3g}"
    return [
        Finding(
            check,
            f"{compared}, with {100 * share:.3g}% of the residual in the slowest mode.",
            vacuous="the step may take all of the loss",
        )
    ]


_loss = jax.jit(loss, static_argnums=0)


def _known_floor(training: Training, panels: Panels) -> list[Finding] | ClaimLine:
    """R6 for the state's target, which the run must have reached: the floor was known before."""
    frame, totals, state = training.frame, training.totals, training.scene.state
    floors = panels.floors
    if floors.path is None:
        return because("R6", training.scene.unbounded)
    if frame.loss > state.target:
        return because("R6", f"the loss {frame.loss:.3g} has not reached its target {state.target:g}")
    scales = _scales(training, panels)
    shared: dict[str, Any] = {
        "target_loss": state.target,
        "final_loss": frame.loss,
        "cancellation": max(
            scales["output_scale"] / floors.excess if floors.excess else 1.0,
            scales["gradient_scale"] / totals.gradient_gap if totals.gradient_gap else 1.0,
            1.0,
        ),
        "instance": "the run",
    }
    path = feature_learning_floor.check(frame.path_length, floors.path, **shared)
    steps = feature_learning_floor.check_steps(
        frame.step,
        floors.path,
        initial_loss=floors.loss,
        squared_gradient_sum=totals.gradient_square_sum,
        step_size=state.step_size,
        **shared,
    )
    return [
        Finding(
            path,
            f"the path to the target was {path.measured:.3g}, at least {path.bound:.3g} by what was known before.",
            vacuous="the target asks nothing of the pair's gap",
        ),
        Finding(
            steps,
            f"the target took {count_of(frame.step)} steps, at least {steps.bound:.3g}.",
            vacuous=f"it asks for {steps.bound:.2g} steps only",
            failing={"sufficient decrease": _no_decrease(state.step_size)},
        ),
    ]


def _descent_product(training: Training, panels: Panels) -> list[Finding]:
    frame, state = training.frame, training.scene.state
    scale = _scales(training, panels)["output_scale"]
    # One factor in the place of all: their product along the run, which was multiplied up step by step.
    whole = (1.0 - frame.product / panels.floors.loss) / state.step_size
    product = descent_product.check(
        initial_loss=panels.floors.loss,
        final_loss=frame.loss,
        rates=np.array([whole]),
        step_size=state.step_size,
        smoothness=frame.curvature,
        instance="the run",
        output_scale=scale,
    )
    size = state.num_points
    rate = descent_product.check_rate(
        rate=frame.rate,
        loss=frame.loss,
        bottom_eigenvalue=frame.kernel_rate * size,
        top_eigenvalue=frame.kernel_top * size,
        num_points=size,
        instance="the last step",
        output_scale=scale,
    )
    curved = (
        f"the step size {state.step_size:g} is above 1/|hess L| = {_inverse(frame.curvature):.3g}, measured on the run"
    )
    return [
        Finding(
            product,
            f"the loss is {frame.loss:.3g}, the kernel's own rates promise {frame.product:.3g}.",
            vacuous="lambda_min(K_s) is not resolved, and the product does not fall",
            failing={"stable step size": curved, "bound above rounding": "the loss is at its rounding"},
        ),
        Finding(
            rate,
            f"mu_s is {rate.measured:.3g}, lambda_min(K_s)/N is {rate.bound:.3g}.",
            vacuous="lambda_min(K_s) is not resolved",
            failing={"loss above rounding": "the loss is at its rounding"},
        ),
    ]


def _finite_horizon(training: Training, panels: Panels) -> list[Finding] | ClaimLine:
    """With S proved on the ball that the run cannot leave, not measured."""
    frame, totals, scene = training.frame, training.totals, training.scene
    smoothness = smoothness_after(scene, frame.radius)
    if smoothness is None:
        return because("G3", scene.unbounded)
    check = finite_horizon.check(
        inequality="containment",
        largest_distance=totals.displacement,
        path_length=frame.path_length,
        # Containment asks only how many there are; their sum is the run's.
        squared_gradients=np.full(frame.step, totals.gradient_square_sum / frame.step),
        initial_loss=panels.floors.loss,
        final_loss=frame.loss,
        least_loss=0.0,
        step_size=scene.state.step_size,
        smoothness=smoothness,
        instance="the run",
        output_scale=_scales(training, panels)["output_scale"],
        parameter_scale=totals.parameter_norm,
    )
    ball = f"the ball of radius {frame.radius:.3g} that {frame.step:,} steps could reach"
    above = f"the step size {scene.state.step_size:g} is above 1/S = {_inverse(smoothness):.3g}"
    return [
        Finding(
            check,
            f"the run went {check.measured:.3g} from its start, at most {check.bound:.3g}.",
            failing={
                "stable step size": f"{above} on {ball}",
                "smoothness on the ball": "S is infinite",
            },
        )
    ]

"""What the claims say of a scene before it is trained."""

from collections.abc import Iterator

import numpy as np

from experiments.explore.claim_lines import ClaimLine, Finding, because, line, promise, vacuous
from experiments.explore.layers import LayersPanel
from experiments.explore.panels import Panels
from experiments.explore.projection import Projection
from experiments.explore.scene import Scene
from experiments.explore.spectrum import SpectrumPanel
from experiments.explore.state import OWN
from experiments.explore.step_floors import StepFloors
from experiments.explore.step_marks import HORIZON_STEPS, StepMarks
from experiments.linearised import linearise, loss_after
from experiments.studies.propagation_checks import SLOPES
from theory import bi_lipschitz, nondegeneracy, packing_ceiling, slow_mode, smoothness, spectral_ceiling

_LINEAR_STEPS = 1000
"""Steps after which R4 is asked of the linearised network."""


def claims_before(scene: Scene, panels: Panels) -> list[ClaimLine]:
    """A line for each claim that speaks of this scene."""
    return [
        _packing(scene, panels.projection),
        _spectral_ceiling(scene, panels.spectrum),
        _step_floor(scene, panels.floors),
        _slow_mode(scene, panels.spectrum, panels.floors),
        _known_floor(scene, panels.floors),
        _smoothness(scene, panels.marks),
        _finite_horizon(scene, panels.marks),
        *_layers(scene, panels.layers),
    ]


def _float32(scene: Scene) -> bool:
    return scene.state.precision == "float32"


def _packing(scene: Scene, projection: Projection) -> ClaimLine:
    check = packing_ceiling.check(
        projection.separation,
        scene.state.num_points,
        dim=scene.points.domain.coordinates,
        domain="sphere" if scene.state.domain == "sphere" and scene.state.kind != "transformer" else "cube",
        instance="the points",
    )
    return line(
        [
            Finding(
                check, f"h_min is {check.measured:.4g}, and no {scene.state.num_points} points reach {check.bound:.4g}."
            )
        ]
    )


def _spectral_ceiling(scene: Scene, spectrum: SpectrumPanel) -> ClaimLine:
    smallest, bound = spectrum.smallest, spectrum.gap_ceiling
    check = spectral_ceiling.check(
        smallest.value,
        spectrum.gradient_gap,
        largest_eigenvalue=float(spectrum.eigenvalues[-1]),
        kernel_size=scene.state.num_points,
        instance="the kernel at the start",
    )
    unresolved = f"lambda_min is {smallest.value:.2g}, below its error bar, and so not resolved"
    compared = f"lambda_min(K) is {smallest.value:.3g}, the closest pair's gradients allow {bound:.3g}."
    return line([Finding(check, compared, failing={"eigenvalue resolved": unresolved})], float32=_float32(scene))


def _step_floor(scene: Scene, floors: StepFloors) -> ClaimLine:
    if reason := _nothing_must_go(scene, floors):
        return vacuous("R3", reason)
    if np.isinf(floors.linear_floor):
        return promise(
            "R3", f"No number of steps reaches the loss {scene.state.target:g}: the pair's gradients are one."
        )
    if floors.linear_floor < 1.0:
        return vacuous("R3", f"with the gradient gap of the start it asks for {floors.linear_floor:.2g} steps only")
    counted = "" if floors.linear_steps is None else f" (it takes {count_of(floors.linear_steps)})"
    return promise(
        "R3",
        f"At least {count_of(floors.linear_floor)} steps to loss {scene.state.target:g} for the network linearised at "
        f"its start{counted}; for the network itself the gradient gap may grow along the run, which lowers the floor.",
    )


def count_of(steps: float | int) -> str:
    """A number of steps as one reads it: whole, and from a billion on in powers of ten."""
    return f"{steps:,.0f}" if steps < 1e9 else f"{steps:.2g}"


def _nothing_must_go(scene: Scene, floors: StepFloors) -> str:
    if floors.loss <= scene.state.target:
        return f"the loss starts at {floors.loss:.3g}, at or below its target"
    if floors.excess > 0.0:
        return ""
    return (
        f"the target loss tolerates a gap of {2 * np.sqrt(scene.state.num_points * scene.state.target):.3g} on the "
        f"closest pair, which starts at {floors.gap:.3g}"
    )


def _slow_mode(scene: Scene, spectrum: SpectrumPanel, floors: StepFloors) -> ClaimLine:
    state = scene.state
    frozen = linearise(np.asarray(spectrum.kernel, float), floors.residual, num_points=state.num_points)
    with np.errstate(over="ignore"):  # beyond its stable step size the linearised network leaves the numbers
        measured = loss_after(frozen, _LINEAR_STEPS, step_size=state.step_size)
    check = slow_mode.check(
        measured,
        _LINEAR_STEPS,
        np.asarray(spectrum.kernel, float),
        floors.residual,
        scene.points.pair,
        step_size=state.step_size,
        instance="the linearised network",
    )
    after = f"after {_LINEAR_STEPS:,} steps"
    top = state.num_points / float(spectrum.eigenvalues[-1])
    finding = Finding(
        check,
        f"{after} the linearised network's loss is {check.measured:.3g}, at most {check.bound:.3g}.",
        vacuous=f"{after} its ceiling {check.bound:.3g} is not below the loss at the start, or is rounding",
        failing={
            "small step size": f"the step size {state.step_size:g} is above N/lambda_max(K_0) = {top:.3g}",
            "single close pair": "the closest pair's mode is not the slowest",
        },
    )
    return line([finding], float32=_float32(scene))


def _known_floor(scene: Scene, floors: StepFloors) -> ClaimLine:
    if floors.path is None or floors.known_floor is None:
        return because("R6", scene.unbounded)
    if reason := _nothing_must_go(scene, floors):
        return vacuous("R6", reason)
    if np.isinf(floors.known_floor):
        return promise(
            "R6", f"No path of any length reaches the loss {scene.state.target:g}: the pair's points are one."
        )
    path = f"a path of at least {floors.path:.3g}"
    if floors.known_floor < 1.0:
        return promise(
            "R6", f"Any optimiser needs {path}; the steps that follow, {floors.known_floor:.2g}, are fewer than one."
        )
    return promise(
        "R6", f"Any optimiser needs {path}, and this step size at least {count_of(floors.known_floor)} steps."
    )


def _smoothness(scene: Scene, marks: StepMarks) -> ClaimLine:
    if marks.at_start is None:
        return because("G2", scene.unbounded)
    check = smoothness.check(
        "loss hessian",
        measured=marks.hessian,
        bound=marks.at_start,
        parameter_margin=0.0,
        input_margin=0.0,
        instance="the start",
    )
    compared = f"|hess L| is {marks.hessian:.3g} at the start, S is {marks.at_start:.3g}."
    return line([Finding(check, compared, vacuous="S is infinite")], float32=_float32(scene))


def _finite_horizon(scene: Scene, marks: StepMarks) -> ClaimLine:
    if marks.safe is None:
        return because("G3", scene.unbounded)
    if not marks.safe > 0.0:
        return vacuous("G3", "S is infinite on every ball")
    if scene.state.step_size <= marks.safe:
        return promise(
            "G3",
            f"This step size is at most 1/S = {marks.safe:.3g}: the loss will not rise within {HORIZON_STEPS} steps.",
        )
    return because(
        "G3",
        f"the step size {scene.state.step_size:g} is {scene.state.step_size / marks.safe:.3g} times 1/S = "
        f"{marks.safe:.3g}, up to which descent is proved",
    )


def _layers(scene: Scene, layers: LayersPanel | str) -> Iterator[ClaimLine]:
    if isinstance(layers, str):
        yield from (because(claim, layers) for claim in ("N1", "N2"))
        return
    yield _nondegeneracy(scene, layers)
    yield _bi_lipschitz(scene, layers)


def _nondegeneracy(scene: Scene, layers: LayersPanel) -> ClaimLine:
    """The check of the layer that is nearest to singular."""
    if scene.state.kind == OWN:
        return because("N1", "the slopes of your own activation functions are not known to it")
    if layers.perceptrons is None or layers.singular is None:
        return because("N1", "it speaks of branches W sigma(V x + b), narrow enough here for their singular values")
    dim, slope = layers.features, SLOPES[scene.state.activation]
    worst = int(np.argmin(layers.singular))
    branch, smallest, depth = layers.perceptrons[worst], float(layers.singular[worst]), worst + 1
    if layers.lower is not None:
        check = nondegeneracy.check_conditioning(
            smallest,
            1.0,
            outer_norm=branch.outer,
            inner_norm=branch.inner,
            slope=slope,
            dim=max(dim, branch.hidden),
            instance=f"layer {depth}",
        )
        bound = f"1 - |W||V|B = {check.bound:.3g}"
        found = Finding(
            check,
            f"layer {depth} has sigma_min {smallest:.3g}, at least {bound}.",
            vacuous=f"{bound} in layer {depth}, whose measured sigma_min is {smallest:.3g}",
        )
    else:
        check = nondegeneracy.check_no_skip(
            branch.beyond,
            hidden=branch.hidden,
            dim=dim,
            jacobian_norm=branch.outer * branch.inner * slope,
            instance=f"layer {depth}",
        )
        sizes = f"{branch.hidden} units for {dim} features"
        whole = f"layer {depth} without its skip need not be singular: {sizes}; its sigma_min is {smallest:.3g}"
        found = Finding(
            check,
            f"without its skip layer {depth} is singular at every point: {sizes}.",
            failing={"narrow hidden layer": whole},
        )
    return line([found], float32=_float32(scene))


def _bi_lipschitz(scene: Scene, layers: LayersPanel) -> ClaimLine:
    before, after = float(layers.separation[0]), float(layers.separation[-1])
    moved = f"h_min of the features goes from {before:.3g} to {after:.3g}"
    if layers.lower is None or layers.upper is None:
        return because("N2", f"the layers have no skip connections: {moved}")
    largest = float(layers.constants.max())
    ends = (float(layers.lower[-1]), float(layers.upper[-1]))
    sides: tuple[bi_lipschitz.Side, ...] = ("lower", "upper")
    findings = [
        Finding(
            bi_lipschitz.check(
                after,
                before,
                side=side,
                branch_constants=layers.constants,
                input_scale=layers.scale,
                instance="the last layer",
            ),
            f"{moved}, at {'least' if side == 'lower' else 'most'} {end:.3g}.",
            vacuous=f"{moved}, and the bound is rounding",
            failing={"contractive branches": f"a branch has Lipschitz constant {largest:.3g}, not below 1"},
        )
        for side, end in zip(sides, ends)
    ]
    return line(findings, float32=_float32(scene))

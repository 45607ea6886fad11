"""From the numbers of the explorer's panels to what is drawn, and to the one or two facts told beneath."""

import math

import numpy as np

from experiments.explore.layers import LayersPanel
from experiments.explore.projection import Projection
from experiments.explore.spectrum import SpectrumPanel
from experiments.explore.step_floors import StepFloors
from experiments.explore.step_marks import StepMarks
from experiments.explore.training import History
from figures.explore.plot import Kind, Mark, Plot, Series
from figures.explore.svg import plain_number

_Row = tuple[str, float | None, Kind]
"""A row's name, its value where it is known, its role."""


def points_plot(panel: Projection) -> Plot:
    """The points in the plane, coloured by label, the closest pair joined."""
    labels = np.asarray(panel.labels, float)
    spread = float(np.ptp(labels)) or 1.0
    shades = ((labels - labels.min()) / spread).tolist()
    names = [f"point {k}: label {label:.3g}" for k, label in enumerate(labels)]
    x, y = panel.plane[:, 0].tolist(), panel.plane[:, 1].tolist()
    pair = list(panel.pair)
    return Plot(
        name="points",
        title="The points",
        x_label="first coordinate" if panel.explained >= 1.0 else "first principal component",
        y_label="second coordinate" if panel.explained >= 1.0 else "second principal component",
        series=(
            Series("closest pair", [x[k] for k in pair], [y[k] for k in pair], "ring"),
            Series("point, blue to orange by its label", x, y, joined=False, shades=shades, names=names),
        ),
        equal=True,
    )


def spectrum_plot(panel: SpectrumPanel, pinned: SpectrumPanel | None = None) -> Plot:
    """Eigenvalues of the kernel at the start, largest first; the ceiling on the least, and its error bar."""
    values = np.asarray(panel.eigenvalues, float)[::-1]
    marks = [Mark("y", panel.gap_ceiling, "ceiling on λ_min (R1)", "bound")]
    if panel.smallest.error > 0:
        marks.append(Mark("y", panel.smallest.error, "rounding error"))
    series = [Series("eigenvalue at the start", np.arange(1, len(values) + 1).tolist(), _positive(values))]
    if pinned is not None:
        other = np.asarray(pinned.eigenvalues, float)[::-1]
        series.append(Series("pinned", np.arange(1, len(other) + 1).tolist(), _positive(other), "control", 1))
    return Plot(
        name="spectrum",
        title="The kernel's spectrum",
        x_label="eigenvalue, largest first",
        y_label="λ_k of K",
        series=tuple(series),
        marks=tuple(mark for mark in marks if mark.at > 0),
        log_y=True,
    )


def layers_plot(panel: LayersPanel, pinned: LayersPanel | None = None) -> Plot:
    """h_min of the features at every depth, between N2's bounds where there are skip connections."""
    depths = list(range(len(panel.separation)))
    series = [Series("h_min of the features", depths, _positive(panel.separation))]
    if pinned is not None:
        other = list(range(len(pinned.separation)))
        series.append(Series("pinned", other, _positive(pinned.separation), "control", 1))
    if panel.lower is not None and panel.upper is not None:
        series.append(Series("bounds (N2)", depths, _positive(panel.upper), "bound", marked=False))
        series.append(Series("", depths, _positive(panel.lower), "bound", marked=False))
    return Plot("layers", "Points through the layers", "layer", "h_min", tuple(series), log_y=True)


def floors_plot(panel: StepFloors) -> Plot:
    """Steps that the target loss needs: floors, and the linearised network's exact count."""
    rows: tuple[_Row, ...] = (
        ("network: at least (R6)", _steps(panel.known_floor), "bound"),
        ("linearised: at least (R3)", _steps(panel.linear_floor), "bound"),
        ("linearised: exactly", panel.linear_steps, "measured"),
    )
    return _rows_plot("floors", "Steps needed", "steps", rows)


def _steps(floor: float | None) -> float | None:
    """A floor as whole steps: one below a step says nothing."""
    return None if floor is None else float(math.ceil(floor))


def smoothness_plot(panel: StepMarks) -> Plot:
    """How much the gradient can turn: proved beforehand, and measured."""
    rows: tuple[_Row, ...] = (
        ("proved on the ball of 100 steps: S(R)", panel.smoothness, "bound"),
        ("proved at the start: S", panel.at_start, "bound"),
        ("measured at the start: |∇²L|", panel.hessian, "measured"),
        ("the kernel's part: λ_max/N", panel.kernel_curvature, "measured"),
    )
    return _rows_plot("smoothness", "Smoothness against curvature", "curvature of the loss", rows)


def _rows_plot(name: str, title: str, x_label: str, rows: tuple[_Row, ...]) -> Plot:
    """One point a row, of what is known and positive; the others' names say so."""
    named, series = [], []
    for k, (label, value, kind) in enumerate(rows, 1):
        named.append(f"{label} = {_told_number(value)}")
        if value is not None and 0.0 < value < math.inf:
            series.append(Series("", [value], [k], kind, joined=False))
    empty = "" if series else "; ".join(named) + "."
    return Plot(name, title, x_label, "", tuple(series), log_x=True, rows=tuple(named), empty=empty)


def _told_number(value: float | None) -> str:
    return "not known" if value is None else plain_number(value)


def _positive(values: np.ndarray) -> list[float]:
    """As a logarithmic axis shows them: what is not positive is left out."""
    return [float(value) if value > 0 else float("nan") for value in values]


def run_plots(run: History, pinned: History | None, *, target: float) -> list[Plot]:
    """All that a run shows while it goes."""
    return [
        loss_plot(run, pinned, target=target),
        rates_plot(run, pinned),
        gap_plot(run, pinned),
        displacement_plot(run, pinned),
        drift_plot(run, pinned),
    ]


def loss_plot(run: History, pinned: History | None, *, target: float) -> Plot:
    """The loss of every step, below the product bound, beside the pinned run's."""
    return _against_steps(
        "loss",
        "Loss",
        "loss",
        run,
        pinned,
        {"loss": "loss", "product": "bound from the moving kernel (G1)"},
        marks=(Mark("y", target, "stop here"),),
        bounds={"product"},
    )


def rates_plot(run: History, pinned: History | None) -> Plot:
    """The rate at which the loss falls, above what the kernel guarantees (G1)."""
    return _against_steps(
        "rates",
        "Rate of descent",
        "rate",
        run,
        pinned,
        {"rate": "μ_s = |∇L|²/2L", "kernel_rate": "λ_min(K_s)/N, guaranteed"},
        bounds={"kernel_rate"},
    )


def displacement_plot(run: History, pinned: History | None) -> Plot:
    """How far the parameters have moved, below the radius that the loss pays for."""
    return _against_steps(
        "displacement",
        "Distance from the start",
        "|θ_s − θ_0|",
        run,
        pinned,
        {"displacement": "|θ_s − θ_0|", "radius": "R = √(2sηL_0)"},
        bounds={"radius"},
    )


def drift_plot(run: History, pinned: History | None) -> Plot:
    """How far the kernel is from the one at the start: 0 would be the kernel regime."""
    return _against_steps(
        "drift", "Drift of the kernel", "|K_s − K_0| / |K_0|", run, pinned, {"drift": "relative drift"}, log_y=False
    )


def gap_plot(run: History, pinned: History | None) -> Plot:
    """What the closest pair has still to learn."""
    absolute = run._replace(gap=np.abs(run.gap))
    other = None if pinned is None else pinned._replace(gap=np.abs(pinned.gap))
    return _against_steps("gap", "Error gap of the pair", "|r_i − r_j|", absolute, other, {"gap": "gap of the pair"})


def _against_steps(
    name: str,
    title: str,
    y_label: str,
    run: History,
    pinned: History | None,
    columns: dict[str, str],
    *,
    marks: tuple[Mark, ...] = (),
    bounds: frozenset[str] | set[str] = frozenset(),
    log_y: bool = True,
) -> Plot:
    series = []
    for k, (column, label) in enumerate(columns.items()):
        bound = column in bounds
        series.append(_curve(run, column, label, "bound" if bound else "measured", k, log_y=log_y))
        if pinned is not None and not bound:
            series.append(_curve(pinned, column, f"pinned: {label}", "control", 1, log_y=log_y))
    return Plot(name, title, "step + 1", y_label, tuple(series), marks, log_x=True, log_y=log_y)


def _curve(history: History, column: str, label: str, kind: Kind, hue: int, *, log_y: bool) -> Series:
    values = np.asarray(getattr(history, column), float)
    steps = (np.asarray(history.step) + 1).tolist()
    return Series(label, steps, _positive(values) if log_y else values.tolist(), kind, hue, marked=False)


def told_points(panel: Projection) -> str:
    share = "" if panel.explained >= 1.0 else f" The plane shows {panel.explained:.0%} of their spread."
    return (
        f"h_min = {plain_number(panel.separation)} (no {len(panel.labels)} points here can exceed "
        f"{plain_number(panel.ceiling)}).{share}"
    )


def told_spectrum(panel: SpectrumPanel) -> str:
    least = panel.smallest
    value = plain_number(least.value) if least.resolved else f"not resolved (below {plain_number(least.error)})"
    top = plain_number(float(panel.eigenvalues[-1]))
    return f"λ_min = {value}; λ_max = {top}. R1 allows at most {plain_number(panel.gap_ceiling)}."


def told_layers(panel: LayersPanel) -> str:
    first, last = float(panel.separation[0]), float(panel.separation[-1])
    kept = f"From {plain_number(first)} after the embedding to {plain_number(last)} at the last layer."
    if panel.singular is not None and len(panel.singular):
        kept += f" Least singular value of a layer: {plain_number(float(panel.singular.min()))}."
    if panel.lower is not None and panel.lower[-1] <= 0.0:
        kept += " The lower bound is 0: the branches are too large for it."
    if dead := int(panel.dead.sum()):
        kept += f" {dead} units are 0 at every point."
    return kept


def told_floors(panel: StepFloors) -> str:
    if panel.excess == 0.0:
        return "The target tolerates the whole error gap of the pair, so no floor comes from it."
    part, whole = plain_number(panel.excess), plain_number(panel.gap)
    return f"{part} of the pair's error gap {whole} must go before the target is met."


def told_smoothness(panel: StepMarks) -> str:
    if panel.smoothness is None:
        return "No smoothness is proved: the activation has no second derivative, or a block states no bounds."
    factor = panel.smoothness / panel.hessian if panel.hessian else math.inf
    return f"Proved and measured are a factor {plain_number(factor)} apart."

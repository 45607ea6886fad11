"""What the width study's records say: the ceiling of G8, and exponents of eigenvalue and step size along each sweep."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from experiments.initialisation import SCALINGS
from experiments.largest_step import CRITERIA
from experiments.records import Record
from experiments.statistics import Estimate, Slope, bootstrap, bootstrap_slope, with_interval
from experiments.study import Findings
from theory import learning_rate_scale
from theory.verdict import Check

_XAVIER = SCALINGS["xavier"]
_LARGEST = 3
"""A local exponent is fitted over so many of the largest values."""
_ERRORS = 4.0
"""Standard errors allowed to a mean over seeds."""


def _is_covered(config: Mapping[str, Any]) -> bool:
    """Whether the learning-rate scale speaks of this network: one hidden layer."""
    return config["architecture"]["kind"] == "plain" and config["architecture"]["depth"] == 1


def _ceiling(config: Mapping[str, Any], squared_norm: float) -> float:
    """G8's ceiling of E tr K_0/N for tanh with biases."""
    return float(
        learning_rate_scale.mean_ceiling(
            squared_norm,
            dim=config["point_shape"][0],
            width=config["architecture"]["width"],
            value_slope=1.0,
            slope=1.0,
            bias=True,
        )
    )


def _checks(cell: Sequence[Record]) -> Iterator[Check]:
    """The spectrum of each draw, and the mean over the draws of one shape with its standard error."""
    config = cell[0].config
    if not _is_covered(config):
        return
    dim, width, size = config["point_shape"][0], config["architecture"]["width"], config["num_points"]
    unit = config["unit_variance"]
    where = f"width {width} dimension {dim}{' unit variances' if unit else ''}"
    for record in cell:
        yield learning_rate_scale.check_spectrum(
            top_eigenvalue=record.scalars["top"] * size,
            trace=record.scalars["trace"] * size,
            num_points=size,
            instance=f"{where} seed {record.config['seed']}",
        )
    traces = np.array([record.scalars["trace"] for record in cell])
    norms = np.array([record.scalars["squared_norm"] for record in cell])
    # The ceiling is affine in |x|^2: both means are over the same draws of the points, and so is their difference.
    excess = traces - [_ceiling(config, norm) for norm in norms]
    yield learning_rate_scale.check(
        kernel_mean=float(traces.mean()),
        squared_norm=float(norms.mean()),
        dim=dim,
        width=width,
        value_slope=1.0,
        slope=1.0,
        bias=True,
        weight_variance=1.0 if unit else _XAVIER.weight_std(dim, width) ** 2,
        outer_variance=1.0 if unit else _XAVIER.weight_std(width, 1) ** 2,
        instance=f"mean over {len(cell)} draws, {where}",
        quadrature_error=_ERRORS * float(np.std(excess, ddof=1)) / len(cell) ** 0.5,
    )._replace(inequality="mean over the draws")


def _columns(cells: Sequence[Sequence[Record]]) -> dict[str, np.ndarray]:
    """Quantities of one sweep, arrays (seeds, values). A step size that no rung brackets is NaN.

    top: lambda_max(K_0)/N.  frozen: 2N/lambda_max(K_0).  The criteria: middle (geometric) of a bracket.
    """
    found = {"top": np.array([[record.scalars["top"] for record in cell] for cell in cells]).T}
    found["frozen"] = 2.0 / found["top"]
    for name in CRITERIA:
        pairs = np.array(
            [[(record.scalars[name], record.scalars[f"{name}_next"]) for record in cell] for cell in cells], float
        ).transpose(2, 1, 0)
        low, high = np.where(pairs > 0.0, pairs, np.nan)
        found[name] = np.sqrt(low * high)
    return found


def _spread(values: np.ndarray) -> dict[str, list[float]]:
    """Median and quartiles over seeds at each value of the sweep; NaN where one seed is not bracketed."""
    low, median, high = np.quantile(values, [0.25, 0.5, 0.75], axis=0)
    return {"low": low.tolist(), "median": median.tolist(), "high": high.tolist()}


def _slopes(sweep: Any, columns: Mapping[str, np.ndarray]) -> Iterator[Slope]:
    """Exponents over the largest values of the sweep and over all; only unit variances have an exponent to expect."""
    values = np.array(sweep.values, float)
    name = f"{sweep.name}{', unit variances' if sweep.unit_variance else ''}"
    ratios = {"monotone step / frozen": columns["monotone"] / columns["frozen"]}
    for quantity, found in {
        "lambda_max/N": columns["top"],
        **{f"{criterion} step": columns[criterion] for criterion in CRITERIA},
        **ratios,
    }.items():
        resolved = np.all(np.isfinite(found), axis=0)
        reaches = {f"{_LARGEST} largest": slice(-_LARGEST, None), "all": slice(None)}
        for reach, kept in reaches.items():
            if resolved[kept].sum() < 2 or (reach != "all" and resolved.sum() <= _LARGEST):
                continue
            rows = np.flatnonzero(resolved[kept])
            expected = {"lambda_max/N": 1.0, "monotone step": -1.0}.get(quantity) if sweep.unit_variance else None
            yield bootstrap_slope(
                values[kept][rows],
                found[:, kept][:, rows],
                claim="G8",
                label=f"{name}: {quantity} in {sweep.axis}, {reach}",
                expected=expected,
            )


def _estimates(sweep: Any, columns: Mapping[str, np.ndarray]) -> Iterator[Estimate]:
    """The largest stable step size over the frozen kernel's, at the largest value of the sweep."""
    for criterion in CRITERIA:
        ratio = columns[criterion][:, -1] / columns["frozen"][:, -1]
        if np.all(np.isfinite(ratio)):
            yield bootstrap(
                ratio, label=f"{sweep.name}: {criterion} step / (2N/lambda_max) at {sweep.axis} {sweep.values[-1]}"
            )


def find(preset: Any, runs_of: Any, by_run: Mapping[Any, Record]) -> Findings:
    """runs_of(sweep, preset): a sweep's runs, cell by cell.  by_run: the record of each run."""
    checks: dict[Any, list[Check]] = {}
    slopes: list[Slope] = []
    estimates: list[Estimate] = []
    series = []
    for sweep in preset.sweeps:
        runs = runs_of(sweep, preset)
        cells = [[by_run[run] for run in cell] for cell in runs]
        for run, cell in zip(runs, cells):
            checks.setdefault(run[0], list(_checks(cell)))  # sweeps may cross
        columns = _columns(cells)
        slopes += _slopes(sweep, columns)
        if not sweep.unit_variance and sweep.axis == "width":
            estimates += _estimates(sweep, columns)
        covered = _is_covered(cells[0][0].config) and not sweep.unit_variance
        series.append(
            {
                "name": sweep.name,
                "axis": sweep.axis,
                "unit_variance": sweep.unit_variance,
                "values": list(sweep.values),
                **{name: _spread(found) for name, found in columns.items()},
                "ratios": {name: _spread(columns[name] / columns["frozen"]) for name in CRITERIA},
                "ceiling": [
                    _ceiling(cell[0].config, float(np.mean([record.scalars["squared_norm"] for record in cell])))
                    for cell in cells
                ]
                if covered and sweep.axis != "depth"
                else None,
                "unbracketed": {name: int(np.sum(~np.isfinite(columns[name]))) for name in CRITERIA},
            }
        )
    # A claim's first slope is its headline: one for which an exponent is claimed.
    slopes.sort(key=lambda slope: slope.expected is None)
    summary = {
        "seeds": preset.seeds,
        "steps": preset.steps,
        "num_points": preset.num_points,
        "series": series,
    }
    return Findings(summary, [check for cell in checks.values() for check in cell], slopes, _words(slopes), estimates)


def _words(slopes: Sequence[Slope]) -> dict[str, str]:
    """The exponents in the width, as measured, at the largest widths where they were fitted."""
    found = {slope.label: slope for slope in slopes}

    def told(name: str, quantity: str) -> str:
        for reach in (f"{_LARGEST} largest", "all"):
            if slope := found.get(f"{name}: {quantity} in width, {reach}"):
                return with_interval(slope)
        return "not bracketed"

    names = list(dict.fromkeys(label.split(":")[0] for label in found if " in width, " in label))
    return {
        "G8": "Exponent in the width at the largest widths, of lambda_max(K_0)/N and of the largest monotone step: "
        + "; ".join(f"{name} {told(name, 'lambda_max/N')} and {told(name, 'monotone step')}" for name in names)
        + "."
    }

"""What the tail-slope study's records say: the rates as eigenvalues, the checks of R1 and R5, the slopes in h."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from experiments.records import Record
from experiments.statistics import Estimate, Slope, bootstrap, slopes_in_separation, with_interval
from experiments.study import Findings
from theory import spectral_ceiling, tail_rate
from theory.rounding import EPS
from theory.verdict import Check

INTERPOLATES = 1e-12
"""Largest residual, over the size of the labels, of what counts as an interpolating minimum."""

RESOLUTION = 0.02
"""A rate counts as resolved when its error is below this share of it."""


class Tail(NamedTuple):
    """The measured fall of log L a step, its error, and the eigenvalue that a single mode of that rate would have.

    eigenvalue: N (1 - exp(-rate/2)) / eta, the inverse of R5's rate(lambda); comparable with lambda_min and G^2/2.
    """

    rate: float
    error: float
    eigenvalue: float

    @property
    def resolved(self) -> bool:
        return self.error < RESOLUTION * self.rate


def tail_of(losses: np.ndarray, *, step_size: float, num_points: int, output_scale: float) -> Tail:
    """The mean rate over the window; error: difference of its two halves, plus rounding of the residuals."""
    steps = len(losses) - 1
    if steps < 2 or not np.min(losses) > 0:
        return Tail(math.nan, math.inf, math.nan)
    logs, middle = np.log(losses), steps // 2
    early, late = (logs[0] - logs[middle]) / middle, (logs[middle] - logs[-1]) / (steps - middle)
    # Residuals are off by some 8 eps each, so log L by 2 * 8 eps * scale / sqrt(2 L) at either end of either half.
    rounding = 64 * EPS * output_scale / (math.sqrt(2 * float(np.min(losses))) * middle)
    rate = float(logs[0] - logs[-1]) / steps
    eigenvalue = -num_points * math.expm1(-rate / 2) / step_size
    return Tail(rate, float(abs(early - late)) + rounding, eigenvalue)


def bottom_share(gram: np.ndarray, residual: np.ndarray) -> float:
    """Share of |r|^2 in the bottom eigenvector of K."""
    vector = np.linalg.eigh(gram)[1][:, 0]
    return float((vector @ residual) ** 2 / (residual @ residual))


def _smallest(gram: np.ndarray) -> float:
    return float(np.linalg.eigvalsh(gram)[0])


def _tail(record: Record) -> Tail:
    config, scalars = record.config, record.scalars
    return tail_of(
        record.arrays["tail_loss"],
        step_size=scalars["tail_step_size"],
        num_points=config["num_points"],
        output_scale=scalars["output_scale"],
    )


def _checks(record: Record, where: str) -> Iterator[Check]:
    """R1 where descent ends and where the tail starts; R5's ceiling over the window, its linear law at theta*."""
    config, scalars, arrays = record.config, record.scalars, record.arrays
    size = config["num_points"]
    for place, gram, gap in (
        ("end", arrays["gram_end"], scalars["gradient_gap_end"]),
        ("tail", arrays["gram_first"], arrays["tail_gradient_gap"][0]),
    ):
        spectrum = np.linalg.eigvalsh(gram)
        yield spectral_ceiling.check(
            float(spectrum[0]),
            float(gap),
            largest_eigenvalue=float(spectrum[-1]),
            kernel_size=size,
            instance=f"{place} of {where}",
        )
    losses, ends = arrays["tail_loss"], ("first", "last")
    check = tail_rate.check(
        first_loss=float(losses[0]),
        last_loss=float(losses[-1]),
        num_steps=len(losses) - 1,
        gradient_gap=float(np.max(arrays["tail_gradient_gap"])),
        mode_share=min(bottom_share(arrays[f"gram_{end}"], arrays[f"residual_{end}"]) for end in ends),
        top_eigenvalue=max(float(np.linalg.eigvalsh(arrays[f"gram_{end}"])[-1]) for end in ends),
        smoothness=scalars["smoothness_tail"],
        step_size=scalars["tail_step_size"],
        num_points=size,
        instance=where,
        output_scale=scalars["output_scale"],
    )
    # A ceiling below its own rounding allowance could not be seen to fail.
    yield check._replace(vacuous=check.vacuous or check.rounding >= check.bound)
    if not config["by_descent"]:
        yield _linear_check(record, where)


def _linear_check(record: Record, where: str) -> Check:
    """R5's window law on the linearisation at theta*, all modes alike at first: its steps by repeated squaring."""
    size, eta, gram = record.config["num_points"], record.scalars["tail_step_size"], record.arrays["gram_star"]
    eigenvalues, vectors = np.linalg.eigh(gram)
    slow = max(float(eigenvalues[0]), size * EPS * float(eigenvalues[-1]))
    steps = math.ceil(4 * size / (eta * slow))  # eight e-foldings of the slow mode's loss
    first = vectors @ np.full(size, size**-0.5)
    last = np.linalg.matrix_power(np.eye(size) - eta * gram / size, steps) @ first
    return tail_rate.check_linear(
        first_loss=float(first @ first) / (2 * size),
        last_loss=float(last @ last) / (2 * size),
        num_steps=steps,
        bottom_eigenvalue=float(eigenvalues[0]),
        top_eigenvalue=float(eigenvalues[-1]),
        mode_share=1 / size,
        step_size=eta,
        num_points=size,
        instance=f"linearised at the minimum of {where}",
    )


def _entry(record: Record) -> dict[str, Any]:
    """One minimum as plain numbers; eigenvalues throughout, NaN where not resolved or not a minimum."""
    scalars, arrays = record.scalars, record.arrays
    blank = dict.fromkeys(("rate", "ceiling", "star", "end", "frozen", "distance", "share"), math.nan)
    blank["frozen"] = _smallest(arrays["gram_start"])
    if scalars["status"] == "diverged":
        return {**blank, "reached": False, "stable": False}
    tail = _tail(record)
    minimum = scalars["residual_star"] <= INTERPOLATES * scalars["output_scale"]
    star = _smallest(arrays["gram_star"])
    return {
        "rate": tail.eigenvalue if minimum and tail.resolved else math.nan,
        "ceiling": float(arrays["tail_gradient_gap"][0]) ** 2 / 2,
        "star": star,
        "end": _smallest(arrays["gram_end"]),
        "frozen": blank["frozen"],
        "distance": scalars["distance"] / scalars["parameter_norm"],
        "share": bottom_share(arrays["gram_end"], arrays["residual_end"]),
        "reached": scalars["status"] == "reached",
        "stable": scalars["stable"],
    }


def _control(record: Record, minimum: dict[str, Any] | None) -> dict[str, Any]:
    """A run of descent alone: its last rate, the kernel and the share of the slow mode there, and theta*'s kernel."""
    config, arrays = record.config, record.arrays
    tail = _tail(record)
    return {
        "architecture": config["architecture"]["kind"],
        "labelling": config["labelling"],
        "seed": config["seed"],
        "rate": tail.eigenvalue,
        "own": _smallest(arrays["gram_last"]),
        "share": bottom_share(arrays["gram_last"], arrays["residual_last"]),
        "loss_end": record.scalars["loss_end"],
        "minimum": minimum["star"] if minimum else math.nan,
    }


def find(preset: Any, records: Sequence[Record]) -> Findings:
    checks: list[Check] = []
    cells: dict[tuple[str, str], dict[tuple[float, int], dict[str, Any]]] = {}
    separations: dict[float, list[float]] = {}
    for record in records:
        config = record.config
        where = f"{config['architecture']['kind']} {config['labelling']} h={config['h']:g} seed {config['seed']}"
        if record.scalars["status"] != "diverged":
            checks += _checks(record, where + (" by descent alone" if config["by_descent"] else ""))
        if not config["by_descent"]:
            cell = cells.setdefault((config["architecture"]["kind"], config["labelling"]), {})
            cell[config["h"], config["seed"]] = _entry(record)
            separations.setdefault(config["h"], []).append(record.scalars["separation"])
    controls = [
        _control(
            record,
            cells[record.config["architecture"]["kind"], record.config["labelling"]].get(
                (record.config["h"], record.config["seed"])
            ),
        )
        for record in records
        if record.config["by_descent"] and record.scalars["status"] != "diverged"
    ]
    panels, slopes, estimates = [], [], []
    h = np.array([np.mean(separations[each]) for each in preset.separations])
    for (kind, labelling), cell in cells.items():
        panel: dict[str, Any] = {"architecture": kind, "labelling": labelling}
        for name in next(iter(cell.values())):
            panel[name] = [[cell[each, seed][name] for each in preset.separations] for seed in range(preset.seeds)]
        panels.append(panel)
        slopes += _slopes(panel, h)
        estimates += _estimates(panel)
    estimates += _control_estimates(controls)
    slopes.sort(key=lambda slope: slope.expected is None)
    return Findings(
        summary={
            "separations": list(preset.separations),
            "seeds": preset.seeds,
            "num_points": preset.num_points,
            "target": preset.target,
            "gap": preset.gap,
            "noise": preset.noise,
            "lipschitz": preset.lipschitz,
            "window": preset.window,
            "panels": panels,
            "controls": controls,
        },
        checks=checks,
        slopes=slopes,
        words=_words(panels, slopes, estimates, controls),
        estimates=estimates,
    )


def _slopes(panel: dict[str, Any], h: np.ndarray) -> Iterator[Slope]:
    """Exponents in h of the rate and, to see where it comes from, of its ceiling and of the other kernels."""
    kind, labelling = panel["architecture"], panel["labelling"]
    kinds: list[tuple[str, str, float | None]] = [
        ("rate", f"{kind} tail rate, {labelling}", 2.0),
        ("ceiling", f"{kind} G^2/2 at the minimum, {labelling}", None),
        ("end", f"{kind} lambda_min where descent ends, {labelling}", None),
    ]
    if labelling == "smooth":  # the kernel at theta_0 knows no labels: once is enough
        kinds.append(("frozen", f"{kind} lambda_min at theta_0, any labels", 2.0))
    for name, label, expected in kinds:
        values = np.array(panel[name], float)
        kept = np.all(np.isfinite(values) & (values > 0), axis=0)
        if len(values) >= 2 and kept.sum() >= 2:
            yield from slopes_in_separation(h[kept], values[:, kept], claim="R5", label=label, expected=expected)


def _estimates(panel: dict[str, Any]) -> Iterator[Estimate]:
    """How well the rate is lambda_min(K*), how far its ceiling lies above it, how far theta* is from descent's end."""
    columns = {name: np.array(panel[name], float) for name in ("rate", "star", "ceiling", "distance", "share")}
    seeds = np.all(np.isfinite(list(columns.values())), axis=(0, 2))
    if seeds.sum() < 2:
        return
    rate, star, ceiling, distance, share = (column[seeds] for column in columns.values())
    where = f"{panel['architecture']}, {panel['labelling']}"
    yield bootstrap(np.abs(rate / star - 1), label=f"|rate / rate of lambda_min(K*) - 1|, {where}")
    yield bootstrap(ceiling / rate, label=f"(G^2/2) / rate as eigenvalue, {where}")
    yield bootstrap(distance, label=f"|theta* - theta_T| / |theta_T|, {where}")
    yield bootstrap(share[:, -1], label=f"slow mode's share of the loss where descent ends, smallest h, {where}")


def _control_estimates(controls: Sequence[dict[str, Any]]) -> Iterator[Estimate]:
    """Descent alone: its last rate over its own kernel's, and the kernel of theta* over that kernel, by seed."""
    seeds = sorted({each["seed"] for each in controls})
    for name, over, label in (
        ("rate", "own", "last rate / rate of its own lambda_min"),
        ("minimum", "own", "lambda_min(K*) / lambda_min where it ends"),
    ):
        by_seed = [[each[name] / each[over] for each in controls if each["seed"] == seed] for seed in seeds]
        if len(seeds) >= 2 and len({len(row) for row in by_seed}) == 1 and np.all(np.isfinite(by_seed)):
            yield bootstrap(np.array(by_seed), label=f"descent alone, largest h: {label}")


def _words(
    panels: Sequence[dict[str, Any]],
    slopes: Sequence[Slope],
    estimates: Sequence[Estimate],
    controls: Sequence[dict[str, Any]],
) -> dict[str, str]:
    """The finding in plain words."""

    def exponents(name: str) -> str:
        chosen = [
            f"{slope.label.split()[0]} {with_interval(slope)}"
            for slope in slopes
            if slope.label.split(" ", 1)[1] == f"{name}, all h"
        ]
        return ", ".join(chosen) or "not measured"

    rates = np.array([panel["rate"] for panel in panels], float)
    stars = np.array([panel["star"] for panel in panels], float)
    resolved = np.isfinite(rates)
    sharp = sum(not each for panel in panels for row in panel["stable"] for each in row)
    worst = np.max(np.abs(rates[resolved] / stars[resolved] - 1)) if resolved.any() else math.nan
    arrived = [each for each in controls if each["share"] >= 0.99]
    alone = [abs(each["rate"] / each["own"] - 1) for each in arrived]
    reached = f"within {max(alone):.1%}" if alone else "in none of them"
    looseness = [e.value for e in estimates if e.label.startswith("(G^2/2)")]
    loose = f"{min(looseness):.2g} to {max(looseness):.2g}" if looseness else "not measured"
    return {
        "R1": f"G^2/2 lies above the rate, read as an eigenvalue, by a factor of {loose} in the median of a labelling "
        f"and architecture.",
        "R5": f"The tail rate is that of lambda_min at the minimum, to {worst:.2%} at worst ({resolved.sum()} of "
        f"{resolved.size} rates resolved). Exponent in h: Lipschitz labels {exponents('tail rate, smooth')}; "
        f"label gap {exponents('tail rate, gap')}; noise {exponents('tail rate, noise')}; kernel at theta_0 "
        f"{exponents('lambda_min at theta_0, any labels')}. G^2/2 at the minimum, label gap "
        f"{exponents('G^2/2 at the minimum, gap')}, Lipschitz labels {exponents('G^2/2 at the minimum, smooth')}. "
        f"Descent alone at the largest h has 99% of its loss in the "
        f"slow mode in {len(arrived)} of {len(controls)} runs; there its rate is its own lambda_min's, {reached}. "
        f"{sharp} of {resolved.size} minima are too sharp for the step size of the descent.",
    }

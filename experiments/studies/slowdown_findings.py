"""What the slowdown study's records say: the checks of R1 to R5, the slopes in h, and what the figure draws."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from experiments.linearised import Linearisation, linearise, loss_after, steps_to
from experiments.records import Record
from experiments.statistics import Slope, slopes_in_separation, with_interval
from experiments.studies import slowdown_collapse, slowdown_floor
from experiments.studies.floor_checks import floor_checks, rounding_scales
from experiments.study import Findings
from theory import slow_mode, spectral_ceiling, step_floor, tail_rate
from theory.verdict import Check, Verdict, judge, slack_log10

_EXAMPLE_ARCHITECTURE = "residual"


class Control(NamedTuple):
    """A run's linearisation at theta_0, in closed form. steps: None where the target hides in unresolved modes."""

    model: Linearisation
    steps: int | None


def _control(record: Record) -> Control:
    config = record.config
    model = linearise(record.arrays["gram_start"], record.arrays["residual_start"], num_points=config["num_points"])
    stable = config["step_size"] < 2 * config["num_points"] / model.eigenvalues[-1]
    steps = steps_to(model, config["target"], step_size=config["step_size"]) if stable else None
    return Control(model, steps)


def _network_checks(record: Record, where: str) -> Iterator[Check]:
    """Ceilings and floors that hold for the network itself: R1 at both ends, R2, R3, R4's floor, R5 one step on."""
    config, run, arrays = record.config, record.scalars, record.arrays
    size, eta = config["num_points"], config["step_size"]
    if run["status"] == "diverged":
        return
    for end, gap in (("start", arrays["gradient_gap"][0]), ("end", arrays["gradient_gap"][-1])):
        spectrum = np.linalg.eigvalsh(arrays[f"gram_{end}"])
        yield spectral_ceiling.check(
            float(spectrum[0]),
            float(gap),
            largest_eigenvalue=float(spectrum[-1]),
            kernel_size=size,
            instance=f"{end} of {where}",
        )
    yield from floor_checks(record, where)
    yield slow_mode.check_floor(run["loss_end"], run["gap_end"], num_points=size, instance=where)
    end = linearise(arrays["gram_end"], arrays["residual_end"], num_points=size)
    yield tail_rate.check(
        first_loss=run["loss_end"],
        last_loss=run["loss_next"],
        num_steps=1,
        gradient_gap=float(arrays["gradient_gap"][-1]),
        mode_share=float(end.energies[0] / end.energies.sum()),
        top_eigenvalue=float(end.eigenvalues[-1]),
        smoothness=run["smoothness_next"],
        step_size=eta,
        num_points=size,
        instance=f"step after the last of {where}",
        output_scale=rounding_scales(record)["output_scale"],
    )


def _control_checks(record: Record, control: Control, where: str) -> Iterator[Check]:
    """What R4 says of the linearisation: its loss at the step from which the ceiling no longer depends on h."""
    if not control.steps:
        return
    config, gram, residual = record.config, record.arrays["gram_start"], record.arrays["residual_start"]
    first, second = (int(index) for index in record.arrays["pair"])
    split = slow_mode.split_pair(gram, (first, second))
    free_of_h = slow_mode.steps_ceiling(
        residual @ residual / (2 * config["num_points"]),
        config["target"],
        step_size=config["step_size"],
        num_points=config["num_points"],
        rest_stiffness=split.rest_stiffness,
    )
    step = math.ceil(float(free_of_h))
    yield slow_mode.check(
        loss_after(control.model, step, step_size=config["step_size"]),
        step,
        gram,
        residual,
        (first, second),
        step_size=config["step_size"],
        instance=f"step {step} of linearised {where}",
    )


def _floor(record: Record) -> float:
    """R3's floor on the steps of this run, with G measured along it."""
    config, run = record.config, record.scalars
    return float(
        step_floor.step_floor(
            abs(run["gap_start"]),
            run["gradient_gap"],
            target_loss=config["target"],
            initial_loss=run["loss_start"],
            step_size=config["step_size"],
            num_points=config["num_points"],
        )
    )


def find(preset: Any, records: Sequence[Record]) -> Findings:
    checks: list[Check] = []
    cells: dict[tuple[str, str], dict[tuple[float, int], dict[str, Any]]] = {}
    known_floors = slowdown_floor.known_path_floors(records)
    for record, known_floor in zip(records, known_floors, strict=True):
        config, run = record.config, record.scalars
        where = f"{config['architecture']['kind']} {config['labelling']} h={config['h']:g} seed {config['seed']}"
        control = _control(record)
        checks += [*_network_checks(record, where), *_control_checks(record, control, where)]
        checks += slowdown_floor.checks(record, known_floor, where)
        cell = cells.setdefault((config["architecture"]["kind"], config["labelling"]), {})
        cell[config["h"], config["seed"]] = {
            "steps": run["steps"] if run["status"] == "reached" else None,
            "linearised": control.steps,
            "floor": _floor(record) if run["status"] == "reached" else None,
            "known_floor": slowdown_floor.known_steps(record, known_floor) if run["status"] == "reached" else None,
            "separation": run["separation"],
            "label_gap": run["label_gap"],
            "status": run["status"],
        }
    panels: list[dict[str, Any]] = []
    slopes: list[Slope] = []
    for (kind, labelling), cell in cells.items():
        panel: dict[str, Any] = {"architecture": kind, "labelling": labelling}
        floors = ("floor", "known_floor") if labelling == "gap" else ()  # the labelling whose floors are drawn
        for name in ("steps", "linearised", "separation", *floors):
            panel[name] = [[cell[h, seed][name] for h in preset.separations] for seed in range(preset.seeds)]
        smallest = min(preset.separations)
        tolerance = 2 * math.sqrt(preset.num_points * preset.target)
        panel["pair_noise"] = [cell[smallest, seed]["label_gap"] for seed in range(preset.seeds)]
        panel["tolerated"] = [noise <= tolerance for noise in panel["pair_noise"]]
        panel["not_reached"] = sum(entry["status"] != "reached" for entry in cell.values())
        panels.append(panel)
        slopes += _slopes(panel)
    example = _example_seed(panels)
    collapsed = slowdown_collapse.collapse(records)
    estimates = slowdown_collapse.estimates(collapsed)
    # A claim's first slope is its headline: one for which an exponent is claimed.
    slopes.sort(key=lambda slope: slope.expected is None)
    return Findings(
        summary={
            "separations": list(preset.separations),
            "seeds": preset.seeds,
            "num_points": preset.num_points,
            "target": preset.target,
            "step_sizes": {net.architecture.kind: net.step_size for net in preset.networks},
            "gap": preset.gap,
            "noise": preset.noise,
            "lipschitz": preset.lipschitz,
            "panels": panels,
            "collapse": slowdown_collapse.drawn(collapsed),
            "curves": _curves(records, example),
            "curves_seed": example,
            "curves_architecture": _EXAMPLE_ARCHITECTURE,
        },
        checks=checks,
        slopes=slopes,
        words=_words(slopes) | {"R6": _known_floor_words(checks)},
        estimates=estimates,
    )


def _seed_groups(panel: dict[str, Any]) -> dict[str, np.ndarray]:
    """Which seeds make one slope. Noisy labels split by the noise on the pair at the smallest h.

    A gap of at most 2 sqrt(N eps) may stay when the loss reaches eps (path floor); a larger one must go.
    """
    everything = np.ones(len(panel["steps"]), bool)
    if panel["labelling"] != "noise":
        return {panel["labelling"]: everything}
    tolerated = np.array(panel["tolerated"])
    return {"noise not tolerated": everything & ~tolerated, "noise tolerated": everything & tolerated}


def _slopes(panel: dict[str, Any]) -> Iterator[Slope]:
    """Exponents of the steps in h, over the h that every seed reached."""
    kind, labelling = panel["architecture"], panel["labelling"]
    for name, series in (("network", "steps"), ("linearised", "linearised")):
        for group, seeds in _seed_groups(panel).items():
            steps = np.array(panel[series], float)[seeds]
            complete = np.all(np.isfinite(steps), axis=0)
            # One seed has no spread to bootstrap, one h no slope.
            if seeds.sum() < 2 or complete.sum() < 2:
                continue
            yield from slopes_in_separation(
                np.mean(panel["separation"], axis=0)[complete],
                np.maximum(steps[:, complete], 1.0),
                claim="R4" if labelling == "smooth" else "R3",
                label=f"{kind} {name}, {group}",
                expected=0.0 if labelling == "smooth" else -2.0 if (name, labelling) == ("linearised", "gap") else None,
            )


def _example_seed(panels: Sequence[dict[str, Any]]) -> int:
    """The seed with the largest noise on the pair, so that its three families of loss curves can differ."""
    for panel in panels:
        if (panel["architecture"], panel["labelling"]) == (_EXAMPLE_ARCHITECTURE, "noise"):
            return int(np.argmax(panel["pair_noise"]))
    return 0


def _curves(records: Sequence[Record], seed: int) -> list[dict[str, Any]]:
    """Loss curves of one architecture and seed, 60 points each."""
    found = []
    for record in records:
        config = record.config
        if config["architecture"]["kind"] == _EXAMPLE_ARCHITECTURE and config["seed"] == seed:
            keep = np.unique(np.linspace(0, len(record.arrays["step"]) - 1, 60).astype(int))
            found.append(
                {
                    "labelling": config["labelling"],
                    "h": config["h"],
                    "step": record.arrays["step"][keep].tolist(),
                    "loss": record.arrays["loss"][keep].tolist(),
                }
            )
    return found


def _known_floor_words(checks: Sequence[Check]) -> str:
    """How often R6 says nothing, and why; how far below the run it lies where it speaks."""
    own = [check for check in checks if check.claim == "R6"]
    parts = []
    for name, reason in (("path floor", "no gap has to go"), ("step floor", "the floor is below one step")):
        verdicts = [(judge(check), slack_log10(check)) for check in own if check.inequality == name]
        slacks = [slack for _, slack in verdicts if slack is not None]
        vacuous = sum(verdict is Verdict.VACUOUS for verdict, _ in verdicts)
        where = f", else a factor 10^{np.median(slacks):.1f} below the run in the median" if slacks else ""
        parts.append(f"{name} vacuous in {vacuous} of {len(verdicts)} runs, where {reason}{where}")
    return f"With constants known before training: {'; '.join(parts)}."


def _words(slopes: Sequence[Slope]) -> dict[str, str]:
    """The finding in plain words, from the measured exponents over all h."""

    def exponents(name: str, group: str) -> str:
        chosen = [
            f"{slope.label.split()[0]} {with_interval(slope)}"
            for slope in slopes
            if slope.label.split(" ", 1)[1] == f"{name}, {group}, all h"
        ]
        return ", ".join(chosen) or "not measured"

    return {
        "R3": f"Exponent of the steps in h. Label gap: {exponents('network', 'gap')}; linearised at theta_0: "
        f"{exponents('linearised', 'gap')}. Noise on the pair that the target does not tolerate: "
        f"{exponents('network', 'noise not tolerated')}; noise that it tolerates: "
        f"{exponents('network', 'noise tolerated')}. Negative means slower as h falls.",
        "R4": f"Exponent of the steps in h, Lipschitz labels: {exponents('network', 'smooth')}; linearised at theta_0: "
        f"{exponents('linearised', 'smooth')}. Zero means that h does not matter.",
    }

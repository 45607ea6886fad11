"""What the convergence study's records say: checks of G1 and G7, the kernel's drift, the frozen kernel's prediction."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from experiments.linearised import linearise, loss_after
from experiments.records import Record
from experiments.statistics import Estimate, with_interval
from experiments.studies.convergence_drift import drift_checks, drift_estimates
from experiments.study import Findings
from theory import descent_product, spectral_ceiling
from theory.verdict import Check, Verdict, judge


def _resolved(record: Record) -> np.ndarray:
    """Where along the run lambda_min lies above its error bar."""
    error = spectral_ceiling.eigenvalue_error(record.arrays["largest"], record.config["num_points"])
    return record.arrays["smallest"] > np.asarray(error)


def _kernel_product(record: Record) -> np.ndarray:
    """L_0 prod_{t<s} (1 - eta lambda_min(K_t)/N) at every step s: what the kernel promises for any labels."""
    config, arrays = record.config, record.arrays
    rates = np.where(_resolved(record), arrays["smallest"], 0.0) / config["num_points"]
    return arrays["loss"][0] * np.concatenate([[1.0], np.cumprod(1 - config["step_size"] * rates[:-1])])


def _checks(record: Record, where: str) -> Iterator[Check]:
    config, arrays = record.config, record.arrays
    eta, size, loss = config["step_size"], config["num_points"], arrays["loss"]
    if record.scalars["status"] == "diverged":
        return
    rates = arrays["gradient_square"] / (2 * loss)
    scale = 1.0 + float(np.max(np.abs(arrays["residual_start"])))
    for step, smoothness in zip(arrays["looked"], arrays["smoothness"]):
        if step + 1 >= len(loss):
            continue
        for side in ("upper", "lower"):
            yield descent_product.check_step(
                loss=float(loss[step]),
                next_loss=float(loss[step + 1]),
                rate=float(rates[step]),
                step_size=eta,
                smoothness=float(smoothness),
                side=side,
                instance=f"{side} side at step {step} of {where}",
                output_scale=scale,
            )
        yield descent_product.check_rate(
            rate=float(rates[step]),
            bottom_eigenvalue=float(arrays["smallest"][step]),
            top_eigenvalue=float(arrays["largest"][step]),
            num_points=size,
            loss=float(loss[step]),
            output_scale=scale,
            instance=f"kernel rate at step {step} of {where}",
        )
    # Not with mu itself, whose product all but restates the losses.
    yield descent_product.check(
        initial_loss=float(loss[0]),
        final_loss=float(loss[-1]),
        rates=np.where(_resolved(record), arrays["smallest"], 0.0)[:-1] / size,
        step_size=eta,
        smoothness=float(np.max(arrays["smoothness"])),
        instance=f"product of lambda_min/N over {where}",
        output_scale=scale,
    )


def _frozen(record: Record, steps: np.ndarray) -> list[float]:
    """Loss that the kernel frozen at theta_0 predicts at some steps."""
    config, arrays = record.config, record.arrays
    model = linearise(arrays["gram_start"], arrays["residual_start"], num_points=config["num_points"])
    return [loss_after(model, float(step), step_size=config["step_size"]) for step in steps]


def find(preset: Any, records: Sequence[Record]) -> Findings:
    checks: list[Check] = []
    runs = []
    for record in records:
        config, arrays, scalars = record.config, record.arrays, record.scalars
        kind, width = config["architecture"]["kind"], config["architecture"]["width"]
        labelling = "smooth" if config["gap"] is None else "gap"
        checks += _checks(record, f"{kind} width {width} {labelling} seed {config['seed']}")
        if scalars["status"] == "diverged":
            continue
        checks += drift_checks(record, f"{kind} width {width} {labelling} seed {config['seed']}")
        last = len(arrays["loss"]) - 1
        keep = np.unique(np.round(np.expm1(np.linspace(0, np.log1p(last), 40))).astype(int))
        frozen, resolved = _frozen(record, keep), _resolved(record)
        runs.append(
            {
                "architecture": kind,
                "width": width,
                "labelling": labelling,
                "seed": config["seed"],
                "parameters": scalars["parameters"],
                "loss_end": scalars["loss_end"],
                "frozen_end": frozen[-1],
                "product_end": float(_kernel_product(record)[-1]),
                "drift_end": float(arrays["drift"][last]),
                "norm_growth": scalars["parameter_norm_end"] / scalars["parameter_norm_start"],
                "resolved_share": float(resolved.mean()),
                "smallest_min": float(arrays["smallest"][resolved].min()) if resolved.any() else None,
                "loss_start": scalars["loss_start"],
                # Curves of the first seed only: a figure shows one run, the table all of them.
                "curves": {
                    "step": keep.tolist(),
                    "loss": arrays["loss"][keep].tolist(),
                    "product": _kernel_product(record)[keep].tolist(),
                    "frozen": frozen,
                    "smallest": np.where(resolved, arrays["smallest"], np.nan)[keep].tolist(),
                    "rate": (arrays["gradient_square"] / (2 * arrays["loss"]))[keep].tolist(),
                    "drift": arrays["drift"][keep].tolist(),
                    "norm": (arrays["parameter_norm"] / arrays["parameter_norm"][0])[keep].tolist(),
                }
                if config["seed"] == 0
                else None,
            }
        )
    summary = {
        "seeds": preset.seeds,
        "steps": preset.steps,
        "num_points": preset.num_points,
        "step_sizes": {net.architecture.kind: net.step_size for net in preset.networks},
        "h": preset.h,
        "gap": preset.gap,
        "runs": runs,
    }
    estimates = drift_estimates(runs, preset.num_points)
    words = {"G1": _words(runs, preset.num_points), "G7": _drift_words(checks, estimates)}
    return Findings(summary, checks, [], words, estimates)


def _drift_words(checks: Sequence[Check], estimates: Sequence[Estimate]) -> str:
    """How long the drift's ceiling says something, and how far the frozen kernel is from the run."""
    told = [
        f"{each.label} {with_interval(each, '.3g')}"
        for each in estimates
        if each.label.endswith(("P >= N", "P < N (control)"))
    ]
    spoken: dict[str, int] = {}
    for check in checks:
        if (check.claim, check.inequality) == ("G7", "measured drift"):
            steps, run = check.instance.split(" steps of ")
            spoken.setdefault(run, 0)
            if judge(check) is Verdict.HOLDS:
                spoken[run] = max(spoken[run], int(steps))
    ends = f"{np.median(list(spoken.values())):.0f} steps in the median run" if spoken else "no step"
    return (
        f"The ceiling by the drift's running sum stays below the residuals' own sizes for {ends}, then it is vacuous. "
        f"Medians with 95% intervals: {'; '.join(told) or 'too few seeds'}."
    )


def _words(runs: Sequence[dict[str, Any]], num_points: int) -> str:
    """Drift, failure of the frozen kernel and the control, as measured."""
    wide = [run for run in runs if run["parameters"] >= num_points]
    narrow = [run for run in runs if run["parameters"] < num_points]
    if not wide:
        return "Every run with P >= N diverged."
    off = [abs(np.log10(run["frozen_end"] / run["loss_end"])) for run in wide]
    resolved = sum(run["resolved_share"] == 1.0 for run in wide)
    promised = [run["product_end"] / run["loss_start"] for run in wide]
    reached = [run["loss_end"] / run["loss_start"] for run in wide]
    text = (
        f"The kernel's own rates promise a final loss of {min(promised):.2g} to {max(promised):.4g} of the first; "
        f"{min(reached):.2g} to {max(reached):.2g} of it was reached. Median kernel drift |K_T - K_0|/|K_0| "
        f"{np.median([run['drift_end'] for run in wide]):.2g}; the frozen kernel misses the final loss by a median "
        f"factor {10 ** np.median(off):.3g}; lambda_min resolved above 0 at every step in {resolved} of {len(wide)} "
        "runs with P >= N."
    )
    if narrow:
        text += (
            f" Control P = {narrow[0]['parameters']} < N = {num_points}: lambda_min resolved at "
            f"{np.mean([run['resolved_share'] for run in narrow]):.0%} of the steps, median final loss "
            f"{np.median([run['loss_end'] for run in narrow]):.2g}."
        )
    return text

"""What the safe-step study's records say: the checks of G1, G2 and G3 at 1/S, and the ladder of step sizes."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from experiments.largest_step import CRITERIA
from experiments.records import Record
from experiments.statistics import Estimate, Slope, bootstrap, bootstrap_slope
from experiments.study import Findings
from theory import descent_product, finite_horizon, smoothness
from theory.verdict import Check, Verdict, judge

RUNGS = {
    "ball about zero": "1/S on |theta| <= |theta_0| + rho",
    "ball about start": "1/S on the ball of radius rho about theta_0",
    "start": "1/S at the radii of theta_0",
    "run": "1/max |hess L| along a run",
    "twice": "2/|hess L(theta_0)|",
    "monotone": "largest monotone step",
    "bounded": "largest bounded step",
    "forgiven": "largest forgiven step",
}
"""Step sizes, from those known before training to those found by trying."""
_TOLD = ("ball about start", "start", "run", "twice")
_EXAMPLE = "plain 32x2"


def _checks(record: Record, name: str) -> Iterator[Check]:
    """G2 at the start and at the end of the run at 1/S, G3 on that run, and G1 on its first and its worst step."""
    scalars, arrays = record.scalars, record.arrays
    kind = name.split()[0].rstrip(",")
    where = f"{name} seed {record.config['seed']}"
    ball, step_size = scalars["smoothness"], float(arrays["step_sizes"][0])
    radius = float(finite_horizon.path_ceiling(scalars["loss"], elapsed=scalars["horizon"]))
    for place, measured, bound, margin in (
        ("start", scalars["hessian_start"], scalars["at_start"], 0.0),
        ("end of the run at 1/S", scalars["hessian_end"], ball, radius - scalars["displacement"]),
    ):
        yield smoothness.check(
            "loss hessian",
            measured=measured,
            bound=bound,
            parameter_margin=margin,
            input_margin=0.0,
            family=kind,
            instance=f"{place}, {where}",
        )
    losses = arrays["losses"][0]
    scale = 1.0 + scalars["label_scale"] + float(np.sqrt(2.0 * len(losses) * losses[0]))
    for inequality in ("containment", "path length", "gradient", "decrease"):
        yield finite_horizon.check(
            inequality=inequality,
            largest_distance=scalars["displacement"],
            path_length=scalars["path_length"],
            squared_gradients=arrays["gradient_square"],
            initial_loss=float(losses[0]),
            final_loss=float(losses[-1]),
            least_loss=0.0,
            step_size=step_size,
            smoothness=ball,
            instance=where,
            output_scale=scale,
            parameter_scale=scalars["norm"],
        )
    # An exact fit, which one point's linear model reaches in one step, has no rate.
    positive = losses[:-1] > 0.0
    worst = int(np.argmax(np.where(positive, losses[1:] / np.where(positive, losses[:-1], 1.0), 0.0)))
    for step in dict.fromkeys((0, worst)):
        for side in ("upper", "lower"):
            yield descent_product.check_step(
                loss=float(losses[step]),
                next_loss=float(losses[step + 1]),
                rate=float(arrays["gradient_square"][step] / (2.0 * losses[step])),
                step_size=step_size,
                smoothness=ball,
                side=side,
                instance=f"{side} side at step {step} of {where}",
                output_scale=scale,
            )


def _ladder(records: Sequence[Record], horizon: int) -> dict[str, np.ndarray]:
    """The step sizes of RUNGS for every seed, those on balls at one of the horizons; NaN where not bracketed."""

    def column(name: str) -> np.ndarray:
        return np.array([record.scalars[name] for record in records], float)

    def between(name: str) -> np.ndarray:
        low, high = column(name), column(f"{name}_next")
        return np.sqrt(np.where(low > 0.0, low, np.nan) * high)

    return {
        "ball about zero": np.array([1.0 / record.arrays["about_zero"][horizon] for record in records]),
        "ball about start": np.array([1.0 / record.arrays["around"][horizon] for record in records]),
        "start": 1.0 / column("at_start"),
        "run": 1.0 / column("hessian_max"),
        "twice": 2.0 / column("hessian_start"),
        **{name: between(name) for name in CRITERIA},
    }


def _middle(values: np.ndarray) -> dict[str, float]:
    """Median and extremes over the seeds where it is known."""
    known = values[np.isfinite(values)]
    if not known.size:
        return {"low": np.nan, "median": np.nan, "high": np.nan}
    return {"low": float(known.min()), "median": float(np.median(known)), "high": float(known.max())}


def find(preset: Any, names: Sequence[str], records: Sequence[Record]) -> Findings:
    """names: of the networks, in the order in which the records come, one network's seeds together."""
    groups = [records[k * preset.seeds : (k + 1) * preset.seeds] for k in range(len(names))]
    # Conservatism is told for the horizon of the unit time, or the middle one.
    told = list(preset.horizons).index(1.0) if 1.0 in preset.horizons else len(preset.horizons) // 2
    checks: list[Check] = []
    estimates: list[Estimate] = []
    slopes: list[Slope] = []
    nets = []
    for name, group in zip(names, groups):
        for record in group:
            checks += _checks(record, name)
        ladder = _ladder(group, told)
        best = ladder["monotone"]
        if np.all(np.isfinite(best)):
            factors = {rung: best / ladder[rung] for rung in RUNGS}
            estimates += [
                bootstrap(values, label=f"{name}: largest monotone step over {RUNGS[rung]}")
                for rung, values in factors.items()
                if rung != "monotone" and np.all(np.isfinite(values))
            ]
        on_balls = np.array([record.arrays["around"] for record in group])
        slopes.append(
            bootstrap_slope(
                np.array(preset.horizons[-2:]),
                on_balls[:, -2:],
                claim="G3",
                label=f"{name}: S on the ball in tau, two largest",
                expected=None,
            )
        )
        nets.append(
            {
                "name": name,
                "ladder": {rung: _middle(values) for rung, values in ladder.items()},
                "over_horizons": {
                    key: np.median(
                        np.array([record.arrays[key] for record in group]) * _filled(best)[:, None], axis=0
                    ).tolist()
                    for key in ("around", "about_zero")
                },
                "horizon": _middle(np.array([record.scalars["horizon"] for record in group])),
                "unbracketed": int(np.sum(~np.isfinite(best))),
                "climbs_beyond": int(sum(_climbs(record) for record in group)),
            }
        )
    summary = {
        "seeds": preset.seeds,
        "steps": preset.steps,
        "horizons": list(preset.horizons),
        "told_horizon": preset.horizons[told],
        "nets": nets,
        "curves": _curves(names, groups),
    }
    return Findings(summary, checks, slopes, _words(nets, checks, preset, told), estimates)


def _filled(best: np.ndarray) -> np.ndarray:
    """The largest monotone step size, its median where one seed's is not bracketed."""
    return np.where(np.isfinite(best), best, np.nanmedian(best)) if np.isfinite(best).any() else best


def _climbs(record: Record) -> bool:
    """Whether the control, one rung above the largest bounded step size, climbed above the loss of the start."""
    losses = record.arrays["losses"][-1]
    return bool(not np.all(np.isfinite(losses)) or losses.max() > losses[0] or losses[-1] >= losses[0])


def _curves(names: Sequence[str], groups: Sequence[Sequence[Record]]) -> dict[str, Any]:
    """Loss over L_0 along the five courses of one network's first seed."""
    place = names.index(_EXAMPLE) if _EXAMPLE in names else len(names) - 1
    record = groups[place][0]
    losses = record.arrays["losses"]
    return {
        "name": names[place],
        "step_sizes": record.arrays["step_sizes"].tolist(),
        "losses": (losses / losses[:, :1]).tolist(),
    }


def _words(nets: Sequence[dict[str, Any]], checks: Sequence[Check], preset: Any, told: int) -> dict[str, str]:
    """The ladder in plain words: each rung's median factor below the largest monotone step size."""

    def factor(net: dict[str, Any], rung: str) -> float:
        return net["ladder"]["monotone"]["median"] / net["ladder"][rung]["median"]

    ladders = "; ".join(
        f"{net['name']} {factor(net, 'ball about start'):.2g}, {factor(net, 'start'):.2g}, {factor(net, 'run'):.2g}, "
        f"{factor(net, 'twice'):.2g}"
        for net in nets
    )
    worst = max(
        (check.measured / check.bound for check in checks if check.inequality == "containment" and check.bound > 0),
        default=float("nan"),
    )
    steps = [check for check in checks if check.claim == "G1" and judge(check) in (Verdict.HOLDS, Verdict.VIOLATED)]
    held = sum(judge(check) is Verdict.HOLDS for check in steps)
    covered = [net["horizon"]["median"] for net in nets]
    own = [check.bound / check.measured for check in checks if check.inequality.startswith("loss hessian")]
    return {
        "G3": f"Largest monotone step size over 1/S on the horizon's ball (tau = {preset.horizons[told]:g}), 1/S at "
        f"the start, 1/max |hess L| on a run, 2/|hess L(theta_0)|, ratio of medians: {ladders}. {preset.steps} steps "
        f"at 1/S cover a horizon of {min(covered):.2g} to {max(covered):.2g} and go at most {worst:.2g} of the ball's "
        "radius.",
        "G2": f"S exceeds the measured |hess L| by a factor {min(own):.3g} to {max(own):.2g}.",
        "G1": f"One step at 1/S, with S known before training: between the two sides in {held} of {len(steps)} checks "
        "that apply and say something, on the first step of each run and on the one that falls least.",
    }

"""What the selection dial's records say: which predictor ranks time and error, and the checks of R1 to R3, D1, D3."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from experiments.linearised import linearise, steps_to
from experiments.points.greedy import uniform_pool
from experiments.records import Record
from experiments.separation import distances
from experiments.spectrum import symmetric_eigh
from experiments.statistics import Estimate, with_interval
from experiments.studies.floor_checks import floor_checks
from experiments.studies.networks import domain_of
from experiments.studies.selection_dial_ranks import (
    ASKED,
    CONTROLS,
    LABELLINGS,
    OUTCOMES,
    PREDICTORS,
    SCOPES,
    SIDE_OUTCOMES,
    contrast_estimates,
    null_estimates,
    rank_estimates,
)
from experiments.study import Findings
from theory import farthest_first, spectral_ceiling, subset_separation
from theory.verdict import Check


def predictors(record: Record) -> dict[str, float]:
    """The quantities of PREDICTORS; where lambda_min is below its error bar it counts as 0, the distance as infinite.

    frozen_steps is infinite where the linearisation does not resolve, or at this step size does not reach, the target.
    """
    config, run = record.config, record.scalars
    gram, residual = record.arrays["gram_start"], record.arrays["residual_start"]
    spectrum = symmetric_eigh(gram)
    resolved = spectrum.values[0] > spectrum.error
    model = linearise(gram, residual, num_points=config["num_points"])
    stable = config["step_size"] < 2 * config["num_points"] / model.eigenvalues[-1]
    steps = steps_to(model, config["target"], step_size=config["step_size"]) if stable else None
    return {
        "h_min": run["separation"],
        "lambda_min": float(spectrum.values[0]) if resolved else 0.0,
        "distance": float(np.sum((spectrum.vectors.T @ residual) ** 2 / spectrum.values)) if resolved else np.inf,
        "frozen_steps": np.inf if steps is None else float(steps),
        "loss_start": run["loss_start"],
        "spread": run["spread"],
        "fill": run["fill"],
        "mean_distance": run["mean_distance"],
    }


def outcomes(record: Record) -> dict[str, float]:
    """What is to be ranked; a loss that was not reached counts as later than all, a diverged run as infinite."""
    run, arrays = record.scalars, record.arrays
    late = [
        np.inf if np.isnan(steps) else float(steps)
        for steps in (arrays["steps_to_loss"][2], arrays["steps_to_share"][2])
    ]
    return {
        "steps": np.inf if run["status"] == "diverged" else float(run["steps"]),
        "test_rms": np.inf if run["test_rms"] is None else run["test_rms"],
        **dict(zip(SIDE_OUTCOMES, (*late, np.inf if run["test_max"] is None else run["test_max"]))),
    }


def _training_checks(record: Record, where: str) -> Iterator[Check]:
    """R1 at the start, R2 and R3 along the run, for the closest pair of the chosen points."""
    spectrum = np.linalg.eigvalsh(record.arrays["gram_start"])
    yield spectral_ceiling.check(
        float(spectrum[0]),
        record.scalars["gradient_gap_start"],
        largest_eigenvalue=float(spectrum[-1]),
        kernel_size=record.config["num_points"],
        instance=f"start of {where}",
    )
    if record.scalars["status"] != "diverged":
        yield from floor_checks(record, where)


def _choice_checks(record: Record, where: str) -> Iterator[Check]:
    """D3 of the points trained on against their pool, and D1 where they were chosen farthest-first."""
    config, chosen = record.config, record.arrays["chosen"]
    size = config["pool_ratio"] * config["num_points"]
    domain = domain_of(tuple(config["point_shape"]))
    pool = uniform_pool(config["num_points"], domain, pool_size=size, seed=config["seed"])
    table = distances(pool, pool)
    contained = subset_separation.check_containment(table, chosen, pool_size=size, instance=where)
    # The separation of the points trained on, not that of the table's own rows, which no choice could violate.
    own = record.scalars["separation"]
    yield contained._replace(measured=own, rounding=subset_separation.ROUNDING * own)
    if config["design"] == "greedy":
        yield farthest_first.check_fall(table, chosen, instance=where)


NAMED = {"smooth": "Lipschitz labels", "noise": "Noisy labels"}


def find(preset: Any, records: Sequence[Record]) -> Findings:
    designs = [("greedy", ratio) for ratio in preset.ratios]
    designs += [("nearest", max(preset.ratios)), ("darts", 1), ("boundary", 1)]
    names = (*PREDICTORS, *OUTCOMES, *SIDE_OUTCOMES)
    checks: list[Check] = []
    choices: set[tuple[Any, ...]] = set()
    cells: dict[tuple[str, str], np.ndarray] = {}
    not_reached: dict[tuple[str, str], int] = {}
    unresolved = 0
    for record in records:
        config, kind = record.config, record.config["architecture"]["kind"]
        place = f"{config['design']} M/N={config['pool_ratio']} seed {config['seed']}"
        checks += _training_checks(record, f"{kind} {config['labelling']} {place}")
        # The same points serve every labelling and every architecture of their shape.
        choice = (*config["point_shape"], config["design"], config["pool_ratio"], config["seed"])
        if len(record.arrays["chosen"]) and choice not in choices:
            choices.add(choice)
            checks += _choice_checks(record, f"{'x'.join(map(str, config['point_shape']))} {place}")
        values = predictors(record) | outcomes(record)
        cell = cells.setdefault((kind, config["labelling"]), np.empty((preset.seeds, len(designs), len(names))))
        cell[config["seed"], designs.index((config["design"], config["pool_ratio"]))] = [values[name] for name in names]
        key = kind, config["labelling"]
        not_reached[key] = not_reached.get(key, 0) + (record.scalars["status"] != "reached")
        unresolved += not np.isfinite(values["distance"])
    dial = len(preset.ratios)
    estimates = [
        *rank_estimates(cells, names, dial=dial),
        *null_estimates(cells, names, dial=dial),
        *contrast_estimates(cells, names, preset.ratios),
    ]
    return Findings(
        summary={
            "seeds": preset.seeds,
            "num_points": preset.num_points,
            "target": preset.target,
            "noise": preset.noise,
            "lipschitz": preset.lipschitz,
            "ratios": list(preset.ratios),
            "designs": [f"M/N = {ratio}" for ratio in preset.ratios] + list(CONTROLS),
            "predictors": dict(PREDICTORS),
            "unresolved": unresolved,
            "cells": [_cell(key, cell, names, not_reached[key]) for key, cell in cells.items()],
        },
        checks=checks,
        slopes=[],
        words=_words(estimates, preset),
        estimates=estimates,
    )


def _cell(key: tuple[str, str], cell: np.ndarray, names: Sequence[str], not_reached: int) -> dict[str, Any]:
    """Centre (geometric mean) and quartiles over seeds of what the figure draws, one entry a design."""
    told: dict[str, Any] = {"architecture": key[0], "labelling": key[1], "not_reached": not_reached}
    for name in (*OUTCOMES, "h_min", "spread", "lambda_min"):
        # Points alike may be at the target before the first step: such a run counts one step in a logarithm.
        values = np.maximum(cell[:, :, names.index(name)], 1.0 if name == "steps" else np.finfo(float).tiny)
        centre = np.exp(np.log(values).mean(axis=0))
        low, high = np.quantile(values, [0.25, 0.75], axis=0, method="nearest")  # no sums: a late value is infinite
        told[name] = {"centre": centre.tolist(), "low": low.tolist(), "high": high.tolist()}
    return told


def _words(estimates: Sequence[Estimate], preset: Any) -> dict[str, str]:
    """The finding in plain words, whichever way it falls."""
    by_label = {estimate.label: estimate for estimate in estimates}

    def number(label: str) -> str:
        return with_interval(by_label[label])

    def ranking(outcome: str, labelling: str, scope: str) -> str:
        where = f"all {labelling}, {SCOPES[scope]}"
        skill = {name: sign * by_label[f"{outcome} by {name}, {where}"].value for name, sign in PREDICTORS.items()}
        best = max(skill, key=lambda name: skill[name])
        told = ", ".join(f"{name} {number(f'{outcome} by {name}, {where}')}" for name in dict.fromkeys((*ASKED, best)))
        behind = f"; h_min less that {number(f'{outcome}: h_min less {best}, {where}')}" if best != "h_min" else ""
        return f"{NAMED[labelling]}: {told}; best as claimed {best}{behind}"

    def rankings(outcome: str, scope: str) -> str:
        return ". ".join(ranking(outcome, labelling, scope) for labelling in LABELLINGS)

    def contrasts(outcome: str) -> str:
        named = f"{outcome} of M/N = {preset.ratios[-1]} over random, "
        return ", ".join(
            f"{label.removeprefix(named)} {with_interval(found, '.2f')}"
            for label, found in by_label.items()
            if label.startswith(named)
        )

    return {
        "R3": f"Rank correlation, within seeds along the pool's size M/N, with the steps to {preset.target:g}. "
        f"{rankings('steps', 'within')}. Over all designs pooled. {rankings('steps', 'all')}.",
        "D1": f"Farthest-first from a pool of M/N = {preset.ratios[-1]} over random, steps: {contrasts('steps')}; RMS "
        f"error at fresh points: {contrasts('test_rms')}. Rank correlation within seeds with that error. "
        f"{rankings('test_rms', 'within')}.",
    }

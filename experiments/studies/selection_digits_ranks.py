"""Does h_min rank the kernel's smallest eigenvalue, and does either rank the times? Over subsets of one size.

Ranks are taken within a seed, among subsets of one pool and size, so that neither the size (D3) nor the seed can make a
correlation. "all rules" compares every rule and embedding; "random subsets" only the random ones, which differ in
nothing but chance. Steps are to the loss that every random subset of the seed reaches; a subset that never does ranks
last.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from experiments import rank_correlation
from experiments.records import Record
from experiments.statistics import Estimate
from experiments.studies.digits_run import Cell
from experiments.studies.selection_digits_times import (
    HORIZONS,
    ByCell,
    common_threshold,
    first_passage,
    last_accuracy,
    losses,
)

PREDICTORS: Mapping[str, int] = {
    "h_min": -1,
    "nearest": -1,
    "lambda_min": -1,
    "distance": 1,
    "cover": 1,
    "spread": -1,
    "imbalance": 1,
}
"""Quantity known before training -> sign of its correlation with time and error if it predicts as claimed.

lambda_min: lambda_min(K_0)/N of the first output, 0 where not resolved.  distance: tr R_0^T K_0^-1 R_0, infinite there.
"""
OUTCOMES = ("steps to own loss", "steps to held-out loss", "held-out error")
SCOPES = ("all rules", "random subsets")
_FEWEST = 3  # designs that a ranking needs


def designs(preset: Any, scope: str) -> list[Cell]:
    """Cells of the first size that differ in their rows alone."""
    size = preset.sizes[0]
    kept = [
        cell for cell in preset.cells() if cell == Cell(cell.method, size, embedding=cell.embedding, draw=cell.draw)
    ]
    return [cell for cell in kept if scope == "all rules" or cell.method == "random"]


def predictors(record: Record) -> dict[str, float]:
    told = record.scalars
    resolved = told["smallest"] > told["error"]
    return {
        "h_min": told["separation"],
        "nearest": told["nearest"],
        "lambda_min": told["smallest"] / record.config["subset_size"] if resolved else 0.0,
        "distance": told["distance"] if resolved else np.inf,
        "cover": told["cover"],
        "spread": told["spread"],
        "imbalance": told["imbalance"],
    }


def steps_against_random(
    preset: Any, by_cell: ByCell, training: str, cells: Sequence[Cell], part: str
) -> Float[np.ndarray, "cells seeds"]:
    """Steps to the loss that every random subset of the seed reaches; infinite for a subset that does not."""
    random = [losses(by_cell, training, cell, part) for cell in designs(preset, "random subsets")]
    threshold = common_threshold(random, horizon=HORIZONS["late"])
    return np.stack(
        [first_passage(losses(by_cell, training, cell, part), threshold, every=preset.measured_every) for cell in cells]
    )


def quantities(
    preset: Any, by_cell: ByCell, training: str, cells: Sequence[Cell]
) -> Float[np.ndarray, "seeds cells quantities"]:
    """PREDICTORS, then OUTCOMES."""
    known = [[list(predictors(record).values()) for record in by_cell[training, cell]] for cell in cells]
    steps = [steps_against_random(preset, by_cell, training, cells, part) for part in ("own", "held-out")]
    error = np.stack([100 - last_accuracy(by_cell, training, cell) for cell in cells])
    return np.concatenate([np.array(known, float), np.stack([*steps, error], axis=2)], axis=2).transpose(1, 0, 2)


def rank_estimates(preset: Any, by_cell: ByCell) -> Iterator[Estimate]:
    """Correlations of every predictor with every outcome, h_min's with lambda_min, and what shuffling leaves."""
    place = {name: index for index, name in enumerate((*PREDICTORS, *OUTCOMES))}
    for training in (each.name for each in preset.trainings):
        for scope in SCOPES:
            cells = designs(preset, scope)
            if len(cells) < _FEWEST:
                continue
            values = quantities(preset, by_cell, training, cells)
            moments = rank_correlation.rank_moments(values, within=True)
            draws = rank_correlation.resampled(moments)
            asked = [("lambda_min", "h_min"), *((outcome, name) for outcome in OUTCOMES for name in PREDICTORS)]
            for outcome, name in asked:
                yield rank_correlation.estimate(
                    moments,
                    draws,
                    lambda matrix, row=place[name], column=place[outcome]: matrix[..., row, column],
                    label=f"{training}, {scope}: {outcome} by {name}",
                )
            yield rank_correlation.permutation_null(
                values[:, :, [place["h_min"], place["steps to own loss"]]],
                label=f"{training}, {scope}: permutation null",
            )

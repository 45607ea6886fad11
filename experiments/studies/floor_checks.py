"""What the path floor (R2) and the step floor (R3) say of one recorded training run."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from experiments.records import Record
from theory import path_floor, step_floor
from theory.verdict import Check


def rounding_scales(record: Record) -> dict[str, Any]:
    """Sizes of outputs and gradients, whose rounding the differences over the closest pair inherit."""
    arrays = record.arrays
    return {
        "output_scale": 1.0 + float(np.max(np.abs(arrays["residual_start"]))),
        "gradient_scale": max(float(np.sqrt(np.max(np.diagonal(arrays[f"gram_{end}"])))) for end in ("start", "end")),
    }


def floor_checks(record: Record, where: str) -> Iterator[Check]:
    """R2 in both forms and R3, of a run that did not diverge; G is measured along the run.

    Reads num_points, step_size and target of the configuration, the numbers of experiments.outcome, and the kernel at
    both ends with the residual at the start.
    """
    config, run, scales = record.config, record.scalars, rounding_scales(record)
    shared: dict[str, Any] = {
        "initial_gap": abs(run["gap_start"]),
        "gradient_gap": run["gradient_gap"],
        "final_loss": run["loss_end"],
        "target_loss": config["target"],
        "num_points": config["num_points"],
        "instance": where,
    }
    yield path_floor.check(path_length=run["path_length"], **shared, **scales)
    yield path_floor.check_motion(
        gap_motion=abs(run["gap_end"] - run["gap_start"]),
        path_length=run["path_length"],
        gradient_gap=run["gradient_gap"],
        instance=where,
        **scales,
    )
    yield step_floor.check(
        num_steps=run["steps"],
        initial_loss=run["loss_start"],
        squared_gradient_sum=run["gradient_square_sum"],
        step_size=config["step_size"],
        **shared,
        **scales,
    )

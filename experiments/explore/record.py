"""What a page shows as plain numbers, and as a record: what the export writes and its snippet prints again."""

import dataclasses
import math
from typing import Any

from experiments.explore.panels import Panels
from experiments.explore.training import Training
from experiments.provenance import provenance
from experiments.records import Record, record_key

SCHEMA = 1


def numbers(training: Training, panels: Panels) -> dict[str, float | int | str | None]:
    """The scene's numbers and where the run stands, by name; None where a number does not exist.

    The same state and the same steps give the same bits. Raises ValueError before the first `advance`.
    """
    spectrum, floors, marks, layers = panels.spectrum, panels.floors, panels.marks, panels.layers
    looked = {} if isinstance(layers, str) else {"features_h_min": float(layers.separation[-1])}
    return {
        "h_min": panels.projection.separation,
        "packing_ceiling": panels.projection.ceiling,
        "parameters": training.scene.parameters,
        "lambda_min": spectrum.smallest.value,
        "lambda_min_error": spectrum.smallest.error,
        "lambda_max": float(spectrum.eigenvalues[-1]),
        "gradient_gap_start": spectrum.gradient_gap,
        "gradient_gap_ceiling": spectrum.gap_ceiling,
        "jacobian_lipschitz": spectrum.lipschitz,
        "linear_floor": floors.linear_floor,
        "linear_steps": floors.linear_steps,
        "known_path_floor": floors.path,
        "known_floor": floors.known_floor,
        "smoothness_start": marks.at_start,
        "smoothness_horizon": marks.smoothness,
        "hessian_start": marks.hessian,
        "step_size_safe": marks.safe,
        "step_size_kernel": marks.kernel,
        "step_size_edge": marks.edge,
        **looked,
        **training.frame._asdict(),
    }


def record(training: Training, panels: Panels) -> Record:
    """The run as a record of experiments.records; its arrays are the run's history and the scene's data.

    Raises ValueError before the first `advance`.
    """
    scene, frame = training.scene, training.frame
    own = None if scene.own is None else {"source": scene.own.source, "point_shape": list(scene.own.point_shape)}
    config: dict[str, Any] = {"state": dataclasses.asdict(scene.state), "steps": frame.step, "model": own}
    found = numbers(training, panels)
    scalars = {
        name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in found.items()
    }
    arrays = {
        "points": scene.points.points,
        "labels": scene.labels.values,
        "eigenvalues": panels.spectrum.eigenvalues,
        **training.history._asdict(),
    }
    return Record(record_key("explore", SCHEMA, config), "explore", config, scalars, arrays, provenance())

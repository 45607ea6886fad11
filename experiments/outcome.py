"""A finished run in a few numbers and a thinned trace: what records keep and bounds are held against."""

from typing import Any

import numpy as np

from experiments.descent import Status, Trace


def outcome(trace: Trace, status: int) -> dict[str, Any]:
    """The numbers of one run that the path floor, the step floor and the figures need.

    steps: T, the last step measured.  gradient_gap: sup over the iterates of |grad f(x_i) - grad f(x_j)|; segments
    between iterates are not sampled, so it errs low.  gradient_square_sum: sum_{s<T} |grad L_s|^2.  A diverged run
    keeps its counts; numbers that are not finite become None.
    """
    numbers = {
        "loss_start": trace.loss[0],
        "loss_end": trace.loss[-1],
        "gap_start": trace.gap[0],
        "gap_end": trace.gap[-1],
        "path_length": trace.path_length[-1],
        "gradient_gap": np.max(trace.gradient_gap),
        "gradient_gap_start": trace.gradient_gap[0],
        "gradient_square_sum": np.sum(trace.gradient_square[:-1]),
        "parameter_norm_start": trace.parameter_norm[0],
        "parameter_norm_end": trace.parameter_norm[-1],
        "parameter_norm_max": np.max(trace.parameter_norm),
    }
    return {
        "status": Status(status).name.lower(),
        "steps": len(trace.loss) - 1,
        **{name: float(value) if np.isfinite(value) else None for name, value in numbers.items()},
    }


def thinned(trace: Trace, *, points: int = 200) -> dict[str, np.ndarray]:
    """The trace at steps 0, T and about `points` steps evenly spaced in log(1 + s), with their numbers as 'step'."""
    last = len(trace.loss) - 1
    steps = np.unique(np.round(np.expm1(np.linspace(0, np.log1p(last), points))).astype(int))
    return {"step": steps, **{name: np.asarray(column)[steps] for name, column in trace._asdict().items()}}

"""A study for the tests of the engine: runs of a few numbers, some of which sleep, raise, diverge or kill.

Workers import it by its name, so its functions travel as names. A run's numbers come from a small descent in JAX and
from numpy, so that every part of a real study has a stand-in.
"""

import os
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from experiments.architecture import ArchitectureConfig
from experiments.descent import Status, descend
from experiments.ensemble import drawn, stacked
from experiments.outcome import outcome
from experiments.study import Findings, Measured, Study


@dataclass(frozen=True)
class TinyRun:
    """deed: "descend", "diverge", or after a descent "raise", "kill" (its process), or "mourn": kill it once.

    seconds: slept beforehand.  mark: a file that says that the process was killed once, or that a run has begun.
    """

    seed: int
    width: int = 3
    deed: str = "descend"
    seconds: float = 0.0
    mark: str | None = None

    @property
    def label(self) -> str:
        return f"{self.deed} width {self.width} seed {self.seed}"

    @property
    def step_size(self) -> float:
        return 1e6 if self.deed == "diverge" else 0.1

    target, max_steps = 1e-9, 40


def measure(runs: Sequence[TinyRun]) -> Iterator[tuple[TinyRun, Measured]]:
    model = ArchitectureConfig("plain", width=runs[0].width, depth=1).build((2,))
    rngs = [np.random.default_rng(run.seed) for run in runs]
    points = [rng.random((4, 2)) for rng in rngs]
    problem = stacked(runs, points, [rng.random(4) for rng in rngs], [(0, 1)] * len(runs))
    params = drawn(model, np.array([run.seed for run in runs]))
    for index, trace, status, _ in descend(model, params, problem, chunk=20):
        run = runs[index]
        act(run)
        spectrum = np.linalg.svd(points[index], compute_uv=False)
        yield run, Measured(outcome(trace, status), {"loss": trace.loss, "spectrum": spectrum}, Status(status).name)


def act(run: TinyRun) -> None:
    """What a run does besides being measured."""
    if run.mark and run.deed == "descend":
        Path(run.mark).touch()
    time.sleep(run.seconds)
    if run.deed == "raise":
        raise ArithmeticError(f"seed {run.seed} cannot be measured\nand this is a second line")
    if run.deed == "mourn" and run.mark and not Path(run.mark).exists():
        Path(run.mark).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if run.deed == "kill":
        os.kill(os.getpid(), signal.SIGKILL)


def find(preset: object, records: Sequence) -> Findings:
    return Findings({"runs": len(records)}, [], [], {})


STUDY = Study(
    name="tiny",
    code="T",
    title="",
    question="",
    varied="",
    control="",
    falsified_by="",
    claims=(),
    schema=1,
    presets={},
    plan=list,
    require=lambda run: None,
    batch=lambda run: run.width,
    measure=measure,
    find=find,
)

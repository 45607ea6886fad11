"""Hunts of the architecture-free claims on a user's model: R1-R6, G1, G3-G5 on its runs, N2-N4 on its blocks.

Every instance is a prefix of a short gradient descent run (experiments/model_run.py), held against the theorem by the
same `check` as everywhere (experiments/model_checks.py).
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from hypothesis import strategies as st

from experiments.block_hunts import block_hunts
from experiments.block_probe import states_its_bounds
from experiments.hunt import Hunt
from experiments.model_checks import CHECKS, known_feature_learning_floor
from experiments.model_run import STEPS, ModelRun, measured_run
from experiments.user_model import UserModel
from theory.verdict import Check


class Instance(NamedTuple):
    """One prefix of one run of the model; `part` says which of the claim's inequalities is checked."""

    part: str
    num_steps: int
    separation: float
    gap: float
    noise: float
    step_share: float
    seed: int


def model_hunts(model: UserModel) -> dict[str, Hunt]:
    """A hunt for each claim that speaks of the model, by claim id.

    R4 is a theorem about linear models: it is searched on the model linearised at its start, and only for models with
    one output. R6 takes its envelope from the blocks' own bounds where the model is a chain of such; for other models
    it, like G3 to G5, has constants measured along the run. N2 to N4 need a chain of blocks.
    """
    scalar = measured_run(model, separation=0.5, gap=0.5, noise=0.1, step_share=0.5, seed=0).gaps.shape[1] == 1
    checks = {claim: found for claim, found in CHECKS.items() if scalar or claim != "R4"}
    if states_its_bounds(model):
        checks["R6"] = (("path floor",), partial(known_feature_learning_floor, model))
    hunts = {claim: _hunt(model, claim, parts, check) for claim, (parts, check) in checks.items()}
    return hunts | block_hunts(model)


def _hunt(model: UserModel, claim: str, parts: tuple[str, ...], check: Callable[[Instance, ModelRun], Check]) -> Hunt:
    return Hunt(
        claim=claim,
        instances=st.builds(
            Instance,
            part=st.sampled_from(parts),
            num_steps=st.integers(1, STEPS),
            separation=st.floats(-3.0, 0.3).map(lambda exponent: 10.0**exponent),
            gap=st.just(0.0) | st.floats(0.01, 2.0),
            noise=st.just(0.0) | st.floats(0.01, 1.0),
            step_share=st.floats(0.01, 2.0),
            seed=st.integers(0, 2**31 - 1),
        ),
        check=partial(_check, model, check),
        module=__name__,
        setup=(
            f"from experiments.model_hunts import Instance, model_hunts\n"
            f"from experiments.user_model import load_model\n"
            f"check = model_hunts(load_model({model.source!r}, {model.point_shape!r}))[{claim!r}].check"
        ),
    )


def _check(model: UserModel, check: Callable[[Instance, ModelRun], Check], instance: Instance) -> Check:
    run = measured_run(
        model,
        separation=instance.separation,
        gap=instance.gap,
        noise=instance.noise,
        step_share=instance.step_share,
        seed=instance.seed,
    )
    return check(instance, run)

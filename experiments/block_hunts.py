"""Hunts on a user's chain of blocks that state their own bounds: N2 and N4 on its residual layers, N3 on its kernel.

Nothing here is sampled: branch constants come from the blocks' bounds on the ball that holds the features met.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

from experiments.block_probe import Probe, probe, residual_stretch, states_its_bounds
from experiments.hunt import Hunt
from experiments.hunts.distinctness import Pairs, merging_probability, pairs_of
from experiments.model_run import POINTS
from experiments.user_model import UserModel
from theory import bi_lipschitz, composition, distinctness
from theory.verdict import Check

LARGEST_SCALE = 4.0


class Instance(NamedTuple):
    """One draw of points and parameters; `part` says which of the claim's inequalities is checked."""

    part: str
    separation: float
    scale: float
    shrinkage: float
    seed: int


def block_hunts(model: UserModel) -> dict[str, Hunt]:
    """N3, and N2 and N4 if there are residual layers; none for a model that is no chain of bounded blocks."""
    if not states_its_bounds(model):
        return {}
    layered = bool(residual_stretch(model.apply))  # pyright: ignore[reportArgumentType]
    checks = {claim: found for claim, found in CHECKS.items() if layered or claim == "N3"}
    return {claim: _hunt(model, claim, parts, check) for claim, (parts, check) in checks.items()}


def _hunt(model: UserModel, claim: str, parts: tuple[str, ...], check: Callable[[Instance, Probe], Check]) -> Hunt:
    return Hunt(
        claim=claim,
        instances=st.builds(
            Instance,
            part=st.sampled_from(parts),
            separation=st.floats(-3.0, 0.3).map(lambda exponent: 10.0**exponent),
            scale=st.floats(0.01, 1.0),
            shrinkage=st.floats(0.001, 0.1),
            seed=st.integers(0, 2**31 - 1),
        ),
        check=partial(_check, model, check),
        module=__name__,
        setup=(
            f"from experiments.block_hunts import Instance, block_hunts\n"
            f"from experiments.user_model import load_model\n"
            f"check = block_hunts(load_model({model.source!r}, {model.point_shape!r}))[{claim!r}].check"
        ),
    )


def _check(model: UserModel, check: Callable[[Instance, Probe], Check], instance: Instance) -> Check:
    found = probe(model, separation=instance.separation, scale=instance.scale, seed=instance.seed)
    return check(instance, found)


def _bi_lipschitz(instance: Instance, found: Probe) -> Check:
    """h_min of the features after all residual layers against h_min before them."""
    before, after = (float(np.linalg.norm(pairs_of(features), axis=1).min()) for features in found.features[[0, -1]])
    return bi_lipschitz.check(
        after,
        before,
        side="lower" if instance.part == "lower" else "upper",
        branch_constants=found.constants,
        input_scale=float(np.linalg.norm(found.features[0], axis=1).max()),
        instance=repr(instance),
    )


def _composition(instance: Instance, found: Probe) -> Check:
    """The chain's kernel against those of its two halves."""
    checks = composition.checks(found.kernel, found.outer, found.inner, jacobian=found.through, instance=repr(instance))
    return checks[instance.part]


def _distinctness(instance: Instance, found: Probe) -> Check:
    """The first residual layer with its branch at a uniform scale in [0, LARGEST_SCALE]."""
    pairs = Pairs(pairs_of(found.features[0]), pairs_of(found.branches))
    distances, gaps = np.linalg.norm(pairs.points, axis=1), np.linalg.norm(pairs.branches, axis=1)
    with np.errstate(divide="ignore"):
        ratios = distances / gaps
    return distinctness.check_scale(
        merging_probability(pairs, largest_scale=LARGEST_SCALE, shrinkage=instance.shrinkage),
        POINTS,
        shrinkage=instance.shrinkage,
        ratios=ratios if instance.part == "scale" else None,
        largest_scale=LARGEST_SCALE,
        smallest_distance=float(distances.min()),
        rounding=1e-14 * POINTS**2,
        instance=repr(instance),
    )


CHECKS: dict[str, tuple[tuple[str, ...], Callable[[Instance, Probe], Check]]] = {
    "N2": (("lower", "upper"), _bi_lipschitz),
    "N3": (("identity", "outer floor", "floor", "ceiling"), _composition),
    "N4": (("scale", "free scale"), _distinctness),
}
"""The claims searched, each with the parts an instance may ask for."""

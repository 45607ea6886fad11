"""What N1 to N4 say of one recorded propagation, and of all seeds of a case together."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from experiments.architecture import EPS
from experiments.hunts.distinctness import Pairs, merging_probability, pairs_of
from experiments.records import Record
from theory import bi_lipschitz, composition, distinctness, nondegeneracy
from theory.confidence import binomial_interval
from theory.verdict import Check

LARGEST_SCALE, SHRINKAGE = 2.0, 0.01
"""N4: scales t of a branch are uniform on [0, 2], about the 1 that is used; a shrink below a hundredth counts."""

GAUSSIAN_SHRINKAGE = 0.25


SLOPES = {"tanh": 1.0, "relu": 1.0, "gelu": 0.5 * (1.0 + math.erf(1.0)) + math.exp(-1.0) / math.sqrt(math.pi)}
"""sup |sigma'|, N1's B; GELU's is at sqrt 2."""


def separations(record: Record) -> np.ndarray:
    """h_min of the features at every depth, depth 0 first."""
    return np.concatenate([[record.scalars["start_separation"]], record.arrays["separation"]])


def _looked(layers: int) -> list[int]:
    """Depths at which features are held against bounds: 1, 2, 4, ..., and the last."""
    return sorted({min(2**power, layers) for power in range(layers.bit_length() + 1)})


def run_checks(record: Record, where: str) -> Iterator[Check]:
    config, arrays = record.config, record.arrays
    yield from _layer_checks(record, where)
    if "normalised" in arrays:
        yield from _normalisation_checks(record, where)
    if config["skip"] and "constants" in arrays:
        yield from _bi_lipschitz_checks(record, where)
        yield from _merging_checks(record, where)
    if "half_whole" in arrays:
        found = composition.checks(
            arrays["half_whole"],
            arrays["half_outer"],
            arrays["half_inner"],
            jacobian=arrays["half_jacobian"],
            instance=where,
        )
        yield from found.values()


def _layer_checks(record: Record, where: str) -> Iterator[Check]:
    """N1 on branches W sigma(V x + b), layer by layer."""
    config, arrays = record.config, record.arrays
    if "outer_norm" not in arrays:
        return
    net = config["architecture"]
    hidden, dim, slope = net["bottleneck"], net["width"], SLOPES[net["activation"]]
    for layer, (outer, inner) in enumerate(zip(arrays["outer_norm"], arrays["inner_norm"])):
        place = f"layer {layer + 1} of {where}"
        if config["skip"]:
            yield nondegeneracy.check_conditioning(
                float(arrays["layer_smallest"][layer].min()),
                1.0,
                outer_norm=float(outer),
                inner_norm=float(inner),
                slope=slope,
                dim=max(dim, hidden),
                instance=place,
            )
        else:
            yield nondegeneracy.check_no_skip(
                float(arrays["beyond"][layer]),
                hidden=hidden,
                dim=dim,
                jacobian_norm=float(outer * inner) * slope,
                instance=place,
            )
    if config["skip"]:
        for place, count in zip(("first", "last"), arrays["singular_scales"]):
            yield nondegeneracy.check_count(
                int(count), config["num_points"], hidden=hidden, dim=dim, instance=f"{place} layer of {where}"
            )


def _normalisation_checks(record: Record, where: str) -> Iterator[Check]:
    """N2 for tau_eps alone, on the features that enter each layer."""
    net, features = record.config["architecture"], record.arrays["features"]
    eps = EPS if net["eps"] is None else net["eps"]
    before = separations(record)
    for layer, inputs in enumerate(features[:-1]):
        norm = float(np.linalg.norm(inputs, axis=1).max())
        for side in ("lower", "upper"):
            yield bi_lipschitz.check_normalisation(
                float(record.arrays["normalised"][layer]),
                float(before[layer]),
                side=side,
                radius=norm,
                largest_norm=norm,
                eps=eps,
                instance=f"normalisation of layer {layer + 1} of {where}",
            )


def _bi_lipschitz_checks(record: Record, where: str) -> Iterator[Check]:
    """N2: features and their Jacobian at a few depths, by the constants that the blocks state."""
    arrays, after = record.arrays, separations(record)
    scale = float(np.linalg.norm(arrays["features"][0], axis=1).max())
    for depth in _looked(len(arrays["constants"])):
        # Branches of constant 0 stand for the layers beyond: one length, one compilation.
        constants = np.where(np.arange(len(arrays["constants"])) < depth, arrays["constants"], 0.0)
        place = f"depth {depth} of {where}"
        for side, column in (("lower", "chain_smallest"), ("upper", "chain_largest")):
            extreme = float(arrays[column][depth].min() if side == "lower" else arrays[column][depth].max())
            shared: dict[str, Any] = {"side": side, "branch_constants": constants, "instance": place}
            yield bi_lipschitz.check(float(after[depth]), float(after[0]), input_scale=scale, **shared)
            yield bi_lipschitz.check(extreme, 1.0, quantity="singular value", **shared)


def _merging_checks(record: Record, where: str) -> Iterator[Check]:
    """N4: the exact probability that some pair shrinks, over a uniform scale of a layer's branch."""
    features = record.arrays["features"]
    count = features.shape[1]
    for depth in _looked(len(features) - 1):
        pairs = Pairs(pairs_of(features[depth - 1]), pairs_of(features[depth]) - pairs_of(features[depth - 1]))
        distance, gap = (np.linalg.norm(each, axis=1) for each in pairs)
        probability = merging_probability(pairs, largest_scale=LARGEST_SCALE, shrinkage=SHRINKAGE)
        for ratios in (distance / gap, None):
            yield distinctness.check_scale(
                probability,
                count,
                shrinkage=SHRINKAGE,
                ratios=ratios,
                largest_scale=LARGEST_SCALE,
                smallest_distance=float(distance.min()),
                rounding=1e-14 * count**2,
                instance=f"layer {depth} of {where}",
            )


def gaussian_check(records: Sequence[Record], where: str) -> Check:
    """N4, Gaussian, over all seeds and layers: each layer's output map is drawn after the points it meets."""
    net = records[0].config["architecture"]
    shrunk = trials = 0
    for record in records:
        shrunk += int((record.arrays["shrink"] < GAUSSIAN_SHRINKAGE).sum())
        trials += len(record.arrays["shrink"])
    return distinctness.check_gaussian(
        # Of independent trials that succeed at most so often, in law: a limit that one run in 10^9 exceeds.
        binomial_interval(shrunk, trials, error_rate=2e-9).low,
        records[0].config["num_points"],
        shrinkage=GAUSSIAN_SHRINKAGE,
        dim=net["width"],
        instance=f"{shrunk} of {trials} layers of {where}",
    )


def is_gaussian(config: dict[str, Any]) -> bool:
    """Whether each branch ends in a map whose weights are Gaussian and free: a perceptron of vectors, not rescaled."""
    return config["skip"] and config["branch_constant"] is None and len(config["point_shape"]) == 1

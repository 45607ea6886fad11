"""What the propagation study's records say: checks of N1 to N4, singular fractions, and how fast depth degenerates."""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from experiments.architecture import EPS
from experiments.hunts.distinctness import Pairs, merging_probability, pairs_of
from experiments.records import Record
from experiments.statistics import Estimate, bootstrap
from experiments.study import Findings
from theory import bi_lipschitz, composition, distinctness, nondegeneracy
from theory.confidence import binomial_interval
from theory.verdict import Check

COMPOSED = 5
"""How many seeds keep the matrices of N3's check."""

LARGEST_SCALE, SHRINKAGE = 2.0, 0.01
"""N4: scales t of a branch are uniform on [0, 2], about the 1 that is used; a shrink below a hundredth counts."""

GAUSSIAN_SHRINKAGE = 0.25
SLOPES = {"tanh": 1.0, "relu": 1.0, "gelu": 0.5 * (1.0 + math.erf(1.0)) + math.exp(-1.0) / math.sqrt(math.pi)}
"""sup |sigma'|, N1's B; GELU's is at sqrt 2."""


def _name(config: dict[str, Any]) -> str:
    """What all seeds of a run share, in words."""
    net = config["architecture"]
    hidden = net["bottleneck"] or net["width"]
    norm = {None: "", "tau": " tau", "layernorm": " LayerNorm"}[net["normalisation"]]
    size = "" if config["branch_constant"] is None else f" branches {config['branch_constant']:g}"
    skip = "skip" if config["skip"] else "no skip"
    return f"{net['kind']} {net['activation']} hidden {hidden}{norm}{size}, {skip}"


def separations(record: Record) -> np.ndarray:
    """h_min of the features at every depth, depth 0 first."""
    return np.concatenate([[record.scalars["start_separation"]], record.arrays["separation"]])


def _looked(layers: int) -> list[int]:
    """Depths at which features are held against bounds: 1, 2, 4, ..., and the last."""
    return sorted({min(2**power, layers) for power in range(layers.bit_length() + 1)})


def _checks(record: Record, where: str) -> Iterator[Check]:
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


def _gaussian_check(records: Sequence[Record], where: str) -> Check:
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


def _is_gaussian(config: dict[str, Any]) -> bool:
    """Whether each branch ends in a map whose weights are Gaussian and free: a perceptron of vectors, not rescaled."""
    return config["skip"] and config["branch_constant"] is None and len(config["point_shape"]) == 1


def _fraction(flags: Sequence[bool]) -> dict[str, Any]:
    """A share of seeds with its exact 95% binomial interval (Clopper and Pearson)."""
    interval = binomial_interval(int(sum(flags)), len(flags), error_rate=0.05)
    return {"share": sum(flags) / len(flags), "low": interval.low, "high": interval.high, "of": len(flags)}


def _singular(record: Record, what: str) -> np.ndarray:
    """Whether each smallest singular value (eigenvalue) is not above its error bar."""
    return record.arrays[f"{what}_smallest"] <= record.arrays[f"{what}_error"]


def _row(records: Sequence[Record]) -> dict[str, Any]:
    """Singular fractions of one case: of seeds with some singular layer, of layers, of seeds with a singular kernel."""
    config = records[0].config
    net = config["architecture"]
    merged = [bool((separations(record) == 0.0).any()) for record in records]
    return {
        "name": _name(config),
        "kind": net["kind"],
        "activation": net["activation"],
        "hidden": net["bottleneck"] or net["width"],
        "width": net["width"],
        "normalisation": net["normalisation"] or ("layernorm" if net["kind"] == "transformer" else "none"),
        "branch_constant": config["branch_constant"],
        "skip": config["skip"],
        "network": _fraction([bool(_singular(record, "layer").any()) for record in records]),
        "layers": float(np.mean([_singular(record, "layer").any(axis=1).mean() for record in records])),
        "kernel": _fraction([bool(_singular(record, "kernel")[-1]) for record in records]),
        "merged": _fraction(merged),
    }


def _curves(row: dict[str, Any], records: Sequence[Record]) -> dict[str, Any]:
    """Against depth: geometric mean and range over seeds of h_min ratio, sigma_min(DF), condition of K; N2's band.

    Null where some seed's number is not resolved (sigma_min, condition) or is 0 (merged points).
    """
    with np.errstate(divide="ignore"):
        ratio = np.log([separations(record) / separations(record)[0] for record in records])
        smallest = np.log([_resolved_minimum(record) for record in records])
        condition = np.log([_condition(record) for record in records])
    constants = records[0].arrays["constants"]
    bands = bi_lipschitz.residual_constants(
        np.tril(np.broadcast_to(constants, (len(constants) + 1, len(constants))), -1)
    )
    told: dict[str, Any] = {"name": row["name"], "skip": row["skip"]}
    for key, logs in (("separation", ratio), ("smallest", smallest), ("condition", condition)):
        known = np.all(np.isfinite(logs), axis=0)
        for end, reduce in (("mean", np.mean), ("low", np.min), ("high", np.max)):
            told[f"{key}_{end}"] = [
                float(np.exp(reduce(column))) if fine else None for column, fine in zip(logs.T, known.tolist())
            ]
    told["lower"], told["upper"] = np.asarray(bands.lower).tolist(), np.asarray(bands.upper).tolist()
    return told


def _resolved_minimum(record: Record) -> np.ndarray:
    """sigma_min(DF) over the points at every depth, 0 where some point's is not resolved."""
    least = record.arrays["chain_smallest"].min(axis=1)
    return np.where(_singular(record, "chain").any(axis=1), 0.0, least)


def _condition(record: Record) -> np.ndarray:
    """lambda_max(K)/lambda_min(K) at every depth, infinite where lambda_min is not resolved."""
    arrays = record.arrays
    least = np.where(_singular(record, "kernel"), 0.0, arrays["kernel_smallest"])
    with np.errstate(divide="ignore"):
        return arrays["kernel_largest"] / least


def _decay(logs: np.ndarray) -> np.ndarray | None:
    """Least-squares slope a layer of each seed, over the depths that every seed resolves; None below two of them."""
    known = np.all(np.isfinite(logs), axis=0)
    if known.sum() < 3 or len(logs) < 2:
        return None
    depth = np.flatnonzero(known) - np.flatnonzero(known).mean()
    return logs[:, known] @ depth / (depth @ depth)


def _estimates(row: dict[str, Any], records: Sequence[Record]) -> Iterator[Estimate]:
    """Growth a layer of log10 h_min, sigma_min and condition; how loose the stated branch constants are."""
    measures: tuple[tuple[str, Callable[[Record], np.ndarray]], ...] = (
        ("h_min", separations),
        ("sigma_min", _resolved_minimum),
        ("condition of K", _condition),
    )
    for label, measure in measures:
        with np.errstate(divide="ignore"):
            # Depth 0 is no layer: its Jacobian is the identity and its kernel that of a linear model.
            slopes = _decay(np.log10([measure(record)[1:] for record in records]))
        if slopes is not None:
            yield bootstrap(slopes, label=f"log10 {label} a layer, {row['name']}", statistic=np.mean)
    if row["skip"]:
        met = np.array([np.median(_met_constants(record) / record.arrays["constants"]) for record in records])
        yield bootstrap(met, label=f"branch constant met over stated, {row['name']}")


def _met_constants(record: Record) -> np.ndarray:
    """max |g(x) - g(y)| / |x - y| over the pairs that each layer meets: N2's c_l as small as it can be here."""
    pairs = [pairs_of(each) for each in record.arrays["features"]]
    steps = pairwise(pairs)
    return np.array([(np.linalg.norm(b - a, axis=1) / np.linalg.norm(a, axis=1)).max() for a, b in steps])


def find(preset: Any, records: Sequence[Record]) -> Findings:
    cases: dict[str, list[Record]] = {}
    for record in records:
        cases.setdefault(_name(record.config), []).append(record)
    checks: list[Check] = []
    rows, curves, estimates = [], [], []
    for name, found in cases.items():
        for record in found:
            checks += _checks(record, f"{name}, seed {record.config['seed']}")
        row = _row(found)
        rows.append(row)
        if found[0].config["profile"]:
            curves.append(_curves(row, found))
            estimates += _estimates(row, found)
            if _is_gaussian(found[0].config):
                checks.append(_gaussian_check(found, name))
    layers = len(records[0].arrays["features"]) - 1
    summary = {
        "seeds": preset.seeds,
        "num_points": preset.num_points,
        "h": preset.h,
        "depth": layers,
        "small_branch": max((case.branch_constant or 0.0 for case in preset.cases), default=0.0),
        "rows": rows,
        "curves": curves,
    }
    return Findings(summary, checks, [], _words(rows, curves, estimates, checks), estimates)


def _words(
    rows: Sequence[dict[str, Any]],
    curves: Sequence[dict[str, Any]],
    estimates: Sequence[Estimate],
    checks: Sequence[Check],
) -> dict[str, str]:
    """The findings in plain words, whichever way they fall."""

    def pooled(chosen: Sequence[dict[str, Any]]) -> str:
        if not chosen:
            return "not measured"
        count = sum(round(row["network"]["share"] * row["network"]["of"]) for row in chosen)
        trials = sum(row["network"]["of"] for row in chosen)
        interval = binomial_interval(count, trials, error_rate=0.05)
        return f"{count} of {trials} networks [{interval.low:.2g}, {interval.high:.2g}]"

    def told(label: str, skip: str) -> str:
        parts = [
            f"{estimate.label.split(', ', 1)[1].rsplit(',', 1)[0]} {estimate.value:+.3f} "
            f"[{estimate.ci_low:+.3f}, {estimate.ci_high:+.3f}]"
            for estimate in estimates
            if estimate.label.startswith(f"log10 {label} a layer") and estimate.label.endswith(f", {skip}")
        ]
        return "; ".join(parts) or "not resolved"

    bare = [row for row in rows if row["kind"] == "residual" and row["normalisation"] == "none"]
    smooth = [row for row in bare if row["activation"] != "relu"]
    narrow = [row for row in smooth if not row["skip"] and row["hidden"] < row["width"]]
    wide = [row for row in smooth if not row["skip"] and row["hidden"] >= row["width"]]
    relu = [row for row in bare if row["activation"] == "relu" and not row["skip"] and row["hidden"] >= row["width"]]
    kernels = {skip: [row["kernel"]["share"] for row in rows if row["skip"] is skip] for skip in (True, False)}
    met = [estimate.value for estimate in estimates if estimate.label.startswith("branch constant met")]
    small = [curve for curve in curves if curve["skip"] and curve["lower"][-1] > 0.0]
    ends = [
        f"{curve['name'].rsplit(',', 1)[0]} {curve['separation_mean'][-1]:.3g} in "
        f"[{curve['lower'][-1]:.2g}, {curve['upper'][-1]:.3g}]"
        for curve in small
        if curve["separation_mean"][-1] is not None
    ]
    merging = [check.measured for check in checks if (check.claim, check.inequality) == ("N4", "scale")]
    merged = [row["name"] for row in rows if row["merged"]["share"] > 0.0]
    return {
        "N1": f"Some layer singular at some point (not above its rounding). With skip, any bottleneck: "
        f"{pooled([row for row in rows if row['skip']])}. Without, smooth activation, no normalisation: "
        f"{pooled(narrow)} where the bottleneck is narrower than the features, {pooled(wide)} from equal width on; "
        f"ReLU from equal width on: {pooled(relu)}.",
        "N2": f"h_min of the features after the last layer over that before the first, in its bounds: "
        f"{'; '.join(ends) or 'not measured'}. With Xavier branches every c_l exceeds 1 and the lower side is vacuous. "
        + (
            f"The branch constants met on the features are {min(met):.2g} to {max(met):.2g} of the stated. "
            if met
            else ""
        )
        + f"log10 h_min a layer, with skip: {told('h_min', 'skip')}; without: {told('h_min', 'no skip')}. log10 "
        f"sigma_min a layer, with skip: {told('sigma_min', 'skip')}; without: {told('sigma_min', 'no skip')}.",
        "N3": f"Kernel of the deepest network not resolved above 0 in {np.mean(kernels[True]):.0%} of the networks "
        f"with skip, {np.mean(kernels[False]):.0%} of those without. log10 of its condition number a layer, with skip: "
        f"{told('condition of K', 'skip')}; without: {told('condition of K', 'no skip')}.",
        "N4": f"Chance that a branch scaled uniformly in [0, {LARGEST_SCALE:g}] brings some pair within {SHRINKAGE:g} "
        f"of its distance: at most {max(merging, default=0.0):.2g} over all layers with skip. Points merge exactly "
        f"{'nowhere' if not merged else 'in ' + '; '.join(merged)}.",
    }

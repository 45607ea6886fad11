"""What the propagation study's records say: singular fractions, and how fast depth degenerates."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from experiments.hunts.distinctness import pairs_of
from experiments.records import Record
from experiments.statistics import Estimate, bootstrap, with_interval
from experiments.studies.propagation_checks import (
    LARGEST_SCALE,
    SHRINKAGE,
    gaussian_check,
    is_gaussian,
    run_checks,
    separations,
)
from experiments.study import Findings
from theory import bi_lipschitz
from theory.confidence import binomial_interval
from theory.verdict import Check

COMPOSED = 5
"""How many seeds keep the matrices of N3's check."""


def _name(config: dict[str, Any]) -> str:
    """What all seeds of a run share, in words."""
    net = config["architecture"]
    hidden = net["bottleneck"] or net["width"]
    norm = {None: "", "tau": " tau", "layernorm": " LayerNorm"}[net["normalisation"]]
    size = "" if config["branch_constant"] is None else f" branches {config['branch_constant']:g}"
    skip = "skip" if config["skip"] else "no skip"
    return f"{net['kind']} {net['activation']} hidden {hidden}{norm}{size}, {skip}"


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
            checks += run_checks(record, f"{name}, seed {record.config['seed']}")
        row = _row(found)
        rows.append(row)
        if found[0].config["profile"]:
            curves.append(_curves(row, found))
            estimates += _estimates(row, found)
            if is_gaussian(found[0].config):
                checks.append(gaussian_check(found, name))
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
            f"{estimate.label.split(', ', 1)[1].rsplit(',', 1)[0]} {with_interval(estimate, '+.3f')}"
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

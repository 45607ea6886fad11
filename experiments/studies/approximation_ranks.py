"""What ranks the approximation error across designs, and where a larger h_min came with a larger error."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.stats import spearmanr

from experiments.records import Record
from experiments.separation import distances
from experiments.statistics import Estimate, bootstrap
from experiments.studies.approximation_designs import DESIGNS
from theory import second_order_error

# Each grows where the claim it stands for says that the error does; "corner" stands for none (see `predictors`).
PREDICTORS = ("1/h_min", "h_fill", "D_1", "corner", "A5 weight")


ERRORS = ("sup_error", "mean_error")


SETS = {"all designs": list(DESIGNS), "spread designs": [name for name, design in DESIGNS.items() if design.spread]}


A6_PAIR = ("lattice", "midpoints")
"""More h_min, and more h_fill: the second has the smaller worst-case error. In d = 1, N = 2: {0, 1}, {1/4, 3/4}."""


def columns(records: Sequence[Record], key: str) -> Float[np.ndarray, " seeds"]:
    return np.array([record.scalars[key] for record in records])


def predictors(record: Record) -> dict[str, float]:
    """What is to rank the error of a run: numbers that its points alone determine.

    corner: the largest distance of a corner of the domain to the points. No claim names it: it was added once the
    errors of a first run were seen to be largest at the boundary, outside of the points' convex hull.
    A5 weight (d = 1): the worst sup error of a pair with |f''| + |g''| <= 1 that agrees on the points.
    """
    run, points = record.scalars, record.arrays["points"]
    corners = np.array(list(itertools.product((0.0, 1.0), repeat=points.shape[1])))
    known = {"1/h_min": 1.0 / run["separation"], "h_fill": run["fill_distance"], "D_1": run["mean_distance"]}
    known["corner"] = float(distances(corners, points).min(axis=1).max())
    if points.shape[1] == 1:
        nodes = np.sort(points[:, 0])
        known["A5 weight"] = float(second_order_error.line_bound(nodes, (0.0, 1.0), curvature=1.0))
    return known


def rank_correlations(network: str, compared: Mapping[str, list[Record]]) -> list[dict[str, Any]]:
    """Spearman's rank correlation across designs, seed by seed; mean over seeds with its interval."""
    known = {design: [predictors(record) for record in records] for design, records in compared.items()}
    names = [name for name in PREDICTORS if name in known["iid"][0]]
    found = []
    for (group, designs), error, name in itertools.product(SETS.items(), ERRORS, names):
        values = np.array([columns(compared[design], error) for design in designs])
        ranked_by = np.array([[of[name] for of in known[design]] for design in designs])
        by_seed = np.array([spearmanr(*pair)[0] for pair in zip(ranked_by.T, values.T)])
        label = f"rank correlation of {error.replace('_', ' ')} with {name}, {network}, {group}"
        estimate = bootstrap(by_seed, label=label, statistic=np.mean)
        found.append({"network": network, "group": group, "error": error, "predictor": name, **estimate._asdict()})
    return found


def paired_ratio(more: Sequence[Record], less: Sequence[Record], key: str, label: str) -> Estimate:
    """Geometric mean over seeds of a ratio, paired by seed: the same function, the same initialisation."""
    logs = np.log(columns(more, key) / columns(less, key))
    return bootstrap(logs, label=label, statistic=_exp_mean)


def _exp_mean(logs: Float[np.ndarray, "..."]) -> float:
    return float(np.exp(np.mean(logs)))


def reversed_pairs_of(network: str, compared: Mapping[str, list[Record]]) -> dict[str, Any]:
    """Pairs of designs of which one has more h_min in every seed; those where it also has the larger sup error.

    reversed, agreeing: pairs where every seed has the larger, the smaller error.  listed: A6's own pair, then of each
    design with more h_min the reversed pair of the largest ratio.
    """
    ordered = [
        (more, less)
        for more, less in itertools.permutations(compared, 2)
        if np.all(columns(compared[more], "separation") > columns(compared[less], "separation") * (1 + 1e-9))
    ]
    larger = {
        (more, less): columns(compared[more], "sup_error") > columns(compared[less], "sup_error")
        for more, less in ordered
    }
    reversed_pairs = [pair for pair in ordered if larger[pair].all()]

    def listed(more: str, less: str) -> dict[str, Any]:
        label = f"sup error of {more} over {less}, {network}"
        ratio = paired_ratio(compared[more], compared[less], "sup_error", label)
        separations = columns(compared[more], "separation") / columns(compared[less], "separation")
        fills = columns(compared[more], "fill_distance") / columns(compared[less], "fill_distance")
        return {
            "larger_h": more,
            "smaller_h": less,
            "separation_ratio": _exp_mean(np.log(separations)),
            "fill_ratio": _exp_mean(np.log(fills)),
            "error_ratio": ratio._asdict(),
        }

    def factor(pair: tuple[str, str]) -> float:
        more, less = (columns(compared[design], "sup_error") for design in pair)
        return _exp_mean(np.log(more / less))

    by_factor = sorted(reversed_pairs, key=factor, reverse=True)
    worst = {more: (more, less) for more, less in reversed(by_factor)}
    return {
        "network": network,
        "ordered": len(ordered),
        "reversed": len(reversed_pairs),
        "agreeing": sum(not found.any() for found in larger.values()),
        "listed": [listed(*pair) for pair in (A6_PAIR, *sorted(worst.values(), key=by_factor.index))],
    }

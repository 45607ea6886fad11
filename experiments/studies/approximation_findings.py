"""What the approximation study's records say: geometry and errors by design, exponents, controls, own slopes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.spatial import Delaunay

from experiments.records import Record
from experiments.statistics import Estimate, Slope, bootstrap, bootstrap_slope, fitted_slopes, with_interval
from experiments.studies.approximation_checks import checks, dimension
from experiments.studies.approximation_designs import DESIGNS
from experiments.studies.approximation_ranks import (
    ERRORS,
    PREDICTORS,
    SETS,
    columns,
    paired_ratio,
    rank_correlations,
    reversed_pairs_of,
)
from experiments.study import Findings
from theory import sup_error

Table = dict[tuple[str, int], list[Record]]
"""Records of one network by design and N, in the order of the seeds, for the seeds of which no run diverged."""


def network_name(record: Record) -> str:
    return f"{record.config['architecture']['kind']} d={dimension(record)}"


def find(preset: Any, records: Sequence[Record]) -> Findings:
    tables = _tables([record for record in records if record.config["separation"] is None])
    sizes = {name_of(network): size for network, size in preset.networks}
    networks, ranks, estimates, reversals, slopes, scaling = [], [], [], [], [], []
    for name, table in tables.items():
        if name in sizes:
            compared = {design: table[design, sizes[name]] for design in DESIGNS if (design, sizes[name]) in table}
            networks.append({"network": name, "num_points": sizes[name], **_designs(compared)})
            ranks += rank_correlations(name, compared)
            reversals.append(reversed_pairs_of(name, compared))
            estimates += [*_control(name, compared), *_looseness(name, compared)]
        if len(preset.sizes) > 1 and name in map(name_of, preset.scaled):
            found, fitted = _scaling(name, table, preset)
            scaling += found
            slopes += fitted
    gapped = _own_slopes([record for record in records if record.config["separation"] is not None])
    estimates += [Estimate(*(each[key] for key in ("label", *Estimate._fields[1:]))) for each in (*ranks, *gapped)]
    estimates += [Estimate(**pair["error_ratio"]) for each in reversals for pair in each["listed"]]
    # A claim's first slope is its headline: one for which an exponent is claimed.
    slopes.sort(key=lambda slope: slope.expected is None)
    return Findings(
        summary={
            "seeds": preset.seeds,
            "target": preset.target,
            "lipschitz": preset.lipschitz,
            "gap": preset.gap,
            "networks": networks,
            "ranks": ranks,
            "reversals": reversals,
            "scaling": scaling,
            "own_slopes": gapped,
            "not_reached": sum(record.scalars["status"] != "reached" for record in records),
            "runs": len(records),
        },
        checks=list(checks(records)),
        slopes=slopes,
        words=_words(ranks, reversals, estimates, slopes),
        estimates=estimates,
    )


def name_of(network: Any) -> str:
    return f"{network.architecture.kind} d={int(np.prod(network.point_shape))}"


def _tables(records: Sequence[Record]) -> dict[str, Table]:
    lost = {(network_name(r), r.config["seed"]) for r in records if r.scalars["status"] == "diverged"}
    tables: dict[str, Table] = {}
    for record in sorted(records, key=lambda record: record.config["seed"]):
        name, config = network_name(record), record.config
        if (name, config["seed"]) not in lost:
            tables.setdefault(name, {}).setdefault((config["design"], config["num_points"]), []).append(record)
    return tables


def _spread(values: Float[np.ndarray, " seeds"]) -> list[float]:
    """Geometric mean, least, largest over seeds."""
    return [float(np.exp(np.log(values).mean())), float(values.min()), float(values.max())]


def _designs(compared: Mapping[str, list[Record]]) -> dict[str, Any]:
    """Each design's geometry and errors; the median node error and slope seen, which place A1's and A2's bounds."""
    keys = ("separation", "fill_distance", "mean_distance", *ERRORS)
    runs = [record for found in compared.values() for record in found]
    return {
        "designs": {design: {key: _spread(columns(found, key)) for key in keys} for design, found in compared.items()},
        "node_error": float(np.median(columns(runs, "node_error"))),
        "slope_seen": float(np.median(columns(runs, "slope_seen"))),
    }


def _outside_hull(record: Record) -> bool:
    """Whether the largest error lies outside the convex hull of the points."""
    points, worst = record.arrays["points"], record.arrays["worst"]
    if points.shape[1] == 1:
        return bool(worst[0] < points.min() or worst[0] > points.max())
    return bool(Delaunay(points).find_simplex(worst) < 0)


def _control(network: str, compared: Mapping[str, list[Record]]) -> list[Estimate]:
    return [
        paired_ratio(
            compared["close pair"],
            compared["pair"],
            error,
            f"{error.replace('_', ' ')} at 1/100 of the h_min over before, equal coverage, {network}",
        )
        for error in ERRORS
    ]


def _looseness(network: str, compared: Mapping[str, list[Record]]) -> list[Estimate]:
    """A1's bound with the slope seen over the error, and how often the error is largest outside the points' hull."""
    found = [compared[design] for design in compared]

    def factor(record: Record) -> float:
        run = record.scalars
        slope = run["slope_seen"] + record.config["lipschitz"]
        bound = sup_error.sup_bound(run["node_error"], slope, fill_distance=run["fill_distance"])
        return float(bound) / run["sup_error"]

    factors = np.array([[factor(record) for record in records] for records in found]).T
    outside = np.array([[_outside_hull(record) for record in compared[name]] for name in SETS["spread designs"]]).T
    return [
        bootstrap(factors, label=f"A1's bound, slope seen, over the sup error, {network}"),
        bootstrap(
            outside.astype(float),
            label=f"share of spread designs whose error is largest outside the hull of the points, {network}",
            statistic=np.mean,
        ),
    ]


def _scaling(network: str, table: Table, preset: Any) -> tuple[list[dict[str, Any]], list[Slope]]:
    """Errors and geometry along each family in N; the exponents that a claim states are those of greedy sets."""
    sizes = np.array(preset.sizes)
    series, slopes = [], []
    for family in preset.families:
        found = [table[family, size] for size in preset.sizes]
        dim = dimension(found[0][0])
        entry: dict[str, Any] = {"network": network, "family": family, "sizes": list(preset.sizes)}
        for key, claim, of_greedy in (
            ("fill_distance", "A4", -1.0 / dim),
            ("separation", "A4", -1.0 / dim),
            ("mean_distance", "A2", -1.0 / dim),
            ("sup_error", "A1", None),
            ("mean_error", "A2", None),
            ("node_error", "A1", None),
        ):
            values = np.array([columns(records, key) for records in found]).T
            entry[key] = [_spread(column) for column in values.T]
            label = f"{network} {family}, {key.replace('_', ' ')} in N"
            # The geometry does not depend on the network, but d does.
            expected = of_greedy if family == "greedy" else None
            slopes.append(bootstrap_slope(sizes.astype(float), values, claim=claim, label=label, expected=expected))
        series.append(entry)
    return series, slopes


def _own_slopes(records: Sequence[Record]) -> list[dict[str, Any]]:
    """The network's own Lipschitz constant against the separation of one pair, with and without a label gap on it."""
    groups: dict[tuple[str, float], dict[tuple[float, int], Record]] = {}
    for record in records:
        config = record.config
        if record.scalars["status"] != "diverged":
            groups.setdefault((network_name(record), config["gap"]), {})[config["separation"], config["seed"]] = record
    found = []
    for (network, gap), group in groups.items():
        separations = sorted({h for h, _ in group}, reverse=True)
        seeds = [seed for seed in sorted({seed for _, seed in group}) if all((h, seed) in group for h in separations)]
        slope, needed = (
            np.array([[of(group[h, seed]) for h in separations] for seed in seeds])
            for of in (lambda record: record.scalars["slope_seen"], lambda record: _needed(record))
        )
        exponents = fitted_slopes(np.array(separations), slope)
        label = f"exponent of the network's own slope in h, label gap {gap:g}, {network}"
        found.append(
            {
                "network": network,
                "gap": gap,
                "separations": separations,
                "slope": [_spread(column) for column in slope.T],
                "needed": needed.mean(axis=0).tolist(),
                **bootstrap(exponents, label=label, statistic=np.mean)._asdict(),
            }
        )
    return found


def _needed(record: Record) -> float:
    """The least Lipschitz constant that the network can have with its labels on the closest pair."""
    run, config = record.scalars, record.config
    return max(config["gap"] - 2.0 * run["node_error"], 0.0) / config["separation"]


def _words(
    ranks: Sequence[Mapping[str, Any]],
    reversals: Sequence[Mapping[str, Any]],
    estimates: Sequence[Estimate],
    slopes: Sequence[Slope],
) -> dict[str, str]:
    """The findings in plain words, from the measured numbers."""

    def ranked(error: str, group: str, chosen: Sequence[str] = PREDICTORS) -> str:
        told: dict[str, list[str]] = {}
        for rank in ranks:
            if (rank["error"], rank["group"]) == (error, group) and rank["predictor"] in chosen:
                told.setdefault(rank["network"], []).append(f"{rank['predictor']} {rank['value']:+.2f}")
        return "; ".join(f"{network} {', '.join(values)}" for network, values in told.items() if len(values) > 1)

    def quoted(prefix: str) -> str:
        chosen = [each for each in estimates if each.label.startswith(prefix)]
        return ", ".join(f"{each.label.rsplit(', ', 1)[1]} {with_interval(each, '.3g')}" for each in chosen)

    def exponents(what: str, family: str) -> str:
        ending = f" {family}, {what} in N"
        chosen = [slope for slope in slopes if slope.label.endswith(ending)]
        told = [f"{slope.label.removesuffix(ending)} {with_interval(slope)}" for slope in chosen]
        return ", ".join(told) or "not measured"

    counts = "; ".join(
        f"{each['network']} {each['reversed']} reversed, {each['agreeing']} agreeing of {each['ordered']}"
        for each in reversals
    )

    def told(pair: Mapping[str, Any]) -> str:
        ratio = pair["error_ratio"]
        return (
            f"{pair['larger_h']} over {pair['smaller_h']}: {pair['separation_ratio']:.3g} times the h_min, "
            f"{pair['fill_ratio']:.2g} times the h_fill, {ratio['value']:.2f} [{ratio['ci_low']:.2f}, "
            f"{ratio['ci_high']:.2f}] times the sup error"
        )

    own = "; ".join(f"{each['network']} {told(each['listed'][0])}" for each in reversals)
    worst = "; ".join(f"{each['network']} {told(pair)}" for each in reversals[-1:] for pair in each["listed"][1:])
    on_line = ranked("sup_error", "spread designs", ("h_fill", "A5 weight"))
    return {
        "A1": f"Rank correlation of the sup error across all designs: {ranked('sup_error', 'all designs')}. Among the "
        f"designs that mean to cover: {ranked('sup_error', 'spread designs')}; corner is the distance of the domain's "
        f"farthest corner to the points, and the error is largest outside their hull in a share of "
        f"{quoted('share of spread')}. Bound with the slope seen over the error, median: {quoted('A1')}.",
        "A2": f"Rank correlation of the mean error across all designs: {ranked('mean_error', 'all designs')}. Among "
        f"the designs that mean to cover: {ranked('mean_error', 'spread designs')}.",
        "A3": "Its bound falls as h_min grows at fixed slope and sup; the error itself does not follow: at 1/100 of "
        f"the h_min and equal coverage the mean error is, as a ratio, {quoted('mean error at 1/100')}.",
        "A4": f"Exponents in N along greedy sets: h_fill {exponents('fill distance', 'greedy')}; h_min "
        f"{exponents('separation', 'greedy')}; sup error {exponents('sup error', 'greedy')}; of iid sets "
        f"{exponents('sup error', 'iid')}.",
        "A5": "In d = 1, what ranks the designs that mean to cover, A1's h_fill or A5's worst case, in which a piece "
        f"beyond the last node weighs more than a gap of its length: {on_line}.",
        "A6": f"Pairs of designs where more h_min, in every seed, came with more sup error in every seed: {counts}. "
        f"The worst of one network: {worst or 'none'}. A6's own pair, which h_fill orders: {own}. Control, sup error "
        f"at 1/100 of the h_min and equal coverage, as a ratio: {quoted('sup error at 1/100')}.",
    }

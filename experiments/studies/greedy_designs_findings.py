"""What the greedy-designs study's records say: slopes, checks of S1, S3, S4, A4 and D1, distance from the best."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from experiments.hunts.small_pools import cover_radii, separations
from experiments.points import Cube, construct
from experiments.records import Record
from experiments.statistics import Estimate, Slope, bootstrap, bootstrap_slope
from experiments.study import Findings
from theory import birthday_ceiling, farthest_first, greedy_fill, packing_ceiling, sampling_law
from theory.ball import unit_ball_volume
from theory.confidence import binomial_interval
from theory.verdict import Check

ERROR_RATE = 1e-6
"""Chance of a false violation in one check of a sampled probability or mean."""

LEVELS = (0.1, 0.4, 0.9)
"""Values of N(N-1)/2 V_d t^d at which the sampling law's tail is compared."""

LAWS: dict[str, tuple[str, float | None]] = {
    # design: (the claim its slope bears on, the expected slope times d)
    "independent": ("S3", -2.0),
    "Sobol'": ("S4", None),
    "one random point a cell": ("S4", None),
    "grid jittered by a quarter cell": ("S4", -1.0),
    "Poisson disc": ("S4", -1.0),
    "greedy, M = N + 8": ("D1", None),
    "greedy, M = 1.1 N": ("D1", None),
    "greedy, M = 2 N": ("D1", -1.0),
    "greedy, M = 4 N": ("D1", -1.0),
    "greedy, M = 16 N": ("D1", -1.0),
    "greedy, M = 32,768": ("A4", -1.0),
}

DENSE = "greedy, M = 32,768"
CONTROLS = ("Sobol'", "one random point a cell")


def _independent_checks(found: np.ndarray, size: int, dim: int) -> Iterator[Check]:
    """All samples of N independent points against the sampling law below and the birthday ceiling above."""
    law: dict[str, Any] = {"dim": dim, "density_norm_sq": 1.0}
    where = f"{len(found)} samples, d={dim}, N={size}"
    certain = binomial_interval(len(found), len(found), error_rate=ERROR_RATE).low
    unit = float(sampling_law.separation_quantile(1.0, size, **law))
    for level in LEVELS:
        t = level ** (1 / dim) * unit
        closer = binomial_interval(int(np.sum(found < t)), len(found), error_rate=ERROR_RATE)
        yield sampling_law.check(closer.low, t, size, **law, instance=f"u={level:g}, {where}")
    # Wrapped distances are at most those in the cube, so the cube's ceiling holds on the torus. A bound that even
    # samples of nothing but wide separations would pass says nothing.
    for delta in (0.5, 0.1, 0.01):
        t = birthday_ceiling.separation_ceiling(delta, size, dim=dim)
        wider = binomial_interval(int(np.sum(found > t)), len(found), error_rate=ERROR_RATE).low
        check = birthday_ceiling.check_quantile(wider, delta, size, dim=dim, instance=f"delta={delta:g}, {where}")
        yield check._replace(vacuous=certain <= delta)
    for level in (1, 4, 16):
        t = level ** (1 / dim) * unit
        wider = binomial_interval(int(np.sum(found > t)), len(found), error_rate=ERROR_RATE).low
        for exponential in (False, True):
            check = birthday_ceiling.check(
                wider, t, size, dim=dim, exponential=exponential, instance=f"u={level}, {where}"
            )
            yield check._replace(vacuous=certain <= check.bound)


def _greedy_checks(record: Record) -> Iterator[Check]:
    """A4 at every N, on the torus and on the pool as the whole domain, and D1 against optima by brute force."""
    config, arrays = record.config, record.arrays
    for k, size in enumerate(config["sizes"]):
        where = f"{config['design']}, d={config['dim']}, N={size}, seed {config['seed']}"
        h, seen, radius = (float(arrays[name][k].min()) for name in ("separation", "pool_fill", "probe_radius"))
        fill = float(arrays["fill"][k])
        pool: dict[str, Any] = {"pool_fill": seen + radius, "observed_pool_distance": seen}
        yield greedy_fill.check(fill_distance=fill, separation=h, **pool, instance=where)
        yield greedy_fill.check(
            fill_distance=float(arrays["cover"][k]), separation=h, instance=f"the pool as domain, {where}"
        )
        yield greedy_fill.check_volume(
            separation=h, num_points=size, dim=config["dim"], volume=1.0, **pool, instance=where
        )
        yield greedy_fill.check_half(fill_distance=fill + radius, separation=h, instance=where)
    table, order = arrays["small_distances"], arrays["small_order"]
    where = f"{len(order)} of {len(table)}, d={config['dim']}, {config['design']} seed {config['seed']}"
    best, narrowest = float(separations(table, len(order)).max()), float(cover_radii(table, len(order)).min())
    yield farthest_first.check_dispersion(table, order, optimum=best, instance=where)
    yield farthest_first.check_cover(table, order, optimum=narrowest, instance=where)
    yield farthest_first.check_fall(table, order, instance=where)


def counted_separation(num_points: int, pool_size: int, *, dim: int) -> float:
    """The t within which M independent points have M - N + 1 pairs in the mean; greedy's h_min is about it or more.

    M = N: the unit of length of the sampling law.
    """
    pairs_at_one = 0.5 * pool_size * (pool_size - 1) * unit_ball_volume(dim)
    return ((pool_size - num_points + 1) / pairs_at_one) ** (1 / dim)


def equivalent_points(separation: float, *, dim: int) -> float:
    """The n whose independent points have this mean h_min: Gamma(1+1/d) (n(n-1)/2 V_d)^(-1/d) equals it (S2)."""
    pairs = (math.gamma(1 + 1 / dim) / separation) ** dim / unit_ball_volume(dim)
    return 0.5 + math.sqrt(0.25 + 2 * pairs)


def _best_known() -> list[list[float]]:
    """(N, separation / ceiling) of the proved best packings of the unit square: how loose the ceiling itself is."""
    return [
        [float(size), construct("square_packing", size, Cube(2)).separation / packing_ceiling.cube_ceiling(size, dim=2)]
        for size in (*range(2, 11), 16, 25, 36)
    ]


def find(preset: Any, records: Sequence[Record]) -> Findings:
    cells: dict[tuple[str, int], list[Record]] = {}
    for record in records:
        cells.setdefault((record.config["design"], record.config["dim"]), []).append(record)
    checks: list[Check] = []
    slopes: list[Slope] = []
    estimates: list[Estimate] = []
    designs = []
    for (design, dim), found in cells.items():
        sizes = np.array(found[0].config["sizes"])
        samples = np.array([record.arrays["separation"] for record in found])
        ceilings = np.array([packing_ceiling.torus_ceiling(int(size), dim=dim) for size in sizes])
        for k, size in enumerate(sizes.tolist()):
            where = f"largest of {samples[:, k].size}, {design}, d={dim}, N={size}"
            largest = float(samples[:, k].max())
            checks.append(packing_ceiling.check(largest, size, dim=dim, domain="torus", instance=where))
            if design == "independent":
                checks += _independent_checks(samples[:, k].ravel(), size, dim)
        greedy = "close_pairs" in found[0].arrays
        if greedy:
            checks += [check for record in found for check in _greedy_checks(record)]
        # Geometric means over a seed's samples: a slope is one of logarithms.
        by_seed = np.exp(np.log(samples).mean(axis=2))
        claim, power = LAWS[design]
        expected = None if power is None else power / dim
        slope = bootstrap_slope(
            sizes.astype(float), by_seed, claim=claim, label=f"h_min in N, {design}, d={dim}", expected=expected
        )
        slopes.append(slope)
        share = bootstrap(
            by_seed[:, -1:] / ceilings[-1], label=f"h_min / packing ceiling, {design}, d={dim}, largest N"
        )
        estimates.append(share)
        centre = np.exp(np.log(by_seed).mean(axis=0))
        pools = found[0].arrays["pool_size"].astype(int).tolist() if greedy else None
        entry = {
            "name": design,
            "dim": dim,
            "sizes": sizes.tolist(),
            "separation": centre.tolist(),
            "least": samples.min(axis=(0, 2)).tolist(),
            "largest": samples.max(axis=(0, 2)).tolist(),
            "ceiling": ceilings.tolist(),
            "share": share._asdict(),
            "slope": [each * dim for each in (slope.measured, slope.ci_low, slope.ci_high)],
            "expected": power,
            "equivalent": [equivalent_points(float(h), dim=dim) for h in centre],
            "pool_size": pools,
            "counted": [counted_separation(n, m, dim=dim) for n, m in zip(sizes.tolist(), pools)] if pools else None,
            "pair_excess": _pair_excess(found) if pools else None,
        }
        designs.append(entry)
    slopes.sort(key=lambda slope: slope.expected is None)
    return Findings(
        summary={
            "seeds": preset.seeds,
            "replicates": preset.replicates,
            "dims": list(preset.dims),
            "designs": designs,
            "best_known": _best_known(),
        },
        checks=checks,
        slopes=slopes,
        words=_words(designs, preset),
        estimates=estimates,
    )


def _pair_excess(found: Sequence[Record]) -> list[float] | None:
    """Least and median of (pairs of the pool within h_min) / (M - N + 1), at least 1; None where not counted."""
    counts = np.array([record.arrays["close_pairs"] for record in found])
    if np.any(counts < 0):
        return None
    spare = np.array([record.arrays["pool_size"] - record.config["sizes"] + 1 for record in found])
    return [float(np.min(counts / spare)), float(np.median(counts / spare))]


def _words(designs: Sequence[dict[str, Any]], preset: Any) -> dict[str, str]:
    """The findings in plain words, slopes as multiples of 1/d."""

    def told(names: Sequence[str]) -> str:
        return "; ".join(
            f"{entry['name']}, d={entry['dim']}: {entry['slope'][0]:+.2f} [{entry['slope'][1]:+.2f}, "
            f"{entry['slope'][2]:+.2f}]"
            for entry in designs
            if entry["name"] in names
        )

    greedy = [entry for entry in designs if entry["name"].startswith("greedy")]
    counted = [entry for entry in greedy if entry["pair_excess"]]
    tightest = min(entry["pair_excess"][0] for entry in counted)
    chosen = [entry for entry in designs if entry["expected"] == -1.0]
    worst, best = (pick(entry["share"]["value"] for entry in chosen) for pick in (min, max))
    most = max(designs, key=lambda entry: entry["separation"][-1] / entry["ceiling"][-1])
    return {
        "S1": f"d times the slope of h_min in N for independent points: {told(['independent'])}. Greedy with a fixed "
        f"surplus of candidates (-2 by the count of close pairs): {told(['greedy, M = N + 8'])}.",
        "S3": f"d times the slope of h_min in N for independent points: {told(['independent'])} (-2 expected). The "
        f"controls that nobody chose: {told(CONTROLS)}.",
        "S4": f"At the largest N designs of slope -1/d reach {worst:.2f} to {best:.2f} of the packing ceiling (best "
        f"{most['name']}, d={most['dim']}); independent points as far apart would have to be about "
        f"{most['equivalent'][-1]:.0f} instead of {most['sizes'][-1]:,}.",
        "D1": f"d times the slope of h_min in N for greedy from M = cN candidates: "
        f"{told(['greedy, M = 1.1 N', 'greedy, M = 2 N', 'greedy, M = 4 N', 'greedy, M = 16 N'])} (-1 expected for "
        f"c >= 2). The pool always had at least M - N + 1 pairs within h_min (least ratio {tightest:.2f}), and so "
        f"any fixed c > 1 leaves the independent points' law.",
        "A4": f"d times the slope of h_min in N for greedy from one dense pool: {told([DENSE]) or 'not measured'}.",
    }

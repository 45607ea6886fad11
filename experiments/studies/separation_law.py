"""X1: how large is the h_min of iid points, and what does the density change?

Question. Does E h_min fall like N^(-2/d), collapse onto Gamma(1 + 1/d) in units of (N(N-1)/2 V_d |pi|_2^2)^(-1/d), and
does |pi|_2 rather than sup pi govern it?
Varied. N, the dimension and the density; every replicate is a fresh independent sample.
Control. Two densities of equal maximum and different |pi|_2: a law in sup pi predicts the same h_min for both.
Falsified by. A slope other than -2/d; two densities of equal |pi|_2 that do not collapse; a tail above the sampling
law or a survival function outside the limit law's band, beyond exact confidence limits.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.blocks import require_known
from experiments.points import construct
from experiments.points.densities import Beta, Density, Mixture, Uniform, equal_maximum_pair
from experiments.points.domains import Cube, Sphere
from experiments.records import Record
from experiments.separation import separation
from experiments.statistics import Slope, bootstrap_slope
from experiments.studies import requirements
from experiments.study import Findings, Measured, Study
from theory import limit_law, packing_ceiling, sampling_law
from theory.confidence import Interval, binomial_interval, mean_interval
from theory.packing_ceiling import Domain
from theory.verdict import Check, Verdict, judge

EVEN, CLUMPED = equal_maximum_pair(2, maximum=4.0)

DESIGNS: dict[str, tuple[Density, bool]] = {
    # name: (density, on the flat torus?)
    "uniform, torus, d=1": (Uniform(1), True),
    "uniform, torus, d=2": (Uniform(2), True),
    "uniform, torus, d=3": (Uniform(3), True),
    "uniform, cube, d=2": (Uniform(2), False),
    "Beta(2,4), cube, d=2": (Beta(2, 2.0, 4.0), False),
    "mixture, cube, d=2": (Mixture(2, 0.5, 4.0, 8.0), False),
    "two-level even, cube, d=2": (EVEN, False),
    "two-level clumped, cube, d=2": (CLUMPED, False),
}

ERROR_RATE = 1e-6
"""Chance of a false violation in one check; with some hundred checks, below 1e-3 in all."""

MOST_POINTS = 2**24
"""Of a sample, in memory."""

LEVELS = (0.1, 0.4, 0.9)
"""Values of u = N(N-1)/2 V_d |pi|_2^2 t^d at which tails are compared."""


@dataclass(frozen=True)
class SeparationRun:
    """`replicates` independent samples of N points of one design."""

    design: str
    num_points: int
    replicates: int
    seed: int

    @property
    def label(self) -> str:
        return f"{self.design} N={self.num_points} seed {self.seed}"


@dataclass(frozen=True)
class Preset:
    designs: tuple[str, ...]
    sizes: tuple[int, ...]
    replicates: int
    seeds: int


PRESETS = {
    "smoke": Preset(("uniform, torus, d=2", "two-level clumped, cube, d=2"), (16, 64), replicates=50, seeds=2),
    "quick": Preset(tuple(DESIGNS), (16, 64, 256), replicates=100, seeds=5),
    "paper": Preset(tuple(DESIGNS), (16, 64, 256, 1024), replicates=200, seeds=20),
}


def plan(preset: Preset) -> list[SeparationRun]:
    return [
        SeparationRun(design, size, preset.replicates, seed)
        for design in preset.designs
        for size in preset.sizes
        for seed in range(preset.seeds)
    ]


def require(run: SeparationRun) -> None:
    """Raise ValueError for a run that cannot be."""
    require_known("design", run.design, DESIGNS)
    requirements.size("num_points", run.num_points, least=2, most=MOST_POINTS)
    requirements.size("replicates", run.replicates, least=1)
    requirements.seed(run)


def measure(runs: Sequence[SeparationRun]) -> Iterator[tuple[SeparationRun, Measured]]:
    for run in runs:
        density, torus = DESIGNS[run.design]
        rng = np.random.default_rng([run.seed, run.num_points, list(DESIGNS).index(run.design)])
        period = 1.0 if torus else None
        found = np.array(
            [separation(density.sample(run.num_points, rng), period=period).distance for _ in range(run.replicates)]
        )
        yield run, Measured({}, {"separation": found}, f"mean h_min {found.mean():.4g}")


def _unit(density: Density, size: int) -> float:
    """(N(N-1)/2 V_d |pi|_2^2)^(-1/d), the law's unit of length."""
    return float(sampling_law.separation_quantile(1.0, size, dim=density.dim, density_norm_sq=density.l2_norm_squared))


def _checks(design: str, size: int, found: np.ndarray) -> Iterator[Check]:
    """Tail and mean of one design at one N against the sampling law and, on the torus, the limit law's band."""
    density, torus = DESIGNS[design]
    law: dict[str, Any] = {"dim": density.dim, "density_norm_sq": density.l2_norm_squared}
    where = f"{design}, N={size}"
    side: Domain = "torus" if torus else "cube"
    # No sample exceeds the ceiling if S4 is true; if one does, S4's check says so, not an exception here.
    largest = max(packing_ceiling.CEILINGS[side](size, dim=density.dim), float(found.max()))
    mean, nothing = (mean_interval(each, largest=largest, error_rate=ERROR_RATE) for each in (found, 0 * found))
    yield packing_ceiling.check(
        float(found.max()), size, dim=density.dim, domain=side, instance=f"largest of {len(found)} samples, {where}"
    )
    yield _able_to_fail(
        sampling_law.check_mean(mean.high, size, **law, instance=f"mean, {where}"),
        sampling_law.check_mean(nothing.high, size, **law),
    )
    if torus:
        yield _able_to_fail(
            limit_law.check_mean(mean, size, dim=density.dim, instance=f"mean, {where}"),
            limit_law.check_mean(nothing, size, dim=density.dim),
        )
    for level in LEVELS:
        t = level ** (1 / density.dim) * _unit(density, size)
        closer = binomial_interval(int(np.sum(found < t)), len(found), error_rate=ERROR_RATE)
        yield sampling_law.check(closer.low, t, size, **law, instance=f"u={level:g}, {where}")
        if torus:
            survival = Interval(1 - closer.high, 1 - closer.low)
            yield limit_law.check(survival, t, size, dim=density.dim, instance=f"u={level:g}, {where}")


def _able_to_fail(check: Check, on_duplicates: Check) -> Check:
    """Vacuous when even samples of nothing but duplicates would have passed: the sample is too small to speak."""
    return check if judge(on_duplicates) is Verdict.VIOLATED else check._replace(vacuous=True)


def _best_known() -> Iterator[Check]:
    """The packing ceiling against the best known point sets of the sphere and the square, which come nearest to it."""
    kinds: dict[str, Domain] = {"tammes": "sphere", "square_packing": "cube"}
    sets = [("tammes", size, Sphere(3)) for size in (*range(4, 15), 24)]
    sets += [("square_packing", size, Cube(2)) for size in (*range(2, 11), 16, 25, 36)]
    for family, size, domain in sets:
        found = construct(family, size, domain).separation
        where = f"{family} N={size}"
        yield packing_ceiling.check(found, size, dim=domain.coordinates, domain=kinds[family], instance=where)


def find(preset: Preset, records: Sequence[Record]) -> Findings:
    cells: dict[tuple[str, int], list[np.ndarray]] = {}
    for record in records:
        cells.setdefault((record.config["design"], record.config["num_points"]), []).append(record.arrays["separation"])
    checks = [
        check for (design, size), found in cells.items() for check in _checks(design, size, np.concatenate(found))
    ]
    checks += _best_known()
    slopes, designs = [], []
    for design in preset.designs:
        density, torus = DESIGNS[design]
        means = np.array([[part.mean() for part in cells[design, size]] for size in preset.sizes]).T
        scale = np.sqrt([size * (size - 1.0) for size in preset.sizes])  # the law is exact in N(N-1)
        slopes.append(
            bootstrap_slope(scale, means, claim="S2", label=f"E h_min in N, {design}", expected=-2 / density.dim)
        )
        units = np.array([_unit(density, size) for size in preset.sizes])
        last = np.sort(np.concatenate(cells[design, preset.sizes[-1]]))
        designs.append(
            {
                "name": design,
                "dim": density.dim,
                "torus": torus,
                "norm_squared": density.l2_norm_squared,
                "maximum": density.maximum,
                "mean": means.mean(axis=0).tolist(),
                "collapsed": (means / units).mean(axis=0).tolist(),
                "collapsed_seeds": (means / units).tolist(),
                "scaled_quantiles": _thin((last / units[-1]) ** density.dim),
            }
        )
    return Findings(
        summary={
            "sizes": list(preset.sizes),
            "replicates": preset.replicates,
            "seeds": preset.seeds,
            "designs": designs,
            "limit": {str(d): math.gamma(1 + 1 / d) for d in (1, 2, 3)},
        },
        checks=checks,
        slopes=slopes,
        words=_words(preset, designs, slopes),
    )


def _thin(values: np.ndarray, count: int = 60) -> list[list[float]]:
    """(value, empirical survival) at about `count` order statistics."""
    ranks = np.unique(np.linspace(0, len(values) - 1, count).astype(int))
    return [[float(values[rank]), 1 - (rank + 0.5) / len(values)] for rank in ranks]


def _words(preset: Preset, designs: list[dict[str, Any]], slopes: list[Slope]) -> dict[str, str]:
    """The two findings in plain words."""
    far = max(abs(slope.measured - slope.expected) for slope in slopes if slope.expected is not None)
    samples = preset.replicates * preset.seeds
    widest = max(
        float(np.ptp(binomial_interval(round(math.exp(-level) * samples), samples, error_rate=ERROR_RATE)))
        for level in LEVELS
    )
    bands = [limit_law.survival_band(level, preset.sizes[0]) for level in LEVELS]
    band = max(float(each.high - each.low) for each in bands) / 2
    limit = (
        f"Measured slopes of E h_min in N lie within {far:.2f} of -2/d for all {len(slopes)} designs. The samples "
        f"resolve a probability to {widest / 2:.2g} either way; the finite-N band is {band:.2g} wide at most."
    )
    by_name = {design["name"]: design for design in designs}
    names = ("two-level even, cube, d=2", "two-level clumped, cube, d=2")
    if not all(name in by_name for name in names):
        return {"S2": limit}
    even, clumped = (by_name[name] for name in names)
    ratio = even["mean"][-1] / clumped["mean"][-1]
    predicted = (clumped["norm_squared"] / even["norm_squared"]) ** 0.5
    return {
        "S1": f"Two densities with the same maximum {even['maximum']:g}: the one with the smaller |pi|_2 has a mean "
        f"h_min {ratio:.2f} times larger (|pi|_2 predicts {predicted:.2f}, sup pi predicts 1) at "
        f"N = {preset.sizes[-1]}.",
        "S2": limit,
    }


STUDY = Study(
    name="separation_law",
    code="X1",
    title="More uniform densities have a larger h_min",
    question="Does E h_min fall like N^(-2/d), and does |pi|_2 rather than sup pi govern it?",
    varied="N, dimension, density",
    control="two densities of equal maximum and different |pi|_2",
    falsified_by="a slope other than -2/d, no collapse at Gamma(1 + 1/d), a tail outside its bound",
    claims=("S1", "S2", "S4"),
    schema=1,
    presets=PRESETS,
    plan=plan,
    batch=lambda run: run.design,
    require=require,
    measure=measure,
    find=find,
)

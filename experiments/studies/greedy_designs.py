"""X2: how does h_min fall with N for points that are chosen, against points that are drawn?

Question. The slope of h_min in N for designs on the flat torus, d = 1, 2, 3: is it -2/d for independent points and -1/d
for chosen ones, and what does farthest-first (greedy) from a pool of M random candidates need of M?
Varied. The design alone: same torus (no edge, so that powers of N are exact), same N, h_min exact. Within greedy the
pool: M = cN for a few c, M = N + 8, and one dense pool for every N.
Control. Independent points, which are greedy with M = N; Sobol' points, whose low discrepancy is not separation; the
grid with a jitter of half a cell (one random point a cell), whose close neighbours nobody keeps apart.
Why greedy from M = cN candidates gets -1/d. When greedy takes its N-th point, at distance r_N = h_min from the others
(D1, fall), each of the M - N + 1 candidates not taken before lies within r_N of a point that was: so many pairs of the
pool, at least, lie within h_min. An independent pool has about M^2/2 V_d t^d pairs within t (S1, at M points). Hence
h_min >~ (2 (M - N + 1) / (V_d M^2))^(1/d): of order N^(-1/d) for M = cN with any c > 1, N^(-2/d) for M = N + const.
Falsified by. A greedy set above the packing ceiling, from a pool with fewer close pairs, or of another slope;
independent points above the birthday ceiling; a design of slope -1/d that nobody chose.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.spatial import KDTree

from experiments.blocks import require_known
from experiments.points import Torus, construct
from experiments.points.greedy import farthest_first, uniform_pool
from experiments.separation import distances, fill_distance, separation
from experiments.studies import requirements
from experiments.studies.greedy_designs_findings import find
from experiments.study import Measured, Study


class Design(NamedTuple):
    """pool: N -> M for greedy.  build(num_points, domain, seed): the point set of any other design."""

    pool: Callable[[int], int] | None = None
    build: Callable[[int, Torus, int], Any] | None = None


DENSE_POOL = 32_768
_FAMILY = {
    "independent": lambda n, domain, seed: construct("uniform", n, domain, seed=seed),
    "Sobol'": lambda n, domain, seed: construct("sobol", n, domain, seed=seed),
    "one random point a cell": lambda n, domain, seed: construct("jittered_grid", n, domain, jitter=0.5, seed=seed),
    "grid jittered by a quarter cell": lambda n, domain, seed: construct(
        "jittered_grid", n, domain, jitter=0.25, seed=seed
    ),
    "Poisson disc": lambda n, domain, seed: construct(
        "poisson_disc", n, domain, h=0.6 * domain.packing_ceiling(n), seed=seed
    ),
}
DESIGNS: dict[str, Design] = {
    **{name: Design(build=build) for name, build in _FAMILY.items()},
    "greedy, M = N + 8": Design(pool=lambda n: n + 8),
    "greedy, M = 1.1 N": Design(pool=lambda n: round(1.1 * n)),
    "greedy, M = 2 N": Design(pool=lambda n: 2 * n),
    "greedy, M = 4 N": Design(pool=lambda n: 4 * n),
    "greedy, M = 16 N": Design(pool=lambda n: 16 * n),
    f"greedy, M = {DENSE_POOL:,}": Design(pool=lambda n: DENSE_POOL),
}
DRAWN = tuple(_FAMILY)[:-1]
"""Designs that are drawn at once, without choosing: several samples a seed cost little."""

_GRIDDED = ("one random point a cell", "grid jittered by a quarter cell")

SIDES = {1: (25, 100, 400, 1600), 2: (5, 10, 20, 40), 3: (3, 5, 7, 12)}
"""N = side^d, so that every N has a grid: N runs from about 25 to about 1,700."""

MOST_POINTS = 2**20
"""Of a design; a greedy one takes as many rounds over its pool."""

PROBES = {1: 2048, 2: 64, 3: 20}
SMALL_POOL, SMALL_CHOICE = 12, 5


@dataclass(frozen=True)
class DesignRun:
    """One design in one dimension at every N. replicates: independent samples at each N (1 where choosing is dear)."""

    design: str
    dim: int
    sizes: tuple[int, ...]
    replicates: int
    seed: int

    @property
    def label(self) -> str:
        return f"{self.design}, d={self.dim}, seed {self.seed}"


@dataclass(frozen=True)
class Preset:
    """sizes: how many of the N, from the smallest.  replicates: of the designs that are drawn and not chosen."""

    designs: tuple[str, ...]
    dims: tuple[int, ...]
    sizes: int
    replicates: int
    seeds: int


_FEW = (
    "independent",
    "Sobol'",
    "grid jittered by a quarter cell",
    "greedy, M = N + 8",
    "greedy, M = 2 N",
    "greedy, M = 16 N",
)

PRESETS = {
    "smoke": Preset(_FEW, (2,), sizes=2, replicates=10, seeds=2),
    "quick": Preset(tuple(DESIGNS), (1, 2, 3), sizes=3, replicates=10, seeds=5),
    "paper": Preset(tuple(DESIGNS), (1, 2, 3), sizes=4, replicates=20, seeds=20),
}


def plan(preset: Preset) -> list[DesignRun]:
    return [
        DesignRun(
            design,
            dim,
            tuple(side**dim for side in SIDES[dim][: preset.sizes]),
            preset.replicates if design in DRAWN else 1,
            seed,
        )
        for dim in preset.dims
        for design in preset.designs
        for seed in range(preset.seeds)
    ]


def require(run: DesignRun) -> None:
    """Raise ValueError for a run that cannot be."""
    require_known("design", run.design, DESIGNS)
    if run.dim not in SIDES:
        raise ValueError(f"dim must be one of {', '.join(map(str, SIDES))}, but was {run.dim}")
    design = DESIGNS[run.design]
    if not run.sizes or min(run.sizes) < 2 or max(run.sizes) > MOST_POINTS:
        raise ValueError(f"sizes must be a list of whole numbers, 2 .. {MOST_POINTS}, but was {list(run.sizes)}")
    requirements.seed(run)
    requirements.size("replicates", run.replicates, least=1, most=1 if design.pool else None)
    for n in run.sizes:
        if design.pool and design.pool(n) < n:
            raise ValueError(f"sizes must be at most the pool's {design.pool(n)} points, but had {n}")
        if run.design in _GRIDDED and round(n ** (1 / run.dim)) ** run.dim != n:
            raise ValueError(f"sizes must be whole numbers to the power {run.dim} for {run.design!r}, but had {n}")


def batch(run: DesignRun) -> tuple[str, int]:
    return run.design, run.dim


def measure(runs: Sequence[DesignRun]) -> Iterator[tuple[DesignRun, Measured]]:
    for run in runs:
        design, domain = DESIGNS[run.design], Torus(run.dim)
        arrays = _chosen(run, design, domain) if design.pool else {"separation": _drawn(run, design, domain)}
        last = arrays["separation"][-1]
        yield run, Measured({}, arrays, f"h_min {last.mean():.4g} at N = {run.sizes[-1]:,}")


def _fresh(run: DesignRun, size: int, replicate: int = 0) -> int:
    """A seed of its own for every N and replicate, the same for every design."""
    return (run.seed * run.replicates + replicate) * len(run.sizes) + size


def _drawn(run: DesignRun, design: Design, domain: Torus) -> np.ndarray:
    """h_min, (sizes, replicates)."""
    assert design.build
    return np.array(
        [
            [design.build(n, domain, _fresh(run, k, replicate)).separation for replicate in range(run.replicates)]
            for k, n in enumerate(run.sizes)
        ]
    )


def _chosen(run: DesignRun, design: Design, domain: Torus) -> dict[str, np.ndarray]:
    """Greedy at every N: what D1, A4 and the count of close pairs speak of, and D1's optima on a small pool."""
    assert design.pool
    rows: list[dict[str, float]] = []
    for k, n in enumerate(run.sizes):
        pool = uniform_pool(n, domain, pool_size=design.pool(n), seed=_fresh(run, k))
        order = farthest_first(pool, n, period=domain.period)
        rows.append(_measure_chosen(pool, order, domain))
    arrays = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    small_seed = _fresh(run, 0) * len(DESIGNS) + list(DESIGNS).index(run.design)
    small = uniform_pool(SMALL_POOL, domain, seed=small_seed, pool_size=SMALL_POOL)
    return {
        **arrays,
        "separation": arrays["separation"][:, None],
        "small_distances": distances(small, small, period=domain.period),
        "small_order": farthest_first(small, SMALL_CHOICE, period=domain.period),
    }


def _measure_chosen(pool: np.ndarray, order: np.ndarray, domain: Torus) -> dict[str, float]:
    """close_pairs: pairs of the pool within h_min.  cover: largest distance of a candidate to the chosen ones.

    fill, pool_fill: the same of the probes, a grid of which every point of the torus is within `probe_radius`.
    """
    chosen, size = pool[order], len(pool)
    h = separation(chosen, period=domain.period).distance
    probes = domain.probes(PROBES[domain.dim])
    tree = KDTree(pool, boxsize=domain.period)
    # Counts each pair twice and every point with itself; distances equal to h may round to either side.
    close = (tree.count_neighbors(tree, h * (1 + 1e-12)) - size) // 2 if size < DENSE_POOL else -1
    return {
        "separation": h,
        "pool_size": size,
        "close_pairs": close,
        "cover": fill_distance(chosen, pool, period=domain.period),
        "fill": fill_distance(chosen, probes.points, period=domain.period),
        "pool_fill": fill_distance(pool, probes.points, period=domain.period),
        "probe_radius": probes.cover_radius,
    }


STUDY = Study(
    name="greedy_designs",
    code="X2",
    title="Chosen points against drawn points",
    question="Does h_min fall like N^(-1/d) for chosen points, like N^(-2/d) for independent ones?",
    varied="the design; for greedy its pool",
    control="independent points; Sobol' points; one random point a grid cell",
    falsified_by="other slopes, a set above the packing ceiling, fewer close pairs in a pool than greedy needs",
    claims=("S1", "S3", "S4", "A4", "D1"),
    schema=1,
    presets=PRESETS,
    plan=plan,
    batch=batch,
    require=require,
    measure=measure,
    find=find,
)

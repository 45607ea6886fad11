"""The inequalities of A1 to A6 on the records of the approximation study.

Each that needs the network's Lipschitz constant or curvature is checked twice: with an upper bound composed from the
norms of its parameters, and ("seen") with the largest value over the reference points, which is far smaller for the
transformer. The error enters by lower bounds and cannot make a violation of its own.
"""

import math
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np

from experiments import cubature
from experiments.points import Cube
from experiments.points.greedy import uniform_pool
from experiments.records import Record
from experiments.separation import distances, fill_distance
from theory import greedy_fill, mean_error, second_order_error, separation_error, separation_is_not_coverage, sup_error
from theory.verdict import Check

TARGET_BEND = 1.5 * math.pi
"""|g''| <= this times Lip g for the target in d = 1: Lip g = sum |c_k w_k| there, and no |w_k| exceeds it."""

_POOL_PROBES = {1: 20_001, 2: 201}


def dimension(record: Record) -> int:
    return math.prod(record.config["point_shape"])


def checks(records: Sequence[Record]) -> Iterator[Check]:
    """Of each run that did not diverge and has the target's labels; a design's geometry once, not per network."""
    seen = set()
    for record in records:
        config = record.config
        design = (dimension(record), config["design"], config["separation"], config["num_points"], config["seed"])
        where = f"d={design[0]} {config['design']} N={config['num_points']} seed {config['seed']}"
        if design not in seen:
            seen.add(design)
            yield from _geometry(record, where)
        if record.scalars["status"] != "diverged" and not config["gap"]:
            for constant in ("bound", "seen"):
                yield from _errors(record, f"{config['architecture']['kind']} {where}", constant)


def _named(check: Check, constant: str) -> Check:
    return check if constant == "bound" else check._replace(inequality=f"{check.inequality}, constants seen")


def _errors(record: Record, where: str, constant: str) -> Iterator[Check]:
    """The bounds on the error, with the network's constants of one kind."""
    config, run, dim = record.config, record.scalars, dimension(record)
    slope_f, slope_g = run[f"slope_{constant}"], config["lipschitz"]
    slope = slope_f + slope_g
    evidence: dict[str, Any] = {
        "node_error": run["node_error"],
        "lipschitz_f": slope_f,
        "lipschitz_g": slope_g,
        "instance": where,
    }
    evidence |= {"observed_slope": run["quotient_seen"], "output_scale": run["value_scale"] + slope_g}
    integral = max(run["mean_error"] - slope * cubature.mean_distance(dim), 0.0)
    yield _named(
        sup_error.check(sup_error=run["sup_error"], fill_distance=run["fill_distance"], **evidence),
        constant,
    )
    yield _named(
        mean_error.check(integral=integral, mean_distance=run["mean_distance"], volume=1.0, **evidence), constant
    )
    ceiling = max(run["sup_error"] + slope * _reference_radius(dim), run["node_error"])
    yield _named(
        separation_error.check(
            integral=integral,
            separation=min(run["separation"], 2.0 * run["boundary_distance"]),  # balls of a smaller h stay inside
            num_points=config["num_points"],
            dim=dim,
            volume=1.0,
            lipschitz=slope,
            sup_error=ceiling,
            node_error=run["node_error"],
            true_separation=run["separation"],
            boundary_distance=run["boundary_distance"],
            instance=where,
            observed_slope=run["quotient_seen"],
            observed_sup=run["sup_error"],
            observed_node_error=run["node_error"],
        ),
        constant,
    )
    if config["design"] == "greedy":
        evidence |= _traversal(record)
        yield _named(
            greedy_fill.check_error(sup_error=run["sup_error"], separation=run["separation"], **evidence), constant
        )
    if dim == 1:
        yield from (_named(check, constant) for check in _on_the_line(record, where, constant))


def _on_the_line(record: Record, where: str, constant: str) -> Iterator[Check]:
    config, run = record.config, record.scalars
    nodes = np.sort(record.arrays["points"][:, 0])
    yield second_order_error.check_line(
        run["sup_error"],
        nodes,
        (0.0, 1.0),
        curvature=run[f"bend_{constant}"] + TARGET_BEND * config["lipschitz"],
        node_error=run["node_error"],
        size=run["value_scale"] + config["lipschitz"],
        instance=where,
    )
    # (|e| - eps)_+ is as steep as e and vanishes on the points: with 0 it is a pair of A6's kind.
    yield separation_is_not_coverage.check_ceiling(
        max(run["sup_error"] - run["node_error"], 0.0),
        nodes,
        separation=float(np.diff(nodes).min()),
        total_slope=run[f"slope_{constant}"] + config["lipschitz"],
        instance=where,
    )


def _geometry(record: Record, where: str) -> Iterator[Check]:
    """What holds of the points alone. The worst error of a pair of total slope 1 is h_fill itself (A1)."""
    config, run, dim = record.config, record.scalars, dimension(record)
    size, separation, fill = config["num_points"], run["separation"], run["fill_distance"]
    yield mean_error.check_distance(
        mean_distance=run["mean_distance"], num_points=size, dim=dim, volume=1.0, instance=where
    )
    yield greedy_fill.check_half(fill_distance=fill, separation=separation, instance=where)
    yield greedy_fill.check_packing(
        separation=separation, num_points=size, dim=dim, volume=1.0, inradius=0.5, instance=where
    )
    if config["design"] == "greedy":
        traversal = _traversal(record)
        yield greedy_fill.check(fill_distance=fill, separation=separation, instance=where, **traversal)
        yield greedy_fill.check_volume(
            separation=separation, num_points=size, dim=dim, volume=1.0, instance=where, **traversal
        )
    if dim == 1:
        nodes = np.sort(record.arrays["points"][:, 0])
        least = float(np.diff(nodes).min())
        yield greedy_fill.check_line(
            fill_distance=fill, separation=separation, true_separation=least, num_points=size, instance=where
        )
        yield separation_is_not_coverage.check_floor(fill, nodes, separation=least, total_slope=1.0, instance=where)


def _reference_radius(dim: int) -> float:
    """Every x of [0,1]^d lies within it of a point where the error was read off, a midpoint of cubature's cells."""
    side = len(cubature.midpoints(dim)) ** (1 / dim)
    return 0.5 * math.sqrt(dim) / side


def _traversal(record: Record) -> dict[str, float]:
    """What A4 asks of a farthest-first set: an upper bound q of its pool's fill distance, and that it is one."""
    dim, seed = dimension(record), record.config["seed"]
    pool, points = uniform_pool(record.config["num_points"], Cube(dim), seed=seed), record.arrays["points"]
    to_taken, lead = distances(pool, points[:1])[:, 0], math.inf
    for point in points[1:]:
        to_point = distances(pool, point[None])[:, 0]
        lead = min(lead, float(to_taken[np.argmin(to_point)] - to_taken.max()))
        to_taken = np.minimum(to_taken, to_point)
    return {"pool_fill": _pool_fill(dim, len(pool), seed), "maximality": lead}


@cache
def _pool_fill(dim: int, pool_size: int, seed: int) -> float:
    domain = Cube(dim)
    pool, probes = uniform_pool(2, domain, pool_size=pool_size, seed=seed), domain.probes(_POOL_PROBES[dim])
    return fill_distance(pool, probes.points) + probes.cover_radius

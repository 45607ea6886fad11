"""The slowdown study's floors that are known before training (R6): nothing of the run but its start enters them.

Lbar after a path of length P is the blocks' own Lipschitz constant of x -> grad_theta f (theory.smoothness) on the
radii that such a path can reach from theta_0, rebuilt from the run's seed, and on the ball that holds the pair.
"""

from collections.abc import Iterator, Sequence
from functools import cache, partial
from typing import Any

import jax
import numpy as np

from experiments.architecture import ArchitectureConfig
from experiments.blocks import Chain
from experiments.points.collapse import spread_set
from experiments.records import Record
from experiments.smoothness import known_path_floor, parameter_radii
from experiments.studies.floor_checks import rounding_scales
from experiments.studies.networks import domain_of
from theory import feature_learning_floor
from theory.path_floor import excess_gap
from theory.verdict import Check


@cache
def _pair_radius(point_shape: tuple[int, ...], num_points: int, seed: int) -> float:
    """A ball that holds the closest pair at every h: it moves between the anchor and one other point of the set."""
    spread = spread_set(num_points, domain_of(point_shape), seed=seed)
    return float(max(np.linalg.norm(spread.fixed[0]), np.linalg.norm(spread.end)))


def excess(record: Record) -> float:
    """(|d_0| - 2 sqrt(N eps))_+, the gap that must go before the loss can reach the target."""
    config = record.config
    return float(excess_gap(abs(record.scalars["gap_start"]), config["target"], num_points=config["num_points"]))


def known_path_floors(records: Sequence[Record]) -> list[float]:
    """P* of each run, in order; the runs of one architecture in one compiled call."""
    floors = np.zeros(len(records))
    groups: dict[tuple[ArchitectureConfig, tuple[int, ...]], list[int]] = {}
    for index, record in enumerate(records):
        key = ArchitectureConfig(**record.config["architecture"]), tuple(record.config["point_shape"])
        groups.setdefault(key, []).append(index)
    for (architecture, point_shape), members in groups.items():
        configs = [records[index].config for index in members]
        floors[members] = _path_floors(
            architecture.build(point_shape),
            point_shape,
            np.array([config["seed"] for config in configs]),
            np.array([_pair_radius(point_shape, config["num_points"], config["seed"]) for config in configs]),
            np.array([excess(records[index]) for index in members]),
            np.array([records[index].scalars["separation"] for index in members]),
        )
    return floors.tolist()


@partial(jax.jit, static_argnums=(0, 1))
def _path_floors(
    model: Chain, point_shape: tuple[int, ...], seed: Any, radius: Any, excess: Any, separation: Any
) -> Any:
    def floor(seed: Any, radius: Any, excess: Any, separation: Any) -> Any:
        radii = parameter_radii(model, model.init(jax.random.key(seed)))
        return known_path_floor(model, radii, radius, excess, separation, point_shape=point_shape)

    return jax.vmap(floor)(seed, radius, excess, separation)


def checks(record: Record, floor: float, where: str) -> Iterator[Check]:
    """R6's path and step floor for a run that reached its target."""
    config, run = record.config, record.scalars
    if run["status"] != "reached":
        return
    needed = excess(record)
    scales = rounding_scales(record)
    output_loss = scales["output_scale"] / needed if needed else 1.0
    shared: dict[str, Any] = {
        "target_loss": config["target"],
        "final_loss": run["loss_end"],
        "cancellation": max(output_loss, scales["gradient_scale"] / run["gradient_gap"], 1.0),
        "instance": where,
    }
    yield feature_learning_floor.check(run["path_length"], floor, **shared)
    yield feature_learning_floor.check_steps(
        run["steps"],
        floor,
        initial_loss=run["loss_start"],
        squared_gradient_sum=run["gradient_square_sum"],
        step_size=config["step_size"],
        **shared,
    )


def known_steps(record: Record, floor: float) -> float:
    """R6's floor on the steps: P*^2 / (2 eta L_0)."""
    steps = feature_learning_floor.least_steps(
        floor, record.scalars["loss_start"], step_size=record.config["step_size"]
    )
    return float(steps)

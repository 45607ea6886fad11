"""X10: does a skip connection keep layers, features and kernel from degenerating with depth?

Question. Across depth, bottleneck and skip: how often is a layer's Jacobian, the features' Jacobian or the kernel
singular, and how do sigma_min(DF) and h_min of the features move with depth, inside the bounds for small branches?
Varied. The skip: the same parameters and points with and without it. Bottlenecks, activations, normalisations, branch
sizes and architectures are repetitions of that comparison; depth is read along one and the same network.
Control. The network without its skips; ReLU, whose dead units make a layer without skip merge points.
Falsified by. A singular layer with a skip, or a nonsingular one without it whose bottleneck is narrower than the
features; features or singular values outside the product bounds; a composed kernel below its outer part's; points
merging at more scales than their pairs allow.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from experiments.architecture import EPS, ArchitectureConfig, parameter_count
from experiments.blocks import Params
from experiments.ensemble import drawn
from experiments.hunts.nondegeneracy import certain_sign_changes
from experiments.layer_maps import (
    LayerMaps,
    Look,
    chained,
    cut_parameters,
    gradient_rows,
    layer_maps,
    lipschitz_constants,
    look,
    perceptron_weights,
    scaled_branch,
    whole_rows,
)
from experiments.points import construct
from experiments.studies import requirements
from experiments.studies.networks import domain_of
from experiments.studies.propagation_findings import COMPOSED, find
from experiments.study import Measured, Study
from theory.require import positive


@dataclass(frozen=True)
class PropagationRun:
    """One network at initialisation, all its depths. branch_constant: every branch is scaled to this Lipschitz constant
    (None: as drawn).  profile: whether its curves against depth are told, or its singular fraction only."""

    architecture: ArchitectureConfig
    point_shape: tuple[int, ...]
    num_points: int
    h: float
    skip: bool
    branch_constant: float | None
    profile: bool
    seed: int

    @property
    def label(self) -> str:
        net = self.architecture
        size = "" if self.branch_constant is None else f" branches {self.branch_constant:g}"
        norm = "" if net.normalisation is None else f" {net.normalisation}"
        skip = "skip" if self.skip else "no skip"
        return f"{net.kind} {net.activation} hidden {net.bottleneck or net.width}{norm}{size} {skip} seed {self.seed}"


@dataclass(frozen=True)
class Case:
    """A network, with and without its skips where it has any."""

    architecture: ArchitectureConfig
    point_shape: tuple[int, ...]
    branch_constant: float | None = None
    profile: bool = True

    @property
    def skips(self) -> tuple[bool, ...]:
        return (False,) if self.architecture.kind == "plain" else (True, False)


@dataclass(frozen=True)
class Preset:
    cases: tuple[Case, ...]
    seeds: int
    num_points: int = 8
    h: float = 0.1


WIDTH = 8
SMALL_BRANCH = 0.25


def _residual(depth: int, hidden: int, activation: str = "tanh", **options: Any) -> ArchitectureConfig:
    return ArchitectureConfig("residual", WIDTH, depth, activation=activation, bottleneck=hidden, **options)


def _transformer(depth: int, hidden: int, **options: Any) -> ArchitectureConfig:
    """Two layers each: attention and perceptron."""
    return ArchitectureConfig(
        "transformer", WIDTH, depth // 2, activation="gelu", heads=2, bottleneck=hidden, **options
    )


def _sweep(depth: int, bottlenecks: dict[str, tuple[int, ...]]) -> tuple[Case, ...]:
    """Residual networks of each activation and bottleneck; curves only where it is as wide as the features."""
    return tuple(
        Case(_residual(depth, hidden, activation), (4,), profile=hidden == WIDTH)
        for activation, widths in bottlenecks.items()
        for hidden in widths
    )


def _kinds(depth: int) -> tuple[Case, ...]:
    """Other kinds, normalisations and branch sizes, at a bottleneck as wide as the features or wider."""
    return (
        Case(ArchitectureConfig("plain", WIDTH, depth + 1), (4,)),
        Case(_residual(depth, WIDTH), (4,), SMALL_BRANCH),
        Case(_residual(depth, WIDTH, normalisation="tau"), (4,)),
        Case(_transformer(depth, 4 * WIDTH), (2, 4)),
        Case(_residual(depth, WIDTH, normalisation="layernorm"), (4,)),
        Case(_residual(depth, WIDTH, normalisation="tau", eps=1.0), (4,), SMALL_BRANCH),
        Case(_transformer(depth, 4 * WIDTH, normalisation="tau", eps=1.0), (2, 4), SMALL_BRANCH),
    )


PRESETS = {
    "smoke": Preset(
        (
            Case(_residual(3, 2), (4,), profile=False),
            Case(_residual(3, WIDTH), (4,), SMALL_BRANCH),
            Case(_residual(3, WIDTH, normalisation="tau"), (4,), profile=False),
        ),
        seeds=2,
    ),
    "quick": Preset((*_sweep(8, {"tanh": (2, 8), "relu": (8,)}), *_kinds(8)[:4]), seeds=5),
    "paper": Preset(
        (
            *_sweep(
                12,
                {"tanh": (1, 2, 4, 6, 7, 8, 10, 16), "gelu": (4, 7, 8, 16), "relu": (1, 2, 4, 6, 7, 8, 10, 16)},
            ),
            *_kinds(12),
        ),
        seeds=20,
    ),
}


def plan(preset: Preset) -> list[PropagationRun]:
    return [
        PropagationRun(
            case.architecture,
            case.point_shape,
            preset.num_points,
            preset.h,
            skip,
            case.branch_constant,
            case.profile,
            seed,
        )
        for case in preset.cases
        for skip in case.skips
        for seed in range(preset.seeds)
    ]


def require(run: PropagationRun) -> None:
    """Raise ValueError for a run that cannot be."""
    model = requirements.network(run.architecture, run.point_shape)
    try:
        layer_maps(model)
    except ValueError as error:
        raise ValueError(f"architecture.depth must leave layers to look at, but {error}") from error
    if run.skip and run.architecture.kind == "plain":
        raise ValueError("skip must be false for architecture 'plain', which has none, but was true")
    requirements.seed(run)
    requirements.pair(run)
    if run.branch_constant is not None:
        positive(branch_constant=run.branch_constant)
        if not run.profile:
            raise ValueError("profile must be true where branch_constant is a number, but was false")


def batch(run: PropagationRun) -> tuple[Any, ...]:
    """With and without skip together: what is compiled is the branch."""
    return run.architecture, run.point_shape, run.num_points, run.branch_constant or 0.0, run.profile


def measure(runs: Sequence[PropagationRun]) -> Iterator[tuple[PropagationRun, Measured]]:
    model = runs[0].architecture.build(runs[0].point_shape)
    points = [
        construct("pair_collapse", run.num_points, domain_of(run.point_shape), h=run.h, seed=run.seed) for run in runs
    ]
    x = np.stack([each.points for each in points])
    # One compiled draw, then numpy: dispatched one by one, these operations would cost more than the networks.
    params = jax.tree.map(np.asarray, drawn(model, np.array([run.seed for run in runs])))
    columns = _columns(layer_maps(model), params, x, runs)
    for index, run in enumerate(runs):
        # N3's matrices are large: they are kept for some runs only.
        composed = run.profile and run.seed < COMPOSED
        arrays = {name: column[index] for name, column in columns.items() if composed or not name.startswith("half_")}
        start, arrays["separation"] = arrays["separation"][0], arrays["separation"][1:]
        scalars = {"parameters": parameter_count(params) // len(runs), "start_separation": float(start)}
        singular = int((columns["layer_smallest"][index] <= columns["layer_error"][index]).any(axis=0).sum())
        yield run, Measured(scalars, arrays, f"singular at {singular} of {run.num_points} points")


def _columns(maps: LayerMaps, params: Params, x: np.ndarray, runs: Sequence[PropagationRun]) -> dict[str, np.ndarray]:
    """What is measured, runs first.

    features: (depths, N, f).  separation, shrink: h_min at each depth, and the smallest factor by which the layer
    changed a pair's distance.  normalised: h_min of tau_eps of each layer's inputs.  constants: Lipschitz constant of
    each branch, from its bounds (profiles only).
    layer_smallest, layer_largest, layer_error: singular values of each layer's Jacobian, (layers, N), and their error
    bar.  chain_: the same of the features' by h_0, (depths, N).  kernel_smallest, kernel_error, kernel_largest:
    eigenvalues of the kernel of the network that ends after each depth, lambda_min as the square of J's sigma_min.
    half_: the whole kernel by a route of its own, and its parts when the network is cut in the middle (profiles only).
    """
    embed_params, layer_params, tail_params = cut_parameters(maps, params)
    start = look(maps.embed, embed_params, x)
    features, by_params, branches, constants = [np.asarray(start.value)], [np.asarray(start.by_params)], [], []
    skipped = np.array([run.skip for run in runs], features[0].dtype)
    branch_constant = runs[0].branch_constant
    for place, layer in enumerate(maps.layers):
        if runs[0].profile:
            constant = np.asarray(lipschitz_constants(layer, layer_params[place], features[-1]))
            if branch_constant is not None:
                layer_params[place] = scaled_branch(layer_params[place], branch_constant / constant)
                constant = np.full_like(constant, branch_constant)
            constants.append(constant)
        branch = look(layer, layer_params[place], features[-1])
        kept = skipped.reshape(-1, *(1,) * (features[-1].ndim - 1)) * features[-1]
        features.append(kept + np.asarray(branch.value))
        branches.append(np.asarray(branch.by_input))
        by_params.append(np.asarray(branch.by_params))
    layers = np.stack(branches)
    layers = layers + skipped[:, None, None, None] * np.eye(layers.shape[-1], dtype=layers.dtype)
    tails = [look(maps.tail, tail_params, each) for each in features]
    flat = np.stack([each.reshape(*each.shape[:2], -1) for each in features], axis=1)
    columns = {"features": flat} | ({"constants": np.stack(constants, axis=1)} if constants else {})
    columns |= _pair_distances(flat, runs[0].architecture)
    columns |= _singular_values(layers) | _kernels(layers, by_params, tails)
    columns |= _perceptrons(maps, layer_params, np.stack(branches))
    if runs[0].profile:
        rows = np.asarray(whole_rows(maps, (embed_params, layer_params, tail_params), x, skipped))
        columns |= {"half_whole": rows @ rows.swapaxes(1, 2)} | _halves(layers, by_params, tails[-1])
    return columns


def _pair_distances(features: np.ndarray, architecture: ArchitectureConfig) -> dict[str, np.ndarray]:
    first, second = np.triu_indices(features.shape[2], 1)

    def lengths(points: np.ndarray) -> np.ndarray:
        return np.linalg.norm(points[:, :, first] - points[:, :, second], axis=-1)

    distance = lengths(features)
    with np.errstate(divide="ignore", invalid="ignore"):  # merged points stay merged: 0/0
        columns = {"separation": distance.min(axis=2), "shrink": (distance[:, 1:] / distance[:, :-1]).min(axis=2)}
    if architecture.kind == "residual" and architecture.normalisation == "tau":
        inputs = features[:, :-1]
        eps = EPS if architecture.eps is None else architecture.eps
        outputs = inputs / np.sqrt(np.sum(inputs**2, axis=-1, keepdims=True) + eps**2)
        columns["normalised"] = lengths(outputs).min(axis=2)
    return columns


def _singular_values(layers: np.ndarray) -> dict[str, np.ndarray]:
    """Smallest singular values of the layers and of their products; an error bar is 16 n eps sigma_max at least."""
    size, products = layers.shape[-1], chained(layers)
    found = {}
    for name, matrices, error in (("layer", layers, 0.0), ("chain", products.jacobians, products.error)):
        values = np.linalg.svd(matrices, compute_uv=False)
        found[f"{name}_smallest"] = np.moveaxis(values[..., -1], 0, 1)
        found[f"{name}_largest"] = np.moveaxis(values[..., 0], 0, 1)
        eps = float(np.finfo(values.dtype).eps)
        found[f"{name}_error"] = np.moveaxis(16 * size * eps * values[..., 0] + error, 0, 1)
    return found


def _kernels(layers: np.ndarray, by_params: list[np.ndarray], tails: Sequence[Look]) -> dict[str, np.ndarray]:
    ends = []
    for depth, tail in enumerate(tails):
        rows = gradient_rows(np.asarray(tail.by_input), layers[:depth], by_params[: depth + 1])
        own = np.asarray(tail.by_params)[:, :, 0]
        # Of J^T = Q R the triangle alone: as accurate as J's own decomposition, and N x N instead of N x P.
        triangle = np.linalg.qr(np.concatenate([rows, own], axis=-1).swapaxes(1, 2), mode="r")
        singular = np.linalg.svd(triangle, compute_uv=False)
        smallest, largest = singular[:, -1], singular[:, 0]
        delta = 16 * singular.shape[1] * float(np.finfo(singular.dtype).eps) * largest
        ends.append((smallest**2, 2 * smallest * delta + delta**2, largest**2))
    names = ("kernel_smallest", "kernel_error", "kernel_largest")
    return {name: np.stack(column, axis=1) for name, column in zip(names, zip(*ends))}


def _halves(layers: np.ndarray, by_params: list[np.ndarray], tail: Look) -> dict[str, np.ndarray]:
    """The deepest network cut in the middle: kernels of its halves, each in its own parameters, and D between them."""
    cut = len(layers) // 2
    runs, count, size = layers.shape[1:4]
    through, outer = np.asarray(tail.by_input), [np.asarray(tail.by_params)]
    for jacobian, own in zip(layers[: cut - 1 : -1] if cut else layers[::-1], by_params[:cut:-1], strict=True):
        outer.append(through @ own)
        through = through @ jacobian
    outer_rows = np.concatenate(outer, axis=-1)[:, :, 0]
    identity = np.broadcast_to(np.eye(size), (runs, count, size, size))
    inner_rows = gradient_rows(identity, layers[:cut], by_params[: cut + 1])
    jacobian = np.einsum("ij,rif->rijf", np.eye(count), through[:, :, 0]).reshape(runs, count, -1)
    return {
        "half_outer": outer_rows @ outer_rows.swapaxes(1, 2),
        "half_inner": inner_rows @ inner_rows.swapaxes(1, 2),
        "half_jacobian": jacobian,
    }


def _perceptrons(maps: LayerMaps, params: Sequence[Any], branches: np.ndarray) -> dict[str, np.ndarray]:
    """Of branches W sigma(V x + b): |W|, |V|, the singular value after the hidden-th, and certain singular scales.

    singular_scales: pairs (sample, t) with det(I + t W D V) = 0 that are certain, in the first and the last layer.
    """
    weights = [perceptron_weights(layer, own) for layer, own in zip(maps.layers, params)]
    found = [pair for pair in weights if pair is not None]
    if len(found) < len(weights):
        return {}
    norms = [[np.linalg.norm(matrix, 2, axis=(1, 2)) for matrix in pair] for pair in found]
    hidden, size = found[0][1].shape[1:]
    beyond = np.linalg.svd(branches, compute_uv=False)[..., min(hidden, size - 1)].max(axis=-1)
    scales = [
        [sum(certain_sign_changes(branch) for branch in samples) for samples in layer] for layer in branches[[0, -1]]
    ]
    return {
        "outer_norm": np.stack([pair[0] for pair in norms], axis=1),
        "inner_norm": np.stack([pair[1] for pair in norms], axis=1),
        "beyond": beyond.T,
        "singular_scales": np.array(scales).T,
    }


STUDY = Study(
    name="propagation",
    code="X10",
    title="Singular layers, features and kernels against depth, bottleneck and skip",
    question="Does a skip connection keep layers, features and kernel from degenerating with depth?",
    varied="the skip connection, on the same parameters and points",
    control="the same network without its skips; ReLU, whose dead units merge points",
    falsified_by="a singular layer with a skip, or features and singular values outside the product bounds",
    claims=("N1", "N2", "N3", "N4"),
    schema=1,
    presets=PRESETS,
    plan=plan,
    batch=batch,
    require=require,
    measure=measure,
    find=find,
)

"""One run on digits: the pool it chooses from and how it is spoilt, the rows chosen, and what is known beforehand.

Data. scikit-learn's digits, 1797 images of 8 x 8 pixels 0..16 in 10 classes, offline in every installation (UCI,
Optical Recognition of Handwritten Digits, Alpaydin and Kaynak 1998). Pixels are divided by 16; distances are in that
unit. The network sees them less the mean of the clean pool, which moves no distance.
"""

import math
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Int

from experiments.architecture import ArchitectureConfig
from experiments.blocks import Chain, Linear, Params, Scalar, require_known
from experiments.classification import LOSSES, OPTIMISERS
from experiments.corpus.corruption import duplicated, mislabelled, with_outliers
from experiments.kernel import empirical_ntk, gradient_gap
from experiments.separation import distance, distances
from experiments.spectrum import symmetric_eigh
from experiments.studies import requirements
from experiments.subsets import RULES, matched, subset
from theory.require import positive

CLASSES, PIXELS, LARGEST_PIXEL, DIGITS = 10, 64, 16.0, 1797
_METHODS = (*RULES, "trimmed", "matched")
_EMBEDDINGS = ("pixels", "cosine", "whitened")
_KNOBS = ("clean", "duplicates", "label noise", "outliers")
_SPLIT_STREAM = 1
_WHITENED_SHARE = 0.99
_TRIMMED_SHARE = 0.1
_DRAW_STRIDE = 1000  # random subsets of one seed and of another never share a stream below so many seeds


@dataclass(frozen=True)
class Training:
    """loss, optimiser: names in experiments.classification.  both are optax's."""

    loss: str
    optimiser: str
    step_size: float

    @property
    def name(self) -> str:
        return f"{self.loss}, {self.optimiser}"


@dataclass(frozen=True)
class DigitsRun:
    """One training run on one subset of one pool.

    method: a rule of experiments.subsets; "trimmed", uniform among all but the tenth of the pool with the farthest
    nearest neighbours; "matched", random with the classes of the uniform choice.  embedding: what distances are
    measured in.  knob, share: how much of the pool is spoilt, and how.  epochs: False draws batches with repetition.
    draw: which of several random subsets.  measured_every: steps.
    """

    architecture: ArchitectureConfig
    training: Training
    pool_size: int
    held_out: int
    subset_size: int
    method: str
    embedding: str
    knob: str
    share: float
    epochs: bool
    draw: int
    batch_size: int
    steps: int
    measured_every: int
    seed: int

    @property
    def label(self) -> str:
        parts = [self.training.optimiser, f"step {self.training.step_size:g}", f"{self.method} {self.subset_size}"]
        parts += [self.embedding] * (self.embedding != "pixels") + [f"{self.knob} {self.share:g}"] * bool(self.share)
        parts += ["with repetition"] * (not self.epochs) + [f"draw {self.draw}"] * bool(self.draw)
        return " ".join([*parts, f"seed {self.seed}"])


class Cell(NamedTuple):
    """What a run does beyond its preset's common values: one column of every comparison."""

    method: str
    size: int
    embedding: str = "pixels"
    knob: str = "clean"
    share: float = 0.0
    epochs: bool = True
    draw: int = 0
    step_factor: float = 1.0


def require(run: DigitsRun) -> None:
    """Raise ValueError for a run that cannot be."""
    requirements.network(run.architecture, (PIXELS,), outputs=CLASSES)
    require_known("training.loss", run.training.loss, LOSSES)
    require_known("training.optimiser", run.training.optimiser, OPTIMISERS)
    positive(**{"training.step_size": run.training.step_size})
    requirements.size("pool_size", run.pool_size, least=2, most=DIGITS - 1)
    requirements.size("held_out", run.held_out, least=1, most=DIGITS - run.pool_size)
    require_known("method", run.method, _METHODS)
    # h_min is of two rows, and the loneliest tenth is not there to be chosen.
    most = run.pool_size if run.method != "trimmed" else math.floor((1.0 - _TRIMMED_SHARE) * run.pool_size)
    requirements.size("subset_size", run.subset_size, least=2, most=most)
    if run.method == "full" and run.subset_size != run.pool_size:
        raise ValueError(f"subset_size must be the pool's {run.pool_size} for method full, but was {run.subset_size}")
    require_known("embedding", run.embedding, _EMBEDDINGS)
    require_known("knob", run.knob, _KNOBS)
    if not 0 <= run.share < 1 or (run.knob == "clean" and run.share):
        raise ValueError(f"share must lie in [0, 1), and be 0 for a clean pool, but was {run.share:g}")
    requirements.size("draw", run.draw, least=0)
    requirements.size("batch_size", run.batch_size, least=1)
    requirements.size("steps", run.steps, least=1, most=requirements.STEPS - 1)
    requirements.size("measured_every", run.measured_every, least=1)
    if run.steps % run.measured_every:
        raise ValueError(f"measured_every must divide the {run.steps} steps, but was {run.measured_every}")
    requirements.seed(run)


def choice_of(run: DigitsRun) -> tuple[Any, ...]:
    """What decides which rows a run is trained on: runs that agree in it share them, whatever their training."""
    return run.seed, run.knob, run.share, run.method, run.embedding, run.subset_size, run.draw


class Split(NamedTuple):
    """pool, held_out: (n, 64) pixels over the largest value.  labels: classes 0..9."""

    pool: Float[np.ndarray, "n pixels"]
    labels: Int[np.ndarray, " n"]
    held_out: Float[np.ndarray, "m pixels"]
    held_out_labels: Int[np.ndarray, " m"]


@cache
def _digits() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits

    loaded: Any = load_digits()
    return loaded.data / LARGEST_PIXEL, loaded.target.astype(int)


def split(run: DigitsRun) -> Split:
    """The seed's pool, clean, in random order, and its held-out rows."""
    points, labels = _digits()
    order = np.random.default_rng((_SPLIT_STREAM, run.seed)).permutation(len(points))
    inside, outside = order[: run.pool_size], order[run.pool_size :][: run.held_out]
    return Split(points[inside], labels[inside], points[outside], labels[outside])


def spoilt(run: DigitsRun, clean: Split) -> tuple[Float[np.ndarray, "n pixels"], Int[np.ndarray, " n"]]:
    """The pool after the knob: its points and labels."""
    if run.knob == "duplicates":
        return duplicated(clean.pool, clean.labels, run.share, seed=run.seed)[:2]
    if run.knob == "label noise":
        return clean.pool, mislabelled(clean.labels, run.share, classes=CLASSES, seed=run.seed).labels
    if run.knob == "outliers":
        return with_outliers(clean.pool, clean.labels, run.share, seed=run.seed)[:2]
    return clean.pool, clean.labels


def embedded(points: Float[np.ndarray, "n pixels"], embedding: str) -> Float[np.ndarray, "n d"]:
    """Vectors whose Euclidean distances the choice is made by.

    cosine: rows of length 1, whose farthest-first choice is that of the cosine distance (D2).  whitened: the principal
    components that hold 99% of the variance, each scaled to variance 1.
    """
    if embedding == "cosine":
        return points / np.linalg.norm(points, axis=1, keepdims=True)
    if embedding == "whitened":
        left, scale, _ = np.linalg.svd(points - points.mean(axis=0), full_matrices=False)
        held = np.cumsum(scale**2) / np.sum(scale**2)
        return left[:, : int(np.searchsorted(held, _WHITENED_SHARE)) + 1] * np.sqrt(len(points))
    return points


def choose(run: DigitsRun, vectors: Float[np.ndarray, "n d"], labels: Int[np.ndarray, " n"]) -> Int[np.ndarray, " k"]:
    """Rows of the pool in the order chosen."""
    if run.method == "trimmed":
        return subset(vectors, run.subset_size, method="uniform", max_outlier=_TRIMMED_SHARE)
    if run.method == "matched":
        return matched(labels, subset(vectors, run.subset_size, method="uniform"), seed=run.seed)
    return subset(vectors, run.subset_size, method=run.method, seed=run.seed + _DRAW_STRIDE * run.draw)


def closest_pair(points: Float[np.ndarray, "n pixels"], chosen: Int[np.ndarray, " k"]) -> tuple[int, int]:
    """Two rows of the pool: the closest among those chosen."""
    first, second = np.triu_indices(len(chosen), 1)
    closest = np.argmin(distances(points[chosen], points[chosen])[first, second])
    return int(chosen[first[closest]]), int(chosen[second[closest]])


def geometry(points: np.ndarray, labels: np.ndarray, chosen: np.ndarray) -> dict[str, float]:
    """Of the chosen rows in the pool's pixels: what could tell how well they train.

    separation: h_min.  nearest: mean distance to the nearest other chosen row.  cover: largest distance of a pool row
    to the nearest chosen one.  spread: RMS distance to the pool's mean.  imbalance: half the sum of differences between
    the shares of the classes among the chosen and in the pool, 0 to 1.
    """
    table = distances(points, points[chosen])
    own = table[chosen] + np.diag(np.full(len(chosen), np.inf))
    first, second = closest_pair(points, chosen)
    shares = [np.bincount(each, minlength=CLASSES) / len(each) for each in (labels, labels[chosen])]
    return {
        "separation": distance(points[first], points[second]),
        "nearest": float(own.min(axis=1).mean()),
        "cover": float(table.min(axis=1).max()),
        "spread": float(np.sqrt(np.mean(np.sum((points[chosen] - points.mean(axis=0)) ** 2, axis=1)))),
        "imbalance": float(0.5 * np.abs(shares[0] - shares[1]).sum()),
    }


class Start(NamedTuple):
    """The network at its initialisation on every row of a pool.

    kernel: of the first output alone, the block (0, 0) of the full kernel, whose lambda_min is not larger.
    """

    model: Chain
    params: Params
    inputs: Float[np.ndarray, "n pixels"]
    outputs: Float[np.ndarray, "n classes"]
    kernel: Float[np.ndarray, "n n"]


def started(model: Chain, params: Params, inputs: Float[np.ndarray, "n pixels"]) -> Start:
    """model: a chain that ends in its linear head."""
    scalar, scalar_params = one_output(model, params)
    return Start(
        scalar,
        scalar_params,
        inputs,
        np.asarray(_outputs(model, params, inputs)),
        np.asarray(empirical_ntk(scalar, scalar_params, inputs)),
    )


_outputs = jax.jit(lambda model, params, inputs: model(params, inputs), static_argnums=0)


def one_output(model: Chain, params: Params) -> tuple[Chain, Params]:
    """The network's first output alone, as a network of its own."""
    *body, head = model.blocks
    if not isinstance(head, Linear):
        raise ValueError(f"model must end in a Linear block, but ended in {type(head).__name__}")
    first = {name: leaf[..., :1] for name, leaf in params[-1].items()}
    return Chain((*body, Linear(head.fan_in, 1, head.scaling), Scalar())), (*params[:-1], first, ())


def mechanism(start: Start, labels: np.ndarray, chosen: np.ndarray) -> dict[str, Any]:
    """What the frozen kernel of the first output says of training on the chosen rows.

    smallest, error, largest: ends of its spectrum on the chosen rows, and their error.  distance: tr R^T K^-1 R, R the
    one-hot labels less the outputs at the start; None where the smallest eigenvalue is not resolved.
    gradient_gap: of the closest pair.
    """
    spectrum = symmetric_eigh(start.kernel[np.ix_(chosen, chosen)])
    residual = np.eye(CLASSES)[labels[chosen]] - start.outputs[chosen]
    moved = np.sum((spectrum.vectors.T @ residual) ** 2, axis=1)
    resolved = spectrum.values[0] > spectrum.error
    pair = np.array(closest_pair(start.inputs, chosen))
    return {
        "smallest": float(spectrum.values[0]),
        "largest": float(spectrum.values[-1]),
        "error": spectrum.error,
        "distance": float(np.sum(moved / spectrum.values)) if resolved else None,
        "gradient_gap": float(gradient_gap(start.model, start.params, start.inputs[pair], (0, 1))),
    }

"""Train classifiers on batches given in advance: what a run saw, and in which order, is data of the run.

Losses, means over the rows they are taken of, z = f(x) in R^m the outputs and e_y the unit vector of class y:
  l2             |z - e_y|^2 / 2, as in experiments.descent
  cross-entropy  log sum_c exp z_c - z_y, natural logarithm
Optimisers (optax): plain SGD without momentum; Adam with its customary constants.
Equal steps. All runs of a call take the same number of steps on batches of the same size: equal steps are equal samples
  and, a step costing the same whatever the rows, equal seconds of training.
Parts. Losses are measured on all points at once, then averaged with weights: a row of `parts` sums to 1.
"""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array, Float, Int, PyTree

from experiments.descent import Apply


def _l2(outputs: Array, labels: Array) -> Array:
    return 0.5 * jnp.sum((outputs - jax.nn.one_hot(labels, outputs.shape[-1])) ** 2, axis=-1)


LOSSES: Mapping[str, Callable[[Array, Array], Array]] = MappingProxyType(
    {"l2": _l2, "cross-entropy": optax.losses.softmax_cross_entropy_with_integer_labels}
)
"""Loss of every row, (n,), from outputs (n, m) and classes (n,)."""

OPTIMISERS: Mapping[str, Callable[[Any], optax.GradientTransformation]] = MappingProxyType(
    {"sgd": optax.sgd, "adam": optax.adam}
)


class Task(NamedTuple):
    """What one run learns; with a leading axis over runs in an ensemble.

    points: (n, ...).  labels: (n,), classes.  batches: (checkpoints, steps, batch), rows of every step between two
    measurements.  parts: (parts, n), weights of the rows in each average.  step_size: a number.
    """

    points: Any
    labels: Any
    batches: Any
    parts: Any
    step_size: Any


class Curves(NamedTuple):
    """Averages at steps 0, s, 2s, .. (s the steps between measurements): (runs, checkpoints + 1, parts)."""

    loss: Float[np.ndarray, "runs checks parts"]
    accuracy: Float[np.ndarray, "runs checks parts"]


def _train_one(apply: Apply, loss: str, optimiser: str, params: PyTree, task: Task) -> tuple[Array, Array]:
    transform, row_losses = OPTIMISERS[optimiser](task.step_size), LOSSES[loss]

    def batch_loss(params: PyTree, rows: Array) -> Array:
        return jnp.mean(row_losses(apply(params, task.points[rows]), task.labels[rows]))

    def step(carry: tuple[PyTree, Any], rows: Array) -> tuple[tuple[PyTree, Any], None]:
        params, state = carry
        updates, state = transform.update(jax.grad(batch_loss)(params, rows), state)
        return (optax.apply_updates(params, updates), state), None

    def measured(params: PyTree) -> tuple[Array, Array]:
        outputs = apply(params, task.points)
        right = jnp.argmax(outputs, axis=-1) == task.labels
        return task.parts @ row_losses(outputs, task.labels), task.parts @ right.astype(float)

    def until_checkpoint(carry: tuple[PyTree, Any], rows: Array) -> tuple[tuple[PyTree, Any], tuple[Array, Array]]:
        carry, _ = jax.lax.scan(step, carry, rows)
        return carry, measured(carry[0])

    _, after = jax.lax.scan(until_checkpoint, (params, transform.init(params)), task.batches)
    return jax.tree.map(lambda first, later: jnp.concatenate([first[None], later]), measured(params), after)


@partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _train(apply: Apply, loss: str, optimiser: str, mesh: Mesh, params: PyTree, task: Task) -> tuple[Array, Array]:
    """On each device its share of the runs, one after another: what one run computes does not depend on the others."""
    shard = PartitionSpec("runs")

    def share(params: PyTree, task: Task) -> tuple[Array, Array]:
        return jax.lax.map(partial(_train_one, apply, loss, optimiser, params), task)

    return jax.shard_map(share, mesh=mesh, in_specs=(PartitionSpec(), shard), out_specs=shard, check_vma=False)(
        params, task
    )


def train(apply: Apply, params: PyTree, task: Task, *, loss: str, optimiser: str) -> Curves:
    """Losses and accuracies along every run of an ensemble, all of which start from the same params.

    apply: f(params, x) -> (n, m), rows independent.  task: with one leading axis over runs.  loss: a name in LOSSES.
    optimiser: a name in OPTIMISERS.
    """
    mesh = Mesh(np.asarray(jax.devices()), ("runs",))
    runs = len(np.asarray(task.step_size))
    order = np.concatenate([np.arange(runs), np.zeros(-runs % mesh.size, int)])  # a share of equal size for each device
    dealt = jax.tree.map(lambda leaf: np.asarray(leaf)[order], task)
    found = jax.device_get(_train(apply, loss, optimiser, mesh, params, dealt))
    return Curves(*(np.asarray(column)[:runs] for column in found))


def shuffled_batches(
    rows: Int[np.ndarray, " k"], *, steps: int, batch: int, rng: np.random.Generator, epochs: bool = True
) -> Int[np.ndarray, "steps batch"]:
    """Rows of every step: epoch after epoch in a fresh order each, cut into batches across the epochs' ends.

    epochs: False draws every entry independently instead, with repetition: the same rows, and no epochs.
    """
    wanted = steps * batch
    if epochs:
        drawn = np.concatenate([rng.permutation(rows) for _ in range(-(-wanted // len(rows)))])[:wanted]
    else:
        drawn = rng.choice(rows, size=wanted)
    return drawn.reshape(steps, batch)

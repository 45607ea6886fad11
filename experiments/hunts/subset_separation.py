"""Hunt for counterexamples to subset separation (D3): all subsets of pools of at most 9 points, so P is exact."""

from typing import Literal, NamedTuple

import numpy as np
from hypothesis import strategies as st
from jaxtyping import Float

from experiments.hunt import Hunt
from experiments.hunts.small_pools import LARGEST_POOL, separations, subsets
from experiments.separation import distances
from theory import subset_separation
from theory.verdict import Check

Form = Literal["containment", "tail", "kept", "mean", "size"]
Kind = Literal["plane", "clustered", "dissimilarity", "equal"]


class Instance(NamedTuple):
    """A pool of pool_size points, k = subset_size, and t its `rank`-th smallest pair distance.

    plane: normal points.  clustered: three heaps of size `spread`.  dissimilarity: independent exponential numbers,
    no metric.  equal: all pairs 1 apart, but for noise of size `spread`.
    """

    form: Form
    kind: Kind
    pool_size: int
    subset_size: int
    rank: int
    spread: float
    seed: int


def table(instance: Instance) -> Float[np.ndarray, "n n"]:
    """The pool's symmetric dissimilarities."""
    rng, size = np.random.default_rng(instance.seed), instance.pool_size
    if instance.kind in ("plane", "clustered"):
        points = rng.standard_normal((size, 2))
        if instance.kind == "clustered":
            points = instance.spread * points + np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]])[np.arange(size) % 3]
        return distances(points, points)
    if instance.kind == "equal":
        numbers = 1.0 + instance.spread * rng.random((size, size))
    else:
        numbers = rng.exponential(size=(size, size))
    return np.triu(numbers, 1) + np.triu(numbers, 1).T


def check(instance: Instance) -> Check:
    lengths, k, size = table(instance), instance.subset_size, instance.pool_size
    found = separations(lengths, k)
    pairs = np.sort(lengths[np.triu_indices(size, 1)])
    if instance.form == "containment":
        one = subsets(size, k)[instance.rank % len(found)]
        return subset_separation.check_containment(lengths, one, pool_size=size, instance=repr(instance))
    if instance.form == "mean":
        return subset_separation.check_mean(float(found.mean()), pairs, subset_size=k, instance=repr(instance))
    if instance.form == "size":
        larger = float(separations(lengths, k + 1).mean())
        return subset_separation.check_size(larger, float(found.mean()), instance=repr(instance))
    t = pairs[min(instance.rank, len(pairs)) - 1]
    hold = subset_separation.check_tail if instance.form == "tail" else subset_separation.check_kept
    return hold(
        float(np.mean(found <= t)),
        int((pairs <= t).sum()),
        subset_size=k,
        pool_size=size,
        instance=repr(instance),
    )


HUNT = Hunt(
    claim="D3",
    instances=st.builds(
        Instance,
        form=st.sampled_from(("containment", "tail", "kept", "mean", "size")),
        kind=st.sampled_from(("plane", "clustered", "dissimilarity", "equal")),
        pool_size=st.integers(5, LARGEST_POOL),
        subset_size=st.integers(2, 4),
        rank=st.integers(1, 6),
        spread=st.floats(0.0, 0.5),
        seed=st.integers(0, 2**16),
    ),
    check=check,
    module="experiments.hunts.subset_separation",
    extremal=(
        Instance("containment", "equal", 6, 3, 1, 0.0, 0),
        Instance("tail", "plane", 9, 4, 1, 0.0, 0),
        Instance("kept", "plane", 9, 4, 1, 0.0, 0),
        Instance("mean", "dissimilarity", 9, 2, 1, 0.0, 0),
        Instance("mean", "equal", 9, 4, 1, 0.0, 0),
        Instance("size", "equal", 9, 4, 1, 0.0, 0),
    ),
)

"""Seconds for the exact closest pair of n uniform points in the unit cube of d coordinates.

    uv run python tests/benchmarks/bench_separation.py

Ours is `experiments.separation.separation` (the distance, the pair, ties, duplicates, rounding); the peers give the
least distance only: scipy's cKDTree with the second nearest neighbour of every point, and scipy's pdist, n(n-1)/2
distances at once, where they fit. Medians of turns taken by all contestants; `ratio` is the peer's time over ours.
"""

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.distance import pdist
from timing import seconds

from experiments.separation import separation

CASES = ((1_000_000, 2), (100_000, 3), (20_000, 16))
PDIST_LARGEST = 20_000  # its distances take 1.5 GiB


def nearest_neighbours(points: np.ndarray) -> float:
    return float(np.min(cKDTree(points).query(points, k=2)[0][:, 1]))


def all_pairs(points: np.ndarray) -> float:
    return float(np.min(pdist(points)))


def main() -> None:
    print(f"{'n':>9} {'d':>3} {'contestant':12} {'seconds':>8} {'ratio':>6}")
    for num, dim in CASES:
        points = np.random.default_rng(0).random((num, dim))
        contestants = {
            "ours": lambda x=points: separation(x).distance,
            "cKDTree": lambda x=points: nearest_neighbours(x),
        }
        if num <= PDIST_LARGEST:
            contestants["pdist"] = lambda x=points: all_pairs(x)
        np.testing.assert_allclose([call() for call in contestants.values()], contestants["ours"](), rtol=1e-12)
        taken = seconds(contestants, repeats=3)
        for who, time in taken.items():
            print(f"{num:9,} {dim:3} {who:12} {time:8.3f} {time / taken['ours']:6.2f}", flush=True)


if __name__ == "__main__":
    main()

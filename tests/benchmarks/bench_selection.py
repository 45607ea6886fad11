"""Seconds to choose k of n rows by farthest-first traversal.

    uv run --with fpsample --with skmatter python tests/benchmarks/bench_selection.py [--large]

Ours is `experiments.selection.select` on float32 rows, all checks of its input and exact ties included. The peers: a
plain loop with one matrix-vector product a choice, in float32; the Gram matrix made first and scanned, where it fits;
and, if they are installed, fpsample and skmatter on the sizes where they take less than a minute. `product` is one
float32 matrix product of all rows with the chosen ones, the least that comparing them all costs. `same` is the share of
the choice that agrees with ours up to the first difference: float32 decides near ties otherwise, and fpsample's
buckets start where they like. Medians of turns taken by all contestants; `ratio` is the peer's time over ours.
"""

import sys
from collections.abc import Callable

import numpy as np
from timing import seconds

from experiments.selection import select

CASES = ((100_000, 3, 1_000), (9_000, 768, 4_500), (1_000_000, 16, 1_000))
LARGE = ((20_000, 768, 10_000),)
GRAM_LARGEST, LIBRARY_WORK = 10_000, 1e10  # rows; n k d up to which the libraries take their turn


def one_product_a_choice(points: np.ndarray, k: int) -> np.ndarray:
    squares = np.einsum("ij,ij->i", points, points)
    chosen, nearest = [0], np.full(len(points), np.inf, dtype=np.float32)
    while len(chosen) < k:
        np.minimum(nearest, squares + squares[chosen[-1]] - 2.0 * (points @ points[chosen[-1]]), out=nearest)
        nearest[chosen[-1]] = -1.0
        chosen.append(int(np.argmax(nearest)))
    return np.array(chosen)


def gram_and_scan(points: np.ndarray, k: int) -> np.ndarray:
    squares = np.einsum("ij,ij->i", points, points)
    table = points @ points.T
    table *= -2.0
    table += squares
    table += squares[:, None]
    chosen, nearest = [0], table[0].copy()
    while len(chosen) < k:
        nearest[chosen[-1]] = -1.0
        chosen.append(int(np.argmax(nearest)))
        np.minimum(nearest, table[chosen[-1]], out=nearest)
    return np.array(chosen)


def product(points: np.ndarray, k: int) -> None:
    for start in range(0, len(points), 4096):
        _ = points[:k] @ points[start : start + 4096].T


def libraries(points: np.ndarray, k: int) -> dict[str, Callable[[], np.ndarray]]:
    found: dict[str, Callable[[], np.ndarray]] = {}
    try:
        import fpsample
    except ImportError:
        print("fpsample is not installed")
    else:
        found["fpsample"] = lambda: fpsample.fps_sampling(points, k, start_idx=0)
        if points.shape[1] <= 8:
            found["fpsample kd"] = lambda: fpsample.bucket_fps_kdline_sampling(points, k, h=7)
    try:
        from skmatter.sample_selection import FPS
    except ImportError:
        print("skmatter is not installed")
    else:
        found["skmatter"] = lambda: FPS(initialize=0, n_to_select=k).fit(points).selected_idx_
    return found


def agreement(choice: np.ndarray, ours: np.ndarray) -> float:
    different = np.flatnonzero(np.asarray(choice) != ours)
    return (different[0] if len(different) else len(ours)) / len(ours)


def main() -> None:
    print(f"{'n':>9} {'d':>4} {'k':>6} {'contestant':12} {'seconds':>8} {'ratio':>6} {'same':>5}")
    for num, dim, k in CASES + (LARGE if "--large" in sys.argv else ()):
        rng = np.random.default_rng(0)
        points = (rng.random((num, dim)) if dim <= 3 else rng.normal(size=(num, dim))).astype(np.float32)
        contestants: dict[str, Callable[[], np.ndarray]] = {
            "ours": lambda x=points, k=k: select(x, k).indices,
            "product": lambda x=points, k=k: product(x, k),
            "loop": lambda x=points, k=k: one_product_a_choice(x, k),
        }
        if num <= GRAM_LARGEST:
            contestants["gram"] = lambda x=points, k=k: gram_and_scan(x, k)
        if num * dim * k <= LIBRARY_WORK:
            contestants |= libraries(points, k)
        ours = contestants["ours"]()
        same = {who: agreement(call(), ours) for who, call in contestants.items() if who != "product"}
        taken = seconds(contestants, repeats=3 if num * dim * k < 1e11 else 1)
        for who, time in taken.items():
            share = f"{same[who]:5.2f}" if who in same else ""
            print(f"{num:9,} {dim:4} {k:6,} {who:12} {time:8.3f} {time / taken['ours']:6.2f} {share}", flush=True)


if __name__ == "__main__":
    main()

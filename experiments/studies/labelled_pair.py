"""Points of which one pair is at distance h, under three labellings: what X4 and X5 train on.

gap: a fixed difference between the labels of the pair.  smooth: a Lipschitz function.  noise: that function and
independent noise, so that close inputs differ by what no distance shrinks.
"""

from typing import Any

from experiments.labels import Labels, lipschitz_target, with_gap, with_noise
from experiments.points import PointSet, construct
from experiments.studies.networks import domain_of

LABELLINGS = {
    "gap": lambda labels, points, run: with_gap(labels, points.pair, gap=run.gap),
    "smooth": lambda labels, points, run: labels,
    "noise": lambda labels, points, run: with_noise(labels, scale=run.noise, seed=run.seed),
}


def data(run: Any) -> tuple[PointSet, Labels]:
    """A run's points and labels; the target function and the spread set depend on the seed alone.

    run: any with point_shape, num_points, labelling, h, gap, lipschitz, noise and seed.
    """
    points = construct("pair_collapse", run.num_points, domain_of(run.point_shape), h=run.h, seed=run.seed)
    labels = lipschitz_target(points.points, lipschitz=run.lipschitz, seed=run.seed)
    return points, LABELLINGS[run.labelling](labels, points, run)

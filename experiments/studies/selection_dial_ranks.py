"""Rank correlations of what is known before training with what training gives, for the selection dial."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from experiments import rank_correlation
from experiments.statistics import Estimate, bootstrap

PREDICTORS = {
    "h_min": -1,
    "lambda_min": -1,
    "distance": 1,
    "frozen_steps": 1,
    "loss_start": 1,
    "spread": -1,
    "fill": 1,
    "mean_distance": 1,
}
"""Quantity known before training -> sign of its correlation with time and error if it predicts as claimed.

distance: r_0^T K_0^-1 r_0.  frozen_steps: steps of the linearisation at theta_0.  spread: RMS distance to the centre of
the cube.  fill, mean_distance: largest and mean distance of the fresh points to the nearest training point.
"""
ASKED = ("h_min", "lambda_min", "distance")
OUTCOMES = ("steps", "test_rms")
SIDE_OUTCOMES = ("steps to loss 0.01", "steps to 3% of the loss at the start", "test_max")
CONTROLS = ("nearest", "darts", "boundary")
LABELLINGS = ("smooth", "noise")
SCOPES = {"within": "within seed", "pooled": "dial pooled", "all": "all designs pooled"}
"""within: ranks among a seed's dial.  pooled: one ranking of seeds and dial.  all: of seeds, dial and controls."""

Cells = Mapping[tuple[str, str], np.ndarray]
"""(architecture, labelling) -> values (seeds, designs, quantities), the dial's designs first."""


class Sample(NamedTuple):
    """Rank moments by seed with their bootstrap resamples. place: quantity -> its index.  where: ends every label."""

    moments: np.ndarray
    draws: np.ndarray
    place: Mapping[str, int]
    where: str

    def told(self, label: str, statistic: Callable[[np.ndarray], np.ndarray]) -> Estimate:
        return rank_correlation.estimate(self.moments, self.draws, statistic, label=f"{label}, {self.where}")

    def correlation(self, outcome: str, name: str) -> Estimate:
        row, column = self.place[name], self.place[outcome]
        return self.told(f"{outcome} by {name}", lambda matrix: matrix[..., row, column])

    def advantage(self, outcome: str, name: str) -> Estimate:
        """Skill of h_min less that of another, skill being the correlation times the claimed sign: paired."""
        h, row, column = self.place["h_min"], self.place[name], self.place[outcome]
        first, second = PREDICTORS["h_min"], PREDICTORS[name]
        return self.told(
            f"{outcome}: h_min less {name}",
            lambda matrix: first * matrix[..., h, column] - second * matrix[..., row, column],
        )

    def partial(self, outcome: str, name: str, given: str) -> Estimate:
        row, column, third = self.place[name], self.place[outcome], self.place[given]
        return self.told(
            f"{outcome} by {name} given {given}",
            lambda matrix: rank_correlation.partial_correlation(matrix, row, column, given=third),
        )


def rank_estimates(cells: Cells, names: Sequence[str], *, dial: int) -> Iterator[Estimate]:
    """Correlations of each network and labelling, and of each labelling over all networks, in every scope.

    dial: number of designs that make the dial, the first ones.
    """
    place = {name: index for index, name in enumerate(names)}
    for scope, kept, within in (("within", dial, True), ("pooled", dial, False), ("all", None, False)):
        moments = {key: rank_correlation.rank_moments(cell[:, :kept], within=within) for key, cell in cells.items()}

        def sample(group: str, moment: np.ndarray, scope: str = scope) -> Sample:
            return Sample(moment, rank_correlation.resampled(moment), place, f"{group}, {SCOPES[scope]}")

        if scope != "pooled":
            asked = tuple(PREDICTORS) if scope == "within" else (*ASKED, "frozen_steps", "spread")
            for (kind, labelling), moment in moments.items():
                one = sample(f"{kind} {labelling}", moment)
                yield from (one.correlation(outcome, name) for outcome in OUTCOMES for name in asked)
        for labelling in LABELLINGS:
            chosen = [moment for (_, name), moment in moments.items() if name == labelling]
            yield from _together(sample(f"all {labelling}", np.sum(chosen, axis=0)), side=scope == "within")


def _together(sample: Sample, *, side: bool) -> Iterator[Estimate]:
    """Of all networks: every predictor, what h_min has over it, and what is left of one once another is known."""
    for outcome in OUTCOMES:
        yield from (sample.correlation(outcome, name) for name in PREDICTORS)
        yield from (sample.advantage(outcome, name) for name in PREDICTORS if name != "h_min")
        yield sample.partial(outcome, "h_min", "distance")
        yield sample.partial(outcome, "distance", "h_min")
        yield sample.partial(outcome, "h_min", "spread")
    if side:
        yield from (sample.correlation(outcome, name) for outcome in SIDE_OUTCOMES for name in ASKED)


def null_estimates(cells: Cells, names: Sequence[str], *, dial: int) -> Iterator[Estimate]:
    """The dial shuffled within every seed: where a correlation that means nothing lies."""
    pair = [list(names).index("h_min"), list(names).index("steps")]
    groups = {f"{kind} {labelling}": [cell] for (kind, labelling), cell in cells.items()}
    groups |= {f"all {name}": [cell for key, cell in cells.items() if key[1] == name] for name in LABELLINGS}
    for group, members in groups.items():
        # A network's rows count as further seeds: every one of them is shuffled by itself.
        stacked = np.concatenate([cell[:, :dial, pair] for cell in members])
        found = rank_correlation.permutation_null(stacked, label=f"permutation null, {group}, {SCOPES['within']}")
        yield found._replace(seeds=len(members[0]))


def contrast_estimates(cells: Cells, names: Sequence[str], ratios: Sequence[int]) -> Iterator[Estimate]:
    """Geometric mean over seeds of an outcome under a design over that of the random choice of the same seed."""
    others = {f"M/N = {ratios[-1]}": len(ratios) - 1} | {name: len(ratios) + k for k, name in enumerate(CONTROLS)}
    for (kind, labelling), cell in cells.items():
        for outcome in OUTCOMES:
            least = 1.0 if outcome == "steps" else np.finfo(float).tiny  # no steps taken count as one
            values = np.maximum(cell[:, :, list(names).index(outcome)], least)
            for name, column in others.items():
                if np.isfinite(values[:, [0, column]]).all():
                    yield bootstrap(
                        np.log(values[:, column] / values[:, 0]),
                        label=f"{outcome} of {name} over random, {kind} {labelling}",
                        statistic=lambda logs: math.exp(logs.mean()),
                    )

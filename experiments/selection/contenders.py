"""Farthest-first among a few contenders whose distances from each other are all at hand.

A table in float64 holds the squared distances up to `error` (`Screen.among`). It decides where its numbers differ by
more than that; else the rows in question are measured (`Cloud.distances`), and the measured distances decide: the
choice is that of the measured distances throughout, of equally far rows the first.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from experiments.selection.cloud import lengths
from experiments.selection.screen import Screen


class Rank(NamedTuple):
    """A row's place: the larger distance leads, of equal ones the first row."""

    distance: float
    row: int

    def leads(self, other: "Rank") -> bool:
        return (self.distance, other.row) > (other.distance, self.row)


NOBODY = Rank(-1.0, 0)


def play_measured(
    points: Float[np.ndarray, "c d"],
    known: Float[np.ndarray, " c"],
    rows: Int[np.ndarray, " c"],
    rest: Rank,
    most: int,
) -> tuple[Int[np.ndarray, " p"], Float[np.ndarray, " p"]]:
    """The plain greedy: the rows chosen while one leads `rest`, at most so many, and their insertion distances.

    known: distance of each row to those chosen before, -1 for those not to choose.
    """
    known, chosen, insertion = known.copy(), [], []
    while len(chosen) < most:
        leader = int(known.argmax())
        if not Rank(float(known[leader]), int(rows[leader])).leads(rest):
            break
        chosen.append(leader)
        insertion.append(known[leader])
        np.minimum(known, lengths(points - points[leader]), out=known)
        known[leader] = -1.0
    return rows[chosen], np.array(insertion)


class Contenders:
    """Rows, in rising order, and how far each is from the chosen ones.

    square: of that distance, within `error`; -inf for those chosen here.
    known: that distance as measured, less the pairs of `table` that are still to be measured.
    """

    def __init__(self, rows: Int[np.ndarray, " c"], known: Float[np.ndarray, " c"], screen: Screen):
        self.rows, self.cloud = rows, screen.cloud
        self.start, self.known, self.square = known, known.copy(), known**2
        self.table, self.error = screen.among(rows)
        self.chosen: list[int] = []
        self.looked_at, self.affordable = 0, self.table.size * (1 + self.cloud.dim // 4)

    def play(self, rest: Rank, most: int) -> tuple[Int[np.ndarray, " p"], Float[np.ndarray, " p"]]:
        """The rows chosen while one of them leads `rest`, at most so many, and their insertion distances."""
        squares = []
        while len(self.chosen) < most and (leader := self._leader(rest)) is not None:
            self.chosen.append(leader)
            squares.append(self.square[leader])
            np.minimum(self.square, self.table[leader], out=self.square)
            self.square[leader] = -np.inf
            if self.looked_at > self.affordable:
                return play_measured(self.cloud[self.rows], self.start, self.rows, rest, most)  # many ties: cheaper
        chosen = np.array(self.chosen, dtype=np.intp)
        earlier = np.tri(len(chosen), k=-1, dtype=bool)
        near = self.table[np.ix_(chosen, chosen)] <= np.array(squares)[:, None] + 2.0 * self.error
        self._measure(chosen, earlier & near)
        return self.rows[chosen], self.known[chosen]

    def _leader(self, rest: Rank) -> int | None:
        """The farthest contender where it leads `rest`."""
        leader = int(self.square.argmax())
        top, bar = self.square[leader], rest.distance * abs(rest.distance)
        if top + self.error < bar:
            return None
        near = self.square >= top - 2.0 * self.error
        if top - self.error > bar and np.count_nonzero(near) == 1:
            return leader
        tied = np.flatnonzero(near)
        self.looked_at += len(tied) * len(self.chosen)
        self._measure(tied, self.table[tied][:, self.chosen] <= self.square[tied, None] + 2.0 * self.error)
        self.square[tied] = self.known[tied] ** 2
        leader = int(tied[np.argmax(self.known[tied])])
        return leader if Rank(float(self.known[leader]), int(self.rows[leader])).leads(rest) else None

    def _measure(self, some: Int[np.ndarray, " s"], pairs: np.ndarray) -> None:
        """Measure pairs [i, j] of row some[i] and the j-th row chosen here, each pair once."""
        which, j = np.nonzero(pairs)
        first, second = some[which], np.array(self.chosen, dtype=np.intp)[j]
        np.minimum.at(self.known, first, self.cloud.distances(self.rows[first], self.rows[second]))
        self.table[first, second] = np.inf

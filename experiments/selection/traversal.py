"""Farthest-first traversal of large pools: the plain greedy's choice, bit for bit, by lazy matrix products.

  s_1 is given,  s_m = the candidate farthest from S_{m-1} = {s_1..s_{m-1}}; of equally far ones, the first row,
with `Cloud.distances` as the distance; r_m = distance of s_m to S_{m-1}; cover = largest distance of a row to S_k.

Method. A row's distance to the chosen ones only falls as more are chosen, so a stale one is an upper bound. Rows are
  ranked by that bound, then by index, and few are kept up to date:
    awake       the leading quarter of the rows, woken up to date, for as long as they lead the sleeping ones
    contenders  the leading `_CONTENDERS` awake ones: their distances from each other are made at once, and rows are
                chosen from them until their leader does not lead all others; then all awake rows are brought up to date
  A row that is up to date and leads every other row's bound is the farthest row, and the first of those.
  Among contenders, distances err by rounding (`Screen.among`); where the leaders, or the leader and the others, are
  closer than that, the rows in question are measured, and the measured distances decide.
Cost.   About half of the 2 n k d operations of the plain greedy, as matrix products; less where n >> k.
Memory. `Screen`'s, and O(n).
Source. Gonzalez 1985 for the traversal, and r_{k+1} = cover; Minoux 1978 for lazy evaluation of a greedy choice.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from experiments.selection.cloud import Cloud
from experiments.selection.contenders import NOBODY, Contenders, Rank, play_measured
from experiments.selection.screen import Screen
from experiments.threads import single_threaded_blas

_CONTENDERS = 512
_LEAST_AWAKE, _AWAKE_SHARE = 4 * _CONTENDERS, 4  # one in four of the rows left, but no fewer than so many
_MEASURED = 4  # awake rows kept exact, for every row still to choose
_SMALL = 1 << 15  # numbers of a pool for which comparing all pairs is faster
_FEW = 8  # coordinates in which measuring is faster than a table


class Traversal(NamedTuple):
    """rows s_1..s_k; insertion r_1 = inf, r_2..r_k; cover; distances in the metric of the pool."""

    rows: Int[np.ndarray, " k"]
    insertion: Float[np.ndarray, " k"]
    cover: float


def farthest_first(
    cloud: Cloud,
    count: int,
    *,
    start: int = 0,
    candidates: Bool[np.ndarray, " n"] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Traversal:
    """The first `count` rows of the traversal from row `start`; the others are candidates (by default all of them).

    The cover is over all rows.  progress: called with the number chosen so far, and with `count`.
    """
    to_start = cloud.distances_to(cloud[np.array([start])])
    bound = to_start.copy() if candidates is None else np.where(candidates, to_start, -1.0)
    bound[start] = -1.0
    if cloud.count * cloud.dim <= _SMALL:
        everyone = np.arange(cloud.count)
        rows, insertion = play_measured(cloud[everyone], bound, everyone, NOBODY, count)  # s_2 .. s_{k+1}
    else:
        rows, insertion = _lazily(cloud, bound, start, count, progress)
    chosen = np.append(start, rows[: count - 1])
    cover = max(insertion[count - 1 :], default=0.0)
    if candidates is not None and not candidates.all():
        screen, others = Screen(cloud, count), np.flatnonzero(~candidates)
        screen.choose(chosen)
        cover = max(cover, screen.nearest(others, known=to_start[others]).distance.max())
    insertion = np.append(np.inf, insertion[: count - 1])
    return Traversal(chosen, cloud.unscaled(insertion), float(cloud.unscaled(np.array([cover]))[0]))


def _lazily(
    cloud: Cloud,
    bound: Float[np.ndarray, " n"],
    start: int,
    most: int,
    progress: Callable[[int, int], None] | None,
) -> tuple[Int[np.ndarray, " p"], Float[np.ndarray, " p"]]:
    """At most so many rows that follow row `start`, and their insertion distances.

    bound: the distance of each row to row `start`, -1 for those not to choose.
    """
    with single_threaded_blas():  # the screen shares its work among threads of its own
        state = _State(Screen(cloud, most), bound, start, most)
        while state.missing and np.any(state.bound >= 0.0):
            awake, sleeping = state.wake()
            while state.missing and len(awake):
                awake = state.play(awake, sleeping)
                if progress is not None:
                    progress(min(1 + len(state.rows), most), most)  # with the start; the last row is the cover's
        return np.array(state.rows, dtype=np.intp), np.array(state.insertion)


class _State:
    """bound: upper bound of each row's distance to the chosen ones; -1 for those not to choose (any more).

    seen: the number of chosen rows that the bound accounts for; of those it is the exact distance where `exact`.
    rows, insertion: chosen so far, without the start.
    """

    def __init__(self, screen: Screen, bound: Float[np.ndarray, " n"], start: int, most: int):
        self.screen, self.bound, self.most = screen, bound, most
        self.seen = np.ones(len(bound), dtype=np.intp)
        self.exact = np.ones(len(bound), dtype=bool)
        self.rows: list[int] = []
        self.insertion: list[float] = []
        screen.choose(np.array([start]))

    @property
    def missing(self) -> int:
        return self.most - len(self.rows)

    def wake(self) -> tuple[Int[np.ndarray, " a"], Rank]:
        """The leading rows, up to date, less those that then do not lead the others; and the others' best rank."""
        left = np.flatnonzero(self.bound >= 0.0)
        awake, sleeping = self._leading(left, max(_LEAST_AWAKE, len(left) // _AWAKE_SHARE))
        self._update(awake)
        return self._still_leading(awake, sleeping), sleeping

    def play(self, awake: Int[np.ndarray, " a"], sleeping: Rank) -> Int[np.ndarray, " b"]:
        """Choose among the awake rows, and return those of them that then still lead the sleeping ones."""
        contenders, rest = self._leading(awake, _CONTENDERS)
        self._settle(contenders)
        known, rest = self.bound[contenders], rest if rest.leads(sleeping) else sleeping
        if self.screen.cloud.dim <= _FEW:
            chosen, insertion = play_measured(self.screen.cloud[contenders], known, contenders, rest, self.missing)
        else:
            chosen, insertion = Contenders(contenders, known, self.screen).play(rest, self.missing)
        self.rows += chosen.tolist()
        self.insertion += insertion.tolist()
        self.bound[chosen] = -1.0
        awake = awake[self.bound[awake] >= 0.0]
        if self.missing:
            self.screen.choose(chosen)
            self._update(awake)
        return self._still_leading(awake, sleeping)

    def _leading(self, rows: Int[np.ndarray, " m"], size: int) -> tuple[Int[np.ndarray, " l"], Rank]:
        """The `size` rows that lead among some, in the order of these, and the best rank among the others."""
        if size >= len(rows):
            return rows, NOBODY
        bound = self.bound[rows]
        level = _largest(bound, size)
        leads = bound > level
        leads[np.flatnonzero(bound == level)[: size - np.count_nonzero(leads)]] = True
        others = rows[~leads]
        best = int(np.argmax(self.bound[others]))
        return rows[leads], Rank(float(self.bound[others[best]]), int(others[best]))

    def _still_leading(self, rows: Int[np.ndarray, " m"], sleeping: Rank) -> Int[np.ndarray, " l"]:
        bound = self.bound[rows]
        return rows[(bound > sleeping.distance) | ((bound == sleeping.distance) & (rows < sleeping.row))]

    def _update(self, rows: Int[np.ndarray, " m"]) -> None:
        """Make the bounds of some rows account for all chosen ones, and keep the leading ones exact."""
        exact, size = self.exact[rows], _MEASURED * self.missing + _CONTENDERS
        if size < len(rows):
            exact &= self.bound[rows] >= _largest(self.bound[rows], size)
        seen, chosen = self.seen[rows], len(self.screen.chosen)
        for since in np.flatnonzero(np.bincount(seen, minlength=chosen)[:chosen]).tolist():
            group = np.flatnonzero(seen == since)
            some = rows[group]
            found = self.screen.nearest(some, known=self.bound[some], since=int(since), measured=exact[group])
            self.bound[some] = found.distance
            self.exact[some] &= found.exact
        self.seen[rows] = chosen

    def _settle(self, rows: Int[np.ndarray, " m"]) -> None:
        """Make the bounds of some rows exact."""
        rows = rows[~self.exact[rows]]
        if len(rows):
            self.bound[rows] = self.screen.nearest(rows, known=self.bound[rows]).distance
            self.exact[rows] = True


def _largest(numbers: Float[np.ndarray, " m"], place: int) -> float:
    """The place-th largest of some numbers."""
    return float(np.partition(numbers, len(numbers) - place)[len(numbers) - place])

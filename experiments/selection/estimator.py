"""scikit-learn's view of a selection: a selector of ROWS, with fit, get_support, select and fit_resample.

scikit-learn has no contract for choosing rows: transform must return as many rows as it is given, and feature selectors
choose columns. So this is an estimator without transform. `fit` chooses rows of X, `get_support` tells which, as a
feature selector's does for columns, `select` picks them from any array with the same rows (X, y, texts, weights), and
`fit_resample(X, y)` is what imbalanced-learn's samplers and pipelines call.
"""

from numbers import Integral
from typing import Any

import numpy as np
from jaxtyping import Bool, Int
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from experiments.selection.methods import select


class UniformSelector(BaseEstimator):
    """Choose rows that are far apart (method "greedy"), or by one of the other rules of `select`.

    n_select: number of rows, an integer, or a share of the rows in (0, 1], a float, of which at least one is chosen.
    metric, method, start, max_outlier: as in `select`.
    random_state: of start = "random" and of the rules that draw; the others do not look at it.
    After fit.  indices_: the chosen rows in the order of insertion.  insertion_: distance of each to those before it.
    cover_: largest distance of a row to the nearest chosen one.  n_samples_in_: number of rows.
    """

    def __init__(
        self,
        n_select: Any = 0.5,  # scikit-learn's contract: anything may be set, `fit` tells what is wrong
        *,
        metric: Any = "euclidean",
        method: Any = "greedy",
        start: Any = "first",
        max_outlier: Any = None,
        random_state: Any = None,
    ):
        self.n_select = n_select
        self.metric = metric
        self.method = method
        self.start = start
        self.max_outlier = max_outlier
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> "UniformSelector":
        """Choose rows of X; y is not looked at.  Raises ValueError as `select` does."""
        points = np.asarray(validate_data(self, X, dtype=[np.float64, np.float32, np.float16]))
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        chosen = select(
            points,
            self._number(len(points)),
            metric=self.metric,
            method=self.method,
            start=self.start,
            seed=seed,
            max_outlier=self.max_outlier,
        )
        self.indices_, self.insertion_, self.cover_ = chosen
        self.n_samples_in_ = len(points)
        return self

    def get_support(self, indices: bool = False) -> Bool[np.ndarray, " n"] | Int[np.ndarray, " k"]:
        """Which rows were chosen: a mask, or their indices in rising order."""
        check_is_fitted(self)
        if indices:
            return np.sort(self.indices_)
        mask = np.zeros(self.n_samples_in_, dtype=bool)
        mask[self.indices_] = True
        return mask

    def select(self, array: Any) -> Any:
        """The chosen rows, in the order of insertion, of an array or data frame with as many rows as were fitted."""
        check_is_fitted(self)
        number = array.shape[0] if hasattr(array, "shape") else len(array)
        if number != self.n_samples_in_:
            raise ValueError(f"array must have the {self.n_samples_in_} rows that were fitted, but had {number}")
        if hasattr(array, "iloc"):
            return array.iloc[self.indices_]
        return np.asarray(array)[self.indices_]

    def fit_resample(self, X: Any, y: Any = None) -> Any:
        """The chosen rows of X, or of X and of y."""
        self.fit(X)
        return self.select(X) if y is None else (self.select(X), self.select(y))

    def _number(self, rows: int) -> int:
        if isinstance(self.n_select, Integral) and not isinstance(self.n_select, bool):
            return int(self.n_select)
        if not (isinstance(self.n_select, float) and 0.0 < self.n_select <= 1.0):
            raise ValueError(f"n_select must be a number of rows or a share in (0, 1], but was {self.n_select!r}")
        return max(1, round(self.n_select * rows))

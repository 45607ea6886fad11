"""The selector for scikit-learn: its own checks, and what a selector of rows adds."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import ParameterGrid
from sklearn.utils.estimator_checks import check_estimator

from experiments.selection import select
from experiments.selection.estimator import UniformSelector

POINTS = np.random.default_rng(0).normal(size=(60, 5))


def test_passes_all_of_scikit_learns_checks():
    results = check_estimator(UniformSelector(), on_fail=None, on_skip=None)
    assert len(results) > 30
    assert [r["check_name"] for r in results if r["status"] not in ("passed", "skipped")] == []


def test_chooses_what_select_chooses():
    for options in ParameterGrid({"metric": ["euclidean", "cosine"], "method": ["greedy", "facility"]}):
        fitted = clone(UniformSelector(20, **options)).fit(POINTS)
        expected = select(POINTS, 20, **options)
        np.testing.assert_array_equal(fitted.indices_, expected.indices)
        np.testing.assert_array_equal(fitted.insertion_, expected.insertion)
        assert fitted.cover_ == expected.cover
        np.testing.assert_array_equal(fitted.get_support(indices=True), np.sort(expected.indices))
        np.testing.assert_array_equal(np.flatnonzero(fitted.get_support()), np.sort(expected.indices))


def test_picks_the_rows_of_whatever_belongs_to_them():
    labels, names = np.arange(60) % 3, [f"row {i}" for i in range(60)]
    selector = UniformSelector(0.25, method="random", random_state=5)
    rows, chosen_labels = selector.fit_resample(POINTS, labels)
    assert len(rows) == 15 and selector.n_samples_in_ == 60
    np.testing.assert_array_equal(rows, POINTS[selector.indices_])
    np.testing.assert_array_equal(chosen_labels, labels[selector.indices_])
    assert selector.select(names).tolist() == [names[i] for i in selector.indices_]
    with pytest.raises(ValueError, match=r"^array must have the 60 rows that were fitted, but had 59$"):
        selector.select(POINTS[:59])


def test_the_random_state_decides_what_is_drawn():
    def drawn(state):
        return UniformSelector(10, method="random", random_state=state).fit(POINTS).indices_.tolist()

    assert drawn(1) == drawn(1) != drawn(2)
    assert drawn(np.random.RandomState(1)) == drawn(np.random.RandomState(1))


def test_bad_parameters_are_told_when_fitting():
    for number in (0.0, 1.5, -0.5, "half", True):
        with pytest.raises(ValueError, match=r"^n_select must be a number of rows or a share in \(0, 1\], but was"):
            UniformSelector(number).fit(POINTS)
    with pytest.raises(ValueError, match=r"^k must lie between 1 and the pool's 60 rows, but was 61$"):
        UniformSelector(61).fit(POINTS)
    with pytest.raises(NotFittedError):
        UniformSelector().get_support()

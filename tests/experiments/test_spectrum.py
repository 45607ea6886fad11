"""Error bars that cover the truth, on matrices whose eigenvalues are known exactly."""

from decimal import Decimal, localcontext

import hypothesis
import hypothesis.strategies as st
import jax
import numpy as np
import pytest

from experiments.architecture import plain_mlp
from experiments.kernel import empirical_ntk, jacobian
from experiments.spectrum import smallest_eigenvalue, smallest_singular, symmetric_eigh


def second_difference(n):
    """Eigenvalues 4 sin^2(k pi / (2 (n + 1))), k = 1..n; every entry exact."""
    return 2 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1)


@pytest.mark.parametrize("n", [1, 2, 50])
def test_known_spectrum(n):
    exact = 4 * np.sin(np.arange(1, n + 1) * np.pi / (2 * (n + 1))) ** 2
    smallest, spectrum = smallest_eigenvalue(second_difference(n)), symmetric_eigh(second_difference(n))
    assert smallest.resolved and abs(smallest.value - exact[0]) <= smallest.error
    assert smallest.error == pytest.approx(n * 2.0**-52 * exact[-1], rel=1e-12)
    assert np.max(np.abs(spectrum.values - exact)) <= spectrum.error
    rebuilt = spectrum.vectors @ np.diag(spectrum.values) @ spectrum.vectors.T
    np.testing.assert_allclose(rebuilt, second_difference(n), rtol=0, atol=1e-13)


def exact_smallest(t: Decimal) -> Decimal:
    """lambda_min of J J^T, J = [[1, 1], [1, 1 + t]]: half of the trace less the root of the discriminant."""
    trace, determinant = 2 + 1 + (1 + t) ** 2, t * t
    return 2 * determinant / (trace + (trace * trace - 4 * determinant).sqrt())


@hypothesis.given(k=st.integers(1, 50))
def test_error_bars_cover_the_truth_down_to_the_last_bits(k):
    """lambda_min is about t^2/4, from 1e-1 to 1e-31: K loses it at sqrt(eps), J keeps it until t is about eps."""
    jacobian = np.array([[1, 1], [1, 1 + 2.0**-k]])
    with localcontext(prec=60):
        exact = exact_smallest(Decimal(2) ** -k)
        by_kernel, by_singular = smallest_eigenvalue(jacobian @ jacobian.T), smallest_singular(jacobian)
        for found in (by_kernel, by_singular):
            assert abs(Decimal(found.value) - exact) <= Decimal(found.error)
        assert by_kernel.resolved or k > 23
        assert by_singular.resolved or k > 47
    assert not (by_kernel.resolved and k > 27)


def test_unresolved_is_reported_never_clipped():
    """A singular matrix: whatever sign rounding gives the computed value, it stands beside its error bar."""
    rows = np.random.default_rng(0).standard_normal((30, 5))
    found = smallest_eigenvalue(rows @ rows.T)
    assert not found.resolved and found.value != 0.0 and abs(found.value) <= found.error
    negative = smallest_eigenvalue(np.diag([1.0, -0.5]))
    assert negative.value == -0.5 and not negative.resolved


def test_fewer_columns_than_rows_is_singular():
    found = smallest_singular(np.array([[1.0], [2.0]]))
    assert found.value == 0.0 and not found.resolved


@pytest.mark.parametrize(
    ("measure", "matrix", "sentence"),
    [
        (smallest_eigenvalue, [[1.0, np.nan], [np.nan, 1.0]], "gram must be finite, but 2 of its entries were not"),
        (smallest_eigenvalue, [[1.0, 0.5], [0.0, 1.0]], "gram must be symmetric to rounding, but"),
        (smallest_singular, [[np.inf, 1.0]], "jacobian must be finite, but 1 of its entries were not"),
        (symmetric_eigh, np.zeros((0, 0)), "gram must have at least one row and one column, but its shape was"),
    ],
)
def test_bad_matrices_are_one_sentence(measure, matrix, sentence):
    with pytest.raises(ValueError, match=f"^{sentence}"):
        measure(np.asarray(matrix))


@pytest.mark.parametrize("h", [1e-1, 1e-4, 1e-7])
def test_the_two_routes_agree_on_a_network_within_their_error_bars(h):
    """Two points of six at distance h: lambda_min is about 0.04 h^2, which J resolves and K loses below 1e-5."""
    model = plain_mlp(2, width=16, depth=2)
    params, x = model.init(jax.random.key(0)), np.random.default_rng(0).standard_normal((6, 2))
    x[1] = x[0] + np.array([h, 0.0])
    by_kernel = smallest_eigenvalue(empirical_ntk(model, params, x))
    by_singular = smallest_singular(jacobian(model, params, x))
    assert abs(by_kernel.value - by_singular.value) <= by_kernel.error + by_singular.error
    assert by_singular.resolved and by_singular.error < 1e-6 * by_singular.value
    assert by_kernel.resolved == (h > 1e-5)

"""The ends of a kernel's spectrum, each number with its error bar: below the bar a value is "not resolved".

LAPACK computes the eigenvalues of a symmetric N x N matrix K with an absolute error of about N eps lambda_max, all of
them alike, which leaves room for the rounding of K's own entries (eps is that of the dtype K came in: 2^-52, or 2^-23
for a kernel computed in float32; the eigenvalues are always computed in float64). A lambda_min below that carries no
digit, whatever its sign. Nothing here clips it: the value stands as computed, beside its error and whether it is
resolved. For K = J J^T the singular values of J reach further: sigma_min has an absolute error of about
N eps sigma_max, which resolves lambda_min = sigma_min^2 down to about (N eps)^2 lambda_max.

These are measurements, taken outside compiled code.
"""

from typing import NamedTuple

import numpy as np
import scipy.linalg
from jaxtyping import Array, Float


class Eigenvalue(NamedTuple):
    """An eigenvalue as computed, never clipped; `error` bounds its rounding; `resolved` says value > error."""

    value: float
    error: float
    resolved: bool


class Spectrum(NamedTuple):
    """values: eigenvalues, ascending.  vectors: orthonormal, one a column.  error: absolute error of every value."""

    values: Float[np.ndarray, " n"]
    vectors: Float[np.ndarray, "n n"]
    error: float


def _eps(matrix: Array | np.ndarray) -> float:
    """Relative rounding of the precision in which the entries were computed."""
    dtype = np.asarray(matrix).dtype
    return float(np.finfo(dtype if np.issubdtype(dtype, np.floating) else np.float64).eps)


def _require_matrix(name: str, matrix: Array | np.ndarray) -> np.ndarray:
    array = np.asarray(matrix, dtype=np.float64)
    if array.size == 0:
        raise ValueError(f"{name} must have at least one row and one column, but its shape was {array.shape}")
    if not np.all(np.isfinite(array)):
        raise ValueError(f"{name} must be finite, but {np.sum(~np.isfinite(array))} of its entries were not")
    return array


def _require_symmetric(gram: Array | np.ndarray) -> np.ndarray:
    array = _require_matrix("gram", gram)
    asymmetry, largest = np.max(np.abs(array - array.T)), np.max(np.abs(array))
    if asymmetry > len(array) * _eps(gram) * largest:
        raise ValueError(f"gram must be symmetric to rounding, but |K - K^T| reached {asymmetry:.1e} of {largest:.1e}")
    return array


def symmetric_eigh(gram: Float[Array | np.ndarray, "n n"]) -> Spectrum:
    """All eigenvalues and eigenvectors of a symmetric matrix. Raises ValueError when it is not finite and symmetric."""
    array = _require_symmetric(gram)
    values, vectors = scipy.linalg.eigh(array)
    return Spectrum(values, vectors, len(array) * _eps(gram) * float(np.max(np.abs(values))))


def smallest_eigenvalue(gram: Float[Array | np.ndarray, "n n"]) -> Eigenvalue:
    """lambda_min of a symmetric positive semidefinite matrix, error N eps lambda_max.

    Raises ValueError when the matrix is not finite and symmetric.
    """
    array = _require_symmetric(gram)
    values = scipy.linalg.eigvalsh(array)
    value, error = float(values[0]), len(array) * _eps(gram) * float(np.max(np.abs(values)))
    return Eigenvalue(value, error, value > error)


def smallest_singular(jacobian: Float[Array | np.ndarray, "rows columns"]) -> Eigenvalue:
    """lambda_min(J J^T) = sigma_min(J)^2 from the singular values of J, without forming J J^T.

    With delta = min(rows, columns) eps sigma_max the error of sigma_min, the error of its square is
    2 sigma_min delta + delta^2. Fewer columns than rows: J J^T is singular, the value is 0 and not resolved. Raises
    ValueError when J is not finite.
    """
    array = _require_matrix("jacobian", jacobian)
    rows, columns = array.shape
    singular = scipy.linalg.svdvals(array)
    smallest = float(singular[-1]) if rows <= columns else 0.0
    delta = min(rows, columns) * _eps(jacobian) * float(singular[0])
    value, error = smallest**2, 2 * smallest * delta + delta**2
    return Eigenvalue(value, error, value > error)

"""A certificate that lambda_min(K(theta)) > 0: proved in ball arithmetic at one rational theta, written as plain JSON.

Points and parameters are float64 numbers, hence exact rationals, and stand in the certificate as "p/q". K = J J^T is
enclosed at 64 bits; if that does not decide, at 128, 256, ... up to a limit. What is proved:

  every pivot of K - floor I (in L D L^T) is positive, hence lambda_min(K(theta)) > floor > 0.

floor is the enclosure of |K^-8|_F^(-1/8), which lies within a factor n^(1/16) below lambda_min, rounded down to three
digits. What one such theta says about almost every initialisation: theory/almost_all_initialisations.py.
"""

import inspect
import json
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import ROUND_FLOOR, Context, Decimal
from fractions import Fraction
from typing import Any, NamedTuple

import flint
import jax
import numpy as np
from flint import arb, arb_mat, fmpq
from jaxtyping import Float

from experiments.architecture import ARCHITECTURES, ArchitectureConfig
from experiments.blocks import Block, Params
from experiments.certify.ball_network import ANALYTIC, jacobian

LEAST_BITS = 64
MOST_BITS = 1024
INVERSE_SQUARINGS = 3
CERTIFIABLE = {("xavier", normalisation) for normalisation in (None, "none", "layernorm")}
"""What the checker knows; `prove_positive` also takes the others. In both scalings the functions are the same."""


class Refused(ValueError):
    """Nothing can be certified here; the text is the one sentence that says why."""


class Proof(NamedTuple):
    """lambda_min(K(theta)) > floor > 0: the `pivots` of K - floor I, enclosed at `bits` bits, are positive."""

    floor: Decimal
    pivots: tuple[arb, ...]
    bits: int


class Certificate(NamedTuple):
    """proof: what was proved.  num_parameters: P.  body: what the checker reads, plain values throughout."""

    proof: Proof
    num_parameters: int
    body: dict[str, Any]

    def to_json(self) -> bytes:
        return (json.dumps(self.body, indent=1) + "\n").encode()


def certify(
    config: ArchitectureConfig, points: Float[np.ndarray, "n ..."], *, max_bits: int = MOST_BITS, seed: int = 0
) -> Certificate:
    """Prove lambda_min(K(theta)) > 0 at the theta that the architecture's own initialisation draws with `seed`.

    points: (N, dim), or (N, tokens, dim) for a transformer.  max_bits: where raising the precision stops.
    Raises Refused where K(theta) is singular for every theta (duplicate points, too few parameters), where the model
    is not analytic, and where `max_bits` bits do not decide; ValueError for a configuration that cannot be built.
    """
    if max_bits < LEAST_BITS:
        raise ValueError(f"max_bits must be at least {LEAST_BITS}, but was {max_bits}")
    if points.ndim not in (2, 3) or points.size == 0:
        raise Refused(f"points must be of shape (N, dim) or (N, tokens, dim), N >= 1, but were of {points.shape}")
    if not np.all(np.isfinite(points)):
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(points))[0])
        raise Refused(f"points must be finite, but entry {where} was {points[where]}")
    model = config.build(points.shape[1:])
    if config.activation not in ANALYTIC:
        raise Refused(
            f"activation must be analytic ({', '.join(sorted(ANALYTIC))}), but was {config.activation!r}: K(theta) is "
            "singular where all its units are dead, on a set of theta of positive measure"
        )
    if (config.scaling, config.normalisation) not in CERTIFIABLE:
        raise Refused(
            "scaling must be xavier and normalisation none or layernorm in a certificate, but they were "
            f"{config.scaling} and {config.normalisation}"
        )
    params = model.init(jax.random.key(seed))
    _require_independent_rows(points, parameters=_size(params), outputs=config.outputs)
    proof = prove_positive(model, params, points, max_bits=max_bits)
    return Certificate(proof, _size(params), _body(config, points, params, proof, seed=seed))


def prove_positive(
    model: Block, params: Params, points: Float[np.ndarray, "n ..."], *, max_bits: int = MOST_BITS
) -> Proof:
    """Positive pivots of K(theta) - floor I for any block whose parts have rules in `ball_network`.

    Raises Refused when `max_bits` bits do not decide.
    """
    bits = LEAST_BITS
    while bits <= max_bits:
        with precision(bits):
            kernel = enclosed_kernel(model, params, points)
            floor = eigenvalue_floor(kernel)
            pivots = None if floor is None else positive_pivots(_shifted(kernel, floor))
            if floor is not None and pivots is not None:
                return Proof(floor, pivots, bits)
        bits *= 2
    raise Refused(
        f"lambda_min(K(theta)) > 0 was not decided at {bits // 2} bits: K(theta) is singular or close to it at this "
        "theta, so try another seed, or more bits"
    )


def enclosed_kernel(model: Block, params: Params, points: Float[np.ndarray, "n ..."]) -> arb_mat:
    """K = J J^T, (N m) x (N m), at the working precision; params and points are read as exact rationals."""
    samples = [_ball_matrix(np.atleast_2d(point)) for point in points]
    rows = jacobian(model, jax.tree.map(lambda leaf: _ball_matrix(np.atleast_2d(leaf)), params), samples)
    return rows * rows.transpose()


def positive_pivots(matrix: arb_mat) -> tuple[arb, ...] | None:
    """The pivots of a symmetric matrix in L D L^T when all their enclosures are positive, which proves it positive
    definite; None when one is not: undecided."""
    rows, pivots = matrix.tolist(), []
    for k, row in enumerate(rows):
        if not row[k] > 0:  # a ball that contains 0 is not > 0; neither is NaN
            return None
        pivots.append(row[k])
        for below in rows[k + 1 :]:
            factor = below[k] / row[k]
            for j in range(k + 1, len(rows)):
                below[j] -= factor * row[j]
    return tuple(pivots)


def eigenvalue_floor(kernel: arb_mat) -> Decimal | None:
    """|K^-p|_F^(-1/p) with p = 2^INVERSE_SQUARINGS, a lower bound on lambda_min of a positive definite K, rounded down.

    lambda_min^-p = |K^-p|_2 <= |K^-p|_F <= sqrt(n) lambda_min^-p. None when the precision does not give a positive one.
    """
    try:
        power = kernel.inv()
    except ZeroDivisionError:  # not certainly invertible
        return None
    for _ in range(INVERSE_SQUARINGS):
        power = power * power
    norm = sum((entry * entry for entry in power.entries()), arb(0)).sqrt()
    low = (1 / norm.root(2**INVERSE_SQUARINGS)).lower()
    if not (low.is_finite() and low > 0):
        return None
    exact = low.fmpq()
    rounding = Context(prec=3, rounding=ROUND_FLOOR)
    return rounding.divide(Decimal(int(exact.p)), Decimal(int(exact.q)))


@contextmanager
def precision(bits: int) -> Iterator[None]:
    """Work at `bits` bits; flint keeps the precision in a global context."""
    before = flint.ctx.prec
    flint.ctx.prec = bits
    try:
        yield
    finally:
        flint.ctx.prec = before


def _require_independent_rows(points: Float[np.ndarray, "n ..."], *, parameters: int, outputs: int) -> None:
    first: dict[bytes, int] = {}
    for index, row in enumerate(points + 0.0):  # -0.0 and 0.0 are one number
        other = first.setdefault(row.tobytes(), index)
        if other != index:
            kind = "token sequences" if points.ndim == 3 else "points"
            raise Refused(
                f"{kind} must be distinct, but {other} and {index} are identical: their rows of J coincide, so "
                "K(theta) is singular for every theta"
            )
    rows = len(points) * outputs
    if parameters < rows:
        raise Refused(
            f"the parameters must be at least N m = {rows}, but there are P = {parameters}: K(theta) = J J^T has rank "
            "at most P, so it is singular for every theta"
        )


def _shifted(kernel: arb_mat, floor: Decimal) -> arb_mat:
    shift, size = arb(_rational(Fraction(floor))), kernel.nrows()
    return kernel - arb_mat([[shift if i == j else 0 for j in range(size)] for i in range(size)])


def _body(
    config: ArchitectureConfig, points: Float[np.ndarray, "n ..."], params: Params, proof: Proof, *, seed: int
) -> dict[str, Any]:
    theta = np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(params)])
    return {
        "schema": 1,
        "statement": "K(theta) - floor I is positive definite; K = J J^T, J = d outputs / d theta at the points",
        "architecture": _resolved(config, points.shape[1:]),
        "seed": seed,
        "bits": proof.bits,
        "floor": str(Fraction(proof.floor)),
        "pivots": [pivot.str(int(0.302 * proof.bits) + 2) for pivot in proof.pivots],
        "points": _fractions(points.tolist()),
        "theta": _fractions(theta.tolist()),
    }


def _resolved(config: ArchitectureConfig, point_shape: tuple[int, ...]) -> dict[str, Any]:
    """The architecture with every default filled in: what someone needs who builds it without this project."""
    parameters = inspect.signature(ARCHITECTURES[config.kind]).parameters
    values = {name: parameter.default for name, parameter in parameters.items()}
    values |= dict(zip(("tokens", "dim")[-len(point_shape) :], point_shape))
    values |= {name: value for name, value in vars(config).items() if name in values and value is not None}
    if values.get("bottleneck", config.width) is None:
        values["bottleneck"] = {"residual": 1, "transformer": 4}[config.kind] * config.width
    if "eps" in values:
        values["eps"] = str(Fraction(repr(values["eps"])))
    return {"kind": config.kind, **values}


def _size(params: Params) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(params))


def _rational(number: Fraction) -> fmpq:
    return fmpq(number.numerator, number.denominator)


def _ball_matrix(array: np.ndarray) -> arb_mat:
    return arb_mat([[arb(_rational(Fraction(float(entry)))) for entry in row] for row in array])


def _fractions(numbers: list[Any] | float) -> Any:
    """Nested lists of exact "p/q"."""
    return [_fractions(part) for part in numbers] if isinstance(numbers, list) else str(Fraction(numbers))

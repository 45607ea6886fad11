"""Hunt for counterexamples to G6: floors from determinants, and singular kernels along gradient descent.

Matrices with a constructed spectrum, where both floors are attained, and a small tanh or GELU network of its own.
Equality: spread = 0, and smallest << 1 (spectral floor).
"""

from collections.abc import Sequence
from functools import partial
from typing import Literal, NamedTuple

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from experiments.architecture import plain_mlp
from experiments.blocks import Chain, Params
from experiments.certify.certificate import Refused, prove_positive
from experiments.hunt import Hunt
from experiments.separation import separation
from theory import almost_all_initialisations
from theory.rounding import EPS
from theory.verdict import Check

DRAWS, POINTS, UNITS, DIM = 16, 4, 4, 2
PARAMETERS = UNITS * (DIM + 2) + 1
REACH, BITS = 10.0, 4096
"""Up to parameters of size REACH this many bits decide. |z| = |w . x + b| <= (|x|_1 + 1) reach <= 37.1, for point 1
lies within 1/2 of the unit square; what flat GELU units leave of K beside 1 1^T is of the size exp(-z^2) >= 2^-1990."""

Form = Literal["spectral floor", "volume floor", "singular share"]


class Instance(NamedTuple):
    """One check of one inequality.

    network: on the network's own kernels and hessian, else on a matrix of `size` eigenvalues exp(spread * normal), the
    least of them times 10^smallest for the spectral floor.  step: 4 eta, for the volume floor eta lambda_max.
    num_steps: steps of gradient descent before the kernels are looked at.  gap: distance of points 0 and 1.
    """

    form: Form
    network: bool
    activation: Literal["tanh", "gelu"]
    size: int
    smallest: float
    spread: float
    step: float
    num_steps: int
    gap: float
    seed: int


class Draws(NamedTuple):
    """theta: (draws, P), standard normal.  inputs: (N, dim) in [0, 1]^2 but for point 1.  labels: (N,)."""

    theta: Float[np.ndarray, "draws p"]
    inputs: Float[np.ndarray, "n d"]
    labels: Float[np.ndarray, " n"]


class Runs(NamedTuple):
    """ends: theta_s of every draw.  start, end: J(theta_0) and J(theta_s).  hessian: hess L at the first draw."""

    ends: Float[Array, "draws p"]
    start: Float[Array, "draws n p"]
    end: Float[Array, "draws n p"]
    hessian: Float[Array, "p p"]


def network(activation: str) -> Chain:
    return plain_mlp(DIM, width=UNITS, depth=1, activation=activation)


def unflattened(theta: Float[ArrayLike, " p"], model: Chain) -> Params:
    """The parameters' tree from theta, in the order of the flattened tree."""
    laws, tree = jax.tree.flatten(model.laws())
    cuts = np.cumsum([np.prod(law.shape) for law in laws])[:-1]
    return tree.unflatten(part.reshape(law.shape) for part, law in zip(jnp.split(jnp.asarray(theta), cuts), laws))


def draw(instance: Instance) -> Draws:
    rng = np.random.default_rng(instance.seed)
    inputs, angle = rng.random((POINTS, DIM)), 2.0 * np.pi * rng.random()
    inputs[1] = inputs[0] + instance.gap * np.array([np.cos(angle), np.sin(angle)])
    return Draws(rng.standard_normal((DRAWS, PARAMETERS)), inputs, rng.standard_normal(POINTS))


@partial(jax.jit, static_argnames="activation")
def descend(drawn: Draws, step_size: ArrayLike, num_steps: ArrayLike, *, activation: str) -> Runs:
    """Gradient descent from every draw."""
    model = network(activation)

    def outputs(theta: Array) -> Array:
        return model(unflattened(theta, model), drawn.inputs)

    def loss(theta: Array) -> Array:
        return jnp.mean(jnp.square(outputs(theta) - jnp.asarray(drawn.labels))) / 2.0

    def end(theta: Array) -> Array:
        return jax.lax.fori_loop(0, num_steps, lambda _, t: t - step_size * jax.grad(loss)(t), theta)

    ends, jacobian = jax.vmap(end)(jnp.asarray(drawn.theta)), jax.vmap(jax.jacrev(outputs))
    return Runs(ends, jacobian(drawn.theta), jacobian(ends), jax.hessian(loss)(jnp.asarray(drawn.theta[0])))


def spectrum_of(instance: Instance) -> Float[np.ndarray, " n"]:
    return np.exp(instance.spread * np.random.default_rng(instance.seed).standard_normal(instance.size))


def _rotation(size: int, seed: int) -> Float[np.ndarray, "n n"]:
    return np.linalg.qr(np.random.default_rng(seed + 1).standard_normal((size, size)))[0]


def _check_spectral(instance: Instance) -> Check:
    if instance.network:
        jacobians = np.asarray(_runs(instance).end)
    else:
        eigenvalues = np.sort(spectrum_of(instance))
        eigenvalues[0] *= 10.0**instance.smallest
        jacobians = (_rotation(instance.size, instance.seed) * np.sqrt(eigenvalues))[None]
    singular = np.linalg.svd(jacobians, compute_uv=False)  # of J, not of K: keeps a small lambda_min's digits
    kernels = jacobians @ jacobians.swapaxes(1, 2)
    log_determinants = np.linalg.slogdet(kernels)[1]
    size, smallest = kernels.shape[1], singular[:, -1]
    traces = kernels.trace(axis1=1, axis2=2)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = log_determinants - (size - 1) * np.log(traces) - 2.0 * np.log(smallest)
    tightest = np.argmax(np.where(smallest > 1e-6 * singular[:, 0], ratios, -np.inf))
    error = 2.0 * size * EPS * singular[tightest, 0] * smallest[tightest]
    return almost_all_initialisations.check(
        float(smallest[tightest] ** 2),
        float(log_determinants[tightest]),
        trace=float(traces[tightest]),
        size=size,
        eigenvalue_error=float(error),
        instance=repr(instance),
    )


def _check_volume(instance: Instance) -> Check:
    if instance.network:
        matrix = np.asarray(_runs(instance._replace(step=0.0, num_steps=0)).hessian)
    else:
        rotation = _rotation(instance.size, instance.seed)
        matrix = (rotation * spectrum_of(instance)) @ rotation.T
    eigenvalues = np.linalg.eigvalsh(matrix)
    step = instance.step / eigenvalues[-1]
    return almost_all_initialisations.check_volume(
        float(np.linalg.det(np.eye(len(matrix)) - step * matrix)),
        float(step),
        largest_eigenvalue=float(eigenvalues[-1]),
        hessian_norm=float(np.abs(eigenvalues).max()),
        num_parameters=len(matrix),
        instance=repr(instance),
    )


def _check_share(instance: Instance) -> Check:
    drawn, runs = draw(instance), _runs(instance)
    start, end = (np.linalg.svd(np.asarray(jacobians), compute_uv=False) for jacobians in (runs.start, runs.end))
    resolved = end[:, -1] > POINTS * EPS * end[:, 0]
    reach = REACH - float(np.abs(runs.ends).max())
    undecided = np.flatnonzero(~resolved) if reach >= 0.0 else ()
    eigenvalues = np.linalg.eigvalsh(np.asarray(runs.hessian))
    factors = 1.0 - 0.25 * instance.step * eigenvalues
    rounding = PARAMETERS * EPS * (1.0 + np.abs(factors).max())
    return almost_all_initialisations.check_draws(
        sum(not decided(runs.ends[k], drawn.inputs, instance.activation) for k in undecided),
        DRAWS,
        analytic=True,
        num_parameters=PARAMETERS,
        kernel_size=POINTS,
        separation=separation(drawn.inputs).distance,
        certified=float(np.max(start[:, -1] - POINTS * EPS * start[:, 0])),
        regular=float(np.abs(factors).min() - rounding),
        reach=reach,
        instance=repr(instance),
    )


def decided(theta: Float[ArrayLike, " p"], inputs: Float[np.ndarray, "n d"], activation: str) -> bool:
    """Whether ball arithmetic proves K(theta) > 0 where float64 cannot tell: GELU units far on their flat side."""
    model = network(activation)
    try:
        prove_positive(model, unflattened(theta, model), inputs, max_bits=BITS)
    except Refused:
        return False
    return True


def _runs(instance: Instance) -> Runs:
    return descend(draw(instance), 0.25 * instance.step, instance.num_steps, activation=instance.activation)


_CHECKS = {"spectral floor": _check_spectral, "volume floor": _check_volume, "singular share": _check_share}


def check(instance: Instance) -> Check:
    return _CHECKS[instance.form](instance)


def check_many(instances: Sequence[Instance]) -> list[Check]:
    """One by one; the batch saves Hypothesis's own time, which is most of it."""
    return [check(instance) for instance in instances]


_ATTAINED = Instance("spectral floor", False, "tanh", 5, -6.0, 0.0, 0.5, 0, 0.2, 0)

HUNT = Hunt(
    claim="G6",
    instances=st.builds(
        Instance,
        form=st.sampled_from(("spectral floor", "volume floor", "singular share")),
        network=st.booleans(),
        activation=st.sampled_from(("tanh", "gelu")),
        size=st.sampled_from((2, 3, 5, 8)),
        smallest=st.floats(-9.0, 0.0),
        spread=st.just(0.0) | st.floats(0.0, 1.5),
        step=st.floats(0.01, 0.95),
        num_steps=st.integers(0, 8),
        gap=st.floats(0.05, 0.5),
        seed=st.integers(0, 2**16),
    ),
    check=check,
    check_many=check_many,
    module="experiments.hunts.almost_all_initialisations",
    extremal=(_ATTAINED, _ATTAINED._replace(form="volume floor"), _ATTAINED._replace(smallest=-4.0, size=2)),
)

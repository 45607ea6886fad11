"""Hunt for counterexamples to the learning-rate scale: E K(x, x) by one-dimensional quadrature, spectra by drawing.

w . x is normal with variance 2|x|^2/(d+m), so E K(x, x) needs two integrals over R. The trapezoid rule of step h errs
by about exp(-2 pi c/h) for an integrand analytic in |Im z| < c; here c >= pi/(2 * 10), h = 0.02: below 1e-20, and the
tail beyond 12 is below 1e-30. ReLU's integrals are known. Equality: the identity ("mean"), N = 1 ("spectrum").
"""

import math
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

import numpy as np
from hypothesis import strategies as st
from jaxtyping import Float
from scipy.special import ndtr

from experiments.hunt import Hunt
from experiments.initialisation import SCALINGS
from theory import learning_rate_scale
from theory.verdict import Check

_STEP = 0.02
_GRID = np.arange(-12.0, 12.0 + _STEP / 2, _STEP)
_DENSITY = _STEP * np.exp(-0.5 * _GRID**2) / math.sqrt(2.0 * math.pi)
_XAVIER = SCALINGS["xavier"]


class Nonlinearity(NamedTuple):
    """sigma, sigma' and the constants A = sup |sigma(t)/t|, B = sup |sigma'|."""

    value: Callable[[np.ndarray], np.ndarray]
    derivative: Callable[[np.ndarray], np.ndarray]
    value_slope: float
    slope: float


def _normal_density(t: np.ndarray) -> np.ndarray:
    return np.exp(-0.5 * t**2) / math.sqrt(2.0 * math.pi)


NONLINEARITIES: Mapping[str, Nonlinearity] = {
    "identity": Nonlinearity(lambda t: t, np.ones_like, 1.0, 1.0),
    "tanh": Nonlinearity(np.tanh, lambda t: 1.0 - np.tanh(t) ** 2, 1.0, 1.0),
    "sine": Nonlinearity(np.sin, np.cos, 1.0, 1.0),
    # gelu' = Phi + t phi is largest where its derivative (2 - t^2) phi vanishes.
    "gelu": Nonlinearity(
        lambda t: t * ndtr(t),
        lambda t: ndtr(t) + t * _normal_density(t),
        1.0,
        float(ndtr(math.sqrt(2.0))) + math.sqrt(2.0) * math.exp(-1.0) / math.sqrt(2.0 * math.pi),
    ),
    "relu": Nonlinearity(lambda t: np.maximum(t, 0.0), lambda t: (t > 0.0).astype(float), 1.0, 1.0),
}


class Instance(NamedTuple):
    """norm: |x|, for every sample.  num_points: of the drawn network (spectrum)."""

    form: Literal["mean", "spectrum"]
    activation: str
    dim: int
    width: int
    norm: float
    bias: bool
    num_points: int
    seed: int


def moments(activation: str, deviation: float) -> tuple[float, float]:
    """E sigma(s z)^2 and E sigma'(s z)^2 for standard normal z, s = deviation."""
    if activation == "relu":  # half of the identity's, by symmetry; the trapezoid rule would see the kink
        return 0.5 * deviation**2, 0.5
    chosen = NONLINEARITIES[activation]
    points = deviation * _GRID
    return float(_DENSITY @ chosen.value(points) ** 2), float(_DENSITY @ chosen.derivative(points) ** 2)


def drawn_kernel(instance: Instance) -> Float[np.ndarray, "n n"]:
    """K of one drawn two-layer network on random inputs of length `norm`."""
    rng = np.random.default_rng(instance.seed)
    chosen = NONLINEARITIES[instance.activation]
    inputs = rng.standard_normal((instance.num_points, instance.dim))
    inputs *= instance.norm / np.linalg.norm(inputs, axis=1, keepdims=True)
    inner = _XAVIER.weight_std(instance.dim, instance.width) * rng.standard_normal((instance.dim, instance.width))
    outer = _XAVIER.weight_std(instance.width, 1) * rng.standard_normal(instance.width)
    before = inputs @ inner
    values, signals = chosen.value(before), outer * chosen.derivative(before)
    ones = float(instance.bias)
    return values @ values.T + ones + (signals @ signals.T) * (inputs @ inputs.T + ones)


def check(instance: Instance) -> Check:
    """E K(x, x) against its ceiling, or lambda_max/N of one network against tr/N."""
    if instance.form == "spectrum":
        kernel = drawn_kernel(instance)
        return learning_rate_scale.check_spectrum(
            top_eigenvalue=float(np.linalg.eigvalsh(kernel)[-1]),
            trace=float(np.trace(kernel)),
            num_points=instance.num_points,
            instance=repr(instance),
        )
    weight_variance = _XAVIER.weight_std(instance.dim, instance.width) ** 2
    outer_variance = _XAVIER.weight_std(instance.width, 1) ** 2
    value, derivative = moments(instance.activation, instance.norm * math.sqrt(weight_variance))
    chosen = NONLINEARITIES[instance.activation]
    mean = learning_rate_scale.mean_kernel(
        value,
        derivative,
        instance.norm**2,
        width=instance.width,
        outer_variance=outer_variance,
        bias=instance.bias,
    )
    return learning_rate_scale.check(
        kernel_mean=float(mean),
        squared_norm=instance.norm**2,
        dim=instance.dim,
        width=instance.width,
        value_slope=chosen.value_slope,
        slope=chosen.slope,
        bias=instance.bias,
        weight_variance=weight_variance,
        outer_variance=outer_variance,
        instance=repr(instance),
    )


HUNT = Hunt(
    claim="G8",
    instances=st.builds(
        Instance,
        form=st.sampled_from(["mean", "spectrum"]),
        activation=st.sampled_from(sorted(NONLINEARITIES)),
        dim=st.integers(1, 32),
        width=st.integers(1, 256),
        norm=st.floats(-2.0, 1.0).map(lambda exponent: 10.0**exponent),
        bias=st.booleans(),
        num_points=st.integers(1, 8),
        seed=st.integers(0, 2**31 - 1),
    ),
    check=check,
    module="experiments.hunts.learning_rate_scale",
    check_many=lambda instances: [check(instance) for instance in instances],
    extremal=(
        Instance("mean", "identity", 16, 64, 4.0, True, 1, 0),
        Instance("mean", "identity", 3, 1, 0.5, False, 1, 0),
        Instance("spectrum", "tanh", 16, 64, 4.0, True, 1, 0),
    ),
)

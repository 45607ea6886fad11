"""G8 learning-rate scale, in five parts: random instances, attained, necessary hypotheses, invariances, proof lines."""

import jax
import numpy as np
import pytest
from hypothesis import given
from scipy.special import expit

from experiments.architecture import plain_mlp
from experiments.hunt import search
from experiments.hunts.learning_rate_scale import HUNT, NONLINEARITIES, Instance, drawn_kernel, moments
from experiments.kernel import empirical_ntk
from theory import learning_rate_scale
from theory.learning_rate_scale import mean_ceiling, mean_kernel, stable_step_quantile, width_free_ceiling
from theory.verdict import Verdict, failed_hypotheses, judge, slack_log10


def gauss(function, deviation, nodes=120):
    """E function(deviation z) for standard normal z by Gauss-Hermite quadrature, the hunt's independent route."""
    points, weights = np.polynomial.hermite_e.hermegauss(nodes)
    return float(weights @ function(deviation * points) / np.sqrt(2 * np.pi))


def mean_check(
    value, derivative, *, dim, width, squared_norm, bias=False, variance=None, outer=None, slopes=(1.0, 1.0)
):
    """E K(x, x) by Gauss-Hermite against the ceiling; variances Xavier's unless given."""
    variance = 2 / (dim + width) if variance is None else variance
    outer = 2 / (width + 1) if outer is None else outer
    deviation = float(np.sqrt(squared_norm * variance))
    mean = mean_kernel(
        gauss(lambda t: value(t) ** 2, deviation),
        gauss(lambda t: derivative(t) ** 2, deviation),
        squared_norm,
        width=width,
        outer_variance=outer,
        bias=bias,
    )
    return learning_rate_scale.check(
        kernel_mean=float(mean),
        squared_norm=squared_norm,
        dim=dim,
        width=width,
        value_slope=slopes[0],
        slope=slopes[1],
        bias=bias,
        weight_variance=variance,
        outer_variance=outer,
        instance="by quadrature",
    )


# 1. Holds on random instances


@given(HUNT.instances)
def test_holds_on_random_instances(instance):
    assert judge(HUNT.check(instance)) is not Verdict.VIOLATED


def test_random_instances_are_applicable_and_reach_equality():
    report = search(HUNT, examples=60, seed=0)
    assert report.violation is None
    assert report.applicable >= 50
    assert {found.inequality: round(found.slack_log10, 9) for found in report.tightest} == {
        "mean": 0.0,
        "spectrum": 0.0,
    }


@pytest.mark.parametrize("activation", sorted(NONLINEARITIES))
@pytest.mark.parametrize("deviation", [0.1, 1.0])
def test_the_hunts_moments_are_what_gauss_hermite_says(activation, deviation):
    chosen = NONLINEARITIES[activation]
    expected = gauss(lambda t: chosen.value(t) ** 2, deviation), gauss(lambda t: chosen.derivative(t) ** 2, deviation)
    # ReLU's kink sits between two of an even number of nodes: the symmetric rule is exact there too.
    np.testing.assert_allclose(moments(activation, deviation), expected, rtol=1e-6)


@pytest.mark.parametrize("activation", sorted(NONLINEARITIES))
def test_the_hunts_slopes_are_suprema(activation):
    """A and B against 200,001 points of [-30, 30]: never exceeded, and reached to 1e-6; sigma' against differences."""
    chosen = NONLINEARITIES[activation]
    t = np.linspace(-30, 30, 200_001)
    value, derivative = chosen.value(t), chosen.derivative(t)
    assert np.all(np.abs(value) <= chosen.value_slope * np.abs(t) + 1e-15)
    assert np.max(np.abs(derivative)) == pytest.approx(chosen.slope, rel=1e-6)
    middle = (value[2:] - value[:-2]) / (t[2:] - t[:-2])
    smooth = np.abs(t[1:-1]) > 1e-3
    np.testing.assert_allclose(middle[smooth], derivative[1:-1][smooth], atol=1e-6)


# 2. Attained


@pytest.mark.parametrize(("dim", "width"), [(1, 1), (16, 64), (16, 4096)])
def test_is_attained_by_the_identity_at_every_width(dim, width):
    """f = a.Wx: E K = |x|^2 (m 2/(d+m) + m 2/(m+1)), plus (1 and) the biases' m 2/(m+1) + 1, by hand."""
    for bias in (False, True):
        found = mean_check(lambda t: t, np.ones_like, dim=dim, width=width, squared_norm=3.0, bias=bias)
        by_hand = 6 * width / (dim + width) + 2 * width / (width + 1) * (3 + bias) + bias
        assert found.measured == pytest.approx(by_hand, rel=1e-12)
        assert judge(found) is Verdict.HOLDS and slack_log10(found) == pytest.approx(0.0, abs=1e-12)


def test_is_attained_by_one_sample():
    kernel = drawn_kernel(Instance("spectrum", "gelu", 5, 7, 2.0, True, 1, 3))
    found = learning_rate_scale.check_spectrum(
        top_eigenvalue=float(kernel[0, 0]), trace=float(np.trace(kernel)), num_points=1, instance="one"
    )
    assert slack_log10(found) == 0.0


def test_how_loose_the_ceiling_is_for_wide_tanh_networks():
    """|x|^2 = 16, d = 16, biases: the mean is 45% of the ceiling at width 16, 98.5% at width 4096."""
    ratios = []
    for width in (16, 4096):
        found = mean_check(np.tanh, lambda t: 1 - np.tanh(t) ** 2, dim=16, width=width, squared_norm=16.0, bias=True)
        ratios.append(found.measured / found.bound)
    assert ratios == pytest.approx([0.452, 0.985], abs=1e-3)


# 3. Fails without each hypothesis


def test_fails_without_xavier_second_moments():
    """Unit variances: the mean is m (E sigma^2 + E sigma'^2 |x|^2), ten times as large at ten times the width."""
    means = []
    for width in (100, 1000):
        found = mean_check(
            np.tanh, lambda t: 1 - np.tanh(t) ** 2, dim=4, width=width, squared_norm=1.0, variance=1.0, outer=1.0
        )
        assert failed_hypotheses(found) == ("xavier second moments",)
        assert judge(found._replace(margins={})) is Verdict.VIOLATED
        means.append(found.measured)
    assert means[1] == pytest.approx(10 * means[0], rel=1e-12)


@pytest.mark.parametrize(
    ("value", "derivative"),
    [(np.cos, lambda t: -np.sin(t)), (expit, lambda t: expit(t) * expit(-t))],
    ids=["cosine", "sigmoid"],
)
def test_fails_without_activation_through_zero(value, derivative):
    """sigma(0) != 0 leaves m sigma(0)^2 in the kernel, which no ceiling free of the width can hold."""
    small, large = (mean_check(value, derivative, dim=4, width=width, squared_norm=1.0) for width in (100, 1000))
    assert judge(large) is Verdict.VIOLATED
    assert 9 < large.measured / small.measured < 11


def test_fails_without_bounded_slope():
    """sigma = t sin t obeys |sigma| <= |t|, but sigma' = sin t + t cos t has no bound: at |x| = 6, B = 1 fails."""
    found = mean_check(lambda t: t * np.sin(t), lambda t: np.sin(t) + t * np.cos(t), dim=1, width=1, squared_norm=36.0)
    assert judge(found) is Verdict.VIOLATED


# 4. Invariances and limits


def test_invariances_and_limits_width():
    """The ceiling rises with the width to 4|x|^2 (+3 with biases), and never passes it; d = m gives 3|x|^2."""
    widths = np.array([1, 4, 64, 4096, 10**9])
    for bias, limit in ((False, 12.0), (True, 15.0)):
        ceilings = np.asarray(mean_ceiling(3.0, dim=16, width=widths, value_slope=1.0, slope=1.0, bias=bias))
        assert np.all(np.diff(ceilings) > 0) and ceilings[-1] == pytest.approx(limit, rel=1e-7)
        assert float(width_free_ceiling(3.0, value_slope=1.0, slope=1.0, bias=bias)) == limit
        assert np.all(ceilings <= limit)
    square = float(mean_ceiling(3.0, dim=10**6, width=10**6, value_slope=1.0, slope=1.0, bias=False))
    assert square == pytest.approx(9.0, rel=1e-5)


def test_invariances_and_limits_the_mean_saturates_above_zero():
    """m -> infinity at fixed d: w.x -> 0, so the mean tends to 4 sigma'(0)^2 |x|^2 + 3: 4|x|^2 + 3 for tanh."""
    found = mean_check(np.tanh, lambda t: 1 - np.tanh(t) ** 2, dim=16, width=10**6, squared_norm=3.0, bias=True)
    assert found.measured == pytest.approx(15.0, rel=1e-4)


def test_invariances_and_limits_units():
    """Without biases everything is quadratic in |x|, and in the activation's scale."""
    base = float(mean_ceiling(2.0, dim=3, width=5, value_slope=1.0, slope=1.1, bias=False))
    assert float(mean_ceiling(18.0, dim=3, width=5, value_slope=1.0, slope=1.1, bias=False)) == pytest.approx(9 * base)
    assert float(mean_ceiling(2.0, dim=3, width=5, value_slope=3.0, slope=3.3, bias=False)) == pytest.approx(9 * base)
    assert float(mean_ceiling(0.0, dim=3, width=5, value_slope=1.0, slope=1.1, bias=False)) == 0.0
    assert float(stable_step_quantile(0.1, 20.0)) == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("dim", "width", "words"), [(0, 3, "dim must be at least 1"), (3, 0, "width must be at least")]
)
def test_bad_numbers_are_one_sentence(dim, width, words):
    with pytest.raises(ValueError, match=words):
        learning_rate_scale.check(
            kernel_mean=1.0,
            squared_norm=1.0,
            dim=dim,
            width=width,
            value_slope=1.0,
            slope=1.0,
            bias=False,
            weight_variance=1.0,
            outer_variance=1.0,
            instance="by hand",
        )


def test_more_bad_numbers_are_one_sentence():
    with pytest.raises(ValueError, match="squared_norm must be at least 0, but was -1"):
        mean_check(lambda t: 0 * t, lambda t: 0 * t, dim=1, width=1, squared_norm=-1.0, variance=0.0)
    for name in ("variance", "outer"):
        words = f"{'weight' if name == 'variance' else 'outer'}_variance must be positive, but was 0"
        with pytest.raises(ValueError, match=words):
            mean_check(lambda t: 0 * t, lambda t: 0 * t, dim=1, width=1, squared_norm=1.0, **{name: 0.0})
    with pytest.raises(ValueError, match="num_points must be at least 1, but was 0"):
        learning_rate_scale.check_spectrum(top_eigenvalue=1.0, trace=1.0, num_points=0, instance="by hand")


# 5. Proof lines


def test_proof_lines_on_a_drawn_network_1():
    """K(x, x) = sum sigma(z)^2 + sum a^2 sigma'(z)^2 (|x|^2 + 1) + 1: the project's MLP and kernel against numpy."""
    model = plain_mlp(3, width=6, depth=1)
    params = model.init(jax.random.key(0))
    first, outer = (leaf for leaf in jax.tree.leaves(params) if leaf.ndim == 2)
    x = np.random.default_rng(0).standard_normal((5, 3))
    assert first.shape == (3, 6) and outer.shape == (6, 1)
    z = x @ np.asarray(first)
    slopes = np.asarray(outer)[:, 0] * (1 - np.tanh(z) ** 2)
    expected = np.sum(np.tanh(z) ** 2, axis=1) + np.sum(slopes**2, axis=1) * (np.sum(x**2, axis=1) + 1) + 1
    np.testing.assert_allclose(np.diag(empirical_ntk(model, params, x)), expected, rtol=1e-12)


def test_proof_lines_on_drawn_networks_2_and_3():
    """sigma(z)^2 <= A^2 z^2 and sigma'^2 <= B^2 term by term; 400 drawn kernels average to E K (5 errors)."""
    dim, width, norm = 4, 12, 2.0
    for name, chosen in NONLINEARITIES.items():
        z = norm * np.sqrt(2 / (dim + width)) * np.random.default_rng(1).standard_normal(1000)
        assert np.all(chosen.value(z) ** 2 <= chosen.value_slope**2 * z**2 + 1e-15)
        assert np.all(chosen.derivative(z) ** 2 <= chosen.slope**2 * (1 + 1e-15))
        drawn = np.array(
            [drawn_kernel(Instance("spectrum", name, dim, width, norm, True, 1, seed))[0, 0] for seed in range(400)]
        )
        value, derivative = moments(name, norm * np.sqrt(2 / (dim + width)))
        mean = mean_kernel(value, derivative, norm**2, width=width, outer_variance=2 / (width + 1), bias=True)
        assert abs(drawn.mean() - float(mean)) < 5 * drawn.std() / 20
        ceiling = mean_ceiling(
            norm**2, dim=dim, width=width, value_slope=chosen.value_slope, slope=chosen.slope, bias=True
        )
        assert float(mean) <= float(ceiling) * (1 + 1e-12)


@pytest.fixture(scope="module")
def top_eigenvalues():
    """lambda_max/N of 100 tanh networks (d = 16, N = 8, |x| = 4) at two widths, and one trace."""
    return {
        width: np.array(
            [
                np.linalg.eigvalsh(drawn_kernel(Instance("spectrum", "tanh", 16, width, 4.0, True, 8, seed)))[-1] / 8
                for seed in range(100)
            ]
        )
        for width in (64, 1024)
    }


def test_proof_lines_on_drawn_networks_4(top_eigenvalues):
    """tr K/N^2 <= lambda_max/N <= tr K/N."""
    for seed in range(20):
        kernel = drawn_kernel(Instance("spectrum", "tanh", 16, 64, 4.0, True, 8, seed))
        top = top_eigenvalues[64][seed]
        assert np.trace(kernel) / 64 <= top <= np.trace(kernel) / 8


def test_proof_lines_on_drawn_networks_5(top_eigenvalues):
    """Jensen and Markov for eta* = 2N/lambda_max, on the law of 100 draws."""
    for width, tops in top_eigenvalues.items():
        ceiling = float(mean_ceiling(16.0, dim=16, width=width, value_slope=1.0, slope=1.0, bias=True))
        assert tops.mean() <= ceiling
        assert np.mean(2 / tops) >= 2 / tops.mean() >= 2 / ceiling
        for delta in (0.1, 0.5):
            assert np.mean(2 / tops < float(stable_step_quantile(delta, ceiling))) <= delta


def test_the_top_eigenvalue_saturates_only_under_xavier(top_eigenvalues):
    """Measured: 16 times the width raises lambda_max/N by a factor below 2.5; with unit variances it is 16."""
    assert 1.0 < top_eigenvalues[1024].mean() / top_eigenvalues[64].mean() < 2.5
    rng = np.random.default_rng(0)
    x = rng.standard_normal((8, 16))
    tops = []
    for width in (64, 1024):
        z, a = x @ rng.standard_normal((16, width)), rng.standard_normal(width)
        signals = a * (1 - np.tanh(z) ** 2)
        kernel = np.tanh(z) @ np.tanh(z).T + 1 + (signals @ signals.T) * (x @ x.T + 1)
        tops.append(np.linalg.eigvalsh(kernel)[-1])
    assert 10 < tops[1] / tops[0] < 24

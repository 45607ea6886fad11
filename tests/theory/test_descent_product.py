"""G1 descent product, in five parts: random instances, attained, necessary hypotheses, invariances, proof lines."""

import hand_trained
import jax
import numpy as np
import pytest
from hypothesis import given

from experiments.hunt import search
from experiments.hunts.descent_product import HUNT
from theory import descent_product
from theory.descent_product import descent_rate, kernel_rate, lower_factor, product_ceiling, upper_factor
from theory.verdict import Verdict, failed_hypotheses, judge, slack_log10


def step_check(side, loss, next_loss, derivative, *, step_size, smoothness):
    return descent_product.check_step(
        loss=loss,
        next_loss=next_loss,
        rate=derivative**2 / (2 * loss),
        step_size=step_size,
        smoothness=smoothness,
        side=side,
        instance="by hand",
    )


def product_check(**changes):
    numbers = {
        "initial_loss": 1.0,
        "final_loss": 0.5,
        "rates": np.full(10, 0.1),
        "step_size": 1.0,
        "smoothness": 1.0,
        "instance": "by hand",
    }
    return descent_product.check(**(numbers | changes))


# 1. Holds on random instances


@given(HUNT.instances)
def test_holds_on_random_instances(instance):
    assert judge(HUNT.check(instance)) is not Verdict.VIOLATED


def test_random_instances_are_applicable():
    report = search(HUNT, examples=60, seed=0)
    assert report.violation is None
    assert report.applicable >= 20


# 2. Attained


def test_is_attained_above_by_a_single_curvature():
    """L = theta^2 (S = 2), theta = 1, eta = 1/8: L' = (1 - 1/4)^2 = 9/16 = 1 - eta mu (2 - eta S), exact in binary."""
    found = step_check("upper", 1.0, 9 / 16, 2.0, step_size=1 / 8, smoothness=2.0)
    assert found.bound == 9 / 16
    assert judge(found) is Verdict.HOLDS and slack_log10(found) == 0.0


def test_is_attained_below_by_the_opposite_curvature():
    """L = 1 - theta^2 (S = 2), theta = 1/2, eta = 1/8: uphill curvature, theta' = 5/8, L' = 39/64, exact in binary."""
    found = step_check("lower", 3 / 4, 39 / 64, -1.0, step_size=1 / 8, smoothness=2.0)
    assert found.bound == 39 / 64
    assert judge(found) is Verdict.HOLDS and slack_log10(found) == 0.0


def test_is_attained_in_the_spectrum_by_a_multiple_of_the_identity():
    """K = 3 I on 4 samples: mu = 3/4 for every residual."""
    residual = np.random.default_rng(0).standard_normal(4)
    gradient = np.sqrt(3.0) * residual / 4
    rate = float(descent_rate(gradient @ gradient, residual @ residual / 8))
    assert rate == pytest.approx(float(kernel_rate(3.0, num_points=4)), rel=1e-14)


@pytest.mark.parametrize("instance", HUNT.extremal)
def test_is_attained_closely_enough_to_see_a_wrong_constant(instance, monkeypatch):
    """The rate in each bound off by 1.15 to the wrong side; of the product only near eta = 1/S, see how_loose."""
    assert judge(HUNT.check(instance)) is Verdict.HOLDS
    changed = {
        "upper": ("_compiled_upper", lambda mu, *eta, **s: upper_factor(1.15 * mu, *eta, **s)),
        "lower": ("_compiled_lower", lambda mu, *eta, **s: lower_factor(mu / 1.15, *eta, **s)),
        "rate": ("_compiled_rate", lambda value, **n: kernel_rate(1.15 * value, **n)),
        "product": ("_compiled_product", lambda loss, rates, **eta: product_ceiling(loss, 1.15 * rates, **eta)),
    }
    monkeypatch.setattr(descent_product, *changed[instance.form])
    assert (judge(HUNT.check(instance)) is Verdict.VIOLATED) == (instance.form != "product" or instance.step_size > 0.9)


def test_how_loose_the_product_is():
    """One curvature, x = eta S: the loss falls by (1 - x)^2 a step and the product promises 1 - x: c in 1 - c x may be
    2 - x, from 2 for small steps (a factor 2 in the rate) to 1 at eta = 1/S."""
    for x in (1e-3, 0.5, 0.999):
        assert (1 - x) ** 2 == pytest.approx(float(product_ceiling(1.0, np.array([x * (2 - x)]), step_size=1.0)))


# 3. Fails without each hypothesis


def test_fails_without_stable_step_size():
    """eta = 3/S on L = theta^2: the loss is multiplied by 4, though the product promises a decrease."""
    loss, next_loss, step_size, smoothness = 1.0, 4.0, 1.5, 2.0
    found = product_check(
        initial_loss=loss, final_loss=next_loss, rates=np.array([0.5]), step_size=step_size, smoothness=smoothness
    )
    assert failed_hypotheses(found) == ("stable step size",)
    assert judge(found._replace(margins={})) is Verdict.VIOLATED


def test_fails_without_stable_step_size_between_one_and_two_over_s():
    """eta = 3/(2S) on L = theta^2 still descends, L' = L/4, but 1 - eta mu = -1/2 promises more."""
    found = product_check(initial_loss=1.0, final_loss=0.25, rates=np.array([2.0]), step_size=0.75, smoothness=2.0)
    assert failed_hypotheses(found) == ("stable step size",)
    assert judge(found._replace(margins={})) is Verdict.VIOLATED
    assert judge(step_check("upper", 1.0, 0.25, 2.0, step_size=0.75, smoothness=2.0)) is Verdict.HOLDS


def test_fails_without_smoothness_on_segments():
    """L = 2 + sin theta from a maximum of its slope to the next-but-one: |L''| = 0 at both ends, 1 between."""
    start, derivative = 0.0, 1.0
    step_size = np.pi  # to theta = -pi, L = 2 again: no descent at all
    next_loss = 2 + np.sin(start - step_size * derivative)
    at_ends = step_check("upper", 2.0, next_loss, derivative, step_size=step_size, smoothness=1e-9)
    supremum = step_check("upper", 2.0, next_loss, derivative, step_size=step_size, smoothness=1.0)
    assert judge(at_ends) is Verdict.VIOLATED
    assert judge(supremum) is Verdict.HOLDS


def test_fails_without_smoothness_on_segments_from_the_gradient():
    """(uv - 1)^2/2 at u = t, v = 1/t: gradient 0, curvature t^2 + 1/t^2, so no l(|grad|) bounds it; and a step of
    l(0)^-1 from nearby then ascends, for any guess of l(0)."""

    def loss(u, v):
        return (u * v - 1) ** 2 / 2

    for guess in (1.0, 100.0):
        u, v = 10 * np.sqrt(guess), 1 / (10 * np.sqrt(guess)) * (1 + 1e-6)
        slope = (u * v - 1) * np.array([v, u])
        hessian = np.array([[v * v, 2 * u * v - 1], [2 * u * v - 1, u * u]])
        assert np.linalg.norm(slope) < 1e-2 and np.linalg.norm(hessian, 2) > 100 * guess
        new = np.array([u, v]) - slope / guess
        assert loss(*new) > 100 * loss(u, v)


# 4. Invariances and limits


def test_product_by_hand():
    """1 (1 - 0.1)(1 - 0.2)(1 - 0.4) with eta = 2."""
    assert float(product_ceiling(1.0, np.array([0.05, 0.1, 0.2]), step_size=2.0)) == pytest.approx(0.432, rel=1e-14)


def test_invariances_and_limits_small_steps():
    """L = sum lambda_k t_k^2/2 by plain numpy: lower <= L'/L <= upper, and both are 1 - 2 eta mu + O(eta^2)."""
    rng = np.random.default_rng(2)
    curvatures, theta = rng.uniform(0.1, 2.0, 5), rng.standard_normal(5)
    loss = curvatures @ theta**2 / 2
    rate = np.sum((curvatures * theta) ** 2) / (2 * loss)
    for step_size in (1e-4, 0.1, 0.5, 3.0):
        ratio = curvatures @ (theta * (1 - step_size * curvatures)) ** 2 / 2 / loss
        low, high = (float(f(rate, step_size, smoothness=curvatures.max())) for f in (lower_factor, upper_factor))
        assert low <= ratio <= high
        assert high - low == pytest.approx(2 * step_size**2 * rate * curvatures.max())


def test_invariances_and_limits_units():
    """Labels times 3: S and mu times 9, eta over 9.  Parameters times 7: S and mu over 49, eta times 49."""
    for scale in (9.0, 1 / 49):
        for factor in (upper_factor, lower_factor):
            scaled = factor(0.3 * scale, 0.2 / scale, smoothness=1.5 * scale)
            assert float(scaled) == pytest.approx(float(factor(0.3, 0.2, smoothness=1.5)))


def test_invariances_and_limits_batches():
    rates, sizes = np.random.default_rng(3).uniform(0, 0.5, (3, 7)), np.array([0.1, 0.5, 1.0])
    mapped = jax.vmap(lambda rate, eta: product_ceiling(2.0, rate, step_size=eta))(rates, sizes)
    expected = 2.0 * np.prod(1 - sizes[:, None] * rates, axis=1)
    np.testing.assert_allclose(mapped, expected, rtol=1e-14)
    np.testing.assert_allclose(product_ceiling(2.0, rates, step_size=sizes), expected, rtol=1e-14)


def test_verdicts():
    assert judge(product_check(final_loss=0.34)) is Verdict.HOLDS  # 0.9^10 = 0.3486...
    assert judge(product_check(final_loss=0.35)) is Verdict.VIOLATED
    assert judge(product_check(smoothness=1.01)) is Verdict.NOT_APPLICABLE
    assert judge(product_check(rates=np.zeros(10))) is Verdict.VACUOUS  # a singular kernel promises nothing
    assert judge(step_check("lower", 1.0, 0.5, 2.0, step_size=1.0, smoothness=1.0)) is Verdict.VACUOUS
    rate = {"loss": 0.1, "top_eigenvalue": 2.0, "num_points": 4, "instance": "by hand"}
    assert judge(descent_product.check_rate(rate=0.1, bottom_eigenvalue=0.39, **rate)) is Verdict.HOLDS
    assert judge(descent_product.check_rate(rate=0.1, bottom_eigenvalue=0.41, **rate)) is Verdict.VIOLATED
    assert judge(descent_product.check_rate(rate=0.1, bottom_eigenvalue=1e-15, **rate)) is Verdict.VACUOUS


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"step_size": 0.0}, "step_size must be positive, but was 0.0"),
        ({"smoothness": -1.0}, "smoothness must be at least 0, but was -1.0"),
    ],
)
def test_bad_numbers_are_one_sentence(change, words):
    with pytest.raises(ValueError, match=words):
        product_check(**change)


# 5. Proof lines


@pytest.fixture(scope="module")
def trained():
    """Every 5th of 300 steps of a trained network: theta, next theta, and the hessian's norm over 9 points between."""
    data, step_size = hand_trained.data(separation=0.5, gap=1.0), 0.5
    path = hand_trained.train(data, step_size=step_size, steps=300)
    segments = [(path[s], path[s + 1]) for s in range(0, 300, 5)]
    smoothness = [
        max(np.linalg.norm(hand_trained.loss_hessian(theta, data), 2) for theta in hand_trained.along(*segment, 9))
        for segment in segments
    ]
    return data, step_size, path, segments, np.array(smoothness)


def losses_and_rates(path, data):
    losses = np.array([hand_trained.loss(theta, data) for theta in path])
    squares = np.array([np.sum(hand_trained.gradient(theta, data) ** 2) for theta in path])
    return losses, np.asarray(descent_rate(squares, losses))


def test_proof_lines_on_a_trained_network_1(trained):
    """L' = L - eta |g|^2 + eta^2 int (1 - t) g.H(t) g dt, and the integral is at most S|g|^2/2; 8 Gauss points."""
    data, step_size, _, segments, smoothness = trained
    nodes, weights = np.polynomial.legendre.leggauss(8)
    for (start, end), bound in zip(segments, smoothness):
        g = hand_trained.gradient(start, data)
        times = (1 + nodes) / 2
        bends = [g @ hand_trained.loss_hessian(start + t * (end - start), data) @ g for t in times]
        integral = weights @ ((1 - times) * bends) / 2
        taylor = hand_trained.loss(start, data) - step_size * g @ g + step_size**2 * integral
        assert hand_trained.loss(end, data) == pytest.approx(taylor, abs=1e-13)
        assert abs(integral) <= bound * (g @ g) / 2


def test_proof_lines_on_a_trained_network_2_and_3(trained):
    """lower factor <= L'/L <= upper factor <= 1 - eta mu, since eta S <= 1 here."""
    data, step_size, _, segments, smoothness = trained
    losses, rates = losses_and_rates([start for start, _ in segments], data)
    ratios = np.array([hand_trained.loss(end, data) for _, end in segments]) / losses
    assert np.all(step_size * smoothness <= 1)
    upper = np.asarray(upper_factor(rates, step_size, smoothness=smoothness))
    assert np.all(np.asarray(lower_factor(rates, step_size, smoothness=smoothness)) <= ratios)
    assert np.all(ratios <= upper) and np.all(upper <= 1 - step_size * rates)


def test_proof_lines_on_a_trained_network_4(trained):
    """The product of line 3 bounds every loss of the run, with mu_s and with lambda_min(K_s)/N <= mu_s in its place."""
    data, step_size, path, _, _ = trained
    losses, rates = losses_and_rates(path, data)
    kernels = np.array([slopes @ slopes.T for slopes in (hand_trained.jacobian(theta, data) for theta in path)])
    floors = np.asarray(kernel_rate(np.linalg.eigvalsh(kernels)[:, 0], num_points=hand_trained.NUM_POINTS))
    for num_steps in (1, 30, 300):
        measured = float(product_ceiling(losses[0], rates[:num_steps], step_size=step_size))
        promised = float(product_ceiling(losses[0], floors[:num_steps], step_size=step_size))
        assert losses[num_steps] <= measured <= promised < losses[0]


def test_proof_lines_on_a_trained_network_5_and_6(trained):
    """grad L = J^T r/N, so mu = r.Kr/(N|r|^2), between lambda_min/N and lambda_max/N."""
    data, _, path, _, _ = trained
    _, rates = losses_and_rates(path, data)
    for theta, rate in zip(path[::10], rates[::10]):
        slopes, residual = hand_trained.jacobian(theta, data), hand_trained.residuals(theta, data)
        kernel = slopes @ slopes.T
        assert rate == pytest.approx(residual @ kernel @ residual / (4 * residual @ residual), rel=1e-12)
        low, high = np.asarray(kernel_rate(np.linalg.eigvalsh(kernel)[[0, -1]], num_points=4))
        assert low * (1 - 1e-12) <= rate <= high

"""Tiny runs of the hunts: their rigorous bounds really are bounds, and close enough to be of use."""

import jax
import numpy as np
import pytest

from experiments.hunts import path_floor
from experiments.hunts.small_runs import (
    LANES,
    circle_with_pair,
    drawn_run,
    drawn_runs,
    network_output,
    network_randomness,
    small_run,
)


@pytest.fixture(scope="module", params=[0.3, 2.5], ids=["timid", "wild"])
def network(request):
    """A run with its inputs, rebuilt from the seed, and the exact hessian of the loss and jacobian of the model."""
    run = small_run("network", 4, separation=0.05, gap=0.5, noise=0.1, step_size=request.param, seed=5)
    inputs = circle_with_pair(4, 0.05, angles=network_randomness(5, 4)["angles"])

    def loss(parameters):
        return 0.5 * jax.numpy.mean((network_output(parameters, inputs) - run.labels) ** 2)

    hessian = jax.jit(jax.vmap(jax.hessian(loss)))
    jacobian = jax.jit(jax.vmap(jax.jacobian(lambda parameters: network_output(parameters, inputs))))
    return run, inputs, hessian, jacobian


def segments(run):
    """Steps 0, 1, 2 and 50 of a run, 11 points on each segment: (4, 11, P)."""
    steps = np.array([0, 1, 2, 50])
    start, end = run.parameters[steps], run.parameters[steps + 1]
    return steps, start[:, None] + np.linspace(0, 1, 11)[:, None] * (end - start)[:, None]


def test_smoothness_bounds_the_hessian_on_whole_segments(network):
    run, _, hessian, _ = network
    steps, points = segments(run)
    norms = np.linalg.norm(hessian(points.reshape(44, -1)), 2, axis=(1, 2)).reshape(4, 11).max(axis=1)
    assert np.all(norms <= run.segment_smoothness[steps])
    assert run.segment_smoothness[50] < 20 * norms[3] or run.step_size > 1


def test_gradient_gap_is_bounded_on_whole_segments(network):
    run, _, _, jacobian = network
    steps, points = segments(run)
    slopes = np.asarray(jacobian(points.reshape(44, -1)))
    gaps = np.linalg.norm(slopes[:, 0] - slopes[:, -1], axis=1).reshape(4, 11).max(axis=1)
    assert np.all(gaps <= run.segment_gradient_gaps[steps])
    np.testing.assert_allclose(
        run.gradient_gaps[steps], np.linalg.norm(slopes[::11, 0] - slopes[::11, -1], axis=1), rtol=1e-12
    )


def test_pair_sits_at_the_separation_and_steps_are_gradient_steps(network):
    run, inputs, _, jacobian = network
    assert np.linalg.norm(inputs[0] - inputs[-1]) == pytest.approx(0.05, rel=1e-14)
    theta = run.parameters[7]
    residual = np.asarray(network_output(jax.numpy.asarray(theta), inputs)) - run.labels
    gradient = residual @ np.asarray(jacobian(theta[None]))[0] / 4
    np.testing.assert_allclose(run.parameters[8], theta - run.step_size * gradient, atol=1e-14)
    assert run.squared_gradients[7] == pytest.approx(gradient @ gradient, rel=1e-12)
    assert run.losses[7] == pytest.approx(np.mean(residual**2) / 2, rel=1e-12)
    assert run.gaps[7] == pytest.approx(residual[0] - residual[-1], rel=1e-12)
    assert run.step_lengths[7] == pytest.approx(run.step_size * np.linalg.norm(gradient), rel=1e-12)


def test_linear_pair_mode_is_an_eigenvector_with_eigenvalue_half_the_squared_separation():
    run = small_run("linear", 4, separation=0.1, gap=0.5, noise=0.0, step_size=0.5, seed=0)
    eigenvalues, shares = run.spectrum(slice(0, 3))
    np.testing.assert_allclose(eigenvalues, [[0.005, 1, 1, 1]] * 3, atol=1e-14)
    np.testing.assert_allclose(shares, 1.0, rtol=1e-12)  # without noise the residual is the pair's mode
    assert run.step_size == pytest.approx(0.5 * 4)
    np.testing.assert_allclose(run.gaps, 0.5 * (1 - 0.5 * 0.005) ** np.arange(201), rtol=1e-12)
    np.testing.assert_allclose(run.gradient_gaps, 0.1, rtol=1e-14)


def test_a_coupled_linear_model_keeps_the_pair_at_its_separation():
    run = small_run("linear", 4, separation=0.1, gap=0.5, noise=0.3, step_size=0.5, coupling=0.7, seed=3)
    np.testing.assert_allclose(run.gradient_gaps, 0.1, rtol=1e-12)
    np.testing.assert_allclose(run.segment_smoothness, run.spectrum(slice(None))[0][:, -1] / 4, rtol=1e-12)


def test_many_runs_are_the_single_ones_in_their_order():
    """More than LANES of one shape, mixed with others: every field of every run, whatever ran beside it."""
    instances = [
        path_floor.Instance("floor", 5, model, num_points, 0.1, 0.5, 0.2, 0.3, 0.7, momentum, seed)
        for seed in range(LANES // 2)
        for model, num_points, momentum in (("linear", 6, 0.0), ("linear", 4, 0.5), ("linear", 6, 0.5))
    ]
    for instance, run in zip(instances, drawn_runs(instances), strict=True):
        for found, alone in zip(run, drawn_run(instance), strict=True):
            np.testing.assert_allclose(found, alone, rtol=1e-12, atol=1e-14)


def test_a_diverged_run_has_no_spectrum():
    run = small_run("linear", 4, separation=0.1, gap=0.5, noise=0.0, step_size=0.5, seed=0)
    kernels = run.kernels.copy()
    kernels[1, 0, 0] = np.inf
    eigenvalues, shares = run._replace(kernels=kernels).spectrum(slice(0, 3))
    np.testing.assert_array_equal(np.isnan(eigenvalues).all(axis=1), [False, True, False])
    np.testing.assert_array_equal(np.isnan(shares), [False, True, False])


@pytest.mark.parametrize(("model", "num_points", "words"), [("tree", 4, "model must be"), ("linear", 3, "num_points")])
def test_bad_requests_are_one_sentence(model, num_points, words):
    with pytest.raises(ValueError, match=words):  # __wrapped__: below the tests' run-time check of the annotations
        small_run.__wrapped__(model, num_points, separation=0.1, gap=0.0, noise=0.0, step_size=1.0, seed=0)

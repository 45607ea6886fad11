"""The closed-form linearisation against gradient descent that is really run on the linearised network."""

import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.linearised import linearise, loss_after, steps_to

POINTS = 5


def network(params, x):
    return jnp.tanh(x @ params["inner"]) @ params["outer"]


@pytest.fixture(scope="module")
def setting():
    rng = np.random.default_rng(3)
    params = {"inner": jnp.array(rng.normal(size=(2, 9))), "outer": jnp.array(rng.normal(size=9) / 3)}
    x, y = jnp.array(rng.uniform(size=(POINTS, 2))), jnp.array(rng.normal(size=POINTS))
    flat, unravel = jax.flatten_util.ravel_pytree(params)
    jacobian = np.array(jax.jacrev(lambda theta: network(unravel(theta), x))(flat))
    return params, x, y, jacobian, np.array(network(params, x) - y)


def test_losses_match_gradient_descent_on_the_linearised_network(setting):
    params, x, y, jacobian, residual = setting
    step_size = 0.3

    def linear_loss(delta):
        out, change = jax.jvp(lambda theta: network(theta, x), (params,), (delta,))
        return 0.5 * jnp.mean((out + change - y) ** 2)

    step = jax.jit(lambda delta: jax.tree.map(lambda d, g: d - step_size * g, delta, jax.grad(linear_loss)(delta)))
    model = linearise(jacobian @ jacobian.T, residual, num_points=POINTS)
    delta = jax.tree.map(jnp.zeros_like, params)
    for steps in range(200):
        if steps in (0, 1, 7, 50, 199):
            assert loss_after(model, steps, step_size=step_size) == pytest.approx(float(linear_loss(delta)), rel=1e-9)
        delta = step(delta)


def test_steps_to_is_the_first_step_below_the_target(setting):
    *_, jacobian, residual = setting
    gram = jacobian @ jacobian.T
    model = linearise(gram, residual, num_points=POINTS)
    start = loss_after(model, 0, step_size=0.3)
    for fraction in (0.5, 0.1, 1e-2):
        steps = steps_to(model, fraction * start, step_size=0.3)
        errors, count = residual.copy(), 0
        while errors @ errors / (2 * POINTS) > fraction * start:
            errors, count = errors - 0.3 * gram @ errors / POINTS, count + 1
        assert steps == count
    assert steps_to(model, start, step_size=0.3) == 0


def test_very_slow_modes_keep_their_digits():
    model = linearise(np.diag([1e-9, 1.0]), np.array([1.0, 1.0]), num_points=2)
    steps = steps_to(model, 1e-3, step_size=1.0)
    # The slow mode alone: (1 - 5e-10)^(2 s) / 4 = 1e-3.
    assert steps == pytest.approx(np.log(250) / (2 * 5e-10), rel=1e-9)


def test_a_duplicate_with_a_label_gap_never_arrives():
    gram = np.array([[1.0, 1.0], [1.0, 1.0]])
    model = linearise(gram, np.array([0.5, -0.5]), num_points=2)
    assert steps_to(model, 1e-3, step_size=0.5) is None
    with_equal_labels = linearise(gram, np.array([0.5, 0.5]), num_points=2)
    assert steps_to(with_equal_labels, 1e-3, step_size=0.5) is not None


def test_an_unstable_step_size_is_refused(setting):
    *_, jacobian, residual = setting
    model = linearise(jacobian @ jacobian.T, residual, num_points=POINTS)
    with pytest.raises(ValueError, match="step_size must be in"):
        steps_to(model, 1e-3, step_size=1e3)

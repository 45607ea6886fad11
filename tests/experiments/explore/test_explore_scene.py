"""From a state to a scene, and the sentences that say why there is none."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy_network import flatten, residual_mlp

from experiments.explore.problems import MOST_WORK, array_sizes, largest_h, problems
from experiments.explore.scene import compiled_for, scene
from experiments.explore.state import State
from experiments.user_model import UserModel

OWN = UserModel("own.py:net", lambda key: {"w": jax.random.normal(key, (3,))}, lambda p, x: x @ p["w"], (3,))


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (State(h=3.0), "h must lie in [0, 0.7444"),
        (State(width=512, depth=8), "parameters times points must be at most 4,000,000"),
        (State(width=4096, depth=64), "parameter arrays must be at most 132 for a page to compile the network, but"),
        (State(kind="transformer", dim=2, width=15), "heads must divide the width 15, but it was 2"),
        (State(kind="transformer", tokens=16, width=64, depth=2), "parameters times points times tokens must be at"),
        (State(kind="own"), "kind must be one of plain, residual, transformer unless a model is named"),
        (State(family="tammes"), "domain must be one of Sphere for tammes, but was Cube(dim=4)"),
        (State(family="poisson_disc", h=9.0), ""),
        (State(domain="sphere", dim=1), "dim must be an integer of at least 2, but was 1"),
        (State(family="cluster_collapse", cluster_size=8, num_points=4), "cluster_size must lie in [2, 4]"),
    ],
)
def test_what_cannot_be_is_one_sentence(state, message):
    found = problems(state)
    assert len(found) == 1 and "\n" not in found[0]
    assert found[0].startswith(message)
    with pytest.raises(ValueError) as error:
        scene(state)
    assert str(error.value) == found[0]


def test_the_largest_width_that_is_allowed_is_just_within_the_work():
    allowed = [width for width in range(250, 350) if not problems(State(width=width))]
    widest = max(allowed)
    assert sum(array_sizes(State(width=widest))) * 12 <= MOST_WORK < sum(array_sizes(State(width=widest + 1))) * 12


def test_largest_h_is_realised_and_not_exceeded():
    limit = largest_h(State())
    assert limit is not None
    assert scene(State(h=limit)).points.separation == pytest.approx(limit, rel=1e-12)
    assert problems(State(h=np.nextafter(limit, 10)))
    assert largest_h(State(family="uniform")) is None


def test_own_model_must_return_one_number_a_point():
    two = OWN._replace(apply=lambda p, x: jnp.stack([x @ p["w"]] * 2, axis=1))
    assert problems(State(kind="own"), OWN) == []
    assert problems(State(kind="own"), two) == [
        "model own.py:net must return one number a point, shape (2,) for two, but returned (2, 2)"
    ]


def test_own_model_brings_its_points_and_column_outputs_meet_column_labels():
    column = OWN._replace(apply=lambda p, x: (x @ p["w"])[:, None])
    found = scene(State(kind="own", dim=7, seed=3), column)
    assert found.x.shape == (12, 3) and found.y.shape == (12, 1) and found.twin is None and found.parameters == 3
    assert np.array_equal(np.asarray(found.params["w"]), np.asarray(OWN.init(jax.random.key(3))["w"]))


@pytest.mark.parametrize("skip", [True, False])
def test_model_is_the_network_written_out(skip):
    found = scene(State(skip=skip))
    expected = residual_mlp(flatten(found.params), np.asarray(found.x), width=32, depth=2, skip=skip)
    assert np.asarray(found.model(found.params, found.x)) == pytest.approx(expected, abs=1e-13)


def test_switching_the_skip_changes_no_parameter():
    with_skip, without = scene(State()), scene(State(skip=False))
    for a, b in zip(jax.tree.leaves(with_skip.params), jax.tree.leaves(without.params), strict=True):
        assert np.array_equal(a, b)


def test_float32_rounds_the_same_draws_and_leaves_the_switch_alone():
    single, double = scene(State(precision="float32")), scene(State())
    for a, b in zip(jax.tree.leaves((single.params, single.x)), jax.tree.leaves((double.params, double.x))):
        assert a.dtype == np.float32 and np.array_equal(a, np.asarray(b).astype(np.float32))
    assert jax.config.jax_enable_x64  # pyright: ignore[reportAttributeAccessIssue]


def test_gap_labels_and_pair():
    found = scene(State(h=0.2, gap=0.7))
    i, j = found.points.pair
    assert found.points.separation == pytest.approx(0.2, abs=1e-15)
    assert found.labels.values[j] - found.labels.values[i] == pytest.approx(0.7, abs=1e-15)


def test_what_must_be_compiled_anew():
    key = compiled_for(State())
    assert all(compiled_for(State(**{name: value})) == key for name, value in {"h": 0.3, "seed": 4, "gap": 1.0}.items())
    for change in ({"width": 8}, {"skip": False}, {"num_points": 13}, {"precision": "float32"}, {"activation": "gelu"}):
        assert compiled_for(State(**change)) != key
    assert compiled_for(State(kind="plain", skip=False)) != compiled_for(State(kind="plain", depth=3))

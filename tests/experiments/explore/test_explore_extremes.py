"""States at the edges of their controls are measured, trained and told of without a traceback."""

import jax
import jax.numpy as jnp
import pytest

from experiments.architecture import residual_mlp
from experiments.explore.claims_after import claims_after
from experiments.explore.claims_before import claims_before
from experiments.explore.panels import measure
from experiments.explore.record import record
from experiments.explore.scene import scene
from experiments.explore.state import State
from experiments.explore.training import Training
from experiments.user_model import UserModel

FUNCTION = UserModel(
    "own.py:net",
    lambda key: {"w": jax.random.normal(key, (2, 8)), "v": jnp.ones((8, 1))},
    lambda p, x: jnp.sin(x @ p["w"]) @ p["v"],
    (2,),
)
CHAIN = UserModel("own.py:chain", residual_mlp(3, width=4, depth=2).init, residual_mlp(3, width=4, depth=2), (3,))
DEAD = {"kind": "plain", "width": 3, "depth": 2, "dim": 2, "h": 0.2, "activation": "relu", "seed": 2}


def computed(state, own=None):
    """All that a page asks for; returns the last frame."""
    shown = scene(state, own)
    panels, training = measure(shown), Training(shown)
    lines = claims_before(shown, panels)
    for steps in (0, 25):
        training.advance(steps)
        lines += claims_after(training, panels)
    assert not [each for each in lines if each.fate == "violated"]
    assert record(training, panels).scalars["status"] == training.frame.status
    return training.frame


def test_a_network_that_is_right_from_the_start():
    frame = computed(State(**DEAD, labelling="smooth", lipschitz=0.0))
    assert (frame.step, frame.status, frame.loss) == (0, "reached", 0.0)


def test_duplicates_with_different_labels():
    assert computed(State(**DEAD | {"h": 0.0})).status == "running"


@pytest.mark.deep
@pytest.mark.parametrize(
    ("state", "own"),
    [
        (State(kind="own"), FUNCTION),
        (State(kind="own", skip=False), CHAIN),
        (State(kind="transformer", width=4, depth=1, dim=2, tokens=2, normalisation="tau"), None),
        (State(kind="plain", width=4, depth=2, num_points=2, dim=1, h=0.5), None),
        (State(width=4, depth=1, normalisation="layernorm", family="uniform", domain="sphere", dim=3), None),
        (State(width=4, depth=1, family="cluster_collapse", cluster_size=4, h=0.001, scaling="ntk"), None),
        (State(width=4, depth=1, activation="gelu", labelling="noise", lipschitz=0.0, noise=0.0), None),
        (State(width=4, depth=1, target=1e6), None),
        (State(width=512, depth=1, num_points=2, dim=1, h=0.1), None),
    ],
    ids=str,
)
def test_every_kind_of_state(state, own):
    assert computed(state, own).status in ("running", "reached")


@pytest.mark.deep
@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_a_step_size_past_all_stability(precision):
    assert computed(State(width=1, depth=1, h=0.0, step_size=1e6, precision=precision)).status == "diverged"

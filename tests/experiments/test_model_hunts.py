"""Hunts on a user's model: loading it, measuring its runs, holding true claims up, seeing a spoiled one fall."""

import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from experiments.architecture import residual_mlp
from experiments.block_hunts import block_hunts
from experiments.block_probe import known_path_floor, probe
from experiments.blocks import Activation, Chain, Linear, Residual, Scalar
from experiments.hunt import search
from experiments.model_hunts import Instance, model_hunts
from experiments.model_run import POINTS, STEPS, measured_run
from experiments.user_model import UserModel, load_model

FILE = """
import jax, jax.numpy as jnp

def init(key):
    return {"w": jax.random.normal(key, (3, 8)), "v": jnp.eye(8)[:, :2] + 0.1}

def apply(params, x):
    return jnp.tanh(x @ params["w"]) @ params["v"]

def broken(params, x):
    return x @ params["w"] @ params["w"]

pair, scalar, bad, number = (init, apply), (init, lambda p, x: apply(p, x)[:, 0]), (init, broken), 3
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "mine.py"
    path.write_text(FILE)
    return path


def test_a_pair_and_a_block_are_models(file):
    model = load_model(f"{file}:pair", (3,))
    assert model.apply(model.init(jax.random.key(0)), np.ones((5, 3))).shape == (5, 2)
    block = residual_mlp(2, width=4, depth=1)
    assert UserModel("block", block.init, block, (2,)).init(jax.random.key(0))


@pytest.mark.parametrize(
    ("source", "shape", "words"),
    [
        ("mine.py", (3,), "must be FILE.py:NAME, but was 'mine.py'"),
        ("nowhere.py:pair", (3,), "there is no nowhere.py"),
        ("{file}:absent", (3,), "there is no 'absent' in it"),
        ("{file}:number", (3,), "must be a pair .* but was int"),
        ("{file}:pair", (4,), r"must apply to two points of shape \(4,\), but it raised TypeError"),
        ("{file}:bad", (3,), "but it raised TypeError"),
        ("{file}:pair", (0,), r"positive numbers, but was \(0,\)"),
    ],
)
def test_no_model_is_one_sentence(file, source, shape, words):
    with pytest.raises(ValueError, match=words) as caught:
        load_model(source.format(file=file), shape)
    assert "\n" not in str(caught.value)


@pytest.fixture(scope="module")
def models(file):
    return load_model(f"{file}:scalar", (3,)), load_model(f"{file}:pair", (3,))


def test_the_run_is_gradient_descent_with_the_numbers_it_reports(models):
    """Against numpy by hand, from the kernel and the residual at the start."""
    model, seed = models[0], 5
    run = measured_run(model, separation=0.25, gap=0.5, noise=0.1, step_share=0.7, seed=seed)
    assert run.losses.shape == (STEPS + 1,) and run.step_lengths.shape == (STEPS,)
    values = np.linalg.eigvalsh(run.kernel)
    assert run.step_size == pytest.approx(0.7 * POINTS / values[-1], rel=1e-12)
    assert run.losses[0] == pytest.approx(np.sum(run.residual**2) / (2 * POINTS), rel=1e-12)
    # |grad L|^2 = r^T K r / N^2, and the first step is eta times that long.
    square = run.residual @ run.kernel @ run.residual / POINTS**2
    assert run.squared_gradients[0] == pytest.approx(square, rel=1e-10)
    assert run.step_lengths[0] == pytest.approx(run.step_size * square**0.5, rel=1e-10)
    assert run.gaps[0, 0] == pytest.approx(run.residual[0] - run.residual[-1], rel=1e-12)
    ends = run.kernel[0, 0] + run.kernel[-1, -1] - 2 * run.kernel[0, -1]
    assert run.gradient_gaps[0] == pytest.approx(ends**0.5, rel=1e-6)
    assert np.all(run.segment_gradient_gaps >= run.gradient_gaps[:-1] - 1e-15)


def test_true_claims_survive_on_one_and_on_several_outputs(models):
    scalar, vector = (model_hunts(model) for model in models)
    assert set(scalar) == {"R1", "R2", "R3", "R4", "R5", "R6", "G1", "G3", "G4", "G5"}
    assert set(vector) == set(scalar) - {"R4"}
    for hunt in (*scalar.values(), vector["R2"], vector["G1"], vector["G3"]):
        report = search(hunt, examples=60, seed=0)
        assert report.violation is None, report.violation
        # G4 speaks only of runs that enter its shell and dissipate there: most are vacuous, and counted so.
        assert report.applicable + (report.vacuous if report.claim == "G4" else 0) >= 3, report


def test_a_chain_of_blocks_is_hunted_inside_too():
    block = residual_mlp(2, width=2, depth=1)
    hunts = block_hunts(UserModel("block", block.init, block, (2,)))
    assert set(hunts) == {"N2", "N3", "N4"}
    for hunt in hunts.values():
        report = search(hunt, examples=40, seed=0)
        assert report.violation is None and report.applicable >= 3, report
    relu = residual_mlp(2, width=3, depth=2, activation="relu")
    assert not block_hunts(UserModel("relu", relu.init, relu, (2,)))


def test_a_linear_chains_path_floor_is_known_before_training():
    """f = x W + b: grad f(x) - grad f(x') = x - x', so the path is at least excess / h."""
    block = Chain((Linear(2, 1), Scalar()))
    model = UserModel("linear", block.init, block, (2,))
    assert float(known_path_floor(model)(3, 0.25, 0.5)) == pytest.approx(2.0, rel=1e-12)
    report = search(model_hunts(model)["R6"], examples=60, seed=0)
    assert report.violation is None and report.applicable >= 3, report


def test_the_probe_reports_the_blocks_own_numbers():
    """x + W2 tanh(W1 x): features, and the branch constant |W1||W2| (operator norms), by numpy."""
    block = Chain((Residual(Chain((Linear(2, 2, bias=False), Activation("tanh"), Linear(2, 2, bias=False)))),))
    model = UserModel("layer", block.init, block, (2,))
    found = probe(model, separation=0.25, scale=0.5, seed=4)
    start = jax.random.split(jax.random.key(4))[1]
    first, second = (0.5 * np.asarray(block.init(start)[0][k]["weight"]) for k in (0, 2))
    assert found.constants == pytest.approx([np.linalg.norm(first, 2) * np.linalg.norm(second, 2)], rel=1e-12)
    np.testing.assert_allclose(found.branches, np.tanh(found.features[0] @ first) @ second, rtol=1e-12)
    np.testing.assert_allclose(found.features[1], found.features[0] + found.branches, rtol=1e-12)
    distances = np.linalg.norm(found.features[0][:, None] - found.features[0], axis=2)
    assert distances[0, -1] == pytest.approx(0.25, rel=1e-12)
    np.testing.assert_allclose(found.kernel, found.outer + found.through @ found.inner @ found.through.T, atol=1e-12)


def test_the_counterexample_to_a_spoiled_bound_runs_from_the_printed_python(models, file):
    """R1 with the gradient gap halved is false; what is printed rebuilds the honest check of the same instance."""
    hunt = model_hunts(models[0])["R1"]

    def spoiled(instance):
        found = hunt.check(instance)
        return found._replace(bound=0.25 * found.bound)

    report = search(hunt._replace(check=spoiled), examples=300, seed=0)
    assert report.violation is not None
    done = subprocess.run(
        [sys.executable, "-c", report.violation], capture_output=True, text=True, cwd=Path(__file__).parents[2]
    )
    assert done.returncode == 0 and done.stdout.startswith("holds"), done.stderr
    assert isinstance(hunt.check(Instance("gradient gap", 1, 0.1, 0.5, 0.0, 0.5, 0)).bound, float)

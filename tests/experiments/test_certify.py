"""Certificates of lambda_min(K) > 0: balls against JAX, proof, independent check, tampering, refusals, the command."""

import ast
import json
import math
import re
import subprocess
import sys
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import flint
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flint import arb, arb_mat

from experiments.architecture import ArchitectureConfig, plain_mlp
from experiments.blocks import Activation, Block, Chain, Linear
from experiments.certify import checker
from experiments.certify.certificate import (
    Refused,
    certify,
    eigenvalue_floor,
    enclosed_kernel,
    positive_pivots,
    precision,
    prove_positive,
)
from experiments.certify.given_points import given_points
from experiments.kernel import empirical_ntk
from figures.cli import app

ROOT = Path(__file__).parent.parent.parent
CHECKER = ROOT / "experiments" / "certify" / "checker.py"
PLAIN = ArchitectureConfig("plain", width=4, depth=2)
RESIDUAL = ArchitectureConfig("residual", width=3, depth=1, activation="gelu", outputs=2)
TRANSFORMER = ArchitectureConfig("transformer", width=4, depth=1, activation="gelu", heads=2, bottleneck=4)
CERTIFIED = {"plain": (PLAIN, (5, 2)), "residual": (RESIDUAL, (4, 2)), "transformer": (TRANSFORMER, (3, 3, 2))}


def points_of(shape, seed=0):
    return np.random.default_rng(seed).random(shape)


def run_checker(path):
    return subprocess.run([sys.executable, str(CHECKER), str(path)], capture_output=True, text=True)


# The ball network


@pytest.mark.parametrize(
    ("config", "shape"),
    [
        *CERTIFIED.values(),
        (ArchitectureConfig("plain", width=3, depth=1, activation="gelu", scaling="ntk", outputs=2), (3, 2)),
        (ArchitectureConfig("residual", width=3, depth=2, bottleneck=2, normalisation="tau", eps=0.5), (3, 2)),
    ],
    ids=lambda value: value.kind if isinstance(value, ArchitectureConfig) else None,
)
def test_the_ball_kernel_is_the_networks(config, shape):
    """Against JAX to 1e-10 of the largest entry; more bits refine the enclosure."""
    points, model = points_of(shape), config.build(shape[1:])
    params = model.init(jax.random.key(1))
    expected = np.asarray(empirical_ntk(model, params, points))
    with precision(64):
        coarse = enclosed_kernel(model, params, points)
    with precision(200):
        fine = enclosed_kernel(model, params, points)
    for i, row in enumerate(fine.tolist()):
        for j, entry in enumerate(row):
            assert coarse[i, j].contains(entry)
            assert abs(float(entry) - expected[i, j]) <= 1e-10 * np.abs(expected).max()


def test_one_neuron_by_hand():
    """f = a tanh(w x + b) + c at one point: K = 1 + tanh^2 + a^2 sech^4 (1 + x^2)."""
    model, x, (w, b, a) = plain_mlp(1, width=1, depth=1), 0.7, (1.3, -0.4, 2.1)
    params = ({"weight": jnp.array([[w]]), "bias": jnp.array([b])}, (),
              {"weight": jnp.array([[a]]), "bias": jnp.array([0.2])}, ())  # fmt: skip
    value = math.tanh(w * x + b)
    expected = 1 + value**2 + a**2 * (1 - value**2) ** 2 * (1 + x**2)
    assert float(enclosed_kernel(model, params, np.array([[x]]))[0, 0]) == pytest.approx(expected, rel=1e-14)


@dataclass(frozen=True)
class Sine(Block):
    """A block of a user's own, without a rule."""

    def __call__(self, params, x, tape=None):
        return jnp.sin(x)


def test_blocks_without_a_rule_are_refused_by_name():
    for block, words in ((Sine(), "Sine has none"), (Activation("relu"), "one of gelu, tanh, but it was 'relu'")):
        model = Chain((Linear(2, 3), block))
        with pytest.raises(ValueError, match=words):
            prove_positive(model, model.init(jax.random.key(0)), points_of((1, 2)))


# Proofs


def test_pivots_and_floor_of_exact_matrices():
    assert [float(pivot) for pivot in positive_pivots(arb_mat([[4, 2], [2, 3]]))] == [4.0, 2.0]
    assert positive_pivots(arb_mat([[1, 2], [2, 1]])) is None  # indefinite
    assert positive_pivots(arb_mat([[1, 1], [1, 1]])) is None  # singular
    assert positive_pivots(arb_mat([[arb("[0.1 +/- 0.2]")]])) is None  # undecided
    assert positive_pivots(arb_mat([[arb("nan")]])) is None
    floor = float(eigenvalue_floor(arb_mat([[2, 0, 0], [0, 2, 0], [0, 0, 5]])))
    assert floor == pytest.approx(2.0 * 2 ** (-1 / 16), rel=0.01) and floor <= 2.0 * 2 ** (-1 / 16)
    assert eigenvalue_floor(arb_mat([[1, 1], [1, 1]])) is None
    before = flint.ctx.prec
    with precision(333):
        assert flint.ctx.prec == 333
    assert flint.ctx.prec == before


@pytest.mark.parametrize("kind", CERTIFIED)
def test_the_floor_is_just_below_the_smallest_eigenvalue(kind):
    config, shape = CERTIFIED[kind]
    points, model = points_of(shape), config.build(shape[1:])
    found = certify(config, points, seed=1)
    kernel = enclosed_kernel(model, model.init(jax.random.key(1)), points).tolist()
    smallest = np.linalg.eigvalsh(np.array([[float(entry) for entry in row] for row in kernel]))[0]
    size = shape[0] * config.outputs
    assert 0.98 * smallest * size ** (-1 / 16) <= float(found.proof.floor) <= smallest * (1 + 1e-9)
    assert len(found.proof.pivots) == size and all(pivot > 0 for pivot in found.proof.pivots)


def test_near_duplicates_are_decided_by_more_bits():
    """lambda_min ~ h^2: 1e-24 of K at h = 1e-12 lies below float64 and below 64 bits, not below 256."""
    points = points_of((3, 2))
    points[1] = points[0] + np.array([1e-12, 0.0])
    with pytest.raises(Refused, match=r"not decided at 64 bits"):
        certify(PLAIN, points, max_bits=64)
    proof = certify(PLAIN, points).proof
    assert proof.bits in (128, 256) and 1e-28 < float(proof.floor) < 1e-22


def test_a_singular_theta_stays_undecided():
    """All parameters 0: the gradients by all but the last bias vanish or coincide, K = 1 1^T."""
    model = plain_mlp(2, width=4, depth=1)
    params = jax.tree.map(jnp.zeros_like, model.init(jax.random.key(0)))
    with pytest.raises(Refused, match=r"lambda_min\(K\(theta\)\) > 0 was not decided at 128 bits"):
        prove_positive(model, params, points_of((3, 2)), max_bits=128)


# The independent check


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificates")
    for kind, (config, shape) in CERTIFIED.items():
        (folder / f"{kind}.json").write_bytes(certify(config, points_of(shape), seed=1).to_json())
    return folder


@pytest.mark.parametrize("kind", CERTIFIED)
def test_a_certificate_is_verified_in_its_own_process(certificates, kind):
    done = run_checker(certificates / f"{kind}.json")
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout.startswith("verified: lambda_min(K(theta)) > ") and kind in done.stdout


def test_theta_and_points_are_exact(certificates):
    body = json.loads((certificates / "plain.json").read_text())
    assert [[float(Fraction(z)) for z in row] for row in body["points"]] == points_of((5, 2)).tolist()
    params = PLAIN.build((2,)).init(jax.random.key(1))
    assert [float(Fraction(z)) for z in body["theta"]] == [z for leaf in jax.tree.leaves(params) for z in leaf.ravel()]


def test_the_checker_is_short_and_shares_nothing():
    text = CHECKER.read_text()
    assert len(text.splitlines()) <= 100 and Path(checker.__file__) == CHECKER
    imports = [node for node in ast.walk(ast.parse(text)) if isinstance(node, (ast.Import, ast.ImportFrom))]
    names = {node.module if isinstance(node, ast.ImportFrom) else node.names[0].name for node in imports}
    assert names == {"json", "sys", "pathlib", "flint"}


def moved(body):
    body["theta"][-1] = str(Fraction(body["theta"][-1]) + Fraction(1, 8))


def moved_weight(body):
    body["theta"][0] = str(Fraction(body["theta"][0]) + Fraction(1, 8))


def wrong_pivot(body):
    body["pivots"][0] = (arb(body["pivots"][0]) * arb("1.001")).str(20)


def raised_floor(body):
    body["floor"] = str(3 * Fraction(body["floor"]))


def zero_floor(body):
    body["floor"] = "0"


def duplicated_point(body):
    body["points"][1] = body["points"][0]


def other_point(body):
    body["points"][0][0] = "1/3"


def replace(**fields):
    return lambda body: body.update(fields)


def change(**changes):
    return lambda body: body["architecture"].update(changes)


INDEFINITE = "K - floor I is not certainly positive definite"
LEFT_OVER = "more numbers than the architecture has parameters"
PIVOTS = "pivots at theta are not those of the certificate"
CHANGED = f"{PIVOTS}|{INDEFINITE}"  # another K: which one shows first is chance
HEAD = "schema and statement are not those of this checker"
KIND = "the architecture's fields are not those of its kind"
COUNT = "a count is no positive integer"
SCALE = "scaling must be xavier, and eps positive"
INCOMPLETE = "no whole certificate"


@pytest.mark.parametrize(
    ("kind", "tamper", "words"),
    [
        ("plain", moved_weight, CHANGED),
        ("plain", wrong_pivot, PIVOTS),
        ("plain", replace(pivots=["nan"] * 5), PIVOTS),
        ("plain", replace(pivots=["0 +/- 1e99"] * 5), PIVOTS),
        ("plain", replace(pivots=["inf"] * 5), PIVOTS),
        ("plain", replace(pivots=["1 +/- inf"] * 5), PIVOTS),
        ("plain", replace(statement="K(theta) is positive definite for ALL theta"), HEAD),
        ("plain", replace(schema=17), HEAD),
        ("plain", replace(schema=True), HEAD),
        ("plain", replace(note="holds for all theta"), INCOMPLETE),
        ("plain", replace(points=[]), INDEFINITE),
        ("plain", other_point, CHANGED),
        ("plain", raised_floor, INDEFINITE),
        ("plain", zero_floor, INDEFINITE),
        ("plain", duplicated_point, INDEFINITE),
        ("plain", lambda body: body["theta"].append("1/2"), LEFT_OVER),
        ("plain", lambda body: body["theta"].pop(), INCOMPLETE),
        ("plain", lambda body: body["pivots"].pop(), PIVOTS),
        ("plain", lambda body: body["pivots"].append("1"), INCOMPLETE),
        ("plain", lambda body: body.pop("floor"), INCOMPLETE),
        ("plain", change(activation="gelu"), CHANGED),
        ("plain", change(activation="relu"), INCOMPLETE),
        ("plain", change(kind="residual"), KIND),
        ("plain", change(kind="perceptron"), INCOMPLETE),
        ("plain", change(width=3), LEFT_OVER),
        ("plain", change(depth=1), LEFT_OVER),
        ("plain", change(dim=3), INCOMPLETE),
        ("plain", change(scaling="ntk"), SCALE),
        ("plain", change(normalisation="layernorm"), KIND),
        ("plain", change(eps="1/2"), KIND),
        ("plain", change(heads=7), KIND),
        ("plain", change(tokens=9), KIND),
        ("plain", change(bias=False), KIND),
        ("plain", change(residual=True), KIND),
        ("plain", lambda body: body["architecture"].pop("scaling"), KIND),
        ("plain", change(outputs=True), COUNT),
        ("plain", change(depth=0), COUNT),
        ("residual", change(depth=True), COUNT),
        ("residual", change(depth=-1), COUNT),
        ("residual", change(depth=1.0), COUNT),
        ("residual", change(eps="-1/2"), SCALE),
        ("residual", change(heads=1), KIND),
        ("residual", change(normalisation="layernorm"), CHANGED),
        ("transformer", change(heads=1), CHANGED),
        ("transformer", change(heads=3), INCOMPLETE),
        ("transformer", change(heads="2"), INCOMPLETE),
        ("transformer", change(eps="1/2"), CHANGED),
        ("transformer", change(eps="0"), SCALE),
        ("transformer", change(tokens=2), INCOMPLETE),
    ],
)
def test_tampering_is_refused(certificates, kind, tamper, words, capsys):
    """In this process for speed; the next test runs the program."""
    body = json.loads((certificates / f"{kind}.json").read_text())
    tamper(body)
    with precision(64), pytest.raises(BaseException) as stop:
        checker.check(**body)
    if isinstance(stop.value, SystemExit):
        assert re.search(f"^refused: .*({words})", str(stop.value))
    else:
        assert words == INCOMPLETE  # what the program says of any other exception
    assert "verified" not in capsys.readouterr().out


def test_the_seed_is_information_only(certificates, capsys):
    body = json.loads((certificates / "plain.json").read_text())
    with precision(64):
        checker.check(**body | {"seed": 99})
    assert capsys.readouterr().out.startswith("verified: ")


@pytest.mark.parametrize("lowered", [lambda floor: floor - Fraction(1, 10**9), lambda floor: Fraction(1, 10**400)])
def test_the_checker_prints_no_more_than_is_proved(certificates, capsys, lowered):
    """The floor is printed exactly; three digits to nearest would be above the first floor, and 0 for the second."""
    body, model = json.loads((certificates / "plain.json").read_text()), PLAIN.build((2,))
    floor = lowered(Fraction(body["floor"]))
    with precision(128):
        kernel = enclosed_kernel(model, model.init(jax.random.key(1)), points_of((5, 2)))
        shift = arb(str(floor.numerator)) / arb(str(floor.denominator))
        pivots = positive_pivots(kernel - arb_mat(np.eye(5).tolist()) * shift)
        checker.check(**body | {"floor": str(floor), "pivots": [pivot.str(20) for pivot in pivots], "bits": 128})
    printed = re.search(r"> (\S+) > 0", capsys.readouterr().out)
    assert 0 < Fraction(printed[1]) == floor


@pytest.mark.parametrize("spoil", [moved, lambda body: body.pop("theta"), None], ids=["theta", "missing", "cut"])
def test_a_spoilt_file_is_one_sentence_and_status_1(certificates, tmp_path, spoil):
    text = (certificates / "plain.json").read_text()
    path = tmp_path / "spoilt.json"
    if spoil is None:
        path.write_text(text[:-20])
    else:
        body = json.loads(text)
        spoil(body)
        path.write_text(json.dumps(body))
    done = run_checker(path)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("refused: ") and done.stderr.count("\n") == 1
    assert run_checker(tmp_path / "absent.json").returncode == 1


# Refusals


def with_entry(value):
    points = points_of((4, 2))
    points[2, 1] = value
    return points


def with_duplicate(shape):
    points = points_of(shape)
    points[2] = points[0]
    return points


@pytest.mark.parametrize(
    ("config", "points", "words"),
    [
        (
            PLAIN,
            with_duplicate((4, 2)),
            r"points must be distinct, but 0 and 2 are identical: their rows of J coincide",
        ),
        (PLAIN, np.array([[0.0, 1.0], [-0.0, 1.0]]), r"points must be distinct, but 0 and 1"),
        (TRANSFORMER, with_duplicate((4, 3, 2)), r"token sequences must be distinct, .* rows of J coincide"),
        (ArchitectureConfig("plain", width=1, depth=1), points_of((6, 2)), r"at least N m = 6, but there are P = 5"),
        (
            ArchitectureConfig("plain", 4, 1, activation="relu"),
            points_of((3, 2)),
            r"must be analytic .* units are dead",
        ),
        (PLAIN, with_entry(np.nan), r"points must be finite, but entry \(2, 1\) was nan"),
        (PLAIN, with_entry(np.inf), r"points must be finite"),
        (PLAIN, points_of((3,)), r"points must be of shape"),
        (PLAIN, points_of((0, 2)), r"points must be of shape"),
        (ArchitectureConfig("plain", 4, 1, scaling="ntk"), points_of((3, 2)), r"scaling must be xavier"),
        (ArchitectureConfig("residual", 4, 1, normalisation="tau"), points_of((3, 2)), r"none or layernorm"),
        (TRANSFORMER, points_of((3, 2)), r"point_shape must be \(tokens, dim\)"),
    ],
)
def test_what_cannot_be_certified_is_refused_with_the_reason(config, points, words):
    with pytest.raises(ValueError, match=words) as refusal:
        certify(config, points)
    assert "\n" not in str(refusal.value)


def test_too_few_bits_to_start_with():
    with pytest.raises(ValueError, match="max_bits must be at least 64, but was 32"):
        certify(PLAIN, points_of((3, 2)), max_bits=32)


def test_given_points(tmp_path):
    points = points_of((3, 2, 2))
    np.save(tmp_path / "points.npy", points)
    assert np.array_equal(given_points(str(tmp_path / "points.npy")), points)
    (tmp_path / "points.txt").write_text("0.5 1\n2 3\n")
    assert np.array_equal(given_points(str(tmp_path / "points.txt")), [[0.5, 1.0], [2.0, 3.0]])
    assert given_points("uniform:4:2", seed=3).shape == (4, 2) and given_points("uniform:4:3x2").shape == (4, 3, 2)
    pair = given_points("pair_collapse:4:2:h=0.01")
    assert np.linalg.norm(pair[0] - pair[1]) == pytest.approx(0.01)
    assert np.allclose(np.linalg.norm(given_points("circle:5:2"), axis=1), 1.0)
    (tmp_path / "words.txt").write_text("no numbers\n")
    (tmp_path / "broken.npy").write_bytes(b"broken")
    np.save(tmp_path / "objects.npy", np.array([None]))
    np.save(tmp_path / "complex.npy", np.array([[1j]]))
    for source, words in {
        str(tmp_path / "words.txt"): "must be an array of numbers",
        str(tmp_path / "broken.npy"): "must be an array of numbers",
        str(tmp_path / "objects.npy"): "must be an array of numbers",
        str(tmp_path / "complex.npy"): "its entries are complex128",
        "absent.npy": "must be a file or FAMILY:N:DIM",
        "uniform:four:2": "must be FAMILY:N:DIM",
        "uniform:4": "must be FAMILY:N:DIM",
        "uniform:4:2:h=0.1": "h is not one of them",
    }.items():
        with pytest.raises(ValueError, match=words):
            given_points(source)


# The command


def test_the_command_proves_and_says_what_follows(tmp_path, capsys):
    out = tmp_path / "certificate.json"
    arguments = ["certify", "--arch", "residual", "--activation", "gelu", "--width", "3", "--outputs", "2"]
    assert app([*arguments, "--points", "uniform:4:2", "--out", str(out)], result_action="return_value") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("proved: lambda_min(K(theta)) > ") and "8 pivots, 64 bits" in lines[0]
    assert Fraction(lines[0].split()[3]) == Fraction(json.loads(out.read_text())["floor"])
    assert "for any labels, and then all but countably many step sizes" in lines[1] and "every theta_0" in lines[1]
    assert "python" in lines[2] and lines[2].endswith(str(out))
    assert run_checker(out).returncode == 0


def test_the_command_says_why_not_and_writes_nothing(tmp_path):
    command = [str(Path(sys.executable).parent / "uniformity"), "certify", "--out", str(tmp_path / "certificate.json")]
    refused = subprocess.run(
        [*command, "--arch", "plain", "--points", "pair_collapse:4:2:h=0"], capture_output=True, text=True, cwd=ROOT
    )
    assert refused.returncode == 2 and refused.stdout == "" and refused.stderr.count("\n") == 1
    assert "their rows of J coincide" in refused.stderr and not list(tmp_path.iterdir())

"""X10: what only the propagation study must get right."""

from itertools import pairwise

import jax
import numpy as np
import pytest
from study_runs import smoke, verdicts_when_spoilt

from experiments.architecture import ArchitectureConfig
from experiments.blocks import Chain, Linear
from experiments.kernel import jacobian
from experiments.layer_maps import chained, layer_maps
from experiments.points import construct
from experiments.studies import propagation
from experiments.studies.networks import domain_of
from theory.verdict import Verdict, judge

SPOILS = [
    # (claim, inequality, what is spoilt, factor)
    ("N1", "conditioning", "layer_smallest", 1e-2),
    ("N1", "count", "singular_scales", 1000),
    ("N1", "no skip", "beyond", 1e8),
    ("N2", "separation floor", "separation", 1e-3),
    ("N2", "separation ceiling", "separation", 1e3),
    ("N2", "singular value floor", "chain_smallest", 1e-3),
    ("N2", "singular value ceiling", "chain_largest", 1e3),
    ("N2", "normalisation floor", "normalised", 1e-9),
    ("N2", "normalisation ceiling", "normalised", 1e6),
    ("N3", "identity", "half_whole", 1.001),
    ("N3", "outer floor", "half_whole", 1e-6),
    ("N3", "floor", "half_whole", 1e-6),
    ("N3", "ceiling", "half_whole", 1e9),
]


@pytest.mark.parametrize(("claim", "inequality", "key", "factor"), SPOILS)
def test_each_inequality_reads_its_measurement(claim, inequality, key, factor):
    assert Verdict.VIOLATED in verdicts_when_spoilt("propagation", claim, inequality, key, factor)


def _runs():
    """Smoke records by (hidden width, normalisation, skip), first seed, with their runs."""
    records, _ = smoke("propagation")
    runs = propagation.plan(propagation.PRESETS["smoke"])
    return {
        (run.architecture.bottleneck, run.architecture.normalisation, run.skip): (run, record)
        for run, record in zip(runs, records)
        if run.seed == 0
    }


def test_only_the_skip_is_varied():
    """Same points and parameters: after one layer the features differ by the layer's own input."""
    found = _runs()
    for hidden, normalisation in ((2, None), (8, None), (8, "tau")):
        (_, with_skip), (_, without) = (found[hidden, normalisation, skip] for skip in (True, False))
        start = with_skip.arrays["features"][0]
        np.testing.assert_array_equal(start, without.arrays["features"][0])
        moved = with_skip.arrays["features"][1] - without.arrays["features"][1]
        np.testing.assert_allclose(moved, start, atol=1e-14)


def test_bottleneck_decides_without_skip_and_not_with_it():
    _, findings = smoke("propagation")
    shares = {(row["hidden"], row["normalisation"], row["skip"]): row["network"] for row in findings.summary["rows"]}
    assert shares[2, "none", False]["share"] == 1.0
    assert {shares[key]["share"] for key in shares if key != (2, "none", False)} == {0.0}
    # Clopper and Pearson with no success in n trials: 1 - (0.05/2)^(1/n).
    assert shares[2, "none", True]["high"] == pytest.approx(1 - 0.025**0.5, rel=1e-9)


def test_jacobians_and_kernel_are_those_of_the_whole_network():
    """Automatic differentiation through the uncut network gives the same extremes at full depth."""
    run, record = _runs()[8, "tau", True]
    model = run.architecture.build(run.point_shape)
    params = model.init(jax.random.key(run.seed))
    x = construct("pair_collapse", run.num_points, domain_of(run.point_shape), h=run.h, seed=run.seed).points
    singular = np.linalg.svd(np.asarray(jacobian(model, params, x)), compute_uv=False)
    assert record.arrays["kernel_smallest"][-1] == pytest.approx(singular[-1] ** 2, rel=1e-8)
    assert record.arrays["kernel_largest"][-1] == pytest.approx(singular[0] ** 2, rel=1e-10)
    layers = Chain(model.blocks[1:-2])
    features = np.asarray(Chain(model.blocks[:1])(params[:1], x))
    derivative = jax.jit(jax.jacobian(lambda point: layers(params[1:-2], point[None])[0]))
    for sample, row in enumerate(features[:2]):
        values = np.linalg.svd(np.asarray(derivative(row)), compute_uv=False)
        assert record.arrays["chain_smallest"][-1, sample] == pytest.approx(values[-1], rel=1e-9)
        assert record.arrays["chain_largest"][-1, sample] == pytest.approx(values[0], rel=1e-12)


def test_small_branches_have_the_constant_they_are_scaled_to():
    run, record = _runs()[8, None, True]
    features = record.arrays["features"]
    assert run.branch_constant == propagation.SMALL_BRANCH
    np.testing.assert_array_equal(record.arrays["constants"], run.branch_constant)
    np.testing.assert_allclose(record.arrays["outer_norm"] * record.arrays["inner_norm"], 0.25, rtol=1e-12)
    first, second = np.triu_indices(features.shape[1], 1)
    for before, after in pairwise(features):
        branch = after - before
        gaps, lengths = (np.linalg.norm(each[first] - each[second], axis=1) for each in (branch, before))
        assert np.all(gaps <= run.branch_constant * lengths * (1 + 1e-12))


def _with_skip_and_small(change):
    """Findings on the smoke records, those of small branches with skip changed first."""
    records, _ = smoke("propagation")
    chosen = [change(each) if each.config["branch_constant"] and each.config["skip"] else each for each in records]
    return propagation.STUDY.find(propagation.PRESETS["smoke"], chosen)


def test_merging_probability_is_the_length_of_its_interval():
    """Branch -0.8 x: every pair shrinks below a hundredth for t in (0.99, 1.01)/0.8, of [0, 2]."""

    def contract(record):
        start = record.arrays["features"][0]
        shrinking = np.stack([start * 0.2**depth for depth in range(len(record.arrays["features"]))])
        return record._replace(arrays={**record.arrays, "features": shrinking})

    checks = _with_skip_and_small(contract).checks
    found = [check.measured for check in checks if (check.claim, check.inequality) == ("N4", "scale")]
    np.testing.assert_allclose(found, 0.02 / 0.8 / 2.0, rtol=1e-9)


@pytest.mark.parametrize(("factor", "expected"), [(1.0, Verdict.HOLDS), (1e-2, Verdict.VIOLATED)])
def test_gaussian_bound_reads_the_shrinking(factor, expected):
    """Branches as drawn, not scaled: the number of layers that bring a pair within a quarter of its distance."""

    def drawn(record):
        config = {**record.config, "branch_constant": None}
        return record._replace(config=config, arrays={**record.arrays, "shrink": record.arrays["shrink"] * factor})

    checks = _with_skip_and_small(drawn).checks
    assert {judge(check) for check in checks if check.inequality == "Gaussian"} == {expected}


def test_products_stay_within_their_error_bar():
    """Against the product in extended precision; the last layer is nearly singular."""
    rng = np.random.default_rng(0)
    layers = rng.standard_normal((6, 1, 2, 5, 5))
    layers[-1, ..., 0] = layers[-1, ..., 1] + 1e-9
    found = chained(layers)
    exact = np.broadcast_to(np.eye(5, dtype=np.longdouble), (1, 2, 5, 5))
    for depth, layer in enumerate(layers.astype(np.longdouble), start=1):
        exact = np.einsum("rnij,rnjk->rnik", layer, exact)
        miss = np.linalg.norm((found.jacobians[depth] - exact).astype(float), axis=(-2, -1))
        assert np.all(miss <= found.error[depth]) and np.all(found.error[depth] < 1e-9)


def test_a_chain_without_layers_cannot_be_cut():
    with pytest.raises(ValueError, match="model must have residual layers"):
        layer_maps(Chain((Linear(2, 3),)))
    plain = layer_maps(ArchitectureConfig("plain", width=3, depth=4).build((2,)))
    assert len(plain.layers) == 3 and plain.sizes == (2, 2, 2, 2)

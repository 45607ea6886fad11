"""X7: each inequality reads its measurement; only the design varies; designs, target and slopes by other routes."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from study_runs import smoke

from experiments.labels import lipschitz_target
from experiments.points.voronoi import covering
from experiments.separation import separation
from experiments.studies import approximation, approximation_checks, approximation_findings, approximation_ranks
from experiments.studies.approximation_designs import DESIGNS
from theory.verdict import Verdict, judge

SPOILS = [
    ("A1", "sup error", "sup_error", 1e3),
    ("A1", "sup error, constants seen", "sup_error", 1e3),
    ("A2", "error", "mean_error", 1e3),
    ("A2", "error, constants seen", "mean_error", 1e3),
    ("A2", "distance", "mean_distance", 1e-2),
    ("A3", "gain", "mean_error", 1e3),
    ("A4", "cover", "fill_distance", 1e2),
    ("A4", "error", "sup_error", 1e3),
    ("A4", "half", "fill_distance", 1e-4),
    ("A4", "volume", "separation", 1e-3),
    ("A4", "packing", "separation", 1e3),
    ("A4", "line", "fill_distance", 1e2),
    ("A5", "line", "sup_error", 1e3),
    ("A5", "line, constants seen", "sup_error", 1e3),
    ("A6", "floor", "fill_distance", 1e-3),
    ("A6", "ceiling", "sup_error", 1e3),
]


@pytest.mark.parametrize(("claim", "inequality", "key", "factor"), SPOILS)
def test_each_inequality_reads_its_measurement(claim, inequality, key, factor):
    """The checks alone: the findings around them bootstrap, sixteen times over."""
    records, _ = smoke("approximation")
    wrong = [record._replace(scalars=record.scalars | {key: record.scalars[key] * factor}) for record in records]
    found = approximation_checks.checks(wrong)
    assert Verdict.VIOLATED in {judge(c) for c in found if (c.claim, c.inequality) == (claim, inequality)}


def test_only_the_design_varies():
    runs = [run for run in approximation.plan(approximation.PRESETS["paper"]) if run.separation is None]
    chosen = [run for run in runs if run.num_points == 16 and run.point_shape == (2,) and run.seed == 3]
    assert {run.design for run in chosen} == set(DESIGNS)
    assert len({replace(run, design="") for run in chosen}) == 2  # the plain and the residual network
    for run in chosen:
        rows, values = approximation.data(run)
        np.testing.assert_array_equal(values, lipschitz_target(rows, lipschitz=run.lipschitz, seed=3).values)


@pytest.mark.parametrize(("dim", "num_points"), [(1, 8), (2, 16)])
def test_the_control_moves_the_separation_and_not_the_coverage(dim, num_points):
    wide, close = (DESIGNS[name].build(num_points, dim, 5) for name in ("pair", "close pair"))
    assert separation(wide).distance == pytest.approx(100 * separation(close).distance, rel=1e-9)
    assert np.sum(np.any(wide != close, axis=1)) == 1
    moved = np.linalg.norm(wide - close, axis=1).max()
    assert moved < 0.1 * num_points ** (-1 / dim)
    assert abs(covering(wide).fill_distance - covering(close).fill_distance) <= moved


def test_designs_have_the_geometry_they_claim():
    for num_points, dim in ((8, 1), (16, 2)):
        side = round(num_points ** (1 / dim))
        half = {
            name: DESIGNS[name].build(num_points, dim, 0) for name in ("midpoints", "lattice", "corner", "boundary")
        }
        fill = {name: covering(rows).fill_distance for name, rows in half.items()}
        h = {name: separation(rows).distance for name, rows in half.items()}
        assert h["midpoints"] == pytest.approx(1 / side) and h["lattice"] == pytest.approx(1 / (side - 1))
        assert fill["midpoints"] == pytest.approx(np.sqrt(dim) / (2 * side))
        assert fill["lattice"] == pytest.approx(np.sqrt(dim) / (2 * (side - 1)))
        assert fill["corner"] == pytest.approx(np.sqrt(dim) * (0.5 + 1 / (4 * side)))
        assert h["corner"] == pytest.approx(h["midpoints"] / 2)
        rows = half["boundary"]
        assert np.all(np.min(np.minimum(rows, 1 - rows), axis=1) <= (0.25 if dim == 1 else 0.0))
        assert len(np.unique(rows, axis=0)) == num_points
    nodes = DESIGNS["chebyshev"].build(8, 1, 0)[:, 0]
    np.testing.assert_allclose(np.polynomial.chebyshev.Chebyshev.basis(8)(2 * nodes - 1), 0, atol=1e-12)
    with pytest.raises(ValueError, match="num_points must be a whole number to the power 2, but was 15"):
        DESIGNS["lattice"].build(15, 2, 0)


def test_the_targets_curvature_is_below_its_bound():
    """Second differences of the target, whose frequencies another module keeps to itself."""
    grid = np.linspace(0, 1, 2001)
    bends = []
    for seed in range(20):
        values = lipschitz_target(grid[:, None], lipschitz=2.0, seed=seed).values
        bends.append(np.abs(np.diff(values, 2)).max() / (grid[1] - grid[0]) ** 2)
    bound = approximation_checks.TARGET_BEND * 2.0
    assert max(bends) <= bound * (1 + 1e-6) and max(bends) > bound / 2


@pytest.mark.parametrize("network", [approximation.PLAIN_LINE, approximation.PLAIN_SQUARE])
def test_slopes_seen_agree_with_differences_and_stay_below_their_bounds(network):
    run = next(r for r in approximation.plan(approximation.PRESETS["paper"]) if r.point_shape == network.point_shape)
    model = run.architecture.build(run.point_shape)
    params = model.init(jax.random.key(1))
    x = np.random.default_rng(0).random((40, *run.point_shape))
    found, step = approximation.profile(model, params, x), 1e-5
    moves = step * np.eye(x.shape[1])
    around = [(np.asarray(model(params, x + move)), np.asarray(model(params, x - move))) for move in moves]
    gradient = np.stack([(ahead - behind) / (2 * step) for ahead, behind in around])
    np.testing.assert_allclose(found.slope, np.linalg.norm(gradient, axis=0), rtol=1e-6)
    if x.shape[1] == 1:
        bend = (around[0][0] + around[0][1] - 2 * np.asarray(found.value)) / step**2
        np.testing.assert_allclose(found.bend, np.abs(bend), atol=1e-4)
    numbers, worst = approximation.measured_error(model, params, run)
    assert found.slope.max() <= numbers["slope_bound"] and numbers["slope_seen"] <= numbers["slope_bound"]
    assert found.bend.max() <= numbers["bend_bound"]
    twice = np.stack([worst, worst + 1e-9])  # of one point alone there are no labels
    target = lipschitz_target(twice, lipschitz=run.lipschitz, seed=run.seed)
    value = float(model(params, jax.numpy.asarray(worst.reshape(1, *run.point_shape)))[0])
    assert numbers["sup_error"] == pytest.approx(abs(value - target.values[0]), rel=1e-9)


def test_predictors_and_hull_on_points_known_by_hand():
    records, _ = smoke("approximation")
    by_hand = records[0]._replace(arrays={"points": np.array([[0.2], [0.5], [0.9]]), "worst": np.array([0.05])})
    found = approximation_ranks.predictors(by_hand)
    assert found["corner"] == pytest.approx(0.2)
    assert found["A5 weight"] == pytest.approx(0.2 * (0.2 + 0.3) / 2)  # t (t + g) / 2, the left end
    assert approximation_findings._outside_hull(by_hand)
    square = {"points": np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), "worst": np.array([0.4, 0.4])}
    assert not approximation_findings._outside_hull(by_hand._replace(arrays=square))
    assert approximation_findings._outside_hull(by_hand._replace(arrays=square | {"worst": np.array([0.9, 0.9])}))


def test_a_gap_raises_the_slope_the_network_needs():
    run = approximation.ApproximationRun(
        *(approximation.PLAIN_SQUARE.architecture, (2,), "dial", 16, 0.1, 0.5, 2.0, 0.2, 1e-3, 10, 0)
    )
    rows, values = approximation.data(run)
    first, second = separation(rows).pair
    assert separation(rows).distance == pytest.approx(0.1) and values[second] - values[first] == pytest.approx(0.5)
    flat = approximation.data(replace(run, gap=0.0))[1]
    assert np.flatnonzero(flat != values).tolist() == [second]


def test_exponents_are_those_of_records_that_follow_a_power():
    records, _ = smoke("approximation")
    keys = ("fill_distance", "separation", "mean_distance", "sup_error", "mean_error", "node_error")
    preset = replace(approximation.PRESETS["smoke"], sizes=(8, 16, 32))
    table = {
        (family, size): [records[0]._replace(scalars=dict.fromkeys(keys, 3.0 * size**power)) for _ in range(2)]
        for family, power in (("greedy", -0.7), ("iid", 0.2))
        for size in preset.sizes
    }
    series, slopes = approximation_findings._scaling("plain d=1", table, preset)
    for slope in slopes:
        assert slope.measured == pytest.approx(-0.7 if "greedy" in slope.label else 0.2)
        geometry = "greedy" in slope.label and "distance" in slope.label + slope.label.replace("separation", "distance")
        assert slope.expected == (-1.0 if geometry else None)
    assert [each["family"] for each in series] == ["greedy", "iid"]


def test_survives_divergence():
    runs = approximation.plan(approximation.PRESETS["smoke"])
    wild = [replace(run, step_size=1e6) for run in runs]
    statuses = [found.scalars["status"] for _, found in approximation.measure(wild)]
    assert statuses == ["diverged"] * len(runs)
    records, _ = smoke("approximation")
    lost = [r._replace(scalars={**r.scalars, "status": "diverged"}) if r.config["seed"] else r for r in records]
    findings = approximation.find(approximation.PRESETS["smoke"], lost)
    assert {estimate.seeds for estimate in findings.estimates} == {1}
    assert not any("seed 1" in check.instance for check in findings.checks if check.inequality == "sup error")

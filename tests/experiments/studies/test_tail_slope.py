"""X4: inequalities read their measurements, known modes give their rates, only h varies, theta* interpolates."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from study_runs import measured, smoke, verdicts_when_spoilt

from experiments.interpolation import interpolate
from experiments.reproduce import dump
from experiments.studies import labelled_pair, tail_slope
from experiments.studies.tail_slope_findings import bottom_share, tail_of
from theory import tail_rate
from theory.verdict import Verdict, judge

SPOILS = [
    ("R1", "gradient gap ceiling", "tail_gradient_gap", 1e-3),
    ("R1", "gradient gap ceiling", "gradient_gap_end", 1e-3),
    ("R5", "one step", "tail_gradient_gap", 1e-3),
    ("R5", "window of a linear model", "gram_star", None),
]


@pytest.mark.parametrize(("claim", "inequality", "key", "factor"), SPOILS[:-1])
def test_each_inequality_reads_its_measurement(claim, inequality, key, factor):
    assert Verdict.VIOLATED in verdicts_when_spoilt("tail_slope", claim, inequality, key, factor)


def test_a_known_mode_gives_its_eigenvalue_back():
    eta, eigenvalue, size = 0.05, 0.2, 12
    losses = 1e-8 * (1 - eta * eigenvalue / size) ** (2 * np.arange(401))
    tail = tail_of(losses, step_size=eta, num_points=size, output_scale=1.0)
    assert tail.resolved and tail.eigenvalue == pytest.approx(eigenvalue, rel=1e-9)
    assert tail.rate == pytest.approx(float(tail_rate.tail_rate(eigenvalue, eta, num_points=size)), rel=1e-9)
    # Two modes of different rates: the halves differ, and the rate is not resolved.
    mixed = losses + 1e-8 * (1 - eta * 40 * eigenvalue / size) ** (2 * np.arange(401))
    assert not tail_of(mixed, step_size=eta, num_points=size, output_scale=1.0).resolved
    # So is a loss so small that residuals are rounding.
    assert not tail_of(1e-24 * losses, step_size=eta, num_points=size, output_scale=1.0).resolved
    assert not tail_of(np.zeros(401), step_size=eta, num_points=size, output_scale=1.0).resolved


def test_bottom_share_of_a_diagonal_kernel():
    assert bottom_share(np.diag([3.0, 1.0, 2.0]), np.array([0.0, 2.0, 1.0])) == pytest.approx(4 / 5)


def test_only_h_varies():
    preset = tail_slope.PRESETS["paper"]
    runs = [
        run
        for run in tail_slope.plan(preset)
        if (run.architecture.kind, run.labelling, run.seed, run.by_descent) == ("residual", "noise", 4, False)
    ]
    assert [run.h for run in runs] == list(preset.separations)
    assert len({replace(run, h=1.0) for run in runs}) == 1
    points, labels = zip(*(labelled_pair.data(run) for run in runs))
    moved = np.flatnonzero((points[0].points != points[-1].points).any(axis=1))
    assert len(moved) == 1
    same = np.delete(labels[0].values - labels[-1].values, moved)
    assert np.all(same == 0)
    for run, each in zip(runs, points):
        assert each.separation == pytest.approx(run.h, abs=1e-14)


def test_interpolation_solves_a_linear_model_by_the_shortest_step():
    """Independent route: numpy's minimum-norm least squares, for a model that is linear in its parameters."""
    rng = np.random.default_rng(0)
    features, y, start = rng.standard_normal((5, 9)), rng.standard_normal(5), rng.standard_normal(9)
    found, residual = interpolate(lambda theta, x: x @ theta, start, features, y)
    step = np.linalg.lstsq(features, y - features @ start, rcond=None)[0]
    np.testing.assert_allclose(found, start + step, atol=1e-12)
    assert np.max(np.abs(residual)) <= 1e-14


def test_interpolation_of_a_network_reaches_rounding_from_its_initialisation():
    run = tail_slope.plan(tail_slope.PRESETS["smoke"])[0]
    points, labels = labelled_pair.data(run)
    model = run.architecture.build(run.point_shape)
    found, residual = interpolate(model, model.init(jax.random.key(0)), points.points, labels.values)
    assert np.max(np.abs(residual)) <= 1e-13
    np.testing.assert_allclose(model(found, points.points), labels.values, atol=1e-13)


def test_tails_start_in_the_slow_mode_and_decay_like_it():
    records, findings = smoke("tail_slope")
    tails = [record for record in records if not record.config["by_descent"]]
    for record in tails:
        arrays, scalars = record.arrays, record.scalars
        assert scalars["residual_star"] <= 1e-13
        assert np.linalg.norm(arrays["residual_first"]) == pytest.approx(scalars["sigma"], rel=1e-6)
        assert bottom_share(arrays["gram_star"], arrays["residual_first"]) == pytest.approx(1, abs=1e-9)
    for panel in findings.summary["panels"]:
        rate, star = np.array(panel["rate"]), np.array(panel["star"])
        np.testing.assert_allclose(rate, star, rtol=0.02)
        assert np.all(rate <= panel["ceiling"])
    frozen = [np.array(panel["frozen"]) for panel in findings.summary["panels"]]
    assert np.array_equal(frozen[0], frozen[1]) and np.array_equal(frozen[0], frozen[2])  # theta_0 knows no labels


def test_survives_divergence():
    preset = tail_slope.PRESETS["smoke"]
    runs = [replace(run, step_size=1e6) for run in tail_slope.plan(preset)]
    records = measured(tail_slope.STUDY, runs)
    assert {record.scalars["status"] for record in records} == {"diverged"}
    findings = tail_slope.find(preset, records)
    assert findings.checks == [] and len(dump(findings.summary)) > 0
    assert {slope.label.split(",")[0] for slope in findings.slopes} <= {"plain lambda_min at theta_0"}


def test_rate_ceilings_below_their_rounding_are_vacuous():
    _, findings = smoke("tail_slope")
    for check in findings.checks:
        if check.inequality == "one step" and judge(check) is Verdict.HOLDS:
            assert check.rounding < check.bound

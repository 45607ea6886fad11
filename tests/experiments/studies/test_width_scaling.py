"""X12: what only the sweeps of width, depth and bottleneck must get right."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from study_runs import smoke, verdicts_when_spoilt

from experiments.kernel import jacobian
from experiments.studies import width_scaling
from theory.verdict import Verdict, failed_hypotheses, judge


@pytest.mark.parametrize(
    ("inequality", "key", "factor"), [("spectrum", "top", 10.0), ("mean over the draws", "trace", 100.0)]
)
def test_each_inequality_reads_its_measurement(inequality, key, factor):
    assert Verdict.VIOLATED in verdicts_when_spoilt("width_scaling", "G8", inequality, key, factor)


@pytest.mark.parametrize("preset", ["quick", "paper"])
def test_one_thing_varies_along_a_sweep(preset):
    chosen = width_scaling.PRESETS[preset]
    for sweep in chosen.sweeps:
        runs = [cell[0] for cell in width_scaling.runs_of(sweep, chosen)]
        for run, value in zip(runs, sweep.values, strict=True):
            if sweep.axis == "dimension":
                assert run.point_shape[-1] == value
                assert replace(run, point_shape=sweep.point_shape) == replace(runs[0], point_shape=sweep.point_shape)
            else:
                assert getattr(run.architecture, sweep.axis) == value
                same = replace(run.architecture, **{sweep.axis: 8})
                assert replace(run, architecture=same) == replace(
                    runs[0], architecture=replace(runs[0].architecture, **{sweep.axis: 8})
                )
                # The same points and labels at every value.
                assert all(np.array_equal(a, b) for a, b in zip(width_scaling.data(run), width_scaling.data(runs[0])))


def test_kernels_are_those_of_the_networks_own_jacobian():
    records, _ = smoke("width_scaling")
    for run, record in zip(width_scaling.plan(width_scaling.PRESETS["smoke"]), records):
        if run.seed or run.architecture.width > 8:
            continue
        model = run.architecture.build(run.point_shape)
        params = model.init(jax.random.key(run.seed))
        if run.unit_variance:
            laws = model.laws()
            params = jax.tree.map(lambda leaf, law: leaf / law.std if law.std else leaf, params, laws)
        singular = np.linalg.svd(np.asarray(jacobian(model, params, width_scaling.data(run)[0])), compute_uv=False)
        assert record.scalars["top"] == pytest.approx(singular[0] ** 2 / run.num_points, rel=1e-9)
        assert record.scalars["trace"] == pytest.approx(np.sum(singular**2) / run.num_points, rel=1e-9)


def test_unit_variances_are_what_they_are_called():
    run = width_scaling.WidthRun(replace(width_scaling._PLAIN, width=2000), (16,), 8, 10, True, 0)
    model = run.architecture.build(run.point_shape)
    params = width_scaling.with_unit_variance(model, model.init(jax.random.key(0)))
    for leaf, law in zip(jax.tree.leaves(params), jax.tree.leaves(model.laws())):
        # Biases are 0 at the start and stay so; a sample deviation is within five of its own.
        assert np.std(leaf) == pytest.approx(1.0, abs=5 / np.sqrt(2 * leaf.size)) if law.std else not np.any(leaf)


def test_the_control_is_outside_of_the_claim_and_scales_with_the_width():
    _, findings = smoke("width_scaling")
    means = [check for check in findings.checks if check.inequality == "mean over the draws"]
    for check in means:
        unit = "unit variances" in check.instance
        assert failed_hypotheses(check) == (("xavier second moments",) if unit else ())
        assert judge(check) is (Verdict.NOT_APPLICABLE if unit else Verdict.HOLDS)
    plain, control = findings.summary["series"]
    rise = [series["top"]["median"][-1] / series["top"]["median"][0] for series in (plain, control)]
    fall = [series["monotone"]["median"][-1] / series["monotone"]["median"][0] for series in (plain, control)]
    assert rise[1] > rise[0] and fall[1] < fall[0]


def test_criteria_keep_their_order_and_brackets():
    records, _ = smoke("width_scaling")
    for record in records:
        scalars = record.scalars
        assert 0 < scalars["monotone"] <= scalars["bounded"] <= scalars["forgiven"]
        for name in ("monotone", "bounded", "forgiven"):
            assert scalars[f"{name}_next"] / scalars[name] == pytest.approx(2 ** (1 / 25), rel=1e-9)

"""X9: what only the ladder of step sizes must get right."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from study_runs import smoke, verdicts_when_spoilt

from experiments.smoothness import ball_radii, loss_smoothness, parameter_radii
from experiments.studies import safe_step, safe_step_findings
from theory.verdict import Verdict, judge

SPOILS = [
    # (claim, inequality, what is spoilt, factor)
    ("G2", "loss hessian, plain", "hessian_start", 1e3),
    ("G2", "loss hessian, plain", "hessian_end", 1e3),
    ("G2", "loss hessian, linear", "hessian_start", 1.001),
    ("G3", "path length", "path_length", 1e2),
    ("G3", "gradient", "gradient_square", 1e3),
    ("G3", "decrease", "gradient_square", 1e3),
    ("G1", "one step, upper", "gradient_square", 10.0),
    ("G1", "one step, lower", "gradient_square", 1e-3),
]


@pytest.mark.parametrize(("claim", "inequality", "key", "factor"), SPOILS)
def test_each_inequality_reads_its_measurement(claim, inequality, key, factor):
    assert Verdict.VIOLATED in verdicts_when_spoilt("safe_step", claim, inequality, key, factor)


def test_containment_reads_the_distance():
    assert Verdict.VIOLATED in verdicts_when_spoilt("safe_step", "G3", "containment", "displacement", 1e2)


def test_one_points_linear_model_attains_the_ladder():
    """S = |x|^2 + 1 = |hess L|, and gradient descent is stable up to 2/S: every rung is known in closed form."""
    records, _ = smoke("safe_step")
    runs = safe_step.plan(safe_step.PRESETS["smoke"])
    found = [(run, record) for run, record in zip(runs, records) if run.architecture is None]
    assert found
    for run, record in found:
        curvature = 1.0 + float(np.sum(safe_step.data(run)[0] ** 2))
        for name in ("at_start", "hessian_start", "hessian_max"):
            assert record.scalars[name] == pytest.approx(curvature, rel=1e-9)
        for name in ("around", "about_zero"):
            assert record.arrays[name] == pytest.approx(curvature, rel=1e-9)
        # The ladder's reference is 2/S itself: an end of the bracket, stable or not by rounding.
        exact = 2.0 / curvature
        assert record.scalars["monotone"] <= exact * (1 + 1e-9) and exact <= record.scalars["monotone_next"] * (
            1 + 1e-9
        )


def test_horizons_are_the_ones_their_steps_cover():
    """tau S = steps on the run's own ball; S there and for each horizon as from the model's calculus directly."""
    preset = safe_step.PRESETS["smoke"]
    records, _ = smoke("safe_step")
    run, record = next(pair for pair in zip(safe_step.plan(preset), records) if pair[0].architecture is not None)
    scalars, (x, y) = record.scalars, safe_step.data(run)
    assert scalars["horizon"] * scalars["smoothness"] == pytest.approx(run.steps, rel=1e-6)
    assert record.arrays["step_sizes"][0] * scalars["smoothness"] <= 1.0 + 1e-12
    model = safe_step.model_of(run)
    params = model.init(jax.random.key(run.seed))
    norm = np.sqrt(sum(np.sum(np.square(leaf)) for leaf in jax.tree.leaves(params)))
    for tau, around, about_zero in zip(run.horizons, record.arrays["around"], record.arrays["about_zero"]):
        path = np.sqrt(2 * tau * scalars["loss"])
        direct = loss_smoothness(model, parameter_radii(model, params, path_length=path), x, y)
        assert around == pytest.approx(float(direct), rel=1e-9)
        assert about_zero == pytest.approx(
            float(loss_smoothness(model, ball_radii(model, norm + path), x, y)), rel=1e-9
        )
    assert np.all(np.diff(record.arrays["around"]) > 0) and np.all(
        record.arrays["around"] <= record.arrays["about_zero"]
    )


def test_the_control_climbs_and_the_largest_step_does_not():
    records, findings = smoke("safe_step")
    for record in records:
        largest = record.arrays["losses"][-2]
        assert largest.max() <= largest[0] * (1 + 1e-11) and largest[-1] < largest[0]
        assert safe_step_findings._climbs(record)
        ladder = record.arrays["step_sizes"]
        assert ladder[-1] > ladder[-2] and ladder[0] <= ladder[1] < ladder[2]
    assert sum(net["climbs_beyond"] for net in findings.summary["nets"]) == len(records)


def test_only_the_step_size_varies_along_the_ladder():
    records, _ = smoke("safe_step")
    for record in records:
        starts = record.arrays["losses"][:, 0]
        assert np.all(starts == starts[0]) and len(set(record.arrays["step_sizes"])) >= 3


def test_a_step_beyond_one_over_s_is_not_applicable():
    preset = safe_step.PRESETS["smoke"]
    records, _ = smoke("safe_step")
    longer = [
        record._replace(arrays={**record.arrays, "step_sizes": 1.5 * record.arrays["step_sizes"]}) for record in records
    ]
    found = [check for check in safe_step.find(preset, longer).checks if check.claim == "G3"]
    assert found and {judge(check) for check in found} == {Verdict.NOT_APPLICABLE}


def test_labels_of_the_nets_differ_and_normalisations_are_compared_in_pairs():
    paper = safe_step.PRESETS["paper"]
    pairs = {
        (net.architecture.normalisation, net.architecture.eps): net
        for net in paper.nets
        if net.architecture is not None and net.architecture.kind == "residual"
    }
    plain = pairs["none", None]
    for net in pairs.values():
        assert replace(net.architecture, normalisation="none", eps=None) == plain.architecture

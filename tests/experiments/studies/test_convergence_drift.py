"""X8: kernel drift against what the frozen kernel predicts (G7)."""

import numpy as np
import pytest
from study_runs import smoke, verdicts_when_spoilt

from experiments.studies import convergence, convergence_drift
from theory.verdict import Verdict


@pytest.mark.parametrize("inequality", ["measured drift", "uniform drift"])
def test_each_form_reads_the_drift(inequality):
    assert Verdict.VIOLATED in verdicts_when_spoilt("convergence", "G7", inequality, "drift", 1e-6)


def test_a_kernel_that_does_not_move_predicts_without_error():
    """Losses replaced by the frozen kernel's own: nothing is measured, and no drift is needed to explain it."""
    records, _ = smoke("convergence")
    record = records[0]
    eta, gram, start = record.config["step_size"], record.arrays["gram_start"], record.arrays["residual_start"]
    decay = np.eye(len(gram)) - eta / len(gram) * gram
    residuals = [np.linalg.matrix_power(decay, s) @ start for s in range(len(record.arrays["loss"]))]
    loss = np.array([residual @ residual / (2 * len(gram)) for residual in residuals])
    frozen = record._replace(arrays={**record.arrays, "loss": loss})
    for check in convergence_drift.drift_checks(frozen, "frozen"):
        assert check.measured == pytest.approx(0.0, abs=1e-12 * np.linalg.norm(start))


def test_estimates_are_told_apart_by_the_number_of_parameters():
    run = {"architecture": "plain", "width": 4, "frozen_end": 2.0, "loss_end": 1.0, "resolved_share": 1.0}
    runs = [
        {**run, "parameters": parameters, "seed": seed, "drift_end": drift, "norm_growth": 1.1}
        for seed in range(3)
        for parameters, drift in ((20, 0.5), (7, 0.25))
    ]
    told = {each.label: each.value for each in convergence_drift.drift_estimates(runs, 12)}
    assert told["kernel drift at the end, P >= N"] == 0.5
    assert told["kernel drift at the end, P < N (control)"] == 0.25
    assert told["factor by which the frozen kernel misses the loss, P >= N"] == pytest.approx(2.0)


def test_smoke_has_both_sides():
    _, findings = smoke("convergence")
    assert {run["parameters"] >= 12 for run in findings.summary["runs"]} == {True, False}
    assert convergence.STUDY.claims == ("G1", "G7")

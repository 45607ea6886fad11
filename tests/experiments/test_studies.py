"""Every study: its runs, its findings on the smoke preset, and what only it must get right."""

import json
from dataclasses import replace

import numpy as np
import pytest
from study_runs import measured, smoke, verdicts_when_spoilt

from experiments.records import record_key
from experiments.reproduce import dump
from experiments.studies import STUDIES, convergence, kernel_spectrum, labelled_pair, separation_law, slowdown
from experiments.studies.networks import NETWORKS, RESIDUAL, domain_of
from theory.claims import CLAIMS
from theory.verdict import Verdict, judge


@pytest.mark.parametrize("name", STUDIES)
def test_plans_have_distinct_runs_and_labels(name):
    study = STUDIES[name]
    assert set(study.presets) == {"smoke", "quick", "paper"} and set(study.claims) <= set(CLAIMS)
    for preset in study.presets.values():
        runs = study.plan(preset)
        keys = {record_key(study.name, study.schema, run) for run in runs}
        assert len(keys) == len(runs) == len({run.label for run in runs})


@pytest.mark.parametrize("name", STUDIES)
def test_findings_hold_and_fit_into_a_summary(name):
    _, findings = smoke(name)
    verdicts = [judge(check) for check in findings.checks]
    assert Verdict.VIOLATED not in verdicts and Verdict.HOLDS in verdicts
    assert {check.claim for check in findings.checks} <= set(STUDIES[name].claims)
    assert len(dump(findings.summary)) <= 100_000
    assert all(findings.words.values())


SPOILS = [
    # (study, claim, inequality, what is spoilt in scalars or arrays, factor): the claim's check must read it
    ("separation_law", "S1", "tail", "separation", 1e-3),
    ("separation_law", "S2", "band of the law", "separation", 3.0),
    ("separation_law", "S4", "packing ceiling", "separation", 1e3),
    ("kernel_spectrum", "R1", "gradient gap ceiling", "smallest", 1e6),
    ("slowdown", "R1", "gradient gap ceiling", "gradient_gap", 1e-3),
    ("slowdown", "R2", "path floor", "path_length", 1e-2),
    ("slowdown", "R2", "gap motion", "path_length", 1e-2),
    ("slowdown", "R3", "step floor", "steps", 1e-6),
    ("slowdown", "R4", "loss floor of the pair", "gap_end", 1e3),
    ("slowdown", "R4", "loss ceiling", "residual_start", None),
    ("slowdown", "R5", "one step", "loss_next", 1e-3),
    ("convergence", "G1", "one step, upper", "gradient_square", 50.0),
    ("convergence", "G1", "one step, lower", "gradient_square", 1e-3),
    ("convergence", "G1", "kernel rate floor", "smallest", 1e6),
    ("convergence", "G1", "product over the run", "smallest", 1e6),
]


@pytest.mark.parametrize(("name", "claim", "inequality", "key", "factor"), SPOILS)
def test_each_inequality_reads_its_measurement(name, claim, inequality, key, factor):
    """The same records with one measurement spoilt violate the inequality that must depend on it."""
    found = verdicts_when_spoilt(name, claim, inequality, key, factor)
    assert (Verdict.VIOLATED in found) == (factor is not None), found


def test_slowdown_varies_one_point_and_nothing_else():
    preset = slowdown.PRESETS["quick"]
    for network in NETWORKS:
        runs = [
            run
            for run in slowdown.plan(preset)
            if (run.architecture, run.labelling, run.seed) == (network.architecture, "smooth", 1)
        ]
        sets = [labelled_pair.data(run)[0] for run in runs]
        for run, points in zip(runs, sets):
            eps = 8 * np.finfo(float).eps * np.abs(points.points).max()
            assert abs(points.separation - run.h) <= eps and points.pair == (0, 1)
        changed = [
            np.flatnonzero((a.points != sets[0].points).reshape(len(a.points), -1).any(axis=1)) for a in sets[1:]
        ]
        assert len(np.unique(np.concatenate(changed))) == 1


def test_slowdown_labels_are_what_they_are_called():
    preset = slowdown.PRESETS["quick"]
    by_labelling = {run.labelling: run for run in slowdown.plan(preset) if run.h == preset.separations[-1]}
    for labelling, run in by_labelling.items():
        points, labels = labelled_pair.data(run)
        difference = labels.values[1] - labels.values[0]
        if labelling == "gap":
            assert difference == pytest.approx(preset.gap, abs=1e-12)
        if labelling == "smooth":
            distances = np.linalg.norm((points.points[:, None] - points.points[None]).reshape(12, 12, -1), axis=-1)
            slopes = np.abs(labels.values[:, None] - labels.values[None]) / np.where(distances > 0, distances, 1)
            assert slopes.max() <= preset.lipschitz * (1 + 1e-12)
            assert abs(difference) <= preset.lipschitz * run.h


def test_slowdown_sees_the_gap_slow_training_and_smooth_labels_not():
    _, findings = smoke("slowdown")
    slopes = {slope.label: slope for slope in findings.slopes}
    gap, smooth = slopes["residual network, gap, all h"], slopes["residual network, smooth, all h"]
    assert gap.ci_high < -0.4 and gap.ci_high < smooth.ci_low - 0.3
    assert slopes["residual linearised, gap, all h"].measured < gap.measured


def test_kernel_spectrum_tells_smooth_activations_from_kinks():
    runs = [
        run
        for run in kernel_spectrum.plan(kernel_spectrum.PRESETS["quick"])
        if run.architecture.kind == "plain" and run.seed < 2 and run.cluster_size == 2 and run.architecture.width > 64
    ]
    slopes = {}
    for record in measured(kernel_spectrum.STUDY, runs):
        h, smallest = record.arrays["separation"][1:], record.arrays["smallest"][1:]
        slopes.setdefault(record.config["architecture"]["activation"], []).append(
            np.polyfit(np.log(h), np.log(smallest), 1)[0]
        )
    assert np.mean(slopes["tanh"]) == pytest.approx(2, abs=0.1)
    assert np.mean(slopes["gelu"]) == pytest.approx(2, abs=0.15)
    assert np.mean(slopes["relu"]) == pytest.approx(1, abs=0.3)


def test_convergence_control_is_singular_and_the_network_is_not():
    _, findings = smoke("convergence")
    runs = findings.summary["runs"]
    narrow = [run for run in runs if run["parameters"] < findings.summary["num_points"]]
    wide = [run for run in runs if run["parameters"] >= findings.summary["num_points"]]
    assert narrow and all(run["resolved_share"] == 0 for run in narrow)
    assert wide and all(run["resolved_share"] == 1 and run["drift_end"] > 0 for run in wide)


def test_convergence_survives_divergence():
    preset = replace(convergence.PRESETS["smoke"], networks=(RESIDUAL,), hessians=30)
    wild = [replace(run, step_size=step_size) for run, step_size in zip(convergence.plan(preset), (0.3, 1e6))]
    records = measured(convergence.STUDY, wild)
    assert {record.scalars["status"] for record in records} == {"diverged"}
    findings = convergence.find(preset, records)
    assert findings.checks == [] and len(dump(findings.summary)) > 0


def test_slowdown_survives_divergence():
    preset = slowdown.PRESETS["smoke"]  # the shapes that are compiled already
    runs = [replace(run, step_size=1e6) for run in slowdown.plan(preset)]
    records = measured(slowdown.STUDY, runs)
    assert {record.scalars["status"] for record in records} == {"diverged"}
    findings = slowdown.find(preset, records)
    assert findings.slopes == []
    assert findings.summary["panels"][0]["not_reached"] == len(preset.separations) * preset.seeds
    json.loads(dump(findings.summary))


def test_separation_law_designs_have_the_moments_they_claim():
    rng = np.random.default_rng(0)
    for name, (density, torus) in separation_law.DESIGNS.items():
        sample = density.sample(200_000, rng)
        assert sample.shape == (200_000, density.dim) and f"d={density.dim}" in name and ("torus" in name) == torus
        # int pi^2 = E pi(X), to five standard errors.
        values = density.pdf(sample)
        assert abs(values.mean() - density.l2_norm_squared) <= 5 * values.std() / np.sqrt(len(values)) + 1e-12
    even, clumped = separation_law.EVEN, separation_law.CLUMPED
    assert even.maximum == clumped.maximum and even.l2_norm_squared < clumped.l2_norm_squared


def test_domains_follow_the_shape():
    assert domain_of((3,)).shape == (3,) and domain_of((4, 2)).shape == (4, 2)

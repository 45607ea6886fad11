"""X11a: what only the training study on digits must get right."""

from dataclasses import asdict, replace
from itertools import combinations

import numpy as np
import pytest
from study_runs import few_resamples, measured, smoke
from study_runs import spoilt as spoilt_by

from experiments.descent import member
from experiments.ensemble import drawn
from experiments.kernel import jacobian
from experiments.records import Record
from experiments.studies import (
    selection_digits,
    selection_digits_checks,
    selection_digits_ranks,
    selection_digits_times,
)
from experiments.studies.digits_run import Cell, choose, closest_pair, embedded, geometry, split, spoilt
from theory.verdict import Verdict, judge

SMOKE, PAPER = selection_digits.PRESETS["smoke"], selection_digits.PRESETS["paper"]
SPOILS = [
    ("R1", "gradient gap ceiling", "smallest", 1e6),
    ("D3", "containment", "separation", 1e-3),
    ("D3", "tail", "draws", 1e-3),
    ("D3", "kept", "draws", 1e3),
    ("D3", "mean", "draws", 1e-3),
]


def checks_when_spoilt(key, factor):
    """The checks of the smoke records with one measurement, a scalar or an array, spoilt."""
    spoilt_records = []
    for record in smoke("selection_digits")[0]:
        arrays, scalars = dict(record.arrays), dict(record.scalars)
        for where in (arrays, scalars):
            if key in where:
                where[key] = spoilt_by(where[key], factor)
        spoilt_records.append(record._replace(arrays=arrays, scalars=scalars))
    return list(selection_digits_checks.checks(dict(zip(selection_digits.plan(SMOKE), spoilt_records, strict=True))))


@pytest.mark.parametrize(("claim", "inequality", "key", "factor"), SPOILS)
def test_each_inequality_reads_its_measurement(claim, inequality, key, factor):
    found = [
        check for check in checks_when_spoilt(key, factor) if (check.claim, check.inequality) == (claim, inequality)
    ]
    assert Verdict.VIOLATED in map(judge, found)


def test_the_guarantee_of_uniform_needs_the_farthest_choice():
    spoilt_fall = [check for check in checks_when_spoilt("chosen", None) if check.claim == "D1"]
    assert {judge(check) for check in spoilt_fall} == {Verdict.NOT_APPLICABLE}
    fall = [check for check in smoke("selection_digits")[1].checks if check.claim == "D1"]
    pools = 1 + len(SMOKE.knobs)
    # Each choice once, whatever is trained on it and however often.
    assert {judge(check) for check in fall} == {Verdict.HOLDS} and len(fall) == SMOKE.seeds * pools


@pytest.mark.parametrize("preset", ["smoke", "quick", "paper"])
def test_the_rows_alone_vary_among_the_choices_of_a_seed(preset):
    chosen = selection_digits.PRESETS[preset]
    cells = chosen.cells()
    assert len(set(cells)) == len(cells)
    for training in chosen.trainings:
        runs = [selection_digits.run_of(cell, training, chosen, seed=0) for cell in cells]
        plain = [run for run, cell in zip(runs, cells) if cell.step_factor == 1]
        varied = {key for run in plain for key, value in asdict(run).items() if value != asdict(runs[0])[key]}
        assert varied <= {"method", "subset_size", "embedding", "knob", "share", "epochs", "draw"}
        # What is at another step size is so for uniform, random and full alike.
        for factor in chosen.step_factors:
            assert {cell.method for cell in cells if cell.step_factor == factor} == {"uniform", "random", "full"}


def test_every_run_takes_equal_steps_on_its_own_rows_alone():
    tasks = {}
    for run in selection_digits.plan(SMOKE):
        if run.seed or run.training.optimiser == "adam":
            continue
        clean = split(run)
        points, labels = spoilt(run, clean)
        rows = choose(run, embedded(points, run.embedding), labels)
        task = selection_digits.task_of(run, selection_digits.Chosen(points, labels, rows, {}))
        assert task.batches.shape == (6, 20, 8) and len(rows) == run.subset_size
        assert set(task.batches.ravel().tolist()) <= set(rows.tolist())
        np.testing.assert_allclose(task.parts.sum(axis=1), 1)
        assert set(np.flatnonzero(task.parts[0])) == set(rows.tolist())
        np.testing.assert_array_equal(np.flatnonzero(task.parts[1]), np.arange(96))
        np.testing.assert_array_equal(np.flatnonzero(task.parts[2]), np.arange(96, 160))
        np.testing.assert_array_equal(task.labels[96:], clean.held_out_labels)
        assert np.ptp(task.points[96:] - clean.held_out, axis=0).max() < 1e-12  # the pool's shift, never its knob
        tasks[run.method, run.knob, run.epochs] = task
    shuffled, repeated = (tasks["random", "clean", epochs].batches.reshape(-1, 24) for epochs in (True, False))
    assert all(len(set(epoch)) == 24 for epoch in shuffled) and any(len(set(epoch)) < 24 for epoch in repeated)


def test_pool_and_held_out_rows_are_different_images_and_every_seed_splits_anew():
    runs = [run for run in selection_digits.plan(PAPER) if run.method == "full" and run.knob == "clean"]
    first, other = (split(next(run for run in runs if run.seed == seed)) for seed in (0, 1))
    rows = np.concatenate([first.pool, first.held_out])
    assert first.pool.shape == (1280, 64) and first.held_out.shape == (517, 64)
    # All images of the data set, each once (two of them have a twin).
    everything = np.concatenate([other.pool, other.held_out])
    np.testing.assert_array_equal(rows[np.lexsort(rows.T)], everything[np.lexsort(everything.T)])
    assert not np.array_equal(first.pool, other.pool)
    assert rows.min() == 0 and rows.max() == 1 and set(first.labels) == set(range(10))


def test_knobs_spoil_what_they_name():
    plain = selection_digits.run_of(Cell("full", 1280), PAPER.trainings[0], PAPER, seed=2)
    clean = split(plain)
    for knob, share in PAPER.knobs:
        points, labels = spoilt(replace(plain, knob=knob, share=share), clean)
        moved, relabelled = np.any(points != clean.pool, axis=1), labels != clean.labels
        count = round(share * 1280)
        if knob == "label noise":
            assert not moved.any() and relabelled.sum() == count
        else:
            assert moved.sum() == count and relabelled.any() == (knob == "duplicates")
        if knob == "outliers":
            reach = np.linalg.norm(clean.pool - clean.pool.mean(axis=0), axis=1).max()
            assert np.linalg.norm(points[moved] - clean.pool.mean(axis=0), axis=1).min() > 1.9 * reach


def test_embeddings_and_matched_classes_are_what_they_are_called():
    run = selection_digits.run_of(Cell("matched", 320), PAPER.trainings[0], PAPER, seed=1)
    clean = split(run)
    np.testing.assert_allclose(np.linalg.norm(embedded(clean.pool, "cosine"), axis=1), 1)
    white = embedded(clean.pool, "whitened")
    np.testing.assert_allclose(np.cov(white.T, bias=True), np.eye(white.shape[1]), atol=1e-9)
    values = np.sort(np.linalg.eigvalsh(np.cov(clean.pool.T)))[::-1]
    held = np.cumsum(values) / values.sum()
    assert held[white.shape[1] - 1] >= 0.99 > held[white.shape[1] - 2]
    uniform = choose(replace(run, method="uniform"), clean.pool, clean.labels)
    rows = choose(run, clean.pool, clean.labels)
    np.testing.assert_array_equal(np.bincount(clean.labels[rows]), np.bincount(clean.labels[uniform]))
    assert set(rows.tolist()) != set(uniform.tolist())


def test_geometry_against_brute_force():
    rng = np.random.default_rng(0)
    points, labels, chosen = rng.random((12, 3)), np.arange(12) % 10, np.array([7, 2, 9, 4])
    found = geometry(points, labels, chosen)
    pairs = {pair: float(np.linalg.norm(points[pair[0]] - points[pair[1]])) for pair in combinations(chosen, 2)}
    assert found["separation"] == pytest.approx(min(pairs.values()), rel=1e-12)
    assert set(closest_pair(points, chosen)) == set(min(pairs, key=pairs.__getitem__))
    nearest = [min(length for pair, length in pairs.items() if row in pair) for row in chosen]
    assert found["nearest"] == pytest.approx(np.mean(nearest))
    cover = max(min(np.linalg.norm(point - points[row]) for row in chosen) for point in points)
    assert found["cover"] == pytest.approx(cover)
    assert found["spread"] ** 2 == pytest.approx(np.mean([np.sum((points[r] - points.mean(0)) ** 2) for r in chosen]))
    # Classes 7, 2, 9, 4 are a quarter each of the chosen; 0 and 1 are a sixth of the pool, the others a twelfth.
    assert found["imbalance"] == pytest.approx(4 * (1 / 4 - 1 / 12))


def test_the_kernel_is_that_of_the_first_outputs_own_gradients():
    records, _ = smoke("selection_digits")
    runs = selection_digits.plan(SMOKE)
    run, record = next((run, record) for run, record in zip(runs, records) if run.method == "random")
    clean, rows = split(run), record.arrays["chosen"]
    x = (clean.pool - clean.pool.mean(axis=0))[rows]
    model = run.architecture.build((64,))
    params = member(drawn(model, np.array([run.seed])), 0)
    first = np.asarray(jacobian(model, params, x)).reshape(len(rows), 10, -1)[:, 0]
    singular = np.linalg.svd(first, compute_uv=False)
    assert record.scalars["smallest"] == pytest.approx(singular[-1] ** 2, rel=1e-6)
    assert record.scalars["largest"] == pytest.approx(singular[0] ** 2, rel=1e-9)
    residual = np.eye(10)[clean.labels[rows]] - np.asarray(model(params, x))
    # tr R^T K^-1 R is the squared length of the shortest solutions of J w = R, one for each class.
    assert record.scalars["distance"] == pytest.approx(
        np.sum(np.linalg.lstsq(first, residual, rcond=None)[0] ** 2), rel=1e-6
    )
    pair = min(combinations(range(len(rows)), 2), key=lambda ij: np.linalg.norm(x[ij[0]] - x[ij[1]]))
    assert record.scalars["gradient_gap"] == pytest.approx(np.linalg.norm(first[pair[0]] - first[pair[1]]))


def test_random_separations_are_those_of_random_subsets():
    run = next(run for run in selection_digits.plan(SMOKE) if run.method == "random")
    found = selection_digits.random_separations(run)
    pool = split(run).pool
    for draw in (0, 17):
        rows = selection_digits.subset(pool, 24, method="random", seed=10_000 * (run.seed + 1) + draw)
        assert found[draw] == pytest.approx(geometry(pool, split(run).labels, rows)["separation"], rel=1e-12)
    assert len(np.unique(found)) > 10


def record_of(loss, held_out=None):
    """A record that has curves and nothing else: one loss for all parts, or another one for the held-out rows."""
    curve = np.stack([loss, loss, loss if held_out is None else held_out], axis=1)
    return Record(
        "", "", {}, {"seconds_choosing": 0.0, "seconds_training": 1.0}, {"loss": curve, "accuracy": curve}, {}
    )


def test_first_passages_and_thresholds_by_hand():
    loss = np.array([[4.0, 2.0, 1.0, 1.5], [8.0, 8.0, 6.0, 5.0], [1.0, 1.0, 1.0, np.inf]])
    found = selection_digits_times.first_passage(loss, np.array([1.5, 4.0, 1.0]), every=10)
    np.testing.assert_allclose(found, [15.0, np.inf, 0.0])
    other = np.array([[9.0, 5.0, 4.0, 3.0], [7.0, 4.0, 4.0, 4.0], [2.0, 3.0, 0.5, 0.1]])
    late = selection_digits_times.common_threshold([loss, other], horizon=1.0)
    np.testing.assert_allclose(late, [3.0, 5.0, 1.0])
    early = selection_digits_times.common_threshold([loss, other], horizon=0.34)
    np.testing.assert_allclose(early, [5.0, 8.0, 2.0])


def planted(preset, rates, spoil=None):
    """Records whose losses fall linearly, at a rate that the rule sets; held-out ones at the inverse rate."""
    checks = np.arange(preset.steps // preset.measured_every + 1.0)
    by_cell = {}
    for training in preset.trainings:
        for cell in preset.cells():
            rate = rates[cell.method]
            records = [record_of(1e3 - rate * checks, 1e3 - checks / rate) for _ in range(preset.seeds)]
            by_cell[training.name, cell] = records
            for record in records:
                record.config["steps"] = preset.steps
    if spoil is not None:
        by_cell[preset.trainings[0].name, spoil][0].arrays["loss"][-1] = np.nan
    return by_cell


def test_ratios_find_the_speed_that_was_planted():
    rates = {"uniform": 2.0, "random": 4.0, "full": 1.0, "min-dist": 8.0, "trimmed": 2.0}
    preset = replace(SMOKE, trainings=PAPER.trainings)
    with few_resamples():
        found = {e.label: e for e in selection_digits_times.main_estimates(preset, planted(preset, rates))}
        rules = {e.label: e for e in selection_digits_times.rule_estimates(preset, planted(preset, rates))}
        diverged = planted(preset, rates, spoil=Cell("uniform", 24))
        left = {e.label for e in selection_digits_times.main_estimates(preset, diverged)}
    where = "l2, sgd, 24 rows: steps to"
    for horizon in ("early", "late"):
        assert found[f"{where} own loss, {horizon}, random / uniform"].value == pytest.approx(1 / 2)
        assert found[f"{where} own loss, {horizon}, full / uniform"].value == pytest.approx(2)
        assert found[f"{where} held-out loss, {horizon}, full / random"].value == pytest.approx(1 / 4)
    assert rules[f"{where} own loss, late, min-dist / uniform"].value == pytest.approx(1 / 4)
    assert rules[f"{where} own loss, late, random with repetition / in epochs"].value == pytest.approx(1)
    # One of two seeds is left, which makes no interval; the other training is not touched.
    assert f"{where} own loss, late, random / uniform" not in left
    assert "cross-entropy, adam, 24 rows: steps to own loss, late, random / uniform" in left


def test_an_unresolved_kernel_and_a_loss_never_reached_rank_last():
    records, _ = smoke("selection_digits")
    told = records[0].scalars | {"error": 1.0, "distance": None}
    found = selection_digits_ranks.predictors(records[0]._replace(scalars=told))
    assert (found["lambda_min"], found["distance"]) == (0.0, np.inf)
    rates = {"uniform": 2.0, "random": 4.0, "full": 1.0, "min-dist": 8.0, "trimmed": 2.0}
    cells = [Cell(method, 24) for method in ("uniform", "random", "min-dist")]
    steps = selection_digits_ranks.steps_against_random(SMOKE, planted(SMOKE, rates), "l2, sgd", cells, "own")
    np.testing.assert_allclose(steps, [[np.inf] * 2, [120.0] * 2, [60.0] * 2])


def test_a_diverged_run_leaves_its_choice_and_no_time():
    preset = replace(SMOKE, seeds=1)  # the shapes that are compiled already
    wild = [replace(run, training=replace(run.training, step_size=1e6)) for run in selection_digits.plan(preset)]
    with few_resamples():
        findings = selection_digits.find(preset, measured(selection_digits.STUDY, wild))
    assert findings.summary["diverged"] == len(wild)
    assert not any("steps to" in estimate.label and "/" in estimate.label for estimate in findings.estimates)
    assert Verdict.VIOLATED not in map(judge, findings.checks) and all(findings.words.values())


@pytest.mark.deep
@pytest.mark.parametrize("training", PAPER.trainings, ids=lambda training: training.optimiser)
def test_the_pilot_chooses_the_step_size(training):
    ladder = selection_digits.LADDERS[training.optimiser]
    runs = [
        selection_digits.run_of(Cell("full", 1280), replace(training, step_size=step), PAPER, selection_digits.PILOT)
        for step in ladder
    ]
    areas = [record.arrays["loss"][:, 1].mean() for record in measured(selection_digits.STUDY, runs)]
    assert ladder[int(np.nanargmin(areas))] == training.step_size and PAPER.seeds <= selection_digits.PILOT

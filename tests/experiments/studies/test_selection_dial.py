"""X6: what only the selection dial must get right."""

from dataclasses import asdict, replace

import jax
import numpy as np
import pytest
from study_runs import measured, smoke, verdicts_when_spoilt

from experiments.kernel import jacobian
from experiments.points.greedy import uniform_pool
from experiments.separation import separation
from experiments.studies import selection_dial, selection_dial_findings, selection_dial_ranks
from experiments.studies.networks import domain_of
from theory.verdict import Verdict, judge

SPOILS = [
    ("R1", "gradient gap ceiling", "gradient_gap_start", 1e-3),
    ("R2", "path floor", "path_length", 1e-2),
    ("R2", "gap motion", "path_length", 1e-3),
    ("R3", "step floor", "steps", 1e-6),
    ("D3", "containment", "separation", 1e-3),
]
PAPER = selection_dial.PRESETS["paper"]


def one_of_each(shape, seed, labelling="noise"):
    """Runs of one architecture, seed and labelling: one a design."""
    runs = [run for run in selection_dial.plan(PAPER) if (run.point_shape, run.seed) == (shape, seed)]
    kind = runs[0].architecture.kind
    return [run for run in runs if (run.architecture.kind, run.labelling) == (kind, labelling)]


@pytest.mark.parametrize(("claim", "inequality", "key", "factor"), SPOILS)
def test_each_inequality_reads_its_measurement(claim, inequality, key, factor):
    assert Verdict.VIOLATED in verdicts_when_spoilt("selection_dial", claim, inequality, key, factor)


def test_farthest_first_guarantees_need_the_farthest_choice():
    assert verdicts_when_spoilt("selection_dial", "D1", "fall", "chosen", None) == {Verdict.NOT_APPLICABLE}
    _, findings = smoke("selection_dial")
    fall = [check for check in findings.checks if check.claim == "D1"]
    assert {judge(check) for check in fall} == {Verdict.HOLDS}
    dial = selection_dial.PRESETS["smoke"]
    assert len(fall) == len(dial.ratios) * dial.seeds  # each choice once, though two labellings train on it


@pytest.mark.parametrize("shape", [(4,), (4, 2)])
def test_the_points_alone_vary(shape):
    runs = one_of_each(shape, seed=3)
    varied = [{key for key, value in asdict(run).items() if value != asdict(runs[0])[key]} for run in runs]
    assert set().union(*varied) == {"design", "pool_ratio"}
    noise = []
    for run in runs:
        points = selection_dial.choose(run).rows.reshape(-1, *shape)
        smooth = selection_dial.label(replace(run, labelling="smooth"), points).values
        noise.append(selection_dial.label(run, points).values - smooth)
    np.testing.assert_allclose(noise, [noise[0]] * len(noise), atol=1e-14)
    assert np.std(noise[0]) > 0.3 * PAPER.noise
    seen = [selection_dial.fresh(run) for run in runs]
    assert all(np.array_equal(x, seen[0][0]) and np.array_equal(y, seen[0][1]) for x, y in seen)


def test_pools_are_nested_and_the_unit_dial_takes_all_of_its_pool():
    run = one_of_each((4,), seed=1)[0]
    largest = uniform_pool(12, domain_of((4,)), pool_size=384, seed=1)
    assert np.array_equal(uniform_pool(12, domain_of((4,)), pool_size=24, seed=1), largest[:24])
    assert run.pool_ratio == 1 and sorted(selection_dial.choose(run).chosen) == list(range(12))
    np.testing.assert_array_equal(selection_dial.choose(run).rows, largest[selection_dial.choose(run).chosen])


@pytest.mark.parametrize("shape", [(4,), (4, 2)])
def test_controls_are_what_they_are_called(shape):
    """Over the paper's seeds: means of separation and of the spread about the centre, design by design."""
    found = {}
    for seed in range(PAPER.seeds):
        for run in one_of_each(shape, seed):
            rows = selection_dial.choose(run).rows
            spread = np.sqrt(np.mean(np.sum((rows - 0.5) ** 2, axis=1)))
            found.setdefault((run.design, run.pool_ratio), []).append((separation(rows).distance, spread))
    assert min(h for h, _ in found["darts", 1]) >= selection_dial.DARTS[shape]
    means = {design: np.mean(each, axis=0) for design, each in found.items()}
    h = [means["greedy", ratio][0] for ratio in PAPER.ratios]
    assert np.all(np.diff(h) > 0) and means["nearest", 32][0] < h[0]
    # Darts are as far apart as the middle of the dial but nearer to the centre than the far end, boundary points not.
    assert means["darts", 1][0] > h[1] and means["darts", 1][1] < means["greedy", 32][1]
    assert means["boundary", 1][0] < h[2] and means["boundary", 1][1] > means["greedy", 4][1]


def test_nearest_first_takes_a_nearest_point_each_time():
    pool = np.random.default_rng(0).random((30, 3))
    order = selection_dial.nearest_first(pool, 8)
    assert order[0] == 0 and len(set(order)) == 8
    for turn in range(1, 8):
        left = [row for row in range(30) if row not in order[:turn]]
        nearest = [min(np.linalg.norm(pool[row] - pool[taken]) for taken in order[:turn]) for row in left]
        assert order[turn] == left[int(np.argmin(nearest))]


def test_first_passages_against_a_loop():
    loss = np.array([1.0, 0.5, 0.6, 0.2, 0.3, 0.05])
    found = selection_dial.first_passages(loss, np.array([1.0, 0.55, 0.2, 0.1, 0.01]))
    np.testing.assert_array_equal(found, [0, 1, 3, 5, np.nan])


def test_distance_is_that_of_the_least_squares_solution():
    """r^T K^-1 r = |J^+ r|^2, and frozen steps are those of r <- (I - eta K / N) r, one at a time."""
    records, _ = smoke("selection_dial")
    for record in records[::7]:
        config = record.config
        run = next(
            run for run in selection_dial.plan(selection_dial.PRESETS["smoke"]) if asdict(run)["seed"] == config["seed"]
        )
        run = replace(run, design=config["design"], pool_ratio=config["pool_ratio"], labelling=config["labelling"])
        x = selection_dial.choose(run).rows.reshape(-1, *run.point_shape)
        model = run.architecture.build(run.point_shape)
        params = model.init(jax.random.key(run.seed))
        residual = np.asarray(model(params, x)) - selection_dial.label(run, x).values
        rows = np.asarray(jacobian(model, params, x))
        found = selection_dial_findings.predictors(record)
        shortest = np.linalg.lstsq(rows, -residual, rcond=1e-15)[0]
        assert found["distance"] == pytest.approx(shortest @ shortest, rel=1e-6)
        assert found["lambda_min"] == pytest.approx(np.linalg.svd(rows, compute_uv=False)[-1] ** 2, rel=1e-6)
        if found["frozen_steps"] < 20_000:
            motion, steps = np.eye(len(x)) - run.step_size * rows @ rows.T / len(x), 0
            while residual @ residual / (2 * len(x)) > run.target:
                residual, steps = motion @ residual, steps + 1
            assert abs(found["frozen_steps"] - steps) <= 1


def test_an_unresolved_spectrum_and_a_late_run_rank_last():
    record = smoke("selection_dial")[0][0]
    gram = record.arrays["gram_start"].copy()
    gram[1], gram[:, 1] = gram[0], gram[:, 0]
    gram[1, 1] = gram[0, 0]
    residual = record.arrays["residual_start"].copy()
    residual[1] = residual[0] + 1.0  # duplicates that cannot both be fitted: a loss of 1/4N stays
    target = 1 / (5 * len(gram))
    singular = record._replace(
        arrays={**record.arrays, "gram_start": gram, "residual_start": residual},
        config={**record.config, "target": target},
    )
    found = selection_dial_findings.predictors(singular)
    assert (found["lambda_min"], found["distance"], found["frozen_steps"]) == (0.0, np.inf, np.inf)
    late = record._replace(scalars={**record.scalars, "status": "diverged", "test_rms": None, "test_max": None})
    values = selection_dial_findings.outcomes(late)
    assert values["steps"] == values["test_rms"] == values["test_max"] == np.inf


def test_a_diverged_run_leaves_only_what_the_start_says():
    preset = replace(selection_dial.PRESETS["smoke"], max_steps=50)
    runs = [replace(run, step_size=1e6 if run.seed == 0 else run.step_size) for run in selection_dial.plan(preset)]
    findings = selection_dial.find(preset, measured(selection_dial.STUDY, runs))
    wild = {check.claim for check in findings.checks if "seed 0" in check.instance}
    assert wild == {"R1", "D1", "D3"}
    assert sum(cell["not_reached"] for cell in findings.summary["cells"]) == len(runs)


def test_estimates_find_the_predictor_that_was_planted():
    """Steps are made from the distance alone: it ranks them perfectly, and h_min only as far as it follows it."""
    rng = np.random.default_rng(0)
    names = (*selection_dial_ranks.PREDICTORS, *selection_dial_ranks.OUTCOMES, *selection_dial_ranks.SIDE_OUTCOMES)
    cells = {}
    for labelling in selection_dial_ranks.LABELLINGS:
        cell = rng.random((15, 9, len(names))) + 0.1
        place = {name: index for index, name in enumerate(names)}
        cell[..., place["h_min"]] = 2 - cell[..., place["distance"]] + 0.5 * rng.standard_normal((15, 9))
        cell[..., place["steps"]] = np.exp(cell[..., place["distance"]])
        cells["plain", labelling] = cell
    found = {e.label: e for e in selection_dial_ranks.rank_estimates(cells, names, dial=6)}
    for scope in selection_dial_ranks.SCOPES.values():
        where = f"all noise, {scope}"
        assert found[f"steps by distance, {where}"].value == pytest.approx(1)
        assert -0.8 < found[f"steps by h_min, {where}"].value < -0.2
        assert found[f"steps: h_min less distance, {where}"].ci_high < 0
        assert abs(found[f"steps by h_min given distance, {where}"].value) < 1e-6
        assert found[f"test_rms by distance, {where}"].ci_low < 0 < found[f"test_rms by distance, {where}"].ci_high
    (null, *_) = selection_dial_ranks.null_estimates(cells, names, dial=6)
    assert null.ci_low < 0 < null.ci_high < -found["steps by h_min, plain smooth, within seed"].value
    cells["plain", "noise"][:, 5, place["steps"]] = 2 * cells["plain", "noise"][:, 0, place["steps"]]
    ratios = {e.label: e for e in selection_dial_ranks.contrast_estimates(cells, names, (1, 2, 4, 8, 16, 32))}
    assert ratios["steps of M/N = 32 over random, plain noise"].value == pytest.approx(2)


def test_smoke_separates_the_far_end_by_its_labels():
    """Nearest points: noise that distance cannot shrink slows training down, a Lipschitz target does not."""
    _, findings = smoke("selection_dial")
    ratio = {estimate.label: estimate.value for estimate in findings.estimates}
    assert ratio["steps of nearest over random, plain noise"] > 1 > ratio["steps of nearest over random, plain smooth"]

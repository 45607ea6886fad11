"""X5: the floors known before training (R6) and the collapse in eps over the pair's own loss."""

import jax
import numpy as np
import pytest
from study_runs import smoke, verdicts_when_spoilt

from experiments.records import Record
from experiments.smoothness import jacobian_lipschitz, parameter_radii
from experiments.studies import labelled_pair, slowdown, slowdown_collapse, slowdown_floor
from theory.verdict import Verdict


def test_known_path_floor_reads_the_path():
    assert Verdict.VIOLATED in verdicts_when_spoilt("slowdown", "R6", "path floor", "path_length", 1e-9)


def test_known_path_floor_solves_its_equation():
    """Lbar at the right ends of 8 pieces of [0, P*], from the model's calculus, moves the gap by its excess."""
    records, _ = smoke("slowdown")
    floors = slowdown_floor.known_path_floors(records)
    runs = slowdown.plan(slowdown.PRESETS["smoke"])
    run, record, floor = next(each for each in zip(runs, records, floors) if each[2] > 0.0)
    model = run.architecture.build(run.point_shape)
    params = model.init(jax.random.key(run.seed))
    pair = labelled_pair.data(run)[0].points[:2]
    ends = floor * np.arange(1, 9) / 8
    radii = [parameter_radii(model, params, path_length=end) for end in ends]
    envelope = [
        float(
            jacobian_lipschitz(
                model, each, slowdown_floor._pair_radius(run.point_shape, 12, run.seed), point_shape=run.point_shape
            )
        )
        for each in radii
    ]
    moved = floor / 8 * sum(envelope) * record.scalars["separation"]
    assert moved == pytest.approx(slowdown_floor.excess(record), rel=1e-9)
    assert np.linalg.norm(pair, axis=1).max() <= slowdown_floor._pair_radius(run.point_shape, 12, run.seed)
    # Known beforehand, the envelope is above what the run met.
    assert envelope[0] * record.scalars["separation"] >= record.scalars["gradient_gap_start"]


def _record(labelling, h, seed, times, gap):
    """A run whose loss is 0.1 (1 + s/time)^-1."""
    step = np.unique(np.round(np.geomspace(1, 1e6, 200)).astype(int)) - 1
    config = {"architecture": {"kind": "plain"}, "labelling": labelling, "h": h, "seed": seed, "num_points": 12}
    scalars = {"status": "reached", "gap_start": gap}
    return Record("", "slowdown", config, scalars, {"step": step, "loss": 0.1 / (1 + step / times)}, {})


def test_steps_to_a_loss_are_read_between_stored_steps():
    record = _record("smooth", 0.1, 0, 50.0, 0.1)
    for eps in (0.05, 0.01, 1e-3):
        assert slowdown_collapse.steps_to_loss(record, eps) == pytest.approx(1 + 50 * (0.1 / eps - 1), rel=0.02)
    assert (
        slowdown_collapse.steps_to_loss(record, 0.1) is None and slowdown_collapse.steps_to_loss(record, 1e-9) is None
    )


def test_collapse_tells_times_that_depend_on_h_from_times_that_do_not():
    """Lipschitz labels of one time, label gaps of a time like 1/h: seeds differ in speed and in nothing else."""
    rng = np.random.default_rng(0)
    speeds = np.exp(rng.standard_normal(5))
    records = [
        _record(labelling, h, seed, 100 * speed * (0.05 / h if labelling == "gap" else 1), gap)
        for seed, speed in enumerate(speeds)
        for h in (0.1, 0.05, 0.025)
        for labelling, gap in (("smooth", h), ("gap", 3.0))
    ]
    found = slowdown_collapse.collapse(records)
    smooth = np.array([case[1] == "smooth" for case in found.cases])
    np.testing.assert_allclose(found.y[smooth], 0.0, atol=1e-12)
    told = {estimate.label: estimate.value for estimate in slowdown_collapse.estimates(found)}
    assert told["spread of log10 steps, Lipschitz labels, at equal x, after it"] == pytest.approx(0.0, abs=1e-12)
    assert told["spread of log10 steps, Lipschitz labels, at equal eps, before the collapse"] > 0.1
    # x = 48 eps / 9 < 1: the pair holds the loss; the middle one of the factors 1/2, 1, 2.
    assert told["factor in steps to eps below the pair's loss, label gap"] == pytest.approx(1.0, rel=0.05)

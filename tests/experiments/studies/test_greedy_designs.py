"""X2: inequalities read their measurements, designs are what they are called, counts agree with brute force."""

import itertools

import numpy as np
import pytest
from study_runs import smoke, verdicts_when_spoilt

from experiments.points import Torus
from experiments.points.greedy import farthest_first, uniform_pool
from experiments.studies import greedy_designs
from experiments.studies.greedy_designs_findings import LAWS, counted_separation, equivalent_points
from theory import limit_law, sampling_law
from theory.verdict import Verdict

SPOILS = [
    ("S1", "tail", "separation", 1e-3),
    ("S3", "cells", "separation", 1e2),
    ("S3", "exponential", "separation", 1e2),
    ("S3", "quantile", "separation", 1e2),
    ("S4", "packing ceiling", "separation", 1e2),
    ("A4", "cover", "separation", 1e-2),
    ("A4", "cover", "cover", 1e2),
    ("A4", "volume", "separation", 1e-2),
    ("A4", "half", "separation", 1e2),
]


@pytest.mark.parametrize(("claim", "inequality", "key", "factor"), SPOILS)
def test_each_inequality_reads_its_measurement(claim, inequality, key, factor):
    assert Verdict.VIOLATED in verdicts_when_spoilt("greedy_designs", claim, inequality, key, factor)


def test_the_optima_are_those_of_the_choice():
    """A choice that is not greedy's is not D1's: the margin says so (the last row of the order is the nearest)."""
    assert verdicts_when_spoilt("greedy_designs", "D1", "dispersion", "small_order", None) == {Verdict.NOT_APPLICABLE}


def test_only_the_design_varies():
    preset = greedy_designs.PRESETS["paper"]
    runs = greedy_designs.plan(preset)
    assert set(LAWS) == {run.design for run in runs} == set(greedy_designs.DESIGNS)
    for dim in preset.dims:
        assert len({run.sizes for run in runs if run.dim == dim}) == 1
        (sizes,) = {run.sizes for run in runs if run.dim == dim}
        assert all(round(size ** (1 / dim)) ** dim == size for size in sizes)


@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize("pool_size", [20, 30, 60])
def test_counts_agree_with_brute_force_and_exceed_what_greedy_needs(dim, pool_size):
    domain, size = Torus(dim), 20
    pool = uniform_pool(size, domain, pool_size=pool_size, seed=3)
    found = greedy_designs._measure_chosen(pool, farthest_first(pool, size, period=1.0), domain)
    wrapped = [
        np.linalg.norm((a - b + 0.5) % 1.0 - 0.5) for a, b in itertools.combinations(pool, 2)
    ]  # not the k-d tree's metric code
    assert found["close_pairs"] == np.sum(np.array(wrapped) <= found["separation"] * (1 + 1e-9))
    assert found["close_pairs"] >= pool_size - size + 1
    assert found["cover"] <= found["separation"] * (1 + 1e-12)
    if pool_size == size:  # greedy from N candidates is the pool: one closest pair, nothing uncovered
        assert found["close_pairs"] == 1 and found["cover"] == 0


def test_pair_count_holds_for_clustered_pools_too():
    """The count is deterministic: a pool of pairs at distance 1e-3 lets greedy keep one point of each."""
    base = (np.arange(10)[:, None] + 0.5) / 10
    pool = np.concatenate([base, base + 1e-3])
    order = farthest_first(pool, 10, period=1.0)
    found = greedy_designs._measure_chosen(pool, order, Torus(1))
    assert found["separation"] > 0.09 and found["close_pairs"] >= 11
    everything = greedy_designs._measure_chosen(pool, farthest_first(pool, 11, period=1.0), Torus(1))
    assert everything["separation"] == pytest.approx(1e-3) and everything["close_pairs"] == 10


def test_closed_forms_agree_with_the_laws_they_invert():
    for dim in (1, 2, 3):
        unit = float(sampling_law.separation_quantile(1.0, 50, dim=dim, density_norm_sq=1.0))
        assert counted_separation(50, 50, dim=dim) == pytest.approx(unit, rel=1e-12)
        mean = float(limit_law.limit_mean(50, dim=dim, density_norm_sq=1.0))
        assert equivalent_points(mean, dim=dim) == pytest.approx(50, rel=1e-12)
        # M = N + 8 falls like N^(-2/d), M = 2N like N^(-1/d).
        for spare, power in ((lambda n: n + 8, -2), (lambda n: 2 * n, -1)):
            fall = counted_separation(10**7, spare(10**7), dim=dim) / counted_separation(10**6, spare(10**6), dim=dim)
            assert dim * np.log10(fall) == pytest.approx(power, abs=1e-4)


def test_drawn_samples_are_fresh_and_controls_behave():
    records, findings = smoke("greedy_designs")
    for record in records:
        found = record.arrays["separation"]
        if record.config["design"] == "independent":
            assert found.shape == (2, 10) and len(np.unique(found)) == found.size
    by_name = {entry["name"]: entry for entry in findings.summary["designs"]}
    share = {name: entry["share"]["value"] for name, entry in by_name.items()}
    assert share["independent"] < share["greedy, M = N + 8"] < share["greedy, M = 2 N"] < share["greedy, M = 16 N"] < 1
    assert share["Sobol'"] < 0.5 * share["grid jittered by a quarter cell"]
    assert by_name["independent"]["slope"][0] < -1.5 < by_name["greedy, M = 2 N"]["slope"][0]
    small = [record for record in records if "small_distances" in record.arrays]
    assert len({record.arrays["small_distances"].tobytes() for record in small}) == len(small)

"""The language study: what its runs share, what its checks read, and its times and parts on made-up curves."""

from math import comb

import numpy as np
import pytest
from study_runs import smoke, verdicts_when_spoilt

from experiments.corpus.docstring_pairs import Pair
from experiments.records import Record
from experiments.studies import selection_language
from experiments.studies.selection_language_data import choice_margin, choose, close_pairs, geometry, split
from experiments.studies.selection_language_findings import epoch_fall
from experiments.studies.selection_language_summary import length_shares
from experiments.studies.selection_language_times import curve, passage, ratios, times
from experiments.studies.selection_language_training import LOSSES, SETS
from theory.verdict import Verdict

NAME = "selection_language"
PRESETS = selection_language.PRESETS
PAIRS = [Pair(f"prompt {k}", f"response {k} " + "word " * (k % 7 + 1), "") for k in range(40)]

SPOILS = [
    # (claim, inequality, what is spoilt, factor): the check must read it
    ("D3", "containment", "pool_separation", 1e6),
    ("D3", "tail", "hits", 3.0),
    ("D3", "kept", "hits", 0.0),
    ("D1", "fall", "cover", 5.0),
]


@pytest.mark.parametrize(("claim", "inequality", "key", "factor"), SPOILS)
def test_each_inequality_reads_its_measurement(claim, inequality, key, factor):
    assert Verdict.VIOLATED in verdicts_when_spoilt(NAME, claim, inequality, key, factor)


def test_runs_to_be_compared_differ_in_their_subset_alone():
    records, _ = smoke(NAME)
    for record in records:
        first = next(other for other in records if other.config["seed"] == record.config["seed"])
        scalars, arrays = record.scalars, record.arrays
        assert scalars["pool_size"] == first.scalars["pool_size"]
        whole = record.config["method"] == "full"
        assert len(arrays["chosen"]) == scalars["subset_size"] == scalars["pool_size"] // (1 if whole else 2)
        assert len(np.unique(arrays["chosen"])) == len(arrays["chosen"])
        steps = scalars["pool_size"] // record.config["setting"]["batch"]
        assert len(arrays["seconds"]) == len(arrays["batch_loss"]) == arrays["at"][-1] == steps
        # The same model before the first step, on the same pairs.
        np.testing.assert_array_equal(arrays["losses"][0, 1:], first.arrays["losses"][0, 1:])
        assert np.all(arrays["seconds"] > 0) and np.all(arrays["tokens"] > 0)


def test_training_lowers_both_objectives():
    records, _ = smoke(NAME)
    for record in records:
        loss = LOSSES.index({"adam": "cross-entropy", "sgd": "l2"}[record.config["optimiser"]])
        assert np.all(record.arrays["losses"][-1, :, loss] < record.arrays["losses"][0, :, loss])


def test_the_uniform_half_is_the_most_spread_of_all():
    records, _ = smoke(NAME)
    by_method = {}
    for record in records:
        config = record.config
        if (config["optimiser"], config["embedding"]) == ("adam", "tfidf"):
            by_method.setdefault(config["method"], []).append(record.scalars)
    for method, found in by_method.items():
        for uniform, other in zip(by_method["uniform"], found):
            assert uniform["separation"] >= other["separation"] >= other["pool_separation"]
            assert uniform["mean_nearest"] >= other["mean_nearest"]
            if method != "full":
                assert uniform["cover"] <= other["cover"]


def test_paper_compares_what_it_says():
    runs = selection_language.plan(PRESETS["paper"])
    situations = {(run.size, run.optimiser) for run in runs if (run.corpus, run.corruption) == ("docstrings", "none")}
    assert situations == {("small", "adam"), ("small", "sgd"), ("large", "adam"), ("large", "sgd")}
    assert {run.seed for run in runs} == {0, 1, 2}
    for run in runs:  # neither rate nor steps know the method
        alike = [
            other
            for other in runs
            if (other.corpus, other.size, other.optimiser, other.corruption)
            == (run.corpus, run.size, run.optimiser, run.corruption)
        ]
        assert {(other.rate, other.epochs) for other in alike} == {(run.rate, run.epochs)}


@pytest.mark.parametrize("corruption", ["none", "duplicates", "noise", "outliers"])
def test_held_out_pairs_are_clean_and_not_in_the_pool(corruption):
    parts = split(PAIRS, 10, corruption=corruption, share=0.2, seed=3)
    assert (len(parts.pool), len(parts.held_out)) == (30, 10)
    assert set(parts.held_out) <= set(PAIRS) and not set(parts.held_out) & set(parts.pool)
    assert parts.held_out == split(PAIRS, 10, corruption="none", share=0.0, seed=3).held_out
    clean = split(PAIRS, 10, corruption="none", share=0.0, seed=3).pool
    changed = [pair != before for pair, before in zip(parts.pool, clean)]
    assert parts.spoilt.tolist() == changed and sum(changed) == (6 if corruption != "none" else 0)


def test_unknown_corruption_is_refused():
    with pytest.raises(ValueError, match="corruption must be none, duplicates, noise, outliers, but was 'rain'"):
        split(PAIRS, 10, corruption="rain", share=0.2, seed=0)


def points(seed=0, n=60):
    drawn = np.random.default_rng(seed).standard_normal((n, 3))
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def test_geometry_is_that_of_all_distances():
    vectors, chosen = points(), np.array([3, 9, 27, 41, 50])
    table = 1.0 - vectors @ vectors.T
    among = table[np.ix_(chosen, chosen)] + np.diag([np.inf] * 5)
    expected = among.min(), among.min(axis=1).mean(), table[:, chosen].min(axis=1).max()
    np.testing.assert_allclose(geometry(vectors, chosen), expected, rtol=1e-12)


def test_choice_margin_tells_a_farthest_choice_from_another():
    vectors, length = points(), np.arange(60)
    uniform = choose("uniform", vectors, length, seed=0)
    assert len(uniform) == 30 and choice_margin(vectors, uniform, turns=29) >= -1e-15
    assert choice_margin(vectors, uniform[::-1].copy(), turns=29) < -0.1


def test_matched_halves_have_the_lengths_of_the_uniform_one():
    vectors, length = points(n=64), np.arange(64) * 10
    uniform, matched = (choose(method, vectors, length, seed=5) for method in ("uniform", "matched"))
    np.testing.assert_array_equal(*(np.bincount(rows // 8, minlength=8) for rows in (uniform, matched)))
    assert set(matched) != set(uniform)


def test_close_pairs_counts_all_at_the_least_distance():
    vectors = np.concatenate([points(n=20), points(n=20)[[4, 4, 7]]])  # rows 4, 20, 21 and 7, 22 are equal
    found = close_pairs(vectors, seed=0, draws=2000)
    assert found.count == 4 and found.draws == 2000
    # Random halves (11 of 23) with at most one of the three equal rows and at most one of the two.
    none = sum(comb(3, a) * comb(2, b) * comb(18, 11 - a - b) for a in (0, 1) for b in (0, 1))
    assert found.hits / 2000 == pytest.approx(1 - none / comb(23, 11), abs=0.04)


def made_up(method, losses, *, size=32, seconds=1.0, tokens=10, at=(0, 4, 8), batch_loss=None):
    """A record whose own and held-out losses are `losses` at the steps `at`."""
    values = np.zeros((len(at), len(SETS), len(LOSSES)))
    values[:, :, LOSSES.index("cross-entropy")] = np.array(losses)[:, None]
    arrays = {
        "at": np.array(at),
        "losses": values,
        "seconds": np.full(at[-1], float(seconds)),
        "inputs": np.full(at[-1], 32),
        "tokens": np.full(at[-1], tokens),
        "batch_loss": np.zeros(at[-1]) if batch_loss is None else np.array(batch_loss, float),
    }
    config = {"optimiser": "adam", "method": method, "seed": 0, "setting": {"batch": 8}}
    return Record("", NAME, config, {"subset_size": size}, arrays, {})


def test_passage_is_on_the_straight_line():
    at, losses = np.array([0.0, 4.0, 8.0]), np.array([5.0, 3.0, 2.5])
    assert passage(at, losses, 4.0) == 2.0
    assert passage(at, losses, 2.75) == 6.0
    assert passage(at, losses, 5.0) == 0.0
    assert np.isnan(passage(at, losses, 2.0))


def test_ratios_by_hand():
    runs = {
        ("full", 0): made_up("full", [5.0, 4.0, 3.0], tokens=10),  # 4 at half its steps
        ("random", 0): made_up("random", [5.0, 3.0, 3.0], tokens=20),  # 4 after 2 steps
        ("uniform", 0): made_up("uniform", [5.0, 1.0, 1.0], tokens=10),  # 4 after 1 step
        ("min-dist", 0): made_up("min-dist", [5.0, 4.5, 4.25]),
    }
    key = ("docstrings", "small", "adam", "tfidf", "none", 0.0)
    found = {
        row["method"]: (row, estimate)
        for row, estimate in ratios(key, runs)
        if (row["where"], row["threshold"]) == ("held_out", "half")
    }
    steps, tokens = ([found[name][0][clock] for name in ("uniform", "random", "full")] for clock in ("steps", "tokens"))
    assert steps == [1.0, 2.0, 4.0] and tokens == [1.0, 4.0, 4.0]
    assert found["random"][1].value == 2.0 and found["random"][0]["passed"] == 1
    assert [found[name][0]["over_full"] for name in ("uniform", "random", "full")] == [0.25, 0.5, 1.0]
    nearest, estimate = found["min-dist"]
    assert (nearest["passed"], nearest["steps"], estimate) == (0, None, None)
    assert times(runs, "full", "held_out", "end", "steps") == [8.0]


def test_seconds_are_the_medians_of_all_runs():
    """A run that another program slowed down costs no more seconds than the others."""
    runs = {
        ("full", 0): made_up("full", [5.0, 4.0, 3.0], seconds=1.0),
        ("random", 0): made_up("random", [5.0, 4.0, 3.0], seconds=1.0),
        ("uniform", 0): made_up("uniform", [5.0, 4.0, 3.0], seconds=9.0),
    }
    assert times(runs, "uniform", "held_out", "half", "seconds") == [4.0]
    assert times(runs, "random", "held_out", "half", "seconds") == [4.0]


def test_training_loss_is_the_mean_of_the_last_batches():
    record = made_up("random", [5.0, 4.0, 3.0], batch_loss=[8, 7, 6, 5, 2, 1, 0, 0])  # a window of 8/4 batches
    at, losses = curve(record, "training")
    assert at.tolist() == [2, 3, 4, 5, 6, 7, 8] and losses.tolist() == [7.5, 6.5, 5.5, 3.5, 1.5, 0.5, 0.0]
    runs = {("full", 0): record, ("uniform", 0): made_up("uniform", [5.0, 4.0, 3.0], batch_loss=[6] * 4 + [4] * 4)}
    assert times(runs, "full", "training", "half", "steps") == [4.0]  # 5.5 there
    assert times(runs, "uniform", "training", "half", "steps") == [4.5]  # 6 after 4 steps, 5 after 5
    below = {**runs, ("uniform", 0): made_up("uniform", [5.0, 4.0, 3.0], batch_loss=[5] * 8)}
    assert np.isnan(times(below, "uniform", "training", "half", "steps"))


def test_epoch_fall_is_what_the_full_run_does_not_have():
    half = made_up("random", [5.0, 4.0, 3.0], size=32, batch_loss=[8, 7, 6, 5, 2, 1, 0, 0])  # epochs of 4 batches
    full = made_up("full", [5.0, 4.0, 3.0], size=64, batch_loss=[8, 7, 6, 5, 4, 3, 2, 1])
    assert epoch_fall(half, full) == (6.5 - 0.75) - (6.5 - 2.5)
    assert np.isnan(epoch_fall(made_up("random", [5.0, 4.0, 3.0], size=64), full))


def test_length_shares_keep_the_longest_in_the_last_bin():
    shares = length_shares(np.array([0, 39, 40, 479, 480, 5000]))
    assert shares.sum() == pytest.approx(1.0) and len(shares) == 13
    assert shares[[0, 1, -2, -1]].tolist() == pytest.approx([2 / 6, 1 / 6, 1 / 6, 2 / 6])


def test_the_paper_stands_beside_ours():
    _, findings = smoke(NAME)
    assert findings.summary["paper_ratios"] == {"uniform": 1.0, "random": 1.90, "full": 3.79}
    parts = {row["part"] for row in findings.summary["parts"] if row["situation"] == "small adam"}
    assert parts >= {"smaller subset", "uniformity", "lengths", "epoch boundary", "memory, random"}
    assert "1.00 : 1.90 : 3.79" in findings.words["D3"]

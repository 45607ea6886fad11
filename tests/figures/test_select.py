"""`uniformity select` in this process: what it writes, what it promises, and that bad input writes nothing."""

import itertools
import json
import os

import hypothesis.strategies as st
import in_process
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings

from experiments.selection.pool import read_pool

POINTS = np.random.default_rng(1).normal(size=(12, 3))
TEXTS = [
    {"instruction": f"{verb} the {noun}", "output": f"{noun} is {verb}"}
    for verb, noun in itertools.product(("sort", "add", "print"), ("list", "file", "tree"))
]


def run(*arguments, **options):
    return in_process.run("select", *arguments, **options)


def known(*arguments, **options):
    """What the command tells with --json."""
    status, out, err = run(*arguments, "--json", **options)
    assert status == 0, err
    return json.loads(out)


def distances(points, metric="euclidean"):
    if metric == "cosine":
        return 1 - np.array([[a @ b / np.sqrt((a @ a) * (b @ b)) for b in points] for a in points])
    return np.array([[np.sqrt(np.sum((a - b) ** 2)) for b in points] for a in points])


def farthest_first(table, k):
    """The plain greedy from row 0, and its insertion distances."""
    chosen, insertion = [0], [None]
    while len(chosen) < k:
        nearest = table[:, chosen].min(axis=1)
        nearest[chosen] = -1
        insertion.append(nearest.max())
        chosen.append(int(np.argmax(nearest)))
    return chosen, insertion


def write_pool(folder, suffix, points=POINTS):
    """The points as a pool of some format."""
    path = folder / f"pool.{suffix}"
    rows = points.tolist()
    if suffix == "npy":
        np.save(path, points)
    elif suffix == "npz":
        np.savez(path, points)
    elif suffix == "csv":
        path.write_text("x,y,z\n" + "".join(",".join(map(repr, row)) + "\n" for row in rows))
    elif suffix == "parquet":
        pq.write_table(pa.table(dict(zip("xyz", points.T))), path, row_group_size=5)
    elif suffix == "jsonl":
        path.write_text("".join(json.dumps({"vector": row}) + "\n" for row in rows))
    else:
        path.write_text(json.dumps([{"vector": row} for row in rows]))
    return path


@pytest.mark.parametrize("suffix", ["npy", "npz", "csv", "parquet", "jsonl", "json"])
@pytest.mark.parametrize("order", ["insertion", "input"])
def test_the_chosen_rows_come_in_the_pools_own_format(tmp_path, suffix, order):
    pool, out = write_pool(tmp_path, suffix), tmp_path / "deep" / f"chosen.{suffix}"
    status, printed, _ = run(pool, "-k", "50%", "--out", out, "--order", order)
    expected, _ = farthest_first(distances(POINTS), 6)
    expected = sorted(expected) if order == "input" else expected
    assert status == 0 and np.array_equal(read_pool(out).vectors, POINTS[expected])
    assert f"Written    {out}: 6 rows, each as it was" in printed


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_row_numbers_with_insertion_distances_guarantee_and_report(tmp_path, metric):
    table = distances(POINTS, metric)
    pool, k = write_pool(tmp_path, "npy"), 4
    status, printed, _ = run(pool, "-k", k, "--metric", metric, "--out", tmp_path / "i.json")
    body = json.loads((tmp_path / "i.json").read_text())
    chosen, insertion = farthest_first(table, k)
    assert status == 0 and body["indices"] == chosen and body["insertion"][0] is None
    np.testing.assert_allclose(body["insertion"][1:], insertion[1:], rtol=1e-12)
    np.testing.assert_allclose(body["cover"], table[:, chosen].min(axis=1).max(), rtol=1e-12)

    subsets = [list(rows) for rows in itertools.combinations(range(12), k)]
    best = max(table[np.ix_(rows, rows)][np.triu_indices(k, 1)].min() for rows in subsets)
    best_cover = min(table[:, rows].min(axis=1).max() for rows in subsets)
    proven = body["guarantee"]
    assert proven["claim"] == {"euclidean": "D1", "cosine": "D2"}[metric] and f"({proven['claim']})" in printed
    assert proven["best_separation"] >= best >= body["insertion"][-1] and proven["best_cover"] <= best_cover
    factor = 2 if metric == "euclidean" else 4
    assert proven["best_separation"] <= factor * body["insertion"][-1]
    assert proven["best_cover"] >= body["cover"] / factor

    for name, rows in (("pool", range(12)), ("chosen", chosen)):
        among = table[np.ix_(rows, rows)] + np.diag(np.full(len(rows), np.inf))
        np.testing.assert_allclose(body["report"][name]["h_min"], among.min(), rtol=1e-12)
        np.testing.assert_allclose(body["report"][name]["mean_nearest"], among.min(axis=1).mean(), rtol=1e-12)
    assert body["report"]["random"]["n"] == k and body["report"]["random"]["h_min"] >= body["report"]["pool"]["h_min"]


def test_row_numbers_go_beside_the_rows_and_a_prefix_is_a_selection(tmp_path):
    pool = write_pool(tmp_path, "npy")
    assert run(pool, "-k", 6, "--out", tmp_path / "a.npy", "--indices", tmp_path / "i.npy", "--no-report")[0] == 0
    indices = np.load(tmp_path / "i.npy")
    assert np.array_equal(np.load(tmp_path / "a.npy"), POINTS[indices])
    assert known(pool, "-k", 3, "--no-report")["indices"] == indices[:3].tolist()


def test_texts_are_chosen_by_cosine_distance_and_stay_as_they_are(tmp_path):
    lines = [json.dumps(row) for row in TEXTS]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    status, printed, _ = run(tmp_path / "a.jsonl", "-k", 4, "--out", tmp_path / "b.jsonl")
    assert status == 0 and "9 texts (instruction, output) of" in printed and "cosine distance" in printed
    chosen = (tmp_path / "b.jsonl").read_text().splitlines()
    assert len(set(chosen)) == 4 and set(chosen) <= set(lines) and chosen[0] == lines[0]


def test_standard_input(tmp_path):
    lines = write_pool(tmp_path, "jsonl").read_bytes()
    assert run("-", "--format", "jsonl", "-k", 3, "--out", tmp_path / "o.jsonl", stdin=lines)[0] == 0
    expected, _ = farthest_first(distances(POINTS), 3)
    assert (tmp_path / "o.jsonl").read_bytes().splitlines() == [lines.splitlines()[row] for row in expected]


@pytest.mark.parametrize("method", ["random", "min-dist", "k-means++", "facility"])
def test_the_other_methods_promise_nothing(tmp_path, method):
    status, printed, _ = run(write_pool(tmp_path, "npy"), "-k", 4, "--method", method, "--indices", tmp_path / "i.csv")
    assert status == 0 and f"greedy alone has one for these distances, {method} has not" in printed
    rows = [int(line.split(",")[0]) for line in (tmp_path / "i.csv").read_text().splitlines()[1:]]
    assert len(set(rows)) == 4 and set(rows) <= set(range(12))


def test_outliers_are_not_chosen_and_the_guarantee_says_of_which_rows_it_speaks(tmp_path):
    points = np.vstack([POINTS, [[99.0, 0.0, 0.0]]])
    pool = write_pool(tmp_path, "npy", points)
    body = known(pool, "-k", 5, "--max-outlier", 0.08)
    assert 12 not in body["indices"] and 12 in known(pool, "-k", 5)["indices"]
    assert body["guarantee"]["best_cover"] is None and body["cover"] > 90
    printed = run(pool, "-k", 5, "--max-outlier", 0.08, "--out", tmp_path / "i.csv")[1]
    assert "no 5 rows that are no outliers have an h_min above" in printed and "centres" not in printed


def test_more_rows_than_differ_are_said_to_repeat(tmp_path):
    pool = write_pool(tmp_path, "csv", np.repeat(POINTS[:3], 2, axis=0))
    status, printed, _ = run(pool, "-k", 4, "--out", tmp_path / "o.csv")
    assert status == 0 and "fewer than 4 rows differ, so that some of the chosen repeat another" in printed


@pytest.mark.parametrize("suffix", ["npy", "parquet"])
def test_in_parts_the_rows_are_those_of_the_file_and_the_guarantee_is_d4s(tmp_path, suffix):
    pool, out, k = write_pool(tmp_path, suffix), tmp_path / f"o.{suffix}", 3
    arguments = (pool, "-k", "25%", "--partitions", 2, "--out", out, "--indices", tmp_path / "i.json")
    status, printed, _ = run(*arguments)
    body = json.loads((tmp_path / "i.json").read_text())
    assert status == 0 and np.array_equal(read_pool(out).vectors, POINTS[body["indices"]])
    table = distances(POINTS)
    subsets = [list(rows) for rows in itertools.combinations(range(12), k)]
    best = max(table[np.ix_(rows, rows)][np.triu_indices(k, 1)].min() for rows in subsets)
    assert body["guarantee"]["claim"] == "D4" and body["guarantee"]["best_separation"] >= best
    among = table[np.ix_(body["indices"], body["indices"])][np.triu_indices(k, 1)]
    np.testing.assert_allclose(body["parts"]["separation"], among.min(), rtol=1e-12)
    assert "chosen in 2 parts" in printed and "(D4)" in printed


BAD = [
    (("pool.npy", "-k", "13"), "k must be a number of rows from 1 to 12, or a share such as 50%, but was '13'"),
    (("pool.npy", "-k", "0"), "k must be a number of rows from 1 to 12"),
    (("pool.npy", "-k", "-3"), "k must be a number of rows from 1 to 12"),
    (("pool.npy", "-k", "half"), "k must be a number of rows from 1 to 12, or a share such as 50%, but was 'half'"),
    (("pool.npy", "-k", "3", "--max-outlier", "1.5"), "max_outlier"),
    (("zero.npy", "-k", "3", "--metric", "cosine"), "row 4"),
    (
        ("nan.npy", "-k", "3"),
        "every number must be finite and at most 1e+150 in size, but column 2 of row 4 of nan.npy is nan",
    ),
    (("equal.npy", "-k", "3"), "the pool must have at least two different rows, but all 9 have equal vectors"),
    (("cut.npy", "-k", "3"), "cut.npy must hold the shape (12, 3) of float64 that it declares, but has"),
    (("empty.npy", "-k", "3"), "empty.npy must hold rows, but is empty"),
    (("missing.npy", "-k", "3"), "cannot use missing.npy: No such file or directory"),
    ((".", "-k", "3", "--format", "csv"), "cannot use .: Is a directory"),
    (("ragged.csv", "-k", "3"), "every row must have 3 cells, but row 1 (line 3) of ragged.csv has 2"),
    (("pickled.npz", "-k", "1", "--array", "a"), "must hold plain numbers, but holds Python objects"),
    (("pickled.npz", "-k", "1", "--array", "b"), "must hold plain numbers, but holds Python objects"),
    (("pool.npy", "-k", "3", "--text", "x"), "--text must name fields of rows that have names"),
    (("pool.npy", "-k", "3", "--workers", "2", "--method", "random"), "a choice in parts must be greedy"),
    (("ragged.csv", "-k", "3", "--partitions", "2"), "a pool must be an array, one .npy file or parquet files"),
    (
        ("pool.npy", "-k", "3", "--workers", "1", "--scheduler", "tcp://a:1"),
        "at most one engine must be given, but --workers and --scheduler were",
    ),
    (("pool.npy", "-k", "3", "--partitions", "2", "--dim", "7"), "a choice in parts must be from the numbers"),
    (("pool.npy", "-k", "3", "--vectors", "nan.npy"), "every number must be finite"),
]


@pytest.fixture
def bad_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    whole = write_pool(tmp_path, "npy").read_bytes()
    for name, points in (("zero", POINTS.copy()), ("nan", POINTS.copy()), ("equal", np.ones((9, 2)))):
        points[4] = {"zero": 0.0, "nan": [1.0, 2.0, np.nan]}.get(name, points[4])
        np.save(f"{name}.npy", points)
    (tmp_path / "cut.npy").write_bytes(whole[:-9])
    (tmp_path / "empty.npy").write_bytes(b"")
    (tmp_path / "ragged.csv").write_text("x,y,z\n1,2,3\n4,5\n")
    np.savez("pickled.npz", a=np.array([{}, {}]), b=np.eye(2))
    return tmp_path


@pytest.mark.parametrize(("arguments", "sentence"), BAD, ids=lambda value: " ".join(value)[:50])
def test_bad_input_is_one_sentence_status_2_and_nothing_written(bad_files, arguments, sentence):
    before = sorted(bad_files.iterdir())
    out = "new/out.npz" if "npz" in arguments[0] else "new/out.json"
    status, printed, error = run(*arguments, "--out", out)
    assert status == 2 and printed == "" and error.startswith("uniformity: ") and sentence in error
    assert error.count("\n") == 1 and error.endswith("\n") and sorted(bad_files.iterdir()) == before


@pytest.mark.parametrize(
    ("targets", "sentence"),
    [
        ((), "one of --out, --indices and --json must say where the choice goes, but none was given"),
        (("--out", "pool.npy"), "what is written must not be what is read, but pool.npy is"),
        (("--out", "i.csv", "--vectors", "i.csv"), "what is written must not be what is read, but i.csv is"),
        (("--out", "o.parquet"), "o.parquet must end in .npy, as the pool does, for the chosen rows, or in .npy"),
        (("--out", "o"), "o must end in .npy, as the pool does, for the chosen rows, or in .npy, .csv, .json"),
        (("--indices", "i.txt"), "--indices must end in one of .npy, .csv, .json, but was i.txt"),
        (("--out", "o.csv", "--indices", "o.csv"), "--out and --indices must be two files, but both were o.csv"),
        (("--out", "folder.npy"), "must be a file in a folder that can be written, but folder.npy is not"),
        (("--out", "i.csv/o.npy"), "must be a file in a folder that can be written, but i.csv/o.npy is not"),
    ],
)
def test_a_bad_target_is_refused_before_the_pool_is_read(tmp_path, monkeypatch, targets, sentence):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pool.npy").write_bytes(b"not read")
    (tmp_path / "i.csv").write_bytes(b"stays")
    (tmp_path / "folder.npy").mkdir()
    before = sorted(tmp_path.iterdir())
    status, printed, error = run("pool.npy", "-k", "3", *targets)
    assert status == 2 and printed == "" and sentence in error and error.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before and (tmp_path / "i.csv").read_bytes() == b"stays"


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    pool, out = write_pool(tmp_path, "npy"), tmp_path / "o.npy"
    out.write_bytes(b"old")
    before = sorted(tmp_path.iterdir())

    def full(_):
        raise OSError(28, "No space left on device", str(out))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        status, _, error = run(pool, "-k", 3, "--out", out)
    assert status == 2 and "No space left on device" in error
    assert out.read_bytes() == b"old" and sorted(tmp_path.iterdir()) == before
    assert run(pool, "-k", 3, "--out", out)[0] == 0 and len(np.load(out)) == 3


@given(st.sampled_from(["npy", "npz", "csv", "jsonl", "json", "parquet"]), st.binary(max_size=40), st.integers(0, 400))
@settings(max_examples=40)
def test_hostile_pools_never_give_a_traceback(tmp_path_factory, suffix, noise, place):
    folder = tmp_path_factory.mktemp("hostile")
    pool, out = write_pool(folder, suffix), folder / "o.json"
    whole = pool.read_bytes()
    pool.write_bytes(whole[:place] + noise + whole[place + len(noise) // 2 :])
    status, _, error = run(pool, "-k", 2, "--indices", out, "--no-report")
    assert status in (0, 2) and out.exists() == (status == 0)
    assert status == 0 or (error.startswith("uniformity: ") and error.count("\n") == 1)

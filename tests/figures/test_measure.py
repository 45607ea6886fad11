"""`uniformity measure` in this process: its screen and its JSON say the same true things; bad input is one sentence."""

import json
import re

import numpy as np
import pytest
from in_process import run

SQUARE = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0], [3.0, 4.0], [0.0, 0.0]])
"""A 3 x 4 rectangle, its first corner twice."""

TEXTS = [
    {"instruction": "Sort the list of numbers.", "output": "sorted(numbers)"},
    {"instruction": "Open the file for reading.", "output": "open(path)"},
    {"instruction": "Sort the list of numbers.", "output": "sorted(numbers)"},
    {"instruction": "Say when the moon rises tonight.", "output": "after nine"},
]


def test_a_rectangle_with_a_corner_twice(tmp_path):
    np.save(tmp_path / "square.npy", SQUARE)
    status, out, err = run("measure", tmp_path / "square.npy")
    said = " ".join(out.split())
    assert status == 0, err
    assert "rows 0 and 4 (counted from 0) are equal: the smallest distance of any two rows, h_min, is 0" in said
    assert "1 row equals another, in 1 group: 0 = 4" in said
    assert re.search(r"2 rows #+", said) and max(map(len, out.splitlines()[2:8])) <= 80

    _, out, _ = run("measure", tmp_path / "square.npy", "--json")
    known = json.loads(out)
    assert (known["n"], known["d"], known["metric"], known["h_min"]) == (5, 2, "euclidean", 0.0)
    assert known["closest_pair"] == [0, 4] and known["exact"]["rows"] == 1
    # Nearest distances 0, 3, 3, 3, 0: every other corner's nearest one is across the short side.
    np.testing.assert_allclose([known["mean_nearest"], known["median_nearest"], known["fill"]], [1.8, 3.0, 3.0])


def test_texts_are_measured_by_direction_and_quoted(tmp_path):
    pool = tmp_path / "pool.jsonl"
    pool.write_text("".join(json.dumps(pair) + "\n" for pair in TEXTS))
    status, out, err = run("measure", pool)
    assert status == 0, err
    assert "cosine distance, 1 - cos" in out and "rows 0 and 2 (counted from 0) have the same direction" in out
    assert "0: Sort the list of numbers." in out and f"uniformity select {pool} -k 3 --out chosen.jsonl" in out


def test_chosen_rows_are_measured_with_their_cover(tmp_path):
    np.save(tmp_path / "pool.npy", SQUARE)
    np.save(tmp_path / "rows.npy", np.array([0, 3]))
    _, out, _ = run("measure", tmp_path / "pool.npy", "--chosen", tmp_path / "rows.npy")
    said = " ".join(out.split())
    assert "rows 0 and 3 (counted from 0) are 5 apart" in said
    assert "every row of the pool is within 3 of a chosen one" in said


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["missing.npy"], "cannot use missing.npy: No such file or directory"),
        (["one.npy"], "one.npy must have at least 2 rows to have a distance, but has 1"),
        (["nan.csv"], "column 'y' of row 1 of nan.csv is nan"),
        (["square.npy", "--chosen", "far.npy"], "far.npy"),
        (["square.npy", "--near", "-1"], "near must be"),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(tmp_path, monkeypatch, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    np.save("one.npy", SQUARE[:1])
    np.save("square.npy", SQUARE)
    np.save("far.npy", np.array([0, 9]))
    (tmp_path / "nan.csv").write_text("x,y\n1,2\n3,nan\n")
    status, out, err = run("measure", *arguments)
    assert (status, out) == (2, "") and sentence in err and err.count("\n") == 1

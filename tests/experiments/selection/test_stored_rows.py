"""Stored rows: every range of every kind of file is that of the array; what is no table is one sentence."""

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from experiments.selection.stored_rows import HeldRows, stored_rows

RANGES = [(0, 50), (5, 8), (6, 7), (19, 22), (49, 50), (30, 30)]


@pytest.fixture(scope="module", params=[np.float32, np.float64, np.float16, np.int32])
def table(request):
    return (np.random.default_rng(0).standard_normal((50, 3)) * 100).astype(request.param)


def lists(table):
    return pa.FixedSizeListArray.from_arrays(pa.array(table.ravel()), table.shape[1])


def same_ranges(rows, table):
    expected = table if table.dtype.kind == "f" else table.astype(float)
    assert (rows.count, rows.dim) == table.shape and rows.row_bytes == expected[0].nbytes
    for start, stop in RANGES:
        found = rows.read(start, stop)
        np.testing.assert_array_equal(found, expected[start:stop])
        assert found.dtype == expected.dtype or start == stop


def test_arrays_and_npy_files(table, tmp_path):
    same_ranges(stored_rows(table), table)
    for order in ("C", "F"):
        np.save(tmp_path / "pool.npy", np.asarray(table, order=order))
        same_ranges(stored_rows(tmp_path / "pool.npy"), table)
        assert stored_rows(str(tmp_path / "pool.npy")).read(0, 50).flags.c_contiguous
    same_ranges(stored_rows(np.load(tmp_path / "pool.npy", mmap_mode="r")), table)


def test_parquet_files(table, tmp_path):
    columns = pa.table({f"x{i}": table[:, i] for i in range(3)})
    beside = pa.table({"text": ["a"] * 50, "x": lists(table)})
    ragged_type = pa.table({"x": pa.array(table.tolist(), pa.list_(pa.from_numpy_dtype(table.dtype)))})
    for name, content in {"columns": columns, "beside": beside, "lists": ragged_type}.items():
        parquet.write_table(content, tmp_path / f"{name}.parquet", row_group_size=7)
        same_ranges(stored_rows(tmp_path / f"{name}.parquet"), table)
    parquet.write_table(columns.slice(0, 20), tmp_path / "first.parquet", row_group_size=6)
    parquet.write_table(columns.slice(20), tmp_path / "second.parquet")
    same_ranges(stored_rows([tmp_path / "first.parquet", tmp_path / "second.parquet"]), table)
    chosen = stored_rows(tmp_path / "columns.parquet", columns=["x2", "x0"])
    np.testing.assert_array_equal(chosen.read(3, 9), table[3:9, [2, 0]].astype(chosen.read(3, 9).dtype))
    assert (chosen.name(0), stored_rows(tmp_path / "beside.parquet").name(2)) == ("x2", "x[2]")


def test_values_that_are_not_finite_are_named(tmp_path):
    points = np.zeros((9, 2))
    points[7, 1] = np.inf
    with pytest.raises(ValueError, match="every value must be finite, but row 7, column 1 was inf"):
        HeldRows(points).read(5, 9)
    assert HeldRows(points).read(0, 7).shape == (7, 2)
    parquet.write_table(pa.table({"a": [1.0, None, 2.0], "b": [1, 2, 3]}), tmp_path / "gap.parquet")
    with pytest.raises(ValueError, match="every value must be finite, but row 1, column a was nan"):
        stored_rows(tmp_path / "gap.parquet").read(0, 3)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"x": [[1.0, 2.0], [3.0]]}, "every row must hold 2 values in x, but row 1 held 1"),
        ({"x": [[1.0], None]}, "every row must hold 1 values in x, but row 1 held none"),
        ({"x": ["a", "b"]}, "numeric columns or one column of lists, but they are x"),
        ({"x": pa.array([], pa.float64())}, "must hold at least one row, but held none"),
    ],
)
def test_bad_parquet_files_are_one_sentence(content, words, tmp_path):
    parquet.write_table(pa.table(content), tmp_path / "bad.parquet")
    with pytest.raises(ValueError, match=words):
        stored_rows(tmp_path / "bad.parquet").read(0, 2)


def test_bad_pools_are_one_sentence(tmp_path):
    np.save(tmp_path / "objects.npy", np.array([{}]), allow_pickle=True)
    for name in ("cut.npy", "cut.parquet"):
        (tmp_path / name).write_bytes(b"no")
    parquet.write_table(pa.table({"a": [1.0]}), tmp_path / "a.parquet")
    parquet.write_table(pa.table({"b": [1.0]}), tmp_path / "b.parquet")
    (tmp_path / "pool.csv").write_text("1,2\n")
    for pool, columns, words in (
        (np.zeros(3), (), r"the pool must hold a table \(n, d\) of numbers of at most 64 bits"),
        (np.array([["a"]]), (), "the pool must hold a table"),
        (tmp_path / "objects.npy", (), "must be a whole .npy file of numbers, but is not"),
        (tmp_path / "cut.npy", (), "must be a whole .npy file of numbers, but is not"),
        (tmp_path / "cut.parquet", (), "must be a whole parquet file, but is not"),
        (tmp_path / "none.npy", (), "must exist on the machine that reads it, but .*none.npy does not"),
        (tmp_path / "pool.csv", (), "a pool must be an array, one .npy file or parquet files, but was .*pool.csv"),
        ([], (), "a pool must be an array, one .npy file or parquet files, but was nothing"),
        ([tmp_path / "a.parquet", tmp_path / "b.parquet"], (), "b.parquet must have the column a, but has none"),
        (tmp_path / "a.parquet", ("c",), "must have one column c, but its columns are a"),
    ):
        with pytest.raises(ValueError, match=words):
            stored_rows(pool, columns=columns)

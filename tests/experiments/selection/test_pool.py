"""Pools: each format is read, picked from and read again; a bad file is one sentence; hostile bytes are no crash."""

import csv
import io
import json
import sys
import types
import zipfile

import hypothesis.strategies as st
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given

from experiments.selection.chosen_rows import asked_size, holds_rows, index_file
from experiments.selection.pool import READERS, read_pool, require_different

POINTS = np.random.default_rng(0).normal(size=(7, 3))
CHOSEN = np.array([5, 0, 6, 2])
PAIRS = [
    {"instruction": "Add é and 1.", "input": "", "output": "é + 1", "id": 10**20},
    {"output": "[3, 1]", "instruction": "Sort.", "input": "[1, 3]"},
    {"instruction": 'Say "hi",\nloudly', "output": "HI", "score": 1.50},
    {"instruction": "Count to two.", "output": "1 2"},
]


def save(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def picked(pool, indices=CHOSEN):
    return b"".join(pool.pick(np.asarray(indices)))


# Arrays


@pytest.mark.parametrize("dtype", ["<f2", "<f4", "<f8", ">f4", "<i4", "|u1", "|b1"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy_rows_keep_their_type(tmp_path, dtype, order):
    stored = np.array(POINTS * 3, dtype=dtype, order=order)
    np.save(tmp_path / "a.npy", stored)
    pool = read_pool(tmp_path / "a.npy")
    assert np.array_equal(pool.vectors, stored.astype(float))
    assert pool.vectors.dtype == (np.dtype(dtype).newbyteorder("=") if "f" in dtype else np.float64)
    assert pool.metric == "euclidean" and pool.suffix == ".npy" and pool.texts is None
    again = np.load(io.BytesIO(picked(pool)), allow_pickle=False)
    assert again.dtype == stored.dtype and np.array_equal(again, stored[CHOSEN])


def test_npy_vectors_are_a_view_of_the_file_and_longer_shapes_are_flattened(tmp_path):
    images = np.arange(24.0).reshape(4, 2, 3)
    np.save(tmp_path / "a.npy", images)
    pool = read_pool(tmp_path / "a.npy")
    assert np.array_equal(pool.vectors, images.reshape(4, 6)) and not pool.vectors.flags.owndata
    assert np.array_equal(np.load(io.BytesIO(picked(pool, [3, 1]))), images[[3, 1]])


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_npz_rows_bring_what_has_as_many_rows(tmp_path, write):
    labels, note = np.array(list("abcdefg")), np.arange(3)
    write(tmp_path / "a.npz", points=POINTS.astype(np.float32), labels=labels, note=note)
    pool = read_pool(tmp_path / "a.npz", array="points")
    assert np.array_equal(pool.vectors, POINTS.astype(np.float32))
    content = picked(pool)
    with np.load(io.BytesIO(content), allow_pickle=False) as again:
        assert again.files == ["points", "labels", "note"]
        assert np.array_equal(again["points"], POINTS.astype(np.float32)[CHOSEN])
        assert np.array_equal(again["labels"], labels[CHOSEN]) and np.array_equal(again["note"], note)
    kinds = {info.compress_type for info in zipfile.ZipFile(io.BytesIO(content)).infolist()}
    assert kinds == {info.compress_type for info in zipfile.ZipFile(tmp_path / "a.npz").infolist()}


def test_the_only_array_of_an_npz_needs_no_name(tmp_path):
    np.savez(tmp_path / "a.npz", POINTS)
    assert np.array_equal(read_pool(tmp_path / "a.npz").vectors, POINTS)


# Tables


def table(rows, *, delimiter=",", end="\n"):
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator=end).writerows(rows)
    return text.getvalue()


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("last", [True, False])
def test_csv_rows_are_the_bytes_that_they_were(tmp_path, end, mark, last):
    rows = [["x", "name", "y"]] + [[x, f'é "{i}",{end}two lines', y] for i, (x, y, _) in enumerate(POINTS.tolist())]
    text = mark + table(rows, end=end) + ("" if last else end + end)
    text = text.removesuffix(end) if last else text
    pool = read_pool(save(tmp_path / "a.csv", text))
    assert np.array_equal(pool.vectors, POINTS[:, :2]) and pool.names == ("x", "y")
    expected = mark + table([rows[0], *(rows[1 + i] for i in CHOSEN)], end=end)
    assert picked(pool) == expected.encode()
    assert read_pool(tmp_path / "a.csv", columns=("y",)).vectors.tolist() == POINTS[:, 1:2].tolist()


def test_csv_without_a_header_and_tsv(tmp_path):
    pool = read_pool(save(tmp_path / "a.csv", table(POINTS.tolist())))
    assert np.array_equal(pool.vectors, POINTS) and pool.names == ()
    assert picked(pool) == table(POINTS[CHOSEN].tolist()).encode()
    assert np.array_equal(read_pool(tmp_path / "a.csv", columns=("2", "0")).vectors, POINTS[:, [2, 0]])
    pool = read_pool(save(tmp_path / "a.tsv", table([["a", "b", "c"], *POINTS.tolist()], delimiter="\t")))
    assert np.array_equal(pool.vectors, POINTS) and pool.names == ("a", "b", "c")


def test_csv_columns_that_are_no_numbers_are_left_out(tmp_path):
    text = "day,x,code,empty\nmon,1,1_0,\ntue,2,7,\n"
    pool = read_pool(save(tmp_path / "a.csv", text))
    assert pool.names == ("x",) and pool.vectors.tolist() == [[1], [2]]


@pytest.mark.parametrize("codec", ["snappy", "zstd", "none"])
def test_parquet_rows_keep_schema_and_compression(tmp_path, codec):
    columns = {"x": POINTS[:, 0], "y": POINTS[:, 1].astype(np.float32), "name": list("abcdefg")}
    stored = pa.table(columns).replace_schema_metadata({"made": "here"})
    pq.write_table(stored, tmp_path / "a.parquet", row_group_size=3, compression=codec)
    pool = read_pool(tmp_path / "a.parquet")
    assert pool.names == ("x", "y") and np.array_equal(pool.vectors, np.column_stack([columns["x"], columns["y"]]))
    again = pq.ParquetFile(io.BytesIO(picked(pool)))
    assert again.read().equals(stored.take(CHOSEN)) and again.schema_arrow.metadata[b"made"] == b"here"
    assert again.metadata.row_group(0).column(0).compression == {"none": "UNCOMPRESSED"}.get(codec, codec.upper())
    assert read_pool(tmp_path / "a.parquet", columns=("y",)).vectors.dtype == np.float32


def test_parquet_list_column(tmp_path):
    lists = pa.array(POINTS.astype(np.float32).tolist(), pa.list_(pa.float32()))
    pq.write_table(pa.table({"text": list("abcdefg"), "embedding": lists}), tmp_path / "a.parquet", row_group_size=2)
    pool = read_pool(tmp_path / "a.parquet")
    assert pool.vectors.dtype == np.float32 and np.array_equal(pool.vectors, POINTS.astype(np.float32))
    assert pq.read_table(io.BytesIO(picked(pool)))["text"].to_pylist() == list("fagc")


# JSON and texts


@pytest.mark.parametrize("dump", [{"indent": 2, "ensure_ascii": False}, {}, {"separators": (",", ":")}])
def test_a_json_list_gives_a_json_list_in_its_own_style(tmp_path, dump):
    text = json.dumps(PAIRS, **dump) + "\n"
    pool = read_pool(save(tmp_path / "a.json", text))
    assert pool.texts[0] == "Add é and 1.\né + 1" and pool.texts[1] == "Sort.\n[1, 3]\n[3, 1]"
    assert pool.metric == "cosine" and "instruction, input, output" in pool.about
    assert picked(pool, [3, 0]) == (json.dumps([PAIRS[3], PAIRS[0]], **dump) + "\n").encode()
    assert picked(pool, range(4)) == text.encode()


@pytest.mark.parametrize("name", ["a.jsonl", "a.json"])
def test_json_lines_stay_byte_for_byte(tmp_path, name):
    lines = [json.dumps(PAIRS[0]), json.dumps(PAIRS[1], indent=None, separators=(" ,", " :")), json.dumps(PAIRS[2])]
    pool = read_pool(save(tmp_path / name, "\n".join([lines[0], "", *lines[1:]])))
    assert pool.texts[2] == 'Say "hi",\nloudly\nHI'
    assert picked(pool, [2, 1]) == f"{lines[2]}\n{lines[1]}\n".encode()


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({"prompt": "p", "response": "r", "other": "o"}, "p\nr"),
        ({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}, "q\na"),
        ({"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": None}]}, "q"),
        ({"text": "t", "id": 3}, "t"),
        ({"question": "q", "answer": "a"}, "q\na"),
    ],
)
def test_the_usual_names_of_texts_are_known(tmp_path, row, text):
    assert read_pool(save(tmp_path / "a.jsonl", json.dumps(row))).texts == [text]


def test_named_texts_of_every_format_with_names(tmp_path):
    rows = [{"title": "one two", "body": "three"}, {"title": "four", "body": "five six"}]
    save(tmp_path / "a.jsonl", "\n".join(map(json.dumps, rows)))
    save(tmp_path / "a.csv", table([["title", "body"], *(row.values() for row in rows)]))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    found = [read_pool(path, text=("body", "title")) for path in sorted(tmp_path.iterdir())]
    assert [pool.texts for pool in found] == [["three\none two", "five six\nfour"]] * 3
    assert all(np.array_equal(pool.vectors, found[0].vectors) for pool in found)


@pytest.mark.parametrize(
    ("lines", "options"),
    [
        ([{"vector": row, "text": "a"} for row in POINTS.tolist()], {}),
        ([{"embedding": row} for row in POINTS.tolist()], {}),
        ([{"mine": row, "vector": [1]} for row in POINTS.tolist()], {"columns": ("mine",)}),
        ([dict(zip("xyz", row), w=0) for row in POINTS.tolist()], {"columns": ("x", "y", "z")}),
        (POINTS.tolist(), {}),
    ],
)
def test_vectors_in_json(tmp_path, lines, options):
    listed = save(tmp_path / "a.json", json.dumps(lines))
    in_lines = save(tmp_path / "a.jsonl", "\n".join(map(json.dumps, lines)))
    for path in (listed, in_lines):
        pool = read_pool(path, **options)
        assert np.array_equal(pool.vectors, POINTS) and pool.metric == "euclidean"


def test_own_vectors_go_with_the_rows_of_any_file(tmp_path):
    np.save(tmp_path / "own.npy", POINTS[:4].astype(np.float16))
    path = save(tmp_path / "a.json", json.dumps(PAIRS))
    pool = read_pool(path, vectors=tmp_path / "own.npy")
    assert np.array_equal(pool.vectors, POINTS[:4].astype(np.float16)) and pool.texts[3] == "Count to two.\n1 2"
    assert json.loads(picked(pool, [2])) == [PAIRS[2]]
    np.save(tmp_path / "own.npy", POINTS)
    with pytest.raises(ValueError, match=r"own.npy must have a row for each of the 4 rows of .*a.json, but has 7"):
        read_pool(path, vectors=tmp_path / "own.npy")


@pytest.mark.parametrize("format", ["npy", "csv", "jsonl", "json"])
def test_standard_input(monkeypatch, format):
    buffer = io.BytesIO()
    np.save(buffer, POINTS)
    lines = list(map(json.dumps, POINTS.tolist()))
    content = {
        "npy": buffer.getvalue(),
        "csv": table(POINTS.tolist()).encode(),
        "jsonl": "\n".join(lines).encode(),
        "json": f"[{', '.join(lines)}]".encode(),
    }[format]
    monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(buffer=io.BytesIO(content)))
    pool = read_pool("-", format=format)
    assert np.array_equal(pool.vectors, POINTS) and pool.suffix == f".{format}"
    monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(buffer=io.BytesIO(picked(pool))))
    assert np.array_equal(read_pool("-", format=format).vectors, POINTS[CHOSEN])


# Bad input


def npy(array, **options):
    buffer = io.BytesIO()
    np.save(buffer, array, **options)
    return buffer.getvalue()


def npz(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def parquet(**columns):
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


BAD = [
    ("a.npy", b"", {}, "a.npy must hold rows, but is empty"),
    ("a.npy", b"1 2 3", {}, "a.npy must be a .npy file, but its header cannot be read"),
    (
        "a.npy",
        npy(POINTS)[:-1],
        {},
        r"a.npy must hold the shape \(7, 3\) of float64 that it declares, but has 167 bytes",
    ),
    ("a.npy", npy(np.array([[{}]]), allow_pickle=True), {}, "a.npy .* holds Python objects, which are never loaded"),
    ("a.npy", npy(POINTS + 1j), {}, "a.npy must hold real numbers, but holds complex128"),
    ("a.npy", npy(POINTS[0]), {}, r"a.npy must have rows and columns \(n, d\), .* has the shape \(3,\)"),
    ("a.npy", npy(POINTS[:0]), {}, r"a.npy must have rows and columns \(n, d\), .* has the shape \(0, 3\)"),
    ("a.npy", npy(np.where(POINTS[4, 1] == POINTS, np.nan, POINTS)), {}, "but column 1 of row 4 of .*a.npy is nan"),
    ("a.npy", npy(POINTS), {"text": ("x",)}, "--text must name fields .*, but the pool's format is .npy"),
    ("a.npy", npy(POINTS), {"array": "x"}, "--array must name an array of an .npz file, .* format is .npy"),
    ("a.npz", npz(a=POINTS, b=POINTS), {}, "the array of .*a.npz must be named with --array, since it holds a, b"),
    ("a.npz", npz(a=POINTS), {"array": "b"}, "the array must be one of a in .*a.npz, but was 'b'"),
    ("a.npz", npz(), {}, "a.npz must hold an array, but holds none"),
    ("a.npz", b"PK", {}, "a.npz must be a whole .npz archive, but: File is not a zip file"),
    ("a.csv", "x,y\n1,2\n\n3\n", {}, r"every row must have 2 cells, but row 1 \(line 4\) of .*a.csv has 1"),
    ("a.csv", "x,y\n1,2\n3,\n", {}, r"but column 'y' of row 1 \(line 3\) of .*a.csv is empty"),
    ("a.csv", "1,2\n" * 100 + "3,four\n", {}, r"but column 1 of row 100 \(line 101\) of .*a.csv is 'four'"),
    ("a.csv", "x,y\n1,-inf\n", {}, "but column 'y' of row 0 of .*a.csv is -inf"),
    ("a.csv", "x,y\n", {}, "a.csv must hold rows, but holds a header only"),
    ("a.csv", "\n \n", {}, "a.csv must hold rows, but holds blank lines"),
    ("a.csv", b"x\n\n1\xff\n", {}, "a.csv must be UTF-8 text, but line 3 is not: invalid start byte"),
    ("a.csv", 'x\n"1\n', {}, "a.csv must be a table, but line 2 is not: unexpected end of data"),
    ("a.csv", "a,b\nu,v\n", {}, "a.csv must have a column of numbers, or of text that --text names, .* are a, b"),
    ("a.csv", "a,b\n1,2\n", {"columns": ("c",)}, "a.csv must have one column 'c', but its columns are a, b"),
    ("a.csv", "a,a\n1,2\n", {"columns": ("a",)}, "a.csv must have one column 'a', but its columns are a, a"),
    ("a.parquet", b"PAR1", {}, "a.parquet must be a whole parquet file, but is not"),
    ("a.parquet", parquet(x=[1.0, None]), {}, "but column 'x' of row 1 of .*a.parquet is nan"),
    ("a.parquet", parquet(x=[[1.0], [1.0, 2.0]]), {}, "every row must hold 1 values in x, but row 1 held 2"),
    ("a.parquet", parquet(x=["a"]), {}, "numeric columns or one column of lists, but they are x"),
    ("a.parquet", parquet(x=["a"]), {"text": ("y",)}, "a.parquet must have the column 'y', but its columns are x"),
    ("a.parquet", parquet(x=pa.array([], pa.float64())), {}, "a.parquet must hold at least one row, but held none"),
    ("a.jsonl", '{"text": "a"}\n{"text": \n', {}, "line 2 of .*a.jsonl must be JSON, .* Expecting value, column 1$"),
    ("a.jsonl", b'{"text": "\xe9"}', {}, "a.jsonl must be UTF-8 text, but line 1 is not"),
    ("a.jsonl", '{"text": "a"}\n{"text": " "}', {}, "every text must have a word, but that of row 1 is blank"),
    ("a.jsonl", '{"text": "a"}\n3', {}, r"be an object with fields, but row 1 \(line 2\) of .*a.jsonl is int"),
    ("a.jsonl", '{"text": 3}', {}, r"row 0 \(line 1\) of .*a.jsonl, field 'text', must be a text, but is int"),
    ("a.jsonl", '{"a": 3}', {}, r"that --text or --columns name, but row 0 \(line 1\) of .* has the fields a"),
    ("a.jsonl", '{"text": "a"}', {"text": ("text", "no")}, "a row must have the field 'no', but none of .*a.jsonl has"),
    ("a.jsonl", '{"vector": [1, 2]}\n{"vector": [1]}', {}, "hold 2 numbers as row 0 does, but row 1 .* holds 1"),
    ("a.jsonl", '{"vector": [1, true]}', {}, r"but column 1 of row 0 \(line 1\) of .*a.jsonl is true"),
    ("a.jsonl", '{"x": 1, "y": "2"}', {"columns": ("x", "y")}, "but column 'y' of row 0 .* is \"2\""),
    ("a.jsonl", '{"x": 1}\n{"y": 2}', {"columns": ("x",)}, "must have the field 'x', but row 1 .* has none"),
    ("a.jsonl", '{"vector": []}', {}, "every row must hold at least one number, but row 0 .* holds none"),
    ("a.jsonl", '{"vector": [1, NaN]}', {}, "but column 1 of row 0 of .*a.jsonl is nan"),
    ("a.jsonl", '{"vector": [1, 1' + "0" * 400 + "]}", {}, "but column 1 of row 0 of .*a.jsonl is inf"),
    (
        "a.jsonl",
        '{"vector": [1, -1e151]}',
        {},
        "finite and at most 1e.150 in size, but column 1 of row 0 .* is -1e.151",
    ),
    ("a.jsonl", "[" * 10**5, {}, "line 1 of .*a.jsonl must be JSON, but is not: it is nested too deeply"),
    ("a.json", "[\n" * 10**5, {}, "line . of .*a.json must be JSON, but is not: it is nested too deeply"),
    ("a.json", '"text"', {}, r"a.json must be a JSON list of rows, but does not begin with \["),
    ("a.json", "[]", {}, "a.json must hold rows, but holds none"),
    ("a.json", "[[1, 2],\n", {}, "line 2 of .*a.json must be JSON, but is not: Expecting value"),
    ("a.json", "[[1, 2]", {}, "a.json must be one JSON list, but line 1 ends before the list does"),
    ("a.json", "[[1]]\n[[2]]", {}, "a.json must be one JSON list, but line 2 has something else after the list"),
    ("a.json", "[[1]\n[2]]", {}, "a.json must be one JSON list, but line 2 has something else after an item"),
    ("a.json", b'[\n{"text": "\xff"}]', {}, "a.json must be UTF-8 text, but line 2 is not"),
    ("a.txt", "1", {}, "a.txt must end in .npy, .npz, .csv, .*, or --format must name its format"),
    ("a.csv", "1", {"format": "xls"}, "--format must be one of npy, npz, .*, but was 'xls'"),
]


@pytest.mark.parametrize(("name", "content", "options", "sentence"), BAD, ids=lambda value: str(value)[:40])
def test_a_bad_pool_is_refused_in_one_sentence(tmp_path, name, content, options, sentence):
    with pytest.raises(ValueError, match=sentence) as raised:
        read_pool(save(tmp_path / name, content), **options)
    assert "\n" not in str(raised.value)


def test_a_pickle_is_never_loaded(tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    (tmp_path / "a.npy").write_bytes(npy(np.array([[Trap()]]), allow_pickle=True))
    np.savez(tmp_path / "a.npz", a=np.array([[Trap()]]), b=np.ones((1, 1)))
    for name, options in (("a.npy", {}), ("a.npz", {"array": "a"})):
        with pytest.raises(ValueError, match="Python objects, which are never loaded"):
            read_pool(tmp_path / name, **options)
    beside = read_pool(tmp_path / "a.npz", array="b")
    with pytest.raises(ValueError, match="Python objects, which are never loaded"):
        picked(beside, [0])
    assert not (tmp_path / "sprung").exists()


def test_a_missing_file_and_an_unnamed_format(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_pool(tmp_path / "a.npy")
    with pytest.raises(ValueError, match="the format of standard input must be named with --format"):
        read_pool("-")


@pytest.mark.parametrize("equal", [True, False])
def test_pools_of_equal_rows_are_told(tmp_path, equal):
    points = np.ones((5, 2), np.float32)
    points[4, 1] += 0 if equal else 1e-7
    np.save(tmp_path / "a.npy", points)
    pool = read_pool(tmp_path / "a.npy")
    if equal:
        with pytest.raises(ValueError, match="two different rows, but all 5 have equal vectors"):
            require_different(pool)
    else:
        require_different(pool)


WHOLE = {
    ".npy": npy(POINTS),
    ".npz": npz(a=POINTS),
    ".csv": table([["x", "y"], *POINTS[:, :2].tolist()]).encode(),
    ".tsv": table(POINTS.tolist(), delimiter="\t").encode(),
    ".parquet": parquet(x=POINTS[:, 0], y=POINTS[:, 1]),
    ".jsonl": "\n".join(map(json.dumps, PAIRS)).encode(),
    ".json": json.dumps(PAIRS).encode(),
}


@given(st.sampled_from(sorted(READERS)), st.binary(max_size=60), st.data())
@example(".npy", b"\x93NUMPY\x01\x00\x20\x00" + b"[" * 200, None)
@example(".npz", b"PK\x05\x06" + b"\x00" * 18, None)
def test_hostile_bytes_are_rows_or_one_sentence(tmp_path_factory, suffix, noise, data):
    """Random bytes, or a whole file cut, spoilt in one place, or continued."""
    content = noise
    if data is not None and data.draw(st.booleans()):
        whole = WHOLE[suffix]
        place = data.draw(st.integers(0, len(whole)))
        content = whole[:place] + noise + whole[place + data.draw(st.integers(0, 200)) :]
    path = tmp_path_factory.getbasetemp() / f"hostile{suffix}"
    path.write_bytes(content)
    try:
        pool = read_pool(path)
        assert len(pool.vectors) and np.isfinite(pool.vectors).all()
        assert picked(pool, [len(pool.vectors) - 1])
    except ValueError as error:
        assert str(error) and "\n" not in str(error)


# What is left behind


def test_asked_sizes():
    assert [asked_size(k, 9) for k in ("1", "9", "50%", "100%", "33.4%", "12%")] == [1, 9, 4, 9, 3, 1]
    assert asked_size("0.1%", 10**7) == 10**4  # which floating point would miss
    for k in ("0", "10", "-1", "4.5", "nine", "", "%", "0%", "11%", "101%", "1/0", "nan"):
        with pytest.raises(
            ValueError, match=r"^k must be a number of rows from 1 to 9, or a share such as 50%, but was"
        ):
            asked_size(k, 9)


def test_what_a_file_gets_follows_from_its_name(tmp_path):
    assert holds_rows(tmp_path / "a.JSONL", ".jsonl") and not holds_rows(tmp_path / "a.json", ".jsonl")
    assert holds_rows(tmp_path / "a.npy", ".npy") and not holds_rows(tmp_path / "a.npy", ".parquet")
    with pytest.raises(ValueError, match=r"a.txt must end in .parquet, as the pool does, .* or in .npy, .csv, .json"):
        holds_rows(tmp_path / "a.txt", ".parquet")


def test_row_numbers_in_each_format():
    indices, insertion = np.array([4, 0, 2]), np.array([np.inf, 0.1 + 0.2, 1e-300])
    saved = np.load(io.BytesIO(index_file(".npy", indices, insertion, {})))
    assert saved.dtype == np.int64 and np.array_equal(saved, indices)
    rows = list(csv.DictReader(io.StringIO(index_file(".csv", indices, insertion, {}).decode())))
    assert [int(row["row"]) for row in rows] == indices.tolist()
    assert [float(row["insertion_distance"]) for row in rows] == insertion.tolist()
    body = json.loads(index_file(".json", indices, insertion, {"metric": "cosine"}))
    assert body == {"metric": "cosine", "indices": [4, 0, 2], "insertion": [None, 0.1 + 0.2, 1e-300]}

"""Records as tables: every value comes back from parquet with its type, and every run is one row."""

import json
import math

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st
from stored_runs import MADE, head, run, stored

from experiments.record_table import by_study, flat, parquet, runs, table
from experiments.record_table import stored as stored_heads


def read_back(heads):
    return pq.read_table(pa.BufferReader(parquet(table(heads))))


def test_a_row_a_run_with_every_value_of_its_record():
    heads = [head(run(seed, h=0.1 * (1 + seed))) for seed in range(4)]
    found = read_back(heads)
    for row, one in zip(found.to_pylist(), heads, strict=True):
        assert row["key"] == one.key and row["study"] == "slowdown" and row["schema"] == 1
        assert {n[7:]: row[n] for n in row if n.startswith("config.")} == flat(one.config)
        assert {n[8:]: row[n] for n in row if n.startswith("scalars.")} == flat(one.scalars)
        assert row["commit"] == "0123456789ab" and row["dirty"] is False and row["host"] == "node7"
        assert row["versions.jax"] == "0.10.2" and row["seconds"] == 2.5 and row["dtype"] == "float64"
    assert found.schema.field("config.seed").type == pa.int64() and found.schema.field("config.h").type == pa.float64()
    assert found.schema.field("config.shape").type == pa.list_(pa.int64())
    assert found.column("scalars.gap").null_count == 4
    assert found.column_names[:3] == ["key", "study", "schema"]


def test_studies_share_a_table_with_the_union_of_their_columns():
    other = run(study="elsewhere", scalars={"rank": 0.5})._replace(config={"seed": 3, "width": 8})
    first, second = read_back([head(run()), head(other)]).to_pylist()
    assert first["config.width"] is None and second["config.width"] == 8
    assert second["config.h"] is None and second["scalars.steps"] is None and second["scalars.rank"] == 0.5


def test_kinds_that_do_not_go_together_become_texts():
    values = (1, "one", True, None, [1, "a"])
    found = table([head(run(seed, dial=value)) for seed, value in enumerate(values)]).column("config.dial")
    assert found.type == pa.string()
    assert [None if text is None else json.loads(text) for text in found.to_pylist()] == list(values)
    large = table([head(run(n=2**70))]).column("config.n").to_pylist()
    assert json.loads(large[0]) == 2**70


def test_whole_and_broken_numbers_are_numbers():
    found = table([head(run(1, eps=1)), head(run(2, eps=0.5)), head(run(3, eps=None))]).column("config.eps")
    assert found.type == pa.float64() and found.to_pylist() == [1.0, 0.5, None]


KINDS = (
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.lists(st.integers(-(2**63), 2**63 - 1)),
)


@given(st.sampled_from(KINDS).flatmap(lambda kind: st.lists(st.none() | kind, min_size=1, max_size=5)))
def test_any_column_of_one_kind_comes_back_as_it_was(values):
    found = read_back([head(run(seed, value=value)) for seed, value in enumerate(values)])
    back = found.column("config.value").to_pylist()
    assert back == values and [type(a) for a in back] == [type(a) for a in values]
    assert all(math.copysign(1, a) == math.copysign(1, b) for a, b in zip(back, values) if isinstance(b, float))


def test_older_records_say_what_they_can():
    made = {name: value for name, value in MADE.items() if name not in ("dirty", "host", "dtype")}
    heads = [
        head(run(0)._replace(provenance={**made, "commit": "aaaa+"})),
        head(run(1)._replace(provenance={**made, "commit": "bbbb"})),
        head(run(2)._replace(provenance={**made, "commit": "unknown"})),
        head(run(3)),
    ]
    rows = read_back(heads).to_pylist()
    said = [("aaaa", True, None), ("bbbb", False, None), (None, None, None), ("0123456789ab", False, "node7")]
    assert [(row["commit"], row["dirty"], row["host"]) for row in rows] == said


def test_a_store_by_study(tmp_path):
    store = stored(tmp_path, *(run(seed) for seed in range(3)), run(schema=2), run(study="elsewhere"))
    heads, damaged = stored_heads(store.root)
    elsewhere, slowdown = by_study(store.root, heads)
    assert not damaged and (elsewhere.study, slowdown.study) == ("elsewhere", "slowdown")
    assert slowdown.records == 4 and slowdown.schemas == {1: 3, 2: 1} and slowdown.made_by.seconds == 10.0
    assert elsewhere.bytes + slowdown.bytes == sum(path.stat().st_size for path in tmp_path.iterdir())
    assert 0 <= slowdown.newest < 60


def test_a_studys_runs_are_told_apart_by_what_varies(tmp_path):
    first, second = run(0), run(1, net={"kind": "residual", "eps": 0.5})
    store = stored(tmp_path, first, second)
    rows = runs(store.root, stored_heads(store.root).heads)
    assert {row.key for row in rows} == {first.key, second.key}
    by_key = {row.key: row for row in rows}
    assert by_key[second.key].varied == {"net.kind": "residual", "net.eps": 0.5, "seed": 1}
    assert by_key[first.key].outcome == "reached" and by_key[first.key].seconds == 2.5


def test_damaged_records_are_left_out_and_named(tmp_path):
    store = stored(tmp_path, run(0), run(1))
    path = store.root / f"{run(1).key}.json"
    path.write_bytes(path.read_bytes()[:-9])
    heads, damaged = stored_heads(store.root)
    assert [one.key for one in heads] == [run(0).key] and len(damaged) == 1 and path.name in damaged[0]


def test_arrays_are_not_read(tmp_path):
    store = stored(tmp_path, run(0))
    (store.root / f"{run(0).key}.npz").write_bytes(b"")
    assert len(stored_heads(store.root).heads) == 1

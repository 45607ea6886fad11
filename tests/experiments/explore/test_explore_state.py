"""States and their two written forms."""

import dataclasses
import tomllib

import hypothesis.strategies as st
import pytest
from hypothesis import given

from experiments.explore.state import (
    CONTROLS,
    DEFAULT,
    Choice,
    Range,
    State,
    from_query,
    from_toml,
    idle_controls,
    load_state,
    to_query,
    to_toml,
)


def values(control):
    match control:
        case Choice(_, names):
            return st.sampled_from(names)
        case Range(_, low, high, True):
            return st.integers(int(low), int(high))
        case Range(_, low, high, False):
            return st.floats(low, high)
        case _:
            return st.booleans()


STATES = st.builds(
    State,
    **{
        name: st.none() | values(control) if name == "bottleneck" else values(control)
        for name, control in CONTROLS.items()
    },
)


def test_every_field_is_a_control():
    assert [field.name for field in dataclasses.fields(State)] == list(CONTROLS)


@given(STATES)
def test_both_forms_give_the_state_back(state):
    assert from_query(to_query(state)) == state
    assert from_query("?" + to_query(state)) == state
    assert from_toml(to_toml(state)) == state
    assert tomllib.loads(to_toml(state)) == state.changes()


@given(STATES)
def test_query_is_plain_enough_for_a_url(state):
    assert set(to_query(state)) <= set("abcdefghijklmnopqrstuvwxyz0123456789_=&.+-%BE")


def test_default_is_written_short():
    assert to_query(DEFAULT) == ""
    assert tomllib.loads(to_toml(DEFAULT)) == {}


def test_whole_numbers_are_numbers():
    assert from_query("h=1") == State(h=1.0)
    assert from_toml("gap = 1\n") == State(gap=1.0)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("h=abc", "h must be a number from 0 to 10, but was 'abc'"),
        ("h=nan", "h must be a number from 0 to 10, but was nan"),
        ("h=-1", "h must be a number from 0 to 10, but was -1.0"),
        ("step_size=0", "step_size must be a number from 1e-12 to 1e+06, but was 0.0"),
        ("depth=2.5", "depth must be a whole number from 1 to 64, but was '2.5'"),
        ("depth=0", "depth must be a whole number from 1 to 64, but was 0"),
        ("width=1e9", "width must be a whole number from 1 to 4096, but was '1e9'"),
        ("bottleneck=none", "bottleneck must be a whole number from 1 to 16384, but was 'none'"),
        ("skip=maybe", "skip must be true or false, but was 'maybe'"),
        ("kind=vgg", "kind must be one of plain, residual, transformer, own, but was 'vgg'"),
        ("kind=", "kind must be one of plain, residual, transformer, own, but was ''"),
        ("precision=float16", "precision must be one of float64, float32, but was 'float16'"),
        ("h=0.1&h=0.2", "h must be given once, but was given twice"),
    ],
)
def test_bad_query_is_one_sentence(query, message):
    with pytest.raises(ValueError) as error:
        from_query(query)
    assert str(error.value) == message


def test_unknown_key_is_named_with_all_known_ones():
    with pytest.raises(ValueError, match=r"key must be one of kind, depth, .*, precision, but was 'colour'"):
        from_query({"colour": "red"})


def test_parsed_query_is_read_like_its_text():
    assert from_query({"h": "0.25", "skip": ["false"]}) == State(h=0.25, skip=False)
    with pytest.raises(ValueError, match="h must be given once"):
        from_query({"h": ["0.1", "0.2"]})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed = 1\nh = 'a'\n", "file line 2: h must be a number from 0 to 10, but was 'a'"),
        ("\n[h]\nx = 1\n", "file line 2: h must be a number from 0 to 10, but was {'x': 1}"),
        ("depth = true\n", "file line 1: depth must be a whole number from 1 to 64, but was True"),
        ("skip = 1\n", "file line 1: skip must be true or false, but was 1"),
        ("kind = ['plain']\n", "file line 1: kind must be one of plain, residual, transformer, own, but was ['plain']"),
    ],
)
def test_bad_toml_is_one_sentence_with_its_line(text, message):
    with pytest.raises(ValueError) as error:
        from_toml(text, source="file")
    assert str(error.value) == message


def test_unknown_key_and_broken_toml_name_their_line():
    with pytest.raises(ValueError, match=r"file line 2: key must be one of kind, .* but was 'colour'"):
        from_toml("h = 0.1\ncolour = 1\n", source="file")
    with pytest.raises(ValueError, match=r"file must be TOML, but .*line 1"):
        from_toml("h = = 1\n", source="file")


def test_file_that_is_none(tmp_path):
    with pytest.raises(ValueError, match=r"state must be a readable text file, but .*nowhere"):
        load_state(tmp_path / "nowhere.toml")
    (tmp_path / "state.toml").write_text(to_toml(State(h=0.3)))
    assert load_state(tmp_path / "state.toml") == State(h=0.3)


def test_idle_controls():
    assert {"skip", "bottleneck", "normalisation", "heads"} <= idle_controls(State(kind="plain"))
    assert "skip" not in idle_controls(State())
    assert {"h", "cluster_size"} <= idle_controls(State(family="uniform"))
    assert "h" not in idle_controls(State(family="cluster_collapse"))
    assert {"gap", "noise"} <= idle_controls(State(labelling="smooth"))

"""Grids: their runs against a product made by hand, ranges against exact fractions, every mistake with its line."""

import itertools
import json
import re
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.grid import read_grid
from experiments.grid_axes import axis_values
from experiments.records import plain, record_key
from experiments.run_fields import run_of
from experiments.run_labels import labels
from experiments.studies import STUDIES, slowdown

HEAD = 'study = "slowdown"\npreset = "smoke"\n'
README = Path(__file__).parent.parent.parent / "README.md"
FIRST = slowdown.plan(slowdown.PRESETS["smoke"])[0]
AXES = {
    "h": st.lists(st.sampled_from([0.3, 0.25, 0.125, 0, 0.2]), min_size=1, max_size=2),
    "labelling": st.lists(st.sampled_from(["gap", "noise", "smooth"]), min_size=1, max_size=2),
    "step_size": st.lists(st.sampled_from([1, 0.5, 2.0]), min_size=1, max_size=2),
    "seed": st.lists(st.integers(0, 3), min_size=1, max_size=2),
    "architecture.width": st.lists(st.integers(1, 4), min_size=1, max_size=2),
    "architecture.depth": st.lists(st.integers(1, 2), min_size=2, max_size=2),
    "max_steps": st.lists(st.integers(1, 9), min_size=2, max_size=2),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("grids")


def read(folder, text, study=None):
    path = folder / "grid.toml"
    path.write_text(text)
    return read_grid(path, study)


def with_field(run, name, value):
    """Written for this test alone: one level of nesting, and floats where the study has floats."""
    value = float(value) if name in ("h", "step_size") else value
    if "." not in name:
        return replace(run, **{name: value})
    return replace(run, architecture=replace(run.architecture, **{name.split(".")[1]: value}))


@given(st.permutations(list(AXES)), st.integers(0, len(AXES)), st.data())
def test_a_grid_is_the_product_of_its_axes_in_the_order_of_the_file(folder, names, fixed, data):
    """Some fields fixed, some in the grid, two that move together; repeated values are repeated runs."""
    zipped = ["architecture.depth", "max_steps"] if data.draw(st.booleans()) else []
    names = [name for name in names if name not in zipped]
    values = {name: data.draw(AXES[name]) for name in [*names, *zipped]}
    axes = [[[(name, values[name][0])] for _ in (0,)] for name in names[:fixed]]
    axes += [[[(name, value)] for value in values[name]] for name in names[fixed:]]
    axes += [[list(zip(zipped, pair)) for pair in zip(*(values[name] for name in zipped))]] if zipped else []
    text = 'study = "slowdown"\npreset = "smoke"\n[fixed]\n'
    text += "".join(f"{name} = {json.dumps(values[name][0])}\n" for name in names[:fixed])
    text += "[grid]\n" + "".join(f"{name} = {json.dumps(values[name])}\n" for name in names[fixed:])
    text += "".join(["[[zip]]\n", *(f"{name} = {values[name]}\n" for name in zipped)]) if zipped else ""
    expected = []
    for chosen in itertools.product(*axes):
        run = FIRST
        for name, value in itertools.chain(*chosen):
            run = with_field(run, name, value)
        expected.append(run)
    grid = read(folder, text)
    assert grid.combinations == len(expected)
    assert list(grid.runs) == list(dict.fromkeys(expected))
    assert [plain(run) for run in grid.runs] == [plain(run) for run in dict.fromkeys(expected)]
    assert (grid.study.name, grid.preset, grid.base) == ("slowdown", "smoke", FIRST)
    assert read(folder, text) == grid
    assert len(set(labels(grid.runs))) == len(grid.runs)


@given(st.integers(1, 999), st.integers(1, 99), st.integers(2, 30), st.integers(0, 4), st.booleans())
def test_a_stepped_range_is_the_list_of_its_decimals_to_the_last_bit(start, step, count, digits, falling):
    unit = Fraction(1, 10**digits)
    numbers = [(start + k * step) * unit for k in range(count)]
    numbers = numbers[::-1] if falling else numbers
    as_decimal = [Decimal(number.numerator) / Decimal(number.denominator) for number in (numbers[0], numbers[-1])]
    given_step = Decimal(step if not falling else -step) / 10**digits
    past = as_decimal[1] + given_step / 3  # what the step does not reach is not in the range
    for end in (as_decimal[1], past):
        found = axis_values({"from": as_decimal[0], "to": end, "step": given_step}, ("h",), whole=False)
        assert [float(value) for value in found] == [float(number) for number in numbers]
    between = axis_values({"from": as_decimal[0], "to": as_decimal[1], "count": count}, ("h",), whole=False)
    assert [float(value) for value in between] == [float(number) for number in numbers]


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.integers(2, 40))
def test_a_log_range_has_equal_ratios_and_its_ends_exactly(start, end, count):
    low, high = Decimal(start) / 1000, Decimal(end) / 1000
    found = axis_values({"from": low, "to": high, "count": count, "spacing": "log"}, ("h",), whole=False)
    assert (found[0], found[-1]) == (low, high) and len(found) == count
    np.testing.assert_allclose([float(value) for value in found], np.geomspace(start / 1000, end / 1000, count), 1e-12)
    whole = axis_values({"from": start, "to": end, "count": count, "spacing": "log"}, ("seed",), whole=True)
    assert all(isinstance(value, int) for value in whole) and (whole[0], whole[-1]) == (start, end)
    np.testing.assert_allclose(whole, np.geomspace(start, end, count), atol=0.5 + 1e-6)


def test_halvings_are_the_floats_that_a_person_writes():
    found = axis_values(
        {"from": Decimal("0.4"), "to": Decimal("0.025"), "count": 5, "spacing": "log"}, ("h",), whole=False
    )
    assert [float(value) for value in found] == [0.4, 0.2, 0.1, 0.05, 0.025]


def test_axes_whose_keys_share_a_table_keep_their_places(folder):
    runs = read(folder, HEAD + "[grid]\narchitecture.width = [4, 8]\nseed = [0, 1]\narchitecture.depth = [1, 2]").runs
    assert [(run.architecture.width, run.seed, run.architecture.depth) for run in runs] == list(
        itertools.product((4, 8), (0, 1), (1, 2))
    )


def test_labels_tell_what_the_runs_own_do_not(folder):
    grid = read(folder, HEAD + "[grid]\nh = [0.3, 0.15]\narchitecture.width = [4, 8]\nseed = [1, 12]")
    assert labels(grid.runs)[1] == "residual gap h=0.3 seed 12 architecture.width=4"
    assert labels(grid.runs[:2]) == ["residual gap h=0.3 seed 1", "residual gap h=0.3 seed 12"]


def test_the_grid_of_the_readme_is_what_it_says(folder):
    (text,) = re.findall(r"^```toml\n# grid.toml\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)
    grid = read(folder, text)
    assert f"grid.toml: {grid.study.name}, {len(grid.runs)} runs" in README.read_text()


def test_a_grid_finds_the_records_of_the_preset_that_it_spells_out(folder):
    text = """
    preset = "smoke"
    [grid]
    labelling = ["gap", "smooth", "noise"]
    h = {from = 0.3, to = 0.15, step = -0.15}
    seed = {seeds = 2}
    """
    grid = read(folder, text, "slowdown")
    planned = slowdown.plan(slowdown.PRESETS["smoke"])

    def keys(runs):
        return [record_key("slowdown", 1, run) for run in runs]

    assert keys(grid.runs) == keys(planned)


@pytest.mark.parametrize("name", STUDIES)
def test_a_run_comes_back_from_the_plain_values_of_its_record(name):
    study = STUDIES[name]
    for preset in study.presets.values():
        for run in study.plan(preset)[::7]:
            assert run_of(type(run), json.loads(json.dumps(plain(run)))) == run


def test_records_of_other_fields_are_no_runs():
    config = plain(FIRST)
    for changed in ({**config, "width": 3}, {**config, "h": "0.3"}, {k: v for k, v in config.items() if k != "h"}):
        with pytest.raises(ValueError, match=r"must"):
            run_of(type(FIRST), changed)


def test_tables_set_the_fields_they_name_and_unset_is_none(folder):
    text = """study = "convergence"
    [grid]
    gap = [0.5, "unset"]
    architecture = [{width = 3}, {kind = "residual", bottleneck = 2, depth = 1.0}]
    point_shape = [[4], [2]]
    """
    runs = read(folder, text).runs
    assert [(run.gap, run.architecture.kind, run.architecture.width, run.point_shape) for run in runs] == [
        (gap, *network, shape)
        for gap in (0.5, None)
        for network in (("plain", 3), ("residual", 32))
        for shape in ((4,), (2,))
    ]
    assert {(run.architecture.bottleneck, type(run.architecture.depth)) for run in runs} == {(None, int), (2, int)}


def test_a_field_that_was_none_takes_a_whole_table(folder):
    text = 'study = "safe_step"\n[grid]\narchitecture = ["unset", {kind = "plain", width = 3, depth = 1}]\n'
    runs = read(folder, text).runs
    assert runs[0].architecture is None and (runs[1].architecture.width, runs[1].architecture.activation) == (3, "tanh")
    with pytest.raises(ValueError, match=r"line 3: architecture.depth must be given where architecture was None"):
        read(folder, 'study = "safe_step"\n[grid]\narchitecture = [{kind = "plain", width = 3}]')
    with pytest.raises(ValueError, match=r"line 5: architecture.heads must divide the width 15, but it was 2"):
        read(
            folder,
            'study = "slowdown"\n[fixed]\narchitecture.width = 15\narchitecture.kind = "transformer"\n'
            "architecture.heads = 2\npoint_shape = [4, 2]",
        )


MISTAKES = [
    # (text, line, what the sentence says)
    ('study = "slowdwn"\n[grid]\nh = [0.3]', 1, "study must be one of 13 names, but is unknown; is it slowdown?"),
    ("study = 3\n[grid]\nh = [0.3]", 1, "study must be a string, but was 3"),
    (HEAD + 'presets = "x"', 3, "presets must be a key of a grid, but is unknown; is it preset?"),
    ('study = "slowdown"\npreset = "qick"', 2, "preset must be one of 3 names, but is unknown; is it quick?"),
    (HEAD + "[grid]\nstep = [1]", 4, "step must be a field of SlowdownRun, but is unknown; is it step_size?"),
    (HEAD + "[grid]\n\n'h'.x = [1]", 5, "h.x must be a word of a range, but is unknown; there are from, to, count"),
    (HEAD + "[fixed]\narchitecture.widht = 3", 4, "architecture.widht must be a field"),
    (HEAD + "[grid]\narchitecture = [{width = 3},\n {kin = 'plain'}]", 5, "architecture.kin must be a field"),
    (HEAD + '[grid]\nh = [0.3,\n\n"0.2"]', 6, "h must be a number, but was '0.2'"),
    (HEAD + "[grid]\nh = [true]", 4, "h must be a number, but was true"),
    (HEAD + "[grid]\nh = [[0.3]]", 4, "h must be a number, but was [0.3]"),
    (HEAD + "[fixed]\nh = 1979-05-27", 4, "h must be a number, but was 1979-05-27"),
    (HEAD + "[grid]\nh = [0.3, nan]", 4, "h must be a finite number, but was NaN"),
    (HEAD + "[grid]\nh = [-inf]", 4, "h must be a finite number, but was -Infinity"),
    (HEAD + "[grid]\nh = [1e999]", 4, "h must be a finite number, but was Infinity"),
    (HEAD + f"[grid]\nh = [{10**400}]", 4, "h must be a finite number, but was 1000"),
    (HEAD + "[fixed]\nseed = 0.5", 4, "seed must be a whole number, but was 0.5"),
    (HEAD + "[fixed]\nseed = 1e30", 4, "seed must be a whole number of 64 bits, but was 1E+30"),
    (HEAD + "[fixed]\nlabelling = 3", 4, "labelling must be a string, but was 3"),
    (HEAD + "[fixed]\nlabelling = 'unset'", 4, "labelling must be one of gap, noise, smooth, but it was 'unset'"),
    (HEAD + "[fixed]\npoint_shape = 4", 4, "point_shape must be a list, each a whole number, but was 4"),
    (HEAD + "[fixed]\npoint_shape = [4, 'x']", 4, "point_shape must be a whole number, but was 'x'"),
    (HEAD + "[fixed]\narchitecture = 3", 4, "architecture must be a table with fields of ArchitectureConfig"),
    (HEAD + "[fixed]\narchitecture = 'unset'", 4, "architecture must be a table"),
    (HEAD + "[grid]\nh = []", 4, "h must have at least 1 value, but its list is empty"),
    (HEAD + "[grid]\nh = 0.3", 4, "h must be a list or a range here, but was 0.3; one value goes under [fixed]"),
    (HEAD + "[fixed]\nh = {from = 0.1, to = 0.2, count = 2}", 4, "h must be a number, but was a table"),
    (HEAD + "[grid]\nh = {}", 4, "h must have from, to and one of count and step, but has nothing"),
    (HEAD + "[grid]\nh = {from = 0.1, to = 0.2}", 4, "one of count and step, but has from, to"),
    (
        HEAD + "[grid]\nh = {from = 0.1, to = 0.2, count = 2, step = 0.1}",
        4,
        "one of count and step, but has from",
    ),
    (HEAD + "[grid]\nh = {from = 0.1, to = 0.2, cuont = 2}", 4, "h.cuont must be a word of a range, but is unknown"),
    (HEAD + "[grid]\nh = {from = 'a', to = 0.2, count = 2}", 4, "h.from must be a finite number, but was 'a'"),
    (HEAD + "[grid]\nh.from = 0.2\nh.to = nan\nh.count = 2", 5, "h.to must be a finite number, but was NaN"),
    (
        HEAD + "[grid]\nh = {from = 0, to = 0.2, count = 2, spacing = 'log'}",
        4,
        "h.from must be positive for",
    ),
    (HEAD + "[grid]\nh = {from = 1, to = -2, count = 2, spacing = 'log'}", 4, "h.to must be positive for spacing log"),
    (HEAD + "[grid]\nh = {from = 1, to = 2, step = 1, spacing = 'log'}", 4, "h.spacing must be linear beside a step"),
    (HEAD + "[grid]\nh = {from = 1, to = 2, count = 2, spacing = 'loq'}", 4, "h.spacing must be one of linear, log"),
    (HEAD + "[grid]\nh = {from = 1, to = 2, count = 1}", 4, "h.count must be a whole number of 2 to 100,000 values"),
    (HEAD + "[grid]\nh = {from = 1, to = 2, count = 2.0}", 4, "h.count must be a whole number of 2"),
    (HEAD + "[grid]\nh = {from = 1, to = 2, step = -1}", 4, "h.step must lead from 1 to 2, but was -1"),
    (HEAD + "[grid]\nh = {from = 1, to = 2, step = 0}", 4, "h.step must lead from 1 to 2, but was 0"),
    (HEAD + "[grid]\nh = {from = 0, to = 1, step = 1e-9}", 4, "h must be a whole number of 1 to 100,000 values"),
    (HEAD + "[grid]\nseed = {from = 1, to = 3.5, count = 2}", 4, "seed.to must be a whole number, but was 3.5"),
    (HEAD + "[grid]\nseed = {from = 1, to = 3, step = 0.5}", 4, "seed.step must be a whole number, but was 0.5"),
    (HEAD + "[grid]\nseed = {seeds = 0}", 4, "seed.seeds must be a whole number of 1 to 100,000 values, but was 0"),
    (HEAD + "[grid]\nseed = {seeds = 2, first = -1}", 4, "seed.first must be a whole number of at least 0, but was -1"),
    (HEAD + "[grid]\nseed = {seeds = 2, from = 1}", 4, "seed.from must be a word of a range, but is unknown"),
    (HEAD + "[grid]\nlabelling = {seeds = 2}", 4, "labelling must be a string, but was 0"),
    (HEAD + "[[zip]]\nh = [0.3, 0.2]\nseed = [1]", 5, "seed must have 2 values, as h in the same [[zip]], but has 1"),
    (HEAD + "[[zip]]\nh = [0.3]\n[[zip]]", 5, "zip must set a field, but sets none"),
    (HEAD + "[zip]\nh = [0.3]", 3, "zip must be a table under [[zip]], with two brackets, but is not"),
    (HEAD + "[[grid]]\nh = [0.3]", 3, "grid must be a table, but was [a table]"),
    (HEAD + "[fixed]\nh = 0.3\n[grid]\nh = [0.3]", 6, "h must be set once, but line 4 sets h"),
    (
        HEAD + "[[zip]]\narchitecture.width = [3]\n[[zip]]\narchitecture = [{width = 3}]",
        6,
        "must be set once, but line 4",
    ),
    (HEAD + "[grid]\nh = [0.1]\nh = [0.2]", 5, "must be TOML, but 'h = [0.2]' is not: Cannot overwrite a value"),
    (HEAD + "[grid\nh = [0.1]", 3, "must be TOML, but '[grid' is not"),
    (
        HEAD + "[grid]\nh = [0.3,\n  1.5]",
        5,
        "h must lie in [0, 1.4771], which no 12 points in Cube(dim=4) exceed",
    ),
    (HEAD + "[grid]\nh = [0.3]\nnum_points = [2, 1]", 5, "num_points must be a whole number, 2 .. 16384, but was 1"),
    ('study = "selection_language"\n[grid]\nmodel.heads = [0]', 3, "model.heads must divide the width 48, but was 0"),
    (
        HEAD + "[fixed]\narchitecture.width = -3",
        4,
        "architecture.width must be an integer of at least 1, but it was",
    ),
]


def assert_refused(folder, text, line, words):
    with pytest.raises(ValueError, match=re.escape(words)) as refused:
        read(folder, text)
    said = str(refused.value)
    assert said.startswith(f"{folder / 'grid.toml'} line {line}") and "\n" not in said, said


@pytest.mark.parametrize(("text", "line", "words"), MISTAKES)
def test_a_mistake_is_one_sentence_with_key_and_line(folder, text, line, words):
    assert_refused(folder, text, line, words)


def test_an_impossible_run_whose_field_the_file_does_not_name_says_where_it_comes_from(folder):
    with pytest.raises(ValueError, match=r"h must lie in \[0, 0\.2009") as refused:
        read(folder, HEAD + "[grid]\nnum_points = [12,\n  4000]")
    assert "the value of preset smoke's first run, while the grid sets num_points on line 5" in str(refused.value)


def test_studies_and_files_that_are_not_there(folder):
    with pytest.raises(ValueError, match="must name a study, as in study"):
        read(folder, "[grid]\nh = [0.3]")
    with pytest.raises(ValueError, match="--study must be a study, but is unknown; is it slowdown"):
        read(folder, "[grid]\nh = [0.3]", "slowdow")
    with pytest.raises(ValueError, match="line 1: study must be tail_slope, as --study says, but was 'slowdown'"):
        read(folder, HEAD + "[grid]\nh = [0.3]", "tail_slope")
    with pytest.raises(ValueError, match="must set a field under"):
        read(folder, HEAD)
    with pytest.raises(ValueError, match="at most 100,000 combinations, but has 1,000,000"):
        read(folder, HEAD + "[grid]\nseed = {seeds = 1000}\nmax_steps = {from = 1, to = 1000, step = 1}")
    (folder / "latin.toml").write_bytes(b"study = '\xe4'")
    with pytest.raises(ValueError, match="UTF-8 text, but byte 9 is not"):
        read_grid(folder / "latin.toml")
    with pytest.raises(FileNotFoundError):
        read_grid(folder / "none.toml")

"""Lines of keys, in documents that the test wrote and whose lines it knows; and the keys are those tomllib finds."""

import json
import tomllib

from hypothesis import given
from hypothesis import strategies as st

from experiments.toml_lines import key_lines

KEYS = st.text("ab", min_size=1, max_size=2) | st.sampled_from(["", "a.b", "[x]", "#", "é", 'q"', "12", "= "])
SCALARS = st.one_of(
    st.sampled_from(["1", "-0.5e3", "true", "nan", "1979-05-27 07:32:00", "'#]}'", '"a\\"b # ["', "''", '""']),
    st.sampled_from(['"""one\n# two\n"""', "'''\n]\n\n}'''", '"""a""""', '"""\\"""b"""', "''''''", '"""\\\\"""']),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=6
)
BLANKS = st.lists(st.sampled_from(["", "  ", "# a comment = [", "\t# 'x"]), max_size=2)
TABLES = st.lists(st.tuples(st.booleans(), BLANKS, st.dictionaries(KEYS, VALUES, max_size=3)), max_size=4)


class Writer:
    """Writes TOML and keeps the line of everything it names."""

    def __init__(self, *, spread):
        self.text, self.lines, self.spread = "", {}, spread

    def write(self, text, path=None):
        if path is not None:
            self.lines.setdefault(path, self.text.count("\n") + 1)
        self.text += text

    def key(self, path):
        self.write(json.dumps(path[-1], ensure_ascii=False), path)  # a quoted key may be any

    def value(self, value, path):
        if isinstance(value, list):
            self.write("[")
            for number, item in enumerate(value):
                self.write("\n # ]\n  " if self.spread else " ")
                self.write("", (*path, number))
                self.value(item, (*path, number))
                self.write(" ,")
            self.write("]")
        elif isinstance(value, dict):
            self.write("{")
            for number, (name, item) in enumerate(value.items()):
                self.write(", " if number else " ")
                self.key((*path, name))
                self.write(" = ")
                self.value(item, (*path, name))
            self.write("}")
        else:
            self.write(value)


@given(st.booleans(), BLANKS, st.dictionaries(KEYS, VALUES, max_size=3), TABLES)
def test_every_key_table_and_element_is_on_the_line_where_it_was_written(spread, blanks, top, tables):
    writer = Writer(spread=spread)
    for blank in blanks:
        writer.write(blank + "\n")

    def pairs(values, above):
        for name, value in values.items():
            writer.key((*above, name))
            writer.write(" = ")
            writer.value(value, (*above, name))
            writer.write("  # behind\n")

    pairs({f"top {name}": value for name, value in top.items()}, ())
    arrays = 0
    for number, (is_array, between, values) in enumerate(tables):
        for blank in between:
            writer.write(blank + "\n")
        if is_array:
            writer.write("", ("many",))
            writer.write("[[ many ]]\n", ("many", arrays))
            pairs(values, ("many", arrays))
            arrays += 1
        else:
            writer.write("", ("one",))
            writer.write(f"[one.'{number}']\n", ("one", str(number)))
            pairs(values, ("one", str(number)))
    assert key_lines(writer.text) == writer.lines
    assert set(key_lines(writer.text)) == set(paths(tomllib.loads(writer.text)))


def paths(value, above=()):
    for name, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (*above, name)
        yield from paths(item, (*above, name))


def test_dotted_keys_and_tables_within_arrays_of_tables():
    text = "a . b.c = 1\r\na.d = 2\r\n\n[[x]]\n[x.y]\nz.w = [\n{ k = 1 },\n2]\n[[x]]\ny.z = {w.v = 3}\n"
    lines = key_lines(text)
    assert set(lines) == set(paths(tomllib.loads(text)))
    assert [lines[path] for path in (("a",), ("a", "b"), ("a", "b", "c"), ("a", "d"))] == [1, 1, 1, 2]
    assert [lines["x", 0], lines["x", 0, "y"], lines["x", 0, "y", "z", "w", 0, "k"]] == [4, 5, 7]
    assert [lines["x", 0, "y", "z", "w", 1], lines["x", 1], lines["x", 1, "y", "z", "w", "v"]] == [8, 9, 10]

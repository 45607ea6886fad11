"""A panel's SVG says what the plot says: positions read back through the ticks, text alternatives, nothing unsafe."""

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from figures.explore.plot import Mark, Plot, Series
from figures.explore.svg import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, legend, plain_number, svg

RAISED = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")


def parsed(text):
    return ElementTree.fromstring(text.replace("&nbsp;", " "))


def number_of(text):
    """The value that a tick's text names."""
    if re.fullmatch(r"10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+", text):
        return 10.0 ** int(text[2:].translate(RAISED))
    return float(text.replace("−", "-"))


def ticks(root, axis):
    at = {"x": "x", "y": "y"}[axis]
    shift = 0.0 if axis == "x" else 3.5  # a text's baseline stands below its tick
    found = [(float(node.get(at)) - shift, number_of(node.text)) for node in root.iter("text")
             if node.get("class") == f"tick {axis}"]  # fmt: skip
    return zip(*found)


def read_back(pixels, root, axis, log):
    """Values at pixels, from the ticks alone."""
    places, values = (np.array(column) for column in ticks(root, axis))
    shown = np.log10(values) if log else values
    slope, offset = np.polyfit(places, shown, 1)
    found = slope * np.array(pixels) + offset
    return 10.0**found if log else found


def dots(root):
    circles = [node for node in root.iter("circle") if node.get("class") == "dot"]
    return [float(node.get("cx")) for node in circles], [float(node.get("cy")) for node in circles]


def spread_out(values):
    return np.ptp(values) > 0.1 * np.max(np.abs(values))


VALUES = st.lists(st.floats(0.1, 1000.0), min_size=3, max_size=12)


@given(VALUES.filter(spread_out), VALUES.filter(spread_out), st.booleans(), st.booleans())
def test_a_point_stands_where_the_ticks_say(x, y, log_x, log_y):
    count = min(len(x), len(y))
    x, y = x[:count], y[:count]
    root = parsed(svg(Plot("p", "P", "x", "y", (Series("s", x, y),), log_x=log_x, log_y=log_y)))
    across, up = dots(root)
    assert len(across) == count
    for pixels, values, axis, log in ((across, x, "x", log_x), (up, y, "y", log_y)):
        places, _ = ticks(root, axis)
        if len(places) < 2:
            continue
        found = read_back(pixels, root, axis, log)
        # A pixel is rounded to a tenth, a tick's number to four digits.
        span = np.ptp(np.log10(values)) if log else np.ptp(values)
        miss = np.abs(np.log10(found / values)) if log else np.abs(found - values)
        assert np.max(miss) <= 0.01 * span + 1e-3 * (1.0 if log else np.max(np.abs(values)))


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=20), st.booleans())
def test_any_numbers_give_a_drawing_inside_its_frame(values, log):
    text = svg(Plot("p", "P", "x", "y", (Series("s", list(range(len(values))), values),), log_y=log))
    root = parsed(text)
    assert "nan" not in text.lower().replace("no value is finite", "") and "inf" not in text.replace("finite", "")
    for x, y in zip(*dots(root)):
        assert LEFT - 1 <= x <= WIDTH - RIGHT + 1 and TOP - 1 <= y <= HEIGHT - BOTTOM + 1


def test_a_plot_speaks_and_escapes():
    hostile = '<script>alert("1")</script>'
    plot = Plot(
        "p", hostile, "x", "y", (Series(hostile, [1, 2], [3, 4], names=[hostile, "b"]),), (Mark("y", 3, hostile),)
    )
    text = svg(plot) + legend(plot)
    assert "<script" not in text and text.count("&lt;script&gt;") >= 4
    assert "from 3 to 4" in parsed(svg(plot)).get("aria-label")
    assert parsed(svg(Plot("p", "P", "x", "y", empty="Nothing here."))).get("aria-label") == "Nothing here."


def test_units_are_equal_where_asked():
    root = parsed(
        svg(Plot("p", "P", "x", "y", (Series("s", [0.0, 1.0, 1.0], [0.0, 0.0, 0.1], joined=False),), equal=True))
    )
    x, y = dots(root)
    assert x[1] - x[0] == pytest.approx((y[1] - y[2]) * 10, rel=0.02)


def test_rows_have_lines_from_the_axis_to_their_points():
    plot = Plot("p", "P", "steps", "", (Series("", [10.0], [1], "bound", joined=False),
                Series("", [1000.0], [3], joined=False)), log_x=True, rows=("first", "unknown", "third"))  # fmt: skip
    root = parsed(svg(plot))
    (x, y) = dots(root)
    assert len(x) == 2 and x[0] < x[1] and y[0] < y[1]
    assert [node.text for node in root.iter("text") if node.get("class") == "row"] == list(plot.rows)


@pytest.mark.parametrize(("value", "text"), [(0.0, "0"), (-0.25, "−0.25"), (1234567.0, "1.235e+06"), (3e-5, "3e−05")])
def test_numbers_are_written_with_a_true_minus(value, text):
    assert plain_number(value) == text

"""What `uniformity measure` prints: how uniform the rows are, in sentences and one picture, and what to do about it."""

import shlex
from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

_LABEL, _BAR, _GROUPS = 13, 36, 3
_WIDE = 0.9  # share of one column in the squared distances that is worth a word
_METRIC = {
    "euclidean": "Euclidean distance",
    "cosine": "cosine distance, 1 - cos: 0 for one direction, 1 at right angles, 2 for opposites",
}


def print_measure(
    known: dict[str, Any], *, texts: Sequence[str] | None, names: Sequence[str], data: str, suffix: str
) -> None:
    """`known` as `uniformity measure --json` prints it.

    texts: of the pool's rows, if it has any.  names: of the columns, if they have any.  data, suffix: the pool's file.
    """
    console = Console(highlight=False)

    def say(label: str, text: str) -> None:
        """The label on the left, and the text beside it, wrapped."""
        for line in Text(text).wrap(console, max(20, console.width - _LABEL)):
            line.rstrip()
            console.print(Text(f"{label:{_LABEL}}", style="bold") + line)
            label = ""

    def quote(*rows: int) -> None:
        if texts is None:
            return
        for row in rows:
            text = Text(f"{row}: {' '.join(texts[row].split())}", style="dim")
            text.truncate(max(20, console.width - _LABEL), overflow="ellipsis")
            console.print(Padding(text, (0, 0, 0, _LABEL)))

    say("Data", known["pool"] + (f", {known['n']:,} chosen" if known["chosen"] else ""))
    say("Distance", _METRIC[known["metric"]])
    if known["h_min"] is None:
        say("Closest", "there is one row only")
    else:
        console.print()
        for line in _histogram(known):
            console.print(line, soft_wrap=True, markup=False)
        console.print()
        say("Typical", _typical(known))
        say("Closest", _closest(known))
        quote(*known["closest_pair"])
        say("Repeats", _repeats(known["exact"], _alike(known), "="))
        if known["near"]["rows"]:
            say(
                "Near repeats", _repeats(known["near"], f"is within {_number(known['near_threshold'])} of another", "~")
            )
    if known["fill"]:
        say(*_farthest(known))
        quote(known["loneliest"])
    if known["h_min"] is not None:
        if known["ratio"] is not None:
            say("Possible", _possible(known))
        if known["metric"] == "euclidean" and known["d"] > 1 and known["widest"] and known["widest"][1] > _WIDE:
            say("Columns", _columns(known["widest"], names))
        if known["thinned"] and known["thinned"]["h_min"] > known["h_min"]:
            say("Thinned", _thinned(known["thinned"]))
        if not known["chosen"] and known["mean_distance"]:
            keep, why = _advice(known)
            say("To do", f"{why}:")
            console.print(
                f"{'':{_LABEL}}uniformity select {shlex.quote(data)} -k {keep} --out chosen{suffix}",
                soft_wrap=True,
                markup=False,
            )


def _number(value: float) -> str:
    """Three digits, as a plain number where that is readable."""
    return f"{value:,.0f}" if 1000.0 <= value < 1e7 else f"{value:.3g}"


def _alike(known: dict[str, Any]) -> str:
    return "has the direction of another" if known["metric"] == "cosine" else "equals another"


def _histogram(known: dict[str, Any]) -> list[str]:
    """A line a bin: the distance of a row to its nearest one, the number of rows, a bar."""
    edges, counts = known["histogram"]["edges"], known["histogram"]["counts"]
    zeros = known["n"] - sum(counts)
    digits = _digits(edges)
    width = median([high - low for low, high in pairwise(edges)]) if counts else 0.0
    bins = []
    for (low, high), rows in zip(pairwise(edges), counts):
        label = f"{low:.{digits}f} to {high:.{digits}f}"
        if abs(high - low - width) > 0.01 * width:  # the tails
            label = f"below {high:.{digits}f}" if low == 0.0 else f"above {low:.{digits}f}"
        if rows or bins:
            bins.append((label, rows))
    if zeros:
        bins.insert(0, ("0", zeros))
    wide = max(len(label) for label, _ in bins)
    most = max(rows for _, rows in bins)
    lines = ["  distance to the nearest other row"]
    for label, rows in bins:
        bar = "#" * max(round(_BAR * rows / most), rows > 0)
        lines.append(f"  {label:>{wide}} {rows:>9,} {'row ' if rows == 1 else 'rows'} {bar}".rstrip())
    return lines


def _digits(edges: Sequence[float]) -> int:
    """Decimals that show the inner edges, which are round, in full."""
    return next((digits for digits in range(12) if all(abs(round(e, digits) - e) < 1e-9 * e for e in edges[1:-1])), 12)


def _typical(known: dict[str, Any]) -> str:
    average = "on average" if known["metric"] == "cosine" else "as a root mean square"
    return (
        f"a row is {_number(known['median_nearest'])} from its nearest one (median; mean "
        f"{_number(known['mean_nearest'])}), and two rows are {_number(known['mean_distance'])} apart {average}"
    )


def _closest(known: dict[str, Any]) -> str:
    first, second = known["closest_pair"]
    rows = f"rows {first} and {second} (counted from 0)"
    if known["h_min"] == 0.0:
        same = "have the same direction" if known["metric"] == "cosine" else "are equal"
        return f"{rows} {same}: the smallest distance of any two rows, h_min, is 0"
    text = f"{rows} are {_number(known['h_min'])} apart: the smallest distance of any two rows, h_min"
    times = known["median_nearest"] / known["h_min"]
    return f"{text}, {_number(times)} times smaller than the typical one" if times > 1.1 else text


def _repeats(found: dict[str, Any], what: str, sign: str) -> str:
    """what: of one row, its first word the verb."""
    verb, rest = what.split(" ", 1)
    if not found["rows"]:
        return f"no row {what}"
    if found["rows"] > 1:
        verb = {"is": "are", "has": "have", "equals": "equal"}[verb]
    examples = [f" {sign} ".join(map(str, group[:4])) for group in found["examples"][:_GROUPS]]
    groups = "1 group" if found["groups"] == 1 else f"{found['groups']:,} groups"
    more = ", ..." if found["groups"] > len(examples) else ""
    rows = "1 row" if found["rows"] == 1 else f"{found['rows']:,} rows"
    return f"{rows} {verb} {rest}, in {groups}: {', '.join(examples)}{more}"


def _farthest(known: dict[str, Any]) -> tuple[str, str]:
    row, distance = known["loneliest"], _number(known["fill"])
    if known["chosen"]:
        return "Cover", f"every row of the pool is within {distance} of a chosen one (row {row} is that far away)"
    if not known["median_nearest"]:
        return "Loneliest", f"row {row}, {distance} from its nearest one"
    times = known["fill"] / known["median_nearest"]
    return "Loneliest", f"row {row}, {distance} from its nearest one, {_number(times)} times the typical distance"


def _possible(known: dict[str, Any]) -> str:
    where = "on the sphere of directions" if known["metric"] == "cosine" else "in the box and the ball that hold these"
    text = f"no {known['n']:,} rows {where} have an h_min above {_number(known['ceiling'])}"
    if known["h_min"] > 0.0:
        text += f"; this one is {_number(100.0 * known['ratio'])} % of that"
    return text + (f" (far below is usual in {known['d']} dimensions)" if known["d"] > 3 else "")


def _columns(widest: Sequence[Any], names: Sequence[str]) -> str:
    column, share = widest
    name = names[column] if names else f"column {column}"
    return (
        f"{name} makes {min(100.0 * share, 99.9):.3g} % of the mean squared distance of two rows; "
        "if the others are to count, bring all columns to one scale first"
    )


def _thinned(thinned: dict[str, Any]) -> str:
    rows = "the row that is" if thinned["rows"] == 1 else f"the {thinned['rows']:,} rows that are"
    return f"without {rows} closest to another one, no two would be closer than {_number(thinned['h_min'])}"


def _advice(known: dict[str, Any]) -> tuple[str, str]:
    """What to keep, and why."""
    exact, near, rows = known["exact"]["rows"], known["near"]["rows"], known["n"]
    if near:
        return str(
            rows - exact - near
        ), f"keep as many rows as there are without {'the repeats and ' * (exact > 0)}near repeats"
    if exact:
        return str(rows - exact), "keep all rows but the repeats"
    return "50%", "keep the half that greedy choice sets farthest apart"

"""The report's tables: every inequality, a study's slopes and estimates, settings on one line."""

from collections.abc import Mapping, Sequence
from typing import Any

from figures.document import Block, Folded, Heading, Table
from theory.claims import CLAIMS

LONG = 12
"""Rows from which a table is folded."""


VERDICTS = ("holds", "violated", "vacuous", "not_applicable")


def factor(slack: float) -> str:
    return f"{10 ** max(slack, -300.0):.3g}"


def inequality_table(book: Mapping[str, Any], hunts: Mapping[str, Mapping[str, Any]]) -> Table:
    """A row an inequality; a claim that no study checked has one row."""
    rows = []
    for entry in book["claims"]:
        claim = (f"{entry['id']} {entry['title']}", CLAIMS[entry["id"]].standing)
        nearest = _nearest(hunts.get(entry["id"]))
        if not entry["checks"]:
            rows.append((*claim, "", "not checked", *[""] * 5, nearest))
        for row in entry["inequalities"]:
            slack = row["slack_log10"]
            # Unbroken spaces: three numbers on one line.
            factors = "\u00a0/\u00a0".join(factor(slack[name]) for name in ("min", "median", "max")) if slack else ""
            counts = (f"{row[name]:,}" for name in VERDICTS)
            status = next((name for name in ("violated", "holds", "vacuous") if row[name]), "not applicable")
            rows.append((*claim, row["name"], status, *counts, factors, nearest))
    header = ("Claim", "Standing", "Inequality", "Status", "Holds", "Violated", "Vacuous", "Not applic.")
    return Table((*header, "Factor: least / median / largest", "Hunt's least"), tuple(rows))


def _nearest(hunt: Mapping[str, Any] | None) -> str:
    """The factor of the hunt's instance nearest to equality."""
    return factor(min(row["slack_log10"] for row in hunt["tightest"])) if hunt and hunt["tightest"] else ""


def plain_setting(value: Any) -> str:
    """A setting's value on one line."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {plain_setting(item)}" for key, item in value.items() if item is not None)
    if isinstance(value, list):
        inner = [plain_setting(item) for item in value]
        return "; ".join(inner) if any(isinstance(item, (dict, list)) for item in value) else ", ".join(inner)
    return f"{value:g}" if isinstance(value, float) else str(value)


def number(value: float | None) -> str:
    return "not resolved" if value is None else f"{value:.4g}"


def _interval(row: Mapping[str, Any]) -> str:
    return f"[{number(row['ci_low'])}, {number(row['ci_high'])}]"


def slope_table(slopes: Sequence[Mapping[str, Any]]) -> Table:
    def covered(slope: Mapping[str, Any]) -> str:
        if slope["expected"] is None:
            return "nothing claimed"
        return "inside" if slope["ci_low"] <= slope["expected"] <= slope["ci_high"] else "outside"

    rows = tuple(
        (
            slope["claim"],
            slope["label"],
            "" if slope["expected"] is None else f"{slope['expected']:g}",
            number(slope["measured"]),
            _interval(slope),
            str(slope["seeds"]),
            covered(slope),
        )
        for slope in slopes
    )
    return Table(("Claim", "Exponent of", "Expected", "Measured", "95% interval", "Seeds", "Expected value is"), rows)


def estimate_table(estimates: Sequence[Mapping[str, Any]]) -> Table:
    rows = tuple((row["label"], number(row["value"]), _interval(row), str(row["seeds"])) for row in estimates)
    return Table(("Number", "Value", "95% interval", "Seeds"), rows)


def titled_table(title: str, anchor: str, table: Table) -> list[Block]:
    """A titled table, folded when it is long."""
    if len(table.rows) > LONG:
        return [Folded(f"{title} ({len(table.rows)})", anchor, (table,))]
    return [Heading(4, title, anchor), table]

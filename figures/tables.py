"""README's and the notes' tables, from the committed summaries; the tests hold the documents against them."""

from typing import Any

from figures.slowdown import ARCHITECTURES
from figures.style import quoted

LABELLINGS = {
    "gap of {gap:g} on the closest pair": "network, gap",
    "noise on the pair that the target loss does not tolerate": "network, noise not tolerated",
    "noise on the pair that it tolerates": "network, noise tolerated",
    "Lipschitz, no gap": "network, smooth",
    "gap, network linearised at its start": "linearised, gap",
    "Lipschitz, network linearised at its start": "linearised, smooth",
}


def exponent_table(summary: dict[str, Any]) -> str:
    """Exponents of the steps in h over all h: a row a labelling, a column an architecture."""
    slopes = {slope["label"]: slope for slope in summary["slopes"]}
    lines = ["| labels | " + " | ".join(ARCHITECTURES.values()) + " |", "| --- | --- | --- | --- |"]
    for name, group in LABELLINGS.items():
        cells = []
        for kind in ARCHITECTURES:
            slope = slopes.get(f"{kind} {group}, all h")
            cells.append(f"{quoted(slope)}, {slope['seeds']} seeds" if slope else "too few seeds")
        lines.append(f"| {name.format(**summary)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def verdict_table(book: dict[str, Any]) -> str:
    """Every inequality of every claim: counts, median factor between measurement and bound, what was known before."""
    lines = [
        "| Claim | Inequality | Holds | Violated | Vacuous | Not applicable | Off by (median) | Constants |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for entry in book["claims"]:
        anchor = f"{entry['id']} {entry['title']}".lower().replace(" ", "-")
        for row in entry["inequalities"]:
            slack = row["slack_log10"]
            factor = f"x {10 ** slack['median']:.2g}" if slack else "no ratio"
            counts = " | ".join(str(row[name]) for name in ("holds", "violated", "vacuous", "not_applicable"))
            claim = f"[{entry['id']} {entry['title']}](paper_notes.md#{anchor})"
            lines.append(f"| {claim} | {row['name']} | {counts} | {factor} | {entry['constants']} |")
    return "\n".join(lines)


def claims_table(rows: list[dict[str, Any]]) -> str:
    """The trace table of the notes: claim, provenance, statement, code, tests, study, figure, status."""

    def links(paths: list[str]) -> str:
        return ", ".join(f"[{path.split('/')[-1].removesuffix('.py')}]({path})" for path in paths) or "none"

    lines = [
        "| Claim | Title | Provenance | Statement | Code | Tests | Study | Figure | Status |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        anchor = f"{row['id']} {row['title']}".lower().replace(" ", "-")
        statement = row["statement"].replace("|", "\\|")
        places = " | ".join(links(paths) for paths in ([row["code"]], [row["test"]], row["study"], row["figure"]))
        status = row["status"].replace("_", " ")
        title = f"[{row['title']}](#{anchor})"
        lines.append(f"| {row['id']} | {title} | {row['provenance']} | `{statement}` | {places} | {status} |")
    return "\n".join(lines)

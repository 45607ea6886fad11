"""What the command prints: the ledger, what float32 loses, the claims, the hunt's reports."""

from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

STATUS_STYLE = {
    "holds": "green",
    "violated": "bold red",
    "vacuous": "yellow",
    "not_applicable": "yellow",
    "not_checked": "dim",
}


def _slope_text(slope: dict[str, Any]) -> str:
    covers = "inside" if slope["covers"] else "outside"
    expected = "" if slope["expected"] is None else f", expected {slope['expected']:g}: {covers}"
    # An escaped bracket: rich would read "[-0.1, ...]" as markup.
    return f"{slope['label']}: {slope['measured']:+.2f} \\[{slope['ci_low']:+.2f}, {slope['ci_high']:+.2f}]{expected}"


def print_ledger(book: dict[str, Any], out: Path) -> None:
    """The ledger as a table, then each claim's finding in words."""
    console = Console(highlight=False)
    table = Table(title=f"Ledger, preset {book['preset']}", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for column in ("claim", "status"):
        table.add_column(column, no_wrap=True)
    for column in ("holds", "violated", "vacuous", "n/a", "loose by"):
        table.add_column(column, justify="right", no_wrap=True)
    for entry in book["claims"]:
        slack = entry["slack_log10"]
        style = STATUS_STYLE[entry["status"]]
        table.add_row(
            f"{entry['id']} {entry['title']}",
            f"[{style}]{entry['status'].replace('_', ' ')}[/{style}]",
            *(str(entry[name]) for name in ("holds", "violated", "vacuous", "not_applicable")),
            f"x {10 ** slack['median']:.2g}" if slack else "",
        )
    console.print(table)
    for entry in book["claims"]:
        if not entry["checks"]:
            continue
        console.print(f"[bold]{entry['id']}[/bold] {escape(entry['words'])}", soft_wrap=True)
        # The exponents that are claimed, where the claim speaks (h -> 0); all slopes are in ledger.json.
        for slope in entry["slopes"]:
            if slope["expected"] is not None and not slope["label"].endswith("all h"):
                console.print(f"   slope, {_slope_text(slope)}", soft_wrap=True)
        for instance in entry["violations"]:
            console.print(f"   [bold red]violated at[/bold red] {instance}", soft_wrap=True)
    console.print(f"Written: {out / 'ledger.json'}, {out / 'figures'}, {out / 'summaries'}, {out / 'records'}")


def _fitted(exponent: float | None) -> str:
    return "no fit" if exponent is None else f"{exponent:+.2f}"


def print_precision(book: dict[str, Any], out: Path) -> None:
    """What float32 loses: a row a study, then the names of what is not resolved, and of the exponents that move."""
    console = Console(highlight=False)
    title = f"float32 beside float64, preset {book['preset']}"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("study", no_wrap=True)
    for column in ("runs", *book["counts"], "exponents", "apart", "no fit"):
        table.add_column(column, justify="right", no_wrap=True)
    for study in book["studies"]:
        found = [row["resolution"] for row in study["quantities"]]
        lost = sum(slope["single"] is None for slope in study["slopes"])
        numbers = [
            f"{study['measured']}/{study['runs']}",
            *(found.count(kind) for kind in book["counts"]),
            len(study["slopes"]),
            sum(slope["apart"] for slope in study["slopes"]) - lost,
            lost,
        ]
        table.add_row(study["code"], *map(str, numbers))
    console.print(table)
    for study in book["studies"]:
        for kind in ("unresolved", "degraded"):
            names = [row["quantity"] for row in study["quantities"] if row["resolution"] == kind]
            if names:
                console.print(f"[bold]{study['code']}[/bold] {kind}: {', '.join(names)}", soft_wrap=True)
        moved = [
            f"{slope['label']} {_fitted(slope['double'])} to {_fitted(slope['single'])}"
            for slope in study["slopes"]
            if slope["apart"]
        ]
        if moved:
            console.print(f"[bold]{study['code']}[/bold] exponents: {escape('; '.join(moved))}", soft_wrap=True)
        if study["failure"]:
            console.print(f"[bold red]{study['code']} failed[/bold red] {escape(study['failure'])}", soft_wrap=True)
    console.print(
        f"No claim is judged in float32, so no ledger is written. Written: {out / 'summaries/precision.json'}"
    )


def print_claims(rows: list[dict[str, Any]]) -> None:
    """Every claim, a paragraph each."""
    console = Console(highlight=False)
    for row in rows:
        style = STATUS_STYLE[row["status"]]
        status = row["status"].replace("_", " ")
        known = f"[{style}]{status}[/{style}]  ({row['standing']}; {row['provenance']})"
        console.print(f"[bold]{row['id']} {row['title']}[/bold]  {known}", soft_wrap=True)
        console.print(f"   {row['statement']}", soft_wrap=True, markup=False)
        for hypothesis in row["hypotheses"].values():
            console.print(f"   if {hypothesis}", soft_wrap=True, markup=False)
        places = [row["code"], row["test"], *row["study"], *row["figure"]]
        console.print(f"   [dim]{'  '.join(places)}[/dim]", soft_wrap=True)


def print_hunt(report: Any) -> None:
    """One claim's hunt: how many instances, how near each inequality came to equality, the counterexample if any."""
    console = Console(highlight=False)
    verdict = "[bold red]VIOLATED[/bold red]" if report.violation else "[green]no violation[/green]"
    console.print(
        f"[bold]{report.claim}[/bold] {verdict}: {report.tried} tried, {report.applicable} applicable, "
        f"{report.vacuous} vacuous",
        soft_wrap=True,
    )
    for found in report.tightest:
        name = f"{found.inequality}: " if found.inequality else ""
        console.print(
            f"   {name}within a factor {10**found.slack_log10:.6g} at {found.instance}", soft_wrap=True, markup=False
        )
    if report.violation:
        console.print(report.violation, soft_wrap=True, markup=False)

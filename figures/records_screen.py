"""What `uniformity records` prints."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from figures.amounts import duration, size

_NO_SCHEMA = "?"


def print_studies(rows: Sequence[Mapping[str, Any]], root: Path) -> None:
    """What a store has of each study; rows are experiments.record_table.StudyRecords as objects."""
    console = Console(highlight=False)
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("study", no_wrap=True)
    for column in ("records", "schema", "took", "size", "newest"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            row["study"],
            f"{row['records']:,}",
            _counted({_NO_SCHEMA if number is None else str(number): n for number, n in row["schemas"].items()}),
            duration(row["made_by"].seconds),
            size(row["bytes"]),
            f"{duration(row['newest'])} ago",
        )
    console.print(table)
    total = sum(row["records"] for row in rows)
    console.print(f"{root}: {total:,} records, {size(sum(row['bytes'] for row in rows))}", soft_wrap=True)
    for what in ("commits", "versions", "devices", "dtypes"):
        counts: Counter[str] = Counter()
        for row in rows:
            counts.update(getattr(row["made_by"], what))
        for value, count in counts.most_common():
            having = [row["study"] for row in rows if value in getattr(row["made_by"], what)]
            studies = f" ({', '.join(having)})" if len(counts) > 1 else ""
            known = f"commit {value}" if what == "commits" else value
            console.print(f"{count:>7,} with {known}{studies}", soft_wrap=True, markup=False)


def print_runs(rows: Sequence[Mapping[str, Any]]) -> None:
    """The runs of one study, a line each: experiments.record_table.StoredRun as objects."""
    console = Console(highlight=False)
    commits = {(row["commit"], row["dirty"]) for row in rows}
    schemas = {row["schema"] for row in rows}
    for row in rows:
        said = [" ".join(f"{name}={_short(value)}" for name, value in row["varied"].items())]
        said += [f"({row['outcome']})"] if row["outcome"] else []
        said += [f"schema {row['schema'] or _NO_SCHEMA}"] if len(schemas) > 1 else []
        said += [f"commit {row['commit']}{'+' if row['dirty'] else ''}"] if len(commits) > 1 else []
        said.append(f"{duration(row['seconds'])}, {duration(row['age'])} ago")
        line = Text(f"{row['key'][:12]}  ", style="dim")
        console.print(line + Text("  ".join(filter(None, said)), style=""), soft_wrap=True)


def print_record(known: Mapping[str, Any]) -> None:
    """One record, as `uniformity records show --json` prints it."""
    console = Console(highlight=False)

    def say(label: str, text: str) -> None:
        console.print(Text(f"{label:<15}", style="bold") + Text(text, style=""), soft_wrap=True)

    def section(label: str, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            say(label, f"{name} = {_short(value)}")
            label = ""

    say("Key", known["key"])
    say("Study", f"{known['study']}, schema {known['schema'] or _NO_SCHEMA}")
    section("Configuration", known["config"])
    section("Scalars", known["scalars"])
    label = "Arrays"
    for name, array in known["arrays"].items():
        say(label, f"{name}: {array['dtype']}, {' x '.join(map(str, array['shape'])) or 'a number'}")
        label = ""
    section("Made by", known["provenance"])


def print_health(health: Any, root: Path) -> None:
    """What experiments.record_health.examine found."""
    console = Console(highlight=False)
    for found in health.findings:
        style = "bold red" if found in health.damaged else "yellow"
        console.print(Text(f"{found.kind.value:<11}", style=style) + Text(found.said, style=""), soft_wrap=True)
    damaged = len(health.damaged)
    verdict = "all whole" if not damaged else f"{damaged:,} damaged"
    console.print(f"{root}: {health.records:,} records, {size(health.bytes)}, {verdict}", soft_wrap=True, markup=False)
    if damaged:
        console.print("`uniformity records gc --damaged` removes the damaged; the next run measures them again.")


def print_removals(removals: Sequence[Any], *, dry_run: bool) -> None:
    """What went, or would go: experiments.record_removal.Removal."""
    console = Console(highlight=False)
    for removal in removals:
        console.print(f"{removal.why:<11}{removal.said} ({size(removal.bytes)})", soft_wrap=True, markup=False)
    verb = "would be removed" if dry_run else "removed"
    files = sum(len(removal.files) for removal in removals)
    console.print(f"{files:,} files {verb}, {size(sum(removal.bytes for removal in removals))}")


def _counted(counts: Mapping[str, int]) -> str:
    """Values, with their counts where there are several."""
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{value} ({count:,})" for value, count in counts.items())


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_short(item) for item in value)}]"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_short(item)}" for name, item in value.items())
    return str(value)

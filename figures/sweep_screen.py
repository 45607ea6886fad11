"""What `uniformity sweep` prints beside the progress: the plan of a dry run, and what became of the runs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from figures.amounts import duration


def print_plan(plan: Mapping[str, Any]) -> None:
    """What would be run: counts, shapes, and the time that past records tell."""
    known = plan["estimate"]
    missing = plan["runs"] - plan["stored"]
    lines = {
        "Grid": f"{plan['grid']}: {plan['study']}, {_count(plan)}",
        "Base": f"{plan['base']} (first run of preset {plan['preset']}; the grid replaces fields of it)",
        "Stored": f"{plan['stored']:,} in {plan['records']}, {missing:,} still to run",
        "Shapes": f"{plan['shapes']:,} to compile, each once for all its seeds and data",
        "Estimate": _time(missing, **known),
    }
    for name, text in lines.items():
        _print(f"{name:<10}{text}")
    _print("Dry run: nothing is run and nothing written.")


def print_repeated(about: Mapping[str, Any]) -> None:
    """Before the runs: that several combinations are one run, where they are."""
    if about["combinations"] > about["runs"]:
        _print(f"{about['grid']}: {_count(about)}")


def print_swept(known: Mapping[str, Any], out: Path) -> None:
    """After the runs: how many have a record, and how to read them."""
    counts = f"{known['done']:,} of {known['runs']:,} runs have a record in {known['records']}"
    _print(f"{counts} ({known['reused']:,} reused, {known['failed']:,} failed)")
    where = "" if out == Path("out") else f" --out {out}"
    _print(f"Read them: uniformity records export --study {known['study']}{where} --parquet {known['study']}.parquet")


def _count(about: Mapping[str, Any]) -> str:
    combinations, runs = about["combinations"], about["runs"]
    if combinations == runs:
        return f"{runs:,} runs"
    return f"{combinations:,} combinations, but {runs:,} different runs, each run once"


def _time(missing: int, *, seconds: float | None, records: int, known: int) -> str:
    if not missing:
        return "nothing to run"
    if seconds is None:
        return "no past records of this study"
    told = f"about {duration(seconds)} in one process, from {records:,} past records"
    return (
        f"{told} of the same shapes" if known == missing else f"{told}; {missing - known:,} runs by the nearest shape"
    )


def _print(text: str) -> None:
    Console(highlight=False).print(text, soft_wrap=True, markup=False)

"""What `uniformity select` prints: the chosen rows beside the pool and as many random ones, and what is certain."""

from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

_METRIC = {"euclidean": "Euclidean distance", "cosine": "cosine distance (1 - cos)"}
_COLUMNS = {"pool": "the pool", "chosen": "chosen", "random": "random rows"}


def print_selection(known: dict[str, Any]) -> None:
    """`known` as `uniformity select` writes it into .json."""
    console = Console(highlight=False)

    def say(text: str) -> None:
        console.print(text, soft_wrap=True, markup=False)

    say(f"Pool       {known['pool']}")
    say(f"Chosen     {known['k']:,} of {known['pool_rows']:,} rows by {known['method']}, in {_METRIC[known['metric']]}")
    if known["report"]:
        console.print(_table(known["report"]))
        say(_comparison(known["report"]["chosen"]["mean_nearest"], known["report"]["random"]["mean_nearest"]))
    for sentence in _guarantee(known):
        say(sentence)
    for path, what in known["written"].items():
        say(f"Written    {path}: {what}")


def _table(report: dict[str, Any]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("", no_wrap=True)
    for name in report:
        table.add_column(_COLUMNS[name], justify="right", no_wrap=True)

    def row(label: str, *values: str) -> None:
        table.add_row(label, *values)

    columns = list(report.values())
    row("rows", *(f"{column['n']:,}" for column in columns))
    row("smallest distance of two rows (h_min)", *(_number(column["h_min"]) for column in columns))
    row("mean distance to the nearest row", *(_number(column["mean_nearest"]) for column in columns))
    row("rows that repeat another", *(f"{column['exact']['rows']:,}" for column in columns))
    covers = ("" if name == "pool" else _number(column["fill"]) for name, column in report.items())
    row("pool row farthest from all of these", *covers)
    return table


def _comparison(chosen: float | None, random: float | None) -> str:
    text = "Fewer rows lie farther apart whoever chooses them (D3), so compare with the random ones"
    return f"{text}: {chosen / random:.3g} times as far on average." if chosen and random else f"{text}."


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _guarantee(known: dict[str, Any]) -> list[str]:
    """The guarantee in words."""
    k, proven, parts = known["k"], known["guarantee"], known["parts"]
    if proven is None:
        return [f"Guarantee  none: of the methods greedy alone has one for these distances, {known['method']} has not"]
    if proven["best_separation"] == 0.0:
        return [f"Note       fewer than {k:,} rows differ, so that some of the chosen repeat another"]
    rows = "rows that are no outliers" if known["max_outlier"] is not None else "rows of the pool"
    bounds = []
    if proven["best_separation"] is not None:
        bounds.append(f"no {k:,} {rows} have an h_min above {_number(proven['best_separation'])}")
    if proven["best_cover"] is not None:
        bounds.append(f"no {k:,} centres have every row of the pool within {_number(proven['best_cover'])}")
    sentences = [f"Guarantee  {', and '.join(bounds)} ({proven['claim']})"] if bounds else []
    if parts and "share" in parts:
        sentences.append(
            f"           chosen in {parts['parts']} parts: their h_min is {_number(parts['separation'])}, "
            f"{parts['share']:.0%} of the largest possible or more"
        )
    return sentences

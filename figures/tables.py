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
        for row in entry["inequalities"]:
            slack = row["slack_log10"]
            factor = f"x {10 ** slack['median']:.2g}" if slack else "no ratio"
            counts = " | ".join(str(row[name]) for name in ("holds", "violated", "vacuous", "not_applicable"))
            lines.append(
                f"| {entry['id']} {_link(entry)} | {row['name']} | {counts} | {factor} | {entry['constants']} |"
            )
    return "\n".join(lines)


def claims_table(rows: list[dict[str, Any]]) -> str:
    """The trace table of the notes: a row a claim, from its standing to its tests, study, figure, hunt and status."""

    def links(paths: list[str]) -> str:
        return ", ".join(f"[{path.split('/')[-1].removesuffix('.py')}]({path})" for path in paths) or "none"

    lines = [
        "| Claim | Title | Standing | Provenance | Statement | Code | Tests | Study | Figure | Hunt | Status |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        statement = row["statement"].replace("|", "\\|")
        hunt = row["hunt"]
        hunted = f"{hunt['applicable']:,} of {hunt['tried']:,} apply" if hunt else "none"
        cells = [
            row["id"],
            _link(row),
            row["standing"],
            row["provenance"],
            f"`{statement}`",
            links([row["code"]]),
            links([row["test"]]),
            links(row["study"]),
            links(row["figure"]),
            hunted,
            row["status"].replace("_", " "),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


SEEN = 1.15
"""Factor by which a leading constant must be off at most for the hunt's tightest instances to show it."""


def looseness_table(rows: list[dict[str, Any]]) -> str:
    """For each inequality: how near the hunt brought measurement and bound, hence which wrong constant it would see."""
    lines = [
        "| Claim | Inequality | Nearest to equality | A constant wrong by 15% is seen |",
        "| --- | --- | --- | --- |",
    ]
    for row in rows:
        for found in (row["hunt"] or {"tightest": []})["tightest"]:
            factor = 10 ** max(found["slack_log10"], 0.0)
            seen = "yes" if factor < SEEN else f"no, from a factor {factor:.3g} on"
            lines.append(f"| {row['id']} {_link(row)} | {found['inequality']} | x {factor:.4g} | {seen} |")
    return "\n".join(lines)


def studies_section(summaries: list[dict[str, Any]]) -> str:
    """What each study asked, how it could have failed, and what it says of each claim, in its own words."""
    parts = []
    for summary in summaries:
        name = summary["study"]
        parts.append(
            f"### {summary['code']} {summary['title']}\n\n"
            f"**Question.** {summary['question']} **Varied:** {summary['varied']}. **Control:** {summary['control']}. "
            f"**Falsified by** {summary['falsified_by']}.\n\n"
            f"[Study](experiments/studies/{name}.py), [figure](figures/gallery/{name}.png), "
            f"[summary](figures/summaries/{name}.json): preset {summary['preset']}, {summary['seeds']} seeds, "
            f"`{summary['command']}`.\n\n"
            + "\n".join(f"- {claim}. {words}" for claim, words in summary["words"].items())
        )
    return "\n\n".join(parts)


_DIGITS = {"l2, sgd": "l2-loss, plain SGD", "cross-entropy, adam": "cross-entropy, Adam"}
_LANGUAGE = {
    "small adam": "0.11M parameters, docstrings and code, cross-entropy, Adam",
    "small sgd": "the same, l2-loss, plain SGD",
    "large adam": "0.43M parameters, cross-entropy, Adam",
    "large sgd": "the same, l2-loss, plain SGD",
    "small adam news": "0.11M parameters, news, cross-entropy, Adam",
}


def selection_table(digits: dict[str, Any], language: dict[str, Any]) -> str:
    """Steps to a loss as the paper counts them and on held-out rows, uniform : random : full, beside the published."""

    def quotients(summary: dict[str, Any], label: str, over: str) -> str:
        found = {row["label"]: row for row in summary["estimates"]}
        parts = [found.get(f"{label}, {other}{over}uniform") for other in ("random", "full")]
        return "1 : " + " : ".join(quoted(part, ".2f") if part else "not reached" for part in parts)

    def gained(summary: dict[str, Any], start: str, part: str, digits: str) -> str:
        (row,) = [row for row in summary["estimates"] if row["label"].startswith(f"{start}: ") and part in row["label"]]
        return quoted(row, digits)

    published = language["paper_ratios"]
    lines = [
        "| Trained | Steps to a loss on the rows trained on, uniform : random : full | on held-out rows | "
        "Held-out at the end, uniform less random |",
        "| --- | --- | --- | --- |",
        "| published: LLaMA-1-13B on WizardLM, minutes, half of the pool | "
        f"1 : {published['random']:.2f} : {published['full']:.2f} | | |",
    ]
    size, pool = digits["sizes"][0], digits["pool_size"]
    for training, told in _DIGITS.items():
        start = f"{training}, {size} rows"
        lines.append(
            f"| residual MLP on {size} of {pool:,} digits, {told} | "
            f"{quotients(digits, f'{start}: steps to own loss, late', ' / ')} | "
            f"{quotients(digits, f'{start}: steps to held-out loss, late', ' / ')} | "
            f"{gained(digits, start, 'held-out accuracy, uniform less random', '+.1f')} points of accuracy |"
        )
    for situation, told in _LANGUAGE.items():
        start = f"{situation}: steps to the full run's half"
        lines.append(
            f"| transformer of {told} | {quotients(language, f'{start} training loss', ' : ')} | "
            f"{quotients(language, f'{start} held_out loss', ' : ')} | "
            f"{gained(language, situation, 'uniformity (uniform - random)', '+.4f')} of loss |"
        )
    return "\n".join(lines).replace("transformer of the same", "the same")


_CONDITIONS = {
    "": "nothing, as above",
    ", step size times 0.5": "half the step size",
    ", step size times 0.25": "a quarter of the step size",
    ", duplicates 0.5": "half of the pool repeats the rest",
    ", label noise 0.3": "30% of the labels are wrong",
    ", outliers 0.1": "10% of the pool is far from everything",
}


def conditions_table(digits: dict[str, Any]) -> str:
    """What the gain of uniform digits on held-out rows hangs on: a row a condition, two columns an optimiser."""
    found = {row["label"]: row for row in digits["estimates"]}
    size = digits["sizes"][0]
    told = list(_DIGITS.values())
    lines = [
        "| Changed | "
        + " | ".join(f"held-out steps, random : uniform, {name} | points of accuracy" for name in told)
        + " |",
        "| --- | --- | --- | --- | --- |",
    ]
    for condition, name in _CONDITIONS.items():
        cells = []
        for training in _DIGITS:
            start = f"{training}, {size} rows{condition}"
            cells.append(quoted(found[f"{start}: steps to held-out loss, late, random / uniform"], ".2f"))
            cells.append(quoted(found[f"{start}: held-out accuracy, uniform less random"], "+.1f"))
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    cells = []
    for training in _DIGITS:
        row = found[f"{training}, {size} rows: seconds to held-out loss, late, random / uniform"]
        cells += [quoted(row, ".2f"), ""]
    lines.append("| in seconds, the choosing counted | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _link(row: dict[str, Any]) -> str:
    anchor = "".join(letter for letter in f"{row['id']} {row['title']}".lower() if letter.isalnum() or letter in "- ")
    return f"[{row['title']}](#{anchor.replace(' ', '-')})"

"""`uniformity reproduce`: train, measure, draw every figure, print the ledger."""

import json as json_format
from pathlib import Path
from typing import Literal

from figures.commands.asked import Names, Style, chosen, use_all_cores


def reproduce(
    *,
    preset: Literal["smoke", "quick", "paper"] = "quick",
    only: Names = (),
    out: Path = Path("out"),
    fresh: bool = False,
    dtype: Literal["float64", "float32"] = "float64",
    style: Style = "one-column",
    json: bool = False,
) -> int:
    """Train, measure, draw every figure and print the ledger.

    With --dtype float32 every run is measured in float64 and in float32, and what single precision loses is printed and
    drawn instead; no claim is judged, so no ledger is written.

    Parameters
    ----------
    preset
        How much is run: smoke takes seconds, quick a few minutes on two cores, paper is for publication.
    only
        Names of studies; by default all.
    out
        Folder for ledger.json, records/, summaries/ and figures/.
    fresh
        Measure every run anew instead of reusing records.
    dtype
        Arithmetic: float64, or float32 compared with it.
    style
        Paper whose widths and fonts the figures have.
    json
        Print the ledger, or the comparison, as JSON on stdout; progress goes to stderr.
    """
    use_all_cores()
    if dtype == "float32":
        return _compare_precisions(preset, only, out, fresh=fresh, style=style, json=json)
    from experiments.ledger import ledger
    from experiments.provenance import provenance
    from experiments.records import RecordStore, write_atomically
    from experiments.reproduce import dump, run_study, write_summary
    from experiments.studies import STUDIES
    from figures.draw import draw_figure, drawn_from
    from figures.terminal import Reporter, print_ledger

    studies = chosen("--only", only, STUDIES)
    store = RecordStore(out / "records")
    findings = {}
    with Reporter(to_stderr=json) as reporter:
        for study in studies:
            findings[study.name], made = run_study(study, preset, store, fresh=fresh, report=reporter)
            summary = write_summary(study, preset, findings[study.name], made, out / "summaries")
            for name in drawn_from(study.name):
                draw_figure(name, summary, out / "figures", paper=style)
    entries = ledger(
        [check for found in findings.values() for check in found.checks],
        [slope for found in findings.values() for slope in found.slopes],
        _words({study.code: findings[study.name].words for study in studies}),
    )
    named = f" --only {' '.join(findings)}" if only else ""
    book = {
        "preset": preset,
        "studies": list(findings),
        "command": f"uniformity reproduce --preset {preset}{named}",
        "made_by": provenance(),
        "claims": entries,
    }
    content = dump(book)
    write_atomically(out / "ledger.json", content)
    draw_figure("ledger", json_format.loads(content), out / "figures", paper=style)
    if json:
        print(json_format.dumps(book))
    else:
        print_ledger(book, out)
    return 0


def _compare_precisions(preset: str, only: Names, out: Path, *, fresh: bool, style: Style, json: bool) -> int:
    """Every run in float64 and in float32: summaries/precision.json, its figure, its table."""
    from experiments import precision
    from experiments.records import write_atomically
    from experiments.reproduce import dump
    from experiments.studies import STUDIES
    from figures.draw import draw_figure
    from figures.terminal import Reporter, print_precision

    studies = chosen("--only", only, STUDIES)
    with Reporter(to_stderr=json) as reporter:
        compared = precision.compare_all(studies, preset, out, fresh=fresh, report=reporter)
    content = dump(precision.summary(preset, compared, only=[study.name for study in studies] if only else ()))
    write_atomically(out / "summaries" / "precision.json", content)
    book = json_format.loads(content)
    draw_figure("precision", book, out / "figures", paper=style)
    if json:
        print(content.decode(), end="")
    else:
        print_precision(book, out)
    return 0


def _words(spoken: dict[str, dict[str, str]]) -> dict[str, str]:
    """Each claim's sentences of all the studies that speak of it, after the study's code."""
    claims = dict.fromkeys(claim for words in spoken.values() for claim in words)
    return {
        claim: " ".join(f"{code}: {words[claim]}" for code, words in spoken.items() if claim in words)
        for claim in claims
    }

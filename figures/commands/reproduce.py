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
    style: Style = "one-column",
    json: bool = False,
) -> int:
    """Train, measure, draw every figure and print the ledger.

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
    style
        Paper whose widths and fonts the figures have.
    json
        Print the ledger as JSON on stdout; progress goes to stderr.
    """
    use_all_cores()
    from experiments.ledger import ledger
    from experiments.provenance import provenance
    from experiments.records import RecordStore, write_atomically
    from experiments.reproduce import dump, run_study, write_summary
    from experiments.studies import STUDIES
    from figures.draw import draw_figure
    from figures.terminal import Reporter, print_ledger

    studies = chosen("--only", only, STUDIES)
    store = RecordStore(out / "records")
    findings = {}
    with Reporter(to_stderr=json) as reporter:
        for study in studies:
            findings[study.name], made = run_study(study, preset, store, fresh=fresh, report=reporter)
            summary = write_summary(study, preset, findings[study.name], made, out / "summaries")
            draw_figure(study.name, summary, out / "figures", paper=style)
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


def _words(spoken: dict[str, dict[str, str]]) -> dict[str, str]:
    """Each claim's sentences of all the studies that speak of it, after the study's code."""
    claims = dict.fromkeys(claim for words in spoken.values() for claim in words)
    return {
        claim: " ".join(f"{code}: {words[claim]}" for code, words in spoken.items() if claim in words)
        for claim in claims
    }

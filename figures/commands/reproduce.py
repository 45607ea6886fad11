"""`uniformity reproduce`: train, measure, draw every figure, print the ledger."""

import json as json_format
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from figures.commands.asked import Names, Style, chosen, use_all_cores
from figures.commands.engine_options import EngineOptions
from figures.commands.unfinished import tell_unfinished
from figures.interrupt import gentle_interrupt

if TYPE_CHECKING:
    from experiments.study import Findings, Study


def reproduce(
    *,
    preset: Literal["smoke", "quick", "paper"] = "quick",
    only: Names = (),
    out: Path = Path("out"),
    fresh: bool = False,
    dtype: Literal["float64", "float32"] = "float64",
    style: Style = "one-column",
    json: bool = False,
    engine: EngineOptions | None = None,
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
    from experiments.reproduce import Unfinished
    from experiments.studies import STUDIES

    studies = chosen("--only", only, STUDIES)
    with (engine or EngineOptions()).client() as client, gentle_interrupt() as stop:
        how = {"client": client, "fresh": fresh, "stop": stop}
        try:
            if dtype == "float32":
                return _compare_precisions(studies, preset, out, named=bool(only), style=style, json=json, how=how)
            findings = _found(studies, preset, out, style=style, json=json, how=how)
        except Unfinished as error:
            return tell_unfinished(error.outcome, fresh=fresh)
    if len(findings) < len(studies):
        print("uniformity: no ledger is written, since a verdict rests on all runs", file=sys.stderr)
        return 1
    return _judge(studies, preset, out, findings, named=bool(only), style=style, json=json)


def _found(
    studies: Sequence["Study"], preset: str, out: Path, *, style: Style, json: bool, how: dict[str, Any]
) -> dict[str, "Findings"]:
    """The findings of every study all of whose runs succeed, with its summary and figures; the others are told.

    Raises Unfinished when interrupted.
    """
    from experiments.engine import Outcome
    from experiments.records import RecordStore
    from experiments.reproduce import Unfinished, run_study, write_summary
    from figures.draw import draw_figure, drawn_from
    from figures.progress_screen import Reporter

    store, findings, failed = RecordStore(out / "records"), {}, []
    with Reporter(to_stderr=json) as reporter:
        for study in studies:
            if how["stop"]():
                raise Unfinished(Outcome([], [], interrupted=True))
            try:
                findings[study.name], made = run_study(study, preset, store, report=reporter, **how)
            except Unfinished as error:
                if error.outcome.interrupted:
                    raise
                failed.append(error)
                continue
            summary = write_summary(study, preset, findings[study.name], made, out / "summaries")
            for name in drawn_from(study.name):
                draw_figure(name, summary, out / "figures", paper=style)
    for error in failed:
        tell_unfinished(error.outcome)
    return findings


def _judge(
    studies: Sequence["Study"],
    preset: str,
    out: Path,
    findings: dict[str, "Findings"],
    *,
    named: bool,
    style: Style,
    json: bool,
) -> int:
    """The ledger over all findings, written, drawn and printed."""
    from experiments.ledger import ledger
    from experiments.provenance import provenance
    from experiments.records import write_atomically
    from experiments.reproduce import dump
    from figures.draw import draw_figure
    from figures.terminal import print_ledger

    entries = ledger(
        [check for found in findings.values() for check in found.checks],
        [slope for found in findings.values() for slope in found.slopes],
        _words({study.code: findings[study.name].words for study in studies}),
    )
    book = {
        "preset": preset,
        "studies": list(findings),
        "command": f"uniformity reproduce --preset {preset}" + (f" --only {' '.join(findings)}" if named else ""),
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


def _compare_precisions(
    studies: Sequence["Study"], preset: str, out: Path, *, named: bool, style: Style, json: bool, how: dict[str, Any]
) -> int:
    """Every run in float64 and in float32: summaries/precision.json, its figure, its table."""
    from experiments import precision
    from experiments.records import write_atomically
    from experiments.reproduce import dump
    from figures.draw import draw_figure
    from figures.progress_screen import Reporter
    from figures.terminal import print_precision

    with Reporter(to_stderr=json) as reporter:
        compared = precision.compare_all(studies, preset, out, report=reporter, **how)
    content = dump(precision.summary(preset, compared, only=[study.name for study in studies] if named else ()))
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

"""The report of one ledger: every claim, every figure, and for each figure what it takes to measure it again."""

import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from experiments.records import write_atomically
from experiments.studies import STUDIES
from figures import style
from figures.document import Block, Code, Facts, Folded, Heading, Link, Picture, Table, Text
from figures.document_html import html_page
from figures.document_markdown import markdown_page
from figures.draw import DRAWERS, SUMMARIES, committed_hunts, draw_graph, figure_of, read_summary
from figures.report_tables import (
    VERDICTS,
    estimate_table,
    factor,
    inequality_table,
    number,
    plain_setting,
    slope_table,
    titled_table,
)
from theory.claims import CLAIMS

TITLE = "Does more uniform data train faster? Every claim, measured"

ABOUT = (
    "A larger minimum pairwise distance h_min of the training points is said to make gradient descent faster and "
    "networks more accurate (arXiv 2506.24120). Here each such sentence is an inequality with explicit constants, "
    "proved, hunted for counterexamples, and held against residual MLPs and small transformers trained by plain "
    "gradient descent on data whose h_min is set exactly."
)
GRAMMAR = (
    "In every figure: filled markers on solid lines are measured, dashed black lines are bounds, open markers on "
    "dotted lines are controls, thin grey dots are expected laws, a red cross is a violated check. Intervals are 95% "
    "bootstrap intervals over seeds. Vacuous: the bound is true but excludes nothing there. Not applicable: a "
    "hypothesis fails there. A factor is the larger side of an inequality over the smaller, 1 where it is attained."
)


def write_report(out: Path, *, folder: Path | None = None, paper: str = "one-column") -> list[Path]:
    """Write OUT (HTML, whole in itself), OUT with suffix .md and its pictures; the paths written, pictures first.

    folder: of a `uniformity reproduce`; by default the summaries committed here. Raises OSError for a missing file,
    ValueError for one that is not what reproduce writes.
    """
    with style.applied(paper):
        blocks = report_blocks(folder)
    pictures = out.parent / f"{out.stem}_figures"
    written = [pictures / f"{block.name}.svg" for block in blocks if isinstance(block, Picture)]
    for path, picture in zip(written, (block for block in blocks if isinstance(block, Picture))):
        write_atomically(path, picture.svg)
    markdown = out.with_suffix(".md")
    write_atomically(markdown, markdown_page(blocks, pictures=pictures.name).encode())
    write_atomically(out, html_page(TITLE, blocks).encode())
    return [*written, markdown, out]


def report_blocks(folder: Path | None = None) -> tuple[Block, ...]:
    """The report as blocks, in the style applied."""
    book = read_summary((folder or SUMMARIES) / "ledger.json")
    hunts = committed_hunts()
    try:
        studied = [name for name in DRAWERS if name in book["studies"]]
    except (KeyError, TypeError) as error:
        raise ValueError("ledger.json must list the studies that it counts, but it did not") from error
    summaries = {name: _summary(name, folder, book) for name in studied}
    # Another command makes it: a folder of one's own may lack it.
    compared = read_summary(_path("precision", folder)) if _path("precision", folder).exists() else None
    ledger, graph = _picture("ledger", "The ledger, a row a claim", figure_of("ledger", book)), draw_graph()
    try:
        return (
            *_opening(book),
            ledger,
            inequality_table(book, hunts),
            Heading(2, "Figures", "figures"),
            *(block for name, summary in summaries.items() for block in _study(name, summary)),
            *(_precision(compared) if compared else ()),
            Heading(2, "Claims", "claims"),
            Text("Each claim with its hypotheses, its standing, and what the studies and the hunt found."),
            _picture("claims_graph", "Which statement rests on which", graph),
            *_claims(book, hunts),
        )
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise ValueError(f"the summaries must be what this version writes, but {error!r} came up") from error


def _path(name: str, folder: Path | None) -> Path:
    return (folder / "summaries" if folder else SUMMARIES) / f"{name}.json"


def _summary(name: str, folder: Path | None, book: Mapping[str, Any]) -> dict[str, Any]:
    """A study's summary, of the preset that the ledger counts."""
    summary = read_summary(_path(name, folder))
    if summary.get("preset") != book.get("preset"):
        raise ValueError(
            f"{_path(name, folder)} must come from the ledger's preset {book.get('preset')!r}, but it came from "
            f"{summary.get('preset')!r}: run `uniformity reproduce` to its end"
        )
    return summary


def _picture(name: str, alt: str, figure: Figure) -> Picture:
    """A figure as SVG, its caption beside it as text."""
    caption = spoken(style.take_caption(figure))
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata=style.UNDATED["svg"])
    return Picture(name, alt, caption, buffer.getvalue())


_LETTERS = {"lambda": "λ", "eta": "η", "mu": "μ", "theta": "θ", "pi": "π", "prod": "∏", "sigma": "σ", "Gamma": "Γ"}


def spoken(text: str) -> str:
    """A caption's mathtext as plain Unicode: $\\lambda_{\\min}$ as λ_min."""

    def formula(found: re.Match[str]) -> str:
        plain = re.sub(r"\\([A-Za-z]+)", lambda word: _LETTERS.get(word[1], word[1]), found[1])
        return re.sub(r"[{}\\]", "", plain)

    return re.sub(r"\$([^$]*)\$", formula, text)


def _opening(book: Mapping[str, Any]) -> list[Block]:
    entries = book["claims"]
    counts = {name: sum(entry[name] for entry in entries) for name in VERDICTS}
    tally = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items())
    made = book["made_by"]
    return [
        Heading(1, TITLE, "top"),
        Text(ABOUT),
        Text(GRAMMAR),
        Heading(2, "The ledger", "ledger"),
        Text(
            f"{sum(counts.values()):,} checks of {sum(entry['checks'] > 0 for entry in entries)} claims by "
            f"{len(book['studies'])} studies: {tally}. {len(CLAIMS)} claims are hunted for counterexamples besides."
        ),
        Facts((("Preset", book["preset"]), ("Read by", _maker(made)))),
        Code(f"uv run {book['command']}"),
    ]


def _maker(made: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in made["versions"].items())
    return f"commit {made['commit']}; {versions}; {made['dtype']} on {made['device']}, {made['machine']}"


def _study(name: str, summary: Mapping[str, Any]) -> list[Block]:
    """A figure with its caption, its question, its numbers, and how to measure it again."""
    heading = Heading(3, f"{summary['code']} {summary['title']}", f"study-{name}")
    blocks: list[Block] = [heading]
    study = STUDIES.get(name)
    if study:
        tested = tuple(Link(claim, f"claim-{claim.lower()}") for claim in study.claims)
        blocks.append(
            Facts(
                (
                    ("Question", study.question),
                    ("Varied", study.varied),
                    ("Control", study.control),
                    ("Falsified by", study.falsified_by),
                    ("Claims tested", tested),
                )
            )
        )
    blocks.append(_picture(name, summary["title"], figure_of(name, dict(summary))))
    blocks.append(Code(f"uv run {summary['command']}"))
    blocks.append(Facts(_provenance(summary)))
    settings = Table(
        ("Setting", "Value"), tuple((key, plain_setting(value)) for key, value in summary["settings"].items())
    )
    blocks.append(Folded(f"Settings of the preset {summary['preset']}", f"settings-{name}", (settings,)))
    if summary["slopes"]:
        blocks += titled_table("Exponents", f"slopes-{name}", slope_table(summary["slopes"]))
    if summary["estimates"]:
        blocks += titled_table("Estimates", f"estimates-{name}", estimate_table(summary["estimates"]))
    return blocks


def _precision(summary: Mapping[str, Any]) -> list[Block]:
    """What float32 loses: the figure, every quantity that it does not resolve, every exponent that it moves."""
    lost = tuple(
        (
            f"{study['code']} {study['study']}",
            row["quantity"],
            row["resolution"],
            *("not finite" if row[name] is None else f"{row[name]:.2g}" for name in ("median", "high")),
        )
        for study in summary["studies"]
        for row in study["quantities"]
        if row["resolution"] != "resolved"
    )
    moved = tuple(
        (study["code"], slope["claim"], slope["label"], number(slope["double"]), number(slope["single"]))
        for study in summary["studies"]
        for slope in study["slopes"]
        if slope["apart"]
    )
    header = ("Study", "Quantity", "In float32", "Deviation: median", "95% quantile")
    blocks: list[Block] = [
        Heading(3, "What float32 loses", "precision"),
        _picture("precision", "float32 beside float64", figure_of("precision", dict(summary))),
        Code(f"uv run {summary['command']}"),
        Facts(_provenance(summary)),
    ]
    if lost:
        blocks += titled_table("Quantities that float32 does not resolve", "precision-lost", Table(header, lost))
    if moved:
        header = ("Study", "Claim", "Exponent of", "In float64", "In float32")
        blocks += titled_table("Exponents whose intervals do not meet", "precision-moved", Table(header, moved))
    return blocks


def _provenance(summary: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    made = summary["records_made_by"]

    def counted(name: str) -> str:
        return "; ".join(f"{value} ({count:,} records)" for value, count in made[name].items())

    return (
        ("Preset", summary["preset"]),
        *((("Seeds", str(summary["seeds"])),) if "seeds" in summary else ()),
        ("Records", f"{made['records']:,}, measured in {made['seconds']:,.0f} s"),
        ("Commits", counted("commits")),
        ("Versions", counted("versions")),
        ("Devices", counted("devices")),
        ("Arithmetic", counted("dtypes")),
        ("Read by", _maker(summary["made_by"])),
    )


def _claims(book: Mapping[str, Any], hunts: Mapping[str, Mapping[str, Any]]) -> list[Block]:
    entries = {entry["id"]: entry for entry in book["claims"]}
    blocks: list[Block] = []
    for claim in CLAIMS.values():
        entry, hunt = entries.get(claim.id), hunts.get(claim.id)
        facts = [
            ("Standing", f"{claim.standing}; {claim.provenance}"),
            *((f"If ({name})", sentence) for name, sentence in claim.hypotheses.items()),
            ("Sharp", claim.sharp),
            ("Constants", claim.constants),
            ("Studies", entry["words"] if entry else "Not checked by these studies."),
        ]
        facts += [("Violated at", instance) for instance in (entry or {"violations": []})["violations"]]
        facts.append(("Hunt", _hunted(hunt)))
        status = entry["status"].replace("_", " ") if entry else "not checked"
        title = f"{claim.id} {claim.title}: {status}"
        blocks.append(Folded(title, f"claim-{claim.id.lower()}", (Code(claim.statement), Facts(tuple(facts)))))
    return blocks


def _hunted(hunt: Mapping[str, Any] | None) -> str:
    if not hunt:
        return "Not hunted."
    found = "a violation" if hunt["violation"] else "no violation"
    nearest = "; ".join(
        f"{row['inequality'] or 'the inequality'} within a factor {factor(row['slack_log10'])}"
        for row in hunt["tightest"]
    )
    return f"{hunt['tried']:,} instances, {hunt['applicable']:,} applicable: {found}. Nearest to equality: {nearest}."

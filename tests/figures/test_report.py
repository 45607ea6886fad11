"""The report: whole in itself, true to its summaries, the same in HTML and Markdown."""

import json
import re
import shlex
import sys
from html.parser import HTMLParser

import pytest
from matplotlib.figure import Figure

from experiments.records import plain
from experiments.studies import STUDIES
from figures import cli, report
from figures.document import Code, Folded, Heading, Picture, Table
from figures.draw import DRAWERS, SUMMARIES, committed_summary
from theory.claims import CLAIMS

STUDIED = ("separation_law", "kernel_spectrum")
HOSTILE = '<script>alert("1")</script> & more'


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small reproduce of two studies, one with a hostile title."""
    root = tmp_path_factory.mktemp("run")
    (root / "summaries").mkdir()
    (root / "ledger.json").write_text(json.dumps({**committed_summary("ledger"), "studies": STUDIED}))
    for name in STUDIED:
        summary = committed_summary(name)
        if name == STUDIED[0]:
            summary["title"] = HOSTILE
        (root / "summaries" / f"{name}.json").write_text(json.dumps(summary))
    return root


@pytest.fixture(scope="module")
def written(folder):
    """The pages as written, and the blocks that they were written from."""
    seen = []
    page = report.html_page
    report.html_page = lambda title, blocks: seen.append(blocks) or page(title, blocks)
    try:
        report.write_report(folder / "told.html", folder=folder)
    finally:
        report.html_page = page
    return seen[0], (folder / "told.html").read_text(), (folder / "told.md").read_text()


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]

    def handle_data(self, data):
        self.text.append(data)


def test_nothing_is_loaded_from_outside(written):
    _, html, _ = written
    page = Page(html)
    assert not {"script", "link", "iframe", "object", "embed", "base", "form"} & set(page.tags)
    for tag, name, value in page.attributes:
        assert not name.startswith("on")
        if name in ("src", "srcset", "href", "action", "data", "poster", "background"):
            assert value.startswith("data:image/svg+xml;base64," if tag == "img" else "#"), (tag, name, value)
    style = html.split("<style>")[1].split("</style>")[0]
    assert "url(" not in style and "@import" not in style and "http" not in style


def test_every_link_inside_the_page_arrives(written):
    _, html, markdown = written
    page = Page(html)
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert {value[1:] for _, name, value in page.attributes if name == "href"} <= set(ids)
    assert set(re.findall(r"\]\(#([^)]*)\)", markdown)) <= set(re.findall(r'<a id="([^"]*)"', markdown))


def test_what_summaries_say_is_escaped(written):
    _, html, markdown = written
    page = Page(html)
    assert HOSTILE in " ".join(page.text) and "script" not in page.tags
    assert "<script" not in html and not re.search(r"(?<!\\)<script", markdown)


def test_every_figure_has_its_caption_question_and_command(written, folder):
    blocks, html, markdown = written
    assert [block.name for block in blocks if isinstance(block, Picture)] == ["ledger", *STUDIED, "claims_graph"]
    for name in STUDIED:
        summary, study = committed_summary(name), STUDIES[name]
        text = " ".join(Page(html).text)
        for said in (study.question, study.varied, study.control, study.falsified_by, summary["command"]):
            assert said in text
        picture = next(block for block in blocks if isinstance(block, Picture) and block.name == name)
        assert summary["command"] in picture.caption and picture.caption in text
        assert picture.svg == (folder / "told_figures" / f"{name}.svg").read_bytes()
        assert f"](told_figures/{name}.svg)" in markdown
        made = summary["records_made_by"]
        assert all(f"{commit} ({count:,} records)" in text for commit, count in made["commits"].items())


def test_every_command_is_one_that_the_command_line_takes(written):
    commands = [block.text for block in written[0] if isinstance(block, Code)]
    assert len(commands) == 1 + len(STUDIED)
    for text in commands:
        _, _, program, *arguments = shlex.split(text)
        command, _, _ = cli.app.parse_args(arguments, exit_on_error=False)
        assert text.startswith("uv run uniformity ") and program == "uniformity" and command is cli.reproduce


def test_every_claim_is_told_and_tables_are_whole(written):
    blocks, html, markdown = written
    folded = {block.anchor for block in blocks if isinstance(block, Folded)}
    assert {f"claim-{claim.lower()}" for claim in CLAIMS} <= folded
    tables = [block for block in blocks if isinstance(block, Table)]
    tables += [
        inner for block in blocks if isinstance(block, Folded) for inner in block.blocks if isinstance(inner, Table)
    ]
    assert len(tables) >= 1 + 2 * len(STUDIED)
    for table in tables:
        assert table.rows and all(len(row) == len(table.header) for row in table.rows)
    assert html.count("<tr>") == sum(1 + len(table.rows) for table in tables)
    unfenced = re.sub(r"^```.*?^```", "", markdown, flags=re.MULTILINE | re.DOTALL)  # a statement may begin with a bar
    assert len(re.findall(r"^\|", unfenced, re.MULTILINE)) == sum(2 + len(table.rows) for table in tables)
    slope = committed_summary(STUDIED[1])["slopes"][0]
    assert f"{slope['measured']:.4g}" in html and f"{slope['measured']:.4g}" in markdown


def test_every_committed_summary_has_a_section(monkeypatch):
    """All studies, their figures left out."""
    monkeypatch.setattr(report, "figure_of", lambda name, summary: Figure())
    monkeypatch.setattr(report, "draw_graph", Figure)
    blocks = report.report_blocks()
    headings = {block.anchor for block in blocks if isinstance(block, Heading)}
    assert {f"study-{name}" for name in DRAWERS} <= headings
    for study in STUDIES.values():
        for preset in study.presets.values():
            json.dumps(plain(preset))  # a summary carries its preset's settings


@pytest.mark.parametrize(
    ("damage", "names"),
    [
        (lambda path: path.unlink(), ("kernel_spectrum.json", "cannot use")),
        (lambda path: path.write_text(path.read_text()[:1000]), ("kernel_spectrum.json", "JSON object")),
        (lambda path: path.write_text("[1]"), ("kernel_spectrum.json", "JSON object")),
        (lambda path: path.write_text(path.read_text().replace('"paper"', '"quick"')), ("'paper'", "'quick'")),
        (lambda path: path.write_text(path.read_text().replace('"records_made_by"', '"else"')), ("records_made_by",)),
        (lambda path: path.write_text(path.read_text().replace('"series"', '"else"')), ("kernel_spectrum", "series")),
        (lambda path: (path.parent.parent / "ledger.json").write_text('{"claims": []}'), ("ledger.json", "studies")),
    ],
)
def test_a_damaged_summary_is_one_sentence_and_status_2(folder, tmp_path, damage, names, monkeypatch, capsys):
    (tmp_path / "summaries").mkdir()
    for path in (folder / "ledger.json", *(folder / "summaries").iterdir()):
        (tmp_path / path.relative_to(folder)).write_bytes(path.read_bytes())
    damage(tmp_path / "summaries" / "kernel_spectrum.json")
    monkeypatch.setattr(
        sys, "argv", ["uniformity", "report", "--from", str(tmp_path), "--out", str(tmp_path / "r.html")]
    )
    monkeypatch.setattr(Figure, "savefig", lambda *_, **__: None)  # the time of this test
    with pytest.raises(SystemExit) as left:
        cli.main()
    out, err = capsys.readouterr()
    assert left.value.code == 2 and out == "" and err.count("\n") == 1, err
    assert all(name in err for name in names), err
    assert not (tmp_path / "r.html").exists() and SUMMARIES.exists()


def test_mathtext_is_spoken():
    assert (
        report.spoken(r"$\lambda_{\min}(K)$ falls like $h^{2(m-1)}$ at cost $0$")
        == "λ_min(K) falls like h^2(m-1) at cost 0"
    )

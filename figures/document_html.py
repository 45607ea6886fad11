"""A document as one HTML file: no script, no outside request, light and dark, fit to print."""

import base64
import re
from html import escape
from itertools import chain

from figures.document import Block, Code, Facts, Folded, Heading, Link, Picture, Table, Text

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --paper: #ffffff; --shade: #f3f5f7; --line: #d5dae0;
  --link: #0b5fae; --good: #0a6b46; --bad: #b00020; --vague: #7a5800; }
@media (prefers-color-scheme: dark) { :root { --ink: #e3e7ec; --soft: #9da7b3; --paper: #14181d; --shade: #1f252c;
  --line: #37404a; --link: #7cb8f2; --good: #5fd0a0; --bad: #ff8a80; --vague: #e6c15c; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, sans-serif; }
main, nav { padding: 1rem 1.5rem; max-width: 62rem; margin: 0 auto; }
nav { font-size: 0.9rem; }
nav ul { list-style: none; margin: 0; padding: 0; columns: 2; }
nav .level-3 { padding-left: 1em; }
@media (min-width: 1100px) {
  body { display: grid; grid-template-columns: 17rem minmax(0, 1fr); }
  nav { position: sticky; top: 0; height: 100vh; overflow-y: auto; border-right: 1px solid var(--line); margin: 0; }
  nav ul { columns: 1; }
  main { margin: 0; padding-left: 2.5rem; }
}
a { color: var(--link); }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0.5rem 0; }
h2 { font-size: 1.3rem; margin: 2.5rem 0 0.5rem; padding-top: 0.5rem; border-top: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin: 1.8rem 0 0.3rem; }
h4 { font-size: 0.95rem; margin: 1rem 0 0.3rem; }
pre { background: var(--shade); padding: 0.6rem 0.8rem; border-radius: 6px; white-space: pre-wrap;
  overflow-wrap: anywhere; font-size: 0.85rem; }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 0.2rem 1rem; margin: 0.8rem 0; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
.wide { overflow-x: auto; margin: 0.8rem 0; }
table { border-collapse: collapse; font-size: 0.84rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: 0.22rem 0.7rem 0.22rem 0;
  border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; }
.number { text-align: right; white-space: nowrap; }
.holds { color: var(--good); } .violated { color: var(--bad); font-weight: 700; }
.vacuous, .not-applicable { color: var(--vague); } .not-checked { color: var(--soft); }
figure { margin: 1rem 0; }
figure img { display: block; width: 100%; max-width: 46rem; height: auto; background: #fff; border-radius: 6px;
  border: 1px solid var(--line); padding: 4px; }
figcaption { max-width: 46rem; font-size: 0.88rem; color: var(--soft); margin-top: 0.4rem; }
details { margin: 0.4rem 0; border-left: 3px solid var(--line); padding-left: 0.8rem; }
summary { cursor: pointer; }
@media print {
  :root { --ink: #000; --soft: #333; --paper: #fff; --shade: #f3f3f3; --line: #bbb; --link: #000; --good: #000;
    --bad: #000; --vague: #000; }
  body { display: block; font-size: 10pt; } nav { display: none; } main { padding: 0; max-width: none; }
  figure, tr { break-inside: avoid; } h2, h3 { break-after: avoid; } .wide { overflow: visible; }
  table { font-size: 7.5pt; } details::details-content { content-visibility: visible; block-size: auto; }
}
"""

VERDICTS = {"holds", "violated", "vacuous", "not applicable", "not checked"}
_NUMBER = re.compile(r"[+-]?\d[\d,.]*(e[+-]?\d+)?")
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def html_page(title: str, blocks: tuple[Block, ...]) -> str:
    """The whole page; its headings of level 2 and 3 are its table of contents."""
    headings = [block for block in blocks if isinstance(block, Heading) and block.level in (2, 3)]
    contents = "".join(
        f'<li class="level-{level}"><a href="#{escape(anchor)}">{escape(text)}</a></li>\n'
        for level, text, anchor in headings
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f'<nav aria-label="Contents"><ul>\n{contents}</ul></nav>\n<main>\n{_blocks(blocks)}</main>\n</body>\n</html>\n'
    )


def _blocks(blocks: tuple[Block, ...]) -> str:
    return "".join(_block(block) for block in blocks)


def _block(block: Block) -> str:
    match block:
        case Heading(level, text, anchor):
            return f'<h{level} id="{escape(anchor)}">{escape(text)}</h{level}>\n'
        case Text(text):
            return f"<p>{escape(text)}</p>\n"
        case Code(text):
            return f"<pre><code>{escape(text)}</code></pre>\n"
        case Facts(facts):
            return "<dl>\n" + "".join(f"<dt>{escape(k)}</dt><dd>{_value(v)}</dd>\n" for k, v in facts) + "</dl>\n"
        case Table(header, rows):
            return _table(header, rows)
        case Picture(name, alt, caption, svg):
            source = f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"
            return (
                f'<figure id="figure-{escape(name)}"><img alt="{escape(alt)}" src="{source}">\n'
                f"<figcaption>{escape(caption)}</figcaption></figure>\n"
            )
        case Folded(title, anchor, inner):
            opening = f'<details id="{escape(anchor)}"><summary>{escape(title)}</summary>\n'
            return f"{opening}{_blocks(inner)}</details>\n"


def _value(value: str | tuple[Link, ...]) -> str:
    if isinstance(value, str):
        return escape(value)
    return ", ".join(f'<a href="#{escape(link.anchor)}">{escape(link.text)}</a>' for link in value)


def _table(header: tuple[str, ...], rows: tuple[tuple[str, ...], ...]) -> str:
    """Columns of numbers alone stand to the right; verdicts have their colour."""
    numeric = [
        any(row[k] for row in rows) and all(not row[k] or _NUMBER.fullmatch(row[k]) for row in rows)
        for k in range(len(header))
    ]

    def cell(tag: str, k: int, text: str) -> str:
        name = "number" if numeric[k] else text.replace(" ", "-") if tag == "td" and text in VERDICTS else ""
        return f"<{tag}{f' class={name}' if name else ''}>{escape(text)}</{tag}>"

    def line(tag: str, cells: tuple[str, ...]) -> str:
        return "<tr>" + "".join(cell(tag, k, text) for k, text in enumerate(cells)) + "</tr>\n"

    body = "".join(chain([line("th", header)], (line("td", row) for row in rows)))
    return f'<div class="wide"><table>\n{body}</table></div>\n'

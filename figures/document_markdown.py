"""A document as Markdown, its pictures in files beside it."""

import re

from figures.document import Block, Code, Facts, Folded, Heading, Link, Picture, Table, Text


def markdown_page(blocks: tuple[Block, ...], *, pictures: str) -> str:
    """The whole page; pictures: the folder of NAME.svg files, relative to the page."""
    return "\n\n".join(_block(block, pictures) for block in blocks) + "\n"


def escaped(text: str) -> str:
    """Text that Markdown shows to the letter, in a table too."""
    return re.sub(r"([\\`*_\[\]<>|#$~])", r"\\\1", text)


def _block(block: Block, pictures: str) -> str:
    match block:
        case Heading(level, text, anchor):
            return f'<a id="{anchor}"></a>\n\n{"#" * level} {escaped(text)}'
        case Text(text):
            return escaped(text)
        case Code(text):
            return f"```\n{text}\n```"
        case Facts(facts):
            return "\n".join(f"- {escaped(name)}: {_value(value)}" for name, value in facts)
        case Table(header, rows):
            lines = [header, ("---",) * len(header)]
            return "\n".join(
                f"| {' | '.join(cells)} |" for cells in (*lines, *(tuple(map(escaped, row)) for row in rows))
            )
        case Picture(name, alt, caption, _):
            return f"![{escaped(alt)}]({pictures}/{name}.svg)\n\n{escaped(caption)}"
        case Folded(title, anchor, inner):
            opening = f'<a id="{anchor}"></a>\n\n**{escaped(title)}**'
            return "\n\n".join([opening, *(_block(block, pictures) for block in inner)])


def _value(value: str | tuple[Link, ...]) -> str:
    if isinstance(value, str):
        return escaped(value)
    return ", ".join(f"[{escaped(link.text)}](#{link.anchor})" for link in value)

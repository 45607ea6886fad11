"""`uniformity report`: one page with the ledger, every figure, and how to measure it again."""

from pathlib import Path
from typing import Annotated

import cyclopts

from figures.commands.asked import BadInput, Style


def report(
    *,
    out: Path = Path("out/report.html"),
    source: Annotated[Path | None, cyclopts.Parameter(name="--from")] = None,
    style: Style = "one-column",
) -> int:
    """Write the ledger and every figure, with what made it, as one HTML file and as Markdown.

    Parameters
    ----------
    out
        The HTML file; the Markdown and its pictures go beside it.
    source
        Folder of a `uniformity reproduce` of your own; by default the committed summaries.
    style
        Paper whose widths and fonts the figures have.
    """
    from figures.report import write_report

    if out.suffix not in (".html", ".htm"):
        raise BadInput(f"--out must be an .html file, but it was {str(out)!r}")
    try:
        written = write_report(out, folder=source, paper=style)
    except ValueError as error:
        raise BadInput(str(error)) from error
    for path in written[-2:]:
        print(path)
    return 0

"""`uniformity claims` and `uniformity draw`: what is committed, listed and drawn again; nothing is trained."""

import json as json_format
from pathlib import Path

from figures.commands.asked import BadInput, Style, chosen


def claims(
    *, json: bool = False, graph: bool = False, out: Path = Path("out/figures"), style: Style = "one-column"
) -> int:
    """List every claim: statement, hypotheses, provenance, code, test, study, figure, status.

    Parameters
    ----------
    json
        Print the list as JSON.
    graph
        Draw instead which statement rests on which, coloured by standing, and print the files' paths.
    out
        Folder for the graph's PDF, SVG and PNG files.
    style
        Paper whose widths and fonts the graph has.
    """
    if graph:
        from figures.draw import draw_committed

        for path in draw_committed("claims_graph", out, paper=style):
            print(path)
        return 0
    from figures.claims_table import claim_rows
    from figures.terminal import print_claims

    rows = claim_rows()
    if json:
        print(json_format.dumps(rows, indent=1))
    else:
        print_claims(rows)
    return 0


def draw(*figures: str, gallery: bool = False, style: Style = "one-column", out: Path = Path("out/redrawn")) -> int:
    """Redraw figures from the committed summaries alone; nothing is trained.

    Parameters
    ----------
    figures
        Names of figures; by default all.
    gallery
        Renew figures/gallery, its contact sheet and README's list of figures instead.
    style
        Paper whose widths and fonts the figures have.
    out
        Folder for the PDF, SVG and PNG files.
    """
    from figures.draw import FIGURES, draw_committed

    if gallery and figures:
        raise BadInput(f"--gallery must stand without names of figures, but they were {', '.join(figures)}")
    names = chosen("figure", figures, {name: name for name in FIGURES})
    try:
        if gallery:
            from figures.contact_sheet import renew_gallery

            written = renew_gallery()
        else:
            written = [path for name in names for path in draw_committed(name, out, paper=style)]
    except ValueError as error:
        raise BadInput(str(error)) from error
    for path in written:
        print(path)
    return 0

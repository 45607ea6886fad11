"""The gallery: every figure from the committed summaries, all of them on one sheet, README's list of them."""

import io
import textwrap
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import imread

from experiments.records import write_atomically
from figures import style
from figures.document_markdown import escaped
from figures.draw import FIGURES, committed_summary, draw_committed

ROOT = Path(__file__).parent.parent
OVERVIEWS = {
    "precision": "What float32 loses",
    "ledger": "The ledger at a glance",
    "claims_graph": "Which statement rests on which",
}
HEADING = "## Gallery\n"

COLUMNS, CELL, GAP, TITLE = 3, 2.6, 0.15, 0.42  # inches of a thumbnail's width, the space around it, its title


class Thumbnail(NamedTuple):
    """A figure on the sheet: its title and its picture, height x width x 4 in [0, 1]."""

    title: str
    picture: np.ndarray


def titled(name: str) -> str:
    """A figure's code and title."""
    if name in OVERVIEWS:
        return OVERVIEWS[name]
    summary = committed_summary(name)
    return f"{summary['code']}  {summary['title']}"


def draw(thumbnails: list[Thumbnail]) -> Figure:
    """Thumbnails of one width, row by row; a row is as high as its tallest."""
    rows = [thumbnails[start : start + COLUMNS] for start in range(0, len(thumbnails), COLUMNS)]

    def height(thumbnail: Thumbnail) -> float:
        tall, wide = thumbnail.picture.shape[:2]
        return CELL * tall / wide

    heights = [TITLE + max(height(thumbnail) for thumbnail in row) + GAP for row in rows]
    width, total = COLUMNS * (CELL + GAP) + GAP, sum(heights) + GAP
    figure = Figure(figsize=(width, total))
    FigureCanvasAgg(figure)
    top = total - GAP
    for row, tall in zip(rows, heights):
        for column, thumbnail in enumerate(row):
            left, own = GAP + column * (CELL + GAP), height(thumbnail)
            bottom = top - TITLE - own
            ax = figure.add_axes((left / width, bottom / total, CELL / width, own / total))
            ax.imshow(thumbnail.picture, aspect="auto", interpolation="hanning")
            ax.set_xticks([])
            ax.set_yticks([])
            for spine in ax.spines.values():
                spine.set(visible=True, color="0.85", linewidth=0.6)
            lines = textwrap.fill(thumbnail.title, 46)
            figure.text(left / width, (bottom + own + 0.05) / total, lines, va="bottom", fontsize=7.5)
        top -= tall
    return figure


def renewed_list(readme: str) -> str:
    """README with its section Gallery written anew. Raises ValueError when it has none."""
    before, heading, rest = readme.partition(HEADING)
    if not heading:
        raise ValueError(f"README.md must have a section {HEADING.strip()!r} for the list of figures, but it had none")
    _, mark, after = rest.partition("\n## ")
    lines = ["", "![All figures](figures/gallery/contact_sheet.png)", ""]
    for name in FIGURES:
        code, _, title = titled(name).rpartition("  ")
        link = f"[{escaped(title)}](figures/gallery/{name}.png)"
        if name in OVERVIEWS:
            lines.append(f"- {link}")
            continue
        summary = committed_summary(name)
        made = f"Preset {summary['preset']}, {summary['seeds']} seeds."
        lines.append(f"- {code} {link}: {escaped(summary['question'])} {made}")
    return before + heading + "\n".join(lines) + "\n" + mark + after


def renew_gallery(root: Path = ROOT) -> list[Path]:
    """Draw every figure and the contact sheet into the gallery, then write README's list; the paths written."""
    gallery, readme = root / "figures" / "gallery", root / "README.md"
    text = renewed_list(readme.read_text())
    written, thumbnails = [], []
    with style.applied():
        for name in FIGURES:
            written += draw_committed(name, gallery)
            thumbnails.append(Thumbnail(titled(name), imread(gallery / f"{name}.png")))
        buffer = io.BytesIO()
        draw(thumbnails).savefig(buffer, format="png", dpi=120)
    written.append(gallery / "contact_sheet.png")
    write_atomically(written[-1], buffer.getvalue())
    write_atomically(readme, text.encode())
    return [*written, readme]

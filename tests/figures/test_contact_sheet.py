"""The contact sheet and README's list of figures."""

import io

import numpy as np
import pytest

from figures.contact_sheet import COLUMNS, ROOT, Thumbnail, draw, renewed_list
from figures.draw import FIGURES
from figures.style import applied


def test_thumbnails_keep_their_shape_and_do_not_overlap():
    rng = np.random.default_rng(0)
    shapes = [(40, 60), (90, 60), (30, 60), (60, 30), (50, 50)]
    with applied():
        sheets = []
        for _ in range(2):
            rng = np.random.default_rng(0)
            pictures = [Thumbnail(f"X{k}  title", rng.random((*shape, 4))) for k, shape in enumerate(shapes)]
            figure = draw(pictures)
            buffer = io.BytesIO()
            figure.savefig(buffer, format="png", dpi=50)
            sheets.append(buffer.getvalue())
    assert sheets[0] == sheets[1]
    boxes = [ax.get_window_extent() for ax in figure.axes]
    for box, (tall, wide) in zip(boxes, shapes):
        assert box.height / box.width == pytest.approx(tall / wide)
    for first in range(len(boxes)):
        for second in range(first):
            assert not boxes[first].overlaps(boxes[second])
    assert len({round(box.x0) for box in boxes}) == COLUMNS
    assert [text.get_text() for text in figure.texts] == [picture.title for picture in pictures]


def test_the_list_of_the_readme_is_current_and_nothing_else_changes():
    readme = (ROOT / "README.md").read_text()
    assert renewed_list(readme) == readme, "run `uniformity draw --gallery`"
    for name in FIGURES:
        assert f"](figures/gallery/{name}.png)" in readme
    before, heading, gallery = readme.partition("## Gallery")
    stale = before + heading + gallery.replace("](figures/gallery/ledger.png)", "](figures/gallery/old.png)")
    assert stale != readme and renewed_list(stale) == readme


def test_a_readme_without_a_gallery_is_refused():
    with pytest.raises(ValueError, match=r"README\.md must have a section '## Gallery'"):
        renewed_list("# Title\n")

"""A figure fits its paper, and its caption tells how it is measured again."""

import shlex

import pytest

from figures import cli, style

SUMMARY = {
    "preset": "quick",
    "seeds": 5,
    "command": "uniformity reproduce --preset quick --only slowdown",
    "made_by": {"commit": "0123456789ab"},
    "records_made_by": {"commits": {"aaaaaaaaaaaa": 7, "bbbbbbbbbbbb+": 2, "cccccccccccc": 1}},
}
WORDS = "Wide WWWW mmmm letters, h -> 0, lambda_min(K) and exponents -1.10 [-1.17, -1.04] of well-separated pairs. " * 6


@pytest.mark.parametrize("paper", style.PAPERS)
def test_widths_and_fonts_are_the_papers(paper):
    page = style.PAPERS[paper]
    with style.applied(paper):
        for count, wide, width in ((1, False, page.narrow), (2, False, page.narrow), (1, True, page.full)):
            figure, axes = style.panels(count, height=1.0, wide=wide)
            assert figure.get_figwidth() == width and len(axes) == count
        figure, axes = style.panels(6, height=1.0)
        assert figure.get_figwidth() == page.full and axes[0].xaxis.label.get_size() == page.font


@pytest.mark.parametrize(("paper", "count"), [("one-column", 3), ("two-column", 1)])
def test_a_caption_fits_and_can_be_taken_off_again(paper, count):
    with style.applied(paper):
        figure, _ = style.panels(count, height=1.5)
        before = figure.get_figheight()
        style.caption(figure, WORDS, SUMMARY)
        assert figure.get_figheight() > before + 0.3
        figure.set_dpi(200)  # as saved; at the screen's 100, hinting makes glyphs wider
        figure.draw_without_rendering()
        (drawn,) = [text for text in figure.texts if text.get_text() == figure.get_supxlabel()]
        box = drawn.get_window_extent()
        assert box.x0 >= 0 and box.x1 <= figure.bbox.width and box.y0 >= 0
        assert style.take_caption(figure) == f"{WORDS}{style.source(SUMMARY)}."
        assert figure.get_figheight() == pytest.approx(before) and figure.get_supxlabel() == ""


def test_the_source_names_the_records_commits_and_a_command_that_the_command_line_takes():
    told = style.source(SUMMARY)
    assert told.startswith("Preset quick, 5 seeds, commit aaaaaaaaaaaa, bbbbbbbbbbbb+ and 1 more: ")
    program, *arguments = shlex.split(told.split(": ")[1])
    command, bound, _ = cli.app.parse_args(arguments, exit_on_error=False)
    assert program == "uniformity" and command is cli.reproduce
    assert bound.arguments == {"preset": "quick", "only": ("slowdown",)}

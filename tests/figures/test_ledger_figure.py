"""The ledger's figure: every claim has a row, and a violated one cannot be overlooked."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from experiments.ledger import STRIP, ledger, thinned
from figures.draw import committed_hunts
from figures.ledger import draw
from figures.style import VIOLATED, applied
from theory.claims import CLAIMS
from theory.verdict import Check

HELD = [Check("R2", f"seed {k}", 10.0 + k, ">=", 10.0) for k in range(100)]
BROKEN = Check("R2", "the culprit", 1.0, ">=", 20.0)


def drawn(checks, hunts):
    book = {"preset": "smoke", "command": "uniformity reproduce --preset smoke", "made_by": {"commit": "c"}}
    with applied():
        return draw({**book, "claims": ledger(checks)}, hunts)


def crosses(figure):
    """Where the red crosses stand: (log10 factor, row)."""
    return [
        point
        for ax in figure.axes
        for line in ax.lines
        if line.get_marker() == VIOLATED["marker"] and to_hex(line.get_color()) == VIOLATED["color"].lower()
        for point in line.get_xydata().tolist()
    ]


def texts(figure):
    return [text.get_text() for ax in figure.axes for text in ax.texts]


def test_a_violated_claim_has_its_cross_its_bar_and_its_number():
    row = list(CLAIMS).index("R2")
    clean, broken = drawn(HELD, {}), drawn([*HELD, BROKEN], {})
    assert crosses(clean) == []
    np.testing.assert_allclose(crosses(broken), [[np.log10(1 / 20), row]])
    assert "101, 1 violated" in texts(broken) and "100" in texts(clean)
    red = [patch for patch in broken.axes[2].patches if to_hex(patch.get_facecolor()) == "#cc0000"]
    assert len(red) == 1 and red[0].get_width() == pytest.approx(1 / 101)
    # A violated bound of 0 has no ratio, and still a cross.
    assert crosses(drawn([BROKEN._replace(measured=-1.0, bound=0.0)], {})) == [[0.0, row]]


def test_a_claim_that_no_study_checks_says_so_and_what_the_hunt_found():
    hunts = committed_hunts()
    shown = texts(drawn(HELD, hunts))
    assert shown.count("no study checks it") == len(CLAIMS) - 1
    hunt = hunts["S3"]
    assert f"hunt: {hunt['applicable']:,} of {hunt['tried']:,} apply" in shown
    assert {claim.title for claim in CLAIMS.values()} <= set(shown)
    assert crosses(drawn(HELD, {**hunts, "S3": {**hunt, "violation": "found"}})) != []
    assert texts(drawn([], {})).count("nor hunted") == len(CLAIMS)


def test_the_strip_keeps_the_ends_and_the_quantiles():
    slacks = np.random.default_rng(0).exponential(size=5000).tolist()
    kept = thinned(slacks)
    assert len(kept) == STRIP and kept[0] == min(slacks) and kept[-1] == max(slacks) and kept == sorted(kept)
    np.testing.assert_allclose(np.median(kept), np.median(slacks), rtol=0.02)
    assert thinned([0.5, 0.1]) == [0.1, 0.5] and thinned([]) == []

"""Claim lines: theory's verdicts in words, before and after training."""

from dataclasses import replace

import numpy as np
import pytest

from experiments.explore.claim_lines import PROMISES, Finding, because, line, promise, vacuous
from experiments.explore.claims_after import AFTER, claims_after
from experiments.explore.claims_before import claims_before, count_of
from experiments.explore.layers import layers
from experiments.explore.panels import measure
from experiments.explore.scene import scene
from experiments.explore.state import State
from experiments.explore.training import Training
from theory.claims import CLAIMS
from theory.verdict import Check

FATES = {"holds", "violated", "vacuous", "not_applicable", PROMISES}


def by_id(lines):
    found = {each.id: each for each in lines}
    assert len(found) == len(lines)
    for each in lines:
        assert each.title == CLAIMS[each.id].title and each.fate in FATES
        assert each.text.endswith(".") and "nan" not in each.text and "  " not in each.text
    return found


def check(**changes):
    return Check("R1", "here", measured=1.0, sense="<=", bound=12.0, inequality="a ceiling")._replace(**changes)


@pytest.mark.parametrize(
    ("changes", "fate", "text"),
    [
        ({}, "holds", "A ceiling: holds, loose by x 12: compared."),
        ({"bound": 1.0}, "holds", "A ceiling: holds, attained: compared."),
        ({"measured": 0.0}, "holds", "A ceiling: holds: compared."),
        ({"measured": 13.0}, "violated", "A ceiling: VIOLATED: compared."),
        ({"vacuous": True}, "vacuous", "A ceiling: vacuous because it excludes nothing here."),
        ({"margins": {"resolved": -1.0}}, "not_applicable", "A ceiling: not applicable because it is noise."),
        (
            {"margins": {"same parameters": -1.0}},
            "not_applicable",
            "A ceiling: not applicable because it fails here that kernel and gradient gap at the same parameters.",
        ),
    ],
)
def test_a_verdict_in_words(changes, fate, text):
    finding = Finding(check(**changes), "compared.", failing={"resolved": "it is noise"})
    assert line([finding]) == ("R1", "Spectral ceiling", fate, text)


def test_a_line_has_its_worst_finding_for_a_fate():
    holds, fails, empty = (Finding(check(**changes), "x.") for changes in ({}, {"measured": 13.0}, {"vacuous": True}))
    assert line([empty, holds]).fate == "holds"
    assert line([holds, fails]).fate == "violated"


def test_float32_is_not_judged():
    told = line([Finding(check(measured=13.0), "one is 13.")], float32=True)
    assert told.fate == "not_applicable"
    assert told.text == (
        "Not judged because the network computes in float32, and the checks allow for float64's rounding only. "
        "One is 13."
    )


def test_plain_lines():
    assert promise("R3", "At least 4.").fate == PROMISES
    assert vacuous("R3", "nothing must go").text == "Vacuous because nothing must go."
    assert because("R3", "so it is").text == "Not applicable because so it is."
    assert (count_of(12345.4), count_of(7), count_of(2e12)) == ("12,345", "7", "2e+12")


def test_the_small_scene(small_scene, small_panels):
    found = by_id(claims_before(small_scene, small_panels))
    assert list(found) == ["S4", "R1", "R3", "R4", "R6", "G2", "G3", "N1", "N2"]
    fates = [found[claim].fate for claim in ("S4", "R1", "R3", "R4", "R6", "G2", "G3", "N1", "N2")]
    assert fates == ["holds"] * 2 + [PROMISES, "holds", PROMISES, "holds", "not_applicable", "vacuous", "holds"]
    spectrum, marks = small_panels.spectrum, small_panels.marks
    assert f"loose by x {spectrum.gap_ceiling / spectrum.smallest.value:.3g}" in found["R1"].text
    assert f"loose by x {marks.at_start / marks.hessian:.3g}" in found["G2"].text
    assert f"{0.005 / marks.safe:.3g} times 1/S" in found["G3"].text
    assert f"At least {small_panels.floors.linear_floor:,.0f} steps" in found["R3"].text


def test_what_changes_the_lines(small_scene, small_panels):
    def lines(panels=small_panels, **changes):
        changed = small_scene._replace(state=replace(small_scene.state, **changes))
        return by_id(claims_before(changed, panels))

    assert "is above N/lambda_max(K_0)" in lines(step_size=1.0)["R4"].text
    assert lines(step_size=1e-6)["G3"].fate == PROMISES
    single = lines(precision="float32")
    assert {single[claim].fate for claim in ("R1", "R4", "G2", "N1", "N2")} == {"not_applicable"}
    satisfied = small_panels.floors._replace(excess=0.0, linear_floor=0.0)
    assert "tolerates a gap of" in lines(small_panels._replace(floors=satisfied))["R3"].text
    spectrum = small_panels.spectrum
    unresolved = spectrum._replace(smallest=spectrum.smallest._replace(value=-1e-15))
    assert "not resolved" in lines(small_panels._replace(spectrum=unresolved))["R1"].text
    seen = small_panels.layers._replace(constants=np.array([0.5, 0.25]))
    assert "Separation floor: holds" in lines(small_panels._replace(layers=seen))["N2"].text


def test_without_skips_a_narrow_branch_is_singular(small_scene, small_panels):
    narrow = scene(State(width=8, depth=1, skip=False, bottleneck=4))
    told = by_id(claims_before(narrow, small_panels._replace(layers=layers(narrow))))
    assert told["N1"].fate == "holds" and "singular at every point: 4 units for 8 features" in told["N1"].text
    assert told["N2"].fate == "not_applicable" and "no skip connections" in told["N2"].text


def test_relu_and_a_single_layer():
    shown = scene(State(kind="plain", width=8, depth=1, activation="relu"))
    told = by_id(claims_before(shown, measure(shown)))
    assert all("ReLU has no second derivative" in told[claim].text for claim in ("R6", "G2", "G3"))
    assert "at least 2 activations" in told["N1"].text and told["R1"].fate == "holds"


def after(shown, panels, steps):
    training = Training(shown)
    frame = training.advance(steps)
    return frame, by_id(claims_after(training, panels))


def test_after_no_step_nothing_is_said(small_scene, small_panels):
    _, told = after(small_scene, small_panels, 0)
    assert tuple(told) == AFTER and {each.fate for each in told.values()} == {"not_applicable"}


def test_after_a_run(small_scene, small_panels):
    frame, told = after(small_scene, small_panels, 1000)
    assert not any(each.fate == "violated" for each in told.values())
    assert told["R2"].fate == "holds" and "Gap motion: holds" in told["R2"].text
    assert told["R5"].fate == "holds"
    assert told["G1"].fate == "holds" and f"loose by x {frame.product / frame.loss:.3g}" in told["G1"].text
    assert f"the kernel has moved by {100 * frame.drift:.3g}%" in told["R4"].text
    assert "has not reached its target" in told["R6"].text
    assert "is above 1/S" in told["G3"].text


def test_after_reaching_the_target(small_scene, small_panels):
    state = replace(small_scene.state, target=0.5 * small_panels.floors.loss)
    floors = small_panels.floors._replace(excess=0.0, path=0.0, known_floor=0.0)
    _, told = after(small_scene._replace(state=state), small_panels._replace(floors=floors), 2000)
    assert told["R6"].fate == "vacuous" and "asks nothing of the pair's gap" in told["R6"].text


def test_a_safe_step_size_is_held_to_its_ball(small_scene, small_panels):
    state = replace(small_scene.state, step_size=small_panels.marks.safe)
    frame, told = after(small_scene._replace(state=state), small_panels, 100)
    assert told["G3"].fate == "holds" and f"loose by x {frame.radius / frame.displacement:.3g}" in told["G3"].text


def test_a_step_size_beyond_the_curvature_is_not_held_to_the_product(small_scene, small_panels):
    state = replace(small_scene.state, step_size=0.9 * small_panels.marks.edge)
    _, told = after(small_scene._replace(state=state), small_panels, 20)
    assert "is above 1/|hess L|" in told["G1"].text


def test_a_diverged_run_says_so(small_scene, small_panels):
    state = replace(small_scene.state, step_size=10.0)
    _, told = after(small_scene._replace(state=state), small_panels, 1000)
    assert all("the loss is no longer finite" in each.text for each in told.values())

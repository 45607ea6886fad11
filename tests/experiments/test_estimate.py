"""Estimates of time: exact where the past has the shape, of the nearest shape elsewhere, none without a past."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.estimate import estimate, shape_of
from experiments.records import Head, plain
from experiments.studies import selection_digits, slowdown

STUDY = slowdown.STUDY
RUN = slowdown.plan(slowdown.PRESETS["smoke"])[0]


def of_shape(width=8, num_points=12, **fields):
    return replace(RUN, architecture=replace(RUN.architecture, width=width), num_points=num_points, **fields)


def head(run, seconds, study="slowdown", **config):
    return Head("0" * 32, study, {**plain(run), **config}, {}, {"seconds": seconds}, "")


def test_without_past_records_nothing_is_known():
    for past in ([], [head(RUN, 3.0, study="tail_slope")], [head(RUN, 3.0, field_of_an_older_schema=1)]):
        assert estimate(STUDY, [RUN, of_shape(9)], past) == (None, 0, 0)
    assert estimate(STUDY, [], [head(RUN, 3.0)]) == (0.0, 0, 0)


@given(
    st.lists(st.tuples(st.sampled_from([2, 3]), st.integers(0, 99), st.floats(0, 9)), min_size=1),
    st.lists(st.tuples(st.sampled_from([2, 3]), st.integers(0, 99)), min_size=1, max_size=5),
)
def test_the_runs_of_the_past_take_again_what_they_took(past, wanted):
    """Seconds fall on whichever run of a batch ended last: only their sum over a shape is what was waited for."""
    heads = [head(of_shape(width, seed=seed), seconds) for width, seed, seconds in past]
    again = estimate(STUDY, [of_shape(width, seed=seed) for width, seed, _ in past], heads)
    assert again.seconds == pytest.approx(math.fsum(seconds for *_, seconds in past))
    assert (again.records, again.known) == (len(past), len(past))
    known = {width for width, *_ in past}
    found = estimate(STUDY, [of_shape(width, seed=seed) for width, seed in wanted], heads)
    assert found.known == sum(width in known for width, _ in wanted)


def test_a_shape_without_past_takes_the_nearest_in_ratio():
    past = [head(of_shape(4), 1.0), head(of_shape(16, seed=3), 5.0), head(of_shape(16, seed=4), 7.0)]
    past.append(head(of_shape(7, num_points=99), 100.0))
    assert estimate(STUDY, [of_shape(7)], past) == (1.0, 1, 0)
    assert estimate(STUDY, [of_shape(9), of_shape(4)], past) == (7.0, 3, 1)
    relu = replace(RUN, architecture=replace(RUN.architecture, width=16, activation="relu"))
    assert estimate(STUDY, [relu], past).seconds == 6.0


def test_seed_and_data_make_no_shape_of_their_own():
    """What is compiled once: a study's batch tells seeds apart only to cut into groups."""
    assert shape_of(STUDY, RUN) == shape_of(STUDY, replace(RUN, seed=77, h=0.2, gap=0.1, step_size=0.3))
    assert shape_of(STUDY, RUN) != shape_of(STUDY, of_shape(9)) != shape_of(STUDY, of_shape(9, num_points=5))


@pytest.mark.parametrize("field", ["batch_size", "measured_every", "steps", "pool_size", "held_out"])
def test_runs_whose_arrays_have_other_shapes_are_not_measured_together(field):
    run = selection_digits.plan(selection_digits.PRESETS["smoke"])[0]
    other = replace(run, **{field: 2 * getattr(run, field)})
    assert selection_digits.STUDY.batch(run) != selection_digits.STUDY.batch(other)

"""The search itself, on a claim whose truth is known: counts, batches, extremal instances, ascent, a violation."""

from typing import NamedTuple

import jax.numpy as jnp
import pytest
from hypothesis import strategies as st

from experiments.ascent import Ascent
from experiments.hunt import BATCH, Hunt, search
from experiments.hunt_pool import search_claims
from theory.verdict import Check


class Instance(NamedTuple):
    kind: str
    x: float


def check(instance, *, constant=1.0):
    """x (2 - x) <= constant on [0, 2]: attained at x = 1 for constant 1; vacuous for the kind "idle"."""
    measured = instance.x * (2.0 - instance.x)
    return Check("R2", repr(instance), measured, "<=", constant, rounding=1e-12, vacuous=instance.kind == "idle")


INSTANCES = st.builds(Instance, kind=st.sampled_from(["busy", "idle"]), x=st.floats(0.0, 2.0))
PLAIN = Hunt("R2", INSTANCES, check, "none")


def test_counts_add_up_and_the_tightest_instance_is_named():
    report = search(PLAIN, examples=200, seed=0)
    assert report.tried == report.applicable + report.vacuous and report.tried <= 200
    assert report.violation is None and 0.0 <= report.smallest_slack_log10 < 0.01
    assert [found.instance[:21] for found in report.tightest] == ["Instance(kind='busy',"]


def test_batches_see_every_instance_once():
    sizes = []

    def check_many(instances):
        sizes.append(len(instances))
        return [check(instance) for instance in instances]

    report = search(PLAIN._replace(check_many=check_many), examples=20 * BATCH, seed=0)
    assert set(sizes) == {BATCH} and report.tried == BATCH * len(sizes) <= 20 * BATCH


def test_extremal_instances_are_tried_even_when_the_search_would_miss_them():
    report = search(PLAIN._replace(extremal=(Instance("busy", 1.0),)), examples=1, seed=0)
    assert report.smallest_slack_log10 == 0.0


def test_ascent_closes_the_gap_that_the_search_leaves():
    far = st.builds(Instance, kind=st.just("busy"), x=st.floats(0.1, 0.5))
    ascent = Ascent(lambda instance: jnp.log(instance.x * (2.0 - instance.x)), {"x": (0.0, 2.0)})
    without = search(PLAIN._replace(instances=far), examples=20, seed=0)
    report = search(PLAIN._replace(instances=far, ascent=ascent), examples=20, seed=0)
    assert without.smallest_slack_log10 > 0.1 and report.smallest_slack_log10 < 1e-6
    assert report.tried > without.tried


@pytest.mark.parametrize("batched", [False, True])
def test_a_violation_is_found_and_shrunk(batched):
    def wrong(instance):
        return check(instance, constant=0.75)  # false between 0.5 and 1.5

    hunt = Hunt("R2", INSTANCES, wrong, "none")
    if batched:
        hunt = hunt._replace(check_many=lambda instances: [wrong(instance) for instance in instances])
    report = search(hunt, examples=20 * BATCH, seed=0)
    assert report.violation is not None and "Instance(kind='busy', x=1.0)" in report.violation


def test_the_number_of_workers_changes_no_report():
    chosen = ["S1", "S4"]
    alone = list(search_claims(chosen, examples=20, seed=3, workers=1))
    assert alone == list(search_claims(chosen, examples=20, seed=3, workers=2))
    assert [report.claim for report in alone] == chosen

"""float32 beside float64: what is compared with what, on a study whose loss of digits is known in closed form."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from study_runs import measured

from experiments import precision
from experiments.architecture import plain_mlp
from experiments.curvature import hessian_norm
from experiments.ensemble import drawn
from experiments.kernel import empirical_ntk
from experiments.precision import Resolution, by_separation, compared_slopes, deviations, relative_deviation
from experiments.records import Record, RecordStore
from experiments.reproduce import dump
from experiments.spectrum import smallest_eigenvalue, smallest_singular
from experiments.statistics import Slope
from experiments.studies import STUDIES
from experiments.study import Findings, Measured

EPS = float(np.finfo(np.float32).eps)


@dataclass(frozen=True)
class DifferenceRun:
    """h lost beside 1: (1 + h) - 1 as JAX computes it."""

    h: float
    seed: int

    @property
    def label(self) -> str:
        return f"h={self.h:g} seed {self.seed}"


def measure(runs: Sequence[DifferenceRun]) -> Iterator[tuple[DifferenceRun, Measured]]:
    for run in runs:
        difference = float((jnp.asarray(1.0) + run.h) - jnp.asarray(1.0))
        steps = np.arange(3 if jnp.asarray(1.0).dtype == np.float64 else 4)
        scalars = {"separation": run.h, "difference": difference, "double": 2 * run.h, "done": True, "never": None}
        yield run, Measured(scalars, {"steps": steps, "same": np.array([run.h, np.nan])}, "measured")


def find(preset: object, records: Sequence[Record]) -> Findings:
    values = [record.scalars["difference"] for record in records]
    if min(values) <= 0:
        raise ValueError("difference must be positive to have a logarithm, but it was 0\nsecond line")
    return Findings({}, [], [Slope("S1", "difference", 1.0, values[0], values[0], values[0], 1)], {})


SEPARATIONS = (0.5, 1e-3, 1e-9)
STUDY = replace(
    STUDIES["kernel_spectrum"],
    name="difference",
    presets={"all": SEPARATIONS, "wide": SEPARATIONS[:1]},
    plan=lambda preset: [DifferenceRun(h, seed) for h in preset for seed in (0, 1)],
    batch=lambda run: (),
    measure=measure,
    find=find,
)


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    store = RecordStore(tmp_path_factory.mktemp("single"))
    single = precision.measure_single(STUDY, "all", store, report=lambda event: None)
    doubles = measured(STUDY, STUDY.plan(SEPARATIONS))
    return single, doubles


def test_deviation_in_closed_form():
    found = relative_deviation([1.0, 0.0, 2.0, -1.0, np.nan, np.inf, 5.0], [1.0, 0.0, 4.0, 1.0, 1.0, 2.0, np.nan])
    np.testing.assert_array_equal(found, [0, 0, 0.5, 2, np.inf, np.inf])
    np.testing.assert_array_equal(relative_deviation(0.0, 3.0), [1.0])
    np.testing.assert_array_equal(relative_deviation(None, 3.0), [np.inf])
    assert relative_deviation("reached", "reached") == 0 and relative_deviation("diverged", "reached") == np.inf
    with pytest.raises(ValueError, match=r"^single must have the shape of double, \(2,\), but its shape was \(3,\)$"):
        relative_deviation([1.0, 2.0, 3.0], [1.0, 2.0])


def test_what_is_measured_in_float32_is_float32(compared):
    """(1 + h) - 1 rounds to a multiple of 2^-23 there and of 2^-52 here; afterwards JAX is in float64 again."""
    single, doubles = compared
    assert {record.provenance["dtype"] for record in single.records} == {"float32"}
    for record in single.records:
        assert record.scalars["difference"] == float(np.float32(1.0) + np.float32(record.config["h"]) - np.float32(1.0))
    assert [record.key for record in single.records] == [record.key for record in doubles]
    assert jnp.zeros(()).dtype == np.float64


def test_each_quantity_gets_the_resolution_it_has(compared):
    single, doubles = compared
    rows = {row.quantity: row for row in deviations(single.records, doubles)}
    assert set(rows) == {"separation", "difference", "double", "same"}, "no flags, nothing unmeasured, no other length"
    assert rows["double"].resolution == rows["same"].resolution == Resolution.RESOLVED
    difference = rows["difference"]
    assert difference.resolution == Resolution.UNRESOLVED and difference.entries == 6 and difference.worst == 1.0
    assert 0 < difference.median <= EPS / 1e-3
    assert rows["same"].entries == 6, "one of two entries: the other is NaN in float64 too"
    (wide,) = [row for row in deviations(single.records[:2], doubles[:2]) if row.quantity == "difference"]
    assert wide.resolution == Resolution.RESOLVED and wide.worst == 0.0
    (middle,) = [row for row in deviations(_scaled(doubles, 1.1), doubles) if row.quantity == "difference"]
    assert middle.resolution == Resolution.DEGRADED and middle.high == pytest.approx(0.1 / 1.1)


def _scaled(records: Sequence[Record], factor: float) -> list[Record]:
    return [
        record._replace(scalars=record.scalars | {"difference": factor * record.scalars["difference"]})
        for record in records
    ]


def test_runs_of_another_length_are_counted_and_not_compared(compared):
    single, doubles = compared
    longer = [single.records[0]._replace(arrays=doubles[0].arrays), *single.records[1:]]
    (row,) = [row for row in deviations(longer, doubles) if row.quantity == "steps"]
    assert row.entries == 3 and row.unmatched == 5


def test_versions_and_times_are_no_quantities():
    record = Record("k", "s", {}, {"versions": {"numpy": "2"}, "seconds_choosing": 1.0, "top": 2.0}, {}, {})
    assert [row.quantity for row in precision.deviations([record], [record])] == ["top"]


def test_the_sweep_shows_where_the_digits_go(compared):
    single, doubles = compared
    sweeps = {sweep["quantity"]: sweep for sweep in by_separation(single.records, doubles)}
    assert sweeps["difference"]["separation"] == sorted(SEPARATIONS)
    lost, some, none = sweeps["difference"]["deviation"]
    assert lost == 1.0 and 0 < some <= EPS / 1e-3 and none == 0.0
    arrays = [
        record._replace(scalars={}, arrays={"separation": np.array([0.1, 0.2]), "value": np.array([1.0, 2.0])})
        for record in doubles[:2]
    ]
    off = [record._replace(arrays=record.arrays | {"value": np.array([1.0, 1.0])}) for record in arrays]
    (sweep,) = by_separation(off, arrays)
    assert sweep["separation"] == [0.1, 0.2] and sweep["deviation"] == [0.0, 0.5] and sweep["cluster_size"] is None
    off, arrays = (
        [record._replace(config=record.config | {"cluster_size": 2 + k}) for k, record in enumerate(records)]
        for records in (off, arrays)
    )
    off[1] = off[1]._replace(arrays=arrays[1].arrays)
    pair, cluster = by_separation(off, arrays)
    assert pair["cluster_size"] == 2 and pair["deviation"] == [0.0, 0.5]
    assert cluster["cluster_size"] == 3 and cluster["deviation"] == [0.0, 0.0]


def test_findings_that_cannot_be_read_are_a_sentence(compared, tmp_path):
    single, doubles = compared
    assert single.failure == "ValueError: difference must be positive to have a logarithm, but it was 0"
    assert len(single.records) == 6 and list(single.slopes) == []
    part = precision.compare(STUDY, single, doubles, find(None, doubles).slopes)
    assert [slope["single"] for slope in part["slopes"]] == [None] and part["failure"] == single.failure
    wide = precision.measure_single(STUDY, "wide", RecordStore(tmp_path), report=lambda event: None)
    assert wide.failure is None and [slope.measured for slope in wide.slopes] == [0.5]
    book = precision.summary("all", precision.Compared([part], single.records), only=["difference"])
    assert book["command"] == "uniformity reproduce --preset all --dtype float32 --only difference"
    assert book["records_made_by"]["dtypes"] == {"float32": 6}
    assert book["counts"] == {"resolved": 3, "degraded": 0, "unresolved": 1} and book["slopes_lost"] == 1
    assert len(dump(book)) < 100_000


def test_a_failing_measurement_keeps_what_was_measured(tmp_path):
    def fails(runs):
        for run in runs:
            if run.h < 0.5:
                raise np.linalg.LinAlgError("no convergence")
            yield from measure([run])

    found = precision.measure_single(
        replace(STUDY, measure=fails), "all", RecordStore(tmp_path), report=lambda event: None
    )
    assert found.failure == "LinAlgError: no convergence" and list(found.slopes) == []
    assert [record.scalars["separation"] for record in found.records] == [0.5, 0.5]


def test_exponents_are_apart_when_their_intervals_do_not_meet():
    def slope(label, low, high):
        return Slope("R1", label, None, (low + high) / 2, low, high, 5)

    doubles = [slope("meets", 1.0, 2.0), slope("above", 1.0, 2.0), slope("below", 1.0, 2.0), slope("lost", 1.0, 2.0)]
    rows = compared_slopes([slope("meets", 1.9, 3.0), slope("above", 2.1, 3.0), slope("below", 0.0, 0.9)], doubles)
    assert [row["apart"] for row in rows] == [False, True, True, True] and rows[-1]["single"] is None


def test_all_studies_are_compared_and_their_records_kept_apart(tmp_path):
    """The same keys in two folders; a second time nothing is measured."""
    seen = []
    arguments = ([STUDY, replace(STUDY, name="again")], "wide", tmp_path)
    found = precision.compare_all(*arguments, report=seen.append)
    assert [part["study"] for part in found.studies] == ["difference", "again"] and len(found.records) == 8
    assert [part["slopes"][0]["single"] for part in found.studies] == [0.5, 0.5]
    assert all(part["measured"] == part["runs"] == 2 and part["failure"] is None for part in found.studies)
    double, single = (set(RecordStore(folder / "records").keys()) for folder in (tmp_path, tmp_path / "float32"))
    assert double == single and len(double) == 4
    ran = [event.study.code for event in seen if event.kind == "ran"]
    assert ran == [*["X3"] * 2, *["X3 float32"] * 2] * 2
    seen.clear()
    again = precision.compare_all(*arguments, report=seen.append)
    assert [record.key for record in again.records] == [record.key for record in found.records]
    assert "ran" not in {event.kind for event in seen}
    precision.compare_all(*arguments, fresh=True, report=seen.append)
    assert sum(event.kind == "ran" for event in seen) == 8


def test_both_precisions_start_from_the_same_draws():
    """One by one and in one compiled draw."""
    model, seeds = plain_mlp(2, width=5, depth=1), np.arange(3)
    double = jax.tree.leaves(jax.vmap(model.init)(jax.vmap(jax.random.key)(seeds)))
    together = jax.tree.leaves(drawn(model, seeds))
    with jax.enable_x64(False):
        single = jax.tree.leaves(jax.vmap(model.init)(jax.vmap(jax.random.key)(seeds)))
        together_single = jax.tree.leaves(drawn(model, seeds))
    for exact, same, *rounded in zip(double, together, single, together_single, strict=True):
        assert exact.dtype == same.dtype == np.float64
        np.testing.assert_array_equal(same, exact)
        for found in rounded:
            assert found.dtype == np.float32
            np.testing.assert_array_equal(np.asarray(found), np.asarray(exact).astype(np.float32))


def test_kernels_and_hessians_in_float32():
    """Within float32's rounding of the float64 ones, and error bars that know it."""
    model = plain_mlp(2, width=16, depth=1)
    x = np.random.default_rng(0).standard_normal((6, 2))
    y, params = x[:, 0], model.init(jax.random.key(0))
    exact, norm = np.asarray(empirical_ntk(model, params, x)), hessian_norm(model, params, x, y)
    with jax.enable_x64(False):
        params = model.init(jax.random.key(0))
        kernel = np.asarray(empirical_ntk(model, params, x))
        assert hessian_norm(model, params, x, y) == pytest.approx(norm, rel=1e-4)
    assert kernel.dtype == np.float32
    np.testing.assert_allclose(kernel, exact, rtol=0, atol=32 * EPS * exact.max())
    found, true = smallest_eigenvalue(kernel), smallest_eigenvalue(exact)
    assert abs(found.value - true.value) <= found.error and found.error == pytest.approx(2**29 * true.error, rel=1e-5)
    assert smallest_singular(kernel).error > 1e6 * smallest_singular(exact).error

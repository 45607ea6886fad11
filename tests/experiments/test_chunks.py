"""What workers are given at once: every run once, batches kept together, as long as asked once the rates are known."""

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from experiments.chunks import CHUNK_SECONDS, Chunks, together

BATCHES = st.dictionaries(st.integers(0, 9), st.integers(1, 60), min_size=1, max_size=6)
RATES = st.lists(st.floats(1e-4, 40.0), min_size=10, max_size=10)


def handed_out(sizes, rates, threads, *, known=(), guilty=()):
    """Every chunk of a sweep whose workers all take the time that the rates say, oldest first; guilty runs kill."""
    batches = {name: [(name, k) for k in range(size)] for name, size in sizes.items()}
    chunks = Chunks(batches, {name: rates[name] for name in known if name in sizes})
    out, made = [], []
    while True:
        while len(out) < threads and (given := chunks.following(threads)):
            out.append(given)
            made.append(given)
            assert len(out) == 1 or not any(each.alone for each in out)
        if not out:
            return batches, made
        given = out.pop(0)
        kills = set(given.runs) & set(guilty)
        chunks.back(given, None if kills else [sum(rates[run[0]] for run in runs) for runs in given.batches.values()])


@drawn(BATCHES, RATES, st.integers(1, 8))
def test_every_run_is_handed_out_once_and_in_order(sizes, rates, threads):
    batches, made = handed_out(sizes, rates, threads)
    for name, runs in batches.items():
        assert [run for given in made for run in given.batches.get(name, ())] == runs
    assert all(given.runs and all(given.batches.values()) and not given.alone for given in made)


@drawn(BATCHES, RATES, st.integers(1, 8))
def test_no_chunk_is_longer_than_asked_once_rates_are_known(sizes, rates, threads):
    _, made = handed_out(sizes, rates, threads, known=range(10))
    for given in made:
        seconds = sum(len(part) * rates[name] for name, part in given.batches.items())
        assert len(given.runs) == 1 or seconds <= CHUNK_SECONDS * (1 + 1e-12)


@drawn(st.integers(1, 3000))
def test_ensembles_have_few_sizes(count):
    """Each is compiled: powers of eight, and none for a single ensemble of its size unless of one run."""
    ensembles = list(together(range(count)))
    assert [run for ensemble in ensembles for run in ensemble] == list(range(count))
    sizes = [len(ensemble) for ensemble in ensembles]
    assert set(sizes) <= {8**k for k in range(5)} and sizes == sorted(sizes, reverse=True)
    assert sizes.count(max(sizes)) > 1 or count == 1
    assert len(sizes) < 40


def test_short_runs_soon_come_by_the_hundreds_and_tiny_batches_together():
    _, made = handed_out({0: 1000}, [0.002] * 10, 2)
    assert len(made) < 12 and max(len(given.runs) for given in made) >= 256
    _, made = handed_out(dict.fromkeys(range(10), 4), [0.05] * 10, 2, known=range(10))
    assert max(len(given.batches) for given in made) >= 3


def test_long_runs_are_handed_out_one_by_one_and_the_end_is_shared():
    _, made = handed_out({0: 6}, [30.0] * 10, 2)
    assert [len(given.runs) for given in made][1:] == [1] * (len(made) - 1)
    _, made = handed_out({0: 16}, [1.0] * 10, 4, known=[0])
    assert max(len(given.runs) for given in made) <= 2  # 16 seconds of work for 4: not 5 seconds for one at the end


def test_nobody_works_on_a_batch_that_another_compiles_while_there_are_others():
    chunks = Chunks({name: [(name, k) for k in range(20)] for name in range(3)}, dict.fromkeys(range(3), 1.0))
    assert len({name for _ in range(3) for name in chunks.following(3).batches}) == 3


@drawn(BATCHES, RATES, st.integers(1, 8), st.integers(0, 5))
def test_whoever_shared_a_chunk_with_a_guilty_run_comes_again_alone(sizes, rates, threads, shift):
    guilty = {(name, size - 1 - shift) for name, size in sizes.items() if size > shift}
    batches, made = handed_out(sizes, rates, threads, guilty=guilty)
    suspected = [run for given in made if not given.alone and set(given.runs) & guilty for run in given.runs]
    alone = [run for given in made if given.alone for run in given.runs]
    assert alone == suspected and set(alone) >= guilty
    assert {run for given in made for run in given.runs} == {run for runs in batches.values() for run in runs}
    assert all(len(given.runs) == 1 for given in made if given.alone)


@pytest.mark.parametrize("rate", [0.0, 1e-12])
def test_runs_that_take_no_time_are_no_fault(rate):
    _, made = handed_out({0: 100}, [rate] * 10, 2, known=[0])
    assert sum(len(given.runs) for given in made) == 100

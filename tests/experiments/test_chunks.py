"""What workers are given at once: every run once, batches kept together, as long as asked once the rates are known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.chunks import CHUNK_SECONDS, Chunks

BATCHES = st.dictionaries(st.integers(0, 9), st.integers(1, 60), min_size=1, max_size=6)
RATES = st.lists(st.floats(1e-4, 40.0), min_size=10, max_size=10)


def handed_out(sizes, rates, threads, *, known=()):
    """Every chunk of a sweep whose workers all take the time that the rates say, oldest first."""
    batches = {name: [(name, k) for k in range(size)] for name, size in sizes.items()}
    chunks = Chunks(batches, {name: rates[name] for name in known if name in sizes})
    out, made = [], []
    while True:
        while len(out) < threads and (chunk := chunks.following(threads)):
            out.append(chunk)
            made.append(chunk)
        if not out:
            return batches, made
        for name, runs in out.pop(0).items():
            chunks.learn(name, len(runs), len(runs) * rates[name])


@given(BATCHES, RATES, st.integers(1, 8))
def test_every_run_is_handed_out_once_and_in_order(sizes, rates, threads):
    batches, made = handed_out(sizes, rates, threads)
    for name, runs in batches.items():
        assert [run for chunk in made for run in chunk.get(name, ())] == runs
    assert all(runs for chunk in made for runs in chunk.values()) and all(made)


@given(BATCHES, RATES, st.integers(1, 8))
def test_no_chunk_is_longer_than_asked_once_rates_are_known(sizes, rates, threads):
    _, made = handed_out(sizes, rates, threads, known=range(10))
    for chunk in made:
        runs = sum(map(len, chunk.values()))
        assert runs == 1 or sum(len(part) * rates[name] for name, part in chunk.items()) <= CHUNK_SECONDS * (1 + 1e-12)


@given(BATCHES, RATES, st.integers(1, 8))
def test_sizes_are_powers_of_two_or_what_is_left(sizes, rates, threads):
    """So that few sizes of an ensemble are compiled."""
    batches, made = handed_out(sizes, rates, threads)
    left = {name: len(runs) for name, runs in batches.items()}
    for chunk in made:
        for name, runs in chunk.items():
            left[name] -= len(runs)
            assert left[name] == 0 or len(runs).bit_count() == 1


def test_short_runs_soon_come_by_the_hundreds_and_tiny_batches_together():
    _, made = handed_out({0: 1000}, [0.002] * 10, 2)
    assert len(made) < 12 and max(len(chunk[0]) for chunk in made) >= 256
    _, made = handed_out(dict.fromkeys(range(10), 4), [0.05] * 10, 2, known=range(10))
    assert max(map(len, made)) >= 3


def test_long_runs_are_handed_out_one_by_one_and_the_end_is_shared():
    _, made = handed_out({0: 6}, [30.0] * 10, 2)
    assert [len(chunk[0]) for chunk in made][1:] == [1] * (len(made) - 1)
    _, made = handed_out({0: 16}, [1.0] * 10, 4, known=[0])
    assert max(len(chunk[0]) for chunk in made) <= 2  # 16 seconds of work for 4: not 5 seconds for one at the end


def test_nobody_works_on_a_batch_that_another_compiles_while_there_are_others():
    chunks = Chunks({name: [(name, k) for k in range(20)] for name in range(3)}, dict.fromkeys(range(3), 1.0))
    assert len({name for _ in range(3) for name in chunks.following(3)}) == 3


def test_what_died_with_its_worker_teaches_nothing():
    chunks = Chunks({0: list(range(90))}, {})
    taken = chunks.following(1)[0]
    chunks.learn(0, 0, 0.0)
    assert len(chunks.following(1)[0]) == len(taken)


@pytest.mark.parametrize("rate", [0.0, 1e-12])
def test_runs_that_take_no_time_are_no_fault(rate):
    _, made = handed_out({0: 100}, [rate] * 10, 2, known=[0])
    assert sum(len(chunk[0]) for chunk in made) == 100

"""All items are done, an exception comes out, and BLAS has its threads back afterwards."""

import threading

import pytest
from threadpoolctl import threadpool_info

from experiments.threads import cores, on_all_cores, single_threaded_blas


def blas_threads():
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]


def test_every_item_is_done_once_with_blas_on_one_thread():
    done, lock, seen = [], threading.Lock(), set()

    def work(item):
        with lock:
            done.append(item)
            seen.update(blas_threads())

    before = blas_threads()
    on_all_cores(work, iter(range(50)))
    assert sorted(done) == list(range(50)) and seen == {1} and blas_threads() == before and cores() >= 1


def test_the_first_exception_is_raised_and_blas_restored():
    def work(item):
        if item == 3:
            raise ValueError("item 3")

    before = blas_threads()
    with pytest.raises(ValueError, match="item 3"):
        on_all_cores(work, range(1000))
    assert blas_threads() == before


def test_the_last_of_those_who_asked_gives_the_threads_back():
    before = blas_threads()
    with single_threaded_blas():
        with single_threaded_blas():
            assert set(blas_threads()) == {1}
        assert set(blas_threads()) == {1}
    assert blas_threads() == before


def test_a_worker_that_is_given_one_thread_takes_one(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert cores() == 1

"""Tasks in this process; addresses and numbers that cannot be. Workers are tested where they are used (core-sets)."""

import pytest

from experiments import cluster


def test_tasks_in_this_process_come_in_order_and_one_at_a_time():
    begun = []

    def scaled(task, shared):
        begun.append(task)
        return shared * task

    results = cluster.computed(scaled, [3, 1, 2], 10)
    assert next(results) == (0, 30) and begun == [3]
    assert list(results) == [(1, 10), (2, 20)]


def test_what_a_task_raises_is_raised():
    with pytest.raises(ZeroDivisionError):
        list(cluster.computed(lambda task, shared: 1 // task, [1, 0]))


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense"])
def test_nothing_answers_is_one_sentence(address, monkeypatch):
    monkeypatch.setattr(cluster, "_ANSWER_SECONDS", 0.5)
    words = f"the address of a running dask scheduler, but nothing answers at {address}"
    with pytest.raises(ValueError, match=words), cluster.scheduler(address):
        pass


def test_no_workers_is_one_sentence():
    with pytest.raises(ValueError, match="workers must be at least 1, but was 0"), cluster.workers(0):
        pass

"""Sweeps under what machines do to them, in real processes: kills, full and read-only disks, company, Ctrl-C.

After each no record is lost, doubled or corrupt, and once resumed all have the bits of an undisturbed sweep.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from study_runs import same_measurements
from tiny_study import STUDY, TinyRun

from experiments import cluster
from experiments.engine import run_all
from experiments.records import RecordStore

HERE = Path(__file__).parent
SLOW = [TinyRun(seed, width, seconds=0.25) for width in (2, 3) for seed in range(6)]


def command(folder, runs, *, workers=0):
    fields = json.dumps([run.__dict__ for run in runs])
    return [sys.executable, str(HERE / "sweep_driver.py"), str(folder), str(workers), fields]


def driver(folder, runs, *, workers=0, **options):
    """A sweep in a process, and a process group, of its own."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command(folder, runs, workers=workers), start_new_session=True, **pipes, **options)


def await_line(process, *beginnings):
    """The next line that begins so."""
    for line in process.stdout:
        if line.startswith(beginnings):
            return line
    raise AssertionError(process.stderr.read())


def children(pid):
    """Processes below one, the nearest first."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            after_name = entry.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        if int(after_name[1]) == pid and after_name[0] != "Z":
            own = int(entry.parent.name)
            found += [own, *children(own)]
    return found


def workers_of(pid):
    """The processes that measure: not the one that tracks multiprocessing's resources."""
    return [child for child in children(pid) if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    store = RecordStore(tmp_path_factory.mktemp("undisturbed"))
    run_all(STUDY, SLOW, store, report=lambda event: None)
    return store


def assert_whole(folder, undisturbed, *, at_least=0):
    """Every record of the store is whole and has the undisturbed bits; no file lies there without a record."""
    store = RecordStore(folder)
    keys = list(store.keys())
    assert at_least <= len(keys) and set(keys) <= set(undisturbed.keys())
    assert all(same_measurements(store.get(key), undisturbed.get(key)) for key in keys)
    return keys


def assert_resumed(folder, runs, undisturbed, *, stored):
    """The same sweep once more: what was stored is reused, the rest measured, and all is as undisturbed."""
    store, events = RecordStore(folder), []
    outcome = run_all(STUDY, runs, store, report=events.append)
    assert outcome.failures == [] and not outcome.interrupted
    assert [event.kind for event in events].count("reused") == len(stored)
    assert sorted(store.keys()) == sorted(outcome.keys) and len(outcome.keys) == len(runs)
    assert_whole(folder, undisturbed, at_least=len(runs))


def disturb(folder, undisturbed, *, rounds, workers, seed):
    """Kill a worker or the driver, whichever the dice say, at any moment, until it has been done so many times."""
    dice = random.Random(seed)
    process = driver(folder, SLOW, workers=workers)
    stored: list[str] = []
    for number in range(rounds):
        if process.poll() is not None:
            assert process.returncode == 0, process.stderr.read()
            shutil.rmtree(folder)  # all was done before the dice had killed enough
            process, stored = driver(folder, SLOW, workers=workers), []
        await_line(process, "ran", "failures", "up")
        time.sleep(dice.uniform(0.0, 1.0))
        below = workers_of(process.pid)
        whom = dice.choice(["worker", "driver"]) if number else "worker"
        if whom == "worker" and below:
            os.kill(dice.choice(below), signal.SIGKILL)
        else:
            process.kill()
            process.wait()
            until = time.monotonic() + 30
            while any(Path(f"/proc/{child}").exists() for child in below):  # nobody is left behind
                assert time.monotonic() < until
                time.sleep(0.1)
            now = assert_whole(folder, undisturbed) if folder.exists() else []
            assert set(stored) <= set(now)  # what was there once is there still
            stored, process = now, driver(folder, SLOW, workers=workers)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, out + err
    assert_whole(folder, undisturbed, at_least=len(SLOW))
    assert_resumed(folder, SLOW, undisturbed, stored=SLOW)


def test_workers_and_driver_killed_at_random(tmp_path, undisturbed):
    disturb(tmp_path / "records", undisturbed, rounds=3, workers=1, seed=1)


@pytest.mark.deep
def test_workers_and_driver_killed_at_random_twenty_times(tmp_path, undisturbed):
    disturb(tmp_path / "records", undisturbed, rounds=20, workers=2, seed=2)


def crash(tmp_path, undisturbed, *, runs, number):
    """One run kills whatever measures it: it alone is the failure, with its configuration, and the rest is done."""
    process = driver(tmp_path, [*runs[:2], TinyRun(9, 2, deed="kill"), *runs[2:]], workers=number)
    out, err = process.communicate(timeout=240)
    assert process.returncode == 1, out + err
    (failure,) = json.loads(out.rpartition("failures ")[2])
    assert failure["label"] == "kill width 2 seed 9" and failure["config"]["deed"] == "kill"
    assert "must not kill its worker" in failure["reason"]
    assert_resumed(tmp_path, runs, undisturbed, stored=assert_whole(tmp_path, undisturbed, at_least=len(runs)))


def test_a_run_that_always_kills_its_worker_fails_alone(tmp_path, undisturbed, monkeypatch):
    """With a worker's first death blamed on its task, to save time; the deep test has the setting that users have."""
    monkeypatch.setenv("ALLOWED_DEATHS", "0")
    crash(tmp_path, undisturbed, runs=SLOW[:6], number=1)


@pytest.mark.deep
def test_a_run_that_always_kills_its_workers_fails_alone_among_two(tmp_path, undisturbed):
    crash(tmp_path, undisturbed, runs=SLOW, number=2)


def in_own_mounts(script, *arguments):
    """Run a shell script that may mount file systems, which are gone with it."""
    as_root = [] if os.geteuid() == 0 else ["--map-root-user"]
    shell = ["unshare", "--mount", *as_root, "sh", "-c", script, "sh", *map(str, arguments)]
    return subprocess.run(shell, capture_output=True, text=True)


@pytest.mark.parametrize("number", [0, pytest.param(1, marks=pytest.mark.deep)])
def test_a_full_disk_ends_the_sweep_in_one_sentence(tmp_path, undisturbed, number):
    small, kept = tmp_path / "small", tmp_path / "kept"
    small.mkdir()
    script = 'mount -t tmpfs -o size=64k none "$1" && shift && "$@"; code=$?; cp -r "$0" "$KEPT"; exit $code'
    script = script.replace('"$0"', f'"{small}"').replace('"$KEPT"', f'"{kept}"')
    done = in_own_mounts(script, small, *command(small, SLOW, workers=number))
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.count("\n") == 1 and "No space left on device" in done.stderr
    stored = assert_whole(kept, undisturbed, at_least=1)
    assert len(stored) == done.stdout.count("ran ") < len(SLOW)
    assert not list(kept.glob(".*.tmp"))
    assert_resumed(kept, SLOW, undisturbed, stored=stored)


def test_a_read_only_store_is_one_sentence(tmp_path, undisturbed):
    run_all(STUDY, SLOW[:2], RecordStore(tmp_path), report=lambda event: None)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    script = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@"'
    done = in_own_mounts(script, tmp_path, *command(tmp_path, SLOW[:4]))
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stdout.count("reused") == 2  # what is there can be read
    assert done.stderr.count("\n") == 1 and "Read-only file system" in done.stderr
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert_resumed(tmp_path, SLOW, undisturbed, stored=SLOW[:2])


def test_two_drivers_share_a_store(tmp_path, undisturbed):
    both = [driver(tmp_path, runs) for runs in (SLOW, SLOW[::-1])]
    for process in both:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, out + err
    assert_whole(tmp_path, undisturbed, at_least=len(SLOW))
    assert_resumed(tmp_path, SLOW, undisturbed, stored=SLOW)


@pytest.mark.parametrize("number", [pytest.param(0, marks=pytest.mark.deep), 1])
def test_ctrl_c_finishes_the_running_chunk(tmp_path, undisturbed, number):
    """The signal goes to the whole group, as from a terminal: workers do not mind."""
    process = driver(tmp_path, SLOW, workers=number)
    await_line(process, "running")
    time.sleep(0.5)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, out + err
    assert err == "uniformity: finishing what runs; press Ctrl-C again to stop at once\n"
    stored = assert_whole(tmp_path, undisturbed, at_least=1)
    assert len(stored) < len(SLOW)
    assert_resumed(tmp_path, SLOW, undisturbed, stored=stored)


def test_a_second_ctrl_c_stops_at_once(tmp_path, undisturbed):
    process = driver(tmp_path, [TinyRun(seed, seconds=5.0) for seed in range(4)])
    await_line(process, "running")
    process.send_signal(signal.SIGINT)
    assert "press Ctrl-C again" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    since = time.monotonic()
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT or process.returncode == 1 or process.returncode == 130
    assert time.monotonic() - since < 5 and not list(RecordStore(tmp_path).keys())


def test_workers_that_do_not_see_the_folder_are_one_sentence(tmp_path, monkeypatch):
    """A scheduler of another machine is played by one that sees nothing."""
    monkeypatch.setattr("experiments.engine._sees", lambda path: False)
    from experiments import engine

    class Client:
        def run(self, function, path, on_error):
            return {"tcp://elsewhere:1": function(path), "tcp://dead:1": OSError("gone")}

    with pytest.raises(cluster.WorkerLost, match=r"must see the folder .*, but the one at tcp://elsewhere:1 does not"):
        engine._require_seen(Client(), tmp_path)
    assert not list(tmp_path.iterdir())


def test_workers_with_other_code_are_one_sentence(tmp_path):
    """The study is a module that the driver alone can import."""
    process = driver(tmp_path, SLOW, workers=1, env={**os.environ, "ONLY_HERE": "1"})
    out, err = process.communicate(timeout=60)
    assert process.returncode == 2, out + err
    assert err.startswith("the workers must run the code that runs here, but one could not read a task: ModuleNotFound")
    assert err.count("\n") == 1

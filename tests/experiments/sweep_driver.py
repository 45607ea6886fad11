"""A driver that tests kill: `python sweep_driver.py FOLDER WORKERS RUNS`, RUNS a list of TinyRun's fields in JSON.

With ALLOWED_DEATHS in the environment a task may outlive so many workers, else as many as users have it; with ONLY_HERE
workers cannot import the runs' class.

It prints a line an event, and ends as the commands do: 0, 1 with failures, 2 where the store or the cluster cannot, 130
when interrupted.
"""

import json
import os
import sys
from contextlib import nullcontext
from pathlib import Path


def main(folder: str, number: str, runs: str) -> int:
    from tiny_study import STUDY, TinyRun

    from experiments import cluster
    from experiments.engine import run_all
    from experiments.records import RecordStore
    from figures.interrupt import gentle_interrupt

    def report(event):
        print(event.kind, event.label, event.outcome, flush=True)

    if "ONLY_HERE" in os.environ:  # a class by a name that no worker finds
        TinyRun.__module__ = "tiny_study_elsewhere"
        sys.modules["tiny_study_elsewhere"] = sys.modules["tiny_study"]
    if "ALLOWED_DEATHS" in os.environ:
        cluster._SETTINGS["distributed.scheduler.allowed-failures"] = int(os.environ["ALLOWED_DEATHS"])
    try:
        with cluster.workers(int(number)) if int(number) else nullcontext() as client, gentle_interrupt() as stop:
            print("up", flush=True)
            planned = [TinyRun(**fields) for fields in json.loads(runs)]
            outcome = run_all(STUDY, planned, RecordStore(Path(folder)), client=client, report=report, stop=stop)
    except OSError as error:
        print(f"cannot use {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    except cluster.WorkerLost as error:
        print(error, file=sys.stderr)
        return 2
    print("failures", json.dumps([failure._asdict() for failure in outcome.failures]), flush=True)
    return 130 if outcome.interrupted else int(bool(outcome.failures))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

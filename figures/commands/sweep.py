"""`uniformity sweep`: run a grid of one study's runs, of any size, into the store."""

import json as json_format
from pathlib import Path
from typing import TYPE_CHECKING, Any

from figures.commands.asked import BadInput, use_all_cores
from figures.commands.engine_options import EngineOptions
from figures.commands.unfinished import tell_unfinished
from figures.interrupt import gentle_interrupt

if TYPE_CHECKING:
    from experiments.engine import Event
    from experiments.grid import Grid


def sweep(
    grid: Path,
    /,
    *,
    study: str | None = None,
    out: Path = Path("out"),
    dry_run: bool = False,
    json: bool = False,
    engine: EngineOptions | None = None,
) -> int:
    """Run every combination of a grid; what the store has already is not run again.

    All runs are checked before the first begins. Exit status 1 if some fail, 130 after Ctrl-C, which lets what is
    running finish; either way the same command resumes.

    Parameters
    ----------
    grid
        A TOML file: the study, its preset, and lists, ranges, seeds and zips of any fields of its runs (README).
    study
        The study, where the file names none.
    out
        Folder whose records/ are the store, the same as that of `reproduce`.
    dry_run
        Say how many runs, shapes and seconds it would be, and write nothing.
    json
        Print what a dry run tells, or the events of the runs and a summary, as lines of JSON on stdout.
    """
    use_all_cores()
    from experiments.grid import read_grid

    try:
        asked = read_grid(grid, study)
    except ValueError as error:
        raise BadInput(str(error)) from error
    return _plan(grid, asked, out, json=json) if dry_run else _run(grid, asked, out, json=json, engine=engine)


def _plan(path: Path, grid: "Grid", out: Path, *, json: bool) -> int:
    """Say what would be run."""
    from experiments.estimate import estimate, shape_of
    from experiments.record_table import stored
    from experiments.records import record_key
    from figures.sweep_screen import print_plan

    root = out / "records"
    past = stored(root).heads if root.is_dir() else []
    have = {head.key for head in past}
    missing = [run for run in grid.runs if record_key(grid.study.name, grid.study.schema, run) not in have]
    known = {
        "kind": "dry run",
        **_about(path, grid),
        "records": str(root),
        "stored": len(grid.runs) - len(missing),
        "shapes": len({shape_of(grid.study, run) for run in missing}),
        "estimate": estimate(grid.study, missing, past)._asdict(),
    }
    if json:
        print(json_format.dumps(known))
    else:
        print_plan(known)
    return 0


def _run(path: Path, grid: "Grid", out: Path, *, json: bool, engine: EngineOptions | None) -> int:
    from experiments.engine import run_all
    from experiments.records import RecordStore, record_key
    from experiments.run_labels import labels
    from figures.progress_screen import EventStream, Reporter
    from figures.sweep_screen import print_repeated, print_swept

    study, about, last = grid.study, _about(path, grid), []
    told = {record_key(study.name, study.schema, run): label for run, label in zip(grid.runs, labels(grid.runs))}
    if not json:
        print_repeated(about)
    with (
        (engine or EngineOptions()).client() as client,
        gentle_interrupt() as stop,
        EventStream() if json else Reporter(to_stderr=False) as reporter,
    ):

        def report(event: "Event") -> None:
            last[:] = [event]
            reporter(event._replace(label=told.get(event.key, "")))

        outcome = run_all(study, grid.runs, RecordStore(out / "records"), client=client, report=report, stop=stop)
    failures = [failure._replace(label=told[failure.key]) for failure in outcome.failures]
    known = {
        "kind": "summary",
        **about,
        **{name: getattr(last[0], name) for name in ("done", "reused", "failed")},
        "records": str(out / "records"),
        "interrupted": outcome.interrupted,
        "failures": [failure._asdict() for failure in failures],
    }
    if json:
        print(json_format.dumps(known))
    else:
        print_swept(known, out)
    return tell_unfinished(outcome._replace(failures=failures))


def _about(path: Path, grid: "Grid") -> dict[str, Any]:
    return {
        "grid": str(path),
        "study": grid.study.name,
        "preset": grid.preset,
        "base": grid.base.label,
        "combinations": grid.combinations,
        "runs": len(grid.runs),
    }

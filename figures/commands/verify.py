"""`uniformity verify`: hunt for counterexamples."""

import json as json_format
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import cyclopts

from figures.commands.asked import BadInput, Names, chosen, use_all_cores


def verify(
    *,
    claim: Names = (),
    model: str | None = None,
    point_shape: Annotated[tuple[int, ...], cyclopts.Parameter(consume_multiple=True)] = (2,),
    examples: int = 200,
    seed: int = 0,
    out: Path | None = None,
    json: bool = False,
) -> int:
    """Hunt for counterexamples to the claims; exit 1 if one is found, with the smallest instance as runnable Python.

    Parameters
    ----------
    claim
        Ids of claims, such as R2; by default all.
    model
        FILE.py:NAME, an (init, apply) pair of your own: hunts the claims that speak of any model on it.
    point_shape
        Shape of one of that model's input points: 4, or 8 4 for eight tokens of width four.
    examples
        Instances searched per claim.
    seed
        Seed of the search.
    out
        File for the reports as JSON.
    json
        Print the reports as JSON.
    """
    use_all_cores()
    from experiments.records import write_atomically
    from experiments.reproduce import dump
    from figures.terminal import print_hunt

    if examples < 1:
        raise BadInput(f"--examples must be at least 1, but it was {examples}")
    reports = []
    for report in _searches(claim, model, point_shape, examples=examples, seed=seed):
        tightest = [found._asdict() for found in report.tightest]
        reports.append({**report._asdict(), "tightest": tightest})
        if not json:
            print_hunt(report)
    if out is not None:
        write_atomically(out, dump({"examples": examples, "seed": seed, "claims": reports}))
    if json:
        print(json_format.dumps(reports, indent=1))
    return 1 if any(report["violation"] for report in reports) else 0


def _searches(
    claim: tuple[str, ...], model: str | None, point_shape: tuple[int, ...], *, examples: int, seed: int
) -> Iterator[Any]:
    """Reports of the chosen claims' own hunts, or of the hunts on the user's model."""
    if model is None:
        from experiments.hunt_pool import search_claims
        from experiments.hunts import HUNTS

        hunted = [hunt.claim for hunt in chosen("--claim", claim, HUNTS)]
        yield from search_claims(hunted, examples=examples, seed=seed)
        return
    from experiments.hunt import search
    from experiments.model_hunts import model_hunts
    from experiments.user_model import load_model

    try:
        own = load_model(model, point_shape)
    except ValueError as error:
        raise BadInput(str(error)) from error
    for hunt in chosen("--claim", claim, model_hunts(own)):
        yield search(hunt, examples=examples, seed=seed)

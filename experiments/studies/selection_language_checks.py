"""D1 and D3 on the pools of real pairs of the language study: each pool and subset once, whatever was trained on it."""

from collections.abc import Iterator, Sequence

from experiments.records import Record
from experiments.studies.selection_language_times import named, situation
from theory import farthest_first, subset_separation
from theory.confidence import binomial_interval
from theory.verdict import Check

_ERROR_RATE = 1e-6
_ROUNDING = 2.0**-45
"""Of a cosine distance, at most 2, from an inner product: 64 eps."""


def _pool(record: Record) -> str:
    """The pool and its vectors; those of a model's hidden states are the model's own."""
    config = record.config
    if config["embedding"] == "hidden":
        return f"{named(situation(config))} seed {config['seed']}"
    spoilt = f" {config['corruption']} {config['share']:g}" if config["corruption"] != "none" else ""
    return f"{config['corpus']} {config['embedding']}{spoilt} seed {config['seed']}"


def checks(records: Sequence[Record]) -> Iterator[Check]:
    """Containment for every subset, the fall for farthest-first ones, tail and kept where random halves were drawn."""
    seen = set()
    for record in records:
        scalars, method, pool = record.scalars, record.config["method"], _pool(record)
        if method == "full" or (pool, method) in seen:
            continue
        seen.add((pool, method))
        yield subset_separation.check_separations(
            scalars["separation"], scalars["pool_separation"], rounding=_ROUNDING, instance=f"{method}, {pool}"
        )
        if method == "uniform":
            yield Check(
                claim=farthest_first.CLAIM.id,
                inequality="fall",
                instance=f"half of {pool}",
                measured=scalars["cover"],
                sense="<=",
                bound=scalars["separation"],
                rounding=_ROUNDING,
                margins={"farthest choice": scalars["choice_margin"] + _ROUNDING},
            )
        if method == "random":
            sizes = {"subset_size": scalars["subset_size"], "pool_size": scalars["pool_size"]}
            kept = binomial_interval(scalars["hits"], scalars["draws"], error_rate=_ERROR_RATE)
            where = f"{scalars['draws']} random halves, {pool}"
            yield subset_separation.check_tail(kept.low, scalars["count"], **sizes, instance=where)
            yield subset_separation.check_kept(kept.high, scalars["count"], **sizes, instance=where)

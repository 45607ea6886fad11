"""`uniformity select`: choose rows of the user's own data that lie far apart, and write them."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from cyclopts import Parameter

from figures.commands.asked import BadInput, plain
from figures.commands.part_options import PartOptions, choose_in_parts
from figures.commands.pool_options import Data, PoolOptions, given_pool
from figures.commands.progress import progress_bar

if TYPE_CHECKING:
    import numpy as np

    from experiments.selection import Selection
    from experiments.selection.file_rows import Picker

Metric = Literal["cosine", "euclidean"]
Method = Literal["greedy", "random", "min-dist", "k-means++", "facility"]
Start = Literal["first", "random", "center"]


class _Rule(NamedTuple):
    metric: Metric | None
    method: Method
    start: Start
    seed: int
    max_outlier: float | None


class _Chosen(NamedTuple):
    """known: what is told of the choice, as plain values."""

    selection: "Selection"
    pick: "Picker"
    known: dict[str, Any]


def select(
    data: Data,
    /,
    *,
    k: Annotated[str, Parameter(name=("-k", "--k"))],
    metric: Metric | None = None,
    method: Method = "greedy",
    start: Start = "first",
    seed: int = 0,
    max_outlier: float | None = None,
    out: Path | None = None,
    indices: Path | None = None,
    order: Literal["insertion", "input"] = "insertion",
    report: bool = True,
    json: bool = False,
    options: PoolOptions = PoolOptions(),  # noqa: B008  (frozen)
    parts: PartOptions = PartOptions(),  # noqa: B008
) -> int:
    """Choose rows of your own data that lie far apart (are uniform), and write them or their row numbers.

    Parameters
    ----------
    data
        .npy, .npz, .csv, .tsv, .parquet, .jsonl, .json (a list of objects, as Alpaca's), or - for standard input.
    k
        How many rows: a number, or a share such as 50%.
    metric
        Distance of two rows; by default cosine for texts and euclidean for numbers.
    method
        greedy: each row the farthest from those before it. The others are what it is compared with.
    start
        The first row: the file's first, a random one, or the one nearest to the mean.
    seed
        Seed of whatever is random.
    max_outlier
        Share of the rows, those farthest from their nearest row, that are not to be chosen, such as 0.01.
    out
        Where the chosen rows go, if its name ends as DATA does; else (.npy, .csv, .json) their row numbers.
    indices
        Where the row numbers go (.npy, .csv, .json), counted from 0; .csv and .json with the insertion distances.
    order
        Order of what is written: of insertion, so that its first rows are themselves a selection, or of the input.
    report
        Compare the chosen rows with the pool and with as many random ones, which takes a pass over all pairs.
    json
        Print all that is known, row numbers included, as JSON.
    """
    from experiments.records import write_atomically
    from experiments.selection.chosen_rows import index_file

    rule = _Rule(metric, method, start, seed, max_outlier)
    try:
        targets = _targets(data, options, out=out, indices=indices, json=json)
        selection, pick, known = (
            _in_parts(data, k, rule, options, parts)
            if parts.wanted
            else _at_once(data, k, rule, options, report=report, rows=any(rows for _, rows in targets))
        )
    except (ValueError, MemoryError) as error:
        raise BadInput(str(error) or f"{data} does not fit into memory") from error
    places = selection.indices.argsort() if order == "input" else slice(None)
    chosen, insertion, known = selection.indices[places], selection.insertion[places], {**known, "order": order}
    written = {}
    for path, rows in targets:
        write_atomically(path, pick(chosen) if rows else index_file(path.suffix.lower(), chosen, insertion, known))
        written[str(path)] = f"{len(chosen):,} {'rows, each as it was' if rows else 'row numbers'}"
    if json:
        print(index_file(".json", chosen, insertion, known).decode(), end="")
    else:
        from figures.selection_screen import print_selection

        print_selection({**known, "written": written})
    return 0


def _at_once(data: str, k: str, rule: _Rule, options: PoolOptions, *, report: bool, rows: bool) -> _Chosen:
    """Choose from a pool in memory, or mapped into it; `rows`: these are to be written."""
    import numpy as np

    from experiments.selection import select as choose
    from experiments.selection.chosen_rows import asked_size
    from experiments.selection.guarantee import guarantee

    pool = given_pool(data, options)
    metric = rule.metric or pool.metric
    size = asked_size(k, len(pool.vectors))
    if rows:
        list(pool.pick(np.arange(0)))  # rows that cannot be written are found out before the work
    with progress_bar("choosing") as progress:
        selection = choose(
            pool.vectors,
            size,
            metric=metric,
            method=rule.method,
            start=rule.start,
            seed=rule.seed,
            max_outlier=rule.max_outlier,
            progress=progress,
        )
    compared = _compared(pool.vectors, selection, metric, seed=rule.seed) if report else {}
    proven = guarantee(selection, metric=metric, method=rule.method, trimmed=rule.max_outlier is not None)
    known = _known(pool.about, len(pool.vectors), rule._replace(metric=metric), selection)
    return _Chosen(selection, pool.pick, {**known, "guarantee": plain(proven), "parts": None, "report": compared})


def _compared(vectors: "np.ndarray", selection: "Selection", metric: Metric, *, seed: int) -> dict[str, Any]:
    """The pool, the chosen rows and as many random ones, measured."""
    from experiments.selection import select as choose
    from experiments.selection.uniformity import measure

    # Another seed, so that it is another subset where the method is random itself.
    others = choose(vectors, len(selection.indices), metric=metric, method="random", seed=seed + 1).indices
    found = {}
    for name, subset in (("pool", None), ("chosen", selection.indices), ("random", others)):
        with progress_bar(f"measuring {name}") as progress:
            found[name] = plain(measure(vectors, metric=metric, chosen=subset, progress=progress))
    return found


def _in_parts(data: str, k: str, rule: _Rule, options: PoolOptions, parts: PartOptions) -> _Chosen:
    """Choose from a file that need not fit into memory."""
    from experiments.selection.chosen_rows import asked_size
    from experiments.selection.pool import row_picker
    from experiments.selection.stored_rows import stored_rows

    if rule.method != "greedy" or rule.max_outlier is not None:
        raise BadInput("a choice in parts must be greedy and without --max-outlier")
    if options != PoolOptions(columns=options.columns):
        raise BadInput("a choice in parts must be from the numbers of a .npy or .parquet file, with --columns at most")
    stored = stored_rows(data, columns=options.columns)
    size, metric = asked_size(k, stored.count), rule.metric or "euclidean"
    selection, certificate = choose_in_parts(
        data, size, parts, metric=metric, start=rule.start, seed=rule.seed, columns=options.columns
    )
    known = _known(
        f"{stored.count:,} rows of {data} ({stored.dim:,} numbers a row)",
        stored.count,
        rule._replace(metric=metric),
        selection,
    )
    several = size > 1
    known["guarantee"] = {
        "claim": "D4",
        "best_separation": certificate.best_separation if several else None,
        "best_cover": certificate.best_cover,
    }
    known["parts"] = {"parts": certificate.parts, "kept": certificate.kept, "kept_cover": certificate.kept_cover}
    if several:
        known["parts"] |= {"separation": certificate.separation, "share": certificate.share}
    return _Chosen(selection, row_picker(data), {**known, "report": {}})


def _known(about: str, pool_rows: int, rule: _Rule, selection: "Selection") -> dict[str, Any]:
    return {
        "pool": about,
        "pool_rows": pool_rows,
        "k": len(selection.indices),
        **rule._asdict(),
        "cover": selection.cover,
    }


def _targets(
    data: str, options: PoolOptions, *, out: Path | None, indices: Path | None, json: bool
) -> list[tuple[Path, bool]]:
    """Where to write, and whether rows. Raises ValueError, before anything is read, where that cannot be."""
    from experiments.selection.chosen_rows import INDEX_SUFFIXES, holds_rows
    from experiments.selection.pool import STDIN, pool_suffix

    if out is None and indices is None and not json:
        raise ValueError("one of --out, --indices and --json must say where the choice goes, but none was given")
    targets = [] if out is None else [(out, holds_rows(out, pool_suffix(data, options.format)))]
    if indices is not None:
        if indices.suffix.lower() not in INDEX_SUFFIXES:
            raise ValueError(f"--indices must end in one of {', '.join(INDEX_SUFFIXES)}, but was {indices}")
        targets.append((indices, False))
    read = [path for path in (None if data == STDIN else Path(data), options.vectors) if path and path.exists()]
    for path, _ in targets:
        folder = next(parent for parent in path.absolute().parents if parent.exists())
        if path.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
            raise ValueError(f"what is written must be a file in a folder that can be written, but {path} is not")
        if path.exists() and any(path.samefile(other) for other in read):
            raise ValueError(f"what is written must not be what is read, but {path} is")
    if out is not None and indices is not None and out.absolute() == indices.absolute():
        raise ValueError(f"--out and --indices must be two files, but both were {out}")
    return targets

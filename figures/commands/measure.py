"""`uniformity measure`: how uniform the user's own data are."""

import json as json_format
from pathlib import Path
from typing import Literal

from figures.commands.asked import BadInput, plain
from figures.commands.pool_options import Data, PoolOptions
from figures.commands.progress import progress_bar


def measure(
    data: Data,
    /,
    *,
    metric: Literal["cosine", "euclidean"] | None = None,
    chosen: Path | None = None,
    near: float | None = None,
    json: bool = False,
    options: PoolOptions = PoolOptions(),  # noqa: B008  (frozen)
) -> int:
    """Measure how uniform your own data are: their closest rows, repeats, lonely rows, and what is possible.

    Parameters
    ----------
    data
        .npy, .npz, .csv, .tsv, .parquet, .jsonl, .json (a list of objects, as Alpaca's), or - for standard input.
    metric
        Distance of two rows; by default cosine for texts and euclidean for numbers.
    chosen
        Row numbers (.npy, .csv, .json, as select writes them): measure these rows, and how well they cover all.
    near
        Distance up to which rows are near repeats; by default a tenth of the typical one to the nearest row, or
        less in fewer than four dimensions.
    json
        Print all that is known as JSON.
    """
    from experiments.selection.pool import read_pool
    from experiments.selection.row_numbers import read_row_numbers
    from experiments.selection.uniformity import measure as measured

    try:
        pool = read_pool(data, **vars(options))
        count = len(pool.vectors)
        if count < 2:
            raise ValueError(f"{data} must have at least 2 rows to have a distance, but has {count}")
        rows = None if chosen is None else read_row_numbers(chosen, count)
        with progress_bar("measuring") as progress:
            found = measured(pool.vectors, metric=metric or pool.metric, chosen=rows, near=near, progress=progress)
    except (ValueError, MemoryError) as error:
        raise BadInput(str(error) or f"{data} does not fit into memory") from error
    known = {"pool": pool.about, "chosen": None if chosen is None else str(chosen), **plain(found)}
    if json:
        print(json_format.dumps(known, indent=1, allow_nan=False))
    else:
        from figures.measure_screen import print_measure

        print_measure(known, texts=pool.texts, names=pool.names, data=data, suffix=pool.suffix)
    return 0

"""How a command is told where the user's rows are, and how they become vectors: the same for measure and select."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from figures.commands.asked import BadInput

if TYPE_CHECKING:
    from experiments.selection.pool import Pool

Data = Annotated[str, Parameter(allow_leading_hyphen=True)]
"""FILE, or - for standard input."""

_Fields = Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative=())]


@Parameter(name="*")
@dataclass(frozen=True)
class PoolOptions:
    """Where the rows' vectors come from.

    Parameters
    ----------
    format
        Format of DATA where its name does not end in it, as on standard input.
    columns
        Columns or fields that are the numbers, by name; by default all columns that are numbers, or "vector".
    text
        Columns or fields that are the text; by default instruction, input, output, or prompt, messages, text, ...
    vectors
        File with your own vectors, row for row, such as an embedding model's output.
    array
        Name of the array in an .npz file.
    embedding
        How texts become vectors: tfidf, or wordllama, which is an extra to be installed.
    dim
        Length of the vectors that are made from texts.
    """

    format: Literal["npy", "npz", "csv", "tsv", "parquet", "jsonl", "json"] | None = None
    columns: _Fields = ()
    text: _Fields = ()
    vectors: Path | None = None
    array: str | None = None
    embedding: Literal["tfidf", "wordllama"] = "tfidf"
    dim: int = 256


def given_pool(data: str, options: PoolOptions) -> "Pool":
    """The pool that DATA and its options name. Raises BadInput where there is none, OSError where it cannot be read."""
    from experiments.selection.pool import read_pool, require_different

    try:
        pool = read_pool(data, **vars(options))
        require_different(pool)
    except (ValueError, MemoryError) as error:
        raise BadInput(str(error) or f"{data} does not fit into memory") from error
    return pool

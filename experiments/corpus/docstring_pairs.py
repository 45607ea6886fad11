"""Instruction-like pairs: a function's docstring summary -> its body, mined from the installed packages' sources.

Pair.    prompt: the docstring's first paragraph on one line.  response: the body below the docstring, indented from 0,
  comments included.  A model that is given what a function is for writes the function.
Limits.  Prompts of 15 to 200 characters, responses of 60 to 700: no one-line delegations, no texts beyond the context
  of a small model.  First paragraphs that are a section's head (underlined) are no summary.
Content. About 7,000 pairs, 2.4 million characters.  Redundant by nature: packages delegate, wrap and repeat. Nothing is
  deduplicated; `experiments.corpus.redundancy` counts.
Order.   That of `sources.documented`: package, path, line.  `fingerprint` and `sources.versions` tell a record on
  what it was trained: other versions of the packages give other pairs.
"""

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

from experiments.corpus.sources import PACKAGES, Documented, documented

_PROMPT_LENGTHS = (15, 200)  # characters
_RESPONSE_LENGTHS = (60, 700)


class Pair(NamedTuple):
    """prompt, response: text.  source: "package/path:line", or the text's file."""

    prompt: str
    response: str
    source: str


def docstring_pairs(packages: tuple[str, ...] = PACKAGES) -> list[Pair]:
    """All pairs of the packages.  Raises ValueError for a package that is not installed.

    Some 10 s for all six the first time in a process; "optax" alone has some 230 pairs and takes 0.2 s.
    """
    return [pair for found in documented(packages) if (pair := pair_of(found)) is not None]


def pair_of(found: Documented) -> Pair | None:
    """The pair of a documented function, None where there is none within the limits."""
    summary = summary_of(found.docstring)
    if found.kind != "function" or "----" in summary or "====" in summary:
        return None
    if not _within(summary, _PROMPT_LENGTHS) or not _within(found.body, _RESPONSE_LENGTHS):
        return None
    return Pair(summary, found.body, found.source)


def summary_of(docstring: str) -> str:
    """The first paragraph on one line."""
    return " ".join(docstring.split("\n\n")[0].split())


def fingerprint(texts: Iterable[Iterable[str]]) -> str:
    """SHA-256 over pairs (or any tuples of text), their lengths and their order, in hexadecimal."""
    digest = hashlib.sha256()
    for fields in texts:
        for field in (field.encode("utf-8", "surrogatepass") for field in fields):
            digest.update(len(field).to_bytes(8, "big") + field)
        digest.update(b"\xff" * 8)
    return digest.hexdigest()


def _within(text: str, limits: tuple[int, int]) -> bool:
    return limits[0] <= len(text) <= limits[1]

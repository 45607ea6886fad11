"""A claim: one statement with its hypotheses, where it comes from, and what would show it false."""

from dataclasses import dataclass
from typing import Literal

Provenance = Literal["paper's abstract", "reconstruction", "classic"]


@dataclass(frozen=True)
class Claim:
    """One quantitative statement.

    id: short name in paper_notes.md (letter of the theme, number).  module: stem of the file in theory/, and of
    tests/theory/test_<module>.py.  abstract: the sentence of the paper's abstract that this claim bears on, in our
    words.  constants: which numbers of the bound are known before training and which are measured on the run itself.
    """

    id: str
    title: str
    statement: str
    hypotheses: tuple[str, ...]
    provenance: Provenance
    source: str
    module: str
    abstract: str
    sharp: str
    constants: str

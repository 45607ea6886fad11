"""A claim: one statement with its hypotheses, where it comes from, and what would show it false."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Provenance = Literal["paper's abstract", "reconstruction", "classic"]

Standing = Literal["proved and tight", "proved but loose", "conditional", "false as stated", "measured only"]
"""What is known of a claim once its proof is read and its hunt has run.

proved and tight: holds for every instance of its kind, and the hunt reaches equality (ratio at least 0.999).
proved but loose: holds likewise, but far from equality where it matters; `Claim.sharp` says where and by how much.
conditional: proved under a hypothesis that has to be measured or chosen (a label gap, a step size, a frozen kernel).
false as stated: the sentence of the abstract, read without conditions, has a counterexample, and the claim is it.
measured only: what is proved does not reach what is observed; the number of interest is a measurement.
"""


@dataclass(frozen=True)
class Claim:
    """One quantitative statement.

    id: short name in paper_notes.md (letter of the theme, number).  hypotheses: short name -> sentence; for each name
    tests/theory has a `test_fails_without_<name>`, an instance without it that breaks the conclusion.  module: stem of
    the file in theory/, and of tests/theory/test_<module>.py.  abstract: the sentence of the paper's abstract that
    this claim bears on, in our words.  sharp: where equality is reached, or how loose it is.  tight: the hunt reaches
    a ratio of at least 0.999.  constants: which numbers of the bound are known before training and which are measured
    on the run itself.  rests_on: ids of the claims whose statements the proof uses.
    """

    id: str
    title: str
    statement: str
    hypotheses: Mapping[str, str]
    provenance: Provenance
    source: str
    module: str
    abstract: str
    sharp: str
    tight: bool
    constants: str
    standing: Standing
    rests_on: tuple[str, ...] = ()

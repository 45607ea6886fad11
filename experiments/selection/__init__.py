"""Choose rows of the user's own data: a uniform subset by farthest-first traversal, and what it is compared with."""

from experiments.selection.methods import METHODS, METRICS, STARTS, Selection, select

__all__ = ["METHODS", "METRICS", "STARTS", "Selection", "select"]

"""A claim that is false from 101 on, to see that a hunt finds it and shrinks it."""

from typing import NamedTuple

from theory.verdict import Check


class Instance(NamedTuple):
    size: int


def check(instance: Instance) -> Check:
    return Check("R2", f"size {instance.size}", float(instance.size) ** 2, "<=", 100.0 * instance.size)

"""What made a record, and what made all the records that a summary was read from.

A summary may rest on records of several commits, versions or machines: a paper run is resumed, a preset grows. So it
says which, with counts: whoever doubts a figure checks those commits out and runs its command again.
"""

import platform
import subprocess
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from experiments.records import Record

_VERSIONS = ("jax", "jaxlib", "numpy", "scipy", "optax")
_SOURCES = ("theory", "experiments", "pyproject.toml", "uv.lock")

UNRECORDED = "not recorded"
"""Where an older record does not say what a newer one does."""


class Provenance(NamedTuple):
    """How many of a summary's records each commit, set of versions, device and dtype made.

    records: their number.  seconds: wall time of all their runs, summed.  dtypes: of the arithmetic.
    """

    records: int
    seconds: float
    commits: dict[str, int]
    versions: dict[str, int]
    devices: dict[str, int]
    dtypes: dict[str, int]


def commit_of(root: Path) -> str:
    """The commit of a checkout, with '+' when its sources differ from it; 'unknown' outside one."""

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True).stdout.strip()

    try:
        # A source not yet added is a difference; notes, tests and figures make no record.
        changed = git("status", "--porcelain", "--", *_SOURCES)
        return git("rev-parse", "--short=12", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def provenance() -> dict[str, Any]:
    """What makes a record or a summary in this process: versions, device, dtype, commit."""
    return {
        "versions": {"python": platform.python_version(), **{name: version(name) for name in _VERSIONS}},
        "device": f"{jax.device_count()} x {jax.devices()[0].device_kind}",
        "machine": platform.machine(),
        "dtype": str(jnp.zeros(()).dtype),
        "commit": commit_of(Path(__file__).parent.parent),
    }


def _versions(made_by: dict[str, Any]) -> str:
    # A stored record's names are sorted, a fresh one's are not.
    return ", ".join(f"{name} {number}" for name, number in sorted(made_by["versions"].items()))


def provenance_of(records: Sequence[Record]) -> Provenance:
    """The counts over records, each the most frequent first."""
    made_by = [record.provenance for record in records]

    def counted(values: Sequence[str]) -> dict[str, int]:
        return dict(Counter(values).most_common())

    return Provenance(
        records=len(made_by),
        seconds=float(sum(made["seconds"] for made in made_by)),
        commits=counted([made["commit"] for made in made_by]),
        versions=counted([_versions(made) for made in made_by]),
        devices=counted([f"{made['device']}, {made['machine']}" for made in made_by]),
        dtypes=counted([made.get("dtype", UNRECORDED) for made in made_by]),
    )

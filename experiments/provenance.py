"""What made a record, and what made all the records that a summary was read from.

A summary may rest on records of several commits, versions or machines: a paper run is resumed, a preset grows. So it
says which, with counts: whoever doubts a figure checks those commits out and runs its command again.
"""

import platform
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from experiments.records import Head, Record

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


class CodeVersion(NamedTuple):
    """commit: its first 12 digits, None outside a checkout.  dirty: the sources differ from it; None where unknown."""

    commit: str | None
    dirty: bool | None


def code_version(root: Path) -> CodeVersion:
    """The commit of a checkout, and whether its sources differ from it."""

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True).stdout.strip()

    try:
        # A source not yet added is a difference; notes, tests and figures make no record.
        changed = git("status", "--porcelain", "--", *_SOURCES)
        return CodeVersion(git("rev-parse", "--short=12", "HEAD"), bool(changed))
    except (OSError, subprocess.CalledProcessError):
        return CodeVersion(None, None)


@cache
def _this_code() -> CodeVersion:
    """What this process runs, as far as its first look tells: git takes longer than many a run."""
    return code_version(Path(__file__).parent.parent)


@cache
def _installed() -> dict[str, str]:
    return {"python": platform.python_version(), **{name: version(name) for name in _VERSIONS}}


def _marked(commit: str | None, dirty: bool | None) -> str:
    """One word for a commit and whether the sources differed from it."""
    return "unknown" if commit is None else commit + ("+" if dirty else "")


def provenance() -> dict[str, Any]:
    """What makes a summary in this process: versions, device, dtype, commit, with '+' when its sources differ."""
    return {
        "versions": dict(_installed()),
        "device": f"{jax.device_count()} x {jax.devices()[0].device_kind}",
        "machine": platform.machine(),
        "dtype": str(jnp.zeros(()).dtype),
        "commit": _marked(*_this_code()),
    }


def run_provenance(seconds: float) -> dict[str, Any]:
    """What made a record in this process: as provenance(), but commit and dirty flag apart; host, and wall time."""
    return {**provenance(), **_this_code()._asdict(), "host": platform.node(), "seconds": seconds}


def code_version_of(made_by: Mapping[str, Any]) -> CodeVersion:
    """A record's commit and dirty flag; older records had both in one word."""
    if "dirty" in made_by:
        return CodeVersion(made_by["commit"], made_by["dirty"])
    commit = made_by.get("commit", "unknown")
    return CodeVersion(None, None) if commit == "unknown" else CodeVersion(commit.rstrip("+"), commit.endswith("+"))


def _versions(made_by: Mapping[str, Any]) -> str:
    # A stored record's names are sorted, a fresh one's are not.
    return ", ".join(f"{name} {number}" for name, number in sorted(made_by["versions"].items()))


def provenance_of(records: Sequence[Record | Head]) -> Provenance:
    """The counts over records, each the most frequent first."""
    made_by = [record.provenance for record in records]

    def counted(values: Sequence[str]) -> dict[str, int]:
        return dict(Counter(values).most_common())

    return Provenance(
        records=len(made_by),
        seconds=float(sum(made["seconds"] for made in made_by)),
        commits=counted([_marked(*code_version_of(made)) for made in made_by]),
        versions=counted([_versions(made) for made in made_by]),
        devices=counted([f"{made['device']}, {made['machine']}" for made in made_by]),
        dtypes=counted([made.get("dtype", UNRECORDED) for made in made_by]),
    )
